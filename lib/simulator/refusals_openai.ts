/**
 * What OpenAI's models refuse in chat bodies. Sources: gateway.md, and OpenAI's API reference for the
 * words about a broken history.
 *
 * @module
 */

import { isObject, type JsonObject, objectsIn } from "./json.ts";
import type { RefusalRule } from "./refusals.ts";
import { CHAT, formatOf } from "./refusals_chat.ts";

/** The fields that OpenAI's chat completions know. */
const OPENAI_FIELDS = new Set([
  ...["model", "messages", "stream", "max_tokens", "temperature", "top_p", "stop", "n", "tools"],
  ...["tool_choice", "response_format", "reasoning_effort"],
  ...["stream_options", "seed", "max_completion_tokens", "frequency_penalty", "presence_penalty"],
  ...["logit_bias", "logprobs", "top_logprobs", "metadata", "store", "parallel_tool_calls"],
  ...["user", "verbosity", "modalities", "prediction", "prompt_cache_key", "safety_identifier"],
]);

/** Rules for OpenAI's models on chat surfaces. */
export const OPENAI_RULES: readonly RefusalRule[] = [
  {
    name: "json_schema without a name",
    surfaces: CHAT,
    status: 400,
    shape: "openai",
    code: "missing_required_parameter",
    refuse: ({ family, body }) => {
      const { type, json_schema: schema } = formatOf(body);
      return family.decoder === "openai" && type === "json_schema" &&
          !(isObject(schema) && typeof schema.name === "string")
        ? "Missing required parameter: 'response_format.json_schema.name'."
        : undefined;
    },
  },
  {
    name: "field that OpenAI does not know",
    surfaces: CHAT,
    status: 400,
    shape: "openai",
    code: "unknown_parameter",
    refuse: ({ family, body }) => {
      if (family.decoder !== "openai" || "input" in body) return undefined;
      const field = Object.keys(body).find((name) => !OPENAI_FIELDS.has(name)) ??
        objectsIn(body.messages).flatMap((message, index) =>
          "reasoning_details" in message ? [`messages[${index}].reasoning_details`] : []
        )[0];
      return field && `Unknown parameter: '${field}'.`;
    },
  },
  {
    name: "max_tokens passed through",
    surfaces: ["cursor"],
    status: 400,
    shape: "openai",
    code: "unsupported_parameter",
    refuse: ({ family, body }) =>
      family.decoder === "openai" && "max_tokens" in body
        ? "Unsupported parameter: 'max_tokens' is not supported with this model. Use " +
          "'max_completion_tokens' instead."
        : undefined,
  },
  {
    name: "reasoning_effort none for an old GPT",
    surfaces: CHAT,
    status: 400,
    shape: "databricks",
    refuse: ({ model, body }) =>
      isBefore51(model.bare) && body.reasoning_effort === "none"
        ? `BAD_REQUEST: ${noneNotSupported(model.bare)}`
        : undefined,
  },
  {
    name: "function tools on a chat surface",
    surfaces: CHAT,
    status: 400,
    shape: "text",
    refuse: ({ family, model, body }) =>
      !family.chatTools && !("input" in body) && objectsIn(body.tools).length > 0 &&
        body.reasoning_effort !== "none"
        ? `Function tools with reasoning_effort are not supported for ${model.bare} in ` +
          "/v1/chat/completions. To use function tools, use /v1/responses or set " +
          "reasoning_effort to 'none'."
        : undefined,
  },
  {
    name: "tool result without its call",
    surfaces: CHAT,
    status: 400,
    shape: "openai",
    refuse: ({ family, body }) =>
      family.decoder === "openai" && brokenHistory(objectsIn(body.messages)).orphan !== undefined
        ? "Invalid parameter: messages with role 'tool' must be a response to a preceeding " +
          "message with 'tool_calls'."
        : undefined,
  },
  {
    name: "call without its result",
    surfaces: CHAT,
    status: 400,
    shape: "openai",
    refuse: ({ family, body }) => {
      const { unanswered } = brokenHistory(objectsIn(body.messages));
      return family.decoder === "openai" && unanswered.length > 0
        ? "An assistant message with 'tool_calls' must be followed by tool messages responding to " +
          "each 'tool_call_id'. The following tool_call_ids did not have response messages: " +
          unanswered.join(", ")
        : undefined;
    },
  },
];

/**
 * Whether a GPT model is older than 5.1, which is the first to take a reasoning effort of `none`.
 *
 * @param bareName The model's name without prefix.
 * @returns True for gpt-5, gpt-5-mini and gpt-5-nano.
 *
 * @example
 * ```ts
 * import { isBefore51 } from "./refusals_openai.ts";
 *
 * if (!isBefore51("gpt-5-mini") || isBefore51("gpt-5-1")) throw new Error("unexpected");
 * ```
 */
export function isBefore51(bareName: string): boolean {
  return /^gpt-5(-mini|-nano)?$/.test(bareName);
}

/**
 * The words about a reasoning effort of `none`.
 *
 * @param bareName The model's name without prefix.
 * @returns The message.
 *
 * @example
 * ```ts
 * import { noneNotSupported } from "./refusals_openai.ts";
 *
 * if (!noneNotSupported("gpt-5").includes("'gpt-5'")) throw new Error("unexpected");
 * ```
 */
export function noneNotSupported(bareName: string): string {
  return `Unsupported value: 'none' is not supported with the '${bareName}' model. ` +
    "Supported values are: 'minimal', 'low', 'medium', and 'high'.";
}

function brokenHistory(messages: readonly JsonObject[]): {
  orphan?: string;
  unanswered: readonly string[];
} {
  let open = new Set<string>();
  for (const message of messages) {
    if (message.role === "tool") {
      const id = `${message.tool_call_id}`;
      if (!open.delete(id)) return { orphan: id, unanswered: [] };
      continue;
    }
    if (open.size > 0) break;
    open = new Set(objectsIn(message.tool_calls).map((call) => `${call.id}`));
  }
  return { unanswered: [...open] };
}
