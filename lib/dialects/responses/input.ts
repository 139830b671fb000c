/**
 * The messages of a chat completions request as the `input` items of the Responses API.
 *
 * @module
 */

import { hash64 } from "../../hash.ts";
import { isObject, type JsonObject } from "../../json.ts";
import type { CallScope } from "../dialect.ts";

/** The longest `call_id` that the Responses API takes, in characters (gateway.md). */
export const MAX_CALL_ID_LENGTH = 64;

/** What stands for the result of a call that the client never answered. */
export const NO_RESULT = "(no result)";

/** What stands for the name of a function that has none: the API refuses an empty one. */
export const UNNAMED = "unknown";

/** How {@linkcode encodeMessages} goes about it. */
export interface EncodeMessagesOptions {
  /** Where reasoning items were kept by the id of the call that they led to. */
  memory?: CallScope;
  /** The model that is asked: reasoning items of another are left out. */
  model?: string;
  /**
   * Makes system messages `developer` items even where they lead, so that `instructions` stays free.
   *
   * @default {false}
   */
  inline?: boolean;
}

/** What {@linkcode encodeMessages} makes of the messages. */
export interface EncodedMessages {
  /** The leading system messages, a blank line between them; absent if there are none. */
  instructions?: string;
  /** The items of `input`, in order. */
  input: JsonObject[];
}

/**
 * Translates chat messages into Responses items (gateway.md, last section).
 *
 * - Each call of an assistant message is followed, after the last call of that message, by its
 *   result, wherever in the history that stood; results without a call are dropped.
 * - A call without a result gets {@linkcode NO_RESULT} if the conversation went on after it, because
 *   the API refuses a history with a call left open.
 * - Empty texts, and messages that have nothing left, are dropped.
 * - Call ids that are too long are shortened, and ids used twice are told apart, both the same way
 *   for the same history, so that prompt caches keep matching.
 * - `name`, `reasoning_content` and `reasoning_details` have no counterpart and aren't sent.
 *
 * Never changes its input, and never throws: what isn't a message is left out.
 *
 * @example
 * ```ts
 * import { encodeMessages } from "./input.ts";
 *
 * const { instructions, input } = encodeMessages([
 *   { role: "system", content: "Be brief." },
 *   { role: "user", content: "Hello" },
 * ]);
 * if (instructions !== "Be brief." || input.length !== 1) throw new Error("unexpected");
 * ```
 */
export function encodeMessages(
  messages: readonly unknown[],
  options: EncodeMessagesOptions = {},
): EncodedMessages {
  const turns = messages.filter(isObject);
  const results = new Results(turns);
  const ids = new CallIds(turns);
  const seenReasoning = new Set<string>();
  const leading: string[] = [];
  const input: JsonObject[] = [];

  for (const [at, message] of turns.entries()) {
    switch (message.role) {
      case "system":
      case "developer": {
        const parts = inputParts(message.content);
        if (parts.length === 0) break;
        const text = input.length === 0 && !options.inline ? joinTexts(parts) : undefined;
        if (text === undefined) input.push({ type: "message", role: "developer", content: parts });
        else leading.push(text);
        break;
      }
      case "assistant": {
        const content = outputParts(message);
        if (content.length > 0) input.push({ type: "message", role: "assistant", content });
        const outputs: JsonObject[] = [];
        for (const call of callsOf(message)) {
          input.push(...rememberedReasoning(call, options, seenReasoning));
          const callId = ids.assign(call.id);
          const result = results.take(call, at);
          input.push(encodeCall(call, callId));
          const goesOn = at < turns.length - 1;
          if (result !== undefined || goesOn) outputs.push(encodeResult(call, callId, result));
        }
        input.push(...outputs);
        break;
      }
      case "tool":
      case "function":
        break; // Placed with their calls.
      default: {
        const content = inputParts(message.content);
        const role = typeof message.role === "string" ? message.role : "user";
        if (content.length > 0) input.push({ type: "message", role, content });
      }
    }
  }

  // The API wants some input: instructions alone are refused.
  if (input.length === 0 && leading.length > 0) {
    const content = leading.map((text) => ({ type: "input_text", text }));
    return { input: [{ type: "message", role: "developer", content }] };
  }
  return leading.length > 0 ? { instructions: leading.join("\n\n"), input } : { input };
}

