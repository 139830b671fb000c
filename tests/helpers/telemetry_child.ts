/**
 * A server that observes each request as the bridge does, with OpenTelemetry where `OTEL_DENO` is set, or
 * its first argument is `compiled`: then Deno exports nothing, as in the compiled program. It answers two
 * requests to itself, and ends as the program ends.
 *
 * @module
 */

import { BridgeError } from "../../lib/errors.ts";
import { Exchange } from "../../lib/observe/exchange.ts";
import { Log } from "../../lib/observe/log.ts";
import { Metrics } from "../../lib/observe/metrics.ts";
import { Telemetry, wantsTelemetry } from "../../lib/observe/telemetry.ts";

if (import.meta.main) {
  const telemetry = wantsTelemetry(Deno.env.get("OTEL_DENO")) || Deno.args[0] === "compiled"
    ? await Telemetry.start("1.0.0", (name) => Deno.env.get(name))
    : undefined;
  const recorder = {
    log: new Log({ level: "error", format: "text", color: false, write: () => {} }),
    metrics: new Metrics(),
    telemetry,
    price: () => ({ input: 1, output: 2 }),
  };
  const server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen: () => {} },
    async (request) => {
      const exchange = new Exchange(recorder, request.method, "/chat/completions", "ForgeCode/2.9");
      exchange.secrets = ["opaque~secret"];
      const { model, prompt } = await request.json();
      exchange.model = model;
      exchange.surface = "mlflow";
      if (prompt === "fail") {
        const words = `opaque~secret: ${prompt} the-prompt-itself`;
        exchange.end({
          status: 429,
          ending: "gateway",
          error: new BridgeError("gateway", words, { status: 429 }),
        });
        return new Response(null, { status: 429 });
      }
      exchange.end({
        status: 200,
        ending: "stop",
        usage: { prompt_tokens: 1_000, completion_tokens: 50 },
      });
      return new Response("the-answer-itself");
    },
  );
  for (const prompt of ["the-prompt-itself", "fail"]) {
    const url = `http://127.0.0.1:${server.addr.port}/chat/completions`;
    const body = JSON.stringify({ model: "databricks-gpt-5", prompt });
    await (await fetch(url, { method: "POST", body })).text();
  }
  await server.shutdown();
  await telemetry?.close();
  Deno.exit(0);
}
