/**
 * Requests on their way to a surface that speaks Messages: those of its own clients pass, chat completions
 * are translated.
 *
 * @module
 */

import { repairHistory } from "../../adapt/history.ts";
import { instructFormat } from "../../adapt/instruct.ts";
import { sanitize } from "../../adapt/sanitize.ts";
import { isOwnContent } from "../../enrich/continuity.ts";
import { isObject, type JsonObject } from "../../json.ts";
import { outputCap } from "../../models/families.ts";
import type { CallScope, EncodedRequest, Target } from "../dialect.ts";
import { blocksOf, callId, inputOf, systemBlocks, textOf } from "./blocks.ts";
import { encodeToolChoice, encodeTools } from "./tools.ts";

/** `max_tokens` where the client sets none; this API requires it. */
const DEFAULT_MAX = 32_000;

function maxFor(model: string): number {
  return Math.min(DEFAULT_MAX, outputCap(model) ?? DEFAULT_MAX);
}

/**
 * A Messages request as the gateway takes it: thinking with its signatures and marks for the prompt cache
 * stay untouched.
 *
 * @param body The client's body; it is not changed.
 * @param target Where it goes.
 */
export function passRequest(body: JsonObject, target: Target): EncodedRequest {
  const system = body.system === undefined ? undefined : systemBlocks(body.system).filter(isTaken);
  const passed: JsonObject = {
    ...body,
    max_tokens: body.max_tokens ?? maxFor(target.model),
    messages: (Array.isArray(body.messages) ? body.messages : []).flatMap(passMessage),
  };
  delete passed.system;
  if (system !== undefined && system.length > 0) {
    passed.system = typeof body.system === "string" ? body.system : system;
  }
  return sanitize(passed, target, "messages");
}

function passMessage(message: unknown): unknown[] {
  if (!isObject(message) || !Array.isArray(message.content)) return [message];
  const content = message.content.filter(isTaken).map(withClaudesId).map(withoutEmptyText);
  return content.length === 0 ? [] : [{ ...message, content }];
}

/** Whether Claude takes a block: not empty text, nor thinking that isn't signed by it. */
function isTaken(block: unknown): boolean {
  if (!isObject(block)) return true;
  if (block.type === "text") return textOf(block.text) !== "";
  if (block.type !== "thinking") return true;
  return textOf(block.signature) !== "" && !isOwnContent(block.signature);
}

/** The result of a call, whose content may be blocks of its own. */
function withoutEmptyText(block: unknown): unknown {
  if (!isObject(block) || block.type !== "tool_result" || !Array.isArray(block.content)) {
    return block;
  }
  const content = block.content.filter(isTaken);
  return content.length === block.content.length ? block : { ...block, content };
}

function withClaudesId(block: unknown): unknown {
  if (!isObject(block)) return block;
  const name = block.type === "tool_use" ? "id" : "tool_use_id";
  if (typeof block[name] !== "string") return block;
  const id = callId(block[name]);
  return id === block[name] ? block : { ...block, [name]: id };
}

/** Fields that mean the same in both dialects. */
const SAME = ["model", "stream", "temperature", "top_p", "top_k", "thinking", "output_config"];

/** Fields of chat completions that are translated; what is in neither list has no words here. */
const TRANSLATED = new Set([
  "messages",
  "tools",
  "tool_choice",
  "max_tokens",
  "max_completion_tokens",
  "stop",
  "response_format",
  "parallel_tool_calls",
  // They say nothing about the answer.
  "stream_options",
]);

/**
 * A chat completions request as a Messages request.
 *
 * @param request A chat completions request; it is not changed.
 * @param target Where it goes.
 * @param calls What is cached for the conversation's tool calls.
 */
export function encodeRequest(
  request: JsonObject,
  target: Target,
  calls?: CallScope,
): EncodedRequest {
  const { messages, ...body } = repairHistory(inWords(request), target.model, calls);
  const list = (Array.isArray(messages) ? messages : []).filter(isObject);
  const most = body.max_completion_tokens ?? body.max_tokens;
  const system = list.filter(isSystem).flatMap(({ content }) => textBlocks(content));
  const tools = encodeTools(body.tools);
  const choice = tools.length > 0
    ? encodeToolChoice(body.tool_choice, body.parallel_tool_calls)
    : undefined;
  const encoded: JsonObject = {
    ...Object.fromEntries(SAME.filter((name) => name in body).map((name) => [name, body[name]])),
    max_tokens: typeof most === "number" ? most : maxFor(target.model),
    ...system.length > 0 ? { system } : {},
    messages: encodeMessages(list.filter((message) => !isSystem(message))),
    ...tools.length > 0 ? { tools } : {},
    ...choice === undefined ? {} : { tool_choice: choice },
    ...encodeStop(body.stop),
    ...encodeFormat(body),
  };
  const dropped = Object.keys(body).filter((name) => !SAME.includes(name) && !TRANSLATED.has(name));
  const { body: clean, dropped: refused } = sanitize(encoded, target, "messages");
  return { body: clean, dropped: [...dropped, ...refused] };
}

