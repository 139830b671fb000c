/**
 * The items of a response's output, whole and as the events that build them.
 *
 * @module
 */

import type { Answer } from "./answers.ts";
import type { Conversation } from "./conversation.ts";
import { hash, type JsonObject } from "./json.ts";
import type { Directives } from "./scenarios.ts";
import { fragments, groups } from "./text.ts";
import type { Family } from "./traits.ts";

/** What a response depends on besides the answer. */
export interface ResponsesContext {
  /** The model's family: some have untidy streams. */
  readonly family: Family;
  /** What was asked for: summaries and encrypted reasoning. */
  readonly conversation: Conversation;
  /** The scenarios that the request asks for. */
  readonly directives: Directives;
}

/** How the encrypted form of a reasoning item begins; the rest follows from the item's id. */
const ENCRYPTED_PREFIX = "gAAAAAB";

/**
 * The encrypted form of a reasoning item, which a client sends back to keep the model's thread.
 *
 * @param id The reasoning item's id.
 * @returns An opaque text that follows from the id.
 *
 * @example
 * ```ts
 * import { encryptedReasoning } from "./responses_items.ts";
 *
 * if (encryptedReasoning("rs_1") === encryptedReasoning("rs_2")) throw new Error("unexpected");
 * ```
 */
export function encryptedReasoning(id: string): string {
  return `${ENCRYPTED_PREFIX}${hash(id)}${hash(`${id}.`)}==`;
}

/** Where an item stands in a stream. */
export interface Place {
  /** Its `output_index`. */
  readonly index: number;
  /** The `item_id` that its events name, which is not always the item's own. */
  readonly itemId: string;
}

/** An item of a response's output. */
export interface Item {
  /** The item as it opens. */
  readonly started: JsonObject;
  /** The item as it closes. */
  readonly finished: JsonObject;
  /** The events between. */
  readonly body: (place: Place) => JsonObject[];
}

/**
 * The items of an answer: thinking, message, function calls.
 *
 * @param answer What is said.
 * @param context The request's wishes and scenarios.
 * @returns The items in the order in which they open.
 *
 * @example
 * ```ts
 * import { composeAnswer } from "./answers.ts";
 * import { readConversation } from "./conversation.ts";
 * import { familyOf } from "./families.ts";
 * import { itemsOf } from "./responses_items.ts";
 *
 * const family = familyOf("gpt-5");
 * const directives = new Map();
 * const conversation = readConversation({ input: "Hello" });
 * const answer = composeAnswer(conversation, {
 *   family,
 *   bareName: "gpt-5",
 *   thinks: true,
 *   directives,
 *   count: 1,
 *   now: 0,
 * });
 * if (itemsOf(answer, { family, conversation, directives }).length !== 2) throw new Error();
 * ```
 */
export function itemsOf(answer: Answer, context: ResponsesContext): Item[] {
  const items: Item[] = [];
  if (answer.reasoning !== "") items.push(reasoningItem(answer, context.conversation));
  if (answer.text !== "") items.push(messageItem(answer));
  answer.calls.forEach((call, index) =>
    items.push(callItem(answer, call, index, context.directives.has("late-arguments")))
  );
  return items;
}

function reasoningItem(answer: Answer, conversation: Conversation): Item {
  const id = `rs_${answer.serial}`;
  const encrypted = conversation.encryptedReasoning
    ? { encrypted_content: encryptedReasoning(id) }
    : {};
  const part = { type: "summary_text", text: answer.reasoning };
  return {
    started: { id, type: "reasoning", summary: [], ...encrypted },
    finished: {
      id,
      type: "reasoning",
      summary: conversation.summaries ? [part] : [],
      ...encrypted,
    },
    body: ({ index, itemId }) => {
      if (!conversation.summaries) return [];
      const place = { item_id: itemId, output_index: index, summary_index: 0 };
      const prefix = "response.reasoning_summary";
      return [
        { type: `${prefix}_part.added`, ...place, part: { ...part, text: "" } },
        ...groups(answer.reasoning, 3).map((delta) => ({
          type: `${prefix}_text.delta`,
          ...place,
          delta,
        })),
        { type: `${prefix}_text.done`, ...place, text: answer.reasoning },
        { type: `${prefix}_part.done`, ...place, part },
      ];
    },
  };
}

function messageItem(answer: Answer): Item {
  const item = { id: `msg_${answer.serial}`, type: "message", role: "assistant" };
  const part = { type: "output_text", text: answer.text, annotations: [], logprobs: [] };
  return {
    started: { ...item, status: "in_progress", content: [] },
    finished: { ...item, status: "completed", content: [part] },
    body: ({ index, itemId }) => {
      const place = { item_id: itemId, output_index: index, content_index: 0 };
      return [
        { type: "response.content_part.added", ...place, part: { ...part, text: "" } },
        ...groups(answer.text, 1).map((delta) => ({
          type: "response.output_text.delta",
          ...place,
          delta,
          logprobs: [],
        })),
        { type: "response.output_text.done", ...place, text: answer.text, logprobs: [] },
        { type: "response.content_part.done", ...place, part },
      ];
    },
  };
}

function callItem(
  answer: Answer,
  call: Answer["calls"][number],
  index: number,
  late: boolean,
): Item {
  const item = {
    id: `fc_${answer.serial}${index}`,
    type: "function_call",
    call_id: call.id,
    name: call.name,
  };
  return {
    started: { ...item, status: "in_progress", arguments: "" },
    finished: { ...item, status: "completed", arguments: call.arguments },
    body: ({ index: outputIndex, itemId }) => {
      const place = { item_id: itemId, output_index: outputIndex };
      const prefix = "response.function_call_arguments";
      return [
        ...(late ? [] : fragments(call.arguments))
          .map((delta) => ({ type: `${prefix}.delta`, ...place, delta })),
        { type: `${prefix}.done`, ...place, arguments: call.arguments, name: call.name },
      ];
    },
  };
}
