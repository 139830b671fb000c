/**
 * Method and path → handler, with the guards before it. A handler is `(request) → Response`, so the
 * whole program is tested without a socket.
 *
 * @module
 */

import { checkHost, checkOrigin, KEY_HEADER } from "./access.ts";
import type { Bridge, Front } from "./bridge.ts";
import { BridgeError, maskSecrets } from "./errors.ts";
import { Exchange } from "./exchange.ts";
import type { ClientRequest } from "./http1/request.ts";
import { listModels } from "./models.ts";

/** What a handler is handed beside the request. */
interface Context {
  readonly front: Front;
  /** The whole bridge; made with the first chat. */
  readonly bridge: () => Bridge | Promise<Bridge>;
  readonly exchange: Exchange;
  /** What the path's pattern has left open. */
  readonly rest: string;
}

/** Answers one request. */
type Handler = (request: ClientRequest, context: Context) => Response | Promise<Response>;

/** One row of the table. */
interface Endpoint {
  /** The path as it is shown and logged. */
  readonly path: string;
  /** Matches a path that was made simple; its first group is the rest. */
  readonly pattern: RegExp;
  readonly methods: Readonly<Record<string, Handler>>;
}

/** Everything that the bridge answers. */
const ENDPOINTS: readonly Endpoint[] = [
  { path: "/chat/completions", pattern: /^\/chat\/completions$/, methods: { POST: chat } },
  { path: "/responses", pattern: /^\/responses$/, methods: { POST: chat } },
  { path: "/models", pattern: /^\/models$/, methods: { GET: models } },
  { path: "/models/{id}", pattern: /^\/models\/(.+)$/, methods: { GET: model } },
  { path: "/healthz", pattern: /^\/healthz$/, methods: { GET: health } },
  { path: "/metrics", pattern: /^\/metrics$/, methods: { GET: metrics } },
  { path: "/", pattern: /^\/$/, methods: { GET: home } },
];

/**
 * The path of a URL as the table has it: people type the bridge's address with and without `/v1` and
 * slashes, and clients put theirs behind it (`forgecode.md`, "Set-up").
 *
 * @param url A request's URL.
 *
 * @example
 * ```ts
 * import { simplePath } from "./router.ts";
 *
 * if (simplePath("http://localhost/v1//models/?x=1") !== "/models") throw new Error("simple");
 * ```
 */
