/**
 * The HTTP client for everything outside: the gateway, the workspace, token servers. It is undici, with
 * what the bridge needs around it: an answer's body that ends where it breaks off and says why, pieces
 * as the socket brought them, and no request that is ever sent twice.
 *
 * undici is loaded with the first request or by {@linkcode Client.preload}, because that takes 60 ms and
 * 8 MiB that the start need not wait for.
 *
 * @module
 */

import { AnswerHandler, type ClientAnswer } from "./answer_handler.ts";
import type { Connections } from "./connections.ts";
import { checkProxy, ProxyError } from "./proxy_error.ts";
import { RequestFailure } from "./request_failure.ts";

export { type ClientAnswer, RequestFailure };

/** A request. */
export interface ClientRequest {
  /** The method. */
  readonly method: string;
  /** Its headers. */
  readonly headers: Readonly<Record<string, string>>;
  /** Its body, if it has one. */
  readonly body?: string | Uint8Array;
  /** Ends the request at any stage. */
  readonly signal?: AbortSignal;
}

/** Sends requests. */
export interface Client {
  /**
   * Sends a request, once: not again after a connection that closed, and to no address that a redirect
   * points to.
   *
   * @throws {RequestFailure} When no answer begins; the signal's reason when it ends the request.
   */
  send(url: string, request: ClientRequest): Promise<ClientAnswer>;
  /** Loads what the first request needs. */
  preload?(): Promise<void>;
  /** Closes kept connections, and ends what is under way. */
  close(): Promise<void>;
}

/** How a {@linkcode Client} behaves. Times are in milliseconds; 0 means no limit. */
export interface ClientOptions {
  /** How long a connection may take, and a proxy's tunnel and the encryption in it after that. */
  readonly connectTimeout: number;
  /** How long an answer may take to begin, once there is a connection. */
  readonly firstByteTimeout: number;
  /** How long an answer's body may be silent while a read is pending. */
  readonly idleTimeout: number;
  /** Certificates of authorities (PEM) to trust beside those that Deno trusts. @default none */
  readonly authorities?: string;
  /** The proxy on the way to a URL, with its user and password. @default none */
  readonly proxyFor?: (url: URL) => string | undefined;
}

/**
 * Makes a client. It keeps a connection for 20 s after an answer, opens as many as there are requests at
 * the same time, and never sends a request on a connection that is waiting for another's answer.
 *
 * @param options Timeouts, certificates, proxies.
 *
 * @example
 * ```ts
 * import { createClient } from "./client.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const server = Deno.serve({ port: 0, onListen() {} }, () => new Response("hi"));
 * const client = createClient({ connectTimeout: 1000, firstByteTimeout: 1000, idleTimeout: 1000 });
 * const url = `http://127.0.0.1:${server.addr.port}`;
 * const { response } = await client.send(url, { method: "GET", headers: {} });
 * assertEquals(await response.text(), "hi");
 * await client.close();
 * await server.shutdown();
 * ```
 */
export function createClient(options: ClientOptions): Client {
  const { firstByteTimeout, idleTimeout, proxyFor = () => undefined } = options;
  let waiting = 0;
  let loading: Promise<Connections> | undefined;
  const load = () =>
    loading ??= import("./connections.ts").then(({ Connections }) =>
      new Connections({ ...options, isNeeded: () => waiting > 0 })
    );
  return {
    async preload() {
      await load();
    },
    async send(text, { method, headers, body, signal }) {
      signal?.throwIfAborted();
      const url = new URL(text);
      const proxy = proxyFor(url);
      if (proxy !== undefined) checkProxy(proxy);
      const connections = await load();
      signal?.throwIfAborted();
      const handler = new AnswerHandler({
        firstByteTimeout,
        idleTimeout,
        signal,
        onWaited: () => waiting--,
      });
      waiting++;
      try {
        connections.send(url, proxy, { method, headers, body }, handler);
      } catch (cause) {
        handler.onResponseError(undefined, cause);
      }
      return await (proxy === undefined || url.protocol === "https:"
        ? handler.answer
        : throughProxy(proxy, handler.answer));
    },
    async close() {
      await (await loading)?.close();
    },
  };
}

/** Plain HTTP through a proxy has no tunnel: what fails on the way is the proxy's. */
async function throughProxy(proxy: string, asking: Promise<ClientAnswer>): Promise<ClientAnswer> {
  const answer = await asking.catch((cause) => {
    throw cause instanceof RequestFailure && !cause.sent
      ? new RequestFailure(new ProxyError(proxy, cause.cause), false)
      : cause;
  });
  const { status, body } = answer.response;
  if (status !== 407) return answer;
  await body?.cancel();
  throw new RequestFailure(new ProxyError(proxy, `It answered ${status}.`, status), true);
}
