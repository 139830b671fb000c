/**
 * Memory that several bridges share: tool calls by their ids, and adjustments inferred from refusals. Each
 * bridge keeps its own memory; the store adds what the others have learned.
 *
 * @module
 */

import type { LearnedModel, Negotiator } from "../adapt/negotiator.ts";
import { LIFETIME } from "../adapt/negotiator.ts";
import type { CachedCall, ScopeKey, ToolCallCache } from "../adapt/tool_call_cache.ts";
import { isObject, type JsonObject } from "../json.ts";
import { type Command, type StoreConnection, StoreUnavailable } from "./connection.ts";
import type { Sealer } from "./seal.ts";

/** How long a call is kept after its conversation went on, in milliseconds: as long as in memory. */
const CALL_AGE = 2 * 60 * 60 * 1_000;

/** How often the calls of a conversation that goes on are kept for longer, in milliseconds. */
const TOUCH = CALL_AGE / 4;

/** How often the store is asked what others have learned about a model, in milliseconds. */
const LOOK = 1_000;

/** How many of a request's calls are looked for, the last ones. */
const MAX_CALLS = 512;

/** The longest value that is stored, in characters: reasoning is seldom longer than a tenth of it. */
const MAX_VALUE = 1024 * 1024;

/** How many conversations and models have a time of their last look. */
const MAX_TIMES = 2_000;

/** What a {@linkcode SharedMemory} is made of. */
export interface SharedMemoryOptions {
  /** The way to the store. */
  readonly connection: StoreConnection;
  /** Encrypts and names. */
  readonly sealer: Sealer;
  /** This bridge's calls. */
  readonly calls: ToolCallCache;
  /** What this bridge has learned. */
  readonly negotiator: Negotiator;
  /** The gateway's base. */
  readonly workspace: string;
  /** Called once, when an entry can't be decrypted. */
  readonly onUnreadable: () => void;
  /** The clock, in milliseconds. @default {Date.now} */
  readonly now?: () => number;
}

/** The memory that bridges share. */
export class SharedMemory {
  readonly #options: SharedMemoryOptions;
  readonly #now: () => number;
  /** Model, or conversation → when the store was asked for it last. */
  readonly #looked = new Map<string, number>();
  #unreadable = false;

  /** Shares what a bridge remembers from now on. */
  constructor(options: SharedMemoryOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
    options.calls.onSet = (scope, id, value) => this.#saveCall(scope, id, value);
    options.calls.onClear = (scope, ids) => this.#clearCalls(scope, ids);
    options.negotiator.onChange = (learned) => this.#saveLearned(learned);
  }

  /**
   * Fetches what other bridges remember for a request, in one round trip. Without an answer in time the request
   * goes on from this bridge's memory.
   *
   * @param scope Whose request, in which conversation, to which model.
   * @param body The client's body, in any dialect.
   */
  async prepare(scope: ScopeKey, body: JsonObject): Promise<void> {
    const { connection, calls, workspace } = this.#options;
    if (!connection.isOpen) return;
    const ids = callIdsIn(body);
    const missing = ids.filter((id) => !calls.has(scope, id));
    const names = missing.map((id) => this.#callName(scope, id));
    const commands: Command[] = [];
    const learnedName = this.#learnedName(workspace, scope.model);
    const looksUp = this.#isDue(learnedName, LOOK);
    if (looksUp) commands.push(["GET", learnedName]);
    if (names.length > 0) commands.push(["MGET", ...names]);
    if (ids.length > 0 && this.#isDue(this.#callName(scope, ""), TOUCH)) {
      for (const id of ids) commands.push(["PEXPIRE", this.#callName(scope, id), `${CALL_AGE}`]);
    }
    if (commands.length === 0) return;
    const replies = await this.#run(commands);
    if (replies === undefined) return;
    if (looksUp) this.#readLearned(learnedName, replies.shift());
    if (names.length > 0) this.#readCalls(scope, missing, names, replies.shift());
  }

  #readCalls(
    scope: ScopeKey,
    ids: readonly string[],
    names: readonly string[],
    values: unknown,
  ): void {
    for (const [at, value] of (Array.isArray(values) ? values : []).entries()) {
      const call = this.#open(names[at], value);
      if (call) this.#options.calls.restore(scope, ids[at], call as CachedCall);
    }
  }

  #readLearned(name: string, value: unknown): void {
    const learned = this.#open(name, value);
    if (learned) this.#options.negotiator.merge(learned as unknown as LearnedModel);
  }

  #saveCall(scope: ScopeKey, id: string, call: CachedCall): void {
    this.#save(this.#callName(scope, id), call, CALL_AGE);
  }

