/**
 * What a request can't do without: a refusal that names one of these is the answer, because the same
 * request without it is another one.
 *
 * @module
 */

/** Top-level fields that carry the request itself, in any dialect. */
const VITAL_ROOTS = new Set([
  "model",
  "messages",
  "input",
  "contents",
  "instructions",
  "system",
  "systemInstruction",
  "system_instruction",
  "tools",
  "functions",
  "stream",
  "generationConfig",
  "generation_config",
  // The conversation itself: without them the model answers as if nothing had been said before.
  "previous_response_id",
  "conversation",
  "prompt",
  "background",
]);

/** Below the top level: what a message, an item, a part or a tool consists of. */
const VITAL_NAMES = new Set([
  "type",
  "role",
  "content",
  "parts",
  "text",
  "tool_calls",
  "function_call",
  "function",
  "custom",
  "functionDeclarations",
  "function_declarations",
  "functionCall",
  "functionResponse",
  "arguments",
  "args",
  "input",
  "output",
  "response",
  "call_id",
  "tool_call_id",
  "tool_use_id",
  "parameters",
  "input_schema",
  "parametersJsonSchema",
  "description",
  "json_schema",
  "schema",
  "format",
  "responseSchema",
  "image_url",
  "url",
  "source",
  "data",
  "media_type",
  "file",
  "file_id",
  "file_data",
  "file_url",
  "input_audio",
  "inlineData",
  "fileData",
  "thinking",
  "signature",
  "encrypted_content",
  "summary",
  "refusal",
]);

/** Vital in these places, and optional elsewhere: a message's `name` and `id` say nothing to a model. */
const VITAL_PATHS =
  /^tools\[\]\.(?:.*\.)?name$|^messages\[\]\.tool_calls\[\]\.(?:.*\.)?(?:id|name)$|^input\[\]\.name$|^(?:messages|input|contents)\[\]\.(?:content|parts)\[\]\.(?:.*\.)?(?:id|name)$|^tool_choice\.|^functions\[\]\./;

/** Fields whose `summary`, `format` and `type` are wishes, not content. */
const WISHES = /^(?:reasoning|text|output_config)\./;

/**
 * Whether a request can't do without a field.
 *
 * @param path Its path: `messages[].role`.
 *
 * @example
 * ```ts
 * import { assert } from "@std/assert";
 * import { isVital } from "./vital.ts";
 *
 * assert(isVital("previous_response_id") && isVital("messages[].content"));
 * assert(!isVital("seed") && !isVital("messages[].name"));
 * ```
 */
export function isVital(path: string): boolean {
  const segments = path.replaceAll("[]", "").split(".");
  if (segments.length === 1) return VITAL_ROOTS.has(path);
  const name = segments[segments.length - 1];
  if (WISHES.test(path) && name !== "type") return false;
  return VITAL_NAMES.has(name) || VITAL_PATHS.test(path);
}
