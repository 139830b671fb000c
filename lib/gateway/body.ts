/**
 * The bodies of the gateway's answers, before anybody looks at what they say.
 *
 * @module
 */

/** The longest refusal that is read, in characters. */
const MAX_REFUSAL = 1024 * 1024;

/** How long the body of a refusal may take. */
const REFUSAL_TIME = 10_000;

/** `content-encoding` → what takes it back. */
const ENCODINGS: Readonly<Record<string, CompressionFormat>> = {
  gzip: "gzip",
  "x-gzip": "gzip",
  deflate: "deflate",
};

/**
 * An answer without the compression that nobody asked for: proxies in between add it. `fetch` leaves it
 * in place where a request says `accept-encoding: identity`.
 *
 * @example
 * ```ts
 * import { decoded } from "./body.ts";
 *
 * const zipped = new Blob(["hi"]).stream().pipeThrough(new CompressionStream("gzip"));
 * const response = new Response(zipped, { headers: { "content-encoding": "gzip" } });
 * const text = await new Response(decoded(response).body).text();
 * if (text !== "hi") throw new Error("taken back");
 * ```
 */
export function decoded(response: Response): Response {
  const encoding = response.headers.get("content-encoding")?.trim().toLowerCase() ?? "identity";
  const format = ENCODINGS[encoding];
  if (format === undefined || response.body === null) return response;
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
 * @param controller Ends its request.
 *
 * @example
 * ```ts
 * import { readRefusal } from "./body.ts";
 *
 * const text = await readRefusal(new Response("Invalid Token"), new AbortController());
 * if (text !== "Invalid Token") throw new Error(text);
 * ```
 */
export async function readRefusal(
  response: Response,
  controller: AbortController,
): Promise<string> {
  const timer = setTimeout(() => controller.abort(), REFUSAL_TIME);
  const decoder = new TextDecoder();
  let text = "";
  try {
    for await (const piece of response.body ?? []) {
      text += decoder.decode(piece, { stream: true });
      if (text.length > MAX_REFUSAL) break;
    }
  } catch {
    // What came until then is all there is.
  } finally {
    clearTimeout(timer);
  }
  return text.slice(0, MAX_REFUSAL);
}
