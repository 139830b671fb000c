/**
 * fd-bridge lets ForgeCode and every other coding agent use every model behind an Azure Databricks AI
 * Gateway. This file is the program: it parses the flags, loads `.env`, makes the app, and serves it.
 *
 * @module
 */

import denoConfig from "./deno.json" with { type: "json" };
import embeddedModels from "./models.json" with { type: "json" };
import { loadStart, runCommand, runsWithoutSettings } from "./lib/commands/mod.ts";
import { prepareServe } from "./lib/commands/serve.ts";
import { parseCommandLine } from "./lib/config/command_line.ts";
import { BridgeError, maskSecrets } from "./lib/errors.ts";
import { explainListenError } from "./lib/listen.ts";
import { untilShutdown } from "./lib/shutdown.ts";
import { createSystem } from "./lib/system/machine.ts";
import { wrapAtTerminal } from "./lib/system/wrap.ts";

async function main(args: string[]): Promise<number> {
  const system = createSystem(denoConfig.version, JSON.stringify(embeddedModels));
  const line = parseCommandLine(args);
  if (runsWithoutSettings(line)) return await runCommand(line, system);

  const start = await loadStart(line, system); // flags, environment, .env
  if (line.command !== "serve") return await runCommand(start.line, system, start);

  const { app, announce, close } = await prepareServe(start);
  const { host: hostname, port } = app.config;
  try {
    const server = Deno.serve({ hostname, port, onListen: announce }, app.handler);
    return await untilShutdown(server, app, system);
  } catch (error) {
    throw await explainListenError(error, hostname, port);
  } finally {
    await close();
  }
}

if (import.meta.main) {
  try {
    Deno.exit(await main(Deno.args));
  } catch (error) {
    // A user gets a line, never a stack.
    const message = error instanceof Error ? error.message : String(error);
    console.error(
      wrapAtTerminal(`fd-bridge: ${maskSecrets(message)}`, Deno.stderr.isTerminal()),
    );
    Deno.exit(error instanceof BridgeError ? 2 : 1);
  }
}
