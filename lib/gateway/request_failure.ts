/**
 * A request that got no answer.
 *
 * @module
 */

/** Why no answer began. */
export class RequestFailure extends Error {
  /** Always `RequestFailure`. */
  override name = "RequestFailure";
  /** undici's or the system's code: `ECONNREFUSED`, `UND_ERR_HEADERS_TIMEOUT`, …; empty where there is none. */
  readonly code: string;
  /** Whether the request may have reached the other side, so that it must not be sent again. */
  readonly sent: boolean;

  /** Makes a failure of its cause. */
  constructor(cause: unknown, sent: boolean) {
    super(cause instanceof Error ? cause.message : String(cause), { cause });
    this.code = codeOf(cause);
    this.sent = sent;
  }
}

/** The first code in a chain of causes. */
function codeOf(cause: unknown): string {
  let error = cause;
  for (let depth = 0; error instanceof Error && depth < 5; depth++) {
    const { code, errors } = error as { code?: unknown; errors?: unknown[] };
    if (typeof code === "string") return code;
    error = error.cause ?? errors?.[0];
  }
  return "";
}
