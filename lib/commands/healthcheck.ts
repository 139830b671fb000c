/**
 * `fd-bridge healthcheck`: whether the bridge of these settings is up. It is for containers and service
 * managers, where there is no shell and no curl to ask with.
 *
 * @module
 */

import { isObject } from "../json.ts";
import { urlOf } from "../listen.ts";
import type { Start } from "../system/system.ts";
import { openOutside } from "./outside.ts";

/** How long the bridge may take, in milliseconds: less than the time that a container's check has. */
const TIME = 3_000;

/**
 * Asks `/healthz` at the host and port of the settings.
 *
 * @param start The machine and the settings.
 * @returns The exit code: 0 where a bridge says that it is up, 1 otherwise; a line says what was found.
 */
export async function healthcheck(start: Start): Promise<number> {
  const { system, config } = start;
  const url = `${urlOf(config.host, config.port)}/healthz`;
  const found = await ask(start, url);
  if (found === undefined) {
    system.out(`up: ${url}\n`);
    return 0;
  }
  system.err(`fd-bridge: ${url} ${found}\n`);
  return 1;
}

/** What is wrong with what answers there; undefined where nothing is. */
async function ask(start: Start, url: string): Promise<string | undefined> {
  await using outside = await openOutside(start, start.config);
  let response: Response;
  try {
    response = await outside.fetch(url, {
      redirect: "error",
      signal: AbortSignal.timeout(TIME),
    });
  } catch {
    return `gave no answer within ${
      TIME / 1_000
    } s: is the bridge running, and with this --host and --port?`;
  }
  const body: unknown = await response.json().catch(() => undefined);
  if (!response.ok) return `answered ${response.status}, expected 200.`;
  if (!isObject(body) || !String(body.program).startsWith("fd-bridge/")) {
    return "answered, but is no fd-bridge.";
  }
  return undefined;
}
