/**
 * undici's connections: direct ones, and tunnels through proxies. This module loads undici, so it is
 * imported when a connection is needed.
 *
 * undici's own `ProxyAgent` is not used: it waits 300 s for an answer to `CONNECT`, connects without end
 * to a proxy that closes, and tunnels plain HTTP, which proxies refuse.
 *
 * @module
 */

import { Agent, buildConnector, Client, type Dispatcher, errors } from "undici";
import type { AnswerHandler } from "./answer_handler.ts";
import { ProxyError } from "./proxy_error.ts";

/** How connections are made. */
export interface ConnectionOptions {
  /** How long each step may take, in milliseconds: connection, tunnel, encryption; 0 means no limit. */
  readonly connectTimeout: number;
  /** Certificates of authorities (PEM) to trust beside those that Deno trusts. @default none */
  readonly authorities?: string;
  /** Whether a request waits for a connection. */
  readonly isNeeded: () => boolean;
}

/** A request without its address. */
export interface RequestOptions {
  /** The method. */
  readonly method: string;
  /** Its headers. */
  readonly headers: Readonly<Record<string, string>>;
  /** Its body, if it has one. */
  readonly body?: string | Uint8Array;
}

/** How long an unused connection is kept, in milliseconds. Shorter than what load balancers allow. */
const KEEP_ALIVE = 20_000;

/** Settings of every agent. No request waits on a connection for another's answer. */
const AGENT = { pipelining: 1, keepAliveTimeout: KEEP_ALIVE, keepAliveMaxTimeout: KEEP_ALIVE };

/** A socket of Node's. */
type Socket = NonNullable<buildConnector.Options["httpSocket"]>;

/** The connections of a client. */
export class Connections {
  readonly #options: ConnectionOptions;
  /** Makes connections and trusts what Deno trusts. */
  readonly #connector: buildConnector.connector;
  /** Makes connections and trusts the further authorities alone: to name any replaces all others. */
  readonly #further: buildConnector.connector | undefined;
  /** Hosts whose certificates are signed by these. */
  readonly #signed = new Set<string>();
  readonly #direct: Agent;
  /** Proxy → the agent whose connections are tunnels through it. */
  readonly #tunnels = new Map<string, Agent>();
  /** Ends what is being connected. */
  readonly #connecting = new Set<() => void>();

  /** Makes connections possible; none is made yet. */
  constructor(options: ConnectionOptions) {
    this.#options = options;
    const { authorities } = options;
    // undici measures time in steps of half a second, with a timer that outlives the connection.
    this.#connector = buildConnector({ timeout: 0 });
    this.#further = authorities ? buildConnector({ timeout: 0, ca: authorities }) : undefined;
    this.#direct = new Agent({ ...AGENT, connect: this.#open() });
  }

  /**
   * Sends a request.
   *
   * @param url Where to.
   * @param proxy The proxy's URL, which was checked; undefined where there is none.
   * @param options The rest of it.
   * @param handler Told of what comes of it.
   */
  send(
    url: URL,
    proxy: string | undefined,
    options: RequestOptions,
    handler: AnswerHandler,
  ): void {
    const { origin, pathname, search, host } = url;
    const request = {
      ...options,
      method: options.method as Dispatcher.HttpMethod,
      origin,
      path: pathname + search,
      // The handler measures time itself: undici's timeout runs while the reader pauses, too.
      headersTimeout: 0,
      bodyTimeout: 0,
    };
    if (proxy === undefined) {
      this.#direct.dispatch(request, handler);
    } else if (url.protocol === "https:") {
      this.#tunnel(proxy).dispatch(request, handler);
    } else {
      const to = new URL(proxy);
      const headers = { ...options.headers, host, ...authorization(to) };
      const path = origin + request.path;
      this.#direct.dispatch({ ...request, headers, origin: to.origin, path }, handler);
    }
  }

