/**
 * What every request to the gateway has alike, whatever it asks for: who asks, and the headers.
 *
 * @module
 */

import { type Credentials, readCredentials, shownCredentials } from "./access.ts";
import type { App } from "./app.ts";
import type { JsonObject } from "./json.ts";
import { admit } from "./keys/mod.ts";
import type { Exchange } from "./observe/exchange.ts";

/** A client's headers that are passed on (`gateway.md`): those that tag a request. */
const TAGS = ["databricks-ai-gateway-request-tags", "x-databricks-workspace-id"];

/** Those that route it: not from a client whose key may ask some models only, for they lead to others. */
const ROUTES = ["databricks-model-provider-service", "databricks-model-service-parent-schema"];

/**
 * Who asks. A bridge with tokens of its own takes its key, which the router has checked.
 *
 * @throws {BridgeError} kind `unauthenticated`, where a token is needed and none is shown.
 */
export function credentialsOf(headers: Headers, app: App): Credentials {
  if (app.keys) {
    const { key } = shownCredentials(headers);
    return app.tokens
      // The key tells one client's conversations from another's.
      ? { authorization: `Bearer ${key}`, secrets: [key, ...app.tokens.secrets] }
      : readCredentials(headers, { ...app.config, clientKey: key });
  }
  return app.key
    // The list of secrets grows with every token.
    ? { authorization: `Bearer ${app.key.value}`, secrets: app.tokens!.secrets }
    : readCredentials(headers, app.config);
}

/**
 * Checks a request against the limits of its client's key, where clients have keys; the exchange settles them
 * when it ends.
 *
 * @throws {BridgeError} kind `forbidden` for a model that the key may not ask, `limit` over a limit.
 */
export async function admitTo(
  app: App,
  exchange: Exchange,
  headers: Headers,
  body: JsonObject,
): Promise<void> {
  const key = app.keys?.check(headers);
  const { model } = exchange;
  if (key === undefined || model === undefined) return;
  const price = app.price?.(model);
  exchange.settle = await admit({ key, model, body, price }, app.counters);
}

/** What the gateway is told beside the body. A client's other headers are its own business. */
export function gatewayHeaders(
  from: Headers,
  stream: boolean,
  { userAgent, keys }: App,
): Record<string, string> {
  const client = from.get("user-agent");
  const headers: Record<string, string> = {
    "content-type": "application/json",
    accept: stream ? "text/event-stream" : "application/json",
    // A compressed stream would come in blocks.
    "accept-encoding": "identity",
    "user-agent": client ? `${client} ${userAgent}` : userAgent,
  };
  const limited = keys?.find(shownCredentials(from).key)?.models !== undefined;
  for (const name of limited ? TAGS : [...TAGS, ...ROUTES]) {
    const value = from.get(name);
    if (value) headers[name] = value;
  }
  return headers;
}
