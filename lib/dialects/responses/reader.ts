/**
 * Reading the events of a Responses stream: what belongs to which item, and how much of it is new.
 * What is made of it is up to the two classes that extend the reader: chat chunks (`stream.ts`), or
 * events again, stricter than they came (`normalizer.ts`).
 *
 * @module
 */

import { isObject, type JsonObject } from "../../json.ts";
import { PART_EVENTS, type PartEvent, TERMINAL_EVENTS } from "./events.ts";
import { CANCELLED, FAILED } from "./failure.ts";
import { UNNAMED } from "./input.ts";
import type { Item, Slot } from "./item.ts";
import { type ItemSighting, ItemTable } from "./items.ts";
import { keepReasoning, keepReasoningFor, type ReasoningKeeper } from "./reasoning.ts";
import {
  asObject,
  cleanName,
  CONTENT_PARTS,
  contentTexts,
  given,
  idOf,
  place,
  replayable,
  sight,
  textOf,
} from "./read.ts";

/** What a {@linkcode ResponsesReader} needs to know. */
export interface ResponsesReaderOptions extends ReasoningKeeper {
  /**
   * The names of the tools that the client offered. A call to any other may have been run by the
   * gateway itself, and is held until that is known. All calls count as the client's where missing.
   */
  offered?: ReadonlySet<string>;
}

/** The most items of one stream. No answer comes near; each costs memory. */
const MAX_ITEMS = 4096;

/** The most characters of all texts of one stream together: 16 Mi. */
const MAX_TEXT = 16 * 2 ** 20;

/** The most characters that are shown of a result of the gateway's own tools. */
const MAX_RESULT = 4096;

/** Statuses in which a response can end; where the response names another, the event's type counts. */
const FINAL_STATUSES = new Set<unknown>(["completed", "incomplete", "failed", "cancelled"]);

/** Items with the result of a call that the gateway ran itself. */
const OUTPUT_ITEMS = new Set<unknown>(["function_call_output", "custom_tool_call_output"]);

/** How a response ended. */
export interface ResponseEnd {
  /** `completed` or `incomplete`. */
  readonly status: string;
  /** The response of the terminal event. */
  readonly response: JsonObject;
}

/** Reads the events of one Responses stream. Never throws, and never changes an event. */
export abstract class ResponsesReader {
  /** The items so far. */
  protected readonly items: ItemTable = new ItemTable();
  readonly #options: ResponsesReaderOptions;
  #responseId: unknown;
  #ended = false;
  #failed = false;
  #length = 0;
  readonly #sentIds = new Set<string>();

  /** Makes a reader for one stream. */
  constructor(options: ResponsesReaderOptions = {}) {
    this.#options = options;
  }

  /**
   * Whether the stream may close here: the last event about the response's state was a terminal one.
   * Responses streams usually have no `[DONE]`.
   */
  get ended(): boolean {
    return this.#ended;
  }

  /** Takes the next event. Events that aren't known say nothing, unless {@linkcode other} takes them. */
  protected take(event: JsonObject): void {
    if (this.#failed) return;
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
      case "response.content_part.added":
      case "response.reasoning_summary_part.added":
        return;
      case "error":
      case "response.error":
        return this.#fail(isObject(event.error) ? event.error : event);
    }
    this.other(event);
  }

  /** A response that began, goes on or ends: its id, date and model. */
  protected abstract head(response: JsonObject): void;
  /** Another response that begins in the same stream: places are counted anew. */
  protected nextResponse(): void {}
  /** An item that was announced, or whose first part came; its name may not be known yet. */
  protected abstract opened(item: Item): void;
  /** What is new of one of an item's texts. */
  protected abstract text(item: Item, slot: Slot, part: number, fresh: string): void;
  /** An item that is complete; called again where a later event repeats it. */
  protected abstract closed(item: Item, raw: JsonObject): void;
  /** A call that the gateway ran itself, in words. */
  protected abstract ran(item: Item, words: string): void;
  /** An item of a kind that has no text here, as it is announced or as it closes. */
  protected abstract opaque(raw: JsonObject, place: number | undefined, closed: boolean): void;
  /** An event of no known type. */
  protected abstract other(event: JsonObject): void;
  /** A complete response; the items of its final list, or all of it where the list is empty. */
  protected abstract end(end: ResponseEnd): void;
  /** A failure, as OpenAI's `{code, message}` with the gateway's other fields; nothing follows. */
  protected abstract fail(error: JsonObject): void;
  /** Bounds that were exceeded. */
  protected abstract overflow(message: string): void;

