/**
 * Errors in Anthropic's words.
 *
 * @module
 */

import { BridgeError } from "../../errors.ts";
import { type JsonObject, toJson } from "../../json.ts";

/** Status → the type that its clients know. */
const TYPES: Readonly<Record<number, string>> = {
  400: "invalid_request_error",
  401: "authentication_error",
  402: "billing_error",
  403: "permission_error",
  404: "not_found_error",
  413: "request_too_large",
  429: "rate_limit_error",
  503: "overloaded_error",
  504: "timeout_error",
  529: "overloaded_error",
};

function typeOf(status: number): string {
  return TYPES[status] ?? (status >= 400 && status < 500 ? "invalid_request_error" : "api_error");
}

/** The body of an error's answer: `{"type": "error", "error": {…}}`. */
export function encodeError(error: BridgeError): JsonObject {
  const { status, message } = error;
  return { type: "error", error: { type: typeOf(status), message } };
}

/** Whether another try may help: nothing was generated, and the gateway's fault may pass. */
function mayPass({ kind, status, headers }: BridgeError): boolean {
  return kind === "gateway" && (status === 429 || status >= 500) &&
    headers["x-should-retry"] !== "false";
}

/**
 * The event that ends a failed stream. In a stream the type alone tells a client whether to ask again, and
 * `overloaded_error` is the one that all of them know.
 *
 * @param error What ended it.
 * @param begun Whether any of the answer has gone out: it was paid for, and nothing may tell the client to
 *   ask for it again.
 */
export function errorEvent(error: BridgeError, begun: boolean): string {
  const { status, message } = error;
  const type = begun
    ? "api_error"
    : mayPass(error)
    ? "overloaded_error"
    : status === 529 || status === 503
    ? "api_error"
    : typeOf(status);
  return `event: error\ndata: ${toJson({ type: "error", error: { type, message } })}\n\n`;
}

/** The gateway's body ended before the message did. */
export function brokenOff(cause?: unknown): BridgeError {
  if (cause instanceof BridgeError) return cause;
  return new BridgeError(
    "interrupted",
    "The gateway's stream broke off before the message was complete: it is cut off here. Ask again if you need the rest.",
    { code: "stream_interrupted", cause },
  );
}

/**
 * A call whose input ends in the middle: clients repair the JSON and run an incomplete call, so the
 * answer fails.
 *
 * @param name The tool's name.
 * @param tokens How many tokens the answer took.
 */
export function callCutOff(name: string, tokens: number): BridgeError {
  return new BridgeError(
    "interrupted",
    `The call of ${name} breaks off in the middle of its input (${tokens} output tokens): it was not run. Raise max_tokens, or ask for less at a time.`,
    { code: "tool_call_incomplete" },
  );
}
