/**
 * What a refusal says about the body that was refused: the rows of the table first, then whatever it
 * names. Pure; what is remembered of it is the negotiator's business.
 *
 * @module
 */

import type { DialectName } from "../dialects/dialect.ts";
import { isObject, type JsonObject } from "../json.ts";
import { type Adjustment, applyAdjustment, TOKEN_FIELDS } from "./adjustments.ts";
import { fieldNames, namesOf, resolvePath } from "./paths.ts";
import { type Inferred, REFUSALS, RENAMED, type Sent } from "./refusals.ts";
import { withoutKeyword, withSchemas } from "./schema.ts";
import { isVital } from "./vital.ts";
import { readRefusal } from "./wording.ts";

/** A refusal of the gateway's, unwrapped. */
export interface GatewayRefusal {
  /** The HTTP status. */
  readonly status: number;
  /** The innermost words. */
  readonly message: string;
  /** The innermost code, where there is one. */
  readonly code?: string | number | null;
  /** The field that the error names in a field of its own. */
  readonly param?: string | null;
}

/** Statuses with which a request is refused before anything was generated. */
const REFUSAL_STATUSES: ReadonlySet<number> = new Set([400, 404, 422, 500, 501]);

/** Where the bridge's own advice begins in a message. */
const ADVICE = " [fd-bridge: ";

/** How much of a refusal's words is read, in characters. */
const MAX_WORDS = 8000;

/** Fields that ask for a format, which an instruction can ask for instead. */
const FORMATS = new Set([
  "response_format",
  "output_format",
  "text.format",
  "output_config.format",
]);

/** Fields that are left out where their value is refused. A wrong value of any other is an error for the client. */
const OPTIONAL = new Set([
  "temperature",
  "top_p",
  "top_k",
  "min_p",
  "top_a",
  "presence_penalty",
  "frequency_penalty",
  "repetition_penalty",
  "seed",
  "logprobs",
  "top_logprobs",
  "logit_bias",
  "reasoning_effort",
  "reasoning.effort",
  "reasoning.summary",
  "output_config.effort",
  "verbosity",
  "text.verbosity",
  "service_tier",
  "user",
  "metadata",
  "metadata.user_id",
  "prompt_cache_key",
  "prompt_cache_retention",
  "safety_identifier",
  "truncation",
  "include",
  "stream_options",
  "context_management",
  "client_metadata",
]);

/** Names below the top level that are optional wherever they stand. */
const OPTIONAL_BELOW =
  /(?:^|\.)(?:cache_control(?:\.(?:ttl|scope))?|detail|strict|annotations|logprobs|status)$|^(?:input|messages)\[\]\.id$/;

/** Keywords that every schema needs. */
const SCHEMA_CORE = new Set(["type", "properties", "items", "required", "enum", "description"]);

/** Fields under which a schema stands. */
const SCHEMA_FIELDS = ["parameters", "input_schema", "parametersJsonSchema", "schema"];

/** Fields whose values are looked through for one that is refused without its field's name. */
const VALUE_HOLDERS = ["reasoning", "text", "output_config", "thinking"];

/** A field whose value is the refused one, where the refusal names only that. */
function fieldWith(value: string, body: JsonObject): string | undefined {
  for (const [name, field] of Object.entries(body)) {
    if (field === value) return name;
    if (!VALUE_HOLDERS.includes(name) || !isObject(field)) continue;
    const inner = Object.keys(field).find((key) => field[key] === value);
    if (inner) return `${name}.${inner}`;
  }
  return undefined;
}

/** The keyword of a tool's schema that a path means, where it means one. */
function keywordIn(names: readonly string[], body: JsonObject): Adjustment[] {
  const keyword = names[names.length - 1];
  if (keyword === undefined || SCHEMA_CORE.has(keyword) || SCHEMA_FIELDS.includes(keyword)) {
    return [];
  }
  const changed = withSchemas(body, (schema) => withoutKeyword(schema, keyword));
  return changed === body ? [] : [{ type: "keyword", keyword }];
}

