/**
 * The path of one model request, top to bottom: check who asks, read the request, send it in the dialect of its
 * surface, learn from refusals, and answer in the client's dialect. Nothing else knows the order of these
 * steps.
 *
 * @module
 */

import {
  applyAdjustments,
  describeAdjustment,
  type Plan,
  refusalToShow,
} from "./adapt/negotiator.ts";
import { withCacheMarks } from "./adapt/prompt_cache.ts";
import { type ConversationCalls, scopeOf } from "./adapt/tool_call_cache.ts";
import { CALL_CUT_OFF } from "./adapt/retry_loop_guard.ts";
import { ownRetries } from "./adapt/retrying_clients.ts";
import { type Answer, lateAnswer, readJson, toSource } from "./answer_body.ts";
import type { App } from "./app.ts";
import { chatSurface } from "./dialects/chat/mod.ts";
import type {
  ClientDialect,
  DialectContext,
  RequestSummary,
  SseEvent,
  StreamCore,
  StreamEncoder,
  StreamOutcome,
} from "./dialects/dialect.ts";
import { decoderFor, surfaceDialect } from "./dialects/registry.ts";
import { ChunkEnricher } from "./enrich/chunks.ts";
import { CompletionCollector } from "./enrich/completion.ts";
import { missingStops, StopEncoder } from "./enrich/stop.ts";
import { BridgeError } from "./errors.ts";
import { gatewayError } from "./gateway/errors.ts";
import { authorize, refusesToken, withRemedy } from "./gateway/tokens/mod.ts";
import { isObject, type JsonObject } from "./json.ts";
import { routeOf, suggestModel } from "./models/catalog.ts";
import type { Exchange } from "./observe/exchange.ts";
import { parseBody, readText } from "./request.ts";
import { enrichStream, readThrough } from "./sse.ts";
import { LateCore, NO_OUTCOME, Translator } from "./translator.ts";
import { admitTo, credentialsOf, gatewayHeaders } from "./upstream.ts";
import { within } from "./within.ts";

/** The headers of every stream. `no-transform` and `x-accel-buffering` keep proxies from holding it back. */
const STREAM_HEADERS: Readonly<Record<string, string>> = {
  "content-type": "text/event-stream",
  "cache-control": "no-cache, no-transform",
  "x-accel-buffering": "no",
};

/** Headers of Anthropic's clients, which mean something to Anthropic's own surface alone. */
const ANTHROPIC_HEADERS = ["anthropic-version", "anthropic-beta"];

/** The version that Anthropic's API demands, where a client of another dialect names none. */
const ANTHROPIC_VERSION = "2023-06-01";

/** One request on its way. */
interface ExchangeContext {
  readonly app: App;
  /** Its line in the log. */
  readonly exchange: Exchange;
  /** How the client writes and reads. */
  readonly client: ClientDialect;
  /** The body as it came. */
  readonly body: JsonObject;
  readonly summary: RequestSummary;
  /** What translating needs to know. */
  readonly dialect: DialectContext;
  readonly calls: ConversationCalls;
  readonly secrets: readonly string[];
  /** What the client showed. */
  readonly authorization: string;
  /** The client's headers. */
  readonly clientHeaders: Headers;
  /** Headers for the gateway. */
  readonly headers: Readonly<Record<string, string>>;
  /** Ends the gateway's request. */
  readonly controller: AbortController;
  /** The request as a chat completions request, once it was needed. */
  chat?: JsonObject;
  /** How the request was sent last. */
  plan?: Plan;
  /** Stop sequences that the surface wasn't told. */
  stops?: readonly string[];
}

/**
 * Answers a request for a model's answer.
 *
 * @param request The client's request; path and method were checked.
 * @param app The running bridge.
 * @param exchange Its line in the log, which ends when the answer does.
 * @param client The dialect of the path that was asked.
 * @param rest What the path's pattern left open.
 * @throws {BridgeError} Whatever ends the request before its answer has begun.
 */
