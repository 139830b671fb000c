/**
 * The events of a Responses stream as chunks of chat completions.
 *
 * @module
 */

import { isObject, type JsonObject } from "../../json.ts";
import type { ToolCallCache } from "../../adapt/tool_call_cache.ts";
import { ERROR_TYPES, PART_EVENTS, type PartEvent, TERMINAL_EVENTS } from "./events.ts";
import { UNNAMED } from "./input.ts";
import { type Item, type ItemSighting, ItemTable, type Slot, type TextTrack } from "./items.ts";
import {
  asObject,
  CONTENT_PARTS,
  contentTexts,
  decodeUsage,
  given,
  idOf,
  place,
  replayable,
  sight,
  textOf,
} from "./read.ts";

/** How a {@linkcode ResponsesDecoder} goes about it. */
export interface ResponsesDecoderOptions {
  /** Where encrypted reasoning items are kept, under the ids of the calls that they led to. */
  memory?: ToolCallCache;
  /** The model that was asked for: reasoning items are sent back to no other. */
  model?: string;
}

/**
 * The shortest id under which reasoning is kept, in characters. Shorter ones are mere counters
 * (`call_0`), which other conversations use as well: theirs would be given this one's thoughts.
 */
const MIN_MEMORABLE_ID = 10;

/** Statuses in which a response can end; a terminal event whose response names another is believed itself. */
const FINAL_STATUSES = new Set<unknown>(["completed", "incomplete", "failed", "cancelled"]);

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
export class ResponsesDecoder {
  readonly #options: ResponsesDecoderOptions;
  readonly #items = new ItemTable();
  #out: JsonObject[] = [];
  /** `id`, `created` and `model` of the first response, which every chunk carries. */
  readonly #head: JsonObject = {};
  #responseId: unknown;
  #ended = false;
  #calls = 0;
  readonly #sentIds = new Set<string>();
  /** The reasoning that went out last: another part begins with a blank line. */
  #lastReasoning: TextTrack | undefined;
  /** The last ending as JSON, until content follows it: to say it twice would mean nothing new. */
  #lastEnding = "";

  /** Makes a decoder for one stream. */
  constructor(options: ResponsesDecoderOptions = {}) {
    this.#options = options;
  }

  /**
   * Whether the stream may close here: its last word on the response's state was that it ended.
   * Responses streams usually have no `[DONE]`.
   */
  get ended(): boolean {
    return this.#ended;
  }

  /**
   * The chunks that `event` means, oldest first; none for events that mean nothing to a chat client.
   * A failure gives one `{error: {message, type, code}}` instead of an ending. Never throws.
   */
  event(event: JsonObject): JsonObject[] {
    this.#out = [];
    if (isObject(event)) this.#take(event);
    return this.#out;
  }

