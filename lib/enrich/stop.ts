/**
 * Stop sequences for surfaces that have none: the answer's text ends before the first one that comes.
 *
 * @module
 */

import type { StreamEncoder } from "../dialects/dialect.ts";
import type { BridgeError } from "../errors.ts";
import { isObject, type JsonObject } from "../json.ts";

/** The fields of a surface's request that hold stop sequences. */
const STOP_FIELDS = ["stop", "stop_sequences"];

/** How many sequences are looked for, and how long each may be: every text that comes is compared with them. */
const MAX_SEQUENCES = 32;
const MAX_LENGTH = 512;

/**
 * Stop sequences that a client asked for and that its surface does not support.
 *
 * @param chat The request as a chat completions request.
 * @param sent The body for the surface.
 */
export function missingStops(chat: JsonObject, sent: JsonObject): readonly string[] {
  const config = isObject(sent.generationConfig) ? sent.generationConfig : {};
  if (config.stopSequences || STOP_FIELDS.some((field) => sent[field])) return [];
  return (Array.isArray(chat.stop) ? chat.stop : [chat.stop])
    .filter((one) => typeof one === "string" && one !== "" && one.length <= MAX_LENGTH)
    .slice(0, MAX_SEQUENCES);
}

/** How far the text of one choice is. */
interface ChoiceState {
  /** The end of the text, kept back because a sequence may begin there. */
  held: string;
  /** The sequence that ended the text. */
  stopped?: string;
  /** Whether its finish reason was handed on. */
  finished?: boolean;
}

/**
 * Ends the text of every choice before the stop sequence that is complete first. What the model says after that is not
 * handed on; the answer's end still comes when the gateway's does, because it brings the token counts.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { CompletionCollector } from "./completion.ts";
 * import { StopEncoder } from "./stop.ts";
 *
 * const collector = new CompletionCollector();
 * const encoder = new StopEncoder(collector, ["END"]);
 * for (const content of ["one E", "ND two", ""]) {
 *   const finish_reason = content === "" ? "stop" : null;
 *   encoder.chunk({ choices: [{ index: 0, delta: { content }, finish_reason }] });
 * }
 * const [choice] = collector.completion().choices as { message: { content: string } }[];
 * assertEquals(choice.message.content, "one ");
 * ```
 */
export class StopEncoder implements StreamEncoder {
  readonly #inner: StreamEncoder;
  readonly #sequences: readonly string[];
  readonly #longest: number;
  readonly #choices = new Map<unknown, ChoiceState>();
  /** The last chunk's fields beside its choices, for text that is handed on after it. */
  #envelope: JsonObject = {};

  /**
   * Makes an encoder before another.
   *
   * @param inner Gets the chunks.
   * @param sequences What ends the text; none of them is empty.
   */
  constructor(inner: StreamEncoder, sequences: readonly string[]) {
    this.#inner = inner;
    this.#sequences = sequences;
    this.#longest = Math.max(...sequences.map(({ length }) => length));
  }

  /** What keeps a silent connection open. */
  get heartbeat(): string {
    return this.#inner.heartbeat;
  }

  /** The text for one strict chunk. */
  chunk(chunk: JsonObject): string {
    const { choices, usage, ...envelope } = chunk;
    if (!Array.isArray(choices) || choices.length === 0) return this.#inner.chunk(chunk);
    this.#envelope = envelope;
    let text = "";
    const changed = choices.map((choice) => {
      const state = this.#stateOf(choice.index);
      const { content, tool_calls } = choice.delta ?? {};
      const last = Boolean(choice.finish_reason) || tool_calls !== undefined;
      if (last && typeof content !== "string") text += this.#flush(choice.index, state);
      return this.#change(choice, state, last);
    });
    return text +
      this.#inner.chunk({ ...envelope, choices: changed, ...usage !== undefined && { usage } });
  }

  /** The text for the end of a complete answer. */
  end(): string {
    return this.#flushAll() + this.#inner.end();
  }

  /**
   * The text that ends a failed stream. An answer whose text has reached its stop sequence is complete, whatever
   * happens to the rest of it: an error would make clients ask for it again.
   */
  error(error: BridgeError): string {
    const states = [...this.#choices];
    if (states.length === 0 || states.some(([, { stopped }]) => stopped === undefined)) {
      return this.#flushAll() + this.#inner.error(error);
    }
    const choices = states.filter(([, { finished }]) => !finished)
      .map(([index, state]) => this.#end({ index, delta: {}, finish_reason: "stop" }, state));
    return (choices.length > 0 ? this.#inner.chunk({ ...this.#envelope, choices }) : "") +
      this.#inner.end();
  }

  #stateOf(index: unknown): ChoiceState {
    let state = this.#choices.get(index);
    if (state === undefined) this.#choices.set(index, state = { held: "" });
    return state;
  }

  #change(choice: JsonObject, state: ChoiceState, last: boolean): JsonObject {
    const delta = isObject(choice.delta) ? choice.delta : {};
    const { content, tool_calls: _calls, ...rest } = delta;
    if (state.stopped === undefined && typeof content === "string") {
      const shown = this.#cut(content, state, last);
      if (state.stopped === undefined) return { ...choice, delta: { ...delta, content: shown } };
      return this.#end({ ...choice, delta: { ...rest, content: shown } }, state);
    }
    return state.stopped === undefined ? choice : this.#end({ ...choice, delta: rest }, state);
  }

  /** Sets the finish reason of a choice whose text has ended. */
  #end(choice: JsonObject, state: ChoiceState): JsonObject {
    if (!choice.finish_reason) return choice;
    state.finished = true;
    return { ...choice, finish_reason: "stop", stop_reason: state.stopped };
  }

  /** The text that can be handed on; what may be the beginning of a sequence is kept. */
  #cut(content: string, state: ChoiceState, last: boolean): string {
    const text = state.held + content;
    state.held = "";
    // The sequence that is complete first, as if the text came letter by letter.
    let [start, end] = [text.length, Infinity];
    for (const sequence of this.#sequences) {
      const at = text.indexOf(sequence);
      const after = at + sequence.length;
      if (at === -1 || after > end || (after === end && at > start)) continue;
      [start, end] = [at, after];
      state.stopped = sequence;
    }
    if (state.stopped !== undefined || last) return text.slice(0, start);
    const kept = this.#beginning(text);
    state.held = text.slice(text.length - kept);
    return text.slice(0, text.length - kept);
  }

  /** How long the end of a text is with which a sequence may begin. */
  #beginning(text: string): number {
    for (let length = Math.min(this.#longest - 1, text.length); length > 0; length--) {
      const end = text.slice(text.length - length);
      if (this.#sequences.some((sequence) => sequence.startsWith(end))) return length;
    }
    return 0;
  }

  #flush(index: unknown, state: ChoiceState): string {
    const content = state.held;
    state.held = "";
    return content === "" || state.stopped !== undefined ? "" : this.#inner.chunk({
      ...this.#envelope,
      choices: [{ index, delta: { content }, finish_reason: null }],
    });
  }

  #flushAll(): string {
    let text = "";
    for (const [index, state] of this.#choices) text += this.#flush(index, state);
    return text;
  }
}
