/**
 * A command line of the user's as a list of words, without a shell.
 *
 * @module
 */

import { BridgeError } from "../../errors.ts";

/** Words that only a shell understands. */
const SHELL = /^(?:\|\|?|&&?|;|\d?>>?|<|\d>&\d)$/;

/**
 * Splits a command line at white space. Quotes keep words together: nothing is special between single
 * quotes, `\"` and `\\` between double ones. A backslash outside of quotes takes the next character as
 * it is, except on Windows, where it belongs to paths. Variables, `~` and patterns stay as they are.
 *
 * @param line The command line.
 * @param name What the user set it by, for messages.
 * @param os `Deno.build.os`.
 * @returns At least one word.
 * @throws {BridgeError} kind `config`: nothing in it, a quote without its end, or a shell's word.
 *
 * @example
 * ```ts
 * import { splitWords } from "./words.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(splitWords(`my-helper --for "the gateway"`), ["my-helper", "--for", "the gateway"]);
 * ```
 */
export function splitWords(line: string, name = "--token-command", os = "linux"): string[] {
  const words: string[] = [];
  let word: string | undefined;
  let quoted = false;
  const finish = () => {
    if (word === undefined) return;
    if (!quoted && SHELL.test(word)) throw shellWord(name, word);
    words.push(word);
    word = undefined;
    quoted = false;
  };
  for (let at = 0; at < line.length; at++) {
    const sign = line[at];
    if (/\s/.test(sign)) finish();
    else if (sign === "'" || sign === '"') {
      const end = closing(line, at);
      if (end === -1) {
        throw new BridgeError(
          "config",
          `${name} has a ${sign} without a second one that closes it.`,
        );
      }
      const inside = line.slice(at + 1, end);
      word = (word ?? "") + (sign === '"' ? inside.replace(/\\(["\\])/g, "$1") : inside);
      quoted = true;
      at = end;
    } else if (sign === "\\" && os !== "windows" && at + 1 < line.length) {
      word = (word ?? "") + line[++at];
      quoted = true;
    } else word = (word ?? "") + sign;
  }
  finish();
  if (words.length === 0 || words[0] === "") {
    throw new BridgeError(
      "config",
      `${name} is empty: expected a program and its arguments, such as 'my-helper --json'.`,
    );
  }
  return words;
}

/** Where a quote is closed, or -1. */
function closing(line: string, at: number): number {
  const quote = line[at];
  for (let end = at + 1; end < line.length; end++) {
    if (quote === '"' && line[end] === "\\") end++;
    else if (line[end] === quote) return end;
  }
  return -1;
}

function shellWord(name: string, word: string): BridgeError {
  return new BridgeError(
    "config",
    `${name} has "${word}", which only a shell understands, and it is run without one: put the line into a script, or write sh -c '…'.`,
  );
}
