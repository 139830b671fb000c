/**
 * A client's request, read and checked: nothing that isn't a request gets any further.
 *
 * @module
 */

import { BridgeError } from "./errors.ts";
import type { ClientRequest } from "./http1/request.ts";
import { isObject, type JsonObject } from "./json.ts";
import type { DialectName } from "./dialects/dialect.ts";

/** A request that may go on. */
export interface Ask {
  /** The body as it came. */
  readonly body: JsonObject;
  /** The model asked for. */
  readonly model: string;
  /** Whether a stream is wanted. */
  readonly stream: boolean;
  /** What the body is written in: `messages` is chat, `input` is the Responses API. */
  readonly dialect: DialectName;
}

/**
 * Reads a body, at most `most` bytes of it, as UTF-8.
 *
 * @throws {BridgeError} kind `too_large`, without reading the rest; kind `request` where it is no UTF-8 or breaks off.
 *
 * @example
 * ```ts
 * import { readText } from "./request.ts";
 *
 * const request = new Request("http://localhost/", { method: "POST", body: "hi" });
 * if (await readText(request, 10) !== "hi") throw new Error("read");
 * ```
 */
export async function readText(request: ClientRequest, most: number): Promise<string> {
  const length = Number(request.headers.get("content-length") ?? NaN);
  if (length > most) throw tooLarge(most);
  let bytes: Uint8Array;
  try {
    // A length beside chunks says nothing: the chunks count.
    bytes = length <= most && !request.headers.has("transfer-encoding")
      ? new Uint8Array(await request.arrayBuffer())
      : await readBounded(request, most);
  } catch (cause) {
    if (cause instanceof BridgeError) throw cause;
    throw new BridgeError("request", "The request's body broke off before it was complete.", {
      cause,
    });
  }
  const text = new TextDecoder().decode(bytes);
  // The strict decoder takes ten times as long: it is asked only where there is something to ask about.
  if (!text.includes("\ufffd")) return text;
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new BridgeError("request", "The request's body is not UTF-8: send JSON in UTF-8.", {
      code: "invalid_utf8",
      cause,
    });
  }
}

/** A body without a stated length can only be counted as it comes. */
async function readBounded(request: ClientRequest, most: number): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  for await (const piece of request.body ?? []) {
    length += piece.length;
    if (length > most) throw tooLarge(most);
    pieces.push(piece);
  }
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}

function tooLarge(most: number): BridgeError {
  const size = most >= 2 ** 20 ? `${Math.round(most / 2 ** 20)} MB` : `${most} bytes`;
  return new BridgeError(
    "too_large",
    `The request's body is larger than ${size}: start a shorter conversation, or allow more with --max-body.`,
  );
}

/** What a field must be, where it is there. */
interface FieldRule {
  readonly expected: string;
  readonly fits: (value: unknown) => boolean;
}

const isString = (value: unknown) => typeof value === "string";
const isBoolean = (value: unknown) => typeof value === "boolean";
const isNumber = (value: unknown) => typeof value === "number";
const isCount = (value: unknown) => Number.isInteger(value) && (value as number) >= 1;

/** Top-level fields; null counts as not there, as OpenAI has it. */
const FIELDS: Readonly<Record<string, FieldRule>> = {
  stream: { expected: "true or false", fits: isBoolean },
  tools: {
    expected: "an array of objects",
    fits: (value) => Array.isArray(value) && value.every(isObject),
  },
  tool_choice: {
    expected: "a string or an object",
    fits: (value) => isString(value) || isObject(value),
  },
  response_format: { expected: "an object", fits: isObject },
  stream_options: { expected: "an object", fits: isObject },
  max_tokens: { expected: "a whole number from 1 on", fits: isCount },
  max_completion_tokens: { expected: "a whole number from 1 on", fits: isCount },
  max_output_tokens: { expected: "a whole number from 1 on", fits: isCount },
  temperature: { expected: "a number", fits: isNumber },
  top_p: { expected: "a number", fits: isNumber },
  n: { expected: "a whole number from 1 on", fits: isCount },
};

/** Fields of a message. */
const MESSAGE_FIELDS: Readonly<Record<string, FieldRule>> = {
  content: {
    expected: "a string, or an array of content parts",
    fits: (value) => isString(value) || (Array.isArray(value) && value.every(isObject)),
  },
  tool_calls: {
    expected: "an array of objects",
    fits: (value) => Array.isArray(value) && value.every(isObject),
  },
  tool_call_id: { expected: "a string", fits: isString },
  name: { expected: "a string", fits: isString },
};

