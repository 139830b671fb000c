/**
 * One view of a request, whichever dialect it came in: what the user asked last, whether a tool
 * result stands at the end, which tools and which form of answer are wished for.
 *
 * @module
 */

import { isObject, type JsonObject, objectsIn, textOf } from "./json.ts";

/** A tool that the model may call. */
export interface Tool {
  /** The function's name. */
  readonly name: string;
  /** Its description; `""` where it has none. */
  readonly description: string;
  /** The JSON schema of its arguments. */
  readonly parameters: unknown;
}

/** What the answer depends on. */
export interface Conversation {
  /** The text of the last user message, without the tags that some clients put around it. */
  readonly question: string;
  /** The text of the tool result that the conversation ends with, if it does. */
  readonly toolResult?: string;
  /** The tools that may be called: none where `tool_choice` is `none`. */
  readonly tools: readonly Tool[];
  /** The tool that `tool_choice` names. */
  readonly forcedTool?: string;
  /** How many calls the conversation holds already. */
  readonly earlierCalls: number;
  /** How many of them came after the question. */
  readonly callsSince: number;
  /** Whether JSON is wished for, natively (`response_format`) or by an instruction in the text. */
  readonly json: "native" | "instructed" | "no";
  /** The schema of that JSON, where one was found. */
  readonly schema?: JsonObject;
  /** The most tokens that the answer may have. */
  readonly limit?: number;
  /** Whether thinking was asked for. */
  readonly thinking: boolean;
  /** Whether the thinking's encrypted form was asked for (Responses). */
  readonly encryptedReasoning: boolean;
  /** Whether summaries of the thinking were asked for (Responses). */
  readonly summaries: boolean;
  /** The client's working directory, where the messages name one. */
  readonly directory?: string;
  /** How many characters the request has: the simulator's tokens are four of them. */
  readonly size: number;
}

/**
 * Reads a request body of either dialect.
 *
 * @param body The parsed body; one with `input` is of the Responses dialect.
 * @returns What the answer depends on.
 *
 * @example
 * ```ts
 * import { readConversation } from "./conversation.ts";
 *
 * const { question } = readConversation({ messages: [{ role: "user", content: "Hello" }] });
 * if (question !== "Hello") throw new Error(question);
 * ```
 */
export function readConversation(body: JsonObject): Conversation {
  const turns = "input" in body
    ? turnsOfInput(body)
    : [...systemOf(body.system), ...turnsOfMessages(body.messages)];
  const asked = turns.findLastIndex(({ role }, at) =>
    role === "user" && turns[at - 1]?.role !== "result"
  );
  const lastUser: Turn | undefined = turns[asked];
  const instructions = turns.filter((turn) => turn.role === "system" || turn === lastUser)
    .map((turn) => turn.text).join("\n");
  const wish = jsonWish(body, instructions);
  const choice = body.tool_choice;
  const reasoning = isObject(body.reasoning) ? body.reasoning : {};
  return {
    question: unwrap(lastUser?.text ?? ""),
    toolResult: resultAtEnd(turns),
    tools: choice === "none" ? [] : objectsIn(body.tools).flatMap(toolOf),
    forcedTool: isObject(choice) ? nameOf(choice) : undefined,
    earlierCalls: turns.filter(isCall).length,
    callsSince: turns.slice(asked + 1).filter(isCall).length,
    ...wish,
    limit: [body.max_output_tokens, body.max_completion_tokens, body.max_tokens]
      .find((limit) => typeof limit === "number"),
    thinking: isObject(body.thinking) && body.thinking.type !== "disabled",
    encryptedReasoning: Array.isArray(body.include) &&
      body.include.includes("reasoning.encrypted_content"),
    summaries: typeof reasoning.summary === "string",
    directory: instructions.match(/current_working_directory>\s*([^<\s]+)\s*</)?.[1],
    size: JSON.stringify(body).length,
  };
}

interface Turn {
  readonly role: "system" | "user" | "assistant" | "call" | "result";
  readonly text: string;
}

/** Anthropic's system blocks. */
function systemOf(system: unknown): Turn[] {
  return system === undefined ? [] : [{ role: "system", text: textOf(system) }];
}

/** What a message of Anthropic's holds beside its text: calls, and results of calls. */
function blockTurns(content: unknown): Turn[] {
  return objectsIn(content).flatMap((block): Turn[] => {
    if (block.type === "tool_use") return [{ role: "call", text: "" }];
    return block.type === "tool_result" ? [{ role: "result", text: textOf(block.content) }] : [];
  });
}

function isCall({ role }: Turn): boolean {
  return role === "call";
}

function turnsOfMessages(messages: unknown): Turn[] {
  return objectsIn(messages).flatMap((message): Turn[] => {
    const text = textOf(message.content);
    switch (message.role) {
      case "system":
      case "developer":
        return [{ role: "system", text }];
      case "tool":
        return [{ role: "result", text }];
      case "assistant":
        return [
          { role: "assistant", text },
          ...objectsIn(message.tool_calls).map((): Turn => ({ role: "call", text: "" })),
          ...blockTurns(message.content),
        ];
      default:
        return [
          ...blockTurns(message.content),
          ...text === "" && Array.isArray(message.content)
            ? []
            : [{ role: isReminder(text) ? "system" : "user", text } as Turn],
        ];
    }
  });
}

