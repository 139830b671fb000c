/**
 * Counters that bridges share.
 *
 * @module
 */

import { type StoreConnection, StoreUnavailable } from "./connection.ts";
import { type Counters, MemoryCounters } from "./counters.ts";
import type { Sealer } from "./seal.ts";

/**
 * Counters in the store. While it can't be used this bridge counts by itself, from the last sums that it
 * knows: a limit may then be exceeded by what other bridges let through meanwhile.
 */
export class SharedCounters implements Counters {
  readonly #connection: StoreConnection;
  readonly #sealer: Sealer;
  readonly #memory: MemoryCounters;

  /**
   * Makes counters of a store.
   *
   * @param connection The way to it.
   * @param sealer Names the counters; their sums are plain numbers, which the store adds up.
   * @param now The clock, in milliseconds.
   */
  constructor(connection: StoreConnection, sealer: Sealer, now: () => number = Date.now) {
    this.#connection = connection;
    this.#sealer = sealer;
    this.#memory = new MemoryCounters(now);
  }

  /** Adds to a counter and returns its sum. */
  async add(name: string, amount: number, endsAt: number): Promise<number> {
    const key = `fd-bridge:count:${this.#sealer.name("count", name)}`;
    try {
      const [sum] = await this.#connection.run([
        ["INCRBYFLOAT", key, `${amount}`],
        ["PEXPIREAT", key, `${Math.ceil(endsAt)}`],
      ], true);
      return this.#memory.set(name, Number(sum), endsAt);
    } catch (cause) {
      if (!(cause instanceof StoreUnavailable)) throw cause;
      return await this.#memory.add(name, amount, endsAt);
    }
  }
}
