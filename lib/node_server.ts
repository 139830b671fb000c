/**
 * A server on `node:http` with the handler of `Deno.serve`.
 *
 * **Why.** From Deno 2.8.3 on, `Deno.serve` doesn't notice that a client has left while its request is
 * still being answered, if the body was longer than the first read (about 1 KB): no signal, no error.
 * The gateway would go on generating, and the company paying, for an answer that nobody waits for.
 * `node:http` notices. (Deno before that has it the other way round.)
 *
 * @module
 */

import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";

/** Answers one request. Its signal ends when the client leaves before its answer is complete. */
export type Handler = (request: Request) => Response | Promise<Response>;

/** A server that listens. */
export interface ListeningServer {
  /** The port that it listens on. */
  readonly port: number;
  /** Stops listening; resolves when every running answer is complete. */
  readonly shutdown: () => Promise<void>;
  /** Closes every connection. */
  readonly abort: () => void;
}

/** How long the rest of a body that nobody read is thrown away, so that its client gets to read the answer. */
const DISCARD_TIME = 1_000;

/** How long a connection without a request is kept, in milliseconds; longer than clients keep theirs. */
const KEEP_ALIVE = 120_000;

/**
 * Starts to listen.
 *
 * @param hostname The address.
 * @param port The port; 0 for any.
 * @param handler Answers requests; it must not throw.
 * @throws Node's error, with a `code` such as `EADDRINUSE`.
 *
 * @example
 * ```ts
 * import { startNodeServer } from "./node_server.ts";
 *
 * const server = await startNodeServer("127.0.0.1", 0, () => new Response("hi"));
 * const text = await (await fetch(`http://127.0.0.1:${server.port}`)).text();
 * await server.shutdown();
 * if (text !== "hi") throw new Error(text);
 * ```
 */
export async function startNodeServer(
  hostname: string,
  port: number,
  handler: Handler,
): Promise<ListeningServer> {
  // Loaded only where it is used: it takes longer to load than all of the bridge.
  const { createServer } = await import("node:http");
  /** Open connections, and whether one has a request that is being answered. */
  const sockets = new Map<Socket, boolean>();
  let stopping = false;
  const server = createServer((incoming, outgoing) => {
    const { socket } = incoming;
    sockets.set(socket, true);
    outgoing.once("close", () => {
      if (sockets.has(socket)) sockets.set(socket, false);
      if (stopping) socket.destroy();
    });
    void answer(incoming, outgoing, handler);
  });
  // Node's own 5 s would close a connection just as a client uses it again between two of a person's turns.
  server.keepAliveTimeout = KEEP_ALIVE;
  server.on("connection", (socket: Socket) => {
    sockets.set(socket, false);
    socket.once("close", () => sockets.delete(socket));
  });
  await listen(server, hostname, port);
  const ended = new Promise<void>((resolve) => server.once("close", () => resolve()));
  return {
    port: (server.address() as { port: number }).port,
    async shutdown() {
      stopping = true;
      server.close();
      for (const [socket, busy] of sockets) if (!busy) socket.destroy();
      await ended;
    },
    abort() {
      for (const socket of sockets.keys()) socket.destroy();
    },
  };
}

function listen(server: Server, hostname: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, hostname, () => {
      server.removeListener("error", reject);
      resolve();
    });
  });
}

