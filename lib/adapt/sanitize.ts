/**
 * What a request loses or changes on its way to the gateway, before anything was refused: a table, the
 * function that applies it, and the documentation that is made of it. Pure: the client's body is never
 * changed, because another attempt may need it.
 *
 * @module
 */

import type { DialectName, EncodedRequest, Target } from "../dialects/dialect.ts";
import { isObject, type JsonObject } from "../json.ts";
import {
  ADAPTIVE_CLAUDE,
  bareName,
  BUDGETED_CLAUDE,
  type Family,
  familyOf,
  type ModelGroup,
  OUTPUT_CAPS,
  outputCap,
  UNFORMATTED_CLAUDE,
} from "../models/families.ts";
import { instructFormat } from "./instruct.ts";
import { changeField, withoutField } from "./paths.ts";
import { adaptThinking, fitBudget, isThinking } from "./thinking.ts";
import { changeRoles } from "./turns.ts";

export type { Target } from "../dialects/dialect.ts";
export { formatInstruction, instructFormat } from "./instruct.ts";
export { withoutField } from "./paths.ts";

/** One row of the table. */
export interface SanitizeRule {
  /** The field; `tools[].function.strict` and `messages[].x` reach into every element. */
  readonly field: string;
  /** Dialects of the surface that it applies to. @default {["chat"]} */
  readonly dialects?: readonly DialectName[];
  /** Surfaces (first path segment) it applies to; all where missing. */
  readonly surfaces?: readonly string[];
  /** Model families it applies to; all where missing. */
  readonly families?: readonly Family[];
  /** Models of a family that it applies to; all where missing. */
  readonly models?: ModelGroup;
  /** Only for streams, or only for plain requests. */
  readonly stream?: boolean;
  /** The field takes this name instead of being dropped, unless that one is there already. */
  readonly becomes?: string;
  /** What becomes of the field, where it is neither dropped nor renamed. */
  readonly change?: {
    /** In words, for the log and the documentation. */
    readonly does: string;
    /** The changed body; the same one where there is nothing to change. */
    readonly apply: (body: JsonObject) => JsonObject;
  };
  /** Why, in one line; the documentation is made of these. */
  readonly why: string;
}

/** The dialects in which Claude is asked. */
const CLAUDES: readonly DialectName[] = ["chat", "messages"];

/** The least `max_output_tokens` that the Responses API takes (`gateway.md`). */
const LEAST_OUTPUT = 16;

/** The least `top_p` that Claude takes while it thinks. */
const LEAST_TOP_P = 0.95;

/** A body without a field that its thinking doesn't go with. */
function withoutBesideThinking(body: JsonObject, field: string): JsonObject {
  return isThinking(body) ? withoutField(body, field) : body;
}

