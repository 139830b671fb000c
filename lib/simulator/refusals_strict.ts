/**
 * What open-weight models and Gemini refuse: their requests go through a strict decoder. Source:
 * gateway.md.
 *
 * @module
 */

import { isObject, objectsIn } from "./json.ts";
import type { GatewayRequest, RefusalRule } from "./refusals.ts";
import { CHAT, formatOf, functionsOf, unknownField } from "./refusals_chat.ts";

/** The fields that the strict decoder knows. */
const STRICT_FIELDS = new Set([
  ...["model", "messages", "stream", "max_tokens", "temperature", "top_p", "top_k", "stop", "n"],
  ...["tools", "tool_choice", "response_format", "reasoning_effort"],
]);

/** The fields of a message that the strict decoder knows. */
const STRICT_MESSAGE_FIELDS = new Set([
  ...["role", "content", "name", "tool_calls", "tool_call_id", "reasoning_content"],
]);

/** The fields of a tool call that the strict decoder knows; `thoughtSignature` is Gemini's. */
const STRICT_CALL_FIELDS = new Set(["id", "type", "function", "index", "thoughtSignature"]);

/** Keywords of JSON Schema that open-weight models don't take. */
const UNSUPPORTED_KEYWORDS = ["pattern", "anyOf", "oneOf", "allOf", "prefixItems", "$ref"];

/** The most functions that open-weight models take. */
const MAX_FUNCTIONS = 32;

/** Rules for open-weight models and Gemini. */
export const STRICT_RULES: readonly RefusalRule[] = [
  {
    name: "prompt_cache_key for Gemini",
    surfaces: CHAT,
    status: 400,
    shape: "text",
    refuse: (request) =>
      request.family.name.startsWith("gemini") && "prompt_cache_key" in request.body
        ? "prompt_cache_key: Extra inputs are not permitted"
        : undefined,
  },
  {
    name: "field of a strict decoder",
    surfaces: CHAT,
    status: 400,
    shape: "databricks",
    refuse: (request) => {
      if (!strict(request)) return undefined;
      const messages = objectsIn(request.body.messages);
      const calls = messages.flatMap((message) => objectsIn(message.tool_calls));
      const field = Object.keys(request.body).find((name) => !STRICT_FIELDS.has(name)) ??
        messages.flatMap(Object.keys).find((name) => !STRICT_MESSAGE_FIELDS.has(name)) ??
        calls.flatMap(Object.keys).find((name) => !STRICT_CALL_FIELDS.has(name));
      return field && unknownField(field);
    },
  },
  {
    name: "output limit of an open-weight model",
    surfaces: CHAT,
    status: 400,
    shape: "text",
    refuse: (request) => {
      const { maxOutput } = request.family;
      const limit = request.body.max_tokens;
      return strict(request) && maxOutput !== undefined && typeof limit === "number" &&
          limit > maxOutput
        ? `Bad request: rpc error: code = InvalidArgument desc = max_tokens (${limit}) cannot ` +
          `exceed ${maxOutput}. Please reduce the length of max output tokens generated.`
        : undefined;
    },
  },
  {
    name: "stop for gpt-oss",
    surfaces: CHAT,
    status: 400,
    shape: "text",
    refuse: ({ family, body }) =>
      family.name === "gpt-oss" && "stop" in body
        ? 'Unsupported parameter: "stop" is not supported with this model.'
        : undefined,
  },
  {
    name: "two calls in a turn for gpt-oss",
    surfaces: CHAT,
    status: 400,
    shape: "databricks",
    refuse: ({ family, body }) =>
      family.name === "gpt-oss" &&
        objectsIn(body.messages).some(({ tool_calls: calls }) => objectsIn(calls).length > 1)
        ? "BAD_REQUEST: Multiple tool calls are not supported."
        : undefined,
  },
  {
    name: "tool without parameters for Llama",
    surfaces: CHAT,
    status: 400,
    shape: "databricks",
    refuse: ({ family, body }) =>
      family.name === "llama" && functionsOf(body).some(({ parameters }) => !isObject(parameters))
        ? "Bad request: tools.0.function.parameters: Field required"
        : undefined,
  },
  {
    name: "too many functions",
    surfaces: CHAT,
    status: 400,
    shape: "databricks",
    refuse: (request) => {
      const count = objectsIn(request.body.tools).length;
      return strict(request) && count > MAX_FUNCTIONS
        ? `Bad request: ${count} tools were given, at most ${MAX_FUNCTIONS} functions are supported`
        : undefined;
    },
  },
  {
    name: "schema keyword",
    surfaces: CHAT,
    status: 400,
    shape: "text",
    refuse: (request) => {
      if (!strict(request)) return undefined;
      const schemas = functionsOf(request.body).map(({ parameters }) => parameters);
      const format = formatOf(request.body).json_schema;
      if (isObject(format)) schemas.push(format.schema);
      const keyword = schemas.map(unsupportedKeyword).find((found) => found !== undefined);
      return keyword && `Invalid JSON schema - the "${keyword}" keyword is not supported`;
    },
  },
  {
    name: "Gemini's lost thoughtSignature",
    surfaces: CHAT,
    status: 400,
    shape: "google",
    refuse: ({ family, body }) => {
      if (family.name !== "gemini") return undefined;
      const messages = objectsIn(body.messages);
      const current = messages.slice(messages.findLastIndex(({ role }) => role === "user") + 1);
      for (const { tool_calls: calls } of current) {
        // Of parallel calls only the first one carries a signature that is looked at.
        const [call] = objectsIn(calls);
        if (call && (typeof call.thoughtSignature !== "string" || call.thoughtSignature === "")) {
          const name = isObject(call.function) ? call.function.name : "";
          return "Function call is missing a thought_signature in functionCall parts. This is " +
            "required for tools to work correctly, and missing thought_signature may lead to " +
            `degraded model performance. Additional data, function call \`default_api:${name}\`, ` +
            "position 2.";
        }
      }
      return undefined;
    },
  },
];

function strict({ family, body }: GatewayRequest): boolean {
  return family.decoder === "strict" && !("input" in body);
}

/** The first keyword in a schema that is not taken; a property of that name is no keyword. */
function unsupportedKeyword(schema: unknown): string | undefined {
  if (!isObject(schema)) return undefined;
  const found = UNSUPPORTED_KEYWORDS.find((keyword) => keyword in schema);
  if (found) return found;
  const properties = isObject(schema.properties) ? Object.values(schema.properties) : [];
  return [...properties, schema.items, schema.additionalProperties].map(unsupportedKeyword)
    .find((keyword) => keyword !== undefined);
}
