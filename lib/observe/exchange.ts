/**
 * One request under observation: its lines in the log, its place in the numbers, the record and the
 * usage. No prompt, no answer, no token.
 *
 * @module
 */

import type { LogLevel } from "../config/config.ts";
import { type BridgeError, maskSecrets } from "../errors.ts";
import type { JsonObject } from "../json.ts";
import { clientName } from "./client_name.ts";
import { type Cost, costOf, type Price } from "./cost.ts";
import type { Log, LogFields } from "./log.ts";
import type { Metrics } from "./metrics.ts";
import type { RecordedError, RequestLog, RequestRecord, RunningRecord } from "./record.ts";
import type { Telemetry } from "./telemetry.ts";
import { readTokens, type Tokens } from "./tokens.ts";
import type { UsageRow } from "./usage.ts";

/** Where a request is recorded. */
export interface Recorder {
  /** The log. */
  readonly log: Log;
  /** The numbers. */
  readonly metrics: Metrics;
  /** Requests whose answers are not over. */
  readonly open?: Set<Exchange>;
  /** The record of requests. */
  readonly requests?: RequestLog;
  /** Adds up tokens and cost. */
  readonly usage?: { add(row: UsageRow): void };
  /** Spans and metrics for OpenTelemetry, where it is turned on. */
  readonly telemetry?: Telemetry;
  /** The price of a model, where it has one. */
  readonly price?: (model: string) => Price | undefined;
}

/** What is known about a request when it is over. */
export interface Outcome {
  /** The HTTP status that the client got. */
  readonly status: number;
  /** How the answer ended: a finish reason, `client left`, or an error's code. */
  readonly ending?: string;
  /** What went wrong. */
  readonly error?: BridgeError;
  /** Token counts, in any dialect's words. */
  readonly usage?: JsonObject;
}

/** How many things of one kind a record names, and how long each may be. */
const MAX_NOTES = 50;
const MAX_NOTE = 200;

/** Requests that are asked over and over by machines: logged at `debug`, and not recorded. */
const QUIET = /^\/(healthz|readyz|metrics)?$|^\/(page\.(css|js)|api\/.*)$/;

/**
 * Observes one request. `end` writes its line, once.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { Exchange } from "./exchange.ts";
 * import { Log } from "./log.ts";
 * import { Metrics } from "./metrics.ts";
 * import { RequestLog } from "./record.ts";
 *
 * const log = new Log({ level: "info", format: "json", color: false, write: () => {} });
 * const requests = new RequestLog();
 * const exchange = new Exchange({ log, metrics: new Metrics(), requests }, "GET", "/models");
 * exchange.end({ status: 200 });
 * assertEquals(requests.find()[0].id, exchange.id);
 * ```
 */
export class Exchange {
  readonly #recorder: Recorder;
  readonly #method: string;
  readonly #path: string;
  #client: string;
  readonly #time = Date.now();
  readonly #start = performance.now();
  readonly #endSpans: ((record: RequestRecord) => void) | undefined;
  readonly #repaired: string[] = [];
  readonly #learned: string[] = [];
  readonly #retries: string[] = [];
  #retryCount = 0;
  #first: number | undefined;
  #over = false;
  /** The bridge's id of the request: `x-fd-bridge-request-id`. 16 hexadecimal digits. */
  readonly id: string = crypto.randomUUID().replaceAll("-", "").slice(0, 16);
  /** The gateway's `x-request-id`, once it has answered. */
  gatewayRequestId: string | undefined;
  /** The model asked for. */
  model: string | undefined;
  /** The surface that answered. */
  surface: string | undefined;
  /** The client's dialect and the surface's: `chat → responses`. */
  dialects: string | undefined;
  /** Whether a stream was asked for. */
  stream: boolean | undefined;
  /** What must not be logged, whoever says it. */
  secrets: readonly string[] = [];
  /** Settles the limits of the client's key. */
  settle: ((tokens?: Tokens, cost?: Cost, pieces?: number) => void) | undefined;
  /** Fields that were taken out. */
  dropped: readonly string[] = [];
  /** Bytes of the answer that were sent so far, for the page. */
  bytes = 0;
  /** Pieces of the answer that were sent so far, each about a token, for the page. */
  pieces = 0;

