/**
 * What there is to complete, from the tables of flags and commands, in a form that every shell's script
 * can be written from.
 *
 * @module
 */

import { type Command, COMMANDS } from "../../config/commands.ts";
import { type Flag, FLAGS } from "../../config/flags.ts";

/** One spelling of a flag: `--demo`, or `--no-runaway-guard` for one that is on by default. */
export interface FlagWord {
  /** With its dashes. */
  readonly word: string;
  /** Its one letter, without the dash. */
  readonly short?: string;
  /** What it does, in one line. */
  readonly help: string;
  /** Whether a value follows. */
  readonly takesValue: boolean;
  /** What a value is called in the help. */
  readonly value: string;
  /** The only values that it takes. */
  readonly choices: readonly string[];
  /** Whether its value is a file. */
  readonly isFile: boolean;
  /** Whether it may be given several times. */
  readonly repeats: boolean;
}

/** A command with the flags that it takes. */
export interface CommandWords {
  /** Its name. */
  readonly name: string;
  /** What it does, in one line. */
  readonly help: string;
  /** The words that may follow it. */
  readonly words: readonly string[];
  /** Words after which a file follows. */
  readonly fileAfter: readonly string[];
  /** Its flags, in the order of the help. */
  readonly flags: readonly FlagWord[];
}

/** The flag as one types it: one that is on by default is there to be turned off. */
function flagWord(flag: Flag): FlagWord {
  const negated = flag.kind === "boolean" && flag.default === "true";
  return {
    word: negated ? `--no-${flag.name}` : `--${flag.name}`,
    short: flag.short,
    help: negated ? `Do not: ${flag.help[0].toLowerCase()}${flag.help.slice(1)}` : flag.help,
    takesValue: flag.kind !== "boolean",
    value: flag.value ?? "VALUE",
    choices: flag.choices ?? [],
    isFile: flag.kind === "file",
    repeats: flag.kind === "list",
  };
}

/**
 * Every command with its words and flags; `serve`, which runs where no command is typed, is the first.
 *
 * @param commands The commands. @default {COMMANDS}
 * @param flags The flags. @default {FLAGS}
 * @param models Names of models, for commands that take some. @default {[]}
 *
 * @example
 * ```ts
 * import { commandWords } from "./words.ts";
 *
 * const [serve] = commandWords();
 * if (!serve.flags.some((flag) => flag.word === "--demo")) throw new Error("serve takes --demo");
 * ```
 */
export function commandWords(
  commands: readonly Command[] = COMMANDS,
  flags: readonly Flag[] = FLAGS,
  models: readonly string[] = [],
): CommandWords[] {
  return commands.map(({ name, help, words = [], fileAfter = [], takesModels }) => ({
    name,
    help,
    words: takesModels ? [...words, ...models] : words,
    fileAfter,
    flags: flags.filter((flag) => !flag.commands || flag.commands.includes(name)).map(flagWord),
  }));
}

/**
 * The flags of all commands, each once.
 *
 * @example
 * ```ts
 * import { allFlags, commandWords } from "./words.ts";
 *
 * const words = allFlags(commandWords()).map((flag) => flag.word);
 * if (new Set(words).size !== words.length) throw new Error("each once");
 * ```
 */
export function allFlags(commands: readonly CommandWords[]): FlagWord[] {
  return [
    ...new Map(commands.flatMap(({ flags }) => flags.map((flag) => [flag.word, flag]))).values(),
  ];
}
