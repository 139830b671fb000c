/**
 * A gateway over raw TCP for tests and the benchmark: it answers byte by byte, so it can do whatever a
 * gateway can do wrong, and it knows when its requests were ended.
 *
 * @module
 */

/** A request that reached the gateway, and the connection on which it is answered. */
export interface RawRequest {
  /** Its number, from 1. */
  readonly number: number;
  /** The number of its connection, from 1. */
  readonly connection: number;
  /** Request line and headers, with the empty line behind them. */
  readonly head: string;
  /** The body's bytes, without framing; empty where bodies stay unread. */
  readonly bytes: Uint8Array;
  /** The body as text. */
  readonly body: string;
  /** Sends text or bytes; does nothing once the connection is closed. */
  readonly send: (data: string | Uint8Array) => Promise<void>;
  /** Closes the connection. */
  readonly close: () => void;
  /** Resolves when either side has closed the connection. */
  readonly closed: Promise<void>;
  /** Whether that has happened. */
  readonly isClosed: () => boolean;
}

/** Answers a request, or doesn't; closes the connection, or leaves it open. */
export type RawAnswer = (request: RawRequest) => void | Promise<void>;

/** A running gateway. */
export interface RawGateway extends AsyncDisposable {
  /** Its address, such as `http://127.0.0.1:<port>`. */
  readonly url: string;
  /** Its port. */
  readonly port: number;
  /** Requests so far, oldest first. */
  readonly requests: readonly RawRequest[];
  /** Number of requests that are not answered and whose connection is open. */
  readonly open: number;
  /** The request with a number, once it has come. */
  readonly request: (number: number) => Promise<RawRequest>;
}

/** How a gateway listens and reads. */
export interface RawOptions {
  /** Certificate and key, for TLS on `localhost`. */
  readonly tls?: Deno.TlsCertifiedKeyPem;
  /** Whether bodies stay unread, so that closing resets the connection. @default {false} */
  readonly resets?: boolean;
  /** Whether {@linkcode RawGateway.requests} lists the requests. @default {true} */
  readonly keeps?: boolean;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/**
 * Starts a gateway on loopback.
 *
 * @param answer Answers each request.
 * @param options How it listens and reads.
 * @returns The gateway; to be disposed of (`await using`).
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { answer, startRawGateway } from "./raw_gateway.ts";
 *
 * await using gateway = startRawGateway(({ send }) => send(answer("hi")));
 * const response = await fetch(gateway.url, { method: "POST", body: "{}" });
 * assertEquals(await response.text(), "hi");
 * assertEquals(gateway.requests[0].body, "{}");
 * ```
 */
export function startRawGateway(answer: RawAnswer, options: RawOptions = {}): RawGateway {
  const { tls, resets = false, keeps = true } = options;
  const address = { hostname: "127.0.0.1", port: 0 };
  const listener = tls ? Deno.listenTls({ ...address, ...tls }) : Deno.listen(address);
  const { port } = listener.addr as Deno.NetAddr;
  const requests: RawRequest[] = [];
  const waiters = new Map<number, (request: RawRequest) => void>();
  const closers = new Set<() => void>();
  const answering = new Set<Promise<void>>();
  let connections = 0;
  let count = 0;
  let open = 0;

  async function serve(socket: Deno.Conn, connection: number): Promise<void> {
    const closing = Promise.withResolvers<void>();
    let closed = false;
    let unanswered = 0;
    const close = () => {
      if (closed) return;
      closed = true;
      open -= unanswered;
      closers.delete(close);
      socket.close();
      closing.resolve();
    };
    closers.add(close);
    const send = async (data: string | Uint8Array) => {
      const bytes = typeof data === "string" ? encoder.encode(data) : data;
      try {
        for (let at = 0; !closed && at < bytes.length;) {
          at += await socket.write(bytes.subarray(at, at + MAX_WRITE));
        }
      } catch {
        close();
      }
    };
    const reply = async (request: RawRequest) => {
      open++;
      unanswered++;
      try {
        await answer(request);
      } catch {
        close();
      }
      if (closed) return;
      unanswered--;
      open--;
    };
    try {
      if (!tls) (socket as Deno.TcpConn).setNoDelay(true);
      const reader = new RequestReader(socket, resets ? 16 : Infinity);
      for (let read = await reader.next(!resets); read; read = await reader.next(true)) {
        const { head, bytes } = read;
        const request: RawRequest = {
          number: ++count,
          connection,
          head,
          bytes,
          get body() {
            return decoder.decode(bytes);
          },
          send,
          close,
          closed: closing.promise,
          isClosed: () => closed,
        };
        if (keeps) requests.push(request);
        waiters.get(count)?.(request);
        const done = reply(request);
        answering.add(done);
        void done.then(() => answering.delete(done));
        // Reading on would leave nothing unread.
        if (resets) return;
      }
    } catch {
      // The connection was reset by the client, or closed by the answer.
    }
    close();
  }

  const accepting = (async () => {
    for (;;) {
      try {
        void serve(await listener.accept(), ++connections);
      } catch (error) {
        if (error instanceof Deno.errors.BadResource) return;
        if (error instanceof Deno.errors.Interrupted) return;
        // The client refused the certificate: the next one may not.
      }
    }
  })();
  return {
    url: `${tls ? "https://localhost" : "http://127.0.0.1"}:${port}`,
    port,
    requests,
    get open() {
      return open;
    },
    request(number) {
      const found = requests[number - 1];
      return found
        ? Promise.resolve(found)
        : new Promise((resolve) => waiters.set(number, resolve));
    },
    async [Symbol.asyncDispose]() {
      listener.close();
      await accepting;
      for (const close of closers) close();
      await Promise.all(answering);
    },
  };
}

/** Most bytes of one write: the kernel takes about as much before it blocks. */
const MAX_WRITE = 256 * 1024;

/** Reads HTTP/1.1 requests off a connection, one after the other. */
class RequestReader {
  readonly #socket: Pick<Deno.Conn, "read">;
  readonly #step: number;
  #buffer = new Uint8Array(64 * 1024);
  #filled = 0;

