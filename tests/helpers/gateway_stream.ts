/**
 * Streams of chat completion chunks as a gateway sends them, made up at random, with what must come
 * of them.
 *
 * @module
 */

import type { Expected, ExpectedToolCall } from "./expectations.ts";
import type { Random } from "./random.ts";

/** A chunk, open to any mutation. */
// deno-lint-ignore no-explicit-any
export type GatewayChunk = Record<string, any>;

/** One event of a gateway's stream, and what it carries. */
export interface GatewayEvent {
  /** The chunk, or raw text that stands in its place (`[DONE]`, cut JSON). */
  data: GatewayChunk | string;
  /** The text that must survive of it. */
  content: string;
  /** The reasoning that must survive of it. */
  reasoning: string;
}

/** A gateway's stream that mutations work on. */
export interface GatewayStream {
  /** All events, `[DONE]` too. */
  events: GatewayEvent[];
  /** The tool calls that it carries; undefined where they are not compared. */
  toolCalls?: ExpectedToolCall[];
  /** What ended it: `natural` is stop or tool calls. */
  reason: "natural" | "length" | "content_filter";
  /** How it must end. */
  end: "clean" | "error";
  /** Words that the final error must have. */
  errorIncludes?: string;
  /** See `Expected.lossy`. */
  lossy?: boolean;
  /** How its JSON is written. */
  spelling: "compact" | "spaced" | "ascii";
}

/** What goes over the wire, and what must come of it. */
export interface WrittenStream {
  /** The `data` of each event, one line each. */
  events: string[];
  /** What must be true of the stream that leaves the bridge. */
  expected: Expected;
}

const WORDS = [
  "The ",
  "bridge ",
  "carries ",
  "müde ",
  "Brücken ",
  "橋を ",
  "渡る ",
  "🌉 ",
  "👩‍💻 ",
  "\n\n",
  "```ts\n",
  'data: {"x":1}\n\n',
  "[DONE]",
  "\u2028",
  "\\n ",
  '"quoted" ',
  "</think> ",
  "\r\n",
  "a\tb ",
  " ",
];

const TOOLS = ["read", "shell", "fs_search", "patch"];
const REASONING_STYLES = ["reasoning_content", "reasoning", "parts"] as const;

/**
 * Makes up a clean stream: perhaps reasoning, perhaps text, perhaps up to three tool calls, a
 * `finish_reason`, perhaps usage, and `[DONE]`.
 *
 * @param random Where all of it comes from.
 * @returns The stream.
 *
 * @example
 * ```ts
 * import { randomStream, write } from "./gateway_stream.ts";
 * import { Random } from "./random.ts";
 *
 * if (write(randomStream(new Random(1))).events.at(-1) !== "[DONE]") throw new Error();
 * ```
 */
export function randomStream(random: Random): GatewayStream {
  const head = {
    id: `chatcmpl-${random.integer(1, 1e9)}`,
    object: "chat.completion.chunk",
    created: random.integer(1.6e9, 1.9e9),
    model: "made-up-model-0101",
  };
  const events: GatewayEvent[] = [];
  const add = (delta: GatewayChunk, content = "", reasoning = "") =>
    events.push({
      data: { ...head, choices: [{ index: 0, delta, finish_reason: null }] },
      content,
      reasoning,
    });

  add({ role: "assistant", content: "" });
  const style = random.pick(REASONING_STYLES);
  for (let left = random.pick([0, 0, 1, 3]); left > 0; left--) {
    const text = `step ${left} ${random.pick(WORDS)}.`;
    add(reasoningDelta(text, style), "", text);
  }
  const reason = random.pick(
    ["natural", "natural", "natural", "length", "content_filter"] as const,
  );
  const toolCalls = Array.from(
    { length: random.pick([0, 0, 1, 2, 3]) },
    // At the limit, a call without arguments would have been cut off before its first.
    (_, at) => randomCall(at, random, reason !== "length"),
  );
  const words = toolCalls.length > 0 ? random.integer(0, 4) : random.integer(1, 9);
  for (let left = words; left > 0; left--) {
    const text = random.pick(WORDS) + random.integer(0, 99);
    add({ content: text }, text);
  }
  for (const [index, call] of toolCalls.entries()) {
    const { id, name } = call;
    add({ tool_calls: [{ index, id, type: "function", function: { name, arguments: "" } }] });
    for (const piece of pieces(call.arguments, random)) {
      add({ tool_calls: [{ index, function: { arguments: piece } }] });
    }
  }
  const finish = reason === "natural" ? (toolCalls.length > 0 ? "tool_calls" : "stop") : reason;
  events.push({
    data: { ...head, choices: [{ index: 0, delta: {}, finish_reason: finish }] },
    content: "",
    reasoning: "",
  });
  if (random.chance(0.5)) {
    const usage = { prompt_tokens: 11, completion_tokens: 7, total_tokens: 18 };
    events.push({ data: { ...head, choices: [], usage }, content: "", reasoning: "" });
  }
  events.push({ data: "[DONE]", content: "", reasoning: "" });
  return { events, toolCalls, reason, end: "clean", spelling: random.pick(SPELLINGS) };
}

