/**
 * Gemini streams and answers as chat chunks and completions, for clients of other dialects.
 *
 * @module
 */

import { isObject, type JsonObject } from "../../json.ts";
import type { DialectContext, StreamDecoder } from "../dialect.ts";
import { partsOf, textOf } from "./request.ts";
import { decodeUsage } from "./usage.ts";

const REASONS: Readonly<Record<string, string>> = {
  STOP: "stop",
  MAX_TOKENS: "length",
};

/** Google's finish reason in OpenAI's words; undefined while there is none. */
export function decodeReason(reason: unknown): string | undefined {
  const word = textOf(reason);
  if (word === "" || word === "FINISH_REASON_UNSPECIFIED") return undefined;
  // All others say that the answer was stopped: SAFETY, RECITATION, PROHIBITED_CONTENT, …
  return REASONS[word] ?? "content_filter";
}

/** Whether an event, or a body, is of this dialect. */
export function isGemini(value: JsonObject): boolean {
  return Array.isArray(value.candidates) || isObject(value.usageMetadata) ||
    isObject(value.promptFeedback);
}

/** Decodes one stream; see {@linkcode StreamDecoder}. */
export class GeminiDecoder implements StreamDecoder {
  readonly #context: DialectContext;
  #calls = 0;

  /** Makes the decoder of one stream. */
  constructor(context: DialectContext) {
    this.#context = context;
  }

  /** The chunks that an event stands for. */
  event(event: JsonObject): JsonObject[] {
    const { model, created } = this.#context;
    const [candidate] = Array.isArray(event.candidates) ? event.candidates.filter(isObject) : [];
    const blocked = isObject(event.promptFeedback) &&
      textOf(event.promptFeedback.blockReason) !== "";
    const delta = this.#delta(partsOf(candidate?.content));
    const reason = decodeReason(candidate?.finishReason) ??
      (blocked ? "content_filter" : undefined);
    const usage = decodeUsage(event.usageMetadata);
    return [{
      ...textOf(event.responseId) === "" ? {} : { id: event.responseId },
      object: "chat.completion.chunk",
      created,
      model,
      choices: [{
        index: 0,
        delta,
        finish_reason: reason === "stop" && this.#calls > 0 ? "tool_calls" : reason ?? null,
      }],
      ...usage ? { usage } : {},
    }];
  }

  #delta(parts: readonly JsonObject[]): JsonObject {
    let content = "";
    let reasoning = "";
    const calls: JsonObject[] = [];
    for (const { text, thought, functionCall: call, thoughtSignature: signature } of parts) {
      if (isObject(call)) {
        calls.push({
          index: this.#calls++,
          id: textOf(call.id) || this.#context.makeId("call_"),
          type: "function",
          function: { name: call.name, arguments: JSON.stringify(call.args ?? {}) },
          ...textOf(signature) === "" ? {} : { thoughtSignature: signature },
        });
      } else if (thought === true) reasoning += textOf(text);
      else content += textOf(text);
    }
    return {
      ...content === "" ? {} : { content },
      ...reasoning === "" ? {} : { reasoning_content: reasoning },
      ...calls.length > 0 ? { tool_calls: calls } : {},
    };
  }
}

/** A whole answer as a `chat.completion`. */
export function decodeAnswer(body: JsonObject, context: DialectContext): JsonObject {
  const [chunk] = new GeminiDecoder(context).event(body);
  const [choice] = chunk.choices as JsonObject[];
  const { delta, ...rest } = choice;
  const { tool_calls: calls, ...message } = delta as JsonObject;
  return {
    ...chunk,
    object: "chat.completion",
    choices: [{
      ...rest,
      finish_reason: rest.finish_reason ?? "stop",
      message: {
        role: "assistant",
        content: null,
        ...message,
        ...Array.isArray(calls)
          ? { tool_calls: calls.map(({ index: _index, ...call }: JsonObject) => call) }
          : {},
      },
    }],
  };
}
