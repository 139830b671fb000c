/**
 * The bridge's own contract for a stream that leaves it: stricter than any client.
 *
 * @module
 */

import { duplicateKeys, isMap, type Json, type JsonMap, kindOf, readJson } from "./json.ts";

/** A stream breaks the contract. */
export class StrictStreamError extends Error {
  /** Marks a failed assertion for test runners. */
  override name = "AssertionError";
}

/** A tool call, joined by `index`. */
export interface StrictToolCall {
  /** The call's id. */
  id: string;
  /** The tool's name. */
  name: string;
  /** The arguments, as they came. */
  arguments: string;
}

/** What a stream that keeps the contract says. */
export interface StrictStream {
  /** The one id; undefined if there was no chunk. */
  id?: string;
  /** The one creation time, in seconds. */
  created?: number;
  /** The one model. */
  model?: string;
  /** Each chunk, in order, as `JSON.parse` reads it. */
  chunks: Record<string, unknown>[];
  /** The text of choice 0. */
  content: string;
  /** The `reasoning_content` of choice 0, or its `reasoning` where that is missing. */
  reasoning: string;
  /** The tool calls of choice 0. */
  toolCalls: StrictToolCall[];
  /** The `finish_reason` of choice 0, if one came. */
  finishReason?: string;
  /** The last usage. */
  usage?: Record<string, unknown>;
  /** Whether it ends in an error event. */
  end: "clean" | "error";
  /** The error of the error event. */
  error?: { message: string; type: string; code: string | number | null };
  /** Whether `[DONE]` came; after an error event both are accepted. */
  done: boolean;
  /** How many comment lines there were. */
  comments: number;
}

/** OpenAI's five finish reasons. */
export const OPENAI_FINISH_REASONS: ReadonlySet<string> = new Set(
  ["stop", "length", "tool_calls", "content_filter", "function_call"],
);

interface Choice {
  finishReason?: string;
  content: string;
  reasoning: string;
  calls: Map<number, StrictToolCall>;
  openCall?: number;
}

/**
 * Checks a whole stream against the contract: framing exactly `data: {…}` and a blank line, one id,
 * `created` and model, every choice with `index`, `delta` and `finish_reason`, the role on the first,
 * usage complete or absent, each tool call's fragments together, nothing after a choice's
 * `finish_reason`, and at the end either one `[DONE]`, or one error event without `choices`.
 *
 * @param body The stream.
 * @returns What it says.
 * @throws {StrictStreamError} At the first event that breaks the contract; the message quotes it.
 *
 * @example
 * ```ts
 * import { assertStrictStream } from "./strict_stream.ts";
 *
 * let message = "";
 * try {
 *   assertStrictStream("data: [DONE]\r\n\r\n");
 * } catch (error) {
 *   message = (error as Error).message;
 * }
 * if (!message.includes("CR")) throw new Error("CRLF is not the contract's framing");
 * ```
 */
export function assertStrictStream(body: Uint8Array | string): StrictStream {
  const stream: StrictStream = {
    chunks: [],
    content: "",
    reasoning: "",
    toolCalls: [],
    end: "clean",
    done: false,
    comments: 0,
  };
  const choices = new Map<number, Choice>();
  for (const [at, event] of eventsOf(body).entries()) {
    const fail = (what: string): never => {
      throw new StrictStreamError(`Event ${at} ${what}: ${event}`);
    };
    if (stream.done) fail("comes after [DONE]");
    if (event.startsWith(":")) {
      if (event.includes("\n")) fail("is a comment with a second line");
      stream.comments++;
      continue;
    }
    if (!event.startsWith("data: ")) fail("does not start with 'data: '");
    if (event.includes("\n")) fail("has a second line");
    const data = event.slice("data: ".length);
    if (data === "[DONE]") {
      stream.done = true;
      continue;
    }
    if (stream.end === "error") fail("comes after an error event");
    const value = parse(data, fail);
    if ("error" in value) readError(value, stream, fail);
    else {
      readChunk(value, stream, choices, fail);
      stream.chunks.push(JSON.parse(data));
    }
  }
  checkEnd(stream, choices);
  return stream;
}

type Fail = (what: string) => never;

function eventsOf(body: Uint8Array | string): string[] {
  const text = typeof body === "string"
    ? body
    : new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(body);
  if (text.includes("\r")) throw new StrictStreamError("The stream has a CR, expected LF only");
  if (text.startsWith("\uFEFF")) throw new StrictStreamError("The stream starts with a BOM");
  if (!text.endsWith("\n\n")) {
    throw new StrictStreamError(
      `The stream ends in ${JSON.stringify(text.slice(-40))}, expected a blank line`,
    );
  }
  return text.slice(0, -2).split("\n\n");
}