  /** `step` is the number of bytes that one read takes at most. */
  constructor(socket: Pick<Deno.Conn, "read">, step: number) {
    this.#socket = socket;
    this.#step = step;
  }

  /** The next request, or undefined when the client has closed the connection. */
  async next(withBody: boolean): Promise<{ head: string; bytes: Uint8Array } | undefined> {
    const end = await this.#lineEnd(true);
    if (end === -1) return undefined;
    const head = decoder.decode(this.#take(end));
    if (!withBody) return { head, bytes: new Uint8Array() };
    const bytes = /^transfer-encoding: *chunked/im.test(head)
      ? await this.#chunks()
      : await this.#exactly(Number(/^content-length: *(\d+)/im.exec(head)?.[1] ?? 0));
    return bytes && { head, bytes };
  }

  /** The length up to the end of a line, or of an empty line; -1 where it never comes. */
  async #lineEnd(empty = false): Promise<number> {
    let from = 0;
    do {
      const bytes = this.#buffer.subarray(0, this.#filled);
      for (let at = from; (at = bytes.indexOf(10, at)) !== -1; at++) {
        if (!empty || (bytes[at - 1] === 13 && bytes[at - 2] === 10)) return at + 1;
      }
      from = bytes.length;
    } while (await this.#read());
    return -1;
  }

  /** A body of a known length; undefined where it breaks off. */
  async #exactly(length: number): Promise<Uint8Array | undefined> {
    while (this.#filled < length) if (!await this.#read(length)) return undefined;
    return this.#take(length);
  }

  /** A chunked body; undefined where it breaks off. */
  async #chunks(): Promise<Uint8Array | undefined> {
    const parts: Uint8Array[] = [];
    for (;;) {
      const line = await this.#lineEnd();
      if (line === -1) return undefined;
      const size = parseInt(decoder.decode(this.#take(line)), 16);
      const part = await this.#exactly(size + 2);
      if (part === undefined) return undefined;
      if (size === 0) return concat(parts);
      parts.push(part.subarray(0, size));
    }
  }

  /** Takes bytes from the front, as a copy. */
  #take(length: number): Uint8Array {
    const taken = this.#buffer.slice(0, length);
    this.#buffer.copyWithin(0, length, this.#filled);
    this.#filled -= length;
    return taken;
  }

  /** Reads once, with room for `wanted` bytes in all; false at the connection's end. */
  async #read(wanted = 0): Promise<boolean> {
    if (this.#filled === this.#buffer.length) {
      const larger = new Uint8Array(Math.max(wanted, this.#buffer.length * 4));
      larger.set(this.#buffer);
      this.#buffer = larger;
    }
    const room = this.#buffer.subarray(this.#filled, this.#filled + this.#step);
    const count = await this.#socket.read(room);
    this.#filled += count ?? 0;
    return count !== null;
  }
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** The head of a streamed answer, whose body is sent with {@linkcode chunk}. */
export const STREAM_HEAD =
  "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";

/** The end of such an answer. */
export const STREAM_END = "0\r\n\r\n";

/** A piece of a streamed answer's body, with HTTP's framing. */
export function chunk(data: string | Uint8Array): Uint8Array {
  const bytes = typeof data === "string" ? encoder.encode(data) : data;
  const size = encoder.encode(`${bytes.length.toString(16)}\r\n`);
  return concat([size, bytes, encoder.encode("\r\n")]);
}

/**
 * A whole answer.
 *
 * @param body Its body.
 * @param head Status and headers beside the length; JSON and 200 by default.
 * @returns Head and body.
 */
export function answer(
  body: string,
  head: { status?: number; headers?: Record<string, string> } = {},
): string {
  const { status = 200, headers = { "content-type": "application/json" } } = head;
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`).join("");
  const length = encoder.encode(body).length;
  return `HTTP/1.1 ${status} Some Reason\r\n${lines}content-length: ${length}\r\n\r\n${body}`;
}
