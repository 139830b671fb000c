/**
 * Token counts. Anthropic counts what was read from the cache and written into it beside the input;
 * OpenAI's `prompt_tokens` has both in it (`gateway.md`, "Prompt caching").
 *
 * @module
 */

import { isObject, type JsonObject } from "../../json.ts";

function count(value: unknown): number {
  return typeof value === "number" && value > 0 ? Math.round(value) : 0;
}

/** `usage` of chat completions in Anthropic's words; all counts are there, and whole. */
export function encodeUsage(usage: unknown): JsonObject {
  const { prompt_tokens, completion_tokens, prompt_tokens_details, ...rest } = isObject(usage)
    ? usage
    : {};
  const details = isObject(prompt_tokens_details) ? prompt_tokens_details : {};
  const read = count(details.cached_tokens ?? rest.cache_read_input_tokens);
  const written = count(rest.cache_creation_input_tokens);
  return {
    input_tokens: Math.max(0, count(prompt_tokens) - read - written),
    cache_creation_input_tokens: written,
    cache_read_input_tokens: read,
    output_tokens: count(completion_tokens),
  };
}

/** Anthropic's `usage` in the words of chat completions. */
export function decodeUsage(usage: unknown): JsonObject | undefined {
  if (!isObject(usage)) return undefined;
  const read = count(usage.cache_read_input_tokens);
  const written = count(usage.cache_creation_input_tokens);
  const input = count(usage.input_tokens) + read + written;
  const output = count(usage.output_tokens);
  return {
    prompt_tokens: input,
    completion_tokens: output,
    total_tokens: input + output,
    prompt_tokens_details: { cached_tokens: read },
    ...written > 0 ? { cache_creation_input_tokens: written } : {},
  };
}

/** Anthropic's `usage` with every count that its clients add up. */
export function wholeUsage(usage: unknown): JsonObject {
  const given = isObject(usage) ? usage : {};
  return {
    ...given,
    input_tokens: count(given.input_tokens),
    cache_creation_input_tokens: count(given.cache_creation_input_tokens),
    cache_read_input_tokens: count(given.cache_read_input_tokens),
    output_tokens: count(given.output_tokens),
  };
}
