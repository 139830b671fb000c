/**
 * The stages of a request in the simulated gateway: credential, path, fault, refusal, answer.
 *
 * @module
 */

import { type Answer, composeAnswer } from "./answers.ts";
import { refusalOfToken } from "./authentication.ts";
import { chatCompletion, chatSteps } from "./chat_stream.ts";
import { type Conversation, readConversation } from "./conversation.ts";
import { discover } from "./discovery.ts";
import { embeddings } from "./embeddings.ts";
import { errorResponse } from "./errors.ts";
import { familyOf } from "./families.ts";
import { FRAMINGS } from "./framings.ts";
import type { Family, Surface } from "./traits.ts";
import { faultOf } from "./faults.ts";
import { hash, isObject, type JsonObject } from "./json.ts";
import { parseModelName } from "./models.ts";
import { messageObject, messagesSteps } from "./messages_stream.ts";
import type { PromptCache } from "./prompt_cache.ts";
import type { OpenRequest, Recorder } from "./recorder.ts";
import { refusalOf, type Workspace } from "./refusals.ts";
import { failedResponse, responseObject, responsesSteps } from "./responses_stream.ts";
import { type Directives, numberIn, parseDirectives } from "./scenarios.ts";
import { applyScenarios, play, type Step, type Wait } from "./steps.ts";

/** The paths behind the base, with or without `/ai-gateway` before them. */
const SURFACES: Readonly<Record<string, Surface>> = {
  "/mlflow/v1/chat/completions": "mlflow",
  "/mlflow/v1/embeddings": "embeddings",
  "/cursor/v1/chat/completions": "cursor",
  "/openai/v1/responses": "responses",
  "/codex/v1/responses": "responses",
  "/anthropic/v1/messages": "anthropic",
};

/** The longest pause before a status line, in seconds. */
const LONGEST_HANG = 3600;

/** What one simulated gateway has and remembers. */
export interface Gateway {
  /** The models of the workspace. */
  readonly workspace: Workspace;
  /** Remembers requests and open streams. */
  readonly recorder: Recorder;
  /** Which `…-once` scenarios were met. */
  readonly met: Set<string>;
  /** Milliseconds between events. */
  readonly pace: number;
  /** The time in milliseconds since 1970. */
  readonly now: () => number;
  /** How pauses are spent. */
  readonly wait: Wait;
  /** Directives that hold for every request. */
  readonly scenario: string;
  /** Whether the discovery APIs are there. */
  readonly discovery: boolean;
  /** Whether the Anthropic surface is there. */
  readonly messages: boolean;
  /** Claude's prompt cache. */
  readonly promptCache: PromptCache;
}

/**
 * Answers one request: authentication, routing, refusals, and the answer.
 *
 * @param request The request.
 * @param gateway The gateway that it came to.
 * @param completed Rejects when the client leaves; without it the request's signal tells. (To touch
 *   the signal of a request of `Deno.serve` makes Deno print a warning.)
 * @returns The answer; a stream goes on after this has resolved.
 *
 * @example
 * ```ts
 * import { createSimulator } from "./mod.ts";
 *
 * const response = await createSimulator().handler(new Request("http://localhost/"));
 * if (response.status !== 401) throw new Error(`${response.status}`);
 * ```
 */
export async function answer(
  request: Request,
  gateway: Gateway,
  completed?: Promise<void>,
): Promise<Response> {
  const left = completed ? abortedBy(completed) : request.signal;
  const text = await request.text();
  const recorded = gateway.recorder.add(request, text);
  const response = await respond({ request, recorded, left }, gateway);
  const id = `${hash(`${recorded.number}`)}-0000-4000-8000-${hash(text)}0000`;
  response.headers.set("x-request-id", id);
  response.headers.set("x-databricks-trace-id", hash(id) + hash(text));
  recorded.status = response.status;
  if (!recorded.streaming) recorded.end(left.aborted ? "aborted" : "finished");
  return response;
}

/** A request with what the stages before have found. */
interface Visit {
  readonly request: Request;
  readonly recorded: OpenRequest;
  /** Aborts when the client leaves. */
  readonly left: AbortSignal;
}

function abortedBy(completed: Promise<void>): AbortSignal {
  const left = new AbortController();
  completed.catch(() => left.abort());
  return left.signal;
}

async function respond(visit: Visit, gateway: Gateway): Promise<Response> {
  const { request, recorded } = visit;
  const url = new URL(request.url);
  const refused = refusalOfToken(request.headers);
  if (refused) return errorResponse(refused);
  const listed = request.method === "GET" && gateway.discovery
    ? discover(url, gateway.workspace)
    : undefined;
  if (listed) return listed;
  const surface = SURFACES[url.pathname.replace(/^\/ai-gateway(?=\/)/, "")];
  const missing = surface === undefined || (surface === "anthropic" && !gateway.messages);
  if (missing || request.method !== "POST") {
    return errorResponse({
      status: 404,
      shape: "databricks",
      code: "ENDPOINT_NOT_FOUND",
      message: `No API found for '${request.method} ${url.pathname}'`,
    });
  }
  if (recorded.body === undefined) {
    return errorResponse({
      status: 400,
      shape: "databricks",
      code: "MALFORMED_REQUEST",
      message: "MALFORMED_REQUEST: The request body is not a JSON object.",
    });
  }
  return await serve(recorded.body, surface, visit, gateway);
}

