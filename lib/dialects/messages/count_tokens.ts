/**
 * `POST /messages/count_tokens`: an estimate.
 *
 * @module
 */

import { isObject, type JsonObject } from "../../json.ts";
import { estimateTokens } from "../../models/estimate_tokens.ts";
import { systemBlocks } from "./blocks.ts";

/** Says in an answer that its count is an estimate. */
export const ESTIMATE_HEADER = "x-fd-bridge-estimate";

/** What an image takes, in tokens: about a full screen's. */
const IMAGE = 1_600;

/** What every message takes beside its words. */
const MESSAGE = 4;

/** What the instructions take that make a model call tools. */
const TOOLS = 300;

/** Fields of blocks that aren't told to the model as words. */
const SILENT = new Set(["type", "cache_control", "signature", "id", "tool_use_id"]);

/** The words of a value, and the images in it. */
function wordsOf(value: unknown): { text: string; images: number } {
  if (typeof value === "string") return { text: value, images: 0 };
  if (isObject(value) && (value.type === "image" || value.type === "document")) {
    const source = isObject(value.source) ? value.source : {};
    if (source.type !== "text" && source.type !== "content") return { text: "", images: 1 };
  }
  const parts = Array.isArray(value)
    ? value.map(wordsOf)
    : isObject(value)
    ? Object.entries(value).filter(([name]) => !SILENT.has(name)).map(([name, inner]) =>
      name === "input" || name === "input_schema"
        ? { text: JSON.stringify(inner) ?? "", images: 0 }
        : wordsOf(inner)
    )
    : [];
  return {
    text: parts.map(({ text }) => text).filter((text) => text !== "").join("\n"),
    images: parts.reduce((sum, { images }) => sum + images, 0),
  };
}

/**
 * Estimates the tokens of a Messages request.
 *
 * @param body The request; its `max_tokens` may be missing.
 */
export function countTokens(body: JsonObject): number {
  const messages = Array.isArray(body.messages) ? body.messages : [];
  const tools = Array.isArray(body.tools) ? body.tools : [];
  const { text, images } = wordsOf([systemBlocks(body.system), messages, tools]);
  return estimateTokens(text) + images * IMAGE + messages.length * MESSAGE +
    (tools.length > 0 ? TOOLS : 0);
}
