/**
 * Usage: requests, tokens and cost by day, model and client, in `usage.db` of the configuration folder,
 * so that totals survive a restart and several bridges can share them.
 *
 * @module
 */

import { DatabaseSync, type StatementSync } from "node:sqlite";
import type { Files } from "../system/system.ts";
import type { Cost } from "./cost.ts";
import { localDate } from "./log.ts";
import type { Tokens } from "./tokens.ts";
import {
  addUsage,
  firstDay,
  isCorrupt,
  isLocked,
  KEPT_DAYS,
  noUsage,
  readGroups,
  sorted,
  SUMS,
  type UsageGroup,
  type UsageKey,
  type UsageTotals,
  why,
} from "./usage_totals.ts";

/** One request, to be added. */
export interface UsageRow {
  /** When it came, in milliseconds since 1970: it counts on that local day. */
  readonly time: number;
  /** The model that was asked for. */
  readonly model: string;
  /** The client's name. */
  readonly client: string;
  /** Whether it failed. */
  readonly failed: boolean;
  /** As the gateway counted them, where it did. */
  readonly tokens?: Tokens;
  /** Where the model has a price. */
  readonly cost?: Cost;
}

/** The part of the system's files that the store needs. */
export type UsageFiles = Pick<Files, "create" | "makeFolder" | "mode" | "rename">;

/** How a store is opened. */
export interface UsageOptions {
  /** The file; without one the totals are kept in memory only. */
  readonly path?: string;
  /** The machine's files. */
  readonly files: UsageFiles;
  /** Tells once what is wrong with the file, and once that it is well again. */
  readonly tell: (message: string, well: boolean) => void;
  /** The clock. @default {() => new Date()} */
  readonly now?: () => Date;
}

/** Different pairs of model and client in a day; further ones count as {@linkcode OTHER}. */
const MAX_PAIRS = 500;
/** What stands for models and clients beyond the bound. */
export const OTHER = "(other)";
/** Rows that wait for a file that can't be written; further ones count as `(other)`. */
const MAX_WAITING = 2_000;
/** Milliseconds between two tries to write, while another process has the file, and while it fails. */
const RETRY_LOCKED = 50;
const RETRY_FAILING = 5_000;
/** How often a locked file is tried again before that is told. */
const TRIES_LOCKED = 40;
/** How long the start may wait for a lock, in milliseconds. */
const OPEN_TIME = 1_000;

/** Sums of dollars; the others are counts. */
const DOLLARS: ReadonlySet<string> = new Set(["cost", "saved", "cache_writing"]);

/** Pages of the write-ahead log before it is written back, which waits for the disk: 4 MiB. */
const LOG_PAGES = 4_096;

/** The version of the table, in the file's `user_version`. */
const VERSION = 1;

const CREATE = `
  CREATE TABLE IF NOT EXISTS usage (
    day TEXT NOT NULL, model TEXT NOT NULL, client TEXT NOT NULL,
    ${SUMS.map((name) => `${name} ${DOLLARS.has(name) ? "REAL" : "INTEGER"} NOT NULL`).join(", ")},
    PRIMARY KEY (day, model, client)
  ) STRICT, WITHOUT ROWID;
  PRAGMA user_version = ${VERSION};
`;

const ADD = `INSERT INTO usage VALUES (?, ?, ?, ${SUMS.map(() => "?").join(", ")})
  ON CONFLICT DO UPDATE SET ${
  SUMS.map((name) => `${name} = ${name} + excluded.${name}`).join(", ")
}`;

/** Rows of one day, model and client that are not in the file yet. */
interface Waiting {
  readonly day: string;
  readonly model: string;
  readonly client: string;
  readonly totals: UsageTotals;
}

/**
 * The totals, in memory and on disk. What was added is written at the end of the event loop's turn, some
 * 20 µs in WAL mode, and so before the answers of that turn are sent: a crash loses no request that is
 * over. A file that is locked, full or read-only stops nothing: rows wait in memory, and the file is
 * tried again.
 *
 * The file is opened once, before the program gives the permission to write away; an open file needs none.
 */
