/**
 * What was typed, read by the tables of `commands.ts` and `flags.ts`.
 *
 * @module
 */

import { parseArgs } from "@std/cli/parse-args";
import { BridgeError } from "../errors.ts";
import { didYouMean } from "../suggest.ts";
import { type Command, COMMANDS } from "./commands.ts";
import { type Flag, FLAGS } from "./flags.ts";

/** What was typed, before it is checked against the environment: see `config.ts`. */
export interface CommandLine {
  /** The command; `serve` where none was typed. */
  readonly command: string;
  /** The words after the command. */
  readonly words: readonly string[];
  /** Flag name → its text, `true`/`false` for a boolean, or a list. Only what was typed. */
  readonly flags: Readonly<Record<string, string | boolean | readonly string[]>>;
}

/**
 * Reads the command line.
 *
 * @param typed The arguments without the program's name, `Deno.args`.
 * @returns The command, its words and its flags, values still as text.
 * @throws {BridgeError} kind `usage`: an unknown flag or command, a flag without its value, or one that the command does not take.
 *
 * @example
 * ```ts
 * import { parseCommandLine } from "./command_line.ts";
 *
 * const line = parseCommandLine(["--port", "9090", "--demo"]);
 * if (line.command !== "serve" || line.flags.port !== "9090") throw new Error("port is kept as text");
 * ```
 */
export function parseCommandLine(typed: readonly string[]): CommandLine {
  const args = withNegativeValues(typed);
  const unknown: string[] = [];
  const booleans = FLAGS.filter((flag) => flag.kind === "boolean");
  const parsed: Record<string, unknown> & { _: (string | number)[] } = parseArgs([...args], {
    string: [
      ...FLAGS.filter((flag) => flag.kind !== "boolean").map((flag) => flag.name),
      "_",
    ],
    boolean: booleans.map((flag) => flag.name),
    negatable: booleans.filter((flag) => flag.default === "true").map((flag) => flag.name),
    collect: FLAGS.filter((flag) => flag.kind === "list").map((flag) => flag.name),
    alias: Object.fromEntries(
      FLAGS.flatMap((flag) => flag.short ? [[flag.short, flag.name]] : []),
    ),
    unknown: (arg: string, key?: string) => {
      if (key === undefined) return true;
      unknown.push(arg);
      return false;
    },
  });
  if (unknown.length > 0) throw unknownFlag(unknown[0]);

  const [first, ...rest] = parsed._.map(String);
  const command = first ?? "serve";
  const row = COMMANDS.find((row) => row.name === command);
  if (row === undefined) {
    const names = COMMANDS.map((row) => row.name);
    throw new BridgeError(
      "usage",
      `There is no command "${command}".${didYouMean(command, names)} Commands: ${
        names.join(", ")
      }.`,
    );
  }
  checkWords(row, rest);
  const flags: Record<string, string | boolean | readonly string[]> = {};
  for (const flag of FLAGS) {
    const value = parsed[flag.name];
    if (value === undefined || !wasTyped(flag, args)) continue;
    if (Array.isArray(value) ? value.includes("") : value === "") {
      throw new BridgeError("usage", `--${flag.name} needs a value: --${flag.name} ${flag.value}.`);
    }
    if (flag.commands && !flag.commands.includes(command)) {
      throw new BridgeError("usage", `--${flag.name} does not go with \`fd-bridge ${command}\`.`);
    }
    flags[flag.name] = Array.isArray(value) ? value.map(String) : value as string | boolean;
  }
  return { command, words: rest, flags };
}

/** parseArgs fills every boolean with false: only what stands on the command line may override the environment. */
function wasTyped(flag: Flag, args: readonly string[]): boolean {
  const names = [`--${flag.name}`, `--no-${flag.name}`];
  return args.some((arg) =>
    names.some((name) => arg === name || arg.startsWith(`${name}=`)) ||
    (flag.short !== undefined && /^-[A-Za-z]/.test(arg) && arg.slice(1).includes(flag.short))
  );
}

/** A value such as `-1` behind a flag that takes one is that flag's, not a flag of its own. */
function withNegativeValues(args: readonly string[]): string[] {
  const out: string[] = [];
  for (const arg of args) {
    const flag = FLAGS.find(({ name }) => out.at(-1) === `--${name}`);
    if (/^-\d/.test(arg) && flag && flag.kind !== "boolean") out.push(`${out.pop()}=${arg}`);
    else out.push(arg);
  }
  return out;
}

/** Words beyond those that a command takes are refused: they would be passed over without a word. */
function checkWords({ name, usage, most }: Command, words: readonly string[]): void {
  if (most === undefined || words.length <= most) return;
  const extra = words.slice(most).map((word) => `"${word}"`).join(" ");
  throw new BridgeError(
    "usage",
    `\`fd-bridge ${name}\` takes ${
      most === 0 ? "no words" : "one word"
    }: what is ${extra}? Expected \`fd-bridge ${`${name} ${usage}`.trim()}\`; flags begin with --.`,
  );
}

function unknownFlag(typed: string): BridgeError {
  const name = typed.replace(/^-+/, "").replace(/=.*$/s, "");
  const hint = didYouMean(name, FLAGS.map((flag) => flag.name), (flag) => `--${flag}`);
  return new BridgeError(
    "usage",
    `There is no flag "${typed.replace(/=.*$/s, "")}".${hint} See fd-bridge --help.`,
  );
}
