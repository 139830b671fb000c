/**
 * A complete answer for encoders, which read chunks.
 *
 * @module
 */

import { isObject, type JsonObject } from "../json.ts";

/**
 * A `chat.completion` as one chunk: each message is a delta, and its calls are numbered.
 *
 * @param completion The completion; it is not changed.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { completionChunk } from "./completion_chunk.ts";
 *
 * const message = { content: null, tool_calls: [{ id: "call_1" }] };
 * const { choices } = completionChunk({ choices: [{ index: 0, message, finish_reason: "tool_calls" }] });
 * const delta = { content: null, tool_calls: [{ id: "call_1", index: 0 }] };
 * assertEquals(choices, [{ index: 0, finish_reason: "tool_calls", delta }]);
 * ```
 */
export function completionChunk(completion: JsonObject): JsonObject {
  const choices = Array.isArray(completion.choices) ? completion.choices : [];
  return {
    ...completion,
    choices: choices.filter(isObject).map(({ message, ...choice }) => ({
      ...choice,
      delta: isObject(message) ? numbered(message) : {},
    })),
  };
}

function numbered(message: JsonObject): JsonObject {
  const { tool_calls: calls } = message;
  if (!Array.isArray(calls)) return message;
  return {
    ...message,
    tool_calls: calls.filter(isObject).map((call, index) => ({ ...call, index })),
  };
}
