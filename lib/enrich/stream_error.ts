/**
 * The error that ends a stream, as its client should read it.
 *
 * @module
 */

import type { DialectContext } from "../dialects/dialect.ts";
import { BridgeError } from "../errors.ts";
import { gatewayError } from "../gateway/errors.ts";
import { isAnswerPiece } from "../json.ts";

/**
 * Codes and types that clients answer with the same request again, up to nine times (`forgecode.md`,
 * "Retried in the stream").
 */
const REPEATED =
  /^(server_error|server_is_overloaded|overloaded_error|rate_limit\w*|ERR_STREAM_PREMATURE_CLOSE|ECONNRESET|ETIMEDOUT|4\d\d|5\d\d)$/i;

/** Statuses of a refusal after which another try may help; a client that reads one as `code` repeats the request. */
const PASSING: ReadonlySet<number> = new Set([408, 429, 500, 502, 503, 504, 529]);

/**
 * The error as it ends a stream. Once content has gone out, its code must not make the client repeat the
 * request, which was paid for, and tell half of the answer again. Before that, a refusal that may pass
 * carries its status as a number, because that is what tells ForgeCode to ask again.
 *
 * @param error What went wrong.
 * @param spoken Whether any of the answer has gone out.
 */
export function streamError(error: BridgeError, spoken: boolean): BridgeError {
  const { kind, message, status, type, code } = error;
  if (spoken) {
    const repeated = code === null || REPEATED.test(String(code)) || REPEATED.test(type);
    return repeated
      ? new BridgeError(kind, message, {
        status,
        type: "upstream_error",
        code: "answer_interrupted",
        cause: error.cause,
      })
      : error;
  }
  const refused = kind === "gateway" && error.refused && PASSING.has(status);
  if (!refused || error.headers["x-should-retry"] === "false") return error;
  return new BridgeError(kind, message, { status, type, code: status, headers: error.headers });
}

/** The error of a body that ended before the answer did; `cause` is undefined where the gateway closed it. */
export function interrupted(cause: unknown): BridgeError {
  return new BridgeError(
    "interrupted",
    cause === undefined
      ? "The gateway closed the stream before the answer was complete: it is cut off here. Ask again if you need the rest."
      : "The connection to the gateway broke before the answer was complete: it is cut off here. Ask again if you need the rest.",
    { code: "stream_interrupted", cause },
  );
}

/**
 * The error of a tool call whose arguments are cut off.
 *
 * @param name The tool's name.
 * @param limited Whether the answer reached its limit of tokens.
 * @param tokens How many tokens were written, where that is known.
 */
export function callCutOff(
  name: string,
  limited: boolean,
  tokens: number | undefined,
): BridgeError {
  return new BridgeError(
    "interrupted",
    `The answer ${limited ? "reached its limit" : "ended"}${
      tokens === undefined ? "" : ` after ${tokens} tokens`
    } in the middle of the tool call "${
      name.slice(0, 100)
    }": its arguments are cut off, so the call must not be run. Allow more with max_tokens (max_completion_tokens), or ask for less at once.`,
    { code: "tool_call_incomplete", headers: { "x-should-retry": "false" } },
  );
}

/**
 * The error of an event that is no JSON: words of the gateway's, or a piece of an answer.
 *
 * @param text The event's data.
 * @param secrets What must not be told.
 */
export function malformed(text: string, secrets: DialectContext["secrets"]): BridgeError {
  if (!isAnswerPiece(text)) {
    const error = gatewayError(200, text, { secrets });
    return new BridgeError("gateway", `The gateway broke the answer off with: ${error.message}`, {
      code: "stream_malformed",
    });
  }
  return new BridgeError(
    "interrupted",
    "The gateway sent an event that breaks off in the middle: the answer is cut off here. Ask again if you need the rest.",
    { code: "stream_malformed" },
  );
}
