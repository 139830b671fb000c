/**
 * Between streams and whole answers: a JSON answer as the events of a stream, and a stream's chunks as
 * one `chat.completion`. So both kinds of answer take the same road through `enrich.ts`, and get the
 * same repairs.
 *
 * @module
 */

import { decodeBody, type DecodeBodyOptions, isResponsesBody } from "../dialects/responses/mod.ts";
import { isObject, type JsonObject } from "../json.ts";
import type { SseEvent } from "../sse.ts";

/**
 * A whole answer as the events of a stream: one with everything, and `[DONE]`.
 *
 * @param body A `chat.completion`, a `response`, or an error, as the gateway sent it.
 * @param options Where a `response`'s reasoning is kept, and for which model.
 *
 * @example
 * ```ts
 * import { answerEvents } from "./completion.ts";
 *
 * const events = answerEvents({ choices: [{ message: { content: "hi" } }] });
 * if (events.length !== 2 || events[1].type !== "done") throw new Error("one, and the end");
 * ```
 */
export function answerEvents(body: JsonObject, options: DecodeBodyOptions = {}): SseEvent[] {
  const value = isResponsesBody(body) ? decodeBody(body, options) : body;
  return [{ type: "json", value }, { type: "done" }];
}

/** One choice as it grows. */
interface GrowingChoice {
  readonly message: JsonObject;
  readonly rest: JsonObject;
  readonly calls: JsonObject[];
  finishReason: unknown;
}

/** Fields of a delta whose pieces are joined to one string. */
const JOINED = new Set(["content", "refusal", "reasoning", "reasoning_content"]);

/**
 * Joins enriched chunks to one `chat.completion`.
 *
 * @example
 * ```ts
 * import { CompletionBuilder } from "./completion.ts";
 *
 * const builder = new CompletionBuilder();
 * const base = { id: "x", object: "chat.completion.chunk", created: 1, model: "m" };
 * builder.add({ ...base, choices: [{ index: 0, delta: { content: "a" }, finish_reason: null }] });
 * builder.add({ ...base, choices: [{ index: 0, delta: { content: "b" }, finish_reason: "stop" }] });
 * const [choice] = builder.build().choices as { message: { content: string } }[];
 * if (choice.message.content !== "ab") throw new Error("joined");
 * ```
 */
export class CompletionBuilder {
  #envelope: JsonObject = {};
  readonly #choices = new Map<number, GrowingChoice>();

  /** Takes the next enriched chunk; an error is none. */
  add(chunk: JsonObject): void {
    const { choices, object: _object, ...rest } = chunk;
    this.#envelope = { ...this.#envelope, ...rest };
    for (const choice of Array.isArray(choices) ? choices : []) {
      if (isObject(choice)) this.#add(choice);
    }
  }

  #add(choice: JsonObject): void {
    const { index, delta, finish_reason, ...rest } = choice;
    let growing = this.#choices.get(index as number);
    if (growing === undefined) {
      growing = {
        message: { role: "assistant", content: null },
        rest: {},
        calls: [],
        finishReason: null,
      };
      this.#choices.set(index as number, growing);
    }
    Object.assign(growing.rest, rest);
    if (finish_reason) growing.finishReason = finish_reason;
    for (const [name, value] of Object.entries(isObject(delta) ? delta : {})) {
      const before = growing.message[name];
      if (name === "tool_calls" && Array.isArray(value)) addCalls(growing.calls, value);
      else if (JOINED.has(name) && typeof value === "string") {
        growing.message[name] = typeof before === "string" ? before + value : value;
      } else if (Array.isArray(value) && Array.isArray(before)) {
        growing.message[name] = [...before, ...value];
      } else if (value !== null || before === undefined) growing.message[name] = value;
    }
  }

  /** The whole answer. */
  build(): JsonObject {
    const choices = [...this.#choices].sort(([a], [b]) => a - b).map(([index, choice]) => ({
      index,
      message: choice.calls.length > 0
        ? { ...choice.message, tool_calls: choice.calls }
        : choice.message,
      finish_reason: choice.finishReason,
      ...choice.rest,
    }));
    const { id, created, model, ...rest } = this.#envelope;
    return { id, object: "chat.completion", created, model, choices, ...rest };
  }
}

function addCalls(calls: JsonObject[], fragments: unknown[]): void {
  for (const fragment of fragments) {
    if (!isObject(fragment)) continue;
    const { index, function: part, ...rest } = fragment;
    const call = calls[index as number];
    if (call === undefined) calls[index as number] = { ...rest, function: part };
    else {
      const before = call.function as JsonObject;
      before.arguments = `${before.arguments}${(part as JsonObject).arguments}`;
    }
  }
}
