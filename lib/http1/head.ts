/**
 * The heads of HTTP/1.1 messages, read and written (RFC 9112). Strict where leniency could make two
 * programs read one message in two ways: lines end with CRLF, no line is folded, no name holds a space.
 *
 * @module
 */

/** What the bridge needs of the fields of a head. Every `Headers` is one; {@linkcode Fields} is lighter. */
export type ReadableHeaders = Pick<Headers, "get" | "has">;

/**
 * The fields of a head. A `Headers` checks once more, and sorts, what was just read by the same rules:
 * it takes 5 µs where this takes one.
 *
 * @example
 * ```ts
 * import { Fields } from "./head.ts";
 *
 * const fields = new Fields();
 * fields.append("Accept", "text/plain");
 * fields.append("accept", "text/html");
 * if (fields.get("ACCEPT") !== "text/plain, text/html") throw new Error("joined");
 * ```
 */
export class Fields implements ReadableHeaders {
  /** By name in lower case. */
  readonly #values = new Map<string, string>();

  /** Adds a field; one of the same name is joined to it with a comma (RFC 9110, "Field Order"). */
  append(name: string, value: string): void {
    const key = name.toLowerCase();
    const before = this.#values.get(key);
    this.#values.set(key, before === undefined ? value : `${before}, ${value}`);
  }

  /** The value, or null where there is no such field. */
  get(name: string): string | null {
    return this.#values.get(name) ?? this.#values.get(name.toLowerCase()) ?? null;
  }

  /** Whether there is such a field. */
  has(name: string): boolean {
    return this.#values.has(name.toLowerCase());
  }
}

/** A message's head. */
export interface Head {
  /** The request line or the status line. */
  readonly start: string;
  /** The fields. */
  readonly headers: ReadableHeaders;
}

/** The longest head that is read, in bytes. Node's bound is 16 KiB, Deno's 64. */
export const MAX_HEAD = 64 * 1024;

/** RFC 9110, "Field names": a token. */
const NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

/**
 * Where a head ends: the offset of its CRLFCRLF, or -1.
 *
 * @param bytes What has come so far.
 * @param from Where to go on searching, if a part was searched before.
 *
 * @example
 * ```ts
 * import { headEnd } from "./head.ts";
 *
 * const bytes = new TextEncoder().encode("GET / HTTP/1.1\r\nhost: a\r\n\r\nrest");
 * if (headEnd(bytes) !== 23) throw new Error(String(headEnd(bytes)));
 * ```
 */
export function headEnd(bytes: Uint8Array, from = 0): number {
  for (let at = bytes.indexOf(10, from); at !== -1; at = bytes.indexOf(10, at + 1)) {
    if (at >= 3 && bytes[at - 1] === 13 && bytes[at - 2] === 10 && bytes[at - 3] === 13) {
      return at - 3;
    }
  }
  return -1;
}

/**
 * A head of its bytes.
 *
 * @param bytes Everything before the CRLFCRLF.
 * @returns Undefined where this is none.
 *
 * @example
 * ```ts
 * import { parseHead } from "./head.ts";
 *
 * const head = parseHead(new TextEncoder().encode("HTTP/1.1 200 OK\r\nContent-Length: 2"));
 * if (head?.headers.get("content-length") !== "2") throw new Error("read");
 * if (parseHead(new TextEncoder().encode("GET / HTTP/1.1\r\nhost : a"))) throw new Error("a space");
 * ```
 */
export function parseHead(bytes: Uint8Array): Head | undefined {
  const text = fromBytes(bytes);
  if (FORBIDDEN.test(text)) return undefined;
  const [start, ...lines] = text.split("\r\n");
  const headers = new Fields();
  for (const line of lines) {
    const colon = line.indexOf(":");
    const name = line.slice(0, colon);
    if (colon === -1 || !NAME.test(name)) return undefined;
    headers.append(name, withoutBlanks(line.slice(colon + 1)));
  }
  return { start, headers };
}

/** NUL anywhere; a CR or an LF that is no line's end. */
const FORBIDDEN = /\0|\r(?!\n)|(?<!\r)\n/;

