/**
 * What an answer cost: prices from `models.json`, else a third party's list, times the tokens that the
 * gateway counted.
 *
 * @module
 */

import { isObject } from "../json.ts";
import { bareName } from "../models/families.ts";
import type { Tokens } from "./tokens.ts";

/** Prices in dollars a million tokens. */
export interface Rates {
  /** Tokens of the prompt. */
  readonly input: number;
  /** Tokens of the answer. */
  readonly output: number;
  /** Tokens read from the cache. @default {0.1 × input} */
  readonly cache_read?: number;
  /** Tokens written to the cache for five minutes; for an hour they cost 1.6 times as much. @default {1.25 × input} */
  readonly cache_write?: number;
}

/** The price of a model: `price` in `models.json`. */
export interface Price extends Rates {
  /** What a request costs whose prompt is longer than a number of tokens; what is missing follows from the rest. */
  readonly above?: { readonly tokens: number } & Partial<Rates>;
}

/** What one answer cost, in dollars. */
export interface Cost {
  /** All of it. */
  readonly total: number;
  /** What the cache saved: the tokens read from it at the full price, less what they cost. */
  readonly saved: number;
  /** What writing the cache cost beyond the price of the same tokens unwritten. */
  readonly writing: number;
}

/** Reading the cache costs this part of the input's price, writing it this many times (`gateway.md`, "Prompt caching"). */
const CACHE_READ = 0.1;
const CACHE_WRITE = 1.25;
/** An hour's writing costs 2 × the input where five minutes' costs 1.25 ×. */
const HOUR = 2 / CACHE_WRITE;

/** Where the default prices come from. */
export const PRICE_SOURCE = "a third party's list of July 2026";

/** Bare name → price (`gateway.md`, "Prices"): {@linkcode PRICE_SOURCE}. `price` in `models.json` wins. */
const DEFAULT_PRICES: ReadonlyMap<string, Price> = new Map<string, Price>([
  ...each(["claude-haiku-4-5"], { input: 1, output: 5, cache_read: 0.1 }),
  ...each(["claude-sonnet-4", "claude-sonnet-4-5", "claude-sonnet-4-6"], {
    input: 3,
    output: 15,
    cache_read: 0.3,
  }),
  ...each(["claude-opus-4-5", "claude-opus-4-6", "claude-opus-4-7"], {
    input: 5,
    output: 25,
    cache_read: 0.5,
  }),
  ...each(["claude-opus-4-1"], { input: 15, output: 75, cache_read: 1.5 }),
  ...each(["gpt-5", "gpt-5-1"], { input: 1.25, output: 10, cache_read: 0.125 }),
  ...each(["gpt-5-2"], { input: 1.75, output: 14 }),
  ...each(["gpt-5-4"], {
    input: 2.5,
    output: 15,
    above: { tokens: 272_000, input: 5, output: 22.5 },
  }),
  ...each(["gpt-5-4-mini"], { input: 0.75, output: 4.5 }),
  ...each(["gpt-5-4-nano"], { input: 0.2, output: 1.25 }),
  ...each(["gpt-5-5"], {
    input: 5,
    output: 30,
    cache_read: 0.5,
    above: { tokens: 272_000, input: 10, output: 45 },
  }),
  ...each(["gpt-5-mini"], { input: 0.25, output: 2 }),
  ...each(["gpt-5-nano"], { input: 0.05, output: 0.4 }),
  ...each(["gemini-2-5-flash"], { input: 0.3, output: 2.5, cache_read: 0.03 }),
  ...each(["gemini-2-5-pro"], {
    input: 1.25,
    output: 10,
    above: { tokens: 200_000, input: 2.5, output: 15 },
  }),
  ...each(["gemini-3-flash"], { input: 0.5, output: 3 }),
  ...each(["gemini-3-1-flash-lite"], { input: 0.25, output: 1.5 }),
  ...each(["gemini-3-1-pro"], {
    input: 2,
    output: 12,
    above: { tokens: 200_000, input: 4, output: 18 },
  }),
  ...each(["gpt-oss-120b"], { input: 0.072, output: 0.28 }),
  ...each(["gpt-oss-20b"], { input: 0.05, output: 0.2 }),
  ...each(["llama-3-3-70b", "meta-llama-3-3-70b-instruct"], { input: 0.5, output: 1.5 }),
]);

