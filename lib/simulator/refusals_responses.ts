/**
 * What requests in the Responses dialect are refused for, on the Responses surfaces and on cursor.
 * Sources: gateway.md, and OpenAI's API reference for the words.
 *
 * @module
 */

import type { Surface } from "./traits.ts";
import { isObject, type JsonObject, objectsIn } from "./json.ts";
import { isBefore51, noneNotSupported } from "./refusals_openai.ts";
import type { GatewayRequest, RefusalRule } from "./refusals.ts";
import { encryptedReasoning } from "./responses_items.ts";

/** The surfaces that take Responses bodies. */
const RESPONSES: readonly Surface[] = ["responses", "cursor"];

/** Fields of OpenAI's Responses API that the gateway does not pass on. */
const REFUSED = ["background", "store", "previous_response_id", "service_tier"];

/** The other fields of OpenAI's Responses API. */
const FIELDS = new Set([
  ...["model", "input", "instructions", "stream", "stream_options", "tools", "tool_choice"],
  ...["parallel_tool_calls", "reasoning", "text", "include", "max_output_tokens", "temperature"],
  ...["top_p", "top_logprobs", "truncation", "user", "metadata", "prompt_cache_key"],
  ...["max_tool_calls", "safety_identifier"],
]);

/** The least that `max_output_tokens` may be. */
const MIN_OUTPUT = 16;

/** The longest id, in characters. */
const MAX_ID = 64;

