/**
 * Strict chat chunks as the events of a Messages stream, for clients of Anthropic's whose model speaks
 * something else.
 *
 * @module
 */

import { encodeContinuity } from "../../enrich/continuity.ts";
import type { BridgeError } from "../../errors.ts";
import { isObject, type JsonObject, toJson } from "../../json.ts";
import type { DialectContext, StreamEncoder } from "../dialect.ts";
import { completionChunk } from "../completion_chunk.ts";
import { beginMessage, inputOf, isJson, textOf } from "./blocks.ts";
import { callCutOff, errorEvent } from "./error.ts";
import { encodeStopReason } from "./stop_reason.ts";
import { encodeUsage } from "./usage.ts";

/** What keeps a silent connection open. */
export const PING = 'event: ping\ndata: {"type":"ping"}\n\n';

/** The kinds of blocks that an answer is made of. */
type Kind = "text" | "thinking" | "tool_use";

/** The block that is under way. */
interface OpenBlock {
  readonly kind: Kind;
  readonly index: number;
  /** The chunk's number of the call. */
  readonly call?: unknown;
  /** The block as it stands in a whole message. */
  readonly whole: JsonObject;
  text: string;
  signed: boolean;
}

/** Encodes one stream; see {@linkcode StreamEncoder}. */
export class MessagesEncoder implements StreamEncoder {
  readonly #context: DialectContext;
  readonly #wantsThinking: boolean;
  readonly #content: JsonObject[] = [];
  #message: JsonObject | undefined;
  #open: OpenBlock | undefined;
  #reason: unknown;
  #stop: unknown;
  #usage: unknown;
  /** The tool whose call has no complete input. */
  #broken: string | undefined;
  /** Text that came in the middle of a call. */
  #held = "";
  #out = "";

  /** Makes the encoder of one stream. */
  constructor(context: DialectContext) {
    this.#context = context;
    const { thinking } = context.request ?? {};
    this.#wantsThinking = isObject(thinking) && thinking.type !== "disabled";
  }

  /** What keeps a silent connection open: a ping. */
  readonly heartbeat: string = PING;

