/**
 * A server with the handlers of `Deno.serve`, over connections of our own.
 *
 * **Why.** From Deno 2.8.3 on, `Deno.serve` doesn't notice that a client has left while its request is
 * still being answered, if the request was longer than the first 512 bytes: no signal, no error. The
 * gateway would go on generating, and the company paying, for an answer that nobody waits for.
 * `node:http` notices, at 70 µs more a request, 8 MiB, and 20 ms at every start. To notice takes no
 * more than to read while one writes, so that is done here, on what the client to the gateway has
 * anyway: heads and bodies of HTTP/1.1.
 *
 * @module
 */

import { BridgeError } from "../errors.ts";
import { Body } from "./body.ts";
import { Connection, withoutDelay } from "./connection.ts";
import { bodyLength, type Head, MAX_HEAD } from "./head.ts";
import { type Problem, problemOf, PROBLEMS } from "./problems.ts";
import { type ClientRequest, IncomingRequest } from "./request.ts";
import { type Reply, toReply } from "./reply.ts";
import { writeReply } from "./reply_writer.ts";

/** Answers one request; it must not throw. The request's signal ends when its client leaves before the answer is complete. */
export type Handler = (request: ClientRequest) => Answered | Promise<Answered>;

/** What a handler gives. */
export type Answered = Reply | Response;

/** A server that listens. */
export interface ListeningServer {
  /** The port that it listens on. */
  readonly port: number;
  /** Stops listening; resolves when every running answer is complete. */
  readonly shutdown: () => Promise<void>;
  /** Closes every connection. */
  readonly abort: () => void;
}

/** Times in milliseconds, for tests to shorten. */
export interface ServerTimes {
  /** How long a connection without a request is kept; longer than clients keep theirs. @default {120_000} */
  readonly keep?: number;
  /** How long a head may take, and each piece of a body. @default {60_000} */
  readonly read?: number;
  /** How long the rest of a body that nobody read is thrown away, so that its client gets to read the answer. @default {1_000} */
  readonly discard?: number;
}

/** How long to wait where no connection can be taken, for want of file handles or memory. */
const ACCEPT_PAUSE = 100;

/**
 * Starts to listen.
 *
 * @param hostname The address.
 * @param port The port; 0 for any.
 * @param handler Answers requests.
 * @param times How long things may take.
 * @throws Deno's error, such as `AddrInUse`.
 *
 * @example
 * ```ts
 * import { startHttpServer } from "./server.ts";
 *
 * const server = startHttpServer("127.0.0.1", 0, () => new Response("hi"));
 * const text = await (await fetch(`http://127.0.0.1:${server.port}`)).text();
 * await server.shutdown();
 * if (text !== "hi") throw new Error(text);
 * ```
 */
export function startHttpServer(
  hostname: string,
  port: number,
  handler: Handler,
  times: ServerTimes = {},
): ListeningServer {
  const { keep = 120_000, read = 60_000, discard = 1_000 } = times;
  const listener = Deno.listen({ hostname, port });
  const clients = new Set<ServedClient>();
  let stopping = false;
  const options = { handler, keep, read, discard, stopping: () => stopping, onWait: watch };
  let sweeping: ReturnType<typeof setInterval> | undefined;

  /**
   * One timer for all, however many there are: what it watches for is far apart. It begins when there is
   * something to watch, because Deno takes 8 ms to load its timers, and somebody waits for the first answer.
   */
  function watch(): void {
    sweeping ??= setInterval(() => {
      const now = performance.now();
      for (const client of clients) if (now > client.deadline) client.close();
    }, Math.max(5, Math.min(keep, read) / 4));
  }

  async function accept(): Promise<void> {
    while (!stopping) {
      try {
        const socket = withoutDelay(await listener.accept());
        const client = new ServedClient(new Connection(socket), options);
        clients.add(client);
        // One alone that says nothing does no harm.
        if (clients.size > 1) watch();
        void client.serve().finally(() => clients.delete(client));
      } catch {
        if (stopping) return;
        // A client that left at once, or no file handles: neither may end the program.
        await new Promise((resolve) => setTimeout(resolve, ACCEPT_PAUSE));
      }
    }
  }
  const accepting = accept();

  return {
    port: listener.addr.port,
    async shutdown() {
      stopping = true;
      listener.close();
      await accepting;
      for (const client of clients) if (!client.busy) client.close();
      await Promise.all([...clients].map((client) => client.ended));
      clearInterval(sweeping);
    },
    abort() {
      for (const client of clients) client.close();
      clearInterval(sweeping);
    },
  };
}

interface ClientOptions extends Required<ServerTimes> {
  readonly handler: Handler;
  readonly stopping: () => boolean;
  /** Told when a client is waited for. */
  readonly onWait: () => void;
}

