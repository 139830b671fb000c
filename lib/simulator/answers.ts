/**
 * What the simulated model says: a friendly text, a tool call that fits, a quotation of a tool's
 * result, or JSON. The same request gets the same words; only the ids count on.
 *
 * @module
 */

import type { Conversation, Tool } from "./conversation.ts";
import type { CacheCounts } from "./prompt_cache.ts";
import type { Family } from "./traits.ts";
import { hash, isObject, type JsonObject } from "./json.ts";
import { type Directives, numberIn, withoutDirectives } from "./scenarios.ts";
import { valueFor, type ValueHints } from "./schema.ts";

/** One tool call of an answer. */
export interface Call {
  /** The id that its result must name. */
  readonly id: string;
  /** The function's name. */
  readonly name: string;
  /** The arguments, as JSON. */
  readonly arguments: string;
}

/** An answer, before it takes the shape of a dialect. */
export interface Answer {
  /** A number that no other answer of this simulator has, as text: ids are made of it. */
  readonly serial: string;
  /** The model's name in the server's answers, which is not the requested name. */
  readonly model: string;
  /** When it was made, in whole seconds since 1970. */
  readonly created: number;
  /** What the model thought; `""` where it didn't. */
  readonly reasoning: string;
  /** Its text; `""` where it has none. */
  readonly text: string;
  /** The tools that it calls. */
  readonly calls: readonly Call[];
  /** How it ended. */
  readonly finish: "stop" | "tool_calls" | "length" | "content_filter";
  /** Tokens of the request. */
  readonly promptTokens: number;
  /** Tokens of the request that stood in the cache. */
  readonly cachedTokens: number;
  /** Tokens of the request that were written into the cache; undefined where the model tells no such counts. */
  readonly writtenTokens?: number;
  /** Tokens of the answer, the thinking included. */
  readonly completionTokens: number;
  /** Tokens of the thinking. */
  readonly reasoningTokens: number;
}

/** What an answer is made from, besides the conversation. */
export interface AnswerContext {
  /** The model's family. */
  readonly family: Family;
  /** The model's name without prefix. */
  readonly bareName: string;
  /** Whether the model thinks before this answer. */
  readonly thinks: boolean;
  /** The scenarios that the request asks for. */
  readonly directives: Directives;
  /** Counts the answers of this simulator. */
  readonly count: number;
  /** The time in milliseconds since 1970. */
  readonly now: number;
  /** What the prompt cache did, where the model has one that is asked by marks. */
  readonly cache?: CacheCounts;
}

/** Tools that change something or cost something: never called unless there is nothing else. */
const RISKY =
  /write|remove|delete|patch|edit|undo|shell|exec|bash|command|run|task|plan|follow|fetch|skill|kill|push|commit|deploy|send|pay/i;

/** Tools that only look: the first choice where the question names none. */
const LOOKING = /read|search|find|list|get|look|query|weather|time|calc/i;

/**
 * Thinks up the answer to a conversation.
 *
 * @param conversation What was said so far.
 * @param context The model, the scenarios and the time.
 * @returns The answer; deterministic but for its serial number and its time.
 *
 * @example
 * ```ts
 * import { composeAnswer } from "./answers.ts";
 * import { readConversation } from "./conversation.ts";
 * import { familyOf } from "./families.ts";
 *
 * const answer = composeAnswer(
 *   readConversation({ messages: [{ role: "user", content: "What is SSE?" }] }),
 *   {
 *     family: familyOf("glm-5-2"),
 *     bareName: "glm-5-2",
 *     thinks: true,
 *     directives: new Map(),
 *     count: 1,
 *     now: 0,
 *   },
 * );
 * if (!answer.text.includes("What is SSE?")) throw new Error(answer.text);
 * ```
 */