/** A value without the blanks around it. `trim()` would take Latin-1's non-breaking space, too. */
function withoutBlanks(value: string): string {
  let start = 0;
  let end = value.length;
  while (start < end && isBlank(value.charCodeAt(start))) start++;
  while (end > start && isBlank(value.charCodeAt(end - 1))) end--;
  return value.slice(start, end);
}

function isBlank(code: number): boolean {
  return code === 32 || code === 9;
}

/**
 * How long the body behind a head is.
 *
 * @param headers The head's.
 * @returns Bytes, `"chunked"`, undefined where nothing is said, or `"contradictory"` where more than one thing is.
 *
 * @example
 * ```ts
 * import { bodyLength } from "./head.ts";
 *
 * const both = new Headers({ "content-length": "5", "transfer-encoding": "chunked" });
 * if (bodyLength(both) !== "contradictory") throw new Error("two lengths");
 * if (bodyLength(new Headers({ "content-length": "5" })) !== 5) throw new Error("five bytes");
 * ```
 */
export function bodyLength(
  headers: ReadableHeaders,
): number | "chunked" | "contradictory" | undefined {
  const encoding = headers.get("transfer-encoding");
  const length = headers.get("content-length");
  if (encoding !== null) {
    return length === null && encoding.toLowerCase() === "chunked" ? "chunked" : "contradictory";
  }
  if (length === null) return undefined;
  return /^\d{1,15}$/.test(length) ? Number(length) : "contradictory";
}

/** Statuses that come without a body (RFC 9110). */
const WITHOUT_BODY: ReadonlySet<number> = new Set([204, 205, 304]);

/**
 * Whether an answer of a status may have a body.
 *
 * @example
 * ```ts
 * import { hasBody } from "./head.ts";
 *
 * if (hasBody(204) || !hasBody(200)) throw new Error("204 has none");
 * ```
 */
export function hasBody(status: number): boolean {
  return !WITHOUT_BODY.has(status);
}

/**
 * A head as it is written.
 *
 * @param start The request line or the status line.
 * @param headers The fields.
 * @param more Fields behind them, each with its CRLF.
 * @returns Text where it is ASCII, as nearly every head is; else its bytes in Latin-1.
 * @throws {TypeError} Where a value has a line end in it, by which further fields could be smuggled in.
 *
 * @example
 * ```ts
 * import { formatHead } from "./head.ts";
 *
 * const text = formatHead("HTTP/1.1 200 OK", [["a", "b"]], "content-length: 0\r\n");
 * if (text !== "HTTP/1.1 200 OK\r\na: b\r\ncontent-length: 0\r\n\r\n") throw new Error(`${text}`);
 * ```
 */
export function formatHead(
  start: string,
  headers: Iterable<readonly [string, string]>,
  more = "",
): string | Uint8Array<ArrayBuffer> {
  let text = start;
  for (const [name, value] of headers) {
    if (UNWRITABLE.test(value)) {
      throw new TypeError(`The header ${name} holds a line end, or what is no Latin-1.`);
    }
    text += `\r\n${name}: ${value}`;
  }
  text += `\r\n${more}\r\n`;
  return isAscii(text) ? text : toBytes(text);
}

const UNWRITABLE = /[\0\r\n\u0100-\uffff]/;

/**
 * Whether a text is a byte a character in UTF-8 and Latin-1 alike.
 *
 * @example
 * ```ts
 * import { isAscii } from "./head.ts";
 *
 * if (!isAscii("hello") || isAscii("grüß")) throw new Error("ü and ß are not");
 * ```
 */
export function isAscii(text: string): boolean {
  return !BEYOND_ASCII.test(text);
}

// deno-lint-ignore no-control-regex
const BEYOND_ASCII = /[^\x00-\x7f]/;
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** Heads are Latin-1: a character a byte. Nearly all are ASCII, for which UTF-8's quick way does the same. */
function fromBytes(bytes: Uint8Array): string {
  const text = decoder.decode(bytes);
  if (isAscii(text)) return text;
  return Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
}

function toBytes(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}
