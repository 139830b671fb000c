/**
 * The bodies of the gateway's answers, before anybody looks at what they say.
 *
 * @module
 */

import { BridgeError } from "../errors.ts";

/** The longest refusal that is read, in characters. */
const MAX_REFUSAL = 1024 * 1024;

/** How long the body of a refusal may take, in milliseconds. */
const REFUSAL_TIME = 10_000;

/** `content-encoding` → the format that takes it back. */
const ENCODINGS: ReadonlyMap<string, CompressionFormat> = new Map([
  ["gzip", "gzip"],
  ["x-gzip", "gzip"],
  ["deflate", "deflate"],
  // Deno knows it, and TypeScript's library not yet.
  ["br", "brotli" as CompressionFormat],
]);

/**
 * An answer without the compression that nobody asked for; proxies in between add it.
 *
 * @throws {BridgeError} kind `gateway`, for an encoding that isn't known; the body is cancelled.
 *
 * @example
 * ```ts
 * import { decoded } from "./body.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const zipped = new Blob(["hi"]).stream().pipeThrough(new CompressionStream("gzip"));
 * const response = new Response(zipped, { headers: { "content-encoding": "gzip" } });
 * assertEquals(await decoded(response).text(), "hi");
 * ```
 */
export function decoded(response: Response): Response {
  const encoding = response.headers.get("content-encoding")?.trim().toLowerCase() ?? "";
  if (encoding === "" || encoding === "identity" || response.body === null) return response;
  const format = ENCODINGS.get(encoding);
  if (format === undefined) {
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
  return new Response(response.body.pipeThrough(new DecompressionStream(format)), {
    status: response.status,
    headers,
  });
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