const SPELLINGS = ["compact", "spaced", "ascii"] as const;

function reasoningDelta(text: string, style: typeof REASONING_STYLES[number]): GatewayChunk {
  if (style !== "parts") return { [style]: text };
  const summary = [{ type: "summary_text", text, signature: "" }];
  return { content: [{ type: "reasoning", summary }] };
}

function randomCall(at: number, random: Random, mayBeEmpty: boolean): ExpectedToolCall {
  const values = { path: `/src/${random.pick(WORDS)}${at}.ts`, line: random.integer(1, 999) };
  return {
    id: `call_${random.integer(1e6, 9e6)}_${at}`,
    name: random.pick(TOOLS),
    arguments: mayBeEmpty && random.chance(0.1) ? "" : JSON.stringify(values),
  };
}

/** Cuts a text into up to five pieces, never inside a surrogate pair. */
function pieces(text: string, random: Random): string[] {
  const characters = [...text];
  const found: string[] = [];
  while (characters.length > 0) {
    const most = found.length === 4 ? characters.length : random.integer(1, characters.length);
    found.push(characters.splice(0, most).join(""));
  }
  return found;
}

/**
 * Whether an event carries a `finish_reason` that isn't null or empty.
 *
 * @param event The event.
 * @returns True if one of its choices has one.
 */
export function hasFinishReason(event: GatewayEvent): boolean {
  return typeof event.data !== "string" && Array.isArray(event.data.choices) &&
    event.data.choices.some((choice: GatewayChunk) => Boolean(choice.finish_reason));
}

/**
 * Writes a stream as the `data` of its events, and sums up what must come of it.
 *
 * @param stream The stream.
 * @returns The events and the expectation.
 */
export function write(stream: GatewayStream): WrittenStream {
  const { events, reason, end, toolCalls, errorIncludes, lossy } = stream;
  const expected: Expected = {
    content: events.map((event) => event.content).join(""),
    reasoning: events.map((event) => event.reasoning).join(""),
    end,
  };
  if (end === "clean") {
    expected.finishReason = reason !== "natural"
      ? reason
      : toolCalls !== undefined && toolCalls.length > 0
      ? "tool_calls"
      : "stop";
    if (toolCalls !== undefined) expected.toolCalls = toolCalls;
  }
  if (errorIncludes !== undefined) expected.errorIncludes = errorIncludes;
  if (lossy) expected.lossy = true;
  return { events: events.map((event) => spell(event.data, stream.spelling)), expected };
}

function spell(data: GatewayChunk | string, spelling: GatewayStream["spelling"]): string {
  if (typeof data === "string") return data;
  const text = JSON.stringify(data);
  if (spelling === "spaced") {
    // As Python writes it. Only between tokens: strings keep their own commas and colons.
    return text.replace(/("(?:[^"\\]|\\.)*")|([:,])/g, (_, quoted, mark) => quoted ?? `${mark} `);
  }
  if (spelling === "ascii") {
    return text.replace(
      /[\u0080-\uffff]/g,
      (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
    );
  }
  return text;
}
