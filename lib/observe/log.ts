/**
 * The log: a line an event on stderr, as text for people or as JSON for machines. It knows which
 * fields may be shown, and no field of it ever holds a prompt, an answer or a token.
 *
 * @module
 */

import type { LogLevel } from "../config/config.ts";
import { maskSecrets } from "../errors.ts";

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
const COLORS: Record<LogLevel, number> = { error: 31, warn: 33, info: 36, debug: 90, trace: 90 };

/**
 * The log of one program.
 *
 * @example
 * ```ts
 * import { Log } from "./log.ts";
 *
 * let out = "";
 * const log = new Log({ level: "info", format: "text", color: false, write: (line) => out += line });
 * log.info("listening", { port: 8080 });
 * log.debug("not shown");
 * if (!out.endsWith("info  listening port=8080\n")) throw new Error(out);
 * ```
 */
export class Log {
  readonly #options: LogOptions;
  readonly #threshold: number;

  /** Makes a log with a level, a form, and somewhere to write. */
  constructor(options: LogOptions) {
    this.#options = options;
    this.#threshold = LEVELS.indexOf(options.level);
  }

  /** Whether a level is shown: what is costly to describe is only described then. */
  shows(level: LogLevel): boolean {
    return LEVELS.indexOf(level) <= this.#threshold;
  }

  /** Something failed. */
  error(message: string, fields?: LogFields): void {
    this.#line("error", message, fields);
  }

  /** Something is not as it should be. */
  warn(message: string, fields?: LogFields): void {
    this.#line("warn", message, fields);
  }

  /** What happens. */
  info(message: string, fields?: LogFields): void {
    this.#line("info", message, fields);
  }

  /** What happens inside. */
  debug(message: string, fields?: LogFields): void {
    this.#line("debug", message, fields);
  }

  /** Contents, with tokens masked; only at the level that says so at start. */
  trace(message: string, fields?: LogFields): void {
    this.#line("trace", message, fields);
  }

  #line(level: LogLevel, message: string, fields: LogFields = {}): void {
    if (!this.shows(level)) return;
    const { format, color, write, now } = this.#options;
    const time = now?.() ?? new Date();
    if (format === "json") {
      // JSON leaves out what is undefined.
      const entry = { time: time.toISOString(), level, message, ...fields };
      return write(maskSecrets(JSON.stringify(entry)) + "\n", level);
    }
    const paint = (code: number, text: string) => color ? `\x1b[${code}m${text}\x1b[0m` : text;
    let words = `${paint(90, clock(time))} ${paint(COLORS[level], level.padEnd(5))} ${
      printable(message)
    }`;
    for (const name in fields) {
      const value = fields[name];
      if (value === undefined) continue;
      words += ` ${paint(90, `${name}=`)}${
        typeof value === "string" ? quoted(printable(value)) : value
      }`;
    }
    write(maskSecrets(words) + "\n", level);
  }
}

function clock(time: Date): string {
  const two = (number: number) => String(number).padStart(2, "0");
  return `${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}`;
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
