/**
 * How many tokens a text has, about: a rule, because the models behind the gateway have many tokenizers and
 * Claude's is not published. How far it is off: `docs/token-estimate.md`.
 *
 * @module
 */

/** The pieces that tokenizers begin with: words, numbers, white space, other scripts, punctuation. */
const PIECES = /[A-Za-z]+|\d+|[^\S\n]+|\n\s*|[\p{L}\p{M}]+|[^\sA-Za-z0-9\p{L}\p{M}]+/gu;

/** The words within a word: `readFileSync` has three. */
const INNER_WORDS = /[A-Z]+(?![a-z])|[A-Z]?[a-z]+/g;

/** Scripts whose characters are words of their own. */
const IDEOGRAPHS = /[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]/;

/** The longest word that is mostly one token, in letters. */
const SHORT_WORD = 7;

/** What the rule is off by on the texts that it was measured on. */
const CORRECTION = 1.03;

function tokensOf(piece: string): number {
  const first = piece.charCodeAt(0);
  if (first === 10) return 0.7;
  if (/\s/.test(piece[0])) return piece.length > 1 ? 0.6 : 0;
  if (first >= 48 && first <= 57) return Math.ceil(piece.length / 3);
  if (/[A-Za-z]/.test(piece[0])) {
    const words = piece.match(INNER_WORDS) ?? [piece];
    const sum = words.reduce(
      (sum, { length }) =>
        sum + (length <= SHORT_WORD ? 1 : 0.9 * Math.ceil(length / (SHORT_WORD - 0.8))),
      0,
    );
    return sum - 0.25 * (words.length - 1);
  }
  if (/\p{L}/u.test(piece)) return [...piece].length * (IDEOGRAPHS.test(piece) ? 0.8 : 0.45);
  const repeats = piece.length > 2 && piece === piece[0].repeat(piece.length);
  return repeats ? 1 + piece.length / 24 : 0.8 * Math.max(1, piece.length / 1.75);
}

/**
 * Estimates the tokens of a text.
 *
 * @param text Any text.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { estimateTokens } from "./estimate_tokens.ts";
 *
 * assertEquals(estimateTokens("The quick brown fox jumps over the lazy dog."), 10);
 * ```
 */
export function estimateTokens(text: string): number {
  let sum = 0;
  for (const [piece] of text.matchAll(PIECES)) sum += tokensOf(piece);
  return Math.round(sum * CORRECTION);
}
