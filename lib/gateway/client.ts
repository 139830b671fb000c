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

import type { Agent, Dispatcher, EnvHttpProxyAgent } from "undici";

/** An answer that has begun. */
export interface ClientAnswer {
  /** Status, headers and body. The body never errors: it ends where it breaks off. */
  readonly response: Response;
  /** Why the body broke off; undefined while it runs, and where it was complete. */
  readonly failure: () => unknown;
}

/** A request. */
export interface ClientRequest {
  /** The method. */
  readonly method: string;
  /** Its headers. */
  readonly headers: Readonly<Record<string, string>>;
  /** Its body, if it has one. */
  readonly body?: string;
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

/** Why no answer began. */
export class RequestFailure extends Error {
  /** Always `RequestFailure`. */
  override name = "RequestFailure";
  /** undici's or the system's code: `ECONNREFUSED`, `UND_ERR_HEADERS_TIMEOUT`, …; empty where there is none. */
  readonly code: string;
  /** Whether the request may have reached the other side, so that it must not be sent again. */
  readonly sent: boolean;

  /** Makes a failure of its cause. */
  constructor(cause: unknown, sent: boolean) {
    super(cause instanceof Error ? cause.message : String(cause), { cause });
    this.code = codeOf(cause);
    this.sent = sent;
  }
}

/** The first code in a chain of causes. */
function codeOf(cause: unknown): string {
  let error = cause;
  for (let depth = 0; error instanceof Error && depth < 5; depth++) {
    const { code } = error as { code?: unknown };
    if (typeof code === "string") return code;
    error = error.cause ?? (error as { errors?: unknown[] }).errors?.[0];
  }
  return "";
}

/** How a {@linkcode Client} behaves. Times are in milliseconds; 0 means no limit. */
export interface ClientOptions {
  /** How long a connection may take. */
  readonly connectTimeout: number;
  /** How long an answer may take to begin. */
  readonly firstByteTimeout: number;
  /** How long an answer's body may be silent while somebody reads it. */
  readonly idleTimeout: number;
  /** Certificates of authorities (PEM) that are trusted. @default what Deno trusts */
  readonly authorities?: readonly string[];
  /** Proxies for each scheme, and the hosts that are reached without one. @default none */
  readonly proxies?: ProxySettings;
}

/** Proxies, as the environment names them. */
export interface ProxySettings {
  /** The proxy for `http:`. */
  readonly http?: string;
  /** The proxy for `https:`. */
  readonly https?: string;
  /** Hosts that are reached directly, separated by commas. */
  readonly none?: string;
}

/** How long an unused connection is kept, in milliseconds. Shorter than what load balancers allow. */
const KEEP_ALIVE = 20_000;

/**
 * Makes a client.
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
  let loading: Promise<Agent | EnvHttpProxyAgent> | undefined;
  const load = () => loading ??= createAgent(options);
  return {
    async preload() {
      await load();
    },
    async send(url, request) {
      request.signal?.throwIfAborted();
      const { origin, pathname, search } = new URL(url);
      const agent = await load();
      return await dispatch(agent, {
        ...request,
        origin,
        path: pathname + search,
        method: request.method as Dispatcher.HttpMethod,
        headersTimeout: options.firstByteTimeout,
        bodyTimeout: options.idleTimeout,
      }, request.signal);
    },
    async close() {
      const agent = await loading;
      await agent?.destroy();
    },
  };
}

async function createAgent(options: ClientOptions): Promise<Agent | EnvHttpProxyAgent> {
  const { Agent, EnvHttpProxyAgent } = await import("undici");
  const { connectTimeout, authorities, proxies = {} } = options;
  const ca = authorities && [...authorities];
  const shared = {
    pipelining: 1,
    keepAliveTimeout: KEEP_ALIVE,
    keepAliveMaxTimeout: KEEP_ALIVE,
    connect: { timeout: connectTimeout, ...(ca ? { ca } : {}) },
  };
  if (proxies.http === undefined && proxies.https === undefined) return new Agent(shared);
  const tls = ca ? { ca } : {};
  return new EnvHttpProxyAgent({
    ...shared,
    // Empty where there is none: undici would look into the environment itself.
    httpProxy: proxies.http ?? "",
    httpsProxy: proxies.https ?? "",
    noProxy: proxies.none ?? "",
    requestTls: tls,
    proxyTls: tls,
  });
}

function dispatch(
  agent: Dispatcher,
  options: Dispatcher.DispatchOptions,
  signal?: AbortSignal,
): Promise<ClientAnswer> {
  return new Promise((resolve, reject) => {
    const handler = new AnswerHandler(resolve, reject, signal);
    signal?.addEventListener("abort", handler.leave, { once: true });
    agent.dispatch(options, handler);
  });
}

/** Statuses whose answers have no body. */
const WITHOUT_BODY = new Set([101, 204, 205, 304]);

/** Turns undici's callbacks into an answer. */
class AnswerHandler implements Dispatcher.DispatchHandler {
  readonly #resolve: (answer: ClientAnswer) => void;
  readonly #reject: (cause: unknown) => void;
  readonly #signal: AbortSignal | undefined;
  #request: Dispatcher.DispatchController | undefined;
  #body: ReadableStreamDefaultController<Uint8Array> | undefined;
  #pieces: Uint8Array[] = [];
  #failure: unknown;
  #over = false;

