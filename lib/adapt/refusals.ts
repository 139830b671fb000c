/**
 * The table of refusals: the words in which the gateway says what it won't take, as they were seen, and
 * what each of them teaches.
 *
 * @module
 */

import { bareName } from "../models/families.ts";
import { isObject, type JsonObject } from "../json.ts";
import { type Lesson, withSchemas } from "./adjustments.ts";
import { withoutField } from "./sanitize.ts";
import { withoutKeyword } from "./schema.ts";

/** A request as it was sent, for a row of the table to look at. */
export interface Sent {
  /** The body that was refused. */
  readonly body: JsonObject;
  /** The model's name in it. */
  readonly name: string;
}

/** One row: the words of a refusal, and what they teach. */
export interface Refusal {
  /** The statuses it comes with. */
  readonly status: readonly number[];
  /** How it is recognised. */
  readonly words: RegExp;
  /** The words as they were really seen; a test feeds every one of them to the table. */
  readonly seen: string;
  /** What it teaches; undefined where it teaches nothing after all. */
  readonly teaches: (match: RegExpExecArray, sent: Sent) => Lesson | undefined;
}

/** Where a field that a refusal names without its path may stand, in the order of likelihood. */
const PLACES = [
  "",
  "messages[].",
  "messages[].content[].",
  "messages[].tool_calls[].",
  "tools[].function.",
  "tools[].",
  "response_format.json_schema.",
  "response_format.",
  "stream_options.",
  "thinking.",
  "reasoning.",
  "text.",
  "input[].",
  "input[].content[].",
];

/** Without these there is no request: a refusal that names one of them teaches nothing. */
const VITAL = new Set([
  "model",
  "messages",
  "input",
  "stream",
  "tools",
  "messages[].role",
  "messages[].content",
  "messages[].tool_calls",
  "messages[].tool_call_id",
  "messages[].content[].type",
  "messages[].content[].text",
  "messages[].tool_calls[].id",
  "messages[].tool_calls[].function",
  "tools[].type",
  "tools[].name",
  "tools[].function",
  "tools[].function.name",
  "input[].type",
  "input[].role",
  "input[].content",
  "input[].call_id",
  "input[].name",
  "input[].arguments",
  "input[].output",
]);

/** `tools.0.strict` and `tools[0].strict` → `tools[].strict`. */
function generalPath(path: string): string {
  return path.replace(/\[\d*\]/g, "[]").replace(/\.(\d+)(?=\.|$)/g, "[]");
}

/** What a refusal of a field teaches; the path may be the whole one, its end, or one with words in between that aren't in the body. */
function drop(named: string, { body }: Sent): Lesson | undefined {
  const path = generalPath(named);
  const exists = (candidate: string) => withoutField(body, candidate) !== body;
  const found = path.includes(".")
    ? exists(path) ? path : pathWithin(body, path.split("."))
    : PLACES.map((place) => place + path).find(exists) ?? pathWithin(body, [path]);
  if (found !== undefined) return VITAL.has(found) ? undefined : { type: "drop", path: found };
  const keyword = path.slice(path.lastIndexOf(".") + 1).replaceAll("[]", "");
  const stands = withSchemas(body, (schema) => withoutKeyword(schema, keyword));
  const changed = JSON.stringify(stands.tools) !== JSON.stringify(body.tools);
  return changed && keyword !== "properties" && keyword !== "type"
    ? { type: "keyword", keyword }
    : undefined;
}

/** How deep, and through how many values, a field is looked for that stands in no likely place. */
const SEARCH = { depth: 8, values: 20_000 };

/** Fields whose own fields are named by the user: a name in them is no field of the request. */
const FREE = new Set(["parameters", "input_schema", "schema", "arguments", "metadata"]);

/**
 * The shortest path in the body that begins and ends as `segments` do. Claude's decoder puts words
 * into its paths that name a kind, not a field: `tools.0.custom.strict`.
 */
