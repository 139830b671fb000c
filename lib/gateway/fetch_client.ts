/**
 * A {@linkcode Client} on a function of `fetch`'s shape: for the simulated gateway, which answers without
 * a socket, and for the doctor, which reads along.
 *
 * @module
 */

import type { Client, ClientAnswer } from "./client.ts";

/** A function of `fetch`'s shape. */
export type FetchLike = (input: string, init: RequestInit) => Promise<Response>;

/**
 * Makes a client that asks a function.
 *
 * @param send Answers requests.
 */
export function fetchClient(send: FetchLike): Client {
  return {
    send: async (url, init) => toAnswer(await send(url, { ...init, redirect: "manual" })),
    close: () => Promise.resolve(),
  };
}

/** A response whose body ends where it breaks off, and the cause. */
function toAnswer({ status, headers, body }: Response): ClientAnswer {
  let failure: unknown;
  const reader = body?.getReader();
  const ending = reader && new ReadableStream<Uint8Array>({
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
  return {
    response: new Response(ending ?? null, { status, headers }),
    failure: () => failure,
  };
}
