/**
 * The rows of the report, the goals, and a run's raw numbers as tables and lists in Markdown.
 *
 * @module
 */

import type { CandidateName } from "./candidates.ts";
import { quantile } from "./cases.ts";
import type { Machine } from "./usage.ts";

/** A ratio that the bridge must reach, its number over another's: at least this where more is better, else at most. */
export interface Goal {
  /** Against whom. */
  readonly against: "python" | "passthrough";
  /** The bridge's number over the other's. */
  readonly ratio: number;
}

const python = (ratio: number): Goal => ({ against: "python", ratio });
const passthrough = (ratio: number): Goal => ({ against: "passthrough", ratio });

/** The names of the rows. */
export type RowName =
  | ("firstByte" | "firstByteLarge" | "latency" | "latencyLate" | "latency16" | "latencyLate16")
  | ("events1" | "events16" | "events128" | "cpuFlat" | "cpuPaced" | "requests" | "cpuRequest")
  | ("models" | "startUp" | "memoryIdle" | "memoryAfter");

/** Row → what people read, the unit, and what the bridge must reach, in the order in which they are shown. */
const TABLE: Readonly<Record<RowName, readonly [string, Row["unit"], Goal?]>> = {
  firstByte: ["Time to the first byte, small body", "ms", python(0.9)],
  firstByteLarge: ["Time to the first byte, 512 KB body", "ms", python(0.8)],
  latency: ["Latency at one event per 5 ms, 1 stream, median", "ms", python(1.4)],
  latencyLate: ["Latency at one event per 5 ms, 1 stream, 99 of 100", "ms"],
  latency16: ["Latency at one event per 5 ms, 16 streams, median", "ms"],
  latencyLate16: ["Latency at one event per 5 ms, 16 streams, 99 of 100", "ms"],
  events1: ["Events a second, flat out, 1 stream", "/s", python(4)],
  events16: ["Events a second, flat out, 16 streams", "/s", python(5)],
  events128: ["Events a second, flat out, 128 streams", "/s", python(4)],
  cpuFlat: ["CPU an event, flat out, 16 streams", "µs", python(0.25)],
  cpuPaced: ["CPU an event, one per 5 ms, 16 streams", "µs", python(1)],
  requests: ["Requests a second without streaming, 16 at once", "/s", python(3)],
  cpuRequest: ["CPU a request without streaming", "µs"],
  models: ["GET /models a second, 16 at once", "/s", python(5)],
  startUp: ["From its start to the first answer", "ms", python(0.8)],
  memoryIdle: ["Memory, idle", "MiB"],
  memoryAfter: ["Memory after 128 streams", "MiB", passthrough(2)],
};

/** One row of the report. */
export interface Row {
  /** What results are kept under. */
  readonly name: RowName;
  /** What people read. */
  readonly label: string;
  /** Of its numbers; more is better of what happens a second, less of all else. */
  readonly unit: "ms" | "µs" | "MiB" | "/s";
  /** What the bridge must reach; undefined where the row is shown only. */
  readonly goal: Goal | undefined;
}

/** The rows, in the order in which they are shown. */
export const ROWS: readonly Row[] = (Object.keys(TABLE) as RowName[]).map((name) => {
  const [label, unit, goal] = TABLE[name];
  return { name, label, unit, goal };
});

/** What one case came to, once. */
export interface Sample {
  /** From 0. */
  readonly round: number;
  /** The candidate. */
  readonly candidate: CandidateName;
  /** The case's name, or "start", "idle" or "after" for what is read off the process. */
  readonly case: string;
  /** Row → its number; null where the system doesn't tell. */
  readonly values: Partial<Record<RowName, number | null>>;
  /** Answers that were as they must be. */
  readonly good: number;
  /** Answers that were not. */
  readonly bad: number;
  /** What was wrong → how often. */
  readonly failures: Readonly<Record<string, number>>;
}