export function composeAnswer(conversation: Conversation, context: AnswerContext): Answer {
  const { directives, family } = context;
  const serial = hash(`${conversation.question}${context.count}`) +
    context.count.toString(16).padStart(4, "0");
  const question = withoutDirectives(conversation.question);
  let calls = callsFor(conversation, question, context);
  let text = textFor(conversation, question, calls, directives);
  let reasoning = context.thinks ? reasoningFor(conversation, question, calls) : "";
  let finish: Answer["finish"] = calls.length > 0 ? "tool_calls" : "stop";

  if (directives.has("silence")) {
    calls = [];
    text = reasoning = "";
    finish = "stop";
  }
  const cut = directives.has("length") || directives.has("incomplete");
  const filtered = directives.has("content-filter");
  const limit = cut || filtered
    ? tokens(reasoning) + Math.ceil(tokens(text) / 2)
    : conversation.limit ?? Infinity;
  if (cut || filtered || tokens(reasoning) + tokens(text) + tokensOf(calls) > limit) {
    finish = filtered ? "content_filter" : "length";
    // Models that think in content parts are cut while they think: only that part is there.
    const room = cut && family.chat.textAsParts ? tokens(reasoning) : limit;
    reasoning = firstWords(reasoning, room);
    text = firstWords(text, Math.max(0, room - tokens(reasoning)));
    calls = [];
  }

  const reasoningTokens = tokens(reasoning);
  const promptTokens = Math.max(1, Math.ceil(conversation.size / 4));
  return {
    serial,
    model: `${context.bareName}-2026-08-05`,
    created: Math.floor(context.now / 1000),
    reasoning,
    text,
    calls,
    finish,
    promptTokens,
    cachedTokens: context.cache
      ? Math.min(context.cache.read, promptTokens)
      : promptTokens > 1024
      ? promptTokens - promptTokens % 128
      : 0,
    writtenTokens: context.cache &&
      Math.min(context.cache.written, promptTokens - Math.min(context.cache.read, promptTokens)),
    completionTokens: Math.max(1, reasoningTokens + tokens(text) + tokensOf(calls)),
    reasoningTokens,
  };
}

function callsFor(
  conversation: Conversation,
  question: string,
  context: AnswerContext,
): readonly Call[] {
  const { tools } = conversation;
  const { directives } = context;
  if (tools.length === 0 || directives.has("text")) return [];
  const commands = commandCalls(conversation, question);
  if (commands.length > 0) {
    return commands.map((call, index) => ({
      ...call,
      id: callId(context, call.name, conversation.earlierCalls + index),
    }));
  }
  if (conversation.toolResult !== undefined) return [];
  const ranked = rank(tools, question, conversation.forcedTool);
  const two = directives.has("two") || directives.has("interleave") || /\btwo\b/i.test(question);
  const chosen = two ? [ranked[0], ranked[1] ?? ranked[0]] : [ranked[0]];
  // Where only one tool is harmless, it is called twice rather than another one once.
  if (two && RISKY.test(chosen[1].name) && !RISKY.test(chosen[0].name)) chosen[1] = chosen[0];
  const hints = { question, directory: conversation.directory };
  return chosen.map((tool, index) => ({
    id: callId(context, tool.name, conversation.earlierCalls + index),
    name: tool.name,
    arguments: JSON.stringify(argumentsFor(tool, hints)),
  }));
}

/**
 * The commands that a question asks to run, each in backticks: "Run `ls`, then `date`" takes two turns,
 * "Run `ls` and `date` at once" takes one. What is left of them, as calls of a tool that runs commands.
 */
