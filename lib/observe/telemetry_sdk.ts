/**
 * OpenTelemetry's own SDK and its exporters over OTLP/HTTP, for the compiled program: there Deno decides
 * at compile time whether it exports (denoland/deno#28839), and it was told not to. The SDK reads the
 * same variables, `OTEL_EXPORTER_OTLP_ENDPOINT` and its kin.
 *
 * @module
 */

import { metrics, trace } from "@opentelemetry/api";
import { OTLPMetricExporter } from "@opentelemetry/exporter-metrics-otlp-http";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { MeterProvider, PeriodicExportingMetricReader } from "@opentelemetry/sdk-metrics";
import { BatchSpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace";

/** How long a collector may take, in milliseconds. */
const TIME = 5_000;

/**
 * Starts the SDK: from then on `trace` and `metrics` of the API are its own.
 *
 * @param version The program's version.
 * @param variable Reads a variable of the environment.
 * @returns Sends what waits.
 */
export function startSdk(
  version: string,
  variable: (name: string) => string | undefined,
): () => Promise<void> {
  const resource = resourceFromAttributes({
    ...attributesOf(variable("OTEL_RESOURCE_ATTRIBUTES")),
    "service.name": variable("OTEL_SERVICE_NAME") || "fd-bridge",
    "service.version": version,
  });
  const tracers = new TracerProvider({
    resource,
    spanProcessors: [
      new BatchSpanProcessor({ exporter: new OTLPTraceExporter({ timeoutMillis: TIME }) }),
    ],
  });
  const meters = new MeterProvider({
    resource,
    readers: [
      new PeriodicExportingMetricReader({
        exporter: new OTLPMetricExporter({ timeoutMillis: TIME }),
        exportTimeoutMillis: TIME,
      }),
    ],
  });
  trace.setGlobalTracerProvider(tracers);
  metrics.setGlobalMeterProvider(meters);
  // A collector that is gone keeps no program from ending.
  return async () => void await Promise.allSettled([tracers.shutdown(), meters.shutdown()]);
}

/** `key=value,key=value`, as the variable has it. */
function attributesOf(text = ""): Record<string, string> {
  const attributes: Record<string, string> = {};
  for (const pair of text.split(",")) {
    const at = pair.indexOf("=");
    if (at > 0) attributes[pair.slice(0, at).trim()] = pair.slice(at + 1).trim();
  }
  return attributes;
}