  /** The whole message, once the stream has ended. */
  get message(): JsonObject {
    return { ...this.#message, content: this.#content };
  }

  /** A call that turned out to be cut off, once the stream has ended. */
  get cutOff(): BridgeError | undefined {
    if (this.#broken === undefined) return undefined;
    return callCutOff(this.#broken, encodeUsage(this.#usage).output_tokens as number);
  }

  /** The events for one strict chunk. */
  chunk(chunk: JsonObject): string {
    this.#begin(chunk);
    if (isObject(chunk.usage)) this.#usage = chunk.usage;
    for (const choice of Array.isArray(chunk.choices) ? chunk.choices : []) {
      if (!isObject(choice) || (choice.index ?? 0) !== 0) continue;
      if (isObject(choice.delta)) this.#delta(choice.delta);
      this.#reason = choice.finish_reason ?? this.#reason;
      // The stop sequence, which vLLM sends beside the finish reason.
      this.#stop = choice.stop_reason ?? this.#stop;
    }
    return this.#take();
  }

  /** The events for the end of a complete answer. */
  end(): string {
    this.#begin({});
    this.#close();
    const cut = this.cutOff;
    if (cut !== undefined) return this.error(cut);
    const sequences = this.#context.request?.stop_sequences;
    const stopped = this.#reason === "stop" && Array.isArray(sequences) &&
      sequences.includes(this.#stop);
    const delta = {
      stop_reason: stopped ? "stop_sequence" : encodeStopReason(this.#reason),
      stop_sequence: stopped ? this.#stop : null,
    };
    const usage = encodeUsage(this.#usage);
    this.#message = { ...this.#message, ...delta, usage };
    this.#write("message_delta", { delta, usage });
    this.#write("message_stop", {});
    return this.#take();
  }

  /** The event that ends a failed stream. */
  error(error: BridgeError): string {
    return this.#take() + errorEvent(error, this.#content.length > 0);
  }

  /** Once a call is cut off, only the error follows. */
  #write(type: string, fields: JsonObject): void {
    if (this.#broken !== undefined) return;
    this.#out += `event: ${type}\ndata: ${toJson({ type, ...fields })}\n\n`;
  }

  #take(): string {
    const out = this.#out;
    this.#out = "";
    return out;
  }

  #begin({ usage }: JsonObject): void {
    if (this.#message !== undefined) return;
    const { makeId, model } = this.#context;
    this.#message = beginMessage(makeId("msg_"), model, encodeUsage(usage));
    this.#write("message_start", { message: this.#message });
  }

  #delta(delta: JsonObject): void {
    const details = Array.isArray(delta.reasoning_details)
      ? delta.reasoning_details.filter(isObject)
      : [];
    const told = textOf(delta.reasoning_content) || textOf(delta.reasoning);
    if (this.#wantsThinking) {
      if (details.length === 0) this.#think(told);
      for (const detail of details) this.#detail(detail, details.length === 1 ? told : "");
    }
    // A refusal in the model's own words is text here.
    for (const text of [textOf(delta.content), textOf(delta.refusal)]) {
      if (text === "") continue;
      // A call's block is not left before its input is complete.
      if (this.#isCalling()) this.#held += text;
      else this.#say(text);
    }
    for (const fragment of Array.isArray(delta.tool_calls) ? delta.tool_calls : []) {
      if (isObject(fragment)) this.#fragment(fragment);
    }
  }

  /** Whether a call is under way whose input isn't complete. */
  #isCalling(): boolean {
    return this.#open?.kind === "tool_use" && !isJson(this.#open.text);
  }

  #say(text: string): void {
    const block = this.#block("text");
    block.text += text;
    const { index } = block;
    this.#write("content_block_delta", { index, delta: { type: "text_delta", text } });
  }

  #think(thinking: string): void {
    // Thinking between two pieces of a call has no place in a message.
    if (thinking === "" || this.#isCalling()) return;
    const block = this.#block("thinking");
    block.text += thinking;
    const { index } = block;
    this.#write("content_block_delta", { index, delta: { type: "thinking_delta", thinking } });
  }

  /** A piece of reasoning with its signature, which ends its block, or a redacted one. */
  #detail(detail: JsonObject, told: string): void {
    if (detail.type === "reasoning.encrypted") {
      this.#close();
      const block = { type: "redacted_thinking", data: textOf(detail.data) };
      const index = this.#content.push(block) - 1;
      this.#write("content_block_start", { index, content_block: block });
      this.#write("content_block_stop", { index });
      return;
    }
    this.#think(textOf(detail.text) || told);
    const signature = textOf(detail.signature);
    if (signature === "") return;
    this.#sign(this.#block("thinking"), signature);
    this.#close();
  }

  #sign(block: OpenBlock, signature: string): void {
    block.signed = true;
    block.whole.signature = signature;
    const { index } = block;
    this.#write("content_block_delta", { index, delta: { type: "signature_delta", signature } });
  }

  #fragment(fragment: JsonObject): void {
    const { index: call, id, type: _type, function: body, ...fields } = fragment;
    const { name, arguments: text } = isObject(body) ? body : {} as JsonObject;
    if (this.#open?.kind !== "tool_use" || this.#open.call !== call) {
      // More of a call whose input was complete.
      if (typeof name !== "string") {
        this.#broken ??= "a tool";
        return;
      }
      this.#close(Object.keys(fields).length > 0 ? { [textOf(id)]: fields } : undefined);
      this.#start("tool_use", { id, name, input: {} }, call);
    }
    const block = this.#open!;
    const piece = textOf(text);
    if (piece === "") return;
    block.text += piece;
    const { index } = block;
    this.#write("content_block_delta", {
      index,
      delta: { type: "input_json_delta", partial_json: piece },
    });
  }

  /** The block under way, or a new one where it is of another kind. */
  #block(kind: "text" | "thinking"): OpenBlock {
    if (this.#open?.kind === kind) return this.#open;
    this.#close();
    return this.#start(kind, kind === "text" ? { text: "" } : { thinking: "", signature: "" });
  }

  #start(kind: Kind, fields: JsonObject, call?: unknown): OpenBlock {
    const whole: JsonObject = { type: kind, ...fields };
    const index = this.#content.push(whole) - 1;
    this.#write("content_block_start", { index, content_block: { ...whole } });
    return this.#open = { kind, index, call, whole, text: "", signed: false };
  }

  /**
   * Ends the block under way. Thinking that its model didn't sign gets a signature of the bridge's, which
   * says what the next turn needs to know.
   *
   * @param calls Fields of the call that follows, which only the gateway knows.
   */
  #close(calls?: Readonly<Record<string, JsonObject>>): void {
    const block = this.#open;
    if (block === undefined) return;
    if (block.kind === "thinking" && !block.signed) {
      const { model } = this.#context;
      this.#sign(block, encodeContinuity({ model, ...calls === undefined ? {} : { calls } }));
    }
    this.#open = undefined;
    const { kind, whole, text, index } = block;
    if (kind === "text") whole.text = text;
    else if (kind === "thinking") whole.thinking = text;
    else if (isJson(text || "{}")) whole.input = inputOf(text);
    else {
      // Half a call never closes: its client would repair it and run it.
      this.#broken ??= textOf(whole.name);
      return;
    }
    this.#write("content_block_stop", { index });
    const held = this.#held;
    this.#held = "";
    if (held !== "") {
      this.#say(held);
      this.#close();
    }
  }
}

/** A complete `chat.completion` as a message. */
export function encodeAnswer(completion: JsonObject, context: DialectContext): JsonObject {
  const encoder = new MessagesEncoder(context);
  encoder.chunk(completionChunk(completion));
  encoder.end();
  if (encoder.cutOff !== undefined) throw encoder.cutOff;
  return encoder.message;
}
