/**
 * A whole answer of the Responses API as a chat completion.
 *
 * @module
 */

import { isObject, type JsonObject } from "../../json.ts";
import { ResponsesDecoder, type ResponsesDecoderOptions } from "./stream.ts";

/** How {@linkcode decodeBody} goes about it. */
export type DecodeBodyOptions = ResponsesDecoderOptions;

/**
 * Whether a JSON body is an answer of the Responses API.
 *
 * @example
 * ```ts
 * import { isResponsesBody } from "./body.ts";
 *
 * if (!isResponsesBody({ object: "response", output: [] })) throw new Error("expected yes");
 * if (isResponsesBody({ object: "chat.completion", choices: [] })) throw new Error("expected no");
 * ```
 */
export function isResponsesBody(body: JsonObject): boolean {
  return body.object === "response";
}

/**
 * Translates a whole Responses answer into a chat completion, by the rules of the stream: an answer
 * is a stream that has only its last event.
 *
 * Fields that only a strict client needs may be missing. A failed or cancelled answer, and one that
 * isn't finished (`queued`, `in_progress`), gives `{error: {message, type, code}}`.
 *
 * @example
 * ```ts
 * import { decodeBody } from "./body.ts";
 *
 * const completion = decodeBody({
 *   object: "response",
 *   status: "completed",
 *   output: [{ type: "message", content: [{ type: "output_text", text: "Hi" }] }],
 * });
 * if (!JSON.stringify(completion).includes('"content":"Hi"')) throw new Error("expected the text");
 * ```
 */
export function decodeBody(response: JsonObject, options: DecodeBodyOptions = {}): JsonObject {
  if (response.status === "queued" || response.status === "in_progress") {
    const message =
      `The answer is still "${response.status}", expected a finished one: send the request without "background".`;
    return { error: { message, type: "upstream_error", code: "server_error" } };
  }
  const chunks = new ResponsesDecoder(options).event({ type: "response.completed", response });
  const message: JsonObject = { role: "assistant", content: null };
  const calls: JsonObject[] = [];
  let completion: JsonObject = {};
  let finishReason: unknown = null;

  for (const chunk of chunks) {
    if (chunk.error !== undefined) return chunk;
    const { choices, ...head } = chunk;
    completion = { ...completion, ...head };
    for (const { delta, finish_reason } of choices as ChunkChoice[]) {
      finishReason = finish_reason ?? finishReason;
      for (const field of ["content", "refusal", "reasoning_content"]) {
        const text = delta[field];
        if (typeof text === "string") message[field] = `${message[field] ?? ""}${text}`;
      }
      for (const { index, ...piece } of delta.tool_calls ?? []) appendCall(calls, index, piece);
    }
  }
  if (calls.length > 0) message.tool_calls = calls;
  else message.content ??= "";
  const choices = [{ index: 0, message, finish_reason: finishReason }];
  return { object: "chat.completion", ...completion, choices };
}

/** What {@linkcode ResponsesDecoder} writes into a chunk. */
interface ChunkChoice {
  delta: JsonObject & { tool_calls?: (JsonObject & { index: number })[] };
  finish_reason: string | null;
}

function appendCall(calls: JsonObject[], index: number, piece: JsonObject): void {
  const call = calls[index];
  if (call === undefined) {
    calls[index] = piece;
    return;
  }
  if (!isObject(call.function) || !isObject(piece.function)) return;
  const text = `${call.function.arguments}${piece.function.arguments}`;
  calls[index] = { ...call, function: { ...call.function, arguments: text } };
}
