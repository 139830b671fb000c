/**
 * The way back: the gateway's answer as the client gets it, streamed or whole, and what is written down
 * about it when it is over.
 *
 * @module
 */

import { alarm } from "./alarm.ts";
import type { Credentials } from "./access.ts";
import type { Bridge } from "./bridge.ts";
import { Enricher } from "./enrich/chunks.ts";
import { gatewayError, isErrorBody } from "./gateway/errors.ts";
import type { Exchange } from "./observe/exchange.ts";
import type { GatewayAnswer } from "./gateway/gateway.ts";
import { jsonReply, type Pieces, type Reply } from "./http1/reply.ts";
import { isObject, type JsonObject } from "./json.ts";
import { isJson, lateEvents, readEvents, readJson } from "./readers.ts";
import { relay, silence, type StreamTranslator } from "./relay.ts";
import type { Ask } from "./request.ts";
import type { EventReader } from "./sse.ts";
import { ChatTranslator, CompletionCollector, ResponsesTranslator } from "./translators.ts";

/** The headers of every stream. `no-transform` and `x-accel-buffering` keep proxies in between from holding it back. */
const STREAM_HEADERS: Readonly<Record<string, string>> = {
  "content-type": "text/event-stream",
  "cache-control": "no-cache, no-transform",
  "x-accel-buffering": "no",
};

/** One request on its way. */
export interface Journey {
  /** The running bridge. */
  readonly bridge: Bridge;
  /** Its line in the log. */
  readonly exchange: Exchange;
  /** What the client asks. */
  readonly ask: Ask;
  /** Who asks. */
  readonly credentials: Credentials;
  /** Ends with the client. */
  readonly signal: AbortSignal;
  /** Headers for the gateway. */
  readonly headers: Readonly<Record<string, string>>;
  /** The request as it is sent first, for the runaway guard. */
  sent?: JsonObject;
}

/** The gateway's answer, and how to end it. */
export type Answer = Extract<GatewayAnswer, { ok: true }>;

/** The state of a chat answer, streamed or whole. */
function enricherFor({ ask, bridge, credentials }: Journey): Enricher {
  return new Enricher({
    model: ask.model,
    created: Math.floor(Date.now() / 1000),
    makeId: (prefix) => prefix + crypto.randomUUID().replaceAll("-", ""),
    unfence: isObject(ask.body.response_format) && ask.body.response_format.type !== "text",
    memory: bridge.memory,
    secrets: credentials.secrets,
  });
}

/**
 * The answer to a streaming request. If the gateway takes longer than a heartbeat to begin, the stream
 * to the client begins without it, so that comment lines can keep it awake; a failure after that is an
 * event in the stream.
 *
 * @param journey The request on its way.
 * @param answering The gateway's answer, when it comes.
 * @param client Ends the gateway's request when the client leaves.
 * @throws {BridgeError} Whatever the gateway's answer fails with before the stream has begun.
 *
 * @example
 * ```ts
 * import { type Answer, type Journey, streamAnswer } from "./answer.ts";
 * import { BridgeError } from "./errors.ts";
 *
 * const journey = { bridge: { config: { heartbeat: 0 } }, ask: {}, credentials: {} } as Journey;
 * const failing = Promise.reject<Answer>(new BridgeError("timeout", "too late"));
 * const failure = await streamAnswer(journey, failing, new AbortController()).catch((error) => error);
 * if (failure.kind !== "timeout") throw new Error("nothing has begun: it is the answer");
 * ```
 */
export async function streamAnswer(
  journey: Journey,
  answering: Promise<Answer>,
  client: AbortController,
): Promise<Reply> {
  const { bridge, exchange } = journey;
  const { heartbeat, idleTimeout } = bridge.config;
  const { secrets } = journey.credentials;
  const decoding = { memory: bridge.memory, model: journey.ask.model, secrets };
  let answer = await within(answering, heartbeat);
  const reader = answer
    ? readEvents(answer.response, decoding)
    : lateEvents(answering.then((late) => {
      answer = late;
      return readEvents(late.response, decoding);
    }));
  const enricher = journey.ask.dialect === "chat" ? enricherFor(journey) : undefined;
  const translator = enricher ? new ChatTranslator(enricher) : new ResponsesTranslator(secrets);
  bridge.metrics.openStreams++;
  const body = relay(reader, translator, {
    heartbeat,
    idle: idleTimeout,
    waiting: () => answer === undefined,
    abort: (reason) => {
      client.abort(reason);
      answer?.abort(reason);
    },
    onFirst: () => exchange.first(),
    onEnd: (clientLeft) => {
      bridge.metrics.openStreams--;
      endStream(journey, translator, enricher, clientLeft);
    },
  });
  return { status: 200, headers: STREAM_HEADERS, body };
}

