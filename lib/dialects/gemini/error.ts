/**
 * Errors in Google's words.
 *
 * @module
 */

import type { BridgeError } from "../../errors.ts";
import { type JsonObject, toJson } from "../../json.ts";

/** Status → Google's name for it. */
const STATUSES: Readonly<Record<number, string>> = {
  400: "INVALID_ARGUMENT",
  401: "UNAUTHENTICATED",
  403: "PERMISSION_DENIED",
  404: "NOT_FOUND",
  429: "RESOURCE_EXHAUSTED",
  500: "INTERNAL",
  503: "UNAVAILABLE",
  504: "DEADLINE_EXCEEDED",
};

/** The body of an error's answer. */
export function errorBody({ status, message }: BridgeError): JsonObject {
  const name = STATUSES[status] ?? (status >= 500 ? "INTERNAL" : "INVALID_ARGUMENT");
  return { error: { code: status, message, status: name } };
}

/**
 * The event that ends a failed stream. Google's own client overlooks `error` and would ask again, four
 * times; a finish reason stops it, and its words are shown as text.
 */
export function errorEvent(error: BridgeError): string {
  const text = `[${error.message}]`;
  const candidate = {
    content: { role: "model", parts: [{ text }] },
    finishReason: "OTHER",
    finishMessage: error.message,
    index: 0,
  };
  return `data: ${toJson({ ...errorBody(error), candidates: [candidate] })}\n\n`;
}

/**
 * The part that says why an answer ended before it had begun; undefined where it ended of itself. Google's
 * own client asks again, four times, where an answer has no text.
 *
 * @param reason Google's finish reason, or its reason for blocking the prompt.
 */
export function silentEnding(reason: string): JsonObject | undefined {
  if (["", "STOP", "FINISH_REASON_UNSPECIFIED"].includes(reason)) return undefined;
  const text = reason === "MAX_TOKENS"
    ? "[The answer ended before its first word (MAX_TOKENS): thinking took all of its tokens. Raise maxOutputTokens, or lower the thinking level.]"
    : `[The model answered nothing: it was stopped (${reason}).]`;
  return { text };
}
