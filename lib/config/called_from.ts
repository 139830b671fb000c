/**
 * Paths on the command line, under `deno task`: a task runs in the project's folder, and what was typed
 * is meant from where it was typed.
 *
 * @module
 */

import { type CommandLine } from "./command_line.ts";
import { COMMANDS } from "./commands.ts";
import { FLAGS } from "./flags.ts";

/** The variable by which the launcher says where the task was started. */
export const CALLED_FROM = "FD_BRIDGE_CALLED_FROM";

/** A path as the folder has it, from anywhere else. */
function from(folder: string, path: string): string {
  if (path === "-" || /^([/\\]|[A-Za-z]:[/\\])/.test(path)) return path;
  return `${folder.replace(/[/\\]$/, "")}/${path}`;
}

/**
 * The command line with its files as they are meant.
 *
 * @param line What was typed.
 * @param folder Where it was typed; undefined where that is the folder that the program runs in.
 *
 * @example
 * ```ts
 * import { meantFrom } from "./called_from.ts";
 * import { parseCommandLine } from "./command_line.ts";
 *
 * const line = meantFrom(parseCommandLine(["--models", "../x.json"]), "/work/app/src");
 * if (line.flags.models !== "/work/app/src/../x.json") throw new Error(String(line.flags.models));
 * ```
 */
export function meantFrom(line: CommandLine, folder: string | undefined): CommandLine {
  if (!folder) return line;
  const flags = { ...line.flags };
  for (const { name, kind } of FLAGS) {
    const value = flags[name];
    if (kind === "file" && typeof value === "string") flags[name] = from(folder, value);
  }
  const after = COMMANDS.find(({ name }) => name === line.command)?.fileAfter ?? [];
  const words = line.words.map((word, at) =>
    at > 0 && after.includes(line.words[at - 1]) ? from(folder, word) : word
  );
  return { ...line, flags, words };
}
