/**
 * Token counts, whole and complete or not there at all: ForgeCode loses the whole chunk over a count
 * that is null, missing or no whole number (`forgecode.md`), and families send them so (`gateway.md`).
 *
 * @module
 */

import { isObject, type JsonObject } from "../json.ts";

/** The three counts that every client reads. */
const COUNTS = ["prompt_tokens", "completion_tokens", "total_tokens"] as const;

/** Names of counts: whatever is called so must be a whole number, or be left out. */
const COUNTED = /_tokens$/;

/** A count as a whole number, or undefined where the value is none. */
function count(value: unknown): number | undefined {
  const number = typeof value === "string" && value.trim() !== "" ? Number(value) : value;
  if (typeof number !== "number" || !(number >= 0 && number <= Number.MAX_SAFE_INTEGER)) {
    return undefined;
  }
  return Math.round(number);
}

/** The Responses API's and Anthropic's words for them, which some surfaces use in chat, too. */
const ALIASES: Readonly<Record<string, string>> = {
  prompt_tokens: "input_tokens",
  completion_tokens: "output_tokens",
};

/** What was seen, with what is new laid over it; null is nothing new, and details are laid over each other. */
function merged(seen: JsonObject, usage: JsonObject, deep = true): JsonObject {
  const all: JsonObject = { ...seen };
  for (const [name, value] of Object.entries(usage)) {
    if (value === null || value === undefined || name === "__proto__") continue;
    const before = Object.hasOwn(seen, name) ? seen[name] : undefined;
    all[name] = deep && isObject(value) && isObject(before) ? merged(before, value, false) : value;
  }
  return all;
}

/** Counts and details that OpenAI doesn't know: they pass where they are whole. */
function normalizeOthers(usage: JsonObject): void {
  for (const [name, value] of Object.entries(usage)) {
    const counts = name.endsWith("_details")
      ? details(value)
      : COUNTED.test(name)
      ? count(value)
      : value;
    if (counts === undefined) delete usage[name];
    else usage[name] = counts;
  }
}

/** The counts of the details that are whole numbers; undefined where there are none. */
function details(value: unknown, required?: string): JsonObject | undefined {
  if (!isObject(value)) return undefined;
  const counts: JsonObject = {};
  for (const [name, entry] of Object.entries(value)) {
    if (entry === null) continue;
    const number = count(entry);
    counts[name] = number ?? entry;
    if (number === undefined && (name === required || COUNTED.test(name))) delete counts[name];
  }
  if (Object.keys(counts).length === 0) return undefined;
  if (required !== undefined) counts[required] ??= 0;
  return counts;
}

/**
 * Normalizes the `usage` of one stream. Some families send the prompt's count first and the completion's
 * last, or nulls on every chunk but the last: what was seen is kept until the counts are complete.
 *
 * @example
 * ```ts
 * import { UsageNormalizer } from "./usage.ts";
 *
 * const normalizer = new UsageNormalizer();
 * const early = normalizer.normalize({ prompt_tokens: 7, completion_tokens: null, total_tokens: null });
 * if (early !== undefined) throw new Error("not complete yet: not there");
 * const late = normalizer.normalize({ completion_tokens: 5 });
 * if (late?.total_tokens !== 12) throw new Error("complete");
 * ```
 */
export class UsageNormalizer {
  #seen: JsonObject = {};

  /** The last complete counts that {@linkcode normalize} gave, for the log. */
  last: JsonObject | undefined;

  /**
   * Takes the counts of one chunk.
   *
   * @param usage A chunk's `usage`, in any state.
   * @returns Complete whole counts with the unknown fields as they were, or undefined.
   */
  normalize(usage: unknown): JsonObject | undefined {
    if (!isObject(usage)) return undefined;
    const counts = merged(this.#seen, usage);
    for (const name of COUNTS) {
      const number = count(usage[name]) ?? count(usage[ALIASES[name] ?? ""]) ??
        count(this.#seen[name]);
      if (number === undefined) delete counts[name];
      else counts[name] = number;
    }
    // A total from an earlier chunk does not fit these counts.
    if (count(usage.total_tokens) === undefined) delete counts.total_tokens;
    this.#seen = counts;
    return this.#complete(counts);
  }

  /**
   * What is known at the end of a stream and was not yet sent: a count that stayed alone gets a zero
   * beside it, which is better than to lose it.
   */
  rest(): JsonObject | undefined {
    if (this.last !== undefined || Object.keys(this.#seen).length === 0) return undefined;
    const { prompt_tokens, completion_tokens } = this.#seen;
    if (prompt_tokens === undefined && completion_tokens === undefined) return undefined;
    return this.#complete({
      ...this.#seen,
      prompt_tokens: prompt_tokens ?? 0,
      completion_tokens: completion_tokens ?? 0,
    });
  }

  #complete(usage: JsonObject): JsonObject | undefined {
    const prompt = usage.prompt_tokens as number | undefined;
    const completion = usage.completion_tokens as number | undefined;
    const total = usage.total_tokens as number | undefined;
    const known = [prompt, completion, total].filter((number) => number !== undefined).length;
    if (known < 2) return undefined;
    const complete: JsonObject = {
      ...usage,
      prompt_tokens: prompt ?? Math.max(0, total! - completion!),
      completion_tokens: completion ?? Math.max(0, total! - prompt!),
    };
    complete.total_tokens = total ?? (prompt! + completion!);
    // Anthropic's name for what OpenAI clients look for among the details.
    const cached = count(usage.cache_read_input_tokens);
    const promptDetails = details(usage.prompt_tokens_details, "cached_tokens") ??
      (cached === undefined ? undefined : { cached_tokens: cached });
    const completionDetails = details(usage.completion_tokens_details);
    delete complete.prompt_tokens_details;
    delete complete.completion_tokens_details;
    if (promptDetails) complete.prompt_tokens_details = promptDetails;
    if (completionDetails) complete.completion_tokens_details = completionDetails;
    normalizeOthers(complete);
    this.last = complete;
    return complete;
  }
}
