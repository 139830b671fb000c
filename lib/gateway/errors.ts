/**
 * Any error of the gateway's, in any of its shapes, as one {@linkcode BridgeError}. A pure function of
 * what came; nothing here does I/O.
 *
 * @module
 */

import { STATUS_TEXT } from "@std/http/status";
import { BridgeError, maskSecrets } from "../errors.ts";
import { isObject, type JsonObject } from "../json.ts";
import { adviceFor } from "./advice.ts";
import { type ErrorParts, textOf, unwrap } from "./unwrap.ts";

/** OpenAI's `error.type` for a gateway status that came without a type of its own. */
const TYPES: Record<number, string> = {
  400: "invalid_request_error",
  401: "authentication_error",
  403: "permission_error",
  404: "not_found_error",
  408: "timeout_error",
  413: "invalid_request_error",
  422: "invalid_request_error",
  429: "rate_limit_error",
  499: "invalid_request_error",
};

/** The longest message of the gateway's that is passed on, in characters. */
const MAX_MESSAGE = 4000;

/** The longest type, code or param. */
const MAX_WORD = 200;

/** A message as it may be shown: bounded first, because patterns on a long text take long. */
function shown(message: string, secrets: readonly string[] = []): string {
  let words = message;
  for (const secret of secrets) if (secret.length >= 4) words = words.replaceAll(secret, "***");
  if (words.length > 4 * MAX_MESSAGE) {
    const cut = words.slice(0, 4 * MAX_MESSAGE);
    // A token that was cut in two would no longer look like one.
    words = cut.slice(0, Math.max(cut.lastIndexOf(" "), cut.lastIndexOf("\n"), MAX_MESSAGE));
  }
  return maskSecrets(words).slice(0, MAX_MESSAGE);
}

/**
 * Whether a JSON value is an error rather than an answer: OpenAI's and Anthropic's `{"error": …}`,
 * Databricks' `{"error_code", "message"}`, and the bare error event of the Responses API.
 *
 * @example
 * ```ts
 * import { isErrorBody } from "./errors.ts";
 *
 * if (!isErrorBody({ error_code: 403, message: "no" })) throw new Error("Databricks' shape");
 * if (isErrorBody({ choices: [], error: null })) throw new Error("a null error is none");
 * ```
 */
export function isErrorBody(value: JsonObject): boolean {
  const { error, choices, delta } = value;
  const isAnswer = choices !== undefined || delta !== undefined;
  if (isObject(error)) return !isAnswer || Object.keys(error).length > 0;
  if (typeof error === "string") return !isAnswer || error !== "";
  if (value.type === "error" || isObject(value.external_model_error)) return true;
  if (isAnswer) return false;
  if (value.error_code !== undefined && value.error_code !== null) return true;
  // `{"message": …}`, `{"detail": …}`: what proxies say. A chunk or a response has an `object`.
  return value.object === undefined &&
    [value.message, value.detail, value.error_message].some((words) =>
      textOf(words) !== undefined || (Array.isArray(words) && words.length > 0)
    );
}

/** How HTML begins, a page or a piece of one; other text may begin with an angle bracket, too. */
const PAGE =
  /^<(?:!doctype|!--|\?xml|(?:html|head|body|title|meta|center|h[1-6]|p|div|pre|script|style|table)\b)/i;

function htmlTitle(html: string): string | undefined {
  const head = html.slice(0, MAX_MESSAGE);
  const title = /<title[^<>]{0,200}>([^<]{1,200})<\/title>/i.exec(head)?.[1].replace(/\s+/g, " ")
    .trim();
  return title ? title.slice(0, 100) : undefined;
}

/** Where an error came from, for {@linkcode gatewayError}. */
export interface ErrorSource {
  /** Headers of the gateway's answer; `Retry-After`, `x-request-id` and the content type are read. */
  headers?: Pick<Headers, "get">;
  /** Secrets that must not appear in the message, whatever the gateway wrote. */
  secrets?: readonly string[];
  /** The client's `User-Agent`: ForgeCode is told its own command for a new login. */
  client?: string;
  /** Whether advice is added where the cause is known. @default {true} */
  advice?: boolean;
  /** Whether a 429 that names no time gets a `Retry-After` of the bridge's own. @default {true} */
  retryAfter?: boolean;
  /** A sentence to put behind the advice, with a space before it. */
  readonly suggestion?: string;
}

/** Statuses after which repeating the request may help. */
const REPEATABLE = new Set([408, 409, 425, 429, 500, 502, 503, 504, 520, 522, 524, 529]);

/** Refusals by policy, with any status: repeating the request changes nothing, or costs money. */
const PERMANENT =
  /rate limit of 0|budget|quota|policy|not enabled|spend|credit|billing|permission|guardrail|feature_disabled|per[ _-]?day/i;

/** Words of a 429 → seconds after which a repeat has a chance, where the gateway names none. */
const WAITS: readonly { words: RegExp; seconds: number }[] = [
  { words: /tokens[ _]per[ _]minute|\b[IO]?TPM\b|per[ _]minute/i, seconds: 20 },
  { words: /\bQPS\b|queries per|requests per|per[ _]second/i, seconds: 2 },
  { words: /(?:)/, seconds: 5 },
];

