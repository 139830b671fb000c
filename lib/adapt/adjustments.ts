/**
 * What can be inferred from a refusal, what an adjustment changes of a body, and its words for people.
 *
 * @module
 */

import type { DialectName } from "../dialects/dialect.ts";
import { isObject, type JsonObject } from "../json.ts";
import { oneCallATurn } from "./history.ts";
import { instructFormat } from "./instruct.ts";
import { changeField, withoutField } from "./paths.ts";
import { withFewerKeys, withoutKeyword, withSchemas, withTypes } from "./schema.ts";
import { changeRoles, goOn, trimLast } from "./turns.ts";
import {
  adaptThinking,
  budgetThinking,
  fitBudget,
  roomForBudget,
  withoutReasoning,
} from "./thinking.ts";

/** What one adjustment is about. */
export type AdjustmentKind =
  /** A field, by its path, is not sent. */
  | { readonly type: "drop"; readonly path: string }
  /** A top-level field has another name; a dot in the name leads into an object. */
  | { readonly type: "rename"; readonly path: string; readonly to: string }
  /** A header is not sent. */
  | { readonly type: "header"; readonly name: string }
  /** The surface speaks another dialect. */
  | { readonly type: "dialect"; readonly dialect: DialectName }
  /** Another surface serves the model. */
  | { readonly type: "surface"; readonly surface: string }
  /** The workspace knows the model by another name. */
  | { readonly type: "name"; readonly name: string }
  /** Two calls in one assistant turn are refused. */
  | { readonly type: "one-call" }
  /** A keyword that tools' schemas must not have. */
  | { readonly type: "keyword"; readonly keyword: string }
  /** Every schema of a tool says its `type`. */
  | { readonly type: "types" }
  /** At most so many tools. */
  | { readonly type: "tools"; readonly most: number }
  /** At most so many properties in a schema. */
  | { readonly type: "keys"; readonly most: number }
  /** At most so many output tokens. */
  | { readonly type: "cap"; readonly tokens: number }
  /** At least so many output tokens. */
  | { readonly type: "floor"; readonly tokens: number }
  /** `response_format` is refused: it becomes an instruction. */
  | { readonly type: "instruct" }
  /** Thinking in the form of newer Claude models: adaptive, with an effort. */
  | { readonly type: "adaptive" }
  /** Thinking in the form of older Claude models: enabled, with a budget. */
  | { readonly type: "budgeted" }
  /** The thinking budget fits under the maximum of output tokens. */
  | { readonly type: "budget" }
  /** The reasoning of earlier turns is not sent; `off`: and there is no thinking in this one. */
  | { readonly type: "reasoning"; readonly off: boolean }
  /** A role has another name. */
  | { readonly type: "role"; readonly from: string; readonly to: string }
  /** The last message must be the user's: one that asks to go on follows. */
  | { readonly type: "continue" }
  /** The last assistant message must not end with white space. */
  | { readonly type: "trim" };

/** One thing inferred from a refusal. */
export type Adjustment = AdjustmentKind & {
  /** Whether it holds for the refused request only: an error about a value says nothing about the model. */
  readonly once?: boolean;
};

/** Fields for the most output tokens, in any dialect. */
export const TOKEN_FIELDS = ["max_tokens", "max_completion_tokens", "max_output_tokens"];

/** The most output tokens that a body asks for, where it does. */
export function maxTokensOf(body: JsonObject): number | undefined {
  for (const field of TOKEN_FIELDS) {
    const most = body[field];
    if (typeof most === "number") return most;
  }
  const config = body.generationConfig;
  return isObject(config) && typeof config.maxOutputTokens === "number"
    ? config.maxOutputTokens
    : undefined;
}

function withTokens(body: JsonObject, change: (tokens: number) => number): JsonObject {
  let changed = body;
  for (const field of [...TOKEN_FIELDS, "generationConfig.maxOutputTokens"]) {
    changed = changeField(changed, field, (old) => typeof old === "number" ? change(old) : old);
  }
  return changed;
}

function rename(body: JsonObject, path: string, to: string): JsonObject {
  if (!Object.hasOwn(body, path)) return body;
  const { [path]: value, ...rest } = body;
  const [parent, child] = to.split(".");
  if (child === undefined) return { [to]: value, ...rest };
  return { ...rest, [parent]: { [child]: value, ...isObject(rest[parent]) ? rest[parent] : {} } };
}

