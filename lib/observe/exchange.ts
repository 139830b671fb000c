/**
 * One request's line in the log and its place in the numbers: when it came, when its first byte left,
 * how it ended. No prompt, no answer, no token.
 *
 * @module
 */

import { type BridgeError, maskSecrets } from "../errors.ts";
import { isObject, type JsonObject } from "../json.ts";
import type { Log } from "./log.ts";
import type { Metrics } from "./metrics.ts";

/** Where a request is recorded. */
export interface Recorder {
  /** The log. */
  readonly log: Log;
  /** The numbers. */
  readonly metrics: Metrics;
  /** Requests whose answers are not over. */
  readonly open?: Set<Exchange>;
}

/** What is known about a request when it is over. */
export interface Outcome {
  /** The HTTP status that the client got. */
  readonly status: number;
  /** How the answer ended: a finish reason, `client left`, or an error's code. */
  readonly ending?: string;
  /** What went wrong. */
  readonly error?: BridgeError;
  /** Token counts, in either dialect's words. */
  readonly usage?: JsonObject;
}

/**
 * Measures one request. `end` writes its line, once.
 *
 * @example
 * ```ts
 * import { Exchange } from "./exchange.ts";
 * import { Log } from "./log.ts";
 * import { Metrics } from "./metrics.ts";
 *
 * let line = "";
 * const log = new Log({ level: "info", format: "text", color: false, write: (text) => line = text });
 * const exchange = new Exchange({ log, metrics: new Metrics() }, "GET", "/models");
 * exchange.end({ status: 200 });
 * if (!line.includes("GET /models 200")) throw new Error(line);
 * ```
 */
export class Exchange {
  readonly #bridge: Recorder;
  readonly #method: string;
  readonly #path: string;
  readonly #start = performance.now();
  #first: number | undefined;
  #over = false;
  /** The model asked for. */
  model: string | undefined;
  /** The surface that answered. */
  surface: string | undefined;
  /** What must not be logged, whoever says it. */
  secrets: readonly string[] = [];
  /** Fields that were taken out. */
  dropped: readonly string[] = [];

  /**
   * Begins to measure.
   *
   * @param bridge Where to tell.
   * @param method The request's method.
   * @param path The path that it was routed by, not the client's own spelling.
   */
  constructor(bridge: Recorder, method: string, path: string) {
    this.#bridge = bridge;
    bridge.open?.add(this);
    this.#method = method;
    this.#path = path;
  }

  /** The first byte of the answer leaves. */
  first(): void {
    this.#first ??= performance.now() - this.#start;
  }

  /** The answer is over, one way or another. */
  end(outcome: Outcome): void {
    if (this.#over) return;
    this.#over = true;
    this.#bridge.open?.delete(this);
    this.first();
    const { log, metrics } = this.#bridge;
    const duration = performance.now() - this.#start;
    const { input, output } = tokens(outcome.usage);
    metrics.count("fd_bridge_requests_total", { path: this.#path, status: String(outcome.status) });
    if (this.#method === "POST") {
      metrics.observe("fd_bridge_first_byte_seconds", this.#first!);
      metrics.observe("fd_bridge_duration_seconds", duration);
    }
    if (outcome.error !== undefined) {
      metrics.count("fd_bridge_errors_total", { kind: outcome.error.kind });
    }
    if (input !== undefined) metrics.count("fd_bridge_tokens_total", { direction: "in" }, input);
    if (output !== undefined) metrics.count("fd_bridge_tokens_total", { direction: "out" }, output);
    const level = outcome.error === undefined ? "info" : outcome.status >= 500 ? "error" : "warn";
    if (!log.shows(level)) return;
    log[level](`${this.#method} ${this.#path} ${outcome.status}`, {
      model: this.model && maskSecrets(this.model, this.secrets).slice(0, 100),
      surface: this.surface,
      first_byte_ms: Math.round(this.#first!),
      duration_ms: Math.round(duration),
      tokens_in: input,
      tokens_out: output,
      ending: outcome.ending && maskSecrets(outcome.ending.slice(0, 100), this.secrets),
      error: outcome.error && maskSecrets(outcome.error.message, this.secrets).slice(0, 500),
      dropped: this.dropped.length > 0 && log.shows("debug") ? this.dropped.join(",") : undefined,
    });
  }
}

function tokens(usage: JsonObject | undefined): { input?: number; output?: number } {
  if (!isObject(usage)) return {};
  const input = usage.prompt_tokens ?? usage.input_tokens;
  const output = usage.completion_tokens ?? usage.output_tokens;
  return {
    input: typeof input === "number" ? input : undefined,
    output: typeof output === "number" ? output : undefined,
  };
}
