/**
 * The interfaces between the bridge, its clients and the gateway's surfaces.
 *
 * OpenAI's chat completion is the hub. A **client dialect** decodes its request into a chat completions
 * request, and encodes strict chat chunks as its own events. A **surface dialect** encodes a chat
 * completions request as its own, and decodes its events into chat chunks. Where client and surface
 * speak the same dialect nothing is translated: the request passes, and a normalizer of that dialect
 * makes its events as strict as its strictest client needs them.
 *
 * A dialect is a folder beside this file and a line in `registry.ts`.
 *
 * @module
 */

import type { BridgeError } from "../errors.ts";
import type { JsonObject } from "../json.ts";

/** The dialects of clients, of surfaces, or of both. */
export type DialectName = "chat" | "responses" | "messages" | "gemini";

/** What is kept between two turns for one tool call, because its client can't carry it. */
export interface CachedCall {
  /** Whole items to send back before the call, oldest first: reasoning items, thinking blocks. */
  items?: readonly JsonObject[];
  /** Fields to put back on the call itself, such as Gemini's `thoughtSignature`. */
  fields?: JsonObject;
  /** The model that `items` came from, as the client asked for it: another can't decrypt them. */
  model?: string;
}

/** The cached tool calls of one conversation. */
export interface CallScope {
  /** What is cached for a call, or undefined. The caller must not change it. */
  get(callId: string): CachedCall | undefined;
  /** Caches something for a call; `items`, `fields` and `model` replace earlier ones, each by itself. */
  set(callId: string, value: CachedCall): void;
}

/** A request as far as every dialect's are alike. */
export interface RequestSummary {
  /** The model that the client asked for. */
  readonly model: string;
  /** Whether it asked for a stream. */
  readonly stream: boolean;
}

/** Where a request goes. */
export interface Target {
  /** The surface's path after the base; its first segment tells which surface it is. */
  readonly path: string;
  /** The model as the client asked for it. */
  readonly model: string;
  /** Whether the client asked for a stream. */
  readonly stream: boolean;
}

/** A body that is ready for the gateway. */
export interface EncodedRequest {
  /** The body; it shares what was not touched with the client's. */
  readonly body: JsonObject;
  /** The fields that were taken out, renamed or repaired, once each, for the log. */
  readonly dropped: readonly string[];
}

/** What translating one request and its answer needs to know. */
export interface DialectContext {
  /** The model as the client asked for it. */
  readonly model: string;
  /** Seconds since 1970, for an answer that has no date of its own. */
  readonly created: number;
  /** Makes an id with a prefix: `chatcmpl-…`, `call_…`, `msg_…`. */
  readonly makeId: (prefix: string) => string;
  /** What clients can't carry between two turns, for this conversation. */
  readonly calls?: CallScope;
  /** Secrets that no error may show. */
  readonly secrets?: readonly string[];
  /** The client's body as it came. */
  readonly request?: JsonObject;
}

/** Serializes strict chat chunks as the events of a client's dialect. One per stream; synchronous. */
export interface StreamEncoder {
  /** The text for one strict chunk; may be empty. */
  chunk(chunk: JsonObject): string;
  /** The text for the end of a complete answer. */
  end(): string;
  /** The text that ends a failed stream. */
  error(error: BridgeError): string;
  /** What keeps a silent connection open: a comment, or the dialect's own `ping`. */
  readonly heartbeat: string;
}

/** How clients write requests and read answers. */
export interface ClientDialect {
  /** Its name. */
  readonly name: DialectName;
  /**
   * Checks a body and returns which model it asks for.
   *
   * @param body The client's body, a JSON object.
   * @param rest What the path's pattern left open, where the path names the model.
   * @throws {BridgeError} kind `request`, with the field at fault in `param`.
   */
  parseRequest(body: JsonObject, rest: string): RequestSummary;
  /**
   * The request as a chat completions request.
   *
   * @throws {BridgeError} kind `request`, naming what chat completions have no words for.
   */
  decodeRequest(body: JsonObject, context: DialectContext): JsonObject;
  /** Begins the stream of an answer. */
  encoder(context: DialectContext): StreamEncoder;
  /** A complete `chat.completion` in the client's words. */
  encodeAnswer(completion: JsonObject, context: DialectContext): JsonObject;
  /** The body of an error's answer. */
  encodeError(error: BridgeError): JsonObject;
}

