/**
 * `fd-bridge logs --last-error`: the record of the last failed request of the running bridge, ready to
 * be pasted into a report.
 *
 * @module
 */

import { KEY_HEADER } from "../access.ts";
import { configFolder } from "../config/locate.ts";
import { BridgeError } from "../errors.ts";
import { keyPath } from "../gateway/tokens/mod.ts";
import { isObject } from "../json.ts";
import { urlOf } from "../listen.ts";
import { reportText } from "../observe/report.ts";
import type { RequestRecord } from "../observe/record.ts";
import type { Fetch } from "../gateway/fetch_client.ts";
import { openOutside } from "./outside.ts";
import type { Start } from "../system/system.ts";

/** How long the running bridge may take, in milliseconds. */
const TIME = 5_000;

/**
 * Asks the bridge that runs at the address of the settings.
 *
 * @param start The machine and the settings.
 * @returns The exit code: 0, also where nothing has failed.
 * @throws {BridgeError} kind `usage` without `--last-error`; `config` where no bridge answers.
 */
export async function logs(start: Start): Promise<number> {
  const { system, line, config } = start;
  if (line.flags["last-error"] !== true || line.words.length > 0) {
    throw new BridgeError(
      "usage",
      "Expected `fd-bridge logs --last-error`: the log itself goes to standard error of the running bridge.",
    );
  }
  const url = urlOf(config.host, config.port);
  await using outside = await openOutside(start, config);
  const key = config.clientKey ?? await ownKey(start);
  const [record, version] = await lastError(url, key, outside.fetch);
  if (line.flags.json === true) {
    system.out(JSON.stringify(record ?? null, null, 2) + "\n");
    return 0;
  }
  system.out(
    record === undefined
      ? `No request of the bridge at ${url} has failed since it started.\n`
      : reportText(record, version),
  );
  return 0;
}

/** The key of a bridge with tokens of its own, where there is one. */
async function ownKey({ system }: Start): Promise<string | undefined> {
  if (configFolder(system) === undefined || system.machine === undefined) return undefined;
  const text = await system.readText(keyPath(system)).catch(() => undefined);
  return text?.trim() || undefined;
}

async function lastError(
  url: string,
  key: string | undefined,
  ask: Fetch,
): Promise<[RequestRecord | undefined, string]> {
  let response: Response;
  try {
    response = await ask(`${url}/api/requests?status=error&limit=1`, {
      headers: key === undefined ? {} : { [KEY_HEADER]: key },
      redirect: "error",
      signal: AbortSignal.timeout(TIME),
    });
  } catch (cause) {
    throw new BridgeError(
      "config",
      `No bridge answers at ${url}: is it running? Name its port with --port, as it was started.`,
      { cause },
    );
  }
  const body: unknown = await response.json().catch(() => undefined);
  if (response.status === 401) {
    throw new BridgeError(
      "config",
      `The bridge at ${url} asks for its key: give it with --client-key or FD_BRIDGE_CLIENT_KEY.`,
    );
  }
  if (response.status === 404) {
    throw new BridgeError(
      "config",
      `${url} has no record of requests: is it a bridge, started without --no-page?`,
    );
  }
  if (!response.ok || !isObject(body) || !Array.isArray(body.requests)) {
    throw new BridgeError("config", `What answers at ${url} is no fd-bridge of this version.`);
  }
  return [body.requests[0], String(body.version ?? "")];
}
