/**
 * `fd-bridge` and `fd-bridge serve`: runs the bridge until a signal ends it.
 *
 * @module
 */

import { lingerAlarms } from "../alarm.ts";
import { banner } from "./banner.ts";
import type { Bridge, Front } from "../bridge.ts";
import { exposure } from "../config/config.ts";
import { BridgeError } from "../errors.ts";
import type { Handler } from "../http1/server.ts";
import { findModels } from "../config/locate.ts";
import { type Batch, batched, Log } from "../observe/log.ts";
import { listedMetadata } from "../models/metadata.ts";
import { Metrics } from "../observe/metrics.ts";
import { readCertificates } from "../config/proxies.ts";
import { createRouter } from "../router.ts";
import { nameOwner, type RunningServer, startServer } from "../serve.ts";
import type { Start, System } from "../system/system.ts";
import { LiveModels } from "../models/watch.ts";

/** Time between two looks at models.json, in milliseconds. */
const LOOK = 500;

/** How long the alarms' timer is kept between two requests, in milliseconds. */
const LINGER = 1_000;

/**
 * Runs the bridge: listens, says so, and waits for a signal.
 *
 * @param start The machine and the settings.
 * @returns The exit code.
 * @throws {BridgeError} kind `config`, when it can't begin.
 *
 * @example
 * ```ts
 * import { readConfig, settings } from "../config/config.ts";
 * import { parseCommandLine } from "../config/flags.ts";
 * import { setUpNetwork } from "../config/proxies.ts";
 * import type { Start } from "../system/system.ts";
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
 * const proxies = setUpNetwork(system);
 * const config = readConfig(rows);
 * const start: Start = { system, line, rows, config, proxies, envPath: undefined };
 * if (await serve(start) !== 0 || !text.includes("listening")) throw new Error(text);
 * ```
 */
export async function serve(start: Start): Promise<number> {
  const { system, config, proxies } = start;
  /** Takes lines together from the first chat on; see there. */
  let batch: Batch | undefined;
  const log = createLog(
    start,
    (line, level) => batch ? batch.write(line, level) : system.err(line),
  );
  const models = await LiveModels.load({
    find: (read) => findModels(config.models, system, read, system.embeddedModels),
    read: system.readText,
    onLoaded({ catalogue }) {
      log.info(`models: ${catalogue.models.length} from ${catalogue.source} are in force now`);
    },
    onBroken: (message) => log.error(`models: the old list stays, because ${message}`),
  });
  const configured = config.gateway || config.demo
    ? config.gateway
    : await (await import("./first_run.ts")).firstRun(start);
  if (configured === undefined) {
    throw new BridgeError(
      "config",
      "DATABRICKS_AI_GATEWAY_URL is not set: put the gateway's address into the environment or into .env (see .env.example), or try the bridge without one: fd-bridge --demo.",
    );
  }
  const warning = exposure(config);
  const certificates = config.caFile === undefined
    ? undefined
    : await readCertificates(config.caFile, "--ca-file", system.readText);
  // Deno would say it with the first request only.
  const cert = system.variable("DENO_CERT");
  if (cert) await readCertificates(cert, "DENO_CERT", system.readText);

  await system.machine?.seal();
  const simulated = config.demo
    ? (await import("../simulator/mod.ts")).startSimulator()
    : undefined;
  let stopWatching: (() => void) | undefined;
  try {
    const gateway = simulated?.url ?? configured;
    const front = createFront(start, models, log);
    let bridge: Bridge | undefined;
    const route = createRouter(front, async () => {
      if (bridge) return bridge;
      const { assemble } = await import("../assemble.ts");
      // All that needs time begins here: Deno's timers take 8 ms to load, and 4 MiB, which a program
      // that only lists models does without.
      stopWatching ??= models.watch(LOOK);
      batch ??= batched(system.err);
      lingerAlarms(LINGER);
      return bridge ??= assemble(front, {
        gateway,
        certificates,
        proxy: proxies.proxyFor(gateway),
      });
    });
    const server = await listen(front, async (request) => {
      if (!stopWatching) await models.refresh(LOOK);
      return await route(request);
    });
    system.err(banner({
      version: system.version,
      config,
      url: server.url,
      gateway,
      catalogue: models.catalogue,
      warning,
      proxied: proxies.loopbackProxied,
      color: isColored(system),
    }));
    await ended(system, { stop: server.stop, log, flush: () => batch?.flush() });
    return 0;
  } finally {
    batch?.flush();
    lingerAlarms(0);
    stopWatching?.();
    await simulated?.close();
  }
}

function createLog({ system, config }: Start, write: Batch["write"]): Log {
  return new Log({
    level: config.logLevel,
    format: config.logFormat,
    color: isColored(system),
    write,
  });
}

/** What is there from the start. */
function createFront({ system, config }: Start, models: LiveModels, log: Log): Front {
  return {
    config,
    log,
    metrics: new Metrics(),
    catalogue: () => models.catalogue,
    metadata: listedMetadata,
    userAgent: `fd-bridge/${system.version}`,
  };
}

function isColored(system: System): boolean {
  return system.terminal.err && !system.variable("NO_COLOR");
}

/** Listens, or says who does so already. */
async function listen({ config }: Front, handler: Handler): Promise<RunningServer> {
  const { host, port, shutdownTime } = config;
  try {
    return startServer({ host, port, shutdownTime, handler });
  } catch (error) {
    throw await nameOwner(error, host, port);
  }
}

/** What a shell knows a program by that a signal ended: 128 and the signal's number. */
const EXIT_CODES = { SIGINT: 130, SIGTERM: 143 } as const;

/** What the end of the program needs. */
interface Ending {
  readonly stop: () => Promise<boolean>;
  readonly log: Log;
  /** Writes what the log holds back. */
  readonly flush: () => void;
}

/** Waits for the first signal, then for running answers; a second signal ends at once. */
async function ended(system: System, { stop, log, flush }: Ending): Promise<void> {
  let signals = 0;
  const first = new Promise<void>((resolve) => {
    for (const name of ["SIGINT", "SIGTERM"] as const) {
      system.onSignal(name, () => {
        signals++;
        if (signals === 1) return resolve();
        flush();
        system.exit(EXIT_CODES[name]);
      });
    }
  });
  await first;
  log.info("ending: running answers may finish; Ctrl-C again ends at once");
  if (!await stop()) log.warn("ended: some answers were cut off");
}
