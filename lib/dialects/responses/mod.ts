/**
 * The Responses dialect: clients and surfaces that speak OpenAI's Responses API.
 *
 * | | request | stream | whole answer |
 * |---|---|---|---|
 * | any client, this surface | {@linkcode encodeRequest} | {@linkcode ResponsesDecoder} | {@linkcode decodeBody} |
 * | this client, this surface | {@linkcode passRequest} | {@linkcode ResponsesNormalizer} | the same |
 * | this client, any surface | {@linkcode decodeRequest} | {@linkcode ResponsesEncoder} | the same |
 *
 * Here belongs everything about the format of the Responses API. What a model or a gateway refuses beyond
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