export async function chat(
  request: Request,
  app: App,
  exchange: Exchange,
  client: ClientDialect,
  rest: string,
): Promise<Response> {
  const credentials = credentialsOf(request.headers, app);
  exchange.secrets = credentials.secrets;
  const body = parseBody(await readText(request, app.config.maxBody));
  const summary = client.parseRequest(body, rest);
  exchange.model = summary.model;
  exchange.stream = summary.stream;

  const { secrets } = credentials;
  await admitTo(app, exchange, request.headers, body);
  const scope = scopeOf(credentials.authorization, body, summary.model);
  await app.memory?.prepare(scope, body);
  const calls = app.calls.scope(scope);
  const context: ExchangeContext = {
    app,
    exchange,
    client,
    body,
    summary,
    calls,
    secrets,
    dialect: {
      model: summary.model,
      created: Math.floor(Date.now() / 1000),
      makeId: (prefix) => prefix + crypto.randomUUID().replaceAll("-", ""),
      calls,
      secrets,
      request: body,
    },
    authorization: credentials.authorization,
    clientHeaders: request.headers,
    headers: gatewayHeaders(request.headers, summary.stream, app),
    controller: new AbortController(),
  };
  // Until the answer begins, the request's own signal says that the client has left; after that, the
  // cancellation of the answer's body does.
  const leave = () => context.controller.abort(request.signal.reason);
  const stop = () => context.controller.abort(app.shutdown.reason);
  request.signal.addEventListener("abort", leave);
  app.shutdown.addEventListener("abort", stop);
  if (request.signal.aborted) leave();
  try {
    const answering = ask(context);
    return summary.stream
      ? await streamAnswer(context, answering)
      : await wholeAnswer(context, await answering);
  } finally {
    request.signal.removeEventListener("abort", leave);
    app.shutdown.removeEventListener("abort", stop);
  }
}

/** The headers for a surface, without those that it has refused. */
function headersFor(
  { headers, clientHeaders }: ExchangeContext,
  { dialect, adjustments }: Plan,
): Record<string, string> {
  if (dialect !== "messages") return { ...headers };
  const refused = adjustments.map((one) => one.type === "header" ? one.name : undefined);
  const passed = ANTHROPIC_HEADERS.filter((name) => !refused.includes(name))
    .map((name) => [name, clientHeaders.get(name)] as const)
    .filter((entry): entry is [string, string] => !!entry[1]);
  return { "anthropic-version": ANTHROPIC_VERSION, ...headers, ...Object.fromEntries(passed) };
}

/** Sends the request; a refusal that teaches something is followed by another round. */
async function ask(context: ExchangeContext): Promise<Answer> {
  const { app, client, summary, exchange, secrets } = context;
  const catalog = app.catalog();
  const route = routeOf(catalog, summary.model, client.name);
  const budget = app.gateway.budget();
  let plan = app.negotiator.plan(catalog, summary.model, route, {
    workspace: app.gateway.base,
  });
  for (let round = 1;; round++) {
    context.plan = plan;
    exchange.surface = plan.route.surface;
    exchange.dialects = `${client.name} → ${plan.dialect}`;
    const sent = encode(context, plan);
    if (round === 1) app.guard?.check(turnOf(context));
    const body = JSON.stringify(sent);
    if (app.log.shows("trace")) exchange.log("trace", "request", { path: plan.route.path, body });
    const { signal } = context.controller;
    const surface = surfaceDialect(plan.dialect);
    const named = { model: plan.name, stream: summary.stream };
    const path = surface.pathFor?.(plan.route.path, named) ?? plan.route.path;
    const post = (authorization: string) =>
      app.gateway.post({
        path,
        headers: { ...headersFor(context, plan), authorization },
        body,
        signal,
        budget,
        mayRetry: (status) => ownRetries(1, status, context.clientHeaders) > 0,
        onRetry: (reason, delay) => exchange.retry(reason, delay),
      });
    const answer = app.tokens
      ? await authorize(app.tokens, ({ value }) => post(`Bearer ${value}`), signal)
      : await post(context.authorization);
    const { headers } = answer.ok ? answer.response : answer;
    exchange.gatewayRequestId = headers.get("x-request-id") ?? undefined;
    if (answer.ok) return answer;

    const ours = app.tokens !== undefined && refusesToken(answer.status, answer.text);
    const refusal = gatewayError(answer.status, answer.text, {
      headers: answer.headers,
      secrets,
      client: context.headers["user-agent"],
      advice: !ours,
      suggestion: answer.status === 404 ? suggestModel(catalog, summary.model) : "",
    });
    if (ours) throw withRemedy(refusal, app.tokens!);
    const inference = app.negotiator.infer(plan, refusal, sent);
    if (inference === undefined) throw refusalToShow(plan, refusal);
    plan = inference.plan;
    for (const adjustment of inference.adjustments) {
      if (adjustment.type === "reasoning") context.calls.clear();
      exchange.learn(describeAdjustment(adjustment), adjustment.type, { status: answer.status });
    }
  }
}

