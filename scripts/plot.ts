/**
 * Puts the results of a benchmark into the documentation: the plot, the tables of
 * `docs/performance.md`, and the short table of the README.
 *
 * `deno task bench --json results.json`, then
 * `deno run --allow-read --allow-write=docs,README.md scripts/plot.ts results.json`. Further files are
 * further runs: their ratios stand beside the first one's in the table of the goals.
 *
 * @module
 */

import type { CandidateName } from "../bench/candidates.ts";
import { cell, type Results } from "../bench/report.ts";
import { type RowName, ROWS } from "../bench/rows.ts";
import { circumstances, goalsTable, readable, shortTable, valuesTable } from "../bench/tables.ts";

/** What is drawn: a panel each. */
const PANELS: readonly RowName[] = [
  "events1",
  "events16",
  "events128",
  "cpuFlat",
  "cpuPaced",
  "latency",
  "latencyLate16",
  "firstByte",
  "requests",
  "startUp",
  "memoryIdle",
  "memoryAfter",
];

/** Whose bars stand in a panel, from top to bottom, and their class. */
const BARS: readonly { readonly name: CandidateName; readonly label: string }[] = [
  { name: "bridge", label: "fd-bridge" },
  { name: "binary", label: "compiled" },
  { name: "python", label: "Python" },
  { name: "passthrough", label: "pass-through" },
];

/** Sizes, in pixels. */
const COLUMNS = 3;
const PANEL = { width: 290, title: 44, bar: 20, below: 22 };
const LABEL = 84;
const VALUE = 60;

/** Readable on a light page and on a dark one. */
const STYLE = `text { font: 12px system-ui, sans-serif; fill: #24292f }
.title { font-weight: 600 } .hint { fill: #6e7781; font-size: 11px }
.bridge { fill: #0969da } .binary { fill: #54aeff } .python { fill: #bf8700 } .passthrough { fill: #8c959f }
.spread { stroke: #24292f; stroke-width: 1 }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 } .hint { fill: #8d96a0 } .spread { stroke: #e6edf3 }
}`;

function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
}

/** A title in at most two lines. */
function titleLines(title: string): string[] {
  if (title.length <= 44) return [title];
  const cut = title.lastIndexOf(" ", 44);
  return [title.slice(0, cut), title.slice(cut + 1)];
}

function panel(results: Results, name: RowName, x: number, y: number): string {
  const row = ROWS.find((row) => row.name === name)!;
  const bars = BARS.flatMap((bar) => {
    const found = cell(results, bar.name, name);
    return found && found.bad === 0 && Number.isFinite(found.median) ? [{ ...bar, found }] : [];
  });
  const scale = (PANEL.width - LABEL - VALUE) / Math.max(...bars.map(({ found }) => found.most));
  const [first, second] = titleLines(row.label);
  const parts = [`<text class="title" x="${x}" y="${y + 12}">${escape(first)}</text>`];
  if (second) parts.push(`<text class="title" x="${x}" y="${y + 27}">${escape(second)}</text>`);
  const hint = `${row.unit === "/s" ? "a second" : row.unit}, ${row.better} is better`;
  parts.push(`<text class="hint" x="${x}" y="${y + (second ? 41 : 27)}">${hint}</text>`);
  bars.forEach(({ name, label, found }, at) => {
    const top = y + PANEL.title + 4 + at * PANEL.bar;
    const left = x + LABEL;
    const length = (value: number) => (value * scale).toFixed(1);
    const middle = top + 7;
    parts.push(
      `<text x="${x}" y="${top + 11}">${label}</text>`,
      `<rect class="${name}" x="${left}" y="${top}" width="${
        length(found.median)
      }" height="14" rx="2"/>`,
      `<path class="spread" d="M${left + Number(length(found.least))} ${middle}H${
        left + Number(length(found.most))
      }"/>`,
      `<text x="${(left + found.most * scale + 6).toFixed(1)}" y="${top + 11}">${
        readable(found.median)
      }</text>`,
    );
  });
  return parts.join("\n");
}

