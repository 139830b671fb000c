/**
 * Redis and Valkey, by `@redis/client`.
 *
 * @module
 */

import { type Command, StoreReplyError, type Wire } from "./connection.ts";
import type { StoreAddress } from "./address.ts";

/**
 * Opens a connection.
 *
 * @param address Where the store is.
 * @param ca Certificates to trust beside the system's, as PEM.
 * @throws What keeps it from being opened, a refused password among it.
 */
export async function openRedis(address: StoreAddress, ca?: string): Promise<Wire> {
  // Loaded only where a store is set.
  const { createClient } = await import("@redis/client");
  const { host, port, tls, username, password, database } = address;
  const client = createClient({
    username,
    password,
    database,
    // Reconnecting, and what is done without a connection, is the business of `connection.ts`.
    disableOfflineQueue: true,
    maintNotifications: "disabled",
    socket: {
      host,
      port,
      reconnectStrategy: false,
      ...tls ? { tls: true as const, ...ca && { ca } } : {},
    },
  });
  const ended = Promise.withResolvers<unknown>();
  client.on("error", (cause: unknown) => ended.resolve(cause));
  client.on("end", () => ended.resolve(undefined));
  try {
    await client.connect();
  } catch (cause) {
    throw readable(cause);
  }
  return {
    ended: ended.promise,
    async run(commands: readonly Command[]): Promise<unknown[]> {
      try {
        return await Promise.all(commands.map((command) => client.sendCommand([...command])));
      } catch (cause) {
        throw readable(cause);
      }
    },
    close() {
      try {
        client.destroy();
      } catch {
        // It was closed already.
      }
    },
  };
}

/** Replies that are errors begin with a word in capitals; anything else is the connection's. */
const REPLY = /^(?:[A-Z]{2,}) \S/;

function readable(cause: unknown): unknown {
  const message = cause instanceof Error ? cause.message : "";
  return REPLY.test(message) ? new StoreReplyError(message, { cause }) : cause;
}
