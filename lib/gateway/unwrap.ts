/**
 * Finds the innermost words of an error: a model behind an endpoint wraps its provider's error, and each
 * provider on the way may put the whole error of the next one into its own message (`gateway.md`,
 * "Errors").
 *
 * @module
 */

import { isObject, type JsonObject } from "../json.ts";

/** The parts of an error, whatever its shape. */
export interface ErrorParts {
  /** The innermost words. */
  message?: string;
  /** The innermost `type`. */
  type?: string;
  /** The request field at fault, where the error names it in a field of its own. */
  param?: string;
  /** The innermost code. */
  code?: string | number;
  /** Seconds after which the request may be repeated, where the body says so. */
  retryAfter?: number;
}

/** How many errors may stand one in another. */
const MAX_DEPTH = 8;

/** How many errors of a list are read. */
const MAX_LIST = 64;

/** Fields that hold the error that an envelope was made for, the nearest to the model first. */
const INNER = [
  "external_model_error",
  "external_model_message",
  "error",
  "inner_error",
  "innererror",
  "raw",
  "metadata",
  "detail",
  "errors",
  "fault",
  "body",
];

/** Fields that hold words. */
const WORDS = ["message", "error_message", "msg", "error_description"];

/** A text that isn't blank, trimmed. */
export function textOf(value: unknown): string | undefined {
  return typeof value === "string" && value.trim() !== "" ? value.trim() : undefined;
}

function codeOf(value: unknown): string | number | undefined {
  // ForgeCode reads a code as an unsigned 16-bit number or a string: anything else breaks its parser.
  if (typeof value === "number") {
    return Number.isInteger(value) && value >= 0 && value <= 65535 ? value : String(value);
  }
  return textOf(value);
}

/** The most that may stand around JSON in a text, in characters. */
const MAX_AROUND = 300;

/**
 * The JSON error in a text: the whole of it, or what follows a prefix such as `BAD_REQUEST: {"message": …}`
 * or `Error code: 400 - {"error": …}`. JSON in prose that is no error, such as a schema, is part of the words.
 */
function jsonIn(text: string): unknown {
  const whole = /^[[{"]/.test(text);
  const start = whole ? 0 : text.indexOf("{");
  const end = whole ? text.length - 1 : text.lastIndexOf("}");
  if (start < 0 || end <= start || start > MAX_AROUND || text.length - end > MAX_AROUND) return;
  try {
    const parsed: unknown = JSON.parse(text.slice(start, end + 1));
    return whole || (isObject(parsed) && isEnvelope(parsed)) ? parsed : undefined;
  } catch {
    // Braces in prose, or JSON that breaks off.
    return undefined;
  }
}

function isEnvelope(value: JsonObject): boolean {
  return textOf(value.message) !== undefined || isObject(value.error) ||
    isObject(value.external_model_error) || value.error_code !== undefined;
}

/** The path of a FastAPI or Pydantic error, without the words that name the body as a whole. */
function locationOf(location: unknown): string {
  if (!Array.isArray(location)) return "";
  return location.filter((step) => step !== "body" && step !== "__root__").join(".");
}

/** The parts of a list of errors: the words of all, the codes of the first. */
function unwrapList(list: readonly unknown[], depth: number): ErrorParts {
  const all = list.slice(0, MAX_LIST).map((entry) => unwrap(entry, depth + 1));
  const words = new Set(all.map(({ message }) => message).filter((text) => text !== undefined));
  if (words.size === 0) return {};
  const first = all.find(({ message }) => message !== undefined);
  return { ...first, message: [...words].join("; ") };
}

function ownParts(value: JsonObject): ErrorParts {
  const { error_code, code, status, type, param, retry_after, error } = value;
  return {
    // `{"type": "error", "error": …}`: the type is not the kind of error.
    type: type === "error" ? undefined : textOf(type),
    param: textOf(param),
    code: codeOf(error_code) ?? codeOf(code) ??
      (WORDS.some((name) => textOf(value[name])) ? codeOf(error) : undefined) ?? textOf(status),
    retryAfter: typeof retry_after === "number" ? retry_after : undefined,
  };
}

/** `inner`, with what it lacks taken from `outer`. */
function within(inner: ErrorParts, outer: ErrorParts): ErrorParts {
  return {
    message: inner.message ?? outer.message,
    type: inner.type ?? outer.type,
    param: inner.param ?? outer.param,
    code: inner.code ?? outer.code,
    retryAfter: inner.retryAfter ?? outer.retryAfter,
  };
}

/**
 * The innermost words, code, type and field of an error: through `external_model_error`, JSON in the
 * text of a message, lists, `detail`, and the envelopes of providers.
 *
 * @param value A parsed error body, or a text.
 * @param depth How many envelopes were opened already; deeper than eight the envelope itself counts.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { unwrap } from "./unwrap.ts";
 *
 * const error = {
 *   external_model_provider: "databricks-model-serving",
 *   external_model_error: { error_code: "BAD_REQUEST", message: '{"message":"max_tokens: too high"}' },
 * };
 * assertEquals(unwrap(error).message, "max_tokens: too high");
 * assertEquals(unwrap(error).code, "BAD_REQUEST");
 * ```
 */
export function unwrap(value: unknown, depth = 0): ErrorParts {
  if (typeof value === "string") {
    const message = textOf(value);
    if (message === undefined) return {};
    const parsed = depth < MAX_DEPTH ? jsonIn(message) : undefined;
    const inner = parsed === undefined ? {} : unwrap(parsed, depth + 1);
    return inner.message === undefined ? { message } : inner;
  }
  if (depth > MAX_DEPTH) return {};
  if (Array.isArray(value)) return unwrapList(value, depth);
  if (!isObject(value)) return {};

  let parts = ownParts(value);
  const words = WORDS.find((name) => textOf(value[name]) !== undefined);
  if (words !== undefined) {
    const inner = unwrap(value[words], depth + 1);
    const location = locationOf(value.loc);
    const message = location === "" ? inner.message : `${location}: ${inner.message}`;
    parts = within({ ...inner, message }, parts);
  }
  for (const name of INNER) {
    const held = value[name];
    // A text beside a message is a code: `{"error": "BAD", "message": "…"}`.
    if (typeof held === "string" && words !== undefined && !held.includes("{")) continue;
    if (held === undefined || held === null) continue;
    const inner = unwrap(held, depth + 1);
    if (inner.message !== undefined || isObject(held)) return within(inner, parts);
  }
  return parts;
}