/**
 * A body with one adjustment applied to it; the very same body where it changes nothing.
 *
 * @param body A body in any dialect; it is not changed.
 * @param adjustment What was inferred.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { applyAdjustment } from "./adjustments.ts";
 *
 * const body = applyAdjustment({ model: "m", seed: 1 }, { type: "drop", path: "seed" });
 * assertEquals(body, { model: "m" });
 * ```
 */
export function applyAdjustment(body: JsonObject, adjustment: Adjustment): JsonObject {
  switch (adjustment.type) {
    case "drop":
      return withoutField(body, adjustment.path);
    case "rename":
      return rename(body, adjustment.path, adjustment.to);
    case "one-call": {
      if (!Array.isArray(body.messages)) return body;
      const messages = oneCallATurn(body.messages.filter(isObject));
      return messages.length === body.messages.length ? body : { ...body, messages };
    }
    case "keyword":
      return withSchemas(body, (schema) => withoutKeyword(schema, adjustment.keyword));
    case "types":
      return withSchemas(body, (schema) => withTypes(schema, true));
    case "keys":
      return withSchemas(body, (schema) => withFewerKeys(schema, adjustment.most));
    case "tools":
      return Array.isArray(body.tools) && body.tools.length > adjustment.most
        ? { ...body, tools: body.tools.slice(0, adjustment.most) }
        : body;
    case "cap": {
      const capped = withTokens(body, (tokens) => Math.min(tokens, adjustment.tokens));
      return capped === body ? body : fitBudget(capped);
    }
    case "floor":
      return withTokens(body, (tokens) => Math.max(tokens, adjustment.tokens));
    case "instruct":
      return instructFormat(body);
    case "adaptive":
      return adaptThinking(body);
    case "budgeted":
      return budgetThinking(body);
    case "budget":
      return roomForBudget(body);
    case "reasoning":
      return withoutReasoning(body, adjustment.off);
    case "role":
      return changeRoles(body, adjustment.from, adjustment.to);
    case "continue":
      return goOn(body);
    case "trim":
      return trimLast(body);
    default:
      return body;
  }
}

/** Adjustment → its words, behind "for this request:" where it is for one request. */
function words(adjustment: Adjustment): string {
  switch (adjustment.type) {
    case "drop":
      return `send no ${adjustment.path}`;
    case "header":
      return `send no ${adjustment.name} header`;
    case "rename":
      return `send ${adjustment.path} as ${adjustment.to}`;
    case "dialect":
      return adjustment.dialect === "responses"
        ? "speak the Responses API"
        : adjustment.dialect === "chat"
        ? "speak chat completions"
        : `speak the ${adjustment.dialect} dialect`;
    case "surface":
      return `use the surface ${adjustment.surface}`;
    case "name":
      return `call it ${adjustment.name}`;
    case "one-call":
      return "one tool call a turn";
    case "keyword":
      return `send no "${adjustment.keyword}" in schemas`;
    case "types":
      return "give every schema a type";
    case "tools":
      return `send ${adjustment.most} tools at most`;
    case "keys":
      return `send ${adjustment.most} properties a schema at most`;
    case "cap":
      return `ask for ${adjustment.tokens} tokens at most`;
    case "floor":
      return `ask for ${adjustment.tokens} tokens at least`;
    case "instruct":
      return "ask for JSON in words instead of response_format";
    case "adaptive":
      return "ask for adaptive thinking";
    case "budgeted":
      return "ask for thinking with a budget";
    case "budget":
      return "keep the thinking budget below max_tokens";
    case "reasoning":
      return adjustment.off
        ? "send no earlier reasoning, and turn thinking off"
        : "send no earlier reasoning";
    case "role":
      return `send the role ${adjustment.from} as ${adjustment.to}`;
    case "continue":
      return "let a user's message follow an unfinished answer";
    case "trim":
      return "cut white space off the last message";
  }
}

/**
 * An adjustment in words, for the log and the doctor.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { describeAdjustment } from "./adjustments.ts";
 *
 * assertEquals(describeAdjustment({ type: "drop", path: "seed" }), "send no seed");
 * ```
 */
export function describeAdjustment(adjustment: Adjustment): string {
  return `${words(adjustment)}${adjustment.once ? " (this request only)" : ""}`;
}
