/**
 * Writing a Responses stream that the strictest client reads (`clients.md`, "Responses clients"): rising
 * numbers, one item after the other, and one ending. The normalizer and the encoder both write with it.
 *
 * @module
 */

import { type JsonObject, toJson } from "../../json.ts";
import type { DialectContext } from "../dialect.ts";
import { responseEnvelope } from "./envelope.ts";
import { OutputItem } from "./output_item.ts";
import { encodeUsage } from "./usage.ts";

/** What keeps a silent connection open. Codex and the SDKs skip comments. */
export const HEARTBEAT = ": fd-bridge keeps the connection open\n\n";

/** A failure in the words of the Responses API. */
export interface WrittenFailure {
  /** For `response.failed`, and the event behind it. */
  readonly code: string;
  /** For people. */
  readonly message: string;
  /** The field at fault. */
  readonly param: string | null;
}

/**
 * Writes one Responses stream. Items go out one after the other, in the order in which they were added:
 * what comes for a later one waits until the earlier ones are closed.
 *
 * Everything it writes is gathered until {@linkcode take}. Bounded by what is put in: nothing is
 * repeated, and waiting pieces of one text are joined.
 */
export class ResponseWriter {
  readonly #context: DialectContext;
  #out = "";
  #sequence = 0;
  #envelope: JsonObject | undefined;
  readonly #ids = new Set<string>();
  /** The items that have not been closed in the stream, in their order; the first is written live. */
  #queue: OutputItem[] = [];
  /** How many of the queue's first items are out already. */
  #written = 0;
  #output: JsonObject[] = [];
  #places = 0;
  #response: JsonObject | undefined;

  /** Makes the writer of one stream. */
  constructor(context: DialectContext) {
    this.#context = context;
  }

  /** Whether any item has been sent. */
  get begun(): boolean {
    return this.#places > 0;
  }

  /** The response as it ended; undefined before. */
  get response(): JsonObject | undefined {
    return this.#response;
  }

  /** The response's id; undefined before the beginning. */
  get id(): unknown {
    return this.#envelope?.id;
  }

  /** What was written since the last time. */
  take(): string {
    const out = this.#out;
    this.#out = "";
    return out;
  }

  /** Writes `response.created` and `response.in_progress`, once. */
  begin(given?: JsonObject): void {
    if (this.#envelope !== undefined) return;
    this.#envelope = responseEnvelope(this.#context, given);
    const response = { ...this.#envelope, output: [], usage: null };
    this.#write({ type: "response.created", response });
    this.#write({ type: "response.in_progress", response });
  }

  /** An item id that no other item has: the given one, if it is one. */
  uniqueId(id: string, prefix: string): string {
    const unique = id === "" || this.#ids.has(id) ? this.#context.makeId(prefix) : id;
    this.#ids.add(unique);
    return unique;
  }

  /**
   * Adds an item behind the others, or before the first one that waits and for which `before` says so.
   *
   * @param raw The item as it opens: type, id, and what its kind needs beside texts.
   * @param held Whether it waits, and all behind it, until it is released.
   */
  add(raw: JsonObject, held = false, before?: (other: OutputItem) => boolean): OutputItem {
    this.begin();
    const item = new OutputItem(raw, held, () => this.#advance(), (event) => this.#write(event));
    let at = this.#queue.length;
    if (before !== undefined) {
      while (at > this.#written && !this.#queue[at - 1].started && before(this.#queue[at - 1])) {
        at--;
      }
    }
    this.#queue.splice(at, 0, item);
    this.#advance();
    return item;
  }

  /** Ends the stream: releases and closes the open items, then sends `response.completed` or `.incomplete`. */
  end(status: string, usage: unknown, details: unknown = null): void {
    this.begin();
    for (const item of this.#queue.slice(this.#written)) {
      item.close(undefined, status === "completed" ? "completed" : "incomplete");
      item.release();
    }
    const ended = status === "completed" ? "completed" : "incomplete";
    this.#end(ended, usage, { incomplete_details: ended === "completed" ? null : details });
  }

  /** Ends the stream with `response.failed`, and the `error` that iterators look for. */
  fail(failure: WrittenFailure, usage: unknown): void {
    this.begin();
    const { code, message, param } = failure;
    this.#end("failed", usage, { error: { code, message } });
    this.#write({ type: "error", code, message, param });
  }

  #end(status: string, usage: unknown, ending: JsonObject): void {
    const response = {
      ...this.#envelope,
      ...ending,
      status,
      output: this.#output,
      usage: encodeUsage(usage),
    };
    this.#response = response;
    this.#write({ type: `response.${status}`, response });
  }

  /** Writes what may go out: up to the first item that is open or held. */
  #advance(): void {
    while (this.#written < this.#queue.length) {
      const item = this.#queue[this.#written];
      if (!item.dropped) {
        if (item.held) return;
        if (!item.started) item.start(this.#places++);
        item.flush();
        if (item.final === undefined) return;
        this.#output.push(item.final);
      }
      this.#written++;
    }
    this.#queue = [];
    this.#written = 0;
  }

  #write(event: JsonObject): void {
    const { type, ...rest } = event;
    this.#out += `event: ${type}\ndata: ${
      toJson({ type, sequence_number: this.#sequence++, ...rest })
    }\n\n`;
  }
}
