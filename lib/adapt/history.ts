/**
 * What a conversation's history needs before a chat surface takes it: each row of the table is one
 * demand of the gateway's or of a family's (`gateway.md`, "What requests are refused for"). Pure; the
 * client's messages are never changed.
 *
 * @module
 */

import { type Family, familyOf } from "../models/families.ts";
import { hash64 } from "../hash.ts";
import { isObject, type JsonObject } from "../json.ts";
import type { ToolCallCache } from "./tool_call_cache.ts";

/** What a repair may look at. */
export interface HistorySetting {
  /** The family of the model. */
  readonly family: Family;
  /** Where fields that chat clients drop were kept, by call. */
  readonly memory?: ToolCallCache;
}

/** One demand on the history. */
export interface HistoryRule {
  /** What it does, for the documentation. */
  readonly what: string;
  /** Families it is for; all where missing. */
  readonly families?: readonly Family[];
  /** The messages, mended. */
  readonly mend: (messages: JsonObject[], setting: HistorySetting) => JsonObject[];
}

/** Text for a call whose result the client doesn't have, and for a result that says nothing. */
const NO_RESULT = "(no result: the call was not completed)";
const EMPTY_RESULT = "(no output)";

/** The rules, in the order in which they are applied. */
export const HISTORY_RULES: readonly HistoryRule[] = [
  {
    what:
      "results stand right behind their calls, orphan results go, a call without a result gets one",
    mend: pairResults,
  },
  {
    what: "empty text parts go; they are refused",
    mend: (messages) => messages.map(withoutEmptyParts),
  },
  {
    what: "Claude refuses empty text: it goes beside tool calls, or the message does",
    families: ["claude"],
    mend: (messages) => messages.flatMap(withoutEmptyText),
  },
  {
    what: "Claude wants signed reasoning back as the content part that it was",
    families: ["claude"],
    mend: (messages) => messages.map(withReasoning),
  },
  {
    what: "Gemini wants `thoughtSignature` back at the top level of its call",
    families: ["gemini"],
    mend: (messages, { memory }) => messages.map((message) => withSignatures(message, memory)),
  },
  {
    what: "tool call ids are at most 64 characters",
    families: ["gpt"],
    mend: (messages) => messages.map(shortIds),
  },
];

/**
 * Mends a body's history for a model, and gives every tool the `parameters` that Llama demands.
 *
 * @param body A chat request; it is not changed.
 * @param model The model, by any of its names.
 * @param memory Where fields that chat clients drop were kept, by call.
 *
 * @example
 * ```ts
 * import { mendHistory } from "./history.ts";
 *
 * const body = { messages: [{ role: "tool", tool_call_id: "gone", content: "x" }] };
 * const { messages } = mendHistory(body, "databricks-claude-sonnet-5");
 * if ((messages as unknown[]).length !== 0) throw new Error("a result without its call goes");
 * ```
 */
export function mendHistory(body: JsonObject, model: string, memory?: ToolCallCache): JsonObject {
  if (!Array.isArray(body.messages)) return body;
  const family = familyOf(model);
  let messages = body.messages.filter(isObject);
  for (const rule of HISTORY_RULES) {
    if (rule.families && !rule.families.includes(family)) continue;
    messages = rule.mend(messages, { family, memory });
  }
  const tools = Array.isArray(body.tools) ? body.tools.map(withParameters) : body.tools;
  return tools === undefined ? { ...body, messages } : { ...body, messages, tools };
}

/** The calls of an assistant's message. */
function callsOf(message: JsonObject): JsonObject[] {
  if (message.role !== "assistant" || !Array.isArray(message.tool_calls)) return [];
  return message.tool_calls.filter(isObject);
}

function pairResults(messages: JsonObject[]): JsonObject[] {
  if (!messages.some((message) => message.role === "tool" || callsOf(message).length > 0)) {
    return messages;
  }
  const results = new Map<unknown, JsonObject[]>();
  for (const message of messages) {
    if (message.role !== "tool") continue;
    // A client that was given no id sends null on one side, and perhaps nothing on the other.
    const id = message.tool_call_id ?? null;
    const known = results.get(id);
    if (known) known.push(message);
    else results.set(id, [message]);
  }
  const mended: JsonObject[] = [];
  messages.forEach((message, at) => {
    if (message.role === "tool") return;
    mended.push(message);
    for (const call of callsOf(message)) {
      // The same id may be used again in a later turn: first call, first result.
      const result = results.get(call.id ?? null)?.shift();
      if (result) mended.push(result);
      else if (at < messages.length - 1) {
        mended.push({ role: "tool", tool_call_id: call.id, content: NO_RESULT });
      }
    }
  });
  return mended;
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

function withReasoning(message: JsonObject): JsonObject {
  const details = message.reasoning_details;
  if (message.role !== "assistant" || !Array.isArray(details)) return message;
  // Unsigned reasoning is refused: it can only be left out.
  const summary = details.filter((detail): detail is JsonObject =>
    isObject(detail) && typeof detail.signature === "string" && detail.signature !== ""
  ).map(({ text, signature }) => ({ type: "summary_text", text: text ?? "", signature }));
  if (summary.length === 0) return message;
  const { content } = message;
  const parts = Array.isArray(content)
    ? content
    : typeof content === "string" && content !== ""
    ? [{ type: "text", text: content }]
    : [];
  return { ...message, content: [{ type: "reasoning", summary }, ...parts] };
}

function signatureIn(call: JsonObject): unknown {
  const google = isObject(call.extra_content) ? call.extra_content.google : undefined;
  return isObject(google) ? google.thought_signature : undefined;
}

function withSignatures(message: JsonObject, memory: ToolCallCache | undefined): JsonObject {
  const calls = callsOf(message);
  if (calls.length === 0) return message;
  return {
    ...message,
    tool_calls: calls.map((call) => {
      const kept = typeof call.id === "string" ? memory?.get(call.id)?.fields : undefined;
      const signature = call.thoughtSignature ?? kept?.thoughtSignature ?? signatureIn(call);
      return signature === undefined ? call : { ...kept, ...call, thoughtSignature: signature };
    }),
  };
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

function withParameters(tool: unknown): unknown {
  if (
    !isObject(tool) || tool.type !== "function" || !isObject(tool.function) ||
    isObject(tool.function.parameters)
  ) {
    return tool;
  }
  return {
    ...tool,
    function: { ...tool.function, parameters: { type: "object", properties: {} } },
  };
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
  const mended: JsonObject[] = [];
  const taken = new Set<JsonObject>();
  messages.forEach((message, at) => {
    if (taken.has(message)) return;
    const calls = callsOf(message);
    if (calls.length < 2) {
      mended.push(message);
      return;
    }
    calls.forEach((call, turn) => {
      mended.push({
        ...message,
        content: turn === 0 ? message.content ?? "" : "",
        tool_calls: [call],
      });
      const result = messages.slice(at + 1).find((other) =>
        other.role === "tool" && other.tool_call_id === call.id && !taken.has(other)
      );
      if (!result) return;
      taken.add(result);
      mended.push(result);
    });
  });
  return mended;
}