/** The body in the dialect of the plan's surface, with everything that was learned about the model. */
function encode(context: ExchangeContext, plan: Plan): JsonObject {
  const { body, client, summary, calls, exchange } = context;
  const marks = marksPrompts(context, plan);
  const target = { path: plan.route.path, ...summary };
  const surface = surfaceDialect(plan.dialect);
  const passes = surface.name === client.name && surface.passRequest;
  const encoded = passes ? passes(body, target, calls) : surface.encodeRequest(
    marks ? withCacheMarks(chatRequest(context), summary.model) : chatRequest(context),
    target,
    calls,
  );
  exchange.dropped = encoded.dropped;
  const sent = applyAdjustments(encoded.body, plan);
  context.stops = passes ? [] : missingStops(chatRequest(context), sent);
  return sent;
}

/** Whether prompts are marked for Claude's cache: not where the gateway has refused a mark. */
function marksPrompts({ app }: ExchangeContext, { dialect, adjustments }: Plan): boolean {
  return app.config.promptCache && dialect !== "responses" &&
    !adjustments.some((one) => one.type === "drop" && one.path.includes("cache_control"));
}

/** The request as a chat completions request. */
function chatRequest(context: ExchangeContext): JsonObject {
  return context.chat ??= context.client.decodeRequest(context.body, context.dialect);
}

/**
 * Whether the answer comes in the client's own dialect, and needs no translation. A surface may answer in
 * chat chunks whatever it is asked in (`gateway.md`, "Surfaces": cursor); the first event tells.
 */
function passes({ client, plan }: ExchangeContext, first?: SseEvent): boolean {
  const chunk = first?.type === "json" && isChunk(first.value);
  return plan?.dialect === client.name && client.name !== chatSurface.name && !chunk;
}

/** Whether an event is a chat chunk: events of other dialects may have a `delta`, too. */
function isChunk(event: JsonObject): boolean {
  return chatSurface.isEvent(event) && typeof event.type !== "string";
}

/** What makes of the surface's events an answer for the client. */
function translator(context: ExchangeContext, encoder: StreamEncoder): Translator {
  const { stops = [] } = context;
  return new Translator(
    chunkEnricher(context),
    stops.length > 0 ? new StopEncoder(encoder, stops) : encoder,
  );
}

/** What makes the answer's chunks strict. */
function chunkEnricher(context: ExchangeContext): ChunkEnricher {
  const { response_format: format, ...request } = chatRequest(context);
  const most = request.max_completion_tokens ?? request.max_tokens;
  return new ChunkEnricher({
    ...context.dialect,
    decoder: decoderFor(context.dialect),
    unfence: isObject(format) && format.type !== "text",
    usedIds: callIds(request.messages),
    toolNames: toolNames(request.tools),
    maxTokens: typeof most === "number" ? most : undefined,
  });
}

/** The names of the tools that a chat request offers. */
function toolNames(tools: unknown): ReadonlySet<string> {
  const names = (Array.isArray(tools) ? tools : []).map((tool) => tool?.function?.name);
  return new Set(names.filter((name) => typeof name === "string"));
}

/** The ids of the tool calls in a history. */
function callIds(messages: unknown): ReadonlySet<string> {
  const ids = new Set<string>();
  for (const message of Array.isArray(messages) ? messages : []) {
    for (const call of Array.isArray(message?.tool_calls) ? message.tool_calls : []) {
      if (typeof call?.id === "string") ids.add(call.id);
    }
  }
  return ids;
}

/**
 * The answer to a streaming request. If the gateway takes longer than a heartbeat to begin, the stream
 * to the client begins without it, so that heartbeats can keep the connection open; a failure after that
 * is an event in the stream.
 */
