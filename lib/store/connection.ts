/**
 * The connection to the shared store. Nothing waits for it longer than {@linkcode PATIENCE}: a store that is
 * slow, gone or full is left alone for a while, tried again in the background, and told about once.
 *
 * @module
 */

/** One command and its arguments. */
export type Command = readonly string[];

/** A connection that is open. */
export interface Wire {
  /**
   * Runs commands, in one round trip.
   *
   * @returns Their replies, in order.
   * @throws {StoreReplyError} When the store refuses one of them; anything else when the connection is broken.
   */
  run(commands: readonly Command[]): Promise<unknown[]>;
  /** Resolves when the connection has ended, with the cause. */
  readonly ended: Promise<unknown>;
  /** Ends it at once; replies that are awaited fail. */
  close(): void;
}

/** The store is there and refuses a command, in its words. */
export class StoreReplyError extends Error {
  /** The class's name. */
  override readonly name = "StoreReplyError";
}

/** The store isn't used now: the caller goes on from memory. */
export class StoreUnavailable extends Error {
  /** The class's name. */
  override readonly name = "StoreUnavailable";
}

/** What can be wrong with a store. */
export type StoreTrouble = "slow" | "gone" | "full" | "refused";

/** How long a request may wait for the store, in milliseconds. */
export const PATIENCE = 50;

/** How long a connection may take to be made, in milliseconds. */
const CONNECT_TIME = 2_000;

/** The first and the longest time until a store in trouble is tried again, in milliseconds. */
const FIRST_RETRY = 250;
const LAST_RETRY = 30_000;

/** How many commands may be under way; more aren't sent. */
const MAX_RUNNING = 1_000;

/** How a {@linkcode StoreConnection} is set up. */
export interface ConnectionOptions {
  /** Opens a connection. */
  readonly open: () => Promise<Wire>;
  /** The store's address, without its password. */
  readonly address: string;
  /** Reports trouble once, and recovery once. */
  readonly tell: (message: string, well: boolean) => void;
  /** Counts a failure. */
  readonly count: (trouble: StoreTrouble) => void;
  /** How long a request may wait for the store, in milliseconds. @default {PATIENCE} */
  readonly patience?: number;
}

/** Trouble → what it means, in words. */
const WORDS: Readonly<Record<StoreTrouble, (address: string, why: string) => string>> = {
  slow: (address) => `the store at ${address} takes longer than ${PATIENCE} ms`,
  gone: (address, why) => `the store at ${address} can't be reached (${why})`,
  full: (address, why) => `the store at ${address} is full (${why})`,
  refused: (address, why) => `the store at ${address} refuses (${why})`,
};

/** A connection that is made again when it breaks. */
export class StoreConnection {
  readonly #options: ConnectionOptions;
  #wire: Wire | undefined;
  #connectedAt = 0;
  #delay = FIRST_RETRY;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #trouble: StoreTrouble | undefined;
  /** Until when nothing is written, because the store is full. */
  #readOnlyUntil = 0;
  #running = 0;
  #closed = false;
  #attempt: Promise<void> | undefined;

  /** Makes a connection that is not open yet: see {@linkcode StoreConnection.connect}. */
  constructor(options: ConnectionOptions) {
    this.#options = options;
  }

  /** What is wrong now, if anything. */
  get trouble(): StoreTrouble | undefined {
    return this.#trouble;
  }

  /** Whether commands are sent now. */
  get isOpen(): boolean {
    return this.#wire !== undefined;
  }

  /** Connects. Never throws: a store that can't be reached is reported, and tried again. */
  connect(): Promise<void> {
    return this.#attempt ??= this.#connect().finally(() => this.#attempt = undefined);
  }

