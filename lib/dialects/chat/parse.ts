/**
 * Checks chat completions requests.
 *
 * @module
 */

import { BridgeError } from "../../errors.ts";
import { isObject, type JsonObject } from "../../json.ts";
import {
  BOOLEAN,
  checkFields,
  COUNT,
  type FieldRules,
  isString,
  modelOf,
  NUMBER,
  OBJECT,
  OBJECTS,
  STRING,
  STRING_OR_OBJECT,
  wrongType,
} from "../check.ts";
import type { RequestSummary } from "../dialect.ts";

/** Top-level fields; null counts as not there, as OpenAI has it. */
const FIELDS: FieldRules = {
  stream: BOOLEAN,
  tools: OBJECTS,
  tool_choice: STRING_OR_OBJECT,
  response_format: OBJECT,
  stream_options: OBJECT,
  max_tokens: COUNT,
  max_completion_tokens: COUNT,
  max_output_tokens: COUNT,
  temperature: NUMBER,
  top_p: NUMBER,
  n: COUNT,
};

/** Fields of a message. */
const MESSAGE_FIELDS: FieldRules = {
  content: {
    expected: "a string, or an array of content parts",
    fits: (value) => isString(value) || (Array.isArray(value) && value.every(isObject)),
  },
  tool_calls: OBJECTS,
  tool_call_id: STRING,
  name: STRING,
};

/** OpenAI's roles of a chat message. */
const ROLES = ["system", "developer", "user", "assistant", "tool", "function"];

function checkMessages(messages: unknown): void {
  if (!Array.isArray(messages)) throw wrongType("messages", "an array of messages", messages);
  if (messages.length === 0) {
    throw new BridgeError("request", "`messages` is empty: expected at least one message.", {
      param: "messages",
    });
  }
  messages.forEach((message: unknown, at) => {
    if (!isObject(message)) {
      throw wrongType(`messages[${at}]`, "an object with role and content", message);
    }
    if (!ROLES.includes(message.role as string)) {
      const value = isString(message.role) ? "no role of OpenAI's" : `a ${typeof message.role}`;
      throw new BridgeError(
        "request",
        `\`messages[${at}].role\` is ${value}: expected one of ${ROLES.join(", ")}.`,
        { param: `messages[${at}].role` },
      );
    }
    checkFields(message, MESSAGE_FIELDS, `messages[${at}].`);
  });
}

/**
 * Checks a body: a model, messages, and no field of a wrong type. Fields that aren't known pass.
 *
 * @throws {BridgeError} kind `request`, with the field in `param`.
 */
export function parseChat(body: JsonObject): RequestSummary {
  const model = modelOf(body);
  checkFields(body, FIELDS, "");
  checkMessages(body.messages);
  return { model, stream: body.stream === true };
}
