/**
 * The bodies of the gateway's answers, before anybody looks at what they say.
 *
 * @module
 */

import { BridgeError } from "../errors.ts";
import type { ClientAnswer } from "./answer_handler.ts";

/** The longest refusal that is read, in characters. */
const MAX_REFUSAL = 1024 * 1024;

/** How long the body of a refusal may take, in milliseconds. */
const REFUSAL_TIME = 10_000;

/** Something that bytes are piped through. */
type Bytes = ReadableWritablePair<Uint8Array, Uint8Array>;

/** A decoder of the web's. Its types know no brotli yet, and want bytes that are not shared. */
function webDecoder(format: string): () => Bytes {
  return () => new DecompressionStream(format as CompressionFormat) as unknown as Bytes;
}

/** `content-encoding` → what takes it back. */
const DECODERS: ReadonlyMap<string, () => Bytes | Promise<Bytes>> = new Map<
  string,
  () => Bytes | Promise<Bytes>
>([
  ["gzip", webDecoder("gzip")],
  ["x-gzip", webDecoder("gzip")],
  ["deflate", webDecoder("deflate")],
  ["br", webDecoder("brotli")],
  ["zstd", zstdDecoder],
]);

/** The web's streams have no zstd, and undici has loaded these modules already. */
async function zstdDecoder(): Promise<Bytes> {
  const { createZstdDecompress } = await import("node:zlib");
  const { Duplex } = await import("node:stream");
  return Duplex.toWeb(createZstdDecompress()) as unknown as Bytes;
}

/**
 * Decompresses an answer: proxies in between may compress although the request does not accept it.
 *
 * @param answer The gateway's. Its body isn't read yet.
 * @returns The answer, whose body ends where it can't be decompressed any further, with the cause.
 * @throws {BridgeError} kind `gateway`, for an encoding that isn't known; the body is cancelled.
 *
 * @example
 * ```ts
 * import { decoded } from "./body.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const zipped = new Blob(["hi"]).stream().pipeThrough(new CompressionStream("gzip"));
 * const { response } = await decoded({
 *   response: new Response(zipped, { headers: { "content-encoding": "gzip" } }),
 *   failure: () => undefined,
 * });
 * assertEquals(await response.text(), "hi");
 * ```
 */
export async function decoded(answer: ClientAnswer): Promise<ClientAnswer> {
  const { response } = answer;
  const encoding = response.headers.get("content-encoding")?.trim().toLowerCase() ?? "";
  if (encoding === "" || encoding === "identity" || response.body === null) return answer;
  const decoder = DECODERS.get(encoding);
  if (decoder === undefined) {
    response.body.cancel().catch(() => {});
    throw new BridgeError(
      "gateway",
      `The gateway's answer is compressed as "${
        encoding.slice(0, 40)
      }", which the bridge can't read. A proxy in between may have done that: exempt the gateway from it.`,
      { code: "content_encoding" },
    );
  }
  const headers = new Headers(response.headers);
  headers.delete("content-encoding");
  headers.delete("content-length");
  const body = response.body.pipeThrough(await decoder());
  return closing(new Response(body, { status: response.status, headers }), answer.failure);
}

/**
 * An answer whose body ends where another would fail.
 *
 * @param response The other; its body isn't read yet.
 * @param before Why its bytes broke off, where that is known; it is the cause of what followed.
 */
export function closing(response: Response, before: () => unknown = () => undefined): ClientAnswer {
  let failure: unknown;
  const reader = response.body?.getReader();
  const body = reader && new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        const { done, value } = await reader.read();
        if (!done) return controller.enqueue(value);
      } catch (cause) {
        failure = cause;
      }
      controller.close();
    },
    cancel: (reason) => reader.cancel(reason),
  }, { highWaterMark: 0 });
  const { status, headers } = response;
  return {
    response: new Response(body ?? null, { status, headers }),
    failure: () => before() ?? failure,
  };
}

/**
 * The body of a refusal, at most 1 MiB of it and for at most ten seconds. One that breaks off is a
 * refusal all the same: its status says enough.
 *
 * @param response The gateway's, body unread.
 */
export async function readRefusal(response: Response): Promise<string> {
  if (response.body === null) return "";
  const reader = response.body.getReader();
  const timer = setTimeout(() => reader.cancel().catch(() => {}), REFUSAL_TIME);
  const decoder = new TextDecoder();
  let text = "";
  try {
    while (text.length <= MAX_REFUSAL) {
      const { done, value } = await reader.read();
      if (done) break;
      text += decoder.decode(value, { stream: true });
    }
  } catch {
    // What came until then is all there is.
  } finally {
    clearTimeout(timer);
    reader.cancel().catch(() => {});
  }
  return text.slice(0, MAX_REFUSAL);
}
