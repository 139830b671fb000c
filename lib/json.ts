/**
 * The two things every room of the house needs to know about JSON.
 *
 * @module
 */

/** A JSON object whose fields are not known yet. */
export type JsonObject = Record<string, unknown>;

/**
 * Whether a parsed JSON value is an object: not null, not an array, not a scalar.
 *
 * @example
 * ```ts
 * import { isObject } from "./json.ts";
 *
 * if (!isObject(JSON.parse("{}"))) throw new Error("an object is an object");
 * if (isObject(JSON.parse("[]"))) throw new Error("an array is not");
 * ```
 */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
