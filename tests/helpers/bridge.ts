/**
 * A whole bridge for a test: settings from flags as a person would type them, the simulator (or any
 * `fetch`) as the gateway, and the log kept. Without sockets unless they are asked for.
 *
 * @module
 */

import { type AppOptions, createApp, type RunningApp } from "../../lib/app.ts";
import { readConfig, settings } from "../../lib/config/config.ts";
import { parseCommandLine } from "../../lib/config/command_line.ts";
import { type Client, createClient } from "../../lib/gateway/client.ts";
import { fetchClient } from "../../lib/gateway/fetch_client.ts";
import type { JsonObject } from "../../lib/json.ts";
import { type RunningServer, serveApp } from "./serve_app.ts";
import { Log } from "../../lib/observe/log.ts";
import { parseModels } from "../../lib/models/catalog.ts";
import type { KeyRing } from "../../lib/keys/mod.ts";
import type { SharedStore } from "../../lib/store/mod.ts";
import {
  createSimulator,
  type RecordedRequest,
  type Simulator,
  type SimulatorOptions,
  startSimulator,
} from "../../lib/simulator/mod.ts";

/** The token that test clients send: of no form that a pattern could find. */
export const TOKEN = "Zq7-opaque~token~of~the~tests";

/** A gateway in a function's place: what it is asked, and with what it answers. */
export type FakeGateway = (request: Request, number: number) => Response | Promise<Response>;

/** Options of a test's bridge. */
export interface TestBridgeOptions {
  /** The command line, such as `["--heartbeat", "0"]`. */
  readonly flags?: readonly string[];
  /** The environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** The `models.json`, as text or as a value. @default the repository's own */
  readonly models?: unknown;
  /** The simulated gateway, where it isn't the usual one without pauses. */
  readonly simulator?: SimulatorOptions;
  /** A gateway in the simulator's place. */
  readonly gateway?: FakeGateway;
  /** What is shared with other bridges. */
  readonly store?: SharedStore;
  /** The keys of clients. */
  readonly keys?: KeyRing;
  /** Adds up tokens and cost, and so there is a page. */
  readonly usage?: AppOptions["usage"];
}

/** A bridge under test. */
export interface TestBridge {
  /** The program as one function. */
  readonly route: (request: Request) => Promise<Response>;
  /** Its parts. */
  readonly bridge: RunningApp;
  /** The simulated gateway; idle where another one is in its place. */
  readonly simulator: Simulator;
  /** The requests that reached the gateway, oldest first, whichever gateway it was. */
  readonly requests: readonly Pick<RecordedRequest, "path" | "headers" | "body" | "text">[];
  /** Everything that was logged. */
  readonly log: () => string;
  /** Sends a `POST` with the tests' token. */
  readonly post: (
    path: string,
    body: unknown,
    more?: { readonly headers?: Record<string, string>; readonly signal?: AbortSignal },
  ) => Promise<Response>;
  /** Sends a `GET` without a token. */
  readonly get: (path: string) => Promise<Response>;
}

const OWN_MODELS = Deno.readTextFileSync(new URL("../../models.json", import.meta.url));

/**
 * Puts a bridge together, in this process and without a socket.
 *
 * @param options What it is told.
 * @returns The bridge, and everything around it.
 *
 * @example
 * ```ts
 * import { testBridge } from "./bridge.ts";
 *
 * const { post } = testBridge();
 * const messages = [{ role: "user", content: "Hello" }];
 * const response = await post("/v1/chat/completions", { model: "databricks-glm-5-2", messages });
 * if (response.status !== 200) throw new Error(await response.text());
 * ```
 */