  constructor(
    resolve: (answer: ClientAnswer) => void,
    reject: (cause: unknown) => void,
    signal: AbortSignal | undefined,
  ) {
    this.#resolve = resolve;
    this.#reject = reject;
    this.#signal = signal;
  }

  /** Ends the request because its signal says so. */
  readonly leave = (): void => {
    if (this.#over) return;
    this.#request?.abort(toError(this.#signal!.reason));
    this.#end(this.#signal!.reason);
  };

  onRequestStart(request: Dispatcher.DispatchController): void {
    this.#request = request;
    // It was given up while the connection was made.
    if (this.#over) request.abort(new Error("given up"));
  }

  onResponseStart(
    _request: Dispatcher.DispatchController,
    status: number,
    headers: Record<string, string | string[] | undefined>,
  ): void {
    if (status < 200 || this.#over) return;
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => void (this.#body = controller),
      pull: () => this.#request?.resume(),
      cancel: (reason) => {
        if (this.#over) return;
        this.#over = true;
        this.#forget();
        this.#request?.abort(toError(reason));
      },
    });
    this.#resolve({
      response: new Response(WITHOUT_BODY.has(status) ? null : body, {
        status,
        headers: toHeaders(headers),
      }),
      failure: () => this.#failure,
    });
  }

  onResponseData(request: Dispatcher.DispatchController, piece: Uint8Array): void {
    if (this.#over) return;
    // One read of the socket brings many HTTP chunks, and a call for each: they are handed on together.
    this.#pieces.push(piece);
    if (this.#pieces.length > 1) return;
    queueMicrotask(() => {
      this.#flush();
      if (!this.#over && this.#body!.desiredSize! <= 0) request.pause();
    });
  }

  onResponseEnd(): void {
    this.#end();
  }

  onResponseError(_request: Dispatcher.DispatchController, cause: Error): void {
    this.#end(cause);
  }

  #flush(): void {
    const pieces = this.#pieces;
    this.#pieces = [];
    if (pieces.length === 0 || this.#over) return;
    this.#body!.enqueue(pieces.length === 1 ? pieces[0] : join(pieces));
  }

  #end(cause?: unknown): void {
    if (this.#over) return;
    this.#forget();
    if (this.#body === undefined) {
      this.#over = true;
      return this.#reject(
        this.#signal?.aborted ? this.#signal.reason : new RequestFailure(cause, this.#isSent()),
      );
    }
    this.#flush();
    this.#over = true;
    this.#failure = cause;
    this.#body.close();
  }

  /** undici starts a request when it has a connection, and then writes it at once. */
  #isSent(): boolean {
    return this.#request !== undefined;
  }

  #forget(): void {
    this.#signal?.removeEventListener("abort", this.leave);
  }
}

function toError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(String(reason));
}

function toHeaders(fields: Record<string, string | string[] | undefined>): Headers {
  const headers = new Headers();
  for (const [name, value] of Object.entries(fields)) {
    for (const one of Array.isArray(value) ? value : value === undefined ? [] : [value]) {
      try {
        headers.append(name, one);
      } catch {
        // A value that no header may have is nothing that anybody reads.
      }
    }
  }
  return headers;
}

function join(pieces: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(pieces.reduce((length, piece) => length + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}