async function serve(
  body: JsonObject,
  surface: Surface,
  { request, recorded, left }: Visit,
  gateway: Gateway,
): Promise<Response> {
  const conversation = readConversation(body);
  const directives = parseDirectives(`${conversation.question}[[sim: ${gateway.scenario}]]`);
  const model = parseModelName(typeof body.model === "string" ? body.model : "");
  if (directives.has("hang")) {
    const seconds = numberIn(directives, "hang", 20, LONGEST_HANG);
    // Before a response, only the request's own signal tells that the client left.
    await gateway.wait(seconds * 1000, gateway.recorder.until(request.signal));
    if (request.signal.aborted) {
      recorded.end("aborted");
      return new Response(null, { status: 499 });
    }
  }
  const fault = faultOf(directives, model.asked, conversation.question, gateway.met);
  if (fault) return fault;
  const family = familyOf(model.bare);
  const refused = refusalOf({ surface, model, family, body, workspace: gateway.workspace });
  if (refused) return errorResponse(refused);
  if (surface === "embeddings") return Response.json(embeddings(body));

  const thinks = family.chat.thinksUnasked || conversation.thinking ||
    ("input" in body && family.responses);
  const said = composeAnswer(conversation, {
    family,
    bareName: model.bare,
    thinks,
    directives,
    count: recorded.number,
    now: gateway.now(),
    cache: family.decoder === "claude" && (surface === "mlflow" || surface === "anthropic")
      ? gateway.promptCache.use(model.bare, body)
      : undefined,
  });
  const written = write(said, { body, surface, family, conversation, directives });
  const streams = (body.stream === true || directives.has("stream-for-json")) &&
    !directives.has("json-for-stream");
  if (!streams) return whole(written.whole, directives);
  return streamed(written, family, directives, { recorded, left }, gateway);
}

interface Written {
  readonly whole: JsonObject;
  readonly steps: readonly Step[];
  readonly dialect: "chat" | "responses" | "messages";
}

/** Puts an answer into the dialect that the surface answers in. */
function write(said: Answer, context: {
  readonly body: JsonObject;
  readonly surface: Surface;
  readonly family: Family;
  readonly conversation: Conversation;
  readonly directives: Directives;
}): Written {
  const { body, surface, family, directives } = context;
  if (surface === "anthropic") {
    const failure = {
      type: "error",
      error: { type: "api_error", message: "The model failed." },
    };
    return {
      dialect: "messages",
      whole: directives.has("failed") ? failure : messageObject(said),
      steps: applyScenarios(messagesSteps(said), directives, { failed: failure, error: failure }),
    };
  }
  const chat = !("input" in body) || directives.has("chat-chunks") ||
    (surface === "cursor" && family.cursorAnswersInChat);
  if (chat) {
    const failure = { message: "The model failed.", type: "server_error", code: "server_error" };
    return {
      dialect: "chat",
      whole: directives.has("failed")
        ? { error: failure }
        : chatCompletion(said, family, directives),
      steps: applyScenarios(chatSteps(said, family, directives), directives, {
        failed: { error: failure },
        error: { error: failure },
      }),
    };
  }
  return {
    dialect: "responses",
    whole: responseObject(said, context),
    steps: applyScenarios(responsesSteps(said, context), directives, {
      failed: { type: "response.failed", response: failedResponse(said) },
      error: { type: "error", code: "server_error", message: "The model failed.", param: null },
    }),
  };
}

/** An answer in one piece; where the stream would be cut, the JSON is. */
function whole(body: JsonObject, directives: Directives): Response {
  const text = JSON.stringify(body);
  const headers = { "content-type": "application/json" };
  if (directives.has("empty")) return new Response("", { headers });
  const cut = directives.has("abrupt") || directives.has("reset");
  const status = isObject(body.error) && body.status === undefined ? 500 : 200;
  return new Response(cut ? text.slice(0, text.length / 2) : text, { status, headers });
}

function streamed(
  { steps, dialect }: Written,
  family: Family,
  directives: Directives,
  { recorded, left }: Omit<Visit, "request">,
  gateway: Gateway,
): Response {
  gateway.recorder.open(recorded);
  const body = play(steps, {
    // Event names and odd layouts were never seen together.
    framing: dialect === "chat" ? family.framing : FRAMINGS.lf,
    pace: gateway.pace,
    wait: gateway.wait,
    directives,
    signal: gateway.recorder.until(left),
    onEnd: (how) => gateway.recorder.close(recorded, how),
  });
  const charset = recorded.number % 2 === 0 ? "; charset=utf-8" : "";
  return new Response(body, {
    headers: { "content-type": `text/event-stream${charset}`, "cache-control": "no-cache" },
  });
}
