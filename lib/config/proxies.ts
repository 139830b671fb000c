/**
 * Company networks: proxies and certificates. Deno's `fetch` reads its variables when it is first used;
 * until then they may still be set, so that they hold from the `.env` file as from the environment.
 *
 * @module
 */

import { isLoopback } from "./base_url.ts";
import { BridgeError } from "../errors.ts";
import type { ProxySettings } from "../gateway/client.ts";
import type { ReadText } from "./locate.ts";

/** The environment, as far as the network needs it. */
export interface NetworkEnvironment {
  /** Reads a variable. */
  readonly variable: (name: string) => string | undefined;
  /** Sets a variable for Deno; where this is missing, what the environment says holds. */
  readonly setVariable?: (name: string, value: string) => void;
}

/** What the environment and the `.env` file say about proxies. */
export interface Proxies {
  /** Whether clients that read the same environment send even loopback addresses to a proxy. */
  readonly loopbackProxied: boolean;
  /** The proxy between the bridge and an address, or undefined. */
  readonly proxyFor: (url: string) => string | undefined;
  /** The proxies for each scheme, and the hosts that are reached directly. */
  readonly settings: ProxySettings;
}

/** Deno reads each of them in upper case first, then in lower case. */
const NAMES = [
  "HTTP_PROXY",
  "HTTPS_PROXY",
  "ALL_PROXY",
  "NO_PROXY",
  "DENO_CERT",
  "DENO_TLS_CA_STORE",
] as const;

/** Addresses that no proxy can reach, because they are this machine's. */
const OURS = "127.0.0.1,localhost,::1";

/**
 * Sets up the network for every `fetch` to come: what only the `.env` file says is told to Deno, the
 * system's certificates are trusted beside Mozilla's, and loopback is never asked through a proxy.
 *
 * @param environment The process's environment; it wins over the file.
 * @param file What the `.env` file says.
 *
 * @example
 * ```ts
 * import { setUpNetwork } from "./proxies.ts";
 *
 * const set: Record<string, string> = {};
 * const proxies = setUpNetwork({
 *   variable: () => undefined,
 *   setVariable: (name, value) => set[name] = value,
 * }, { HTTPS_PROXY: "http://proxy:3128" });
 * if (set.HTTPS_PROXY === undefined || !set.NO_PROXY.includes("127.0.0.1")) throw new Error("set");
 * if (proxies.proxyFor("https://gateway.example") !== "http://proxy:3128") throw new Error("proxied");
 * ```
 */
export function setUpNetwork(
  { variable, setVariable = () => {} }: NetworkEnvironment,
  file: Readonly<Record<string, string>> = {},
): Proxies {
  // Only the proxies' variables have a lower-case form; any other name may not even be read.
  const before = (name: string) =>
    variable(name) || (name.endsWith("_PROXY") && variable(name.toLowerCase())) || undefined;
  // The bridge is asked over plain HTTP; and by clients that don't read our .env.
  const loopbackProxied = ["HTTP_PROXY", "ALL_PROXY"].some(before) &&
    !isExcepted("127.0.0.1", before("NO_PROXY"));
  const values: Partial<Record<string, string>> = {};
  for (const name of NAMES) {
    values[name] = before(name);
    if (values[name] !== undefined) continue;
    const value = file[name] || file[name.toLowerCase()];
    if (value) setVariable(name, values[name] = value);
  }
  if (values.DENO_TLS_CA_STORE === undefined) setVariable("DENO_TLS_CA_STORE", "system,mozilla");

  const { HTTP_PROXY: http, HTTPS_PROXY: https, ALL_PROXY: all, NO_PROXY } = values;
  if (http || https || all) {
    setVariable("NO_PROXY", [NO_PROXY, OURS].filter(Boolean).join(","));
  }
  return {
    loopbackProxied,
    settings: {
      http: withScheme(http ?? all),
      https: withScheme(https ?? all),
      none: [NO_PROXY, OURS].filter(Boolean).join(","),
    },
    proxyFor(url) {
      const { hostname, protocol } = new URL(url);
      const proxy = (protocol === "https:" ? https : http) ?? all;
      return isLoopback(hostname) || isExcepted(hostname, NO_PROXY) ? undefined : proxy;
    },
  };
}

