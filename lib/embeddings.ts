/**
 * `POST /embeddings`: passed to the gateway, which answers in OpenAI's words.
 *
 * @module
 */

import { ownRetries } from "./adapt/retrying_clients.ts";
import type { App } from "./app.ts";
import { checkFields, type FieldRules, isString, modelOf, wrongType } from "./dialects/check.ts";
import { BridgeError } from "./errors.ts";
import { gatewayError, isErrorBody } from "./gateway/errors.ts";
import { authorize } from "./gateway/tokens/mod.ts";
import { isObject, type JsonObject } from "./json.ts";
import type { Exchange } from "./observe/exchange.ts";
import { parseBody, readText } from "./request.ts";
import { admitTo, credentialsOf, gatewayHeaders } from "./upstream.ts";

/** The surface that embeds (`gateway.md`, "Surfaces"). */
const PATH = "/mlflow/v1/embeddings";

/** The most texts of one request. */
const MAX_INPUTS = 2_048;

const FIELDS: FieldRules = {
  encoding_format: {
    expected: '"float" or "base64"',
    fits: (value) => value === "float" || value === "base64",
  },
  dimensions: {
    expected: "a whole number from 1 on",
    fits: (value) => Number.isInteger(value) && Number(value) >= 1,
  },
  user: { expected: "a string", fits: isString },
};

/** Whether `input` is a text, or a list of texts or of tokens. */
function isInput(input: unknown): boolean {
  if (typeof input === "string") return input !== "";
  return Array.isArray(input) && input.length > 0 &&
    input.every((one) => typeof one === "string" || Number.isInteger(one) || Array.isArray(one));
}

function check(body: JsonObject): void {
  checkFields(body, FIELDS, "");
  const { input } = body;
  if (!isInput(input)) throw wrongType("input", "a text, or a list of texts", input);
  // A list of numbers is one text, as tokens.
  if (Array.isArray(input) && !input.every(Number.isInteger) && input.length > MAX_INPUTS) {
    throw new BridgeError(
      "request",
      `\`input\` has ${input.length} texts: expected at most ${MAX_INPUTS} in one request.`,
      { param: "input" },
    );
  }
}

/**
 * A vector as base64 of 32-bit floats, as OpenAI sends it. Its own client asks for that unless it is told
 * otherwise, and reads nothing else then; the gateway knows numbers alone.
 */
function inBase64(entry: unknown): unknown {
  if (!isObject(entry) || !Array.isArray(entry.embedding)) return entry;
  const floats = new Float32Array(entry.embedding.map(Number));
  return { ...entry, embedding: new Uint8Array(floats.buffer).toBase64() };
}

/**
 * Answers a request for embeddings.
 *
 * @param request The client's request.
 * @param app The running bridge.
 * @param exchange Its line in the log.
 * @throws {BridgeError} Whatever keeps it from an answer.
 */
export async function embeddings(
  request: Request,
  app: App,
  exchange: Exchange,
): Promise<Response> {
  const { authorization, secrets } = credentialsOf(request.headers, app);
  exchange.secrets = secrets;
  const body = parseBody(await readText(request, app.config.maxBody));
  exchange.model = modelOf(body);
  exchange.surface = "mlflow";
  exchange.stream = false;
  check(body);
  await admitTo(app, exchange, request.headers, body);
  const { encoding_format: format, ...sent } = body;
  const { signal } = request;
  const headers = gatewayHeaders(request.headers, false, app);
  const text = JSON.stringify(sent);
  const budget = app.gateway.budget();
  const post = (authorization: string) =>
    app.gateway.post({
      path: PATH,
      headers: { ...headers, authorization },
      body: text,
      signal,
      budget,
      mayRetry: (status) => ownRetries(1, status, request.headers) > 0,
      onRetry: (reason, delay) => exchange.retry(reason, delay),
    });
  const answer = app.tokens
    ? await authorize(app.tokens, ({ value }) => post(`Bearer ${value}`), signal)
    : await post(authorization);
  if (!answer.ok) {
    throw gatewayError(answer.status, answer.text, { headers: answer.headers, secrets });
  }
  exchange.gatewayRequestId = answer.response.headers.get("x-request-id") ?? undefined;
  const told = await answer.response.text();
  const cause = answer.failure();
  if (cause) throw cause;
  const list = parseAnswer(told, answer.response, secrets);
  const data = list.data as readonly unknown[];
  const usage = isObject(list.usage) ? list.usage : undefined;
  exchange.end({
    status: 200,
    ending: "stop",
    usage: usage && { completion_tokens: 0, ...usage },
  });
  return Response.json({ ...list, data: format === "base64" ? data.map(inBase64) : data });
}

function parseAnswer(
  text: string,
  { status, headers }: Response,
  secrets: readonly string[],
): JsonObject {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    // Told below.
  }
  if (isObject(body) && !isErrorBody(body) && Array.isArray(body.data)) return body;
  throw gatewayError(status, isObject(body) ? body : text, { headers, secrets });
}
