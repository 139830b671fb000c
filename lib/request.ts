/**
 * Reads the body of a client's request.
 *
 * @module
 */

import { BridgeError } from "./errors.ts";
import { isObject, type JsonObject } from "./json.ts";

/**
 * Reads a body, at most `most` bytes of it, as UTF-8.
 *
 * @throws {BridgeError} kind `too_large`, without reading the rest; kind `request` where it is not UTF-8 or breaks off.
 */
export async function readText(request: Request, most: number): Promise<string> {
  if (Number(request.headers.get("content-length") ?? NaN) > most) throw tooLarge(most);
  let bytes: Uint8Array;
  try {
    // The server holds a body to its stated length. One that is stated beside chunks says nothing.
    const { headers } = request;
    bytes = headers.has("content-length") && !headers.has("transfer-encoding")
      ? await request.bytes()
      : await readBounded(request, most);
  } catch (cause) {
    if (cause instanceof BridgeError) throw cause;
    throw new BridgeError("request", "The request's body broke off before it was complete.", {
      cause,
    });
  }
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new BridgeError("request", "The request's body is not UTF-8: send JSON in UTF-8.", {
      code: "invalid_utf8",
      cause,
    });
  }
}

/** Counts what comes, whatever length the request states. */
async function readBounded(request: Request, most: number): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  for await (const piece of request.body ?? []) {
    length += piece.length;
    if (length > most) throw tooLarge(most);
    pieces.push(piece);
  }
  if (pieces.length === 1) return pieces[0];
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

/** How deep a body may nest. Reading and writing JSON takes stack for every level. */
const MAX_DEPTH = 256;

function isTooDeep(value: unknown, depth = 0): boolean {
  if (typeof value !== "object" || value === null) return false;
  if (depth > MAX_DEPTH) return true;
  if (Array.isArray(value)) {
    for (const element of value) if (isTooDeep(element, depth + 1)) return true;
    return false;
  }
  for (const name in value) {
    if (isTooDeep((value as JsonObject)[name], depth + 1)) return true;
  }
  return false;
}

/**
 * Reads the text of a body: a JSON object that does not nest too deep.
 *
 * @throws {BridgeError} kind `request`.
 */
export function parseBody(text: string): JsonObject {
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
      `The request's body is ${
        Array.isArray(body) ? "an array" : body === null ? "null" : `a ${typeof body}`
      }: expected an object with model and messages.`,
      { code: "invalid_type" },
    );
  }
  return body;
}
