/**
 * Totals of usage: what they are, and how they are read from `usage.db`.
 *
 * @module
 */

import { DatabaseSync } from "node:sqlite";
import { localDate } from "./log.ts";

/** Sums over some requests. Costs are dollars, over those requests whose model has a price. */
export interface UsageTotals {
  /** How many. */
  requests: number;
  /** Those that failed. */
  failed: number;
  /** Tokens of prompts, cached and written ones among them. */
  tokens_in: number;
  /** Tokens of answers. */
  tokens_out: number;
  /** Tokens read from the cache. */
  tokens_cached: number;
  /** Tokens written to the cache. */
  tokens_written: number;
  /** How many of the requests with tokens had a price. */
  priced: number;
  /** How many had tokens. */
  counted: number;
  /** Dollars. */
  cost: number;
  /** Dollars that the cache saved. */
  saved: number;
  /** Dollars that writing the cache cost beyond the same tokens unwritten. */
  cache_writing: number;
}

/** What the totals can be told apart by. */
export type UsageKey = "model" | "client" | "day";

/** The totals of one day, model or client. */
export interface UsageGroup extends UsageTotals {
  /** The day (`2026-09-01`), model or client. */
  readonly key: string;
}

/** The columns that add up, in the order of the table. */
export const SUMS = [
  "requests",
  "failed",
  "tokens_in",
  "tokens_out",
  "tokens_cached",
  "tokens_written",
  "priced",
  "counted",
  "cost",
  "saved",
  "cache_writing",
] as const satisfies readonly (keyof UsageTotals)[];

/** Days that are kept. */
export const KEPT_DAYS = 400;

/** How long a reader waits for a lock, in milliseconds. */
const READ_TIME = 1_000;

/** Totals of nothing. */
export function noUsage(): UsageTotals {
  return {
    requests: 0,
    failed: 0,
    tokens_in: 0,
    tokens_out: 0,
    tokens_cached: 0,
    tokens_written: 0,
    priced: 0,
    counted: 0,
    cost: 0,
    saved: 0,
    cache_writing: 0,
  };
}

/** Adds totals to others. */
export function addUsage(to: UsageTotals, more: UsageTotals): void {
  for (const name of SUMS) to[name] += more[name];
}

/** Reads the totals by a key, since a day, from an open file. */
export function readGroups(database: DatabaseSync, key: UsageKey, since: string): UsageGroup[] {
  const sums = SUMS.map((name) => `SUM(${name}) AS ${name}`).join(", ");
  return database.prepare(
    `SELECT ${key} AS key, ${sums} FROM usage WHERE day >= ? GROUP BY ${key}`,
  ).all(since) as unknown as UsageGroup[];
}

/** Groups in the order in which they are shown: days in order, else the dearest first. */
export function sorted(groups: UsageGroup[], key: UsageKey): UsageGroup[] {
  if (key === "day") return groups.sort((a, b) => a.key < b.key ? -1 : 1);
  const size = (group: UsageGroup) => group.tokens_in + group.tokens_out;
  return groups.sort((a, b) => b.cost - a.cost || size(b) - size(a) || b.requests - a.requests);
}

/**
 * The first of some days that end today.
 *
 * @param today The last day.
 * @param days How many.
 */
export function firstDay(today: Date, days: number): string {
  const day = new Date(today);
  day.setDate(day.getDate() - (days - 1));
  return localDate(day);
}

/**
 * Reads the totals of a `usage.db` that bridges may be writing.
 *
 * @param path The file.
 * @param key By what.
 * @param days How many days, today among them.
 * @param now The time.
 * @throws {Error} Where it can't be read.
 */
export function readUsage(path: string, key: UsageKey, days: number, now: Date): UsageGroup[] {
  const database = new DatabaseSync(path);
  try {
    database.exec(`PRAGMA busy_timeout = ${READ_TIME}`);
    const table = database.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'usage'").get();
    if (table === undefined) return [];
    return sorted(readGroups(database, key, firstDay(now, days)), key);
  } finally {
    database.close();
  }
}

/** Whether SQLite means a file that is no database, or a broken one. */
export function isCorrupt(cause: unknown): boolean {
  return /file is not a database|disk image is malformed/.test(String(cause));
}

/** Whether SQLite means that another connection has the file. */
export function isLocked(cause: unknown): boolean {
  return /database (table )?is locked/.test(String(cause));
}

/**
 * What is wrong with the file, in a person's words.
 *
 * @param cause What SQLite or the system said.
 */
export function why(cause: unknown): string {
  const message = cause instanceof Error ? cause.message : String(cause);
  if (isLocked(cause)) return "another program holds it locked";
  if (isCorrupt(cause)) return "it is broken; the next start sets it aside";
  if (/disk is full|No space left/.test(message)) return "the disk is full";
  if (/readonly database|Read-only file system|unable to open database/.test(message)) {
    return "the file or its folder is read-only";
  }
  return message.replace(/ \(os error.*|: (open|mkdir|writefile|rename).*/s, "").replace(/\.$/, "");
}
