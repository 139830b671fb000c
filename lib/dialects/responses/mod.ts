/**
 * The Responses dialect: what a surface that speaks OpenAI's Responses API is sent for a chat
 * completions request, and what its answers mean.
 *
 * | chat completions | | Responses API |
 * |---|---|---|
 * | request body | {@linkcode encodeRequest} → | request body |
 * | chunks | ← {@linkcode ResponsesDecoder} | `response.*` events |
 * | `chat.completion` | ← {@linkcode decodeBody} | `response` |
 *
 * @module
 */

export {
  encodeRequest,
  type EncodeRequestOptions,
  RESPONSES_FIELDS,
  type ResponsesField,
} from "./request.ts";
export { isResponsesEvent } from "./events.ts";
export { ResponsesDecoder, type ResponsesDecoderOptions } from "./stream.ts";
export { decodeBody, type DecodeBodyOptions, isResponsesBody } from "./body.ts";
