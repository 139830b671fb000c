/**
 * What can be learned from a refusal, what a lesson changes of a body, and its words for people.
 *
 * @module
 */

import { oneCallATurn } from "./history.ts";
import { isObject, type JsonObject } from "../json.ts";
import type { DialectName } from "../dialects/dialect.ts";
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

/**
 * A body with one lesson applied to it; the same body where the lesson is about something else.
 *
 * @param body A body in either dialect; it is not changed.
 * @param lesson What was learned.
 *
 * @example
 * ```ts
 * import { applyLesson } from "./adjustments.ts";
 *
 * const body = applyLesson({ model: "m", seed: 1 }, { type: "drop", path: "seed" });
 * if ("seed" in body) throw new Error("it goes");
 * ```
 */
export function applyLesson(body: JsonObject, lesson: Lesson): JsonObject {
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

/**
 * A body with the schema of every tool changed, in either dialect's form.
 *
 * @param body A body; it is not changed.
 * @param change Gives the new schema for an old one.
 *
 * @example
 * ```ts
 * import { withSchemas } from "./adjustments.ts";
 *
 * const tools = [{ type: "function", name: "f", parameters: { old: 1 } }];
 * const changed = withSchemas({ tools }, () => ({}));
 * if (JSON.stringify(changed).includes("old")) throw new Error("changed");
 * ```
 */
export function withSchemas(body: JsonObject, change: (schema: unknown) => unknown): JsonObject {
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
 * import { describeLesson } from "./adjustments.ts";
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
