/**
 * A chat completions request as a request to the Responses API.
 *
 * @module
 */

import { isObject, type JsonObject } from "../../json.ts";
import type { CallScope } from "../dialect.ts";
import { encodeMessages } from "./input.ts";

/** What becomes of one field of a chat completions request; see {@linkcode RESPONSES_FIELDS}. */
export interface ResponsesField {
  /** The field's name in the chat request. */
  readonly field: string;
  /** Where its meaning goes in the Responses request; `undefined` if it is left out. */
  readonly to?: string;
  /** The reason, for people: it ends up in the documentation. */
  readonly why: string;
}

/**
 * Every chat field that doesn't pass as it is, and why. Fields that aren't listed pass untouched:
 * `model`, `stream`, `temperature`, `top_p`, `prompt_cache_key`, and unknown fields.
 *
 * Sources: gateway.md for what the gateway refuses, OpenAI's API reference for what the Responses API
 * has under another name or doesn't have.
 */
export const RESPONSES_FIELDS: readonly ResponsesField[] = [
  { field: "messages", to: "input, instructions", why: "messages are items here" },
  { field: "tools", to: "tools", why: "a tool's function is flattened into the tool" },
  { field: "functions", to: "tools", why: "the older name of tools" },
  { field: "tool_choice", to: "tool_choice", why: "the function's name is flattened" },
  { field: "function_call", to: "tool_choice", why: "the older name of tool_choice" },
  { field: "response_format", to: "text.format", why: "the schema is flattened into the format" },
  { field: "verbosity", to: "text.verbosity", why: "it belongs to the text here" },
  { field: "max_tokens", to: "max_output_tokens", why: "renamed; less than 16 is refused" },
  {
    field: "max_completion_tokens",
    to: "max_output_tokens",
    why: "renamed; less than 16 is refused",
  },
  { field: "reasoning_effort", to: "reasoning.effort", why: "it belongs to the reasoning here" },
  {
    field: "reasoning",
    to: "reasoning",
    why: "effort and summary; a budget in tokens doesn't exist",
  },
  { field: "parallel_tool_calls", why: "the gateway refuses it" },
  { field: "stream_options", why: "the API knows other options; usage comes without being asked" },
  { field: "store", why: "the gateway refuses it" },
  { field: "metadata", why: "the gateway refuses it" },
  { field: "service_tier", why: "the gateway refuses it" },
  { field: "background", why: "the gateway refuses it" },
  { field: "user", why: "deprecated, and a name the gateway need not know" },
  { field: "stop", why: "the API has no stop sequences; the bridge ends the text" },
  { field: "n", why: "the API gives one answer" },
  { field: "seed", why: "the API has no seed" },
  { field: "logprobs", why: "the gateway refuses it" },
  { field: "top_logprobs", why: "the gateway refuses it" },
  { field: "logit_bias", why: "the API doesn't have it" },
  { field: "frequency_penalty", why: "the API doesn't have it" },
  { field: "presence_penalty", why: "the API doesn't have it" },
  { field: "repetition_penalty", why: "the API doesn't have it" },
  { field: "top_k", why: "the API doesn't have it" },
  { field: "min_p", why: "the API doesn't have it" },
  { field: "top_a", why: "the API doesn't have it" },
  { field: "prediction", why: "the API doesn't have it" },
  { field: "modalities", why: "the answer is text" },
  { field: "audio", why: "the answer is text" },
  { field: "web_search_options", why: "the search is a tool here, and must be asked for as one" },
  { field: "thinking", why: "Anthropic's name for reasoning; GPT models take an effort" },
];

const LISTED: ReadonlySet<string> = new Set(RESPONSES_FIELDS.map(({ field }) => field));

/** The least `max_output_tokens` that the API accepts (gateway.md). */
const MIN_OUTPUT_TOKENS = 16;

