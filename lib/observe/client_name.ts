/**
 * The name of a client, out of its user agent.
 *
 * @module
 */

import { maskSecrets } from "../errors.ts";

/** What a client without a name is called. */
const UNKNOWN = "unknown";

/**
 * The name of a client: the first product of its user agent, without its version.
 *
 * @param userAgent The header.
 * @returns At most 40 printable characters; `browser` for a web browser.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { clientName } from "./client_name.ts";
 *
 * assertEquals(clientName("claude-cli/2.1.332 (external, cli)"), "claude-cli");
 * assertEquals(clientName("Mozilla/5.0 (X11) Firefox/150.0"), "browser");
 * assertEquals(clientName(null), "unknown");
 * ```
 */
export function clientName(userAgent: string | null | undefined): string {
  const product = /^\s*([^\s/(;,]{1,200})/.exec(userAgent ?? "")?.[1] ?? "";
  // deno-lint-ignore no-control-regex
  const name = maskSecrets(product.replace(/[\x00-\x1f\x7f-\x9f\u2028\u2029]/g, ""));
  if (name === "Mozilla") return "browser";
  return name.slice(0, 40).toWellFormed() || UNKNOWN;
}
