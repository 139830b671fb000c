/**
 * Answers of a gateway, written once and sent in the events of whichever surface is asked.
 *
 * @module
 */

import type { JsonObject } from "../../lib/json.ts";

/** One step of an answer. */
export type Step =
  | { readonly do: "text"; readonly text: string }
  | { readonly do: "think"; readonly text: string }
  /** A call begins; its key distinguishes it from others in progress. */
  | { readonly do: "call"; readonly key: number; readonly name: string; readonly id: string }
  | { readonly do: "arguments"; readonly key: number; readonly text: string }
  | { readonly do: "finish"; readonly reason: string | null }
  | { readonly do: "error"; readonly error: JsonObject }
  | { readonly do: "done" }
  /** Bytes as they are. */
  | { readonly do: "raw"; readonly text: string }
  /** The connection breaks. */
  | { readonly do: "break" };

const USAGE = { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 };

/** Chat chunks, as mlflow sends them. */
function chatEvents(steps: readonly Step[]): string[] {
  const chunk = (delta: JsonObject, reason: string | null = null) => ({
    id: "chatcmpl-1",
    object: "chat.completion.chunk",
    created: 1_790_000_000,
    model: "m",
    choices: [{ index: 0, delta, finish_reason: reason }],
    ...reason === null ? {} : { usage: USAGE },
  });
  return steps.flatMap((step): (string | JsonObject)[] => {
    switch (step.do) {
      case "text":
        return [chunk({ role: "assistant", content: step.text })];
      case "think":
        return [chunk({ reasoning_content: step.text })];
      case "call": {
        const { key, id, name } = step;
        const call = { index: key, id, type: "function", function: { name, arguments: "" } };
        return [chunk({ tool_calls: [call] })];
      }
      case "arguments":
        return [chunk({
          tool_calls: [{ index: step.key, function: { arguments: step.text } }],
        })];
      case "finish":
        return [chunk({}, step.reason)];
      case "error":
        return [{ error: step.error }];
      case "done":
        return ["[DONE]"];
      default:
        return [];
    }
  }).map((data) => `data: ${typeof data === "string" ? data : JSON.stringify(data)}\n\n`);
}

/** Events of the Responses API. */
function responsesEvents(steps: readonly Step[]): string[] {
  const out: JsonObject[] = [{
    type: "response.created",
    response: { id: "resp_1", object: "response", status: "in_progress", output: [] },
  }];
  const items: JsonObject[] = [];
  const open = new Map<string, { index: number; item: JsonObject; text: string }>();
  const begin = (key: string, item: JsonObject) => {
    const known = open.get(key);
    if (known) return known;
    const entry = { index: items.length, item, text: "" };
    items.push(item);
    open.set(key, entry);
    out.push({ type: "response.output_item.added", output_index: entry.index, item });
    return entry;
  };
  const close = () => {
    for (const { index, item, text } of open.values()) {
      if (item.type === "message") {
        item.content = [{ type: "output_text", text, annotations: [] }];
      }
      if (item.type === "function_call") item.arguments = text;
      if (item.type === "reasoning") item.summary = [{ type: "summary_text", text }];
      item.status = "completed";
      out.push({ type: "response.output_item.done", output_index: index, item });
    }
    open.clear();
  };
  for (const step of steps) {
    if (step.do === "text") {
      const entry = begin("text", {
        type: "message",
        id: "msg_1",
        role: "assistant",
        content: [],
        status: "in_progress",
      });
      entry.text += step.text;
      const { index } = entry;
      const type = "response.output_text.delta";
      out.push({ type, item_id: "msg_1", output_index: index, content_index: 0, delta: step.text });
    } else if (step.do === "think") {
      const entry = begin("think", { type: "reasoning", id: "rs_1", summary: [] });
      entry.text += step.text;
      const { index } = entry;
      const type = "response.reasoning_summary_text.delta";
      out.push({ type, item_id: "rs_1", output_index: index, summary_index: 0, delta: step.text });
    } else if (step.do === "call") {
      begin(`call ${step.key}`, {
        type: "function_call",
        id: `fc_${step.key}`,
        call_id: step.id,
        name: step.name,
        arguments: "",
        status: "in_progress",
      });
    } else if (step.do === "arguments") {
      const entry = open.get(`call ${step.key}`);
      if (entry === undefined) continue;
      entry.text += step.text;
      out.push({
        type: "response.function_call_arguments.delta",
        item_id: `fc_${step.key}`,
        output_index: entry.index,
        delta: step.text,
      });
    } else if (step.do === "finish") {
      const complete = ["stop", "tool_calls", "STOP", null].includes(step.reason);
      if (complete) close();
      const usage = { input_tokens: 10, output_tokens: 5, total_tokens: 15 };
      out.push({
        type: complete ? "response.completed" : "response.incomplete",
        response: {
          id: "resp_1",
          object: "response",
          status: complete ? "completed" : "incomplete",
          incomplete_details: complete ? null : {
            reason: step.reason === "length" ? "max_output_tokens" : step.reason,
          },
          output: items,
          usage,
        },
      });
    } else if (step.do === "error") {
      out.push({ type: "error", param: null, ...step.error });
    }
  }
  return out.map((event, at) =>
    `event: ${event.type}\ndata: ${JSON.stringify({ sequence_number: at, ...event })}\n\n`
  );
}

