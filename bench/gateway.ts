/**
 * A gateway for the benchmark: raw TCP, HTTP/1.1, loopback only, and much faster than what is measured
 * against it. What to answer stands in the prompt, so that it survives every program in between:
 * `bench{stream=1,events=2000,interval=0}`. Answers that come flat out are built once and then only
 * written; one event stands in each HTTP chunk, as the real gateway sends them.
 *
 * Run as a program it prints its port as JSON and goes on until its standard input ends.
 *
 * @module
 */

import { type Received, RequestReader } from "./gateway_request.ts";

/** What a request asks for. */
export interface Order {
  /** Whether a stream is wanted. */
  readonly stream: boolean;
  /** Events with content; an event with the finish reason and `[DONE]` follow them. */
  readonly events: number;
  /** Microseconds from event to event; 0 for all at once. */
  readonly interval: number;
}

/** The most events of one stream. */
const MAX_EVENTS = 1_000_000;

/** What one write hands over: the kernel takes about as much before it blocks. */
const WRITE = 256 * 1024;

/** How many bytes of a body are searched for the order before all of it is. */
const NEAR = 8 * 1024;

const encoder = new TextEncoder();
const latin1 = new TextDecoder("latin1");

const STREAM_HEAD =
  "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncache-control: no-cache\r\ntransfer-encoding: chunked\r\n\r\n";

/**
 * The words for an order, to stand in a prompt.
 *
 * @param order What to ask for.
 *
 * @example
 * ```ts
 * import { orderText, readOrder } from "./gateway.ts";
 *
 * const order = { stream: true, events: 3, interval: 0 };
 * if (readOrder(orderText(order))?.events !== 3) throw new Error("there and back");
 * ```
 */
export function orderText({ stream, events, interval }: Order): string {
  return `bench{stream=${stream ? 1 : 0},events=${events},interval=${interval}}`;
}

/**
 * The order in a text.
 *
 * @param text A request's body, or its beginning.
 * @returns The order, or undefined where there is none.
 *
 * @example
 * ```ts
 * import { readOrder } from "./gateway.ts";
 *
 * if (readOrder("no order") !== undefined) throw new Error("none");
 * ```
 */
export function readOrder(text: string): Order | undefined {
  const match = /bench\{stream=([01]),events=(\d{1,7}),interval=(\d{1,7})\}/.exec(text);
  if (match === null) return undefined;
  return {
    stream: match[1] === "1",
    events: Math.min(Number(match[2]), MAX_EVENTS),
    interval: Number(match[3]),
  };
}

/**
 * An event as the gateway sends it for most models: no id, no model, no index (`gateway.md`).
 *
 * @param content Text that needs no escapes.
 * @param finish The finish reason, or null.
 *
 * @example
 * ```ts
 * import { eventText } from "./gateway.ts";
 *
 * if (!eventText("a", null).startsWith('data: {"choices":')) throw new Error("an event");
 * ```
 */
export function eventText(content: string, finish: string | null): string {
  const delta = finish === null ? { content } : {};
  return `data: ${JSON.stringify({ choices: [{ delta, finish_reason: finish }] })}\n\n`;
}

/** A text as a chunk of HTTP's. All of it is ASCII, so characters are bytes. */
function chunked(text: string): string {
  return `${text.length.toString(16)}\r\n${text}\r\n`;
}

/** The end of every stream. */
const STREAM_END = chunked(eventText("", "stop")) + chunked("data: [DONE]\n\n") + "0\r\n\r\n";

const ANSWER = withLength(JSON.stringify({
  id: "chatcmpl-bench",
  object: "chat.completion",
  created: 1_700_000_000,
  model: "bench",
  choices: [{
    index: 0,
    message: { role: "assistant", content: "Forty words or so. ".repeat(10) },
    finish_reason: "stop",
  }],
  usage: { prompt_tokens: 10, completion_tokens: 40, total_tokens: 50 },
}));

const EMPTY = withLength("{}");

function withLength(json: string): Uint8Array {
  return encoder.encode(
    `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${json.length}\r\n\r\n${json}`,
  );
}

/** Answers that were built already, by their number of events. */
const built = new Map<number, Uint8Array>();

/** A whole stream with its head, as bytes. */
function flatOut(events: number): Uint8Array {
  let bytes = built.get(events);
  if (bytes === undefined) {
    const parts = [STREAM_HEAD];
    for (let at = 0; at < events; at++) {
      parts.push(chunked(eventText(`tok${at} lorem ipsum `, null)));
    }
    parts.push(STREAM_END);
    bytes = encoder.encode(parts.join(""));
    built.set(events, bytes);
  }
  return bytes;
}

