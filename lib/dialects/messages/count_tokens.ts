/**
 * `POST /messages/count_tokens`: an estimate.
 *
 * @module
 */

import { isObject, type JsonObject } from "../../json.ts";
import { type CountingRules, countRequest } from "../token_count.ts";
import { systemBlocks } from "./blocks.ts";

/** What an image takes, in tokens: about a full screen's. */
const IMAGE = 1_600;

const RULES: CountingRules = {
  fixed({ type, source }) {
    if (type !== "image" && type !== "document") return undefined;
    const kind = isObject(source) ? source.type : undefined;
    return kind === "text" || kind === "content" ? undefined : IMAGE;
  },
  silent: new Set(["type", "cache_control", "signature", "id", "tool_use_id"]),
  json: new Set(["input", "input_schema"]),
};

/**
 * Estimates the tokens of a Messages request.
 *
 * @param body The request; its `max_tokens` may be missing.
 * @param model The model that it is for.
 * @param signal Ends the counting.
 * @throws The signal's reason, when it is aborted.
 */
export async function countTokens(
  body: JsonObject,
  model: string,
  signal?: AbortSignal,
): Promise<number> {
  const messages = Array.isArray(body.messages) ? body.messages : [];
  const tools = Array.isArray(body.tools) ? body.tools : [];
  const system = systemBlocks(body.system);
  return await countRequest({ model, system, messages, tools }, RULES, signal);
}
