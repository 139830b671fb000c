/**
 * The buffers from which connections write.
 *
 * @module
 */

/** What is written together, so that it goes out in one packet, in bytes. */
export const OUT = 64 * 1024;

/** Room for a chunk's size, and its line end. */
export const SIZE_ROOM = 8;

/** What is about to be written. */
export interface WriteBuffer {
  /** All of it: {@linkcode OUT} bytes. */
  readonly all: Uint8Array<ArrayBuffer>;
  /** The part that a chunk's text goes to, behind {@linkcode SIZE_ROOM}. */
  readonly room: Uint8Array<ArrayBuffer>;
}

/** At most one for each write that is under way was ever made; more than these are not kept. */
const MOST_SPARE = 256;

const spare: WriteBuffer[] = [];

/**
 * A buffer for one write. Nearly every write is done at once, so a few of these serve all connections;
 * one for each would be memory that a stream has hardly any use for, and that V8 counts.
 *
 * @example
 * ```ts
 * import { giveBack, OUT, takeBuffer } from "./write_buffer.ts";
 *
 * const buffer = takeBuffer();
 * if (buffer.all.length !== OUT || takeBuffer() === buffer) throw new Error("one write, one buffer");
 * giveBack(buffer);
 * if (takeBuffer() !== buffer) throw new Error("used again");
 * ```
 */
export function takeBuffer(): WriteBuffer {
  const known = spare.pop();
  if (known) return known;
  const all = new Uint8Array(OUT);
  return { all, room: all.subarray(SIZE_ROOM) };
}

/**
 * Gives a buffer back, once what stood in it was written. After a write that failed it isn't given back,
 * but left to the garbage collector.
 *
 * @example
 * ```ts
 * import { giveBack, takeBuffer } from "./write_buffer.ts";
 *
 * giveBack(takeBuffer());
 * ```
 */
export function giveBack(buffer: WriteBuffer): void {
  if (spare.length < MOST_SPARE) spare.push(buffer);
}

/**
 * Parts as one text, where they are text and surely fit a buffer.
 *
 * @returns Undefined where they may not fit, or where one of them is bytes; and for nothing at all.
 *
 * @example
 * ```ts
 * import { joined, OUT } from "./write_buffer.ts";
 *
 * if (joined(["a", "b"]) !== "ab") throw new Error("joined");
 * if (joined(["x".repeat(OUT)]) !== undefined || joined([new Uint8Array(1)]) !== undefined) {
 *   throw new Error("too long, or no text");
 * }
 * ```
 */
export function joined(parts: readonly (string | Uint8Array)[]): string | undefined {
  let text = "";
  for (const part of parts) {
    if (typeof part !== "string") return undefined;
    text += part;
  }
  return text.length > 0 && text.length * 3 <= OUT ? text : undefined;
}
