/**
 * How much one bridge takes, and how much two behind nginx do: streams at 50 events a second, as models
 * write them. `deno task bench:scale --help` says what can be chosen; docs/scale.md has the sums that are
 * made of it. Loopback only, and each part stops by itself within a minute.
 *
 * @module
 */

import { parseArgs } from "@std/cli/parse-args";
import { findNginx, startNginx } from "../scripts/nginx.ts";
import {
  bundleBridge,
  type Candidate,
  candidates,
  ROOT,
  type Running,
  start,
} from "./candidates.ts";
import { CASES, chatRequest, CLOSING, quantile, TimeReader } from "./cases.ts";
import { Connection } from "./client.ts";
import type { Order } from "./gateway.ts";
import { pinning, startGatewayProcess } from "./measure.ts";
import { machine, usageOf } from "./usage.ts";

const HELP = `Measures how many streams a bridge takes.

  --parts A,B     Only these: two, one, memory, requests
  --streams A,B   Streams at once, step by step, for "one" and "two"
  --seconds S     How long each step takes [4]
  --bound MS      The latency that 99 of 100 events must keep [50]
  --flags TEXT    Further flags of the bridge, such as "--store redis://127.0.0.1:6379"
`;

/** Microseconds from event to event: 50 a second. */
const INTERVAL = 20_000;

/** The longest that one part may take, in milliseconds. */
const PART_LIMIT = 55_000;

/** What a run is told. */
interface Options {
  readonly streams: readonly number[];
  readonly seconds: number;
  /** In milliseconds. */
  readonly bound: number;
  readonly candidate: Candidate;
  /** The gateway's port. */
  readonly gateway: number;
  /** The words that put a program on the second processor. */
  readonly prefix: string[] | undefined;
}

/** What a number of streams at once came to. */
export interface Load {
  /** How many streams there were. */
  readonly streams: number;
  /** Events that came, in all of them. */
  readonly events: number;
  /** Streams that were not whole. */
  readonly bad: number;
  /** Latency of an event, in milliseconds: the median. */
  readonly median: number;
  /** The latency that 99 of 100 events keep, in milliseconds. */
  readonly late: number;
  /** How long it took, in seconds. */
  readonly took: number;
}

/**
 * Runs streams side by side, out of step, each with one event per {@linkcode INTERVAL}.
 *
 * @param port Where they are asked for.
 * @param streams How many.
 * @param seconds How long each of them is.
 * @param connect How the port is connected, where it isn't plain TCP.
 *
 * @example
 * ```ts
 * import { startGateway } from "./gateway.ts";
 * import { load } from "./scale.ts";
 *
 * await using gateway = startGateway();
 * const { bad, events } = await load(gateway.port, 2, 0.1);
 * if (bad !== 0 || events !== 14) throw new Error(`${events}`);
 * ```
 */
export async function load(
  port: number,
  streams: number,
  seconds: number,
  connect?: (port: number) => Promise<Deno.Conn>,
): Promise<Load> {
  const order: Order = {
    stream: true,
    events: Math.round(seconds * 1e6 / INTERVAL),
    interval: INTERVAL,
  };
  const request = chatRequest(order);
  const times: number[] = [];
  let bad = 0;
  let events = 0;
  const begun = performance.now();
  await Promise.all(Array.from({ length: streams }, async (_, at) => {
    // They begin over a second, at other moments of the interval.
    await new Promise((resolve) => setTimeout(resolve, at * 1000 / streams));
    const connection = new Connection(port, connect);
    const reader = new TimeReader((time) => times.push(time));
    const reply = await connection.send(request, {
      onPiece: (bytes, time) => reader.add(bytes, time),
      deadline: seconds * 1000 + 20_000,
    });
    connection.close();
    events += reply.events;
    if (reply.status !== 200 || !reply.whole || reply.events !== order.events + CLOSING) bad++;
  }));
  return {
    streams,
    events,
    bad,
    median: quantile(times, 0.5) / 1000,
    late: quantile(times, 0.99) / 1000,
    took: (performance.now() - begun) / 1000,
  };
}

/** The CPU time of processes so far, in microseconds. */
async function cpuOf(pids: readonly number[]): Promise<number> {
  const all = await Promise.all(pids.map(async (pid) => (await usageOf(pid)).cpu ?? NaN));
  return all.reduce((sum, cpu) => sum + cpu, 0) * 1e6;
}

