/**
 * The page behind a real server, with a record and usage that a test fills: the same objects as in the
 * bridge, without a gateway.
 *
 * @module
 */

import { BridgeError } from "../../lib/errors.ts";
import { priceOf } from "../../lib/observe/cost.ts";
import { Exchange } from "../../lib/observe/exchange.ts";
import { Log } from "../../lib/observe/log.ts";
import { Metrics } from "../../lib/observe/metrics.ts";
import { createPage, type Page, type PageContext } from "../../lib/observe/page/mod.ts";
import { RequestLog } from "../../lib/observe/record.ts";
import { UsageStore } from "../../lib/observe/usage.ts";
import { machine } from "../../lib/system/machine.ts";

/** What a request of a test is; everything has a default. */
export interface FakeRequest {
  /** The model. */
  readonly model?: string;
  /** The user agent. */
  readonly client?: string;
  /** What went wrong, and with which status. */
  readonly error?: { readonly status: number; readonly message: string };
  /** Tokens of the prompt, of the answer, and from the cache. */
  readonly tokens?: readonly [number, number, number];
}

/** A page with what it shows. */
export interface PageServer extends AsyncDisposable {
  /** The page, a new one after a restart. */
  readonly page: () => Page;
  /** Where it listens, without a slash. */
  readonly url: string;
  /** The record. */
  readonly requests: RequestLog;
  /** A request begins; the test ends it. */
  readonly begin: (request?: FakeRequest) => Exchange;
  /** A request that is over. */
  readonly add: (request?: FakeRequest) => Exchange;
  /** Stops listening. */
  readonly stop: () => Promise<void>;
  /** Listens again on the same port, as a bridge that was started again; the record is the old one. */
  readonly restart: () => void;
  /** How often the doctor ran. */
  readonly doctorRuns: () => number;
}

/**
 * Starts a page on a free port of loopback.
 *
 * @param more What differs from a bridge without keys.
 */
export async function startPage(more: Partial<PageContext> = {}): Promise<PageServer> {
  const requests = new RequestLog();
  const usage = await UsageStore.open({ files: machine.files, tell: () => {} });
  let runs = 0;
  const context: PageContext = {
    version: "fd-bridge/1.0.0",
    requests,
    usage,
    loopback: true,
    keys: () => [],
    health: () => ({
      rows: [
        {
          label: "Gateway",
          value: "https://1.ai-gateway.azuredatabricks.net, answers",
          state: "good",
        },
        { label: "Token", value: "valid for 4 more minutes", state: "warn" },
        { label: "Models", value: "59 from ~/.config/fd-bridge/models.json" },
        { label: "Usage", value: "~/.config/fd-bridge/usage.db" },
      ],
      learned: ["databricks-glm-5-2: drops parallel_tool_calls"],
    }),
    async *runDoctor() {
      runs++;
      yield "✓ settings\n";
      await Promise.resolve();
      yield "✓ gateway\nEverything is well.\n";
    },
    tick: 50,
    ...more,
  };
  let page = createPage(context);
  const recorder = {
    log: new Log({ level: "error", format: "text", color: false, write: () => {} }),
    metrics: new Metrics(),
    requests,
    usage,
    price: (model: string) => priceOf(model),
  };
  const handler = async (request: Request) =>
    await page.handle(request, new URL(request.url).pathname) ??
      new Response("fd-bridge is running.\n", { status: 200 });
  const listen = (port: number) =>
    Deno.serve({ port, hostname: "127.0.0.1", onListen: () => {} }, handler);
  let server: Deno.HttpServer<Deno.NetAddr> | undefined = listen(0);
  const { port } = server.addr;
  const begin = (
    { model = "databricks-claude-sonnet-4-5", client = "ForgeCode/2.9" }: FakeRequest,
  ) => {
    const exchange = new Exchange(recorder, "POST", "/chat/completions", client);
    exchange.model = model;
    exchange.surface = "mlflow";
    exchange.dialects = "chat → chat";
    exchange.stream = true;
    exchange.dropped = ["parallel_tool_calls"];
    return exchange;
  };
  const stop = async () => {
    const stopping = server;
    server = undefined;
    await stopping?.shutdown();
  };
  return {
    page: () => page,
    url: `http://127.0.0.1:${port}`,
    requests,
    begin: (request = {}) => begin(request),
    add(request = {}) {
      const exchange = begin(request);
      exchange.first();
      const { error, tokens = [1_000, 100, 800] } = request;
      exchange.end(
        error
          ? {
            status: error.status,
            ending: "gateway",
            error: new BridgeError("gateway", error.message, { status: error.status }),
          }
          : {
            status: 200,
            ending: "stop",
            usage: {
              prompt_tokens: tokens[0],
              completion_tokens: tokens[1],
              cache_read_input_tokens: tokens[2],
            },
          },
      );
      return exchange;
    },
    async stop() {
      page.close();
      await stop();
    },
    restart() {
      page = createPage(context);
      server ??= listen(port);
    },
    doctorRuns: () => runs,
    async [Symbol.asyncDispose]() {
      page.close();
      await stop();
      await usage.close(0);
    },
  };
}
