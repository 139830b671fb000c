/**
 * The program without its machine: arguments in, exit code out. What it needs of the machine it is
 * handed as a {@linkcode System}.
 *
 * @module
 */

import { type Config, readConfig, settings } from "./config/config.ts";
import { FLAGS, parseCommandLine } from "./config/flags.ts";
import { readEnvFile } from "./config/locate.ts";
import { setUpNetwork } from "./config/proxies.ts";
import type { Start, System } from "./system/system.ts";

/** Runs a command; the result is the exit code. */
type Command = (start: Start) => Promise<number>;

/** Command → its code, which is loaded when it runs, because to start quickly counts. */
const COMMANDS: Readonly<Record<string, () => Promise<Command>>> = {
  serve: async () => (await import("./commands/serve.ts")).serve,
  models: async () => (await import("./commands/models.ts")).models,
  doctor: async () => (await import("./commands/doctor.ts")).doctor,
  config: async () => (await import("./commands/config.ts")).config,
};

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
 * import type { System } from "./system/system.ts";
 *
 * let out = "";
 * const system = { version: "1.2.3", out: (text: string) => void (out += text) } as System;
 * const code = await run(["--version"], system);
 * if (code !== 0 || !out.includes("1.2.3")) throw new Error(out);
 * ```
 */
export async function run(args: readonly string[], system: System): Promise<number> {
  const line = parseCommandLine(args);
  if (line.flags.help === true) {
    const { helpText } = await import("./commands/help.ts");
    system.out(helpText(line.command) + "\n");
    return 0;
  }
  if (line.flags.version === true) {
    const { versionText } = await import("./commands/version.ts");
    system.out(versionText(system.version) + "\n");
    return 0;
  }
  // It needs no setting, so a wrong one can't stop it.
  if (line.command === "completions") {
    return (await import("./commands/completions.ts")).completions(line, system);
  }
  // While files are read.
  const loading = COMMANDS[line.command]();
  const process: Record<string, string> = {};
  for (const { env } of FLAGS) {
    const value = env === undefined ? undefined : system.variable(env);
    if (env !== undefined && value !== undefined) process[env] = value;
  }
  const named = settings(line, { process }).find((row) => row.flag.name === "env-file")?.text;
  const file = await readEnvFile(named, system, system.readText);
  const rows = settings(line, { process, file: file?.variables });
  let config: Config | undefined;
  const command = await loading;
  return await command({
    system,
    line,
    rows,
    // Read when it is asked for: `fd-bridge config` shows the settings where one is wrong, too.
    get config() {
      return config ??= readConfig(rows);
    },
    envPath: file?.path,
    proxies: setUpNetwork(system, file?.variables),
  });
}
