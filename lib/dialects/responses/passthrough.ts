/**
 * The older name of {@linkcode passRequest}.
 *
 * @module
 */

import type { JsonObject } from "../../json.ts";
import { passRequest } from "./pass.ts";

/**
 * A Responses request as the gateway takes it; see {@linkcode passRequest}.
 *
 * @param body The client's body; it is not changed.
 */
export function encodePassthrough(body: JsonObject): JsonObject {
  return passRequest(body).body;
}
