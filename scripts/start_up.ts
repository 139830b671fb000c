/**
 * Measures a compiled program: `deno run --allow-read --allow-run scripts/start_up.ts dist/fd-bridge`
 * prints its size, and how long it takes to start.
 *
 * @module
 */

/** How often each start is made; the middle one counts. */
const TIMES = 11;

/**
 * The middle one of some numbers.
 *
 * @example Usage
 * ```ts
 * import { median } from "./start_up.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(median([30, 10, 20]), 20);
 * ```
 *
 * @param numbers At least one; of an even count the upper middle.
 * @returns It.
 */
export function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)];
}

/** Milliseconds until `--version` has been printed. */
async function untilVersion(program: string): Promise<number> {
  const start = performance.now();
  const { success } = await new Deno.Command(program, { args: ["--version"] }).output();
  if (!success) throw new Error(`${program} --version failed.`);
  return performance.now() - start;
}

/** Milliseconds until the bridge listens. */
async function untilListening(program: string): Promise<number> {
  const start = performance.now();
  const child = new Deno.Command(program, {
    args: ["--demo", "--port=0"],
    stdout: "null",
    stderr: "piped",
  }).spawn();
  let said = "";
  let time: number | undefined;
  for await (const piece of child.stderr.pipeThrough(new TextDecoderStream())) {
    said += piece;
    if (!said.includes("listening")) continue;
    time = performance.now() - start;
    break;
  }
  if (time !== undefined) child.kill("SIGKILL");
  await child.status;
  if (time === undefined) throw new Error(`${program} --demo never listened: ${said}`);
  return time;
}

/** Starts the program several times, one after the other. */
async function measure(start: () => Promise<number>): Promise<string> {
  const times: number[] = [];
  for (let at = 0; at < TIMES; at++) times.push(await start());
  return `${Math.round(median(times))} ms (${Math.round(Math.min(...times))} at best)`;
}

if (import.meta.main) {
  const [program] = Deno.args;
  const { size } = await Deno.stat(program);
  console.log(`${program}: ${(size / 2 ** 20).toFixed(1)} MiB`);
  console.log(`  --version   ${await measure(() => untilVersion(program))}`);
  console.log(`  it listens  ${await measure(() => untilListening(program))}`);
}