function commandCalls(
  { tools, callsSince }: Conversation,
  question: string,
): Pick<Call, "name" | "arguments">[] {
  const shell = tools.map(shellOf).find((found) => found !== undefined);
  const listed = /\brun\b((?:[^`\n]{0,20}`[^`\n]{1,500}`)+)/i.exec(question)?.[1];
  if (shell === undefined || listed === undefined) return [];
  const commands = [...listed.matchAll(/`([^`]+)`/g)].map(([, command]) => command);
  const left = commands.slice(callsSince);
  const now = /\bat once\b/i.test(question) ? left : left.slice(0, 1);
  return now.map((command) => {
    const value = shell.list ? ["bash", "-lc", command] : command;
    const rest = argumentsFor(shell.tool, { question });
    return {
      name: shell.tool.name,
      arguments: JSON.stringify({ ...rest, [shell.property]: value }),
    };
  });
}

/** A tool that takes a command, the property for it, and whether that is a list of words. */
function shellOf(
  tool: Tool,
): { tool: Tool; property: string; list: boolean } | undefined {
  const { properties } = isObject(tool.parameters) ? tool.parameters : {};
  if (!isObject(properties)) return undefined;
  const property = ["command", "cmd"].find((name) => isObject(properties[name]));
  if (property === undefined) return undefined;
  const { type } = properties[property] as JsonObject;
  return { tool, property, list: type === "array" };
}

/** Arguments are always an object, even for a tool without a schema. */
function argumentsFor(tool: Tool, hints: ValueHints): JsonObject {
  const value = valueFor(tool.parameters, hints);
  return isObject(value) ? value : {};
}

/** The tools, best first: the one that is forced, harmless ones, those that the question names. */
function rank(tools: readonly Tool[], question: string, forced?: string): Tool[] {
  const asked = new Set(question.toLowerCase().match(/\p{L}{3,}/gu) ?? []);
  const score = (tool: Tool): number => {
    if (tool.name === forced) return 1000;
    const name = tool.name.toLowerCase().split(/[^\p{L}]+/u);
    const described = tool.description.toLowerCase().slice(0, 400).match(/\p{L}{3,}/gu) ?? [];
    return (RISKY.test(tool.name) ? -500 : 0) + (LOOKING.test(tool.name) ? 3 : 0) +
      10 * name.filter((word) => asked.has(word)).length +
      Math.min(2, described.filter((word) => asked.has(word)).length);
  };
  return tools.map((tool) => ({ tool, score: score(tool) }))
    .sort((one, other) => other.score - one.score).map(({ tool }) => tool);
}

function callId({ family, count }: AnswerContext, name: string, index: number): string {
  const digits = hash(`${name}${index}`) + hash(`${count}.${index}`);
  switch (family.callId) {
    case "toolu":
      return `toolu_bdrk_01${digits}`;
    case "function":
      return `functions.${name}:${index}`;
    case "uuid":
      return `call_${digits.slice(0, 8)}-${digits.slice(8, 12)}-4${digits.slice(13)}`;
    default:
      return `call_${digits}`;
  }
}

function textFor(
  conversation: Conversation,
  question: string,
  calls: readonly Call[],
  directives: Directives,
): string {
  if (directives.has("long")) {
    const count = Math.max(1, Math.floor(numberIn(directives, "long", 2000, 20_000)));
    return Array.from({ length: count }, (_, index) => `word${index + 1}`).join(" ") + ".";
  }
  if (conversation.toolResult !== undefined && calls.length === 0 && conversation.json === "no") {
    return `The tool answered: "${beginning(conversation.toolResult)}". ` +
      "That is all I needed; the task is done.";
  }
  if (calls.length > 0) {
    return `I will look at this with ${calls.map((call) => call.name).join(" and ")}.`;
  }
  if (conversation.json !== "no") {
    const schema = conversation.schema ??
      { type: "object", properties: { answer: {} }, required: ["answer"] };
    const json = JSON.stringify(valueFor(allRequired(schema), { question }));
    return conversation.json === "native" ? json : "```json\n" + json + "\n```";
  }
  return `You asked: "${beginning(question)}". I am a simulated model, so I can't know the ` +
    "answer, but every word of this one came through the bridge as it was made: " +
    "grüße, 日本語 and 🚀 included.";
}

/** A schema that requires nothing would be answered with `{}`, which shows nothing. */
function allRequired(schema: Record<string, unknown>): Record<string, unknown> {
  if (Array.isArray(schema.required) && schema.required.length > 0) return schema;
  return { ...schema, required: Object.keys(schema.properties ?? {}) };
}

function reasoningFor(
  conversation: Conversation,
  question: string,
  calls: readonly Call[],
): string {
  if (conversation.toolResult !== undefined && calls.length === 0) {
    return "The result is there, so I can answer now.";
  }
  if (calls.length > 0) return `To answer this I need ${calls[0].name}, so I call it first.`;
  return `The user says "${beginning(question, 40)}", so a short and friendly answer fits.`;
}

function beginning(text: string, length = 120): string {
  const line = text.replaceAll(/\s+/g, " ").trim();
  if (line.length <= length) return line;
  // Cut between code points: a lone surrogate is not valid text.
  return `${[...line.slice(0, length + 1)].slice(0, -1).join("")}…`;
}

function tokens(text: string): number {
  return text === "" ? 0 : text.split(" ").length;
}

function tokensOf(calls: readonly Call[]): number {
  return calls.reduce((sum, call) => sum + 4 + Math.ceil(call.arguments.length / 4), 0);
}

function firstWords(text: string, count: number): string {
  return text.split(" ").slice(0, Math.max(0, count)).join(" ");
}
