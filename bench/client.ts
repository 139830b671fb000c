/**
 * The load client: HTTP/1.1 over raw TCP. It must cost next to nothing beside what it measures, so it
 * parses no JSON: it walks over HTTP's chunks, counts the `data:` in them, and notes the time.
 *
 * @module
 */

import { clock } from "./gateway.ts";

const NEEDLE = new TextEncoder().encode("data:");

/** For each byte at the needle's last place: how far the search may jump (Horspool). */
const JUMPS = new Uint8Array(256).fill(NEEDLE.length);
for (const [at, byte] of NEEDLE.subarray(0, -1).entries()) JUMPS[byte] = NEEDLE.length - 1 - at;

function occurrences(bytes: Uint8Array): number {
  let count = 0;
  for (let at = 4; at < bytes.length; at += JUMPS[bytes[at]]) {
    if (
      bytes[at] === 58 && bytes[at - 1] === 97 && bytes[at - 2] === 116 &&
      bytes[at - 3] === 97 && bytes[at - 4] === 100
    ) count++;
  }
  return count;
}

const NONE: readonly number[] = [];

/** Counts `data:` in bytes that come in pieces. */
export class EventCounter {
  /** How many there were. */
  count = 0;
  /** The last four bytes, where a `data:` may begin that was cut. */
  #tail = NONE;

