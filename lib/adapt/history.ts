/**
 * What a conversation's history needs before a chat surface takes it: each row of the table is one
 * demand of the gateway's or of a family's (`gateway.md`, "What requests are refused for"). Pure; the
 * client's messages are never changed.
 *
 * @module
 */

import type { CallScope } from "../dialects/dialect.ts";
import { hash64 } from "../hash.ts";
import { isObject, type JsonObject } from "../json.ts";
import { type Family, familyOf, isIn, KIMI, type ModelGroup } from "../models/families.ts";
import { mapKeeping } from "./paths.ts";
import { reasoningParts, reasoningTextOf } from "./reasoning.ts";
import { withTypes } from "./schema.ts";
import { cleanToolName } from "./tool_names.ts";
import { trimLast } from "./turns.ts";

/** What a repair may look at. */
export interface HistorySetting {
  /** The model, as the client asked for it. */
  readonly model: string;
  /** The names of the request's tools. */
  readonly offered: ReadonlySet<string>;
  /** What chat clients can't carry, by call. */
  readonly calls?: CallScope;
}

/** One demand on the history. */
export interface HistoryRule {
  /** What it does, for the documentation. */
  readonly what: string;
  /** Families it is for; all where missing. */
  readonly families?: readonly Family[];
  /** Models it is for; all where missing. */
  readonly models?: ModelGroup;
  /** The messages, repaired; the same array where nothing is to repair. */
  readonly repair: (messages: JsonObject[], setting: HistorySetting) => JsonObject[];
}

/** Texts for a call without a result, and for an empty result. */
const NO_RESULT = "(no result: the call was not completed)";
const EMPTY_RESULT = "(no output)";

/** The rules, in the order in which they are applied. */
const HISTORY_RULES: readonly HistoryRule[] = [
  {
    what:
      "tokens of the model's own format go from the names of calls: `shell<|channel|>commentary`",
    repair: (messages, { offered }) => mapCalls(messages, (call) => withCleanName(call, offered)),
  },
  {
    what: "arguments of a call that are empty, or no JSON object, become `{}`",
    repair: (messages) => mapCalls(messages, withArguments),
  },
  {
    what:
      "results stand right behind their calls, orphan results go, a call without a result gets one",
    repair: pairResults,
  },
  {
    what: "empty text parts go; they are refused",
    repair: (messages) => mapKeeping(messages, withoutEmptyParts),
  },
  {
    what: "Claude refuses empty text: it goes beside tool calls, or the message does",
    families: ["claude"],
    repair: (messages) => messages.flatMap(withoutEmptyText),
  },
  {
    what:
      "Claude wants its signed and its redacted reasoning back as the content parts that they were, from the client or from memory",
    families: ["claude"],
    repair: (messages, setting) =>
      mapKeeping(messages, (message) => withReasoning(message, setting)),
  },
  {
    what: "Claude refuses white space at the end of an unfinished answer",
    families: ["claude"],
    repair: (messages) => trimLast({ messages }).messages as JsonObject[],
  },
  {
    what: "Kimi wants its reasoning back as `reasoning_content`",
    models: KIMI,
    repair: (messages) => mapKeeping(messages, withReasoningContent),
  },
  {
    what: "Gemini wants `thoughtSignature` back at the top level of its call",
    families: ["gemini"],
    repair: (messages, { calls }) => mapCalls(messages, (call) => withSignature(call, calls)),
  },
  {
    what: "tool call ids are at most 64 characters",
    families: ["gpt"],
    repair: (messages) => mapKeeping(messages, shortIds),
  },
];

/**
 * Repairs a chat request's history for a model, and gives every tool a schema with the types that
 * Databricks, Llama and Gemini demand.
 *
 * @param body A chat request; it is not changed.
 * @param model The model, as the client asked for it.
 * @param calls What chat clients can't carry, by call.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { repairHistory } from "./history.ts";
 *
 * const body = { messages: [{ role: "tool", tool_call_id: "gone", content: "x" }] };
 * const { messages } = repairHistory(body, "databricks-claude-sonnet-5");
 * assertEquals(messages, [], "a result without its call goes");
 * ```
 */
export function repairHistory(body: JsonObject, model: string, calls?: CallScope): JsonObject {
  if (!Array.isArray(body.messages)) return body;
  const family = familyOf(model);
  const setting: HistorySetting = { model, calls, offered: toolNames(body.tools) };
  let messages = body.messages.filter(isObject);
  for (const rule of HISTORY_RULES) {
    if (rule.families && !rule.families.includes(family)) continue;
    if (rule.models && !isIn(rule.models, model)) continue;
    messages = rule.repair(messages, setting);
  }
  if (!Array.isArray(body.tools)) return { ...body, messages };
  const tools = mapKeeping(body.tools, (tool) => withParameters(tool, family === "gemini"));
  return { ...body, messages, tools };
}

