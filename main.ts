/**
 * fd-bridge lets ForgeCode and any other client of OpenAI's chat completions use every model behind an
 * Azure Databricks AI Gateway. This file is the program: it alone reads the arguments, the environment
 * and files, and hands them to `lib`.
 *
 * @module
 */

import denoConfig from "./deno.json" with { type: "json" };
import embeddedModels from "./models.json" with { type: "json" };
import { run } from "./lib/app.ts";
import { BridgeError, maskSecrets } from "./lib/errors.ts";
import { machine } from "./lib/system/machine.ts";

const encoder = new TextEncoder();

async function readText(path: string): Promise<string | undefined> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** Writes to standard error. That nobody reads the log any more ends no answer that is under way. */
function complain(text: string): void {
  try {
    Deno.stderr.writeSync(encoder.encode(text));
  } catch {
    // There is nobody left to tell.
  }
}

if (import.meta.main) {
  try {
    const code = await run(Deno.args, {
      version: denoConfig.version,
      embeddedModels: JSON.stringify(embeddedModels),
      os: Deno.build.os,
      variable: (name) => Deno.env.get(name),
      setVariable: (name, value) => Deno.env.set(name, value),
      readText,
      out: (text) => Deno.stdout.writeSync(encoder.encode(text)),
      err: complain,
      machine,
      terminal: { out: Deno.stdout.isTerminal(), err: Deno.stderr.isTerminal() },
      onSignal: (name, handler) => {
        if (Deno.build.os !== "windows" || name !== "SIGTERM") {
          Deno.addSignalListener(name, handler);
        }
      },
      exit: (code) => Deno.exit(code),
    });
    Deno.exit(code);
  } catch (error) {
    // A user gets a line, never a stack.
    const message = error instanceof Error ? error.message : String(error);
    console.error(`fd-bridge: ${maskSecrets(message)}`);
    Deno.exit(error instanceof BridgeError ? 2 : 1);
  }
}
