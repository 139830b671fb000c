/**
 * Answers in the chat completions dialect: as a stream of chunks and as one completion, each in the
 * shape that the model's family gives it.
 *
 * @module
 */

import type { Answer } from "./answers.ts";
import { callOf, deltasOf, reasoningPart, signatureOf } from "./chat_deltas.ts";
import type { JsonObject } from "./json.ts";
import type { Directives } from "./scenarios.ts";
import { DONE, type Step } from "./steps.ts";
import type { ChatTraits, Family } from "./traits.ts";

/**
 * Writes an answer as chat completion chunks.
 *
 * @param answer What is said.
 * @param family Whose shape the chunks take.
 * @param directives Scenarios that change the shape: `minimal`, `top-level-delta`, `interleave`,
 *   `no-ids`, `object-arguments`, `bad-usage`, `bad-ids`, `finish`, `no-finish`.
 * @returns The chunks, and `[DONE]`.
 *
 * @example
 * ```ts
 * import { composeAnswer } from "./answers.ts";
 * import { chatSteps } from "./chat_stream.ts";
 * import { readConversation } from "./conversation.ts";
 * import { familyOf } from "./families.ts";
 * import { DONE } from "./steps.ts";
 *
 * const family = familyOf("gemma-3-12b");
 * const directives = new Map();
 * const answer = composeAnswer(
 *   readConversation({ messages: [{ role: "user", content: "Hello" }] }),
 *   { family, bareName: "gemma-3-12b", thinks: false, directives, count: 1, now: 0 },
 * );
 * if (chatSteps(answer, family, directives).at(-1) !== DONE) throw new Error("no end");
 * ```
 */
export function chatSteps(answer: Answer, family: Family, directives: Directives): Step[] {
  const traits = traitsOf(family, directives);
  const deltas = deltasOf(answer, traits, directives);
  const steps: Step[] = [];
  let spoken = 0;
  const put = (delta: JsonObject, finish: string | null | undefined, last: boolean) => {
    spoken = last ? answer.completionTokens : Math.min(spoken + 1, answer.completionTokens);
    steps.push({
      kind: "event",
      data: chunkOf(answer, traits, directives, { delta, finish, last, spoken }),
    });
  };
  deltas.forEach((delta, index) => {
    const role = traits.role === "every" || (traits.role === "first" && index === 0);
    put({ ...(role ? { role: "assistant" } : {}), ...delta }, null, false);
  });

  const finish = finishOf(answer, traits, directives);
  if (finish !== undefined) {
    const claude = family.decoder === "claude";
    put(
      {
        ...(traits.role === "every" ? { role: "assistant" } : {}),
        ...(claude || traits.usage === "every" ? { content: "" } : {}),
      },
      finish,
      true,
    );
  }
  if (traits.usage === "separate") {
    const { choices: _, ...rest } = chunkOf(answer, traits, directives, {
      delta: {},
      finish: undefined,
      last: true,
      spoken: answer.completionTokens,
    });
    steps.push({
      kind: "event",
      data: { ...rest, choices: [], usage: usageOf(answer, traits, answer.completionTokens) },
    });
  }
  return [...steps, DONE];
}

/**
 * Writes an answer as one chat completion.
 *
 * @param answer What is said.
 * @param family Whose shape it takes: content as a text or as parts, `reasoning_content`.
 * @param directives Scenarios that change the shape, as in {@linkcode chatSteps}.
 * @returns The completion.
 *
 * @example
 * ```ts
 * import { composeAnswer } from "./answers.ts";
 * import { chatCompletion } from "./chat_stream.ts";
 * import { readConversation } from "./conversation.ts";
 * import { familyOf } from "./families.ts";
 *
 * const family = familyOf("gpt-5");
 * const directives = new Map();
 * const answer = composeAnswer(
 *   readConversation({ messages: [{ role: "user", content: "Hello" }] }),
 *   { family, bareName: "gpt-5", thinks: false, directives, count: 1, now: 0 },
 * );
 * const { object } = chatCompletion(answer, family, directives);
 * if (object !== "chat.completion") throw new Error(`${object}`);
 * ```
 */
