/**
 * Reading the objects of the Responses API: what is of the wrong type counts as not there.
 *
 * @module
 */

import { isObject, type JsonObject } from "../../json.ts";
import type { ItemKind, Slot } from "./item.ts";
import type { ItemSighting } from "./items.ts";

/** Responses item type → what it is to a chat client. Items of other types mean nothing to it. */
const KIND_OF_ITEM = new Map<unknown, ItemKind>([
  ["message", "message"],
  ["function_call", "call"],
  ["custom_tool_call", "call"],
  ["reasoning", "reasoning"],
]);

/** Content part type → where its text belongs, and the part's field that has it. */
export const CONTENT_PARTS: ReadonlyMap<
  unknown,
  { kind: ItemKind; slot: Slot; text: string }
> = new Map<unknown, { kind: ItemKind; slot: Slot; text: string }>([
  ["output_text", { kind: "message", slot: "text", text: "text" }],
  ["text", { kind: "message", slot: "text", text: "text" }],
  ["refusal", { kind: "message", slot: "refusal", text: "refusal" }],
  ["reasoning_text", { kind: "reasoning", slot: "thought", text: "text" }],
  ["summary_text", { kind: "reasoning", slot: "summary", text: "text" }],
]);

/**
 * The sighting of an item; `undefined` for kinds that chat completions do not have.
 *
 * @example
 * ```ts
 * import { sight } from "./read.ts";
 *
 * const sighting = sight({ type: "function_call", call_id: "call_1", arguments: "{}" }, 0);
 * if (sighting?.kind !== "call" || sighting.text !== "{}") throw new Error("unexpected");
 * ```
 */
export function sight(raw: JsonObject, outputIndex: number | undefined): ItemSighting | undefined {
  const untyped = raw.type === undefined && raw.role === "assistant";
  const kind = untyped ? "message" : KIND_OF_ITEM.get(raw.type);
  if (kind === undefined) return undefined;
  const text = kind === "call"
    ? argumentsOf(raw.arguments ?? raw.input)
    : kind === "message"
    ? [...contentTexts(raw.content, "text").values()].join("")
    : [...contentTexts(raw.summary, "summary").values()].join("");
  return { kind, id: idOf(raw.id), callId: idOf(raw.call_id), outputIndex, text };
}

/**
 * The texts of a content list that belong in `slot`, by their place in the list. Content that is a
 * plain string counts as one text.
 *
 * @example
 * ```ts
 * import { contentTexts } from "./read.ts";
 *
 * const texts = contentTexts([{ type: "refusal", refusal: "No." }], "refusal");
 * if (texts.get(0) !== "No.") throw new Error("expected the refusal");
 * ```
 */
export function contentTexts(content: unknown, slot: Slot): Map<number, string> {
  const texts = new Map<number, string>();
  if (typeof content === "string" && slot === "text" && content !== "") texts.set(0, content);
  if (!Array.isArray(content)) return texts;
  for (const [at, part] of content.entries()) {
    const rule = isObject(part) ? CONTENT_PARTS.get(part.type) : undefined;
    // Reasoning content is `reasoning_text`, or plain `text` on some servers.
    const here = rule?.slot === slot || (slot === "thought" && rule?.slot === "text");
    const text = here ? textOf(part[rule.text]) : "";
    if (text !== "") texts.set(at, text);
  }
  return texts;
}

/**
 * A reasoning item as the API takes it back, or `undefined`: without its encrypted content it could
 * only be looked up, and nothing is stored. Its `status` and plain `content` are refused in requests.
 *
 * @example
 * ```ts
 * import { replayable } from "./read.ts";
 *
 * if (replayable({ type: "reasoning", summary: [] }) !== undefined) throw new Error("expected none");
 * ```
 */
export function replayable(raw: JsonObject): JsonObject | undefined {
  if (typeof raw.encrypted_content !== "string" || raw.encrypted_content === "") return undefined;
  const item: JsonObject = { type: "reasoning" };
  if (typeof raw.id === "string") item.id = raw.id;
  item.summary = Array.isArray(raw.summary) ? raw.summary : [];
  item.encrypted_content = raw.encrypted_content;
  return item;
}

