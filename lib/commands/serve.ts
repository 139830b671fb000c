/**
 * `fd-bridge` and `fd-bridge serve`: everything between the settings and `Deno.serve`.
 *
 * @module
 */

import { createApp, type RunningApp } from "../app.ts";
import { exposure } from "../config/config.ts";
import { findModels } from "../config/locate.ts";
import { readAuthorities } from "../config/proxies.ts";
import { BridgeError } from "../errors.ts";
import { createClient } from "../gateway/client.ts";
import { checkProxy } from "../gateway/proxy_error.ts";
import { losesClients, MADE_FOR, urlOf } from "../listen.ts";
import { KeyRing } from "../keys/mod.ts";
import { countListed } from "../models/catalog.ts";
import { LiveModels } from "../models/watch.ts";
import { Log, type QueuedLog, queuedLog } from "../observe/log.ts";
import { Telemetry, wantsTelemetry } from "../observe/telemetry.ts";
import { UsageStore } from "../observe/usage.ts";
import { startSimulator } from "../simulator/mod.ts";
import type { Start } from "../system/system.ts";
import { openStore } from "../store/mod.ts";
import { isColored } from "../system/terminal.ts";
import { banner } from "./banner.ts";
import { doctorText } from "./doctor.ts";
import { findTokenSource, openTokens, tryFirstToken } from "./own_tokens.ts";
import { usagePath } from "./usage.ts";
import { firstRun } from "./first_run.ts";

/** Time between two polls of models.json, in milliseconds. */
const POLL = 2_000;

/**
 * How long after the start the client's library is loaded, in milliseconds, where no request has needed it
 * by then: it takes 60 ms, in which the first answer to `GET /models` would wait.
 */
const PRELOAD = 300;

/** How long the log's last lines may take to be written, in milliseconds. */
const LAST_LINES = 1_000;

/** A bridge that is ready to be served. */
export interface Prepared {
  /** The bridge. */
  readonly app: RunningApp;
  /** Says where it listens. */
  readonly announce: (address: { readonly port: number }) => void;
  /** Ends what runs beside the server. */
  readonly close: () => Promise<void>;
}

/**
 * Makes the app out of the settings: loads the models, asks for an address where a person is there to
 * answer, reads certificates, and starts the simulated gateway for `--demo`.
 *
 * @param given The machine and the settings.
 * @throws {BridgeError} kind `config`, when it can't begin.
 */
