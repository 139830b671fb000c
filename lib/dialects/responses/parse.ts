/**
 * Checking a client's Responses request: what isn't one gets no further. Fields that aren't known pass.
 *
 * @module
 */

import { BridgeError } from "../../errors.ts";
import { isObject, type JsonObject } from "../../json.ts";
import type { RequestSummary } from "../dialect.ts";

/** What a field must be, where it is there; null counts as not there. */
interface FieldRule {
  readonly expected: string;
  readonly fits: (value: unknown) => boolean;
}

const isString = (value: unknown) => typeof value === "string";
const isCount = (value: unknown) => Number.isInteger(value) && (value as number) >= 1;
const areObjects = (value: unknown) => Array.isArray(value) && value.every(isObject);

const STRING: FieldRule = { expected: "a string", fits: isString };
const BOOLEAN: FieldRule = { expected: "true or false", fits: (v) => typeof v === "boolean" };
const NUMBER: FieldRule = { expected: "a number", fits: (v) => typeof v === "number" };
const OBJECT: FieldRule = { expected: "an object", fits: isObject };
const COUNT: FieldRule = { expected: "a whole number from 1 on", fits: isCount };

const FIELDS: Readonly<Record<string, FieldRule>> = {
  stream: BOOLEAN,
  store: BOOLEAN,
  background: BOOLEAN,
  parallel_tool_calls: BOOLEAN,
  instructions: { expected: "a string", fits: (v) => isString(v) || Array.isArray(v) },
  previous_response_id: STRING,
  tools: { expected: "an array of objects", fits: areObjects },
  tool_choice: { expected: "a string or an object", fits: (v) => isString(v) || isObject(v) },
  include: { expected: "an array of strings", fits: (v) => Array.isArray(v) && v.every(isString) },
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
const ITEM_FIELDS: Readonly<Record<string, FieldRule>> = {
  type: STRING,
  id: STRING,
  call_id: STRING,
  name: STRING,
  arguments: STRING,
  content: CONTENT,
  output: { expected: "a string, or an array of parts", fits: (v) => isString(v) || areObjects(v) },
  summary: { expected: "an array of objects", fits: areObjects },
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

function kindOf(value: unknown): string {
  if (value === undefined) return "missing";
  if (value === null) return "null";
  if (Array.isArray(value)) return "an array";
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
}

function wrong(param: string, expected: string, value: unknown): BridgeError {
  return new BridgeError("request", `\`${param}\` is ${kindOf(value)}: expected ${expected}.`, {
    param,
    code: value === undefined ? "missing_field" : "invalid_type",
  });
}

function check(
  object: JsonObject,
  rules: Readonly<Record<string, FieldRule>>,
  prefix: string,
): void {
  for (const name in rules) {
    const value = object[name];
    if (value !== undefined && value !== null && !rules[name].fits(value)) {
      throw wrong(prefix + name, rules[name].expected, value);
    }
  }
}

function checkItem(item: unknown, at: number): void {
  const param = `input[${at}]`;
  if (!isObject(item)) throw wrong(param, "an object with type, or with role and content", item);
  const { type, role } = item;
  const isMessage = type === "message" || (type === undefined && role !== undefined);
  if (!isMessage && !isString(type)) throw wrong(`${param}.type`, "the item's type", type);
  // Reasoning items have a `content` of their own; those of results are no messages'.
  check(item, ITEM_FIELDS, `${param}.`);
  if (CALLS.has(type) && !isString(item.call_id)) {
    throw wrong(`${param}.call_id`, "the call's id", item.call_id);
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
        isString(role) ? "no role of the Responses API" : kindOf(role)
      }: expected one of ${ROLES.join(", ")}.`,
      { param: `${param}.role`, code: "invalid_value" },
    );
  }
  if (item.content === undefined || item.content === null) {
    throw wrong(`${param}.content`, CONTENT.expected, item.content);
  }
}

/**
 * Checks a Responses request.
 *
 * @param body The client's body.
 * @throws {BridgeError} kind `request`, with the field at fault in `param`.
 */
export function parseRequest(body: JsonObject): RequestSummary {
  const { model, input } = body;
  if (typeof model !== "string" || model.trim() === "") {
    throw new BridgeError("request", "`model` is missing: name a model from GET /models.", {
      param: "model",
      code: model === undefined ? "missing_field" : "invalid_type",
    });
  }
  check(body, FIELDS, "");
  if (!isString(input) && !Array.isArray(input)) {
    const expected = body.messages === undefined
      ? "a string, or an array of items"
      : "a string, or an array of items; `messages` belong to /chat/completions";
    throw wrong("input", expected, input);
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