/**
 * The plot: a panel a row, a bar a candidate, its length the median and the line on it the spread.
 *
 * @param results A run.
 * @returns The text of an SVG file.
 *
 * @example
 * ```ts
 * import type { Results } from "../bench/report.ts";
 * import { plot } from "./plot.ts";
 *
 * const sample = { candidate: "bridge", case: "start", round: 0, good: 1, bad: 0, failures: {} };
 * const samples = [{ ...sample, values: { startUp: 50 } }];
 * const svg = plot({ samples, candidates: [] } as unknown as Results);
 * if (!svg.includes("<rect") || !svg.includes(">50<")) throw new Error("a bar and its number");
 * ```
 */
export function plot(results: Results): string {
  const shown = PANELS.filter((name) => BARS.some((bar) => cell(results, bar.name, name)));
  const bars = BARS.filter(({ name }) => shown.some((row) => cell(results, name, row))).length;
  const height = PANEL.title + bars * PANEL.bar + PANEL.below;
  const width = COLUMNS * (PANEL.width + 20) + 10;
  const rows = Math.ceil(shown.length / COLUMNS);
  const panels = shown.map((name, at) =>
    panel(
      results,
      name,
      15 + (at % COLUMNS) * (PANEL.width + 20),
      10 + Math.floor(at / COLUMNS) * height,
    )
  );
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${
      rows * height
    }" role="img" aria-label="fd-bridge beside threaded Python and a raw Deno pass-through">`,
    `<style>${STYLE}</style>`,
    ...panels,
    "</svg>\n",
  ].join("\n");
}

/**
 * Puts text between two markers, `<!-- name -->` and `<!-- /name -->`.
 *
 * @param page The page.
 * @param name The markers' name.
 * @param text What stands between them from now on.
 * @returns The page, or undefined where it has no such markers.
 *
 * @example
 * ```ts
 * import { fill } from "./plot.ts";
 *
 * const page = fill("a\n<!-- x -->\nold\n<!-- /x -->\nb", "x", "new");
 * if (page !== "a\n<!-- x -->\n\nnew\n\n<!-- /x -->\nb") throw new Error(page);
 * ```
 */
export function fill(page: string, name: string, text: string): string | undefined {
  const open = `<!-- ${name} -->`;
  const close = `<!-- /${name} -->`;
  const from = page.indexOf(open);
  const to = page.indexOf(close, from);
  if (from === -1 || to === -1) return undefined;
  return `${page.slice(0, from + open.length)}\n\n${text}\n\n${page.slice(to)}`;
}

/** Fills a file's markers. Tells on stderr when it has none. */
async function fillFile(path: string, blocks: Readonly<Record<string, string>>): Promise<void> {
  let page: string;
  try {
    page = await Deno.readTextFile(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    console.error(`${path} does not exist: left out`);
    return;
  }
  for (const [name, text] of Object.entries(blocks)) {
    const filled = fill(page, name, text);
    if (filled === undefined) console.error(`${path} has no <!-- ${name} -->: left out`);
    else page = filled;
  }
  await Deno.writeTextFile(path, page);
}

if (import.meta.main) {
  if (Deno.args.length === 0) {
    console.error("Name the results: scripts/plot.ts FILE…, from deno task bench --json FILE.");
    Deno.exit(2);
  }
  const runs: Results[] = [];
  for (const file of Deno.args) runs.push(JSON.parse(await Deno.readTextFile(file)));
  const [results] = runs;
  await Deno.writeTextFile("docs/performance.svg", plot(results));
  await fillFile("docs/performance.md", {
    circumstances: circumstances(results),
    goals: goalsTable(runs),
    values: valuesTable(results),
  });
  await fillFile("README.md", { performance: shortTable(results) });
}