/** Rules for Responses bodies. */
export const RESPONSES_RULES: readonly RefusalRule[] = [
  rule(
    "no input",
    "missing_required_parameter",
    ({ body }) => "input" in body ? undefined : "Missing required parameter: 'input'.",
  ),
  rule("field that the gateway keeps to itself", "unsupported_parameter", ({ body }) => {
    const field = REFUSED.find((name) => name in body);
    return field && `Unsupported parameter: '${field}' is not supported.`;
  }),
  rule("field that Responses do not know", "unknown_parameter", ({ body }) => {
    const field = Object.keys(body).find((name) => !FIELDS.has(name));
    return field && `Unknown parameter: '${field}'.`;
  }),
  rule("max_output_tokens too small", "integer_below_min_value", ({ body }) => {
    const limit = body.max_output_tokens;
    return typeof limit === "number" && limit < MIN_OUTPUT
      ? "Invalid 'max_output_tokens': integer below minimum value. Expected a value >= " +
        `${MIN_OUTPUT}, but got ${limit} instead.`
      : undefined;
  }),
  rule(
    "reasoning effort none",
    "unsupported_value",
    ({ body, model }) =>
      isBefore51(model.bare) && isObject(body.reasoning) && body.reasoning.effort === "none"
        ? noneNotSupported(model.bare)
        : undefined,
  ),
  rule("text format without a name", "missing_required_parameter", ({ body }) => {
    const format = isObject(body.text) ? body.text.format : undefined;
    return isObject(format) && format.type === "json_schema" && typeof format.name !== "string"
      ? "Missing required parameter: 'text.format.name'."
      : undefined;
  }),
  rule("tool in the chat dialect", "missing_required_parameter", ({ body }) => {
    const index = objectsIn(body.tools).findIndex((tool) =>
      tool.type === "function" && typeof tool.name !== "string"
    );
    return index < 0 ? undefined : `Missing required parameter: 'tools[${index}].name'.`;
  }),
  rule(
    "role of the chat dialect",
    "invalid_value",
    ({ body }) =>
      objectsIn(body.input).some(({ role }) => role === "tool")
        ? "Invalid value: 'tool'. Supported values are: 'assistant', 'system', 'developer', and " +
          "'user'."
        : undefined,
  ),
  rule("tool_calls in an input item", "unknown_parameter", ({ body }) => {
    const index = objectsIn(body.input).findIndex((item) => "tool_calls" in item);
    return index < 0 ? undefined : `Unknown parameter: 'input[${index}].tool_calls'.`;
  }),
  rule("content part of another role", "invalid_value", ({ body }) => {
    for (const [index, { role, content }] of objectsIn(body.input).entries()) {
      const allowed = role === "assistant"
        ? ["output_text", "refusal"]
        : ["input_text", "input_image", "input_file"];
      const wrong = typeof role === "string"
        ? objectsIn(content).find(({ type }) => !allowed.includes(`${type}`))
        : undefined;
      if (wrong) {
        return `Invalid value: '${wrong.type}'. Supported values are: ` +
          `${allowed.map((type) => `'${type}'`).join(", ")}. (input[${index}].content)`;
      }
    }
    return undefined;
  }),
  rule("id too long", "string_above_max_length", ({ body }) => {
    for (const [index, item] of objectsIn(body.input).entries()) {
      for (const field of ["id", "call_id"]) {
        const id = item[field];
        if (typeof id === "string" && id.length > MAX_ID) {
          return `Invalid 'input[${index}].${field}': string too long. Expected a string with ` +
            `maximum length ${MAX_ID}, but got a string with length ${id.length} instead.`;
        }
      }
    }
    return undefined;
  }),
  rule("arguments that are no text", "invalid_type", ({ body }) => {
    const index = objectsIn(body.input).findIndex((item) =>
      item.type === "function_call" && typeof item.arguments !== "string"
    );
    return index < 0
      ? undefined
      : `Invalid type for 'input[${index}].arguments': expected a string, but got something else ` +
        "instead.";
  }),
  rule("result without its call", undefined, ({ body }) => {
    const called = new Set<unknown>();
    for (const item of objectsIn(body.input)) {
      if (item.type === "function_call") called.add(item.call_id);
      if (item.type === "function_call_output" && !called.has(item.call_id)) {
        return `No tool call found for function call output with call_id ${item.call_id}.`;
      }
    }
    return undefined;
  }),
  rule("call without its result", undefined, ({ body }) => {
    const items = objectsIn(body.input);
    const answered = new Set(outputs(items).map((item) => item.call_id));
    const open = items.find((item) => item.type === "function_call" && !answered.has(item.call_id));
    return open && `No tool output found for function call ${open.call_id}.`;
  }),
  rule("reasoning item that is not kept", undefined, ({ body }) => {
    const lost = objectsIn(body.input).find((item) =>
      item.type === "reasoning" && typeof item.encrypted_content !== "string"
    );
    return lost &&
      `Item with id '${lost.id}' not found. Items are not persisted when \`store\` is set to ` +
        "false. Try again with `store` set to true, or remove this item from your input.";
  }),
  rule("reasoning item that was changed", "invalid_encrypted_content", ({ body }) => {
    const changed = objectsIn(body.input).find((item) =>
      item.type === "reasoning" &&
      // Ids may be left out: then only the form of the content can tell.
      (item.id === undefined
        ? !/^gAAAAAB[0-9a-z]+==$/i.test(`${item.encrypted_content}`)
        : item.encrypted_content !== encryptedReasoning(`${item.id}`))
    );
    return changed &&
      `The encrypted content for item ${changed.id} could not be verified. Reason: Encrypted ` +
        "content could not be decrypted or parsed.";
  }),
  rule("reasoning item that nothing follows", undefined, ({ body }) => {
    const items = objectsIn(body.input);
    const alone = items.find((item, index) =>
      item.type === "reasoning" && !followsReasoning(items[index + 1])
    );
    return alone &&
      `Item '${alone.id}' of type 'reasoning' was provided without its required following item.`;
  }),
];

function rule(
  name: string,
  code: string | undefined,
  refuse: (request: GatewayRequest) => string | undefined,
): RefusalRule {
  return {
    name: `${name}, in Responses`,
    surfaces: RESPONSES,
    status: 400,
    shape: "openai",
    code,
    // The cursor surface takes chat bodies, too: those have rules of their own.
    refuse: (request) =>
      request.surface === "responses" || "input" in request.body ? refuse(request) : undefined,
  };
}

function outputs(items: readonly JsonObject[]): JsonObject[] {
  return items.filter((item) => item.type === "function_call_output");
}

function followsReasoning(item: JsonObject | undefined): boolean {
  return item?.type === "function_call" || item?.type === "reasoning" ||
    item?.role === "assistant";
}
