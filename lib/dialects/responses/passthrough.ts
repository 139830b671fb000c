/**
 * Requests that are written in the Responses API already: they pass, without the few fields that the
 * gateway refuses.
 *
 * @module
 */

import type { JsonObject } from "../../json.ts";
import { withoutField } from "../../adapt/sanitize.ts";

/** Field → why it is taken out (`gateway.md`, "What requests are refused for"). What a client relies on is not among them. */
export const PASSTHROUGH_FIELDS: Readonly<Record<string, string>> = {
  store: "refused with 400; the gateway stores nothing",
  service_tier: "refused with 400",
  background: "refused with 400",
  stream_options: "refused with 400",
  metadata: "refused with 400",
};

/** The least `max_output_tokens` (`gateway.md`). */
const LEAST_OUTPUT = 16;

/**
 * A Responses request as the gateway takes it.
 *
 * @param body The client's body; it is not changed.
 *
 * @example
 * ```ts
 * import { encodePassthrough } from "./passthrough.ts";
 *
 * const body = encodePassthrough({ model: "m", input: "hi", store: false, max_output_tokens: 5 });
 * if ("store" in body || body.max_output_tokens !== 16) throw new Error("as the gateway takes it");
 * ```
 */
export function encodePassthrough(body: JsonObject): JsonObject {
  let clean = body;
  for (const field of Object.keys(PASSTHROUGH_FIELDS)) clean = withoutField(clean, field);
  const most = clean.max_output_tokens;
  return typeof most === "number" && most < LEAST_OUTPUT
    ? { ...clean, max_output_tokens: LEAST_OUTPUT }
    : clean;
}
