/**
 * The bodies of HTTP/1.1 messages: of a stated length, in chunks, or to the connection's end.
 *
 * @module
 */

import { broken, ChunkDecoder } from "./chunks.ts";
import type { Connection } from "./connection.ts";

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
  /** Where the read that is under way puts what it gets. */
  #room: Uint8Array | undefined;

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
   * Reads what has come, waiting for something. One call at a time.
   *
   * @param into Where to put it; the result is how many bytes there are, 0 at the end.
   * @throws {TypeError} Where the body breaks off, or is malformed; the socket's error.
   */
  read(into: Uint8Array): Promise<number> {
    if (this.onBegin) return this.#begin().then(() => this.read(into));
    if (this.complete) return Promise.resolve(0);
    const room = into.length > this.#left ? into.subarray(0, this.#left) : into;
    this.#room = room;
    // Not `await`: an async function takes a kilobyte, and this is done for every event.
    return this.#connection.read(room).then(this.#took);
  }

  async #begin(): Promise<void> {
    const begin = this.onBegin;
    this.onBegin = undefined;
    await begin?.();
  }

  readonly #took = (read: number | null): number | Promise<number> => {
    const room = this.#room!;
    const count = read ?? 0;
    if (count === 0) {
      if (this.#left !== Infinity || this.#chunks) {
        this.onCut?.();
        throw broken("the connection was closed");
      }
      this.#left = 0;
    }
    const length = this.#take(room, count);
    this.onRead?.();
    // Nothing but a part of a chunk's size may have come.
    return length > 0 || this.complete ? length : this.read(room);
  };

  /** How much of what was read is payload; what is behind the body goes back. */
  #take(room: Uint8Array, count: number): number {
    if (this.#chunks === undefined) {
      this.#left -= count;
      return count;
    }
    const length = this.#chunks.decode(room, count);
    const { used } = this.#chunks;
    if (used < count) this.#connection.unread(room.subarray(used, count));
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
