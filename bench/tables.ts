/**
 * Results as tables and lists in Markdown, for the terminal and for the documentation.
 *
 * @module
 */

import type { CandidateName } from "./candidates.ts";
import { type Cell, cell, type Results, verdicts } from "./report.ts";
import { type Row, ROWS } from "./rows.ts";

/**
 * A number as people read it: three digits that count, thousands apart.
 *
 * @example
 * ```ts
 * import { readable } from "./tables.ts";
 *
 * if (readable(0.01234) !== "0.0123" || readable(123456) !== "123,000") throw new Error("3 digits");
 * ```
 */
export function readable(value: number): string {
  if (!Number.isFinite(value)) return "–";
  return value.toLocaleString("en-US", {
    maximumSignificantDigits: 3,
    minimumSignificantDigits: Math.abs(value) < 1 ? 2 : undefined,
  });
}

/** A table whose columns stand below one another, as `deno fmt` wants it. The first column is words, the others are numbers. */
function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((_, at) => Math.max(4, ...[head, ...rows].map((row) => row[at].length)));
  const line = (cells: readonly string[]) =>
    `| ${
      cells.map((text, at) => at === 0 ? text.padEnd(widths[at]) : text.padStart(widths[at]))
        .join(" | ")
    } |`;
  const rule = widths.map((width, at) =>
    at === 0 ? "-".repeat(width) : "-".repeat(width - 1) + ":"
  );
  return [line(head), line(rule), ...rows.map(line)].join("\n");
}

function shown(found: Cell | undefined, spread: boolean): string {
  if (found === undefined) return "–";
  if (found.bad > 0) return `void: ${found.bad} bad`;
  const { median, least, most } = found;
  return `${readable(median)}${spread ? ` (${readable(least)}–${readable(most)})` : ""}`;
}

/** Rows of which there is anything to show. */
function known(results: Results): Row[] {
  return ROWS.filter((row) =>
    results.candidates.some(({ name }) => cell(results, name, row.name) !== undefined)
  );
}

/**
 * The medians, with the least and the most of all rounds.
 *
 * @example
 * ```ts
 * import type { Results } from "./report.ts";
 * import { valuesTable } from "./tables.ts";
 *
 * const empty = { samples: [], candidates: [] } as unknown as Results;
 * if (!valuesTable(empty).startsWith("|      | unit |")) throw new Error("a head and no rows");
 * ```
 */
export function valuesTable(results: Results): string {
  return table(
    ["", "unit", ...results.candidates.map(({ label }) => label)],
    known(results).map((row) => [
      row.label,
      row.unit,
      ...results.candidates.map(({ name }) => shown(cell(results, name, row.name), true)),
    ]),
  );
}

const sign = ({ better }: Row) => better === "more" ? "≥" : "≤";
const OTHERS = { python: "threaded Python", passthrough: "pass-through" };

/**
 * The goals, the ratios that were reached, and whether that is enough.
 *
 * @param results A run, or several: then all their ratios are told.
 * @param bridge Which bridge is judged.
 *
 * @example
 * ```ts
 * import type { Results } from "./report.ts";
 * import { goalsTable } from "./tables.ts";
 *
 * const empty = { samples: [], candidates: [] } as unknown as Results;
 * if (!goalsTable(empty).includes("not measured")) throw new Error("said so");
 * ```
 */
export function goalsTable(
  results: Results | readonly Results[],
  bridge: CandidateName = "bridge",
): string {
  const [first, ...others] = [results].flat().map((run) => verdicts(run, bridge));
  return table(
    ["", "against", "goal", "reached", ""],
    first.map((verdict, at) => {
      const { row, goal } = verdict;
      const all = [verdict, ...others.map((list) => list[at])];
      return [
        row.label,
        OTHERS[goal.against],
        `${sign(row)} ${goal.ratio}×`,
        all.map(({ ratio }) => ratio === undefined ? "–" : `${ratio.toFixed(2)}×`).join(", "),
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

/**
 * Everything that was wrong with any answer, a line each.
 *
 * @example
 * ```ts
 * import type { Results } from "./report.ts";
 * import { troubles } from "./tables.ts";
 *
 * if (troubles({ samples: [] } as unknown as Results).length !== 0) throw new Error("none");
 * ```
 */
export function troubles({ samples }: Pick<Results, "samples">): string[] {
  return samples.filter(({ bad }) => bad > 0).map((sample) => {
    const what = Object.entries(sample.failures).map(([text, count]) => `${count} × ${text}`);
    const { candidate, round, bad, good } = sample;
    return `${candidate}, ${sample.case}, round ${round + 1}: ${bad} of ${bad + good} bad: ${
      what.join("; ")
    }`;
  });
}

/**
 * The machine, the versions and the command, as a list in Markdown.
 *
 * @example
 * ```ts
 * import type { Results } from "./report.ts";
 * import { circumstances } from "./tables.ts";
 *
 * const machine = { cpu: "A", cpus: 2, memory: 4096, system: "linux" };
 * const results = { machine, versions: {}, missing: [], when: "2030", command: "c" };
 * if (!circumstances(results as unknown as Results).includes("2 × A")) throw new Error("named");
 * ```
 */
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
