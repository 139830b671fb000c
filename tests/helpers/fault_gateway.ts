/**
 * A gateway of raw TCP: it does whatever a gateway can do wrong, byte by byte, and knows when its
 * requests were ended.
 *
 * @module
 */

/** A request that reached the gateway, and the connection on which it is answered. */
export interface FaultRequest {
  /** How many requests came before it, and one. */
  readonly number: number;
  /** Request line and headers, as they came. */
  readonly head: string;
  /** The body. */
  readonly body: string;
  /** Sends bytes; does nothing once the connection is closed. */
  readonly send: (data: string | Uint8Array) => Promise<void>;
  /** Closes the connection. */
  readonly close: () => void;
  /** Resolves when either side has closed the connection. */
  readonly closed: Promise<void>;
  /** Whether that has happened. */
  readonly isClosed: () => boolean;
}

/** What a gateway does with a request. It may answer, or not; close, or leave it open. */
export type Fault = (request: FaultRequest) => void | Promise<void>;

/** A running fault gateway. */
export interface FaultGateway extends AsyncDisposable {
  /** Its address, `http://127.0.0.1:<port>`. */
  readonly url: string;
  /** Requests so far, oldest first. */
  readonly requests: readonly FaultRequest[];
  /** How many requests have not been answered and whose connection is still open. */
  readonly open: number;
  /** The request with a number, once it has come. */
  readonly request: (number: number) => Promise<FaultRequest>;
}

/** How a fault gateway reads. */
export interface FaultOptions {
  /** Whether bodies stay unread: then closing is a reset, because the system has bytes that nobody took. @default {false} */
  readonly resets?: boolean;
}

/**
 * Starts a gateway that behaves as a function says.
 *
 * @param fault What it does with each request.
 * @param options How it reads.
 * @returns The gateway; to be disposed of (`await using`).
 *
 * @example
 * ```ts
 * import { answer, startFaultGateway } from "./fault_gateway.ts";
 *
 * await using gateway = startFaultGateway(({ send }) => send(answer("hi")));
 * const response = await fetch(gateway.url, { method: "POST", body: "{}" });
 * if (await response.text() !== "hi") throw new Error("answered");
 * ```
 */
export function startFaultGateway(fault: Fault, options: FaultOptions = {}): FaultGateway {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const closers = new Set<() => void>();
  const faults = new Set<Promise<void>>();
  const requests: FaultRequest[] = [];
  const waiters = new Map<number, (request: FaultRequest) => void>();
  let open = 0;

  async function serve(connection: Deno.TcpConn): Promise<void> {
    const closing = Promise.withResolvers<void>();
    let closed = false;
    const close = () => {
      if (closed) return;
      closed = true;
      closers.delete(close);
      connection.close();
      closing.resolve();
    };
    closers.add(close);
    const send = async (data: string | Uint8Array) => {
      let rest = typeof data === "string" ? new TextEncoder().encode(data) : data;
      try {
        while (!closed && rest.length > 0) rest = rest.subarray(await connection.write(rest));
      } catch {
        close();
      }
    };
    const reader = new RequestReader(connection);
    try {
      for (let read = await reader.next(!options.resets); read; read = await reader.next(true)) {
        const request: FaultRequest = {
          number: requests.length + 1,
          ...read,
          send,
          close,
          closed: closing.promise,
          isClosed: () => closed,
        };
        requests.push(request);
        waiters.get(request.number)?.(request);
        open++;
        const done = (async () => await fault(request))().catch(close);
        faults.add(done);
        void done.then(() => faults.delete(done));
        void Promise.race([done, closing.promise]).finally(() => open--);
        // With a body unread nothing more is read: the close is to be a reset.
        if (options.resets) return;
      }
    } catch {
      // Reset by the bridge, or closed from here.
    }
    close();
  }

  const accepting = (async () => {
    for await (const connection of listener) {
      void serve(connection);
    }
  })();
  return {
    url: `http://127.0.0.1:${listener.addr.port}`,
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
      await Promise.all(faults);
    },
  };
}

/** Reads requests from a connection, one after the other. */
class RequestReader {
  readonly #connection: Deno.TcpConn;
  #bytes = new Uint8Array();

  constructor(connection: Deno.TcpConn) {
    this.#connection = connection;
  }

  /** The next request, or undefined when the connection is closed. */
  async next(withBody: boolean): Promise<{ head: string; body: string } | undefined> {
    // A small piece at a time where the body is to stay unread.
    const piece = new Uint8Array(withBody ? 64 * 1024 : 16);
    let end = -1;
    while ((end = this.#headEnd()) === -1) {
      if (!await this.#read(piece)) return undefined;
    }
    const head = new TextDecoder().decode(this.#bytes.subarray(0, end));
    this.#bytes = this.#bytes.slice(end);
    if (!withBody) return { head, body: "" };
    const length = Number(/^content-length: *(\d+)/im.exec(head)?.[1] ?? 0);
    while (this.#bytes.length < length) if (!await this.#read(piece)) return undefined;
    const body = new TextDecoder().decode(this.#bytes.subarray(0, length));
    this.#bytes = this.#bytes.slice(length);
    return { head, body };
  }

  #headEnd(): number {
    for (let at = 3; at < this.#bytes.length; at++) {
      if (this.#bytes[at] === 10 && this.#bytes[at - 1] === 13 && this.#bytes[at - 2] === 10) {
        return at + 1;
      }
    }
    return -1;
  }

  async #read(piece: Uint8Array): Promise<boolean> {
    const count = await this.#connection.read(piece);
    if (count === null) return false;
    const bytes = new Uint8Array(this.#bytes.length + count);
    bytes.set(this.#bytes);
    bytes.set(piece.subarray(0, count), this.#bytes.length);
    this.#bytes = bytes;
    return true;
  }
}

/** The head of a streamed answer, whose body is sent with {@linkcode chunk}. */
export const STREAM_HEAD =
  "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";

/** The end of such an answer. */
export const STREAM_END = "0\r\n\r\n";

/**
 * A piece of a streamed answer's body.
 *
 * @param data Text or bytes.
 * @returns It, with its length in front.
 */
export function chunk(data: string | Uint8Array): Uint8Array {
  const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data;
  const framed = [...new TextEncoder().encode(`${bytes.length.toString(16)}\r\n`)];
  const whole = new Uint8Array(framed.length + bytes.length + 2);
  whole.set(framed);
  whole.set(bytes, framed.length);
  whole.set([13, 10], framed.length + bytes.length);
  return whole;
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
  const length = new TextEncoder().encode(body).length;
  return `HTTP/1.1 ${status} Some Reason\r\n${lines}content-length: ${length}\r\n\r\n${body}`;
}
