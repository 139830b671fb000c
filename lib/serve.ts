/**
 * The bridge at work: listens, answers, and goes down in good order.
 *
 * @module
 */

import { BridgeError } from "./errors.ts";
import { toResponse } from "./http1/reply.ts";
import { type Handler, type ListeningServer, startHttpServer } from "./http1/server.ts";

/** How a server is run. */
export interface ServeOptions {
  /** The address to listen on. */
  readonly host: string;
  /** The port; 0 for any. */
  readonly port: number;
  /** Answers requests. */
  readonly handler: Handler;
  /** How long running streams may go on once the end was asked for, in milliseconds. */
  readonly shutdownTime: number;
  /** `Deno.version.deno`, which decides about the kind of server. @default {Deno.version.deno} */
  readonly deno?: string;
}

/** A running server. */
export interface RunningServer {
  /** Where it listens, as clients on this machine reach it. */
  readonly url: string;
  /** Its port. */
  readonly port: number;
  /** Stops listening and lets running answers finish for a while; resolves to whether all of them did. */
  readonly stop: () => Promise<boolean>;
}

/** The first Deno whose `Deno.serve` loses sight of clients: see `http1/server.ts`. */
const LOSES_CLIENTS_SINCE = [2, 8, 3];

/**
 * Whether the `Deno.serve` of a Deno loses sight of clients that leave: then a server of our own takes its place.
 *
 * @param version `Deno.version.deno`.
 *
 * @example
 * ```ts
 * import { losesClients } from "./serve.ts";
 *
 * if (!losesClients("2.9.6") || losesClients("2.8.2")) throw new Error("since 2.8.3");
 * ```
 */
export function losesClients(version: string): boolean {
  const numbers = version.split(".").map((word) => parseInt(word));
  for (const [at, least] of LOSES_CLIENTS_SINCE.entries()) {
    if (numbers[at] !== least) return numbers[at] > least;
  }
  return true;
}

/**
 * Starts to listen.
 *
 * @param options Address, handler, and how it ends.
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
export function startServer(options: ServeOptions): RunningServer {
  const { host, port, handler, shutdownTime, deno = Deno.version.deno } = options;
  const start = losesClients(deno) ? startHttpServer : startDenoServer;
  let server: ListeningServer;
  try {
    server = start(host.replace(/^\[|\]$/g, ""), port, handler);
  } catch (cause) {
    throw listenError(host, port, cause);
  }
  let stopping: Promise<boolean> | undefined;
  return {
    url: urlOf(host, server.port),
    port: server.port,
    stop: () => stopping ??= stop(server, shutdownTime),
  };
}

async function stop(server: ListeningServer, time: number): Promise<boolean> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<boolean>((resolve) => timer = setTimeout(() => resolve(false), time));
  const done = await Promise.race([server.shutdown().then(() => true), late]);
  clearTimeout(timer);
  if (!done) server.abort();
  return done;
}

function startDenoServer(hostname: string, port: number, handler: Handler): ListeningServer {
  const server = Deno.serve(
    { hostname, port, onListen() {} },
    async (request) => {
      const answered = await handler(request);
      return "json" in answered ? answered : toResponse(answered);
    },
  );
  return {
    port: server.addr.port,
    shutdown: () => server.shutdown(),
    // Its signal throws once a shutdown has begun. What is still open ends with the program.
    abort: () => {},
  };
}

/** An address as clients on this machine reach it. */
function urlOf(host: string, port: number): string {
  const bare = host.replace(/^\[|\]$/g, "");
  const name = bare === "0.0.0.0" ? "127.0.0.1" : bare === "::" ? "::1" : bare;
  return `http://${name.includes(":") ? `[${name}]` : name}:${port}`;
}

/** Deno's errors and Node's codes → what they mean. Windows tells a reserved port by another error than a taken one. */
const LISTEN_ERRORS: readonly {
  code: RegExp;
  say: (host: string, port: number) => string;
}[] = [
  {
    code: /AddrInUse|EADDRINUSE/,
    say: (host, port) =>
      `Port ${port} on ${host} is in use: another program listens there. Stop it, or choose another with --port.`,
  },
  {
    code: /PermissionDenied|NotCapable|EACCES|EPERM/,
    say: (host, port) =>
      `Port ${port} on ${host} may not be used: choose another with --port, 1024 or higher.`,
  },
  {
    code: /AddrNotAvailable|EADDRNOTAVAIL|EINVAL|ENOTFOUND|EAI_/,
    say: (host) => `${host} is not an address of this machine: choose one that is with --host.`,
  },
];

function codeOf(cause: unknown): string {
  if (!(cause instanceof Error)) return "";
  return `${cause.name} ${(cause as { code?: string }).code ?? ""}`;
}

function listenError(host: string, port: number, cause: unknown): BridgeError {
  const code = codeOf(cause);
  const known = LISTEN_ERRORS.find((row) => row.code.test(code));
  const words = cause instanceof Error ? cause.message : String(cause);
  return new BridgeError(
    "config",
    known?.say(host, port) ?? `The bridge can't listen on ${host}:${port}: ${words}.`,
    { code: known === LISTEN_ERRORS[0] ? "port_in_use" : "config", cause },
  );
}

/** How long another program may take to say who it is, in milliseconds. */
const OWNER_TIME = 500;

/**
 * Says who has the port, where that is another fd-bridge; any other failure stays as it is.
 *
 * @param failure What {@linkcode startServer} threw.
 * @param host The address that was to be listened on.
 * @param port The port.
 * @returns The failure to throw.
 *
 * @example
 * ```ts
 * import { nameOwner } from "./serve.ts";
 *
 * const failure = new Error("something else");
 * if (await nameOwner(failure, "127.0.0.1", 8080) !== failure) throw new Error("as it is");
 * ```
 */
export async function nameOwner(failure: unknown, host: string, port: number): Promise<unknown> {
  if (!(failure instanceof BridgeError && failure.code === "port_in_use")) return failure;
  try {
    const url = urlOf(host, port);
    const response = await fetch(`${url}/healthz`, {
      redirect: "error",
      signal: AbortSignal.timeout(OWNER_TIME),
    });
    const { program } = await response.json();
    if (!/^fd-bridge\/[\w.+-]{1,40}$/.test(program)) return failure;
    return new BridgeError(
      "config",
      `Port ${port} on ${host} is in use: another fd-bridge (${
        program.slice("fd-bridge/".length)
      }) listens there. Use that one at ${url}, stop it, or choose another port with --port.`,
      { cause: failure.cause },
    );
  } catch {
    // Whoever it is, it is no fd-bridge.
    return failure;
  }
}
