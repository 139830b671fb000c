/**
 * The bridge's one error class, and the masking of secrets. How an error of the gateway's becomes one
 * is in `gateway/errors.ts`.
 *
 * @module
 */

import type { JsonObject } from "./json.ts";

/** What kind of failure a {@linkcode BridgeError} is; each kind has one HTTP status. */
export type ErrorKind =
  | "usage"
  | "config"
  | "request"
  | "unauthenticated"
  | "forbidden"
  | "limit"
  | "not_found"
  | "method"
  | "too_large"
  | "media_type"
  | "runaway"
  | "overflow"
  | "gateway"
  | "unreachable"
  | "timeout"
  | "interrupted";

/** Kinds that a repeat of the request may help against: nothing was paid for, and the cause may pass. */
const PASSING: ReadonlySet<ErrorKind> = new Set(["gateway", "unreachable"]);

/** Kind → HTTP status and OpenAI's `error.type`. `usage` and `config` never reach HTTP: they end the program. */
const KINDS: Record<ErrorKind, { status: number; type: string }> = {
  usage: { status: 500, type: "server_error" },
  config: { status: 500, type: "server_error" },
  request: { status: 400, type: "invalid_request_error" },
  unauthenticated: { status: 401, type: "authentication_error" },
  forbidden: { status: 403, type: "permission_error" },
  limit: { status: 429, type: "rate_limit_error" },
  not_found: { status: 404, type: "not_found_error" },
  method: { status: 405, type: "invalid_request_error" },
  too_large: { status: 413, type: "invalid_request_error" },
  media_type: { status: 415, type: "invalid_request_error" },
  runaway: { status: 400, type: "invalid_request_error" },
  overflow: { status: 502, type: "upstream_error" },
  gateway: { status: 502, type: "upstream_error" },
  unreachable: { status: 502, type: "upstream_error" },
  timeout: { status: 504, type: "upstream_error" },
  interrupted: { status: 502, type: "upstream_error" },
};

/** What a {@linkcode BridgeError} may carry beside its message. */
export interface BridgeErrorOptions {
  /** HTTP status; the kind's own by default. */
  status?: number;
  /** OpenAI's `error.type`; the kind's own by default. */
  type?: string;
  /** The request field that is at fault, as a path: `messages.0.role`. */
  param?: string | null;
  /** OpenAI's `error.code`; the kind by default. */
  code?: string | number | null;
  /**
   * Further response headers: `Retry-After`, `Allow`. Every kind but `gateway` and `unreachable` has
   * `x-should-retry: false`, which the SDKs of OpenAI and Anthropic obey.
   */
  headers?: Record<string, string>;
  /** Whether the gateway refused the request with an HTTP status. @default {false} */
  refused?: boolean;
  /** What caused it; never shown to a user. */
  cause?: unknown;
}

/**
 * The one error class of the bridge. Its message is written for the person who reads it: what is,
 * what was expected, what to do.
 *
 * @example
 * ```ts
 * import { BridgeError } from "./errors.ts";
 *
 * const error = new BridgeError("request", "`model` is missing: name a model from GET /models.", {
 *   param: "model",
 * });
 * if (error.status !== 400) throw new Error("a bad request is a 400");
 * ```
 */
export class BridgeError extends Error {
  /** Always `BridgeError`. */
  override name = "BridgeError";
  /** What kind of failure it is. */
  readonly kind: ErrorKind;
  /** HTTP status, 400 to 599. */
  readonly status: number;
  /** OpenAI's `error.type`. */
  readonly type: string;
  /** The request field at fault, or null. */
  readonly param: string | null;
  /** OpenAI's `error.code`. A number is kept only where the gateway sent one. */
  readonly code: string | number | null;
  /** Further response headers. */
  readonly headers: Readonly<Record<string, string>>;
  /** Whether the gateway refused the request with an HTTP status, before it generated anything. */
  readonly refused: boolean;

  /**
   * Makes an error of a kind.
   *
   * @param kind What kind of failure.
   * @param message For the reader; no stack, no token, no prompt.
   * @param options Status, field, code and headers where they differ from the kind's own.
   */
  constructor(kind: ErrorKind, message: string, options: BridgeErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.kind = kind;
    this.status = options.status ?? KINDS[kind].status;
    this.type = options.type ?? KINDS[kind].type;
    this.param = options.param ?? null;
    this.code = options.code === undefined ? kind : options.code;
    this.headers = PASSING.has(kind)
      ? options.headers ?? {}
      : { "x-should-retry": "false", ...options.headers };
    this.refused = options.refused ?? false;
  }

  /** The body that an OpenAI client reads: `{"error": {message, type, param, code}}`. */
  toBody(): { error: JsonObject } {
    const code = this.code === null ? null : String(this.code);
    return { error: { message: this.message, type: this.type, param: this.param, code } };
  }

  /**
   * The payload of the one event that ends a failed stream. It has no `choices`: with them ForgeCode
   * swallows the error (`forgecode.md`), and `code` stays a number where the gateway sent one,
   * because that is what tells ForgeCode whether asking again can help.
   */
  toEvent(): { error: JsonObject } {
    return { error: { message: this.message, type: this.type, code: this.code } };
  }
}

/**
 * Whatever follows a `Bearer`; Databricks' personal access tokens (`dapi…`) and OAuth secrets (`dose…`); JWTs
 * and their parts; the bridge's own keys (`fdb-…`).
 */
const SECRETS =
  /\b(Bearer\s{1,100})[^\s"',;<>]{4,}|(?<![a-z0-9])(?:d(?:api|ose)[0-9a-z-]{8,}|fd[bk]-[\w-]{8,}|eyJ[\w-]{8,}(?:\.[\w-]*){0,2})/gi;

/** What stands behind the name of a secret, as tools print it. */
const NAMED =
  /((?:client_secret|refresh_token|access_token|id_token|password|passwd|api_key)["']?\s{0,3}[:=]\s{0,3}["']?)[^\s"',;&}]{6,}/gi;

/** The password in an address. */
const USER_INFO = /(\/\/[^\s/@:]{1,100}:)[^\s/@]{1,200}@/g;

/** What follows a `Basic`, where it looks like Base64 rather than like a word. */
const BASIC = /\b([Bb]asic\s{1,100})(?=[^\s"',;<>]+[A-Z0-9=+/~])[^\s"',;<>]{8,}/g;

/** Matches every text that one of the patterns above matches: most texts are then not searched for each of them. */
const MAY_HAVE_SECRETS = /basic|bearer|d(?:api|ose)|fd[bk]-|eyJ|\/\/|secret|token|passw|api_key/i;

/**
 * Replaces whatever looks like a token by `***`, and every given secret too.
 *
 * @param text Any text that is about to be shown or logged.
 * @param secrets Secrets known to be in play; shorter than 4 characters are ignored.
 *
 * @example
 * ```ts
 * import { maskSecrets } from "./errors.ts";
 *
 * const shown = maskSecrets("token dapi0123456789abcdef is invalid");
 * if (shown !== "token *** is invalid") throw new Error(shown);
 * ```
 */
export function maskSecrets(text: string, secrets: readonly string[] = []): string {
  let masked = text;
  for (const secret of secrets) {
    if (secret.length >= 4) masked = masked.replaceAll(secret, "***");
  }
  if (!MAY_HAVE_SECRETS.test(masked)) return masked;
  return masked.replace(BASIC, "$1***").replace(NAMED, "$1***").replace(USER_INFO, "$1***@")
    .replace(SECRETS, (_secret, bearer: string | undefined) => `${bearer ?? ""}***`);
}