/** What asks for reasoning items in a form that can be sent back without being stored (gateway.md). */
const ENCRYPTED_REASONING = "reasoning.encrypted_content";

/** How {@linkcode encodeRequest} goes about it. */
export interface EncodeRequestOptions {
  /** Where reasoning items were kept; without it, reasoning starts anew after each tool call. */
  memory?: CallScope;
  /**
   * Whether to ask for reasoning items and to send back the remembered ones. To be turned off for a
   * model that refuses them. Nothing happens without `memory`.
   *
   * @default {true}
   */
  reasoningContinuity?: boolean;
}

/**
 * Translates the body of a chat completions request into that of a Responses request
 * (gateway.md, last section; {@linkcode RESPONSES_FIELDS}).
 *
 * A body without `messages` keeps its `input`. Never changes its input, which the result shares
 * parts with; never throws.
 *
 * @example
 * ```ts
 * import { encodeRequest } from "./request.ts";
 *
 * const request = encodeRequest({
 *   model: "databricks-gpt-5",
 *   messages: [{ role: "user", content: "Hello" }],
 *   max_tokens: 1,
 * });
 * if (request.max_output_tokens !== 16 || "messages" in request) throw new Error("unexpected");
 * ```
 */
export function encodeRequest(body: JsonObject, options: EncodeRequestOptions = {}): JsonObject {
  const memory = options.reasoningContinuity === false ? undefined : options.memory;
  const request: JsonObject = {};
  for (const [field, value] of Object.entries(body)) {
    if (!LISTED.has(field)) request[field] = value;
  }

  const format = encodeFormat(body.response_format);
  if (Array.isArray(body.messages)) {
    // In JSON mode the API looks for the word "json" in the input, and doesn't look at instructions.
    const model = typeof body.model === "string" ? body.model : undefined;
    const inline = format?.type === "json_object";
    const { instructions, input } = encodeMessages(body.messages, { memory, model, inline });
    if (instructions !== undefined) {
      const given = request.instructions;
      const both = typeof given === "string" && given !== ""
        ? [given, instructions]
        : [instructions];
      request.instructions = both.join("\n\n");
    }
    request.input = input;
  }

  const tools = encodeTools(body);
  if (tools.length > 0) {
    request.tools = tools;
    const choice = encodeToolChoice(body.tool_choice ?? body.function_call);
    if (choice !== undefined) request.tool_choice = choice;
  }

  const text = { ...asObject(body.text) };
  if (format !== undefined) text.format = format;
  if (isGiven(body.verbosity)) text.verbosity = body.verbosity;
  if (Object.keys(text).length > 0) request.text = text;

  const limit = body.max_completion_tokens ?? body.max_tokens ?? body.max_output_tokens;
  if (typeof limit === "number") {
    request.max_output_tokens = Math.max(MIN_OUTPUT_TOKENS, Math.floor(limit));
  }

  const reasoning = encodeReasoning(body);
  if (reasoning !== undefined) request.reasoning = reasoning;
  if (memory !== undefined) {
    const include = Array.isArray(body.include) ? body.include : [];
    request.include = include.includes(ENCRYPTED_REASONING)
      ? include
      : [...include, ENCRYPTED_REASONING];
  }
  return request;
}

/**
 * `reasoning_effort`, and the `reasoning: {enabled, effort, max_tokens, exclude}` that ForgeCode and
 * others use, as `reasoning: {effort, summary}`. Who asks for reasoning wants to see some of it, and
 * the API shows none unless a summary is asked for. Without a wish there is no `reasoning` field:
 * models that don't reason refuse it.
 */
function encodeReasoning(body: JsonObject): JsonObject | undefined {
  const wish = asObject(body.reasoning);
  const { enabled, effort: wished, max_tokens: _budget, exclude, ...rest } = wish;
  const effort = body.reasoning_effort ?? wished ?? (enabled === false ? "none" : undefined);
  const reasoning: JsonObject = { ...rest };
  if (isGiven(effort)) reasoning.effort = effort;
  const wanted = isGiven(effort) ? effort !== "none" : enabled === true;
  const summarized = isGiven(rest.summary) || isGiven(rest.generate_summary);
  if (wanted && exclude !== true && !summarized) reasoning.summary = "auto";
  return Object.keys(reasoning).length > 0 ? reasoning : undefined;
}

