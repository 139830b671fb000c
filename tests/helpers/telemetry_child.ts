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
    const body = JSON.stringify({ model: "databricks-gpt-5", prompt });
    // By hand: Deno's own fetch would export a span with the address as well.
    using connection = await Deno.connect({ hostname: "127.0.0.1", port: server.addr.port });
    const text = "POST /chat/completions?key=opaque~secret HTTP/1.1\r\nhost: 127.0.0.1\r\n" +
      `connection: close\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
    await connection.write(new TextEncoder().encode(text));
    for (const bytes = new Uint8Array(4096); await connection.read(bytes) !== null;);
  }
  await server.shutdown();
  await telemetry?.close();
  Deno.exit(0);
}
