/**
 * Method and path → handler, with the guards before it. A handler is `(request) → reply`, so the
 * whole program is tested without a socket.
 *
 * @module
 */

import { checkHost, checkOrigin, KEY_HEADER } from "./access.ts";
import type { Bridge, Front } from "./bridge.ts";
import { BridgeError, maskSecrets } from "./errors.ts";
import { Exchange } from "./observe/exchange.ts";
import { inPieces, jsonReply, type Reply, textReply } from "./http1/reply.ts";
import type { ClientRequest } from "./http1/request.ts";
import { listModels } from "./models/catalog.ts";

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
type Handler = (request: ClientRequest, context: Context) => Reply | Promise<Reply>;

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

/** The paths that have nothing open. */
const PATHS: ReadonlySet<string> = new Set(ENDPOINTS.map(({ path }) => path));

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
  const target = url.slice(start);
  // As nearly all clients spell it.
  if (PATHS.has(target)) return target;
  const path = target.replace(/[?#].*$/s, "").replace(/\/{2,}/g, "/");
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
 * import { Log } from "./observe/log.ts";
 * import { Metrics } from "./observe/metrics.ts";
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
  bridge: () => Bridge | Promise<Bridge>,
): (request: ClientRequest) => Promise<Reply> {
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
      if (!inPieces(response.body)) exchange.end({ status: response.status });
      return withOrigin(response, origin);
    } catch (error) {
      return withOrigin(fail(error, request, front, exchange), origin);
    }
  };
}

function handle(
  request: ClientRequest,
  endpoint: Endpoint,
  context: Context,
): Reply | Promise<Reply> {
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
  return handler(request, context);
}

/** Any failure as the client's answer. */
function fail(
  error: unknown,
  request: ClientRequest,
  { log }: Front,
  exchange: Exchange,
): Reply {
  if (request.signal.aborted || (error instanceof DOMException && error.name === "AbortError")) {
    // Nobody reads this; 499 is what a log calls a client that left.
    exchange.end({ status: 499, ending: "client left" });
    return { status: 499, headers: {}, body: null };
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
  return known.toReply();
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
function allow(endpoint: Endpoint): Reply {
  return {
    status: 204,
    body: null,
    headers: {
      "access-control-allow-methods": Object.keys(endpoint.methods).join(", "),
      "access-control-allow-headers": `authorization, content-type, ${KEY_HEADER}`,
      "access-control-max-age": "600",
    },
  };
}

function withOrigin(reply: Reply, origin: string | undefined): Reply {
  if (origin === undefined) return reply;
  const headers = { ...reply.headers, "access-control-allow-origin": origin, vary: "Origin" };
  return { ...reply, headers };
}

/** The road of a chat, loaded with the first one: that takes longer than all the rest of the start. */
let road: typeof import("./chat.ts") | undefined;

async function chat(request: ClientRequest, { bridge, exchange }: Context): Promise<Reply> {
  road ??= await import("./chat.ts");
  return await road.chat(request, await bridge(), exchange);
}

function models(_request: ClientRequest, { front }: Context): Reply {
  return jsonReply(listModels(front.catalogue(), front.metadata));
}

function model(_request: ClientRequest, { front, rest }: Context): Reply {
  let id = rest;
  try {
    id = decodeURIComponent(rest);
  } catch {
    // A stray percent sign is just part of a name that isn't there.
  }
  const entry = listModels(front.catalogue(), front.metadata).data.find((entry) => entry.id === id);
  if (entry) return jsonReply(entry);
  throw new BridgeError(
    "not_found",
    `The model "${
      id.slice(0, 100)
    }" is not in the list (${front.catalogue().source}): see GET /models.`,
    { param: "model", code: "model_not_found" },
  );
}

function health(_request: ClientRequest, { front }: Context): Reply {
  const { userAgent: program, catalogue } = front;
  return jsonReply({ status: "ok", program, models: catalogue().models.length });
}

function metrics(_request: ClientRequest, { front }: Context): Reply {
  return textReply(front.metrics.text(), "text/plain; version=0.0.4; charset=utf-8");
}

function home(request: ClientRequest): Reply {
  // The host was checked, and names the port that the client knows.
  const origin = `http://${request.headers.get("host") ?? new URL(request.url).host}`;
  return textReply(
    `fd-bridge is running. Point an OpenAI client at ${origin}\nGET ${origin}/models lists the models.\n`,
  );
}
