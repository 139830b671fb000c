/**
 * Token counts as the Responses API's clients need them: Codex drops a whole turn, and ForgeCode the end of
 * the stream, where one of the two details is missing (`clients.md`).
 *
 * @module
 */

import { isObject, type JsonObject } from "../../json.ts";

/** The fields that {@linkcode encodeUsage} makes; all others pass. */
const COUNTS = new Set([
  "prompt_tokens",
  "completion_tokens",
  "total_tokens",
  "input_tokens",
  "output_tokens",
  "prompt_tokens_details",
  "completion_tokens_details",
  "input_tokens_details",
  "output_tokens_details",
]);

function count(...values: unknown[]): number | undefined {
  for (const value of values) {
    if (typeof value === "number" && value >= 0 && value <= Number.MAX_SAFE_INTEGER) {
      return Math.round(value);
    }
  }
  return undefined;
}

function details(name: string, ...candidates: unknown[]): JsonObject {
  const source = candidates.find(isObject) ?? {};
  const whole: JsonObject = {};
  for (const [key, value] of Object.entries(source)) {
    const number = count(value);
    if (number !== undefined) whole[key] = number;
  }
  return { ...whole, [name]: count(source[name]) ?? 0 };
}

/**
 * Usage in the words of chat completions or of the Responses API as a complete one of the latter;
 * null where there is none.
 *
 * @param usage `usage` as it came.
 */
export function encodeUsage(usage: unknown): JsonObject | null {
  if (!isObject(usage)) return null;
  const total = count(usage.total_tokens);
  const knownInput = count(usage.input_tokens, usage.prompt_tokens);
  const knownOutput = count(usage.output_tokens, usage.completion_tokens);
  if (knownInput === undefined && knownOutput === undefined && total === undefined) return null;
  const input = knownInput ?? Math.max(0, (total ?? 0) - (knownOutput ?? 0));
  const output = knownOutput ?? Math.max(0, (total ?? 0) - input);
  const others = Object.entries(usage).filter(([name, value]) =>
    !COUNTS.has(name) && value !== null
  );
  const encoded: JsonObject = {
    input_tokens: input,
    input_tokens_details: details(
      "cached_tokens",
      usage.input_tokens_details,
      usage.prompt_tokens_details,
    ),
    output_tokens: output,
    output_tokens_details: details(
      "reasoning_tokens",
      usage.output_tokens_details,
      usage.completion_tokens_details,
    ),
    total_tokens: total ?? input + output,
    ...Object.fromEntries(others),
  };
  return encoded;
}
