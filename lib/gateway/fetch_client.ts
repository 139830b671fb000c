/**
 * Between a {@linkcode Client} and `fetch`: a client on a function of `fetch`'s shape, for the simulated
 * gateway, which answers without a socket; and a function of `fetch`'s shape on a client, for whatever
 * else is asked outside.
 *
 * @module
 */

import { closing } from "./body.ts";
import type { Client } from "./client.ts";

/** Answers a client's requests, as `fetch` does. */
export type FetchLike = (input: string, init: RequestInit) => Promise<Response>;

/** As much of `fetch`'s shape as the program uses. */
export type Fetch = (input: string | URL, init?: RequestInit) => Promise<Response>;

/**
 * Makes a client that asks a function.
 *
 * @param send Answers requests.
 */
export function fetchClient(send: FetchLike): Client {
  return {
    send: async (url, { body, ...init }) =>
      closing(await send(url, { ...init, body: body as BodyInit, redirect: "manual" })),
    close: () => Promise.resolve(),
  };
}

/**
 * Makes a function of `fetch`'s shape that asks a client. It follows no redirect, whatever `redirect`
 * says, sends text or bytes, and its bodies fail where they break off.
 *
 * @param client Sends the requests.
 *
 * @example
 * ```ts
 * import { clientFetch, fetchClient } from "./fetch_client.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const client = fetchClient(() => Promise.resolve(new Response("hi")));
 * const response = await clientFetch(client)("https://gateway.example");
 * assertEquals(await response.text(), "hi");
 * ```
 */
export function clientFetch(client: Client): Fetch {
  return async (input, { method = "GET", headers, body, signal } = {}) => {
    if (body != null && typeof body !== "string" && !(body instanceof Uint8Array)) {
      throw new TypeError("A body is text or bytes here.");
    }
    const { response, failure } = await client.send(String(input), {
      method,
      headers: Object.fromEntries(new Headers(headers)),
      body: body ?? undefined,
      signal: signal ?? undefined,
    });
    if (response.body === null) return response;
    const failing = new TransformStream<Uint8Array, Uint8Array>({
      flush() {
        const cause = failure();
        if (cause !== undefined) throw cause;
      },
    });
    return new Response(response.body.pipeThrough(failing), response);
  };
}