/** Writes down how a stream ended. */
function endStream(
  { bridge, exchange, sent }: Journey,
  translator: StreamTranslator,
  enricher: Enricher | undefined,
  clientLeft: boolean,
): void {
  const error = enricher?.ending?.type === "failed"
    ? enricher.ending.error
    : translator instanceof ResponsesTranslator
    ? translator.error
    : undefined;
  const usage = enricher?.usage ??
    (translator instanceof ResponsesTranslator ? translator.usage : undefined);
  if (clientLeft) return exchange.end({ status: 200, ending: "client left", usage });
  if (enricher && sent) noteEnding(bridge, sent, enricher);
  const ending = error ? String(error.code ?? error.kind) : enricher?.finishReason;
  exchange.end({ status: 200, ending, error, usage });
}

/** Tells the runaway guard of an ending that a client may not be content with. */
function noteEnding(
  { guard }: Bridge,
  sent: JsonObject,
  { ending, finishReason, spoke }: Enricher,
): void {
  if (guard === undefined) return;
  if (ending?.type === "failed") guard.ended(sent, ending.error.kind);
  else if (!spoke) guard.ended(sent, "empty");
  else if (finishReason !== "stop") guard.ended(sent, finishReason ?? "stop");
}

/** The promised value if it comes in time; undefined while it is still to come. */
async function within<T>(promise: Promise<T>, time: number): Promise<T | undefined> {
  let callOff = () => {};
  const late = new Promise<undefined>((resolve) => callOff = alarm(time, () => resolve(undefined)));
  try {
    return await Promise.race([promise, late]);
  } finally {
    callOff();
  }
}

/**
 * The answer to a plain request: a complete `chat.completion`, or, where the client speaks the Responses
 * API itself, the `response` as it came.
 *
 * @param journey The request on its way.
 * @param answer The gateway's.
 * @throws {BridgeError} Where the answer is an error, or breaks off.
 *
 * @example
 * ```ts
 * import { type Journey, wholeAnswer } from "./answer.ts";
 *
 * const journey = {
 *   bridge: { config: { idleTimeout: 0 } },
 *   exchange: { end: () => {} },
 *   ask: { dialect: "responses" },
 *   credentials: { secrets: [] },
 * } as unknown as Journey;
 * const answer = { ok: true as const, response: Response.json({ object: "response" }), abort: () => {} };
 * const { body } = await wholeAnswer(journey, answer);
 * if (body !== '{"object":"response"}') throw new Error("as it came");
 * ```
 */
export function wholeAnswer(journey: Journey, answer: Answer): Promise<Reply> {
  return (journey.ask.dialect === "chat" ? wholeCompletion : wholeResponse)(journey, answer);
}

/**
 * A complete `chat.completion`, with the repairs of a stream. It is read like one too, so that a silent
 * gateway or one without an end can't hold it up.
 */
async function wholeCompletion(journey: Journey, { response, abort }: Answer): Promise<Reply> {
  const { bridge, exchange, sent } = journey;
  const { secrets } = journey.credentials;
  const reader = readEvents(response, { memory: bridge.memory, model: journey.ask.model, secrets });
  const enricher = enricherFor(journey);
  const collector = new CompletionCollector(enricher);
  const { idleTimeout: idle } = bridge.config;
  if (isJson(response)) await collectAll(reader, collector, { idle, abort });
  else await readAway(relay(reader, collector, { heartbeat: 0, idle, abort }));
  journey.signal.throwIfAborted();
  if (sent) noteEnding(bridge, sent, enricher);
  if (enricher.ending?.type === "failed") throw enricher.ending.error;
  exchange.end({ status: 200, ending: enricher.finishReason, usage: enricher.usage });
  return jsonReply(collector.completion());
}

/** What {@linkcode relay} does, for events that come all at once. */
async function collectAll(
  reader: EventReader,
  collector: StreamTranslator,
  { idle, abort }: { readonly idle: number; readonly abort: (reason: unknown) => void },
): Promise<void> {
  const callOff = alarm(idle, () => abort(silence(idle)));
  try {
    for (const event of await reader.read() ?? []) collector.event(event);
    collector.end();
  } catch (cause) {
    collector.end(cause);
    abort(cause);
  } finally {
    callOff();
  }
}

/** Reads what says nothing: the answer is collected on the way. */
async function readAway(pieces: Pieces): Promise<void> {
  while (!pieces.over) await pieces.next();
}

/** A `response`, as it came. */
async function wholeResponse(
  { bridge, credentials, exchange }: Journey,
  { response, abort }: Answer,
): Promise<Reply> {
  const { idleTimeout: idle } = bridge.config;
  const callOff = alarm(idle, () => abort(silence(idle)));
  const body = await readJson(response, credentials.secrets).finally(callOff);
  if (isErrorBody(body) && body.object !== "response") {
    throw gatewayError(200, body, { secrets: credentials.secrets });
  }
  exchange.end({ status: 200, usage: isObject(body.usage) ? body.usage : undefined });
  return jsonReply(body);
}
