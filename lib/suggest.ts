/**
 * "Did you mean": the known word that is nearest to a misspelt one.
 *
 * @module
 */

/** The most letters that may differ, however long a word is. */
const FURTHEST = 3;

/** The longest word that is compared: a client's text may be of any length. */
const LONGEST = 200;

/**
 * The known word that is nearest to what was typed, in any case of its letters.
 *
 * @param typed What was typed.
 * @param known The words that there are.
 * @returns The nearest one, or undefined where none is near enough: a third of the letters may differ.
 *
 * @example
 * ```ts
 * import { nearest } from "./suggest.ts";
 *
 * if (nearest("modles", ["serve", "models"]) !== "models") throw new Error("models");
 * if (nearest("x", ["yes"]) !== undefined) throw new Error("nothing is near");
 * ```
 */
export function nearest(typed: string, known: Iterable<string>): string | undefined {
  if (typed.length > LONGEST) return undefined;
  const word = typed.toLowerCase();
  let best: string | undefined;
  let least = Math.min(FURTHEST, Math.floor(word.length / 3)) + 1;
  for (const candidate of known) {
    if (Math.abs(candidate.length - word.length) >= least) continue;
    const letters = distance(word, candidate.toLowerCase());
    if (letters < least) [best, least] = [candidate, letters];
  }
  return best;
}

/**
 * The nearest word as a sentence to put behind a message, with a space before it; empty where none is near.
 *
 * @param typed What was typed.
 * @param known The words that there are.
 * @param shown How a word is written. @default as it is
 *
 * @example
 * ```ts
 * import { didYouMean } from "./suggest.ts";
 *
 * const hint = didYouMean("prot", ["port"], (word) => `--${word}`);
 * if (hint !== " Did you mean --port?") throw new Error(hint);
 * ```
 */
export function didYouMean(
  typed: string,
  known: Iterable<string>,
  shown: (word: string) => string = (word) => word,
): string {
  const word = nearest(typed, known);
  return word === undefined ? "" : ` Did you mean ${shown(word)}?`;
}

/** How many letters are added, left out, changed, or swapped with the next one. */
function distance(a: string, b: string): number {
  let before: number[] = [];
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next[j] = Math.min(next[j - 1] + 1, row[j] + 1, row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        next[j] = Math.min(next[j], before[j - 2] + 1);
      }
    }
    before = row;
    row = next;
  }
  return row[b.length];
}
