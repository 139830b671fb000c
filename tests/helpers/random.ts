/**
 * Randomness that can be had again: seeded, and the seed is printed.
 *
 * @module
 */

/** A seeded source of random numbers (mulberry32): fast, and the same everywhere. */
export class Random {
  /** The seed that it started from. */
  readonly seed: number;
  #state: number;

  /**
   * Starts a sequence.
   *
   * @param seed Any integer; the lower 32 bits count.
   */
  constructor(seed: number) {
    this.seed = seed >>> 0;
    this.#state = this.seed;
  }

  /**
   * The next number.
   *
   * @returns At least 0, less than 1.
   */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  /**
   * A whole number.
   *
   * @param least The smallest.
   * @param most The greatest.
   * @returns One of them or one between.
   */
  integer(least: number, most: number): number {
    return least + Math.floor(this.next() * (most - least + 1));
  }

  /**
   * Whether something happens.
   *
   * @param probability From 0 (never) to 1 (always).
   * @returns True that often.
   */
  chance(probability: number): boolean {
    return this.next() < probability;
  }

  /**
   * One of several.
   *
   * @param items At least one.
   * @returns One of them.
   */
  pick<T>(items: readonly T[]): T {
    return items[Math.floor(this.next() * items.length)];
  }

  /**
   * The same items in another order.
   *
   * @param items Any number.
   * @returns A new array.
   */
  shuffle<T>(items: readonly T[]): T[] {
    const mixed = [...items];
    for (let at = mixed.length - 1; at > 0; at--) {
      const other = this.integer(0, at);
      [mixed[at], mixed[other]] = [mixed[other], mixed[at]];
    }
    return mixed;
  }
}

/**
 * A source seeded from the environment variable FD_BRIDGE_SEED, or by the clock; prints the seed.
 *
 * @param what Whose randomness it is, for the printed line.
 * @returns The source.
 * @throws {RangeError} If FD_BRIDGE_SEED is not an integer.
 *
 * @example
 * ```ts
 * import { Random } from "./random.ts";
 *
 * if (new Random(7).next() !== new Random(7).next()) throw new Error("a seed is a sequence");
 * ```
 */
export function randomFromEnvironment(what: string): Random {
  const given = Deno.env.get("FD_BRIDGE_SEED");
  const seed = given === undefined ? Date.now() % 2 ** 32 : Number(given);
  if (!Number.isInteger(seed)) {
    throw new RangeError(`FD_BRIDGE_SEED is "${given}", expected an integer`);
  }
  console.log(`${what}: FD_BRIDGE_SEED=${seed}`);
  return new Random(seed);
}
