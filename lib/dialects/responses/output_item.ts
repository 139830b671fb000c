/**
 * One item of the output as the events that build it.
 *
 * @module
 */

import { isObject, type JsonObject } from "../../json.ts";
import type { Slot } from "./item.ts";

/** A part of a message's or a reasoning item's content. */
interface Part {
  /** Its type in the item. */
  readonly type: string;
  /** Its place among the parts of its list. */
  readonly index: number;
  /** Its number in the gateway's stream. */
  readonly number: number;
  text: string;
  readonly annotations: unknown[];
  /** The high surrogate of a pair that was cut in two. */
  half: string;
}

/** How a kind of part is sent. */
interface PartRule {
  readonly type: string;
  /** The field of the part, and of its `done` event, that has the text. */
  readonly text: string;
  /** The prefix of the delta's and the done event's types. */
  readonly event: string;
  /** The prefix of the part's own added and done events. */
  readonly partEvent: string;
  /** The field that numbers the part. */
  readonly index: string;
  /** The item's list that the part stands in. */
  readonly list: "content" | "summary";
}

const PARTS: Partial<Record<Slot, PartRule>> = {
  text: {
    type: "output_text",
    text: "text",
    event: "response.output_text",
    partEvent: "response.content_part",
    index: "content_index",
    list: "content",
  },
  refusal: {
    type: "refusal",
    text: "refusal",
    event: "response.refusal",
    partEvent: "response.content_part",
    index: "content_index",
    list: "content",
  },
  summary: {
    type: "summary_text",
    text: "text",
    event: "response.reasoning_summary_text",
    partEvent: "response.reasoning_summary_part",
    index: "summary_index",
    list: "summary",
  },
  thought: {
    type: "reasoning_text",
    text: "text",
    event: "response.reasoning_text",
    partEvent: "response.content_part",
    index: "content_index",
    list: "content",
  },
};

/** Item type → the field of a call that has its text, and the prefix of its events. */
const CALLS: Readonly<Record<string, { readonly field: string; readonly event: string }>> = {
  function_call: { field: "arguments", event: "response.function_call_arguments" },
  custom_tool_call: { field: "input", event: "response.custom_tool_call_input" },
};

/**
 * One item of an output. Its events wait until it is started, and then go out at once; the writer
 * starts one item at a time.
 */
export class OutputItem {
  readonly #raw: JsonObject;
  readonly #advance: () => void;
  readonly #write: (event: JsonObject) => void;
  /** The place in the output; -1 before the start. */
  #place = -1;
  #pending: JsonObject[] = [];
  #part: (Part & { readonly rule: PartRule }) | undefined;
  readonly #lists: Record<"content" | "summary", JsonObject[]> = { content: [], summary: [] };
  #text = "";
  #half = "";
  #final: JsonObject | undefined;

  /** Whether the item waits, and all behind it. */
  held: boolean;
  /** Whether the item is left out. */
  dropped = false;
  /** Where the gateway put the item; for whoever orders items by it. */
  order = 0;

  /** Made by the writer. */
  constructor(
    raw: JsonObject,
    held: boolean,
    advance: () => void,
    write: (event: JsonObject) => void,
  ) {
    this.#raw = raw;
    this.held = held;
    this.#advance = advance;
    this.#write = write;
  }

  /** The item's type. */
  get type(): unknown {
    return this.#raw.type;
  }

  /** The item's own id. */
  get id(): unknown {
    return this.#raw.id;
  }

  /** Whether sending it has begun. */
  get started(): boolean {
    return this.#place >= 0;
  }

  /** The item as it closed; undefined before. */
  get final(): JsonObject | undefined {
    return this.#final;
  }

  /** A call's text so far. */
  get text(): string {
    return this.#text;
  }

