/**
 * The two sides of the Responses dialect, as the bridge's other rooms see them.
 *
 * @module
 */

import { BridgeError } from "../../errors.ts";
import { isObject, type JsonObject } from "../../json.ts";
import type {
  CallScope,
  ClientDialect,
  DialectContext,
  EncodedRequest,
  SseEvent,
  SurfaceDialect,
  Target,
} from "../dialect.ts";
import { completionChunk } from "../completion_chunk.ts";
import { decodeBody, isResponsesBody } from "./body.ts";
import { decodeRequest } from "./chat_request.ts";
import { ResponsesEncoder } from "./encoder.ts";
import { isResponsesEvent } from "./events.ts";
import { ResponsesNormalizer } from "./normalizer.ts";
import { parseRequest } from "./parse.ts";
import { passRequest } from "./pass.ts";
import { cleanName } from "./read.ts";
import type { ResponsesReaderOptions } from "./reader.ts";
import { encodeRequest, RESPONSES_FIELDS } from "./request.ts";
import { ResponsesDecoder } from "./stream.ts";
import { ToolNames } from "./tools.ts";

/** The names of the tools that a request offers, in either dialect; undefined without a request. */
function offeredBy(request: JsonObject | undefined): ReadonlySet<string> | undefined {
  if (request === undefined) return undefined;
  const names = new Set(new ToolNames(request.tools).names);
  for (const tool of Array.isArray(request.tools) ? request.tools : []) {
    for (const kind of ["function", "custom"]) {
      const body = isObject(tool) ? tool[kind] : undefined;
      if (isObject(body) && typeof body.name === "string") names.add(cleanName(body.name));
    }
    // Messages have the name beside a schema, with or without a type.
    if (isObject(tool) && typeof tool.name === "string") names.add(cleanName(tool.name));
    const declared = isObject(tool) ? tool.functionDeclarations : undefined;
    for (const definition of Array.isArray(declared) ? declared : []) {
      if (isObject(definition) && typeof definition.name === "string") names.add(definition.name);
    }
  }
  for (const definition of Array.isArray(request.functions) ? request.functions : []) {
    if (isObject(definition) && typeof definition.name === "string") names.add(definition.name);
  }
  return names;
}

function readerOptions(context: DialectContext): ResponsesReaderOptions {
  const offered = offeredBy(context.request);
  return {
    model: context.model,
    ...(context.calls === undefined ? {} : { memory: context.calls }),
    ...(offered === undefined ? {} : { offered }),
  };
}

/**
 * The events that a whole answer stands for, for {@linkcode SurfaceDialect.normalizer}: a plain JSON answer
 * to a request for a stream.
 *
 * @param body A `response`, a `chat.completion`, or an error.
 */
export function answerEvents(body: JsonObject, context: DialectContext): SseEvent[] {
  const value = !isResponsesBody(body) && Array.isArray(body.choices)
    ? responsesClient.encodeAnswer(body, context)
    : body;
  return [{ type: "json", value }, { type: "done" }];
}

/** The surface side of the Responses API. */
export const responsesSurface: Required<Omit<SurfaceDialect, "pathFor">> = {
  name: "responses",
  encodeRequest(request: JsonObject, _target: Target, calls?: CallScope): EncodedRequest {
    const dropped = RESPONSES_FIELDS.filter(({ field, to }) =>
      to === undefined && request[field] !== undefined
    ).map(({ field }) => field);
    return { body: encodeRequest(request, { memory: calls }), dropped };
  },
  passRequest,
  isEvent: isResponsesEvent,
  decoder: (context: DialectContext) => new ResponsesDecoder(readerOptions(context)),
  isAnswer: isResponsesBody,
  decodeAnswer: (body: JsonObject, context: DialectContext) =>
    decodeBody(body, readerOptions(context)),
  normalizer: (context: DialectContext): ResponsesNormalizer => new ResponsesNormalizer(context),
  normalizeAnswer(body: JsonObject, context: DialectContext): JsonObject {
    const normalizer = new ResponsesNormalizer(context);
    for (const event of answerEvents(body, context)) normalizer.event(event);
    const { outcome: { error }, answer } = normalizer;
    if (error !== undefined) throw error;
    if (answer !== undefined) return answer;
    throw new BridgeError("gateway", "The gateway's answer is no response of the Responses API.");
  },
};

/** Clients of the Responses API: Codex, the openai SDK's `responses`, ForgeCode's `openai_responses_compatible`. */
export const responsesClient: ClientDialect = {
  name: "responses",
  parseRequest,
  decodeRequest,
  encoder: (context: DialectContext): ResponsesEncoder => new ResponsesEncoder(context),
  encodeAnswer(completion: JsonObject, context: DialectContext): JsonObject {
    const encoder = new ResponsesEncoder(context);
    encoder.chunk(completionChunk(completion));
    encoder.end();
    if (encoder.cutOff !== undefined) throw encoder.cutOff;
    return encoder.response!;
  },
  encodeError: (error: BridgeError): JsonObject => ({ ...error.toBody() }),
};