/** Everything that is changed. Facts: `gateway.md`, "What requests are refused for" and "Added in November 2026"; `forgecode.md`. */
export const SANITIZE_RULES: readonly SanitizeRule[] = [
  { field: "parallel_tool_calls", why: "refused with 400 on every chat surface" },
  { field: "stream_options", why: "refused with 400; the gateway sends usage without being asked" },
  {
    field: "response_format",
    stream: true,
    change: { does: "becomes an instruction", apply: instructFormat },
    why: "refused together with stream",
  },
  {
    field: "response_format",
    models: UNFORMATTED_CLAUDE,
    change: { does: "becomes an instruction", apply: instructFormat },
    why: "these models refuse it on chat surfaces",
  },
  {
    field: "response_format.json_schema",
    change: { does: "gets a `name`", apply: nameSchema },
    why: "GPT models refuse a schema without one",
  },
  { field: "store", dialects: ["chat", "responses"], why: "refused with 400; nothing is stored" },
  { field: "metadata", dialects: ["chat", "responses"], why: "refused with 400" },
  { field: "service_tier", dialects: ["responses"], why: "refused with 400" },
  { field: "stream_options", dialects: ["responses"], why: "refused with 400" },
  {
    field: "background",
    dialects: ["responses"],
    change: {
      does: "goes where it is `false`",
      apply: (body) => body.background === false ? withoutField(body, "background") : body,
    },
    why: "refused with 400; where it is `true` the refusal is the answer",
  },
  { field: "context_management", dialects: ["chat", "responses"], why: "refused with 400" },
  {
    field: "max_output_tokens",
    dialects: ["responses"],
    change: {
      does: `is at least ${LEAST_OUTPUT}`,
      apply: (body) =>
        changeField(
          body,
          "max_output_tokens",
          (most) => typeof most === "number" ? Math.max(LEAST_OUTPUT, most) : most,
        ),
    },
    why: "less is refused",
  },
  { field: "logprobs", why: "refused with 400" },
  { field: "top_logprobs", why: "refused with 400" },
  { field: "tools[].function.strict", why: "refused with 400" },
  {
    field: "max_completion_tokens",
    surfaces: ["mlflow"],
    becomes: "max_tokens",
    why: "the mlflow surface knows only max_tokens",
  },
  {
    field: "messages[].role",
    surfaces: ["mlflow"],
    change: {
      does: "`developer` becomes `system`",
      apply: (body) => changeRoles(body, "developer", "system"),
    },
    why: "Databricks' own models know no developer",
  },
  {
    field: "prompt_cache_key",
    families: ["claude", "gemini"],
    why: "refused: Extra inputs are not permitted",
  },
  {
    field: "reasoning_effort",
    surfaces: ["mlflow"],
    families: ["claude"],
    why: "Claude has `thinking` instead and refuses it",
  },
  { field: "temperature", dialects: CLAUDES, models: ADAPTIVE_CLAUDE, why: "refused by the model" },
  { field: "top_p", dialects: CLAUDES, models: ADAPTIVE_CLAUDE, why: "refused by the model" },
  { field: "top_k", dialects: CLAUDES, models: ADAPTIVE_CLAUDE, why: "refused by the model" },
  {
    field: "thinking",
    dialects: CLAUDES,
    models: ADAPTIVE_CLAUDE,
    change: {
      does: "`enabled` becomes `adaptive`, its budget an `output_config.effort`",
      apply: adaptThinking,
    },
    why: "the model refuses a budget",
  },
  {
    field: "thinking.budget_tokens",
    dialects: CLAUDES,
    models: BUDGETED_CLAUDE,
    change: { does: "is kept below `max_tokens`, and at least 1,024", apply: fitBudget },
    why: "more is refused",
  },
  {
    field: "temperature",
    dialects: CLAUDES,
    models: BUDGETED_CLAUDE,
    change: {
      does: "is 1 beside `thinking`",
      apply: (body) =>
        isThinking(body)
          ? changeField(body, "temperature", (old) => typeof old === "number" ? 1 : old)
          : body,
    },
    why: "another one is refused while the model thinks",
  },
  {
    field: "top_k",
    dialects: CLAUDES,
    models: BUDGETED_CLAUDE,
    change: {
      does: "goes beside `thinking`",
      apply: (body) => withoutBesideThinking(body, "top_k"),
    },
    why: "refused while the model thinks",
  },
  {
    field: "top_p",
    dialects: CLAUDES,
    models: BUDGETED_CLAUDE,
    change: {
      does: "goes beside `temperature`, and where it is below 0.95 beside `thinking`",
      apply: (body) =>
        typeof body.temperature === "number"
          ? withoutField(body, "top_p")
          : typeof body.top_p === "number" && body.top_p < LEAST_TOP_P
          ? withoutBesideThinking(body, "top_p")
          : body,
    },
    why: "refused together",
  },
  {
    field: "stop",
    families: ["gpt-oss"],
    why: "refused with this model; the bridge ends the text",
  },
  {
    field: "tools[].eager_input_streaming",
    dialects: ["messages"],
    why: "refused: Extra inputs are not permitted",
  },
  { field: "system[].cache_control.scope", dialects: ["messages"], why: "refused: Extra inputs" },
  {
    field: "messages[].content[].cache_control.scope",
    dialects: ["messages"],
    why: "refused: Extra inputs",
  },
  { field: "tools[].cache_control.scope", dialects: ["messages"], why: "refused: Extra inputs" },
  {
    field: "reasoning",
    why: "OpenRouter's, sent by clients such as ForgeCode; no chat surface knows it",
  },
  { field: "session_id", why: "the client's own" },
  {
    field: "client_metadata",
    dialects: ["chat", "responses", "messages"],
    why: "the client's own; Claude refuses it",
  },
  { field: "transforms", why: "OpenRouter's" },
  { field: "provider", why: "OpenRouter's" },
  { field: "route", why: "OpenRouter's" },
  { field: "messages[].reasoning_details", why: "the client's record of the reasoning" },
  { field: "messages[].reasoning_text", why: "the client's record of the reasoning" },
  { field: "messages[].reasoning_opaque", why: "the client's record of the reasoning" },
  { field: "messages[].reasoning", why: "the client's record of the reasoning" },
  {
    field: "messages[].reasoning_content",
    families: ["claude", "gemini", "llama"],
    why: "the client's record of the reasoning; refused by strict decoders",
  },
  { field: "messages[].extra_content", why: "Google's, as clients keep it" },
  { field: "messages[].tool_calls[].extra_content", why: "Google's, as clients keep it" },
];

/** What decides which rows apply to a request. */
interface Place {
  readonly dialect: DialectName;
  /** The first segment of the surface's path: `mlflow`, `cursor`, `openai`, … */
  readonly surface: string;
  readonly family: Family;
  /** The model's bare name. */
  readonly model: string;
  readonly stream: boolean;
}