/** One client's connection, from its first request to its last. */
class ServedClient {
  readonly #connection: Connection;
  readonly #options: ClientOptions;
  readonly #ended = Promise.withResolvers<void>();
  /** When the connection is closed unless something happens before, on the clock of `performance.now()`. */
  deadline: number;
  /** Whether a request is being answered. */
  busy = false;

  constructor(connection: Connection, options: ClientOptions) {
    this.#connection = connection;
    this.#options = options;
    this.deadline = performance.now() + options.read;
  }

  /** Resolves when the connection is closed. */
  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  close(): void {
    this.#connection.close();
  }

  /** Answers one request after the other; never rejects. */
  async serve(): Promise<void> {
    try {
      while (await this.#next()) {
        this.busy = false;
        if (this.#options.stopping()) break;
        this.deadline = performance.now() + this.#options.keep;
        this.#options.onWait();
      }
    } catch {
      // The connection broke, or was closed from this side: there is nobody to tell.
    } finally {
      this.close();
      this.#ended.resolve();
    }
  }

  /** One request. Resolves to whether the connection is good for another. */
  async #next(): Promise<boolean> {
    const connection = this.#connection;
    // Until here it may be idle; from the first byte on, somebody is asking.
    if (connection.waiting === 0 && !await connection.fill()) return false;
    this.deadline = performance.now() + this.#options.read;
    const head = await connection.readHead(this.#options.onWait);
    if (head === "closed") return false;
    this.busy = true;
    const problem = typeof head === "string" ? head : problemOf(head);
    if (problem !== undefined) {
      await this.#refuse(problem);
      return false;
    }
    const { headers, start } = head as Head;
    const body = new Body(connection, bodyLength(headers) as number | "chunked" | undefined ?? 0);
    const old = start.endsWith("1.0");
    if (!old && headers.get("expect")?.toLowerCase() === "100-continue" && !body.complete) {
      body.onBegin = () => connection.write(CONTINUE);
    }
    const request = new IncomingRequest(head as Head, body);
    const watching = this.#watch(request, body);
    const answered = await this.#options.handler(request);
    this.deadline = Infinity;
    // What was not asked for until now is not asked for in the middle of the answer.
    body.onBegin = undefined;
    const again = !old && body.complete && !this.#options.stopping() &&
      !/\bclose\b/i.test(headers.get("connection") ?? "");
    const reply = "json" in answered ? await toReply(answered) : answered;
    const whole = await writeReply(connection, reply, {
      head: request.method === "HEAD",
      chunked: !old,
      close: !again,
      onLeave: watching.onLeave,
    });
    watching.stop();
    if (!whole) return false;
    if (!body.complete) await this.#discard(body);
    return again;
  }

  /**
   * Reads on while the request is answered, which is how a client is noticed that leaves. What comes
   * instead, a client's next request, waits for its turn.
   */
  #watch(request: IncomingRequest, body: Body): Watch {
    let over = false;
    let gone = false;
    let onLeave = () => {};
    const leave = () => {
      if (over || gone) return;
      gone = true;
      request.leave();
      onLeave();
      // Ends a write that a client doesn't take.
      this.close();
    };
    const look = () => {
      if (over) return;
      this.deadline = body.complete ? Infinity : performance.now() + this.#options.read;
      if (!body.complete) this.#options.onWait();
      // A client may send its next requests meanwhile, and leave behind them.
      if (!body.complete || this.#connection.waiting >= MAX_HEAD) return;
      this.#connection.fill().then((more) => more ? look() : leave(), leave);
    };
    body.onRead = look;
    body.onCut = leave;
    look();
    return {
      stop: () => over = true,
      onLeave(action) {
        onLeave = action;
        if (gone) action();
      },
    };
  }

  /** Says what is wrong with a request that isn't one. */
  async #refuse(problem: Problem): Promise<void> {
    const { status, message } = PROBLEMS[problem];
    const reply = new BridgeError("request", message, { status }).toReply();
    await writeReply(this.#connection, reply, {
      head: false,
      chunked: false,
      close: true,
      onLeave: () => {},
    });
    await this.#discard(new Body(this.#connection, "to the end"));
  }

  /** A body that nobody wants isn't kept: its client gets a moment to see the answer, then the connection ends. */
  async #discard(body: Body): Promise<void> {
    this.deadline = Infinity;
    const timer = setTimeout(() => this.close(), this.#options.discard);
    const into = new Uint8Array(16 * 1024);
    try {
      await this.#connection.finish();
      // Bounded by the timer.
      while (await body.read(into) > 0) continue;
    } finally {
      clearTimeout(timer);
    }
  }
}

/** A client that is watched while its request is answered. */
interface Watch {
  readonly stop: () => void;
  /** Does something when it leaves, or at once if it has left. */
  readonly onLeave: (action: () => void) => void;
}

const CONTINUE = "HTTP/1.1 100 Continue\r\n\r\n";
