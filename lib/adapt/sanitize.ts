/**
 * What a chat request loses on its way to the gateway, and why: a table, and the function that applies it.
 * Pure: the client's body is never changed, because another attempt may need it.
 *
 * @module
 */

import { type Family, familyOf, outputCap } from "../models/families.ts";
import { isObject, type JsonObject } from "../json.ts";

/** What a request is made ready for. */
export interface Target {
  /** The surface's path after the base; its first segment tells which surface it is. */
  readonly path: string;
  /** The model, by any of its names. */
  readonly model: string;
  /** Whether the client asked for a stream. */
  readonly stream: boolean;
}

/** One row of the table. */
export interface SanitizeRule {
  /** The field; `tools[].function.strict` and `messages[].x` reach into every element. */
  readonly field: string;
  /** Surfaces (first path segment) it applies to; all where missing. */
  readonly surfaces?: readonly string[];
  /** Model families it applies to; all where missing. */
  readonly families?: readonly Family[];
  /** Only for streams, or only for plain requests. */
  readonly stream?: boolean;
  /** The field takes this name instead of being dropped, unless that one is there already. */
  readonly becomes?: string;
  /** Why, in one line; the README's table is made of these. */
  readonly why: string;
}

/** Everything that is taken out of a chat request. Facts: `gateway.md`, "What requests are refused for"; `forgecode.md`. */
export const SANITIZE_RULES: readonly SanitizeRule[] = [
  { field: "parallel_tool_calls", why: "refused with 400 on every chat surface" },
  { field: "stream_options", why: "refused with 400; the gateway sends usage without being asked" },
  {
    field: "response_format",
    stream: true,
    why: "refused together with stream; the schema goes into the messages as an instruction",
  },
  { field: "store", why: "refused with 400" },
  { field: "metadata", why: "refused with 400" },
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
  { field: "stop", families: ["gpt-oss"], why: "refused: not supported with this model" },
  {
    field: "reasoning",
    why: "OpenRouter's, sent by clients such as ForgeCode; no chat surface knows it",
  },
  { field: "session_id", why: "the client's own" },
  { field: "transforms", why: "OpenRouter's" },
  { field: "provider", why: "OpenRouter's" },
  { field: "route", why: "OpenRouter's" },
  { field: "messages[].reasoning_details", why: "the client's record of the reasoning" },
  { field: "messages[].reasoning_text", why: "the client's record of the reasoning" },
  { field: "messages[].reasoning_opaque", why: "the client's record of the reasoning" },
  { field: "messages[].extra_content", why: "Google's, as clients keep it" },
  { field: "messages[].tool_calls[].extra_content", why: "Google's, as clients keep it" },
];

/** What {@linkcode sanitize} gives. */
export interface Sanitized {
  /** The body to send; shares what was not touched with the client's. */
  readonly body: JsonObject;
  /** The fields that were taken out or renamed, once each, for the log. */
  readonly dropped: readonly string[];
}

/**
 * Removes a field by its path, without changing what it was given.
 *
 * @param value An object, or what a longer path leads through.
 * @param path Segments; `[]` after a name goes through every element: `tools[].function.strict`.
 * @returns The same value where the field isn't there, else a copy of just what had to change.
 *
 * @example
 * ```ts
 * import { withoutField } from "./sanitize.ts";
 *
 * const body = { tools: [{ function: { name: "f", strict: true } }] };
 * const clean = withoutField(body, "tools[].function.strict");
 * if (JSON.stringify(clean) !== '{"tools":[{"function":{"name":"f"}}]}') throw new Error("gone");
 * if (!body.tools[0].function.strict) throw new Error("the original stays");
 * ```
 */
export function withoutField<T>(value: T, path: string): T {
  return without(value, stepsOf(path), 0);
}

/** One segment of a path. */
interface Step {
  readonly name: string;
  /** Whether the path goes on through every element. */
  readonly each: boolean;
}

/** Path → segments; the table's, and so few. */
const steps = new Map<string, readonly Step[]>();

function stepsOf(path: string): readonly Step[] {
  let known = steps.get(path);
  if (known === undefined) {
    known = path.split(".").map((word) => ({
      name: word.replace(/\[\]$/, ""),
      each: word.endsWith("[]"),
    }));
    steps.set(path, known);
  }
  return known;
}

function without<T>(value: T, path: readonly Step[], at: number): T {
  const { name, each } = path[at];
  if (!isObject(value) || !Object.hasOwn(value, name)) return value;
  if (at === path.length - 1) {
    const { [name]: _gone, ...kept } = value;
    return kept as T;
  }
  const child = value[name];
  const cleaned = each && Array.isArray(child)
    ? mapKeeping(child, (element) => without(element, path, at + 1))
    : without(child, path, at + 1);
  return cleaned === child ? value : { ...value, [name]: cleaned };
}

/** Like `map`, but gives the same array back when nothing changed. */
function mapKeeping<T>(list: T[], change: (element: T) => T): T[] {
  let mapped: T[] | undefined;
  for (let at = 0; at < list.length; at++) {
    const next = change(list[at]);
    if (next !== list[at]) (mapped ??= [...list])[at] = next;
  }
  return mapped ?? list;
}

/** The first segment of a surface's path: `mlflow`, `cursor`, `openai`, … */
function surfaceKind(path: string): string {
  return path.split("/")[1] ?? "";
}

