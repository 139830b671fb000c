/**
 * A run: rounds of cases. A round starts every candidate anew, lets it warm up, and takes each case with
 * all candidates in random order before the next; so whatever else the machine does meanwhile hits all
 * alike.
 *
 * @module
 */

import denoConfig from "../deno.json" with { type: "json" };
import { type Candidate, type Running, start } from "./candidates.ts";
import { type CaseName, type CaseResult, CASES, type Effort } from "./cases.ts";
import type { Results, Sample } from "./report.ts";
import { machine, usageOf } from "./usage.ts";

/** What is measured, and how long. */
export interface BenchOptions {
  /** How often everything is started and measured. */
  readonly rounds: number;
  /** How long a case without an end of its own goes on. */
  readonly seconds: number;
  /** What counts of requests and events are multiplied by. */
  readonly share: number;
  /** Milliseconds between a start and the look at its idle memory. */
  readonly settle: number;
  /** What is done. */
  readonly cases: readonly CaseName[];
  /** Whom it is done to. */
  readonly candidates: readonly Candidate[];
  /** Whether to give the server under test a processor of its own. */
  readonly pin: boolean;
  /** From which the order is drawn. */
  readonly seed: number;
  /** How to repeat the run. */
  readonly command: string;
  /** What can't be measured here, and why. */
  readonly missing: readonly string[];
  /** Program → version, beyond Deno's own. */
  readonly versions: Readonly<Record<string, string>>;
  /** Told how it goes. */
  readonly tell: (line: string) => void;
}

/** A small generator of random numbers (xorshift), so that an order can be drawn again. */
function random(seed: number): () => number {
  let state = (seed | 0) || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

function shuffled<T>(list: readonly T[], next: () => number): T[] {
  return list.map((item) => ({ item, key: next() })).sort((a, b) => a.key - b.key)
    .map(({ item }) => item);
}

/** Starts the fake gateway in a process of its own. */
export async function startGatewayProcess(): Promise<AsyncDisposable & { port: number }> {
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--no-config", "--no-prompt", "--allow-net=127.0.0.1"],
      new URL("gateway.ts", import.meta.url).href,
    ],
    // Its input stays open as long as this process lives.
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const { value } = await reader.read();
  await reader.cancel();
  return {
    port: JSON.parse(value ?? "{}").port,
    async [Symbol.asyncDispose]() {
      await child.stdin.close();
      await child.status;
    },
  };
}

/**
 * Binds this process, and what it starts, to the first processor.
 *
 * @returns The words that put a program on the second; undefined where that can't be done.
 */
export async function pinning(): Promise<string[] | undefined> {
  if (Deno.build.os !== "linux" || navigator.hardwareConcurrency < 2) return undefined;
  try {
    const { success } = await new Deno.Command("taskset", {
      args: ["-a", "-c", "-p", "0", `${Deno.pid}`],
      stdout: "null",
      stderr: "null",
    }).output();
    return success ? ["taskset", "-c", "1"] : undefined;
  } catch {
    // No such program here.
    return undefined;
  }
}

/** A number from the process, as a sample. */
function read(round: number, candidate: Candidate, name: string, values: Sample["values"]): Sample {
  return { round, candidate: candidate.name, case: name, values, good: 1, bad: 0, failures: {} };
}

async function memory(running: readonly Running[], round: number, after: boolean) {
  const samples: Sample[] = [];
  for (const { candidate, pid } of running) {
    if (pid === undefined) continue;
    const value = (await usageOf(pid)).memory ?? null;
    const values = after ? { memoryAfter: value } : { memoryIdle: value };
    samples.push(read(round, candidate, after ? "after" : "idle", values));
  }
  return samples;
}

/**
 * Before a program is measured it does a little of everything, for some seconds: what is told is how it
 * works on, not how V8 compiles it.
 */
async function warmUp(target: Running, { seconds, share }: Effort): Promise<void> {
  if (target.pid === undefined) return;
  await CASES.flat16(target, { seconds, share });
  // V8 has compiled all of a request's road after some ten thousand of them.
  await CASES.whole16(target, { seconds: seconds * 2.5, share });
  await CASES.first(target, { seconds, share });
  // And that of an event by itself after as many: before, its compilers get in the way of what is measured.
  await CASES.paced16(target, { seconds, share: share * 2.5 });
}

/**
 * Measures.
 *
 * @param options What to measure, and how long.
 * @returns All numbers, raw.
 *
 * @example
 * ```ts
 * import { candidates } from "./candidates.ts";
 * import { measure } from "./measure.ts";
 *
 * const results = await measure({
 *   ...{ rounds: 1, seconds: 0.01, share: 0.01, settle: 0, pin: false, seed: 1 },
 *   ...{ cases: ["first"], candidates: candidates({}).slice(0, 1) },
 *   ...{ command: "", missing: [], versions: {}, tell: () => {} },
 * });
 * if (results.samples.length !== 1) throw new Error("one case of one candidate");
 * ```
 */
export async function measure(options: BenchOptions): Promise<Results> {
  const when = new Date().toISOString();
  const prefix = options.pin ? await pinning() : undefined;
  const next = random(options.seed);
  const samples: Sample[] = [];
  const effort: Effort = options;
  await using gateway = await startGatewayProcess();
  for (let round = 0; round < options.rounds; round++) {
    const running: Running[] = [];
    try {
      for (const candidate of shuffled(options.candidates, next)) {
        // Of the very first start the system still remembers nothing.
        if (round === 0) await (await start(candidate, { gateway: gateway.port, prefix })).stop();
        const started = await start(candidate, { gateway: gateway.port, prefix });
        running.push(started);
        const { startUp, pid } = started;
        if (pid !== undefined) samples.push(read(round, candidate, "start", { startUp }));
      }
      await new Promise((resolve) => setTimeout(resolve, options.settle));
      samples.push(...await memory(running, round, false));
      for (const target of running) await warmUp(target, effort);
      for (const name of options.cases) {
        for (const target of shuffled(running, next)) {
          const result: CaseResult = await CASES[name](target, effort);
          const { candidate } = target;
          samples.push({ round, candidate: candidate.name, case: name, ...result });
        }
      }
      if (options.cases.includes("flat128")) samples.push(...await memory(running, round, true));
    } finally {
      await Promise.all(running.map(({ stop }) => stop()));
    }
    options.tell(`round ${round + 1} of ${options.rounds} is done`);
  }
  return {
    version: 1,
    when,
    command: options.command,
    machine: await machine(),
    versions: {
      "fd-bridge": denoConfig.version,
      Deno: Deno.version.deno,
      V8: Deno.version.v8,
      ...options.versions,
    },
    seed: options.seed,
    rounds: options.rounds,
    seconds: options.seconds,
    pinned: prefix !== undefined,
    candidates: options.candidates.map(({ name, label }) => ({ name, label })),
    missing: options.missing,
    samples,
  };
}
