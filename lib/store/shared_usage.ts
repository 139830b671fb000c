/**
 * Usage that bridges add up together. Each bridge stores its own sums, one entry a day, and whoever wants the
 * totals adds the entries of all: so nothing is counted twice when a bridge doesn't know whether the store has
 * got its last word.
 *
 * @module
 */

import { localDate } from "../observe/log.ts";
import { OTHER, totalsOf, type UsageRow, type UsageStore } from "../observe/usage.ts";
import {
  addUsage,
  firstDay,
  KEPT_DAYS,
  noUsage,
  sorted,
  SUMS,
  type UsageGroup,
  type UsageKey,
  type UsageTotals,
} from "../observe/usage_totals.ts";
import { type StoreConnection, StoreUnavailable } from "./connection.ts";
import type { Sealer } from "./seal.ts";

/** How long sums may wait before they are stored, in milliseconds. */
const PUBLISH = 1_000;

/** Milliseconds of the days that are kept. */
const AGE = KEPT_DAYS * 24 * 60 * 60 * 1_000;

/** Different pairs of model and client in a day; further ones count as `(other)`. */
const MAX_PAIRS = 500;

/** How many entries are asked for at once. */
const BATCH = 50;

/** The set of all entries, as `day:bridge`. */
const INDEX = "fd-bridge:usage";

/** The sums of one model and client on one day, as they are stored. */
type Row = readonly [model: string, client: string, ...sums: readonly number[]];

/** How a {@linkcode SharedUsage} is made. */
export interface SharedUsageOptions {
  /** The way to the store. */
  readonly connection: StoreConnection;
  /** Encrypts and names. */
  readonly sealer: Sealer;
  /** This bridge's own totals, which go on as ever. */
  readonly local?: UsageStore;
  /** What tells this bridge's entries from others'. @default a random one */
  readonly bridge?: string;
  /** The clock. @default {() => new Date()} */
  readonly now?: () => Date;
}

/** Totals of all bridges of a store. */
export class SharedUsage {
  readonly #options: SharedUsageOptions;
  readonly #bridge: string;
  readonly #now: () => Date;
  /** Day → model and client → this bridge's sums. */
  readonly #own = new Map<string, Map<string, UsageTotals>>();
  readonly #unsaved = new Set<string>();
  /** What the store had when it was asked last: `day`, `model`, `client` and the sums. */
  #others: readonly { readonly day: string; readonly row: Row }[] | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** Shares what a bridge adds from now on. */
  constructor(options: SharedUsageOptions) {
    this.#options = options;
    this.#bridge = options.bridge ?? crypto.randomUUID().slice(0, 8);
    this.#now = options.now ?? (() => new Date());
  }

