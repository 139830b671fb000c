/**
 * The Messages dialect: clients and surfaces that speak Anthropic's Messages API, such as Claude Code and
 * ForgeCode's `anthropic_compatible`.
 *
 * | | request | stream | whole answer |
 * |---|---|---|---|
 * | any client, this surface | {@linkcode encodeRequest} | {@linkcode MessagesDecoder} | {@linkcode decodeMessage} |
 * | this client, this surface | {@linkcode passRequest} | {@linkcode MessagesNormalizer} | the same |
 * | this client, any surface | {@linkcode decodeRequest} | {@linkcode MessagesEncoder} | {@linkcode encodeAnswer} |
 *
 * @module
 */

import { BridgeError } from "../../errors.ts";
import type { JsonObject } from "../../json.ts";
import type { ClientDialect, DialectContext, SurfaceDialect } from "../dialect.ts";
import { countTokens } from "./count_tokens.ts";
import { decodeMessage, isMessage, isMessagesEvent, MessagesDecoder } from "./decoder.ts";
import { encodeAnswer, MessagesEncoder } from "./encoder.ts";
import { encodeError } from "./error.ts";
import { MessagesNormalizer } from "./normalizer.ts";
import { decodeRequest, parseRequest } from "./request.ts";
import { encodeRequest, passRequest } from "./surface_request.ts";

export {
  countTokens,
  decodeMessage,
  decodeRequest,
  encodeAnswer,
  encodeRequest,
  MessagesDecoder,
  MessagesEncoder,
  MessagesNormalizer,
  passRequest,
};

/** Clients of Anthropic's. */
export const messagesClient: ClientDialect = {
  name: "messages",
  parseRequest,
  decodeRequest,
  encoder: (context: DialectContext): MessagesEncoder => new MessagesEncoder(context),
  encodeAnswer,
  encodeError,
};

/** The surface side: `/anthropic/v1/messages`. */
export const messagesSurface: Required<Omit<SurfaceDialect, "pathFor">> = {
  name: "messages",
  encodeRequest,
  passRequest,
  isEvent: isMessagesEvent,
  decoder: (context: DialectContext): MessagesDecoder => new MessagesDecoder(context),
  isAnswer: isMessage,
  decodeAnswer: decodeMessage,
  normalizer: (context: DialectContext): MessagesNormalizer => new MessagesNormalizer(context),
  normalizeAnswer(body: JsonObject, context: DialectContext): JsonObject {
    // A surface may answer in another dialect than it is asked in (`gateway.md`, "Surfaces").
    if (Array.isArray(body.choices)) return encodeAnswer(body, context);
    const normalizer = new MessagesNormalizer(context);
    normalizer.event({ type: "json", value: body });
    const { outcome: { error }, answer } = normalizer;
    if (error !== undefined) throw error;
    if (answer !== undefined) return answer;
    throw new BridgeError("gateway", "The gateway's answer is no message of the Messages API.");
  },
};
