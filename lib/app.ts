/**
 * The program without its machine: arguments in, exit code out. What it needs of the machine it is
 * handed as a {@linkcode System}.
 *
 * @module
 */

import { banner } from "./banner.ts";
import type { Bridge } from "./bridge.ts";
import { type Config, exposure, readConfig, type Setting, settings } from "./config.ts";
import { BridgeError } from "./errors.ts";
import { type CommandLine, FLAGS, helpText, parseCommandLine } from "./flags.ts";
import { Gateway } from "./gateway.ts";
import { findModels, type FoundModels, type Place, readEnvFile, type ReadText } from "./locate.ts";
import { Log } from "./log.ts";
import { CallMemory } from "./memory.ts";
import { Metrics } from "./metrics.ts";
import { Negotiator } from "./negotiate.ts";
import { createRouter } from "./router.ts";
import { RunawayGuard } from "./runaway.ts";
import { startServer } from "./serve.ts";
import { startSimulator } from "./simulator.ts";

/** The machine, as far as the program uses it. */
export interface System extends Place {
  /** The program's version. */
  readonly version: string;
  /** The text of the embedded `models.json`. */
  readonly embeddedModels: string;
  /** Reads a file. */
  readonly readText: ReadText;
  /** Writes to standard output. */
  readonly out: (text: string) => void;
  /** Writes to standard error. */
  readonly err: (text: string) => void;
  /** Whether a person reads them. */
  readonly terminal: { readonly out: boolean; readonly err: boolean };
  /** Calls a function when a signal comes. */
  readonly onSignal: (name: "SIGINT" | "SIGTERM", handler: () => void) => void;
  /** Ends the program at once. */
  readonly exit: (code: number) => void;
}

/** Everything that a command is handed. */
export interface Start {
  /** The machine. */
  readonly system: System;
  /** What was typed. */
  readonly line: CommandLine;
  /** Every setting with where it came from. */
  readonly rows: readonly Setting[];
  /** The same, checked. */
  readonly config: Config;
  /** The `.env` file in force, if there is one. */
  readonly envPath: string | undefined;
}

/** Name → what it does; its result is the exit code. */
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
 * import { run, type System } from "./app.ts";
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

/** `fd-bridge` and `fd-bridge serve`: runs the bridge until a signal ends it. */
async function serve({ system, config }: Start): Promise<number> {
  const found = await findModels(config.models, system, system.readText, system.embeddedModels);
  if (config.gateway === "" && !config.demo) {
    throw new BridgeError(
      "config",
      "DATABRICKS_AI_GATEWAY_URL is not set: put the gateway's address into the environment or into .env (see .env.example), or try the bridge without one: fd-bridge --demo.",
    );
  }
  const warning = exposure(config);
  const simulated = config.demo ? startSimulator() : undefined;
  const gateway = simulated?.url ?? config.gateway;
  const bridge = createBridge(config, gateway, found, system);
  const server = startServer({ ...config, handler: createRouter(bridge) });
  const color = system.terminal.err && !system.variable("NO_COLOR");
  system.err(banner({
    version: system.version,
    config,
    url: server.url,
    gateway,
    catalogue: found.catalogue,
    warning,
    proxied: isProxied(system),
    color,
  }));
  await ended(system, server.stop, bridge.log);
  await simulated?.close();
  return 0;
}

/** The parts of a bridge, put together. */
function createBridge(config: Config, base: string, found: FoundModels, system: System): Bridge {
  const metrics = new Metrics();
  const log = new Log({
    level: config.logLevel,
    format: config.logFormat,
    color: system.terminal.err && !system.variable("NO_COLOR"),
    write: system.err,
  });
  const gateway = new Gateway({
    ...config,
    base,
    proxied: !config.demo && isProxied(system),
    onRetry(reason, delay) {
      metrics.count("fd_bridge_retries_total");
      log.warn(`${reason}; asking again`, { delay_ms: Math.round(delay) });
    },
  });
  return {
    config,
    gateway,
    log,
    metrics,
    catalogue: () => found.catalogue,
    metadata: () => ({}),
    negotiator: new Negotiator(),
    memory: new CallMemory(),
    guard: config.runawayGuard ? new RunawayGuard() : undefined,
    userAgent: `fd-bridge/${system.version}`,
  };
}

function isProxied(system: System): boolean {
  return ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"]
    .some((name) => system.variable(name));
}

/** Waits for the first signal, then for running answers; a second signal ends at once. */
async function ended(system: System, stop: () => Promise<boolean>, log: Log): Promise<void> {
  let signals = 0;
  const first = new Promise<void>((resolve) => {
    for (const name of ["SIGINT", "SIGTERM"] as const) {
      system.onSignal(name, () => {
        signals++;
        if (signals === 1) resolve();
        else system.exit(130);
      });
    }
  });
  await first;
  log.info("ending: running answers may finish; Ctrl-C again ends at once");
  if (!await stop()) log.warn("ended: some answers were cut off");
}