  /** Closes kept connections, and ends what is under way. */
  async close(): Promise<void> {
    const closing = [this.#direct, ...this.#tunnels.values()].map((agent) => agent.destroy());
    for (const end of [...this.#connecting]) end();
    await Promise.all(closing);
  }

  /**
   * Makes connections to a host, and again with the further authorities where its certificate is not
   * trusted. Nothing has been sent by then.
   *
   * @param openSocket Opens the socket to encrypt, where it isn't a new one.
   */
  #open(
    openSocket?: (options: buildConnector.Options) => Promise<Socket>,
  ): buildConnector.connector {
    return (options, callback) => {
      const attempt = (connector: buildConnector.connector, done: buildConnector.Callback) => {
        // After a request that was ended, undici makes a connection for none.
        if (!this.#options.isNeeded()) return done(new Error("Nothing waits for it."), null);
        if (openSocket === undefined) return this.#connect(connector, options, done);
        openSocket(options).then(
          (httpSocket) => this.#connect(connector, { ...options, httpSocket }, done),
          (cause) => done(cause, null),
        );
      };
      const further = this.#further;
      const { host = options.hostname } = options;
      if (further === undefined) return attempt(this.#connector, callback);
      if (this.#signed.has(host)) return attempt(further, callback);
      attempt(this.#connector, (...result) => {
        if (!isDistrust(result[0])) return callback(...result);
        attempt(further, (...result) => {
          if (result[0] === null) this.#signed.add(host);
          callback(...result);
        });
      });
    };
  }

  /** A connection within the time. */
  #connect(
    connector: buildConnector.connector,
    options: buildConnector.Options,
    callback: buildConnector.Callback,
  ): void {
    const done = this.#limit(() =>
      socket.destroy(new errors.ConnectTimeoutError(`No connection to ${options.hostname}.`))
    );
    // The types know of no socket, which undici returns all the same.
    const socket = connector(options, (...result) => {
      done();
      callback(...result);
    }) as unknown as Socket;
  }

  /** Ends something after the time for connections, or when the client is closed. */
  #limit(end: () => void): () => void {
    const { connectTimeout } = this.#options;
    const timer = connectTimeout > 0 ? setTimeout(end, connectTimeout) : undefined;
    this.#connecting.add(end);
    return () => {
      clearTimeout(timer);
      this.#connecting.delete(end);
    };
  }

  /** The agent whose connections lead through a proxy. */
  #tunnel(proxy: string): Agent {
    const known = this.#tunnels.get(proxy);
    if (known !== undefined) return known;
    const url = new URL(proxy);
    const agent = new Agent({
      ...AGENT,
      connect: this.#open(({ host, port }) =>
        // The host has its port, where that isn't the usual one.
        this.#openTunnel(url, port ? `${host}` : `${host}:443`)
      ),
    });
    this.#tunnels.set(proxy, agent);
    return agent;
  }

  /** Asks a proxy for a tunnel. @throws {ProxyError} */
  async #openTunnel(proxy: URL, target: string): Promise<Socket> {
    const client = new Client(proxy.origin, {
      connect: this.#open(),
      headersTimeout: 0,
      bodyTimeout: 0,
    });
    const asking = new AbortController();
    const done = this.#limit(() => asking.abort(new errors.ConnectTimeoutError("No tunnel.")));
    try {
      const { socket, statusCode } = await client.connect({
        path: target,
        headers: { host: target, ...authorization(proxy) },
        signal: asking.signal,
      });
      // It is the socket that was made for it.
      if (statusCode >= 200 && statusCode < 300) return socket as Socket;
      socket.on("error", () => {}).destroy();
      throw new ProxyError(proxy, `It answered CONNECT with ${statusCode}.`, statusCode);
    } catch (cause) {
      throw cause instanceof ProxyError ? cause : new ProxyError(proxy, cause);
    } finally {
      done();
      // The tunnel is no longer its own.
      void client.destroy();
    }
  }
}

/** Whether a connection failed because no trusted authority has signed its certificate. */
function isDistrust(cause: Error | null): boolean {
  return /^(UNABLE_TO_|SELF_SIGNED|DEPTH_ZERO|CERT_)/.test(
    (cause as { code?: string })?.code ?? "",
  );
}

/** The header with the user and password of a proxy's URL, where it names any. */
function authorization({ username, password }: URL): Record<string, string> {
  if (username === "" && password === "") return {};
  const bytes = new TextEncoder().encode(`${decode(username)}:${decode(password)}`);
  return { "proxy-authorization": `Basic ${btoa(String.fromCharCode(...bytes))}` };
}

/** Percent-decoding; text that isn't encoded is returned unchanged. */
function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
