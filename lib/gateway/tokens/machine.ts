/**
 * The machine as the sources of tokens need it.
 *
 * @module
 */

import { variableOf } from "../../config/variables.ts";
import type { Start } from "../../system/system.ts";
import type { SendRequest } from "./oauth_m2m.ts";
import { TOKEN_VARIABLES, type TokenMachine } from "./resolve.ts";

/** What a `.env` may say to the sources. */
const IN_ENV_FILES: ReadonlySet<string> = new Set([...TOKEN_VARIABLES, "DATABRICKS_AUTH_STORAGE"]);

/**
 * The machine that the program runs on. The variables that choose a source may stand in `.env` files;
 * where programs and the home folder are is for the environment alone to say, because a folder's `.env`
 * may be somebody else's.
 *
 * @param start The machine and the `.env` files in force.
 * @param send Sends requests, through the proxies and with the certificates in force.
 */
export function tokenMachine(
  start: Pick<Start, "system" | "env">,
  send: SendRequest,
): TokenMachine {
  const { system } = start;
  return {
    os: system.os,
    variable: (name) =>
      (IN_ENV_FILES.has(name) ? variableOf(start, name) : system.variable(name)) || undefined,
    readText: system.readText,
    send,
  };
}
