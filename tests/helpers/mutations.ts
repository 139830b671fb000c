/**
 * What gateways do to a clean stream, as a table. Each mutation changes the stream in place and, where
 * it matters, what must come of it.
 *
 * @module
 */

import { type GatewayChunk, type GatewayStream, hasFinishReason } from "./gateway_stream.ts";
import { choicesOf, chunksOf, type Mutation } from "./mutation.ts";
import { CALL_MUTATIONS } from "./mutations_calls.ts";
import { END_MUTATIONS, FINISH_MUTATIONS } from "./mutations_end.ts";

export type { Mutation } from "./mutation.ts";
export { STREAM_ERRORS } from "./mutations_end.ts";

/** Sets a field of every chunk, or takes it away. */
function onChunks(field: string, value: (at: number) => unknown): Mutation["apply"] {
  return (stream) => {
    for (const [at, chunk] of chunksOf(stream).entries()) {
      const set = value(at);
      if (set === undefined) delete chunk[field];
      else chunk[field] = set;
    }
  };
}

const COMPLETE = { prompt_tokens: 21, completion_tokens: 4, total_tokens: 25 };

const CHUNK_MUTATIONS: readonly Mutation[] = [
  // Deltas.
  {
    name: "choice's index missing",
    group: "content",
    apply: (s) => choicesOf(s).forEach((c) => delete c.index),
  },
  {
    name: "finish_reason only where it is set",
    group: "content",
    apply: (s) => choicesOf(s).forEach((c) => c.finish_reason === null && delete c.finish_reason),
  },
  {
    name: "content null where there is none",
    group: "content",
    apply: (s) => choicesOf(s).forEach((c) => c.delta && (c.delta.content ??= null)),
  },
  {
    name: "content in parts",
    group: "content",
    apply: (s) =>
      choicesOf(s).forEach((c) => {
        const text = c.delta?.content;
        if (typeof text === "string") c.delta.content = [{ type: "text", text }];
      }),
  },
  {
    name: "role on every chunk",
    group: "content",
    apply: (s) => choicesOf(s).forEach((c) => c.delta && (c.delta.role = "assistant")),
  },
  {
    name: "role nowhere",
    group: "content",
    apply: (s) => choicesOf(s).forEach((c) => delete c.delta?.role),
  },
  {
    name: "tool_calls null where there are none",
    group: "content",
    apply: (s) => choicesOf(s).forEach((c) => c.delta && (c.delta.tool_calls ??= null)),
  },
  {
    name: "delta at the top level",
    group: "content",
    apply: (stream) =>
      chunksOf(stream).forEach((chunk) => {
        const [choice] = chunk.choices;
        if (!choice?.delta || choice.finish_reason != null) return;
        chunk.delta = choice.delta;
        chunk.choices = [];
      }),
  },
  { name: "emoji cut in two", group: "content", apply: cutEmoji },
  // What isn't an answer.
  {
    name: "chunk without choices first",
    group: "noise",
    apply: (stream) => {
      const filters = [{ prompt_index: 0, content_filter_results: {} }];
      const data = { id: "", object: "", model: "", choices: [], prompt_filter_results: filters };
      stream.events.unshift({ data, content: "", reasoning: "" });
    },
  },
  {
    name: "empty delta in between",
    group: "noise",
    apply: (stream, random) => {
      const data = { choices: [{ index: 0, delta: {}, finish_reason: null }] };
      const finish = stream.events.findIndex((event) =>
        hasFinishReason(event) || event.data === "[DONE]"
      );
      stream.events.splice(random.integer(0, finish), 0, { data, content: "", reasoning: "" });
    },
  },
  {
    name: "logprobs null",
    group: "noise",
    apply: (s) => choicesOf(s).forEach((c) => (c.logprobs = null)),
  },
  // Fields that a client knows and that have another type here: ForgeCode loses the chunk, or stops.
  { name: "provider an object", group: "noise", apply: onChunks("provider", () => ({ a: 1 })) },
  {
    name: "prompt_filter_results in another shape",
    group: "noise",
    apply: onChunks("prompt_filter_results", () => [{ content_filter_results: null }]),
  },
  {
    name: "text beside the delta",
    group: "noise",
    apply: (stream) => choicesOf(stream).forEach((choice) => choice.text = ""),
  },
  {
    name: "reasoning_details in another shape",
    group: "noise",
    apply: (stream) =>
      choicesOf(stream).forEach((choice) =>
        choice.delta && (choice.delta.reasoning_details = [{ text: 1 }])
      ),
  },
  {
    name: "refusal an object",
    group: "noise",
    apply: (stream) =>
      choicesOf(stream).forEach((choice) => choice.delta && (choice.delta.refusal = { a: 1 })),
  },
  {
    name: "fields nobody knows",
    group: "noise",
    apply: onChunks("custom_outputs", () => ({ a: [1] })),
  },
  {
    name: "obfuscation",
    group: "noise",
    apply: onChunks("obfuscation", (at) => "x".repeat(at % 9)),
  },
  // Heads.
  { name: "id missing", group: "head", apply: onChunks("id", () => undefined) },
  { name: "id null", group: "head", apply: onChunks("id", () => null) },
  { name: "id a number", group: "head", apply: onChunks("id", () => 7) },
  {
    name: "id on some chunks",
    group: "head",
    apply: onChunks("id", (at) => at % 2 ? "c" : undefined),
  },
  { name: "id changing", group: "head", apply: onChunks("id", (at) => `c${at}`) },
  { name: "created missing", group: "head", apply: onChunks("created", () => undefined) },
  { name: "created null", group: "head", apply: onChunks("created", () => null) },
  { name: "created a string", group: "head", apply: onChunks("created", () => "1700000000") },
  {
    name: "created a fraction",
    group: "head",
    apply: onChunks("created", (at) => 1.7e9 + at + 0.5),
  },
  { name: "created negative", group: "head", apply: onChunks("created", () => -1) },
  { name: "model missing", group: "head", apply: onChunks("model", () => undefined) },
  { name: "model null", group: "head", apply: onChunks("model", () => null) },
  { name: "object missing", group: "head", apply: onChunks("object", () => undefined) },
  { name: "object wrong", group: "head", apply: onChunks("object", () => "chat.completion") },
  {
    name: "system_fingerprint a number",
    group: "head",
    apply: onChunks("system_fingerprint", () => 1),
  },
  {
    name: "nothing but choices",
    group: "head",
    apply: (stream) =>
      chunksOf(stream).forEach((chunk) => {
        for (const field of ["id", "object", "created", "model"]) delete chunk[field];
      }),
  },
  // Usage.
  { name: "usage missing", group: "usage", apply: onChunks("usage", () => undefined) },
  { name: "usage null", group: "usage", apply: onChunks("usage", () => null) },
  { name: "usage on every chunk", group: "usage", apply: onChunks("usage", () => COMPLETE) },
  {
    name: "usage half null",
    group: "usage",
    apply: onChunks(
      "usage",
      () => ({ prompt_tokens: 4, completion_tokens: null, total_tokens: null }),
    ),
  },
  { name: "usage partial", group: "usage", apply: onChunks("usage", () => ({ prompt_tokens: 4 })) },
  { name: "usage empty", group: "usage", apply: onChunks("usage", () => ({})) },
  {
    name: "usage fractional",
    group: "usage",
    apply: onChunks("usage", () => ({ ...COMPLETE, total_tokens: 2.5 })),
  },
  {
    name: "usage in strings",
    group: "usage",
    apply: onChunks("usage", () => ({ ...COMPLETE, total_tokens: "25" })),
  },
  {
    name: "usage details null",
    group: "usage",
    apply: onChunks("usage", () => ({
      ...COMPLETE,
      prompt_tokens_details: null,
      completion_tokens_details: null,
    })),
  },
  {
    name: "usage details without cached_tokens",
    group: "usage",
    apply: onChunks("usage", () => ({ ...COMPLETE, prompt_tokens_details: { audio_tokens: 0 } })),
  },
  {
    name: "usage details with null",
    group: "usage",
    apply: onChunks("usage", () => ({
      ...COMPLETE,
      prompt_tokens_details: { cached_tokens: null },
      completion_tokens_details: { reasoning_tokens: null },
    })),
  },
];

/** All mutations, by group, in the order in which groups are applied. */
export const MUTATIONS: readonly Mutation[] = [
  ...FINISH_MUTATIONS,
  ...CALL_MUTATIONS,
  ...CHUNK_MUTATIONS,
  ...END_MUTATIONS,
];

/** Cuts the first pair of surrogates in a text over two chunks. */
function cutEmoji(stream: GatewayStream): boolean {
  const at = stream.events.findIndex(({ data, content }) =>
    /[\uD800-\uDBFF]/.test(content) && typeof data !== "string" &&
    data.choices[0].delta.content === content
  );
  if (at < 0) return false;
  const event = stream.events[at];
  const half = event.content.search(/[\uD800-\uDBFF]/) + 1;
  const second = structuredClone(event);
  second.content = event.content.slice(half);
  (second.data as GatewayChunk).choices[0].delta.content = second.content;
  event.content = event.content.slice(0, half);
  const [first] = (event.data as GatewayChunk).choices;
  first.delta.content = event.content;
  // The end belongs to the half that comes last.
  if (first.finish_reason) first.finish_reason = null;
  stream.events.splice(at + 1, 0, second);
  stream.lossy = true;
  return true;
}