/** The conversation's own field → the dialect that has the other one, and the words that name it as a field. */
const OTHER_DIALECT: Readonly<
  Record<string, { field: string; dialect: DialectName; words: RegExp } | undefined>
> = {
  __proto__: null as never,
  messages: {
    field: "input",
    dialect: "responses",
    words:
      /["'`]messages["'`]|(?:parameter|param|field|argument|key|property|name)s?:? messages\b/i,
  },
  input: {
    field: "messages",
    dialect: "chat",
    words: /["'`]input["'`]|(?:parameter|param|field|argument|key|property|name)s?:? input\b/i,
  },
};

/** The adjustment for a name that is said to be unknown or unsupported. */
function refusedField(name: string, { body }: Sent, message: string): Adjustment[] {
  const names = namesOf(name);
  if (names.length === 0) return [];
  if (names.slice(0, -1).some((step) => SCHEMA_FIELDS.includes(step))) {
    return keywordIn(names, body);
  }
  const [top] = names;
  if (names.length === 1 && Object.hasOwn(body, top)) {
    // A surface that doesn't know the conversation's own field speaks the other dialect.
    const other = OTHER_DIALECT[top];
    if (other && body[other.field] === undefined && other.words.test(message)) {
      return [{ type: "dialect", dialect: other.dialect }];
    }
    if (isVital(top)) return [];
  }
  const field = resolvePath(body, names).find(({ path }) => !isVital(path) || FORMATS.has(path));
  if (field === undefined) return keywordIn(names, body);
  const { path } = field;
  if (FORMATS.has(path) || (path === "text" && isObject(body.text) && body.text.format)) {
    return [{ type: "instruct" }];
  }
  if (
    path === "thinking.budget_tokens" && isObject(body.thinking) && body.thinking.type === "enabled"
  ) {
    return [{ type: "adaptive" }];
  }
  // Messages are refused without a maximum.
  if (path === "max_tokens" && (body.system !== undefined || body.max_tokens === undefined)) {
    return [];
  }
  return [{ type: "drop", path }];
}

/** Whether a refusal names the value that was sent: another one may be taken. */
function tellsValue(words: string, adjustment: Adjustment, { body }: Sent): boolean {
  if (adjustment.type !== "drop") return false;
  // Pydantic shows the value of whatever it refuses.
  const message = words.replace(/input_value=.*/g, "");
  return scalarsIn(valueAt(body, adjustment.path)).some((value) =>
    // A short number may count something else.
    typeof value === "number" && String(value).length < 3
      ? false
      : typeof value === "number"
      ? new RegExp(`(?<![\\w.])${RegExp.escape(String(value))}(?![\\w]|\\.\\d)`).test(message)
      : [`'${value}'`, `"${value}"`, `\`${value}\``].some((quoted) => message.includes(quoted))
  );
}

function valueAt(body: JsonObject, path: string): unknown {
  return path.split(".").reduce<unknown>(
    (value, step) => isObject(value) ? value[step] : undefined,
    body,
  );
}

/** Texts and numbers of a value, not far down. */
function scalarsIn(value: unknown, depth = 2): (string | number)[] {
  if (typeof value === "string") return value === "" || value.length > 100 ? [] : [value];
  if (typeof value === "number") return [value];
  if (depth === 0 || typeof value !== "object" || value === null) return [];
  return Object.values(value).slice(0, 8).flatMap((inner) => scalarsIn(inner, depth - 1));
}

/** The adjustment for a name whose value is refused: for this request, and only where it does without. */
function refusedValue(name: string, { body }: Sent): Adjustment[] {
  const names = namesOf(name);
  if (names.length === 0) return [];
  const field = resolvePath(body, names)[0];
  if (field === undefined) return [];
  const { path } = field;
  return OPTIONAL.has(path) || OPTIONAL_BELOW.test(path)
    ? [{ type: "drop", path, once: true }]
    : [];
}

/** Every top-level name of the refusal that goes by another one. */
function renamed(fields: readonly string[], message: string, { body }: Sent): Adjustment[] {
  const to = RENAMED.exec(message)?.[1];
  const path = fields.find((name) => Object.hasOwn(body, name) && !isVital(name));
  if (to === undefined || path === undefined || path === to || Object.hasOwn(body, to)) return [];
  const value = body[path];
  const scalar = typeof value === "number" || typeof value === "string" ||
    typeof value === "boolean";
  // The other name must belong to the same thing: a field's new name, not advice about another one.
  const related = TOKEN_FIELDS.includes(to)
    ? TOKEN_FIELDS.includes(path)
    : to.replace(".", "_").split("_").some((word) => word.length > 3 && path.includes(word));
  return scalar && related && !isVital(to) ? [{ type: "rename", path, to }] : [];
}

/** Whether a word or a path ends in the name of a field that stands anywhere in a body, or in a kind of one. */
function namesFieldOf(body: JsonObject): (word: string) => boolean {
  const names = fieldNames(body);
  return (word) => namesOf(word).slice(-2).some((name) => names.has(name));
}

/** The adjustments for the names in a refusal, read by its grammar. */
function readGenerally(refusal: GatewayRefusal, message: string, sent: Sent): Adjustment[] {
  const { code, param } = refusal;
  const reading = readRefusal(message, {
    code: typeof code === "string" ? code : undefined,
    param: param ?? undefined,
    known: namesFieldOf(sent.body),
  });
  const other = renamed(reading.fields, message, sent);
  if (other.length > 0) return other;
  const fields = reading.fields.flatMap((name) =>
    refusedField(name, sent, message).map((adjustment): Adjustment =>
      reading.conditional.has(name) || tellsValue(message, adjustment, sent)
        ? { ...adjustment, once: true }
        : adjustment
    )
  );
  const values = reading.values.flatMap((name) => refusedValue(name, sent));
  if (fields.length > 0 || values.length > 0) return [...fields, ...values];
  for (const value of reading.quoted) {
    const path = fieldWith(value, sent.body);
    if (path !== undefined && OPTIONAL.has(path)) return [{ type: "drop", path, once: true }];
  }
  return [];
}

function changesBody(adjustment: Inferred, body: JsonObject): boolean {
  switch (adjustment.type) {
    case "elsewhere":
    case "header":
    case "surface":
    case "dialect":
    case "name":
      return true;
    default:
      return applyAdjustment(body, adjustment) !== body;
  }
}

/**
 * What follows from a refusal for the body that was sent: every reading of it, the likeliest first. The
 * first one that leads anywhere is to be used. Each adjustment changes the body, or the way it takes.
 *
 * @param refusal The refusal, unwrapped.
 * @param sent The body that was refused.
 */
export function inferAll(refusal: GatewayRefusal, sent: Sent): Inferred[][] {
  if (!REFUSAL_STATUSES.has(refusal.status)) return [];
  const advice = refusal.message.indexOf(ADVICE);
  const message = refusal.message.slice(0, advice < 0 ? MAX_WORDS : Math.min(advice, MAX_WORDS));
  const words = `${refusal.code ?? ""} ${message}`;
  const readings: (readonly Inferred[])[] = [];
  let last: readonly Inferred[] = [];
  for (const row of REFUSALS) {
    if (row.status !== undefined && row.status !== refusal.status) continue;
    const match = row.words.exec(words);
    if (match === null) continue;
    const inferred = row.infer(match, sent);
    if (row.status === undefined) readings.push(inferred);
    else last = inferred;
  }
  readings.push(readGenerally(refusal, message, sent), last);
  return readings.map((reading) =>
    unique(reading).filter((adjustment) => changesBody(adjustment, sent.body))
  ).filter((reading) => reading.length > 0);
}

function unique(reading: readonly Inferred[]): Inferred[] {
  const seen = new Set<string>();
  return reading.filter((adjustment) => {
    const key = JSON.stringify(adjustment);
    return !seen.has(key) && seen.add(key);
  });
}