export class UsageStore {
  readonly #tell: UsageOptions["tell"];
  readonly #now: () => Date;
  readonly #path: string | undefined;
  readonly #waiting = new Map<string, Waiting>();
  /** Pairs of today that were seen, to bound them. */
  #pairs = new Set<string>();
  #pairsDay = "";
  #database: DatabaseSync | undefined;
  #add: StatementSync | undefined;
  #scheduled = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #lockedTries = 0;
  #failing = false;

  private constructor(options: UsageOptions) {
    this.#path = options.path;
    this.#tell = options.tell;
    this.#now = options.now ?? (() => new Date());
  }

  /**
   * Opens the store. Whatever is wrong with the file is told, and the store works in memory. A file that
   * is no database, or a broken one, is set aside as `usage.db.corrupt-<time>`.
   */
  static async open(options: UsageOptions): Promise<UsageStore> {
    const store = new UsageStore(options);
    const { path, files } = options;
    if (path === undefined) return store;
    try {
      const folder = /^(.*)[/\\][^/\\]*$/s.exec(path)?.[1];
      if (folder) await files.makeFolder(folder);
      // What a person asks of models is nobody else's business.
      if (await files.mode(path) === undefined) await files.create(path, "", 0o600).catch(() => {});
      try {
        store.#open(path);
      } catch (cause) {
        if (!isCorrupt(cause)) throw cause;
        store.#database?.close();
        const aside = `${path}.corrupt-${store.#now().toISOString().replace(/[:.]/g, "-")}`;
        await files.rename(path, aside);
        for (const suffix of ["-wal", "-shm"]) {
          if (await files.mode(path + suffix) !== undefined) {
            await files.rename(path + suffix, aside + suffix);
          }
        }
        store.#tell(`${path} was broken: it is ${aside} now, and a new one begins`, false);
        await files.create(path, "", 0o600);
        store.#open(path);
      }
    } catch (cause) {
      store.#fails(cause);
    }
    return store;
  }

