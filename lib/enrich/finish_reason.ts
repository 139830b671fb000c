/**
 * Finish reasons: from the words of gateways to those of OpenAI.
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

/** Finish reasons that mean a failure of the model or the gateway. */
const FAILED = new Set(["error", "failed", "cancelled"]);

/** OpenAI's finish reason for a word of the gateway. */
export function finishReasonOf(word: string): FinishReason {
  const name = word.toLowerCase();
  return Object.hasOwn(FINISH_REASONS, name) ? FINISH_REASONS[name] : "stop";
}

/** The error inside a choice, as an error body; undefined where there is none. */
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
