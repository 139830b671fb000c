/**
 * What must be true of a stream that leaves the bridge, given the stream that came in.
 *
 * @module
 */

import { readAsForge } from "./forge_reader.ts";
import { assertStrictStream, type StrictToolCall } from "./strict_stream.ts";

/** A tool call that must come out. */
export interface ExpectedToolCall {
  /** The id, where the gateway gave one that must be kept. */
  id?: string;
  /** The tool's name. */
  name: string;
  /** The arguments: JSON text, compared by value. */
  arguments: string;
}

/** What must come out; also the shape of the files beside the streams in `tests/fixtures/streams`. */
export interface Expected {
  /** The whole text; in a stream that ends in an error, the text up to there. */
  content: string;
  /** The whole reasoning text; left out, it isn't compared. */
  reasoning?: string;
  /** The tool calls in order of their first fragment; left out, they aren't compared. */
  toolCalls?: ExpectedToolCall[];
  /** One of OpenAI's five; left out where the stream ends in an error. */
  finishReason?: string;
  /** Whether the stream ends in `[DONE]` or in an error event. */
  end: "clean" | "error";
  /** Words that the error's message must have. */
  errorIncludes?: string;
  /** The tokens that must be known at the end; left out, they aren't compared. */
  usage?: { prompt_tokens: number; completion_tokens: number; total_tokens: number };
  /** A signature that must be kept in `reasoning_details`. */
  signature?: string;
  /** Set where characters outside the basic plane may come out as replacement characters. */
  lossy?: boolean;
}

/**
 * Holds a stream that left the bridge against what was expected, the bridge's own contract and the
 * model of ForgeCode's reader: no lost chunk, no hard error, no runaway but a true `length`.
 *
 * @param output The whole stream.
 * @param expected What must be true of it.
 * @returns One line for each thing that isn't; none if all is well.
 *
 * @example
 * ```ts
 * import { violations } from "./expectations.ts";
 *
 * const found = violations("data: [DONE]\n\n", { content: "Hi", finishReason: "stop", end: "clean" });
 * if (found.length === 0) throw new Error("an empty stream is no answer");
 * ```
 */
export function violations(output: Uint8Array | string, expected: Expected): string[] {
  return [...contractViolations(output, expected), ...readerViolations(output, expected)];
}

function contractViolations(output: Uint8Array | string, expected: Expected): string[] {
  let stream;
  try {
    stream = assertStrictStream(output);
  } catch (error) {
    return [`contract: ${(error as Error).message}`];
  }
  const found = [
    ...compare("end", stream.end, expected.end),
    ...compareText("content", stream.content, expected.content, expected.lossy),
  ];
  if (expected.reasoning !== undefined) {
    found.push(...compareText("reasoning", stream.reasoning, expected.reasoning, expected.lossy));
  }
  if (expected.toolCalls !== undefined) {
    found.push(...compareCalls(stream.toolCalls, expected.toolCalls));
  }
  if (expected.end === "clean") {
    found.push(...compare("finish_reason", stream.finishReason, expected.finishReason));
  }
  const words = expected.errorIncludes;
  if (words !== undefined && !stream.error?.message.includes(words)) {
    found.push(`error: expected the words "${words}", found "${stream.error?.message}"`);
  }
  return found;
}

function readerViolations(output: Uint8Array | string, expected: Expected): string[] {
  const verdict = readAsForge(output);
  const found: string[] = [];
  if (verdict.lostChunks > 0) found.push(`ForgeCode lost ${verdict.lostChunks} chunks`);
  if (verdict.message.startsWith("Failed to parse")) found.push(`ForgeCode: ${verdict.message}`);
  found.push(...verdict.problems.map((problem) => `ForgeCode: ${problem}`));
  const outcome = expected.end === "error"
    ? "error"
    : expected.finishReason === "content_filter"
    ? "refusal"
    : expected.finishReason === "length" && verdict.toolCalls.length === 0
    ? "runaway"
    : "done";
  found.push(...compare("ForgeCode's outcome", verdict.outcome, outcome));
  const { usage, signature } = expected;
  if (usage !== undefined) {
    found.push(...compare("prompt tokens", verdict.usage?.prompt, usage.prompt_tokens));
    found.push(...compare("completion tokens", verdict.usage?.completion, usage.completion_tokens));
    found.push(...compare("total tokens", verdict.usage?.total, usage.total_tokens));
  }
  if (signature !== undefined) {
    const signatures = verdict.reasoningDetails.map((detail) => detail.signature);
    if (!signatures.includes(signature)) found.push(`signature: expected ${signature} to be kept`);
  }
  if (expected.end === "clean") {
    found.push(
      ...compareText("ForgeCode's content", verdict.content, expected.content, expected.lossy),
    );
    if (expected.toolCalls !== undefined) {
      found.push(...compareCalls(verdict.toolCalls, expected.toolCalls));
    }
  }
  return found;
}

function compare(what: string, found: unknown, expected: unknown): string[] {
  if (found === expected) return [];
  return [`${what}: expected ${JSON.stringify(expected)}, found ${JSON.stringify(found)}`];
}

function compareText(what: string, found: string, expected: string, lossy = false): string[] {
  const plain = (text: string) => lossy ? text.replace(/[\uD800-\uDFFF\uFFFD]/g, "") : text;
  return compare(what, plain(found), plain(expected));
}

function compareCalls(
  found: readonly { id: string | null; name: string; arguments: string }[] | StrictToolCall[],
  expected: readonly ExpectedToolCall[],
): string[] {
  const wrong = compare("number of tool calls", found.length, expected.length);
  for (const [at, call] of expected.entries()) {
    const other = found[at];
    if (other === undefined) break;
    wrong.push(...compare(`tool call ${at}'s name`, other.name, call.name));
    wrong.push(
      ...compare(`tool call ${at}'s arguments`, byValue(other.arguments), byValue(call.arguments)),
    );
    if (call.id !== undefined) wrong.push(...compare(`tool call ${at}'s id`, other.id, call.id));
  }
  return wrong;
}

/** The arguments in one spelling; text that isn't JSON stands for itself. */
function byValue(text: string): string {
  try {
    return JSON.stringify(text === "" ? {} : JSON.parse(text));
  } catch {
    return text;
  }
}
