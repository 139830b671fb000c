/**
 * The response object around the output: it repeats the request's settings, as OpenAI does.
 *
 * @module
 */

import { isObject, type JsonObject } from "../../json.ts";
import type { DialectContext } from "../dialect.ts";

type Fits = (value: unknown) => boolean;

const isNumber: Fits = (value) => typeof value === "number";
const isBoolean: Fits = (value) => typeof value === "boolean";
const isString: Fits = (value) => typeof value === "string";

/**
 * Field → its default, and what its value must be for strict clients: ForgeCode overlooks an event whose
 * response has a field of a wrong type, and then the end of the stream.
 */
const SETTINGS: Readonly<Record<string, readonly [unknown, Fits]>> = {
  instructions: [null, (value) => isString(value) || Array.isArray(value)],
  max_output_tokens: [null, Number.isInteger],
  max_tool_calls: [null, Number.isInteger],
  metadata: [{}, isObject],
  parallel_tool_calls: [true, isBoolean],
  prompt_cache_key: [undefined, isString],
  reasoning: [{ effort: null, summary: null }, isObject],
  safety_identifier: [undefined, isString],
  temperature: [null, isNumber],
  text: [{ format: { type: "text" } }, isObject],
  tool_choice: ["auto", (value) => isString(value) || isObject(value)],
  tools: [[], Array.isArray],
  top_logprobs: [undefined, Number.isInteger],
  top_p: [null, isNumber],
  truncation: ["disabled", isString],
};

/** Fields that are made here or by the writer, never taken over. */
const OWN = new Set([
  "id",
  "object",
  "created_at",
  "model",
  "status",
  "output",
  "usage",
  "error",
  "incomplete_details",
  "output_text",
  "store",
  "background",
  "previous_response_id",
]);

/**
 * The response object without output, usage and ending.
 *
 * @param context The request, and what an answer without id or date gets.
 * @param given The gateway's own response object, where it has one: what else stands in it passes.
 */
export function responseEnvelope(context: DialectContext, given: JsonObject = {}): JsonObject {
  const request = context.request ?? {};
  const created = given.created_at;
  const envelope: JsonObject = {
    id: isString(given.id) && given.id !== "" ? given.id : context.makeId("resp_"),
    object: "response",
    created_at: typeof created === "number" ? Math.floor(created) : context.created,
    model: context.model,
    status: "in_progress",
    background: false,
    error: null,
    incomplete_details: null,
    previous_response_id: null,
    store: false,
  };
  for (const [name, [fallback, fits]] of Object.entries(SETTINGS)) {
    // The settings as the client sent them; the gateway's where the client sent none.
    const value = [request[name], given[name]].find((value) => value !== null && fits(value)) ??
      fallback;
    if (value !== undefined) envelope[name] = value;
  }
  for (const [name, value] of Object.entries(given)) {
    if (!OWN.has(name) && !Object.hasOwn(SETTINGS, name) && name !== "__proto__") {
      envelope[name] = value;
    }
  }
  return envelope;
}
