/**
 * What goes wrong between the bridge and a proxy.
 *
 * @module
 */

import { BridgeError } from "../errors.ts";

/** A proxy that can't be reached, or that opens no way to the gateway. */
export class ProxyError extends Error {
  /** Always `ProxyError`. */
  override name = "ProxyError";
  /** No code of undici's: with some of them it would connect again, without end. */
  readonly code = "PROXY";
  /** The proxy's host and port. */
  readonly proxy: string;
  /** The status that it refused with; undefined where it did not answer. */
  readonly status: number | undefined;

  /** Makes an error of the proxy's URL and of what went wrong. */
  constructor(proxy: string | URL, cause: unknown, status?: number) {
    super(cause instanceof Error ? cause.message : String(cause), { cause });
    this.proxy = new URL(proxy).host;
    this.status = status;
  }
}

/** Schemes of proxies. */
const SCHEMES = new Set(["http:", "https:"]);

/**
 * Checks a proxy's address.
 *
 * @param proxy As the environment names it.
 * @throws {BridgeError} kind `config`, where it is none.
 *
 * @example
 * ```ts
 * import { checkProxy } from "./proxy_error.ts";
 * import { assertThrows } from "@std/assert";
 *
 * checkProxy("http://user:password@proxy.example:3128");
 * assertThrows(() => checkProxy("socks5://proxy.example"), Error, "HTTPS_PROXY");
 * ```
 */
export function checkProxy(proxy: string): void {
  const url = URL.parse(proxy);
  if (url !== null && SCHEMES.has(url.protocol) && url.hostname !== "") return;
  // The password must not be shown.
  const shown = url === null || url.host === "" ? "what it names" : `${url.protocol}//${url.host}`;
  throw new BridgeError(
    "config",
    `The proxy's address can't be used: HTTPS_PROXY, HTTP_PROXY and ALL_PROXY take http://host:port, or https://, with user:password@ where it asks for one; ${shown} is none of these.`,
    { code: "proxy" },
  );
}
