/**
 * The address of a shared store: `redis://[[user]:password@]host[:port][/database]`, `rediss://` with TLS.
 *
 * @module
 */

import { BridgeError } from "../errors.ts";

/** Where a store is. */
export interface StoreAddress {
  /** A name or an address. */
  readonly host: string;
  /** Its port. */
  readonly port: number;
  /** Whether the connection is encrypted. */
  readonly tls: boolean;
  /** Who the bridge is to the store. */
  readonly username?: string;
  /** With what password. */
  readonly password?: string;
  /** The number of the database. */
  readonly database: number;
  /** The address without user and password, for people. */
  readonly shown: string;
}

/**
 * Reads an address.
 *
 * @param text As it was set.
 * @param setBy How it was set: `--store`, `FD_BRIDGE_STORE (in ./.env)`.
 * @throws {BridgeError} kind `config`; its message doesn't show the address, which may hold a password.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { readStoreAddress } from "./address.ts";
 *
 * const { host, port, tls, password, shown } = readStoreAddress("rediss://:s3cret@redis.corp/2", "--store");
 * assertEquals([host, port, tls, password], ["redis.corp", 6379, true, "s3cret"]);
 * assertEquals(shown, "rediss://redis.corp:6379/2");
 * ```
 */
export function readStoreAddress(text: string, setBy: string): StoreAddress {
  const wrong = (what: string) =>
    new BridgeError(
      "config",
      `${setBy} ${what}: expected redis://:password@host:port/database, or rediss:// for TLS. A password with special characters is percent-encoded.`,
    );
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw wrong("is no address");
  }
  if (url.protocol !== "redis:" && url.protocol !== "rediss:") {
    throw wrong(`begins with ${url.protocol.slice(0, 20)}//`);
  }
  if (url.hostname === "") throw wrong("names no host");
  if (url.search !== "" || url.hash !== "") throw wrong("has a ? or #");
  const path = url.pathname.replace(/^\//, "");
  if (!/^\d{0,4}$/.test(path)) throw wrong("has a path that is no database's number");
  const port = Number(url.port) || 6379;
  const database = Number(path);
  const decode = (part: string) => {
    try {
      return decodeURIComponent(part) || undefined;
    } catch {
      throw wrong("has a user or password that isn't percent-encoded");
    }
  };
  return {
    host: url.hostname.replace(/^\[|\]$/g, ""),
    port,
    tls: url.protocol === "rediss:",
    username: decode(url.username),
    password: decode(url.password),
    database,
    shown: `${url.protocol}//${url.hostname}:${port}/${database}`,
  };
}
