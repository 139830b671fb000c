/**
 * The road of one request, top to bottom: read it, find its route, say it in the surface's dialect, ask
 * the gateway (and again, if a refusal teaches something), and carry the answer back. Every step is a
 * file of its own; the order of the steps is here, and nowhere else.
 *
 * @module
 */

import { type Credentials, readCredentials } from "./access.ts";
import type { Bridge } from "./bridge.ts";
import { CompletionBuilder } from "./completion.ts";
import { encodeChat } from "./dialects/chat.ts";
import { encodeRequest } from "./dialects/responses.ts";
import { encodePassthrough } from "./dialects/passthrough.ts";
import { type Chunk, Enricher } from "./enrich.ts";
import { gatewayError, isErrorBody, maskSecrets } from "./errors.ts";
import type { Exchange } from "./exchange.ts";
import type { GatewayAnswer } from "./gateway.ts";
import { isObject, type JsonObject } from "./json.ts";
import { routeOf } from "./models.ts";
import { applyLessons, describeLesson, type Plan } from "./negotiate.ts";
import { lateEvents, readEvents, readJson } from "./readers.ts";
import { relay, silence, type StreamTranslator } from "./relay.ts";
import { type Ask, readAsk, readText } from "./request.ts";
import { ChatTranslator, ResponsesTranslator } from "./translators.ts";

/** How often one request is sent while the gateway's refusals teach something. */
const MAX_TRIES = 3;

/** The headers of every stream. `no-transform` and `x-accel-buffering` keep proxies in between from holding it back. */
const STREAM_HEADERS: Readonly<Record<string, string>> = {
  "content-type": "text/event-stream",
  "cache-control": "no-cache, no-transform",
  "x-accel-buffering": "no",
};

/** One request on its way. */
interface Journey {
  readonly bridge: Bridge;
  readonly exchange: Exchange;
  readonly ask: Ask;
  readonly credentials: Credentials;
  /** Ends with the client. */
  readonly signal: AbortSignal;
  /** Headers for the gateway. */
  readonly headers: Headers;
  /** The request as it is sent first, for the runaway guard. */
  sent?: JsonObject;
}

/** The gateway's answer, and how to end it. */
type Answer = Extract<GatewayAnswer, { ok: true }>;

/**
 * Answers `POST /chat/completions` and `POST /responses`: which of the two it is, the body tells.
 *
 * @param request The client's request; path and method were checked.
 * @param bridge The running bridge.
 * @param exchange Its line in the log, which ends when the answer does.
 * @throws {BridgeError} Whatever ends the request before its answer has begun.
 *
 * @example
 * ```ts
 * import type { Bridge } from "./bridge.ts";
 * import { chat } from "./chat.ts";
 * import type { Exchange } from "./exchange.ts";
 *
 * const request = new Request("http://127.0.0.1/chat/completions", { method: "POST", body: "{}" });
 * const bridge = { config: { host: "127.0.0.1" } } as Bridge;
 * const failure = await chat(request, bridge, {} as Exchange).catch((error) => error);
 * if (failure.kind !== "unauthenticated") throw new Error("without a token nothing goes on");
 * ```
 */
export async function chat(
  request: Request,
  bridge: Bridge,
  exchange: Exchange,
): Promise<Response> {
  const credentials = readCredentials(request.headers, bridge.config);
  const ask = readAsk(await readText(request, bridge.config.maxBody));
  exchange.model = ask.model;
  exchange.secrets = credentials.secrets;

  // Deno ends a request's own signal with the answer, too: this one ends only if the client leaves before it.
  const client = new AbortController();
  const leave = () => client.abort(request.signal.reason);
  request.signal.addEventListener("abort", leave);
  if (request.signal.aborted) leave();
  const headers = gatewayHeaders(request.headers, credentials, ask, bridge);
  const journey: Journey = { bridge, exchange, ask, credentials, signal: client.signal, headers };
  try {
    const answering = askGateway(journey);
    if (ask.stream) return await streamAnswer(journey, answering, client);
    return await (ask.dialect === "chat" ? wholeAnswer : wholeResponse)(journey, await answering);
  } finally {
    request.signal.removeEventListener("abort", leave);
  }
}

/** What the gateway is told beside the body. A client's other headers are its own business. */
function gatewayHeaders(
  from: Headers,
  { authorization }: Credentials,
  ask: Ask,
  { userAgent }: Bridge,
): Headers {
  const headers = new Headers({
    authorization,
    "content-type": "application/json",
    accept: ask.stream ? "text/event-stream" : "application/json",
    // A compressed stream would come in blocks.
    "accept-encoding": "identity",
    "user-agent": [from.get("user-agent"), userAgent].filter(Boolean).join(" "),
  });
  const tags = from.get("databricks-ai-gateway-request-tags");
  if (tags) headers.set("databricks-ai-gateway-request-tags", tags);
  return headers;
}