function toolNames(tools: unknown): ReadonlySet<string> {
  const names = new Set<string>();
  for (const tool of Array.isArray(tools) ? tools : []) {
    const name = isObject(tool) && isObject(tool.function) ? tool.function.name : undefined;
    if (typeof name === "string") names.add(name);
  }
  return names;
}

/** Messages whose calls are changed; the same array where none was. */
function mapCalls(messages: JsonObject[], change: (call: JsonObject) => JsonObject): JsonObject[] {
  return mapKeeping(messages, (message) => {
    if (message.role !== "assistant" || !Array.isArray(message.tool_calls)) return message;
    const calls = mapKeeping(message.tool_calls, (call) => isObject(call) ? change(call) : call);
    return calls === message.tool_calls ? message : { ...message, tool_calls: calls };
  });
}

function withCleanName(call: JsonObject, offered: ReadonlySet<string>): JsonObject {
  const definition = call.function;
  if (!isObject(definition) || typeof definition.name !== "string") return call;
  const name = cleanToolName(definition.name, offered);
  return name === definition.name ? call : { ...call, function: { ...definition, name } };
}

/** Arguments as every model takes them: the text of a JSON object. */
function withArguments(call: JsonObject): JsonObject {
  const definition = call.function;
  if (!isObject(definition)) return call;
  const given = definition.arguments;
  let text = "{}";
  if (isObject(given)) text = JSON.stringify(given);
  else if (typeof given === "string") {
    try {
      if (isObject(JSON.parse(given))) text = given;
    } catch {
      // Cut off, or never JSON: an empty object, so that the model sees that its call had no effect.
    }
  }
  return text === given ? call : { ...call, function: { ...definition, arguments: text } };
}

/** The calls of an assistant message. */
function callsOf(message: JsonObject): JsonObject[] {
  if (message.role !== "assistant" || !Array.isArray(message.tool_calls)) return [];
  return message.tool_calls.filter(isObject);
}

/** The results of each call, in order. */
class Queues {
  readonly #queues = new Map<unknown, { list: JsonObject[]; next: number }>();

  constructor(results: readonly JsonObject[]) {
    for (const result of results) {
      // A client that was given no id sends null on one side, and perhaps nothing on the other.
      const id = result.tool_call_id ?? null;
      const queue = this.#queues.get(id);
      if (queue) queue.list.push(result);
      else this.#queues.set(id, { list: [result], next: 0 });
    }
  }

  /** The first result for an id that wasn't taken yet. */
  take(id: unknown): JsonObject | undefined {
    const queue = this.#queues.get(id ?? null);
    return queue?.list[queue.next++];
  }
}

function pairResults(messages: JsonObject[]): JsonObject[] {
  if (!messages.some((message) => message.role === "tool" || callsOf(message).length > 0)) {
    return messages;
  }
  const results = new Queues(messages.filter((message) => message.role === "tool"));
  const paired: JsonObject[] = [];
  messages.forEach((message, at) => {
    if (message.role === "tool") return;
    paired.push(message);
    for (const call of callsOf(message)) {
      // The same id may be used again in a later turn: first call, first result.
      const result = results.take(call.id);
      if (result) paired.push(result);
      else if (at < messages.length - 1) {
        paired.push({ role: "tool", tool_call_id: call.id, content: NO_RESULT });
      }
    }
  });
  return paired;
}

function isEmptyText(part: unknown): boolean {
  return isObject(part) && part.type === "text" && (part.text === "" || part.text === undefined);
}

function withoutEmptyParts(message: JsonObject): JsonObject {
  const { content } = message;
  if (!Array.isArray(content) || !content.some(isEmptyText)) return message;
  const parts = content.filter((part) => !isEmptyText(part));
  return { ...message, content: parts.length > 0 ? parts : "" };
}

function withoutEmptyText(message: JsonObject): JsonObject[] {
  const { content, role } = message;
  const empty = content === null || content === undefined ||
    (typeof content === "string" && content.trim() === "") ||
    (Array.isArray(content) && content.length === 0);
  if (!empty) return [message];
  if (role === "tool") return [{ ...message, content: EMPTY_RESULT }];
  if (callsOf(message).length === 0) return [];
  const { content: _content, ...rest } = message;
  return [rest];
}

/** Claude's reasoning of one turn, as the content parts that it was. */
function withReasoning(message: JsonObject, { model, calls }: HistorySetting): JsonObject {
  if (message.role !== "assistant") return message;
  const { content } = message;
  const parts = Array.isArray(content)
    ? content
    : typeof content === "string" && content !== ""
    ? [{ type: "text", text: content }]
    : [];
  // What a client joined or reordered no longer fits its signature: what was kept comes first.
  const [first] = callsOf(message);
  const kept = typeof first?.id === "string" ? calls?.get(first.id) : undefined;
  const items = kept?.model === undefined || kept.model === model ? kept?.items : undefined;
  const remembered = reasoningParts(items ?? []);
  const own = parts.filter((part) => isObject(part) && part.type !== "text" && isReasoning(part));
  const reasoning = remembered.length > 0
    ? remembered
    : own.length > 0
    ? own
    : reasoningParts(Array.isArray(message.reasoning_details) ? message.reasoning_details : []);
  if (reasoning.length === 0 || reasoning === own) return message;
  return { ...message, content: [...reasoning, ...parts.filter((part) => !isReasoning(part))] };
}