function pathWithin(body: JsonObject, segments: readonly string[]): string | undefined {
  const leaf = segments[segments.length - 1];
  const root = segments.length > 1 ? segments[0].replaceAll("[]", "") : undefined;
  let level: { path: string; value: unknown }[] = [{ path: "", value: body }];
  let left = SEARCH.values;
  for (let depth = 0; depth < SEARCH.depth && level.length > 0; depth++) {
    const next: typeof level = [];
    for (const { path, value } of level) {
      if (--left < 0) return undefined;
      if (!isObject(value)) continue;
      for (const [name, child] of Object.entries(value)) {
        if (path === "" && root !== undefined && name !== root) continue;
        if (name === leaf && !(path === "" && root !== undefined)) return path + name;
        if (FREE.has(name) || typeof child !== "object") continue;
        if (Array.isArray(child)) {
          child.forEach((element) => next.push({ path: `${path}${name}[].`, value: element }));
        } else next.push({ path: `${path}${name}.`, value: child });
      }
    }
    level = next;
  }
  return undefined;
}

/** The path of the top-level field, or field of `reasoning` or `text`, that has a value. */
function fieldWith(value: string, body: JsonObject): string | undefined {
  for (const [name, field] of Object.entries(body)) {
    if (name === "model") continue;
    if (field === value) return name;
    if (!["reasoning", "text", "output_config"].includes(name) || !isObject(field)) continue;
    const inner = Object.keys(field).find((key) => field[key] === value);
    if (inner) return `${name}.${inner}`;
  }
  return undefined;
}

