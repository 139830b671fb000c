/**
 * Tools and the choice among them, between Anthropic's words and OpenAI's.
 *
 * @module
 */

import { BridgeError } from "../../errors.ts";
import { isObject, type JsonObject } from "../../json.ts";
import { textOf } from "./blocks.ts";

/** Tools that Anthropic's servers run: a model behind another surface can't have them, and does without. */
const SERVER_TOOLS = /^(web_search|web_fetch|code_execution|tool_search|mcp_toolset|advisor)/;

/** Tools of Anthropic's that the client runs: their schemas are known to Claude alone, and told to others. */
const CLIENT_TOOLS: readonly (readonly [type: RegExp, description: string, schema: JsonObject])[] =
  [
    [/^bash_/, "Runs a command in a shell that stays open.", {
      type: "object",
      properties: { command: { type: "string" }, restart: { type: "boolean" } },
    }],
    [/^text_editor_/, "Views, creates and edits files.", {
      type: "object",
      properties: {
        command: { type: "string", enum: ["view", "create", "str_replace", "insert"] },
        path: { type: "string" },
        file_text: { type: "string" },
        old_str: { type: "string" },
        new_str: { type: "string" },
        insert_line: { type: "integer" },
        insert_text: { type: "string" },
        view_range: { type: "array", items: { type: "integer" } },
      },
      required: ["command", "path"],
    }],
  ];

function isOwn(type: unknown): boolean {
  return type === undefined || type === null || type === "custom";
}

/**
 * Tools as functions; those that Anthropic runs itself are left out.
 *
 * @param tools `tools` of a Messages request.
 * @param cached Whether marks for the prompt cache stay.
 * @throws {BridgeError} kind `request`, for a tool that no other model knows.
 */
export function decodeTools(tools: unknown, cached: boolean): JsonObject[] {
  const functions: JsonObject[] = [];
  for (const [at, tool] of (Array.isArray(tools) ? tools : []).entries()) {
    if (!isObject(tool)) continue;
    const { type, name, description, input_schema: schema, cache_control: mark } = tool;
    if (!isOwn(type) && SERVER_TOOLS.test(String(type))) continue;
    const known = CLIENT_TOOLS.find(([own]) => own.test(String(type)));
    if (!isOwn(type) && known === undefined) {
      throw new BridgeError(
        "request",
        `\`tools[${at}].type\` is "${
          textOf(type).slice(0, 60)
        }", which only Claude knows: leave it out, or ask a Claude model.`,
        { param: `tools[${at}].type`, code: "unsupported_tool" },
      );
    }
    functions.push({
      type: "function",
      function: {
        name,
        description: description ?? known?.[1],
        parameters: schema ?? known?.[2] ?? { type: "object", properties: {} },
      },
      ...cached && isObject(mark) ? { cache_control: mark } : {},
    });
  }
  return functions;
}

/**
 * A choice in OpenAI's words.
 *
 * @param choice `tool_choice` of a Messages request.
 * @param names The tools that are offered.
 * @throws {BridgeError} kind `request`, where it forces a tool that can't be had.
 */
export function decodeToolChoice(choice: unknown, names: ReadonlySet<unknown>): unknown {
  if (!isObject(choice)) return undefined;
  switch (choice.type) {
    case "any":
      if (names.size === 0) {
        throw new BridgeError(
          "request",
          "`tool_choice` forces a tool, and this model can have none of those offered: leave it out, or ask a Claude model.",
          { param: "tool_choice", code: "unsupported_tool" },
        );
      }
      return "required";
    case "none":
      return "none";
    case "tool":
      if (!names.has(choice.name)) {
        throw new BridgeError(
          "request",
          `\`tool_choice\` forces the tool "${
            textOf(choice.name).slice(0, 60)
          }", which this model can't have: choose another one, or ask a Claude model.`,
          { param: "tool_choice", code: "unsupported_tool" },
        );
      }
      return { type: "function", function: { name: choice.name } };
    default:
      return "auto";
  }
}

/** Functions as Anthropic's tools. */
export function encodeTools(tools: unknown): JsonObject[] {
  return (Array.isArray(tools) ? tools : []).filter(isObject).flatMap((tool) => {
    const own = isObject(tool.function) ? tool.function : tool;
    if (typeof own.name !== "string") return [];
    const { name, description, parameters } = own;
    const schema = isObject(parameters) ? { type: "object", ...parameters } : undefined;
    return [{
      name,
      ...typeof description === "string" ? { description } : {},
      input_schema: schema ?? { type: "object", properties: {} },
      ...isObject(tool.cache_control) ? { cache_control: tool.cache_control } : {},
    }];
  });
}

/** OpenAI's choice in Anthropic's words; undefined where there is none. */
export function encodeToolChoice(choice: unknown, parallel: unknown): JsonObject | undefined {
  const single = parallel === false ? { disable_parallel_tool_use: true } : {};
  if (choice === "required") return { type: "any", ...single };
  if (choice === "none") return { type: "none" };
  const named = isObject(choice) && isObject(choice.function) ? choice.function.name : undefined;
  if (typeof named === "string") return { type: "tool", name: named, ...single };
  return choice === "auto" || parallel === false ? { type: "auto", ...single } : undefined;
}