/** People write `proxy:3128`, too. */
function withScheme(proxy: string | undefined): string | undefined {
  return proxy === undefined || proxy.includes("://") ? proxy : `http://${proxy}`;
}

/** Whether `NO_PROXY` takes a host out: itself, a domain that it is in, or all. */
function isExcepted(hostname: string, list: string | undefined): boolean {
  return (list ?? "").split(",").map((word) => word.trim().toLowerCase().replace(/^\*?\./, ""))
    .some((word) =>
      word === "*" || word === hostname || (word !== "" && hostname.endsWith(`.${word}`))
    );
}

/**
 * Reads a file of certificates, to say at once, and in one line, that it is none.
 *
 * @param path The file, PEM.
 * @param name What the user named it by: `--ca-file`, `DENO_CERT`.
 * @param read Reads files.
 * @throws {BridgeError} kind `config`, when it isn't there, can't be read, or holds no certificate.
 *
 * @example
 * ```ts
 * import { readCertificates } from "./proxies.ts";
 *
 * const failure = await readCertificates("none.pem", "--ca-file", () => Promise.resolve(undefined))
 *   .catch((error) => error);
 * if (!failure.message.includes("no such file")) throw new Error(failure.message);
 * ```
 */
export async function readCertificates(
  path: string,
  name: string,
  read: ReadText,
): Promise<string> {
  let text: string | undefined;
  try {
    text = await read(path);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message.replace(/ \(os error.*/s, "") : `${cause}`;
    throw new BridgeError("config", `${name} names ${path}, which can't be read: ${why}.`, {
      cause,
    });
  }
  if (text === undefined) {
    throw new BridgeError("config", `${name} names ${path}: there is no such file.`);
  }
  if (!/-----BEGIN (TRUSTED )?CERTIFICATE-----/.test(text)) {
    throw new BridgeError(
      "config",
      `${name} names ${path}, which holds no certificate: expected PEM, beginning with -----BEGIN CERTIFICATE-----.`,
    );
  }
  return text;
}

/**
 * What `fetch` needs for `--ca-file`: its certificates are trusted beside those that are trusted anyway.
 *
 * @param caFile The file, or undefined where none is named.
 * @param read Reads files.
 * @returns The client to hand to `fetch`, or undefined where there is nothing to add.
 * @throws {BridgeError} kind `config`, as {@linkcode readCertificates}.
 *
 * @example
 * ```ts
 * import { trustingClient } from "./proxies.ts";
 *
 * if (await trustingClient(undefined, Deno.readTextFile) !== undefined) throw new Error("nothing");
 * ```
 */
export async function trustingClient(
  caFile: string | undefined,
  read: ReadText,
): Promise<Deno.HttpClient | undefined> {
  if (caFile === undefined) return undefined;
  return Deno.createHttpClient({ caCerts: [await readCertificates(caFile, "--ca-file", read)] });
}

/** Scheme → port, where an address names none. */
const PORTS: Readonly<Record<string, number>> = { "https:": 443, "http:": 80 };

/**
 * Whether the port of an address can be connected to.
 *
 * @param address A URL, the gateway's or a proxy's.
 * @param signal Ends the attempt.
 * @throws The network's error, where it can't.
 *
 * @example
 * ```ts
 * import { opens } from "./proxies.ts";
 *
 * const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
 * const opened = await opens(`http://127.0.0.1:${listener.addr.port}`, new AbortController().signal);
 * listener.close();
 * if (!opened) throw new Error("somebody listens there");
 * ```
 */
export async function opens(address: string, signal: AbortSignal): Promise<boolean> {
  const { hostname, port, protocol } = new URL(
    address.includes("://") ? address : `http://${address}`,
  );
  const connection = await Deno.connect({
    hostname: hostname.replace(/^\[|\]$/g, ""),
    port: Number(port) || (PORTS[protocol] ?? 1080),
    signal,
  });
  connection.close();
  return true;
}
