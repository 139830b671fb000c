/**
 * What gateways do to the end of an answer and of a stream, as tables.
 *
 * @module
 */

import { type GatewayChunk, type GatewayStream, hasFinishReason } from "./gateway_stream.ts";
import { finishOf, type Mutation } from "./mutation.ts";
import type { Random } from "./random.ts";

/** Changes the finish reason's chunk where the reason is stop or tool calls. */
function onFinish(change: (choice: GatewayChunk) => void): Mutation["apply"] {
  return (stream) => {
    const choice = finishOf(stream);
    if (choice === undefined || stream.reason !== "natural") return false;
    change(choice);
  };
}

/** Removes the finish reason; without it only stop and tool calls can be distinguished. */
function dropFinish(change: (choice: GatewayChunk) => void): Mutation["apply"] {
  return (stream) => {
    const choice = finishOf(stream);
    if (choice === undefined) return false;
    change(choice);
    stream.reason = "natural";
  };
}

/** Ends the stream in an error before its finish reason, at random or at the given event. */
function breakOff(stream: GatewayStream, random: Random, tail: (GatewayChunk | string)[]): boolean {
  const finish = stream.events.findIndex(hasFinishReason);
  const most = finish < 0 ? stream.events.length - 1 : finish;
  if (most < 1) return false;
  stream.events.splice(random.integer(1, most));
  stream.events.push(...tail.map((data) => ({ data, content: "", reasoning: "" })));
  stream.end = "error";
  delete stream.toolCalls;
  return true;
}

/** Errors as they come in the middle of a stream, with words that must reach the user. */
export const STREAM_ERRORS: readonly { data: GatewayChunk | string; words: string }[] = [
  { data: { error: { message: "Model ran away", type: "server_error", code: 500 } }, words: "ran" },
  { data: { error: { message: "No room left" } }, words: "No room left" },
  { data: { error: "Just a sentence" }, words: "Just a sentence" },
  { data: { error_code: "INTERNAL_ERROR", message: "Worker lost" }, words: "Worker lost" },
  { data: { error_code: 503, message: "Try again later" }, words: "Try again later" },
  {
    data: { type: "error", error: { type: "overloaded_error", message: "Overloaded" } },
    words: "Overloaded",
  },
  {
    data: { id: "c", choices: [], error: { message: "Beside choices", code: 502 } },
    words: "Beside choices",
  },
  {
    data: { error: { message: "A strange code", code: { deep: 1 }, type: null } },
    words: "A strange code",
  },
];

/** Mutations of what ends an answer. */
export const FINISH_MUTATIONS: readonly Mutation[] = [
  {
    name: "finish_reason missing",
    group: "finish",
    apply: dropFinish((c) => delete c.finish_reason),
  },
  {
    name: "finish_reason null",
    group: "finish",
    apply: dropFinish((c) => (c.finish_reason = null)),
  },
  { name: "finish_reason empty", group: "finish", apply: onFinish((c) => (c.finish_reason = "")) },
  {
    name: "finish_reason upper case",
    group: "finish",
    apply: onFinish((c) => (c.finish_reason = "STOP")),
  },
  {
    name: "finish_reason end_turn",
    group: "finish",
    apply: onFinish((c) => (c.finish_reason = "end_turn")),
  },
  {
    name: "finish_reason unknown",
    group: "finish",
    apply: onFinish((c) => (c.finish_reason = "eos")),
  },
  {
    name: "finish_reason stop",
    group: "finish",
    apply: onFinish((c) => (c.finish_reason = "stop")),
  },
  {
    name: "finish_reason tool_calls",
    group: "finish",
    apply: onFinish((c) => (c.finish_reason = "tool_calls")),
  },
  { name: "last delta missing", group: "finish", apply: onFinish((c) => delete c.delta) },
  { name: "last delta null", group: "finish", apply: onFinish((c) => (c.delta = null)) },
  {
    name: "finish_reason twice",
    group: "finish",
    apply: (stream) => {
      const at = stream.events.findIndex(hasFinishReason);
      if (at < 0) return false;
      stream.events.splice(at, 0, structuredClone(stream.events[at]));
    },
  },
  {
    name: "finish_reason on the last content",
    group: "finish",
    apply: (stream) => {
      const at = stream.events.findIndex(hasFinishReason);
      const before = stream.events[at - 1]?.data;
      if (at < 1 || typeof before === "string" || !before.choices[0]) return false;
      before.choices[0].finish_reason = finishOf(stream)?.finish_reason;
      stream.events.splice(at, 1);
    },
  },
];

/** Mutations of what ends a stream; applied last. */
export const END_MUTATIONS: readonly Mutation[] = [
  {
    name: "[DONE] missing",
    group: "end",
    apply: (stream) => {
      if (stream.events.at(-1)?.data !== "[DONE]") return false;
      stream.events.pop();
      if (stream.events.some(hasFinishReason)) return;
      stream.end = "error";
      delete stream.toolCalls;
    },
  },
  {
    name: "[DONE] twice",
    group: "end",
    apply: (s) => void s.events.push({ data: "[DONE]", content: "", reasoning: "" }),
  },
  {
    name: "stream just ends",
    group: "end",
    apply: (stream, random) => breakOff(stream, random, []),
  },
  {
    name: "JSON is cut",
    group: "end",
    apply: (stream, random) => breakOff(stream, random, ['{"id":"c","choices":[{"del']),
  },
  {
    name: "JSON is cut, then [DONE]",
    group: "end",
    apply: (stream, random) => breakOff(stream, random, ['{"id":"c","choices":[{"del', "[DONE]"]),
  },
  {
    name: "words instead of JSON",
    group: "end",
    apply: (stream, random) => breakOff(stream, random, ["upstream connect error"]),
  },
  ...STREAM_ERRORS.flatMap(({ data, words }) =>
    [[], ["[DONE]"]].map((tail): Mutation => ({
      name: `error ${JSON.stringify(data)}${tail.length > 0 ? ", then [DONE]" : ""}`,
      group: "end",
      apply: (stream, random) => {
        stream.errorIncludes = words;
        return breakOff(stream, random, [structuredClone(data), ...tail]);
      },
    }))
  ),
];
