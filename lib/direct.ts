/**
 * The fast way to the gateway: `node:http` in place of `fetch`, where nothing stands in between.
 *
 * A stream of a model's is many small pieces, and what they cost is the reading: `fetch` hands over one
 * piece a turn of the event loop, `node:http` all that one read of the socket brought, in one turn
 * (`docs/performance.md` has the figures). What it gives is a `Response` like any other, so nothing
 * else knows of it.
 *
 * **When it may be taken.** `node:http` knows neither `HTTPS_PROXY` nor certificates of the user's:
 * with either of them in play, and on a Deno whose `node:http` is not faster, `fetch` goes instead.
 * {@linkcode mayGoDirect} decides, once, at start.
 *
 * @module
 */

import type { Agent, ClientRequest, IncomingMessage, RequestOptions } from "node:http";

/** What stands between the bridge and the gateway. */
export interface Surroundings {
  /** Whether requests to the gateway go through a proxy. */
  readonly proxied: boolean;
  /** Whether the user named certificates of their own (`--ca-file`, `DENO_CERT`). */
  readonly ownCertificates: boolean;
  /** `Deno.version.deno`. */
  readonly deno: string;
}

/** The first Deno whose `node:http` hands over a read's pieces in one turn. */
const FASTER_SINCE = [2, 8];

/**
 * Whether requests may go by `node:http`.
 *
 * @example
 * ```ts
 * import { mayGoDirect } from "./direct.ts";
 *
 * const free = { proxied: false, ownCertificates: false };
 * if (!mayGoDirect({ ...free, deno: "2.9.6" })) throw new Error("nothing stands in between");
 * if (mayGoDirect({ ...free, deno: "2.6.8" })) throw new Error("not faster there");
 * if (mayGoDirect({ ...free, deno: "2.9.6", proxied: true })) throw new Error("a proxy needs fetch");
 * ```
 */
export function mayGoDirect({ proxied, ownCertificates, deno }: Surroundings): boolean {
  const [major, minor] = deno.split(".").map(Number);
  const [needMajor, needMinor] = FASTER_SINCE;
  return !proxied && !ownCertificates &&
    (major > needMajor || (major === needMajor && minor >= needMinor));
}

/** What is taken of a request; the types of `fetch` differ from one Deno to the next. */
interface SendInit {
  readonly method?: string;
  readonly headers?: HeadersInit;
  readonly body?: string;
  readonly signal?: AbortSignal;
}

/** What may wait unread, in bytes; then the gateway has to wait too. */
const MAX_WAITING = 64 * 1024;

/** How long a connection without a request is kept, in milliseconds. */
const KEEP_ALIVE = 30_000;

/**
 * Makes a `fetch` that goes by `node:http`. It takes what {@linkcode Gateway} needs of `fetch`: a URL,
 * method, headers, a string for a body, and a signal; redirects are not followed.
 *
 * @example
 * ```ts
 * import { createDirectFetch } from "./direct.ts";
 *
 * const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, () => new Response("hi"));
 * const direct = createDirectFetch();
 * const response = await direct(`http://127.0.0.1:${server.addr.port}/`);
 * const text = await response.text();
 * await server.shutdown();
 * if (text !== "hi") throw new Error(text);
 * ```
 */
export function createDirectFetch(): typeof fetch {
  const agents = new Map<string, Agent>();
  return async (input, init) => {
    const { method, headers, body: text, signal } = (init ?? {}) as SendInit;
    const url = new URL(String(input));
    // Loaded with the first request, because a program that only answers GET /models shouldn't pay for it.
    const http = url.protocol === "https:" ? await import("node:https") : await import("node:http");
    let agent = agents.get(url.protocol);
    if (agent === undefined) {
      agents.set(url.protocol, agent = new http.Agent({ keepAlive: true, timeout: KEEP_ALIVE }));
    }
    const body = new TextEncoder().encode(text ?? "");
    const options: RequestOptions = {
      agent,
      method: method ?? "GET",
      hostname: url.hostname.replace(/^\[|\]$/g, ""),
      port: url.port,
      path: url.pathname + url.search,
      headers: {
        ...Object.fromEntries(new Headers(headers)),
        host: url.host,
        "content-length": String(body.byteLength),
      },
    };
    const send = (): Promise<Response> => exchange(http.request, options, body, signal);
    try {
      return await send();
    } catch (error) {
      // The gateway may close a kept connection just as it is used again: nothing was sent on it yet.
      if (error instanceof StaleConnection && !signal?.aborted) return await send();
      throw error;
    }
  };
}