/** A row of a table in Markdown. */
function row(...cells: (string | number)[]): void {
  const text = cells.map((cell) =>
    typeof cell === "string" ? cell : Number(cell.toPrecision(3)).toLocaleString("en")
  );
  console.log(`| ${text.join(" | ")} |`);
}

function head(title: string, ...cells: string[]): void {
  console.log(`\n### ${title}\n`);
  row(...cells);
  row(...cells.map(() => "---:"));
}

/** V8 compiles the road of an event after some ten thousand of them; a program at work has it behind it. */
async function warmUp(target: Running): Promise<void> {
  await CASES.whole16(target, { seconds: 3, share: 1 });
  await load(target.port, 50, 3);
}

/**
 * Takes more streams with each step, until events come late. A step that comes late is taken once more:
 * it may have been another program's moment.
 *
 * @param options The steps, and the bound.
 * @param step Takes one, and tells of it.
 */
async function climb(options: Options, step: (streams: number) => Promise<Load>): Promise<void> {
  const begun = performance.now();
  for (const streams of options.streams) {
    if (performance.now() - begun > PART_LIMIT - options.seconds * 2000) break;
    if ((await step(streams)).late <= options.bound) continue;
    if ((await step(streams)).late > options.bound) break;
  }
}

/** One bridge on one processor; the client and the gateway share the other. */
async function one(options: Options): Promise<void> {
  const target = await start(options.candidate, options);
  try {
    await warmUp(target);
    head(
      `One bridge${options.prefix ? " with a processor of its own" : ""}`,
      ...["streams", "events/s", "median ms", "99 of 100 ms", "99 of 100 ms without a bridge"],
      ...["CPU µs an event", "of a processor", "memory MiB", "not whole"],
    );
    await climb(options, async (streams) => {
      const before = await cpuOf([target.pid!]);
      const result = await load(target.port, streams, options.seconds);
      const cpu = await cpuOf([target.pid!]) - before;
      const { memory = NaN } = await usageOf(target.pid!);
      // What the client and the gateway need themselves is in the latency.
      const without = await load(options.gateway, streams, 1);
      const { events, median, late, took, bad } = result;
      row(
        ...[streams, events / took, median, late, without.late, cpu / events],
        ...[`${Math.round(cpu / took / 1e4)} %`, Math.round(memory), bad],
      );
      return result;
    });
  } finally {
    await target.stop();
  }
}

/** What streams that are open take: slow ones, so that the memory is theirs and not their events'. */
async function memory(options: Options): Promise<void> {
  const target = await start(options.candidate, options);
  try {
    await warmUp(target);
    head("Memory of open streams", "streams open", "memory MiB", "more, KiB a stream");
    const { memory: base = NaN } = await usageOf(target.pid!);
    row(0, Math.round(base), "");
    const open: Connection[] = [];
    const order: Order = { stream: true, events: 1_000, interval: 1_000_000 };
    const request = chatRequest(order);
    for (const wanted of [250, 500, 1_000]) {
      await Promise.all(Array.from({ length: wanted - open.length }, () => {
        const connection = new Connection(target.port);
        open.push(connection);
        const begun = Promise.withResolvers<void>();
        void connection.send(request, { onPiece: () => begun.resolve(), deadline: PART_LIMIT });
        return begun.promise;
      }));
      // Two more events of each, and what opening them left behind is collected.
      await new Promise((resolve) => setTimeout(resolve, 3_000));
      const { memory: now = NaN } = await usageOf(target.pid!);
      row(wanted, Math.round(now), (now - base) * 1024 / wanted);
    }
    for (const connection of open) connection.close();
  } finally {
    await target.stop();
  }
}

/** Requests by themselves: what an answer costs beside its events, and how soon it begins. */
async function requests(options: Options): Promise<void> {
  const target = await start(options.candidate, options);
  try {
    await warmUp(target);
    const effort = { seconds: 5, share: 1 };
    const { values: whole } = await CASES.whole16(target, effort);
    const { values: first } = await CASES.first(target, effort);
    // An agent sends the whole conversation with every turn.
    await CASES.first512(target, effort);
    const before = await cpuOf([target.pid!]);
    const { values: large, good } = await CASES.first512(target, { ...effort, share: 3 });
    const cpuLarge = (await cpuOf([target.pid!]) - before) / good;
    head(
      "Requests",
      ...["CPU ms a request", "requests/s, 16 at once", "first byte ms, median"],
      ...["CPU ms with a body of 512 KB", "first byte ms, median"],
    );
    row(
      ...[(whole.cpuRequest ?? NaN) / 1000, whole.requests ?? NaN, first.firstByte ?? NaN],
      ...[cpuLarge / 1000, large.firstByteLarge ?? NaN],
    );
  } finally {
    await target.stop();
  }
}