/** Whether a message is only a reminder that a client adds, and no question of the user's. */
function isReminder(text: string): boolean {
  return /^\s*<system-reminder>/.test(text) && /<\/system-reminder>\s*$/.test(text) &&
    text.lastIndexOf("<system-reminder>") === text.indexOf("<system-reminder>");
}

/** Items of the Responses dialect that are calls, and those that are their results. */
const CALLS: ReadonlySet<unknown> = new Set(["function_call", "custom_tool_call"]);
const RESULTS: ReadonlySet<unknown> = new Set([
  "function_call_output",
  "custom_tool_call_output",
]);

function turnsOfInput(body: JsonObject): Turn[] {
  const turns: Turn[] = [];
  if (typeof body.instructions === "string") {
    turns.push({ role: "system", text: body.instructions });
  }
  if (typeof body.input === "string") turns.push({ role: "user", text: body.input });
  for (const item of objectsIn(body.input)) {
    if (CALLS.has(item.type)) turns.push({ role: "call", text: "" });
    else if (RESULTS.has(item.type)) {
      turns.push({ role: "result", text: textOf(item.output) });
    } else if (typeof item.role === "string") {
      const role = item.role === "developer" ? "system" : item.role as "system" | "user";
      turns.push({ role, text: textOf(item.content) });
    }
  }
  return turns;
}

/**
 * The result that is to be answered. Clients add notes of their own behind a result, as user
 * messages; such a note must not start the next round of calls, or the two would never finish.
 */
function resultAtEnd(turns: readonly Turn[]): string | undefined {
  const last = turns.at(-1);
  if (last?.role === "result") return last.text;
  const before = turns.at(-2);
  return last?.role === "user" && before?.role === "result" ? before.text : undefined;
}

function toolOf(tool: JsonObject): Tool[] {
  const definition = isObject(tool.function) ? tool.function : tool;
  if (typeof definition.name !== "string") return [];
  const description = typeof definition.description === "string" ? definition.description : "";
  const parameters = definition.parameters ?? definition.input_schema;
  return [{ name: definition.name, description, parameters }];
}

function nameOf(choice: JsonObject): string | undefined {
  const named = isObject(choice.function) ? choice.function.name : choice.name;
  return typeof named === "string" ? named : undefined;
}

function jsonWish(
  body: JsonObject,
  instructions: string,
): { json: "native" | "instructed" | "no"; schema?: JsonObject } {
  const text = isObject(body.text) ? body.text : {};
  const config = isObject(body.output_config) ? body.output_config : {};
  const format = body.response_format ?? text.format ?? config.format;
  if (isObject(format) && format.type !== "text") {
    const holder = isObject(format.json_schema) ? format.json_schema : format;
    return { json: "native", schema: isObject(holder.schema) ? holder.schema : undefined };
  }
  const asked =
    /json schema|only (valid |raw )?json|json only|(respond|answer|reply) (with|in) (a |one |raw )?json|(one|a|single) json object/i;
  if (objectsIn(body.tools).length > 0 || !asked.test(instructions)) return { json: "no" };
  return { json: "instructed", schema: findSchema(instructions) };
}

/** How many opening braces are tried; a prompt full of code must not cost a second. */
const MAX_TRIES = 200;

/** The first JSON object in a text that looks like a schema, the outermost one. */
function findSchema(text: string): JsonObject | undefined {
  let start = text.indexOf("{");
  for (let tries = 0; start >= 0 && tries < MAX_TRIES; tries++) {
    const end = closingBrace(text, start);
    if (end > 0) {
      try {
        const found: unknown = JSON.parse(text.slice(start, end + 1));
        if (isObject(found) && isObject(found.properties)) return found;
      } catch {
        // Braces of code or of a template: the next one may open the schema.
      }
    }
    start = text.indexOf("{", start + 1);
  }
  return undefined;
}

function closingBrace(text: string, start: number): number {
  let depth = 0;
  let quoted = false;
  for (let at = start; at < text.length; at++) {
    const character = text[at];
    if (quoted) {
      if (character === "\\") at++;
      else if (character === '"') quoted = false;
    } else if (character === '"') quoted = true;
    else if (character === "{") depth++;
    else if (character === "}" && --depth === 0) return at;
  }
  return -1;
}

/** The question inside the tags that ForgeCode puts around it, without reminders that clients add. */
function unwrap(given: string): string {
  const text = given.replace(/<system-reminder>[^]*?<\/system-reminder>/g, "");
  const tagged = text.match(/<(task|feedback|user_prompt)>([\s\S]*?)<\/\1>/);
  return (tagged ? tagged[2] : text).trim();
}
