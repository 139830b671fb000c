/**
 * Claude's prompt cache: what stands before a mark is kept, and read by the next request that begins alike.
 *
 * @module
 */

import { hash, isObject, type JsonObject, objectsIn } from "./json.ts";

/** The least prefix that is cached, in tokens; Haiku's is longer. */
const LEAST = 1_024;
const LEAST_HAIKU = 4_096;

/** The most marks of one request. */
const MOST_MARKS = 4;

/** The most prefixes that are kept; the oldest go first. */
const MOST_KEPT = 10_000;

/** Tokens of a request's prompt that were read from the cache, and written into it. */
export interface CacheCounts {
  /** Read. */
  readonly read: number;
  /** Written. */
  readonly written: number;
}

/** A piece of a prompt in the cache's order, without its mark. */
interface Piece {
  readonly text: string;
  readonly marked: boolean;
}

function isMarked(value: JsonObject): boolean {
  return isObject(value.cache_control);
}

function unmarked(value: unknown): string {
  return JSON.stringify(value, (name, field) => name === "cache_control" ? undefined : field) ?? "";
}

/** A message's parts; a text is one part, whether it stands in an array or not. */
function partsOf(message: JsonObject): Piece[] {
  const { content, ...rest } = message;
  const head: Piece = { text: unmarked(rest), marked: false };
  if (typeof content === "string") return [head, { text: content, marked: false }];
  return [
    head,
    ...objectsIn(content).map((part) => ({
      text: typeof part.text === "string" ? part.text : unmarked(part),
      marked: isMarked(part),
    })),
  ];
}

/** Tools, then the system's words, then the conversation. */
function piecesOf({ tools, system: blocks, messages }: JsonObject): Piece[] {
  const list = objectsIn(messages);
  const system = list.filter(({ role }) => role === "system");
  return [
    ...objectsIn(tools).map((tool) => ({ text: unmarked(tool), marked: isMarked(tool) })),
    ...partsOf({ content: blocks ?? "" }),
    ...[...system, ...list.filter(({ role }) => role !== "system")].flatMap(partsOf),
  ];
}

/** The cache of one gateway. */
export class PromptCache {
  readonly #kept = new Set<string>();

  /** How many marks a request has. */
  static marks(body: JsonObject): number {
    return piecesOf(body).filter(({ marked }) => marked).length;
  }

  /**
   * Reads and writes what a request's marks say.
   *
   * @param model The model's name without prefix.
   * @param body A chat request.
   */
  use(model: string, body: JsonObject): CacheCounts {
    const least = model.includes("haiku") ? LEAST_HAIKU : LEAST;
    const pieces = piecesOf(body);
    const last = pieces.findLastIndex(({ marked }) => marked);
    let key = model;
    let tokens = 0;
    let read = 0;
    let written = 0;
    const fresh: string[] = [];
    let marks = 0;
    for (const [at, { text, marked }] of pieces.entries()) {
      if (at > last) break;
      key = hash(key + hash(text) + text.length);
      tokens += Math.ceil(text.length / 4);
      if (this.#kept.has(key)) read = tokens;
      if (!marked || tokens < least || ++marks > MOST_MARKS) continue;
      written = tokens;
      fresh.push(key);
    }
    for (const one of fresh) {
      this.#kept.delete(one);
      this.#kept.add(one);
    }
    while (this.#kept.size > MOST_KEPT) this.#kept.delete(this.#kept.values().next().value!);
    return { read, written: Math.max(0, written - read) };
  }
}
