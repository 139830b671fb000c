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

/** What a client shows: its token, and its key for the bridge, where one is set. */
export interface Shown {
  /** The token for the gateway; empty where there is none. */
  readonly token: string;
  /** The key for the bridge; empty where there is none. */
  readonly key: string;
}

/**
 * The token is in `Authorization`, or where clients of other dialects put theirs: `x-api-key` (Anthropic),
 * `x-goog-api-key` (Google). The key is in `X-FD-Bridge-Key`, or before the token: `<client-key>:<token>`.
 */
function shownBy(headers: Headers, settings: AccessSettings): Shown {
  const bearer = /^Bearer\s+(\S.*)$/i.exec(headers.get("authorization")?.trim() ?? "")?.[1];
  const given = (bearer ?? headers.get("x-api-key") ?? headers.get("x-goog-api-key") ?? "").trim();
  if (settings.clientKey === undefined) return { token: given, key: "" };
  const inHeader = headers.get(KEY_HEADER);
  if (inHeader !== null) return { token: given, key: inHeader };
  const colon = given.indexOf(":");
  if (colon === -1) return { token: "", key: given };
  return { token: given.slice(colon + 1), key: given.slice(0, colon) };
}

/**
 * What a request shows where each client has a key: the key, and the token behind it, or none.
 *
 * @param headers The request's headers.
 */
export function shownCredentials(headers: Headers): Shown {
  return shownBy(headers, { host: "", allowHosts: [], allowOrigins: [], clientKey: "" });
}

/**
 * Checks that a client knows the key of the bridge, where one is set.
 *
 * @throws {BridgeError} kind `unauthenticated`, when the key is missing or wrong.
 */
export function checkClientKey(headers: Headers, settings: AccessSettings): void {
  if (settings.clientKey === undefined) return;
  if (sameSecret(shownBy(headers, settings).key, settings.clientKey)) return;
  throw new BridgeError(
    "unauthenticated",
    `The bridge asks for its client key: send it as "X-FD-Bridge-Key: <client-key>" or as "Authorization: Bearer <client-key>:<token>".`,
    { code: "client_key", headers: { "x-should-retry": "false" } },
  );
}

/**
 * The token for the gateway, out of a client's headers.
 *
 * @throws {BridgeError} kind `unauthenticated`, when it is missing, or the bridge's key is missing or wrong.
 *
 * @example
 * ```ts
 * import { readCredentials } from "./access.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const settings = { host: "0.0.0.0", allowHosts: [], allowOrigins: [], clientKey: "our-secret" };
 * const headers = new Headers({ authorization: "Bearer our-secret:their-token" });
 * assertEquals(readCredentials(headers, settings).authorization, "Bearer their-token");
 * ```
 */
export function readCredentials(headers: Headers, settings: AccessSettings): Credentials {
  checkClientKey(headers, settings);
  const { token, key } = shownBy(headers, settings);
  if (token === "") {
    const forge = /^forge/i.test(headers.get("user-agent") ?? "");
    throw new BridgeError(
      "unauthenticated",
      `The request has no token: send your Databricks token as "Authorization: Bearer <token>".${
        forge ? " In ForgeCode it is the API key of `forge provider login openai_compatible`." : ""
      }`,
      {
        code: "missing_token",
        headers: { "www-authenticate": "Bearer", "x-should-retry": "false" },
      },
    );
  }
  const secrets = key === "" ? [token] : [token, key];
  return { authorization: `Bearer ${token}`, secrets };
}
