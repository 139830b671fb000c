/**
 * A model of how ForgeCode reads a Messages stream (`anthropic_compatible`). Facts: `forgecode.md`,
 * "`/messages`" and "Retried in the stream".
 *
 * @module
 */

import { frame } from "./event_stream.ts";
import { isRetried, RETRIED_STATUSES } from "./forge_reader.ts";
import type { ForgeHead, ForgeVerdict } from "./forge_verdict.ts";

// deno-lint-ignore no-explicit-any
type Json = any;

/** Anthropic's stop reasons, as ForgeCode's own. */
const REASONS: Readonly<Record<string, string>> = {
  end_turn: "stop",
  stop_sequence: "stop",
  tool_use: "tool_calls",
  max_tokens: "length",
  refusal: "content_filter",
};

/**
 * Reads an answer to a streaming Messages request as ForgeCode does.
 *
 * @param body The whole body.
 * @param head The answer's head.
 */
export function readMessagesAsForge(
  body: Uint8Array | string,
  head: ForgeHead = {},
): ForgeVerdict {
  const { status = 200, contentType = "text/event-stream" } = head;
  const text = typeof body === "string" ? body : new TextDecoder().decode(body);
  const verdict: ForgeVerdict = {
    outcome: "done",
    message: "",
    tries: 1,
    content: "",
    reasoning: "",
    reasoningDetails: [],
    toolCalls: [],
    lostChunks: 0,
    problems: [],
  };
  const blocks: Json[] = [];
  const end = (outcome: ForgeVerdict["outcome"], message: string, tries: number) => {
    verdict.toolCalls = blocks.filter(({ type }) => type === "tool_use").map((
      { id, name, json },
    ) => ({ id, name, arguments: json === "" ? "{}" : json }));
    return { ...verdict, outcome, message, tries };
  };
  if (status !== 200) {
    return end("error", `${status} Reason: ${text}`, RETRIED_STATUSES.has(status) ? 9 : 1);
  }
  if (!contentType?.startsWith("text/event-stream")) {
    return end("error", `invalid content type ${contentType}`, 1);
  }
  for (const data of frame(text).data) {
    if (data === "") continue;
    const { type, index, delta, content_block: block, error }: Json = JSON.parse(data);
    if (type === "error") {
      return end("error", error.message, isRetried({ code: error.type, ...error }) ? 9 : 1);
    }
    if (type === "content_block_start") blocks[index] = { ...block, json: "" };
    if (type === "message_delta") verdict.finishReason = REASONS[delta.stop_reason];
    if (type !== "content_block_delta") continue;
    if (delta.type === "text_delta") verdict.content += delta.text;
    if (delta.type === "thinking_delta") verdict.reasoning += delta.thinking;
    if (delta.type === "input_json_delta") blocks[index].json += delta.partial_json;
  }
  if (head.broken) return end("error", "Transport error: the connection broke", 9);
  const calls = blocks.some(({ type }) => type === "tool_use");
  const { finishReason: reason } = verdict;
  if (verdict.content.trim() === "" && !calls && reason === undefined) {
    return end("empty", "Empty completion received", 9);
  }
  if (reason === "content_filter") return end("refusal", "The answer was filtered", 1);
  if (calls || reason === "stop") return end("done", "", 1);
  return end("runaway", `goes on after ${reason}`, 100);
}