  /** Begins the item in the stream. */
  start(place: number): void {
    this.#place = place;
    const item: JsonObject = { ...this.#raw };
    const call = CALLS[String(this.type)];
    if (call !== undefined) Object.assign(item, { status: "in_progress", [call.field]: "" });
    else if (this.type === "message") {
      Object.assign(item, { status: "in_progress", role: "assistant", content: [] });
    } else if (this.type === "reasoning") Object.assign(item, { summary: [] });
    this.#write({ type: "response.output_item.added", output_index: place, item });
  }

  /** Writes the events that have waited. */
  flush(): void {
    const pending = this.#pending;
    this.#pending = [];
    for (const event of pending) this.#write({ ...event, output_index: this.#place });
  }

  /** Adds to a text of a message or of a reasoning item. */
  append(slot: Slot, fresh: string, number = 0): void {
    if (slot === "arguments") return this.#appendCall(fresh);
    const rule = PARTS[slot];
    if (rule === undefined || this.#final !== undefined) return;
    if (this.#part === undefined || this.#part.rule !== rule || this.#part.number !== number) {
      this.#closePart();
      this.#openPart(rule, number);
    }
    const part = this.#part!;
    const [text, half] = wholeCharacters(part.half + fresh);
    part.half = half;
    this.#delta(text);
  }

  /** Passes an event on that belongs to the item, with the item's own numbers. */
  pass(event: JsonObject): void {
    if (this.#final !== undefined) return;
    const { sequence_number: _number, ...rest } = event;
    if (event.type === "response.output_text.annotation.added") {
      const part = this.#part;
      if (part?.type !== "output_text") return;
      rest.content_index = part.index;
      rest.annotation_index = part.annotations.length;
      part.annotations.push(event.annotation);
    }
    this.#emit({ ...rest, item_id: this.id });
  }

  /**
   * Closes the item. A second time changes nothing.
   *
   * @param whole The item as the gateway gave it; fields that aren't made here are taken over.
   */
  close(whole?: JsonObject, status = "completed"): void {
    if (this.#final !== undefined) return;
    this.#closePart(whole);
    const call = CALLS[String(this.type)];
    const { id: _id, type: _type, ...given } = whole ?? {};
    const final: JsonObject = { ...given, ...this.#raw };
    if (call !== undefined) {
      if (this.#half !== "") this.#appendCall("\ufffd", true);
      final.status = status;
      final[call.field] = this.#text;
      const { name } = this.#raw;
      const done: JsonObject = { type: `${call.event}.done`, item_id: this.id };
      if (call.field === "arguments") done.name = name;
      this.#emit({ ...done, [call.field]: this.#text });
    } else if (this.type === "message") {
      Object.assign(final, { status, role: "assistant", content: this.#lists.content });
    } else if (this.type === "reasoning") {
      final.summary = this.#lists.summary;
      if (this.#lists.content.length > 0) final.content = this.#lists.content;
      else delete final.content;
    } else Object.assign(final, given, { id: this.id });
    this.#final = final;
    this.#emit({ type: "response.output_item.done", item: final });
    this.#advance();
  }

  /** Lets a held item go out. */
  release(): void {
    if (!this.held) return;
    this.held = false;
    this.#advance();
  }

  /** Takes a held item out of the output. */
  drop(): void {
    if (this.started) return;
    this.dropped = true;
    this.held = false;
    this.#pending = [];
    this.#advance();
  }

  /** Sets fields that were not known when the item was made; only before sending begins. */
  assign(fields: JsonObject): void {
    if (!this.started) Object.assign(this.#raw, fields);
  }

  #appendCall(fresh: string, last = false): void {
    if (this.#final !== undefined) return;
    const call = CALLS[String(this.type)];
    if (call === undefined) return;
    const [text, half] = last ? [fresh, ""] : wholeCharacters(this.#half + fresh);
    this.#half = half;
    if (text === "") return;
    this.#text += text;
    this.#emitDelta({ type: `${call.event}.delta`, item_id: this.id, delta: text });
  }

  #openPart(rule: PartRule, number: number): void {
    const index = this.#lists[rule.list].length;
    this.#part = { rule, type: rule.type, index, number, text: "", annotations: [], half: "" };
    this.#emit({
      type: `${rule.partEvent}.added`,
      item_id: this.id,
      [rule.index]: index,
      part: this.#partOf(""),
    });
  }

  #partOf(text: string): JsonObject {
    const { type, rule, annotations } = this.#part!;
    return type === "output_text"
      ? { type, text, annotations, logprobs: [] }
      : { type, [rule.text]: text };
  }

  #delta(text: string): void {
    if (text === "") return;
    const part = this.#part!;
    const { rule, index } = part;
    part.text += text;
    const event: JsonObject = {
      type: `${rule.event}.delta`,
      item_id: this.id,
      [rule.index]: index,
      delta: text,
    };
    if (rule.type === "output_text") event.logprobs = [];
    this.#emitDelta(event);
  }

  #closePart(whole?: JsonObject): void {
    const open = this.#part;
    if (open === undefined) return;
    if (open.half !== "") this.#delta("\ufffd");
    const { rule, index, text, number } = open;
    const part = this.#partOf(text);
    // Other fields of the part: annotations, log probabilities.
    const given = whole?.[rule.list];
    const twin = Array.isArray(given) ? given[number] : undefined;
    if (isObject(twin) && twin.type === rule.type && twin[rule.text] === text) {
      if (Array.isArray(twin.annotations)) part.annotations = twin.annotations;
      if (Array.isArray(twin.logprobs)) part.logprobs = twin.logprobs;
    }
    this.#part = undefined;
    const place = { item_id: this.id, [rule.index]: index };
    const done: JsonObject = { type: `${rule.event}.done`, ...place, [rule.text]: text };
    if (rule.type === "output_text") done.logprobs = part.logprobs;
    this.#emit(done);
    this.#emit({ type: `${rule.partEvent}.done`, ...place, part });
    this.#lists[rule.list].push(part);
  }

  #emit(event: JsonObject): void {
    if (this.started) this.#write({ ...event, output_index: this.#place });
    else this.#pending.push(event);
  }

  /** Pieces that wait are joined to the last one of the same text. */
  #emitDelta(event: JsonObject): void {
    const last = this.#pending.at(-1);
    const joins = last !== undefined && last.type === event.type &&
      last.content_index === event.content_index && last.summary_index === event.summary_index;
    if (joins && !this.started) last.delta = `${last.delta}${event.delta}`;
    else this.#emit(event);
  }
}

/** A text without a high surrogate at its end, and that surrogate. */
function wholeCharacters(text: string): [whole: string, half: string] {
  const last = text.charCodeAt(text.length - 1);
  if (!(last >= 0xd800 && last <= 0xdbff)) return [text.toWellFormed(), ""];
  return [text.slice(0, -1).toWellFormed(), text.slice(-1)];
}
