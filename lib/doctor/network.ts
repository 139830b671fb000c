/**
 * The way to the gateway, step by step: proxy, name, port, certificate; and the bridge's own port.
 *
 * @module
 */

import type { Config } from "../config/config.ts";
import { BridgeError } from "../errors.ts";
import { isObject } from "../json.ts";
import { type Proxies, readCertificates } from "../config/proxies.ts";
import type { Machine, System } from "../system/system.ts";
import type { Fetch } from "../gateway/fetch_client.ts";
import { networkFault } from "../gateway/unreachable.ts";
import type { Check } from "./check.ts";

/** Scheme → port, where an address names none. */
const PORTS: Readonly<Record<string, number>> = { "https:": 443, "http:": 80 };

interface Address {
  readonly hostname: string;
  readonly port: number;
  readonly secure: boolean;
}

function addressOf(text: string): Address {
  const { hostname, port, protocol } = new URL(text.includes("://") ? text : `http://${text}`);
  return {
    hostname: hostname.replace(/^\[|\]$/g, ""),
    port: Number(port) || (PORTS[protocol] ?? 1080),
    secure: protocol === "https:",
  };
}

function isIp(hostname: string): boolean {
  return /^\d{1,3}(\.\d{1,3}){3}$/.test(hostname) || hostname.includes(":");
}