/**
 * Two bridges behind nginx with TLS. Nothing is bound to a processor: bridges, nginx, client and gateway
 * share what there is, so it is the CPU of an event that tells how far it goes.
 */
async function two(options: Options): Promise<void> {
  const program = await findNginx();
  if (program === undefined) return console.log("\nTwo bridges: nginx is not on this machine.");
  const tls = `${ROOT}/tests/fixtures/tls`;
  const caCerts = [await Deno.readTextFile(`${tls}/ca.pem`)];
  const connect = (port: number) => Deno.connectTls({ hostname: "localhost", port, caCerts });
  const targets: Running[] = [];
  try {
    for (let at = 0; at < 2; at++) targets.push(await start(options.candidate, options));
    for (const target of targets) await warmUp(target);
    await using nginx = await startNginx(program, {
      bridges: [targets[0].port, targets[1].port],
      certificate: { cert: `${tls}/localhost.pem`, key: `${tls}/localhost.key` },
    });
    const bridges = targets.map(({ pid }) => pid!);
    const workers = await nginx.workers();
    head(
      "Two bridges behind nginx with TLS",
      ...["streams", "events/s", "median ms", "99 of 100 ms", "CPU µs an event, bridges"],
      ...["the same, nginx", "not whole"],
    );
    await climb(options, async (streams) => {
      const before = await Promise.all([cpuOf(bridges), cpuOf(workers)]);
      const result = await load(nginx.tlsPort, streams, options.seconds, connect);
      const after = await Promise.all([cpuOf(bridges), cpuOf(workers)]);
      const { events, median, late, took, bad } = result;
      const [cpu, front] = after.map((time, at) => (time - before[at]) / events);
      row(streams, events / took, median, late, cpu, front, bad);
      return result;
    });
  } finally {
    await Promise.all(targets.map((target) => target.stop()));
  }
}

/** In the order in which they run: what comes after `two` has a processor for the bridge alone. */
const PARTS = { two, one, memory, requests };

async function main(args: readonly string[]): Promise<number> {
  const flags = parseArgs([...args], {
    string: ["parts", "streams", "seconds", "bound", "flags"],
    boolean: ["help"],
    default: { seconds: "4", bound: "50", streams: "50,100,150,200,250,300,400" },
  });
  if (flags.help) {
    console.log(HELP);
    return 0;
  }
  const parts = (flags.parts?.split(",") ?? Object.keys(PARTS)) as (keyof typeof PARTS)[];
  const unknown = parts.find((name) => !Object.hasOwn(PARTS, name));
  if (unknown !== undefined) {
    console.error(`There is no part "${unknown}"; there are: ${Object.keys(PARTS).join(", ")}.`);
    return 2;
  }
  const folder = await Deno.makeTempDir({ prefix: "fd-bridge-scale-" });
  try {
    const bundle = await bundleBridge(folder);
    const bridge = candidates({ bundle }).find(({ name }) => name === "bridge")!;
    const more = flags.flags?.split(" ").filter(Boolean) ?? [];
    const candidate: Candidate = {
      ...bridge,
      command: (port, url) => [...bridge.command!(port, url), ...more],
    };
    const options = {
      streams: flags.streams.split(",").map(Number),
      seconds: Number(flags.seconds),
      bound: Number(flags.bound),
      candidate,
    };
    const { cpu, cpus, system } = await machine();
    console.log(
      `${new Date().toISOString()}, ${cpus} × ${cpu}, ${system}, Deno ${Deno.version.deno}${
        bundle ? "" : ", from its source"
      }`,
    );
    for (const name of Object.keys(PARTS) as (keyof typeof PARTS)[]) {
      if (!parts.includes(name)) continue;
      // Before the gateway starts, which is bound with this process.
      const prefix = name === "two" ? undefined : await pinning();
      await using gateway = await startGatewayProcess();
      await PARTS[name]({ ...options, gateway: gateway.port, prefix });
    }
    return 0;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

if (import.meta.main) Deno.exit(await main(Deno.args));
