/**
 * The completion script for fish.
 *
 * @module
 */

import { allFlags, type CommandWords, type FlagWord } from "./words.ts";

/** A text in single quotes. */
function quoted(text: string): string {
  return `'${text.replace(/[\\']/g, "\\$&")}'`;
}

/** When a flag is offered: always, or with the commands that take it. */
function condition(flag: FlagWord, commands: readonly CommandWords[]): string {
  const takers = commands.filter(({ flags }) => flags.some((own) => own.word === flag.word));
  if (takers.length === commands.length) return "";
  const names = takers.map(({ name }) => name).join(" ");
  const seen = `__fish_seen_subcommand_from ${names}`;
  // The first command is the one that runs when none is typed.
  const none = `not __fish_seen_subcommand_from ${commands.map(({ name }) => name).join(" ")}`;
  return ` -n ${quoted(takers.includes(commands[0]) ? `${none}; or ${seen}` : seen)}`;
}

/** One line for a flag. */
function flagLine(flag: FlagWord, commands: readonly CommandWords[]): string {
  const short = flag.short ? ` -s ${flag.short}` : "";
  const value = !flag.takesValue
    ? ""
    : flag.choices.length > 0
    ? ` -x -a ${quoted(flag.choices.join(" "))}`
    : flag.isFile
    ? " -r -F"
    : " -x";
  return `complete -c fd-bridge${condition(flag, commands)}${short} -l ${
    flag.word.slice(2)
  }${value} -d ${quoted(flag.help)}`;
}

/**
 * Writes the script: `fd-bridge completions fish | source`.
 *
 * @param commands From `commandWords()`.
 *
 * @example
 * ```ts
 * import { fishCompletions } from "./fish.ts";
 * import { commandWords } from "./words.ts";
 *
 * if (!fishCompletions(commandWords()).includes("-l log-level")) throw new Error("every flag");
 * ```
 */
export function fishCompletions(commands: readonly CommandWords[]): string {
  const names = commands.map(({ name }) => name).join(" ");
  return [
    "# Completions of fd-bridge for fish. Load them with:  fd-bridge completions fish | source",
    "complete -c fd-bridge -f",
    ...commands.map(({ name, help }) =>
      `complete -c fd-bridge -n ${
        quoted(`not __fish_seen_subcommand_from ${names}`)
      } -a ${name} -d ${quoted(help)}`
    ),
    ...commands.filter(({ words }) => words.length > 0).map(({ name, words }) =>
      `complete -c fd-bridge -n ${quoted(`__fish_seen_subcommand_from ${name}`)} -a ${
        quoted(words.join(" "))
      }`
    ),
    ...commands.flatMap(({ name, fileAfter }) =>
      fileAfter.map((word) =>
        `complete -c fd-bridge -n ${
          quoted(`__fish_seen_subcommand_from ${name}; and __fish_seen_subcommand_from ${word}`)
        } -F`
      )
    ),
    ...allFlags(commands).map((flag) => flagLine(flag, commands)),
    "",
  ].join("\n");
}