export function testBridge(options: TestBridgeOptions = {}): TestBridge {
  const simulator = createSimulator({ pace: 0, ...options.simulator });
  const requests: {
    path: string;
    headers: Record<string, string>;
    body: JsonObject;
    text: string;
  }[] = [];
  const fake = options.gateway;
  const client = fetchClient(async (input, init) => {
    const request = new Request(input, init);
    if (fake === undefined) return await simulator.handler(request);
    const text = await request.clone().text();
    const { pathname, search } = new URL(request.url);
    requests.push({
      path: pathname + search,
      headers: Object.fromEntries(request.headers),
      body: JSON.parse(text),
      text,
    });
    return await fake(request, requests.length);
  });
  const { bridge, log } = assemble(options, "http://127.0.0.1:9", client);
  const route = async (request: Request) => {
    const response = await bridge.handler(request);
    // Deno.serve leaves it out.
    return request.method === "HEAD" ? new Response(null, response) : response;
  };
  return {
    route,
    bridge,
    simulator,
    requests: fake === undefined ? simulator.requests : requests,
    log,
    post: (path, body, more = {}) => route(postRequest(`http://127.0.0.1:8080${path}`, body, more)),
    get: (path) => route(new Request(`http://127.0.0.1:8080${path}`)),
  };
}

/** A bridge that listens, and its gateway that does. */
export interface ListeningBridge extends AsyncDisposable {
  /** The bridge's address, without a slash at the end. */
  readonly url: string;
  /** Its parts. */
  readonly bridge: RunningApp;
  /** The simulated gateway. */
  readonly simulator: Simulator;
  /** Everything that was logged. */
  readonly log: () => string;
  /** The server. */
  readonly server: RunningServer;
}

/**
 * Starts a bridge and a simulated gateway on free ports of 127.0.0.1.
 *
 * @param options What it is told; `gateway` is not looked at.
 * @returns Its address; to be disposed of (`await using`).
 *
 * @example
 * ```ts
 * import { listeningBridge } from "./bridge.ts";
 *
 * await using bridge = listeningBridge();
 * const response = await fetch(`${bridge.url}/models`);
 * await response.body?.cancel();
 * if (response.status !== 200) throw new Error(`${response.status}`);
 * ```
 */
export function listeningBridge(
  options: TestBridgeOptions = {},
): ListeningBridge {
  const { url: base, simulator, close } = startSimulator({ pace: 0, ...options.simulator });
  const { bridge, log } = assemble(options, base);
  const server = serveApp(bridge);
  return {
    url: server.url,
    bridge,
    simulator,
    log,
    server,
    async [Symbol.asyncDispose]() {
      await server.stop();
      await close();
    },
  };
}

function assemble(
  { flags = [], env = {}, models = OWN_MODELS, store, keys, usage }: TestBridgeOptions,
  gateway: string,
  own?: Client,
): { bridge: RunningApp; log: () => string } {
  const config = readConfig(settings(parseCommandLine(flags), { process: env }));
  const lines: string[] = [];
  const log = new Log({
    level: config.logLevel,
    format: config.logFormat,
    color: false,
    write: (line) => lines.push(line),
  });
  const text = typeof models === "string" ? models : JSON.stringify(models);
  const list = parseModels(text, "models.json");
  const catalog = () => list;
  const client = own ?? createClient(config);
  const bridge = createApp({
    config,
    gateway,
    version: "test",
    catalog,
    log,
    client,
    store,
    keys,
    usage,
  });
  return { bridge, log: () => lines.join("") };
}

/**
 * A `POST` of JSON with the tests' token.
 *
 * @param url Where to.
 * @param body The body; text goes as it is.
 * @param more Further headers, and the signal by which the client leaves.
 * @returns The request.
 */
export function postRequest(
  url: string,
  body: unknown,
  { headers = {}, signal }: { headers?: Record<string, string>; signal?: AbortSignal } = {},
): Request {
  return new Request(url, {
    method: "POST",
    headers: {
      "authorization": `Bearer ${TOKEN}`,
      "content-type": "application/json",
      ...headers,
    },
    body: typeof body === "string" ? body : JSON.stringify(body),
    signal,
  });
}

/**
 * A user's message and nothing else, as a request.
 *
 * @param model The model.
 * @param content What the user says.
 * @param more Further fields.
 * @returns The body.
 */
export function ask(model: string, content: string, more: JsonObject = {}): JsonObject {
  return { model, messages: [{ role: "user", content }], ...more };
}

/**
 * An answer of the gateway's as a stream of events.
 *
 * @param events Each one's `data`; values become JSON.
 * @returns The answer.
 */
export function eventStream(...events: unknown[]): Response {
  const text = events.map((event) =>
    `data: ${typeof event === "string" ? event : JSON.stringify(event)}\n\n`
  ).join("");
  return new Response(text, { headers: { "content-type": "text/event-stream" } });
}
