/**
 * Requests that are written in the Responses API already: they pass, without what the gateway refuses. What
 * carries the conversation is never taken out: without it the model would answer something else.
 *
 * @module
 */

import { BridgeError } from "../../errors.ts";
import { isObject, type JsonObject } from "../../json.ts";
import type { EncodedRequest } from "../dialect.ts";
import { isOwnContent } from "../../enrich/continuity.ts";
import { MAX_CALL_ID_LENGTH, shorten } from "./input.ts";
import { replayable } from "./read.ts";
import { flatName, flattenNamespaces } from "./tools.ts";

/** Field → why it is taken out (`gateway.md`, "What requests are refused for"). What a client relies on is not among them. */
export const PASSTHROUGH_FIELDS: Readonly<Record<string, string>> = {
  store: "refused with 400; the gateway stores nothing",
  service_tier: "refused with 400",
  background: "refused with 400",
  stream_options: "refused with 400",
  metadata: "refused with 400",
  client_metadata: "Codex' own; the API doesn't know it",
  context_management: "refused with 400; the client shortens the conversation itself",
  previous_response_id: "null only; a value is refused",
  conversation: "null only; a value is refused",
  prompt: "null only; a value is refused",
};

/** The least `max_output_tokens` (`gateway.md`). */
const LEAST_OUTPUT = 16;

/** Fields that can't be had, and without which the answer would be another: advice, and which values mean them. */
const IMPOSSIBLE: readonly (readonly [string, (value: unknown) => boolean, string])[] = [
  [
    "previous_response_id",
    isGiven,
    "the gateway stores no responses. Send the whole conversation in `input`, reasoning items with their encrypted_content included.",
  ],
  [
    "conversation",
    isGiven,
    "the gateway stores no conversations. Send the whole conversation in `input`.",
  ],
  [
    "store",
    (value) => value === true,
    'the gateway stores no responses. Send `store: false`, and `include: ["reasoning.encrypted_content"]` to keep the model\'s reasoning.',
  ],
  [
    "background",
    (value) => value === true,
    "the gateway answers at once or not at all. Send the request without it, streamed if it takes long.",
  ],
  [
    "prompt",
    isGiven,
    "the gateway has no prompt templates. Send their text in `instructions` and `input`.",
  ],
];

/**
 * Refuses what no surface of the gateway's can do, rather than answer without it.
 *
 * @param body A Responses request.
 * @throws {BridgeError} kind `request`, naming the field.
 */
export function refuseImpossible(body: JsonObject): void {
  for (const [param, means, advice] of IMPOSSIBLE) {
    if (!means(body[param])) continue;
    throw new BridgeError("request", `\`${param}\` can't be had here: ${advice}`, {
      param,
      code: "unsupported_parameter",
    });
  }
  if (!Array.isArray(body.input)) return;
  const at = body.input.findIndex((item) => isObject(item) && item.type === "item_reference");
  if (at < 0) return;
  throw new BridgeError(
    "request",
    `\`input[${at}]\` refers to a stored item, and the gateway stores none: send the item itself.`,
    { param: `input[${at}]`, code: "unsupported_parameter" },
  );
}

/**
 * A Responses request as the gateway takes it.
 *
 * @param body The client's body; it is not changed.
 * @returns The body, and the names of what was taken out or changed.
 * @throws {BridgeError} kind `request` for what can't be had: `previous_response_id`, `store: true` and their like.
 */
export function passRequest(body: JsonObject): EncodedRequest {
  refuseImpossible(body);
  const dropped: string[] = [];
  const clean: JsonObject = {};
  for (const [name, value] of Object.entries(body)) {
    if (Object.hasOwn(PASSTHROUGH_FIELDS, name)) dropped.push(name);
    else clean[name] = value;
  }
  const most = clean.max_output_tokens;
  if (typeof most === "number" && most < LEAST_OUTPUT) {
    clean.max_output_tokens = LEAST_OUTPUT;
    dropped.push("max_output_tokens");
  }
  const tools = flattenNamespaces(clean.tools);
  if (tools !== clean.tools) {
    clean.tools = tools;
    dropped.push("tools[].namespace");
  }
  if (Array.isArray(clean.input)) clean.input = passInput(clean.input, dropped);
  return { body: clean, dropped: [...new Set(dropped)] };
}

function passInput(input: readonly unknown[], dropped: string[]): unknown[] {
  const kept: unknown[] = [];
  // From the end, because reasoning goes where nothing follows it.
  let follows = false;
  for (let at = input.length - 1; at >= 0; at--) {
    const item = input[at];
    if (!isObject(item)) {
      kept.push(item);
      follows = false;
      continue;
    }
    if (item.type !== "reasoning") {
      kept.push(passItem(item, dropped));
      follows = isModels(item);
      continue;
    }
    const reasoning = follows ? passReasoning(item, dropped) : undefined;
    if (reasoning === undefined) dropped.push("input[].reasoning");
    else kept.push(reasoning);
  }
  return kept.reverse();
}

/** Whether the model itself wrote an item: reasoning must stand before one of those. */
function isModels({ type, role }: JsonObject): boolean {
  if (type === undefined || type === "message") return role === "assistant";
  return typeof type === "string" && type.endsWith("_call");
}

/** Reasoning can be sent back with its encrypted content, and without its id: nothing is stored under that. */
function passReasoning(item: JsonObject, dropped: string[]): JsonObject | undefined {
  const whole = replayable(item);
  // What the bridge itself encrypted for another model's sake means nothing to this one.
  if (whole === undefined || isOwnContent(whole.encrypted_content)) return undefined;
  if ("id" in whole) dropped.push("input[].id");
  const { id: _id, ...rest } = whole;
  return rest;
}

function passItem(item: JsonObject, dropped: string[]): JsonObject {
  let passed = item;
  if (typeof item.id === "string" && item.id.length > MAX_CALL_ID_LENGTH) {
    const { id: _id, ...rest } = passed;
    passed = rest;
    dropped.push("input[].id");
  }
  if (typeof item.call_id === "string" && item.call_id.length > MAX_CALL_ID_LENGTH) {
    passed = { ...passed, call_id: shorten(item.call_id) };
    dropped.push("input[].call_id");
  }
  if ("namespace" in item) {
    const { namespace, ...rest } = passed;
    const joins = typeof namespace === "string" && namespace !== "" &&
      typeof item.name === "string";
    passed = joins ? { ...rest, name: flatName(namespace, item.name as string) } : rest;
    dropped.push("input[].namespace");
  }
  return passed;
}

function isGiven(value: unknown): boolean {
  return value !== undefined && value !== null;
}
