/**
 * Answers in the Responses dialect: as a stream of `response.*` events and as one response object.
 *
 * @module
 */

import type { Answer } from "./answers.ts";
import type { JsonObject } from "./json.ts";
import { itemsOf, type Place, type ResponsesContext } from "./responses_items.ts";
import type { Step } from "./steps.ts";

/**
 * Writes an answer as one response object.
 *
 * @param answer What is said.
 * @param context The request's wishes and scenarios.
 * @returns The response, `completed`, `incomplete` or `failed`.
 *
 * @example
 * ```ts
 * import { composeAnswer } from "./answers.ts";
 * import { readConversation } from "./conversation.ts";
 * import { familyOf } from "./families.ts";
 * import { responseObject } from "./responses_stream.ts";
 *
 * const family = familyOf("gpt-5");
 * const directives = new Map();
 * const conversation = readConversation({ input: "Hello" });
 * const answer = composeAnswer(conversation, {
 *   family,
 *   bareName: "gpt-5",
 *   thinks: false,
 *   directives,
 *   count: 1,
 *   now: 0,
 * });
 * const { status } = responseObject(answer, { family, conversation, directives });
 * if (status !== "completed") throw new Error(`${status}`);
 * ```
 */
export function responseObject(answer: Answer, context: ResponsesContext): JsonObject {
  if (context.directives.has("failed")) return failedResponse(answer);
  const cut = answer.finish === "length" || answer.finish === "content_filter";
  const reason = answer.finish === "length" ? "max_output_tokens" : "content_filter";
  return {
    ...envelope(answer, cut ? "incomplete" : "completed"),
    incomplete_details: cut ? { reason } : null,
    output: itemsOf(answer, context).map((item) => item.finished),
    usage: {
      input_tokens: answer.promptTokens,
      input_tokens_details: { cached_tokens: answer.cachedTokens },
      output_tokens: answer.completionTokens,
      output_tokens_details: { reasoning_tokens: answer.reasoningTokens },
      total_tokens: answer.promptTokens + answer.completionTokens,
    },
  };
}

/**
 * The response of a generation that failed.
 *
 * @param answer What would have been said.
 * @returns A response with `status: "failed"` and an `error`.
 *
 * @example
 * ```ts
 * import { failedResponse } from "./responses_stream.ts";
 *
 * const answer = { serial: "1", model: "m", created: 0 } as Parameters<typeof failedResponse>[0];
 * if (failedResponse(answer).status !== "failed") throw new Error("unexpected");
 * ```
 */
export function failedResponse(answer: Answer): JsonObject {
  return {
    ...envelope(answer, "failed"),
    output: [],
    usage: null,
    error: {
      code: "server_error",
      message: "An error occurred while processing your request.",
    },
  };
}

/**
 * Writes an answer as the events of the Responses dialect. The last one is `response.completed` or
 * `response.incomplete`; there is no `[DONE]`.
 *
 * @param answer What is said.
 * @param context The request's wishes, and scenarios that change the stream: `untidy`, `tidy`,
 *   `interleave`, `late-arguments`, `pairs`.
 * @returns The events, numbered.
 *
 * @example
 * ```ts
 * import { composeAnswer } from "./answers.ts";
 * import { readConversation } from "./conversation.ts";
 * import { familyOf } from "./families.ts";
 * import { responsesSteps } from "./responses_stream.ts";
 *
 * const family = familyOf("gpt-5");
 * const directives = new Map();
 * const conversation = readConversation({ input: "Hello" });
 * const answer = composeAnswer(conversation, {
 *   family,
 *   bareName: "gpt-5",
 *   thinks: false,
 *   directives,
 *   count: 1,
 *   now: 0,
 * });
 * const last = responsesSteps(answer, { family, conversation, directives }).at(-1);
 * if (last?.kind !== "event" || last.event !== "response.completed") throw new Error("no end");
 * ```
 */
export function responsesSteps(answer: Answer, context: ResponsesContext): Step[] {
  const { directives, family } = context;
  const untidy = (family.untidyResponses || directives.has("untidy")) && !directives.has("tidy");
  const items = itemsOf(answer, context);
  const final = responseObject(answer, { ...context, directives: new Map() });
  const events: JsonObject[] = [];
  const put = (type: string, rest: JsonObject) => events.push({ type, ...rest });
  const open = () => {
    const response = { ...envelope(answer, "in_progress"), output: [], usage: null };
    put("response.created", { response });
    put("response.in_progress", { response });
  };

  open();
  const closings: JsonObject[] = [];
  const interleave = directives.has("interleave");
  const alternating: JsonObject[][] = [];
  items.forEach((item, position) => {
    // A reasoning item and the call behind it may share one index.
    const shared = untidy && position > 0 && items[0].finished.type === "reasoning";
    const place: Place = {
      index: shared ? position - 1 : position,
      // The deltas of a text name another item than the one that was added.
      itemId: untidy && item.finished.type === "message"
        ? `${item.finished.id}_f`
        : `${item.finished.id}`,
    };
    put("response.output_item.added", { output_index: place.index, item: item.started });
    const body = item.body(place);
    if (interleave && item.finished.type === "function_call") alternating.push(body);
    else events.push(...body);
    const closing = {
      type: "response.output_item.done",
      output_index: place.index,
      item: item.finished,
    };
    if (untidy || interleave) closings.unshift(closing);
    else events.push(closing);
    if (directives.has("pairs") && position === 0 && items.length > 1) {
      put("response.completed", { response: { ...final, output: [item.finished] } });
      open();
    }
  });
  const longest = Math.max(0, ...alternating.map((body) => body.length));
  for (let at = 0; at < longest; at++) {
    for (const body of alternating) if (body[at]) events.push(body[at]);
  }
  events.push(...closings);
  put(`response.${final.status}`, { response: final });
  return events.map((event, number): Step => ({
    kind: "event",
    event: `${event.type}`,
    data: { ...event, sequence_number: number },
  }));
}

function envelope(answer: Answer, status: string): JsonObject {
  return {
    id: `resp_${answer.serial}`,
    object: "response",
    created_at: answer.created,
    status,
    error: null,
    incomplete_details: null,
    model: answer.model,
  };
}
