/**
 * The bridge at work: listens, answers, and goes down in good order.
 *
 * @module
 */

import { BridgeError } from "./errors.ts";

/** How a server is run. */
export interface ServeOptions {
  /** The address to listen on. */
  readonly host: string;
  /** The port; 0 for any. */
  readonly port: number;
  /** Answers requests. */
  readonly handler: (request: Request) => Response | Promise<Response>;
  /** How long running streams may go on once the end was asked for, in milliseconds. */
  readonly shutdownTime: number;
}

/** A running server. */
export interface RunningServer {
  /** Where it listens, as clients on this machine reach it. */
  readonly url: string;
  /** Its port. */
  readonly port: number;
  /** Stops listening and lets running answers finish for a while; resolves to whether all of them did. */
  readonly stop: () => Promise<boolean>;
  /** Ends when the server has stopped. */
  readonly finished: Promise<void>;
}

/**
 * Starts to listen.
 *
 * @throws {BridgeError} kind `config`, when the port is taken or the address isn't this machine's.
 *
 * @example
 * ```ts
 * import { startServer } from "./serve.ts";
 *
 * const server = startServer({
 *   host: "127.0.0.1",
 *   port: 0,
 *   handler: () => new Response("hi"),
 *   shutdownTime: 1000,
 * });
 * const text = await (await fetch(server.url)).text();
 * await server.stop();
 * if (text !== "hi") throw new Error(text);
 * ```
 */
export function startServer({ host, port, handler, shutdownTime }: ServeOptions): RunningServer {
  const hard = new AbortController();
  let server: Deno.HttpServer<Deno.NetAddr>;
  try {
    server = Deno.serve({
      hostname: host.replace(/^\[|\]$/g, ""),
      port,
      signal: hard.signal,
      onListen() {},
    }, handler);
  } catch (cause) {
    throw listenError(host, port, cause);
  }
  const shown = ["0.0.0.0", "::", "[::]"].includes(host) ? "127.0.0.1" : host;
  const url = `http://${
    shown.includes(":") && !shown.startsWith("[") ? `[${shown}]` : shown
  }:${server.addr.port}`;
  let stopping: Promise<boolean> | undefined;
  return {
    url,
    port: server.addr.port,
    finished: server.finished,
    stop() {
      stopping ??= (async () => {
        let timer: ReturnType<typeof setTimeout> | undefined;
        const late = new Promise<boolean>((resolve) =>
          timer = setTimeout(() => resolve(false), shutdownTime)
        );
        const done = await Promise.race([server.shutdown().then(() => true), late]);
        clearTimeout(timer);
        if (!done) hard.abort();
        return done;
      })();
      return stopping;
    },
  };
}

function listenError(host: string, port: number, cause: unknown): BridgeError {
  const where = `${host}:${port}`;
  // Windows tells a reserved port by another error than a taken one.
  const say = cause instanceof Deno.errors.AddrInUse
    ? `Port ${port} on ${host} is in use: another program, perhaps another fd-bridge, listens there. Stop it, or choose another with --port.`
    : cause instanceof Deno.errors.PermissionDenied || cause instanceof Deno.errors.NotCapable
    ? `Port ${port} on ${host} may not be used: choose another with --port, 1024 or higher.`
    : cause instanceof Deno.errors.AddrNotAvailable
    ? `${host} is not an address of this machine: choose one that is with --host.`
    : `The bridge can't listen on ${where}: ${
      cause instanceof Error ? cause.message : String(cause)
    }.`;
  return new BridgeError("config", say, { cause });
}
