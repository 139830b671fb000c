/**
 * Failures in the words of the Responses API, with codes that make a client repeat what a repeat can help,
 * and nothing else.
 *
 * @module
 */

import { BridgeError } from "../../errors.ts";
import type { WrittenFailure } from "./writer.ts";

/** Statuses of the gateway's that a repeat can help, as long as nothing was generated. */
const RETRIABLE = new Set([408, 429, 500, 502, 503, 504, 520, 522, 524, 529]);

/** Codes that Codex acts on itself, without asking again. */
const FINAL_CODES = new Set<unknown>([
  "invalid_prompt",
  "context_length_exceeded",
  "insufficient_quota",
  "usage_not_included",
  "cyber_policy",
]);

/**
 * An error as a Responses stream sends it. Codex repeats every code but the final ones, six times; with
 * `invalid_prompt` it shows the words and asks once (`clients.md`).
 *
 * @param error What ended the stream.
 * @param begun Whether any item has gone out: then the answer was paid for, and is not asked for again.
 */
export function failureOf(error: BridgeError, begun: boolean): WrittenFailure {
  const { kind, status, message, param } = error;
  if (FINAL_CODES.has(error.code)) return { code: String(error.code), message, param };
  const repeats = !begun && error.headers["x-should-retry"] !== "false" &&
    (kind === "unreachable" || (kind === "gateway" && RETRIABLE.has(status)));
  // ForgeCode repeats no `rate_limit_exceeded` (`forgecode.md`), and Codex repeats both.
  return { code: repeats ? "server_error" : "invalid_prompt", message, param };
}

/** The gateway's body ended before the response did. */
export function brokenOff(cause?: unknown): BridgeError {
  if (cause instanceof BridgeError) return cause;
  return new BridgeError(
    "interrupted",
    "The gateway's stream broke off before the response was complete: it is cut off here.",
    { code: "stream_interrupted", cause },
  );
}

/** An answer that the gateway goes on with by itself. */
export function unfinished(status: string): BridgeError {
  return new BridgeError(
    "gateway",
    `The answer is still "${status}", expected a finished one: send the request without "background".`,
    { code: "response_unfinished", headers: { "x-should-retry": "false" } },
  );
}

/**
 * A call whose arguments end in the middle: clients repair the JSON and run an incomplete call
 * (`forgecode.md`), so the answer fails.
 *
 * @param name The function's name.
 * @param length How many characters of its arguments came.
 * @param tokens How many tokens the answer took, where that is known.
 */
export function callCutOff(name: string, length: number, tokens?: number): BridgeError {
  const spent = tokens === undefined ? "" : ` (${tokens} output tokens)`;
  return new BridgeError(
    "interrupted",
    `The call of ${name} breaks off after ${length} characters of its arguments${spent}: it was not run. ` +
      "Raise max_output_tokens, or ask for less at a time.",
    { code: "tool_call_incomplete" },
  );
}

/** The error of a response that failed without a reason. */
export const FAILED = {
  code: "server_error",
  message: "The model's answer failed, and the gateway didn't say why. Try again.",
};

/** The error of a response that was cancelled. */
export const CANCELLED = {
  code: "cancelled",
  message: "The model's answer was cancelled at the gateway before it was complete.",
};