/**
 * A Responses API `usage` as that of chat completions; `undefined` if there is none. Details are
 * there only where the gateway gave them.
 *
 * @example
 * ```ts
 * import { decodeUsage } from "./read.ts";
 *
 * const usage = decodeUsage({ input_tokens: 2, output_tokens: 3 });
 * if (usage?.total_tokens !== 5) throw new Error("expected the sum");
 * ```
 */
export function decodeUsage(usage: unknown): JsonObject | undefined {
  if (!isObject(usage)) return undefined;
  if ("prompt_tokens" in usage) return usage;
  const { input_tokens: input, output_tokens: output, total_tokens: total } = usage;
  if (typeof input !== "number" || typeof output !== "number") return undefined;
  const decoded: JsonObject = {
    prompt_tokens: input,
    completion_tokens: output,
    total_tokens: typeof total === "number" ? total : input + output,
  };
  const cached = asObject(usage.input_tokens_details).cached_tokens;
  if (typeof cached === "number") decoded.prompt_tokens_details = { cached_tokens: cached };
  const reasoning = asObject(usage.output_tokens_details).reasoning_tokens;
  if (typeof reasoning === "number") {
    decoded.completion_tokens_details = { reasoning_tokens: reasoning };
  }
  return decoded;
}

function argumentsOf(value: unknown): string {
  return isObject(value) ? JSON.stringify(value) : textOf(value);
}

/**
 * A text, or the text in a part; "" for anything else.
 *
 * @example
 * ```ts
 * import { textOf } from "./read.ts";
 *
 * if (textOf({ text: "a" }) !== "a" || textOf(null) !== "") throw new Error("unexpected");
 * ```
 */
export function textOf(value: unknown): string {
  if (typeof value === "string") return value;
  return isObject(value) && typeof value.text === "string" ? value.text : "";
}

/**
 * A string as it is; "" for anything else.
 *
 * @example
 * ```ts
 * import { idOf } from "./read.ts";
 *
 * if (idOf("msg_1") !== "msg_1" || idOf(1) !== "") throw new Error("unexpected");
 * ```
 */
export function idOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}

/**
 * A tool's name without the channel token that gpt-oss and Codex models now and then leave on it.
 *
 * @example
 * ```ts
 * import { cleanName } from "./read.ts";
 *
 * if (cleanName("shell<|channel|>commentary") !== "shell") throw new Error("expected the name");
 * ```
 */
export function cleanName(name: string): string {
  const end = name.indexOf("<|");
  return (end < 0 ? name : name.slice(0, end)).trim();
}

/**
 * A whole number from 0, which is a place in a list; `undefined` for anything else.
 *
 * @example
 * ```ts
 * import { place } from "./read.ts";
 *
 * if (place(0) !== 0 || place(-1) !== undefined) throw new Error("unexpected");
 * ```
 */
export function place(value: unknown): number | undefined {
  return typeof value === "number" && Number.isInteger(value) && value >= 0 ? value : undefined;
}

/**
 * An object as it is; an empty one for anything else.
 *
 * @example
 * ```ts
 * import { asObject } from "./read.ts";
 *
 * if (Object.keys(asObject(null)).length !== 0) throw new Error("expected an empty object");
 * ```
 */
export function asObject(value: unknown): JsonObject {
  return isObject(value) ? value : {};
}

/**
 * The fields of `source` that aren't null.
 *
 * @example
 * ```ts
 * import { given } from "./read.ts";
 *
 * if ("code" in given({ code: null, message: "m" })) throw new Error("expected no code");
 * ```
 */
export function given(source: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(source).filter(([, value]) => value !== null));
}

/** Whether a text is complete JSON; arguments that are empty are. */
export function isJson(text: string): boolean {
  if (text.trim() === "") return true;
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