/** OpenAI's roles of a chat message. */
const ROLES = ["system", "developer", "user", "assistant", "tool", "function"];

/** How deep a body may nest. Reading and writing JSON takes stack for every level. */
const MAX_DEPTH = 256;

function isTooDeep(value: unknown, depth = 0): boolean {
  if (typeof value !== "object" || value === null) return false;
  if (depth > MAX_DEPTH) return true;
  if (Array.isArray(value)) return value.some((element) => isTooDeep(element, depth + 1));
  for (const name in value) {
    if (isTooDeep((value as JsonObject)[name], depth + 1)) return true;
  }
  return false;
}

function kindOf(value: unknown): string {
  if (value === undefined) return "nothing";
  if (value === null) return "null";
  return Array.isArray(value)
    ? "an array"
    : typeof value === "object"
    ? "an object"
    : `a ${typeof value}`;
}

function wrong(param: string, expected: string, value: unknown): BridgeError {
  return new BridgeError("request", `\`${param}\` is ${kindOf(value)}: expected ${expected}.`, {
    param,
    code: value === undefined ? "missing_field" : "invalid_type",
  });
}

function check(
  object: JsonObject,
  rules: Readonly<Record<string, FieldRule>>,
  prefix: string,
): void {
  for (const name in rules) {
    const value = object[name];
    if (value !== undefined && value !== null && !rules[name].fits(value)) {
      throw wrong(prefix + name, rules[name].expected, value);
    }
  }
}

function checkMessages(messages: unknown): void {
  if (!Array.isArray(messages)) throw wrong("messages", "an array of messages", messages);
  if (messages.length === 0) {
    throw new BridgeError("request", "`messages` is empty: expected at least one message.", {
      param: "messages",
    });
  }
  messages.forEach((message: unknown, at) => {
    if (!isObject(message)) {
      throw wrong(`messages[${at}]`, "an object with role and content", message);
    }
    if (!ROLES.includes(message.role as string)) {
      const value = isString(message.role) ? "no role of OpenAI's" : kindOf(message.role);
      throw new BridgeError(
        "request",
        `\`messages[${at}].role\` is ${value}: expected one of ${ROLES.join(", ")}.`,
        { param: `messages[${at}].role` },
      );
    }
    check(message, MESSAGE_FIELDS, `messages[${at}].`);
  });
}

/**
 * Checks the text of a body: JSON, an object, a model, `messages` or `input`, and no field of a wrong
 * type. Fields that aren't known pass.
 *
 * @throws {BridgeError} kind `request`, with the field in `param`.
 *
 * @example
 * ```ts
 * import { readAsk } from "./request.ts";
 *
 * const ask = readAsk('{"model":"m","messages":[{"role":"user","content":"hi"}],"stream":true}');
 * if (ask.model !== "m" || !ask.stream || ask.dialect !== "chat") throw new Error("read");
 * ```
 */
export function readAsk(text: string): Ask {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch (cause) {
    throw new BridgeError(
      "request",
      text.trim() === ""
        ? "The request has no body: expected a JSON object with model and messages."
        : "The request's body is not JSON: expected an object with model and messages.",
      { code: "invalid_json", cause },
    );
  }
  if (isTooDeep(body)) {
    throw new BridgeError(
      "request",
      `The request's body nests more than ${MAX_DEPTH} levels deep: no chat request needs that.`,
      { code: "too_deep" },
    );
  }
  if (!isObject(body)) {
    throw new BridgeError(
      "request",
      `The request's body is ${kindOf(body)}: expected an object with model and messages.`,
      { code: "invalid_type" },
    );
  }
  if (typeof body.model !== "string" || body.model.trim() === "") {
    throw new BridgeError("request", "`model` is missing: name a model from GET /models.", {
      param: "model",
      code: body.model === undefined ? "missing_field" : "invalid_type",
    });
  }
  const dialect: DialectName = body.messages === undefined && body.input !== undefined
    ? "responses"
    : "chat";
  check(body, FIELDS, "");
  if (dialect === "chat") checkMessages(body.messages);
  else if (!isString(body.input) && !Array.isArray(body.input)) {
    throw wrong("input", "a string or an array", body.input);
  }
  return { body, model: body.model, stream: body.stream === true, dialect };
}
