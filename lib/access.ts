/**
 * Who may ask. Loopback is no perimeter: web pages reach local ports, by DNS rebinding and by plain
 * posts (`lessons` of other local servers). So the Host is checked, web pages are refused unless named,
 * and beyond loopback a client key is asked for.
 *
 * @module
 */

import { isLoopback } from "./config/base_url.ts";
import type { Config } from "./config/config.ts";
import { BridgeError } from "./errors.ts";

/** The settings that decide. */
export type AccessSettings = Pick<Config, "host" | "allowHosts" | "allowOrigins" | "clientKey">;

/** The header in which a client may send its key, beside the `Authorization` for the gateway. */
export const KEY_HEADER = "x-fd-bridge-key";

/** The host name of a `Host` header, without the port. */
function hostname(host: string): string | undefined {
  const match = /^(\[[0-9a-f:.%]+\]|[^:/\s@]+)(?::\d{1,5})?$/i.exec(host.trim());
  return match?.[1].replace(/^\[|\]$/g, "").replace(/\.$/, "").toLowerCase();
}

function isAddress(name: string): boolean {
  return /^\d{1,3}(\.\d{1,3}){3}$/.test(name) || name.includes(":");
}

/**
 * Whether the bridge answers to a `Host`: the address listened on, loopback's names, and those that
 * `--allow-host` names. Beyond loopback any bare address will do, because a rebound name is a name.
 *
 * @throws {BridgeError} kind `forbidden`.
 *
 * @example
 * ```ts
 * import { checkHost } from "./access.ts";
 *
 * const settings = { host: "127.0.0.1", allowHosts: [], allowOrigins: [] };
 * checkHost("localhost:8080", settings);
 * let refused = false;
 * try {
 *   checkHost("evil.example.com", settings);
 * } catch {
 *   refused = true;
 * }
 * if (!refused) throw new Error("a rebound name is refused");
 * ```
 */
export function checkHost(host: string | null, settings: AccessSettings): void {
  const name = host === null ? undefined : hostname(host);
  const listening = settings.host.replace(/^\[|\]$/g, "");
  const known = name !== undefined && (
    isLoopback(name) || name === listening || settings.allowHosts.includes(name) ||
    (!isLoopback(listening) && isAddress(name))
  );
  if (known) return;
  throw new BridgeError(
    "forbidden",
    `The bridge does not answer to the host "${
      (host ?? "").slice(0, 100)
    }": use the address it listens on, or name the host with --allow-host.`,
    { code: "host_not_allowed" },
  );
}

/**
 * Refuses web pages, except those that `--allow-origin` names. A browser sends `Origin` with every
 * request of a page's that could spend money, and `Sec-Fetch-Site` even where it leaves that out.
 *
 * @returns The origin to allow in the answer's CORS headers, or undefined.
 * @throws {BridgeError} kind `forbidden`.
 *
 * @example
 * ```ts
 * import { checkOrigin } from "./access.ts";
 *
 * const settings = { host: "127.0.0.1", allowHosts: [], allowOrigins: ["https://app.example"] };
 * const headers = new Headers({ origin: "https://app.example" });
 * if (checkOrigin(headers, settings) !== "https://app.example") throw new Error("named");
 * if (checkOrigin(new Headers(), settings) !== undefined) throw new Error("no page at all");
 * ```
 */
export function checkOrigin(
  headers: Headers,
  settings: AccessSettings,
): string | undefined {
  const origin = headers.get("origin");
  if (origin !== null && settings.allowOrigins.includes(origin)) return origin;
  const site = headers.get("sec-fetch-site");
  if (origin === null && (site === null || site === "none" || site === "same-origin")) {
    return undefined;
  }
  throw new BridgeError(
    "forbidden",
    `Web pages may not use the bridge${
      origin ? `, and this request comes from ${origin.slice(0, 100)}` : ""
    }: if it is yours, name it with --allow-origin.`,
    { code: "origin_not_allowed" },
  );
}

/** Compares two secrets in a time that tells neither where they differ nor how long the right one is. */
function sameSecret(given: string, right: string): boolean {
  const a = new TextEncoder().encode(given);
  const b = new TextEncoder().encode(right);
  let different = a.length ^ b.length;
  for (let at = 0; at < a.length; at++) different |= a[at] ^ b[at % b.length];
  return different === 0;
}

/** A client that showed who it is. */
export interface Credentials {
  /** What goes to the gateway as `Authorization`. */
  readonly authorization: string;
  /** What must never be shown. */
  readonly secrets: readonly string[];
}

/**
 * The token for the gateway, out of a client's headers; and its key for the bridge, where one is set:
 * in `X-FD-Bridge-Key`, or in front of the token, `Bearer <client-key>:<token>`.
 *
 * @throws {BridgeError} kind `unauthenticated`, when either is missing or the key is wrong.
 *
 * @example
 * ```ts
 * import { readCredentials } from "./access.ts";
 *
 * const settings = { host: "0.0.0.0", allowHosts: [], allowOrigins: [], clientKey: "our-secret" };
 * const headers = new Headers({ authorization: "Bearer our-secret:their-token" });
 * if (readCredentials(headers, settings).authorization !== "Bearer their-token") throw new Error("split");
 * ```
 */
export function readCredentials(headers: Headers, settings: AccessSettings): Credentials {
  const authorization = headers.get("authorization")?.trim() ?? "";
  const match = /^Bearer\s+(\S.*)$/i.exec(authorization);
  let token = match?.[1].trim() ?? "";
  if (settings.clientKey !== undefined) {
    const colon = token.indexOf(":");
    const inHeader = headers.get(KEY_HEADER);
    const key = inHeader ?? (colon === -1 ? "" : token.slice(0, colon));
    if (!sameSecret(key, settings.clientKey)) {
      throw new BridgeError(
        "unauthenticated",
        `The bridge asks for its client key: send it as "X-FD-Bridge-Key: <client-key>" or as "Authorization: Bearer <client-key>:<token>".`,
        { code: "client_key" },
      );
    }
    if (inHeader === null) token = token.slice(colon + 1);
  }
  if (token === "") {
    throw new BridgeError(
      "unauthenticated",
      `The request has no token: send your Databricks token as "Authorization: Bearer <token>". In ForgeCode it is the API key of \`forge provider login openai_compatible\`.`,
      { code: "missing_token", headers: { "www-authenticate": "Bearer" } },
    );
  }
  const secrets = settings.clientKey === undefined ? [token] : [token, settings.clientKey];
  return { authorization: `Bearer ${token}`, secrets };
}