async function streamAnswer(
  context: ExchangeContext,
  answering: Promise<Answer>,
): Promise<Response> {
  const { app, exchange, client, dialect } = context;
  const { heartbeat } = app.config;
  const begun = heartbeat === 0 ? await answering : await within(answering, heartbeat);
  const answer = begun ? toSource(begun) : lateAnswer(answering, context.controller);
  const encoder = client.encoder(dialect);
  const core = new LateCore(
    encoder.heartbeat,
    (first) =>
      passes(context, first)
        ? surfaceDialect(client.name).normalizer!(dialect)
        : translator(context, encoder),
  );
  app.metrics.openStreams++;
  const stream = enrichStream({
    core,
    source: answer,
    heartbeat,
    signal: app.shutdown,
    onFirst: () => exchange.first(),
    onSend(bytes) {
      exchange.bytes += bytes;
      exchange.pieces++;
    },
    onEnd(clientLeft) {
      app.metrics.openStreams--;
      if (clientLeft) context.controller.abort(new DOMException("The client left.", "AbortError"));
      endStream(context, core, clientLeft);
    },
  });
  return new Response(answer.body.pipeThrough(stream), { headers: STREAM_HEADERS });
}

/** Records how a stream ended. */
function endStream(context: ExchangeContext, core: StreamCore, clientLeft: boolean): void {
  const { exchange } = context;
  const { finishReason, usage, error } = core.outcome;
  if (clientLeft) return exchange.end({ status: 200, ending: "client left", usage });
  recordEnding(context, core.outcome);
  const ending = error ? String(error.code ?? error.kind) : finishReason;
  exchange.end({ status: 200, ending, error, usage });
}

/** Tells the retry-loop guard how an answer ended. */
function recordEnding(context: ExchangeContext, outcome: StreamOutcome): void {
  const { error, spoke, finishReason } = outcome;
  // Half a call is what a limit leaves: raising it helps, which other errors don't say.
  const ending = error?.code === CALL_CUT_OFF ? CALL_CUT_OFF : error?.kind;
  context.app.guard?.ended(turnOf(context), ending ?? finishReason ?? "stop", spoke);
}

/** The request as the retry-loop guard reads it: in some dialects the path names the model. */
function turnOf({ body, summary }: ExchangeContext): JsonObject {
  return body.model === summary.model ? body : { ...body, model: summary.model };
}

/** The answer to a plain request: one complete answer in the client's dialect. */
async function wholeAnswer(context: ExchangeContext, answer: Answer): Promise<Response> {
  const { client, dialect, exchange } = context;
  try {
    const { body, outcome } = passes(context)
      ? await passWhole(context, answer)
      : await translateWhole(context, answer);
    recordEnding(context, outcome);
    exchange.end({ status: 200, ending: outcome.finishReason, usage: outcome.usage });
    return Response.json(body);
  } catch (error) {
    if (!(error instanceof BridgeError)) throw error;
    recordEnding(context, { ...NO_OUTCOME, error });
    throw error;
  }

  async function translateWhole(context: ExchangeContext, answer: Answer) {
    const collector = new CompletionCollector();
    const core = translator(context, collector);
    await readToEnd(context, answer, core);
    if (core.outcome.error) throw core.outcome.error;
    const body = client.encodeAnswer(collector.completion(), dialect);
    return { body, outcome: core.outcome };
  }
}

/** A complete answer in the client's own dialect: as JSON, or as the end of a stream that nobody asked for. */
async function passWhole(
  context: ExchangeContext,
  answer: Answer,
): Promise<{ body: JsonObject; outcome: StreamOutcome }> {
  const { client, dialect, secrets } = context;
  const surface = surfaceDialect(client.name);
  const type = answer.response.headers.get("content-type") ?? "";
  if (type.includes("event-stream")) {
    const core = surface.normalizer!(dialect);
    await readToEnd(context, answer, core);
    if (core.outcome.error) throw core.outcome.error;
    return { body: core.answer ?? {}, outcome: core.outcome };
  }
  const body = surface.normalizeAnswer!(await readJson(answer, secrets), dialect);
  const completion = surface.decodeAnswer(body, dialect);
  const [choice] = Array.isArray(completion.choices) ? completion.choices : [];
  const usage = isObject(completion.usage) ? completion.usage : undefined;
  const finishReason = choice?.finish_reason ?? undefined;
  return { body, outcome: { ...NO_OUTCOME, spoke: true, usage, finishReason } };
}

/** Reads an answer to its end, through a core that keeps what comes. */
async function readToEnd(
  { app, controller }: ExchangeContext,
  answer: Answer,
  core: StreamCore,
): Promise<void> {
  const source = toSource(answer);
  await readThrough(source.body, { core, source, signal: app.shutdown });
  controller.signal.throwIfAborted();
}
