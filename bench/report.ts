/**
 * From raw numbers to medians, spreads, ratios and verdicts.
 *
 * @module
 */

import type { CandidateName } from "./candidates.ts";
import { quantile } from "./cases.ts";
import { type Goal, type Row, type RowName, ROWS } from "./rows.ts";
import type { Machine } from "./usage.ts";

/** What one case came to, once. */
export interface Sample {
  /** From 0. */
  readonly round: number;
  /** Whose. */
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
  /** How long a case that has no end of its own went on. */
  readonly seconds: number;
  /** Whether the server under test had a processor of its own. */
  readonly pinned: boolean;
  /** Who was measured. */
  readonly candidates: readonly { readonly name: CandidateName; readonly label: string }[];
  /** What could not be measured, and why. */
  readonly missing: readonly string[];
  /** Every number. */
  readonly samples: readonly Sample[];
}

/** What a candidate reached in a row. */
export interface Cell {
  /** Of all rounds. */
  readonly median: number;
  /** The smallest of all rounds. */
  readonly least: number;
  /** The greatest of all rounds. */
  readonly most: number;
  /** Answers that were wrong: with any, the numbers count for nothing. */
  readonly bad: number;
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
 * What a candidate reached in a row.
 *
 * @param results The run.
 * @param candidate Who.
 * @param row Which row.
 * @returns Undefined where it wasn't measured.
 *
 * @example
 * ```ts
 * import { cell, type Results } from "./report.ts";
 *
 * const base = { candidate: "bridge", case: "start", good: 1, bad: 0, failures: {} };
 * const samples = [1, 3, 2].map((startUp, round) => ({ ...base, round, values: { startUp } }));
 * const { median, most } = cell({ samples } as unknown as Results, "bridge", "startUp")!;
 * if (median !== 2 || most !== 3) throw new Error("of three");
 * ```
 */
export function cell(
  { samples }: Pick<Results, "samples">,
  candidate: CandidateName,
  row: RowName,
): Cell | undefined {
  const own = samples.filter((sample) => sample.candidate === candidate && row in sample.values);
  const values = own.map((sample) => sample.values[row]).filter((value): value is number =>
    typeof value === "number" && Number.isFinite(value)
  );
  const bad = own.reduce((sum, sample) => sum + sample.bad, 0);
  if (values.length === 0 && bad === 0) return undefined;
  return {
    median: quantile(values, 0.5),
    least: Math.min(...values),
    most: Math.max(...values),
    bad,
  };
}

/**
 * The bridge's number over another's: the median of the rounds' ratios. Within a round they are measured
 * right behind each other; from one round to the next a machine, a virtual one above all, may become
 * twice as fast or slow, and medians of each alone would compare the one's luck with the other's.
 *
 * @param bridge Which bridge: run from source, or compiled.
 * @returns Undefined where either is missing or void.
 */
function ratio(
  results: Pick<Results, "samples">,
  row: RowName,
  against: CandidateName,
  bridge: CandidateName,
): number | undefined {
  if (cell(results, bridge, row)?.bad !== 0 || cell(results, against, row)?.bad !== 0) {
    return undefined;
  }
  const own = byRound(results, bridge, row);
  const other = byRound(results, against, row);
  const ratios = [...own].flatMap(([round, value]) => {
    const beside = other.get(round);
    return beside === undefined ? [] : [value / beside];
  });
  const value = quantile(ratios, 0.5);
  return Number.isFinite(value) ? value : undefined;
}

/** Round → what a candidate reached in it. */
function byRound(
  { samples }: Pick<Results, "samples">,
  candidate: CandidateName,
  row: RowName,
): Map<number, number> {
  return new Map(samples.flatMap((sample) => {
    const value = sample.candidate === candidate ? sample.values[row] : undefined;
    return typeof value === "number" && Number.isFinite(value) ? [[sample.round, value]] : [];
  }));
}

/**
 * All goals, reached or not.
 *
 * @param results The run.
 * @param bridge Which bridge is judged. @default {"bridge"}
 *
 * @example
 * ```ts
 * import { type Results, verdicts } from "./report.ts";
 *
 * const sample = (candidate: string, startUp: number) => ({
 *   ...{ round: 0, case: "start", good: 1, bad: 0, failures: {} },
 *   ...{ candidate, values: { startUp } },
 * });
 * const samples = [sample("bridge", 60), sample("python", 100)];
 * const [first] = verdicts({ samples } as unknown as Results).filter(({ ratio }) => ratio);
 * if (first.ratio !== 0.6 || !first.met) throw new Error("0.7 was allowed");
 * ```
 */
export function verdicts(
  results: Pick<Results, "samples">,
  bridge: CandidateName = "bridge",
): Verdict[] {
  return ROWS.flatMap((row) =>
    row.goals.map((goal) => {
      const reached = ratio(results, row.name, goal.against, bridge);
      const met = reached === undefined
        ? undefined
        : row.better === "more"
        ? reached >= goal.ratio
        : reached <= goal.ratio;
      return { row, goal, ratio: reached, met };
    })
  );
}
