/**
 * Strict chat chunks as one complete `chat.completion`, for clients that don't stream.
 *
 * @module
 */

import type { StreamEncoder } from "../dialects/dialect.ts";
import { BridgeError } from "../errors.ts";
import { isObject, type JsonObject } from "../json.ts";

/** The longest answer that is collected, in characters of its strings: 64 Mi. */
const MAX_ANSWER = 64 * 1024 * 1024;

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
 * Collects the strict chunks of an answer. It is an encoder whose text is empty, so that a complete
 * answer goes through the same stages as a stream and gets the same repairs.
 *
 * @example
 * ```ts
 * import { CompletionCollector } from "./completion.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const collector = new CompletionCollector();
 * const base = { id: "x", object: "chat.completion.chunk", created: 1, model: "m" };
 * collector.chunk({ ...base, choices: [{ index: 0, delta: { content: "a" }, finish_reason: null }] });
 * collector.chunk({ ...base, choices: [{ index: 0, delta: { content: "b" }, finish_reason: "stop" }] });
 * const [choice] = collector.completion().choices as { message: { content: string } }[];
 * assertEquals(choice.message.content, "ab");
 * ```
 */
export class CompletionCollector implements StreamEncoder {
  /** Nothing is sent on the way. */
  readonly heartbeat = "";
  #envelope: JsonObject = {};
  readonly #choices = new Map<number, GrowingChoice>();
  #size = 0;

  /**
   * Takes the next strict chunk.
   *
   * @throws {BridgeError} kind `overflow`, when the answer has more than 64 Mi characters.
   */
  chunk(chunk: JsonObject): string {
    const { choices, object: _object, ...rest } = chunk;
    Object.assign(this.#envelope, rest);
    for (const choice of Array.isArray(choices) ? choices : []) {
      if (isObject(choice)) this.#add(choice);
    }
    return "";
  }

  /** The answer is complete. */
  end(): string {
    return "";
  }

  /** The answer has failed; the caller reports the error. */
  error(): string {
    return "";
  }

  /** Counts what is kept. */
  #count(text: unknown): void {
    this.#size += typeof text === "string" ? text.length : 256;
    if (this.#size > MAX_ANSWER) {
      throw new BridgeError(
        "overflow",
        `The gateway sent an answer of more than ${MAX_ANSWER} characters; no answer of a chat is that long.`,
      );
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
      this.#count(value);
      if (name === "tool_calls" && Array.isArray(value)) {
        for (const call of value) this.#count(call?.function?.arguments);
        addCalls(growing.calls, value);
      } else if (JOINED.has(name) && typeof value === "string") {
        growing.message[name] = typeof before === "string" ? before + value : value;
      } else if (Array.isArray(value) && Array.isArray(before)) {
        for (const element of value) this.#count(element?.text);
        before.push(...value);
      } else if (value !== null || before === undefined) {
        growing.message[name] = Array.isArray(value) ? [...value] : value;
      }
    }
  }

  /** The collected answer as one `chat.completion`. */
  completion(): JsonObject {
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
