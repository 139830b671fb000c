/**
 * OpenTelemetry: a span for each request to a model, under the span of `Deno.serve`, and metrics, by the
 * semantic conventions for generative AI and without any content. Deno exports them (`OTEL_DENO=true`);
 * without that nothing of this is loaded.
 *
 * @module
 */

import type { Counter, Histogram, Span, Tracer } from "@opentelemetry/api";
import type { RequestRecord } from "./record.ts";

type Api = typeof import("@opentelemetry/api");

/** Different models in the metrics' attributes; further ones are `(other)`. */
const MAX_MODELS = 200;

/** Whether `OTEL_DENO` turns telemetry on, as Deno reads it. */
export function wantsTelemetry(value: string | undefined): boolean {
  return value === "true" || value === "1";
}

/** Spans and metrics of the requests of one program. */
export class Telemetry {
  readonly #api: Api;
  readonly #tracer: Tracer;
  readonly #tokens: Histogram;
  readonly #duration: Histogram;
  readonly #firstByte: Histogram;
  readonly #cost: Counter;
  readonly #models = new Set<string>();

  private constructor(api: Api, version: string) {
    this.#api = api;
    this.#tracer = api.trace.getTracer("fd-bridge", version);
    const meter = api.metrics.getMeter("fd-bridge", version);
    this.#tokens = meter.createHistogram("gen_ai.client.token.usage", {
      unit: "{token}",
      description: "Tokens of prompts and answers.",
    });
    this.#duration = meter.createHistogram("gen_ai.client.operation.duration", {
      unit: "s",
      description: "Time from a request to the end of its answer.",
    });
    this.#firstByte = meter.createHistogram("fd_bridge.first_byte.duration", {
      unit: "s",
      description: "Time from a request to the first byte of its answer.",
    });
    this.#cost = meter.createCounter("fd_bridge.cost", {
      unit: "{dollar}",
      description: "What answers cost, as far as prices are known.",
    });
  }

  /**
   * Loads what is needed.
   *
   * @param version The program's version.
   */
  static async start(version: string): Promise<Telemetry> {
    return new Telemetry(await import("@opentelemetry/api"), version);
  }

  /**
   * Begins the span of a request; the span of `Deno.serve` that it is under gets the route's name.
   *
   * @param method The request's method.
   * @param path The path that it was routed by.
   * @returns The span; undefined for a request that asks no model.
   */
  begin(method: string, path: string): Span | undefined {
    const server = this.#api.trace.getActiveSpan();
    server?.updateName(`${method} ${path}`);
    server?.setAttribute("http.route", path);
    if (method !== "POST" || path.startsWith("/api/")) return undefined;
    return this.#tracer.startSpan("chat", { kind: this.#api.SpanKind.CLIENT });
  }

  /** Ends a span, and adds the request to the metrics. */
  end(span: Span, record: RequestRecord): void {
    const { error, ending, model } = record;
    span.updateName(model === undefined ? "chat" : `chat ${model}`);
    span.setAttributes(attributesOf(record));
    if (ending !== undefined) span.setAttribute("gen_ai.response.finish_reasons", [ending]);
    if (error !== undefined) {
      span.setAttribute("error.type", error.code ?? error.kind);
      // The gateway's words stay here: they may repeat a piece of the request.
      span.setStatus({ code: this.#api.SpanStatusCode.ERROR, message: error.kind });
    }
    span.end();
    if (model !== undefined) this.#measure(record, this.#bounded(model));
  }

  #bounded(model: string): string {
    if (this.#models.size >= MAX_MODELS && !this.#models.has(model)) return "(other)";
    this.#models.add(model);
    return model;
  }

  #measure(record: RequestRecord, model: string): void {
    const attributes = {
      "gen_ai.operation.name": "chat",
      "gen_ai.provider.name": "databricks",
      "gen_ai.request.model": model,
      ...record.error && { "error.type": record.error.kind },
    };
    this.#duration.record(record.duration_ms / 1_000, attributes);
    this.#firstByte.record(record.first_byte_ms / 1_000, attributes);
    for (const [type, tokens] of [["input", record.tokens_in], ["output", record.tokens_out]]) {
      if (tokens === undefined) continue;
      this.#tokens.record(Number(tokens), { ...attributes, "gen_ai.token.type": String(type) });
    }
    if (record.cost !== undefined) this.#cost.add(record.cost, attributes);
  }
}

/** What a span says of its request. Attributes that are undefined are left out. */
function attributesOf(record: RequestRecord): Record<string, string | number> {
  const attributes: Record<string, string | number | undefined> = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "databricks",
    "gen_ai.request.model": record.model,
    "gen_ai.usage.input_tokens": record.tokens_in,
    "gen_ai.usage.output_tokens": record.tokens_out,
    "gen_ai.usage.cache_read.input_tokens": record.tokens_cached,
    "gen_ai.usage.cache_creation.input_tokens": record.tokens_written,
    "http.response.status_code": record.status,
    "fd_bridge.request.id": record.id,
    "fd_bridge.gateway.request_id": record.gateway_request_id,
    "fd_bridge.client": record.client,
    "fd_bridge.surface": record.surface,
    "fd_bridge.dialects": record.dialects,
    "fd_bridge.first_byte_ms": record.first_byte_ms,
    "fd_bridge.retries": record.retries,
    "fd_bridge.cost": record.cost,
  };
  for (const name in attributes) if (attributes[name] === undefined) delete attributes[name];
  return attributes as Record<string, string | number>;
}
