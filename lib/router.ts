/**
 * Method and path → handler, with the guards before it. A handler is a function from `Request` to
 * `Response`, so the whole program is tested without a socket.
 *
 * @module
 */

import { checkClientKey, checkHost, checkOrigin, KEY_HEADER, shownCredentials } from "./access.ts";
import type { App } from "./app.ts";
import { chat } from "./chat.ts";
import type { DialectName } from "./dialects/dialect.ts";
import { countTokens as countGeminiTokens } from "./dialects/gemini/mod.ts";
import { anthropicModels } from "./dialects/messages/models.ts";
import { countTokens, messagesClient } from "./dialects/messages/mod.ts";
import { clientDialect } from "./dialects/registry.ts";
import { ESTIMATE_HEADER } from "./dialects/token_count.ts";
import { embeddings } from "./embeddings.ts";
import { BridgeError, maskSecrets } from "./errors.ts";
import { type Catalog, countListed, listModels, suggestModel } from "./models/catalog.ts";
import type { JsonObject } from "./json.ts";
import { mayAsk } from "./keys/mod.ts";
import { Exchange } from "./observe/exchange.ts";
import { parseBody, readText } from "./request.ts";

/** What a handler gets beside the request. */
interface Context {
  readonly app: App;
  readonly exchange: Exchange;
  /** What the path's pattern has left open. */
  readonly rest: string;
}

/** Answers one request. */
type Handler = (request: Request, context: Context) => Response | Promise<Response>;

/** One row of the table. */
interface Endpoint {
  /** The path as it is shown and logged. */
  readonly path: string;
  /** Matches a normalized path; its first group is the rest. */
  readonly pattern: RegExp;
  readonly methods: Readonly<Record<string, Handler>>;
  /** How clients of this path read errors. @default {"chat"} */
  readonly dialect?: DialectName;
  /** Whether it answers without the client key, where one is set. @default {false} */
  readonly open?: boolean;
  /** Whether it tells of others, and so wants an admin's key where each client has one. @default {false} */
  readonly admin?: boolean;
}

/** Everything that the bridge answers. The path decides the client's dialect, never the body's shape. */
const ENDPOINTS: readonly Endpoint[] = [
  modelEndpoint("/chat/completions", /^\/chat\/completions$/, "chat"),
  modelEndpoint("/responses", /^\/responses$/, "responses"),
  modelEndpoint("/messages", /^\/messages$/, "messages"),
  modelEndpoint(
    "/v1beta/models/{model}",
    /^\/v1beta\/models\/(.+:(?:generateContent|streamGenerateContent))$/,
    "gemini",
  ),
  {
    path: "/v1beta/models/{model}:countTokens",
    pattern: /^\/v1beta\/models\/(.+):countTokens$/,
    methods: { POST: geminiTokenCount },
    dialect: "gemini",
  },
  {
    path: "/messages/count_tokens",
    pattern: /^\/messages\/count_tokens$/,
    methods: { POST: messagesTokenCount },
    dialect: "messages",
  },
  {
    path: "/embeddings",
    pattern: /^\/embeddings$/,
    methods: { POST: (request, { app, exchange }) => embeddings(request, app, exchange) },
  },
  { path: "/models", pattern: /^\/models$/, methods: { GET: models } },
  { path: "/models/{id}", pattern: /^\/models\/(.+)$/, methods: { GET: model } },
  { path: "/healthz", pattern: /^\/healthz$/, methods: { GET: health }, open: true },
  { path: "/readyz", pattern: /^\/readyz$/, methods: { GET: readiness }, open: true },
  { path: "/usage", pattern: /^\/usage$/, methods: { GET: usage } },
  { path: "/metrics", pattern: /^\/metrics$/, methods: { GET: metrics }, admin: true },
  { path: "/", pattern: /^\/$/, methods: { GET: home } },
];

/** An endpoint that asks a model. */
function modelEndpoint(path: string, pattern: RegExp, dialect: DialectName): Endpoint {
  const POST: Handler = (request, { app, exchange, rest }) =>
    chat(request, app, exchange, clientDialect(dialect), rest);
  return { path, pattern, dialect, methods: { POST } };
}

/**
 * The path of a URL as the table has it: people type the bridge's address with and without `/v1` and
 * slashes, and clients put theirs behind it (`forgecode.md`, "Set-up").
 *
 * @param url A request's URL.
 *
 * @example
 * ```ts
 * import { normalizePath } from "./router.ts";
 *
 * if (normalizePath("http://localhost/v1//models/?x=1") !== "/models") throw new Error("simple");
 * ```
 */
