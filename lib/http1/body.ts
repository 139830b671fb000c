/**
 * The bodies of HTTP/1.1 messages: of a stated length, in chunks, or to the connection's end.
 *
 * @module
 */

import type { Connection } from "./connection.ts";

/** What a connection broke off with, or what it sent in a chunk's place. */
function broken(what: string): TypeError {
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
 * import { ChunkDecoder } from "./body.ts";
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
   * @returns How long the payload is.
   * @throws {TypeError} Where this is no chunked body.
   */
  decode(bytes: Uint8Array): number {
    let length = 0;
    let at = 0;
    while (at < bytes.length && this.#place !== "end") {
      if (this.#place === "data") {
        const count = Math.min(this.#left, bytes.length - at);
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

/** How long a body is: bytes, chunks, or until the connection ends. */
export type BodyLength = number | "chunked" | "to the end";

/**
 * Reads one body from a connection, and not a byte of what is behind it.
 *
 * @example
 * ```ts
 * import { Body } from "./body.ts";
 * import { Connection } from "./connection.ts";
 *
 * const connection = new Connection({
 *   read: (into) => Promise.resolve(into.set([104, 105, 33]) ?? 3),
 *   write: () => Promise.reject(new Error("not here")),
 *   closeWrite: () => Promise.resolve(),
 *   close: () => {},
 * });
 * const body = new Body(connection, 3);
 * const into = new Uint8Array(10);
 * if (await body.read(into) !== 3 || !body.complete) throw new Error("three bytes");
 * if (await body.read(into) !== 0) throw new Error("and no more");
 * ```
 */
export class Body {
  readonly #connection: Connection;
  readonly #chunks: ChunkDecoder | undefined;
  /** What is left of a stated length. */
  #left: number;

  /** Awaited before the first read: a client may wait to be asked for its body. */
  onBegin: (() => Promise<void>) | undefined;

  /** Told when the connection ends before the body does. */
  onCut: (() => void) | undefined;

  /** Told after every read. */
  onRead: (() => void) | undefined;

  /** A body that begins with the connection's next byte. */
  constructor(connection: Connection, length: BodyLength) {
    this.#connection = connection;
    this.#chunks = length === "chunked" ? new ChunkDecoder() : undefined;
    this.#left = typeof length === "number" ? length : Infinity;
  }

  /** Whether all of it was read. */
  get complete(): boolean {
    return this.#chunks?.complete ?? this.#left === 0;
  }

  /** A buffer for its pieces, which each of them overwrites. */
  get buffer(): Uint8Array<ArrayBuffer> {
    return this.#connection.pieceBuffer;
  }

  /** What is left to be read, in bytes; infinite where that isn't known. */
  get left(): number {
    return this.#left;
  }

  /**
   * Reads what has come, waiting for something.
   *
   * @param into Where to put it; the result is how many bytes there are, 0 at the end.
   * @throws {TypeError} Where the body breaks off, or is malformed; the socket's error.
   */
  async read(into: Uint8Array): Promise<number> {
    if (this.onBegin) await this.#begin();
    while (!this.complete) {
      const room = into.length > this.#left ? into.subarray(0, this.#left) : into;
      const count = await this.#connection.read(room) ?? 0;
      if (count === 0) {
        if (this.#left !== Infinity || this.#chunks) {
          this.onCut?.();
          throw broken("the connection was closed");
        }
        this.#left = 0;
      }
      const length = this.#take(room.subarray(0, count));
      this.onRead?.();
      if (length > 0) return length;
    }
    return 0;
  }

  async #begin(): Promise<void> {
    const begin = this.onBegin;
    this.onBegin = undefined;
    await begin?.();
  }

  /** What of a piece is payload; the rest of it goes back. */
  #take(piece: Uint8Array): number {
    if (this.#chunks === undefined) {
      this.#left -= piece.length;
      return piece.length;
    }
    const length = this.#chunks.decode(piece);
    this.#connection.unread(piece.subarray(this.#chunks.used));
    return length;
  }
}

/** The start of a buffer for a whole body; a stated length isn't believed any further than this. */
const FIRST_BUFFER = 1024 * 1024;

/**
 * Reads all that is left of a body.
 *
 * @throws {TypeError} Where it breaks off, or is malformed; the socket's error.
 *
 * @example
 * ```ts
 * import { Body, readAll } from "./body.ts";
 * import { Connection } from "./connection.ts";
 *
 * const socket = {
 *   read: (into: Uint8Array) => Promise.resolve(into.set([104]) ?? 1),
 *   write: () => Promise.reject(new Error("not here")),
 *   closeWrite: () => Promise.resolve(),
 *   close: () => {},
 * };
 * const bytes = await readAll(new Body(new Connection(socket), 5));
 * if (bytes.byteLength !== 5) throw new Error("one after the other");
 * ```
 */
export async function readAll(body: Body): Promise<ArrayBuffer> {
  let buffer = new Uint8Array(Math.min(body.left, FIRST_BUFFER));
  let length = 0;
  while (!body.complete) {
    if (length === buffer.length) {
      const larger = new Uint8Array(Math.min(buffer.length * 2, length + body.left));
      larger.set(buffer);
      buffer = larger;
    }
    length += await body.read(buffer.subarray(length));
  }
  return length === buffer.length ? buffer.buffer : buffer.buffer.slice(0, length);
}

/** What a read asks for where its reader brings no buffer along. */
const PIECE = 16 * 1024;

/** Who is told what becomes of a body. */
export interface BodyEvents {
  /** All of it was read. */
  readonly onComplete?: () => void;
  /** It can't be read to its end: it broke off, or nobody wants the rest. */
  readonly onBroken?: () => void;
  /** What a failed read is told as. @default as it is */
  readonly failure?: (error: unknown) => unknown;
}

/** A body's pieces, one read each. */
export interface ByteReader {
  /** The next piece; it may be overwritten by the next read. Undefined at the end. */
  read(): Promise<Uint8Array | undefined>;
  /** Gives the rest up. */
  cancel(reason?: unknown): Promise<void>;
}

/**
 * A body piece by piece, all of them in one buffer: the cheapest way to read one, for events above all.
 *
 * @param body The body.
 * @param events Told once, of the end or of the failure.
 *
 * @example
 * ```ts
 * import { Body, byteReader } from "./body.ts";
 * import { Connection } from "./connection.ts";
 *
 * const socket = {
 *   read: (into: Uint8Array) => Promise.resolve(into.set([104, 105]) ?? 2),
 *   write: () => Promise.reject(new Error("not here")),
 *   closeWrite: () => Promise.resolve(),
 *   close: () => {},
 * };
 * const reader = byteReader(new Body(new Connection(socket), 2));
 * if ((await reader.read())?.length !== 2) throw new Error("two bytes");
 * if (await reader.read() !== undefined) throw new Error("the end");
 * ```
 */
export function byteReader(
  body: Body,
  { onComplete, onBroken, failure = (error) => error }: BodyEvents = {},
): ByteReader {
  const into = body.buffer;
  let over = false;
  return {
    async read() {
      if (over) return undefined;
      try {
        const count = await body.read(into);
        if (body.complete && !over) {
          over = true;
          onComplete?.();
        }
        return count === 0 ? undefined : into.subarray(0, count);
      } catch (error) {
        if (over) return undefined;
        over = true;
        onBroken?.();
        throw failure(error);
      }
    },
    cancel() {
      if (!over) {
        over = true;
        onBroken?.();
      }
      return Promise.resolve();
    },
  };
}

/**
 * A body as a stream of bytes, into the reader's own buffer where it brings one. Nothing is read that
 * nobody asked for.
 *
 * @param body The body.
 * @param events Told once, of the end or of the failure.
 *
 * @example
 * ```ts
 * import { Body, bodyStream } from "./body.ts";
 * import { Connection } from "./connection.ts";
 *
 * const socket = {
 *   read: (into: Uint8Array) => Promise.resolve(into.set([104, 105]) ?? 2),
 *   write: () => Promise.reject(new Error("not here")),
 *   closeWrite: () => Promise.resolve(),
 *   close: () => {},
 * };
 * const text = await new Response(bodyStream(new Body(new Connection(socket), 2))).text();
 * if (text !== "hi") throw new Error(text);
 * ```
 */
export function bodyStream(
  body: Body,
  { onComplete, onBroken, failure = (error) => error }: BodyEvents = {},
): ReadableStream<Uint8Array<ArrayBuffer>> {
  let over = false;
  return new ReadableStream({
    type: "bytes",
    autoAllocateChunkSize: PIECE,
    async pull(controller) {
      try {
        const request = controller.byobRequest!;
        const count = await body.read(request.view as Uint8Array);
        if (over) return;
        if (count > 0) request.respond(count);
        // At once, so that nobody has to ask once more to learn of the end.
        if (!body.complete) return;
        over = true;
        onComplete?.();
        controller.close();
        // For readers that asked for more than there was.
        controller.byobRequest?.respond(0);
      } catch (error) {
        if (over) return;
        over = true;
        onBroken?.();
        controller.error(failure(error));
      }
    },
    cancel() {
      over = true;
      onBroken?.();
    },
  });
}
