/**
 * A model of how ForgeCode reads a Responses stream (`openai_responses_compatible`): what doesn't fit its
 * types is skipped without a word. Facts: `forgecode.md`, "`/responses`".
 *
 * @module
 */

import { frame } from "./event_stream.ts";
import { isRetried, RETRIED_STATUSES } from "./forge_reader.ts";
import { joinToolCalls, type ToolCallFragment } from "./forge_tool_calls.ts";
import type { ForgeHead, ForgeVerdict } from "./forge_verdict.ts";

// deno-lint-ignore no-explicit-any
type Json = any;

const isInteger = Number.isSafeInteger;

/** Whether an event has everything that its type must have; what hasn't is skipped. */
function fits(event: Json): boolean {
  if (typeof event?.type !== "string" || !isInteger(event.sequence_number)) return false;
  if (event.type === "error") return event.code === null || typeof event.code === "string";
  if (event.type.endsWith(".delta")) {
    const indexed = event.type === "response.output_text.delta"
      ? isInteger(event.content_index)
      : true;
    return typeof event.item_id === "string" && isInteger(event.output_index) && indexed;
  }
  if (/^response\.output_item\.(added|done)$/.test(event.type)) {
    return isInteger(event.output_index);
  }
  if (/^response\.(completed|incomplete|failed)$/.test(event.type)) {
    const usage = event.response?.usage;
    return usage == null ||
      (isInteger(usage.input_tokens_details?.cached_tokens) &&
        isInteger(usage.output_tokens_details?.reasoning_tokens));
  }
  return true;
}

/**
 * Reads an answer to a streaming Responses request as ForgeCode does.
 *
 * @param body The whole body.
 * @param head The answer's head.
 */
export function readResponsesAsForge(body: string, head: ForgeHead = {}): ForgeVerdict {
  const { status = 200, contentType = "text/event-stream" } = head;
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
  const end = (outcome: ForgeVerdict["outcome"], message: string, tries: number) => {
    verdict.toolCalls = joinToolCalls(fragments);
    return { ...verdict, outcome, message, tries };
  };
  const fragments: ToolCallFragment[] = [];
  if (status !== 200) {
    return end("error", `${status} Reason: ${body}`, RETRIED_STATUSES.has(status) ? 9 : 1);
  }
  if (!contentType?.startsWith("text/event-stream")) {
    return end("error", `invalid content type ${contentType}`, 1);
  }
  const calls = new Map<number, { id: string; name: string; any: boolean }>();
  for (const data of frame(body).data) {
    if (data === "" || data === "[DONE]") continue;
    const event: Json = JSON.parse(data);
    if (!fits(event)) {
      verdict.lostChunks++;
      verdict.problems.push(`skipped: ${data.slice(0, 200)}`);
      continue;
    }
    const { type, item } = event;
    if (type === "response.output_text.delta") verdict.content += event.delta;
    else if (/^response\.reasoning.*\.delta$/.test(type)) verdict.reasoning += event.delta;
    else if (type === "response.output_item.added" && item?.type === "function_call") {
      calls.set(event.output_index, { id: item.call_id, name: item.name, any: false });
      fragments.push({ id: item.call_id, name: item.name, arguments: "" });
    } else if (type === "response.function_call_arguments.delta") {
      const call = calls.get(event.output_index);
      if (call) call.any = true;
      fragments.push({ id: call?.id, arguments: event.delta });
    } else if (type === "error") {
      return end("error", event.message, isRetried({ code: event.code, message: "x" }) ? 9 : 1);
    } else if (type === "response.failed") {
      const error = event.response?.error ?? {};
      return end("error", `${error.message}`, isRetried({ message: "x", ...error }) ? 9 : 1);
    } else if (type === "response.incomplete") {
      return end("error", `incomplete: ${event.response?.incomplete_details?.reason}`, 1);
    } else if (type === "response.completed") {
      verdict.finishReason = fragments.length > 0 ? "tool_calls" : "stop";
    }
  }
  if (head.broken) return end("error", "Transport error: the connection broke", 9);
  const nothing = verdict.content.trim() === "" && fragments.length === 0;
  if (nothing) return end("empty", "Empty completion received", 9);
  if (verdict.finishReason === undefined) return end("runaway", "no response.completed", 100);
  return end("done", "", 1);
}
