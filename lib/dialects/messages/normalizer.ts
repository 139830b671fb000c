/**
 * Messages streams of the gateway's for clients of that very dialect: what passes is as its clients need
 * it, and every stream ends with `message_stop` or an error.
 *
 * @module
 */

import type { BridgeError } from "../../errors.ts";
import { gatewayError, isErrorBody } from "../../gateway/errors.ts";
import { isObject, type JsonObject, toJson } from "../../json.ts";
import type { DialectContext, SseEvent, StreamCore, StreamOutcome } from "../dialect.ts";
import { isMessage } from "./decoder.ts";
import { PING } from "./encoder.ts";
import { brokenOff, callCutOff, errorEvent } from "./error.ts";
import { beginMessage, deltasOf, emptied, isEmptyInput, isJson, textOf } from "./blocks.ts";
import { decodeStopReason } from "./stop_reason.ts";
import { wholeUsage } from "./usage.ts";

/** The open block. */
interface OpenBlock {
  /** Its number at the gateway. */
  readonly given: unknown;
  readonly index: number;
  readonly block: JsonObject;
  json: string;
}

/** Reasons for which an answer ends. */
const REASONS: ReadonlySet<unknown> = new Set([
  "end_turn",
  "max_tokens",
  "stop_sequence",
  "tool_use",
  "pause_turn",
  "refusal",
  "model_context_window_exceeded",
]);

/** Reasons that leave the last block as it was by then. */
const CUT: ReadonlySet<unknown> = new Set(["max_tokens", "model_context_window_exceeded"]);

/** The name of a call that has none: clients refuse an empty one, and say so to the model. */
const UNNAMED = "unnamed_tool";

/** Whether a block is complete: the input of a call must be JSON. */
function isComplete({ block, json }: OpenBlock): boolean {
  return block.type !== "tool_use" || isJson(json);
}

/** Normalizes one stream; see {@linkcode StreamCore}. */
export class MessagesNormalizer implements StreamCore {
  readonly #context: DialectContext;
  #message: JsonObject | undefined;
  readonly #content: JsonObject[] = [];
  /** The open block. */
  #current: OpenBlock | undefined;
  /** Events of other blocks, which wait until the call under way is complete. */
  #waiting: JsonObject[] = [];
  #stopReason: unknown;
  #usage: JsonObject = {};
  #error: BridgeError | undefined;
  #ended = false;
  #spoke = false;
  /** A call that was closed with incomplete input. From the rest of the stream only the token counts are used. */
  #cut: JsonObject | undefined;
  /** The last call, closed without input: the stop reason decides whether it is complete. */
  #bare: { readonly index: number; readonly block: JsonObject } | undefined;

  /** Makes the normalizer of one stream. */
  constructor(context: DialectContext) {
    this.#context = context;
  }

  /** What keeps a silent connection open: a ping. */
  readonly heartbeat: string = PING;

  /** Whether the stream has ended and produces no more output. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Whether the answer is complete, though the gateway's stream may still be open. */
  get finished(): boolean {
    return this.#stopReason !== undefined;
  }

  /** The whole message. */
  get answer(): JsonObject | undefined {
    return this.#message && { ...this.#message, content: this.#content };
  }