  /**
   * Whether a call can be the client's to run. Where the client offers no tool, the calls that are
   * streamed count as the model's own; agents on the gateway's side tell theirs when they are over.
   */
  protected mayBeClients(item: Item): boolean {
    const { offered } = this.#options;
    if (offered === undefined || offered.has(item.name)) return true;
    return offered.size === 0 && item.streamed;
  }

  /** `id` itself, if it is one and no other call has it; else one that no other response has either. */
  protected uniqueId(id: string, head: unknown): string {
    const unique = id === "" || this.#sentIds.has(id)
      ? `call_${head ?? crypto.randomUUID()}_${this.#sentIds.size}`
      : id;
    this.#sentIds.add(unique);
    return unique;
  }

  #begin(response: JsonObject, created: boolean): void {
    if (created && (this.#ended || response.id !== this.#responseId)) {
      if (this.#responseId !== undefined || this.#ended) {
        this.items.nextResponse();
        this.nextResponse();
      }
      this.#responseId = response.id;
      this.#ended = false;
    }
    this.head(response);
  }

  /** Whether an item may be looked at or added; ends the stream where there are too many. */
  #room(): boolean {
    if (this.items.size < MAX_ITEMS) return true;
    this.#overflow(`more than ${MAX_ITEMS} items`);
    return false;
  }

  #overflow(what: string): void {
    if (this.#failed) return;
    this.#failed = this.#ended = true;
    this.overflow(
      `The gateway's answer has ${what}, expected a model's answer: it is cut off here.`,
    );
  }

  #takePart(event: JsonObject, rule: PartEvent): void {
    const text = textOf(event[rule.text]);
    if (text === "" || !this.#room()) return;
    const item = this.items.find(rule.kind, idOf(event.item_id), place(event.output_index));
    const number = rule.number === undefined ? 0 : place(event[rule.number]) ?? 0;
    if (rule.kind === "call") {
      item.streamed = true;
      if (item.name === "") item.name = cleanName(idOf(event.name));
      item.custom ||= event.type === "response.custom_tool_call_input.delta" ||
        event.type === "response.custom_tool_call_input.done";
    }
    this.#advance(item, rule.slot, number, text, rule.whole);
  }

  #closePart(part: JsonObject, event: JsonObject): void {
    const rule = CONTENT_PARTS.get(part.type);
    const text = rule === undefined ? "" : textOf(part[rule.text]);
    if (rule === undefined || text === "" || !this.#room()) return;
    const item = this.items.find(rule.kind, idOf(event.item_id), place(event.output_index));
    const number = place(event.content_index) ?? place(event.summary_index) ?? 0;
    this.#advance(item, rule.slot, number, text, true);
  }

  #announce(raw: JsonObject, event: JsonObject): void {
    const at = place(event.output_index);
    const sighting = sight(raw, at);
    if (sighting === undefined) {
      if (typeof raw.type === "string" && !OUTPUT_ITEMS.has(raw.type)) this.opaque(raw, at, false);
      return;
    }
    if (!this.#room()) return;
    const item = this.items.open(sighting);
    if (item.kind === "call") {
      item.streamed = true;
      this.#name(item, raw);
      // Often "" or a placeholder such as "{}" here, to which the deltas to come don't add.
      item.announcedArguments = sighting.text;
    }
    item.raw ??= raw;
    this.opened(item);
  }

  #close(raw: JsonObject, event: JsonObject): void {
    const at = place(event.output_index);
    if (OUTPUT_ITEMS.has(raw.type)) return this.#result(raw);
    const sighting = sight(raw, at);
    if (sighting === undefined) {
      if (typeof raw.type === "string" && this.#measure(raw)) this.opaque(raw, at, true);
      return;
    }
    if (!this.#room()) return;
    const item = this.items.close(sighting);
    this.#complete(item, raw, sighting);
    this.closed(item, raw);
    if (item.group !== undefined) {
      keepReasoningFor(item.group.calls, item.group.reasoning, this.#options);
    }
  }

  #name(item: Item, raw: JsonObject): void {
    if (item.name === "") item.name = cleanName(idOf(raw.name));
    item.custom ||= raw.type === "custom_tool_call";
  }

  /** Supplies what a whole item has and no delta brought. */
  #complete(item: Item, raw: JsonObject, { text }: ItemSighting): void {
    item.raw = raw;
    switch (item.kind) {
      case "message":
        this.#completeSlot(item, "text", contentTexts(raw.content, "text"));
        this.#completeSlot(item, "refusal", contentTexts(raw.content, "refusal"));
        break;
      case "call":
        this.#name(item, raw);
        this.opened(item);
        this.#advance(item, "arguments", 0, text, true);
        break;
      case "reasoning": {
        const summary = contentTexts(raw.summary, "summary");
        const thought = contentTexts(raw.content, "thought");
        // Both have the same text: the one that has streamed goes on, else the summary.
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

  /** Takes a piece or the whole of a text, and passes on what is new of it. */
  #advance(item: Item, slot: Slot, number: number, text: string, whole: boolean): void {
    const track = item.track(slot, number);
    const fresh = whole ? track.whole(text) : track.delta(text);
    if (fresh === "") return;
    if (this.#holds(fresh.length)) this.text(item, slot, number, fresh);
  }

  /** Counts an item that is kept whole, such as an image. */
  #measure(raw: JsonObject): boolean {
    return this.#holds(JSON.stringify(raw).length);
  }

  /** Whether there is room for so many characters more; ends the stream where there isn't. */
  #holds(length: number): boolean {
    this.#length += length;
    if (this.#length <= MAX_TEXT) return !this.#failed;
    this.#overflow(`more than ${MAX_TEXT / 2 ** 20} Mi characters`);
    return false;
  }

  /** The result of a call, which stands in the answer only where the gateway ran the call itself. */
  #result(raw: JsonObject): void {
    const item = this.items.callOf(idOf(raw.call_id));
    if (item === undefined || item.ran) return;
    item.ran = true;
    const output = typeof raw.output === "string" ? raw.output : JSON.stringify(raw.output ?? "");
    const shown = output.length > MAX_RESULT ? `${output.slice(0, MAX_RESULT)}…` : output;
    const input = item.emitted("arguments").slice(0, MAX_RESULT);
    this.ran(item, `The gateway ran ${item.name || UNNAMED}(${input}): ${shown}`.toWellFormed());
  }

  #end(response: JsonObject, implied: string): void {
    this.head(response);
    const status = FINAL_STATUSES.has(response.status) ? response.status as string : implied;
    const raws = Array.isArray(response.output) ? response.output.filter(isObject) : [];
    if (raws.length > MAX_ITEMS) return this.#overflow(`more than ${MAX_ITEMS} items`);
    const listed = raws.flatMap((raw, at) => {
      const sighting = sight(raw, at);
      return sighting === undefined ? [] : [{ raw, sighting, at }];
    });
    const items = this.items.reconcile(listed.map(({ sighting }) => sighting));
    const known = new Map(listed.map(({ at }, index) => [at, items[index]]));
    // The results first: a call that has one is not the client's.
    const results = raws.filter(({ type }) => OUTPUT_ITEMS.has(type));
    if (results.length > 0) this.#nameListed(raws, known);
    for (const raw of results) this.#result(raw);
    for (const [at, raw] of raws.entries()) {
      const item = known.get(at);
      if (item !== undefined) {
        this.#complete(item, raw, sight(raw, at)!);
        this.closed(item, raw);
      } else if (typeof raw.type === "string" && !OUTPUT_ITEMS.has(raw.type)) {
        if (this.#measure(raw)) this.opaque(raw, at, true);
      }
    }
    if (status === "completed") {
      this.#settleCalls(response.id === undefined || response.id === this.#responseId);
    }
    keepReasoning(items.length > 0 ? items : this.items.current(), this.#options);

    if (status === "failed" || status === "cancelled") {
      const error = isObject(response.error) ? response.error : {};
      return this.#fail({ ...(status === "cancelled" ? CANCELLED : FAILED), ...given(error) });
    }
    if (this.#failed) return;
    this.#ended = true;
    this.end({ status, response });
  }

  /** Takes names and arguments of calls that only the final list has, because they are shown with the results. */
  #nameListed(raws: readonly JsonObject[], known: ReadonlyMap<number, Item>): void {
    for (const [at, item] of known) {
      if (item.kind !== "call" || item.callIndex >= 0) continue;
      this.#name(item, raws[at]);
      item.track("arguments", 0).whole(sight(raws[at], at)!.text);
    }
  }

  /**
   * A call of a completed response is a call, even if the gateway forgot its name or wrote no
   * arguments; one that was cut off stays as it is. If the response that ended isn't the current one,
   * calls that are still open may get theirs yet.
   */
  #settleCalls(all: boolean): void {
    for (const item of this.items.current()) {
      if (item.kind !== "call" || item.ran || !(all || item.closed)) continue;
      item.name ||= UNNAMED;
      item.settled = true;
      this.opened(item);
      if (item.emitted("arguments") === "" && !item.custom) {
        this.#advance(item, "arguments", 0, item.announcedArguments || "{}", true);
      }
    }
  }

  #fail(error: JsonObject): void {
    this.#ended = true;
    this.fail(error);
  }
}
