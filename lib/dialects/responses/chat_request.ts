/**
 * A Responses request as a chat completions request: the way of Codex and others to models that don't speak
 * the Responses API. The history is in `chat_messages.ts`.
 *
 * @module
 */

import { BridgeError } from "../../errors.ts";
import { isObject, type JsonObject } from "../../json.ts";
import type { DialectContext } from "../dialect.ts";
import { decodeInput } from "./chat_messages.ts";
import { refuseImpossible } from "./pass.ts";
import { refuseTools, ToolNames } from "./tools.ts";

/** Fields that have the same name and meaning in chat completions. */
const SAME = ["model", "stream", "temperature", "top_p", "parallel_tool_calls"];

/**
 * Translates a Responses request into a chat completions request. Never changes its input.
 *
 * What only concerns the form or the billing of the answer is left out: `include`, `metadata`, `truncation`,
 * `prompt_cache_key`, `service_tier`, `user`, `text.verbosity`, `reasoning.summary`; and tools that help
 * without being needed, such as `web_search`.
 *
 * @param body A request that {@linkcode parseRequest} has checked.
 * @param context The model asked for: reasoning of another is left out.
 * @throws {BridgeError} kind `request` for what chat completions can't say, naming it.
 */
export function decodeRequest(body: JsonObject, context: DialectContext): JsonObject {
  refuseImpossible(body);
  const tools = new ToolNames(body.tools);
  refuseTools(tools);
  const request: JsonObject = {};
  for (const name of SAME) if (isGiven(body[name])) request[name] = body[name];

  const messages: JsonObject[] = [];
  if (typeof body.instructions === "string" && body.instructions !== "") {
    messages.push({ role: "system", content: body.instructions });
  }
  const input = typeof body.input === "string"
    ? [{ type: "message", role: "user", content: body.input }]
    : body.input;
  messages.push(...decodeInput(Array.isArray(input) ? input : [], tools, context.model));
  request.messages = messages;

  decodeTools(body.tool_choice, tools, request);
  if (request.tools === undefined) delete request.parallel_tool_calls;
  if (isGiven(body.max_output_tokens)) request.max_tokens = body.max_output_tokens;
  const effort = isObject(body.reasoning) ? body.reasoning.effort : undefined;
  if (isGiven(effort)) request.reasoning_effort = effort;
  const format = decodeFormat(isObject(body.text) ? body.text.format : undefined);
  if (format !== undefined) request.response_format = format;
  return request;
}

/** `text.format` as `response_format`; plain text needs none. */
function decodeFormat(format: unknown): JsonObject | undefined {
  if (!isObject(format) || format.type === "text") return undefined;
  if (format.type !== "json_schema") return { ...format };
  const { type: _type, ...schema } = format;
  return { type: "json_schema", json_schema: schema };
}

function decodeTools(choice: unknown, tools: ToolNames, request: JsonObject): void {
  let functions = tools.functions();
  let chosen: unknown = choice;
  if (isObject(choice) && choice.type === "allowed_tools") {
    const allowed = Array.isArray(choice.tools) ? choice.tools : [];
    const names = new Set(allowed.filter(isObject).map((tool) => flatNameOf(tool, tools)));
    functions = functions.filter((tool) => names.has((tool.function as JsonObject).name as string));
    chosen = choice.mode;
  } else if (isObject(choice)) {
    const name = flatNameOf(choice, tools);
    if (!functions.some((tool) => (tool.function as JsonObject).name === name)) {
      throw new BridgeError(
        "request",
        `\`tool_choice\` names ${name || `a tool of type "${choice.type}"`}, which is none of ` +
          "`tools` that this model can be given: name another, or leave tool_choice out.",
        { param: "tool_choice", code: "invalid_value" },
      );
    }
    chosen = { type: "function", function: { name } };
  }
  if (functions.length === 0) return;
  request.tools = functions;
  if (isGiven(chosen)) request.tool_choice = chosen;
}

function flatNameOf(tool: JsonObject, tools: ToolNames): string {
  return tool.type === "local_shell" ? "local_shell" : tools.flat(tool);
}

function isGiven(value: unknown): boolean {
  return value !== undefined && value !== null;
}