/** Events of Anthropic's Messages. */
function messagesEvents(steps: readonly Step[]): string[] {
  const out: JsonObject[] = [{
    type: "message_start",
    message: {
      id: "msg_1",
      type: "message",
      role: "assistant",
      model: "m",
      content: [],
      stop_reason: null,
      usage: { input_tokens: 10, output_tokens: 1 },
    },
  }];
  const indexes = new Map<string, number>();
  const calls = new Set<number>();
  let last: number | undefined;
  let count = 0;
  const open = (key: string, content_block: JsonObject) => {
    const known = indexes.get(key);
    const isCall = key.startsWith("call");
    if (known !== undefined && (known === last || isCall)) return known;
    // Calls may run side by side, as they do elsewhere; Claude's own never do.
    if (last !== undefined && !calls.has(last)) {
      out.push({ type: "content_block_stop", index: last });
    }
    const index = last = count++;
    if (isCall) calls.add(index);
    indexes.set(key, index);
    out.push({ type: "content_block_start", index, content_block });
    return index;
  };
  for (const step of steps) {
    if (step.do === "text") {
      const index = open("text", { type: "text", text: "" });
      const delta = { type: "text_delta", text: step.text };
      out.push({ type: "content_block_delta", index, delta });
    } else if (step.do === "think") {
      const index = open("think", { type: "thinking", thinking: "", signature: "" });
      const delta = { type: "thinking_delta", thinking: step.text };
      out.push({ type: "content_block_delta", index, delta });
      const signature = { type: "signature_delta", signature: "c2lnbmVk" };
      out.push({ type: "content_block_delta", index, delta: signature });
    } else if (step.do === "call") {
      open(`call ${step.key}`, { type: "tool_use", id: step.id, name: step.name, input: {} });
    } else if (step.do === "arguments") {
      const index = indexes.get(`call ${step.key}`)!;
      const delta = { type: "input_json_delta", partial_json: step.text };
      out.push({ type: "content_block_delta", index, delta });
    } else if (step.do === "finish") {
      if (last !== undefined && !calls.has(last)) calls.add(last);
      for (const index of calls) out.push({ type: "content_block_stop", index });
      calls.clear();
      last = undefined;
      const reasons: Record<string, string> = {
        stop: "end_turn",
        length: "max_tokens",
        tool_calls: "tool_use",
        content_filter: "refusal",
      };
      const stop_reason = step.reason === null ? null : reasons[step.reason] ?? step.reason;
      out.push({
        type: "message_delta",
        delta: { stop_reason, stop_sequence: null },
        usage: { output_tokens: 5 },
      });
    } else if (step.do === "done") out.push({ type: "message_stop" });
    else if (step.do === "error") {
      const { code, ...rest } = step.error;
      out.push({ type: "error", error: { ...rest, ...code ? { type: String(code) } : {} } });
    }
  }
  return out.map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`);
}

/** Events of Google's `streamGenerateContent`. */
function geminiEvents(steps: readonly Step[]): string[] {
  const out: JsonObject[] = [];
  const calls = new Map<number, { name: string; id: string; text: string }>();
  const put = (parts: JsonObject[], more: JsonObject = {}) =>
    out.push({ candidates: [{ content: { role: "model", parts }, index: 0, ...more }] });
  const complete = () => {
    for (const { name, id, text } of calls.values()) {
      try {
        put([{ functionCall: { name, id, args: JSON.parse(text) } }]);
      } catch {
        // Google sends whole calls alone: half of one is never seen.
      }
    }
    calls.clear();
  };
  for (const step of steps) {
    if (step.do === "text") put([{ text: step.text }]);
    else if (step.do === "think") put([{ text: step.text, thought: true }]);
    else if (step.do === "call") calls.set(step.key, { name: step.name, id: step.id, text: "" });
    else if (step.do === "arguments") {
      const call = calls.get(step.key);
      if (call) call.text += step.text;
    } else if (step.do === "finish") {
      complete();
      const reasons: Record<string, string> = {
        length: "MAX_TOKENS",
        content_filter: "SAFETY",
      };
      put([], { finishReason: reasons[step.reason ?? ""] ?? "STOP" });
      out[out.length - 1].usageMetadata = {
        promptTokenCount: 10,
        candidatesTokenCount: 5,
        totalTokenCount: 15,
      };
    } else if (step.do === "error") out.push({ error: { code: 500, ...step.error } });
  }
  return out.map((event) => `data: ${JSON.stringify(event)}\r\n\r\n`);
}

/**
 * An answer as the surface behind a path sends it.
 *
 * @param path The path of the gateway that was asked.
 * @param steps What is answered.
 */
export function scriptedAnswer(path: string, steps: readonly Step[]): Response {
  const events = /mlflow/.test(path)
    ? chatEvents(steps)
    : /anthropic/.test(path)
    ? messagesEvents(steps)
    : /gemini/.test(path)
    ? geminiEvents(steps)
    : responsesEvents(steps);
  for (const step of steps) if (step.do === "raw") events.push(step.text);
  const breaks = steps.some((step) => step.do === "break");
  const encoder = new TextEncoder();
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      const event = events.shift();
      if (event !== undefined) return controller.enqueue(encoder.encode(event));
      if (breaks) controller.error(new TypeError("the connection broke"));
      else controller.close();
    },
  });
  return new Response(body, { headers: { "content-type": "text/event-stream" } });
}
