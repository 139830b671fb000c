/**
 * The requests that the gateway of the benchmark gets: HTTP/1.1 off a socket, whole, with a body of a
 * known length or in chunks.
 *
 * @module
 */

/** The largest request that is taken, in bytes. */
const MAX_REQUEST = 64 * 1024 * 1024;

/** What of a request may be its head, in bytes. */
const HEAD = 8 * 1024;

const latin1 = new TextDecoder("latin1");

/** One request, read from a connection. */
export interface Received {
  /** Its method. */
  readonly method: string;
  /** Its body, without framing. */
  readonly body: Uint8Array;
  /** Whether the client wants the connection closed after the answer. */
  readonly close: boolean;
  /** How many bytes it took. */
  readonly length: number;
}

/**
 * Reads requests off a connection, one after the other.
 *
 * @example
 * ```ts
 * import { RequestReader } from "./gateway_request.ts";
 *
 * const sent = new TextEncoder().encode("GET / HTTP/1.1\r\n\r\n");
 * const read = (bytes: Uint8Array) => (bytes.set(sent), Promise.resolve(sent.length));
 * const request = await new RequestReader({ read }).next();
 * if (request?.method !== "GET") throw new Error("read");
 * ```
 */
export class RequestReader {
  #bytes = new Uint8Array(64 * 1024);
  #filled = 0;
  readonly #connection: Pick<Deno.Conn, "read">;

  /** Reads nothing yet. */
  constructor(connection: Pick<Deno.Conn, "read">) {
    this.#connection = connection;
  }

  /** The next request, or undefined when the client has gone. */
  async next(): Promise<Received | undefined> {
    for (;;) {
      const received = parseRequest(this.#bytes.subarray(0, this.#filled));
      if (received) {
        // A copy, because what follows moves to the front.
        const whole = { ...received, body: received.body.slice() };
        this.#bytes.copyWithin(0, received.length, this.#filled);
        this.#filled -= received.length;
        return whole;
      }
      if (this.#filled === this.#bytes.length) this.#grow();
      const read = await this.#connection.read(this.#bytes.subarray(this.#filled));
      if (read === null) return undefined;
      this.#filled += read;
    }
  }

  #grow(): void {
    if (this.#bytes.length >= MAX_REQUEST) throw new Error("the request is too long");
    const larger = new Uint8Array(this.#bytes.length * 4);
    larger.set(this.#bytes);
    this.#bytes = larger;
  }
}

/** The request at the beginning of some bytes, if it is there as a whole. */
function parseRequest(bytes: Uint8Array): Received | undefined {
  const head = latin1.decode(bytes.subarray(0, HEAD));
  const end = head.indexOf("\r\n\r\n");
  if (end === -1) return undefined;
  const fields = head.slice(0, end + 2);
  const start = end + 4;
  const body = /\r\ntransfer-encoding:\s*chunked/i.test(fields)
    ? joinChunks(bytes, start)
    : sized(bytes, start, Number(/\r\ncontent-length:\s*(\d+)/i.exec(fields)?.[1] ?? 0));
  return body && {
    method: head.slice(0, head.indexOf(" ")),
    close: /\r\nconnection:\s*close/i.test(fields),
    ...body,
  };
}

type Body = Pick<Received, "body" | "length">;

function sized(bytes: Uint8Array, start: number, length: number): Body | undefined {
  if (bytes.length < start + length) return undefined;
  return { body: bytes.subarray(start, start + length), length: start + length };
}

function joinChunks(bytes: Uint8Array, start: number): Body | undefined {
  // Looked at first, because a long body is looked at anew with every read.
  if (bytes.at(-5) !== 48 || bytes.at(-1) !== 10) return undefined;
  const parts: Uint8Array[] = [];
  for (let at = start;;) {
    const line = bytes.indexOf(13, at);
    if (line === -1) return undefined;
    const size = parseInt(latin1.decode(bytes.subarray(at, line)), 16);
    const next = line + 2 + size + 2;
    if (!(next <= bytes.length)) return undefined;
    if (size === 0) return { body: concat(parts), length: next };
    parts.push(bytes.subarray(line + 2, next - 2));
    at = next;
  }
}

function concat(parts: Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
