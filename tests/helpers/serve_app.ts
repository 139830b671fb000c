/**
 * Serves an app on a free port of 127.0.0.1, as `main.ts` does.
 *
 * @module
 */

import type { RunningApp } from "../../lib/app.ts";

/** A server of a test's. */
export interface RunningServer {
  /** Its address, without a slash at its end. */
  readonly url: string;
  /** Its port. */
  readonly port: number;
  /** Stops it: answers under way end with an error, and connections to the gateway are closed. */
  readonly stop: () => Promise<void>;
}

/**
 * Starts to serve.
 *
 * @param app What is served.
 */
export function serveApp(app: RunningApp): RunningServer {
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, app.handler);
  const { port } = server.addr;
  let stopped: Promise<void> | undefined;
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    stop: () =>
      stopped ??= (async () => {
        app.interrupt(new Error("the test is over"));
        await server.shutdown();
        await app.close();
      })(),
  };
}
