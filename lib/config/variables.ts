/**
 * Variables that are no setting of the bridge's: the workspace's address and its token. They are read
 * when a command asks for them, and kept nowhere.
 *
 * @module
 */

import { readEnvFile } from "./locate.ts";
import type { Start } from "../system/system.ts";

/**
 * A variable of the environment, else of the `.env` file in force. An empty one counts as not set.
 *
 * @param start The machine and the files in force.
 * @param name The variable.
 * @throws {BridgeError} kind `config`, when the `.env` file can't be read.
 *
 * @example
 * ```ts
 * import type { Start } from "../system/system.ts";
 * import { variableOf } from "./variables.ts";
 *
 * const system = {
 *   os: "linux",
 *   variable: () => undefined,
 *   readText: () => Promise.resolve("DATABRICKS_HOST=adb-1.2.azuredatabricks.net\n"),
 * };
 * const host = await variableOf({ system, envPath: ".env" } as unknown as Start, "DATABRICKS_HOST");
 * if (host !== "adb-1.2.azuredatabricks.net") throw new Error(host);
 * ```
 */
export async function variableOf(
  { system, envPath }: Pick<Start, "system" | "envPath">,
  name: string,
): Promise<string | undefined> {
  const value = system.variable(name);
  if (value) return value;
  if (envPath === undefined) return undefined;
  const file = await readEnvFile(envPath, system, system.readText);
  return file?.variables[name] || undefined;
}
