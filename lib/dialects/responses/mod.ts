/**
 * The Responses dialect: clients and surfaces that speak OpenAI's Responses API.
 *
 * | | request | stream | whole answer |
 * |---|---|---|---|
 * | any client, this surface | {@linkcode encodeRequest} | {@linkcode ResponsesDecoder} | {@linkcode decodeBody} |
 * | this client, this surface | {@linkcode passRequest} | {@linkcode ResponsesNormalizer} | the same |
 * | this client, any surface | {@linkcode decodeRequest} | {@linkcode ResponsesEncoder} | the same |
 *
 * Here belongs whatever is written in the Responses API's words. What a model or a gateway refuses beyond
 * the API itself is in `adapt/`; what makes chat chunks strict is in `enrich/`.
 *
 * @module
 */

export { answerEvents, responsesClient, responsesSurface } from "./dialect.ts";
export {
  encodeRequest,
  type EncodeRequestOptions,
  RESPONSES_FIELDS,
  type ResponsesField,
} from "./request.ts";
export { passRequest, PASSTHROUGH_FIELDS } from "./pass.ts";
export { decodeRequest } from "./chat_request.ts";
export { isResponsesEvent } from "./events.ts";
export { ResponsesDecoder, type ResponsesDecoderOptions } from "./stream.ts";
export { ResponsesNormalizer } from "./normalizer.ts";
export { ResponsesEncoder } from "./encoder.ts";
export { decodeBody, type DecodeBodyOptions, isResponsesBody } from "./body.ts";

import { checkFields, isBoolean, isCount, isString, wrongType } from "../check.ts";
import type { ClientDialect, StreamCore, SurfaceDialect } from "../dialect.ts";
import { BridgeError } from "../../errors.ts";
import { gatewayError, isErrorBody } from "../../gateway/errors.ts";
import { isAnswerPiece, isObject, type JsonObject } from "../../json.ts";
import { decodeBody, isResponsesBody } from "./body.ts";
import { isResponsesEvent } from "./events.ts";
import { encodePassthrough } from "./passthrough.ts";
import { encodeRequest } from "./request.ts";
import { ResponsesDecoder } from "./stream.ts";

export const responsesClient: ClientDialect = {
  name: "responses",
  parseRequest(body) {
    checkFields(body, {
      stream: { expected: "true or false", fits: isBoolean },
      max_output_tokens: { expected: "a whole number from 1 on", fits: isCount },
    }, "");
    if (!isString(body.input) && !Array.isArray(body.input)) {
      throw wrongType("input", "a string or an array", body.input);
    }
    return { model: body.model as string, stream: body.stream === true };
  },
  decodeRequest: (body) => body,
  encoder: () => ({
    chunk: () => "",
    end: () => "",
    error: () => "",
    heartbeat: ": fd-bridge keeps the connection open\n\n",
  }),
  encodeAnswer: (completion) => completion,
  encodeError: (error) => error.toBody(),
};

export const responsesSurface: SurfaceDialect = {
  name: "responses",
  encodeRequest: (request, _target, calls) => ({
    body: encodeRequest(request, { memory: calls as never }),
    dropped: [],
  }),
  passRequest: (body) => ({ body: encodePassthrough(body), dropped: [] }),
  isEvent: isResponsesEvent,
  decoder: ({ calls, model }) => new ResponsesDecoder({ memory: calls as never, model }),
  isAnswer: isResponsesBody,
  decodeAnswer: (body, { calls, model }) => decodeBody(body, { memory: calls as never, model }),
  normalizer: ({ secrets }) => new OldTranslator(secrets),
  normalizeAnswer: (body) => body,
};
class OldTranslator implements StreamCore {
  readonly heartbeat = "";
  ended = false;
  finished = false;
  usage: JsonObject | undefined;
  error: BridgeError | undefined;
  constructor(readonly secrets: readonly string[] = []) {}
  get outcome() {
    return { finishReason: undefined, usage: this.usage, error: this.error, spoke: true };
  }
  event(event: import("../dialect.ts").SseEvent): string {
    if (this.ended) return "";
    if (event.type === "done") return this.end();
    if (event.type === "malformed") {
      return isAnswerPiece(event.text)
        ? this.end()
        : this.#fail(gatewayError(200, event.text, { secrets: this.secrets }));
    }
    const { value } = event;
    if (typeof value.type !== "string" && isErrorBody(value)) {
      return this.#fail(gatewayError(200, value, { secrets: this.secrets }));
    }
    const type = typeof value.type === "string" ? value.type : "message";
    if (type === "response.created") this.finished = false;
    if (["response.completed", "response.incomplete", "response.failed", "error"].includes(type)) {
      this.finished = true;
    }
    if (isObject(value.response) && isObject(value.response.usage)) {
      this.usage = value.response.usage;
    }
    return `event: ${type}\ndata: ${JSON.stringify(value)}\n\n`;
  }
  end(cause?: unknown): string {
    if (this.ended) return "";
    this.ended = true;
    if (this.finished) return "";
    return this.#fail(
      cause instanceof BridgeError ? cause : new BridgeError(
        "interrupted",
        "The gateway's stream broke off before the response was complete: it is cut off here.",
        { code: "stream_interrupted", cause },
      ),
    );
  }
  #fail(error: BridgeError): string {
    this.ended = true;
    this.error = error;
    const { message, code, param } = error;
    return `event: error\ndata: ${JSON.stringify({ type: "error", code, message, param })}\n\n`;
  }
}
