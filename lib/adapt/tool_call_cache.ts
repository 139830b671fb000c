/**
 * What a chat client can't carry from one turn to the next, kept by the id of a tool call.
 *
 * @module
 */

import type { CachedCall, CallScope } from "../dialects/dialect.ts";
import { isObject } from "../json.ts";

export type { CachedCall } from "../dialects/dialect.ts";

/** The bounds of a {@linkcode ToolCallCache}. */
export interface ToolCallCacheOptions {
  /**
   * How many calls are kept at most.
   *
   * @default {2_000}
   */
  entries?: number;
  /**
   * How many bytes the kept values may take together, by an estimate that errs upwards.
   *
   * @default {33_554_432}
   */
  bytes?: number;
  /**
   * How long a call is kept after it was last remembered or recalled, in milliseconds.
   *
   * @default {7_200_000}
   */
  ageMs?: number;
  /**
   * The clock, in milliseconds.
   *
   * @default {Date.now}
   */
  now?: () => number;
}

interface Entry {
  value: CachedCall;
  bytes: number;
  touched: number;
}

/** What a map entry, its key's header and the bookkeeping cost, roughly. */
const ENTRY_BYTES = 128;

/** Deeper than any reasoning item. What nests deeper isn't kept: measuring it could exhaust the stack. */
const MAX_DEPTH = 32;

/**
 * A bounded memory of tool calls: the longest unused go first, when there are too many, when they
 * take too much room, or when they were not used for too long.
 *
 * Recalling counts as use, because a client sends its whole history with every turn: the calls of a
 * conversation that goes on stay, those of one that ended fade.
 *
 * @example
 * ```ts
 * import { ToolCallCache } from "./tool_call_cache.ts";
 *
 * const memory = new ToolCallCache({ entries: 1 });
 * memory.set("call_1", { fields: { thoughtSignature: "c2ln" } });
 * memory.set("call_2", { items: [{ type: "reasoning" }] });
 * if (memory.get("call_1") !== undefined) throw new Error("expected the older call to be gone");
 * if (memory.get("call_2")?.items?.length !== 1) throw new Error("expected the newer call");
 * ```
 */
export class ToolCallCache implements CallScope {
  // A Map iterates in insertion order, and every use re-inserts: the first entry is the longest unused.
  readonly #entries = new Map<string, Entry>();
  readonly #maxEntries: number;
  readonly #maxBytes: number;
  readonly #ageMs: number;
  readonly #now: () => number;
  #bytes = 0;

  /** Makes an empty memory within the given bounds. */
  constructor(options: ToolCallCacheOptions = {}) {
    this.#maxEntries = options.entries ?? 2_000;
    this.#maxBytes = options.bytes ?? 32 * 1024 * 1024;
    this.#ageMs = options.ageMs ?? 2 * 60 * 60 * 1_000;
    this.#now = options.now ?? Date.now;
  }

  /** How many calls are kept, expired ones that nobody has met yet included. */
  get size(): number {
    return this.#entries.size;
  }

  /** How many bytes they take together, by estimate. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Keeps `value` for the call `callId`. Given again, `items`, `fields` and `model` replace the
   * earlier ones, each by itself. A value that is larger than the whole memory, or nests more than 32 deep, is not
   * kept.
   */
  set(callId: string, value: CachedCall): void {
    this.#expire();
    const merged = { ...this.#remove(callId)?.value, ...value };
    const bytes = ENTRY_BYTES + 2 * callId.length + estimateBytes(merged, 0);
    // Room for it could only be made by forgetting everything, and there still would be none.
    if (bytes > this.#maxBytes || this.#maxEntries < 1) return;
    this.#entries.set(callId, { value: merged, bytes, touched: this.#now() });
    this.#bytes += bytes;
    for (const oldest of this.#entries.keys()) {
      if (this.#entries.size <= this.#maxEntries && this.#bytes <= this.#maxBytes) break;
      this.#remove(oldest);
    }
  }

  /** What is kept for the call `callId`, or `undefined`. The caller must not change it. */
  get(callId: string): CachedCall | undefined {
    this.#expire();
    const entry = this.#entries.get(callId);
    if (entry === undefined) return undefined;
    entry.touched = this.#now();
    this.#entries.delete(callId);
    this.#entries.set(callId, entry);
    return entry.value;
  }

  #remove(callId: string): Entry | undefined {
    const entry = this.#entries.get(callId);
    if (entry === undefined) return undefined;
    this.#entries.delete(callId);
    this.#bytes -= entry.bytes;
    return entry;
  }

  #expire(): void {
    const oldest = this.#now() - this.#ageMs;
    for (const [callId, entry] of this.#entries) {
      if (entry.touched >= oldest) break;
      this.#remove(callId);
    }
  }
}

/** Two bytes a character and some for each value: cheaper than serializing, and never too low by much. */
function estimateBytes(value: unknown, depth: number): number {
  if (typeof value === "string") return 24 + 2 * value.length;
  if (depth > MAX_DEPTH) return Infinity;
  let bytes = 16;
  if (Array.isArray(value)) {
    for (const element of value) bytes += 8 + estimateBytes(element, depth + 1);
  } else if (isObject(value)) {
    for (const key in value) bytes += 8 + 2 * key.length + estimateBytes(value[key], depth + 1);
  }
  return bytes;
}