/**
 * The time, in microseconds since 1970, the same in all processes of a machine.
 *
 * @example
 * ```ts
 * import { clock } from "./gateway.ts";
 *
 * if (clock() < 1e15) throw new Error("microseconds");
 * ```
 */
export function clock(): number {
  return (performance.timeOrigin + performance.now()) * 1000;
}

/** Writes all of it. */
async function writeAll(connection: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) {
    at += await connection.write(bytes.subarray(at, at + WRITE));
  }
}

/** Streams that are sent event by event. */
class Pacer {
  readonly #streams = new Set<() => boolean>();
  #timer: ReturnType<typeof setInterval> | undefined;

  /** Sends the stream; resolves at its end. Rejects when the client has gone. */
  run(connection: Deno.Conn, { events, interval }: Order): Promise<void> {
    const start = clock();
    let sent = 0;
    return new Promise((resolve, reject) => {
      let last: Promise<unknown> = writeAll(connection, encoder.encode(STREAM_HEAD));
      last.catch(reject);
      this.#add(() => {
        const due = Math.min(events, Math.floor((clock() - start) / interval) + 1);
        let text = "";
        // The time stands in the event: who reads it knows how long it was on its way.
        while (sent < due) {
          text += chunked(eventText(`@${Math.round(clock())}|${sent} lorem `, null));
          sent++;
        }
        if (sent === events) text += STREAM_END;
        if (text !== "") {
          const bytes = encoder.encode(text);
          // As a rule the socket is free and this is the very moment of the write.
          last = last.then(() => writeAll(connection, bytes));
          last.then(() => sent === events && resolve(), reject);
        }
        return sent < events;
      });
    });
  }

  #add(step: () => boolean): void {
    this.#streams.add(step);
    this.#timer ??= setInterval(() => this.#tick(), 1);
    if (!step()) this.#streams.delete(step);
  }

  #tick(): void {
    for (const step of this.#streams) if (!step()) this.#streams.delete(step);
    if (this.#streams.size === 0) {
      clearInterval(this.#timer);
      this.#timer = undefined;
    }
  }
}

async function answer(connection: Deno.Conn, request: Received, pacer: Pacer): Promise<void> {
  if (request.method !== "POST") return await writeAll(connection, EMPTY);
  const order = readOrder(latin1.decode(request.body.subarray(0, NEAR))) ??
    readOrder(latin1.decode(request.body));
  if (!order?.stream) return await writeAll(connection, ANSWER);
  if (order.interval > 0) return await pacer.run(connection, order);
  await writeAll(connection, flatOut(order.events));
}

async function serveConnection(connection: Deno.TcpConn, pacer: Pacer): Promise<void> {
  connection.setNoDelay(true);
  const reader = new RequestReader(connection);
  try {
    for (let request = await reader.next(); request; request = await reader.next()) {
      await answer(connection, request, pacer);
      if (request.close) break;
    }
  } catch {
    // The client has gone in the middle of it: that is its own business.
  } finally {
    closeQuietly(connection);
  }
}

function closeQuietly(connection: Deno.TcpConn): void {
  try {
    connection.close();
  } catch {
    // It was closed already.
  }
}

/** A gateway at work. */
export interface BenchGateway {
  /** Its port on 127.0.0.1. */
  readonly port: number;
  /** Stops listening and closes all connections; resolves when nothing is left of them. */
  readonly close: () => Promise<void>;
}

/**
 * Starts a gateway in this process.
 *
 * @example
 * ```ts
 * import { startGateway } from "./gateway.ts";
 *
 * const gateway = startGateway();
 * const body = 'bench{stream=1,events=2,interval=0}';
 * const response = await fetch(`http://127.0.0.1:${gateway.port}/`, { method: "POST", body });
 * const text = await response.text();
 * await gateway.close();
 * if (text.split("data:").length !== 5) throw new Error("two, the finish reason, and [DONE]");
 * ```
 */
export function startGateway(): BenchGateway {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const pacer = new Pacer();
  const open = new Map<Deno.TcpConn, Promise<void>>();
  const listening = (async () => {
    for await (const connection of listener) {
      open.set(
        connection,
        serveConnection(connection, pacer).finally(() => open.delete(connection)),
      );
    }
  })();
  return {
    port: listener.addr.port,
    async close() {
      listener.close();
      const ending = [...open.values()];
      for (const connection of open.keys()) closeQuietly(connection);
      await Promise.all([listening, ...ending]);
    },
  };
}

if (import.meta.main) {
  console.log(JSON.stringify({ port: startGateway().port }));
  // Whoever started it holds the other end: when that process is gone, so is this one.
  for await (const _ of Deno.stdin.readable) continue;
  Deno.exit(0);
}
