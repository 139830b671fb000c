/**
 * Caches what a chat client can't carry from one turn to the next, by the id of a tool call.
 *
 * @module
 */

import { createHash } from "node:crypto";
import type { CachedCall, CallScope } from "../dialects/dialect.ts";
import { hash64 } from "../hash.ts";
import { isObject, type JsonObject } from "../json.ts";

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
   * How long a call is kept after it was last set or got, in milliseconds.
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

/** Whose calls a {@linkcode CallScope} holds. */
export interface ScopeKey {
  /** Who asks; see {@linkcode ownerOf}. */
  readonly owner: string;
  /** Which conversation; see {@linkcode conversationOf}. */
  readonly conversation: string;
  /** The model, as the client asks for it: another can't read what this one signed. */
  readonly model: string;
}

/** The calls of one conversation. */
export interface ConversationCalls extends CallScope {
  /** Forgets what is cached for the conversation: the gateway refused it, and would again in every turn. */
  clear(): void;
}

/**
 * A bounded cache of tool calls: the longest unused go first, when there are too many, when they
 * take too much room, or when they were not used for too long.
 *
 * Getting counts as use, because a client sends its whole history with every turn: the calls of a
 * conversation that goes on stay, those of one that ended fade.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { ToolCallCache } from "./tool_call_cache.ts";
 *
 * const cache = new ToolCallCache();
 * const mine = cache.scope({ owner: "ada", conversation: "1", model: "m" });
 * const other = cache.scope({ owner: "ada", conversation: "2", model: "m" });
 * mine.set("call_0", { fields: { thoughtSignature: "c2ln" } });
 * assertEquals(mine.get("call_0")?.fields, { thoughtSignature: "c2ln" });
 * assertEquals(other.get("call_0"), undefined);
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
  /** Called when a value is set, to share it with other bridges. */
  onSet?: (scope: ScopeKey, callId: string, value: CachedCall) => void;
  /** Called with the calls of a conversation that are cleared. */
  onClear?: (scope: ScopeKey, callIds: readonly string[]) => void;

  /** Makes an empty cache within the given bounds. */
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
   * The calls of one conversation of somebody's with one model: no other's are seen, whatever their ids.
   *
   * @param key Who asks, in which conversation, which model; not read before a call is looked for.
   */
  scope(key: ScopeKey): ConversationCalls {
    let prefix: string | undefined;
    const nameOf = (callId: string) => (prefix ??= prefixOf(key)) + callId;
    return {
      get: (callId) => this.get(nameOf(callId)),
      set: (callId, value) => {
        this.set(nameOf(callId), value);
        if (this.onSet === undefined) return;
        const kept = this.get(nameOf(callId));
        if (kept !== undefined) this.onSet(key, callId, kept);
      },
      clear: () => {
        const start = nameOf("");
        const cleared: string[] = [];
        for (const name of this.#entries.keys()) {
          if (!name.startsWith(start)) continue;
          this.#remove(name);
          cleared.push(name.slice(start.length));
        }
        this.onClear?.(key, cleared);
      },
    };
  }

  /** Whether something is kept for a call of a conversation. It counts as no use. */
  has(key: ScopeKey, callId: string): boolean {
    return this.#entries.has(prefixOf(key) + callId);
  }

  /** Keeps what another bridge has set for a call: {@linkcode onSet} isn't told. */
  restore(key: ScopeKey, callId: string, value: CachedCall): void {
    this.set(prefixOf(key) + callId, value);
  }

  /**
   * Keeps `value` for the call `callId`. Given again, `items`, `fields` and `model` replace the
   * earlier ones, each by itself. A value that is larger than the whole cache, or nests more than 32 deep, is not
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

/**
 * Whose calls a request may see. Owner and conversation are hashes, made when they are first read: a
 * conversation without tool calls needs none.
 *
 * @param authorization The `Authorization` header, or a key.
 * @param body The client's body.
 * @param model The model, as the client asks for it.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { conversationOf, ownerOf, scopeOf } from "./tool_call_cache.ts";
 *
 * const body = { messages: [{ role: "user", content: "Hi" }] };
 * const { owner, conversation, model } = scopeOf("Bearer t", body, "m");
 * assertEquals([owner, conversation, model], [ownerOf("Bearer t"), conversationOf(body), "m"]);
 * ```
 */
