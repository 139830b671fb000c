/**
 * What `Deno.serve` leaves to be said: the address in words, and why a port can't be listened on.
 *
 * @module
 */

import { BridgeError } from "./errors.ts";

/** The Deno that the program is made for; the number of `.dvmrc`. */
export const MADE_FOR = "2.8.2";

/** The first Deno whose `Deno.serve` loses sight of clients, denoland/deno#34446. */
const LOSES_CLIENTS_SINCE = [2, 8, 3];

/**
 * Whether the `Deno.serve` of a Deno loses sight of clients that leave: it gives `request.signal` no sign before the answer has begun, where the request has a body.
 *
 * @param version `Deno.version.deno`.
 */
export function losesClients(version: string): boolean {
  const numbers = version.split(".").map((word) => parseInt(word));
  for (const [at, least] of LOSES_CLIENTS_SINCE.entries()) {
    if (numbers[at] !== least) return numbers[at] > least;
  }
  return true;
}

/** The URL of an address as clients on this machine reach it. */
export function urlOf(host: string, port: number): string {
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

/** How long another program may take to say who it is, in milliseconds. */
const OWNER_TIME = 500;

/**
 * What a failure of `Deno.serve` means. Where another fd-bridge has the port, it is named.
 *
 * @param cause What `Deno.serve` threw.
 * @param host The address that was to be listened on.
 * @param port The port.
 * @returns The error to throw; the cause itself where it isn't about listening.
 */
export async function explainListenError(
  cause: unknown,
  host: string,
  port: number,
): Promise<unknown> {
  const code = codeOf(cause);
  const row = LISTEN_ERRORS.find((row) => row.code.test(code));
  if (row === undefined) return cause;
  const owner = row === LISTEN_ERRORS[0] ? await ownerOf(host, port) : undefined;
  const words = owner
    ? `Port ${port} on ${host} is in use: another fd-bridge (${owner.version}) listens there. Use that one at ${owner.url}, stop it, or choose another port with --port.`
    : row.say(host, port);
  return new BridgeError("config", words, { cause });
}

/** Another fd-bridge that listens on a port, if it is one. */
async function ownerOf(
  host: string,
  port: number,
): Promise<{ url: string; version: string } | undefined> {
  try {
    const url = urlOf(host, port);
    const response = await fetch(`${url}/healthz`, {
      redirect: "error",
      signal: AbortSignal.timeout(OWNER_TIME),
    });
    const { program } = await response.json();
    const version = /^fd-bridge\/([\w.+-]{1,40})$/.exec(program)?.[1];
    return version === undefined ? undefined : { url, version };
  } catch {
    // Whoever it is, it is no fd-bridge.
    return undefined;
  }
}
