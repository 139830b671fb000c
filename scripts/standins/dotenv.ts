/**
 * Stand-in for the part of `@std/dotenv` that the project uses, for networks that do not reach JSR.
 * `tests/standins_test.ts` compares it with the real package wherever both can be had. It does what
 * 0.225.6 does, with its oddities: nothing takes the backslash out of `\"`, a variable that nobody sets
 * becomes the text "undefined", and one that refers to itself is expanded for ever.
 *
 * @module
 */

/** A variable: its name, and its value in single quotes, in double quotes, or bare. */
const VARIABLE =
  /^\s*(?:export\s+)?([^\s=#]+)\s*=[ \t]*(?:'\r?\n?((?:[^'\r\u2028\u2029]|\r\n)*?)\r?\n?'|"\r?\n?((?:[^"\r\u2028\u2029]|\r\n)*?)\r?\n?"|([^\r\n#]*))/gm;

/** What the name of a variable may look like; others are dropped. */
const NAME = /^[a-zA-Z_][a-zA-Z0-9_]*$/;

/** `${NAME}`, `${NAME:-default}`, `$NAME` or `$NAME:-default`; only the bare forms can be escaped. */
const REFERENCE = /\$\{(.+?)(?::-(.+))?\}|(?<!\\)\$(\w+)(?::-(.+))?/g;

/** What a backslash and a letter stand for, in double quotes. */
const ESCAPES: Readonly<Record<string, string>> = { n: "\n", r: "\r", t: "\t" };

/**
 * Reads the text of a `.env` file. References are expanded in values without quotes: to the file's
 * variable, else the environment's, else the default.
 *
 * @example Usage
 * ```ts
 * import { parse } from "./dotenv.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(parse("# who\nWHO='world'\nGREETING=hello $WHO").GREETING, "hello world");
 * ```
 *
 * @param text The text of the file.
 * @returns An object without prototype: the value of each variable. A line that says nothing is
 * passed over; of two lines for one variable the later counts.
 */
export function parse(text: string): Record<string, string> {
  const env: Record<string, string> = Object.create(null);
  const bareNames: string[] = [];
  for (const [, name = "", single, double, bare = ""] of text.matchAll(VARIABLE)) {
    if (!NAME.test(name)) {
      console.warn(`Ignored the key "${name}": a name has letters, digits and underscores.`);
      continue;
    }
    if (bare) bareNames.push(name);
    env[name] = single ?? double?.replace(/\\([nrt])/g, (_, letter) => ESCAPES[letter]!) ??
      bare.trim();
  }
  // References are to what the file says, before anything of it is expanded.
  const said = { ...env };
  for (const name of bareNames) {
    let value = env[name]!;
    while (value.search(REFERENCE) !== -1) {
      value = value.replace(
        REFERENCE,
        (_, braced, bracedDefault, plain, plainDefault) =>
          said[braced ?? plain] ?? Deno.env.get(braced ?? plain) ?? bracedDefault ?? plainDefault,
      );
    }
    env[name] = value;
  }
  return env;
}
