/**
 * The few questions that the simulator asks of parsed JSON, so that no rule has to repeat them.
 *
 * @module
 */

/** A JSON object whose members are not known yet. */
export type JsonObject = Record<string, unknown>;

/**
 * Tells whether a value is a JSON object: not null, not an array.
 *
 * @param value Any parsed JSON.
 * @returns Whether members of it may be read by name.
 *
 * @example
 * ```ts
 * import { isObject } from "./json.ts";
 *
 * if (!isObject({}) || isObject([]) || isObject(null)) throw new Error("unexpected");
 * ```
 */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * The objects in an array; nothing where the value is no array.
 *
 * @param value Any parsed JSON.
 * @returns The array's elements that are objects, in their order.
 *
 * @example
 * ```ts
 * import { objectsIn } from "./json.ts";
 *
 * if (objectsIn([{}, 1, null]).length !== 1) throw new Error("unexpected");
 * if (objectsIn("no array").length !== 0) throw new Error("unexpected");
 * ```
 */
export function objectsIn(value: unknown): JsonObject[] {
  return Array.isArray(value) ? value.filter(isObject) : [];
}

/**
 * The text of a message's `content`: the string itself, or the texts of its parts in a row.
 *
 * @param content A string, an array of parts with `text`, or anything else (no text).
 * @returns The text; `""` where there is none.
 *
 * @example
 * ```ts
 * import { textOf } from "./json.ts";
 *
 * if (textOf([{ type: "text", text: "a" }, { type: "text", text: "b" }]) !== "ab") {
 *   throw new Error("unexpected");
 * }
 * ```
 */
export function textOf(content: unknown): string {
  if (typeof content === "string") return content;
  return objectsIn(content).map((part) => typeof part.text === "string" ? part.text : "").join("");
}

/**
 * Eight hexadecimal digits that depend on the text alone (FNV-1a): ids and signatures that are the
 * same in every run. Not a cryptographic hash.
 *
 * @param text What to hash.
 * @returns Eight hexadecimal digits.
 *
 * @example
 * ```ts
 * import { hash } from "./json.ts";
 *
 * if (hash("a") !== hash("a") || hash("a") === hash("b")) throw new Error("unexpected");
 * ```
 */
export function hash(text: string): string {
  let value = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) {
    value = Math.imul(value ^ text.charCodeAt(at), 0x01000193);
  }
  return (value >>> 0).toString(16).padStart(8, "0");
}
