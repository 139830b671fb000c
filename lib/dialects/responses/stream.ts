/**
 * The events of a Responses stream as chunks of chat completions.
 *
 * @module
 */

import { isObject, type JsonObject } from "../../json.ts";
import { ERROR_TYPES } from "./events.ts";
import type { Item, Slot, TextTrack } from "./item.ts";
import { asObject, decodeUsage, idOf, textOf } from "./read.ts";
import { type ResponseEnd, ResponsesReader, type ResponsesReaderOptions } from "./reader.ts";

/** How a {@linkcode ResponsesDecoder} goes about it. */
export type ResponsesDecoderOptions = ResponsesReaderOptions;

/**
 * Turns the events of one Responses stream into chat chunks (gateway.md, last section). One for each
 * stream.
 *
 * A chunk is `{id?, created?, model?, choices: [{index: 0, delta, finish_reason}], usage?}`, and lacks
 * what only a strict client needs. A call begins with its id, name and empty arguments, once its
 * name is known; fragments of several calls may alternate. The chunk with the `finish_reason` also
 * has the usage. Another may follow it, with more content before it or without, if the gateway sends
 * several responses in one stream: the last one counts.
 *
 * @example
 * ```ts
 * import { ResponsesDecoder } from "./stream.ts";
 *
 * const decoder = new ResponsesDecoder();
 * const [chunk] = decoder.event({ type: "response.output_text.delta", item_id: "msg_1", delta: "Hi" });
 * if (!JSON.stringify(chunk).includes('"content":"Hi"')) throw new Error("expected the text");
 * ```
 */
export class ResponsesDecoder extends ResponsesReader {
  #out: JsonObject[] = [];
  /** `id`, `created` and `model` of the first response, which every chunk carries. */
  readonly #head: JsonObject = {};
  #calls = 0;
  /** The reasoning that went out last: another part begins with a blank line. */
  #lastReasoning: TextTrack | string | undefined;
  /** The last ending as JSON, until content follows it: to say it twice would mean nothing new. */
  #lastEnding = "";

  /**
   * The chunks that `event` means, oldest first; none for events that mean nothing to a chat client.
   * A failure gives one `{error: {message, type, code}}` instead of an ending. Never throws.
   */
  event(event: JsonObject): JsonObject[] {
    this.#out = [];
    if (isObject(event)) this.take(event);
    return this.#out;
  }

  /** Takes over the head. */
  protected override head({ id, created_at: created, model }: JsonObject): void {
    if (typeof id === "string") this.#head.id ??= id;
    if (typeof created === "number") this.#head.created ??= Math.floor(created);
    if (typeof model === "string") this.#head.model ??= model;
  }

  /** Sends a call's head, once its name is known, and the arguments that came before it. */
  protected override opened(item: Item): void {
    if (item.kind !== "call" || item.callIndex >= 0 || item.name === "" || item.ran) return;
    if (!item.settled && !this.mayBeClients(item)) return;
    item.callIndex = this.#calls++;
    item.sentId = this.uniqueId(item.callId || item.id, this.#head.id);
    this.#send({
      tool_calls: [{
        index: item.callIndex,
        id: item.sentId,
        type: "function",
        function: { name: item.name, arguments: "" },
      }],
    });
    const early = item.emitted("arguments");
    if (early !== "") this.#sendArguments(item, early);
  }

  /** Sends a piece of text. */
  protected override text(item: Item, slot: Slot, part: number, fresh: string): void {
    if (item.kind === "call") {
      const unsent = item.callIndex < 0;
      this.opened(item);
      // The arguments that came before the name are sent with the head.
      if (!unsent) this.#sendArguments(item, fresh);
      return;
    }
    if (slot === "text") return this.#send({ content: fresh });
    if (slot === "refusal") return this.#send({ refusal: fresh });
    this.#sendReasoning(item.track(slot, part), fresh);
  }

  /** Does nothing: the texts of an item have been sent piece by piece. */
  protected override closed(): void {}

  /** Sends a call that the gateway ran as reasoning. */
  protected override ran(item: Item, words: string): void {
    if (item.callIndex < 0) this.#sendReasoning(words, words);
    else item.ran = false; // Too late: the client has been told of a call of its own tool.
  }

  /** Nothing: such items mean nothing to a chat client. */
  protected override opaque(): void {}

  /** Nothing: such events mean nothing to a chat client. */
  protected override other(): void {}

  /** Sends the ending, with the usage. */
  protected override end({ status, response }: ResponseEnd): void {
    const reason = status === "incomplete"
      ? asObject(response.incomplete_details).reason === "content_filter"
        ? "content_filter"
        : "length"
      : this.#calls > 0
      ? "tool_calls"
      : "stop";
    const usage = decodeUsage(response.usage);
    const ending = JSON.stringify([reason, usage]);
    if (ending === this.#lastEnding) return;
    this.#send({}, reason, usage);
    this.#lastEnding = ending;
  }

  /** Sends an error. */
  protected override fail(error: JsonObject): void {
    const own = error.type === "error" || error.type === "response.error" ? "" : idOf(error.type);
    const code = typeof error.code === "number"
      ? error.code
      : idOf(error.code) || own || "server_error";
    const type = own || (ERROR_TYPES.get(code) ?? "upstream_error");
    const message = textOf(error.message) || textOf(error.error) ||
      `The model's answer failed: ${code}.`;
    this.#out.push({ error: { message, type, code } });
  }

  /** Sends an error. */
  protected override overflow(message: string): void {
    this.#out.push({ error: { message, type: "upstream_error", code: "overflow" } });
  }

  #sendReasoning(track: TextTrack | string, fresh: string): void {
    const apart = this.#lastReasoning !== undefined && this.#lastReasoning !== track;
    this.#lastReasoning = track;
    this.#send({ reasoning_content: apart ? `\n\n${fresh}` : fresh });
  }

  #sendArguments(item: Item, text: string): void {
    this.#send({ tool_calls: [{ index: item.callIndex, function: { arguments: text } }] });
  }

  #send(delta: JsonObject, finishReason: string | null = null, usage?: JsonObject): void {
    const choices = [{ index: 0, delta, finish_reason: finishReason }];
    this.#out.push(
      usage === undefined ? { ...this.#head, choices } : { ...this.#head, choices, usage },
    );
    this.#lastEnding = "";
  }
}
