/**
 * How a choice ends: the words that gateways have for it, and OpenAI's.
 *
 * @module
 */

import { isErrorBody } from "../gateway/errors.ts";
import type { JsonObject } from "../json.ts";

/** OpenAI's five. */
export type FinishReason = "stop" | "length" | "tool_calls" | "content_filter" | "function_call";

/**
 * Words for an ending → OpenAI's. Any other word means `stop`, because ForgeCode repeats the request up
 * to 100 times over a word that it doesn't know (`forgecode.md`, "Runaway").
 */
export const FINISH_REASONS: Readonly<Record<string, FinishReason>> = {
  stop: "stop",
  end_turn: "stop",
  stop_sequence: "stop",
  completed: "stop",
  length: "length",
  max_tokens: "length",
  max_output_tokens: "length",
  model_length: "length",
  model_context_window_exceeded: "length",
  incomplete: "length",
  tool_calls: "tool_calls",
  tool_use: "tool_calls",
  tool_call: "tool_calls",
  function_call: "tool_calls",
  content_filter: "content_filter",
  content_filtered: "content_filter",
  safety: "content_filter",
  refusal: "content_filter",
  recitation: "content_filter",
  blocklist: "content_filter",
  prohibited_content: "content_filter",
  spii: "content_filter",
};

/** Endings that are no endings: the model or the gateway failed. */
const FAILED = new Set(["error", "failed", "cancelled"]);

/** The reason that a word of the gateway's means. */
export function finishReasonOf(word: string): FinishReason {
  const name = word.toLowerCase();
  return Object.hasOwn(FINISH_REASONS, name) ? FINISH_REASONS[name] : "stop";
}

/** An error that stands inside a choice, where ForgeCode would take it for the choice's own. */
export function failureOf(choice: JsonObject): JsonObject | undefined {
  if (isErrorBody({ error: choice.error })) return { error: choice.error };
  const reason = String(choice.finish_reason ?? "").toLowerCase();
  if (!FAILED.has(reason)) return undefined;
  return {
    error: {
      message: `The gateway ended the answer with finish_reason "${reason}".`,
      code: "stream_failed",
    },
  };
}
