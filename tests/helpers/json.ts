/**
 * A JSON reader that sees what `JSON.parse` hides and a Rust client stumbles over: whether a number
 * was written as an integer, keys that stand twice in one object, and half of a surrogate pair.
 *
 * @module
 */

/** A number written with a fraction, an exponent or a minus zero, or beyond 64 bits: no integer. */
export class FloatNumber {
  /** The value, as JavaScript understands it. */
  readonly value: number;

  /**
   * Wraps a number whose spelling makes it a float.
   *
   * @param value The value.
   */
  constructor(value: number) {
    this.value = value;
  }
}

/** A JSON value as {@linkcode readJson} gives it: floats are wrapped, objects have no prototype. */
export type Json = null | boolean | string | number | FloatNumber | Json[] | JsonMap;

/** A JSON object as {@linkcode readJson} gives it. */
export type JsonMap = { [key: string]: Json };

const duplicates = new WeakMap<object, Set<string>>();

/** The depth at which the client's JSON reader gives up. */
const MAX_DEPTH = 127;

/** Spelled like an integer: no fraction, no exponent. */
const INTEGER = /^-?\d+$/;
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const LONE_SURROGATE = /[\uD800-\uDBFF](?![\uDC00-\uDFFF])|(?<![\uD800-\uDBFF])[\uDC00-\uDFFF]/;
// Control characters and bad escapes are left to JSON.parse, which refuses them.
const STRING = /"(?:[^"\\]+|\\[^])*"/y;
const SPACE = /[ \t\n\r]*/y;

/**
 * Reads a JSON text strictly.
 *
 * @param text The text: one value, with nothing but white space around it.
 * @returns The value. Keys that stood twice keep their last value; see {@linkcode duplicateKeys}.
 * @throws {SyntaxError} On anything that the client's reader refuses: trailing characters, control
 * characters in a string, a lone surrogate, more than 127 levels.
 *
 * @example
 * ```ts
 * import { FloatNumber, readJson } from "./json.ts";
 *
 * const value = readJson('{"created": 1.0}') as Record<string, unknown>;
 * if (!(value.created instanceof FloatNumber)) throw new Error("1.0 is a float");
 * ```
 */
export function readJson(text: string): Json {
  let at = 0;

  function fail(expected: string): never {
    const found = at < text.length ? JSON.stringify(text[at]) : "the end";
    throw new SyntaxError(`Expected ${expected} at character ${at}, found ${found}`);
  }

  function match(pattern: RegExp): string | undefined {
    pattern.lastIndex = at;
    const found = pattern.exec(text);
    if (found === null) return undefined;
    at += found[0].length;
    return found[0];
  }

  function take(character: string): boolean {
    if (text[at] !== character) return false;
    at++;
    return true;
  }

  function readString(): string {
    const quoted = match(STRING) ?? fail("a string");
    const value = JSON.parse(quoted) as string;
    if (LONE_SURROGATE.test(value)) {
      throw new SyntaxError(`Found a lone surrogate in ${quoted}, expected a pair`);
    }
    return value;
  }

  function readNumber(): Json {
    const source = match(NUMBER) ?? fail("a value");
    const value = Number(source);
    if (!INTEGER.test(source) || source === "-0") return new FloatNumber(value);
    const exact = BigInt(source);
    return exact >= 2n ** 64n || exact < -(2n ** 63n) ? new FloatNumber(value) : value;
  }

  function readObject(depth: number): JsonMap {
    const map: JsonMap = Object.create(null);
    const twice = new Set<string>();
    match(SPACE);
    if (take("}")) return map;
    do {
      match(SPACE);
      const key = readString();
      if (key in map) twice.add(key);
      match(SPACE);
      if (!take(":")) fail("a colon");
      map[key] = readValue(depth);
      match(SPACE);
    } while (take(","));
    if (!take("}")) fail("a comma or the end of the object");
    if (twice.size > 0) duplicates.set(map, twice);
    return map;
  }

  function readArray(depth: number): Json[] {
    const items: Json[] = [];
    match(SPACE);
    if (take("]")) return items;
    do {
      items.push(readValue(depth));
      match(SPACE);
    } while (take(","));
    if (!take("]")) fail("a comma or the end of the array");
    return items;
  }

  function readValue(depth: number): Json {
    if (depth > MAX_DEPTH) fail(`at most ${MAX_DEPTH} levels`);
    match(SPACE);
    if (text[at] === '"') return readString();
    if (take("{")) return readObject(depth + 1);
    if (take("[")) return readArray(depth + 1);
    for (const [word, value] of [["null", null], ["true", true], ["false", false]] as const) {
      if (text.startsWith(word, at)) {
        at += word.length;
        return value;
      }
    }
    return readNumber();
  }

  const value = readValue(0);
  match(SPACE);
  if (at < text.length) fail("nothing more");
  return value;
}

/**
 * The keys that stood more than once in an object read by {@linkcode readJson}.
 *
 * @param map The object.
 * @returns The keys; none if each stood once.
 */
export function duplicateKeys(map: JsonMap): ReadonlySet<string> {
  return duplicates.get(map) ?? new Set();
}

/**
 * Whether a value is an object.
 *
 * @param value A value from {@linkcode readJson}.
 * @returns True for an object; false for arrays, floats and null.
 */
export function isMap(value: Json | undefined): value is JsonMap {
  return typeof value === "object" && value !== null && !Array.isArray(value) &&
    !(value instanceof FloatNumber);
}

/**
 * Names the kind of a value, for messages.
 *
 * @param value A value from {@linkcode readJson}, or undefined.
 * @returns Words such as "a string" or "nothing".
 */
export function kindOf(value: Json | undefined): string {
  if (value === undefined) return "nothing";
  if (value === null) return "null";
  if (value instanceof FloatNumber) return `the fractional number ${value.value}`;
  if (Array.isArray(value)) return "an array";
  if (typeof value === "object") return "an object";
  if (typeof value === "number") return `the number ${value}`;
  return `a ${typeof value}`;
}
