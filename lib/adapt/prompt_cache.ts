/**
 * Claude's prompt cache, for clients that don't ask for it: marks at the ends of what the next request
 * will begin with (`gateway.md`, "Prompt caching").
 *
 * @module
 */

import { isObject, type JsonObject } from "../json.ts";
import { bareName, familyOf } from "../models/families.ts";

/** The least prefix that is cached, in tokens; Haiku's is longer. */
const LEAST = 1_024;
const LEAST_HAIKU = 4_096;

/**
 * Characters of a token, about. Close enough: a mark on a prefix that is too short costs nothing, and one
 * that is missing comes with the next turn. An estimate by words took a third of a short request's time.
 */
const CHARACTERS = 4;

const MARK = { type: "ephemeral" };

/** Whether anything in a request is marked already. */
function hasMarks(messages: readonly JsonObject[], tools: readonly JsonObject[]): boolean {
  const isMarked = (value: unknown) => isObject(value) && value.cache_control !== undefined;
  return tools.some((tool) => isMarked(tool) || isMarked(tool.function)) ||
    messages.some((message) =>
      isMarked(message) || (Array.isArray(message.content) && message.content.some(isMarked))
    );
}

/** Characters of a value's texts and names; counting ends soon after `most`. */
function lengthOf(value: unknown, most: number): number {
  if (typeof value === "string") return value.length;
  if (typeof value !== "object" || value === null) return CHARACTERS;
  let length = 0;
  if (Array.isArray(value)) {
    for (const element of value) {
      if (length > most) break;
      length += lengthOf(element, most - length);
    }
    return length;
  }
  for (const name in value) {
    if (length > most) break;
    length += name.length + lengthOf((value as JsonObject)[name], most - length);
  }
  return length;
}

/** A message whose last part is marked; the same one where it has no text or image to be marked. */
function marked(message: JsonObject): JsonObject {
  const { content } = message;
  if (typeof content === "string") {
    if (content === "") return message;
    return { ...message, content: [{ type: "text", text: content, cache_control: MARK }] };
  }
  if (!Array.isArray(content)) return message;
  const at = content.findLastIndex((part) =>
    isObject(part) && (part.type === "image_url" || (part.type === "text" && part.text !== ""))
  );
  if (at === -1) return message;
  const parts = [...content];
  parts[at] = { ...parts[at] as JsonObject, cache_control: MARK };
  return { ...message, content: parts };
}

function isSystem({ role }: JsonObject): boolean {
  return role === "system" || role === "developer";
}

/**
 * The messages that end a turn's prefix: the last one that isn't the assistant's, and the one before the
 * last answer, which the request before this one ended with.
 */
function prefixEnds(messages: readonly JsonObject[]): number[] {
  const last = messages.findLastIndex((message) =>
    message.role !== "assistant" && !isSystem(message)
  );
  if (last === -1) return [];
  const answer = messages.slice(0, last).findLastIndex(({ role }) => role === "assistant");
  const before = answer === -1
    ? -1
    : messages.slice(0, answer).findLastIndex((message) =>
      message.role !== "assistant" && !isSystem(message)
    );
  return before === -1 ? [last] : [before, last];
}

/**
 * A chat request to a Claude model with at most four marks: on the last tool, the last system part, and
 * the ends of the last two turns, so that each request reads what the one before it wrote. A request with
 * marks of its own, a short one, and one to another model stay as they are.
 *
 * @param request A chat completions request; it is not changed.
 * @param model The model, as the client asked for it.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { withCacheMarks } from "./prompt_cache.ts";
 *
 * const request = { messages: [{ role: "user", content: "word ".repeat(2_000) }] };
 * const { messages } = withCacheMarks(request, "databricks-claude-sonnet-5");
 * const [{ content }] = messages as { content: { cache_control: unknown }[] }[];
 * assertEquals(content[0].cache_control, { type: "ephemeral" });
 * assertEquals(withCacheMarks(request, "databricks-kimi-k3"), request);
 * ```
 */
export function withCacheMarks(request: JsonObject, model: string): JsonObject {
  if (familyOf(model) !== "claude" || !Array.isArray(request.messages)) return request;
  const messages = request.messages.filter(isObject);
  const tools = Array.isArray(request.tools) ? request.tools.filter(isObject) : [];
  if (messages.length !== request.messages.length || hasMarks(messages, tools)) return request;
  const least = CHARACTERS * (/haiku/.test(bareName(model)) ? LEAST_HAIKU : LEAST);
  const changed: JsonObject = { ...request };
  let marks = 0;

  // The cache holds tools, then the system's words, then the conversation.
  let prefix = tools.length > 0 ? lengthOf(tools, least) : 0;
  if (tools.length > 0 && prefix >= least) {
    changed.tools = [...tools.slice(0, -1), { ...tools[tools.length - 1], cache_control: MARK }];
    marks++;
  }
  const list = [...messages];
  const mark = (at: number) => {
    const message = marked(list[at]);
    if (message === list[at]) return;
    list[at] = message;
    marks++;
  };
  const system = messages.findLastIndex(isSystem);
  if (system !== -1) {
    prefix += lengthOf(messages.filter(isSystem), least);
    if (prefix >= least) mark(system);
  }
  let counted = 0;
  for (const at of prefixEnds(messages)) {
    for (; counted <= at && prefix < least; counted++) {
      if (!isSystem(messages[counted])) prefix += lengthOf(messages[counted], least);
    }
    if (prefix >= least) mark(at);
  }
  return marks === 0 ? request : { ...changed, messages: list };
}