function each(names: readonly string[], price: Price): [string, Price][] {
  return names.map((name) => [name, price]);
}

/** A field of a price: a number of dollars that is not negative. */
function dollars(value: unknown): number | undefined {
  return typeof value === "number" && Number.isFinite(value) && value >= 0 ? value : undefined;
}

/** A `price` of `models.json`; undefined where it lacks an input or an output. */
function readPrice(value: unknown): Price | undefined {
  if (!isObject(value)) return undefined;
  const [input, output] = [dollars(value.input), dollars(value.output)];
  if (input === undefined || output === undefined) return undefined;
  const above = isObject(value.above) ? value.above : undefined;
  const tokens = dollars(above?.tokens);
  return {
    input,
    output,
    cache_read: dollars(value.cache_read),
    cache_write: dollars(value.cache_write),
    above: above === undefined || tokens === undefined ? undefined : {
      tokens,
      input: dollars(above.input),
      output: dollars(above.output),
      cache_read: dollars(above.cache_read),
      cache_write: dollars(above.cache_write),
    },
  };
}

/**
 * The price of a model: that of `models.json` where it has one, else the default list's.
 *
 * @param model The model, by any of its names.
 * @param own `price` of its entry in `models.json`; `null` says that it has no price.
 * @returns The price, or undefined where none is known.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { priceOf } from "./cost.ts";
 *
 * assertEquals(priceOf("databricks-claude-sonnet-4-5")?.output, 15);
 * assertEquals(priceOf("databricks-claude-sonnet-4-5", { input: 2, output: 9 })?.output, 9);
 * assertEquals(priceOf("databricks-kimi-k3"), undefined);
 * ```
 */
export function priceOf(model: string, own?: unknown): Price | undefined {
  if (own === null) return undefined;
  return readPrice(own) ?? DEFAULT_PRICES.get(bareName(model));
}

/** The rates for a prompt of a length, the cache's among them. */
function ratesFor(price: Price, input: number): Required<Rates> {
  const base = withCache(price);
  const above = price.above;
  if (above === undefined || input <= above.tokens) return base;
  const times = above.input === undefined || base.input === 0 ? 1 : above.input / base.input;
  return {
    input: above.input ?? base.input,
    output: above.output ?? base.output,
    // The cache's prices grow with the input's.
    cache_read: above.cache_read ?? base.cache_read * times,
    cache_write: above.cache_write ?? base.cache_write * times,
  };
}

function withCache({ input, output, cache_read, cache_write }: Rates): Required<Rates> {
  return {
    input,
    output,
    cache_read: cache_read ?? input * CACHE_READ,
    cache_write: cache_write ?? input * CACHE_WRITE,
  };
}

/**
 * What an answer cost.
 *
 * @param tokens Its tokens.
 * @param price The model's price.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { costOf } from "./cost.ts";
 *
 * const tokens = { input: 1_000_000, output: 100_000, cached: 900_000, written: 0, writtenForHour: 0 };
 * const cost = costOf(tokens, { input: 3, output: 15, cache_read: 0.3 });
 * assertEquals(cost.total.toFixed(2), "2.07");
 * assertEquals(cost.saved.toFixed(2), "2.43");
 * ```
 */
export function costOf(tokens: Tokens, price: Price): Cost {
  const rates = ratesFor(price, tokens.input);
  const { cached, written, writtenForHour } = tokens;
  const plain = Math.max(0, tokens.input - cached - written);
  const write = ((written - writtenForHour) + writtenForHour * HOUR) * rates.cache_write;
  const total = plain * rates.input + cached * rates.cache_read + write +
    tokens.output * rates.output;
  return {
    total: total / 1e6,
    saved: cached * (rates.input - rates.cache_read) / 1e6,
    writing: (write - written * rates.input) / 1e6,
  };
}
