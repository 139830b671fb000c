/**
 * Answers in Anthropic's Messages: the stream and the whole message.
 *
 * @module
 */

import type { Answer } from "./answers.ts";
import { signatureOf } from "./chat_deltas.ts";
import type { JsonObject } from "./json.ts";
import type { Step } from "./steps.ts";
import { fragments, groups } from "./text.ts";

const REASONS = {
  stop: "end_turn",
  tool_calls: "tool_use",
  length: "max_tokens",
  content_filter: "refusal",
} as const;

/** How many words a piece of text has. */
const WORDS = 3;

function usageOf({ promptTokens, cachedTokens, writtenTokens = 0 }: Answer): JsonObject {
  return {
    input_tokens: Math.max(0, promptTokens - cachedTokens - writtenTokens),
    cache_read_input_tokens: cachedTokens,
    cache_creation_input_tokens: writtenTokens,
  };
}

/** An answer as a whole message. */
export function messageObject(answer: Answer): JsonObject {
  const { reasoning, text, calls } = answer;
  return {
    id: `msg_bdrk_${answer.serial}`,
    type: "message",
    role: "assistant",
    model: answer.model,
    content: [
      ...reasoning === ""
        ? []
        : [{ type: "thinking", thinking: reasoning, signature: signatureOf(reasoning) }],
      ...text === "" ? [] : [{ type: "text", text }],
      ...calls.map(({ id, name, arguments: input }) => ({
        type: "tool_use",
        id,
        name,
        input: JSON.parse(input),
      })),
    ],
    stop_reason: REASONS[answer.finish],
    stop_sequence: null,
    usage: { ...usageOf(answer), output_tokens: answer.completionTokens },
  };
}

/** The deltas that fill a block. */
function deltasOf(block: JsonObject): JsonObject[] {
  switch (block.type) {
    case "text":
      return groups(`${block.text}`, WORDS).map((text) => ({ type: "text_delta", text }));
    case "thinking":
      return [
        ...groups(`${block.thinking}`, WORDS).map((thinking) => ({
          type: "thinking_delta",
          thinking,
        })),
        { type: "signature_delta", signature: block.signature },
      ];
    default:
      return fragments(JSON.stringify(block.input)).map((partial_json) => ({
        type: "input_json_delta",
        partial_json,
      }));
  }
}

function emptied(block: JsonObject): JsonObject {
  switch (block.type) {
    case "text":
      return { type: "text", text: "" };
    case "thinking":
      return { type: "thinking", thinking: "", signature: "" };
    default:
      return { ...block, input: {} };
  }
}

/** An answer as the steps of a stream. */
export function messagesSteps(answer: Answer): Step[] {
  const { content, stop_reason, stop_sequence, usage, ...head } = messageObject(answer);
  const events: JsonObject[] = [{
    type: "message_start",
    message: {
      ...head,
      content: [],
      stop_reason: null,
      stop_sequence: null,
      usage: { ...usageOf(answer), output_tokens: 1 },
    },
  }, { type: "ping" }];
  for (const [index, block] of (content as JsonObject[]).entries()) {
    events.push({ type: "content_block_start", index, content_block: emptied(block) });
    for (const delta of deltasOf(block)) {
      events.push({ type: "content_block_delta", index, delta });
    }
    events.push({ type: "content_block_stop", index });
  }
  events.push({
    type: "message_delta",
    delta: { stop_reason, stop_sequence },
    usage: { output_tokens: (usage as JsonObject).output_tokens },
  });
  events.push({ type: "message_stop" });
  return events.map((data): Step => ({ kind: "event", event: `${data.type}`, data }));
}
