/**
 * What the Anthropic surface refuses. Sources: gateway.md, "Refused on the Anthropic surface", and
 * Anthropic's API reference for the words.
 *
 * @module
 */

import { signatureOf } from "./chat_deltas.ts";
import { isObject, type JsonObject, objectsIn } from "./json.ts";
import type { RefusalRule } from "./refusals.ts";

const ID = /^[a-zA-Z0-9_-]+$/;

function rule(name: string, refuse: RefusalRule["refuse"]): RefusalRule {
  return { name, surfaces: ["anthropic"], status: 400, shape: "anthropic", refuse };
}

/** Every block of a request, with its path in Anthropic's words. */
function blocksOf({ messages }: JsonObject): { path: string; block: JsonObject }[] {
  return objectsIn(messages).flatMap(({ content }, at) =>
    objectsIn(content).map((block, index) => ({
      path: `messages.${at}.content.${index}`,
      block,
    }))
  );
}

function hasScope(block: JsonObject): boolean {
  return isObject(block.cache_control) && "scope" in block.cache_control;
}

/** Rules for the Anthropic surface. */
export const MESSAGES_RULES: readonly RefusalRule[] = [
  rule(
    "another family on the Anthropic surface",
    ({ family, model }) =>
      family.decoder === "claude"
        ? undefined
        : `Native_api_type=anthropic is not supported for provider of ${model.asked}.`,
  ),
  rule(
    "Messages without a maximum",
    ({ body }) => body.max_tokens === undefined ? "max_tokens: Field required" : undefined,
  ),
  rule("eager input streaming", ({ body }) => {
    const at = objectsIn(body.tools).findIndex((tool) => "eager_input_streaming" in tool);
    return at === -1
      ? undefined
      : `tools.${at}.custom.eager_input_streaming: Extra inputs are not permitted`;
  }),
  rule("scope of a mark for the cache", ({ body }) => {
    const system = objectsIn(body.system).findIndex(hasScope);
    const path = system === -1
      ? blocksOf(body).find(({ block }) => hasScope(block))?.path
      : `system.${system}`;
    return path && `${path}.cache_control.ephemeral.scope: Extra inputs are not permitted`;
  }),
  rule(
    "empty text block",
    ({ body }) =>
      blocksOf(body).some(({ block }) => block.type === "text" && block.text === "")
        ? "messages: text content blocks must be non-empty"
        : undefined,
  ),
  rule("thinking that Claude has not signed", ({ body }) => {
    const found = blocksOf(body).find(({ block }) =>
      block.type === "thinking" && block.signature !== signatureOf(`${block.thinking}`)
    );
    return found && `${found.path}: Invalid \`signature\` in \`thinking\` block`;
  }),
  rule("id of a tool call", ({ body }) => {
    const found = blocksOf(body).find(({ block }) =>
      block.type === "tool_use" && !ID.test(`${block.id}`)
    );
    return found && `${found.path}.tool_use.id: String should match pattern '${ID.source}'`;
  }),
];