function message(cause: unknown): string {
  return (cause instanceof Error ? cause.message : String(cause)).replace(/ \(os error.*/s, "");
}

/** What a network check needs. */
export interface NetworkChecks {
  /** The machine and its files. */
  readonly system: Pick<System, "readText"> & { readonly machine: Machine };
  /** The settings. */
  readonly config: Pick<Config, "connectTimeout" | "caFile">;
  /** Proxies. */
  readonly proxies: Proxies;
}

/**
 * Looks at the way to the gateway, up to the first step that fails; what lies behind that is not tried.
 *
 * @param base The gateway's base URL.
 * @param checks What is needed.
 * @yields Checks `proxy`, `dns`, `tcp` and `tls`, as each is done.
 */
export async function* checkNetwork(
  base: string,
  { system, config, proxies }: NetworkChecks,
): AsyncGenerator<Check> {
  const gateway = addressOf(base);
  const proxy = proxies.proxyFor(base);
  const next = proxy === undefined ? gateway : addressOf(proxy);
  const { sockets } = system.machine;
  if (proxy !== undefined) {
    yield {
      name: "proxy",
      status: "ok",
      detail: `Requests go through ${next.hostname}:${next.port}.`,
    };
  }
  const who = proxy === undefined ? "the gateway" : "the proxy";
  const rest = ["dns", "tcp", "tls"];
  const skipped = (after: string): Check[] =>
    rest.slice(rest.indexOf(after) + 1)
      .map((name) => ({ name, status: "skip", detail: `Not tried, because ${after} failed.` }));

  try {
    if (isIp(next.hostname)) {
      yield { name: "dns", status: "ok", detail: `${next.hostname} needs none.` };
    } else {
      const found = await sockets.lookup(next.hostname);
      yield {
        name: "dns",
        status: "ok",
        detail: `${next.hostname} is ${found.slice(0, 3).join(", ")}.`,
      };
    }
  } catch {
    yield {
      name: "dns",
      status: "fail",
      detail: `The name ${next.hostname} of ${who} is unknown here.`,
      remedy: proxy === undefined
        ? "Check the spelling in DATABRICKS_AI_GATEWAY_URL, the network and the VPN."
        : "Check the spelling in HTTPS_PROXY.",
    };
    return yield* skipped("dns");
  }

  try {
    await sockets.connect(next.hostname, next.port, config.connectTimeout);
    yield { name: "tcp", status: "ok", detail: `Port ${next.port} of ${who} is open.` };
  } catch (cause) {
    yield {
      name: "tcp",
      status: "fail",
      detail: `No connection to port ${next.port} of ${who}, ${next.hostname}: ${message(cause)}.`,
      remedy: proxy === undefined
        ? "Check the address and its port, the VPN, and whether a firewall or a proxy (HTTPS_PROXY) stands in between."
        : "Check HTTPS_PROXY: the proxy doesn't answer. NO_PROXY takes addresses out of it.",
    };
    return yield* skipped("tcp");
  }
  if (!gateway.secure) return;
  if (proxy !== undefined) {
    return yield {
      name: "tls",
      status: "skip",
      detail: "Inside the proxy's tunnel: the answer will tell.",
    };
  }
  yield await checkTls(gateway, { system, config });
}

async function checkTls(
  { hostname, port }: Address,
  { system, config }: Pick<NetworkChecks, "system" | "config">,
): Promise<Check> {
  const name = "tls";
  try {
    const certificates = config.caFile === undefined
      ? []
      : [await readCertificates(config.caFile, "--ca-file", system.readText)];
    const { sockets } = system.machine;
    await sockets.connectTls(hostname, port, config.connectTimeout, certificates);
    return { name, status: "ok", detail: `The certificate of ${hostname} is trusted.` };
  } catch (cause) {
    if (cause instanceof BridgeError) {
      return {
        name,
        status: "fail",
        detail: cause.message,
        remedy: "Name a file of certificates.",
      };
    }
    const words = message(cause);
    const remedy = /NotValidForName|not valid for/i.test(words)
      ? "It belongs to another name: check the address, and whether a proxy or a login page stands in between."
      : /expired|NotValidYet/i.test(words)
      ? "Check this machine's clock; else the gateway's owner has to renew it."
      : /UnknownIssuer|certificate|self.signed/i.test(words)
      ? networkFault(cause).means.replace(/^.*?\. /, "")
      : "Is it https that is spoken on this port? Check the address.";
    return {
      name,
      status: "fail",
      detail: `No encrypted connection to ${hostname}: ${words}.`,
      remedy,
    };
  }
}

/**
 * Whether the bridge could listen, or does already.
 *
 * @param config Where it would listen.
 * @param machine Listens.
 * @param fetch Asks who is there.
 * @returns What was found; never throws.
 */
export async function checkPort(
  { host, port }: Pick<Config, "host" | "port">,
  { sockets }: Pick<Machine, "sockets">,
  fetch: Fetch,
): Promise<Check> {
  const name = "port";
  const bare = host.replace(/^\[|\]$/g, "");
  try {
    sockets.listen(bare, port);
    return { name, status: "ok", detail: port === 0 ? "Any free one." : `${port} is free.` };
  } catch (cause) {
    const taken = cause instanceof Deno.errors.AddrInUse;
    if (!taken) {
      return {
        name,
        status: "fail",
        detail: `The bridge can't listen on ${host}:${port}: ${message(cause)}.`,
        remedy: cause instanceof Deno.errors.AddrNotAvailable
          ? "Choose an address of this machine with --host."
          : "Choose another port with --port, 1024 or higher.",
      };
    }
    const models = await modelsOfBridge(bare, port, fetch);
    if (models !== undefined) {
      return {
        name,
        status: "ok",
        detail: `A bridge is running on ${port}, with ${models} models.`,
      };
    }
    return {
      name,
      status: "fail",
      detail: `${port} is taken by another program.`,
      remedy: "Stop it, or choose another with --port (FD_BRIDGE_PORT).",
    };
  }
}

/** Who listens there, if it is a bridge: how many models it has. */
async function modelsOfBridge(
  host: string,
  port: number,
  fetch: Fetch,
): Promise<number | undefined> {
  const at = ["0.0.0.0", "::"].includes(host)
    ? "127.0.0.1"
    : host.includes(":")
    ? `[${host}]`
    : host;
  try {
    const signal = AbortSignal.timeout(2000);
    const response = await fetch(`http://${at}:${port}/healthz`, { signal, redirect: "manual" });
    const body: unknown = JSON.parse((await response.text()).slice(0, 1000));
    if (
      isObject(body) && String(body.program).startsWith("fd-bridge/") &&
      typeof body.models === "number"
    ) {
      return body.models;
    }
  } catch {
    // Whoever it is, it is no bridge.
  }
  return undefined;
}
