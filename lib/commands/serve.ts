/**
 * `fd-bridge` and `fd-bridge serve`: runs the bridge until a signal ends it.
 *
 * @module
 */

import { banner } from "../banner.ts";
import type { Bridge } from "../bridge.ts";
import { type Config, exposure } from "../config.ts";
import { BridgeError } from "../errors.ts";
import { Gateway } from "../gateway.ts";
import { findModels, type FoundModels } from "../locate.ts";
import { Log } from "../log.ts";
import { CallMemory } from "../memory.ts";
import { Metrics } from "../metrics.ts";
import { Negotiator } from "../negotiate.ts";
import { createRouter } from "../router.ts";
import { RunawayGuard } from "../runaway.ts";
import { startServer } from "../serve.ts";
import { startSimulator } from "../simulator.ts";
import type { Start, System } from "../system.ts";

/**
 * Runs the bridge: listens, says so, and waits for a signal.
 *
 * @param start The machine and the settings.
 * @returns The exit code.
 * @throws {BridgeError} kind `config`, when it can't begin.
 *
 * @example
 * ```ts
 * import { readConfig, settings } from "../config.ts";
 * import { parseCommandLine } from "../flags.ts";
 * import type { Start } from "../system.ts";
 * import { serve } from "./serve.ts";
 *
 * const line = parseCommandLine(["--demo", "--port", "0"]);
 * const rows = settings(line, { process: {} });
 * let text = "";
 * const system = {
 *   version: "1.0.0",
 *   embeddedModels: '{"models": ["m"]}',
 *   os: "linux",
 *   variable: () => undefined,
 *   readText: () => Promise.resolve(undefined),
 *   out: () => {},
 *   err: (line: string) => void (text += line),
 *   terminal: { out: false, err: false },
 *   onSignal: (_name: string, handler: () => void) => void setTimeout(handler, 0),
 *   exit: () => {},
 * };
 * const start: Start = { system, line, rows, config: readConfig(rows), envPath: undefined };
 * if (await serve(start) !== 0 || !text.includes("listening")) throw new Error(text);
 * ```
 */
export async function serve({ system, config }: Start): Promise<number> {
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
