/**
 * How commands ask other machines.
 *
 * @module
 */

import type { Config } from "../config/config.ts";
import { readAuthorities } from "../config/proxies.ts";
import { BridgeError } from "../errors.ts";
import { clientFetch, type Fetch } from "../gateway/fetch_client.ts";
import type { Start } from "../system/system.ts";

/** The way to other machines, through the user's proxies. */
export interface Outside extends AsyncDisposable {
  /** Asks as `fetch` does, but follows no redirect. How long it may take is its signal's matter. */
  readonly fetch: Fetch;
}

/** The settings that lead there. */
export type OutsideConfig = Pick<Config, "caFile" | "connectTimeout" | "setBy">;

/**
 * Opens the way to other machines, with the user's certificates.
 *
 * @param start The machine and its proxies.
 * @param config Where the certificates are, and how long a connection may take.
 * @returns The way; to be disposed of (`await using`).
 * @throws {BridgeError} kind `config`, when the certificates can't be used; `usage`, without a network.
 */
export async function openOutside(start: Start, config: OutsideConfig): Promise<Outside> {
  return outsideWith(
    await readAuthorities(config.caFile, start.system, config.setBy?.["ca-file"]),
    start,
    config,
  );
}

/**
 * The same, with given certificates.
 *
 * @param authorities Certificates (PEM) to trust beside those that Deno trusts.
 * @param start The machine and its proxies.
 * @param config How long a connection may take.
 */
export function outsideWith(
  authorities: string | undefined,
  { system: { machine }, proxies: { proxyFor } }: Start,
  { connectTimeout }: OutsideConfig,
): Outside {
  if (machine === undefined) {
    throw new BridgeError("usage", "This command needs a machine with a network.");
  }
  const times = { connectTimeout, firstByteTimeout: 0, idleTimeout: 0 };
  const client = machine.createClient({ ...times, authorities, proxyFor });
  return { fetch: clientFetch(client), [Symbol.asyncDispose]: () => client.close() };
}
