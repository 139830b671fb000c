/**
 * Token counts of an answer, in one form whatever dialect they came in.
 *
 * @module
 */

import { isObject, type JsonObject } from "../json.ts";

/** The tokens of one answer. `input` has `cached` and `written` in it. */
export interface Tokens {
  /** All tokens of the prompt, those read from and written to the cache among them. */
  readonly input: number;
  /** Tokens of the answer, reasoning among them. */
  readonly output: number;
  /** Tokens of the prompt that were read from the cache. */
  readonly cached: number;
  /** Tokens of the prompt that were written to the cache. */
  readonly written: number;
  /** Those of `written` that are kept for an hour instead of five minutes. */
  readonly writtenForHour: number;
}

/** No answer has more tokens: a larger number is a gateway's mistake. */
const MAX_TOKENS = 1e12;

/** The first of the fields that is a count. */
function count(...values: unknown[]): number | undefined {
  for (const value of values) {
    if (typeof value === "number" && value >= 0 && value <= MAX_TOKENS) return Math.trunc(value);
  }
  return undefined;
}

function object(value: unknown): JsonObject {
  return isObject(value) ? value : {};
}

/**
 * Reads a `usage` object. Chat completions count the whole prompt in `prompt_tokens` and the Responses
 * API in `input_tokens`; the cache's tokens are in it (`gateway.md`, "Prompt caching"). Messages count in
 * `input_tokens` only what the cache had nothing to do with, so there they are added.
 *
 * @param usage The object, in any of the three dialects.
 * @returns The counts; undefined where the object has none.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { readTokens } from "./tokens.ts";
 *
 * const chat = { prompt_tokens: 100, completion_tokens: 5, cache_read_input_tokens: 80 };
 * assertEquals(readTokens(chat)?.input, 100);
 * const messages = { input_tokens: 20, output_tokens: 5, cache_read_input_tokens: 80 };
 * assertEquals(readTokens(messages)?.input, 100);
 * ```
 */
export function readTokens(usage: unknown): Tokens | undefined {
  if (!isObject(usage)) return undefined;
  const prompt = count(usage.prompt_tokens);
  const input = count(usage.input_tokens);
  const output = count(usage.completion_tokens, usage.output_tokens);
  if (prompt === undefined && input === undefined && output === undefined) return undefined;
  const details = object(usage.prompt_tokens_details ?? usage.input_tokens_details);
  const cached = count(usage.cache_read_input_tokens, details.cached_tokens) ?? 0;
  const creation = object(usage.cache_creation);
  const hour = count(creation.ephemeral_1h_input_tokens) ?? 0;
  const written = count(usage.cache_creation_input_tokens, details.cache_creation_tokens) ??
    hour + (count(creation.ephemeral_5m_input_tokens) ?? 0);
  // Only Messages have the cache's counts beside `input_tokens`, without details.
  const apart = prompt === undefined && usage.input_tokens_details === undefined &&
    ["cache_read_input_tokens", "cache_creation_input_tokens", "cache_creation"]
      .some((name) => Object.hasOwn(usage, name));
  const whole = apart ? (input ?? 0) + cached + written : prompt ?? input ?? 0;
  return {
    input: whole,
    output: output ?? 0,
    cached: Math.min(cached, whole),
    written: Math.min(written, whole - Math.min(cached, whole)),
    writtenForHour: Math.min(hour, written),
  };
}
