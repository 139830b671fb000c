/**
 * Strict chat chunks as the events of a Gemini stream, for Google's clients whose model speaks something
 * else.
 *
 * @module
 */

import { encodeContinuity } from "../../enrich/continuity.ts";
import { BridgeError } from "../../errors.ts";
import { isObject, type JsonObject, toJson } from "../../json.ts";
import type { DialectContext, StreamEncoder } from "../dialect.ts";
import { completionChunk } from "../completion_chunk.ts";
import { errorEvent, silentEnding } from "./error.ts";
import { textOf } from "./request.ts";
import { encodeUsage } from "./usage.ts";

/** An empty line: Google's client takes a comment for an event that it can't read. */
export const BLANK = "\n";

const REASONS: Readonly<Record<string, string>> = {
  stop: "STOP",
  tool_calls: "STOP",
  function_call: "STOP",
  length: "MAX_TOKENS",
  content_filter: "SAFETY",
};

/** A call in progress; it is sent when it is complete. */
interface OpenCall {
  readonly index: unknown;
  readonly id: unknown;
  readonly name: string;
  readonly fields: JsonObject;
  text: string;
}

/** Encodes one stream; see {@linkcode StreamEncoder}. */
export class GeminiEncoder implements StreamEncoder {
  readonly #context: DialectContext;
  readonly #parts: JsonObject[] = [];
  readonly #wantsThoughts: boolean;
  #id: string | undefined;
  #call: OpenCall | undefined;
  /** Signed reasoning that the next call carries to the next turn. */
  #details: JsonObject[] = [];
  #reason: unknown;
  #usage: unknown;
  #cut: string | undefined;

  /** Makes the encoder of one stream. */
  constructor(context: DialectContext) {
    this.#context = context;
    const config = context.request?.generationConfig;
    const thinking = isObject(config) ? config.thinkingConfig : undefined;
    this.#wantsThoughts = isObject(thinking) && thinking.includeThoughts === true;
  }

  /** What keeps a silent connection open. */
  readonly heartbeat: string = BLANK;

  /** The whole answer, once the stream has ended. */
  get answer(): JsonObject {
    return this.#response(this.#parts, this.#ending());
  }