function parse(data: string, fail: Fail): JsonMap {
  let value: Json;
  try {
    value = readJson(data);
  } catch (error) {
    return fail(`is not JSON (${(error as Error).message})`);
  }
  if (!isMap(value)) return fail(`is ${kindOf(value)}, expected an object`);
  const doubled = findDuplicate(value);
  if (doubled !== undefined) fail(`has the key ${doubled} twice`);
  return value;
}

function findDuplicate(value: Json): string | undefined {
  if (Array.isArray(value)) {
    for (const item of value) {
      const found = findDuplicate(item);
      if (found !== undefined) return found;
    }
    return undefined;
  }
  if (!isMap(value)) return undefined;
  for (const key of duplicateKeys(value)) return key;
  return findDuplicate(Object.values(value));
}

function readError(value: JsonMap, stream: StrictStream, fail: Fail): void {
  if ("choices" in value) fail("is an error with choices: clients would swallow it");
  const error = value.error;
  if (!isMap(error)) return fail(`has an error that is ${kindOf(error)}, expected an object`);
  const { message, type, code } = error;
  if (typeof message !== "string" || message === "") return fail("has an error without a message");
  if (typeof type !== "string" || type === "") return fail("has an error without a type");
  const fits = code === null || typeof code === "string" ||
    (typeof code === "number" && code >= 0 && code <= 65535);
  if (!fits) return fail(`has an error code that is ${kindOf(code)}`);
  stream.end = "error";
  stream.error = { message, type, code: code as string | number | null };
}

function readChunk(
  chunk: JsonMap,
  stream: StrictStream,
  choices: Map<number, Choice>,
  fail: Fail,
): void {
  const { id, object, created, model } = chunk;
  if (typeof id !== "string" || id === "") return fail(`has an id that is ${kindOf(id)}`);
  if (object !== "chat.completion.chunk") return fail(`has an object that is ${object}`);
  if (typeof created !== "number") return fail(`has a created that is ${kindOf(created)}`);
  if (typeof model !== "string" || model === "") {
    return fail(`has a model that is ${kindOf(model)}`);
  }
  const first = { id: stream.id ?? id, created: stream.created ?? created };
  if (id !== first.id) fail(`changes the stream's id from ${first.id}`);
  if (created !== first.created) fail(`changes the stream's created from ${first.created}`);
  if (model !== (stream.model ?? model)) fail(`changes the stream's model from ${stream.model}`);
  Object.assign(stream, first, { model });
  if ("delta" in chunk) fail("has a delta beside its choices");
  if (!Array.isArray(chunk.choices)) {
    return fail(`has choices that are ${kindOf(chunk.choices)}, expected an array`);
  }
  for (const choice of chunk.choices) readChoice(choice, choices, fail);
  if ("usage" in chunk) stream.usage = readUsage(chunk.usage, fail);
}

function readChoice(choice: Json, choices: Map<number, Choice>, fail: Fail): void {
  if (!isMap(choice)) return fail(`has a choice that is ${kindOf(choice)}`);
  const { index, delta, finish_reason: reason } = choice;
  if (typeof index !== "number" || index < 0) {
    return fail(`has a choice with an index that is ${kindOf(index)}`);
  }
  if (!isMap(delta)) return fail(`has a choice with a delta that is ${kindOf(delta)}`);
  if ("message" in choice) fail("has a choice with a message");
  let state = choices.get(index);
  if (state === undefined) {
    if (delta.role !== "assistant") fail("is the first of its choice and lacks the role");
    choices.set(index, state = { content: "", reasoning: "", calls: new Map() });
  }
  if (delta.role !== undefined && delta.role !== "assistant") {
    fail(`has a role that is ${kindOf(delta.role)}`);
  }
  if (state.finishReason !== undefined) fail("comes after the finish_reason of its choice");
  readDelta(delta, state, fail);
  if (reason === null) return;
  if (typeof reason !== "string") return fail(`has a finish_reason that is ${kindOf(reason)}`);
  if (!OPENAI_FINISH_REASONS.has(reason)) fail(`has the unknown finish_reason ${reason}`);
  state.finishReason = reason;
}

function readDelta(delta: JsonMap, state: Choice, fail: Fail): void {
  for (const key of ["content", "reasoning_content", "reasoning", "refusal"]) {
    const text = delta[key];
    if (text !== undefined && text !== null && typeof text !== "string") {
      fail(`has ${key} that is ${kindOf(text)}`);
    }
  }
  state.content += (delta.content ?? "") as string;
  state.reasoning += (delta.reasoning_content ?? delta.reasoning ?? "") as string;
  readReasoningDetails(delta.reasoning_details, fail);
  if (delta.tool_calls === undefined) return;
  if (!Array.isArray(delta.tool_calls)) {
    return fail(`has tool_calls that are ${kindOf(delta.tool_calls)}`);
  }
  for (const call of delta.tool_calls) readToolCall(call, state, fail);
}

