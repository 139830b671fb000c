/**
 * The program without its machine: arguments in, exit code out. What it needs of the machine it is
 * handed as a {@linkcode System}.
 *
 * @module
 */

import { serve } from "./commands/serve.ts";
import { readConfig, settings } from "./config.ts";
import { FLAGS, helpText, parseCommandLine } from "./flags.ts";
import { readEnvFile } from "./locate.ts";
import type { Start, System } from "./system.ts";

/** Command → what it does; its result is the exit code. */
const RUN: Readonly<Record<string, (start: Start) => Promise<number>>> = { serve };

/**
 * Runs the program.
 *
 * @param args The command line.
 * @param system The machine.
 * @returns The exit code: 0 when all went well.
 * @throws {BridgeError} kinds `usage` and `config`, which end the program with 2.
 *
 * @example
 * ```ts
 * import { run } from "./app.ts";
 * import type { System } from "./system.ts";
 *
 * let out = "";
 * const code = await run(["--version"], { version: "1.2.3", out: (text) => out += text } as System);
 * if (code !== 0 || !out.includes("1.2.3")) throw new Error(out);
 * ```
 */
export async function run(args: readonly string[], system: System): Promise<number> {
  const line = parseCommandLine(args);
  if (line.flags.help === true) {
    system.out(helpText(line.command) + "\n");
    return 0;
  }
  if (line.flags.version === true) {
    system.out(`fd-bridge ${system.version} (Deno ${Deno.version.deno}, ${Deno.build.target})\n`);
    return 0;
  }
  const process: Record<string, string> = {};
  for (const { env } of FLAGS) {
    const value = env === undefined ? undefined : system.variable(env);
    if (env !== undefined && value !== undefined) process[env] = value;
  }
  const named = settings(line, { process }).find((row) => row.flag.name === "env-file")?.text;
  const file = await readEnvFile(named, system, system.readText);
  const rows = settings(line, { process, file: file?.variables });
  return await RUN[line.command]({
    system,
    line,
    rows,
    config: readConfig(rows),
    envPath: file?.path,
  });
}
