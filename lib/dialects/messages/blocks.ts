/**
 * What every part of the Messages dialect needs to know about content blocks.
 *
 * @module
 */

import { isObject, type JsonObject } from "../../json.ts";

/** The value if it is a string, else an empty string. */
export function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}

/** The blocks of a content: a string is one block of text. */
export function blocksOf(content: unknown): JsonObject[] {
  if (typeof content === "string") return content === "" ? [] : [{ type: "text", text: content }];
  return Array.isArray(content) ? content.filter(isObject) : [];
}

/**
 * How Claude Code's first system block begins. It changes with each request, so that no prompt would ever be
 * read from the cache behind it (`clients.md`, "Claude Code").
 */
const BILLING = "x-anthropic-billing-header:";

/** The blocks of a request's `system`, without the billing header. */
export function systemBlocks(system: unknown): JsonObject[] {
  return blocksOf(system).filter(({ text }) => !textOf(text).startsWith(BILLING));
}

/** The JSON of a tool's input; what is no object becomes one. */
export function inputOf(text: string): JsonObject {
  try {
    const value: unknown = JSON.parse(text === "" ? "{}" : text);
    return isObject(value) ? value : { value };
  } catch {
    return {};
  }
}

/** Whether a text is JSON. */
export function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** What ids of tool calls may hold. */
const ID = /^[a-zA-Z0-9_-]+$/;

/**
 * An id of a tool call as Claude takes it: other models' may hold dots and colons, as in
 * `functions.Bash:0`. The same id always becomes the same one.
 */
export function callId(id: unknown): string {
  const text = textOf(id);
  return text === "" || ID.test(text) ? text : text.replace(/[^a-zA-Z0-9_-]/g, "_");
}

/** Whether the input of a call has nothing in it. */
export function isEmptyInput(input: unknown): boolean {
  return !isObject(input) || Object.keys(input).length === 0;
}

/** A block as its `content_block_start` has it: without what the deltas bring. */
export function emptied(block: JsonObject): JsonObject {
  switch (block.type) {
    case "text":
      return { ...block, text: "" };
    case "thinking":
      return { ...block, thinking: "", signature: "" };
    case "tool_use":
      return { ...block, input: {} };
    default:
      return block;
  }
}

/** The deltas that make an {@linkcode emptied} block complete. */
export function deltasOf(block: JsonObject): JsonObject[] {
  switch (block.type) {
    case "text":
      return [{ type: "text_delta", text: block.text }];
    case "thinking":
      return [
        { type: "thinking_delta", thinking: block.thinking },
        ...textOf(block.signature) === ""
          ? []
          : [{ type: "signature_delta", signature: block.signature }],
      ];
    case "tool_use":
      return isEmptyInput(block.input)
        ? []
        : [{ type: "input_json_delta", partial_json: JSON.stringify(block.input) }];
    default:
      return [];
  }
}

/** The message of a `message_start` event: without content and ending. */
export function beginMessage(id: string, model: string, usage: JsonObject): JsonObject {
  return {
    id,
    type: "message",
    role: "assistant",
    model,
    content: [],
    stop_reason: null,
    stop_sequence: null,
    usage,
  };
}
