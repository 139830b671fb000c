/**
 * The ways in which a gateway frames its events, and in which a network cuts its bytes.
 *
 * @module
 */

import type { Random } from "./random.ts";

/** How {@linkcode reframe} can write events; each says how it ends a line, a field and an event. */
export const FRAMINGS: Readonly<Record<string, (events: readonly string[]) => string>> = {
  "lf": (events) => events.map((data) => `data: ${data}\n\n`).join(""),
  "crlf": (events) => events.map((data) => `data: ${data}\r\n\r\n`).join(""),
  "cr": (events) => events.map((data) => `data: ${data}\r\r`).join(""),
  "mixed line ends": (events) =>
    events.map((data, at) => `data: ${data}${["\n\n", "\r\n\r\n", "\n\r\n", "\r\n\n"][at % 4]}`)
      .join(""),
  "no space": (events) => events.map((data) => `data:${data}\n\n`).join(""),
  "comments": (events) => events.map((data) => `: keep-alive\n\ndata: ${data}\n\n`).join(""),
  "comments inside": (events) => events.map((data) => `:\ndata: ${data}\n: {"x":1}\n\n`).join(""),
  "single newline": (events) => events.map((data) => `data: ${data}\n`).join(""),
  "single crlf": (events) => events.map((data) => `data: ${data}\r\n`).join(""),
  "event names": (events) =>
    events.map((data, at) => `event: message\nid: ${at}\nretry: 5000\ndata: ${data}\n\n`).join(""),
  "bom": (events) => "\uFEFF" + events.map((data) => `data: ${data}\n\n`).join(""),
  "no blank line at the end": (events) =>
    events.map((data) => `data: ${data}\n\n`).join("").replace(/\n$/, ""),
  "no line end at the end": (events) =>
    events.map((data) => `data: ${data}\n\n`).join("").replace(/\n\n$/, ""),
  "extra blank lines": (events) => "\n\n" + events.map((data) => `data: ${data}\n\n\n`).join(""),
  "empty events": (events) => events.map((data) => `data:\n\ndata: ${data}\n\n`).join(""),
};

/** A name in {@linkcode FRAMINGS}. */
export type FramingStyle = keyof typeof FRAMINGS;

/**
 * Writes events in one of the styles.
 *
 * @param events The `data` of each event: one line each.
 * @param style A name in {@linkcode FRAMINGS}.
 * @returns The text of the stream.
 *
 * @example
 * ```ts
 * import { reframe } from "./framings.ts";
 *
 * if (reframe(["{}", "[DONE]"], "no space") !== "data:{}\n\ndata:[DONE]\n\n") throw new Error();
 * ```
 */
export function reframe(events: readonly string[], style: FramingStyle): string {
  return FRAMINGS[style](events);
}

/**
 * Cuts bytes into pieces: at random, byte by byte, inside characters, between CR and LF, or not at
 * all.
 *
 * @param bytes The bytes.
 * @param random Where the cuts come from.
 * @returns The pieces, in order; none is empty, and together they are the bytes.
 *
 * @example
 * ```ts
 * import { cuts } from "./framings.ts";
 * import { Random } from "./random.ts";
 *
 * const pieces = cuts(new TextEncoder().encode("data: ü\r\n\r\n"), new Random(1));
 * if (pieces.reduce((sum, piece) => sum + piece.length, 0) !== 12) throw new Error();
 * ```
 */
export function cuts(bytes: Uint8Array, random: Random): Uint8Array[] {
  const style = random.pick(["one", "bytes", "awkward", "few", "many", "many"] as const);
  const at: number[] = [];
  for (let i = 1; i < bytes.length; i++) {
    const cut = style === "bytes" ||
      (style === "awkward" && isAwkward(bytes, i)) ||
      (style === "few" && random.chance(3 / bytes.length)) ||
      (style === "many" && random.chance(0.1));
    if (cut) at.push(i);
  }
  const ends = [...at, bytes.length];
  return bytes.length === 0
    ? []
    : ends.map((end, i) => bytes.slice(i === 0 ? 0 : ends[i - 1], end));
}

/** Before a continuation byte, between two line ends, or just after a colon. */
function isAwkward(bytes: Uint8Array, at: number): boolean {
  const isLineEnd = (byte: number) => byte === 10 || byte === 13;
  return (bytes[at] & 0xc0) === 0x80 || (isLineEnd(bytes[at]) && isLineEnd(bytes[at - 1])) ||
    bytes[at - 1] === 0x3a;
}

/**
 * Makes a stream of pieces.
 *
 * @param pieces The pieces.
 * @returns A stream that gives them one by one and closes.
 */
export function streamOf(pieces: Iterable<Uint8Array>): ReadableStream<Uint8Array<ArrayBuffer>> {
  const iterator = pieces[Symbol.iterator]();
  return new ReadableStream({
    pull(controller) {
      const { done, value } = iterator.next();
      if (done) controller.close();
      else controller.enqueue(new Uint8Array(value));
    },
  });
}
