/**
 * Texts in lines of a width.
 *
 * @module
 */

/**
 * Breaks a text into lines between its words. A word that is longer than a line stands on one of its own.
 *
 * @param text The text.
 * @param width The most characters of a line. @default {80}
 * @returns The lines; at least one.
 *
 * @example
 * ```ts
 * import { wrap } from "./wrap.ts";
 *
 * if (wrap("one two three", 7).join("|") !== "one two|three") throw new Error("between words");
 * ```
 */
export function wrap(text: string, width = 80): string[] {
  const lines = [""];
  for (const word of text.split(" ")) {
    const line = lines[lines.length - 1];
    if (line === "") lines[lines.length - 1] = word;
    else if (line.length + 1 + word.length <= width) lines[lines.length - 1] = `${line} ${word}`;
    else lines.push(word);
  }
  return lines;
}

/**
 * Wraps what is written to a terminal; elsewhere, where programs read it, the text stays.
 *
 * @param text Lines of text.
 * @param terminal Whether it goes to a terminal.
 *
 * @example
 * ```ts
 * import { wrapAtTerminal } from "./wrap.ts";
 *
 * if (wrapAtTerminal("a ".repeat(50).trim(), true).split("\n").length !== 2) throw new Error();
 * ```
 */
export function wrapAtTerminal(text: string, terminal: boolean): string {
  if (!terminal) return text;
  return text.split("\n").flatMap((line) => line.startsWith(" ") ? [line] : wrap(line)).join("\n");
}