function readReasoningDetails(details: Json | undefined, fail: Fail): void {
  if (details === undefined) return;
  if (!Array.isArray(details)) return fail(`has reasoning_details that are ${kindOf(details)}`);
  for (const detail of details) {
    if (!isMap(detail) || typeof detail.type !== "string") {
      return fail("has a reasoning detail without a type");
    }
    for (const key of ["text", "signature", "data"]) {
      const value = detail[key];
      if (value !== undefined && value !== null && typeof value !== "string") {
        fail(`has a reasoning detail with ${key} that is ${kindOf(value)}`);
      }
    }
  }
}

function readToolCall(call: Json, state: Choice, fail: Fail): void {
  if (!isMap(call)) return fail(`has a tool call that is ${kindOf(call)}`);
  const { index, id, type } = call;
  if (typeof index !== "number" || index < 0) {
    return fail(`has a tool call with an index that is ${kindOf(index)}`);
  }
  if (!isMap(call.function)) {
    return fail(`has a tool call with a function that is ${kindOf(call.function)}`);
  }
  const { name, arguments: text } = call.function;
  if (typeof text !== "string") {
    return fail(`has a tool call with arguments that are ${kindOf(text)}, expected a string`);
  }
  const known = state.calls.get(index);
  if (known === undefined) {
    if (typeof id !== "string" || id === "") return fail("starts a tool call without an id");
    if (typeof name !== "string" || name === "") return fail("starts a tool call without a name");
    if (type !== "function") return fail("starts a tool call without the type 'function'");
    for (const other of state.calls.values()) {
      if (other.id === id) fail("starts a tool call with the id of another");
    }
    state.calls.set(index, { id, name, arguments: text });
  } else {
    if (state.openCall !== index) fail("goes back to an earlier tool call");
    if (id !== undefined && id !== known.id) fail("changes the id of a tool call");
    if (name !== undefined && name !== known.name) fail("changes the name of a tool call");
    known.arguments += text;
  }
  state.openCall = index;
}

function readUsage(usage: Json, fail: Fail): Record<string, unknown> {
  if (!isMap(usage)) return fail(`has a usage that is ${kindOf(usage)}, expected it complete`);
  for (const key of ["prompt_tokens", "completion_tokens", "total_tokens"]) {
    if (!(key in usage)) fail(`has a usage without ${key}`);
  }
  checkCounts(usage, "usage", fail);
  const details = usage.prompt_tokens_details;
  if (isMap(details) && !("cached_tokens" in details)) {
    fail("has a usage with prompt_tokens_details without cached_tokens");
  }
  return JSON.parse(JSON.stringify(usage));
}

function checkCounts(counts: JsonMap, path: string, fail: Fail): void {
  for (const [key, value] of Object.entries(counts)) {
    const here = `${path}.${key}`;
    if (key.endsWith("_details")) {
      if (!isMap(value)) return fail(`has ${here} that is ${kindOf(value)}, expected an object`);
      checkCounts(value, here, fail);
    } else if (key.endsWith("_tokens")) {
      if (typeof value !== "number" || value < 0) {
        fail(`has ${here} that is ${kindOf(value)}, expected a whole number`);
      }
    }
  }
}

function checkEnd(stream: StrictStream, choices: Map<number, Choice>): void {
  const first = choices.get(0);
  if (first !== undefined) {
    stream.content = first.content;
    stream.reasoning = first.reasoning;
    stream.toolCalls = [...first.calls.values()];
    if (first.finishReason !== undefined) stream.finishReason = first.finishReason;
  }
  if (stream.end === "error") return;
  if (!stream.done) throw new StrictStreamError("The stream has neither [DONE] nor an error event");
  if (choices.size === 0) throw new StrictStreamError("The stream has no choice, only [DONE]");
  for (const [index, choice] of choices) {
    const { finishReason, calls } = choice;
    if (finishReason === undefined) {
      throw new StrictStreamError(`Choice ${index} has no finish_reason, only [DONE]`);
    }
    if (finishReason === "stop" && calls.size > 0) {
      throw new StrictStreamError(
        `Choice ${index} ends in stop, expected tool_calls: it has calls`,
      );
    }
    if (finishReason === "tool_calls" && calls.size === 0) {
      throw new StrictStreamError(`Choice ${index} ends in tool_calls, but has none`);
    }
  }
}