export function simplePath(url: string): string {
  const start = url.indexOf("/", url.indexOf("//") + 2);
  if (start === -1) return "/";
  const path = url.slice(start).replace(/[?#].*$/s, "").replace(/\/{2,}/g, "/");
  const short = path.replace(/^(\/v1)+(?=\/|$)/, "").replace(/\/+$/, "");
  return short === "" ? "/" : short;
}

/**
 * The bridge as one function. Every failure leaves it as an OpenAI error; what nobody foresaw is logged
 * and told without its stack.
 *
 * @param front What is there from the start.
 * @param bridge Gives the whole bridge; asked with every chat.
 *
 * @example
 * ```ts
 * import type { Front } from "./bridge.ts";
 * import { Log } from "./log.ts";
 * import { Metrics } from "./metrics.ts";
 * import { createRouter } from "./router.ts";
 *
 * const log = new Log({ level: "error", format: "text", color: false, write: () => {} });
 * const config = { host: "127.0.0.1", allowHosts: [], allowOrigins: [] };
 * const front = { config, log, metrics: new Metrics() } as unknown as Front;
 * const route = createRouter(front, () => Promise.reject(new Error("not needed")));
 * const response = await route(new Request("http://localhost/nothing"));
 * if (response.status !== 404) throw new Error("404");
 * ```
 */
export function createRouter(
  front: Front,
  bridge: Context["bridge"],
): (request: ClientRequest) => Promise<Response> {
  return async (request) => {
    const path = simplePath(request.url);
    const endpoint = ENDPOINTS.find((row) => row.pattern.test(path));
    const exchange = new Exchange(front, request.method, endpoint?.path ?? "(unknown)");
    let origin: string | undefined;
    try {
      checkHost(request.headers.get("host") ?? new URL(request.url).host, front.config);
      origin = checkOrigin(request.headers, front.config);
      if (endpoint === undefined) throw notFound(path);
      const preflight = origin !== undefined && request.method === "OPTIONS";
      const response = preflight ? allow(endpoint) : await handle(request, endpoint, {
        front,
        bridge,
        exchange,
        rest: endpoint.pattern.exec(path)?.[1] ?? "",
      });
      // Chat ends its own line when its answer is over; ending it twice does nothing.
      if (!isStream(response)) exchange.end({ status: response.status });
      return withOrigin(response, origin);
    } catch (error) {
      return withOrigin(fail(error, request, front, exchange), origin);
    }
  };
}

async function handle(
  request: ClientRequest,
  endpoint: Endpoint,
  context: Context,
): Promise<Response> {
  const method = request.method === "HEAD" ? "GET" : request.method;
  const handler = Object.hasOwn(endpoint.methods, method) ? endpoint.methods[method] : undefined;
  if (handler === undefined) {
    const allowed = Object.keys(endpoint.methods).join(", ");
    throw new BridgeError(
      "method",
      `${endpoint.path} takes ${allowed}, not ${request.method.slice(0, 20)}.`,
      {
        headers: { allow: allowed },
      },
    );
  }
  const response = await handler(request, context);
  return request.method === "HEAD" ? new Response(null, response) : response;
}

function isStream(response: Response): boolean {
  return response.headers.get("content-type") === "text/event-stream";
}

/** Any failure as the client's answer. */
function fail(
  error: unknown,
  request: ClientRequest,
  { log }: Front,
  exchange: Exchange,
): Response {
  if (request.signal.aborted || (error instanceof DOMException && error.name === "AbortError")) {
    // Nobody reads this; 499 is what a log calls a client that left.
    exchange.end({ status: 499, ending: "client left" });
    return new Response(null, { status: 499 });
  }
  const known = error instanceof BridgeError ? error : new BridgeError(
    "gateway",
    "The bridge failed on this request. Please report it, with the log's line.",
    {
      status: 500,
      type: "server_error",
      code: "internal_error",
    },
  );
  if (known !== error) {
    log.error("internal error", { error: maskSecrets(String(error)) });
    if (error instanceof Error && log.shows("debug")) log.debug(error.stack ?? "");
  }
  exchange.end({ status: known.status, ending: known.kind, error: known });
  return known.toResponse();
}

function notFound(path: string): BridgeError {
  const known = ENDPOINTS.filter((row) => row.path !== "/").map((row) => row.path).join(", ");
  return new BridgeError(
    "not_found",
    `There is nothing at ${path.slice(0, 200)}. The bridge answers ${known}, each also under /v1.`,
    { code: "unknown_path" },
  );
}

/** The answer to a CORS preflight of a page that may use the bridge. */
function allow(endpoint: Endpoint): Response {
  return new Response(null, {
    status: 204,
    headers: {
      "access-control-allow-methods": Object.keys(endpoint.methods).join(", "),
      "access-control-allow-headers": `authorization, content-type, ${KEY_HEADER}`,
      "access-control-max-age": "600",
    },
  });
}

function withOrigin(response: Response, origin: string | undefined): Response {
  if (origin === undefined) return response;
  const headers = new Headers(response.headers);
  headers.set("access-control-allow-origin", origin);
  headers.append("vary", "Origin");
  return new Response(response.body, { status: response.status, headers });
}

async function chat(request: ClientRequest, { bridge, exchange }: Context): Promise<Response> {
  // With the first one: to load its road takes longer than all the rest of the start.
  const road = await import("./chat.ts");
  return await road.chat(request, await bridge(), exchange);
}

function models(_request: ClientRequest, { front }: Context): Response {
  return Response.json(listModels(front.catalogue(), front.metadata));
}

function model(_request: ClientRequest, { front, rest }: Context): Response {
  let id = rest;
  try {
    id = decodeURIComponent(rest);
  } catch {
    // A stray percent sign is just part of a name that isn't there.
  }
  const entry = listModels(front.catalogue(), front.metadata).data.find((entry) => entry.id === id);
  if (entry) return Response.json(entry);
  throw new BridgeError(
    "not_found",
    `The model "${
      id.slice(0, 100)
    }" is not in the list (${front.catalogue().source}): see GET /models.`,
    { param: "model", code: "model_not_found" },
  );
}

function health(_request: ClientRequest, { front }: Context): Response {
  const { userAgent: program, catalogue } = front;
  return Response.json({ status: "ok", program, models: catalogue().models.length });
}

function metrics(_request: ClientRequest, { front }: Context): Response {
  return new Response(front.metrics.text(), {
    headers: { "content-type": "text/plain; version=0.0.4; charset=utf-8" },
  });
}

function home(request: ClientRequest): Response {
  // The host was checked, and names the port that the client knows.
  const origin = `http://${request.headers.get("host") ?? new URL(request.url).host}`;
  return new Response(
    `fd-bridge is running. Point an OpenAI client at ${origin}\nGET ${origin}/models lists the models.\n`,
    { headers: { "content-type": "text/plain; charset=utf-8" } },
  );
}