function placeFor(dialect: DialectName, { path, model, stream }: Target): Place {
  const surface = path.split("/")[1] ?? "";
  return { dialect, surface, family: familyOf(model), model: bareName(model), stream };
}

const CHAT: readonly DialectName[] = ["chat"];

function applies(rule: SanitizeRule, place: Place): boolean {
  return (rule.dialects ?? CHAT).includes(place.dialect) &&
    (rule.surfaces === undefined || rule.surfaces.includes(place.surface)) &&
    (rule.families === undefined || rule.families.includes(place.family)) &&
    (rule.models === undefined || rule.models.name.test(place.model)) &&
    (rule.stream === undefined || rule.stream === place.stream);
}

/** Applies one row; the same body where it changes nothing. */
function applyRule(rule: SanitizeRule, body: JsonObject): JsonObject {
  if (rule.change) return rule.change.apply(body);
  const rest = withoutField(body, rule.field);
  return rest !== body && rule.becomes && !Object.hasOwn(body, rule.becomes)
    ? { ...rest, [rule.becomes]: body[rule.field] }
    : rest;
}

function described({ field, becomes, change }: SanitizeRule): string {
  return becomes ? `${field} → ${becomes}` : change ? `${field} ${change.does}` : field;
}

/**
 * Makes a request acceptable to a surface: applies {@linkcode SANITIZE_RULES} and keeps the maximum of
 * output tokens under the model's known cap. Everything else, unknown fields too, passes untouched.
 *
 * @param body The request in the surface's dialect; it is not changed.
 * @param target Where it goes.
 * @param dialect The surface's dialect.
 * @returns The body, which shares what was not touched, and what was changed, once each, for the log.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { sanitize } from "./sanitize.ts";
 *
 * const { body, dropped } = sanitize(
 *   { model: "m", messages: [], parallel_tool_calls: true, top_k: 3 },
 *   { path: "/mlflow/v1/chat/completions", model: "m", stream: true },
 * );
 * assertEquals(body, { model: "m", messages: [], top_k: 3 });
 * assertEquals(dropped, ["parallel_tool_calls"]);
 * ```
 */
export function sanitize(
  body: JsonObject,
  target: Target,
  dialect: DialectName = "chat",
): EncodedRequest {
  const dropped: string[] = [];
  const place = placeFor(dialect, target);
  let clean = body;
  for (const rule of SANITIZE_RULES) {
    if (!applies(rule, place)) continue;
    const next = applyRule(rule, clean);
    if (next === clean) continue;
    clean = next;
    dropped.push(described(rule));
  }
  const cap = outputCap(target.model);
  for (const field of ["max_tokens", "max_completion_tokens", "max_output_tokens"]) {
    const asked = clean[field];
    if (cap !== undefined && typeof asked === "number" && asked > cap) {
      clean = { ...clean, [field]: cap };
      dropped.push(`${field} ${asked} → ${cap}`);
    }
  }
  return { body: clean, dropped };
}

/** Clients of other providers send no name with a `json_schema`. */
function nameSchema(body: JsonObject): JsonObject {
  const format = body.response_format;
  if (!isObject(format) || !isObject(format.json_schema) || format.json_schema.name) return body;
  return {
    ...body,
    response_format: { ...format, json_schema: { name: "response", ...format.json_schema } },
  };
}

/** Dialect → what its surfaces are called in the documentation. */
const DIALECT_NAMES: Readonly<Record<DialectName, string>> = {
  chat: "chat",
  responses: "Responses",
  messages: "Messages",
  gemini: "Gemini",
};

/** Where a row applies, in words. */
function placeOf({ dialects, surfaces, families, models, stream }: SanitizeRule): string {
  const names = (dialects ?? ["chat"]).map((dialect) => DIALECT_NAMES[dialect]);
  return [
    surfaces ? surfaces.join(", ") : names.join(", "),
    models?.label ?? families?.join(", "),
    stream === undefined ? undefined : stream ? "streams" : "without stream",
  ].filter((word) => word !== undefined).join("; ");
}

/**
 * The table as Markdown, for `docs/adjustments.md`: what is changed of every request before anything was
 * refused.
 */
export function sanitizeTable(): string {
  const rows = SANITIZE_RULES.map((rule) => [
    `\`${rule.field}\``,
    rule.becomes ? `becomes \`${rule.becomes}\`` : rule.change?.does ?? "goes",
    placeOf(rule),
    rule.why,
  ]);
  const caps = OUTPUT_CAPS.map(({ name, tokens }) => [
    "`max_tokens`",
    `is at most ${tokens.toLocaleString("en-US")}`,
    name.source.replace(/[\^()?:]/g, "").replaceAll("|", ", "),
    "more is refused",
  ]);
  return [
    ["field", "what becomes of it", "where", "why"],
    ["---", "---", "---", "---"],
    ...rows,
    ...caps,
  ]
    .map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}
