/**
 * Claude's thinking in a request: which form the model takes, how much it may cost, and the thinking of
 * earlier turns (`gateway.md`, "Claude").
 *
 * @module
 */

import { isObject, type JsonObject } from "../json.ts";
import { mapKeeping } from "./paths.ts";

/** The least `budget_tokens` that Claude takes. */
export const LEAST_BUDGET = 1024;

/** What is left for the answer where a request that thinks says no maximum, in tokens. */
const ANSWER_ROOM = 4096;

/** Effort → tokens to think with, for models that take a budget instead. */
const BUDGETS: Readonly<Record<string, number>> = { low: 2048, medium: 8192 };

/** The budget of a higher effort, in tokens. */
const LARGE_BUDGET = 16_384;

/** Whether a request asks for thinking. */
export function isThinking(body: JsonObject): boolean {
  return isObject(body.thinking) && body.thinking.type !== "disabled";
}

/** The effort that comes nearest to a budget in tokens. */
function effortOf(budget: unknown): string {
  if (typeof budget !== "number") return "high";
  return budget <= 2048 ? "low" : budget <= 8192 ? "medium" : "high";
}

/**
 * `thinking: {type: "enabled", budget_tokens}` as newer models want it: adaptive, with an effort in
 * `output_config`. An effort that the client chose stays.
 */
export function adaptThinking(body: JsonObject): JsonObject {
  const { thinking, output_config: config } = body;
  if (!isObject(thinking) || thinking.type !== "enabled") return body;
  const { budget_tokens: budget, ...rest } = thinking;
  return {
    ...body,
    thinking: { ...rest, type: "adaptive" },
    output_config: { effort: effortOf(budget), ...isObject(config) ? config : {} },
  };
}

/** Adaptive thinking as older models want it: a budget that stands for the effort. */
export function budgetThinking(body: JsonObject): JsonObject {
  const { thinking, output_config: config } = body;
  if (!isObject(thinking) || thinking.type !== "adaptive") return body;
  const { effort, ...others } = isObject(config) ? config : {} as JsonObject;
  const budget = Object.hasOwn(BUDGETS, String(effort)) ? BUDGETS[String(effort)] : LARGE_BUDGET;
  const { output_config: _config, ...rest } = body;
  return fitBudget({
    ...rest,
    ...Object.keys(others).length > 0 && { output_config: others },
    thinking: { ...thinking, type: "enabled", budget_tokens: budget },
  });
}

/**
 * Keeps the thinking budget below `max_tokens` and at the least that is allowed. Where the maximum has no
 * room for any thinking, the request is sent without: the maximum is what the client wants to pay.
 */
export function fitBudget(body: JsonObject): JsonObject {
  const { thinking } = body;
  if (!isObject(thinking) || typeof thinking.budget_tokens !== "number") return body;
  const field = typeof body.max_completion_tokens === "number" && body.max_tokens === undefined
    ? "max_completion_tokens"
    : "max_tokens";
  const most = body[field];
  const wanted = Math.max(LEAST_BUDGET, Math.floor(thinking.budget_tokens));
  if (typeof most === "number" && most <= LEAST_BUDGET) {
    const { thinking: _thinking, ...rest } = body;
    return rest;
  }
  const budget = typeof most === "number" && wanted >= most
    ? Math.max(LEAST_BUDGET, Math.min(most - 1, most - Math.min(ANSWER_ROOM, most >> 2)))
    : wanted;
  return budget === thinking.budget_tokens
    ? body
    : { ...body, thinking: { ...thinking, budget_tokens: budget } };
}

/** Gives a request that thinks, and says no maximum, one above its budget. */
export function roomForBudget(body: JsonObject): JsonObject {
  const { thinking } = body;
  if (!isObject(thinking) || typeof thinking.budget_tokens !== "number") return body;
  if (body.max_tokens !== undefined || body.max_completion_tokens !== undefined) {
    return fitBudget(body);
  }
  return fitBudget({
    ...body,
    max_tokens: Math.max(LEAST_BUDGET, thinking.budget_tokens) + ANSWER_ROOM,
  });
}

/** Parts, blocks and items that hold reasoning, in any dialect. */
const REASONING = new Set(["reasoning", "thinking", "redacted_thinking"]);

function holdsReasoning(part: unknown): boolean {
  return isObject(part) && (REASONING.has(part.type as string) || part.thought === true);
}

/** A message, item or content without its reasoning; undefined where nothing is left. */
function withoutParts(message: unknown): unknown {
  if (!isObject(message)) return message;
  let kept = message;
  for (const name of ["reasoning_details", "reasoning_content", "reasoning"]) {
    if (!Object.hasOwn(kept, name)) continue;
    const { [name]: _gone, ...rest } = kept;
    kept = rest;
  }
  for (const name of ["content", "parts"]) {
    const parts = kept[name];
    if (!Array.isArray(parts) || !parts.some(holdsReasoning)) continue;
    const rest = parts.filter((part) => !holdsReasoning(part));
    if (rest.length > 0) kept = { ...kept, [name]: rest };
    else {
      const { [name]: _gone, ...others } = kept;
      if (!Array.isArray(others.tool_calls)) return undefined;
      kept = others;
    }
  }
  return kept;
}

/**
 * A body without the reasoning of earlier turns, in any dialect: what another model or another
 * organization signed or encrypted is refused.
 *
 * @param body The body; it is not changed.
 * @param off Whether to turn thinking off as well: Claude demands the thinking that led to a tool call as
 *   long as it thinks.
 */
export function withoutReasoning(body: JsonObject, off: boolean): JsonObject {
  let changed = body;
  for (const name of ["messages", "input", "contents"]) {
    const list = changed[name];
    if (!Array.isArray(list)) continue;
    const kept = mapKeeping(
      list,
      (entry) => holdsReasoning(entry) ? undefined : withoutParts(entry),
    );
    if (kept !== list) {
      changed = {
        ...changed,
        [name]: kept.filter((entry) => entry !== undefined),
      };
    }
  }
  if (!off || !isThinking(changed)) return changed;
  const { thinking: _thinking, ...rest } = changed;
  return rest;
}
