/**
 * What can be asked of the simulator: a directive such as `[[sim: abrupt]]` or
 * `[[sim: silent=2, slow]]` in the last user message makes the next answer go wrong, or look
 * different, in one particular way.
 *
 * @module
 */

/** One scenario, as the documentation lists it. */
export interface Scenario {
  /** What it is called inside `[[sim: …]]`. */
  readonly name: string;
  /** What it does. */
  readonly description: string;
  /** What may stand after `=`; absent where it takes no value. */
  readonly value?: string;
}

/** Every scenario there is. */
export const SCENARIOS: readonly Scenario[] = [
  { name: "abrupt", description: "the body just ends half-way: no finish_reason, no [DONE]" },
  { name: "reset", description: "the connection breaks half-way" },
  {
    name: "error-midstream",
    description: "an error stands in the stream half-way, then the body ends",
    value: "databricks (default), openai, anthropic, text",
  },
  { name: "no-done", description: "the stream has its finish_reason, but no [DONE]" },
  { name: "no-finish", description: "no chunk has a finish_reason; [DONE] comes" },
  {
    name: "finish",
    description: "the last chunk says this finish_reason",
    value: "any text, or null",
  },
  { name: "open", description: "the body stays open after its last event until the client leaves" },
  { name: "after-done", description: "another chunk and another [DONE] follow the first [DONE]" },
  { name: "empty", description: "200 with an empty body" },
  { name: "silence", description: "the turn ends at once, without text and without calls" },
  { name: "length", description: "the answer is cut: finish_reason length, or incomplete" },
  { name: "incomplete", description: "the same as length, by the name of the Responses dialect" },
  { name: "content-filter", description: "the answer is cut by a filter" },
  { name: "failed", description: "response.failed; on chat surfaces an error in the stream" },
  {
    name: "error-event",
    description: "the event `error` of the Responses dialect; on chat surfaces an error object",
  },
  { name: "text", description: "text only, even if tools are offered" },
  { name: "two", description: "two tool calls in one turn" },
  { name: "interleave", description: "two tool calls whose fragments alternate" },
  { name: "no-ids", description: "tool calls without ids" },
  { name: "object-arguments", description: "a tool call's arguments are an object, not a string" },
  {
    name: "late-arguments",
    description: "arguments stand only in the closing events of the Responses dialect",
  },
  { name: "pairs", description: "response.created and response.completed come in two pairs" },
  { name: "untidy", description: "foreign item ids, shared output_index, items closing late" },
  { name: "tidy", description: "none of that, whatever the family usually does" },
  { name: "chat-chunks", description: "chat completion chunks answer a Responses request" },
  { name: "top-level-delta", description: "empty choices, and a delta at the top level" },
  { name: "minimal", description: "chunks with nothing but choices[0].delta" },
  {
    name: "bad-usage",
    description: "usage on every chunk, with nulls, fractions and texts in it",
  },
  { name: "bad-ids", description: "id null or a number, created a text" },
  { name: "framing", description: "another layout of the bytes", value: "a name in FRAMINGS" },
  { name: "bom", description: "a byte order mark stands before the first event" },
  { name: "bytes", description: "every byte is a chunk of its own" },
  { name: "burst", description: "all events leave in one chunk" },
  { name: "long", description: "so many words of text", value: "1 to 20000, default 2000" },
  { name: "slow", description: "ten times the usual time between events" },
  { name: "silent", description: "a pause after the first event", value: "seconds, default 20" },
  { name: "hang", description: "a pause before the status line", value: "seconds, default 20" },
  { name: "json-for-stream", description: "a whole completion answers a streaming request" },
  { name: "stream-for-json", description: "a stream answers a request that wants none" },
  { name: "html", description: "502 with a load balancer's HTML page" },
  { name: "ip-acl", description: "403: the source address is blocked" },
  { name: "401", description: "401: the token has expired" },
  { name: "403", description: "403: not enabled for the workspace, a rate limit of 0" },
  { name: "413", description: "413: the request is too large" },
  { name: "429", description: "429, queries per second, without Retry-After" },
  { name: "429-once", description: "429 for the first such request of a model, then an answer" },
  { name: "429-retry-after", description: "429, input tokens per minute, with Retry-After: 15" },
  { name: "500", description: "500 with an internal error" },
  { name: "503", description: "503, temporarily unavailable" },
  { name: "503-once", description: "503 for the first such request of a model, then an answer" },
  { name: "504", description: "504 as plain text" },
];

/** The directives of one request: name and value (`""` where none was given). */
export type Directives = ReadonlyMap<string, string>;

const DIRECTIVE = /\[\[\s*sim:\s*([^\]]*)\]\]/g;

/**
 * Reads the directives in a text. Names that are not in {@linkcode SCENARIOS} are passed over.
 *
 * @param text The last user message.
 * @returns The directives by name.
 *
 * @example
 * ```ts
 * import { parseDirectives } from "./scenarios.ts";
 *
 * const directives = parseDirectives("Hello [[sim: slow, silent=2]]");
 * if (!directives.has("slow") || directives.get("silent") !== "2") throw new Error("unexpected");
 * ```
 */
export function parseDirectives(text: string): Directives {
  const directives = new Map<string, string>();
  for (const [, list] of text.matchAll(DIRECTIVE)) {
    for (const item of list.split(",")) {
      const [name, ...value] = item.trim().split("=");
      if (SCENARIOS.some((scenario) => scenario.name === name)) {
        directives.set(name, value.join("=").trim());
      }
    }
  }
  return directives;
}

/**
 * Takes the directives out of a text, for an answer that quotes it.
 *
 * @param text A text that may hold directives.
 * @returns The text without them.
 *
 * @example
 * ```ts
 * import { withoutDirectives } from "./scenarios.ts";
 *
 * if (withoutDirectives("Hello [[sim: slow]]") !== "Hello") throw new Error("unexpected");
 * ```
 */
export function withoutDirectives(text: string): string {
  return text.replaceAll(DIRECTIVE, "").trim();
}

/**
 * The number that a directive carries.
 *
 * @param directives The directives of the request.
 * @param name Which one.
 * @param fallback What holds where no number was given.
 * @param most The largest number that is accepted, so that every answer ends in time.
 * @returns A number from 0 to `most`.
 *
 * @example
 * ```ts
 * import { numberIn, parseDirectives } from "./scenarios.ts";
 *
 * if (numberIn(parseDirectives("[[sim: silent=2]]"), "silent", 20, 60) !== 2) throw new Error();
 * ```
 */
export function numberIn(
  directives: Directives,
  name: string,
  fallback: number,
  most: number,
): number {
  const text = directives.get(name);
  const number = text ? Number(text) : fallback;
  return Number.isFinite(number) ? Math.min(Math.max(number, 0), most) : fallback;
}
