/**
 * Token counts in Google's words and in OpenAI's.
 *
 * @module
 */

import { isObject, type JsonObject } from "../../json.ts";

function count(value: unknown): number {
  return typeof value === "number" && value > 0 ? Math.round(value) : 0;
}

/** `usage` of chat completions as `usageMetadata`; undefined where there is none. */
export function encodeUsage(usage: unknown): JsonObject | undefined {
  if (!isObject(usage)) return undefined;
  const { prompt_tokens_details: prompt, completion_tokens_details: completion } = usage;
  const cached = count(isObject(prompt) ? prompt.cached_tokens : 0);
  const thoughts = count(isObject(completion) ? completion.reasoning_tokens : 0);
  return {
    promptTokenCount: count(usage.prompt_tokens),
    // Google counts thinking beside the answer.
    candidatesTokenCount: Math.max(0, count(usage.completion_tokens) - thoughts),
    totalTokenCount: count(usage.total_tokens),
    ...cached > 0 ? { cachedContentTokenCount: cached } : {},
    ...thoughts > 0 ? { thoughtsTokenCount: thoughts } : {},
  };
}

/** `usageMetadata` in the words of chat completions. */
export function decodeUsage(usage: unknown): JsonObject | undefined {
  if (!isObject(usage)) return undefined;
  const prompt = count(usage.promptTokenCount);
  const thoughts = count(usage.thoughtsTokenCount);
  const completion = count(usage.candidatesTokenCount) + thoughts;
  return {
    prompt_tokens: prompt,
    completion_tokens: completion,
    total_tokens: prompt + completion,
    prompt_tokens_details: { cached_tokens: count(usage.cachedContentTokenCount) },
    ...thoughts > 0 ? { completion_tokens_details: { reasoning_tokens: thoughts } } : {},
  };
}
