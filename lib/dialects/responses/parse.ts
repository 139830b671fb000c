/**
 * Checking a client's Responses request: what isn't one gets no further. Fields that aren't known pass.
 *
 * @module
 */

import { BridgeError } from "../../errors.ts";
import { isObject, type JsonObject } from "../../json.ts";
import {
  areObjects,
  BOOLEAN,
  checkFields,
  COUNT,
  type FieldRule,
  type FieldRules,
  isString,
  modelOf,
  NUMBER,
  OBJECT,
  OBJECTS,
  STRING,
  STRING_OR_OBJECT,
  STRINGS,
  wrongType,
} from "../check.ts";
import type { RequestSummary } from "../dialect.ts";

const FIELDS: FieldRules = {
  stream: BOOLEAN,
  store: BOOLEAN,
  background: BOOLEAN,
  parallel_tool_calls: BOOLEAN,
  instructions: { expected: "a string", fits: (v) => isString(v) || Array.isArray(v) },
  previous_response_id: STRING,
  tools: OBJECTS,
  tool_choice: STRING_OR_OBJECT,
  include: STRINGS,
  max_output_tokens: COUNT,
  temperature: NUMBER,
  top_p: NUMBER,
  text: OBJECT,
  reasoning: OBJECT,
  metadata: OBJECT,
};

const CONTENT: FieldRule = {
  expected: "a string, or an array of content parts",
  fits: (value) => isString(value) || areObjects(value),
};

/** Fields of an input item. */
const ITEM_FIELDS: FieldRules = {
  type: STRING,
  id: STRING,
  call_id: STRING,
  name: STRING,
  arguments: STRING,
  content: CONTENT,
  output: { expected: "a string, or an array of parts", fits: (v) => isString(v) || areObjects(v) },
  summary: OBJECTS,
};

/** Roles of a message. */
const ROLES = ["user", "assistant", "system", "developer"];

/** Item types that are nothing without a `call_id`. */
const CALLS = new Set<unknown>([
  "function_call",
  "function_call_output",
  "custom_tool_call",
  "custom_tool_call_output",
]);

function checkItem(item: unknown, at: number): void {
  const param = `input[${at}]`;
  if (!isObject(item)) {
    throw wrongType(param, "an object with type, or with role and content", item);
  }
  const { type, role } = item;
  const isMessage = type === "message" || (type === undefined && role !== undefined);
  if (!isMessage && !isString(type)) throw wrongType(`${param}.type`, "the item's type", type);
  // Reasoning items have a `content` of their own; those of results are no messages'.
  checkFields(item, ITEM_FIELDS, `${param}.`);
  if (CALLS.has(type) && !isString(item.call_id)) {
    throw wrongType(`${param}.call_id`, "the call's id", item.call_id);
  }
  if (!isMessage) return;
  if (role === "tool") {
    throw new BridgeError(
      "request",
      `\`${param}.role\` is "tool": a tool's result is an item {"type": "function_call_output", "call_id": …, "output": …}.`,
      { param: `${param}.role`, code: "invalid_value" },
    );
  }
  if (!ROLES.includes(role as string)) {
    throw new BridgeError(
      "request",
      `\`${param}.role\` is ${
        isString(role) ? "no role of the Responses API" : "no string"
      }: expected one of ${ROLES.join(", ")}.`,
      { param: `${param}.role`, code: "invalid_value" },
    );
  }
  if (item.content === undefined || item.content === null) {
    throw wrongType(`${param}.content`, CONTENT.expected, item.content);
  }
}

/**
 * Checks a Responses request.
 *
 * @param body The client's body.
 * @throws {BridgeError} kind `request`, with the field at fault in `param`.
 */
export function parseRequest(body: JsonObject): RequestSummary {
  const model = modelOf(body);
  const { input } = body;
  checkFields(body, FIELDS, "");
  if (!isString(input) && !Array.isArray(input)) {
    const expected = body.messages === undefined
      ? "a string, or an array of items"
      : "a string, or an array of items; `messages` belong to /chat/completions";
    throw wrongType("input", expected, input);
  }
  if (Array.isArray(input)) {
    if (input.length === 0) {
      throw new BridgeError("request", "`input` is empty: expected at least one item.", {
        param: "input",
      });
    }
    input.forEach(checkItem);
  }
  return { model, stream: body.stream === true };
}
