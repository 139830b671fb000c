/**
 * OpenTelemetry: a span for each request to a model, under the server's span, and metrics, by the semantic
 * conventions for generative AI and without any content. `OTEL_DENO=true` turns it on; without that
 * nothing of it is loaded. Deno itself exports them, and in the compiled program, where it can't,
 * OpenTelemetry's own SDK does.
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
  /** Ends the SDK, where Deno does not export. */
  readonly #endSdk: (() => Promise<void>) | undefined;
  readonly #tracer: Tracer;
  readonly #tokens: Histogram;
  readonly #duration: Histogram;
  readonly #firstByte: Histogram;
  readonly #cost: Counter;
  readonly #models = new Set<string>();

  private constructor(api: Api, version: string, endSdk?: () => Promise<void>) {
    this.#api = api;
    this.#endSdk = endSdk;
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
   * @param variable Reads a variable of the environment.
   */
  static async start(
    version: string,
    variable: (name: string) => string | undefined,
  ): Promise<Telemetry> {
    const api = await import("@opentelemetry/api");
    // A span that is never ended is never exported; it tells whether Deno exports at all.
    const exports = api.trace.getTracer("fd-bridge").startSpan("probe").isRecording();
    const endSdk = exports
      ? undefined
      : (await import("./telemetry_sdk.ts")).startSdk(version, variable);
    return new Telemetry(api, version, endSdk);
  }

  /**
   * Begins the spans of a request. Deno's span of the server gets the route's name.
   *
   * @param method The request's method.
   * @param path The path that it was routed by.
   * @returns Ends them, and adds the request to the metrics.
   */
  begin(method: string, path: string): (record: RequestRecord) => void {
    const { trace, ROOT_CONTEXT, SpanKind, context } = this.#api;
    const name = `${method} ${path}`;
    const route = { "http.request.method": method, "http.route": path };
    const server = this.#endSdk && this.#tracer.startSpan(
      name,
      { kind: SpanKind.SERVER, attributes: route },
      ROOT_CONTEXT,
    );
    const active = server ?? trace.getActiveSpan();
    // Where the span is Deno's own, it has the address as it was asked for, which nothing takes away.
    active?.updateName(name).setAttributes(route);
    const parent = server ? trace.setSpan(ROOT_CONTEXT, server) : context.active();
    const asksModel = method === "POST" && !path.startsWith("/api/");
    const client = asksModel
      ? this.#tracer.startSpan("chat", { kind: SpanKind.CLIENT }, parent)
      : undefined;
    return (record) => {
      if (client) {
        this.#describe(client, record);
        client.end();
        if (record.model !== undefined) this.#measure(record, this.#bounded(record.model));
      }
      server?.setAttribute("http.response.status_code", record.status);
      server?.end();
    };
  }

  /** Sends what waits; Deno sends its own by itself. */
  async close(): Promise<void> {
    await this.#endSdk?.();
  }

  #describe(span: Span, record: RequestRecord): void {
    const { error, ending, model } = record;
    span.updateName(model === undefined ? "chat" : `chat ${model}`);
    span.setAttributes(attributesOf(record));
    if (ending !== undefined) span.setAttribute("gen_ai.response.finish_reasons", [ending]);
    if (error === undefined) return;
    span.setAttribute("error.type", error.code ?? error.kind);
    // The gateway's words stay here: they may repeat a piece of the request.
    span.setStatus({ code: this.#api.SpanStatusCode.ERROR, message: error.kind });
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
