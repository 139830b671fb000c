/**
 * The running bridge: the services that all requests share, made once at the start.
 *
 * @module
 */

import { createHmac } from "node:crypto";
import { Negotiator } from "./adapt/negotiator.ts";
import { RetryLoopGuard } from "./adapt/retry_loop_guard.ts";
import { ToolCallCache } from "./adapt/tool_call_cache.ts";
import { isLoopback } from "./config/base_url.ts";
import type { Config } from "./config/config.ts";
import type { Client } from "./gateway/client.ts";
import type { BridgeKey, RenewingTokenSource } from "./gateway/tokens/mod.ts";
import { Gateway } from "./gateway/gateway.ts";
import type { JsonObject } from "./json.ts";
import { hashOfKey, type KeyRing } from "./keys/mod.ts";
import { type Catalog, entryIn } from "./models/catalog.ts";
import { listedMetadata } from "./models/metadata.ts";
import type { Exchange, Recorder } from "./observe/exchange.ts";
import type { Log } from "./observe/log.ts";
import { priceOf } from "./observe/cost.ts";
import { Metrics } from "./observe/metrics.ts";
import { createPage, type HealthRow, type Page, type PageContext } from "./observe/page/mod.ts";
import { RequestLog } from "./observe/record.ts";
import type { UsageGroup } from "./observe/usage_totals.ts";
import { createRouter } from "./router.ts";
import { type Counters, MemoryCounters, type SharedMemory, type SharedStore } from "./store/mod.ts";

/** Services shared by all requests. */
export interface App extends Recorder {
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
  readonly guard: RetryLoopGuard | undefined;
  /** The bridge's name and version, for `User-Agent`. */
  readonly userAgent: string;
  /** Aborted when running answers must end. */
  readonly shutdown: AbortSignal;
  /** Whether the bridge is about to stop listening: its clients should go elsewhere. */
  readonly draining: () => boolean;
  /** Requests whose answers are not over. */
  readonly open: Set<Exchange>;
  /** What is remembered together with other bridges; undefined where there is no store. */
  readonly memory?: SharedMemory;
  /** Counters for limits. */
  readonly counters: Counters;
  /** Where tokens come from; undefined where each client brings its own. */
  readonly tokens?: RenewingTokenSource;
  /** The key that clients must show where the bridge has tokens of its own. */
  readonly key?: BridgeKey;
  /** The totals of the last days by client, of all bridges of a store; undefined where nothing adds them up. */
  readonly usageByClient?: (days: number) => Promise<UsageGroup[]>;
  /** The keys of clients, each with its limits; undefined where there is one key for all, or none. */
  readonly keys?: KeyRing;
  /** The page for browsers; undefined where it is turned off. */
  readonly page?: Page;
}

/** A bridge that answers requests. */
export interface RunningApp extends App {
  /** Answers one request. */
  readonly handler: (request: Request) => Promise<Response>;
  /** How many answers are not over. */
  readonly running: () => number;
  /** Makes it not ready: balancers take it out, and answers end their connections. */
  readonly drain: () => void;
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
  /** Where tokens come from, and the key that clients show for them. @default each client brings its own token */
  readonly own?: { readonly tokens: RenewingTokenSource; readonly key: BridgeKey };
  /** The keys of clients. @default there is one for all, or none */
  readonly keys?: KeyRing;
  /** What is shared with other bridges. @default each bridge has its own memory */
  readonly store?: SharedStore;
  /** Adds up tokens and cost. @default nothing does */
  readonly usage?: Recorder["usage"] & PageContext["usage"];
  /** Spans and metrics for OpenTelemetry. @default there are none */
  readonly telemetry?: Recorder["telemetry"];
  /** Runs the doctor for the page. @default the page has no button for it */
  readonly runDoctor?: PageContext["runDoctor"];
}

/**
 * Makes a bridge.
 *
 * @param options Its settings, models, log and the way to the gateway.
 */
export function createApp(options: AppOptions): RunningApp {
  const { config, log, catalog, client, version } = options;
  const metrics = new Metrics();
  const requests = new RequestLog();
  const negotiator = new Negotiator();
  const calls = new ToolCallCache();
  const { store } = options;
  // Who reads the file of keys could make an admin's cookie of its hash, but for this secret.
  const secret = config.storeKey ?? crypto.randomUUID();
  const sealed = (hash: string) => createHmac("sha256", secret).update(hash).digest("hex");
  const shutdown = new AbortController();
  let draining = false;
  const app: App = {
    config,
    catalog,
    metadata: listedMetadata,
    log,
    metrics,
    gateway: new Gateway({ ...config, base: options.gateway, client }),
    negotiator,
    calls,
    memory: store?.shareMemory({ calls, negotiator, workspace: options.gateway }),
    counters: store?.counters ?? new MemoryCounters(),
    guard: config.runawayGuard ? new RetryLoopGuard() : undefined,
    userAgent: `fd-bridge/${version}`,
    shutdown: shutdown.signal,
    draining: () => draining,
    open: new Set(),
    tokens: options.own?.tokens,
    key: options.own?.key,
    keys: options.keys,
    usageByClient: options.usage && (async (days) => {
      await options.usage!.refresh?.();
      return options.usage!.groups("client", days);
    }),
    requests,
    usage: options.usage,
    telemetry: options.telemetry,
    price: (model) => priceOf(model, entryIn(catalog(), model)?.price),
    page: options.usage && config.page
      ? createPage({
        version: `fd-bridge/${version}`,
        requests,
        usage: options.usage,
        loopback: isLoopback(config.host),
        keys: () => pageKeys(options, sealed),
        keyOf: options.keys && ((key) => sealed(hashOfKey(key))),
        health: () => ({ rows: healthRows(app, store), learned: learnedWords(negotiator) }),
        runDoctor: options.runDoctor,
      })
      : undefined,
  };
  return {
    ...app,
    handler: createRouter(app),
    running: () => app.open.size,
    drain() {
      draining = true;
    },
    interrupt(reason) {
      shutdown.abort(reason);
      app.page?.close();
    },
    close: () => client.close(),
  };
}

/** The keys that open the page: those of admins, by their hashes, where each client has a key. */
function pageKeys(
  { keys, own, config }: AppOptions,
  sealed: (hash: string) => string,
): string[] {
  if (keys === undefined) {
    return [own?.key.value ?? config.clientKey].filter((key) => key !== undefined);
  }
  const admins = keys.keys.filter(({ admin }) => admin === true).map(({ hash }) => hash);
  // Without an admin the page is closed: nobody has a key with that hash, and nobody can make its cookie.
  return (admins.length > 0 ? admins : ["nobody"]).map(sealed);
}

/** How the bridge is, for its page. */
function healthRows({ gateway, catalog, tokens }: App, store?: SharedStore): HealthRow[] {
  const token = tokens?.state();
  const { models, source } = catalog();
  const listed = models.filter(({ gone }) => gone !== true).length;
  return [
    { label: "Gateway", value: gateway.base },
    { label: "Models", value: `${listed} from ${source}` },
    ...(token
      ? [{ label: "Token", value: token.text, state: token.ok ? "good" as const : "bad" as const }]
      : []),
    ...(store
      ? [{
        label: "Store",
        value: `${store.address}${store.trouble ? `, ${store.trouble}` : ""}`,
        state: store.trouble ? "bad" as const : "good" as const,
      }]
      : []),
  ];
}

function learnedWords({ known }: Negotiator): string[] {
  return [...known].flatMap(([model, words]) => words.map((word) => `${model}: ${word}`));
}