  /** How it ended, or how far it is. */
  get outcome(): StreamOutcome {
    return {
      finishReason: decodeStopReason(this.#stopReason),
      usage: Object.keys(this.#usage).length > 0 ? wholeUsage(this.#usage) : undefined,
      error: this.#error,
      spoke: this.#spoke,
    };
  }

  /** The text for an event. */
  event(event: SseEvent): string {
    if (this.#ended) return "";
    if (event.type === "done") return this.end();
    const { secrets } = this.#context;
    if (event.type === "malformed") {
      return this.#message === undefined
        ? this.#fail(gatewayError(200, event.text, { secrets }))
        : this.#fail(brokenOff());
    }
    const { value } = event;
    if (this.#cut !== undefined) return this.#afterCut(this.#cut, value);
    if (isMessage(value)) return this.#whole(value);
    switch (value.type) {
      case "message_start":
        return this.#begin(isObject(value.message) ? value.message : {});
      case "content_block_start":
        return this.#start(value);
      case "content_block_delta":
        return this.#delta(value);
      case "content_block_stop":
        return this.#stop(value);
      case "message_delta":
        return this.#finish(value);
      case "message_stop":
        return this.#end();
      case "ping":
        return this.#message === undefined ? "" : PING;
    }
    if (value.type === "error" || isErrorBody(value)) {
      return this.#fail(gatewayError(200, value, { secrets }));
    }
    // What no client of this dialect knows is left out.
    return "";
  }

  /** The text for the end of the gateway's body. */
  end(cause?: unknown): string {
    if (this.#ended) return "";
    if (this.#cut !== undefined) return this.#fail(this.#cutOff(this.#cut));
    return this.#stopReason === undefined ? this.#fail(brokenOff(cause)) : this.#end();
  }

  #begin(message: JsonObject): string {
    if (this.#message !== undefined) return "";
    if (isObject(message.usage)) this.#usage = message.usage;
    const { makeId, model } = this.#context;
    const id = textOf(message.id) || makeId("msg_");
    this.#message = beginMessage(id, model, wholeUsage(this.#usage));
    return write("message_start", { message: this.#message });
  }

  /**
   * Begins a block. Clients read one block at a time: while a call is under way whose input isn't complete,
   * what belongs to others waits.
   */
  #start({ index: given, content_block: block }: JsonObject): string {
    if (!isObject(block)) return "";
    let out = this.#begin({});
    const current = this.#current;
    if (current !== undefined && !isComplete(current)) {
      this.#waiting.push({ type: "content_block_start", index: given, content_block: block });
      return out;
    }
    out += this.#close() + this.#endBare();
    const whole = block.type === "tool_use" && textOf(block.name) === ""
      ? { ...block, name: UNNAMED }
      : { ...block };
    const index = this.#content.push(whole) - 1;
    this.#current = { given, index, block: whole, json: "" };
    this.#spoke ||= block.type === "tool_use";
    return out + write("content_block_start", { index, content_block: { ...whole } });
  }

  #delta(event: JsonObject): string {
    const { index: given, delta } = event;
    if (!isObject(delta)) return "";
    let out = "";
    if (this.#current?.given !== given) {
      if (this.#waiting.some(({ index }) => index === given)) {
        this.#waiting.push(event);
        return "";
      }
      // A delta without its block's start: only for text is it known what it belongs to.
      if (delta.type === "text_delta") {
        out = this.#start({ index: given, content_block: { type: "text", text: "" } });
      } else if (delta.type === "thinking_delta") {
        const block = { type: "thinking", thinking: "", signature: "" };
        out = this.#start({ index: given, content_block: block });
      } else return "";
      if (this.#current?.given !== given) {
        this.#waiting.push(event);
        return out;
      }
    }
    const current = this.#current!;
    const { block, index } = current;
    switch (delta.type) {
      case "text_delta":
        block.text = textOf(block.text) + textOf(delta.text);
        this.#spoke ||= textOf(delta.text) !== "";
        break;
      case "thinking_delta":
        block.thinking = textOf(block.thinking) + textOf(delta.thinking);
        break;
      case "signature_delta":
        block.signature = textOf(block.signature) + textOf(delta.signature);
        break;
      case "input_json_delta":
        current.json += textOf(delta.partial_json);
        break;
    }
    return out + write("content_block_delta", { index, delta });
  }

  #stop(event: JsonObject): string {
    if (this.#current?.given === event.index) return this.#next();
    if (this.#waiting.some(({ index }) => index === event.index)) this.#waiting.push(event);
    return "";
  }

  /** Closes the open block and sends what waited for it. */
  #next(): string {
    const out = this.#close();
    return this.#cut === undefined ? out + this.#release() : out;
  }

  /** Ends the block under way. Half a call never closes: its client would repair it and run it. */
  #close(): string {
    const current = this.#current;
    this.#current = undefined;
    if (current === undefined) return "";
    const { block, json, index } = current;
    if (json !== "") {
      if (!isJson(json)) {
        this.#cut ??= block;
        return "";
      }
      block.input = JSON.parse(json);
    } else if (block.type === "tool_use" && isEmptyInput(block.input)) {
      this.#bare = { index, block };
      return "";
    }
    return write("content_block_stop", { index });
  }

  /** Ends a call without input. */
  #endBare(): string {
    const bare = this.#bare;
    this.#bare = undefined;
    return bare === undefined ? "" : write("content_block_stop", { index: bare.index });
  }

  /** Behind half a call only the usage counts, which comes with the stop reason. */
  #afterCut(block: JsonObject, { type, usage }: JsonObject): string {
    if (isObject(usage)) this.#usage = { ...this.#usage, ...usage };
    return type === "message_delta" || type === "message_stop" || type === "error"
      ? this.#fail(this.#cutOff(block))
      : "";
  }

  /** Sends what has waited for the end of a call. */
  #release(): string {
    const waiting = this.#waiting;
    this.#waiting = [];
    let out = "";
    for (const event of waiting) {
      if (event.type === "content_block_start") out += this.#start(event);
      else if (event.type === "content_block_stop") out += this.#stop(event);
      else out += this.#delta(event);
    }
    return out;
  }

  #finish({ delta, usage }: JsonObject): string {
    if (isObject(usage)) this.#usage = { ...this.#usage, ...usage };
    const { stop_reason: reason, stop_sequence: sequence } = isObject(delta)
      ? delta
      : {} as JsonObject;
    if (reason === undefined || reason === null || this.#stopReason !== undefined) return "";
    let out = this.#begin({});
    while (this.#current !== undefined) out += this.#next();
    if (this.#bare !== undefined && CUT.has(reason)) this.#cut ??= this.#bare.block;
    if (this.#cut !== undefined) return out + this.#fail(this.#cutOff(this.#cut));
    out += this.#endBare();
    const calls = this.#content.some(({ type }) => type === "tool_use");
    // ForgeCode goes on and on after a reason that it doesn't know, and after calls that aren't there.
    const known = REASONS.has(reason) && (reason !== "tool_use" || calls) ? reason : "end_turn";
    this.#stopReason = known;
    const ending = { stop_reason: known, stop_sequence: sequence ?? null };
    this.#message = { ...this.#message, ...ending, usage: wholeUsage(this.#usage) };
    return out + write("message_delta", { delta: ending, usage: wholeUsage(this.#usage) });
  }

  #end(): string {
    if (this.#stopReason === undefined) return this.#fail(brokenOff());
    this.#ended = true;
    return write("message_stop", {});
  }

  #fail(error: BridgeError): string {
    this.#ended = true;
    this.#error = error;
    return errorEvent(error, this.#content.length > 0);
  }

  #cutOff({ name }: JsonObject): BridgeError {
    const tokens = wholeUsage(this.#usage).output_tokens;
    return callCutOff(textOf(name), tokens as number);
  }

  /** A whole message in the place of a stream. */
  #whole(message: JsonObject): string {
    let out = this.#begin(message);
    for (const [index, block] of (message.content as unknown[]).entries()) {
      if (!isObject(block)) continue;
      out += this.#start({ index, content_block: emptied(block) });
      for (const delta of deltasOf(block)) out += this.#delta({ index, delta });
      out += this.#stop({ index });
    }
    const { stop_reason, stop_sequence, usage } = message;
    return out + this.#finish({ delta: { stop_reason, stop_sequence }, usage }) +
      (this.#ended ? "" : this.end());
  }
}

function write(type: string, fields: JsonObject): string {
  return `event: ${type}\ndata: ${toJson({ type, ...fields })}\n\n`;
}
