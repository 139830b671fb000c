/**
 * The running bridge: the services that all requests share, made once at the start.
 *
 * @module
 */

import { Negotiator } from "./adapt/negotiator.ts";
import { RunawayGuard } from "./adapt/retry_loop_guard.ts";
import { ToolCallCache } from "./adapt/tool_call_cache.ts";
import type { Config } from "./config/config.ts";
import type { Client } from "./gateway/client.ts";
import { Gateway } from "./gateway/gateway.ts";
import type { JsonObject } from "./json.ts";
import type { Catalog } from "./models/catalog.ts";
import { listedMetadata } from "./models/metadata.ts";
import type { Exchange } from "./observe/exchange.ts";
import type { Log } from "./observe/log.ts";
import { Metrics } from "./observe/metrics.ts";
import { createRouter } from "./router.ts";

/** Services shared by all requests. */
export interface App {
  /** The settings. */
  readonly config: Config;
  /** The list of models in force; it may change while the bridge runs. */
  readonly catalog: () => Catalog;
  /** What is known of a model beyond the list, for `GET /models`. */
  readonly metadata: (id: string) => JsonObject;
  /** The log. */
  readonly log: Log;
  /** The numbers. */
  readonly metrics: Metrics;
  /** The way to the gateway. */
  readonly gateway: Gateway;
  /** What refusals have taught. */
  readonly negotiator: Negotiator;
  /** What clients can't carry from turn to turn. */
  readonly calls: ToolCallCache;
  /** Stops clients that repeat a paid request; undefined where it is turned off. */
  readonly guard: RunawayGuard | undefined;
  /** The bridge's name and version, for `User-Agent`. */
  readonly userAgent: string;
  /** Aborted when running answers must end. */
  readonly shutdown: AbortSignal;
  /** Requests whose answers are not over. */
  readonly open: Set<Exchange>;
}

/** A bridge that answers requests. */
export interface RunningApp extends App {
  /** Answers one request. */
  readonly handler: (request: Request) => Promise<Response>;
  /** How many answers are not over. */
  readonly running: () => number;
  /** Ends running answers with the reason as their error. */
  readonly interrupt: (reason: unknown) => void;
  /** Closes the connections to the gateway. */
  readonly close: () => Promise<void>;
}

/** What an {@linkcode App} is made of. */
export interface AppOptions {
  /** The settings. */
  readonly config: Config;
  /** The gateway's base URL, without a slash at its end. */
  readonly gateway: string;
  /** The program's version. */
  readonly version: string;
  /** The list of models in force. */
  readonly catalog: () => Catalog;
  /** Where log lines go. */
  readonly log: Log;
  /** Sends requests to the gateway. */
  readonly client: Client;
}

/**
 * Makes a bridge.
 *
 * @param options Its settings, models, log and the way to the gateway.
 */
export function createApp(options: AppOptions): RunningApp {
  const { config, log, catalog, client, version } = options;
  const metrics = new Metrics();
  const shutdown = new AbortController();
  const app: App = {
    config,
    catalog,
    metadata: listedMetadata,
    log,
    metrics,
    gateway: new Gateway({ ...config, base: options.gateway, client }),
    negotiator: new Negotiator(),
    calls: new ToolCallCache(),
    guard: config.runawayGuard ? new RunawayGuard() : undefined,
    userAgent: `fd-bridge/${version}`,
    shutdown: shutdown.signal,
    open: new Set(),
  };
  return {
    ...app,
    handler: createRouter(app),
    running: () => app.open.size,
    interrupt: (reason) => shutdown.abort(reason),
    close: () => client.close(),
  };
}
