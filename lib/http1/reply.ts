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
  /** Text, as UTF-8, or bytes that come bit by bit; null for none. */
  readonly body: string | Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array<ArrayBuffer>> | null;
}

/**
 * Whether a body comes bit by bit. Not by `instanceof`: to name `ReadableStream` loads it, which takes
 * 3 ms, and no list of models needs it.
 *
 * @example
 * ```ts
 * import { isStream } from "./reply.ts";
 *
 * if (isStream("text") || isStream(null) || !isStream(new Blob(["text"]).stream())) throw new Error("stream");
 * ```
 */
export function isStream(
  body: Reply["body"],
): body is ReadableStream<Uint8Array<ArrayBuffer>> {
  return body !== null && typeof body === "object" && "getReader" in body;
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
  return new Response(body, { status, headers });
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
  const body = streams ? response.body : new Uint8Array(await response.arrayBuffer());
  return { status, headers, body };
}
