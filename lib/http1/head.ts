/**
 * The heads of HTTP/1.1 messages, read and written (RFC 9112). Strict where leniency could make two
 * programs read one message in two ways: lines end with CRLF, no line is folded, no name holds a space.
 *
 * @module
 */

/** A message's head. */
export interface Head {
  /** The request line or the status line. */
  readonly start: string;
  /** The fields. */
  readonly headers: Headers;
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
  const [start, ...lines] = fromBytes(bytes).split("\r\n");
  const fields: [string, string][] = [];
  for (const line of lines) {
    const colon = line.indexOf(":");
    const name = line.slice(0, colon);
    const value = line.slice(colon + 1);
    // A CR alone is refused by name: `Headers` would take it for white space at a value's edge.
    if (colon === -1 || !NAME.test(name) || value.includes("\r")) return undefined;
    fields.push([name, value]);
  }
  if (start.includes("\r") || start.includes("\n")) return undefined;
  try {
    return { start, headers: new Headers(fields) };
  } catch {
    // A value with a NUL or a bare LF in it.
    return undefined;
  }
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
export function bodyLength(headers: Headers): number | "chunked" | "contradictory" | undefined {
  const encoding = headers.get("transfer-encoding");
  const length = headers.get("content-length");
  if (encoding !== null) {
    return length === null && encoding.trim().toLowerCase() === "chunked"
      ? "chunked"
      : "contradictory";
  }
  if (length === null) return undefined;
  return /^\d{1,15}$/.test(length) ? Number(length) : "contradictory";
}

/**
 * A head as bytes.
 *
 * @param start The request line or the status line.
 * @param headers The fields. `Headers` holds no line ends, so that none can be smuggled in.
 * @param more Fields behind them, each with its CRLF.
 *
 * @example
 * ```ts
 * import { formatHead } from "./head.ts";
 *
 * const bytes = formatHead("HTTP/1.1 200 OK", new Headers({ a: "b" }), "content-length: 0\r\n");
 * const text = new TextDecoder().decode(bytes);
 * if (text !== "HTTP/1.1 200 OK\r\na: b\r\ncontent-length: 0\r\n\r\n") throw new Error(text);
 * ```
 */
export function formatHead(start: string, headers: Headers, more = ""): Uint8Array<ArrayBuffer> {
  let text = `${start}\r\n`;
  headers.forEach((value, name) => text += `${name}: ${value}\r\n`);
  return toBytes(`${text}${more}\r\n`);
}

// deno-lint-ignore no-control-regex
const BEYOND_ASCII = /[^\x00-\x7f]/;
const decoder = new TextDecoder();
const encoder = new TextEncoder();

/** Heads are Latin-1: a character a byte. Nearly all are ASCII, for which the quick ways of UTF-8 do the same. */
function fromBytes(bytes: Uint8Array): string {
  const text = decoder.decode(bytes);
  if (!BEYOND_ASCII.test(text)) return text;
  return Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
}

function toBytes(text: string): Uint8Array<ArrayBuffer> {
  if (!BEYOND_ASCII.test(text)) return encoder.encode(text);
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}