/** A kept connection turned out to be closed. */
class StaleConnection extends Error {}

type Send = (
  options: RequestOptions,
  callback: (response: IncomingMessage) => void,
) => ClientRequest;

/** One request and the head of its answer. */
function exchange(
  send: Send,
  options: RequestOptions,
  body: Uint8Array,
  signal: AbortSignal | undefined,
): Promise<Response> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    let head: IncomingMessage | undefined;
    const request = send(options, (message) => {
      head = message;
      resolve(toResponse(message, request, signal));
    });
    const leave = () => {
      request.destroy();
      reject(signal!.reason);
    };
    signal?.addEventListener("abort", leave, { once: true });
    request.on("close", () => signal?.removeEventListener("abort", leave));
    // Also after the head has come: an error event that nobody hears ends the whole program.
    request.on("error", (error: NodeJS.ErrnoException) => {
      if (head !== undefined) return;
      const stale = request.reusedSocket && ["ECONNRESET", "EPIPE"].includes(error.code ?? "");
      reject(
        stale
          ? new StaleConnection(error.message, { cause: error })
          : new TypeError(error.message, { cause: error }),
      );
    });
    request.end(body);
  });
}

/** Statuses that come without a body, and whose `Response` may not have one. */
const WITHOUT_BODY = new Set([204, 205, 304]);

function toResponse(
  message: IncomingMessage,
  request: ClientRequest,
  signal: AbortSignal | undefined,
): Response {
  const headers = new Headers();
  for (let at = 0; at + 1 < message.rawHeaders.length; at += 2) {
    try {
      headers.append(message.rawHeaders[at], message.rawHeaders[at + 1]);
    } catch {
      // A header that is none in `fetch`'s eyes is nothing that the bridge would read.
    }
  }
  const status = message.statusCode ?? 502;
  if (WITHOUT_BODY.has(status)) {
    message.resume();
    return new Response(null, { status, headers });
  }
  return new Response(bodyOf(message, request, signal), { status, headers });
}

/** The body, as a stream whose every piece is all that has arrived since the last one. */
function bodyOf(
  message: IncomingMessage,
  request: ClientRequest,
  signal: AbortSignal | undefined,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  let waiting: Uint8Array[] = [];
  let size = 0;
  let ended = false;
  let failure: unknown;
  let wake: (() => void) | undefined;

  function stir(): void {
    wake?.();
    wake = undefined;
  }
  function fail(error: unknown): void {
    failure ??= signal?.aborted ? signal.reason : error;
    stir();
  }
  message.on("data", (piece: Uint8Array) => {
    waiting.push(piece);
    size += piece.length;
    if (size >= MAX_WAITING) message.pause();
    stir();
  });
  message.on("end", () => {
    ended = true;
    stir();
  });
  message.on("error", (error) => fail(new TypeError(error.message, { cause: error })));
  message.on(
    "close",
    () => ended || fail(new TypeError("The connection was closed before the body was complete.")),
  );

  return new ReadableStream<Uint8Array<ArrayBuffer>>({
    async pull(controller) {
      while (size === 0 && !ended && failure === undefined) {
        await new Promise<void>((resolve) => wake = resolve);
      }
      // What came before a failure is still the client's.
      if (size > 0) {
        controller.enqueue(joined(waiting, size));
        waiting = [];
        size = 0;
        if (message.isPaused()) message.resume();
      } else if (failure !== undefined) controller.error(failure);
      else controller.close();
    },
    cancel() {
      request.destroy();
    },
  }, { highWaterMark: 0 });
}

function joined(pieces: readonly Uint8Array[], size: number): Uint8Array<ArrayBuffer> {
  if (pieces.length === 1) return pieces[0] as Uint8Array<ArrayBuffer>;
  const bytes = new Uint8Array(size);
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}
