/**
 * The input items of a Responses request as the messages of chat completions.
 *
 * @module
 */

import { BridgeError } from "../../errors.ts";
import { isObject, type JsonObject } from "../../json.ts";
import { decodeContinuity } from "../../enrich/continuity.ts";
import { contentTexts } from "./read.ts";
import type { ToolNames } from "./tools.ts";

/** Items that tell what the client or a vendor's server did; the model's next words don't hang on them. */
const LEFT_OUT = new Set<unknown>([
  "web_search_call",
  "file_search_call",
  "image_generation_call",
  "code_interpreter_call",
  "mcp_call",
  "mcp_list_tools",
  "mcp_approval_request",
  "mcp_approval_response",
  "tool_search_call",
  "tool_search_output",
  "ghost_snapshot",
]);

/** Models that want their plain reasoning back, as `reasoning_content` (`forgecode.md`). */
const WANTS_REASONING = /kimi/i;

/** What stands in the place of a result that is only an image: results of chat completions are text. */
const IMAGE_BELOW = "(an image; it stands in the next message)";

/** Translates input items; `model` is the one that is asked. */
export function decodeInput(
  items: readonly unknown[],
  tools: ToolNames,
  model: string,
): JsonObject[] {
  const history = new History(model);
  for (const [at, item] of items.entries()) {
    if (isObject(item)) decodeItem(item, `input[${at}]`, history, tools);
  }
  return history.end();
}

function decodeItem(item: JsonObject, param: string, history: History, tools: ToolNames): void {
  const { type } = item;
  switch (type ?? "message") {
    case "message":
      return decodeMessage(item, param, history);
    case "reasoning":
      return history.reasoning(item);
    case "function_call":
      return history.call(item.call_id, tools.flat(item), textOf(item.arguments));
    case "custom_tool_call":
      return history.call(
        item.call_id,
        tools.flat(item),
        JSON.stringify({ input: textOf(item.input) }),
      );
    case "local_shell_call": {
      const { type: _type, env: _env, user: _user, ...action } = isObject(item.action)
        ? item.action
        : {};
      const given = Object.fromEntries(
        Object.entries(action).filter(([, value]) => value !== null),
      );
      return history.call(item.call_id ?? item.id, "local_shell", JSON.stringify(given));
    }
    case "function_call_output":
    case "custom_tool_call_output":
    case "local_shell_call_output":
      return decodeResult(item, param, history);
  }
  if (LEFT_OUT.has(type)) return;
  throw new BridgeError(
    "request",
    `\`${param}\` is an item of type "${type}", which this model can't be told: leave it out, or go on with the model that wrote it.`,
    { param, code: "unsupported_item" },
  );
}

function decodeMessage(item: JsonObject, param: string, history: History): void {
  const { role, content } = item;
  if (role === "assistant") {
    const text = [...contentTexts(content, "text").values()].join("");
    const refusal = [...contentTexts(content, "refusal").values()].join("");
    return history.say(text, refusal);
  }
  const parts = inputParts(content, `${param}.content`);
  if (parts.length === 0) return;
  if (role === "user") return history.add({ role: "user", content: flatten(parts) });
  // "developer" is what OpenAI calls system messages; other models know only these.
  const texts = parts.map(({ text }) => textOf(text)).filter((text) => text !== "");
  history.add({ role: "system", content: texts.join("\n\n") });
}

function decodeResult(item: JsonObject, param: string, history: History): void {
  const { output } = item;
  if (!Array.isArray(output)) {
    return history.result(
      item.call_id ?? item.id,
      typeof output === "string" ? output : JSON.stringify(output ?? ""),
      [],
    );
  }
  const parts = inputParts(output, `${param}.output`);
  const text = parts.map(({ text }) => textOf(text)).filter((text) => text !== "").join("\n");
  const others = parts.filter(({ type }) => type !== "text");
  history.result(
    item.call_id ?? item.id,
    text === "" && others.length > 0 ? IMAGE_BELOW : text,
    others,
  );
}