/** A call of an assistant message, whichever of chat's three forms it came in. */
interface Call {
  /** The client's id; "" if it has none. */
  id: string;
  name: string;
  /** Arguments of a function, or the input of a custom tool, as text. */
  text: string;
  custom: boolean;
  /** Made with the `function_call` field that came before `tool_calls`: answered by name, not by id. */
  legacy: boolean;
}

function callsOf(message: JsonObject): Call[] {
  const calls: Call[] = [];
  const listed = Array.isArray(message.tool_calls) ? message.tool_calls.filter(isObject) : [];
  for (const call of listed) {
    const custom = isObject(call.custom) && !isObject(call.function);
    const body = custom ? call.custom : call.function;
    if (!isObject(body)) continue;
    calls.push({
      id: typeof call.id === "string" ? call.id : "",
      name: nameOf(body),
      text: custom ? asText(body.input) : asText(body.arguments) || "{}",
      custom,
      legacy: false,
    });
  }
  const legacy = message.function_call;
  if (calls.length === 0 && isObject(legacy)) {
    const text = asText(legacy.arguments) || "{}";
    calls.push({ id: "", name: nameOf(legacy), text, custom: false, legacy: true });
  }
  return calls;
}

function encodeCall(call: Call, callId: string): JsonObject {
  return call.custom
    ? { type: "custom_tool_call", call_id: callId, name: call.name, input: call.text }
    : { type: "function_call", call_id: callId, name: call.name, arguments: call.text };
}

function encodeResult(call: Call, callId: string, result: JsonObject | undefined): JsonObject {
  return {
    type: call.custom ? "custom_tool_call_output" : "function_call_output",
    call_id: callId,
    output: result === undefined ? NO_RESULT : resultOutput(result.content),
  };
}

/** A result's content: one string, or a list of parts if something else than text is in it. */
function resultOutput(content: unknown): string | JsonObject[] {
  if (typeof content === "string") return content;
  if (!Array.isArray(content)) return asText(content);
  const parts = inputParts(content);
  return joinTexts(parts) ?? parts;
}

/** The texts of `parts`, a line break between them, or `undefined` if not all of them are text. */
function joinTexts(parts: readonly JsonObject[]): string | undefined {
  const texts: string[] = [];
  for (const part of parts) {
    if (part.type !== "input_text" || typeof part.text !== "string") return undefined;
    texts.push(part.text);
  }
  return texts.join("\n");
}

/**
 * The reasoning that led to `call`. Calls that were made together share it: it is sent before the
 * first of them only, as the model wrote it once.
 */
function rememberedReasoning(
  call: Call,
  { memory, model }: EncodeMessagesOptions,
  seen: Set<string>,
): JsonObject[] {
  const remembered = call.id === "" ? undefined : memory?.get(call.id);
  const foreign = model !== undefined && remembered?.model !== undefined &&
    remembered.model !== model;
  return (foreign ? [] : remembered?.items ?? []).filter((item) => {
    const identity = asText(item.id) || asText(item.encrypted_content);
    if (seen.has(identity)) return false;
    seen.add(identity);
    return true;
    // Nothing is stored under the id, and ids of more than 64 characters are refused (gateway.md).
  }).map(({ id: _id, ...item }) => item);
}

/** User, system and tool content as Responses input parts; empty texts are left out. */
function inputParts(content: unknown): JsonObject[] {
  if (typeof content === "string") content = [{ type: "text", text: content }];
  if (!Array.isArray(content)) return [];
  const parts: JsonObject[] = [];
  for (const part of content) {
    if (typeof part === "string") {
      if (part !== "") parts.push({ type: "input_text", text: part });
      continue;
    }
    if (!isObject(part)) continue;
    const encode = INPUT_PARTS.get(part.type);
    const encoded = encode === undefined ? part : encode(part);
    if (encoded !== undefined) parts.push(encoded);
  }
  return parts;
}

/** Chat part type → Responses part. Types that aren't listed pass as they are. */
const INPUT_PARTS = new Map<unknown, (part: JsonObject) => JsonObject | undefined>([
  ["text", encodeText],
  ["input_text", encodeText],
  ["output_text", encodeText],
  ["image_url", encodeImage],
  ["file", encodeFile],
]);

function encodeText(part: JsonObject): JsonObject | undefined {
  const text = asText(part.text);
  return text === "" ? undefined : { type: "input_text", text };
}