/** Turns a surface's events into chat chunks, which need not be strict yet. One per stream; synchronous. */
export interface StreamDecoder {
  /** The chunks that an event stands for; `{error: …}` is one, too. */
  event(event: JsonObject): JsonObject[];
}

/** How a stream ended, for the log, the metrics and the retry-loop guard. */
export interface StreamOutcome {
  /** The finish reason in OpenAI's words, once there is one. */
  readonly finishReason: string | undefined;
  /** The last complete token counts, in any dialect's words. */
  readonly usage: JsonObject | undefined;
  /** The error that ended the stream, if one did. */
  readonly error: BridgeError | undefined;
  /** Whether the answer has content: text, a refusal or a tool call; reasoning alone is none. */
  readonly spoke: boolean;
}

/** One event of a server-sent event stream. */
export type SseEvent =
  /** A JSON object. */
  | { readonly type: "json"; readonly value: JsonObject }
  /** `[DONE]`. */
  | { readonly type: "done" }
  /** Something that is no JSON object: cut off, or never was one. */
  | { readonly type: "malformed"; readonly text: string };

/**
 * The synchronous core of a stream: the gateway's events in, the client's text out. One implementation
 * translates through the hub; every dialect's normalizer is another.
 */
export interface StreamCore {
  /** The text for an event; may be empty. */
  event(event: SseEvent): string;
  /** The text for the end of the gateway's body; the cause is there where it broke off. Never a clean end that wasn't one. */
  end(cause?: unknown): string;
  /** Whether the stream has ended and produces no more output. */
  readonly ended: boolean;
  /** Whether the answer is complete, though the gateway's stream may still be open. */
  readonly finished: boolean;
  /** What keeps a silent connection open. */
  readonly heartbeat: string;
  /** How it ended, or how far it is. */
  readonly outcome: StreamOutcome;
  /** The complete answer of a normalizer's stream, as the dialect has it where nothing is streamed. */
  readonly answer?: JsonObject;
}

/** How a surface of the gateway's takes requests and answers them. */
export interface SurfaceDialect {
  /** Its name. */
  readonly name: DialectName;
  /** A chat completions request as the surface takes it. */
  encodeRequest(request: JsonObject, target: Target, calls?: CallScope): EncodedRequest;
  /** A request that its client wrote in this dialect, without what the surface refuses. Missing for the hub itself. */
  passRequest?(body: JsonObject, target: Target, calls?: CallScope): EncodedRequest;
  /** The path of a request, where it says more than the surface's. @default the surface's path */
  pathFor?(base: string, target: Pick<Target, "model" | "stream">): string;
  /** Whether an event of a stream is written in this dialect: surfaces may answer in another than they are asked in. */
  isEvent(event: JsonObject): boolean;
  /** Begins to decode a stream. */
  decoder(context: DialectContext): StreamDecoder;
  /** Whether a JSON body is a complete answer of this dialect. */
  isAnswer(body: JsonObject): boolean;
  /** A complete answer as a `chat.completion`, which need not be strict yet. */
  decodeAnswer(body: JsonObject, context: DialectContext): JsonObject;
  /** Begins a stream for a client of this very dialect. Missing for the hub itself. */
  normalizer?(context: DialectContext): StreamCore;
  /** A complete answer for a client of this very dialect. Missing for the hub itself. */
  normalizeAnswer?(body: JsonObject, context: DialectContext): JsonObject;
}
