/**
 * One thing that the doctor looked at: what was found, and what to do about it.
 *
 * @module
 */

import { maskSecrets } from "../errors.ts";
import { type Paint, printable } from "../system/terminal.ts";
import { wrap } from "../system/wrap.ts";

/** `ok`: well. `warn`: works, not as it should. `fail`: doesn't work. `skip`: not looked at, or not there and not needed. */
export type Status = "ok" | "warn" | "fail" | "skip";

/** What a check found; `--json` prints it as it is. */
export interface Check {
  /** What was looked at: `dns`, `token`, a model's name. */
  readonly name: string;
  /** How it is. */
  readonly status: Status;
  /** What was found, in a sentence or less. */
  readonly detail: string;
  /** What to do about it. */
  readonly remedy?: string;
}

const MARKS = {
  ok: ["✓", "green"],
  warn: ["!", "yellow"],
  fail: ["✗", "red"],
  skip: ["-", "gray"],
} as const;

/** The width of the names' column; a longer name pushes its own line only. */
const WIDTH = 12;

/**
 * A check as one line: mark, name, what was found, and the remedy.
 *
 * @param check What was found.
 * @param paint Colours.
 * @param width The width of the names' column.
 * @param columns The most characters of a line; a longer one goes on below. @default {Infinity}
 *
 * @example
 * ```ts
 * import { checkLine } from "./check.ts";
 *
 * const check = { name: "port", status: "fail", detail: "taken", remedy: "use --port" } as const;
 * const line = checkLine(check, (_color, text) => text);
 * if (line !== "  ✗ port          taken → use --port\n") throw new Error(line);
 * ```
 */
export function checkLine(
  check: Check,
  paint: Paint,
  width: number = WIDTH,
  columns: number = Infinity,
): string {
  const [mark, color] = MARKS[check.status];
  const detail = maskSecrets(printable(check.detail, 600));
  const remedy = check.remedy ? `→ ${maskSecrets(printable(check.remedy, 600))}` : "";
  const shown = (text: string) => check.status === "skip" ? paint("gray", text) : text;
  const head = `  ${paint(color, mark)} ${check.name.padEnd(width)}  `;
  const indent = Math.max(width, check.name.length) + 6;
  if (indent + detail.length + (remedy ? remedy.length + 1 : 0) <= columns) {
    return `${head}${shown(detail)}${remedy ? ` ${paint("cyan", remedy)}` : ""}\n`;
  }
  // A long name leaves no room beside it.
  const below = indent > columns / 2;
  const margin = " ".repeat(below ? 6 : indent);
  const lines = [
    ...wrap(detail, columns - margin.length).map(shown),
    ...remedy ? wrap(remedy, columns - margin.length).map((line) => paint("cyan", line)) : [],
  ];
  return below
    ? `  ${paint(color, mark)} ${check.name}\n${lines.map((line) => `${margin}${line}\n`).join("")}`
    : `${head}${lines.join(`\n${margin}`)}\n`;
}

/**
 * Whether all is well: nothing fails, and nothing is to be warned of.
 *
 * @example
 * ```ts
 * import { isWell } from "./check.ts";
 *
 * if (isWell([{ name: "dns", status: "warn", detail: "slow" }])) throw new Error("not all is well");
 * ```
 */
export function isWell(checks: readonly Check[]): boolean {
  return checks.every(({ status }) => status === "ok" || status === "skip");
}

/**
 * Takes the bridge's advice out of a message of its own: `words [fd-bridge: advice]`.
 *
 * @example
 * ```ts
 * import { splitAdvice } from "./check.ts";
 *
 * if (splitAdvice("Invalid Token [fd-bridge: make a new one]").remedy !== "Make a new one") {
 *   throw new Error("split");
 * }
 * ```
 */
export function splitAdvice(message: string): { detail: string; remedy?: string } {
  const match = /^([^]*?) \[fd-bridge: ([^]*)\]$/.exec(message);
  if (match === null) return { detail: message };
  return { detail: match[1], remedy: match[2].charAt(0).toUpperCase() + match[2].slice(1) };
}
