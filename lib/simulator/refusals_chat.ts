/**
 * What the chat surfaces refuse for every model. Source: gateway.md.
 *
 * @module
 */

import { isObject, type JsonObject, objectsIn, textOf } from "./json.ts";
import type { RefusalRule } from "./refusals.ts";
import type { Surface } from "./traits.ts";

/** The surfaces that take chat bodies. */
export const CHAT: readonly Surface[] = ["mlflow", "cursor"];

/** Fields that no model takes on the mlflow surface. */
const NEVER_ON_MLFLOW = ["parallel_tool_calls", "store", "metadata", "logprobs", "top_logprobs"];

/** Rules for every chat body. */
export const CHAT_RULES: readonly RefusalRule[] = [
  {
    name: "no messages",
    surfaces: CHAT,
    status: 400,
    shape: "databricks",
    refuse: ({ body }) =>
      "input" in body || objectsIn(body.messages).length > 0
        ? undefined
        : "Bad request: Missing required Chat parameter: 'messages'",
  },
  {
    name: "field of the mlflow surface",
    surfaces: ["mlflow"],
    status: 400,
    shape: "databricks",
    refuse: ({ body }) => {
      const field = NEVER_ON_MLFLOW.find((name) => name in body) ??
        (functionsOf(body).some((definition) => "strict" in definition) ? "strict" : undefined);
      return field && unknownField(field);
    },
  },
  {
    name: "response_format in a stream",
    surfaces: CHAT,
    status: 400,
    shape: "databricks",
    code: "INVALID_PARAMETER_VALUE",
    refuse: ({ body }) =>
      body.stream === true && "response_format" in body
        ? "INVALID_PARAMETER_VALUE: Structured output is not currently supported with streaming"
        : undefined,
  },
  {
    name: "json_object without the word",
    surfaces: CHAT,
    status: 400,
    shape: "text",
    refuse: ({ body }) =>
      formatOf(body).type === "json_object" &&
        !objectsIn(body.messages).some(({ content }) => /json/i.test(textOf(content)))
        ? 'Bad request: "messages" must contain the word "json" in some form, to use ' +
          '"response_format" of type "json_object".'
        : undefined,
  },
];

/**
 * The words of the strict decoder; the line end inside the message is its own.
 *
 * @param field The field's name.
 * @returns The message.
 *
 * @example
 * ```ts
 * import { unknownField } from "./refusals_chat.ts";
 *
 * if (!unknownField("seed").includes('unknown field "seed"')) throw new Error("unexpected");
 * ```
 */
export function unknownField(field: string): string {
  return `Bad request: json: unknown field "${field}"\n`;
}

/**
 * The functions among a body's tools.
 *
 * @param body A chat body.
 * @returns Their definitions.
 *
 * @example
 * ```ts
 * import { functionsOf } from "./refusals_chat.ts";
 *
 * if (functionsOf({ tools: [{ function: { name: "read" } }] }).length !== 1) throw new Error();
 * ```
 */
export function functionsOf(body: JsonObject): JsonObject[] {
  return objectsIn(body.tools).map((tool) => tool.function).filter(isObject);
}

/**
 * The `response_format` of a body.
 *
 * @param body A chat body.
 * @returns The format; an empty object where there is none.
 *
 * @example
 * ```ts
 * import { formatOf } from "./refusals_chat.ts";
 *
 * if (formatOf({ response_format: { type: "text" } }).type !== "text") throw new Error();
 * ```
 */
export function formatOf(body: JsonObject): JsonObject {
  return isObject(body.response_format) ? body.response_format : {};
}
