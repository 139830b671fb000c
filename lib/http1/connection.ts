/**
 * A connection whose bytes are read by messages: what was read too far waits for the next one.
 *
 * @module
 */

import { type Head, headEnd, MAX_HEAD, parseHead } from "./head.ts";
import { giveBack, joined, OUT, SIZE_ROOM, takeBuffer, type WriteBuffer } from "./write_buffer.ts";

/** What a connection needs of a socket. */
export type Socket = Pick<Deno.Conn, "read" | "write" | "closeWrite" | "close">;

/** What one read of a head asks for at first. */
const BUFFER = 4 * 1024;

/** What one read of a body asks for. */
const PIECE = 16 * 1024;

const HEX_DIGITS = "0123456789abcdef";
const encoder = new TextEncoder();

/** Why there is no head: the other end closed the connection before its first byte, or sent something else. */
export type NoHead = "closed" | "malformed" | "too large";

/**
 * One connection, read and written by one message after the other.
 *
 * @example
 * ```ts
 * import { Connection } from "./connection.ts";
 *
 * let bytes = new TextEncoder().encode("GET / HTTP/1.1\r\nhost: a\r\n\r\nrest");
 * const connection = new Connection({
 *   read(into) {
 *     into.set(bytes);
 *     const { length } = bytes;
 *     bytes = bytes.subarray(length);
 *     return Promise.resolve(length || null);
 *   },
 *   write: () => Promise.reject(new Error("not here")),
 *   closeWrite: () => Promise.resolve(),
 *   close: () => {},
 * });
 * const head = await connection.readHead();
 * if (typeof head === "string" || head.start !== "GET / HTTP/1.1") throw new Error("a head");
 * const into = new Uint8Array(10);
 * if (await connection.read(into) !== 4) throw new Error("what was read too far comes next");
 * ```
 */
export class Connection {
  readonly #socket: Socket;
  #buffer: Uint8Array<ArrayBuffer> | undefined;
  /** What waits in the buffer: from here … */
  #start = 0;
  /** … to here. */
  #end = 0;
  #piece: Uint8Array<ArrayBuffer> | undefined;
  #filling: Promise<boolean> | undefined;
  #closed = false;
  /** Whether the last bytes that were read stand in the buffer still. */
  #buffered = false;

  /** Takes over a socket. */
  constructor(socket: Socket) {
    this.#socket = socket;
  }

  /** Whether it was closed from this side. */
  get closed(): boolean {
    return this.#closed;
  }

  /** How many bytes were read too far. */
  get waiting(): number {
    return this.#end - this.#start;
  }

  /**
   * The next message's head.
   *
   * @param onWait Told when a part of it has come, and the rest is waited for.
   * @throws The socket's error.
   */
  async readHead(onWait?: () => void): Promise<Head | NoHead> {
    for (let searched = 0;;) {
      // Empty lines before a head are let pass (RFC 9112, "Message parsing").
      while (searched === 0 && this.#waits(13, 10)) this.#start += 2;
      const bytes = this.#bytes();
      const end = headEnd(bytes, searched);
      if (end !== -1) {
        this.#start += end + 4;
        return parseHead(bytes.subarray(0, end)) ?? "malformed";
      }
      if (bytes.length >= MAX_HEAD) return "too large";
      // At once, not when it has been waited for: TLS, most of all.
      if (bytes.length > 0 && !startsText(bytes[0])) return "malformed";
      searched = bytes.length > 1 ? bytes.length : 0;
      onWait?.();
      if (!await this.fill()) return bytes.length === 0 ? "closed" : "malformed";
    }
  }

  #bytes(): Uint8Array {
    return this.#buffer?.subarray(this.#start, this.#end) ?? new Uint8Array();
  }

