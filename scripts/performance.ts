/**
 * Puts the results of a benchmark into the tables of `docs/performance.md`.
 *
 * `deno task bench --json results.json`, then
 * `deno run --allow-read --allow-write=docs scripts/performance.ts results.json`. Further files are further
 * runs: their ratios stand beside the first one's in the table of the goals.
 *
 * @module
 */

import { circumstances, goalsTable, type Results, valuesTable } from "../bench/report.ts";

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
 * import { fill } from "./performance.ts";
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
    console.error(
      "Name the results: scripts/performance.ts FILE…, from deno task bench --json FILE.",
    );
    Deno.exit(2);
  }
  const runs: Results[] = [];
  for (const file of Deno.args) runs.push(JSON.parse(await Deno.readTextFile(file)));
  const [results] = runs;
  await fillFile("docs/performance.md", {
    circumstances: circumstances(results),
    goals: goalsTable(runs),
    values: valuesTable(results),
  });
}
