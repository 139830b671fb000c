/**
 * A `fetch` over connections of our own.
 *
 * **Why.** Deno's `fetch` hands over one HTTP chunk, and so one event, a turn of the event loop, at 4 to
 * 22 µs each; `node:http` takes 8 MiB, 20 ms to load, and 100 µs a request. What is needed of HTTP to
 * ask the gateway is little: a POST, a head, a body in chunks. It is read here, straight into the
 * reader's buffer, all that has arrived at once (`docs/performance.md` has the figures). Proxies are
 * left to `fetch`.
 *
 * @module
 */

import { type HttpAnswer, ReceivedAnswer } from "./answer.ts";
import { Body, type BodyLength } from "./body.ts";
import { Connection, withoutDelay } from "./connection.ts";
import {
  bodyLength,
  formatHead,
  hasBody,
  type Head,
  isAscii,
  type ReadableHeaders,
} from "./head.ts";

/** How a client connects. */
export interface ClientOptions {
  /** Certificates, PEM, that are trusted beside Deno's own. */
  readonly caCerts?: readonly string[];
}

/** What is said of a request. */
export interface SendOptions {
  /** The method. @default {"GET"} */
  readonly method?: string;
  /** By name. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Text, sent as UTF-8. */
  readonly body?: string;
  /** Ends the request, and the reading of its answer. */
  readonly signal?: AbortSignal;
  /** Redirects are not followed. */
  readonly redirect?: "manual";
}

/** Sends a request, as `fetch` does; which is one of these. */
export type Send = (url: string, options: SendOptions) => Promise<HttpAnswer>;

/** What asks servers. */
export interface Client {
  /**
   * As `fetch`, as far as the bridge needs it; nothing is decompressed. Whatever fails on the network
   * rejects with a TypeError, an abort with the signal's reason.
   */
  readonly send: Send;
  /** Closes the connections that are kept for further requests; until then they keep the program. */
  readonly close: () => void;
}

/** How long a connection is kept for the next request, in milliseconds. Gateways keep theirs for a minute and more. */
const KEEP = 30_000;

/** How many connections are kept. */
const MOST_KEPT = 64;

/** A body that goes out with its head in one packet, in characters. */
const SHORT_BODY = 16 * 1024;

const encoder = new TextEncoder();

/** What is written at once. */
type Part = string | Uint8Array;

/** A kept connection turned out to be closed. */
class StaleConnection extends Error {}

/** A connection that waits for its next request. */
interface Kept {
  readonly origin: string;
  readonly connection: Connection;
  readonly since: number;
}

/**
 * Makes a client. It keeps connections for 30 s, so that most requests don't have to wait for one.
 *
 * @param options Certificates.
 *
 * @example
 * ```ts
 * import { createClient } from "./client.ts";
 *
 * const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, () => new Response("hi"));
 * const client = createClient();
 * const answer = await client.send(`http://127.0.0.1:${server.addr.port}/`, {});
 * const text = await new Response(answer.body).text();
 * client.close();
 * await server.shutdown();
 * if (text !== "hi") throw new Error(text);
 * ```
 */
export function createClient(options: ClientOptions = {}): Client {
  let kept: Kept[] = [];
  let timer: ReturnType<typeof setTimeout> | undefined;

  /** Closes what has waited for too long, and looks again as long as anything waits. */
  function sweep(): void {
    const now = performance.now();
    kept = kept.filter(({ connection, since }) => now - since < KEEP || connection.close());
    timer = undefined;
    if (kept.length > 0) watch();
  }
  function watch(): void {
    if (timer !== undefined) return;
    timer = setTimeout(sweep, KEEP);
    Deno.unrefTimer(timer);
  }
  function keep(origin: string, connection: Connection): void {
    if (kept.length >= MOST_KEPT) return connection.close();
    const row = { origin, connection, since: performance.now() };
    kept.push(row);
    // Whatever comes before it is used again, bytes or the end, makes it useless.
    const drop = () => {
      const at = kept.indexOf(row);
      if (at === -1) return;
      kept.splice(at, 1);
      connection.close();
    };
    connection.fill().then(drop, drop);
    watch();
  }
  /** The connection that was used last, because it is the likeliest to be open still. */
  function take(origin: string): Connection | undefined {
    const at = kept.findLastIndex((row) => row.origin === origin);
    if (at === -1) return undefined;
    return kept.splice(at, 1)[0].connection;
  }

  function forget(origin: string): void {
    for (let old = take(origin); old; old = take(origin)) old.close();
  }

  async function send(address: string, request: SendOptions): Promise<HttpAnswer> {
    const url = new URL(address);
    const { signal } = request;
    signal?.throwIfAborted();
    const parts = requestParts(url, request);
    for (let stale = false;;) {
      const old = stale ? undefined : take(url.origin);
      const release = (connection: Connection) => keep(url.origin, connection);
      try {
        const connection = old ?? await connect(url, options, signal);
        return await exchange(connection, parts, { signal, release, kept: old !== undefined });
      } catch (error) {
        if (signal?.aborted) throw signal.reason;
        if (!(error instanceof StaleConnection)) {
          throw error instanceof TypeError ? error : toTypeError(error);
        }
        // The gateway closed it just as it was used again. Once more, on a new connection: a gateway that
        // reads the request and then closes would otherwise get it on every connection that is kept.
        stale = true;
        forget(url.origin);
      }
    }
  }
  return {
    send,
    close() {
      clearTimeout(timer);
      timer = undefined;
      for (const { connection } of kept.splice(0)) connection.close();
    },
  };
}

