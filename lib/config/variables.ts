/**
 * Variables that are no setting of the bridge's, such as the workspace's address and its token. They are
 * read when a command asks for them, and kept nowhere.
 *
 * @module
 */

import type { Start } from "../system/system.ts";

/**
 * A variable of the environment, else of the `.env` files. An empty one counts as not set.
 *
 * @param start The machine and the files in force.
 * @param name The variable.
 */
export function variableOf(
  { system, env }: Pick<Start, "system" | "env">,
  name: string,
): string | undefined {
  return system.variable(name) || env.variables[name] || undefined;
}
