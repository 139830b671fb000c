/**
 * A server of `lib/http1` under test, and what its handlers saw.
 *
 * @module
 */

import { type Handler, type ServerTimes, startHttpServer } from "../../lib/http1/server.ts";
import type { ClientRequest } from "../../lib/http1/request.ts";
import { inTime, RawClient } from "./fault_bridge.ts";

/** A server under test. */
export interface TestServer extends AsyncDisposable {
  /** Its port. */
  readonly port: number;
  /** Connects, and sends. */
  readonly send: (request: string) => Promise<RawClient>;
  /** As of the server. */
  readonly shutdown: () => Promise<void>;
  /** As of the server. */
  readonly abort: () => void;
}

/**
 * Starts a server; disposing of it closes every connection.
 *
 * @param handler Answers requests.
 * @param times How long things may take.
 *
 * @example
 * ```ts
 * import { startTestServer } from "./http_server.ts";
 *
 * await using server = startTestServer(() => new Response("hi"));
 * const client = await server.send("GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
 * if (!(await client.read()).endsWith("hi")) throw new Error("answered");
 * client.leave();
 * ```
 */
export function startTestServer(handler: Handler, times?: ServerTimes): TestServer {
  const server = startHttpServer("127.0.0.1", 0, handler, times);
  let stopped: Promise<void> | undefined;
  const shutdown = () => stopped ??= server.shutdown();
  return {
    port: server.port,
    send: (request) => RawClient.send(server.port, request),
    shutdown,
    abort: server.abort,
    async [Symbol.asyncDispose]() {
      const stopping = shutdown();
      server.abort();
      await inTime("the end of the server", stopping);
    },
  };
}

/** A handler's answer: what it was asked. */
export async function echo(request: ClientRequest): Promise<Response> {
  const body = new TextDecoder().decode(await request.arrayBuffer());
  return new Response(`[${request.method} ${request.url} ${body}]`);
}

/** A `GET`; further lines each with their CRLF. */
export function get(path: string, more = ""): string {
  return `GET ${path} HTTP/1.1\r\nhost: a\r\n${more}\r\n`;
}

/** A stream that a test feeds, and that tells of its cancel. */
export class FedStream {
  readonly #cancelled = Promise.withResolvers<void>();
  #controller: ReadableStreamDefaultController<Uint8Array<ArrayBuffer>> | undefined;
  /** How many pieces were asked for. */
  pulls = 0;
  /** Resolves at the cancel. */
  readonly cancelled: Promise<void> = this.#cancelled.promise;
  /** The stream. */
  readonly stream: ReadableStream<Uint8Array<ArrayBuffer>> = new ReadableStream({
    start: (controller) => {
      this.#controller = controller;
    },
    pull: () => {
      this.pulls++;
    },
    cancel: () => this.#cancelled.resolve(),
  });

  /** Gives a piece. */
  give(text: string): void {
    this.#controller!.enqueue(new TextEncoder().encode(text));
  }

  /** Ends it. */
  end(): void {
    this.#controller!.close();
  }
}
