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

/**
 * JSON that every parser reads: a lone half of a character, which JSON can carry and strict parsers
 * refuse, becomes U+FFFD.
 *
 * @example
 * ```ts
 * import { toJson } from "./json.ts";
 *
 * if (toJson({ a: "\ud83d" }) !== '{"a":"\ufffd"}') throw new Error("whole characters only");
 * ```
 */
export function toJson(value: unknown): string {
  const text = JSON.stringify(value);
  if (!text.includes("\\ud")) return text;
  return JSON.stringify(
    value,
    (_name, field) => typeof field === "string" ? field.toWellFormed() : field,
  );
}

/**
 * Whether a text may be a piece of an answer that arrived broken: JSON, and no error. What a gateway
 * says in the place of an answer is repeated in errors, and so in the log; a piece of an answer never is.
 *
 * @example
 * ```ts
 * import { isAnswerPiece } from "./json.ts";
 *
 * if (!isAnswerPiece('{"choices":[{"delta":{"content":"half an ans')) throw new Error("a piece");
 * if (!isAnswerPiece('wer"},"finish_reason":null}]}')) throw new Error("the other one");
 * if (isAnswerPiece('[{"error":{"message":"no"}}]')) throw new Error("an error");
 * if (isAnswerPiece("upstream connect error")) throw new Error("plain words");
 * ```
 */
export function isAnswerPiece(text: string): boolean {
  return /^\s*[[{"]|["\]}]\s*[:,\]}]/.test(text) && !/^\s*\[?\s*\{\s*"error"\s*:\s*[{"]/.test(text);
}