  #take(event: JsonObject): void {
    const part = PART_EVENTS.get(event.type);
    if (part !== undefined) return this.#takePart(event, part);
    const status = TERMINAL_EVENTS.get(event.type);
    if (status !== undefined) return this.#end(asObject(event.response), status);
    switch (event.type) {
      case "response.created":
      case "response.in_progress":
      case "response.queued":
        return this.#begin(asObject(event.response), event.type === "response.created");
      case "response.output_item.added":
        return this.#announce(asObject(event.item), event);
      case "response.output_item.done":
        return this.#close(asObject(event.item), event);
      case "response.content_part.done":
      case "response.reasoning_summary_part.done":
        return this.#closePart(asObject(event.part), event);
      case "error":
      case "response.error":
        return this.#fail(isObject(event.error) ? event.error : event);
    }
  }

  #begin(response: JsonObject, created: boolean): void {
    if (created && (this.#ended || response.id !== this.#responseId)) {
      if (this.#responseId !== undefined || this.#ended) this.#items.nextResponse();
      this.#responseId = response.id;
      this.#ended = false;
    }
    this.#readHead(response);
  }

  #readHead(response: JsonObject): void {
    const { id, created_at: created, model } = response;
    if (typeof id === "string") this.#head.id ??= id;
    if (typeof created === "number") this.#head.created ??= Math.floor(created);
    if (typeof model === "string") this.#head.model ??= model;
  }

  #takePart(event: JsonObject, rule: PartEvent): void {
    const text = textOf(event[rule.text]);
    if (text === "") return;
    const item = this.#items.find(rule.kind, idOf(event.item_id), place(event.output_index));
    const number = rule.number === undefined ? 0 : place(event[rule.number]) ?? 0;
    if (rule.kind === "call" && item.name === "") item.name = idOf(event.name);
    this.#advance(item, rule.slot, number, text, rule.whole);
  }

  #closePart(part: JsonObject, event: JsonObject): void {
    const rule = CONTENT_PARTS.get(part.type);
    const text = rule === undefined ? "" : textOf(part[rule.text]);
    if (rule === undefined || text === "") return;
    const item = this.#items.find(rule.kind, idOf(event.item_id), place(event.output_index));
    const number = place(event.content_index) ?? place(event.summary_index) ?? 0;
    this.#advance(item, rule.slot, number, text, true);
  }

  #announce(raw: JsonObject, event: JsonObject): void {
    const sighting = sight(raw, place(event.output_index));
    if (sighting === undefined) return;
    const item = this.#items.open(sighting);
    if (item.kind === "call") {
      if (item.name === "") item.name = idOf(raw.name);
      // Often "" or a placeholder such as "{}" here, to which the deltas to come don't add.
      item.announcedArguments = sighting.text;
      this.#sendCall(item);
    }
  }

  #close(raw: JsonObject, event: JsonObject): void {
    const sighting = sight(raw, place(event.output_index));
    if (sighting === undefined) return;
    const item = this.#items.close(sighting);
    this.#complete(item, raw, sighting);
    if (item.kind !== "message") this.#remember(this.#items.current());
  }

  /** Supplies what a whole item has and no delta brought. */
  #complete(item: Item, raw: JsonObject, { text }: ItemSighting): void {
    switch (item.kind) {
      case "message":
        this.#completeSlot(item, "text", contentTexts(raw.content, "text"));
        this.#completeSlot(item, "refusal", contentTexts(raw.content, "refusal"));
        break;
      case "call":
        if (item.name === "") item.name = idOf(raw.name);
        this.#sendCall(item);
        this.#advance(item, "arguments", 0, text, true);
        break;
      case "reasoning": {
        const summary = contentTexts(raw.summary, "summary");
        const thought = contentTexts(raw.content, "thought");
        // An item that has both says the same twice: what streamed goes on, else the summary is enough.
        const streamed = item.tracks("thought").size > 0;
        if (streamed || summary.size === 0) this.#completeSlot(item, "thought", thought);
        if (!streamed || item.tracks("summary").size > 0) {
          this.#completeSlot(item, "summary", summary);
        }
        item.replayable = replayable(raw) ?? item.replayable;
      }
    }
  }

  #completeSlot(item: Item, slot: Slot, parts: ReadonlyMap<number, string>): void {
    const tracks = item.tracks(slot);
    const numbered = [...tracks].every(([number, { emitted }]) => {
      const text = parts.get(number);
      return text !== undefined && (text.startsWith(emitted) || emitted.startsWith(text));
    });
    if (numbered) {
      for (const [number, text] of parts) this.#advance(item, slot, number, text, true);
      return;
    }
    // The deltas numbered their parts otherwise: only the text as a whole can tell what is missing.
    const whole = [...parts.values()].join("");
    const emitted = item.emitted(slot);
    const last = [...tracks.keys()].at(-1) ?? 0;
    if (whole.startsWith(emitted)) {
      this.#advance(item, slot, last, whole.slice(emitted.length), false);
    }
  }

  /** Takes a piece or the whole of a text, and sends on what is new of it. */
  #advance(item: Item, slot: Slot, number: number, text: string, whole: boolean): void {
    const track = item.track(slot, number);
    const fresh = whole ? track.whole(text) : track.delta(text);
    if (item.kind === "call") {
      const unsent = item.callIndex < 0;
      this.#sendCall(item);
      // What a call without a name has gathered goes out with its head.
      if (!unsent && fresh !== "") this.#sendArguments(item, fresh);
      return;
    }
    if (fresh === "") return;
    if (slot === "text") return this.#send({ content: fresh });
    if (slot === "refusal") return this.#send({ refusal: fresh });
    const apart = this.#lastReasoning !== undefined && this.#lastReasoning !== track;
    this.#lastReasoning = track;
    this.#send({ reasoning_content: apart ? `\n\n${fresh}` : fresh });
  }

  /** Sends a call's head, once its name is known, and the arguments that came before it. */
  #sendCall(item: Item): void {
    if (item.callIndex >= 0 || item.name === "") return;
    item.callIndex = this.#calls++;
    item.sentId = this.#uniqueId(item.callId || item.id);
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

  /** `id` itself, if it is one and no other call has it; else one that no other response has either. */
  #uniqueId(id: string): string {
    const unique = id === "" || this.#sentIds.has(id)
      ? `call_${this.#head.id ?? crypto.randomUUID()}_${this.#sentIds.size}`
      : id;
    this.#sentIds.add(unique);
    return unique;
  }

  #sendArguments(item: Item, text: string): void {
    this.#send({ tool_calls: [{ index: item.callIndex, function: { arguments: text } }] });
  }

  #end(response: JsonObject, implied: string): void {
    this.#readHead(response);
    const status = FINAL_STATUSES.has(response.status) ? response.status : implied;
    const raws = Array.isArray(response.output) ? response.output.filter(isObject) : [];
    const listed = raws.flatMap((raw, at) => {
      const sighting = sight(raw, at);
      return sighting === undefined ? [] : [{ raw, sighting }];
    });
    const items = this.#items.reconcile(listed.map(({ sighting }) => sighting));
    for (const [at, item] of items.entries()) {
      this.#complete(item, listed[at].raw, listed[at].sighting);
    }
    if (status === "completed") {
      this.#settleCalls(response.id === undefined || response.id === this.#responseId);
    }
    this.#remember(items.length > 0 ? items : this.#items.current());

    if (status === "failed" || status === "cancelled") {
      const error = isObject(response.error) ? response.error : {};
      return this.#fail({ ...(status === "cancelled" ? CANCELLED : FAILED), ...given(error) });
    }
    this.#ended = true;
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

  /**
   * A call of a completed response is a call, even if the gateway forgot its name or wrote no
   * arguments; one that was cut off stays as it is. If the response that ended isn't the current one, calls that are still open may get theirs yet.
   */
  #settleCalls(all: boolean): void {
    for (const item of this.#items.current()) {
      if (item.kind !== "call" || !(all || item.closed)) continue;
      item.name ||= UNNAMED;
      this.#sendCall(item);
      if (item.emitted("arguments") === "") {
        this.#advance(item, "arguments", 0, item.announcedArguments || "{}", true);
      }
    }
  }

  /** Keeps reasoning items under the ids of the calls that they led to. */
  #remember(items: readonly Item[]): void {
    const { memory, model } = this.#options;
    if (memory === undefined) return;
    let reasoning: JsonObject[] = [];
    let followed = false;
    for (const item of items) {
      if (item.kind === "reasoning" && item.replayable !== undefined) {
        reasoning = followed ? [item.replayable] : [...reasoning, item.replayable];
        followed = false;
      } else if (item.kind === "call" && item.sentId !== "") {
        followed = true;
        if (reasoning.length > 0 && item.sentId.length >= MIN_MEMORABLE_ID) {
          const remembered = { items: reasoning };
          memory.set(item.sentId, model === undefined ? remembered : { ...remembered, model });
        }
      }
    }
  }

  #fail(error: JsonObject): void {
    this.#ended = true;
    const own = error.type === "error" || error.type === "response.error" ? "" : idOf(error.type);
    const code = typeof error.code === "number"
      ? error.code
      : idOf(error.code) || own || "server_error";
    const type = own || (ERROR_TYPES.get(code) ?? "upstream_error");
    const message = textOf(error.message) || textOf(error.error) ||
      `The model's answer failed: ${code}.`;
    this.#out.push({ error: { message, type, code } });
  }

  #send(delta: JsonObject, finishReason: string | null = null, usage?: JsonObject): void {
    const choices = [{ index: 0, delta, finish_reason: finishReason }];
    this.#out.push(
      usage === undefined ? { ...this.#head, choices } : { ...this.#head, choices, usage },
    );
    this.#lastEnding = "";
  }
}

const FAILED = {
  code: "server_error",
  message: "The model's answer failed, and the gateway didn't say why. Try again.",
};

const CANCELLED = {
  code: "cancelled",
  message: "The model's answer was cancelled at the gateway before it was complete.",
};