function toTypeError(cause: unknown): TypeError {
  return new TypeError(cause instanceof Error ? cause.message : String(cause), { cause });
}

/** The request as it is written: head and body. */
function requestParts(
  url: URL,
  { method = "GET", headers = {}, body = "" }: SendOptions,
): Part[] {
  // To look whether a long text is ASCII takes as long as to encode it.
  const part = body.length <= SHORT_BODY && isAscii(body) ? body : encoder.encode(body);
  const more = `host: ${url.host}\r\ncontent-length: ${part.length}\r\n`;
  const start = `${method} ${url.pathname}${url.search} HTTP/1.1`;
  return [formatHead(start, Object.entries(headers), more), part];
}

async function connect(
  url: URL,
  { caCerts }: ClientOptions,
  signal: AbortSignal | undefined,
): Promise<Connection> {
  const secure = url.protocol === "https:";
  const hostname = url.hostname.replace(/^\[|\]$/g, "");
  const port = Number(url.port) || (secure ? 443 : 80);
  const plain = withoutDelay(await Deno.connect({ hostname, port, signal }));
  if (!secure) return new Connection(plain);
  const socket = await Deno.startTls(plain, {
    hostname,
    alpnProtocols: ["http/1.1"],
    ...(caCerts ? { caCerts: [...caCerts] } : {}),
  });
  const connection = new Connection(socket);
  const leave = () => connection.close();
  signal?.addEventListener("abort", leave, { once: true });
  try {
    signal?.throwIfAborted();
    await socket.handshake();
  } catch (error) {
    connection.close();
    throw error;
  } finally {
    signal?.removeEventListener("abort", leave);
  }
  return connection;
}

/** What one request needs beside its bytes. */
interface ExchangeOptions {
  readonly signal: AbortSignal | undefined;
  /** Whether the connection was used before. */
  readonly kept: boolean;
  /** Takes the connection back when it may be used again. */
  readonly release: (connection: Connection) => void;
}

/** One request on a connection, and the head of its answer. */
async function exchange(
  connection: Connection,
  parts: readonly Part[],
  { signal, kept, release }: ExchangeOptions,
): Promise<HttpAnswer> {
  const leave = () => connection.close();
  const listen = () => signal?.addEventListener("abort", leave, { once: true });
  const ignore = () => signal?.removeEventListener("abort", leave);
  listen();
  try {
    signal?.throwIfAborted();
    // Side by side, because a gateway may refuse a body before it has read all of it. If the writing
    // fails, the reading does too, unless there is an answer all the same.
    let written = false;
    connection.write(...parts).then(() => written = true, () => {});
    const head = await readAnswer(connection, kept);
    const status = statusOf(head);
    const length = hasBody(status) ? answerLength(head.headers) : 0;
    const body = new Body(connection, length);
    let finished = false;
    const finish = () => {
      if (finished) return;
      finished = true;
      ignore();
      const again = written && length !== "to the end" && connection.waiting === 0 &&
        keepsOpen(head);
      if (again) release(connection);
      else connection.close();
    };
    if (body.complete) finish();
    return new ReceivedAnswer(status, head.headers, body, {
      onComplete: finish,
      onBroken() {
        ignore();
        connection.close();
      },
      failure: (error) =>
        signal?.aborted ? signal.reason : error instanceof TypeError ? error : toTypeError(error),
    });
  } catch (error) {
    ignore();
    connection.close();
    throw error;
  }
}

/** The head of the answer; `100 Continue` and its like, which nobody asked for, are skipped. */
async function readAnswer(connection: Connection, kept: boolean): Promise<Head> {
  let begun = false;
  for (;;) {
    const head = await connection.readHead().catch((error: unknown) => {
      if (!isClosed(error)) throw error;
      return "closed" as const;
    });
    if (head === "closed") {
      if (kept && !begun && connection.waiting === 0) throw new StaleConnection();
      throw new TypeError("connection closed before message completed");
    }
    if (head === "too large") throw new TypeError("the answer's head is too large");
    if (head === "malformed") throw new TypeError("the answer is not HTTP, or incomplete");
    if (!/^HTTP\/1\.[01] 1\d\d\b/.test(head.start)) return head;
    begun = true;
  }
}

/** The ways in which a socket says that the other end is gone; over TLS, also one without a farewell. */
function isClosed(error: unknown): boolean {
  const { ConnectionReset, BrokenPipe, UnexpectedEof } = Deno.errors;
  return [ConnectionReset, BrokenPipe, UnexpectedEof].some((kind) => error instanceof kind);
}

function statusOf({ start }: Head): number {
  const status = Number(/^HTTP\/1\.[01] ([2-5]\d\d)(?: |$)/.exec(start)?.[1]);
  if (Number.isNaN(status)) throw new TypeError("the answer is not HTTP/1.1");
  return status;
}

/** The chunks count where a length stands beside them (RFC 9112, "Message Body Length"). */
function answerLength(headers: ReadableHeaders): BodyLength {
  const encoding = headers.get("transfer-encoding");
  if (encoding !== null) {
    return /(^|,)\s*chunked\s*$/i.test(encoding) ? "chunked" : "to the end";
  }
  const length = bodyLength(headers) ?? "to the end";
  if (length === "contradictory") throw new TypeError("the answer states more than one length");
  return length;
}

/** Whether the other end lets the connection be used again. */
function keepsOpen({ start, headers }: Head): boolean {
  const connection = headers.get("connection")?.toLowerCase() ?? "";
  return start.startsWith("HTTP/1.0")
    ? connection.includes("keep-alive")
    : !connection.includes("close");
}
