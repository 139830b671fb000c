/**
 * The gateway that the benchmark's streams come from, much faster than what is measured against it.
 * What to answer stands in the prompt, so that it survives every program in between:
 * `bench{stream=1,events=2000,interval=0}`. Streams sent flat out are built once; one event stands in
 * each HTTP chunk, as the real gateway sends them.
 *
 * Run as a program it prints its port as JSON and goes on until its standard input ends.
 *
 * @module
 */

import {
  answer,
  type RawGateway,
  type RawRequest,
  startRawGateway,
  STREAM_END,
  STREAM_HEAD,
} from "../tests/helpers/raw_gateway.ts";

export type { RawGateway, RawRequest };

/** What a request asks for. */
export interface Order {
  /** Whether a stream is wanted. */
  readonly stream: boolean;
  /** Events with content; an event with the finish reason and `[DONE]` follow them. */
  readonly events: number;
  /** Microseconds from event to event; 0 for all at once. */
  readonly interval: number;
}

/** The words for an order, to stand in a prompt. */
export function orderText({ stream, events, interval }: Order): string {
  return `bench{stream=${stream ? 1 : 0},events=${events},interval=${interval}}`;
}

/** The order in a request's body or its beginning; undefined where there is none. */
export function readOrder(text: string): Order | undefined {
  const match = /bench\{stream=([01]),events=(\d{1,6}),interval=(\d{1,7})\}/.exec(text);
  return match
    ? { stream: match[1] === "1", events: Number(match[2]), interval: Number(match[3]) }
    : undefined;
}

/** The time in microseconds since 1970, the same in all processes of a machine. */
export function clock(): number {
  return (performance.timeOrigin + performance.now()) * 1000;
}

const encoder = new TextEncoder();
const latin1 = new TextDecoder("latin1");

/** An event in a chunk of HTTP's; all of it is ASCII, so characters are bytes. */
function chunked(event: string): string {
  return `${(event.length + 8).toString(16)}\r\ndata: ${event}\n\n\r\n`;
}

/** An event as the gateway sends it for most models: no id, no model, no index. */
function content(text: string): string {
  return chunked(
    JSON.stringify({ choices: [{ delta: { content: text }, finish_reason: null }] }),
  );
}

const STOP = JSON.stringify({ choices: [{ delta: {}, finish_reason: "stop" }] });
const END = chunked(STOP) + chunked("[DONE]") + STREAM_END;

const WHOLE = encoder.encode(answer(JSON.stringify({
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
})));
const EMPTY = encoder.encode(answer("{}"));

/** Streams that were built already, by their number of events. */
const built = new Map<number, Uint8Array>();

function flatOut(events: number): Uint8Array {
  let bytes = built.get(events);
  if (bytes === undefined) {
    const texts = Array.from({ length: events }, (_, at) => content(`tok${at} lorem ipsum `));
    bytes = encoder.encode(STREAM_HEAD + texts.join("") + END);
    built.set(events, bytes);
  }
  return bytes;
}

/** Steps of the streams that are sent event by event; each tells whether it goes on. One timer runs all. */
const steps = new Set<() => boolean>();
let timer: ReturnType<typeof setInterval> | undefined;

function tick(): void {
  for (const step of steps) if (!step()) steps.delete(step);
  if (steps.size > 0) return;
  clearInterval(timer);
  timer = undefined;
}

/** Sends a stream event by event. Each carries the time at which it was written, `@<microseconds>|`. */
function paced({ send, isClosed }: RawRequest, { events, interval }: Order): void {
  const start = clock();
  let sent = 0;
  let last = send(STREAM_HEAD);
  const step = () => {
    const due = Math.min(events, Math.floor((clock() - start) / interval) + 1);
    let text = "";
    for (; sent < due; sent++) text += content(`@${Math.round(clock())}|${sent} lorem `);
    if (sent === events) text += END;
    if (text !== "") last = last.then(() => send(text));
    return sent < events && !isClosed();
  };
  if (!step()) return;
  steps.add(step);
  timer ??= setInterval(tick, 1);
}

/** Bytes of a body that are searched for the order before all of it is. */
const NEAR = 8 * 1024;

/** Starts the gateway in this process. */
export function startGateway(): RawGateway {
  return startRawGateway((request) => {
    if (!request.head.startsWith("POST ")) return request.send(EMPTY);
    const order = readOrder(latin1.decode(request.bytes.subarray(0, NEAR))) ??
      readOrder(request.body);
    if (!order?.stream) return request.send(WHOLE);
    return order.interval > 0 ? paced(request, order) : request.send(flatOut(order.events));
  }, { keeps: false });
}

if (import.meta.main) {
  console.log(JSON.stringify({ port: startGateway().port }));
  // Its parent holds the other end: it ends with its parent.
  for await (const _ of Deno.stdin.readable) continue;
  Deno.exit(0);
}
