/**
 * Cleans names of tools: models of OpenAI's Harmony format now and then leak a channel's token into the
 * name, such as `shell<|channel|>commentary`, or its namespace, such as `functions.shell`.
 *
 * @module
 */

/** Where a token of the model's own format begins. */
const TOKEN = "<|";

/** The namespace under which Harmony lists all tools. */
const NAMESPACE = "functions.";

/**
 * A tool's name without what the model's own format left in it.
 *
 * @param name The name as the model or the client wrote it.
 * @param offered The names of the request's tools; a namespace goes only where what is left is one of them.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { cleanToolName } from "./tool_names.ts";
 *
 * assertEquals(cleanToolName("shell<|channel|>commentary"), "shell");
 * assertEquals(cleanToolName("functions.shell", new Set(["shell"])), "shell");
 * ```
 */
export function cleanToolName(name: string, offered?: ReadonlySet<string>): string {
  if (offered?.has(name)) return name;
  const at = name.indexOf(TOKEN);
  const cut = (at < 0 ? name : name.slice(0, at)).trim();
  const bare = cut.startsWith(NAMESPACE) ? cut.slice(NAMESPACE.length) : cut;
  if (bare !== "" && offered?.has(bare)) return bare;
  return cut === "" ? name : cut;
}
