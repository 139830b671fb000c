/**
 * Counts within windows of time, for limits.
 *
 * @module
 */

/** Counts within a window of time. */
export interface Counters {
  /**
   * Adds to a counter and returns its sum, atomically.
   *
   * @param name What is counted, with its window: each window is a counter of its own.
   * @param amount May be 0, to read; or negative, to take back.
   * @param endsAt When the counter may be forgotten, in milliseconds since 1970.
   */
  add(name: string, amount: number, endsAt: number): Promise<number>;
}

/** How many counters are kept; the oldest go first. */
const MAX_COUNTERS = 100_000;

/** How many additions lie between two looks for counters that have ended. */
const SWEEP = 1_000;

/**
 * Counters of this process.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { MemoryCounters } from "./counters.ts";
 *
 * const counters = new MemoryCounters();
 * const endsAt = Date.now() + 60_000;
 * await counters.add("ada's requests, 12:01", 1, endsAt);
 * assertEquals(await counters.add("ada's requests, 12:01", 1, endsAt), 2);
 * ```
 */
export class MemoryCounters implements Counters {
  readonly #counters = new Map<string, { sum: number; endsAt: number }>();
  readonly #now: () => number;
  #additions = 0;

  /**
   * Makes counters that all begin at 0.
   *
   * @param now The clock, in milliseconds.
   */
  constructor(now: () => number = Date.now) {
    this.#now = now;
  }

  /** How many counters are kept. */
  get size(): number {
    return this.#counters.size;
  }

  /** Adds to a counter and returns its sum. */
  add(name: string, amount: number, endsAt: number): Promise<number> {
    return Promise.resolve(this.set(name, this.#sum(name) + amount, endsAt));
  }

  /**
   * Sets a counter: what is known of it from elsewhere.
   *
   * @param name Which one.
   * @param sum Its new sum.
   * @param endsAt When it may be forgotten, in milliseconds since 1970.
   * @returns The sum.
   */
  set(name: string, sum: number, endsAt: number): number {
    if (++this.#additions % SWEEP === 0) this.#sweep();
    this.#counters.set(name, { sum, endsAt });
    if (this.#counters.size > MAX_COUNTERS) {
      this.#counters.delete(this.#counters.keys().next().value!);
    }
    return sum;
  }

  #sum(name: string): number {
    const counter = this.#counters.get(name);
    return counter === undefined || counter.endsAt <= this.#now() ? 0 : counter.sum;
  }

  #sweep(): void {
    const now = this.#now();
    for (const [name, { endsAt }] of this.#counters) {
      if (endsAt <= now) this.#counters.delete(name);
    }
  }
}
