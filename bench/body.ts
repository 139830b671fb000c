/**
 * The body of an answer, byte by byte: its framing, and how many events are in it. No text is made of
 * it and no JSON is read, because the client must cost next to nothing beside what it measures.
 *
 * @module
 */

/** "data:", and for each byte how far a search may jump when the byte stands at the end of the window (Horspool). */
const NEEDLE = new TextEncoder().encode("data:");
const JUMPS = new Uint8Array(256).fill(NEEDLE.length);
for (let at = 0; at < NEEDLE.length - 1; at++) JUMPS[NEEDLE[at]] = NEEDLE.length - 1 - at;

/**
 * Counts `data:` in bytes that come in pieces.
 *
 * @example
 * ```ts
 * import { EventCounter } from "./body.ts";
 *
 * const counter = new EventCounter();
 * counter.add(new TextEncoder().encode("data: 1\n\nda"));
 * counter.add(new TextEncoder().encode("ta: 2\n\n"));
 * if (counter.count !== 2) throw new Error("one of them was cut in two");
 * ```
 */
export class EventCounter {
  #count = 0;
  /** The last bytes of what came before: the beginning of a cut `data:` may stand there. */
  #tail = "";

  /** How many there were. */
  get count(): number {
    return this.#count;
  }

  /** Takes the next piece. */
  add(bytes: Uint8Array): void {
    if (this.#tail !== "" && this.#isCut(bytes)) this.#count++;
    const last = bytes.length - NEEDLE.length;
    for (let at = 0; at <= last;) {
      const end = bytes[at + 4];
      if (
        end === 58 && bytes[at] === 100 && bytes[at + 1] === 97 && bytes[at + 2] === 116 &&
        bytes[at + 3] === 97
      ) this.#count++;
      at += JUMPS[end];
    }
    this.#tail = cutBeginning(this.#tail, bytes);
  }

  #isCut(bytes: Uint8Array): boolean {
    const rest = "data:".slice(this.#tail.length);
    if (bytes.length < rest.length) return false;
    for (let at = 0; at < rest.length; at++) if (bytes[at] !== rest.charCodeAt(at)) return false;
    return true;
  }
}

/** The longest beginning of "data:" that some bytes end with, or "". */
function cutBeginning(before: string, bytes: Uint8Array): string {
  // Nearly every piece ends with a newline.
  if (bytes[bytes.length - 1] === 10) return "";
  const few = bytes.length < 4 ? before : "";
  let end = few;
  for (let at = Math.max(0, bytes.length - 4); at < bytes.length; at++) {
    end += String.fromCharCode(bytes[at]);
  }
  for (let length = Math.min(4, end.length); length > 0; length--) {
    if ("data:".startsWith(end.slice(-length))) return end.slice(-length);
  }
  return "";
}

/** A value of a hexadecimal digit, or -1. */
function digit(byte: number): number {
  if (byte >= 48 && byte <= 57) return byte - 48;
  const letter = byte | 32;
  return letter >= 97 && letter <= 102 ? letter - 87 : -1;
}

/** What of a chunked body comes next. */
type Part = "size" | "extension" | "data" | "end" | "trailer";

/**
 * Walks over a body's framing: chunks, a length, or everything until the connection closes.
 *
 * @example
 * ```ts
 * import { BodyWalker } from "./body.ts";
 *
 * let length = 0;
 * const walker = new BodyWalker("chunked", (bytes) => length += bytes.length);
 * walker.add(new TextEncoder().encode("3\r\nabc\r\n0\r\n\r\n"));
 * if (!walker.whole || length !== 3) throw new Error("three bytes, and its end");
 * ```
 */
export class BodyWalker {
  readonly #framing: "chunked" | "close" | number;
  readonly #take: (bytes: Uint8Array) => void;
  #part: Part = "size";
  #left: number;
  #last = false;
  /** Bytes on the line at hand. */
  #line = 0;
  /** Whether the end was seen. */
  whole = false;

  /**
   * Makes a walker for one body.
   *
   * @param framing How the body's end is known; a number is its length in bytes.
   * @param take Told of each piece of the body itself.
   */
  constructor(framing: "chunked" | "close" | number, take: (bytes: Uint8Array) => void) {
    this.#framing = framing;
    this.#take = take;
    this.#left = typeof framing === "number" ? framing : 0;
    this.whole = framing === 0;
  }

  /** Takes what was read next. */
  add(bytes: Uint8Array): void {
    if (this.#framing === "chunked") return this.#chunks(bytes);
    if (this.#framing === "close") return this.#take(bytes);
    this.#take(bytes.subarray(0, this.#left));
    this.#left -= bytes.length;
    this.whole = this.#left <= 0;
  }

  #chunks(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length && !this.whole;) {
      if (this.#part === "data") {
        const end = Math.min(bytes.length, at + this.#left);
        this.#take(bytes.subarray(at, end));
        this.#left -= end - at;
        at = end;
        if (this.#left === 0) this.#part = "end";
        continue;
      }
      const byte = bytes[at++];
      if (byte === 10) this.#lineEnds();
      else if (this.#part === "size") this.#sizeGoesOn(byte);
      else if (this.#part === "trailer" && byte !== 13) this.#line++;
    }
  }

  #sizeGoesOn(byte: number): void {
    const value = digit(byte);
    if (value === -1) this.#part = "extension";
    else this.#left = this.#left * 16 + value;
  }

  #lineEnds(): void {
    if (this.#part === "end") {
      this.#part = "size";
      this.#left = 0;
    } else if (this.#part === "trailer") {
      // An empty line behind the last chunk ends the body; a field of the trailer does not.
      this.whole = this.#line === 0;
      this.#line = 0;
    } else {
      this.#last = this.#left === 0;
      this.#part = this.#last ? "trailer" : "data";
    }
  }
}
