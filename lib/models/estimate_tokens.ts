/**
 * How many tokens a text has, about: the gateway counts none, the models behind it have many tokenizers, and
 * Claude's is not published. So a text is counted as GPT's models count it, and for the others a factor comes
 * on top. How far it is off: `docs/token-estimate.md`.
 *
 * @module
 */

import { familyOf } from "./families.ts";

/** What the count of GPT's tokenizer is multiplied by for the models of other families. */
const OTHER_FAMILIES = 1.08;

/** How many characters are counted at once. */
const PIECE = 4_096;

/** Characters of one kind: what the tokenizer looks at as one word is hardly more than one such run. */
const RUNS = /[\p{L}\p{M}]+|\p{N}+|\s+|[^\s\p{L}\p{M}\p{N}]+/gu;

/** The longest run that is counted as a whole, in characters: the tokenizer's time grows with its square. */
const LONGEST_RUN = 128;

/** Characters that are counted between two turns of the event loop. */
const TURN = 16_384;

/** Text in pieces that take a bounded time each. A cut is off by a token at most. */
function* piecesOf(text: string): Generator<string> {
  let piece = "";
  for (const [run] of text.matchAll(RUNS)) {
    if (run.length <= LONGEST_RUN) piece += run;
    else {
      yield piece;
      piece = "";
      for (let at = 0; at < run.length; at += LONGEST_RUN) yield run.slice(at, at + LONGEST_RUN);
    }
    if (piece.length >= PIECE) {
      yield piece;
      piece = "";
    }
  }
  yield piece;
}

/**
 * Estimates the tokens of a text. A long text yields to the event loop, so that other requests go on meanwhile.
 *
 * @param text Any text.
 * @param model Who is to read it, by any of its names.
 * @param signal Ends the counting.
 * @throws The signal's reason, when it is aborted.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { estimateTokens } from "./estimate_tokens.ts";
 *
 * const text = "The quick brown fox jumps over the lazy dog.";
 * assertEquals(await estimateTokens(text, "databricks-gpt-5-5"), 10);
 * assertEquals(await estimateTokens(text, "databricks-claude-sonnet-5"), 11);
 * ```
 */
export async function estimateTokens(
  text: string,
  model: string,
  signal?: AbortSignal,
): Promise<number> {
  // Its table has 200,000 rows: loaded with the first estimate.
  const { countTokens } = await import("gpt-tokenizer/encoding/o200k_base");
  // "<|endoftext|>" in a text is a text.
  const plain = { disallowedSpecial: new Set<string>() };
  let sum = 0;
  let counted = 0;
  for (const piece of piecesOf(text)) {
    if (piece === "") continue;
    sum += countTokens(piece, plain);
    counted += piece.length;
    if (counted < TURN) continue;
    counted = 0;
    await new Promise((resolve) => setTimeout(resolve));
    signal?.throwIfAborted();
  }
  const family = familyOf(model);
  return Math.round(family === "gpt" || family === "gpt-oss" ? sum : sum * OTHER_FAMILIES);
}
