/**
 * A strict model of ForgeCode's reader: what the client makes of an answer, byte for byte, and what
 * that costs. Facts from `forgecode.md`, checked against the client's source and that of its event
 * stream library. Where the two differ, `forgecode.md` (seen in runs) wins.
 *
 * @module
 */

import { frame } from "./event_stream.ts";
import { CHOICE_SHAPES, EVENT_SHAPES } from "./forge_shapes.ts";
import {
  type ForgeToolCall,
  joinToolCalls,
  type ToolCallFragment,
  toolCallProblems,
} from "./forge_tool_calls.ts";
import type { ForgeHead, ForgeReasoningDetail, ForgeUsage, ForgeVerdict } from "./forge_verdict.ts";
import { isMap, type Json, type JsonMap, readJson } from "./json.ts";

export { type ForgeModel, type ForgeModels, readModelsAsForge } from "./forge_models.ts";
export { assertStrictStream, type StrictStream } from "./strict_stream.ts";
export type { ForgeToolCall } from "./forge_tool_calls.ts";
export type { ForgeHead, ForgeReasoningDetail, ForgeUsage, ForgeVerdict } from "./forge_verdict.ts";

/** Statuses and codes that the client tries again (`forgecode.md`). */
export const RETRIED_STATUSES: ReadonlySet<number> = new Set(
  [408, 429, 500, 502, 503, 504, 520, 522, 524, 529],
);

/** Words in an error's code that the client tries again. */
export const RETRIED_CODES: ReadonlySet<string> = new Set(
  [
    "server_error",
    "server_is_overloaded",
    "overloaded_error",
    "ERR_STREAM_PREMATURE_CLOSE",
    "ECONNRESET",
    "ETIMEDOUT",
  ],
);

/** The finish reasons that the client knows, and what it makes of them. */
export const FINISH_REASONS: Readonly<Record<string, string>> = {
  stop: "stop",
  end_turn: "stop",
  length: "length",
  content_filter: "content_filter",
  tool_calls: "tool_calls",
};

const RETRY_TRIES = 9;
const RUNAWAY_TRIES = 100;

/** Ends the read: the client drops everything that came before. */
class ReadError extends Error {
  constructor(message: string, readonly retried: boolean) {
    super(message);
  }
}

/** What the chunks add up to. */
interface Turn {
  content: string;
  reasoning: string;
  details: ForgeReasoningDetail[];
  wholeCalls: ForgeToolCall[];
  fragments: ToolCallFragment[];
  usage?: ForgeUsage;
  finishReason?: string;
  finishedAt?: number;
  signature?: string;
  lostChunks: number;
  problems: string[];
}

/**
 * Reads an answer to a streaming request as ForgeCode does.
 *
 * @param body The whole body.
 * @param head The answer's head; left out, it is what the client expects.
 * @returns What the client makes of it. Never throws.
 *
 * @example
 * ```ts
 * import { readAsForge } from "./forge_reader.ts";
 *
 * const verdict = readAsForge('data: {"choices":[{"delta":{"content":"Hi"}}]}\n\n');
 * if (verdict.outcome !== "empty" || verdict.lostChunks !== 1) throw new Error("it has no id");
 * ```
 */
export function readAsForge(body: Uint8Array | string, head: ForgeHead = {}): ForgeVerdict {
  const turn: Turn = {
    content: "",
    reasoning: "",
    details: [],
    wholeCalls: [],
    fragments: [],
    lostChunks: 0,
    problems: [],
  };
  try {
    checkHead(head, body);
    readEvents(body, turn);
    if (head.broken) throw new ReadError("Transport error: the connection broke", true);
  } catch (error) {
    if (!(error instanceof ReadError)) throw error;
    return verdict(turn, "error", error.message, error.retried ? RETRY_TRIES : 1);
  }
  turn.problems.push(...toolCallProblems(turn.fragments));
  return conclude(turn);
}

function checkHead(head: ForgeHead, body: Uint8Array | string): void {
  const { status = 200, contentType = "text/event-stream", contentEncoding } = head;
  if (status !== 200) {
    const text = typeof body === "string" ? body : new TextDecoder().decode(body);
    throw new ReadError(`${status} Reason: ${text}`, RETRIED_STATUSES.has(status));
  }
  const essence = (contentType ?? "").split(";")[0].trim().toLowerCase();
  if (essence !== "text/event-stream") {
    throw new ReadError(`Http Status: 200, invalid content type ${contentType}`, false);
  }
  if (contentEncoding && contentEncoding.toLowerCase() !== "identity") {
    throw new ReadError(`The body is compressed (${contentEncoding}), which is not decoded`, false);
  }
}

