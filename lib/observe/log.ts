/**
 * The log: one line an event, as text for people or as JSON for machines. How lines reach standard error
 * is in `log_queue.ts`. No field ever holds a prompt, an answer or a token.
 *
 * @module
 */

import type { LogLevel } from "../config/config.ts";
import { maskSecrets } from "../errors.ts";
import { LogQueue, type WriteBytes } from "./log_queue.ts";

/** What may stand beside a message. Numbers of milliseconds end with `_ms`. */
export type LogFields = Record<string, string | number | boolean | undefined>;

/** Where lines go, and how. */
export interface LogOptions {
  /** The least level that is shown. */
  readonly level: LogLevel;
  /** One line of text, or one JSON object. */
  readonly format: "text" | "json";
  /** Whether text is coloured. */
  readonly color: boolean;
  /** Takes a line with its line end. */
  readonly write: (line: string, level: LogLevel) => void;
  /** The clock. @default {() => new Date()} */
  readonly now?: () => Date;
}

const LEVELS: readonly LogLevel[] = ["error", "warn", "info", "debug", "trace"];
/** Dim, not gray: gray is invisible on Solarized Dark. */
const DIM = 2;
const COLORS: Record<LogLevel, number> = { error: 31, warn: 33, info: 36, debug: DIM, trace: DIM };

/**
 * The log of one program. A text log tells the date and the time zone before its first line and at
 * every midnight, because its lines have only the time.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { Log } from "./log.ts";
 *
 * const lines: string[] = [];
 * const log = new Log({
 *   level: "info",
 *   format: "text",
 *   color: false,
 *   write: (line) => lines.push(line),
 *   now: () => new Date(2026, 8, 1, 12, 34, 56),
 * });
 * log.info("listening", { port: 8080 });
 * log.debug("not shown");
 * assertEquals(lines.length, 2);
 * assertEquals(lines[0].slice(0, 31), "12:34:56 info  today=2026-09-01");
 * assertEquals(lines[1], "12:34:56 info  listening port=8080\n");
 * ```
 */
export class Log {
  readonly #options: LogOptions;
  readonly #threshold: number;
  #date = "";

  /** Makes a log with a level, a form, and somewhere to write. */
  constructor(options: LogOptions) {
    this.#options = options;
    this.#threshold = LEVELS.indexOf(options.level);
  }

  /** The form of its lines. */
  get format(): "text" | "json" {
    return this.#options.format;
  }

  /** Whether a level is shown: what is costly to describe is only described then. */
  shows(level: LogLevel): boolean {
    return LEVELS.indexOf(level) <= this.#threshold;
  }

  /** Something failed. */
  error(message: string, fields?: LogFields): void {
    this.line("error", message, fields);
  }

  /** Something is not as it should be. */
  warn(message: string, fields?: LogFields): void {
    this.line("warn", message, fields);
  }

  /** What happens. */
  info(message: string, fields?: LogFields): void {
    this.line("info", message, fields);
  }

  /** What happens inside. */
  debug(message: string, fields?: LogFields): void {
    this.line("debug", message, fields);
  }

  /** Contents, with tokens masked; only at the level that says so at start. */
  trace(message: string, fields?: LogFields): void {
    this.line("trace", message, fields);
  }

  /** A line of any level. */
  line(level: LogLevel, message: string, fields: LogFields = {}): void {
    if (!this.shows(level)) return;
    const { format, write, now } = this.#options;
    const time = now?.() ?? new Date();
    if (format === "json") {
      // JSON leaves out what is undefined.
      const entry = { time: time.toISOString(), level, message, ...fields };
      return write(maskSecrets(JSON.stringify(entry)) + "\n", level);
    }
    const date = localDate(time);
    if (date !== this.#date) {
      this.#date = date;
      write(this.#text(time, "info", `today=${date} zone=${zone(time)}`, {}), "info");
    }
    write(this.#text(time, level, message, fields), level);
  }

  #text(time: Date, level: LogLevel, message: string, fields: LogFields): string {
    const { color } = this.#options;
    const paint = (code: number, text: string) => color ? `\x1b[${code}m${text}\x1b[0m` : text;
    let words = `${paint(DIM, clock(time))} ${paint(COLORS[level], level.padEnd(5))} ${
      printable(message)
    }`;
    for (const name in fields) {
      const value = fields[name];
      if (value === undefined) continue;
      words += ` ${paint(DIM, `${name}=`)}${
        typeof value === "string" ? quoted(printable(value)) : value
      }`;
    }
    return maskSecrets(words) + "\n";
  }
}

/**
 * Milliseconds between two writes of a busy bridge. Nobody sees lines come sooner, and a write is a thread's
 * work: it took a tenth of a request's time.
 */
const PAUSE = 20;

/** A log and the queue that carries its lines. */
export interface QueuedLog {
  /** The log. */
  readonly log: Log;
  /** Its queue, to be flushed at the end of the program. */
  readonly queue: LogQueue;
}

/**
 * A log whose lines leave asynchronously, see {@linkcode LogQueue}.
 *
 * @param options Its level and form.
 * @param send Where the bytes go: `(bytes) => Deno.stderr.write(bytes)`.
 */
export function queuedLog(options: Omit<LogOptions, "write">, send: WriteBytes): QueuedLog {
  const queue: LogQueue = new LogQueue(send, {
    pause: PAUSE,
    describeDropped(dropped) {
      let line = "";
      new Log({ ...options, level: "warn", write: (text) => line = text })
        .warn("log lines were dropped, because nobody read them", { dropped });
      return line;
    },
  });
  return { log: new Log({ ...options, write: (line) => queue.write(line) }), queue };
}

function two(number: number): string {
  return String(number).padStart(2, "0");
}

function clock(time: Date): string {
  return `${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}`;
}

/**
 * The day of a time in the machine's zone: `2026-09-01`.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { localDate } from "./log.ts";
 *
 * assertEquals(localDate(new Date(2026, 8, 1, 23, 59)), "2026-09-01");
 * ```
 */
export function localDate(time: Date): string {
  return `${String(time.getFullYear()).padStart(4, "0")}-${two(time.getMonth() + 1)}-${
    two(time.getDate())
  }`;
}

/** The machine's offset from UTC at a time: `UTC+02:00`. */
function zone(time: Date): string {
  const offset = -time.getTimezoneOffset();
  const minutes = Math.abs(offset);
  return `UTC${offset < 0 ? "-" : "+"}${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`;
}

/** One line stays one line, whatever a client or the gateway called itself. */
function printable(text: string): string {
  // deno-lint-ignore no-control-regex
  return text.replace(/[\x00-\x1f\x7f-\x9f\u2028\u2029]/g, " ");
}

/** A value with spaces is quoted: it must not look like further fields. */
function quoted(text: string): string {
  return /[\s"=]|^$/.test(text) ? JSON.stringify(text) : text;
}