  #clearCalls(scope: ScopeKey, ids: readonly string[]): void {
    if (ids.length === 0) return;
    void this.#run([["DEL", ...ids.map((id) => this.#callName(scope, id))]], true);
  }

  #saveLearned(learned: LearnedModel): void {
    this.#save(this.#learnedName(learned.workspace, learned.model), learned, LIFETIME);
  }

  /** Stores a value; the request that it comes from doesn't wait. */
  #save(name: string, value: unknown, age: number): void {
    if (!this.#options.connection.isOpen) return;
    const text = JSON.stringify(value);
    if (text.length > MAX_VALUE) return;
    void this.#run([["SET", name, this.#options.sealer.seal(name, text), "PX", `${age}`]], true);
  }

  async #run(commands: readonly Command[], writes = false): Promise<unknown[] | undefined> {
    try {
      return await this.#options.connection.run(commands, writes);
    } catch (cause) {
      if (cause instanceof StoreUnavailable) return undefined;
      throw cause;
    }
  }

  /** The value of an entry; what another secret has sealed is as good as not there. */
  #open(name: string, value: unknown): JsonObject | undefined {
    if (typeof value !== "string") return undefined;
    const text = this.#options.sealer.open(name, value);
    const opened: unknown = text === undefined ? undefined : JSON.parse(text);
    if (isObject(opened)) return opened;
    if (!this.#unreadable) this.#options.onUnreadable();
    this.#unreadable = true;
    return undefined;
  }

  #callName({ owner, conversation, model }: ScopeKey, id: string): string {
    const { sealer, workspace } = this.#options;
    return `fd-bridge:call:${sealer.name("call", workspace, owner, conversation, model, id)}`;
  }

  #learnedName(workspace: string, model: string): string {
    return `fd-bridge:learned:${this.#options.sealer.name("learned", workspace, model)}`;
  }

  /** Whether something was not asked for within a time; notes that it is now. */
  #isDue(name: string, interval: number): boolean {
    const last = this.#looked.get(name);
    if (last !== undefined && this.#now() - last < interval) return false;
    this.#looked.delete(name);
    this.#looked.set(name, this.#now());
    if (this.#looked.size > MAX_TIMES) this.#looked.delete(this.#looked.keys().next().value!);
    return true;
  }
}

/** Where the dialects keep a history, and the fields that hold a call's id in its entries and their parts. */
const HISTORIES = ["messages", "input", "contents"];
const PARTS = ["tool_calls", "content", "parts"];

/**
 * The ids of the tool calls in a request's history, in any dialect: each once, the last 512.
 *
 * @param body The client's body.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { callIdsIn } from "./shared_memory.ts";
 *
 * const chat = { messages: [{ role: "assistant", tool_calls: [{ id: "call_1" }] }] };
 * const messages = { messages: [{ role: "assistant", content: [{ type: "tool_use", id: "toolu_1" }] }] };
 * const responses = { input: [{ type: "function_call", call_id: "call_2" }] };
 * assertEquals([chat, messages, responses].flatMap(callIdsIn), ["call_1", "toolu_1", "call_2"]);
 * ```
 */
export function callIdsIn(body: JsonObject): string[] {
  const ids = new Set<string>();
  const add = (id: unknown) => {
    if (typeof id === "string" && id !== "") ids.add(id);
  };
  for (const history of HISTORIES.map((name) => body[name])) {
    for (const entry of Array.isArray(history) ? history : []) {
      if (!isObject(entry)) continue;
      // A result names the call again; the call itself comes before it.
      if (entry.type !== "function_call_output") add(entry.call_id);
      for (const parts of PARTS.map((name) => entry[name])) {
        for (const part of Array.isArray(parts) ? parts : []) {
          if (isObject(part)) add(isObject(part.functionCall) ? part.functionCall.id : part.id);
        }
      }
    }
  }
  return [...ids].slice(-MAX_CALLS);
}
