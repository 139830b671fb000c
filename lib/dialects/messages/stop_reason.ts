/**
 * Why an answer ended, in Anthropic's words and in OpenAI's.
 *
 * @module
 */

const TO_MESSAGES: Readonly<Record<string, string>> = {
  stop: "end_turn",
  length: "max_tokens",
  tool_calls: "tool_use",
  function_call: "tool_use",
  content_filter: "refusal",
};

const TO_CHAT: Readonly<Record<string, string>> = {
  end_turn: "stop",
  stop_sequence: "stop",
  pause_turn: "stop",
  max_tokens: "length",
  model_context_window_exceeded: "length",
  tool_use: "tool_calls",
  refusal: "content_filter",
};

/** OpenAI's finish reason in Anthropic's words. */
export function encodeStopReason(reason: unknown): string {
  return TO_MESSAGES[String(reason)] ?? "end_turn";
}

/** Anthropic's stop reason in OpenAI's words; undefined while there is none. */
export function decodeStopReason(reason: unknown): string | undefined {
  return typeof reason === "string" && reason !== "" ? TO_CHAT[reason] ?? "stop" : undefined;
}
