/**
 * The gateway's answer as a body to be read: piped as it comes, there already or still to come, or as the JSON
 * of a complete answer.
 *
 * @module
 */

import { BridgeError } from "./errors.ts";
import { gatewayError, isErrorBody } from "./gateway/errors.ts";
import type { GatewayAnswer } from "./gateway/gateway.ts";
import { isAnswerPiece, isObject, type JsonObject } from "./json.ts";
import type { StreamSource } from "./sse.ts";

/** The gateway's answer, once it has begun. */
export type Answer = Extract<GatewayAnswer, { ok: true }>;

/** An answer with a body that can be piped, there already or still to come. */
export interface BodySource extends StreamSource {
  /** What the gateway sends. */
  readonly body: ReadableStream<Uint8Array>;
}

/** An answer that has begun. */
export function toSource({ response, failure }: Answer): BodySource {
  return { response, failure, body: response.body ?? new Blob().stream() };
}

/** An answer that is still to come, as a body that ends with its failure. */
export function lateAnswer(answering: Promise<Answer>, controller: AbortController): BodySource {
  let answer: Answer | undefined;
  let failure: unknown;
  let reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
  const body = new ReadableStream<Uint8Array>({
    async pull(target) {
      try {
        answer ??= await answering;
        reader ??= toSource(answer).body.getReader();
        const { done, value } = await reader.read();
        if (!done) return target.enqueue(value);
      } catch (cause) {
        failure = cause;
      }
      target.close();
    },
    async cancel(reason) {
      controller.abort(reason);
      await reader?.cancel(reason);
    },
  });
  // It is told by pull(); nobody may be there to ask, and it must not end the program.
  answering.catch(() => {});
  return {
    body,
    get response() {
      return answer?.response;
    },
    failure: () => failure ?? answer?.failure(),
  };
}

/** The longest answer that is read as a whole, in bytes: 64 Mi. */
const MAX_ANSWER = 64 * 1024 * 1024;

/**
 * The JSON object of a complete answer.
 *
 * @throws {BridgeError} kind `gateway`, where it is something else, in its words; `interrupted`, where it breaks off; `overflow`, where it is too long.
 */
export async function readJson(
  { response, failure }: Answer,
  secrets: readonly string[],
): Promise<JsonObject> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const piece of response.body ?? []) {
    text += decoder.decode(piece, { stream: true });
    if (text.length > MAX_ANSWER) {
      throw new BridgeError(
        "overflow",
        `The gateway sent an answer of more than ${MAX_ANSWER} bytes.`,
      );
    }
  }
  const cause = failure();
  if (cause?.kind === "timeout") throw cause;
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    // Told below.
  }
  // A piece of an answer is not repeated in an error, and so not in the log.
  if (!isObject(body) && (cause !== undefined || isAnswerPiece(text))) throw brokenOff(cause);
  if (isObject(body) && (body.object === "response" || !isErrorBody(body))) return body;
  const { status, headers } = response;
  throw gatewayError(status, isObject(body) ? body : text, { headers, secrets });
}

function brokenOff(cause: unknown): BridgeError {
  return new BridgeError(
    "interrupted",
    "The gateway's answer broke off before it was complete. Ask again if you need it.",
    { code: "answer_interrupted", headers: { "x-should-retry": "false" }, cause },
  );
}