/** The table. The order counts: the first row whose words fit is used, so the special stand before the general. */
export const REFUSALS: readonly Refusal[] = [
  {
    status: [400],
    words: /Function tools with reasoning_effort are not supported|\buse (the )?\/v1\/responses/i,
    seen:
      "Function tools with reasoning_effort are not supported for gpt-6-sol in /v1/chat/completions. To use function tools, use /v1/responses or set reasoning_effort to 'none'.",
    teaches: () => ({ type: "surface", surface: "openai" }),
  },
  {
    status: [400],
    words: /Responses API passthrough is not supported/i,
    seen: "Responses API passthrough is not supported for model databricks-claude-sonnet-4-5.",
    teaches: () => ({ type: "surface", surface: "mlflow" }),
  },
  {
    status: [501, 400, 404],
    words: /is no longer available\. Use Unity Catalog model services/i,
    seen: "'databricks-gpt-5-6-sol' is no longer available. Use Unity Catalog model services (v3).",
    teaches: (_match, { name }) =>
      name.startsWith("system.ai.")
        ? undefined
        : { type: "name", name: `system.ai.${bareName(name)}` },
  },
  {
    status: [400],
    words:
      /(?:Unsupported parameter|Unknown parameter): ['"]messages['"]|unknown field \\?"messages\\?"/i,
    seen: "Unsupported parameter: 'messages'",
    teaches: () => ({ type: "dialect", dialect: "responses" }),
  },
  {
    status: [400],
    words:
      /(?:Unsupported parameter|Unknown parameter): ['"]input['"]|unknown field \\?"input\\?"/i,
    seen: "Unsupported parameter: 'input'",
    teaches: () => ({ type: "dialect", dialect: "chat" }),
  },
  {
    status: [400],
    words: /Multiple tool calls are not supported/i,
    seen: "Multiple tool calls are not supported.",
    teaches: () => ({ type: "one-call" }),
  },
  {
    status: [400],
    words: /Unsupported parameter: ['"]([\w.[\]]+)['"][^]*?\bUse ['"](\w+)['"] instead/i,
    seen:
      "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
    teaches: ([, path, to], { body }) =>
      Object.hasOwn(body, path) ? { type: "rename", path, to } : undefined,
  },
  {
    status: [400],
    words: /Structured output is not currently supported/i,
    seen: "INVALID_PARAMETER_VALUE: Structured output is not currently supported with streaming",
    teaches: (_match, { body }) =>
      body.response_format === undefined ? undefined : { type: "instruct" },
  },
  {
    status: [400],
    words: /must contain the word ['"]json['"]/i,
    seen:
      'Bad request: "messages" must contain the word "json" in some form, to use "response_format" of type "json_object".',
    teaches: (_match, { body }) =>
      body.response_format === undefined ? undefined : { type: "instruct" },
  },
  {
    status: [400],
    words: /the ['"]([$\w]+)['"] keyword is not supported/i,
    seen: 'Invalid JSON schema - the "pattern" keyword is not supported',
    teaches: ([, keyword]) => ({ type: "keyword", keyword }),
  },
  {
    status: [400],
    words: /unknown field \\?"([\w.]+)\\?"/i,
    seen: 'Bad request: json: unknown field "stream_options"',
    teaches: ([, field], sent) => drop(field, sent),
  },
  {
    status: [400],
    words:
      /(?:Unsupported parameter|Unknown parameter|Unrecognized request argument supplied): ?['"]?([\w.[\]]+)/i,
    seen: 'Unsupported parameter: "stop" is not supported with this model.',
    teaches: ([, field], sent) => drop(field, sent),
  },
  {
    status: [400],
    words: /([\w.[\]]+): Extra inputs are not permitted/i,
    seen: "prompt_cache_key: Extra inputs are not permitted",
    teaches: ([, field], sent) => drop(field, sent),
  },
  {
    status: [400],
    words: /Unsupported value: ['"]([\w.]+)['"] does not support/i,
    seen: "Unsupported value: 'temperature' does not support 0.2 with this model.",
    teaches: ([, field], sent) => drop(field, sent),
  },
  {
    status: [400],
    words: /Unsupported value: ['"]([^'"]+)['"] is not supported/i,
    seen:
      "BAD_REQUEST: Unsupported value: 'none' is not supported with the 'gpt-5' model. Supported values are: 'minimal', 'low', 'medium', and 'high'.",
    teaches: ([, value], { body }) => {
      const path = fieldWith(value, body);
      return path === undefined ? undefined : { type: "drop", path };
    },
  },
  {
    status: [400],
    words: /([\w.[\]]+): Input should be/i,
    seen: "output_config.effort: Input should be 'low', 'medium', 'high' or 'max'",
    teaches: ([, field], sent) => drop(field, sent),
  },
  {
    status: [400],
    words:
      /[`'"]?\b(temperature|top_p|top_k|reasoning_effort|seed|stop|user|logit_bias)\b[`'"]? (?:is|are) (?:not supported|deprecated|not permitted)/i,
    seen: "`temperature` is not supported with this model",
    teaches: ([, field], sent) => drop(field, sent),
  },
  {
    status: [400],
    words:
      /max_tokens: \d+ > (\d+)|supports at most (\d+) completion tokens|max_tokens\D{1,40}at most (\d+)|max_tokens \(\d+\) cannot exceed (\d+)/i,
    seen: "max_tokens: 100000 > 64000, which is the maximum allowed number of output tokens",
    teaches: ([, ...numbers]) => ({ type: "cap", tokens: Number(numbers.find(Boolean)) }),
  },
  {
    status: [400],
    words: /(?:at most|maximum of|max(?:imum)?:?|limit of|more than) (\d+) (?:function|tool)s/i,
    seen: "Function calling supports at most 32 functions",
    teaches: ([, most], { body }) =>
      Array.isArray(body.tools) && body.tools.length > Number(most)
        ? { type: "tools", most: Number(most) }
        : undefined,
  },
  {
    status: [400],
    words: /(?:at most|maximum of|max(?:imum)?:?|limit of|more than) (\d+) (?:keys|properties)/i,
    seen: "Invalid JSON schema - an object may have at most 16 keys",
    teaches: ([, most]) => ({ type: "keys", most: Number(most) }),
  },
];
