/**
 * The program in this process, on a machine of the test's: what `main.ts` does, but for the real machine.
 *
 * @module
 */

import { loadStart, runCommand, runsWithoutSettings } from "../../lib/commands/mod.ts";
import { prepareServe } from "../../lib/commands/serve.ts";
import { parseCommandLine } from "../../lib/config/command_line.ts";
import { untilShutdown } from "../../lib/shutdown.ts";
import type { System } from "../../lib/system/system.ts";

/**
 * Runs the program.
 *
 * @param args The command line.
 * @param system The machine.
 * @returns The exit code.
 */
export async function run(args: readonly string[], system: System): Promise<number> {
  const line = parseCommandLine(args);
  if (runsWithoutSettings(line)) return await runCommand(line, system);
  const start = await loadStart(line, system);
  if (line.command !== "serve") return await runCommand(line, system, start);
  const { app, announce, close } = await prepareServe(start);
  const { host: hostname, port } = app.config;
  try {
    const server = Deno.serve({ hostname, port, onListen: announce }, app.handler);
    return await untilShutdown(server, app, system);
  } finally {
    await close();
  }
}
