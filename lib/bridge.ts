/**
 * What every request is handed: the settings, the models, the gateway, and the little that is kept
 * between requests. The front is there from the start; the rest is loaded with the first chat, so that
 * a program that only lists models starts in half the time.
 *
 * @module
 */

import type { Config } from "./config/config.ts";
import type { Gateway } from "./gateway/gateway.ts";
import type { JsonObject } from "./json.ts";
import type { Log } from "./observe/log.ts";
import type { ToolCallCache } from "./adapt/tool_call_cache.ts";
import type { Metrics } from "./observe/metrics.ts";
import type { Catalog } from "./models/catalog.ts";
import type { Negotiator } from "./adapt/negotiator.ts";
import type { RunawayGuard } from "./adapt/retry_loop_guard.ts";

/** What is needed to listen, and to answer everything but chats. */
export interface Front {
  /** The settings. */
  readonly config: Config;
  /** The list of models in force; it may change while the bridge runs. */
  readonly catalogue: () => Catalog;
  /** What is known of a model beyond the list, for `GET /models`. */
  readonly metadata: (id: string) => JsonObject;
  /** The log. */
  readonly log: Log;
  /** The numbers. */
  readonly metrics: Metrics;
  /** The bridge's name and version, for `User-Agent`. */
  readonly userAgent: string;
}

/** The parts of one running bridge. */
export interface Bridge extends Front {
  /** The gateway. */
  readonly gateway: Gateway;
  /** What refusals have taught. */
  readonly negotiator: Negotiator;
  /** What chat clients can't carry from turn to turn. */
  readonly memory: ToolCallCache;
  /** Stops runaways; undefined where it is turned off. */
  readonly guard: RunawayGuard | undefined;
}
