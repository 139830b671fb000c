/**
 * OpenAI's chat completions: the hub itself, and so the identity on both sides. What a request must lose
 * is in `adapt/`, and what makes chunks strict in `enrich/`.
 *
 * @module
 */

import type { BridgeError } from "../../errors.ts";
import { isObject, type JsonObject, toJson } from "../../json.ts";
import type { ClientDialect, StreamEncoder, SurfaceDialect } from "../dialect.ts";
import { parseChat } from "./parse.ts";
import { encodeChat } from "./request.ts";

/** The end of every complete chat stream. */
export const DONE = "data: [DONE]\n\n";

/** A comment line: clients skip it, and every connection on the way stays awake. */
const COMMENT = ": fd-bridge keeps the connection open\n\n";

/**
 * Chunks as server-sent events. There is no `[DONE]` after an error: a client that overlooks the error
 * must not take the stream for a complete one.
 */
const ENCODER: StreamEncoder = {
  chunk: (chunk) => `data: ${toJson(chunk)}\n\n`,
  end: () => DONE,
  error: (error) => `data: ${toJson(error.toEvent())}\n\n`,
  heartbeat: COMMENT,
};

/** The client side of chat completions. */
export const chatClient: ClientDialect = {
  name: "chat",
  parseRequest: parseChat,
  decodeRequest: (body) => body,
  encoder: () => ENCODER,
  encodeAnswer: (completion) => completion,
  encodeError: (error: BridgeError) => error.toBody(),
};

/** The surface side of chat completions. */
export const chatSurface: SurfaceDialect = {
  name: "chat",
  encodeRequest: encodeChat,
  isEvent: (event: JsonObject) => Array.isArray(event.choices) || isObject(event.delta),
  decoder: () => ({ event: (event) => [event] }),
  isAnswer: (body: JsonObject) => body.object === "chat.completion",
  decodeAnswer: (body) => body,
};
