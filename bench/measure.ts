/**
 * A run: rounds of cases. A round starts every candidate anew, lets it warm up, and takes each case with
 * all candidates in random order before the next; so whatever else the machine does meanwhile hits all
 * alike.
 *
 * @module
 */

import denoConfig from "../deno.json" with { type: "json" };
import { type Candidate, type Running, start } from "./candidates.ts";
import { type CaseName, CASES, type Effort } from "./cases.ts";
import type { Results, Sample } from "./report.ts";
import { machine, output, usageOf } from "./usage.ts";

/** What is measured, and how long. */
export interface BenchOptions extends Effort {
  /** How often everything is started and measured. */
  readonly rounds: number;
  /** Milliseconds between a start and the look at its idle memory. */
  readonly settle: number;
  /** The cases. */
  readonly cases: readonly CaseName[];
  /** The candidates. */
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
  /** Called with a line when a round is done. */
  readonly tell: (line: string) => void;
}

/** Shuffles with random numbers of its own (xorshift), so that an order can be drawn again from its seed. */
function shuffler(seed: number): <T>(list: readonly T[]) => T[] {
  let state = (seed | 0) || 1;
  const next = () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
  return (list) =>
    list.map((item) => ({ item, key: next() })).sort((a, b) => a.key - b.key)
      .map(({ item }) => item);
}

/** The benchmark's gateway in its own process. */
export async function startGatewayProcess(): Promise<AsyncDisposable & { port: number }> {
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--no-config", "--no-prompt", "--allow-net=127.0.0.1"],
      new URL("gateway.ts", import.meta.url).href,
    ],
    // Its input stays open as long as this process lives.
    ...{ stdin: "piped", stdout: "piped", stderr: "inherit" },
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

/** Binds this process, and what it starts, to the first processor. Returns the words that put a program on the second. */
export async function pinning(): Promise<string[] | undefined> {
  if (Deno.build.os !== "linux" || navigator.hardwareConcurrency < 2) return undefined;
  const done = await output("taskset", "-a", "-c", "-p", "0", `${Deno.pid}`);
  return done === undefined ? undefined : ["taskset", "-c", "1"];
}

/**
 * Before a program is measured it does a little of everything, for some seconds: what is measured is how
 * it works on, not how V8 compiles it, which takes some ten thousand requests, and as many single events.
 */
async function warmUp(target: Running, { seconds, share }: Effort): Promise<void> {
  if (target.pid === undefined) return;
  await CASES.flat16(target, { seconds, share });
  await CASES.whole16(target, { seconds: seconds * 2.5, share });
  await CASES.first(target, { seconds, share });
  await CASES.paced16(target, { seconds, share: share * 2.5 });
}

/** Measures; returns all numbers, raw. */
export async function measure(options: BenchOptions): Promise<Results> {
  const { rounds, seconds, seed, command, missing, cases } = options;
  const when = new Date().toISOString();
  const prefix = options.pin ? await pinning() : undefined;
  const shuffled = shuffler(seed);
  const samples: Sample[] = [];
  await using gateway = await startGatewayProcess();
  const starting = { gateway: gateway.port, prefix };
  for (let round = 0; round < rounds; round++) {
    const running: Running[] = [];
    /** Keeps a number that is read off a process. */
    const keep = ({ candidate, pid }: Running, name: string, values: Sample["values"]) => {
      if (pid === undefined) return;
      const counts = { good: 1, bad: 0, failures: {} };
      samples.push({ round, candidate: candidate.name, case: name, values, ...counts });
    };
    const memory = async ({ pid }: Running) =>
      pid === undefined ? null : (await usageOf(pid)).memory ?? null;
    try {
      for (const candidate of shuffled(options.candidates)) {
        // Of the very first start the system has nothing in its caches.
        if (round === 0) await (await start(candidate, starting)).stop();
        const started = await start(candidate, starting);
        running.push(started);
        keep(started, "start", { startUp: started.startUp });
      }
      await new Promise((resolve) => setTimeout(resolve, options.settle));
      for (const one of running) keep(one, "idle", { memoryIdle: await memory(one) });
      for (const one of running) await warmUp(one, options);
      for (const name of cases) {
        for (const one of shuffled(running)) {
          const result = await CASES[name](one, options);
          samples.push({ round, candidate: one.candidate.name, case: name, ...result });
        }
      }
      if (cases.includes("flat128")) {
        for (const one of running) keep(one, "after", { memoryAfter: await memory(one) });
      }
    } finally {
      await Promise.all(running.map(({ stop }) => stop()));
    }
    options.tell(`round ${round + 1} of ${rounds} is done`);
  }
  return {
    ...{ version: 1, when, command, machine: await machine() },
    versions: {
      "fd-bridge": denoConfig.version,
      Deno: Deno.version.deno,
      V8: Deno.version.v8,
      ...options.versions,
    },
    ...{ seed, rounds, seconds, pinned: prefix !== undefined },
    candidates: options.candidates.map(({ name, label }) => ({ name, label })),
    ...{ missing, samples },
  };
}
