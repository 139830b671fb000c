/**
 * A gateway to try and test against: as strict and as untidy as the real one, as far as its answers
 * are known. `fd-bridge --demo` runs on it, and so do the tests. It has no models and needs no
 * account: it answers like a small model that echoes, calls tools and quotes their results.
 *
 * A directive in the last user message, such as `[[sim: abrupt]]`, asks for a particular fault:
 * {@linkcode SCENARIOS} lists them.
 *
 * @module
 */

import { answer, type Gateway } from "./gateway.ts";
import {
  CHAT_MODELS,
  EMBEDDING_MODELS,
  NOT_ENABLED,
  OWN_ENDPOINTS,
  UNITY_CATALOG_ONLY,
} from "./models.ts";
import { PromptCache } from "./prompt_cache.ts";
import { type RecordedRequest, Recorder } from "./recorder.ts";
import type { Workspace } from "./refusals.ts";
import { type Wait, waitByClock } from "./steps.ts";

export type { JsonObject } from "./json.ts";
export type { Ending, RecordedRequest } from "./recorder.ts";
export type { Wait } from "./steps.ts";
export { type Scenario, SCENARIOS } from "./scenarios.ts";

/** Options of a simulator. */
export interface SimulatorOptions {
  /**
   * Milliseconds between the events of a stream; 0 is as fast as possible.
   *
   * @default 25
   */
  pace?: number;
  /**
   * The chat models that exist, without prefix.
   *
   * @default CHAT_MODELS of `simulator/models.ts`
   */
  models?: readonly string[];
  /**
   * Models, without prefix, that stand in every list and answer 403, a rate limit of 0.
   *
   * @default ["claude-fable-5"]
   */
  notEnabled?: readonly string[];
  /**
   * The time in milliseconds since 1970.
   *
   * @default Date.now
   */
  now?: () => number;
  /**
   * How pauses are spent; a test may hand in one that doesn't wait.
   *
   * @default waitByClock of `simulator/steps.ts`
   */
  wait?: Wait;
  /**
   * Whether the discovery APIs are there.
   *
   * @default true
   */
  discovery?: boolean;
  /**
   * Whether the Anthropic surface is there.
   *
   * @default true
   */
  messages?: boolean;
  /** Directives that hold for every request, as they stand inside `[[sim: …]]`. */
  scenario?: string;
}

/** A simulated gateway. */
export interface Simulator {
  /**
   * Answers a request; pure, so that tests need no socket. `Deno.serve` hands in `info`, whose
   * `completed` says that the client left; without it the request's own signal does.
   */
  readonly handler: (
    request: Request,
    info?: { readonly completed: Promise<void> },
  ) => Promise<Response>;
  /** The requests received so far, the last thousand of them, oldest first. */
  readonly requests: readonly RecordedRequest[];
  /** How many streams are being sent at this moment. */
  readonly openStreams: number;
  /** Ends all open streams, as if every client had left. */
  stop(): void;
}

/** A simulator that listens on a port. */
export interface RunningSimulator {
  /** Its address, `http://127.0.0.1:<port>`, without a slash at the end. */
  readonly url: string;
  /** The simulator itself. */
  readonly simulator: Simulator;
  /** Ends all streams and stops listening. */
  close(): Promise<void>;
}

/**
 * Makes a simulated gateway.
 *
 * @param options Pace, models, time; see {@linkcode SimulatorOptions}.
 * @returns The simulator. It holds no port and no timer until it is asked something.
 *
 * @example
 * ```ts
 * import { createSimulator } from "./mod.ts";
 *
 * const { handler } = createSimulator({ pace: 0 });
 * const response = await handler(
 *   new Request("http://localhost/mlflow/v1/chat/completions", {
 *     method: "POST",
 *     headers: { authorization: "Bearer demo" },
 *     body: JSON.stringify({
 *       model: "databricks-llama-4-maverick",
 *       messages: [{ role: "user", content: "Hello" }],
 *       stream: true,
 *     }),
 *   }),
 * );
 * const text = await response.text();
 * if (!text.endsWith("data: [DONE]\n\n")) throw new Error(text);
 * ```
 */
export function createSimulator(options: SimulatorOptions = {}): Simulator {
  const workspace: Workspace = {
    chatModels: new Set(options.models ?? [...CHAT_MODELS, ...OWN_ENDPOINTS]),
    embeddingModels: new Set(EMBEDDING_MODELS),
    notEnabled: new Set(options.notEnabled ?? NOT_ENABLED),
    unityCatalogOnly: new Set(UNITY_CATALOG_ONLY),
  };
  const recorder = new Recorder(options.now ?? Date.now);
  const gateway: Gateway = {
    workspace,
    recorder,
    met: new Set(),
    pace: options.pace ?? 25,
    now: options.now ?? Date.now,
    wait: options.wait ?? waitByClock,
    scenario: options.scenario ?? "",
    discovery: options.discovery ?? true,
    messages: options.messages ?? true,
    promptCache: new PromptCache(),
  };
  return {
    handler: (request, info) => answer(request, gateway, info?.completed),
    requests: recorder.requests,
    get openStreams() {
      return recorder.openStreams;
    },
    stop: () => recorder.stop(),
  };
}

/**
 * Starts a simulated gateway on a free port of 127.0.0.1.
 *
 * @param options Pace, models, time; see {@linkcode SimulatorOptions}.
 * @returns Its address, and how to stop it.
 * @throws {Deno.errors.NotCapable} Without the permission to listen.
 *
 * @example
 * ```ts
 * import { startSimulator } from "./mod.ts";
 *
 * const { url, close } = startSimulator({ pace: 0 });
 * const response = await fetch(`${url}/mlflow/v1/models`, {
 *   headers: { authorization: "Bearer demo" },
 * });
 * await response.body?.cancel();
 * await close();
 * if (response.status !== 404) throw new Error(`${response.status}`);
 * ```
 */
export function startSimulator(options: SimulatorOptions = {}): RunningSimulator {
  const simulator = createSimulator(options);
  const server = Deno.serve({
    hostname: "127.0.0.1",
    port: 0,
    onListen: () => {},
    // A stream that breaks on purpose is no news.
    onError: () => new Response(null, { status: 500 }),
  }, simulator.handler);
  return {
    url: `http://127.0.0.1:${server.addr.port}`,
    simulator,
    async close() {
      simulator.stop();
      await server.shutdown();
    },
  };
}
