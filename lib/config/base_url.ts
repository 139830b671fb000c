/**
 * The gateway's base URL, from any of the forms in which people have it at hand.
 *
 * @module
 */

import { BridgeError } from "../errors.ts";

/** The first path segments that belong to a surface, not to the base (`gateway.md`, "Surfaces"). */
const SURFACE_SEGMENTS = new Set([
  "mlflow",
  "cursor",
  "openai",
  "codex",
  "anthropic",
  "gemini",
  "v1",
  "models",
  "chat",
  "responses",
]);

/** Hosts of Databricks' clouds; `.azuredatabricks.net` is the Azure one. */
const DATABRICKS = /\.(azuredatabricks\.net|cloud\.databricks\.com|gcp\.databricks\.com)$/;

const EXPECTED =
  "expected something like https://1234567890123456.7.ai-gateway.azuredatabricks.net or https://adb-1234567890123456.7.azuredatabricks.net/ai-gateway";

/**
 * Whether a host name means this machine: `localhost`, `127.0.0.0/8`, `::1`.
 *
 * @param hostname A host name as in a URL, IPv6 with or without brackets.
 *
 * @example
 * ```ts
 * import { isLoopback } from "./base_url.ts";
 *
 * if (!isLoopback("127.0.0.1") || isLoopback("127.0.0.1.example.com")) throw new Error("exact");
 * ```
 */
export function isLoopback(hostname: string): boolean {
  const name = hostname.toLowerCase().replace(/^\[|\]$/g, "").replace(/\.$/, "");
  return name === "localhost" || name === "::1" || /^127(\.\d{1,3}){3}$/.test(name);
}

/**
 * Whether a host name is Databricks' own, on any of its clouds.
 *
 * @param hostname A host name as a parsed URL has it.
 */
export function isDatabricksHost(hostname: string): boolean {
  const name = hostname.toLowerCase().replace(/\.$/, "");
  return /(^|\.)(azuredatabricks\.net|databricks\.com|databricks\.azure\.(us|cn))$/.test(name);
}

/**
 * The base of every gateway request: scheme and host for a dedicated gateway host, with `/ai-gateway`
 * for a workspace host (`gateway.md`, "Hosts"). A full endpoint, a trailing slash and a query all mean
 * the same base. `https` only; `http` is for loopback.
 *
 * @param text What the user gave.
 * @param name What it is called in an error.
 * @returns The base without a trailing slash.
 * @throws {BridgeError} kind `config`, when it is no URL, or one that can't be the gateway's.
 *
 * @example
 * ```ts
 * import { baseUrl } from "./base_url.ts";
 *
 * const base = baseUrl("https://adb-1.2.azuredatabricks.net/ai-gateway/mlflow/v1/chat/completions?o=1");
 * if (base !== "https://adb-1.2.azuredatabricks.net/ai-gateway") throw new Error(base);
 * ```
 */
export function baseUrl(text: string, name = "DATABRICKS_AI_GATEWAY_URL"): string {
  const given = text.trim().replace(/^(["'])(.*)\1$/, "$2");
  let url: URL;
  try {
    url = new URL(given);
  } catch {
    const hint = /^[\w-]+(\.[\w-]+)+(:\d+)?(\/|$)/.test(given) ? `; is "https://" missing?` : "";
    throw new BridgeError("config", `${name} is "${given}", which is no URL${hint} (${EXPECTED}).`);
  }
  if (url.username !== "" || url.password !== "") {
    throw new BridgeError(
      "config",
      `${name} carries a user name or password: leave them out, the token comes from the client.`,
    );
  }
  if (url.protocol !== "https:" && !(url.protocol === "http:" && isLoopback(url.hostname))) {
    throw new BridgeError(
      "config",
      url.protocol === "http:"
        ? `${name} is "${given}": a token must not travel unencrypted, use https:// (http:// is for this machine only).`
        : `${name} is "${given}": its scheme must be https (${EXPECTED}).`,
    );
  }
  return url.origin + prefix(url);
}

/** The part of the path that belongs to the base. */
function prefix(url: URL): string {
  const dedicated = url.hostname.includes(".ai-gateway.");
  if (DATABRICKS.test(url.hostname)) return dedicated ? "" : "/ai-gateway";
  const segments = url.pathname.split("/").filter((segment) => segment !== "");
  const end = segments.findIndex((segment) => SURFACE_SEGMENTS.has(segment.toLowerCase()));
  const kept = end === -1 ? segments : segments.slice(0, end);
  return kept.length === 0 ? "" : `/${kept.join("/")}`;
}