  #open(path: string): void {
    this.#database = new DatabaseSync(path);
    this.#setUp(OPEN_TIME);
  }

  /** Makes the table where it isn't there; a locked file is set up when it is free. */
  #setUp(wait: number): void {
    const database = this.#database!;
    // In a new file pages are small: a request's row changes a few bytes, and a whole page is written.
    database.exec(`PRAGMA busy_timeout = ${wait}; PRAGMA page_size = 1024`);
    database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL");
    database.exec(`PRAGMA wal_autocheckpoint = ${LOG_PAGES}`);
    const { user_version: version } = database.prepare("PRAGMA user_version").get()!;
    if (Number(version) > VERSION) {
      throw new Error("a newer fd-bridge has written it, and this one can't add to it");
    }
    const check = database.prepare("PRAGMA quick_check(1)").get();
    if (check?.quick_check !== "ok") throw new Error("database disk image is malformed");
    database.exec(CREATE);
    const add = database.prepare(ADD);
    this.#prune();
    // From now on nothing waits for another process: rows do.
    database.exec("PRAGMA busy_timeout = 0");
    this.#add = add;
  }

  #prune(): void {
    this.#database!.prepare("DELETE FROM usage WHERE day < ?").run(
      firstDay(this.#now(), KEPT_DAYS),
    );
  }

  /** Adds a request. It is written at the end of this turn. */
  add(row: UsageRow): void {
    const day = localDate(new Date(row.time));
    const [model, client] = this.#bounded(day, row.model.toWellFormed(), row.client.toWellFormed());
    const key = `${day}\n${model}\n${client}`;
    let waiting = this.#waiting.get(key);
    if (waiting === undefined) {
      this.#waiting.set(key, waiting = { day, model, client, totals: noUsage() });
    }
    addUsage(waiting.totals, totalsOf(row));
    if (this.#scheduled || this.#timer !== undefined || this.#database === undefined) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.flush();
    });
  }

  /** Clients can ask for any model under any name: what is kept stays bounded. */
  #bounded(day: string, model: string, client: string): [string, string] {
    if (day > this.#pairsDay) {
      this.#pairsDay = day;
      this.#pairs = new Set();
      if (this.#add !== undefined) this.#loadPairs(day);
    }
    const pair = `${model}\n${client}`;
    const full = this.#pairs.size >= MAX_PAIRS || this.#waiting.size >= MAX_WAITING;
    if (full && !this.#pairs.has(pair)) return [OTHER, OTHER];
    this.#pairs.add(pair);
    return [model, client];
  }

  #loadPairs(day: string): void {
    try {
      this.#prune();
      const rows = this.#database!.prepare("SELECT model, client FROM usage WHERE day = ? LIMIT ?")
        .all(day, MAX_PAIRS);
      for (const { model, client } of rows) this.#pairs.add(`${model}\n${client}`);
    } catch {
      // It is locked: the next day prunes.
    }
  }

  /**
   * Writes what waits.
   *
   * @returns Whether nothing waits any more.
   */
  flush(): boolean {
    if (this.#waiting.size === 0) return true;
    const database = this.#database;
    if (database === undefined) return false;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    try {
      if (this.#add === undefined) this.#setUp(0);
      this.#write(database, this.#add!);
      this.#waiting.clear();
      this.#lockedTries = 0;
      if (this.#failing) {
        this.#failing = false;
        this.#tell(`${this.#path} can be written again: nothing was lost`, true);
      }
      return true;
    } catch (cause) {
      const locked = isLocked(cause) && ++this.#lockedTries < TRIES_LOCKED;
      if (!locked) this.#fails(cause);
      this.#timer = setTimeout(
        () => this.flush(),
        this.#failing ? RETRY_FAILING : RETRY_LOCKED,
      );
      // A file that can't be written keeps no program running.
      Deno.unrefTimer(this.#timer);
      return false;
    }
  }

  #write(database: DatabaseSync, add: StatementSync): void {
    const single = this.#waiting.size === 1;
    if (!single) database.exec("BEGIN IMMEDIATE");
    try {
      for (const { day, model, client, totals } of this.#waiting.values()) {
        add.run(day, model, client, ...SUMS.map((name) => totals[name]));
      }
      if (!single) database.exec("COMMIT");
    } catch (cause) {
      if (!single) rollBack(database);
      throw cause;
    }
  }

  #fails(cause: unknown): void {
    if (this.#failing) return;
    this.#failing = true;
    this.#tell(
      `${this.#path} can't be written (${why(cause)}): usage is kept in memory only`,
      false,
    );
  }

  /**
   * The totals by a key, the largest first, days in order.
   *
   * @param key By what.
   * @param days How many days, today among them.
   */
  groups(key: UsageKey, days: number): UsageGroup[] {
    const since = firstDay(this.#now(), days);
    const groups = new Map<string, UsageGroup>();
    const add = (name: string, totals: UsageTotals) => {
      let group = groups.get(name);
      if (group === undefined) groups.set(name, group = { key: name, ...noUsage() });
      addUsage(group, totals);
    };
    try {
      if (this.#add !== undefined) {
        for (const row of readGroups(this.#database!, key, since)) add(row.key, row);
      }
    } catch {
      // A file that can't be read counts when it can.
    }
    for (const waiting of this.#waiting.values()) {
      if (waiting.day >= since) add(waiting[key], waiting.totals);
    }
    return sorted([...groups.values()], key);
  }

  /**
   * Writes what waits and closes the file.
   *
   * @param time How long to try, in milliseconds.
   * @returns Whether everything was written.
   */
  async close(time = 1_000): Promise<boolean> {
    const end = performance.now() + time;
    let written = this.flush();
    while (!written && this.#database !== undefined && performance.now() < end) {
      await new Promise((resolve) => setTimeout(resolve, RETRY_LOCKED));
      written = this.flush();
    }
    clearTimeout(this.#timer);
    try {
      this.#database?.close();
    } catch {
      // What could be written was.
    }
    this.#database = this.#add = undefined;
    return written;
  }
}

/** The totals of one request. */
export function totalsOf({ failed, tokens, cost }: UsageRow): UsageTotals {
  return {
    requests: 1,
    failed: failed ? 1 : 0,
    tokens_in: tokens?.input ?? 0,
    tokens_out: tokens?.output ?? 0,
    tokens_cached: tokens?.cached ?? 0,
    tokens_written: tokens?.written ?? 0,
    priced: cost ? 1 : 0,
    counted: tokens ? 1 : 0,
    cost: cost?.total ?? 0,
    saved: cost?.saved ?? 0,
    cache_writing: cost?.writing ?? 0,
  };
}

function rollBack(database: DatabaseSync): void {
  try {
    database.exec("ROLLBACK");
  } catch {
    // A full disk has rolled back by itself.
  }
}
