/**
 * Embeddings that mean nothing, but are the same for the same text.
 *
 * @module
 */

import { hash, type JsonObject } from "./json.ts";

/** How many numbers a vector has. */
const DIMENSIONS = 8;

/** How many texts are embedded at most. */
const MAX_TEXTS = 2048;

/**
 * Answers a request for embeddings.
 *
 * @param body A body with `input`, a text or an array of texts.
 * @returns A list of vectors of length 1.
 *
 * @example
 * ```ts
 * import { embeddings } from "./embeddings.ts";
 *
 * const { data } = embeddings({ model: "databricks-gte-large-en", input: ["a", "b"] });
 * if (!Array.isArray(data) || data.length !== 2) throw new Error("unexpected");
 * ```
 */
export function embeddings(body: JsonObject): JsonObject {
  const input = Array.isArray(body.input) ? body.input : [body.input ?? ""];
  const texts = input.slice(0, MAX_TEXTS).map(String);
  const tokens = texts.reduce((sum, text) => sum + Math.ceil(text.length / 4), 0);
  return {
    object: "list",
    data: texts.map((text, index) => ({ object: "embedding", index, embedding: vector(text) })),
    model: body.model,
    usage: { prompt_tokens: tokens, total_tokens: tokens },
  };
}

function vector(text: string): number[] {
  const numbers = Array.from(
    { length: DIMENSIONS },
    (_, index) => parseInt(hash(`${text}${index}`), 16) / 0xffffffff - 0.5,
  );
  const length = Math.hypot(...numbers) || 1;
  return numbers.map((number) => number / length);
}
