/**
 * The events of the Responses API that mean something to a chat client, as tables.
 *
 * @module
 */

import { isObject, type JsonObject } from "../../json.ts";
import type { ItemKind, Slot } from "./item.ts";

/** Events that bring a piece, or the whole, of one part of an item. */
export interface PartEvent {
  /** The kind of item. */
  kind: ItemKind;
  /** Which of its texts. */
  slot: Slot;
  /** The event's field that numbers the part. */
  number?: string;
  /** The event's field that has the text. */
  text: string;
  /** Whether the text is the whole of the part rather than a piece of it. */
  whole: boolean;
}

/** Event type → what it brings. */
export const PART_EVENTS: ReadonlyMap<unknown, PartEvent> = new Map<unknown, PartEvent>(
  ([
    ["output_text", "message", "text", "content_index", "text"],
    ["refusal", "message", "refusal", "content_index", "refusal"],
    ["reasoning_summary_text", "reasoning", "summary", "summary_index", "text"],
    ["reasoning_text", "reasoning", "thought", "content_index", "text"],
    // What the two were called in the API's first months, and still are on some servers.
    ["reasoning_summary", "reasoning", "summary", "summary_index", "text"],
    ["reasoning", "reasoning", "thought", "content_index", "text"],
    ["function_call_arguments", "call", "arguments", undefined, "arguments"],
    ["custom_tool_call_input", "call", "arguments", undefined, "input"],
  ] as const).flatMap(([name, kind, slot, number, text]): [string, PartEvent][] => [
    [`response.${name}.delta`, { kind, slot, number, text: "delta", whole: false }],
    [`response.${name}.done`, { kind, slot, number, text, whole: true }],
  ]),
);

/** Events that end a response → the status that they stand for, where the response names none. */
export const TERMINAL_EVENTS: ReadonlyMap<unknown, string> = new Map<unknown, string>([
  ["response.completed", "completed"],
  ["response.done", "completed"],
  ["response.incomplete", "incomplete"],
  ["response.failed", "failed"],
  ["response.cancelled", "cancelled"],
]);

/** A failed response's code → OpenAI's error type. Codes from OpenAI's API reference. */
export const ERROR_TYPES: ReadonlyMap<unknown, string> = new Map([
  ["server_error", "server_error"],
  ["vector_store_timeout", "server_error"],
  ["rate_limit_exceeded", "rate_limit_error"],
  ["invalid_prompt", "invalid_request_error"],
  ["context_length_exceeded", "invalid_request_error"],
]);

/**
 * Whether an event of a stream belongs to this dialect: its type is `response.*`, or it is the bare
 * error event of the Responses API. Anthropic's `{"type":"error","error":{…}}` is told apart by its
 * nested error; OpenAI nests it as well at times, but then numbers the event.
 *
 * @example
 * ```ts
 * import { isResponsesEvent } from "./events.ts";
 *
 * if (!isResponsesEvent({ type: "response.created" })) throw new Error("expected yes");
 * if (isResponsesEvent({ type: "error", error: {} })) throw new Error("expected no");
 * ```
 */
export function isResponsesEvent(event: JsonObject): boolean {
  const { type } = event;
  if (type === "error") return !isObject(event.error) || "sequence_number" in event;
  return typeof type === "string" && type.startsWith("response.");
}
