/**
 * A request as the bridge's handlers take it.
 *
 * @module
 */

import { type Body, readAll } from "./body.ts";
import { bodyStream } from "./body_readers.ts";
import type { Head, ReadableHeaders } from "./head.ts";

/**
 * What the bridge needs of a request. Every `Request` is one; the server's own are lighter, because a
 * `Request` with a stream in it takes 13 µs to make.
 */
export interface ClientRequest
  extends Pick<Request, "method" | "url" | "signal" | "body" | "arrayBuffer"> {
  /** The fields. */
  readonly headers: ReadableHeaders;
}

/**
 * One request on a connection.
 *
 * @example
 * ```ts
 * import { Body } from "./body.ts";
 * import { Connection } from "./connection.ts";
 * import { IncomingRequest } from "./request.ts";
 *
 * const socket = {
 *   read: (into: Uint8Array) => Promise.resolve(into.set([104, 105]) ?? 2),
 *   write: () => Promise.reject(new Error("not here")),
 *   closeWrite: () => Promise.resolve(),
 *   close: () => {},
 * };
 * const body = new Body(new Connection(socket), 2);
 * const head = { start: "POST /a HTTP/1.1", headers: new Headers() };
 * const request = new IncomingRequest(head, body);
 * if (request.url !== "http://localhost/a") throw new Error(request.url);
 * if ((await request.arrayBuffer()).byteLength !== 2) throw new Error("two bytes");
 * ```
 */
export class IncomingRequest implements ClientRequest {
  /** As it was sent: methods are case-sensitive. */
  readonly method: string;
  /**
   * The target behind a host that stands for whatever this machine is called. Which host was asked for
   * is in the header, for whoever it matters to.
   */
  readonly url: string;
  /** The fields. */
  readonly headers: ReadableHeaders;
  readonly #bytes: Body;
  #controller: AbortController | undefined;
  #left: unknown;
  #stream: ReadableStream<Uint8Array<ArrayBuffer>> | undefined;

  /**
   * Makes a request.
   *
   * @param head Its head; the request line was checked.
   * @param body Its body, unread.
   */
  constructor({ start, headers }: Head, body: Body) {
    const [method, target] = start.split(" ");
    this.method = method;
    this.url = target.startsWith("/") ? `http://localhost${target}` : target;
    this.headers = headers;
    this.#bytes = body;
  }

  /** Ends if the client leaves before its answer is complete. */
  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.#left !== undefined) this.#controller.abort(this.#left);
    return this.#controller.signal;
  }

  /** Tells the handler that the client has left. */
  leave(): void {
    this.#left ??= new DOMException("The client left.", "AbortError");
    this.#controller?.abort(this.#left);
  }

  /** The body, as it comes. */
  get body(): ReadableStream<Uint8Array<ArrayBuffer>> | null {
    if (this.#bytes.complete && this.#stream === undefined) return null;
    return this.#stream ??= bodyStream(this.#bytes);
  }

  /** The whole body. */
  arrayBuffer(): Promise<ArrayBuffer> {
    return readAll(this.#bytes);
  }
}
