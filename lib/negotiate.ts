/**
 * What a refusal teaches. The gateway says what it won't take in words that are known
 * ({@linkcode REFUSALS}): a field to drop, another dialect, surface or name. A lesson is kept for its
 * model, so that no later request repeats a refusal.
 *
 * @module
 */

import { bareName } from "./families.ts";
import { oneCallATurn } from "./history.ts";
import { isObject, type JsonObject } from "./json.ts";
import { type Catalogue, type DialectName, type Route, surfaceRoute } from "./models.ts";
import { instructFormat, withoutField } from "./sanitize.ts";
import { withFewerKeys, withoutKeyword } from "./schema.ts";

/** One thing learned about a model. */
export type Lesson =
  /** A field, by its path, must not be sent. */
  | { readonly type: "drop"; readonly path: string }
  /** A top-level field goes by another name. */
  | { readonly type: "rename"; readonly path: string; readonly to: string }
  /** The surface speaks the other dialect. */
  | { readonly type: "dialect"; readonly dialect: DialectName }
  /** Another surface serves the model. */
  | { readonly type: "surface"; readonly surface: string }
  /** The workspace knows the model by another name. */
  | { readonly type: "name"; readonly name: string }
  /** Two calls in one assistant's turn are refused. */
  | { readonly type: "one-call" }
  /** A keyword that tools' schemas must not have. */
  | { readonly type: "keyword"; readonly keyword: string }
  /** At most so many tools. */
  | { readonly type: "tools"; readonly most: number }
  /** At most so many properties in a schema. */
  | { readonly type: "keys"; readonly most: number }
  /** At most so many output tokens. */
  | { readonly type: "cap"; readonly tokens: number }
  /** `response_format` is refused here: its wish becomes an instruction. */
  | { readonly type: "instruct" };

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

/** `tools.0.custom.strict` and `tools[0].strict` → `tools[].….strict`. */
function generalPath(path: string): string {
  return path.replace(/\[\d*\]/g, "[]").replace(/\.(\d+)(?=\.|$)/g, "[]");
}

