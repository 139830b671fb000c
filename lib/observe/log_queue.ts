/**
 * The way of log lines to standard error: asynchronous and bounded, so that a pipe that nobody reads
 * never holds up a request.
 *
 * @module
 */

/** Writes bytes and says how many were taken, as `Deno.stderr.write` does. */
export type WriteBytes = (bytes: Uint8Array) => Promise<number>;

/** The bounds of a {@linkcode LogQueue}. */
export interface LogQueueOptions {
  /** The most lines that wait. @default {1_000} */
  readonly maxLines?: number;
  /** The most characters that wait. @default {1_048_576} */
  readonly maxLength?: number;
  /** Milliseconds between two writes: what comes meanwhile goes out together. @default {0} */
  readonly pause?: number;
  /** The line that tells how many were dropped, with its line end. */
  readonly describeDropped?: (count: number) => string;
}

/** The most characters that are joined into one write: 64 Ki, what a Linux pipe holds. */
const MAX_WRITE = 65_536;

/**
 * Lines on their way out. The first one leaves at once; one write is in flight at a time, and what comes
 * meanwhile and in the pause after it goes out together. When the queue is full the oldest lines are
 * dropped and counted, and the count is told in their place as soon as the output flows again. An output
 * that fails, such as a closed pipe, ends the queue and nothing else.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { LogQueue } from "./log_queue.ts";
 *
 * let written = "";
 * const queue = new LogQueue((bytes) => {
 *   written += new TextDecoder().decode(bytes);
 *   return Promise.resolve(bytes.length);
 * });
 * queue.write("one\n");
 * queue.write("two\n");
 * await queue.flush(1_000);
 * assertEquals(written, "one\ntwo\n");
 * ```
 */
export class LogQueue {
  readonly #send: WriteBytes;
  readonly #maxLines: number;
  readonly #maxLength: number;
  readonly #pause: number;
  readonly #describeDropped: (count: number) => string;
  readonly #encoder = new TextEncoder();
  /** Waiting lines; those before `#head` are gone. */
  #lines: string[] = [];
  #head = 0;
  #length = 0;
  #dropped = 0;
  #closed = false;
  #draining: Promise<void> | undefined;
  /** Whether somebody waits for the last line, and pauses are left out. */
  #flushing = false;
  #endPause: (() => void) | undefined;

  /**
   * Makes an empty queue.
   *
   * @param send Where the bytes go.
   * @param options Its bounds.
   */
  constructor(send: WriteBytes, options: LogQueueOptions = {}) {
    this.#send = send;
    this.#maxLines = options.maxLines ?? 1_000;
    this.#maxLength = options.maxLength ?? 1_048_576;
    this.#pause = options.pause ?? 0;
    this.#describeDropped = options.describeDropped ??
      ((count) =>
        `(${count} log ${count === 1 ? "line was" : "lines were"} dropped: nobody read them)\n`);
  }

  /** How many lines wait. */
  get waiting(): number {
    return this.#lines.length - this.#head;
  }

  /** How many lines were dropped since that was last told. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Adds a line, which ends with its line end. It never waits and never throws. */
  write(line: string): void {
    if (this.#closed) return;
    this.#lines.push(line);
    this.#length += line.length;
    while (this.waiting > 1 && (this.waiting > this.#maxLines || this.#length > this.#maxLength)) {
      this.#length -= this.#lines[this.#head].length;
      this.#lines[this.#head++] = "";
      this.#dropped++;
    }
    if (this.#head > 2 * this.#maxLines) this.#compact();
    this.#draining ??= this.#drain();
  }

  /**
   * Waits until everything is written.
   *
   * @param time How long to wait at most, in milliseconds.
   * @returns Whether all of it was.
   */
  async flush(time: number): Promise<boolean> {
    const { promise: late, resolve } = Promise.withResolvers<boolean>();
    const timer = setTimeout(() => resolve(false), time);
    this.#flushing = true;
    this.#endPause?.();
    try {
      const drained = (async () => {
        while (this.#draining !== undefined) await this.#draining;
        return !this.#closed;
      })();
      return await Promise.race([drained, late]);
    } finally {
      clearTimeout(timer);
      this.#flushing = false;
    }
  }

  async #drain(): Promise<void> {
    // Lines of the same turn go out together.
    await Promise.resolve();
    while (this.waiting > 0 && !this.#closed) {
      const bytes = this.#encoder.encode(this.#take());
      try {
        for (let at = 0; at < bytes.length;) {
          const written = await this.#send(bytes.subarray(at));
          if (written <= 0) throw new Error("The output takes no more bytes.");
          at += written;
        }
      } catch {
        // There is nobody left to tell.
        this.#closed = true;
        this.#lines = [];
        this.#head = this.#length = 0;
      }
      if (this.#pause > 0 && !this.#flushing) await this.#rest();
    }
    // At once: a line that came before the promise is settled would find nobody to write it.
    this.#draining = undefined;
  }

  /** Waits for the pause to end. */
  #rest(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#endPause?.(), this.#pause);
      this.#endPause = () => {
        clearTimeout(timer);
        this.#endPause = undefined;
        resolve();
      };
    });
  }

  /** The next lines, as one text; what was dropped before them is told first. */
  #take(): string {
    let text = "";
    if (this.#dropped > 0) {
      text = this.#describeDropped(this.#dropped);
      this.#dropped = 0;
    }
    do {
      const line = this.#lines[this.#head++];
      this.#length -= line.length;
      text += line;
    } while (this.waiting > 0 && text.length < MAX_WRITE);
    if (this.waiting === 0) {
      this.#lines = [];
      this.#head = 0;
    } else if (this.#head > this.#maxLines) this.#compact();
    return text;
  }

  #compact(): void {
    this.#lines = this.#lines.slice(this.#head);
    this.#head = 0;
  }
}
