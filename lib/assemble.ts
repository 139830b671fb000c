/**
 * The parts of a bridge, put together. Loaded with the first chat.
 *
 * @module
 */

import type { Bridge, Front } from "./bridge.ts";
import { Gateway } from "./gateway/gateway.ts";
import { createClient } from "./http1/client.ts";
import { ToolCallCache } from "./adapt/tool_call_cache.ts";
import { Negotiator } from "./adapt/negotiator.ts";
import { opens } from "./config/proxies.ts";
import { RunawayGuard } from "./adapt/retry_loop_guard.ts";

/** The way to the gateway. */
export interface Way {
  /** The gateway's base URL, without a trailing slash. */
  readonly gateway: string;
  /** Certificates of the user's, PEM, that are trusted beside Deno's own. */
  readonly certificates?: string;
  /** The proxy in between. */
  readonly proxy?: string;
}

/**
 * Makes a bridge of its front and the way to the gateway.
 *
 * @param front What is there from the start.
 * @param way Where the gateway is.
 *
 * @example
 * ```ts
 * import { assemble } from "./assemble.ts";
 * import type { Front } from "./bridge.ts";
 *
 * const front = { config: { runawayGuard: true } } as Front;
 * const bridge = assemble(front, { gateway: "https://gateway.example" });
 * if (bridge.gateway.base !== "https://gateway.example") throw new Error(bridge.gateway.base);
 * ```
 */
export function assemble(front: Front, { gateway: base, certificates, proxy }: Way): Bridge {
  const { config, log, metrics } = front;
  const caCerts = certificates === undefined ? undefined : [certificates];
  // Proxies have dialects and passwords of their own, which Deno's `fetch` knows.
  const way = proxy === undefined
    ? { fetch: createClient({ caCerts }).send }
    : { client: caCerts && Deno.createHttpClient({ caCerts }) };
  return {
    ...front,
    gateway: new Gateway({
      ...config,
      base,
      ...way,
      proxied: proxy !== undefined,
      probe: (signal) => opens(proxy ?? base, signal),
      onRetry(reason, delay) {
        metrics.count("fd_bridge_retries_total");
        log.warn(`${reason}; asking again`, { delay_ms: Math.round(delay) });
      },
    }),
    negotiator: new Negotiator(),
    memory: new ToolCallCache(),
    guard: config.runawayGuard ? new RunawayGuard() : undefined,
  };
}
