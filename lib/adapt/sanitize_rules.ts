/**
 * What a request loses or changes on its way to the gateway, before anything was refused: the table that
 * `sanitize.ts` applies.
 *
 * @module
 */

import type { DialectName } from "../dialects/dialect.ts";
import { isObject, type JsonObject } from "../json.ts";
import {
  ADAPTIVE_CLAUDE,
  BUDGETED_CLAUDE,
  type Family,
  type ModelGroup,
  UNFORMATTED_CLAUDE,
} from "../models/families.ts";
import { instructFormat } from "./instruct.ts";
import { changeField, withoutField } from "./paths.ts";
import { adaptThinking, fitBudget, isThinking } from "./thinking.ts";
import { changeRoles } from "./turns.ts";

/** One row of the table. */
export interface SanitizeRule {
  /**
   * The field; `tools[].function.strict` and `messages[].x` reach into every element. A row applies only to
   * bodies that have it, or its first name.
   */
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

/** Clients of other providers send no name with a `json_schema`. */
function nameSchema(body: JsonObject): JsonObject {
  const format = body.response_format;
  if (!isObject(format) || !isObject(format.json_schema) || format.json_schema.name) return body;
  return {
    ...body,
    response_format: { ...format, json_schema: { name: "response", ...format.json_schema } },
  };
}
