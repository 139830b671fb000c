/**
 * The cases: requests that look like ForgeCode's, answers that are counted and checked, and the numbers
 * that come of it.
 *
 * @module
 */

import { Connection, type Reply } from "./client.ts";
import { clock, type Order, orderText } from "./gateway.ts";
import type { RowName } from "./report.ts";
import { usageOf } from "./usage.ts";

/** The candidate as a case sees it. */
export interface Target {
  /** Where it listens on 127.0.0.1. */
  readonly port: number;
  /** Its process; undefined where no CPU is to be charged. */
  readonly pid: number | undefined;
}

/** How much is done. */
export interface Effort {
  /** Seconds that a case without an end of its own goes on. */
  readonly seconds: number;
  /** Factor for the counts of requests and events. */
  readonly share: number;
}

/** What a case came to. */
export interface CaseResult {
  /** Row → its number, in the row's unit. */
  readonly values: Partial<Record<RowName, number>>;
  /** Answers that were as they must be. */
  readonly good: number;
  /** Answers that were not. */
  readonly bad: number;
  /** What was wrong with them → how often. */
  readonly failures: Readonly<Record<string, number>>;
}

type Case = (target: Target, effort: Effort) => Promise<CaseResult>;

/** The names of the cases. */
export type CaseName = keyof typeof CASES;

/** The cases, in the order in which a round takes them. `flat128` comes last: the memory after it is the memory after everything. */
export const CASES = {
  first: firstByte("firstByte", { requests: 100, size: 0 }),
  first512: firstByte("firstByteLarge", { requests: 30, size: 512 * 1024 }),
  paced1: paced(1, 200, { median: "latency", late: "latencyLate" }),
  paced16: paced(16, 400, { median: "latency16", late: "latencyLate16", cpu: "cpuPaced" }),
  flat1: flatOut(1, 2000, { rate: "events1" }),
  flat16: flatOut(16, 2000, { rate: "events16", cpu: "cpuFlat" }),
  whole16: requests(16, () => chatRequest(WHOLE), { rate: "requests", cpu: "cpuRequest" }),
  models16: requests(16, () => MODELS_REQUEST, { rate: "models" }),
  flat128: flatOut(128, 500, { rate: "events128" }),
} satisfies Record<string, Case>;

/** The events behind those with content: the finish reason, and `[DONE]`. */
export const CLOSING = 2;

const WHOLE: Order = { stream: false, events: 0, interval: 0 };
const encoder = new TextEncoder();
const latin1 = new TextDecoder("latin1");

/** `GET /models`, as ForgeCode asks for it four times at each start. */
const MODELS_REQUEST = encoder.encode(
  "GET /models HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer bench\r\n\r\n",
);

const TOOLS = [{
  type: "function",
  function: {
    name: "read",
    description: "Reads a file",
    parameters: {
      type: "object",
      properties: { path: { type: "string" } },
      required: ["path"],
    },
  },
}];

/**
 * A chat request, head and body, as bytes for the socket.
 *
 * @param order What the gateway is to answer.
 * @param size The body's least size in bytes; its prompt is filled up.
 */
export function chatRequest(order: Order, size = 0): Uint8Array {
  const body = (filling: string) =>
    JSON.stringify({
      model: "databricks-claude-sonnet-4-6",
      stream: order.stream,
      max_tokens: 1024,
      parallel_tool_calls: true,
      ...(order.stream ? { stream_options: { include_usage: true } } : {}),
      messages: [
        { role: "system", content: "You answer in a few words." },
        { role: "user", content: orderText(order) + filling },
      ],
      tools: TOOLS,
    });
  const line = 'Files, "names" and tests.\n';
  const missing = Math.max(0, size - body("").length);
  const text = body(line.repeat(Math.ceil(missing / line.length)));
  return encoder.encode(
    [
      "POST /chat/completions HTTP/1.1",
      "host: 127.0.0.1",
      "content-type: application/json",
      "accept: text/event-stream, application/json",
      "authorization: Bearer bench",
      `content-length: ${text.length}`,
      "",
      text,
    ].join("\r\n"),
  );
}

/** The value below which a share (0 to 1) of the values lies; NaN where there are none. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? NaN;
}

/** Judges answers: 200, whole, and with the number of events that was ordered. */
class Judge {
  readonly #expected: number;
  readonly #failures: Record<string, number> = {};
  good = 0;
  bad = 0;

  constructor({ stream, events }: Order) {
    this.#expected = stream ? events + CLOSING : 0;
  }

  /** Events in all good answers. */
  get events(): number {
    return this.good * this.#expected;
  }

  add({ status, whole, events, failure }: Reply): void {
    if (status === 200 && whole && events === this.#expected) {
      this.good++;
      return;
    }
    this.bad++;
    const what = [`status ${status}`, `${events} of ${this.#expected} events`, failure ?? []]
      .flat().join(", ");
    // Bounded: nobody reads more kinds of failures than these.
    const key = what in this.#failures || Object.keys(this.#failures).length < 10 ? what : "others";
    this.#failures[key] = (this.#failures[key] ?? 0) + 1;
  }