/** The schema that a request's answer must fit, where it names one. */
function schemaOf({ response_format: format }: JsonObject): JsonObject | undefined {
  const schema = isObject(format) && isObject(format.json_schema)
    ? format.json_schema.schema
    : undefined;
  return isObject(schema) ? schema : undefined;
}

/** Asks for any JSON by an instruction: this API has formats only with a schema. */
function inWords(request: JsonObject): JsonObject {
  return schemaOf(request) === undefined ? instructFormat(request) : request;
}

function isSystem({ role }: JsonObject): boolean {
  return role === "system" || role === "developer";
}

function encodeStop(stop: unknown): JsonObject {
  const stops = (Array.isArray(stop) ? stop : [stop]).filter((one) => typeof one === "string");
  return stops.length > 0 ? { stop_sequences: stops } : {};
}

function encodeFormat(body: JsonObject): JsonObject {
  const schema = schemaOf(body);
  if (schema === undefined) return {};
  const { output_config: config } = body;
  return {
    output_config: { ...isObject(config) ? config : {}, format: { type: "json_schema", schema } },
  };
}

function textBlocks(content: unknown): JsonObject[] {
  return blocksOf(content).filter(({ text }) => textOf(text) !== "").map((
    { text, cache_control: mark },
  ) => ({ type: "text", text, ...isObject(mark) ? { cache_control: mark } : {} }));
}

/** Messages in turns: results of calls are the user's, and one role's messages in a row become one. */
function encodeMessages(messages: readonly JsonObject[]): JsonObject[] {
  const turns: { role: string; content: JsonObject[] }[] = [];
  for (const message of messages) {
    const role = message.role === "assistant" ? "assistant" : "user";
    const content = message.role === "assistant"
      ? assistantBlocks(message)
      : message.role === "tool" || message.role === "function"
      ? [resultBlock(message)]
      : blocksOf(message.content).flatMap(userBlock);
    if (content.length === 0) continue;
    const last = turns.at(-1);
    if (last?.role === role) last.content.push(...content);
    else turns.push({ role, content });
  }
  return turns;
}

function resultBlock({ tool_call_id: id, content }: JsonObject): JsonObject {
  const parts = blocksOf(content).flatMap(userBlock);
  return { type: "tool_result", tool_use_id: callId(id), content: parts };
}

/** A part of a user's message as blocks. */
function userBlock(part: JsonObject): JsonObject[] {
  const mark = isObject(part.cache_control) ? { cache_control: part.cache_control } : {};
  if (part.type === "text" || part.type === "input_text") {
    return textOf(part.text) === "" ? [] : [{ type: "text", text: part.text, ...mark }];
  }
  if (part.type !== "image_url") return [part];
  const url = textOf(isObject(part.image_url) ? part.image_url.url : part.image_url);
  const data = /^data:([^;,]*)[^,]*;base64,/.exec(url);
  const source = data
    ? { type: "base64", media_type: data[1], data: url.slice(data[0].length) }
    : { type: "url", url };
  return [{ type: "image", source, ...mark }];
}

/** An assistant's message as blocks: its thinking first, then its text, then its calls. */
function assistantBlocks({ content, tool_calls: calls }: JsonObject): JsonObject[] {
  const blocks = blocksOf(content).flatMap((part): JsonObject[] => {
    switch (part.type) {
      case "reasoning":
        return (Array.isArray(part.summary) ? part.summary.filter(isObject) : []).map((
          { text, signature },
        ) => ({ type: "thinking", thinking: textOf(text), signature }));
      case "redacted_thinking":
        return [part];
      default:
        return textOf(part.text) === "" ? [] : [{ type: "text", text: part.text }];
    }
  });
  for (const call of Array.isArray(calls) ? calls.filter(isObject) : []) {
    const { name, arguments: text } = isObject(call.function) ? call.function : {} as JsonObject;
    blocks.push({ type: "tool_use", id: callId(call.id), name, input: inputOf(textOf(text)) });
  }
  return blocks;
}