export function scopeOf(authorization: string, body: JsonObject, model: string): ScopeKey {
  let owner: string | undefined;
  let conversation: string | undefined;
  return {
    model,
    get owner() {
      return owner ??= ownerOf(authorization);
    },
    get conversation() {
      return conversation ??= conversationOf(body);
    },
  };
}

function prefixOf({ owner, conversation, model }: ScopeKey): string {
  return `${owner}\n${conversation}\n${model}\n`;
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

/** The `Bearer` or `Basic` before a token. */
const SCHEME = /^\s*(?:bearer|basic)\s+/i;

/**
 * Who asks, by the token that comes with the request: the subject of a JWT, so that a renewed token is the
 * same owner, else a hash of the token.
 *
 * @param authorization The `Authorization` header, or a key.
 *
 * @example
 * ```ts
 * import { assert, assertEquals } from "@std/assert";
 * import { ownerOf } from "./tool_call_cache.ts";
 *
 * const token = (iat: number) => `Bearer e30.${btoa(JSON.stringify({ sub: "ada", iat }))}.c2ln`;
 * assertEquals(ownerOf(token(1)), ownerOf(token(2)));
 * assert(ownerOf("Bearer dapi1") !== ownerOf("Bearer dapi2"));
 * ```
 */
export function ownerOf(authorization: string): string {
  const token = authorization.replace(SCHEME, "");
  return subjectOf(token) ?? `key ${sha256(token)}`;
}

/** A hash for which nobody finds another text: what one user has cached must not be found by another. */
function sha256(text: string): string {
  return createHash("sha256").update(text).digest("base64url");
}

/** The issuer and the subject of a JWT; undefined for any other token. */
function subjectOf(token: string): string | undefined {
  const parts = token.split(".");
  if (parts.length !== 3) return undefined;
  try {
    const claims: unknown = JSON.parse(atob(parts[1].replace(/-/g, "+").replace(/_/g, "/")));
    if (!isObject(claims) || typeof claims.sub !== "string" || claims.sub === "") return undefined;
    return `sub ${sha256(JSON.stringify([claims.iss ?? "", claims.sub]))}`;
  } catch {
    return undefined;
  }
}

/**
 * Which conversation a request belongs to, in any dialect: a hash of its first user message, which every
 * later turn repeats.
 *
 * @param body The client's body.
 */
export function conversationOf(body: JsonObject): string {
  const first = firstUserMessage(body);
  return first === undefined ? "" : `${first.length}:${hash64(first)}`;
}

function firstUserMessage({ messages, input, contents }: JsonObject): string | undefined {
  if (typeof input === "string") return input;
  const list = [messages, input, contents].find(Array.isArray) ?? [];
  const first = list.find((entry) => isObject(entry) && entry.role === "user");
  if (!isObject(first)) return undefined;
  const content = first.content ?? first.parts;
  return textOfContent(content);
}

/**
 * A message's content as one text. Marks that clients move from turn to turn, such as `cache_control`, don't
 * belong to it, nor does whether it is a string or one part.
 */
function textOfContent(content: unknown): string {
  if (typeof content === "string") return content;
  if (!Array.isArray(content)) return JSON.stringify(content) ?? "";
  return content.map((part) => {
    if (!isObject(part)) return String(part);
    if (typeof part.text === "string") return part.text;
    const { cache_control: _mark, ...rest } = part;
    return JSON.stringify(rest);
  }).join("\n");
}
