/**
 * Stand-in for the part of `@std/dotenv` that the project uses, for networks that do not reach JSR.
 * `tests/standins_test.ts` compares it with the real package wherever both can be had. (`parseEnv`
 * of `node:util` would do, but Deno has it only since 2.7.)
 *
 * One difference to `@std/dotenv` 0.225.6: `$NAME` and `${NAME:-default}` in a value without quotes
 * stay as they are. What the two have in common: nothing takes the backslash out of `\"`.
 *
 * @module
 */

/** A variable: its name, and its value in single quotes, in double quotes, or bare. */
const VARIABLE =
  /^\s*(?:export\s+)?([^\s=#]+)\s*=[ \t]*(?:'\r?\n?([^']*?)\r?\n?'|"\r?\n?([^"]*?)\r?\n?"|([^\r\n#]*))/gm;

/** What the name of a variable may look like; the real package drops all others. */
const NAME = /^[a-zA-Z_][a-zA-Z0-9_]*$/;

/** What a backslash and a letter stand for, in double quotes. */
const ESCAPES: Readonly<Record<string, string>> = { "\\n": "\n", "\\r": "\r", "\\t": "\t" };

/**
 * Reads the text of a `.env` file.
 *
 * @example Usage
 * ```ts
 * import { parse } from "./dotenv.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(parse("# who\nGREETING='hello world'"), { GREETING: "hello world" });
 * ```
 *
 * @param text The text of the file.
 * @returns An object without prototype: the value of each variable. A line that says nothing is
 * passed over; of two lines for one variable the later counts.
 */
export function parse(text: string): Record<string, string> {
  const env: Record<string, string> = Object.create(null);
  for (const [, name = "", single, double, bare = ""] of text.matchAll(VARIABLE)) {
    if (!NAME.test(name)) {
      console.warn(`Ignored the key "${name}": a name has letters, digits and underscores.`);
      continue;
    }
    env[name] = single ?? double?.replace(/\\[nrt]/g, (escape) => ESCAPES[escape] ?? escape) ??
      bare.trim();
  }
  return env;
}
