/**
 * Reads a finished stream as ForgeCode would, and notes everything that it would stumble over
 * (`forgecode.md`, "The stream: what breaks it"). The doctor reads both what the gateway sent and what
 * the bridge made of it: what stands in the first list and not in the second was repaired.
 *
 * @module
 */

import { isObject, type JsonObject } from "../json.ts";

/** What there is to stumble over → what it is called. */
export const STUMBLES = {
  status: "a status other than 200",
  "content-type": "a content type other than text/event-stream",
  framing: "events without a blank line between them",
  json: "an event that is no JSON",
  dialect: "events of the Responses API",
  error: "an error in the stream",
  choices: "chunks without choices",
  delta: "choices without a delta",
  id: "chunks without an id",
  created: "created that is no whole number",
  content: "content that is no text",
  usage: "usage that is not whole",
  "tool call": "tool calls that don't fit together",
  arguments: "tool arguments that are no JSON",
  "finish_reason": "no finish_reason that is known",
  length: "an answer cut by its length",
  filter: "an answer that was filtered",
  empty: "an empty answer",
  done: "no [DONE]",
} as const;

/** One of {@linkcode STUMBLES}. */
export type Stumble = keyof typeof STUMBLES;

/** A tool call as the client would make it. */
export interface ReadCall {
  /** Its id; undefined where none came. */
  readonly id: string | undefined;
  /** The tool. */
  readonly name: string;
  /** Its arguments, JSON. */
  readonly arguments: string;
}

/** What a client makes of a stream. */
export interface Reading {
  /** The text of the answer. */
  readonly text: string;
  /** The tool calls. */
  readonly calls: readonly ReadCall[];
  /** How it ended. */
  readonly finishReason: string | undefined;
  /** Tokens in and out, where whole ones were told. */
  readonly usage: { readonly input: number; readonly output: number } | undefined;
  /** What it stumbled over → the first place, in words. */
  readonly stumbles: ReadonlyMap<Stumble, string>;
}

const FINISHES = new Set(["stop", "end_turn", "length", "content_filter", "tool_calls"]);

/** What the events add up to. */
interface Turn {
  text: string;
  calls: { id: string | undefined; name: string; arguments: string }[];
  finishReason: string | undefined;
  usage: { input: number; output: number } | undefined;
  done: boolean;
  readonly stumbles: Map<Stumble, string>;
}

/**
 * Reads a whole body.
 *
 * @param body The body's text.
 * @returns What a client makes of it; never throws.
 *
 * @example
 * ```ts
 * import { readAnswer } from "./reader.ts";
 *
 * const { text, stumbles } = readAnswer('data: {"choices":[{"delta":{"content":"Hi"}}]}\n\n');
 * if (text !== "Hi" || !stumbles.has("id") || !stumbles.has("finish_reason")) throw new Error("read");
 * ```
 */
export function readAnswer(body: string): Reading {
  const turn: Turn = {
    text: "",
    calls: [],
    finishReason: undefined,
    usage: undefined,
    done: false,
    stumbles: new Map(),
  };
  for (const data of eventsOf(body, turn)) readEvent(data, turn);
  conclude(turn);
  return turn;
}

function note({ stumbles }: Turn, stumble: Stumble, where: string): void {
  if (!stumbles.has(stumble)) stumbles.set(stumble, where.slice(0, 200));
}

/** The data of every event. Two data lines in one event are one text: mostly two events that run together. */
function eventsOf(body: string, turn: Turn): string[] {
  const events: string[] = [];
  const blocks = body.replace(/^\uFEFF/, "").replace(/\r\n?/g, "\n").split(/\n\n+/);
  const last = blocks.pop() ?? "";
  if (/^data:/m.test(last)) note(turn, "framing", "the last event has no blank line behind it");
  for (const block of [...blocks, last]) {
    const lines = block.split("\n").filter((line) => line.startsWith("data:"))
      .map((line) => line.slice(5).replace(/^ /, ""));
    if (lines.length > 1) note(turn, "framing", `${lines.length} data lines in one event`);
    events.push(...lines);
  }
  return events;
}

