/**
 * The state of one choice of a stream.
 *
 * @module
 */

import type { DialectContext, StreamDecoder } from "../dialects/dialect.ts";
import type { JsonObject } from "../json.ts";
import { FenceRemover } from "./fence.ts";
import { wholeCharacters } from "./fields.ts";
import type { FinishReason } from "./finish_reason.ts";
import { ThinkingCollector } from "./thinking.ts";
import { ToolCallAssembler } from "./tool_calls.ts";

/** What a stream is enriched with. */
export interface ChunkEnricherOptions extends Omit<DialectContext, "request"> {
  /** Turns the events of other dialects into chunks. @default every event is a chunk */
  readonly decoder?: StreamDecoder;
  /** Whether a Markdown fence around the content is removed. @default {false} */
  readonly unfence?: boolean;
  /** The names of the tools that the request offers. */
  readonly toolNames?: ReadonlySet<string>;
  /** Ids that tool calls of the conversation have already; a call with one of them gets another. */
  readonly usedIds?: ReadonlySet<string>;
  /** The most tokens that the client asked for, for messages. */
  readonly maxTokens?: number;
}

/** The state of one choice of the stream. */
export interface ChoiceState {
  /** Its number. */
  readonly index: number;
  /** Its tool calls. */
  readonly calls: ToolCallAssembler;
  /** Removes a fence around the content, where that is wanted. */
  readonly fence: FenceRemover | undefined;
  /** Whether its role has been sent. */
  role: boolean;
  /** The finish reason, once there is one. */
  reason: FinishReason | undefined;
  /** The finish reason that has been sent. */
  told: FinishReason | undefined;
  /** Field → joins its surrogate pairs that were cut in two. */
  readonly joins: Map<string, (text: string) => string>;
  /** Whether a refusal has come. */
  refused: boolean;
  /** Whether any content has come. */
  spoke: boolean;
  /** The reasoning so far, for the cache: signed text, or what is encrypted. */
  readonly thinking: ThinkingCollector | undefined;
}

/** The state of a choice that begins. */
export function beginChoice(index: number, options: ChunkEnricherOptions): ChoiceState {
  const { calls, makeId, model, unfence, usedIds, toolNames } = options;
  const thinking = calls && new ThinkingCollector();
  return {
    index,
    calls: new ToolCallAssembler({
      makeId: () => makeId("call_"),
      usedIds,
      toolNames,
      onBegin: calls && ((call) => {
        if (!isEmpty(call.extra)) calls.set(call.id, { fields: call.extra });
        const items = call.first ? thinking?.take() ?? [] : [];
        if (items.length > 0) calls.set(call.id, { items, model });
      }),
    }),
    fence: unfence ? new FenceRemover() : undefined,
    role: false,
    reason: undefined,
    told: undefined,
    joins: new Map(),
    refused: false,
    spoke: false,
    thinking,
  };
}

/** The finish reason to send now; undefined where it has been sent. */
export function tell(state: ChoiceState): FinishReason | undefined {
  const { reason, calls, refused, spoke } = state;
  if (reason === "stop" && calls.any) state.reason = "tool_calls";
  else if (reason === "tool_calls" && !calls.any) state.reason = "stop";
  // ForgeCode takes an answer with only a refusal for empty and repeats it; content_filter it accepts.
  else if (reason === "stop" && refused && !spoke) state.reason = "content_filter";
  if (state.told === state.reason) return undefined;
  return state.told = state.reason;
}

/** The text of a field, with surrogate pairs that were cut in two joined. */
export function whole(state: ChoiceState, name: string, text: string): string {
  let join = state.joins.get(name);
  if (join === undefined) {
    if (text.isWellFormed()) return text;
    state.joins.set(name, join = wholeCharacters());
  }
  return join(text);
}

/** Adds to a text field of a delta; an empty text alone makes no field. */
export function addText(delta: JsonObject, name: string, text: string): void {
  if (text === "" && delta[name] === undefined) return;
  delta[name] = typeof delta[name] === "string" ? delta[name] + text : text;
}

/** Whether a delta has nothing to send. */
export function saysNothing(delta: JsonObject, rest: JsonObject, state: ChoiceState): boolean {
  if (state.told === undefined) return isEmpty(delta) && isEmpty(rest);
  // Unknown fields alone must not make a chunk follow the finish reason.
  return Object.values(delta).every((value) =>
    value === null || value === "" || (typeof value === "object" && isEmpty(value as JsonObject))
  );
}

/** Whether an object has no members. */
export function isEmpty(object: JsonObject): boolean {
  for (const _name in object) return false;
  return true;
}
