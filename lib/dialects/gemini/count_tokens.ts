/**
 * `POST /v1beta/models/{model}:countTokens`: an estimate.
 *
 * @module
 */

import { isObject, type JsonObject } from "../../json.ts";
import { type CountingRules, countRequest } from "../token_count.ts";

/** What an image or a file takes, in tokens: about a screen's in tiles of 258. */
const FILE = 1_032;

const RULES: CountingRules = {
  fixed: (part) =>
    ["inlineData", "inline_data", "fileData", "file_data"].some((name) => name in part)
      ? FILE
      : undefined,
  silent: new Set(["role", "thoughtSignature", "thought_signature", "id"]),
  json: new Set(["args", "response", "parameters", "parametersJsonSchema"]),
};

/**
 * Estimates the tokens of a request of Google's dialect.
 *
 * @param body The contents by themselves, or a whole request as `generateContentRequest`.
 * @param model The model that it is for.
 * @param signal Ends the counting.
 * @throws The signal's reason, when it is aborted.
 */
export async function countTokens(
  body: JsonObject,
  model: string,
  signal?: AbortSignal,
): Promise<number> {
  const asked = isObject(body.generateContentRequest) ? body.generateContentRequest : body;
  const listed = (value: unknown) => Array.isArray(value) ? value : value ? [value] : [];
  return await countRequest(
    {
      model,
      system: asked.systemInstruction ?? asked.system_instruction,
      messages: listed(asked.contents),
      tools: listed(asked.tools),
    },
    RULES,
    signal,
  );
}
