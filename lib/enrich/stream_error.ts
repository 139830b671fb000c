/**
 * The error that ends a stream, as its client should read it.
 *
 * @module
 */

import { BridgeError } from "../errors.ts";

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
