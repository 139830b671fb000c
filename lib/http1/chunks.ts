/**
 * The framing of chunked bodies (RFC 9112, "Chunked transfer coding"), taken out in place.
 *
 * @module
 */

/**
 * What a body that can't be read to its end is told as.
 *
 * @param what What came in its place.
 *
 * @example
 * ```ts
 * import { broken } from "./chunks.ts";
 *
 * if (!broken("the connection was closed").message.includes("closed")) throw new Error("told");
 * ```
 */
export function broken(what: string): TypeError {
  return new TypeError(`The body is incomplete: ${what}.`);
}

/** Where in a chunked body a decoder is. */
type Place = "size" | "extension" | "size end" | "data" | "data end" | "trailer" | "end";

/** The longest that chunk extensions, or trailers, may be: nobody reads them. */
const MAX_IGNORED = 16 * 1024;

/**
 * Takes the framing out of a chunked body (RFC 9112, "Chunked transfer coding"), in place: the payload
 * of a piece is moved to its front. Extensions and trailers are thrown away.
 *
 * @example
 * ```ts
 * import { ChunkDecoder } from "./chunks.ts";
 *
 * const decoder = new ChunkDecoder();
 * const bytes = new TextEncoder().encode("2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\nnext");
 * const length = decoder.decode(bytes);
 * if (new TextDecoder().decode(bytes.subarray(0, length)) !== "hello") throw new Error("joined");
 * if (!decoder.complete || bytes.length - decoder.used !== 4) throw new Error("`next` is not its own");
 * ```
 */
export class ChunkDecoder {
  #place: Place = "size";
  /** The size that is being read, and then what is left of it. */
  #left = 0;
  /** Digits of the size, bytes of an extension, of the trailers. */
  #count = 0;
  /** Whether the trailer's line is empty so far. */
  #empty = true;
  /** Whether the trailer's line has its CR, and so its LF must follow. */
  #ending = false;

  /** How many bytes of the last piece belonged to the body; what is behind them is the next message's. */
  used = 0;

  /** Whether the body has come to its end. */
  get complete(): boolean {
    return this.#place === "end";
  }

  /**
   * Takes the next piece, and moves the payload in it to its front.
   *
   * @param bytes The piece; it is changed.
   * @param end Where it ends in the bytes.
   * @returns How long the payload is.
   * @throws {TypeError} Where this is no chunked body.
   */
  decode(bytes: Uint8Array, end = bytes.length): number {
    let length = 0;
    let at = 0;
    while (at < end && this.#place !== "end") {
      if (this.#place === "data") {
        const count = Math.min(this.#left, end - at);
        if (at !== length) bytes.copyWithin(length, at, at + count);
        length += count;
        at += count;
        this.#left -= count;
        if (this.#left === 0) this.#enter("data end");
      } else {
        this.#frame(bytes[at++]);
      }
    }
    this.used = at;
    return length;
  }

  #enter(place: Place): void {
    this.#place = place;
    this.#count = 0;
  }

  /** One byte between the data. */
  #frame(byte: number): void {
    const place = this.#place;
    const count = ++this.#count;
    if (count > MAX_IGNORED) throw broken("a chunk's extension, or the trailers, are too long");
    if (place === "size") return this.#size(byte, count);
    if (place === "extension") {
      if (byte === 13) this.#enter("size end");
      else if (byte === 10) throw broken("a chunk's size is cut off");
    } else if (place === "size end") {
      if (byte !== 10) throw broken("a chunk's size is cut off");
      this.#enter(this.#left > 0 ? "data" : "trailer");
      this.#empty = true;
    } else if (place === "data end") {
      if (byte !== (count === 1 ? 13 : 10)) throw broken("a chunk is longer than its size");
      if (count === 2) this.#enter("size");
    } else if ((byte === 10) !== this.#ending) {
      throw broken("a trailer is malformed");
    } else if (byte === 10) {
      this.#ending = false;
      if (this.#empty) this.#enter("end");
      this.#empty = true;
    } else if (byte === 13) this.#ending = true;
    else this.#empty = false;
  }

  #size(byte: number, count: number): void {
    const digit = hexDigit(byte);
    if (digit !== -1) {
      if (count > 12) throw broken("a chunk is too large");
      this.#left = this.#left * 16 + digit;
    } else if (count === 1) throw broken("a chunk has no size");
    else if (byte === 13) this.#enter("size end");
    // A semicolon begins an extension; some servers pad the size with spaces.
    else if (byte === 59 || byte === 32 || byte === 9) this.#enter("extension");
    else throw broken("a chunk's size is no number");
  }
}

function hexDigit(byte: number): number {
  if (byte >= 48 && byte <= 57) return byte - 48;
  const letter = byte | 32;
  return letter >= 97 && letter <= 102 ? letter - 87 : -1;
}