function isReasoning(part: unknown): boolean {
  return isObject(part) && ["reasoning", "thinking", "redacted_thinking"].includes(`${part.type}`);
}

/** The reasoning of one turn as the flat text that Kimi wants back. */
function withReasoningContent(message: JsonObject): JsonObject {
  if (message.role !== "assistant" || typeof message.reasoning_content === "string") return message;
  const text = reasoningTextOf(message);
  return text === "" ? message : { ...message, reasoning_content: text };
}

function signatureIn(call: JsonObject): unknown {
  const google = isObject(call.extra_content) ? call.extra_content.google : undefined;
  return isObject(google) ? google.thought_signature : undefined;
}

function withSignature(call: JsonObject, calls: CallScope | undefined): JsonObject {
  const kept = typeof call.id === "string" ? calls?.get(call.id)?.fields : undefined;
  const signature = call.thoughtSignature ?? kept?.thoughtSignature ?? signatureIn(call);
  return signature === undefined || signature === call.thoughtSignature
    ? call
    : { ...kept, ...call, thoughtSignature: signature };
}

/** The longest id that the GPT models take, in characters. */
const LONGEST_ID = 64;

/**
 * The same short id for the same long one: call and result must still agree. A hash of the whole id
 * stands in for what is cut off.
 *
 * @example
 * ```ts
 * import { shortId } from "./history.ts";
 *
 * const id = shortId("call_" + "x".repeat(100));
 * if ((id as string).length !== 64) throw new Error("64 characters");
 * if (shortId("call_1") !== "call_1") throw new Error("short ones stay");
 * ```
 */
export function shortId(id: unknown): unknown {
  if (typeof id !== "string" || id.length <= LONGEST_ID) return id;
  const hash = hash64(id);
  return id.slice(0, LONGEST_ID - hash.length - 1) + "_" + hash;
}

function shortIds(message: JsonObject): JsonObject {
  if (message.role === "tool") {
    const id = shortId(message.tool_call_id);
    return id === message.tool_call_id ? message : { ...message, tool_call_id: id };
  }
  const calls = callsOf(message);
  if (!calls.some((call) => shortId(call.id) !== call.id)) return message;
  return { ...message, tool_calls: calls.map((call) => ({ ...call, id: shortId(call.id) })) };
}

/** A tool whose schema is an object's, and says every type that it can tell. */
function withParameters(tool: unknown, every: boolean): unknown {
  if (!isObject(tool) || tool.type !== "function" || !isObject(tool.function)) return tool;
  const { parameters } = tool.function;
  const given = isObject(parameters) ? parameters : {};
  const root = given.type === undefined ? { type: "object", ...given } : given;
  const whole = root.type === "object" && root.properties === undefined && root !== parameters
    ? { ...root, properties: {} }
    : root;
  const typed = withTypes(whole, every);
  return typed === parameters
    ? tool
    : { ...tool, function: { ...tool.function, parameters: typed } };
}

/**
 * The history of a model that refuses two calls in one turn (gpt-oss): each call gets a turn of its own,
 * followed by its own result.
 *
 * @example
 * ```ts
 * import { oneCallATurn } from "./history.ts";
 *
 * const calls = ["a", "b"].map((id) => ({ id, type: "function", function: { name: "f", arguments: "{}" } }));
 * const results = ["a", "b"].map((id) => ({ role: "tool", tool_call_id: id, content: id }));
 * const messages = oneCallATurn([{ role: "assistant", content: "", tool_calls: calls }, ...results]);
 * if (messages.map((message) => message.role).join() !== "assistant,tool,assistant,tool") throw new Error("apart");
 * ```
 */
export function oneCallATurn(messages: readonly JsonObject[]): JsonObject[] {
  const turns: JsonObject[] = [];
  const results = new Queues(messages.filter((message) => message.role === "tool"));
  const taken = new Set<JsonObject>();
  for (const message of messages) {
    if (taken.has(message)) continue;
    const calls = callsOf(message);
    if (calls.length < 2) {
      turns.push(message);
      if (message.role === "tool") taken.add(message);
      if (calls.length === 0) continue;
    }
    calls.forEach((call, turn) => {
      if (calls.length > 1) {
        const content = turn === 0 ? message.content ?? "" : "";
        turns.push({ ...message, content, tool_calls: [call] });
      }
      const result = results.take(call.id);
      if (result === undefined || taken.has(result)) return;
      taken.add(result);
      turns.push(result);
    });
  }
  return turns;
}
