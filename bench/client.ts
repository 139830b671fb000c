/**
 * The load client: HTTP/1.1 over raw TCP. It must cost next to nothing beside what it measures, so it
 * parses no JSON: it walks over HTTP's chunks, counts the `data:` in them, and notes the time.
 *
 * @module
 */

import { BodyWalker, EventCounter } from "./body.ts";
import { clock } from "./gateway.ts";

/** What a request came to. */
export interface Reply {
  /** The HTTP status; 0 when there was no answer. */
  readonly status: number;
  /** Whether the body came to its end as HTTP wants it. */
  readonly whole: boolean;
  /** How many `data:` were in the body. */
  readonly events: number;
  /** From the request's first byte out to the body's first byte in, in microseconds. */
  readonly firstByte: number;
  /** Why it is not whole, in a word or two. */
  readonly failure?: string;
}

/** How a request is sent. */
export interface SendOptions {
  /** Told of each piece of the body, and of the time at which it was read, as {@linkcode clock} has it. */
  readonly onPiece?: (bytes: Uint8Array, time: number) => void;
  /** Milliseconds after which the connection is closed. @default {30000} */
  readonly deadline?: number;
}

const latin1 = new TextDecoder("latin1");

/** How the body of an answer ends, from the answer's head. */
function framingOf(head: string): "chunked" | "close" | number {
  if (/\r\ntransfer-encoding:\s*chunked/i.test(head)) return "chunked";
  const length = /\r\ncontent-length:\s*(\d+)/i.exec(head)?.[1];
  return length === undefined ? "close" : Number(length);
}

/**
 * A connection to the server under test. It is opened when needed and kept as long as the server
 * keeps it.
 *
 * @example
 * ```ts
 * import { Connection } from "./client.ts";
 * import { startGateway } from "./gateway.ts";
 *
 * const gateway = startGateway();
 * const connection = new Connection(gateway.port);
 * const request = new TextEncoder().encode("GET /models HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n");
 * const reply = await connection.send(request);
 * connection.close();
 * await gateway.close();
 * if (reply.status !== 200 || !reply.whole) throw new Error("answered");
 * ```
 */
export class Connection {
  readonly #port: number;
  readonly #connect: (port: number) => Promise<Deno.Conn>;
  readonly #buffer = new Uint8Array(64 * 1024);
  #open: Deno.Conn | undefined;

  /**
   * Connects to nothing yet.
   *
   * @param port The server's on 127.0.0.1.
   * @param connect How it is connected, where it isn't plain TCP.
   */
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

  /**
   * Sends a request and reads its answer to the end. Never rejects: what went wrong stands in the reply.
   *
   * @param request Head and body.
   * @param options What to tell, and when to give up.
   */
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
      const connection = this.#open ??= await this.#connect(this.#port);
      const sent = clock();
      for (let at = 0; at < request.length;) at += await connection.write(request.subarray(at));
      let head = "";
      let time = 0;
      const take = (bytes: Uint8Array) => {
        if (bytes.length === 0) return;
        if (firstByte === 0) firstByte = time - sent;
        counter.add(bytes);
        onPiece?.(bytes, time);
      };
      for (;;) {
        const length = await connection.read(this.#buffer);
        time = clock();
        if (length === null) {
          return reply(head !== "" && walker && framingOf(head) === "close" ? undefined : "closed");
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
