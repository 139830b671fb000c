/**
 * Messages streams and messages as chat chunks and completions, for clients of other dialects.
 *
 * @module
 */

import { isObject, type JsonObject } from "../../json.ts";
import type { DialectContext, StreamDecoder } from "../dialect.ts";
import { blocksOf, textOf } from "./blocks.ts";
import { decodeStopReason } from "./stop_reason.ts";
import { decodeUsage } from "./usage.ts";

/** Types of a Messages stream's events. */
const EVENTS = new Set<unknown>([
  "message_start",
  "content_block_start",
  "content_block_delta",
  "content_block_stop",
  "message_delta",
  "message_stop",
  "ping",
]);

/** Whether an event of a stream is of this dialect. */
export function isMessagesEvent(event: JsonObject): boolean {
  return EVENTS.has(event.type) || (event.type === "error" && isObject(event.error));
}

/** Whether a body is a whole message. */
export function isMessage(body: JsonObject): boolean {
  return body.type === "message" && Array.isArray(body.content);
}

/** Decodes one stream; see {@linkcode StreamDecoder}. */
export class MessagesDecoder implements StreamDecoder {
  readonly #head: JsonObject;
  /** Counts of `message_start`, over which those of `message_delta` are laid. */
  #usage: JsonObject = {};
  /** Block → the number of its call. */
  readonly #calls = new Map<unknown, number>();

  /** Makes the decoder of one stream. */
  constructor({ model, created }: DialectContext) {
    this.#head = { object: "chat.completion.chunk", created, model };
  }

  /** The chunks that an event stands for. */
  event(event: JsonObject): JsonObject[] {
    switch (event.type) {
      case "message_start": {
        const message = isObject(event.message) ? event.message : {};
        if (typeof message.id === "string") this.#head.id = message.id;
        if (isObject(message.usage)) this.#usage = message.usage;
        return [this.#chunk({ role: "assistant" })];
      }
      case "content_block_start":
        return this.#start(event.index, event.content_block);
      case "content_block_delta":
        return this.#delta(event.index, event.delta);
      case "message_delta": {
        const { stop_reason: reason, stop_sequence: stop } = isObject(event.delta)
          ? event.delta
          : {} as JsonObject;
        if (isObject(event.usage)) this.#usage = { ...this.#usage, ...event.usage };
        const finish = decodeStopReason(reason);
        const choice = {
          finish_reason: finish ?? null,
          ...typeof stop === "string" ? { stop_reason: stop } : {},
        };
        const usage = decodeUsage(this.#usage);
        return [{ ...this.#chunk({}, choice), ...usage ? { usage } : {} }];
      }
      case "message_stop":
        // The end is what ends the body; a stop reason came before.
        return [];
      case "error":
        return [{ error: event.error }];
      default:
        return [];
    }
  }

  #chunk(delta: JsonObject, choice: JsonObject = { finish_reason: null }): JsonObject {
    return { ...this.#head, choices: [{ index: 0, delta, ...choice }] };
  }

  #start(index: unknown, block: unknown): JsonObject[] {
    if (!isObject(block)) return [];
    switch (block.type) {
      case "text":
        return textOf(block.text) === "" ? [] : [this.#chunk({ content: block.text })];
      case "thinking":
        return textOf(block.thinking) === "" ? [] : [this.#thinking(textOf(block.thinking))];
      case "redacted_thinking":
        return [this.#chunk({
          reasoning_details: [{ type: "reasoning.encrypted", data: block.data }],
        })];
      case "tool_use": {
        const call = this.#calls.size;
        this.#calls.set(index, call);
        const given = isObject(block.input) && Object.keys(block.input).length > 0
          ? JSON.stringify(block.input)
          : "";
        return [this.#chunk({
          tool_calls: [{
            index: call,
            id: block.id,
            type: "function",
            function: { name: block.name, arguments: given },
          }],
        })];
      }
      default:
        return [];
    }
  }

  #delta(index: unknown, delta: unknown): JsonObject[] {
    if (!isObject(delta)) return [];
    switch (delta.type) {
      case "text_delta":
        return [this.#chunk({ content: delta.text })];
      case "thinking_delta":
        return [this.#thinking(textOf(delta.thinking))];
      case "signature_delta":
        return [this.#chunk({
          reasoning_details: [{ type: "reasoning.text", text: "", signature: delta.signature }],
        })];
      case "input_json_delta": {
        const call = this.#calls.get(index);
        return call === undefined ? [] : [this.#chunk({
          tool_calls: [{ index: call, function: { arguments: delta.partial_json } }],
        })];
      }
      default:
        return [];
    }
  }

  #thinking(text: string): JsonObject {
    return this.#chunk({
      reasoning_content: text,
      reasoning_details: [{ type: "reasoning.text", text }],
    });
  }
}

/** A whole message as a `chat.completion`. */
export function decodeMessage(body: JsonObject, { model, created }: DialectContext): JsonObject {
  const texts: string[] = [];
  const thoughts: string[] = [];
  const details: JsonObject[] = [];
  const calls: JsonObject[] = [];
  for (const block of blocksOf(body.content)) {
    const { type, text, thinking, signature, data, id, name, input } = block;
    if (type === "text") texts.push(textOf(text));
    else if (type === "thinking") {
      thoughts.push(textOf(thinking));
      details.push({ type: "reasoning.text", text: textOf(thinking), signature });
    } else if (type === "redacted_thinking") details.push({ type: "reasoning.encrypted", data });
    else if (type === "tool_use") {
      calls.push({
        id,
        type: "function",
        function: { name, arguments: JSON.stringify(input ?? {}) },
      });
    }
  }
  const stop = body.stop_sequence;
  const usage = decodeUsage(body.usage);
  return {
    id: body.id,
    object: "chat.completion",
    created,
    model,
    choices: [{
      index: 0,
      message: {
        role: "assistant",
        content: texts.length > 0 ? texts.join("") : null,
        ...thoughts.length > 0 ? { reasoning_content: thoughts.join("\n\n") } : {},
        ...details.length > 0 ? { reasoning_details: details } : {},
        ...calls.length > 0 ? { tool_calls: calls } : {},
      },
      finish_reason: decodeStopReason(body.stop_reason) ?? "stop",
      ...typeof stop === "string" ? { stop_reason: stop } : {},
    }],
    ...usage ? { usage } : {},
  };
}