function encodeImage(part: JsonObject): JsonObject {
  const image = isObject(part.image_url) ? part.image_url : { url: part.image_url };
  // `detail` is not optional in OpenAI's own types for the Responses API.
  return { type: "input_image", image_url: image.url, detail: image.detail ?? "auto" };
}

function encodeFile(part: JsonObject): JsonObject {
  const file = isObject(part.file) ? part.file : {};
  return { type: "input_file", ...file };
}

/** An assistant message's text and refusal as Responses output parts. */
function outputParts(message: JsonObject): JsonObject[] {
  const { content, refusal } = message;
  const list = Array.isArray(content) ? content : [content];
  const parts: JsonObject[] = [];
  for (const part of list) {
    if (isObject(part) && part.type === "refusal") {
      if (asText(part.refusal) !== "") parts.push({ type: "refusal", refusal: part.refusal });
      continue;
    }
    // Reasoning parts that a client replays stay out: they are text to it, and no answer to the model.
    const isText = isObject(part) && (part.type === "text" || part.type === "output_text");
    const text = typeof part === "string" ? part : isText ? asText(part.text) : "";
    if (text !== "") parts.push({ type: "output_text", text });
  }
  if (typeof refusal === "string" && refusal !== "") parts.push({ type: "refusal", refusal });
  return parts;
}

/** Finds the result of each call, once each. */
class Results {
  readonly #byKey = new Map<string, { at: number; message: JsonObject }[]>();

  constructor(turns: readonly JsonObject[]) {
    for (const [at, message] of turns.entries()) {
      const key = message.role === "tool"
        ? idKey(message.tool_call_id)
        : message.role === "function"
        ? nameKey(message.name)
        : undefined;
      if (key === undefined) continue;
      const queue = this.#byKey.get(key);
      if (queue === undefined) this.#byKey.set(key, [{ at, message }]);
      else queue.push({ at, message });
    }
  }

  /**
   * The first unused result of `call`, which stands at `at`. One after the call is preferred; for a
   * call with an id, one that strayed before it will do.
   */
  take(call: Call, at: number): JsonObject | undefined {
    const queue = this.#byKey.get(call.legacy ? nameKey(call.name) : idKey(call.id));
    if (queue === undefined) return undefined;
    let found = queue.findIndex((result) => result.at > at);
    if (found < 0 && call.id !== "") found = queue.length > 0 ? 0 : -1;
    return found < 0 ? undefined : queue.splice(found, 1)[0].message;
  }
}

/** A missing id and `null` are one: results without an id answer calls without one, in order. */
function idKey(id: unknown): string {
  return `id:${typeof id === "string" ? id : ""}`;
}

function nameKey(name: unknown): string {
  return `name:${typeof name === "string" && name !== "" ? name : UNNAMED}`;
}

/** Gives every call of a request an id of its own, within the length that the API takes. */
class CallIds {
  readonly #used = new Set<string>();
  readonly #reserved = new Set<string>();
  readonly #repeats = new Map<string, number>();

  constructor(turns: readonly JsonObject[]) {
    // An id that a later call has by right must not be made up for an earlier one.
    for (const message of turns) {
      if (message.role !== "assistant") continue;
      for (const call of callsOf(message)) this.#reserved.add(call.id);
    }
  }

  assign(id: string): string {
    const base = shorten(id === "" ? "call" : id);
    let candidate = base;
    while (this.#used.has(candidate) || (candidate !== id && this.#reserved.has(candidate))) {
      const repeat = (this.#repeats.get(base) ?? 1) + 1;
      this.#repeats.set(base, repeat);
      candidate = shorten(`${base}_${repeat}`);
    }
    this.#used.add(candidate);
    return candidate;
  }
}

/** Keeps the start of a long id, for whoever reads a log, and puts a hash in place of the rest. */
export function shorten(id: string): string {
  if (id.length <= MAX_CALL_ID_LENGTH) return id;
  const hash = hash64(id);
  return `${id.slice(0, MAX_CALL_ID_LENGTH - 1 - hash.length)}_${hash}`;
}

function nameOf(body: JsonObject): string {
  return typeof body.name === "string" && body.name !== "" ? body.name : UNNAMED;
}

/** A string as it is, nothing as "", anything else as JSON. */
function asText(value: unknown): string {
  if (typeof value === "string") return value;
  return value === undefined || value === null ? "" : JSON.stringify(value);
}