export function chatCompletion(
  answer: Answer,
  family: Family,
  directives: Directives,
): JsonObject {
  const traits = traitsOf(family, directives);
  const calls = answer.calls.map((call) => callOf(call, traits, directives));
  const parts: JsonObject[] = [];
  if (answer.reasoning !== "" && traits.reasoning === "parts") {
    const signature = family.decoder === "claude" ? signatureOf(answer.reasoning) : undefined;
    parts.push(reasoningPart(answer.reasoning, signature));
  }
  const asParts = parts.length > 0;
  if (asParts && answer.text !== "") parts.push({ type: "text", text: answer.text });
  const thinking = traits.reasoning === "reasoning_content" && answer.reasoning !== "";
  const message = {
    role: "assistant",
    content: asParts ? parts : answer.text === "" && calls.length > 0 ? null : answer.text,
    ...(thinking ? { reasoning_content: answer.reasoning } : {}),
    ...(calls.length > 0 ? { tool_calls: calls } : {}),
  };
  return {
    model: answer.model,
    choices: [{ index: 0, message, finish_reason: finishOf(answer, traits, directives, true) }],
    usage: usageOf(answer, { ...traits, usage: "last" }, answer.completionTokens),
    object: "chat.completion",
    id: directives.has("bad-ids") ? null : idOf(answer, family),
    created: directives.has("bad-ids") ? `${answer.created}` : answer.created,
  };
}

function traitsOf(family: Family, directives: Directives): ChatTraits {
  let traits = family.chat;
  if (directives.has("minimal")) {
    traits = { ...traits, envelope: "minimal", role: "none", usage: "none", finish: false };
  }
  if (directives.has("top-level-delta")) {
    traits = { ...traits, envelope: "agent", usage: "every", finish: false };
  }
  return traits;
}

interface ChunkContent {
  readonly delta: JsonObject;
  readonly finish: string | null | undefined;
  readonly last: boolean;
  readonly spoken: number;
}

function chunkOf(
  answer: Answer,
  traits: ChatTraits,
  directives: Directives,
  { delta, finish, last, spoken }: ChunkContent,
): JsonObject {
  const said = finish === null && !traits.finish ? {} : { finish_reason: finish };
  const usage = directives.has("bad-usage")
    ? { usage: { prompt_tokens: null, completion_tokens: 1.5, total_tokens: `${spoken}` } }
    : usageIn(answer, traits, last, spoken);
  const id = directives.has("bad-ids") ? (last ? null : 7) : `chatcmpl_${answer.serial}`;
  const created = directives.has("bad-ids") ? `${answer.created}` : answer.created;
  const full = { id, object: "chat.completion.chunk", created, model: answer.model };
  switch (traits.envelope) {
    case "minimal":
      return { choices: [{ delta, ...(finish ? said : {}) }], ...usage };
    case "anonymous":
      return { choices: [{ index: 0, delta, ...(finish ? said : {}) }], ...usage };
    case "bare":
      return { id, choices: [{ delta, index: 0, ...said }], ...usage };
    case "agent":
      return { ...full, choices: [], ...usage, delta, ...(finish ? said : {}) };
    default:
      return { ...full, choices: [{ index: 0, delta, ...said }], ...usage };
  }
}

function usageIn(answer: Answer, traits: ChatTraits, last: boolean, spoken: number): JsonObject {
  switch (traits.usage) {
    case "every":
      return { usage: usageOf(answer, traits, spoken) };
    case "nulls":
      return {
        usage: last
          ? usageOf(answer, traits, spoken)
          : { prompt_tokens: answer.promptTokens, completion_tokens: null, total_tokens: null },
      };
    case "last":
      return last ? { usage: usageOf(answer, traits, spoken) } : {};
    default:
      return {};
  }
}

function usageOf(answer: Answer, traits: ChatTraits, spoken: number): JsonObject {
  const { promptTokens, cachedTokens, writtenTokens, reasoningTokens } = answer;
  return {
    completion_tokens: spoken,
    prompt_tokens: promptTokens,
    total_tokens: promptTokens + spoken,
    ...(writtenTokens === undefined ? {} : {
      cache_read_input_tokens: cachedTokens,
      cache_creation_input_tokens: writtenTokens,
    }),
    ...(traits.usageDetails === "null"
      ? { completion_tokens_details: null, prompt_tokens_details: null }
      : {}),
    ...(traits.usageDetails === "counts"
      ? {
        completion_tokens_details: { reasoning_tokens: reasoningTokens },
        prompt_tokens_details: { cached_tokens: cachedTokens },
      }
      : {}),
  };
}

/** The last chunk's `finish_reason`; undefined where no chunk has one. */
function finishOf(
  answer: Answer,
  traits: ChatTraits,
  directives: Directives,
  always = false,
): string | null | undefined {
  if (directives.has("no-finish")) return undefined;
  const wanted = directives.get("finish");
  if (wanted !== undefined) return wanted === "null" ? null : wanted;
  // A cut answer without a word of it would pass for a whole one; even the untidiest say it.
  if (answer.finish === "length" || answer.finish === "content_filter") return answer.finish;
  if (!traits.finish && !always) return undefined;
  return answer.finish === "tool_calls" ? traits.finishOnCalls : answer.finish;
}

function idOf(answer: Answer, family: Family): string {
  return family.decoder === "claude" ? `msg_bdrk_${answer.serial}` : `chatcmpl_${answer.serial}`;
}