  /** A call that turned out to be cut off, once the stream has ended. */
  get cutOff(): BridgeError | undefined {
    return this.#cut === undefined ? undefined : new BridgeError(
      "interrupted",
      `The call of ${this.#cut} breaks off in the middle of its arguments: it was not run. Raise maxOutputTokens, or ask for less at a time.`,
      { code: "tool_call_incomplete" },
    );
  }

  /** The events for one strict chunk. */
  chunk(chunk: JsonObject): string {
    this.#id ??= textOf(chunk.id) || undefined;
    if (isObject(chunk.usage)) this.#usage = chunk.usage;
    const parts: JsonObject[] = [];
    for (const choice of Array.isArray(chunk.choices) ? chunk.choices : []) {
      if (!isObject(choice) || (choice.index ?? 0) !== 0) continue;
      if (isObject(choice.delta)) parts.push(...this.#delta(choice.delta));
      this.#reason = choice.finish_reason ?? this.#reason;
    }
    return this.#tell(parts);
  }

  /** The event that ends a complete answer. */
  end(): string {
    let out = this.#tell(this.#closeCall());
    const cut = this.cutOff;
    if (cut === undefined && this.#parts.length === 0) {
      const words = silentEnding(String(this.#ending().finishReason));
      if (words !== undefined) out += this.#tell([words]);
    }
    return out +
      (cut === undefined ? this.#event(this.#response([], this.#ending())) : this.error(cut));
  }

  /** The event that ends a failed stream. */
  error(error: BridgeError): string {
    return errorEvent(error);
  }

  #tell(parts: readonly JsonObject[]): string {
    if (parts.length === 0) return "";
    this.#parts.push(...parts);
    return this.#event(this.#response(parts));
  }

  #event(value: JsonObject): string {
    return `data: ${toJson(value)}\n\n`;
  }

  #ending(): JsonObject {
    return { finishReason: REASONS[String(this.#reason)] ?? "STOP" };
  }

  #response(parts: readonly JsonObject[], ending?: JsonObject): JsonObject {
    const usage = ending && encodeUsage(this.#usage);
    return {
      candidates: [{ content: { role: "model", parts }, index: 0, ...ending }],
      ...usage ? { usageMetadata: usage } : {},
      modelVersion: this.#context.model,
      responseId: this.#id ??= this.#context.makeId("resp_"),
    };
  }

  #delta(delta: JsonObject): JsonObject[] {
    const parts: JsonObject[] = [];
    const details = Array.isArray(delta.reasoning_details)
      ? delta.reasoning_details.filter(isObject)
      : [];
    for (const detail of details) this.#keep(detail);
    const thought = textOf(delta.reasoning_content) || textOf(delta.reasoning) ||
      details.map(({ text }) => textOf(text)).join("");
    if (thought !== "" && this.#wantsThoughts) parts.push({ text: thought, thought: true });
    for (const text of [textOf(delta.content), textOf(delta.refusal)]) {
      if (text !== "") parts.push({ text });
    }
    for (const fragment of Array.isArray(delta.tool_calls) ? delta.tool_calls : []) {
      if (isObject(fragment)) parts.push(...this.#fragment(fragment));
    }
    return parts;
  }

  /** Keeps a detail; pieces of thinking belong to the signature that follows them. */
  #keep(detail: JsonObject): void {
    const last = this.#details.at(-1);
    const joins = last?.type === "reasoning.text" && detail.type === "reasoning.text" &&
      !last.signature;
    if (!joins) this.#details.push({ ...detail });
    else {
      this.#details[this.#details.length - 1] = {
        ...last,
        ...detail,
        text: textOf(last.text) + textOf(detail.text),
      };
    }
  }

  #fragment(fragment: JsonObject): JsonObject[] {
    const { index, id, type: _type, function: body, ...fields } = fragment;
    const { name, arguments: text } = isObject(body) ? body : {} as JsonObject;
    let parts: JsonObject[] = [];
    if (this.#call === undefined || this.#call.index !== index) {
      parts = this.#closeCall();
      this.#call = { index, id, name: textOf(name), fields, text: "" };
    }
    this.#call.text += textOf(text);
    return parts;
  }

  /** The call in progress, if it is complete; an incomplete call is never sent. */
  #closeCall(): JsonObject[] {
    const call = this.#call;
    this.#call = undefined;
    if (call === undefined) return [];
    let args: unknown;
    try {
      args = JSON.parse(call.text.trim() === "" ? "{}" : call.text);
    } catch {
      this.#cut ??= call.name;
      return [];
    }
    const { thoughtSignature, ...fields } = call.fields;
    const signed = this.#details.filter(({ type, signature }) =>
      type !== "reasoning.text" || textOf(signature) !== ""
    );
    this.#details = [];
    const { model } = this.#context;
    const carries = signed.length > 0 || Object.keys(fields).length > 0;
    const signature = textOf(thoughtSignature) !== ""
      ? thoughtSignature
      : carries
      ? encodeContinuity({
        model,
        ...signed.length > 0 ? { details: signed } : {},
        ...Object.keys(fields).length > 0 ? { calls: { [String(call.id)]: fields } } : {},
      })
      : undefined;
    return [{
      functionCall: { id: call.id, name: call.name, args: isObject(args) ? args : { value: args } },
      ...signature === undefined ? {} : { thoughtSignature: signature },
    }];
  }
}

/** A complete `chat.completion` as an answer. */
export function encodeAnswer(completion: JsonObject, context: DialectContext): JsonObject {
  const encoder = new GeminiEncoder(context);
  encoder.chunk(completionChunk(completion));
  encoder.end();
  if (encoder.cutOff !== undefined) throw encoder.cutOff;
  return encoder.answer;
}
