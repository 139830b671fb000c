/**
 * `fd-bridge completions SHELL`: prints the script that makes a shell complete the program's commands,
 * flags and their values.
 *
 * @module
 */

import { bashCompletions } from "./completions/bash.ts";
import { fishCompletions } from "./completions/fish.ts";
import { powershellCompletions } from "./completions/powershell.ts";
import { type CommandWords, commandWords } from "./completions/words.ts";
import { zshCompletions } from "./completions/zsh.ts";
import { BridgeError } from "../errors.ts";
import { type CommandLine } from "../config/command_line.ts";
import { COMMANDS } from "../config/commands.ts";
import { FLAGS } from "../config/flags.ts";
import { parseModels } from "../models/catalog.ts";
import type { System } from "../system/system.ts";

/** Shell → its script. */
const SHELLS: Readonly<Record<string, (commands: readonly CommandWords[]) => string>> = {
  bash: bashCompletions,
  zsh: zshCompletions,
  fish: fishCompletions,
  powershell: powershellCompletions,
};

/**
 * Prints a shell's script on standard output. It needs no setting, so that it works in a packager's
 * sandbox and beside a broken `.env`.
 *
 * @param line What was typed; its one word names the shell.
 * @param system Where to print.
 * @returns The exit code.
 * @throws {BridgeError} kind `usage`, unless exactly one known shell is named.
 *
 * @example
 * ```ts
 * import { completions } from "./completions.ts";
 *
 * let out = "";
 * completions({ command: "completions", words: ["fish"], flags: {} }, { out: (text) => out += text });
 * if (!out.includes("complete -c fd-bridge")) throw new Error(out);
 * ```
 */
export function completions(
  line: CommandLine,
  system: Pick<System, "out"> & Partial<Pick<System, "embeddedModels">>,
): number {
  const [shell = "", ...more] = line.words;
  if (!Object.hasOwn(SHELLS, shell) || more.length > 0) {
    const typed = shell === "" ? "" : ` You typed: ${line.words.join(" ")}.`;
    throw new BridgeError(
      "usage",
      `fd-bridge completions needs the name of one shell: ${
        Object.keys(SHELLS).join(", ")
      }.${typed}`,
    );
  }
  system.out(SHELLS[shell](commandWords(COMMANDS, FLAGS, modelsOf(system.embeddedModels))));
  return 0;
}

/** The models of the embedded list: a script that is loaded with every shell reads no file. */
function modelsOf(embedded: string | undefined): string[] {
  if (embedded === undefined) return [];
  return parseModels(embedded, "the list embedded in the program").models.map(({ id }) => id)
    .filter((id) => /^[\w.-]+$/.test(id));
}
