/**
 * The machine as the sources of tokens need it.
 *
 * @module
 */

import { readEnvFile } from "../../config/locate.ts";
import type { Start } from "../../system/system.ts";
import type { SendRequest } from "./oauth_m2m.ts";
import type { TokenMachine } from "./resolve.ts";

/**
 * The machine that the program runs on, with the variables of the `.env` file in force behind those of
 * the environment. An empty variable counts as not set.
 *
 * @param start The machine and the `.env` file in force.
 * @param send Sends requests, through the proxies and with the certificates in force.
 * @throws {BridgeError} kind `config`, when the `.env` file can't be read.
 */
export async function tokenMachine(
  { system, envPath }: Pick<Start, "system" | "envPath">,
  send: SendRequest,
): Promise<TokenMachine> {
  const file = envPath === undefined
    ? undefined
    : await readEnvFile(envPath, system, system.readText);
  return {
    os: system.os,
    variable: (name) => system.variable(name) || file?.variables[name] || undefined,
    readText: system.readText,
    send,
  };
}
