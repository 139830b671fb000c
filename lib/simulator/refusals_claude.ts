/**
 * What Claude refuses on chat surfaces. Sources: gateway.md, and Anthropic's API reference for the
 * words.
 *
 * @module
 */

import { signatureOf } from "./chat_deltas.ts";
import { isObject, type JsonObject, objectsIn } from "./json.ts";
import type { GatewayRequest, RefusalRule } from "./refusals.ts";
import { CHAT } from "./refusals_chat.ts";

/** The fields that reach Claude; any other is an extra input. */
const FIELDS = new Set([
  ...["model", "messages", "stream", "stream_options", "max_tokens", "max_completion_tokens"],
  ...["temperature", "top_p", "top_k", "stop", "n", "tools", "tool_choice", "response_format"],
  ...["thinking", "output_config", "user"],
]);

/** The least tokens that thinking may be given. */
const MIN_BUDGET = 1024;

/** What the answer is limited to where a request sets no limit. */
const DEFAULT_MAX_TOKENS = 4096;

const EFFORTS: readonly unknown[] = ["low", "medium", "high", "max"];

/** Rules for Claude. */
export const CLAUDE_RULES: readonly RefusalRule[] = [
  rule("field that Claude does not know", ({ body }) => {
    const field = Object.keys(body).find((name) => !FIELDS.has(name)) ??
      objectsIn(body.messages).flatMap((message, index) =>
        ["reasoning_content", "reasoning_details"].filter((name) => name in message)
          .map((name) => `messages.${index}.${name}`)
      )[0];
    return field && `${field}: Extra inputs are not permitted`;
  }),
  rule("sampling of an adaptive Claude", ({ family, body }) => {
    if (family.name !== "claude-adaptive") return undefined;
    const field = ["temperature", "top_p", "top_k"].find((name) => name in body);
    return field && `\`${field}\` is deprecated for this model.`;
  }),
  rule(
    "thinking budget of an adaptive Claude",
    ({ family, body }) =>
      family.name === "claude-adaptive" && thinkingOf(body).type === "enabled"
        ? '"thinking.type.enabled" is not supported for this model. Use "thinking.type.adaptive" ' +
          'and "output_config.effort" to control thinking behavior.'
        : undefined,
  ),
  rule(
    "adaptive thinking of an older Claude",
    ({ family, body }) =>
      family.name === "claude" && thinkingOf(body).type === "adaptive"
        ? "adaptive thinking is not supported on this model"
        : undefined,
  ),
  rule("effort that Claude does not know", ({ body }) => {
    const config = isObject(body.output_config) ? body.output_config : {};
    return "effort" in config && !EFFORTS.includes(config.effort)
      ? "output_config.effort: Input should be 'low', 'medium', 'high' or 'max'"
      : undefined;
  }),
  rule("thinking budget too small", ({ body }) => {
    const { type, budget_tokens: budget } = thinkingOf(body);
    if (type !== "enabled") return undefined;
    if (typeof budget !== "number") return "thinking.enabled.budget_tokens: Field required";
    return budget < MIN_BUDGET
      ? `thinking.enabled.budget_tokens: Input should be greater than or equal to ${MIN_BUDGET}`
      : undefined;
  }),
  rule("thinking budget not below max_tokens", ({ body }) => {
    const { type, budget_tokens: budget } = thinkingOf(body);
    return type === "enabled" && typeof budget === "number" && budget >= limitOf(body)
      ? "`max_tokens` must be greater than `thinking.budget_tokens`."
      : undefined;
  }),
  rule(
    "temperature beside thinking",
    ({ body }) =>
      thinkingOf(body).type === "enabled" && "temperature" in body && body.temperature !== 1
        ? "`temperature` may only be set to 1 when thinking is enabled."
        : undefined,
  ),
  rule("output limit of Claude", ({ family, model, body }) => {
    const most = family.maxOutput ?? Infinity;
    return limitOf(body) > most
      ? `max_tokens: ${limitOf(body)} > ${most}, which is the maximum allowed number of output ` +
        `tokens for ${model.bare}`
      : undefined;
  }),
  rule("empty text block", ({ body }) => {
    const index = objectsIn(body.messages).findIndex(({ content }) =>
      objectsIn(content).some((part) => part.type === "text" && part.text === "")
    );
    return index < 0 ? undefined : `messages.${index}: text content blocks must be non-empty`;
  }),
  rule("empty message", ({ body }) => {
    const index = objectsIn(body.messages).findIndex(({ role, content }) =>
      role === "user" && (content === "" || content === null)
    );
    return index < 0 ? undefined : `messages.${index}: user messages must have non-empty content`;
  }),
  rule("empty text beside tool calls", ({ family, body }) => {
    const index = objectsIn(body.messages).findIndex(({ content, tool_calls: calls }) =>
      content === "" && objectsIn(calls).length > 0
    );
    return family.name === "claude-adaptive" && index >= 0
      ? `messages.${index}: text content blocks must be non-empty`
      : undefined;
  }),
  rule("tool result without its call", ({ body }) => {
    const { orphan } = toolHistory(objectsIn(body.messages));
    return orphan &&
      `messages.${orphan.index}.content.0: unexpected \`tool_use_id\` found in \`tool_result\` ` +
        `blocks: ${orphan.id}. Each \`tool_result\` block must have a corresponding \`tool_use\` ` +
        "block in the previous message.";
  }),
  rule("tool results not together", ({ body }) => {
    const { unanswered } = toolHistory(objectsIn(body.messages));
    return unanswered &&
      `messages.${unanswered.index}: \`tool_use\` ids were found without \`tool_result\` blocks ` +
        `immediately after: ${unanswered.ids.join(", ")}. Each \`tool_use\` block must have a ` +
        "corresponding `tool_result` block in the next message.";
  }),
  rule("signature that does not fit", ({ body }) => {
    const index = objectsIn(body.messages).findIndex(({ content }) =>
      thoughtIn(content).some(({ text, signature }) => signature !== signatureOf(`${text}`))
    );
    return index < 0
      ? undefined
      : `messages.${index}.content.0: Invalid \`signature\` in \`thinking\` block`;
  }),
  rule("thinking lost between tool calls", ({ body }) => {
    if (thinkingOf(body).type !== "enabled") return undefined;
    const messages = objectsIn(body.messages);
    const user = messages.findLastIndex(({ role }) => role === "user");
    const index = messages.findIndex(({ role, content, tool_calls: calls }, at) =>
      at > user && role === "assistant" && objectsIn(calls).length > 0 &&
      thoughtIn(content).length === 0
    );
    return index < 0
      ? undefined
      : `messages.${index}.content.0.type: Expected \`thinking\` or \`redacted_thinking\`, but ` +
        "found `tool_use`. When `thinking` is enabled, a final `assistant` message must start " +
        "with a thinking block (preceeding the lastmost set of `tool_use` and `tool_result` blocks).";
  }),
];

