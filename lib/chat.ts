/**
 * The road of one request, top to bottom: read it, find its route, say it in the surface's dialect, ask
 * the gateway (and again, if a refusal teaches something), and carry the answer back. Every step is a
 * file of its own; the order of the steps is here, and nowhere else.
 *
 * @module
 */

import { type Credentials, readCredentials } from "./access.ts";
import { type Answer, type Journey, streamAnswer, wholeAnswer } from "./answer.ts";
import type { Bridge } from "./bridge.ts";
import { encodeChat } from "./dialects/chat/request.ts";
import { encodeRequest } from "./dialects/responses/mod.ts";
import { encodePassthrough } from "./dialects/responses/passthrough.ts";
import { maskSecrets } from "./errors.ts";
import { gatewayError } from "./gateway/errors.ts";
import type { Exchange } from "./observe/exchange.ts";
import type { ReadableHeaders } from "./http1/head.ts";
import type { Reply } from "./http1/reply.ts";
import type { ClientRequest } from "./http1/request.ts";
import type { JsonObject } from "./json.ts";
import { routeOf } from "./models/catalog.ts";
import { applyLessons, describeLesson, type Plan } from "./adapt/negotiator.ts";
import { type Ask, readAsk, readText } from "./request.ts";

/** How often one request is sent while the gateway's refusals teach something. */
const MAX_TRIES = 3;

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
 * import type { Exchange } from "./observe/exchange.ts";
 *
 * const request = new Request("http://127.0.0.1/chat/completions", { method: "POST", body: "{}" });
 * const bridge = { config: { host: "127.0.0.1" } } as Bridge;
 * const failure = await chat(request, bridge, {} as Exchange).catch((error) => error);
 * if (failure.kind !== "unauthenticated") throw new Error("without a token nothing goes on");
 * ```
 */
export async function chat(
  request: ClientRequest,
  bridge: Bridge,
  exchange: Exchange,
): Promise<Reply> {
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
    return await wholeAnswer(journey, await answering);
  } finally {
    request.signal.removeEventListener("abort", leave);
  }
}

/** What the gateway is told beside the body. A client's other headers are its own business. */
function gatewayHeaders(
  from: ReadableHeaders,
  { authorization }: Credentials,
  ask: Ask,
  { userAgent }: Bridge,
): Record<string, string> {
  const client = from.get("user-agent");
  const tags = from.get("databricks-ai-gateway-request-tags");
  return {
    authorization,
    "content-type": "application/json",
    accept: ask.stream ? "text/event-stream" : "application/json",
    // A compressed stream would come in blocks.
    "accept-encoding": "identity",
    "user-agent": client ? `${client} ${userAgent}` : userAgent,
    ...(tags ? { "databricks-ai-gateway-request-tags": tags } : {}),
  };
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
