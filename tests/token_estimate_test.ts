/**
 * The token estimate beside a real tokenizer, on this project's own files. What `docs/token-estimate.md` says
 * is measured in the same way.
 *
 * @module
 */

import { assert } from "@std/assert";
import { countTokens } from "gpt-tokenizer";
import { estimateTokens } from "../lib/models/estimate_tokens.ts";

const ROOT = new URL("../", import.meta.url);

/** How much of a file is measured, in characters. */
const MOST = 40_000;

/** Shorter files say little. */
const LEAST = 300;

/** How far an estimate may be off. */
const TOLERANCE = 0.15;

/** The files below some folders whose names end in a certain way. */
function filesIn(folders: readonly string[], ending: RegExp): URL[] {
  return folders.flatMap((folder) => {
    const url = new URL(folder, ROOT);
    return [...Deno.readDirSync(url)].flatMap(({ name, isDirectory, isFile }) =>
      isDirectory
        ? filesIn([`${folder}${name}/`], ending)
        : isFile && ending.test(name)
        ? [new URL(name, url)]
        : []
    );
  });
}

/** What is measured, and the least share of files whose estimate must be within the tolerance. */
const KINDS: readonly (readonly [kind: string, files: readonly URL[], share: number])[] = [
  ["English", filesIn(["docs/"], /\.md$/), 0.9],
  ["code", filesIn(["lib/", "tests/", "scripts/"], /\.(?:ts|sh|py)$/), 0.9],
  [
    "JSON",
    ["models.json", "models.schema.json", "deno.json"].map((name) => new URL(name, ROOT))
      .concat(filesIn(["tests/fixtures/"], /\.json$/)),
    0.75,
  ],
];

for (const [kind, files, share] of KINDS) {
  Deno.test(`estimateTokens() is near the count of o200k_base: ${kind}`, () => {
    let estimated = 0;
    let counted = 0;
    const ratios: number[] = [];
    for (const file of files) {
      const text = Deno.readTextFileSync(file).slice(0, MOST);
      if (text.length < LEAST) continue;
      const [estimate, count] = [estimateTokens(text), countTokens(text)];
      estimated += estimate;
      counted += count;
      ratios.push(estimate / count);
    }
    const near = ratios.filter((ratio) => Math.abs(ratio - 1) <= TOLERANCE).length / ratios.length;
    const told = `${ratios.length} files, ${Math.round(near * 100)} % near, ratio of the sums ${
      (estimated / counted).toFixed(2)
    }`;
    assert(ratios.length >= 10, told);
    assert(near >= share, told);
    assert(Math.abs(estimated / counted - 1) <= 0.1, told);
    assert(ratios.every((ratio) => ratio > 0.7 && ratio < 1.4), told);
  });
}
