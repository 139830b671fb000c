import { assert, assertEquals } from "@std/assert";
import { wantsTelemetry } from "../lib/observe/telemetry.ts";
import { startProgram } from "./helpers/program.ts";
import { currentStdSource, stdFlags } from "../scripts/std_source.ts";

interface Attribute {
  key: string;
  value: Record<string, unknown>;
}

interface ExportedSpan {
  name: string;
  spanId: string;
  parentSpanId?: string;
  traceId: string;
  status?: { code?: number | string; message?: string };
  attributes: Attribute[];
}

/** An OTLP collector on loopback that keeps what it is sent, as JSON. */
function startCollector() {
  const bodies: { path: string; text: string }[] = [];
  const server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen: () => {} },
    async (request) => {
      bodies.push({ path: new URL(request.url).pathname, text: await request.text() });
      return Response.json({});
    },
  );
  return {
    url: `http://127.0.0.1:${server.addr.port}`,
    bodies,
    spans: () =>
      bodies.filter(({ path }) => path === "/v1/traces").flatMap(({ text }) =>
        // deno-lint-ignore no-explicit-any
        JSON.parse(text).resourceSpans.flatMap(({ scopeSpans }: any) =>
          // deno-lint-ignore no-explicit-any
          scopeSpans.flatMap(({ spans }: any) => spans)
        ) as ExportedSpan[]
      ),
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

async function runChild(env: Record<string, string>, ...args: string[]): Promise<void> {
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--no-prompt",
      "--allow-net",
      "--allow-env=OTEL_*,NODE_USE_ENV_PROXY",
      ...stdFlags(currentStdSource()),
      new URL("./helpers/telemetry_child.ts", import.meta.url).pathname,
      ...args,
    ],
    cwd: new URL("..", import.meta.url).pathname,
    env,
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).output();
  assertEquals(code, 0, new TextDecoder().decode(stderr));
}

function attributes(span: ExportedSpan): Record<string, unknown> {
  return Object.fromEntries(
    span.attributes.map(({ key, value }) => [key, value.intValue ?? Object.values(value)[0]]),
  );
}

/** Looks at what a collector got of the two requests of the child. */
function checkExport(collector: ReturnType<typeof startCollector>): void {
  const spans = collector.spans();
  const [good, failed, ...others] = spans.filter(({ name }) => name === "chat databricks-gpt-5");
  assert(good && failed && others.length === 0, JSON.stringify(spans.map(({ name }) => name)));
  const facts = attributes(good);
  assertEquals(facts["gen_ai.request.model"], "databricks-gpt-5");
  assertEquals(Number(facts["gen_ai.usage.input_tokens"]), 1_000);
  assertEquals(Number(facts["gen_ai.usage.output_tokens"]), 50);
  assertEquals([facts["fd_bridge.client"], facts["fd_bridge.surface"]], ["ForgeCode", "mlflow"]);
  assertEquals(attributes(failed)["error.type"], "gateway");
  const server = spans.find(({ spanId }) => spanId === good.parentSpanId);
  assertEquals([server?.name, server?.traceId], ["POST /chat/completions", good.traceId]);
  const metrics = collector.bodies.filter(({ path }) => path === "/v1/metrics")
    .map(({ text }) => text).join();
  for (
    const name of [
      "gen_ai.client.token.usage",
      "gen_ai.client.operation.duration",
      "fd_bridge.first_byte.duration",
      "fd_bridge.cost",
    ]
  ) assert(metrics.includes(`"${name}"`), name);
  const everything = collector.bodies.map(({ text }) => text).join();
  assert(!/the-prompt-itself|the-answer-itself|opaque~secret/.test(everything));
}

Deno.test("OTEL_DENO=true exports a span for each request under that of the server, without content", async () => {
  await using collector = startCollector();
  await runChild({
    OTEL_DENO: "true",
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
    OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
  });
  checkExport(collector);
});

Deno.test("the compiled program, where Deno can't, exports the same by the SDK", async () => {
  await using collector = startCollector();
  await runChild({
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
    OTEL_SERVICE_NAME: "my-bridge",
    OTEL_RESOURCE_ATTRIBUTES: "deployment.environment=test,team=a=b",
  }, "compiled");
  checkExport(collector);
  const text = collector.bodies.map(({ text }) => text).join();
  for (const word of ["my-bridge", '"deployment.environment"', '"a=b"']) {
    assert(text.includes(word));
  }
});

Deno.test("the program's spans have a request to the gateway under the server's, and no content", async () => {
  await using collector = startCollector();
  await using program = await startProgram(["--port", "0", "--demo", "--log-level", "error"], {
    env: {
      OTEL_DENO: "true",
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
      OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
    },
  });
  const response = await fetch(`${await program.url}/v1/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: "Bearer Zq7-opaque~token" },
    body: JSON.stringify({
      model: "databricks-claude-sonnet-4-5",
      stream: true,
      messages: [{ role: "user", content: "the-prompt-itself" }],
    }),
  });
  await response.text();
  program.signal("SIGTERM");
  assertEquals(await program.ended, 0);
  const spans = collector.spans();
  const span = spans.find(({ name }) => name === "chat databricks-claude-sonnet-4-5");
  assert(span, JSON.stringify(spans.map(({ name }) => name)));
  const facts = attributes(span);
  assertEquals(facts["fd_bridge.request.id"], response.headers.get("x-fd-bridge-request-id"));
  assert(Number(facts["gen_ai.usage.output_tokens"]) > 0);
  const server = spans.find(({ spanId }) => spanId === span.parentSpanId);
  assertEquals(server?.name, "POST /chat/completions");
  const everything = collector.bodies.map(({ text }) => text).join();
  assert(!/the-prompt-itself|Zq7-opaque/.test(everything));
});

Deno.test("a collector that is gone keeps the program from neither answering nor ending", async () => {
  const start = performance.now();
  await runChild({ OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:9" }, "compiled");
  assert(performance.now() - start < 20_000);
});

Deno.test("without OTEL_DENO nothing is exported", async () => {
  await using collector = startCollector();
  await runChild({ OTEL_EXPORTER_OTLP_ENDPOINT: collector.url });
  assertEquals(collector.bodies, []);
});

Deno.test("wantsTelemetry() reads OTEL_DENO as Deno does", () => {
  assertEquals(["true", "1", "false", "", "0", undefined].map(wantsTelemetry), [
    true,
    true,
    false,
    false,
    false,
    false,
  ]);
});
