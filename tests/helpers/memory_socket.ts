/**
 * A socket without a network: it gives bytes in pieces of the test's choice.
 *
 * @module
 */

import type { Socket } from "../../lib/http1/connection.ts";

/** How a socket goes on behind its last piece. */
export type SocketEnd = "closed" | "broken" | "silent";

/**
 * A socket that gives pieces, one a read, and keeps what is written.
 *
 * @example
 * ```ts
 * import { MemorySocket } from "./memory_socket.ts";
 *
 * const socket = new MemorySocket(["ab", "c"]);
 * const into = new Uint8Array(1);
 * for (const byte of [97, 98, 99]) {
 *   if (await socket.read(into) !== 1 || into[0] !== byte) throw new Error("a byte a read");
 * }
 * if (await socket.read(into) !== null) throw new Error("the end");
 * ```
 */
export class MemorySocket implements Socket {
  readonly #pieces: Uint8Array[];
  readonly #end: SocketEnd;
  readonly #closing = Promise.withResolvers<never>();
  /** All that was written, a character a byte. */
  written = "";
  /** Whether it was closed. */
  closed = false;
  /** How many bytes nobody has read. */
  get left(): number {
    return this.#pieces.reduce((sum, { length }) => sum + length, 0);
  }

  /**
   * Makes a socket.
   *
   * @param pieces What comes; of text, a character a byte.
   * @param end What comes behind it.
   */
  constructor(pieces: readonly (string | Uint8Array)[], end: SocketEnd = "closed") {
    this.#pieces = pieces.map((piece) => typeof piece === "string" ? latin1(piece) : piece);
    this.#end = end;
    this.#closing.promise.catch(() => {});
  }

  /** Gives what fits of the next piece. */
  async read(into: Uint8Array): Promise<number | null> {
    await Promise.resolve();
    while (this.#pieces[0]?.length === 0) this.#pieces.shift();
    const piece = this.#pieces.shift();
    if (piece === undefined) return await this.#over();
    const count = Math.min(piece.length, into.length);
    into.set(piece.subarray(0, count));
    if (count < piece.length) this.#pieces.unshift(piece.subarray(count));
    return count;
  }

  async #over(): Promise<null> {
    if (this.#end === "broken") throw new Deno.errors.ConnectionReset("reset by the test");
    if (this.#end === "silent") await this.#closing.promise;
    return null;
  }

  /** Takes all. */
  write(bytes: Uint8Array): Promise<number> {
    for (const byte of bytes) this.written += String.fromCharCode(byte);
    return Promise.resolve(bytes.length);
  }

  /** Does nothing. */
  closeWrite(): Promise<void> {
    return Promise.resolve();
  }

  /** Ends a read that waits. */
  close(): void {
    this.closed = true;
    this.#closing.reject(new Deno.errors.Interrupted("closed by the test"));
  }
}

/** A character a byte. */
export function latin1(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

/** Text cut at every single byte. */
export function bytewise(text: string): string[] {
  return [...text];
}