export async function prepareServe(given: Start): Promise<Prepared> {
  let start = given;
  let { config } = start;
  const { system, proxies } = start;
  const { log, queue } = createLog(start);
  const models = await LiveModels.load({
    find: (read) =>
      findModels(config.models, system, read, system.embeddedModels, config.setBy?.models),
    read: system.readText,
    onLoaded({ catalog }) {
      log.info(`models: ${countListed(catalog)} from ${catalog.source} are in force now`);
      for (const warning of catalog.warnings ?? []) log.warn(warning);
    },
    onBroken: (message) => log.error(`models: the old list stays, because ${message}`),
  });
  const { foreign } = models.found;
  for (const warning of models.catalog.warnings ?? []) log.warn(warning);
  if (foreign) {
    log.warn(
      `${foreign} has no list "models" of names, so it is another program's: passed over. The models are from ${models.catalog.source}.`,
    );
  }
  const keys = config.clientKeys === undefined ? undefined : await KeyRing.open({
    path: config.clientKeys,
    read: system.readText,
    tell: (message, well) => log[well ? "info" : "error"](message),
  });
  const authorities = await readAuthorities(config.caFile, system, config.setBy?.["ca-file"]);
  const client = createClient({ ...config, authorities, proxyFor: proxies.proxyFor });
  let found = await findTokenSource(start, () => client);
  if (!config.gateway && !config.demo && !found?.gateway) {
    start = await firstRun(start) ?? start;
    ({ config } = start);
    found = await findTokenSource(start, () => client);
  }
  const configured = config.gateway || found?.gateway;
  if (!configured && !config.demo) {
    throw new BridgeError(
      "config",
      `DATABRICKS_AI_GATEWAY_URL is not set: put the gateway's address into the environment or into .env (see .env.example), or try the bridge without one: fd-bridge --demo.${
        start.env.warnings.length > 0
          ? " What the folder's .env says was not taken: see above."
          : ""
      }`,
    );
  }
  const own = found &&
    await openTokens(
      start,
      found,
      log,
      ({ type }) => app.metrics.count("fd_bridge_token_refreshes_total", { result: type }),
    );
  const usage = system.machine && await UsageStore.open({
    // What the demo's models answer costs nothing, and stays out of the user's own totals.
    path: config.demo ? undefined : usagePath(system),
    files: system.machine.files,
    tell: (message, well) => log[well ? "info" : "warn"](message),
  });
  const store = openStore(config, authorities, {
    tell: (message, well) => log[well ? "info" : "warn"](message),
    count: (trouble) => app.metrics.count("fd_bridge_store_failures_total", { trouble }),
  });
  const shared = store?.shareUsage(usage);
  const telemetry = wantsTelemetry(system.variable("OTEL_DENO"))
    ? await Telemetry.start(system.version, system.variable)
    : undefined;
  await system.machine?.seal({ run: found?.runsPrograms === true });
  const simulated = config.demo ? startSimulator() : undefined;
  const gateway = simulated?.url ?? configured!;
  const proxy = proxies.proxyFor(gateway);
  if (proxy !== undefined) checkProxy(proxy);
  const app: RunningApp = createApp({
    config,
    gateway,
    version: system.version,
    catalog: () => models.catalog,
    log,
    usage: shared ?? usage,
    store,
    keys,
    telemetry,
    runDoctor: (signal) => doctorText(start, signal),
    client,
    own,
  });
  if (own) await tryFirstToken(own.tokens);
  await store?.connect();
  const stopWatching = models.watch(POLL);
  const stopKeys = keys?.watch(POLL);
  let preloading: ReturnType<typeof setTimeout> | undefined;
  return {
    app,
    announce({ port }) {
      preloading = setTimeout(() => void client.preload?.().catch(() => {}), PRELOAD);
      const url = urlOf(config.host, port);
      if (config.logFormat === "json") {
        // A log in JSON is JSON from its first line.
        const warning = exposure(config);
        log.info("listening", { url, gateway, version: system.version, demo: config.demo });
        if (warning) log.warn(warning);
      } else {system.err(banner({
          version: system.version,
          config,
          url,
          gateway,
          catalog: models.catalog,
          store: store && `${store.address}${store.trouble ? " (not in use: see below)" : ""}`,
          warning: exposure(config),
          proxied: proxies.loopbackProxied,
          color: isColored(system, "err"),
          key: keys ? (own ? "<your key>" : "<your key>:<your Databricks token>") : own?.key.value,
        }));}
      if (losesClients(Deno.version.deno)) {
        log.warn(
          `Deno ${Deno.version.deno} does not notice a client that leaves before its answer begins, which is then paid for nobody; fd-bridge is made for Deno ${MADE_FOR}`,
        );
      }
    },
    async close() {
      clearTimeout(preloading);
      stopWatching();
      stopKeys?.();
      app.page?.close();
      await app.close();
      await simulated?.close();
      await own?.tokens.close();
      await shared?.close();
      store?.close();
      await usage?.close();
      await telemetry?.close();
      await queue?.flush(LAST_LINES);
    },
  };
}

/** The log: asynchronous, so that a standard error which nobody reads holds up no answer. */
function createLog({ system, config }: Start): Partial<QueuedLog> & { log: Log } {
  const options = {
    level: config.logLevel,
    format: config.logFormat,
    color: isColored(system, "err"),
  };
  return system.sendErr
    ? queuedLog(options, system.sendErr)
    : { log: new Log({ ...options, write: system.err }) };
}