function rule(
  name: string,
  refuse: (request: GatewayRequest) => string | undefined,
): RefusalRule {
  return {
    name: name.includes("Claude") ? name : `${name}, for Claude`,
    surfaces: CHAT,
    status: 400,
    shape: "anthropic",
    refuse: (request) => request.family.decoder === "claude" ? refuse(request) : undefined,
  };
}

function thinkingOf(body: JsonObject): JsonObject {
  return isObject(body.thinking) ? body.thinking : {};
}

function limitOf(body: JsonObject): number {
  const limit = body.max_tokens ?? body.max_completion_tokens;
  return typeof limit === "number" ? limit : DEFAULT_MAX_TOKENS;
}

/** The thinking blocks of a message, in the form in which the gateway streams them. */
function thoughtIn(content: unknown): JsonObject[] {
  return objectsIn(content).filter((part) => part.type === "reasoning")
    .flatMap((part) => objectsIn(part.summary));
}

function toolHistory(messages: readonly JsonObject[]): {
  orphan?: { index: number; id: string };
  unanswered?: { index: number; ids: string[] };
} {
  let open = new Set<string>();
  let asked = 0;
  for (const [index, message] of messages.entries()) {
    if (message.role === "tool") {
      const id = `${message.tool_call_id}`;
      if (!open.delete(id)) return { orphan: { index, id } };
      continue;
    }
    if (open.size > 0) break;
    open = new Set(objectsIn(message.tool_calls).map((call) => `${call.id}`));
    asked = index;
  }
  return open.size > 0 ? { unanswered: { index: asked, ids: [...open] } } : {};
}