/** `response_format` as `text.format`; `undefined` if there is none. */
function encodeFormat(format: unknown): JsonObject | undefined {
  if (!isObject(format)) return undefined;
  if (format.type !== "json_schema") return { ...format };
  const { name, schema, strict, description } = isObject(format.json_schema)
    ? format.json_schema
    : format;
  const encoded: JsonObject = {
    type: "json_schema",
    name: formatName(name),
    schema: isObject(schema) ? schema : { type: "object" },
  };
  if (isGiven(strict)) encoded.strict = strict;
  if (isGiven(description)) encoded.description = description;
  return encoded;
}

/** The API requires a name, of letters, digits, `_` and `-`, at most 64: titles of schemas have spaces. */
function formatName(name: unknown): string {
  const allowed = typeof name === "string" ? name.replace(/[^\w-]+/g, "_").slice(0, 64) : "";
  return allowed === "" ? "response" : allowed;
}

function encodeTools(body: JsonObject): unknown[] {
  const tools = Array.isArray(body.tools) ? body.tools.map(encodeTool) : [];
  if (tools.length > 0 || !Array.isArray(body.functions)) return tools;
  return body.functions.filter(isObject).map(encodeFunction);
}

function encodeTool(tool: unknown): unknown {
  if (!isObject(tool)) return tool;
  if (isObject(tool.function)) return encodeFunction(tool.function);
  if (tool.type === "function") return encodeFunction(tool);
  if (tool.type === "custom" && isObject(tool.custom)) return encodeCustom(tool.custom);
  return tool;
}

function encodeFunction(definition: JsonObject): JsonObject {
  const { name, description, parameters, strict } = definition;
  const encoded: JsonObject = { type: "function", name };
  if (isGiven(description)) encoded.description = description;
  encoded.parameters = encodeParameters(parameters);
  // Without `strict` a tool is lax in chat and strict here, where its schema must meet further rules.
  encoded.strict = strict === true;
  return encoded;
}

/** The API wants an object schema with `properties`, also of a function that takes nothing. */
function encodeParameters(parameters: unknown): JsonObject {
  if (!isObject(parameters)) return { type: "object", properties: {} };
  if ("properties" in parameters && "type" in parameters) return parameters;
  if ("type" in parameters && parameters.type !== "object") return parameters;
  return { type: "object", properties: {}, ...parameters };
}

function encodeCustom(definition: JsonObject): JsonObject {
  const { format, ...rest } = definition;
  if (!isObject(format)) return { type: "custom", ...rest };
  const { grammar, ...kind } = format;
  return { type: "custom", ...rest, format: { ...kind, ...asObject(grammar) } };
}

function encodeToolChoice(choice: unknown): unknown {
  if (!isObject(choice)) return choice ?? undefined;
  if (isObject(choice.allowed_tools)) {
    const { mode, tools } = choice.allowed_tools;
    const names = Array.isArray(tools) ? tools.map(encodeToolChoice) : [];
    return { type: "allowed_tools", mode, tools: names };
  }
  for (const kind of ["function", "custom"]) {
    const named = choice[kind];
    if (isObject(named)) return { type: kind, name: named.name };
  }
  // `function_call: {"name": …}` has no type.
  return typeof choice.name === "string" && choice.type === undefined
    ? { type: "function", name: choice.name }
    : choice;
}

/** Chat clients write `null` for what they don't want. */
function isGiven(value: unknown): boolean {
  return value !== undefined && value !== null;
}

function asObject(value: unknown): JsonObject {
  return isObject(value) ? value : {};
}