/** A whole run, as `--json` keeps it. */
export interface Results {
  /** Of this form. */
  readonly version: 1;
  /** When it began, ISO 8601. */
  readonly when: string;
  /** How to repeat it. */
  readonly command: string;
  /** Where. */
  readonly machine: Machine;
  /** Program → its version. */
  readonly versions: Readonly<Record<string, string>>;
  /** From which the order of the candidates was drawn. */
  readonly seed: number;
  /** How often each case was taken. */
  readonly rounds: number;
  /** Seconds that a case without an end of its own went on. */
  readonly seconds: number;
  /** Whether the server under test had a processor of its own. */
  readonly pinned: boolean;
  /** The candidates. */
  readonly candidates: readonly { readonly name: CandidateName; readonly label: string }[];
  /** What could not be measured, and why. */
  readonly missing: readonly string[];
  /** Every number. */
  readonly samples: readonly Sample[];
}

/** What a candidate reached in a row, over all rounds. */
export interface Cell {
  /** The median. */
  readonly median: number;
  /** The smallest. */
  readonly least: number;
  /** The greatest. */
  readonly most: number;
  /** Answers that were wrong: with any, the numbers count for nothing. */
  readonly bad: number;
}

/** Round → what a candidate reached in a row; rounds without a number are left out. */
function byRound({ samples }: Pick<Results, "samples">, candidate: CandidateName, row: RowName) {
  return new Map(samples.flatMap((sample): [number, number][] => {
    const value = sample.candidate === candidate ? sample.values[row] : undefined;
    return typeof value === "number" && Number.isFinite(value) ? [[sample.round, value]] : [];
  }));
}

/** What a candidate reached in a row; undefined where it wasn't measured. */
export function cell(
  results: Pick<Results, "samples">,
  candidate: CandidateName,
  row: RowName,
): Cell | undefined {
  const values = [...byRound(results, candidate, row).values()];
  const bad = results.samples
    .filter((sample) => sample.candidate === candidate && row in sample.values)
    .reduce((sum, sample) => sum + sample.bad, 0);
  if (values.length === 0 && bad === 0) return undefined;
  const [least, most] = [Math.min(...values), Math.max(...values)];
  return { median: quantile(values, 0.5), least, most, bad };
}

/** Whether a goal was reached. */
export interface Verdict {
  /** The row that was judged. */
  readonly row: Row;
  /** What was to be reached. */
  readonly goal: Goal;
  /** The bridge's number over the other's, the median of the rounds; undefined where either is missing or void. */
  readonly ratio: number | undefined;
  /** Undefined where there is no ratio. */
  readonly met: boolean | undefined;
}

/**
 * Judges all goals. A ratio is the median of the rounds' ratios: within a round the two are measured right
 * behind each other, and from one round to the next a virtual machine may become twice as fast or slow.
 *
 * @param results The run.
 * @param bridge Which bridge is judged: run from source, or compiled.
 */
export function verdicts(
  results: Pick<Results, "samples">,
  bridge: CandidateName = "bridge",
): Verdict[] {
  return ROWS.flatMap((row): Verdict[] => {
    const { goal, name } = row;
    if (goal === undefined) return [];
    const isGood = [bridge, goal.against].every((who) => cell(results, who, name)?.bad === 0);
    const other = byRound(results, goal.against, name);
    const ratios = [...byRound(results, bridge, name)].flatMap(([round, value]) =>
      other.has(round) ? [value / other.get(round)!] : []
    );
    const value = isGood ? quantile(ratios, 0.5) : NaN;
    if (!Number.isFinite(value)) return [{ row, goal, ratio: undefined, met: undefined }];
    const met = row.unit === "/s" ? value >= goal.ratio : value <= goal.ratio;
    return [{ row, goal, ratio: value, met }];
  });
}

/** A number as people read it: three digits that count, thousands apart. */
export function readable(value: number): string {
  if (!Number.isFinite(value)) return "–";
  return value.toLocaleString("en-US", {
    maximumSignificantDigits: 3,
    minimumSignificantDigits: Math.abs(value) < 1 ? 2 : undefined,
  });
}

