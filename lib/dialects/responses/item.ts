/**
 * One output item of a Responses stream, and how much of each of its texts has been sent.
 *
 * @module
 */

import type { JsonObject } from "../../json.ts";

/** The kinds of output items that mean something to a chat client. */
export type ItemKind = "message" | "call" | "reasoning";

/** The texts that an item can hold, each in numbered parts. */
export type Slot = "text" | "refusal" | "summary" | "thought" | "arguments";

/** Reasoning items and the calls that they led to, in order of appearance. */
export interface ReasoningGroup {
  /** The reasoning. */
  readonly reasoning: Item[];
  /** The calls that follow it. */
  readonly calls: Item[];
}

/**
 * One text that comes in deltas, and once more as a whole, in whichever order.
 *
 * Both methods return what is new, to be sent on; nothing is ever returned twice.
 *
 * @example
 * ```ts
 * import { TextTrack } from "./item.ts";
 *
 * const track = new TextTrack();
 * const sent = track.delta("Hel") + track.whole("Hello") + track.delta("lo") + track.whole("Hello");
 * if (sent !== "Hello") throw new Error(sent);
 * ```
 */
export class TextTrack {
  /** Everything that was returned so far. */
  emitted = "";
  /** How much of `emitted` the deltas have covered, where a whole text was ahead of them; else -1. */
  #covered = -1;
  /** Where in `emitted` the whole text went ahead of the deltas. */
  #ahead = 0;

  /** Takes the next piece. */
  delta(piece: string): string {
    if (this.#covered < 0) {
      this.emitted += piece;
      return piece;
    }
    // The whole text came first: these deltas repeat it, unless they say something else.
    const from = this.#covered;
    const room = this.emitted.length - from;
    if (piece.length <= room && this.emitted.startsWith(piece, from)) {
      this.#covered += piece.length;
      return "";
    }
    this.#covered = -1;
    const fresh = piece.startsWith(this.emitted.slice(from))
      ? piece.slice(room)
      // Not a repetition after all: what was taken for one was text of its own.
      : this.emitted.slice(this.#ahead, from) + piece;
    this.emitted += fresh;
    return fresh;
  }

  /** Takes the whole text: what deltas haven't brought of it is new, a contradiction changes nothing. */
  whole(text: string): string {
    if (text.length <= this.emitted.length || !text.startsWith(this.emitted)) return "";
    if (this.#covered < 0) this.#ahead = this.#covered = this.emitted.length;
    const fresh = text.slice(this.emitted.length);
    this.emitted = text;
    return fresh;
  }
}

/**
 * One output item, as far as it is known.
 *
 * @example
 * ```ts
 * import { Item } from "./item.ts";
 *
 * const item = new Item("message", 0, 0);
 * item.track("text", 1).delta("world");
 * item.track("text", 0).delta("Hello ");
 * if (item.emitted("text") !== "Hello world") throw new Error("expected the parts in order");
 * ```
 */
export class Item {
  /** The id in the item itself; "" as long as only deltas have come. */
  id = "";
  /** A call's `call_id`; "" if it isn't known. */
  callId = "";
  /** A call's name; "" if it isn't known. */
  name = "";
  /** A call's place among the calls that went out; -1 if it hasn't yet. */
  callIndex: number = -1;
  /** The id under which a call went out. */
  sentId = "";
  /** Arguments that were in the announcement: they count only if nothing else brings any. */
  announcedArguments = "";
  /** Whether the gateway has announced the item, rather than only sent parts of it. */
  announced = false;
  /** Whether the gateway has closed the item. */
  closed = false;
  /** The text that the item was closed with. */
  closedWith = "";
  /** Whether a delta has named the item by its own id: then a delta with another id is not for it. */
  named = false;
  /** A reasoning item in the form in which it can be sent back. */
  replayable?: JsonObject;
  /** The item as the gateway last gave it. */
  raw?: JsonObject;
  /** Whether a call is to a tool whose input is free text. */
  custom = false;
  /** Whether a call was announced, or came in pieces, before it was whole. */
  streamed = false;
  /** Whether the gateway ran a call itself. */
  ran = false;
  /** Whether the response that a call stands in is complete. */
  settled = false;
  /** The reasoning that a call belongs to, or a reasoning item stands in. */
  group?: ReasoningGroup;
  /** How many foreign ids point here. */
  aliases = 0;

  readonly #tracks: Partial<Record<Slot, Map<number, TextTrack>>> = {};

  /** Makes an item of `kind` that stands at `outputIndex` of the response number `scope`. */
  constructor(
    readonly kind: ItemKind,
    readonly outputIndex: number | undefined,
    readonly scope: number,
  ) {}

  /** The text in `slot` with the number `part`. */
  track(slot: Slot, part = 0): TextTrack {
    const tracks = this.#tracks[slot] ??= new Map();
    let track = tracks.get(part);
    if (track === undefined) tracks.set(part, track = new TextTrack());
    return track;
  }

  /** The texts in `slot` by their numbers, in order of appearance. */
  tracks(slot: Slot): ReadonlyMap<number, TextTrack> {
    return this.#tracks[slot] ?? new Map();
  }

  /** What has been sent of `slot`, in the order of its parts. */
  emitted(slot: Slot): string {
    const parts = [...this.tracks(slot)].sort(([a], [b]) => a - b);
    return parts.map(([, track]) => track.emitted).join("");
  }

  /** Whether what has been sent of `slot` is a prefix of `text`, or `text` a prefix of it. */
  fits(slot: Slot, text: string): boolean {
    const emitted = this.emitted(slot);
    return emitted.startsWith(text) || text.startsWith(emitted);
  }
}