/** Headers by which SDKs decide on a retry: seconds to wait, or that a retry can't help. */
function retryHeaders(
  { status, words, given, paid, source }: {
    readonly status: number;
    /** Code and message. */
    readonly words: string;
    /** What the gateway asks for. */
    readonly given: string | undefined;
    /** Whether an answer had begun. */
    readonly paid: boolean;
    readonly source: ErrorSource;
  },
): Record<string, string> {
  if (paid || !REPEATABLE.has(status) || PERMANENT.test(words)) {
    return { ...given && { "retry-after": given }, "x-should-retry": "false" };
  }
  if (given) return { "retry-after": given };
  if (status !== 429 || source.retryAfter === false) return {};
  return { "retry-after": String(WAITS.find((row) => row.words.test(words))!.seconds) };
}

/**
 * Reads any error of the gateway's — JSON of any shape, plain text, HTML, nothing at all — as one
 * {@linkcode BridgeError}: the gateway's status and its innermost words, `Retry-After` kept, HTML never
 * shown raw, and what to do where that is known (`advice.ts`). Shapes: `gateway.md`, "What errors look
 * like".
 *
 * @param status The gateway's HTTP status; for an error inside a 200 the error's own number is used.
 * @param body The answer's body as it came.
 * @param source Headers, secrets, and who is told.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { gatewayError } from "./errors.ts";
 *
 * const error = gatewayError(403, '{"error_code":"PERMISSION_DENIED","message":"no"}');
 * assertEquals([error.status, error.code, error.message], [403, "PERMISSION_DENIED", "no"]);
 * ```
 */
export function gatewayError(
  status: number,
  body: string | JsonObject,
  source: ErrorSource = {},
): BridgeError {
  const parts = readParts(status, body, source.headers);
  const numeric = Number(parts.code) || PASSING_TYPES.get(String(parts.type)) ||
    Number(parts.type);
  const named = numeric >= 400 && numeric <= 599;
  const ownStatus = status >= 400 ? status : named ? numeric : 502;
  const words = shown(parts.message ?? "", source.secrets);
  const brief = (word?: string) => word && shown(word, source.secrets).slice(0, MAX_WORD);
  const haystack = `${parts.code ?? ""} ${words}`;
  const advice = source.advice === false
    ? undefined
    : adviceFor(ownStatus, haystack, source.client);
  const headers = retryHeaders({
    status: ownStatus,
    words: haystack,
    given: source.headers?.get("retry-after") ??
      (parts.retryAfter === undefined ? undefined : String(Math.ceil(parts.retryAfter))),
    paid: status < 400 && !named,
    source,
  });
  for (const name of ["x-request-id", "x-databricks-trace-id"]) {
    const value = source.headers?.get(name);
    if (value) headers[name] = shown(value, source.secrets).slice(0, MAX_WORD);
  }
  return new BridgeError(
    "gateway",
    advice ? `${words} [fd-bridge: ${advice}${source.suggestion ?? ""}]` : words,
    {
      status: ownStatus,
      type: brief(parts.type) ?? TYPES[ownStatus] ??
        (ownStatus >= 500 ? "server_error" : "invalid_request_error"),
      param: brief(parts.param) ?? null,
      code: typeof parts.code === "number" ? parts.code : brief(parts.code) ?? null,
      headers,
      refused: status >= 400,
    },
  );
}

/** Types of errors in a stream that may pass, in Anthropic's and OpenAI's words → their status over HTTP. */
const PASSING_TYPES: ReadonlyMap<string, number> = new Map([
  ["overloaded_error", 529],
  ["rate_limit_error", 429],
  ["timeout_error", 504],
]);

function readParts(
  status: number,
  body: string | JsonObject,
  headers?: Pick<Headers, "get">,
): ErrorParts {
  const answered = `The gateway answered ${status} ${
    STATUS_TEXT[status as keyof typeof STATUS_TEXT] ?? ""
  }`.trim();
  const isText = typeof body === "string";
  const trimmed = isText ? body.trim() : "";
  if (isText && trimmed === "") return { message: `${answered} without a body.` };
  const parts = isText && headers?.get("content-type")?.includes("html")
    ? { message: trimmed }
    : unwrap(isText ? trimmed : body);
  const { message } = parts;
  if (message === undefined) {
    // What came in the place of an answer may be one: it is not repeated, and so not logged.
    const shows = status >= 400 ? `: ${jsonOf(body)}` : " with JSON that is no answer.";
    return { ...parts, message: answered + shows };
  }
  if (PAGE.test(message) || (isText && headers?.get("content-type")?.includes("html"))) {
    const title = htmlTitle(message);
    return {
      ...parts,
      message: `${answered} with an HTML page${
        title ? ` titled "${title}"` : ""
      }, not JSON: it comes from a load balancer, a proxy or a login page in between.`,
    };
  }
  if (isText && message === trimmed && trimmed.startsWith("{")) {
    return { message: `${answered} with JSON that can't be read: ${trimmed}` };
  }
  return parts;
}

/** JSON for a message; what nests too deep to be written has no words. */
function jsonOf(body: string | JsonObject): string {
  try {
    return typeof body === "string" ? body : JSON.stringify(body);
  } catch {
    return "JSON that nests too deep to be shown";
  }
}