/** One request, from its head to the last byte of its answer. */
async function answer(
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  handler: Handler,
): Promise<void> {
  const client = new AbortController();
  outgoing.once("close", () => {
    if (!outgoing.writableFinished) {
      client.abort(new DOMException("The client left.", "AbortError"));
    }
  });
  // A client's fault, or its leaving: both are told by "close".
  incoming.on("error", () => {});
  outgoing.on("error", () => {});
  const request = toRequest(incoming, client.signal);
  const response = request ? await handler(request) : new Response(null, { status: 400 });
  if (outgoing.destroyed) return void response.body?.cancel().catch(() => {});
  if (!incoming.complete) discardRest(incoming, outgoing);
  const headers = [...response.headers].flat();
  if (response.body === null || incoming.method === "HEAD") {
    outgoing.writeHead(response.status, headers);
    return void outgoing.end();
  }
  if (isStream(response)) {
    outgoing.writeHead(response.status, headers);
    return await send(response.body, outgoing);
  }
  // What is whole already goes out in one piece: to read it as a stream takes longer than all the rest.
  const bytes = await response.arrayBuffer().catch(() => undefined);
  if (bytes === undefined) return void outgoing.destroy();
  outgoing.writeHead(response.status, [...headers, "content-length", String(bytes.byteLength)]);
  outgoing.end(new Uint8Array(bytes));
}

/** Whether a body comes bit by bit. The bridge makes no other streams than these. */
function isStream(response: Response): boolean {
  const type = response.headers.get("content-type");
  return type === null || type.startsWith("text/event-stream");
}

/** Undefined where the head is none that `fetch` knows. */
function toRequest(incoming: IncomingMessage, signal: AbortSignal): Request | undefined {
  const { method = "GET", url = "/", rawHeaders } = incoming;
  try {
    const headers = new Headers();
    for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
      headers.append(rawHeaders[at], rawHeaders[at + 1]);
    }
    // The host is checked by whoever it matters to, in the header: here it is only there to make a URL.
    const target = url.startsWith("/") ? `http://localhost${url}` : url;
    const body = method === "GET" || method === "HEAD" ? undefined : bodyOf(incoming);
    return new Request(target, { method, headers, signal, body });
  } catch {
    return undefined;
  }
}

/** A request's body. It breaks off with an error where the client does. */
function bodyOf(incoming: IncomingMessage): ReadableStream<Uint8Array<ArrayBuffer>> {
  let over = false;
  return new ReadableStream<Uint8Array<ArrayBuffer>>({
    start(controller) {
      incoming.on("data", (piece: Uint8Array<ArrayBuffer>) => {
        if (over) return;
        controller.enqueue(piece);
        if ((controller.desiredSize ?? 0) <= 0) incoming.pause();
      });
      incoming.once("end", () => {
        if (!over) controller.close();
        over = true;
      });
      incoming.once("close", () => {
        if (!over) controller.error(new TypeError("The client closed the connection."));
        over = true;
      });
      incoming.pause();
    },
    pull: () => void incoming.resume(),
    cancel: () => void (over = true),
  }, { highWaterMark: 4 });
}

/** A body that is too large isn't read: its client gets a moment to see the answer, then the connection ends. */
function discardRest(incoming: IncomingMessage, outgoing: ServerResponse): void {
  outgoing.setHeader("connection", "close");
  incoming.removeAllListeners("data");
  incoming.resume();
  outgoing.once("finish", () => {
    const timer = setTimeout(() => incoming.socket.destroy(), DISCARD_TIME);
    incoming.socket.once("close", () => clearTimeout(timer));
  });
}

/** Writes a body, no faster than the client reads it. */
async function send(
  body: ReadableStream<Uint8Array<ArrayBuffer>>,
  outgoing: ServerResponse,
): Promise<void> {
  const reader = body.getReader();
  let wake: (() => void) | undefined;
  outgoing.on("drain", () => wake?.());
  outgoing.once("close", () => {
    wake?.();
    // Does nothing where it was read to its end.
    reader.cancel().catch(() => {});
  });
  // The head goes out with the first piece, or without it where that takes longer.
  const head = setTimeout(() => outgoing.flushHeaders());
  try {
    for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
      if (!outgoing.write(piece.value) && !outgoing.destroyed) {
        await new Promise<void>((resolve) => wake = resolve);
      }
      if (outgoing.destroyed) return;
    }
    outgoing.end();
  } catch {
    // The body broke off: so must the answer, or it would look complete.
    outgoing.destroy();
  } finally {
    clearTimeout(head);
  }
}