  /** Adds a request. */
  add(row: UsageRow): void {
    this.#options.local?.add(row);
    const day = localDate(new Date(row.time));
    let pairs = this.#own.get(day);
    if (pairs === undefined) this.#own.set(day, pairs = new Map());
    const pair = JSON.stringify([row.model.toWellFormed(), row.client.toWellFormed()]);
    const key = pairs.has(pair) || pairs.size < MAX_PAIRS ? pair : JSON.stringify([OTHER, OTHER]);
    let totals = pairs.get(key);
    if (totals === undefined) pairs.set(key, totals = noUsage());
    addUsage(totals, totalsOf(row));
    this.#unsaved.add(day);
    if (this.#timer !== undefined) return;
    this.#timer = setTimeout(() => void this.publish(), PUBLISH);
    Deno.unrefTimer(this.#timer);
  }

  /**
   * Stores this bridge's sums.
   *
   * @returns Whether everything is stored.
   */
  async publish(): Promise<boolean> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const { sealer, connection } = this.#options;
    for (const day of [...this.#unsaved]) {
      const rows = [...this.#own.get(day) ?? []].map(([pair, totals]): Row => {
        const [model, client] = JSON.parse(pair);
        return [model, client, ...SUMS.map((name) => totals[name])];
      });
      const name = this.#name(day, this.#bridge);
      this.#unsaved.delete(day);
      try {
        await connection.run([
          ["SET", name, sealer.seal(name, JSON.stringify(rows)), "PX", `${AGE}`],
          ["SADD", INDEX, `${day}:${this.#bridge}`],
        ], true);
      } catch (cause) {
        if (!(cause instanceof StoreUnavailable)) throw cause;
        this.#unsaved.add(day);
      }
    }
    if (this.#unsaved.size > 0) {
      this.#timer = setTimeout(() => void this.publish(), 5 * PUBLISH);
      Deno.unrefTimer(this.#timer);
      return false;
    }
    this.#forgetOldDays();
    return true;
  }

  /** Reads what all bridges have stored; without an answer the last one stays. */
  async refresh(): Promise<void> {
    try {
      this.#others = await this.#read();
    } catch (cause) {
      if (!(cause instanceof StoreUnavailable)) throw cause;
    }
  }

  /**
   * The totals by a key, as of the last {@linkcode refresh}: the largest first, days in order. Those of this
   * bridge alone, where the store has never answered.
   *
   * @param key By what.
   * @param days How many days, today among them.
   */
  groups(key: UsageKey, days: number): UsageGroup[] {
    const { local } = this.#options;
    if (this.#others === undefined && local) return local.groups(key, days);
    const since = firstDay(this.#now(), days);
    const groups = new Map<string, UsageGroup>();
    const add = (day: string, [model, client, ...sums]: Row) => {
      if (day < since) return;
      const name = { day, model, client }[key];
      let group = groups.get(name);
      if (group === undefined) groups.set(name, group = { key: name, ...noUsage() });
      for (const [at, sum] of SUMS.entries()) group[sum] += sums[at] ?? 0;
    };
    for (const { day, row } of this.#others ?? []) add(day, row);
    for (const [day, pairs] of this.#own) {
      for (const [pair, totals] of pairs) {
        const [model, client] = JSON.parse(pair);
        add(day, [model, client, ...SUMS.map((name) => totals[name])]);
      }
    }
    return sorted([...groups.values()], key);
  }

  /** Stores what waits. */
  async close(): Promise<void> {
    await this.publish();
    clearTimeout(this.#timer);
  }

  /** The entries of all bridges, but for the days of this one that it has in memory. */
  async #read(): Promise<{ day: string; row: Row }[]> {
    const { connection, sealer } = this.#options;
    const oldest = firstDay(this.#now(), KEPT_DAYS);
    const [members] = await connection.run([["SMEMBERS", INDEX]]);
    const entries = (Array.isArray(members) ? members : []).filter((one) => typeof one === "string")
      .map((one: string) => one.split(":"));
    const old = entries.filter(([day]) => day < oldest).map((entry) => entry.join(":"));
    if (old.length > 0) await connection.run([["SREM", INDEX, ...old]]);
    const wanted = entries.filter(([day, bridge]) =>
      day >= oldest && !(bridge === this.#bridge && this.#own.has(day))
    );
    const rows: { day: string; row: Row }[] = [];
    for (let at = 0; at < wanted.length; at += BATCH) {
      const batch = wanted.slice(at, at + BATCH).map(([day, bridge]) => ({
        day,
        name: this.#name(day, bridge),
      }));
      const [values] = await connection.run([["MGET", ...batch.map(({ name }) => name)]]);
      for (const [index, value] of (Array.isArray(values) ? values : []).entries()) {
        const { day, name } = batch[index];
        const text = typeof value === "string" ? sealer.open(name, value) : undefined;
        for (const row of text === undefined ? [] : JSON.parse(text)) rows.push({ day, row });
      }
    }
    return rows;
  }

  #name(day: string, bridge: string): string {
    return `fd-bridge:usage:${this.#options.sealer.name("usage", day, bridge)}`;
  }

  /** Days that are over and stored needn't be in memory: they are read like those of others. */
  #forgetOldDays(): void {
    const yesterday = firstDay(this.#now(), 2);
    for (const day of this.#own.keys()) {
      if (day < yesterday && !this.#unsaved.has(day)) this.#own.delete(day);
    }
  }
}