function readEvent(data: string, turn: Turn): void {
  if (data === "[DONE]") {
    turn.done = true;
    return;
  }
  let chunk: unknown;
  try {
    chunk = JSON.parse(data);
  } catch {
    return note(turn, "json", data);
  }
  if (!isObject(chunk)) return note(turn, "json", data);
  if (typeof chunk.type === "string" && chunk.type.startsWith("response.")) {
    return note(turn, "dialect", chunk.type);
  }
  if (chunk.error !== undefined && chunk.error !== null) return note(turn, "error", wordsOf(chunk));
  if (!Array.isArray(chunk.choices)) {
    return note(turn, chunk.error_code === undefined ? "choices" : "error", wordsOf(chunk));
  }
  if (typeof chunk.id !== "string") note(turn, "id", `id is ${JSON.stringify(chunk.id)}`);
  if (chunk.created !== undefined && !isCount(chunk.created)) {
    note(turn, "created", `created is ${JSON.stringify(chunk.created)}`);
  }
  readUsage(chunk.usage, turn);
  const [choice] = chunk.choices;
  if (choice !== undefined) readChoice(choice, turn);
}

function wordsOf({ error, message }: JsonObject): string {
  if (isObject(error) && typeof error.message === "string") return error.message;
  return typeof message === "string" ? message : JSON.stringify(error ?? null);
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function readUsage(usage: unknown, turn: Turn): void {
  if (usage === undefined || usage === null) return;
  const { prompt_tokens, completion_tokens, total_tokens, prompt_tokens_details } = isObject(usage)
    ? usage
    : {};
  const cached = isObject(prompt_tokens_details) ? prompt_tokens_details.cached_tokens : 0;
  if (
    !isCount(prompt_tokens) || !isCount(completion_tokens) || !isCount(total_tokens) ||
    !isCount(cached)
  ) return note(turn, "usage", JSON.stringify(usage));
  turn.usage = { input: prompt_tokens, output: completion_tokens };
}

function readChoice(choice: unknown, turn: Turn): void {
  const delta = isObject(choice) ? choice.delta : undefined;
  if (!isObject(choice) || !isObject(delta)) {
    return note(turn, "delta", JSON.stringify(choice));
  }
  for (const field of ["content", "reasoning", "reasoning_content", "role"]) {
    const value = delta[field];
    if (value !== undefined && value !== null && typeof value !== "string") {
      note(turn, "content", `${field} is ${Array.isArray(value) ? "an array" : typeof value}`);
    }
  }
  if (typeof delta.content === "string") turn.text += delta.content;
  for (const call of Array.isArray(delta.tool_calls) ? delta.tool_calls : []) readCall(call, turn);
  if (typeof choice.finish_reason !== "string") return;
  if (FINISHES.has(choice.finish_reason)) turn.finishReason = choice.finish_reason;
  else note(turn, "finish_reason", `finish_reason is "${choice.finish_reason}"`);
}

/** Fragments belong together until another id comes: the client looks at no index. */
function readCall(call: unknown, turn: Turn): void {
  const fields = isObject(call) && isObject(call.function) ? call.function : undefined;
  const text = fields?.arguments ?? "";
  if (!isObject(call) || fields === undefined || typeof text !== "string") {
    return note(turn, "tool call", JSON.stringify(call));
  }
  const id = typeof call.id === "string" ? call.id : undefined;
  const last = turn.calls.at(-1);
  const name = typeof fields.name === "string" ? fields.name : "";
  const begins = last === undefined || (id !== undefined ? id !== last.id : name !== "");
  if (!begins) {
    last.arguments += text;
    last.name ||= name;
    return;
  }
  if (id === undefined) note(turn, "tool call", "a call without an id");
  else if (turn.calls.some((known) => known.id === id)) {
    note(turn, "tool call", `the fragments of ${id} don't stand together`);
  }
  turn.calls.push({ id, name, arguments: text });
}

function conclude(turn: Turn): void {
  const { text, calls, finishReason, done } = turn;
  for (const call of calls) {
    if (call.name === "") note(turn, "tool call", "a call without a name");
    try {
      JSON.parse(call.arguments || "{}");
    } catch {
      note(turn, "arguments", call.arguments);
    }
  }
  if (text.trim() === "" && calls.length === 0) note(turn, "empty", "no text and no tool call");
  if (finishReason === undefined) note(turn, "finish_reason", "none came");
  else if (finishReason === "length" && calls.length === 0) note(turn, "length", finishReason);
  else if (finishReason === "content_filter") note(turn, "filter", finishReason);
  if (!done) note(turn, "done", "none came");
}