export function normalizePath(url: string): string {
  const start = url.indexOf("/", url.indexOf("//") + 2);
  if (start === -1) return "/";
  const path = url.slice(start).replace(/[?#].*$/s, "").replace(/\/{2,}/g, "/");
  const short = path.replace(/^(\/v1)+(?=\/|$)/, "").replace(/\/+$/, "");
  return short === "" ? "/" : short;
}

/**
 * The bridge as one function. Every failure leaves it as an error in the client's dialect; what nobody
 * foresaw is logged, and told without its stack.
 *
 * @param app The running bridge.
 */
export function createRouter(app: App): (request: Request) => Promise<Response> {
  return async (request) => {
    const path = normalizePath(request.url);
    const endpoint = ENDPOINTS.find((row) => row.pattern.test(path));
    const exchange = new Exchange(
      app,
      request.method,
      endpoint?.path ?? (PAGE_PATH.test(path) ? path : "(unknown)"),
      request.headers.get("user-agent"),
    );
    let origin: string | undefined;
    try {
      checkHost(request.headers.get("host") ?? new URL(request.url).host, app.config);
      // The page checks its own origin and keys.
      const page = await app.page?.handle(request, path);
      if (page) {
        // Its live events run as long as a browser shows it: no answer to wait for.
        exchange.end({ status: page.status });
        return page;
      }
      origin = checkOrigin(request.headers, app.config);
      if (endpoint === undefined) throw notFound(path);
      const preflight = origin !== undefined && request.method === "OPTIONS";
      if (!preflight && !endpoint.open) await checkKey(request.headers, endpoint, app, exchange);
      const rest = endpoint.pattern.exec(path)?.[1] ?? "";
      const response = preflight
        ? allowOrigin(request, endpoint)
        : await handle(request, endpoint, { app, exchange, rest });
      return withOrigin(finish(response, exchange, app), origin);
    } catch (error) {
      const anthropic = request.headers.has("anthropic-version");
      const dialect = endpoint?.dialect ?? (anthropic ? "messages" : "chat");
      const response = failureResponse(error, request, app, exchange, dialect);
      return withOrigin(finish(response, exchange, app), origin);
    }
  };
}

/** The page's files and data, as they are logged. */
const PAGE_PATH = /^\/(page\.(css|js)|api\/[a-z-]{1,20})$/;

/**
 * Checks the key: each client's own where there are such, else the bridge's where it has tokens to lend, else
 * the client key where one is set.
 */
async function checkKey(
  headers: Headers,
  { admin }: Endpoint,
  { keys, key, config }: App,
  exchange: Exchange,
): Promise<void> {
  if (keys) {
    const client = keys.check(headers);
    exchange.key = client.name;
    if (!admin || client.admin) return;
    throw new BridgeError(
      "forbidden",
      `The key of ${client.name} may not see this: it needs a key with "admin": true.`,
      { code: "not_admin" },
    );
  }
  if (key) await key.check(headers);
  else checkClientKey(headers, config);
}

/** Names the request in its answer, and ends its line where the answer is complete. */
function finish(response: Response, exchange: Exchange, app: App): Response {
  for (const [name, value] of Object.entries(exchange.headers)) {
    if (!response.headers.has(name)) response.headers.set(name, value);
  }
  // Whoever keeps the connection would send the next request to a bridge that is gone by then.
  if (app.draining()) response.headers.set("connection", "close");
  // A model's answer ends its own line when it is over; ending it twice does nothing.
  if (response.headers.get("content-type") !== "text/event-stream") {
    exchange.end({ status: response.status });
  }
  return response;
}

function handle(
  request: Request,
  endpoint: Endpoint,
  context: Context,
): Response | Promise<Response> {
  const method = request.method === "HEAD" ? "GET" : request.method;
  const handler = Object.hasOwn(endpoint.methods, method) ? endpoint.methods[method] : undefined;
  if (handler === undefined) {
    const allowed = Object.keys(endpoint.methods).join(", ");
    throw new BridgeError(
      "method",
      `${endpoint.path} takes ${allowed}, not ${request.method.slice(0, 20)}.`,
      { headers: { allow: allowed } },
    );
  }
  return handler(request, context);
}

/** Any failure as the client's answer. */
function failureResponse(
  error: unknown,
  request: Request,
  { log }: App,
  exchange: Exchange,
  dialect: DialectName,
): Response {
  if (request.signal.aborted || (error instanceof DOMException && error.name === "AbortError")) {
    // Nobody reads this; 499 is what a log calls a client that left.
    exchange.end({ status: 499, ending: "client left" });
    return new Response(null, { status: 499 });
  }
  const known = error instanceof BridgeError ? error : new BridgeError(
    "gateway",
    "The bridge failed on this request. Please report it, with the log's line.",
    { status: 500, type: "server_error", code: "internal_error" },
  );
  if (known !== error) {
    log.error("internal error", { error: maskSecrets(String(error)) });
    if (error instanceof Error && log.shows("debug")) log.debug(error.stack ?? "");
  }
  exchange.end({ status: known.status, ending: known.kind, error: known });
  const body = clientDialect(dialect).encodeError(known);
  return Response.json(body, { status: known.status, headers: known.headers });
}

function notFound(path: string): BridgeError {
  const known = ENDPOINTS.filter((row) => row.path !== "/").map((row) => row.path).join(", ");
  return new BridgeError(
    "not_found",
    `There is nothing at ${path.slice(0, 200)}. The bridge answers ${known}, each also under /v1.`,
    { code: "unknown_path" },
  );
}

/** The answer to a CORS preflight of a page that may use the bridge: whatever headers it asks for. */
function allowOrigin(request: Request, endpoint: Endpoint): Response {
  const asked = request.headers.get("access-control-request-headers");
  return new Response(null, {
    status: 204,
    headers: {
      "access-control-allow-methods": Object.keys(endpoint.methods).join(", "),
      "access-control-allow-headers": asked || `authorization, content-type, ${KEY_HEADER}`,
      "access-control-max-age": "600",
    },
  });
}

function withOrigin(response: Response, origin: string | undefined): Response {
  if (origin === undefined) return response;
  response.headers.set("access-control-allow-origin", origin);
  response.headers.set("access-control-expose-headers", "*");
  response.headers.set("vary", "Origin, Access-Control-Request-Headers");
  return response;
}

/** Catalog → the answer to `GET /models`, written once: ForgeCode asks four times at each start. */
const lists = new WeakMap<Catalog, string>();

/** An estimate, without asking the gateway: clients of Anthropic's ask for it before they send a request. */
async function messagesTokenCount(
  request: Request,
  { app, exchange }: Context,
): Promise<Response> {
  const body = parseBody(await readText(request, app.config.maxBody));
  const { model } = messagesClient.parseRequest(body, "");
  exchange.model = model;
  return estimate({ input_tokens: await countTokens(body, model, request.signal) });
}

/** The same for clients of Google's. */
async function geminiTokenCount(
  request: Request,
  { app, exchange, rest }: Context,
): Promise<Response> {
  const body = parseBody(await readText(request, app.config.maxBody));
  exchange.model = rest;
  return estimate({ totalTokens: await countGeminiTokens(body, rest, request.signal) });
}

function estimate(count: JsonObject): Response {
  return Response.json(count, { headers: { [ESTIMATE_HEADER]: "true" } });
}

/** The list as a client may have it: without the models that its key may not ask. */
function listFor({ headers }: Request, { keys, catalog }: App): Catalog {
  const all = catalog();
  const key = keys?.find(shownCredentials(headers).key);
  if (key?.models === undefined) return all;
  return { ...all, models: all.models.filter(({ id }) => mayAsk(key, id)) };
}

function models(request: Request, { app }: Context): Response {
  const catalog = listFor(request, app);
  if (/[?&]kind=embedding(&|$)/.test(request.url)) {
    return Response.json(listModels(catalog, app.metadata, "embedding"));
  }
  if (request.headers.has("anthropic-version")) {
    return Response.json(anthropicModels(listModels(catalog, app.metadata).data));
  }
  let text = lists.get(catalog);
  if (text === undefined) {
    text = JSON.stringify(listModels(catalog, app.metadata));
    lists.set(catalog, text);
  }
  return new Response(text, { headers: { "content-type": "application/json" } });
}

function model(request: Request, { app, rest }: Context): Response {
  let id = rest;
  try {
    id = decodeURIComponent(rest);
  } catch {
    // A stray percent sign is just part of a name that isn't there.
  }
  const entry = listModels(listFor(request, app), app.metadata).data.find((entry) =>
    entry.id === id
  );
  if (entry) return Response.json(entry);
  throw new BridgeError(
    "not_found",
    `The model "${
      id.slice(0, 100)
    }" is not in the list (${app.catalog().source}): see GET /models.${
      suggestModel(app.catalog(), id)
    }`,
    { param: "model", code: "model_not_found" },
  );
}

/** How many days of usage are told. */
const USAGE_DAYS = 7;

/** The usage of the last days, by agent: one's own, or everybody's for an admin's key. */
async function usage({ headers }: Request, { app }: Context): Promise<Response> {
  const key = app.keys?.find(shownCredentials(headers).key);
  const rows = await app.usageByClient?.(USAGE_DAYS) ?? [];
  const { hash: _hash, ...limits } = key ?? { hash: "" };
  const shown = key === undefined || key.admin
    ? rows
    : rows.filter((row) => row.key.startsWith(`${key.name}/`));
  return Response.json({ days: USAGE_DAYS, ...key && { key: limits }, rows: shown });
}

function health(_request: Request, { app }: Context): Response {
  const { userAgent: program, catalog, tokens } = app;
  const token = tokens?.state().text;
  return Response.json({ status: "ok", program, models: countListed(catalog()), token });
}

/** Whether clients should come here: a balancer asks, and takes a bridge out that is about to stop. */
function readiness(_request: Request, { app }: Context): Response {
  return app.draining()
    ? Response.json({ status: "draining" }, { status: 503 })
    : Response.json({ status: "ready" });
}

function metrics(_request: Request, { app }: Context): Response {
  return new Response(app.metrics.text(), {
    headers: { "content-type": "text/plain; version=0.0.4; charset=utf-8" },
  });
}

function home(request: Request): Response {
  // The host was checked, and names the port that the client knows.
  const origin = `http://${request.headers.get("host") ?? new URL(request.url).host}`;
  return new Response(
    `fd-bridge is running. Point an OpenAI client at ${origin}\nGET ${origin}/models lists the models.\n`,
  );
}
