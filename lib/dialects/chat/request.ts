/**
 * Chat completions requests on their way to a chat surface.
 *
 * @module
 */

import { repairHistory } from "../../adapt/history.ts";
import { sanitize } from "../../adapt/sanitize.ts";
import type { JsonObject } from "../../json.ts";
import type { CallScope, EncodedRequest, Target } from "../dialect.ts";

/**
 * A chat request as a chat surface takes it: first its history is repaired, because that reads fields
 * which only the client understands, then the fields go that the surface refuses.
 *
 * @param body A chat completions request; it is not changed.
 * @param target Where it goes.
 * @param calls What is cached for the conversation's tool calls.
 */
export function encodeChat(body: JsonObject, target: Target, calls?: CallScope): EncodedRequest {
  return sanitize(repairHistory(body, target.model, calls), target);
}
