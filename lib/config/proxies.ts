/**
 * Company networks: proxies and certificates. Deno reads the variables of the certificates when it first
 * encrypts a connection; until then they may still be set, so that they hold from the `.env` file as from
 * the environment.
 *
 * @module
 */

import { isLoopback } from "./base_url.ts";
import { BridgeError } from "../errors.ts";
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
  /** The proxy between the bridge and an address, as a URL with its user and password, or undefined. */
  readonly proxyFor: (url: string | URL) => string | undefined;
}

/** Variables of the network. Those of proxies are read in upper case first, then in lower case. */
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
 * Sets up the network for every connection to come: what only the `.env` file says is told to Deno, the
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
    proxyFor(url) {
      const { hostname, port, protocol } = typeof url === "string" ? new URL(url) : url;
      const secure = protocol === "https:";
      const proxy = (secure ? https : http) ?? all;
      return proxy === undefined || isLoopback(hostname) ||
          isExcepted(hostname, NO_PROXY, port || (secure ? "443" : "80"))
        ? undefined
        // People write `proxy:3128`, too.
        : proxy.includes("://")
        ? proxy
        : `http://${proxy}`;
    },
  };
}

/**
 * Whether `NO_PROXY` takes a host out: itself, a domain that it is in, or all. A port at the end of an
 * entry narrows it.
 */
function isExcepted(hostname: string, list = "", port?: string): boolean {
  const host = bare(hostname);
  return list.split(/[\s,]+/).some((entry) => {
    // An IPv6 address without brackets has no port.
    const single = entry.split(":").length > 2 && !entry.startsWith("[");
    const [, name, only] = single ? [, entry] : /^(.*?)(?::(\d+))?$/.exec(entry)!;
    if (only !== undefined && only !== port) return false;
    const domain = bare(name).replace(/^\*?\./, "");
    return domain === "*" || domain === host || (domain !== "" && host.endsWith(`.${domain}`));
  });
}

/** A host in lower case, an IPv6 address without brackets. */
function bare(host: string): string {
  return host.toLowerCase().replace(/^\[|\]$/g, "");
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
 * Trusts the certificates of `--ca-file` beside all others. Deno reads the file that `DENO_CERT` names
 * when it first encrypts a connection, so that is told to name it. Where the user has set that to another
 * file, the client is handed the certificates.
 *
 * @param caFile The file, or undefined where none is named.
 * @param system The environment and the files.
 * @param setBy What the user named the file by. @default {"--ca-file"}
 * @returns Certificates (PEM) to trust beside those that Deno trusts; undefined where there are none.
 * @throws {BridgeError} kind `config`, as {@linkcode readCertificates}, for either file: Deno would say it with the first request only.
 *
 * @example
 * ```ts
 * import { readAuthorities } from "./proxies.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const pem = "-----BEGIN CERTIFICATE-----";
 * const system = { variable: () => undefined, readText: () => Promise.resolve(pem) };
 * assertEquals(await readAuthorities("corp.pem", system), pem);
 * ```
 */
export async function readAuthorities(
  caFile: string | undefined,
  { variable, setVariable, readText }: NetworkEnvironment & { readonly readText: ReadText },
  setBy = "--ca-file",
): Promise<string | undefined> {
  const denoCert = variable("DENO_CERT");
  if (denoCert) await readCertificates(denoCert, "DENO_CERT", readText);
  if (caFile === undefined || caFile === denoCert) return undefined;
  const certificates = await readCertificates(caFile, setBy, readText);
  if (denoCert || setVariable === undefined) return certificates;
  setVariable("DENO_CERT", caFile);
  return undefined;
}
