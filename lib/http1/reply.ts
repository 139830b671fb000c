/**
 * What a handler gives for an answer.
 *
 * @module
 */

/**
 * An answer. A `Response` would do as well, but the first one of a program takes 5 ms and 3 MiB, and
 * each after that some microseconds.
 */
export interface Reply {
  /** The HTTP status. */
  readonly status: number;
  /** The fields, by name in lower case; how long the body is, is not among them. */
  readonly headers: Readonly<Record<string, string>>;
  /** Text, as UTF-8, bytes, or what comes bit by bit; null for none. */
  readonly body: string | Uint8Array<ArrayBuffer> | Pieces | null;
}

/**
 * A body that comes bit by bit. A `ReadableStream` would do as well, but it costs each event as much as
 * all that the bridge does to it, and what V8 compiles for it at leisure holds later events up.
 */
export interface Pieces {
  /**
   * The next piece, text as UTF-8; undefined at the end. One call at a time. Rejects where the body
   * breaks off.
   */
  next(): Promise<string | Uint8Array<ArrayBuffer> | undefined>;
  /** Nobody wants the rest; a call of `next()` that is under way gives undefined. */
  cancel(reason?: unknown): void;
  /** Whether nothing comes behind what was given. */
  readonly over: boolean;
}

/**
 * Whether a body comes bit by bit.
 *
 * @example
 * ```ts
 * import { inPieces, piecesOf } from "./reply.ts";
 *
 * if (inPieces("text") || inPieces(null)) throw new Error("whole");
 * if (!inPieces(piecesOf(new Blob(["text"]).stream()))) throw new Error("bit by bit");
 * ```
 */
export function inPieces(body: Reply["body"]): body is Pieces {
  return body !== null && typeof body === "object" && "next" in body;
}

/**
 * A stream as pieces.
 *
 * @example
 * ```ts
 * import { piecesOf } from "./reply.ts";
 *
 * const pieces = piecesOf(new Blob(["text"]).stream());
 * if ((await pieces.next())?.length !== 4) throw new Error("four bytes");
 * if (await pieces.next() !== undefined || !pieces.over) throw new Error("the end");
 * ```
 */
export function piecesOf(stream: ReadableStream<Uint8Array<ArrayBuffer>>): Pieces {
  return new StreamPieces(stream.getReader());
}

class StreamPieces implements Pieces {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>>;
  over = false;

  constructor(reader: ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>>) {
    this.#reader = reader;
  }

  async next(): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const { value, done } = await this.#reader.read();
    this.over = done;
    return value;
  }

  cancel(reason?: unknown): void {
    this.over = true;
    this.#reader.cancel(reason).catch(() => {});
  }
}

/**
 * Pieces as a stream. Nothing is read that nobody asked for.
 *
 * @example
 * ```ts
 * import { piecesOf, toStream } from "./reply.ts";
 *
 * const stream = toStream(piecesOf(new Blob(["text"]).stream()));
 * if (await new Response(stream).text() !== "text") throw new Error("the same");
 * ```
 */
export function toStream(pieces: Pieces): ReadableStream<Uint8Array<ArrayBuffer>> {
  const encoder = new TextEncoder();
  return new ReadableStream<Uint8Array<ArrayBuffer>>({
    async pull(controller) {
      for (;;) {
        const piece = await pieces.next();
        if (piece) controller.enqueue(typeof piece === "string" ? encoder.encode(piece) : piece);
        if (piece === undefined || pieces.over) return controller.close();
        if (piece.length > 0) return;
      }
    },
    cancel: (reason) => pieces.cancel(reason),
  }, { highWaterMark: 0 });
}

/**
 * An answer that is JSON.
 *
 * @param value What is said.
 * @param more Another status than 200, further fields.
 *
 * @example
 * ```ts
 * import { jsonReply } from "./reply.ts";
 *
 * const { status, headers, body } = jsonReply({ a: 1 });
 * if (status !== 200 || headers["content-type"] !== "application/json" || body !== '{"a":1}') {
 *   throw new Error("JSON");
 * }
 * ```
 */
export function jsonReply(value: unknown, more: Partial<Omit<Reply, "body">> = {}): Reply {
  return {
    status: more.status ?? 200,
    headers: { "content-type": "application/json", ...more.headers },
    body: JSON.stringify(value),
  };
}

/**
 * An answer that is text.
 *
 * @example
 * ```ts
 * import { textReply } from "./reply.ts";
 *
 * if (textReply("hi").headers["content-type"] !== "text/plain; charset=utf-8") throw new Error("text");
 * ```
 */
export function textReply(body: string, type = "text/plain; charset=utf-8"): Reply {
  return { status: 200, headers: { "content-type": type }, body };
}

/**
 * The same as a `Response`, for `Deno.serve` and for tests.
 *
 * @example
 * ```ts
 * import { jsonReply, toResponse } from "./reply.ts";
 *
 * const response = toResponse(jsonReply({ a: 1 }));
 * if ((await response.json()).a !== 1) throw new Error("the same");
 * ```
 */
export function toResponse({ status, headers, body }: Reply): Response {
  return new Response(inPieces(body) ? toStream(body) : body, { status, headers });
}

/**
 * The same the other way round.
 *
 * @param response Its body is read when it isn't one that comes bit by bit.
 * @throws Whatever its body fails with.
 *
 * @example
 * ```ts
 * import { toReply } from "./reply.ts";
 *
 * const reply = await toReply(Response.json({ a: 1 }));
 * if (!(reply.body instanceof Uint8Array) || reply.body.length !== 7) throw new Error("read");
 * ```
 */
export async function toReply(response: Response): Promise<Reply> {
  const { status } = response;
  const headers = Object.fromEntries(response.headers);
  const type = headers["content-type"];
  const streams = type === undefined || type.startsWith("text/event-stream");
  if (!streams) return { status, headers, body: new Uint8Array(await response.arrayBuffer()) };
  return { status, headers, body: response.body && piecesOf(response.body) };
}
