/**
 * Any error of the gateway's, in any of its shapes, as one {@linkcode BridgeError}. A pure function of
 * what came; nothing here does I/O.
 *
 * @module
 */

import { STATUS_TEXT } from "@std/http/status";
import { BridgeError, maskSecrets } from "../errors.ts";
import { isObject, type JsonObject } from "../json.ts";
import { ADVICE } from "./advice.ts";

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

/** The parts of an error, whatever its shape. */
interface ErrorParts {
  message?: string;
  type?: string;
  param?: string;
  code?: string | number;
  retryAfter?: number;
}

function text(value: unknown): string | undefined {
  return typeof value === "string" && value.trim() !== "" ? value.trim() : undefined;
}

function codeOf(value: unknown): string | number | undefined {
  // ForgeCode reads a code as an unsigned 16-bit number or a string: anything else breaks its parser.
  if (typeof value === "number") {
    return Number.isInteger(value) && value >= 0 && value <= 65535 ? value : String(value);
  }
  return text(value);
}

/** How many errors may stand one in another. */
const MAX_NESTED = 4;

function partsOf(body: JsonObject, depth = 0): ErrorParts {
  const inner = body.error;
  if (isObject(inner)) {
    const nested = isObject(inner.error) && depth < MAX_NESTED ? partsOf(inner, depth + 1) : {};
    return {
      ...nested,
      message: text(inner.message) ?? nested.message ?? text(body.message),
      type: text(inner.type) ?? nested.type,
      param: text(inner.param) ?? nested.param,
      code: codeOf(inner.code) ?? nested.code ?? codeOf(body.error_code),
      retryAfter: typeof inner.retry_after === "number" ? inner.retry_after : undefined,
    };
  }
  return {
    message: text(body.message) ?? text(inner) ?? text(body.detail) ?? text(body.error_message),
    type: body.type === "error" ? undefined : text(body.type),
    param: text(body.param),
    code: codeOf(body.error_code) ?? codeOf(body.code) ??
      (text(body.message) ? codeOf(inner) : undefined),
  };
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
  if (value.type === "error") return true;
  if (isAnswer) return false;
  if (value.error_code !== undefined && value.error_code !== null) return true;
  // `{"message": …}`, `{"detail": …}`: what proxies say. A chunk or a response has an `object`.
  return value.object === undefined &&
    [value.message, value.detail, value.error_message].some((words) =>
      text(words) !== undefined || (Array.isArray(words) && words.length > 0)
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
  /** Whether advice is added where the cause is known. @default {true} */
  advice?: boolean;
}

/**
 * Reads any error of the gateway's — JSON of four shapes, plain text, HTML, nothing at all — as one
 * {@linkcode BridgeError}: the gateway's status and words, `Retry-After` kept, HTML never shown raw,
 * and what to do where that is known (`advice.ts`). Shapes: `gateway.md`, "What errors look like".
 *
 * @param status The gateway's HTTP status; for an error inside a 200 the error's own number is used.
 * @param body The answer's body as it came.
 * @param source Headers and secrets.
 *
 * @example
 * ```ts
 * import { gatewayError } from "./errors.ts";
 *
 * const error = gatewayError(403, '{"error_code":"PERMISSION_DENIED","message":"no"}');
 * if (error.status !== 403 || error.code !== "PERMISSION_DENIED") throw new Error("kept");
 * ```
 */
export function gatewayError(
  status: number,
  body: string | JsonObject,
  source: ErrorSource = {},
): BridgeError {
  const parts = readParts(status, body, source.headers);
  const numeric = Number(parts.code);
  const ownStatus = status >= 400 ? status : numeric >= 400 && numeric <= 599 ? numeric : 502;
  const words = shown(parts.message ?? "", source.secrets);
  const brief = (word?: string) => word && shown(word, source.secrets).slice(0, MAX_WORD);
  const haystack = `${parts.code ?? ""} ${words}`;
  const row = source.advice === false
    ? undefined
    : ADVICE.find((row) => (row.status ?? ownStatus) === ownStatus && row.words.test(haystack));
  const retryAfter = source.headers?.get("retry-after") ??
    (parts.retryAfter === undefined ? undefined : String(Math.ceil(parts.retryAfter)));
  const headers: Record<string, string> = {};
  if (retryAfter) headers["retry-after"] = retryAfter;
  for (const name of ["x-request-id", "x-databricks-trace-id"]) {
    const value = source.headers?.get(name);
    if (value) headers[name] = shown(value, source.secrets).slice(0, MAX_WORD);
  }
  return new BridgeError("gateway", row ? `${words} [fd-bridge: ${row.advice}]` : words, {
    status: ownStatus,
    type: brief(parts.type) ?? TYPES[ownStatus] ??
      (ownStatus >= 500 ? "server_error" : "invalid_request_error"),
    param: brief(parts.param) ?? null,
    code: typeof parts.code === "number" ? parts.code : brief(parts.code) ?? null,
    headers,
    refused: status >= 400,
  });
}

function readParts(
  status: number,
  body: string | JsonObject,
  headers?: Pick<Headers, "get">,
): ErrorParts {
  const statusText = `${status} ${STATUS_TEXT[status as keyof typeof STATUS_TEXT] ?? ""}`.trim();
  if (typeof body !== "string") {
    const parts = partsOf(body);
    const { message } = parts;
    if (message === undefined) {
      return { ...parts, message: `The gateway answered ${statusText}: ${jsonOf(body)}` };
    }
    // One error inside another's text, or a page: as if it had come by itself.
    if (message.startsWith("{") || PAGE.test(message)) {
      const inner = readParts(status, message);
      return { ...inner, code: inner.code ?? parts.code, type: inner.type ?? parts.type };
    }
    return parts;
  }
  const trimmed = body.trim();
  if (trimmed === "") return { message: `The gateway answered ${statusText} without a body.` };
  if (
    headers?.get("content-type")?.includes("html") || PAGE.test(trimmed)
  ) {
    const title = htmlTitle(trimmed);
    return {
      message: `The gateway answered ${statusText} with an HTML page${
        title ? ` titled "${title}"` : ""
      }, not JSON: it comes from a load balancer, a proxy or a login page in between.`,
    };
  }
  try {
    const parsed: unknown = JSON.parse(trimmed);
    if (isObject(parsed)) return readParts(status, parsed, headers);
    if (Array.isArray(parsed) && isObject(parsed[0])) return readParts(status, parsed[0], headers);
    if (typeof parsed === "string") return { message: parsed };
  } catch {
    if (trimmed.startsWith("{")) {
      return {
        message: `The gateway answered ${statusText} with JSON that breaks off: ${trimmed}`,
      };
    }
    // Plain text is one of the gateway's own shapes: "Invalid Token".
  }
  return { message: trimmed };
}

/** JSON for a message; what nests too deep to be written has no words. */
function jsonOf(body: JsonObject): string {
  try {
    return JSON.stringify(body);
  } catch {
    return "JSON that nests too deep to be shown";
  }
}