  /**
   * Runs commands, in one round trip.
   *
   * @param commands Up to some hundred.
   * @param writes Whether they need room in the store.
   * @throws {StoreUnavailable} When the store isn't used now, or has not answered in time.
   */
  async run(commands: readonly Command[], writes = false): Promise<unknown[]> {
    const wire = this.#wire;
    if (
      wire === undefined || this.#running >= MAX_RUNNING ||
      (writes && performance.now() < this.#readOnlyUntil)
    ) throw new StoreUnavailable();
    this.#running++;
    try {
      const replies = await inTime(wire.run(commands), this.#options.patience ?? PATIENCE);
      this.#well(writes);
      return replies;
    } catch (cause) {
      this.#fails(cause, wire);
      throw new StoreUnavailable();
    } finally {
      this.#running--;
    }
  }

  /** Ends the connection for good. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#retry);
    this.#wire?.close();
    this.#wire = undefined;
  }

  async #connect(): Promise<void> {
    clearTimeout(this.#retry);
    let wire: Wire | undefined;
    let gaveUp = false;
    try {
      const opening = this.#options.open();
      // A connection that comes too late is closed when it comes.
      opening.then((late) => gaveUp && late.close(), () => {});
      wire = await inTime(opening, CONNECT_TIME, "gone");
      await inTime(wire.run([["PING"]]), this.#options.patience ?? PATIENCE);
    } catch (cause) {
      gaveUp = true;
      wire?.close();
      this.#tell(cause);
      this.#later();
      return;
    }
    if (this.#closed) return wire.close();
    this.#wire = wire;
    this.#connectedAt = performance.now();
    this.#well(false);
    const opened = wire;
    opened.ended.then((cause) => {
      if (this.#wire === opened && !this.#closed) this.#fails(cause, opened);
    });
  }

  #fails(cause: unknown, wire: Wire): void {
    // Others that waited for the same reply have told it.
    if (this.#closed || (this.#wire !== wire && !(cause instanceof StoreReplyError))) return;
    const trouble = this.#tell(cause);
    if (trouble === "full") {
      this.#readOnlyUntil = performance.now() + this.#nextDelay();
      return;
    }
    this.#wire = undefined;
    wire.close();
    this.#later();
  }

  #later(): void {
    if (this.#closed) return;
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => void this.connect(), this.#nextDelay());
    // A store that can't be reached keeps no program running.
    Deno.unrefTimer(this.#retry);
  }

  #nextDelay(): number {
    const delay = this.#delay;
    this.#delay = Math.min(2 * delay, LAST_RETRY);
    return delay;
  }

  #well(wrote: boolean): void {
    // One that breaks again and again isn't well because it was so once.
    if (performance.now() - this.#connectedAt > this.#delay) this.#delay = FIRST_RETRY;
    if (this.#trouble === undefined || (this.#trouble === "full" && !wrote)) return;
    this.#trouble = undefined;
    this.#options.tell(`the store at ${this.#options.address} works again`, true);
  }

  #tell(cause: unknown): StoreTrouble {
    const trouble = troubleOf(cause);
    this.#options.count(trouble);
    if (this.#trouble !== trouble) {
      const words = WORDS[trouble](this.#options.address, wordsOf(cause));
      this.#options.tell(
        `${words}: what this bridge remembers stays in its own memory until it works again`,
        false,
      );
    }
    return this.#trouble = trouble;
  }
}

/** What came too late. */
class TooLate extends Error {
  readonly trouble: StoreTrouble;
  constructor(trouble: StoreTrouble) {
    super("no answer");
    this.trouble = trouble;
  }
}

function troubleOf(cause: unknown): StoreTrouble {
  if (cause instanceof TooLate) return cause.trouble;
  if (!(cause instanceof StoreReplyError)) return "gone";
  return /^OOM/.test(cause.message) ? "full" : "refused";
}

function wordsOf(cause: unknown): string {
  const words = cause instanceof Error
    ? cause.message
    : String(cause ?? "it closed the connection");
  return words.split("\n")[0].slice(0, 200) || "it closed the connection";
}

/** How late a timer may be before it says that this process was busy itself, in milliseconds. */
const BUSY = 10;

/** The promised value, if it comes in time. */
async function inTime<T>(
  promise: Promise<T>,
  time: number,
  late: StoreTrouble = "slow",
): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const timeout = new Promise<never>((_, reject) => {
    const started = performance.now();
    timer = setTimeout(() => {
      const isBusy = performance.now() - started > time + BUSY;
      // The reply may be here, unread, because this process was busy: then it isn't the store that is slow.
      timer = setTimeout(() => reject(new TooLate(late)), isBusy ? time : 0);
    }, time);
  });
  try {
    return await Promise.race([promise, timeout]);
  } finally {
    clearTimeout(timer);
    promise.catch(() => {});
  }
}
