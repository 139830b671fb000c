/**
 * Messages requests, checked, and as chat completions requests.
 *
 * @module
 */

import { isStrictSchema } from "../../adapt/schema.ts";
import { BridgeError } from "../../errors.ts";
import { isObject, type JsonObject } from "../../json.ts";
import { type Family, familyOf } from "../../models/families.ts";
import {
  areObjects,
  BOOLEAN,
  checkFields,
  COUNT,
  type FieldRules,
  isString,
  modelOf,
  NUMBER,
  OBJECT,
  OBJECTS,
  STRINGS,
  wrongType,
} from "../check.ts";
import type { DialectContext, RequestSummary } from "../dialect.ts";
import { blocksOf, systemBlocks, textOf } from "./blocks.ts";
import { decodeMessages } from "./chat_messages.ts";
import { decodeToolChoice, decodeTools } from "./tools.ts";

/** Fields of a request. */
const FIELDS: FieldRules = {
  stream: BOOLEAN,
  max_tokens: COUNT,
  system: {
    expected: "a string, or an array of text blocks",
    fits: (value) => isString(value) || areObjects(value),
  },
  tools: OBJECTS,
  tool_choice: OBJECT,
  thinking: OBJECT,
  output_config: OBJECT,
  stop_sequences: STRINGS,
  temperature: NUMBER,
  top_p: NUMBER,
  top_k: NUMBER,
};

/** Fields of a message. */
const MESSAGE_FIELDS: FieldRules = {
  content: {
    expected: "a string, or an array of content blocks",
    fits: (value) => isString(value) || areObjects(value),
  },
};

const ROLES: readonly unknown[] = ["user", "assistant", "system"];

/**
 * Checks a request.
 *
 * @throws {BridgeError} kind `request`, with the field at fault in `param`.
 */
export function parseRequest(body: JsonObject): RequestSummary {
  const model = modelOf(body);
  checkFields(body, FIELDS, "");
  const { messages } = body;
  if (!Array.isArray(messages)) throw wrongType("messages", "an array of messages", messages);
  if (messages.length === 0) {
    throw new BridgeError("request", "`messages` is empty: expected at least one message.", {
      param: "messages",
    });
  }
  for (const [at, message] of messages.entries()) {
    const path = `messages[${at}]`;
    if (!isObject(message)) throw wrongType(path, "an object with role and content", message);
    if (!ROLES.includes(message.role)) {
      throw new BridgeError("request", `\`${path}.role\` is not user, assistant or system.`, {
        param: `${path}.role`,
      });
    }
    checkFields(message, MESSAGE_FIELDS, `${path}.`);
  }
  return { model, stream: body.stream === true };
}

/** Fields that ask for what only Anthropic's own servers have; without them the answer would be another. */
const IMPOSSIBLE: readonly (readonly [field: string, advice: string])[] = [
  ["mcp_servers", "connect the servers in the client"],
  ["container", "run the code in the client"],
];

function refuseImpossible(body: JsonObject): void {
  for (const [param, advice] of IMPOSSIBLE) {
    const value = body[param];
    if (value === undefined || value === null || (Array.isArray(value) && value.length === 0)) {
      continue;
    }
    throw new BridgeError(
      "request",
      `\`${param}\` can't be had with this model: ${advice}, or ask a Claude model on a gateway that has it.`,
      { param, code: "unsupported_parameter" },
    );
  }
}

/** Tokens to think with → the effort that comes nearest. */
function effortOf(budget: unknown): string {
  if (typeof budget !== "number") return "high";
  return budget <= 2048 ? "low" : budget <= 8192 ? "medium" : "high";
}

/** Efforts that other models know. */
const EFFORTS = new Set<unknown>(["minimal", "low", "medium", "high"]);

/** How much is to be thought: in Claude's own words for Claude, as an effort for others. */
function decodeThinking(body: JsonObject, claude: boolean): JsonObject {
  const { thinking, output_config: config } = body;
  const effort = isObject(config) ? config.effort : undefined;
  if (!claude) {
    const named = EFFORTS.has(effort)
      ? effort
      : effort !== undefined
      ? "high"
      : isObject(thinking) && thinking.type === "enabled"
      ? effortOf(thinking.budget_tokens)
      : undefined;
    return named === undefined ? {} : { reasoning_effort: named };
  }
  const { display: _display, ...asked } = isObject(thinking) ? thinking : {} as JsonObject;
  return {
    ...isObject(thinking) && thinking.type !== "disabled" ? { thinking: asked } : {},
    ...effort === undefined ? {} : { output_config: { effort } },
  };
}

/**
 * The format of the answer, in OpenAI's words. Anthropic's always holds; OpenAI's does where it is strict,
 * which takes a schema of a certain form.
 */
function decodeFormat(body: JsonObject, family: Family): JsonObject {
  const config = isObject(body.output_config) ? body.output_config : {};
  const format = isObject(config.format) ? config.format : body.output_format;
  if (!isObject(format) || !isObject(format.schema)) return {};
  return {
    response_format: {
      type: "json_schema",
      json_schema: {
        name: "response",
        ...family === "gpt" && isStrictSchema(format.schema) ? { strict: true } : {},
        schema: format.schema,
      },
    },
  };
}

/** Fields that mean the same in both dialects. */
const SAME = ["model", "stream", "max_tokens", "temperature", "top_p"];

/**
 * A request as a chat completions request. What the model's side has nothing like goes where the answer
 * stays the same without it: `metadata`, `context_management`, `safeguards`, `service_tier`,
 * `defer_loading`, tools that Anthropic's servers run.
 *
 * @param body The client's body, which {@linkcode parseRequest} has taken.
 * @param context The model.
 * @throws {BridgeError} kind `request`, naming what can't be said.
 */
export function decodeRequest(body: JsonObject, { model }: DialectContext): JsonObject {
  refuseImpossible(body);
  const family = familyOf(model);
  const claude = family === "claude";
  const chat: JsonObject = {};
  for (const name of SAME) {
    if (body[name] !== undefined && body[name] !== null) chat[name] = body[name];
  }
  if (body.top_k !== undefined && claude) chat.top_k = body.top_k;
  if (Array.isArray(body.stop_sequences) && body.stop_sequences.length > 0) {
    chat.stop = body.stop_sequences;
  }
  const system = systemBlocks(body.system);
  const tools = decodeTools(body.tools, claude);
  chat.messages = [
    ...system.length === 0 ? [] : [{ role: "system", content: systemContent(system, claude) }],
    ...decodeMessages(body.messages as readonly JsonObject[], { model, family }),
  ];
  if (tools.length > 0) {
    chat.tools = tools;
    const names = new Set(tools.map((tool) => (tool.function as JsonObject).name));
    const choice = decodeToolChoice(body.tool_choice, names);
    if (choice !== undefined) chat.tool_choice = choice;
  } else decodeToolChoice(body.tool_choice, new Set());
  return { ...chat, ...decodeThinking(body, claude), ...decodeFormat(body, family) };
}

/** Claude's marks for the prompt cache stand in parts; other models take one text. */
function systemContent(blocks: readonly JsonObject[], claude: boolean): unknown {
  if (claude && blocks.some(({ cache_control: mark }) => isObject(mark))) {
    return blocks.map(({ text, cache_control: mark }) => ({
      type: "text",
      text,
      ...isObject(mark) ? { cache_control: mark } : {},
    }));
  }
  return blocksOf(blocks).map(({ text }) => textOf(text)).filter((text) => text !== "").join(
    "\n\n",
  );
}
