/**
 * The chat completions dialect, as the gateway's chat surfaces speak it. What a request must lose and
 * what a history needs are tables elsewhere (`sanitize.ts`, `history.ts`); the answers' repairs are
 * `enrich.ts`, for every dialect alike.
 *
 * @module
 */

import { mendHistory } from "../../adapt/history.ts";
import type { JsonObject } from "../../json.ts";
import type { ToolCallCache } from "../../adapt/tool_call_cache.ts";
import { sanitize, type Sanitized, type Target } from "../../adapt/sanitize.ts";

/**
 * A client's chat request → the body that a chat surface takes.
 *
 * @param body The client's body; it is not changed.
 * @param target Where it goes.
 * @param memory Where fields that chat clients drop were kept, by call.
 *
 * @example
 * ```ts
 * import { encodeChat } from "./request.ts";
 *
 * const { body } = encodeChat(
 *   { model: "m", messages: [{ role: "user", content: "hi" }], stream_options: {} },
 *   { path: "/mlflow/v1/chat/completions", model: "m", stream: true },
 * );
 * if ("stream_options" in body) throw new Error("it is refused");
 * ```
 */
export function encodeChat(body: JsonObject, target: Target, memory?: ToolCallCache): Sanitized {
  // The history first: it reads fields that only the client understands, before they go.
  return sanitize(mendHistory(body, target.model, memory), target);
}
