/**
 * The store that several bridges share, so that any of them can go on with what another has begun: tool calls
 * and their reasoning, what refusals have taught, usage, and counters for limits. Without a store each bridge
 * has its own memory, and with one it still has: nothing fails and nothing waits because of the store.
 *
 * @module
 */

import type { Negotiator } from "../adapt/negotiator.ts";
import type { ToolCallCache } from "../adapt/tool_call_cache.ts";
import type { UsageStore } from "../observe/usage.ts";
import type { StoreAddress } from "./address.ts";
import { StoreConnection, type StoreTrouble, type Wire } from "./connection.ts";
import type { Counters } from "./counters.ts";
import { openRedis } from "./redis.ts";
import { Sealer } from "./seal.ts";
import { SharedCounters } from "./shared_counters.ts";
import { SharedMemory } from "./shared_memory.ts";
import { SharedUsage } from "./shared_usage.ts";

export { readStoreAddress, type StoreAddress } from "./address.ts";
export type { StoreTrouble, Wire } from "./connection.ts";
export { type Counters, MemoryCounters } from "./counters.ts";
export { SharedMemory } from "./shared_memory.ts";
export { SharedUsage } from "./shared_usage.ts";

/** How a store is opened. */
export interface StoreOptions {
  /** Where it is. */
  readonly address: StoreAddress;
  /** What all bridges of the store share. */
  readonly secret: string;
  /** Opens a connection. */
  readonly open: () => Promise<Wire>;
  /** Reports trouble once, and recovery once. */
  readonly tell: (message: string, well: boolean) => void;
  /** Counts a failure. */
  readonly count: (trouble: StoreTrouble) => void;
  /** How long a request may wait for the store, in milliseconds. @default {50} */
  readonly patience?: number;
}

/** The settings that name a store. */
export interface StoreSettings {
  /** Where it is. */
  readonly store?: StoreAddress;
  /** What all its bridges share. */
  readonly storeKey?: string;
}

/**
 * The store that the settings name; undefined where they name none. It is not connected yet.
 *
 * @param settings Where it is, and the secret.
 * @param ca Certificates to trust beside the system's, as PEM.
 * @param report Reports and counts failures.
 */
export function openStore(
  { store: address, storeKey: secret }: StoreSettings,
  ca: string | undefined,
  report: Pick<StoreOptions, "tell" | "count" | "patience">,
): SharedStore | undefined {
  if (address === undefined || secret === undefined) return undefined;
  return new SharedStore({ ...report, address, secret, open: () => openRedis(address, ca) });
}

/** A store that is shared. */
export class SharedStore {
  /** Where it is, for people. */
  readonly address: string;
  /** Counters for limits. */
  readonly counters: Counters;
  readonly #connection: StoreConnection;
  readonly #sealer: Sealer;
  readonly #tell: StoreOptions["tell"];

  /** Makes a store whose connection isn't open yet. */
  constructor({ address, secret, open, tell, count, patience }: StoreOptions) {
    this.address = address.shown;
    this.#tell = tell;
    this.#sealer = new Sealer(secret);
    this.#connection = new StoreConnection({ open, tell, count, patience, address: address.shown });
    this.counters = new SharedCounters(this.#connection, this.#sealer);
  }

  /** What is wrong with it now, if anything. */
  get trouble(): StoreTrouble | undefined {
    return this.#connection.trouble;
  }

  /** Connects. Never throws: see {@linkcode StoreConnection}. */
  connect(): Promise<void> {
    return this.#connection.connect();
  }

  /** Shares what a bridge remembers. */
  shareMemory(
    { calls, negotiator, workspace }: {
      readonly calls: ToolCallCache;
      readonly negotiator: Negotiator;
      readonly workspace: string;
    },
  ): SharedMemory {
    return new SharedMemory({
      connection: this.#connection,
      sealer: this.#sealer,
      calls,
      negotiator,
      workspace,
      onUnreadable: () =>
        this.#tell(
          `the store at ${this.address} has entries that this bridge can't read: its --store-key is not the one of the bridges that wrote them`,
          false,
        ),
    });
  }

  /**
   * Shares the usage of a bridge.
   *
   * @param local Its own totals.
   */
  shareUsage(local?: UsageStore): SharedUsage {
    return new SharedUsage({ connection: this.#connection, sealer: this.#sealer, local });
  }

  /** Ends the connection. */
  close(): void {
    this.#connection.close();
  }
}