  #waits(first: number, second: number): boolean {
    return this.waiting >= 2 && this.#buffer![this.#start] === first &&
      this.#buffer![this.#start + 1] === second;
  }

  /**
   * Reads more behind what waits already; several who ask at once share a read.
   *
   * @returns Whether more came; false at the end.
   * @throws The socket's error.
   */
  fill(): Promise<boolean> {
    return this.#filling ??= this.#fill();
  }

  async #fill(): Promise<boolean> {
    try {
      this.#makeRoom();
      const count = await this.#socket.read(this.#buffer!.subarray(this.#end));
      this.#end += count ?? 0;
      return count !== null;
    } finally {
      this.#filling = undefined;
    }
  }

  #makeRoom(): void {
    const { waiting } = this;
    const old = this.#buffer;
    if (waiting === 0) this.#start = this.#end = 0;
    if (old && this.#end < old.length) return;
    const buffer = old && this.#start > 0 ? old : new Uint8Array(old ? old.length * 2 : BUFFER);
    if (old) buffer.set(old.subarray(this.#start, this.#end));
    this.#buffer = buffer;
    this.#start = 0;
    this.#end = waiting;
  }

  /**
   * Reads bytes: those that wait, or else what the socket gives.
   *
   * @param into Where to put them; the result is how many there are, null at the end.
   * @throws The socket's error.
   */
  read(into: Uint8Array): Promise<number | null> {
    // Nearly always; and then without a step in between, because this is done for every event.
    this.#buffered = false;
    if (this.waiting === 0 && this.#filling === undefined) return this.#socket.read(into);
    return this.#readWaiting(into);
  }

  async #readWaiting(into: Uint8Array): Promise<number | null> {
    if (this.waiting === 0) await this.#filling;
    if (this.waiting === 0) return await this.#socket.read(into);
    this.#buffered = true;
    const count = Math.min(into.length, this.waiting);
    into.set(this.#buffer!.subarray(this.#start, this.#start + count));
    this.#start += count;
    return count;
  }

  /** A buffer for the pieces of a body, which each of them overwrites: one for all bodies of the connection. */
  get pieceBuffer(): Uint8Array<ArrayBuffer> {
    return this.#piece ??= new Uint8Array(PIECE);
  }

  /** Puts the end of what was read last back, because it was read too far. */
  unread(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    if (this.#buffered) {
      this.#start -= bytes.length;
      return;
    }
    if (this.#buffer === undefined || this.#buffer.length < bytes.length) {
      this.#buffer = new Uint8Array(Math.max(BUFFER, bytes.length));
    }
    this.#buffer.set(bytes);
    this.#start = 0;
    this.#end = bytes.length;
  }

  /**
   * Writes parts, together where they are short. One call at a time.
   *
   * @param parts Bytes, or text, which is written as UTF-8.
   * @throws The socket's error.
   */
  write(...parts: readonly (string | Uint8Array)[]): Promise<void> {
    const text = joined(parts);
    if (text === undefined) return this.#writeParts(parts);
    const buffer = takeBuffer();
    const { all } = buffer;
    return this.#writeAll(all.subarray(0, encoder.encodeInto(text, all).written), buffer);
  }

  async #writeParts(parts: readonly (string | Uint8Array)[]): Promise<void> {
    const buffer = takeBuffer();
    const out = buffer.all;
    let length = 0;
    for (const part of parts) {
      const most = typeof part === "string" ? part.length * 3 : part.length;
      if (length + most > out.length) {
        if (length > 0) await this.#writeAll(out.subarray(0, length));
        length = 0;
      }
      if (most > out.length) {
        await this.#writeAll(typeof part === "string" ? encoder.encode(part) : part);
      } else if (typeof part === "string") {
        length += encoder.encodeInto(part, out.subarray(length)).written;
      } else {
        out.set(part, length);
        length += part.length;
      }
    }
    if (length > 0) await this.#writeAll(out.subarray(0, length));
    giveBack(buffer);
  }

  /**
   * Writes text as one chunk of a chunked body (RFC 9112, "Chunked transfer coding").
   *
   * @param text Not empty: an empty chunk ends a body.
   * @param after What goes out behind it.
   * @throws The socket's error.
   */
  writeChunk(text: string, after = ""): Promise<void> {
    const behind = `\r\n${after}`;
    if (SIZE_ROOM + (text.length + behind.length) * 3 > OUT) {
      const bytes = encoder.encode(text);
      return this.write(`${bytes.length.toString(16)}\r\n`, bytes, behind);
    }
    // How long it is in bytes is known when it has been encoded: the size is put in front of it then.
    const buffer = takeBuffer();
    const { all: out, room } = buffer;
    const { written } = encoder.encodeInto(text + behind, room);
    let start = SIZE_ROOM;
    out[--start] = 10;
    out[--start] = 13;
    for (let left = written - behind.length; left > 0; left >>= 4) {
      out[--start] = HEX_DIGITS.charCodeAt(left & 15);
    }
    return this.#writeAll(out.subarray(start, SIZE_ROOM + written), buffer);
  }

  /** Writes bytes, and gives back the buffer that they stand in; after a failure it is the garbage collector's. */
  #writeAll(bytes: Uint8Array, buffer?: WriteBuffer): Promise<void> {
    // Not `await`: an async function takes a kilobyte, and this is done for every event.
    return this.#socket.write(bytes).then((count) => {
      if (count < bytes.length) return this.#writeAll(bytes.subarray(count), buffer);
      if (buffer) giveBack(buffer);
    });
  }

  /** Says that nothing more will be written. */
  async finish(): Promise<void> {
    await this.#socket.closeWrite();
  }

  /** Closes the connection, reads and writes that are under way with it; safe to call again. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    try {
      this.#socket.close();
    } catch {
      // Closed by something else.
    }
  }
}

/** Whether a head, or an empty line before it, may begin with a byte. */
function startsText(byte: number): boolean {
  return byte === 13 || (byte > 32 && byte < 127);
}

/**
 * A connection that sends small packets at once, because somebody waits for each of them. Where that
 * can't be set, as on one that the other end has closed already, it is slower, or soon over.
 *
 * @example
 * ```ts
 * import { withoutDelay } from "./connection.ts";
 *
 * const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
 * const socket = withoutDelay(await Deno.connect({ port: listener.addr.port }));
 * socket.close();
 * listener.close();
 * ```
 */
export function withoutDelay(socket: Deno.TcpConn): Deno.TcpConn {
  try {
    socket.setNoDelay();
  } catch {
    // Reading and writing tell what is wrong, and close it.
  }
  return socket;
}
