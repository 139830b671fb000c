/**
 * The Gemini dialect: clients and surfaces that speak Google's `generateContent`, such as Gemini CLI.
 *
 * @module
 */

import type { JsonObject } from "../../json.ts";
import type { ClientDialect, DialectContext, SurfaceDialect } from "../dialect.ts";
import { countTokens } from "./count_tokens.ts";
import { decodeAnswer, GeminiDecoder, isGemini } from "./decoder.ts";
import { encodeAnswer, GeminiEncoder } from "./encoder.ts";
import { errorBody } from "./error.ts";
import { GeminiNormalizer } from "./normalizer.ts";
import { decodeRequest, parseRequest } from "./request.ts";
import { encodeRequest, passRequest, pathFor } from "./surface_request.ts";

export { countTokens, encodeRequest, GeminiDecoder, GeminiEncoder, GeminiNormalizer };

/** Clients of Google's. */
export const geminiClient: ClientDialect = {
  name: "gemini",
  parseRequest,
  decodeRequest,
  encoder: (context: DialectContext): GeminiEncoder => new GeminiEncoder(context),
  encodeAnswer,
  encodeError: errorBody,
};

/** The surface side: `/gemini/v1beta`. */
export const geminiSurface: Required<SurfaceDialect> = {
  name: "gemini",
  encodeRequest,
  passRequest,
  pathFor,
  isEvent: isGemini,
  decoder: (context: DialectContext): GeminiDecoder => new GeminiDecoder(context),
  isAnswer: () => false,
  decodeAnswer,
  normalizer: (context: DialectContext): GeminiNormalizer => new GeminiNormalizer(context),
  normalizeAnswer(body: JsonObject, context: DialectContext): JsonObject {
    const normalizer = new GeminiNormalizer(context);
    normalizer.event({ type: "json", value: body });
    normalizer.end();
    const { error } = normalizer.outcome;
    if (error) throw error;
    return normalizer.answer!;
  },
};