function drop(named: string, { body }: Sent): Lesson | undefined {
  const path = generalPath(named);
  const candidates = path.includes(".") ? [path] : PLACES.map((place) => place + path);
  const found = candidates.find((candidate) => withoutField(body, candidate) !== body);
  return found === undefined || VITAL.has(found) ? undefined : { type: "drop", path: found };
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
    teaches: ([, path, to], { body }) => path in body ? { type: "rename", path, to } : undefined,
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
      /max_tokens: \d+ > (\d+)|supports at most (\d+) completion tokens|max_tokens\D{1,40}at most (\d+)/i,
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

/** How a request to a model is sent, with everything that was learned about it. */
export interface Plan {
  /** The model as the client asked for it. */
  readonly model: string;
  /** The model's name on the wire. */
  readonly name: string;
  /** The surface and its path. */
  readonly route: Route;
  /** What is spoken there. */
  readonly dialect: DialectName;
  /** Lessons about the body. */
  readonly lessons: readonly Lesson[];
}

/** How many models' lessons are kept; the ones that were learned first go first. */
const MAX_MODELS = 1000;

/**
 * The memory of what refusals taught, per model.
 *
 * @example
 * ```ts
 * import { Negotiator } from "./negotiate.ts";
 * import { parseModels, routeOf } from "./models.ts";
 *
 * const catalogue = parseModels('{"models": []}', "models.json");
 * const negotiator = new Negotiator();
 * const route = routeOf(catalogue, "databricks-gpt-5-5", "chat");
 * const plan = negotiator.plan(catalogue, "databricks-gpt-5-5", route);
 * negotiator.learn(plan, 400, "Unsupported parameter: 'messages'", { messages: [] });
 * const next = negotiator.plan(catalogue, "databricks-gpt-5-5", route);
 * if (next.dialect !== "responses") throw new Error("remembered");
 * ```
 */
export class Negotiator {
  readonly #lessons = new Map<string, Lesson[]>();

  /**
   * How to send a request to a model, given where its route leads.
   *
   * @param catalogue The list in force: a surface that it doesn't have can't be switched to.
   * @param model The model as the client asked for it.
   * @param route Where the list sends it.
   */
  plan(catalogue: Catalogue, model: string, route: Route): Plan {
    const lessons = this.#lessons.get(model) ?? [];
    let plan: Plan = { model, name: model, route, dialect: route.dialect, lessons };
    for (const lesson of lessons) plan = steer(plan, lesson, catalogue);
    return plan;
  }

  /**
   * Takes a refusal as a fact, where it says something new.
   *
   * @param plan What was tried.
   * @param status The gateway's status.
   * @param message Its words.
   * @param body The body that was refused.
   * @returns What was learned, or undefined: then the refusal is the answer.
   */
  learn(plan: Plan, status: number, message: string, body: JsonObject): Lesson | undefined {
    for (const refusal of REFUSALS) {
      if (!refusal.status.includes(status)) continue;
      const match = refusal.words.exec(message);
      if (!match) continue;
      const lesson = refusal.teaches(match, { body, name: plan.name });
      if (lesson === undefined || isKnown(lesson, plan)) return undefined;
      this.#remember(plan.model, lesson);
      return lesson;
    }
    return undefined;
  }

  #remember(model: string, lesson: Lesson): void {
    const lessons = [...this.#lessons.get(model) ?? []];
    // A new surface or dialect replaces what was believed before; everything else adds up.
    const kept = lesson.type === "surface"
      ? lessons.filter((old) => old.type !== "surface" && old.type !== "dialect")
      : lesson.type === "dialect" || lesson.type === "name" || lesson.type === "cap" ||
          lesson.type === "tools"
      ? lessons.filter((old) => old.type !== lesson.type)
      : lessons;
    this.#lessons.delete(model);
    this.#lessons.set(model, [...kept, lesson]);
    if (this.#lessons.size > MAX_MODELS) this.#lessons.delete(this.#lessons.keys().next().value!);
  }

  /** Everything learned, for the log and the doctor: model → lessons in words. */
  get known(): ReadonlyMap<string, readonly string[]> {
    return new Map(
      [...this.#lessons].map(([model, lessons]) => [model, lessons.map(describeLesson)]),
    );
  }
}

/** Whether a lesson changes nothing: then trying again would get the same refusal. */
function isKnown(lesson: Lesson, plan: Plan): boolean {
  switch (lesson.type) {
    case "dialect":
      return plan.dialect === lesson.dialect;
    case "surface":
      return plan.route.surface === lesson.surface && plan.dialect === plan.route.dialect;
    case "name":
      return plan.name === lesson.name;
    default:
      return plan.lessons.some((known) => JSON.stringify(known) === JSON.stringify(lesson));
  }
}

/** What a lesson changes of the way that a request takes. */
function steer(plan: Plan, lesson: Lesson, catalogue: Catalogue): Plan {
  switch (lesson.type) {
    case "name":
      return { ...plan, name: lesson.name };
    case "dialect":
      return { ...plan, dialect: lesson.dialect };
    case "surface": {
      const route = surfaceRoute(catalogue, lesson.surface);
      // Without such a surface the dialect alone may do: `cursor` speaks both.
      if (route === undefined) {
        return { ...plan, dialect: lesson.surface === "openai" ? "responses" : "chat" };
      }
      return { ...plan, route, dialect: route.dialect };
    }
    default:
      return plan;
  }
}

/**
 * A body with everything that was learned applied to it.
 *
 * @param body A body in the plan's dialect; it is not changed.
 * @param plan With the lessons.
 *
 * @example
 * ```ts
 * import { applyLessons, type Plan } from "./negotiate.ts";
 *
 * const route = { surface: "mlflow", path: "/mlflow/v1/chat/completions", dialect: "chat" as const };
 * const plan: Plan = {
 *   model: "m", name: "system.ai.m", route, dialect: "chat", lessons: [{ type: "drop", path: "seed" }],
 * };
 * const body = applyLessons({ model: "m", seed: 1, messages: [] }, plan);
 * if ("seed" in body || body.model !== "system.ai.m") throw new Error("applied");
 * ```
 */
export function applyLessons(body: JsonObject, plan: Plan): JsonObject {
  let changed: JsonObject = body.model === plan.name ? body : { ...body, model: plan.name };
  for (const lesson of plan.lessons) changed = applyLesson(changed, lesson);
  return changed;
}

function applyLesson(body: JsonObject, lesson: Lesson): JsonObject {
  switch (lesson.type) {
    case "drop":
      return withoutField(body, lesson.path);
    case "rename": {
      if (!Object.hasOwn(body, lesson.path)) return body;
      const { [lesson.path]: value, ...rest } = body;
      return { [lesson.to]: value, ...rest };
    }
    case "one-call":
      return Array.isArray(body.messages)
        ? { ...body, messages: oneCallATurn(body.messages.filter(isObject)) }
        : body;
    case "keyword":
      return withSchemas(body, (schema) => withoutKeyword(schema, lesson.keyword));
    case "keys":
      return withSchemas(body, (schema) => withFewerKeys(schema, lesson.most));
    case "tools":
      return Array.isArray(body.tools)
        ? { ...body, tools: body.tools.slice(0, lesson.most) }
        : body;
    case "cap": {
      const capped = { ...body };
      for (const field of ["max_tokens", "max_completion_tokens", "max_output_tokens"]) {
        if (typeof capped[field] === "number") {
          capped[field] = Math.min(capped[field], lesson.tokens);
        }
      }
      return capped;
    }
    case "instruct": {
      const { response_format: format, ...rest } = body;
      return format === undefined ? body : instructFormat(rest, format);
    }
    default:
      return body;
  }
}

/** Changes the schema of every tool, in either dialect's form. */
function withSchemas(body: JsonObject, change: (schema: unknown) => unknown): JsonObject {
  if (!Array.isArray(body.tools)) return body;
  const tools = body.tools.map((tool) => {
    if (!isObject(tool)) return tool;
    if (isObject(tool.function)) {
      return {
        ...tool,
        function: { ...tool.function, parameters: change(tool.function.parameters) },
      };
    }
    return tool.parameters === undefined ? tool : { ...tool, parameters: change(tool.parameters) };
  });
  return { ...body, tools };
}

/**
 * A lesson in words, for the log.
 *
 * @example
 * ```ts
 * import { describeLesson } from "./negotiate.ts";
 *
 * if (describeLesson({ type: "drop", path: "seed" }) !== "send no seed") throw new Error("words");
 * ```
 */
export function describeLesson(lesson: Lesson): string {
  switch (lesson.type) {
    case "drop":
      return `send no ${lesson.path}`;
    case "rename":
      return `send ${lesson.path} as ${lesson.to}`;
    case "dialect":
      return lesson.dialect === "responses" ? "speak the Responses API" : "speak chat completions";
    case "surface":
      return `use the surface ${lesson.surface}`;
    case "name":
      return `call it ${lesson.name}`;
    case "one-call":
      return "one tool call a turn";
    case "keyword":
      return `send no "${lesson.keyword}" in schemas`;
    case "tools":
      return `send ${lesson.most} tools at most`;
    case "keys":
      return `send ${lesson.most} properties a schema at most`;
    case "cap":
      return `ask for ${lesson.tokens} tokens at most`;
    case "instruct":
      return "ask for JSON in words instead of response_format";
  }
}
