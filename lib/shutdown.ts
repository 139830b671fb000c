/**
 * The end of the program: for a while it still listens, but is not ready; then running answers may
 * finish; then they are cut off truthfully.
 *
 * @module
 */

import type { RunningApp } from "./app.ts";
import { BridgeError } from "./errors.ts";
import type { SignalName, System } from "./system/system.ts";
import { within } from "./within.ts";

/**
 * A signal that follows another within this time is the same one: shells, process groups and launchers
 * send it twice. In milliseconds.
 */
const SAME_SIGNAL = 1_000;

/** How long sending the endings of answers that are cut off may take, in milliseconds. */
const LAST_WORDS = 2_000;

const SIGNALS: readonly SignalName[] = ["SIGINT", "SIGTERM", "SIGHUP"];

/** The part of `Deno.HttpServer` that its end needs. */
export interface Server {
  /** Stops listening, and resolves when running answers are over. */
  readonly shutdown: () => Promise<void>;
}

/**
 * Waits for a signal. From then on `GET /readyz` is 503; after `--drain-time` the server stops
 * listening, and running answers may finish. After `--shutdown-time`, or at a further signal, those that
 * still run end with an error event.
 *
 * @param server What `Deno.serve` gave.
 * @param app The bridge that it serves.
 * @param system Where signals come from.
 * @returns The exit code: 1 if answers were cut off, else 0.
 */
export async function untilShutdown(
  server: Server,
  app: RunningApp,
  system: Pick<System, "onSignal">,
): Promise<number> {
  const code = await ending(server, app, system);
  const summary = summaryOf(app.metrics);
  if (summary) app.log.info(summary);
  return code;
}

/** What was served, in a line: requests, tokens and cost; undefined where nothing was. */
function summaryOf(metrics: RunningApp["metrics"]): string | undefined {
  const requests = metrics.sum("fd_bridge_requests_total");
  if (requests === 0) return undefined;
  const [into, out] = ["in", "out"].map((direction) =>
    metrics.sum("fd_bridge_tokens_total", { direction })
  );
  const cost = metrics.sum("fd_bridge_cost_dollars_total");
  return [
    `served: ${requests.toLocaleString("en")} ${requests === 1 ? "request" : "requests"}`,
    ...into + out > 0
      ? [`${into.toLocaleString("en")} tokens in, ${out.toLocaleString("en")} out`]
      : [],
    ...cost > 0 ? [`$${cost.toFixed(cost < 1 ? 4 : 2)}`] : [],
  ].join(", ");
}

async function ending(
  server: Server,
  app: RunningApp,
  system: Pick<System, "onSignal">,
): Promise<number> {
  const { log, config } = app;
  const first = Promise.withResolvers<void>();
  const further = Promise.withResolvers<void>();
  let began: number | undefined;
  for (const name of SIGNALS) {
    system.onSignal(name, () => {
      if (began === undefined) {
        began = performance.now();
        first.resolve();
      } else if (performance.now() - began >= SAME_SIGNAL) further.resolve();
    });
  }
  await first.promise;
  app.drain();
  if (config.drainTime > 0) {
    log.info(
      `draining: not ready, and still listening for ${
        config.drainTime / 1000
      } s; Ctrl-C again ends at once`,
    );
    await within(further.promise, config.drainTime);
  }
  const running = app.running();
  log.info(
    running === 0
      ? "ending"
      : `ending: ${running} running ${running === 1 ? "answer" : "answers"} may finish within ${
        config.shutdownTime / 1000
      } s; Ctrl-C again ends at once`,
  );
  app.page?.close();
  const finished = server.shutdown();
  if (
    await within(Promise.race([finished.then(() => true), further.promise]), config.shutdownTime)
  ) {
    return 0;
  }
  const cut = app.running();
  app.interrupt(
    new BridgeError(
      "interrupted",
      "The bridge was stopped before the answer was complete: it is cut off here. Ask again if you need the rest.",
      { code: "shutdown" },
    ),
  );
  await within(finished.then(() => true), LAST_WORDS);
  if (cut > 0) log.warn(`ended: ${cut} ${cut === 1 ? "answer was" : "answers were"} cut off`);
  return cut > 0 ? 1 : 0;
}