/** The rules for a kind of surface, a family, and streams or plain requests: looked through once for each. */
function rulesFor(kind: string, family: Family, stream: boolean): readonly SanitizeRule[] {
  const key = `${kind} ${family} ${stream}`;
  let rules = chosen.get(key);
  if (rules === undefined) {
    rules = SANITIZE_RULES.filter((rule) => applies(rule, kind, family, stream));
    chosen.set(key, rules);
  }
  return rules;
}

/** As many as there are surfaces in models.json, times families, times two. */
const chosen = new Map<string, readonly SanitizeRule[]>();

function applies(rule: SanitizeRule, kind: string, family: Family, stream: boolean): boolean {
  return (rule.surfaces === undefined || rule.surfaces.includes(kind)) &&
    (rule.families === undefined || rule.families.includes(family)) &&
    (rule.stream === undefined || rule.stream === stream);
}

/**
 * Makes a chat request acceptable to a chat surface: applies {@linkcode SANITIZE_RULES}, keeps
 * `max_tokens` under the model's known cap, and turns a `response_format` that had to go into an
 * instruction. Everything else, unknown fields too, passes untouched.
 *
 * @param body The client's body; it is not changed.
 * @param target Where it goes.
 *
 * @example
 * ```ts
 * import { sanitize } from "./sanitize.ts";
 *
 * const { body, dropped } = sanitize(
 *   { model: "m", messages: [], parallel_tool_calls: true, top_k: 3 },
 *   { path: "/mlflow/v1/chat/completions", model: "m", stream: true },
 * );
 * if ("parallel_tool_calls" in body || body.top_k !== 3) throw new Error("only what is refused");
 * if (dropped[0] !== "parallel_tool_calls") throw new Error("named");
 * ```
 */
export function sanitize(body: JsonObject, target: Target): Sanitized {
  const family = familyOf(target.model);
  const kind = surfaceKind(target.path);
  const dropped: string[] = [];
  let clean = body;
  for (const rule of rulesFor(kind, family, target.stream)) {
    const rest = withoutField(clean, rule.field);
    if (rest === clean) continue;
    const value = clean[rule.field];
    clean = rule.becomes && !Object.hasOwn(clean, rule.becomes)
      ? { ...rest, [rule.becomes]: value }
      : rest;
    dropped.push(rule.becomes ? `${rule.field} → ${rule.becomes}` : rule.field);
  }
  if (body.response_format !== undefined && clean.response_format === undefined) {
    clean = instructFormat(clean, body.response_format);
  } else {
    clean = nameSchema(clean);
  }
  const cap = outputCap(target.model);
  for (const field of ["max_tokens", "max_completion_tokens"]) {
    const asked = clean[field];
    if (cap !== undefined && typeof asked === "number" && asked > cap) {
      clean = { ...clean, [field]: cap };
      dropped.push(`${field} ${asked} → ${cap}`);
    }
  }
  return { body: clean, dropped };
}

/** GPT models refuse a `json_schema` without a name; clients of other providers don't send one. */
function nameSchema(body: JsonObject): JsonObject {
  const format = body.response_format;
  if (!isObject(format) || !isObject(format.json_schema) || format.json_schema.name) return body;
  return {
    ...body,
    response_format: { ...format, json_schema: { name: "response", ...format.json_schema } },
  };
}

/**
 * The instruction that stands in for a `response_format` which can't be sent, or undefined where the
 * format asks for nothing (`text`).
 *
 * @example
 * ```ts
 * import { formatInstruction } from "./sanitize.ts";
 *
 * const text = formatInstruction({ type: "json_schema", json_schema: { schema: { type: "object" } } });
 * if (!text?.includes('{"type":"object"}')) throw new Error("the schema is in it");
 * ```
 */
export function formatInstruction(format: unknown): string | undefined {
  if (!isObject(format)) return undefined;
  if (format.type === "json_object") {
    return "Answer with one JSON object and nothing else: no text before or after it, no Markdown, no code fence.";
  }
  if (format.type !== "json_schema") return undefined;
  const schema = isObject(format.json_schema) ? format.json_schema.schema : format.schema;
  return "Answer with one JSON value and nothing else: no text before or after it, no Markdown, no code fence." +
    (schema === undefined
      ? ""
      : ` It must be valid against this JSON Schema:\n${JSON.stringify(schema)}`);
}

/**
 * Puts the wish of a `response_format` into the messages, as a system message behind the leading ones:
 * there it is close to the other rules, and no user's turn is changed.
 *
 * @example
 * ```ts
 * import { instructFormat } from "./sanitize.ts";
 *
 * const body = instructFormat({ messages: [{ role: "user", content: "hi" }] }, { type: "json_object" });
 * if ((body.messages as { role: string }[])[0].role !== "system") throw new Error("system");
 * ```
 */
export function instructFormat(body: JsonObject, format: unknown): JsonObject {
  const content = formatInstruction(format);
  if (content === undefined || !Array.isArray(body.messages)) return body;
  const messages = body.messages as unknown[];
  const first = messages.findIndex((message) =>
    !isObject(message) || (message.role !== "system" && message.role !== "developer")
  );
  const at = first === -1 ? messages.length : first;
  return {
    ...body,
    messages: [...messages.slice(0, at), { role: "system", content }, ...messages.slice(at)],
  };
}