/** Content as parts of chat completions; empty texts are left out. */
function inputParts(content: unknown, param: string): JsonObject[] {
  if (typeof content === "string") content = [{ type: "input_text", text: content }];
  if (!Array.isArray(content)) return [];
  return content.filter(isObject).flatMap((part, at) => {
    const { type } = part;
    if (type === "input_text" || type === "output_text" || type === "text") {
      return textOf(part.text) === "" ? [] : [{ type: "text", text: part.text }];
    }
    if (type === "input_image" && typeof part.image_url === "string") {
      const { image_url: url, detail } = part;
      return [{
        type: "image_url",
        image_url: typeof detail === "string" ? { url, detail } : { url },
      }];
    }
    if (type === "input_file" && typeof part.file_data === "string") {
      const { type: _type, ...file } = part;
      return [{ type: "file", file }];
    }
    if (type === "input_audio" && isObject(part.input_audio)) return [part];
    if (type === "refusal") return [];
    const path = `${param}[${at}]`;
    const stored = isGiven(part.file_id) || isGiven(part.file_url);
    throw new BridgeError(
      "request",
      stored
        ? `\`${path}\` refers to a file that is stored or linked: send its content, as a data URL in image_url or file_data.`
        : `\`${path}\` is content of type "${type}", which this model can't be told: expected input_text, input_image or input_file.`,
      { param: path, code: "unsupported_content" },
    );
  });
}

/** One text as a string, anything else as parts. */
function flatten(parts: JsonObject[]): unknown {
  return parts.length === 1 && parts[0].type === "text" ? parts[0].text : parts;
}

/** The messages as they grow: what the model wrote in one go becomes one assistant message. */
class History {
  readonly #model: string;
  readonly #messages: JsonObject[] = [];
  /** The assistant message that is not complete yet. */
  #turn: JsonObject | undefined;
  /** Fields of calls that the turn's reasoning carries. */
  #callFields: Readonly<Record<string, JsonObject>> = {};
  /** Images of results, which follow the last result of a turn. */
  #images: JsonObject[] = [];

  constructor(model: string) {
    this.#model = model;
  }

  end(): JsonObject[] {
    this.#close();
    return this.#messages;
  }

  add(message: JsonObject): void {
    this.#close();
    this.#messages.push(message);
  }

  say(text: string, refusal: string): void {
    if (text === "" && refusal === "") return;
    const turn = this.#begin();
    if (text !== "") turn.content = turn.content ? `${turn.content}\n\n${text}` : text;
    if (refusal !== "") turn.refusal = `${turn.refusal ?? ""}${refusal}`;
  }

  reasoning(item: JsonObject): void {
    const own = decodeContinuity(item.encrypted_content);
    if (own !== undefined && own.model !== this.#model) return;
    const told = own?.reasoning ??
      [
        ...contentTexts(item.summary, "summary").values(),
        ...contentTexts(item.content, "thought").values(),
      ]
        .join("\n\n");
    // Another vendor's encrypted reasoning is of no use, and its summary is not what the model thought.
    if (own === undefined && isGiven(item.encrypted_content)) return;
    const turn = this.#begin();
    this.#callFields = { ...this.#callFields, ...own?.calls };
    if (own?.details !== undefined) {
      const before = Array.isArray(turn.reasoning_details) ? turn.reasoning_details : [];
      turn.reasoning_details = [...before, ...own.details];
    }
    if (told !== "" && WANTS_REASONING.test(this.#model)) {
      turn.reasoning_content = turn.reasoning_content
        ? `${turn.reasoning_content}\n\n${told}`
        : told;
    }
  }

  call(callId: unknown, name: string, text: string): void {
    const turn = this.#begin();
    const id = textOf(callId);
    const calls = Array.isArray(turn.tool_calls) ? turn.tool_calls : turn.tool_calls = [];
    (calls as JsonObject[]).push({
      ...(Object.hasOwn(this.#callFields, id) ? this.#callFields[id] : {}),
      id,
      type: "function",
      function: { name, arguments: text },
    });
  }

  result(callId: unknown, text: string, images: JsonObject[]): void {
    this.#closeTurn();
    const id = textOf(callId);
    this.#messages.push({ role: "tool", tool_call_id: id, content: text });
    if (images.length > 0) {
      this.#images.push({ type: "text", text: `The result of call ${id}:` }, ...images);
    }
  }

  #begin(): JsonObject {
    if (this.#turn === undefined) {
      this.#close();
      this.#turn = { role: "assistant", content: null };
    }
    return this.#turn;
  }

  #closeTurn(): void {
    const turn = this.#turn;
    this.#turn = undefined;
    this.#callFields = {};
    // Reasoning alone, which nothing followed, is no answer.
    if (turn === undefined) return;
    const said = turn.content !== null || turn.refusal !== undefined ||
      turn.tool_calls !== undefined;
    if (said) this.#messages.push(turn);
  }

  #close(): void {
    this.#closeTurn();
    if (this.#images.length === 0) return;
    this.#messages.push({ role: "user", content: this.#images });
    this.#images = [];
  }
}

function isGiven(value: unknown): boolean {
  return value !== undefined && value !== null;
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}
