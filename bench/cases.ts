/**
 * What is done to each candidate: requests that look like ForgeCode's, answers that are counted and
 * checked, and the few numbers that come of it.
 *
 * @module
 */

import { Connection, type Reply } from "./client.ts";
import { clock, type Order, orderText } from "./gateway.ts";
import type { RowName } from "./rows.ts";
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
  /** How long a case without an end of its own goes on, in seconds. */
  readonly seconds: number;
  /** What counts of requests and events are multiplied by. */
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

/** The names of the cases, in the order in which a round takes them. */
export type CaseName = keyof typeof CASES;

/** A case's work. */
type Case = (target: Target, effort: Effort) => Promise<CaseResult>;

const MODEL = "databricks-claude-sonnet-4-6";

/** The events behind those with content: the finish reason, and `[DONE]`. */
export const CLOSING = 2;

const encoder = new TextEncoder();

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
 * @param size The body's size in bytes, at least; its prompt is filled up.
 *
 * @example
 * ```ts
 * import { chatRequest } from "./cases.ts";
 *
 * const bytes = chatRequest({ stream: true, events: 1, interval: 0 }, 4096);
 * if (bytes.length < 4096) throw new Error("filled up");
 * ```
 */
export function chatRequest(order: Order, size = 0): Uint8Array {
  const body = (filling: string) =>
    JSON.stringify({
      model: MODEL,
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

/**
 * The value below which a share of the values lies.
 *
 * @param values In any order.
 * @param share From 0 to 1.
 *
 * @example
 * ```ts
 * import { quantile } from "./cases.ts";
 *
 * if (quantile([3, 1, 2], 0.5) !== 2) throw new Error("the median");
 * ```
 */
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

  add(reply: Reply): void {
    const { status, whole, events, failure } = reply;
    if (status === 200 && whole && events === this.#expected) {
      this.good++;
      return;
    }
    this.bad++;
    const what = `status ${status}, ${events} of ${this.#expected} events${
      failure ? `, ${failure}` : ""
    }`;
    // A bound: nobody reads more kinds of failures than these.
    const kinds = Object.keys(this.#failures).length;
    const key = what in this.#failures || kinds < 10 ? what : "others";
    this.#failures[key] = (this.#failures[key] ?? 0) + 1;
  }

  result(values: CaseResult["values"]): CaseResult {
    return { values, good: this.good, bad: this.bad, failures: this.#failures };
  }
}

/** Runs something and tells the CPU time, in microseconds, that the target's process took meanwhile. */
async function charged({ pid }: Target, run: () => Promise<void>): Promise<number> {
  const before = pid === undefined ? undefined : (await usageOf(pid)).cpu;
  await run();
  const after = pid === undefined ? undefined : (await usageOf(pid)).cpu;
  return ((after ?? NaN) - (before ?? NaN)) * 1e6;
}

/** One request after the other on one connection. */
function firstByte(row: RowName, count: number, size: number): Case {
  return async ({ port }, { share }) => {
    const order: Order = { stream: true, events: 1, interval: 0 };
    const request = chatRequest(order, size);
    const judge = new Judge(order);
    const connection = new Connection(port);
    const times: number[] = [];
    for (let at = 0; at < Math.ceil(count * share) && judge.bad < 5; at++) {
      const reply = await connection.send(request);
      judge.add(reply);
      times.push(reply.firstByte);
    }
    connection.close();
    return judge.result({ [row]: quantile(times, 0.5) / 1000 });
  };
}

/** Streams at one event per 5 ms, side by side; each event carries the time at which it was written. */
function paced(
  streams: number,
  count: number,
  rows: { median: RowName; late: RowName; cpu?: RowName },
): Case {
  return async (target, { share }) => {
    const order: Order = { stream: true, events: Math.ceil(count * share), interval: 5000 };
    const request = chatRequest(order);
    const judge = new Judge(order);
    const times: number[] = [];
    const cpu = await charged(target, async () => {
      await Promise.all(Array.from({ length: streams }, async (_, at) => {
        // Out of step, as streams of different users are.
        await new Promise((resolve) => setTimeout(resolve, at * 5 / streams));
        const connection = new Connection(target.port);
        const deadline = 30_000 + order.events * order.interval / 1000;
        const reader = new TimeReader((time) => times.push(time));
        const onPiece = (bytes: Uint8Array, time: number) => reader.add(bytes, time);
        judge.add(await connection.send(request, { onPiece, deadline }));
        connection.close();
      }));
    });
    return judge.result({
      [rows.median]: quantile(times, 0.5) / 1000,
      [rows.late]: quantile(times, 0.99) / 1000,
      ...(rows.cpu ? { [rows.cpu]: cpu / judge.events } : {}),
    });
  };
}

const latin1 = new TextDecoder("latin1");

/**
 * Finds the times in events, `@<microseconds>|`, though they come in pieces.
 *
 * @example
 * ```ts
 * import { TimeReader } from "./cases.ts";
 *
 * const times: number[] = [];
 * const reader = new TimeReader((time) => times.push(time));
 * for (const piece of ["data: @1", "00|"]) reader.add(new TextEncoder().encode(piece), 130);
 * if (times.join() !== "30") throw new Error("read at 130, written at 100");
 * ```
 */
export class TimeReader {
  readonly #tell: (time: number) => void;
  #rest = "";

  /** Tells of each event how many microseconds after it was written it was read. */
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
async function flatOut(
  target: Target,
  { seconds }: Effort,
  lanes: number,
  order: Order,
  request: Uint8Array = chatRequest(order),
): Promise<{ judge: Judge; took: number; cpu: number }> {
  const judge = new Judge(order);
  let took = 0;
  const cpu = await charged(target, async () => {
    const start = clock();
    const until = start + seconds * 1e6;
    await Promise.all(Array.from({ length: lanes }, async () => {
      const connection = new Connection(target.port);
      while (clock() < until && judge.bad < 20) judge.add(await connection.send(request));
      connection.close();
    }));
    took = (clock() - start) / 1e6;
  });
  return { judge, took, cpu };
}

function streaming(lanes: number, events: number, rows: { rate: RowName; cpu?: RowName }): Case {
  return async (target, effort) => {
    const order: Order = { stream: true, events: Math.ceil(events * effort.share), interval: 0 };
    const { judge, took, cpu } = await flatOut(target, effort, lanes, order);
    return judge.result({
      [rows.rate]: judge.events / took,
      ...(rows.cpu ? { [rows.cpu]: cpu / judge.events } : {}),
    });
  };
}

const whole: Case = async (target, effort) => {
  const order: Order = { stream: false, events: 0, interval: 0 };
  const { judge, took, cpu } = await flatOut(target, effort, 16, order);
  return judge.result({ requests: judge.good / took, cpuRequest: cpu / judge.good });
};

/** `GET /models`, as ForgeCode asks for it four times at each start. */
const MODELS_REQUEST = encoder.encode(
  "GET /models HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer bench\r\n\r\n",
);

const models: Case = async (target, effort) => {
  const order: Order = { stream: false, events: 0, interval: 0 };
  const { judge, took } = await flatOut(target, effort, 16, order, MODELS_REQUEST);
  return judge.result({ models: judge.good / took });
};

/**
 * The cases. `flat128` comes last: the memory after it is the memory after everything.
 *
 * @example
 * ```ts
 * import { CASES } from "./cases.ts";
 * import { startGateway } from "./gateway.ts";
 *
 * const gateway = startGateway();
 * const effort = { seconds: 0.01, share: 0.02 };
 * const result = await CASES.first({ port: gateway.port, pid: undefined }, effort);
 * await gateway.close();
 * if (result.bad !== 0 || !(result.values.firstByte! > 0)) throw new Error("measured");
 * ```
 */
export const CASES = {
  first: firstByte("firstByte", 100, 0),
  first512: firstByte("firstByteLarge", 30, 512 * 1024),
  paced1: paced(1, 200, { median: "latency", late: "latencyLate" }),
  paced16: paced(16, 400, { median: "latency16", late: "latencyLate16", cpu: "cpuPaced" }),
  flat1: streaming(1, 2000, { rate: "events1" }),
  flat16: streaming(16, 2000, { rate: "events16", cpu: "cpuFlat" }),
  whole16: whole,
  models16: models,
  flat128: streaming(128, 500, { rate: "events128" }),
} satisfies Record<string, Case>;