function readEvents(body: Uint8Array | string, turn: Turn): void {
  const { data, unfinished, invalidUtf8 } = frame(body);
  let done = false;
  for (const [at, text] of data.entries()) {
    if (text === "") continue;
    if (text === "[DONE]") {
      if (done) turn.problems.push(`Event ${at}: a second [DONE]`);
      done = true;
      continue;
    }
    if (done) turn.problems.push(`Event ${at}: comes after [DONE], and is read all the same`);
    readEvent(text, at, turn);
  }
  if (unfinished !== undefined && unfinished !== "[DONE]") {
    lose(turn, `The last event is lost, its blank line is missing: ${unfinished}`);
  }
  if (invalidUtf8) throw new ReadError("UTF8 error: invalid bytes in the body", false);
}

function lose(turn: Turn, why: string): void {
  turn.lostChunks++;
  turn.problems.push(why);
}

function readEvent(text: string, at: number, turn: Turn): void {
  let value: Json;
  try {
    value = readJson(text);
  } catch (error) {
    throw new ReadError(
      `Failed to parse provider response: ${text} (${(error as Error).message})`,
      false,
    );
  }
  const wrong = EVENT_SHAPES.success(value);
  if (wrong === undefined) return readChunk(value as JsonMap, at, turn);
  if (EVENT_SHAPES.costOnly(value) === undefined) {
    return lose(turn, `Event ${at}: the chunk is silently lost: ${wrong}`);
  }
  if (EVENT_SHAPES.failure(value) === undefined) throw errorOf((value as JsonMap).error as JsonMap);
  throw new ReadError(`Failed to parse provider response: ${text} (${wrong})`, false);
}

function errorOf(error: JsonMap): ReadError {
  return new ReadError(JSON.stringify(error), isRetried(error));
}

/** Whether the client sends the request again after an error in the stream. */
export function isRetried(error: JsonMap): boolean {
  if (error.message == null && error.code == null && error.error == null) return true;
  const code = deepCode(error) ?? (error.type === "overloaded_error" ? error.type : undefined);
  if (typeof code === "number") return RETRIED_STATUSES.has(code);
  if (typeof code !== "string") return false;
  return RETRIED_CODES.has(code) || (/^\+?\d+$/.test(code) && RETRIED_STATUSES.has(Number(code)));
}

function deepCode(error: JsonMap): Json | undefined {
  if (error.code != null) return error.code;
  return isMap(error.error) ? deepCode(error.error) : undefined;
}

function readChunk(chunk: JsonMap, at: number, turn: Turn): void {
  const choices = chunk.choices as JsonMap[];
  if (chunk.error != null) lose(turn, `Event ${at}: an error beside choices is swallowed`);
  if (chunk.delta != null) lose(turn, `Event ${at}: a delta beside choices is not read`);
  if (choices.length > 1) lose(turn, `Event ${at}: only the first of its choices is read`);
  if (choices.length > 0) readChoice(choices[0], at, turn);
  if (chunk.usage != null) turn.usage = mergeUsage(turn.usage, chunk.usage as JsonMap);
}

function readChoice(choice: JsonMap, at: number, turn: Turn): void {
  if (choice.error != null) throw errorOf(choice.error as JsonMap);
  readFinishReason(choice.finish_reason, at, turn);
  if (CHOICE_SHAPES.text(choice) === undefined) {
    if (choice.delta != null) lose(turn, `Event ${at}: a text beside a delta hides the delta`);
    turn.content += choice.text;
  } else if (CHOICE_SHAPES.message(choice) === undefined) {
    readMessage(choice.message as JsonMap, at, turn, true);
  } else {
    readMessage(choice.delta as JsonMap, at, turn, false);
  }
}

function readFinishReason(reason: Json | undefined, at: number, turn: Turn): void {
  if (typeof reason !== "string") return;
  if (turn.finishReason !== undefined) turn.problems.push(`Event ${at}: a second finish_reason`);
  const known = FINISH_REASONS[reason];
  // A null or an unknown one that comes later leaves the earlier one standing.
  if (known === undefined) turn.problems.push(`Event ${at}: unknown finish_reason ${reason}`);
  else turn.finishReason = known;
  turn.finishedAt ??= at;
}

function readMessage(message: JsonMap, at: number, turn: Turn, whole: boolean): void {
  const content = (message.content ?? "") as string;
  if (content !== "" && turn.finishedAt !== undefined && turn.finishedAt < at) {
    turn.problems.push(`Event ${at}: content after the finish_reason, and it is read all the same`);
  }
  turn.content += content;
  turn.reasoning += reasoningOf(message);
  turn.signature = signatureOf(message) ?? turn.signature;
  for (const detail of (message.reasoning_details ?? []) as JsonMap[]) {
    addDetail(turn.details, detail);
  }
  for (const call of (message.tool_calls ?? []) as JsonMap[]) {
    const fragment = fragmentOf(call);
    if (whole) turn.wholeCalls.push(wholeCall(fragment));
    else turn.fragments.push(fragment);
  }
}

