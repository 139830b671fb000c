/**
 * What a server answered, as the bridge reads it.
 *
 * @module
 */

import { type Body, readAll } from "./body.ts";
import { type BodyEvents, bodyStream, type ByteReader, byteReader } from "./body_readers.ts";
import { hasBody, type ReadableHeaders } from "./head.ts";

/** What the bridge needs of an answer. Every `Response` is one; the client's own are lighter. */
export interface HttpAnswer extends Pick<Response, "status" | "ok" | "body" | "arrayBuffer"> {
  /** The fields. */
  readonly headers: ReadableHeaders;
  /** The body in pieces, without a stream around it; where it is missing there is only `body`. */
  readonly pieces?: () => ByteReader;
}

/**
 * An answer whose body is still to be read: as a whole, in pieces or as a stream.
 *
 * @example
 * ```ts
 * import { ReceivedAnswer } from "./answer.ts";
 * import { Body } from "./body.ts";
 * import { Connection } from "./connection.ts";
 *
 * const socket = {
 *   read: (into: Uint8Array) => Promise.resolve(into.set([104, 105]) ?? 2),
 *   write: () => Promise.reject(new Error("not here")),
 *   closeWrite: () => Promise.resolve(),
 *   close: () => {},
 * };
 * const body = new Body(new Connection(socket), 2);
 * const answer = new ReceivedAnswer(200, new Headers(), body, {});
 * if (!answer.ok || (await answer.arrayBuffer()).byteLength !== 2) throw new Error("two bytes");
 * ```
 */
export class ReceivedAnswer implements HttpAnswer {
  /** The HTTP status. */
  readonly status: number;
  /** The fields. */
  readonly headers: ReadableHeaders;
  readonly #body: Body;
  readonly #events: BodyEvents;
  #stream: ReadableStream<Uint8Array<ArrayBuffer>> | undefined;

  /** Makes an answer of its head, its body, and who is told what becomes of it. */
  constructor(status: number, headers: ReadableHeaders, body: Body, events: BodyEvents) {
    this.status = status;
    this.headers = headers;
    this.#body = body;
    this.#events = events;
  }

  /** Whether the status is one of success. */
  get ok(): boolean {
    return this.status >= 200 && this.status < 300;
  }

  /** The body as a stream, or null where such a status has none. */
  get body(): ReadableStream<Uint8Array<ArrayBuffer>> | null {
    if (!hasBody(this.status)) return null;
    return this.#stream ??= bodyStream(this.#body, this.#events);
  }

  /** The body in pieces. */
  pieces(): ByteReader {
    return byteReader(this.#body, this.#events);
  }

  /** The whole body. */
  async arrayBuffer(): Promise<ArrayBuffer> {
    const { onComplete, onBroken, failure } = this.#events;
    try {
      const bytes = await readAll(this.#body);
      onComplete?.();
      return bytes;
    } catch (error) {
      onBroken?.();
      throw failure?.(error);
    }
  }
}
