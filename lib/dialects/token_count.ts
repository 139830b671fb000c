/**
 * What the endpoints that count tokens share: the words of a request, and an estimate of them.
 *
 * @module
 */

import { isObject, type JsonObject } from "../json.ts";
import { estimateTokens } from "../models/estimate_tokens.ts";

/** Says in an answer that its count is an estimate. */
export const ESTIMATE_HEADER = "x-fd-bridge-estimate";

/** What every message takes beside its words, in tokens. */
const MESSAGE = 4;

/** What the instructions take that make a model call tools, in tokens. */
const TOOLS = 300;

/** How the requests of a dialect are counted. */
export interface CountingRules {
  /** The tokens of an object that is no text, such as an image; undefined where it is text. */
  readonly fixed: (value: JsonObject) => number | undefined;
  /** Fields that are no part of the prompt. */
  readonly silent: ReadonlySet<string>;
  /** Fields whose values the model gets as JSON. */
  readonly json: ReadonlySet<string>;
}

/** What is counted of a request. */
export interface Countable {
  /** The model that it is for. */
  readonly model: string;
  /** The instructions before the conversation. */
  readonly system: unknown;
  /** The conversation. */
  readonly messages: readonly unknown[];
  /** The tools that are offered. */
  readonly tools: readonly unknown[];
}

/**
 * Estimates the tokens of a request.
 *
 * @param request Its parts.
 * @param rules How its dialect is counted.
 * @param signal Ends the counting.
 * @throws The signal's reason, when it is aborted.
 */
export async function countRequest(
  { model, system, messages, tools }: Countable,
  rules: CountingRules,
  signal?: AbortSignal,
): Promise<number> {
  const words: string[] = [];
  const fixed = collect([system, messages, tools], rules, words);
  return await estimateTokens(words.join("\n"), model, signal) + fixed +
    messages.length * MESSAGE + (tools.length > 0 ? TOOLS : 0);
}

/** Collects the words of a value, and returns the tokens of what has none. */
function collect(value: unknown, rules: CountingRules, words: string[]): number {
  if (typeof value === "string") {
    if (value !== "") words.push(value);
    return 0;
  }
  if (Array.isArray(value)) {
    return value.reduce((sum, inner) => sum + collect(inner, rules, words), 0);
  }
  if (!isObject(value)) return 0;
  const fixed = rules.fixed(value);
  if (fixed !== undefined) return fixed;
  let sum = 0;
  for (const [name, inner] of Object.entries(value)) {
    if (rules.silent.has(name)) continue;
    if (rules.json.has(name)) words.push(JSON.stringify(inner) ?? "");
    else sum += collect(inner, rules, words);
  }
  return sum;
}