  result(values: CaseResult["values"]): CaseResult {
    return { values, good: this.good, bad: this.bad, failures: this.#failures };
  }
}

/** Runs something and returns the CPU time, in microseconds, that the target's process took meanwhile. */
async function charged({ pid }: Target, run: () => Promise<unknown>): Promise<number> {
  const cpu = async () => pid === undefined ? NaN : (await usageOf(pid)).cpu ?? NaN;
  const before = await cpu();
  await run();
  return (await cpu() - before) * 1e6;
}

/** Runs something on a number of connections at once. */
async function onConnections(
  port: number,
  count: number,
  run: (connection: Connection, index: number) => Promise<void>,
): Promise<void> {
  await Promise.all(Array.from({ length: count }, async (_, index) => {
    const connection = new Connection(port);
    await run(connection, index);
    connection.close();
  }));
}

/** One request after the other on one connection. */
function firstByte(row: RowName, { requests, size }: { requests: number; size: number }): Case {
  return async ({ port }, { share }) => {
    const order: Order = { stream: true, events: 1, interval: 0 };
    const request = chatRequest(order, size);
    const judge = new Judge(order);
    const times: number[] = [];
    await onConnections(port, 1, async (connection) => {
      for (let at = 0; at < Math.ceil(requests * share) && judge.bad < 5; at++) {
        const reply = await connection.send(request);
        judge.add(reply);
        times.push(reply.firstByte);
      }
    });
    return judge.result({ [row]: quantile(times, 0.5) / 1000 });
  };
}

/** Streams at one event per 5 ms, side by side; the time at which each event was written is in it. */
function paced(
  streams: number,
  events: number,
  rows: { median: RowName; late: RowName; cpu?: RowName },
): Case {
  return async (target, { share }) => {
    const order: Order = { stream: true, events: Math.ceil(events * share), interval: 5000 };
    const deadline = 30_000 + order.events * order.interval / 1000;
    const request = chatRequest(order);
    const judge = new Judge(order);
    const times: number[] = [];
    const run = async (connection: Connection, index: number) => {
      // Out of step, as streams of different users are.
      await new Promise((resolve) => setTimeout(resolve, index * 5 / streams));
      const reader = new TimeReader((time) => times.push(time));
      const onPiece = (bytes: Uint8Array, time: number) => reader.add(bytes, time);
      judge.add(await connection.send(request, { onPiece, deadline }));
    };
    const cpu = await charged(target, () => onConnections(target.port, streams, run));
    return judge.result({
      [rows.median]: quantile(times, 0.5) / 1000,
      [rows.late]: quantile(times, 0.99) / 1000,
      ...(rows.cpu ? { [rows.cpu]: cpu / judge.events } : {}),
    });
  };
}

/** Finds the times in events, `@<microseconds>|`, though they come in pieces. */
export class TimeReader {
  readonly #tell: (time: number) => void;
  #rest = "";

  /** Calls `tell` with the microseconds from an event's writing to its reading. */
  constructor(tell: (time: number) => void) {
    this.#tell = tell;
  }

  /** Takes a piece, and the time at which it was read. */
  add(bytes: Uint8Array, now: number): void {
    const text = this.#rest + latin1.decode(bytes);
    const from = text.lastIndexOf("@");
    this.#rest = from !== -1 && !text.includes("|", from) ? text.slice(from) : "";
    for (const [, written] of text.matchAll(/@(\d+)\|/g)) this.#tell(now - Number(written));
  }
}

/** As many requests as go through in a time, side by side. */
async function load(
  target: Target,
  lanes: number,
  seconds: number,
  order: Order,
  request: Uint8Array,
) {
  const judge = new Judge(order);
  let took = NaN;
  const cpu = await charged(target, async () => {
    const start = clock();
    const until = start + seconds * 1e6;
    await onConnections(target.port, lanes, async (connection) => {
      while (clock() < until && judge.bad < 20) judge.add(await connection.send(request));
    });
    took = (clock() - start) / 1e6;
  });
  return { judge, took, cpu };
}

function flatOut(lanes: number, events: number, rows: { rate: RowName; cpu?: RowName }): Case {
  return async (target, { seconds, share }) => {
    const order: Order = { stream: true, events: Math.ceil(events * share), interval: 0 };
    const { judge, took, cpu } = await load(target, lanes, seconds, order, chatRequest(order));
    return judge.result({
      [rows.rate]: judge.events / took,
      ...(rows.cpu ? { [rows.cpu]: cpu / judge.events } : {}),
    });
  };
}

function requests(
  lanes: number,
  request: () => Uint8Array,
  rows: { rate: RowName; cpu?: RowName },
): Case {
  return async (target, { seconds }) => {
    const { judge, took, cpu } = await load(target, lanes, seconds, WHOLE, request());
    return judge.result({
      [rows.rate]: judge.good / took,
      ...(rows.cpu ? { [rows.cpu]: cpu / judge.good } : {}),
    });
  };
}