  /**
   * Begins to observe.
   *
   * @param recorder Where to tell.
   * @param method The request's method.
   * @param path The path that it was routed by, not the client's own spelling.
   * @param userAgent The client's `user-agent`.
   */
  constructor(recorder: Recorder, method: string, path: string, userAgent?: string | null) {
    this.#recorder = recorder;
    this.#method = method;
    this.#path = path;
    this.#client = clientName(userAgent);
    recorder.open?.add(this);
    this.#endSpans = recorder.telemetry?.begin(method, path);
    if (!this.#quiet) recorder.requests?.begin(this);
  }

  /** Whose key the request has shown: the client's name begins with it from now on. */
  set key(name: string) {
    this.#client = `${name}/${this.#client}`;
  }

  /** What every answer to this request says in its headers. */
  get headers(): Record<string, string> {
    return {
      "x-fd-bridge-request-id": this.id,
      "x-request-id": this.gatewayRequestId ?? this.id,
    };
  }

  get #quiet(): boolean {
    return QUIET.test(this.#path);
  }

  /** A line in the log that belongs to this request: it has its id, and its secrets are masked. */
  log(level: LogLevel, message: string, fields: LogFields = {}): void {
    const { log } = this.#recorder;
    if (!log.shows(level)) return;
    const masked: LogFields = { id: this.id };
    for (const name in fields) {
      const value = fields[name];
      masked[name] = typeof value === "string" ? this.#mask(value) : value;
    }
    log.line(level, this.#mask(message), masked);
  }

  /** The gateway is asked again: a line in the log with the cause, and one more retry. */
  retry(cause: string, delay: number): void {
    this.#retryCount++;
    this.#note(this.#retries, cause);
    this.#recorder.metrics.count("fd_bridge_retries_total");
    this.log("warn", `${cause}; asking again`, {
      model: this.model?.slice(0, 100),
      surface: this.surface,
      delay_ms: Math.round(delay),
    });
  }

  /**
   * A refusal taught something: a line in the log.
   *
   * @param what In words, such as `drops store`.
   * @param type Its type, a word of a small fixed set, for the numbers.
   * @param fields What else the line has.
   */
  learn(what: string, type: string, fields: LogFields = {}): void {
    this.#note(this.#learned, what);
    this.#recorder.metrics.count("fd_bridge_lessons_total", { lesson: type });
    this.log("info", `learned: ${what}`, { model: this.model?.slice(0, 100), ...fields });
  }

  /** Something in the request or its answer was repaired; told once, without its content. */
  repair(what: string): void {
    this.#note(this.#repaired, what);
  }

  /** The first byte of the answer leaves. */
  first(): void {
    this.#first ??= performance.now() - this.#start;
  }

  /** How far the request is. */
  running(): RunningRecord {
    return {
      id: this.id,
      time: new Date(this.#time).toISOString(),
      client: this.#client,
      path: this.#path,
      model: this.model && this.#mask(this.model).slice(0, 100),
      surface: this.surface,
      duration_ms: Math.round(performance.now() - this.#start),
      first_byte_ms: this.#first === undefined ? undefined : Math.round(this.#first),
      bytes: this.bytes,
      tokens: this.pieces,
    };
  }

  /** The answer is over, one way or another. */
  end(outcome: Outcome): void {
    if (this.#over) return;
    this.#over = true;
    const { metrics, requests, open } = this.#recorder;
    open?.delete(this);
    this.first();
    const duration = performance.now() - this.#start;
    const tokens = readTokens(outcome.usage);
    const price = tokens && this.model ? this.#recorder.price?.(this.model) : undefined;
    const cost = tokens && price ? costOf(tokens, price) : undefined;
    // The prompt is paid for where the gateway has not refused it, whoever has counted what.
    const isPaid = outcome.status < 400 || outcome.status === 499;
    this.settle?.(tokens, cost, isPaid ? Math.max(this.pieces, 1) : this.pieces);
    const record = this.#record(outcome, duration, tokens, cost);

    metrics.count("fd_bridge_requests_total", { path: this.#path, status: String(outcome.status) });
    if (this.#method === "POST" && !this.#quiet) {
      metrics.observe("fd_bridge_first_byte_seconds", this.#first!);
      metrics.observe("fd_bridge_duration_seconds", duration);
    }
    if (outcome.error) metrics.count("fd_bridge_errors_total", { kind: outcome.error.kind });
    if (tokens) this.#count(tokens, cost);
    requests?.end(this, this.#quiet ? undefined : record);
    if (record.model !== undefined) {
      this.#recorder.usage?.add({
        time: this.#time,
        model: record.model,
        client: this.#client,
        failed: outcome.error !== undefined || outcome.status >= 400,
        tokens,
        cost,
      });
    }
    this.#endSpans?.(record);
    this.#line(record);
  }

  #count(tokens: Tokens, cost: Cost | undefined): void {
    const { metrics } = this.#recorder;
    metrics.count("fd_bridge_tokens_total", { direction: "in" }, tokens.input);
    metrics.count("fd_bridge_tokens_total", { direction: "out" }, tokens.output);
    const { cached, written } = tokens;
    if (cached > 0) metrics.count("fd_bridge_cache_tokens_total", { operation: "read" }, cached);
    if (written > 0) metrics.count("fd_bridge_cache_tokens_total", { operation: "write" }, written);
    if (cost) metrics.count("fd_bridge_cost_dollars_total", {}, cost.total);
  }

  #record(
    { status, ending, error }: Outcome,
    duration: number,
    tokens: Tokens | undefined,
    cost: Cost | undefined,
  ): RequestRecord {
    return {
      id: this.id,
      gateway_request_id: this.gatewayRequestId && this.#mask(this.gatewayRequestId).slice(0, 100),
      time: new Date(this.#time).toISOString(),
      client: this.#client,
      method: this.#method,
      path: this.#path,
      model: this.model === undefined ? undefined : this.#mask(this.model).slice(0, 100),
      surface: this.surface,
      dialects: this.dialects,
      stream: this.stream,
      status,
      ending: ending === undefined ? undefined : this.#mask(ending.slice(0, 100)),
      first_byte_ms: Math.round(this.#first!),
      duration_ms: Math.round(duration),
      tokens_in: tokens?.input,
      tokens_out: tokens?.output,
      tokens_cached: tokens?.cached,
      tokens_written: tokens?.written,
      cost: cost?.total,
      saved: cost?.saved,
      cache_writing: cost?.writing,
      dropped: this.dropped.slice(0, MAX_NOTES).map((name) => this.#mask(name).slice(0, MAX_NOTE)),
      repaired: this.#repaired,
      learned: this.#learned,
      retries: this.#retryCount,
      retry_causes: this.#retries,
      error: error && this.#error(error),
    };
  }

  #error({ kind, code, status, message }: BridgeError): RecordedError {
    // What to do about it stands behind the gateway's words: `… [fd-bridge: …]`.
    const masked = this.#mask(message);
    const advice = /\[fd-bridge: ([^\]]{1,500})\]$/.exec(masked)?.[1];
    return {
      kind,
      code: code === null || code === undefined
        ? undefined
        : this.#mask(String(code)).slice(0, 100),
      status,
      message: masked.slice(0, 500),
      advice,
    };
  }

  #line(record: RequestRecord): void {
    const { log } = this.#recorder;
    const { error, status } = record;
    // A stream that has begun can't change its status any more.
    const late = error !== undefined && status < 400 ? ` then ${error.status}` : "";
    const worst = error && status < 400 ? error.status : status;
    const level = error === undefined
      ? this.#quiet && status < 400 ? "debug" : "info"
      : worst >= 500 && record.ending !== "shutdown"
      ? "error"
      : "warn";
    if (!log.shows(level)) return;
    const debug = log.shows("debug");
    log[level](`${record.method} ${record.path} ${status}${late}`, {
      id: record.id,
      model: record.model,
      client: record.method === "POST" ? record.client : undefined,
      surface: record.surface,
      first_byte_ms: record.first_byte_ms,
      duration_ms: record.duration_ms,
      tokens_in: record.tokens_in,
      tokens_out: record.tokens_out,
      tokens_cached: record.tokens_cached || undefined,
      tokens_written: record.tokens_written || undefined,
      cost: record.cost === undefined ? undefined : Number(record.cost.toPrecision(4)),
      retries: record.retries || undefined,
      ending: record.ending,
      error: error?.message,
      gateway_id: record.gateway_request_id,
      dialects: debug ? record.dialects : undefined,
      dropped: debug ? join(record.dropped) : undefined,
      repaired: debug ? join(record.repaired) : undefined,
    });
  }

  /** Adds to a bounded list what isn't there yet. */
  #note(list: string[], text: string): void {
    const note = this.#mask(text).slice(0, MAX_NOTE);
    if (list.length < MAX_NOTES && !list.includes(note)) list.push(note);
  }

  #mask(text: string): string {
    return maskSecrets(text, this.secrets);
  }
}

function join(words: readonly string[]): string | undefined {
  return words.length > 0 ? words.join(",") : undefined;
}