/** The longer of the two fields; alone, a field is taken as it is, but not if it is only white space. */
function reasoningOf(message: JsonMap): string {
  const both = [message.reasoning, message.reasoning_content].filter((text) =>
    typeof text === "string"
  ) as string[];
  if (both.length === 1) return both[0].trim() === "" ? "" : both[0];
  const [one = "", other = ""] = both.map((text) => text.trim());
  return new TextEncoder().encode(other).length > new TextEncoder().encode(one).length
    ? other
    : one;
}

function signatureOf(holder: JsonMap): string | undefined {
  const google = isMap(holder.extra_content) ? holder.extra_content.google : undefined;
  const signature = isMap(google) ? google.thought_signature : undefined;
  return typeof signature === "string" ? signature : undefined;
}

/** Joins pieces of one type, also of different indexes: the texts joined, the first signature kept. */
function addDetail(details: ForgeReasoningDetail[], piece: JsonMap): void {
  const type = piece.type as string;
  let detail = details.find((known) => known.type === type);
  if (detail === undefined) details.push(detail = { type });
  if (typeof piece.text === "string") detail.text = (detail.text ?? "") + piece.text;
  if (typeof piece.signature === "string" && piece.signature !== "") {
    detail.signature ??= piece.signature;
  }
  if (typeof piece.data === "string" && piece.data !== "") detail.data ??= piece.data;
}

function fragmentOf(call: JsonMap): ToolCallFragment {
  const { name, arguments: text } = call.function as JsonMap;
  const fragment: ToolCallFragment = { arguments: (text ?? "") as string };
  if (typeof call.id === "string") fragment.id = call.id;
  if (typeof name === "string") fragment.name = name;
  if (typeof call.index === "number") fragment.index = call.index;
  const signature = signatureOf(call);
  if (signature !== undefined) fragment.signature = signature;
  return fragment;
}

function wholeCall(fragment: ToolCallFragment): ForgeToolCall {
  if (fragment.name === undefined) throw new ReadError("Missing tool name", false);
  try {
    readJson(fragment.arguments);
  } catch (error) {
    throw new ReadError(`Tool call arguments: ${(error as Error).message}`, false);
  }
  return { id: fragment.id ?? null, name: fragment.name, arguments: fragment.arguments };
}

/** A complete usage replaces; one without prompt or completion tokens is merged, the greater wins. */
function mergeUsage(known: ForgeUsage | undefined, usage: JsonMap): ForgeUsage {
  const details = usage.prompt_tokens_details;
  const next: ForgeUsage = {
    prompt: usage.prompt_tokens as number,
    completion: usage.completion_tokens as number,
    total: usage.total_tokens as number,
    cached: isMap(details) ? details.cached_tokens as number : 0,
  };
  if (known === undefined || (next.prompt > 0 && next.completion > 0)) return next;
  return {
    prompt: Math.max(known.prompt, next.prompt),
    completion: Math.max(known.completion, next.completion),
    total: Math.max(known.total, next.total),
    cached: Math.max(known.cached, next.cached),
  };
}

function conclude(turn: Turn): ForgeVerdict {
  const calls = [...turn.wholeCalls, ...joinToolCalls(turn.fragments)];
  const { content, finishReason } = turn;
  if (
    content.trim() === "" && calls.length === 0 && finishReason === undefined &&
    turn.signature === undefined
  ) {
    return verdict(turn, "empty", "Empty completion received", RETRY_TRIES);
  }
  if (finishReason === "content_filter") {
    return verdict(turn, "refusal", "The answer was filtered", 1);
  }
  if (finishReason === undefined) turn.problems.push("No finish_reason that the client knows");
  if (calls.length > 0) return verdict(turn, "done", "The turn goes on with its tool calls", 1);
  if (finishReason === "stop") return verdict(turn, "done", "The turn ends", 1);
  const why = finishReason === undefined
    ? "no finish_reason"
    : `finish_reason ${finishReason} without tool calls`;
  return verdict(turn, "runaway", `The same request goes out again: ${why}`, RUNAWAY_TRIES);
}

function verdict(
  turn: Turn,
  outcome: ForgeVerdict["outcome"],
  message: string,
  tries: number,
): ForgeVerdict {
  return {
    outcome,
    message,
    tries,
    content: turn.content,
    reasoning: turn.reasoning,
    reasoningDetails: turn.details.filter((detail) =>
      detail.text || detail.signature !== undefined || detail.data !== undefined
    ),
    toolCalls: [...turn.wholeCalls, ...joinToolCalls(turn.fragments)],
    ...(turn.usage === undefined ? {} : { usage: turn.usage }),
    ...(turn.finishReason === undefined ? {} : { finishReason: turn.finishReason }),
    lostChunks: turn.lostChunks,
    problems: turn.problems,
  };
}