  /** Takes the next piece. */
  add(bytes: Uint8Array): void {
    this.count += occurrences(bytes);
    if (this.#tail.length > 0) {
      this.count += occurrences(Uint8Array.of(...this.#tail, ...bytes.subarray(0, 4)));
    }
    // Nearly every piece ends with a line.
    this.#tail = bytes[bytes.length - 1] === 10
      ? NONE
      : [...this.#tail, ...bytes.subarray(-4)].slice(-4);
  }
}

/** How a body's end is known: by chunks, by its length in bytes, or by the connection's end. */
export type Framing = "chunked" | "close" | number;

/** Takes the framing off a body that comes in pieces. */
export class BodyWalker {
  readonly #framing: Framing;
  readonly #take: (bytes: Uint8Array) => void;
  /** Bytes until the chunk or the body ends; while a chunk's size is read, the size so far. */
  #left: number;
  #part: "data" | "size" | "extension" | "trailer";
  /** Whether the line at hand has nothing in it. */
  #isEmpty = true;
  /** Whether the end was seen. */
  whole: boolean;

  /** Hands each piece of the body itself to `take`. */
  constructor(framing: Framing, take: (bytes: Uint8Array) => void) {
    this.#framing = framing;
    this.#take = take;
    this.#part = framing === "chunked" ? "size" : "data";
    this.#left = framing === "close" ? Infinity : framing === "chunked" ? 0 : framing;
    this.whole = framing === 0;
  }

  /** Takes what was read next. */
  add(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length && !this.whole;) {
      if (this.#part === "data") {
        const end = Math.min(bytes.length, at + this.#left);
        this.#take(bytes.subarray(at, end));
        this.#left -= end - at;
        at = end;
        if (this.#left > 0) continue;
        this.#part = "size";
        this.whole = this.#framing !== "chunked";
        continue;
      }
      const byte = bytes[at++];
      if (byte === 10) this.#lineEnds();
      else if (byte !== 13) this.#lineGoesOn(byte);
    }
  }

  #lineGoesOn(byte: number): void {
    this.#isEmpty = false;
    if (this.#part !== "size") return;
    const digit = HEX[byte];
    if (digit === 255) this.#part = "extension";
    else this.#left = this.#left * 16 + digit;
  }

  #lineEnds(): void {
    if (this.#part === "trailer") this.whole = this.#isEmpty;
    // An empty line is the end of a chunk's data.
    else if (!this.#isEmpty) this.#part = this.#left === 0 ? "trailer" : "data";
    this.#isEmpty = true;
  }
}

/** Byte → the value of the hexadecimal digit that it is, or 255. */
const HEX = new Uint8Array(256).fill(255);
for (const digit of "0123456789abcdefABCDEF") HEX[digit.charCodeAt(0)] = parseInt(digit, 16);

/** What a request came to. */
export interface Reply {
  /** The HTTP status; 0 when there was no answer. */
  readonly status: number;
  /** Whether the body came to its end as HTTP wants it. */
  readonly whole: boolean;
  /** Number of `data:` in the body. */
  readonly events: number;
  /** From the request's first byte out to the body's first byte in, in microseconds. */
  readonly firstByte: number;
  /** Why it is not whole, in a word or two. */
  readonly failure?: string;
}

/** How a request is sent. */
export interface SendOptions {
  /** Called with each piece of the body, and the time at which it was read, as {@linkcode clock} has it. */
  readonly onPiece?: (bytes: Uint8Array, time: number) => void;
  /** Milliseconds after which the connection is closed. @default {30000} */
  readonly deadline?: number;
}

const latin1 = new TextDecoder("latin1");

function framingOf(head: string): Framing {
  if (/\r\ntransfer-encoding:\s*chunked/i.test(head)) return "chunked";
  const length = /\r\ncontent-length:\s*(\d+)/i.exec(head)?.[1];
  return length === undefined ? "close" : Number(length);
}

/** A connection to the server under test, opened when needed and kept as long as the server keeps it. */
export class Connection {
  readonly #port: number;
  readonly #connect: (port: number) => Promise<Deno.Conn>;
  readonly #buffer = new Uint8Array(64 * 1024);
  #open: Deno.Conn | undefined;

  /** `port` is the server's on 127.0.0.1; `connect` is for what isn't plain TCP. */
  constructor(port: number, connect: (port: number) => Promise<Deno.Conn> = connectPlain) {
    this.#port = port;
    this.#connect = connect;
  }

  /** Closes it. */
  close(): void {
    const open = this.#open;
    this.#open = undefined;
    try {
      open?.close();
    } catch {
      // The deadline was faster.
    }
  }

  /** Sends a request, head and body, and reads its answer to the end. Never rejects: see {@linkcode Reply.failure}. */
  async send(request: Uint8Array, options: SendOptions = {}): Promise<Reply> {
    const reused = this.#open !== undefined;
    const reply = await this.#once(request, options);
    // A server may close a kept connection just as the next request is written; every client asks again then.
    return reused && reply.status === 0 ? await this.#once(request, options) : reply;
  }

  async #once(request: Uint8Array, { onPiece, deadline = 30_000 }: SendOptions): Promise<Reply> {
    const counter = new EventCounter();
    let status = 0;
    let firstByte = 0;
    let walker: BodyWalker | undefined;
    const reply = (failure?: string): Reply => {
      const whole = failure === undefined;
      if (!whole || walker?.whole !== true) this.close();
      return { status, whole, events: counter.count, firstByte, failure };
    };
    const timer = setTimeout(() => this.close(), deadline);
    try {
      this.#open ??= await this.#connect(this.#port);
      const connection = this.#open;
      const sent = clock();
      for (let at = 0; at < request.length;) at += await connection.write(request.subarray(at));
      let head = "";
      let time = 0;
      const take = (bytes: Uint8Array) => {
        if (firstByte === 0) firstByte = time - sent;
        counter.add(bytes);
        onPiece?.(bytes, time);
      };
      for (;;) {
        const length = await connection.read(this.#buffer);
        time = clock();
        if (length === null) {
          return reply(walker && framingOf(head) === "close" ? undefined : "closed");
        }
        let bytes = this.#buffer.subarray(0, length);
        if (walker === undefined) {
          const before = head.length;
          head += latin1.decode(bytes);
          const end = head.indexOf("\r\n\r\n");
          if (end === -1) continue;
          bytes = bytes.subarray(end + 4 - before);
          head = head.slice(0, end + 2);
          status = Number(head.slice(9, 12));
          walker = new BodyWalker(framingOf(head), take);
        }
        walker.add(bytes);
        if (!walker.whole) continue;
        if (/\r\nconnection:\s*close/i.test(head)) this.close();
        return reply();
      }
    } catch (error) {
      return reply(error instanceof Error ? error.name : String(error));
    } finally {
      clearTimeout(timer);
    }
  }
}

async function connectPlain(port: number): Promise<Deno.Conn> {
  const connection = await Deno.connect({ hostname: "127.0.0.1", port });
  connection.setNoDelay(true);
  return connection;
}