/** A table as `deno fmt` wants it. The first column is words, the others are numbers. */
function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((_, at) => Math.max(4, ...[head, ...rows].map((row) => row[at].length)));
  const line = (cells: readonly string[]) =>
    `| ${
      cells.map((text, at) => at ? text.padStart(widths[at]) : text.padEnd(widths[at])).join(" | ")
    } |`;
  const rule = widths.map((width, at) => at ? "-".repeat(width - 1) + ":" : "-".repeat(width));
  return [line(head), line(rule), ...rows.map(line)].join("\n");
}

function shown(found: Cell | undefined): string {
  if (found === undefined) return "–";
  if (found.bad > 0) return `void: ${found.bad} bad`;
  return `${readable(found.median)} (${readable(found.least)}–${readable(found.most)})`;
}

/** The medians, with the least and the most of all rounds; rows of which nothing is known are left out. */
export function valuesTable(results: Results): string {
  const names = results.candidates.map(({ name }) => name);
  const rows = ROWS.map((row) => ({
    row,
    cells: names.map((name) => cell(results, name, row.name)),
  }))
    .filter(({ cells }) => cells.some((found) => found !== undefined));
  return table(
    ["", "unit", ...results.candidates.map(({ label }) => label)],
    rows.map(({ row, cells }) => [row.label, row.unit, ...cells.map(shown)]),
  );
}

const OTHERS = { python: "threaded Python", passthrough: "pass-through" };

/**
 * The goals, the ratios that were reached, and whether that is enough. Beside them stands what the bridge's
 * parts reach alone.
 *
 * @param results A run, or several, whose ratios then stand side by side.
 * @param bridge Which bridge is judged.
 */
export function goalsTable(
  results: Results | readonly Results[],
  bridge: CandidateName = "bridge",
): string {
  const list = [results].flat();
  const runs = list.map((run) => verdicts(run, bridge));
  const parts = list.map((run) => verdicts(run, "parts"));
  const ratios = (verdicts: readonly Verdict[]) =>
    verdicts.map(({ ratio }) => ratio === undefined ? "–" : `${ratio.toFixed(2)}×`).join(", ");
  return table(
    ["", "against", "goal", "the parts alone", "reached", ""],
    runs[0].map(({ row, goal }, at) => {
      const all = runs.map((list) => list[at]);
      return [
        row.label,
        OTHERS[goal.against],
        `${row.unit === "/s" ? "≥" : "≤"} ${goal.ratio}×`,
        ratios(parts.map((list) => list[at])),
        ratios(all),
        judgement(all.map(({ met }) => met)),
      ];
    }),
  );
}

function judgement(met: readonly (boolean | undefined)[]): string {
  if (met.includes(undefined)) return "not measured";
  const times = met.filter(Boolean).length;
  if (times === met.length) return "met";
  return times === 0 ? "**not met**" : `**met in ${times} of ${met.length}**`;
}

/** Everything that was wrong with any answer, a line each. */
export function troubles({ samples }: Pick<Results, "samples">): string[] {
  return samples.filter(({ bad }) => bad > 0).map((sample) => {
    const what = Object.entries(sample.failures).map(([text, count]) => `${count} × ${text}`);
    const { candidate, round, bad, good } = sample;
    const where = `${candidate}, ${sample.case}, round ${round + 1}`;
    return `${where}: ${bad} of ${bad + good} bad: ${what.join("; ")}`;
  });
}

/** The machine, the versions and the command, as a list in Markdown. */
export function circumstances(results: Results): string {
  const { machine, versions, when, command, rounds, seconds, seed, pinned, missing } = results;
  const pin = pinned
    ? "client and gateway on one, the server under test on another"
    : "left to the system";
  const named = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  const size = readable(machine.memory / 1024);
  return [
    `Machine: ${machine.cpus} × ${machine.cpu}, ${size} GiB, ${machine.system}`,
    `Versions: ${named.join(", ")}`,
    `Command: \`${command}\`, ${when.slice(0, 10)}, seed ${seed}`,
    `Rounds: ${rounds}, ${seconds} s a case`,
    `Processors: ${pin}`,
    ...missing.map((text) => `Not measured: ${text}`),
  ].map((line) => `- ${line}`).join("\n");
}