/** Sends the request in the dialect of its surface; a refusal that teaches something is followed by another try. */
async function askGateway(journey: Journey): Promise<Answer> {
  const { bridge, ask, exchange } = journey;
  const { gateway, negotiator, log } = bridge;
  const catalogue = bridge.catalogue();
  const route = routeOf(catalogue, ask.model, ask.dialect);
  const budget = gateway.budget();
  const { secrets } = journey.credentials;
  for (let attempt = 1;; attempt++) {
    const only = ask.dialect === "responses" ? ask.dialect : undefined;
    const plan = negotiator.plan(catalogue, ask.model, route, only);
    exchange.surface = plan.route.surface;
    const sent = encode(journey, plan);
    const body = JSON.stringify(sent);
    if (attempt === 1) bridge.guard?.check(journey.sent = sent);
    if (log.shows("trace")) {
      log.trace("request", { path: plan.route.path, body: maskSecrets(body, secrets) });
    }
    const answer = await gateway.post({
      path: plan.route.path,
      headers: journey.headers,
      body,
      signal: journey.signal,
      budget,
    });
    if (answer.ok) return answer;

    const refusal = gatewayError(answer.status, answer.text, { headers: answer.headers, secrets });
    const lesson = attempt < MAX_TRIES
      ? negotiator.learn(plan, answer.status, refusal.message, sent)
      : undefined;
    if (lesson === undefined) throw refusal;
    bridge.metrics.count("fd_bridge_lessons_total", { lesson: lesson.type });
    log.info(`learned: ${describeLesson(lesson)}`, { model: ask.model, status: answer.status });
  }
}

/** The body in the dialect of the plan, with everything that was learned about the model. */
function encode({ ask, bridge, exchange }: Journey, plan: Plan): JsonObject {
  if (ask.dialect === "responses") return applyLessons(encodePassthrough(ask.body), plan);
  if (plan.dialect === "responses") {
    return applyLessons(encodeRequest(ask.body, { memory: bridge.memory }), plan);
  }
  const { body, dropped } = encodeChat(ask.body, {
    path: plan.route.path,
    model: ask.model,
    stream: ask.stream,
  }, bridge.memory);
  exchange.dropped = dropped;
  return applyLessons(body, plan);
}

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
 */
async function streamAnswer(
  journey: Journey,
  answering: Promise<Answer>,
  client: AbortController,
): Promise<Response> {
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
  return new Response(body, { headers: STREAM_HEADERS });
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
  if (time === 0) return await promise;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<undefined>((resolve) =>
    timer = setTimeout(() => resolve(undefined), time)
  );
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * The answer to a plain chat request: a complete `chat.completion`, with the repairs of a stream. It is
 * read like one too, so that a silent gateway or one without an end can't hold it up.
 */
async function wholeAnswer(journey: Journey, { response, abort }: Answer): Promise<Response> {
  const { bridge, exchange, sent } = journey;
  const { secrets } = journey.credentials;
  const reader = readEvents(response, { memory: bridge.memory, model: journey.ask.model, secrets });
  const enricher = enricherFor(journey);
  const builder = new CompletionBuilder();
  const collect = (chunks: Chunk[]) => {
    if (enricher.ending?.type !== "failed") chunks.forEach((chunk) => builder.add(chunk));
    return "";
  };
  const collector: StreamTranslator = {
    event: (event) => collect(enricher.event(event)),
    end: (cause) => collect(enricher.end(cause)),
    get ended() {
      return enricher.ending !== undefined;
    },
    get finished() {
      return enricher.finished;
    },
  };
  const { idleTimeout: idle } = bridge.config;
  await new Response(relay(reader, collector, { heartbeat: 0, idle, abort })).arrayBuffer();
  journey.signal.throwIfAborted();
  if (sent) noteEnding(bridge, sent, enricher);
  if (enricher.ending?.type === "failed") throw enricher.ending.error;
  exchange.end({ status: 200, ending: enricher.finishReason, usage: enricher.usage });
  return Response.json(builder.build());
}

/** The answer to a plain Responses request: as it came. */
async function wholeResponse(
  { bridge, credentials, exchange }: Journey,
  { response, abort }: Answer,
): Promise<Response> {
  const { idleTimeout: idle } = bridge.config;
  const timer = idle > 0 ? setTimeout(() => abort(silence(idle)), idle) : undefined;
  const body = await readJson(response, credentials.secrets).finally(() => clearTimeout(timer));
  if (isErrorBody(body) && body.object !== "response") {
    throw gatewayError(200, body, { secrets: credentials.secrets });
  }
  exchange.end({ status: 200, usage: isObject(body.usage) ? body.usage : undefined });
  return Response.json(body);
}
