import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { ask, listeningBridge, postRequest, TOKEN } from "./helpers/bridge.ts";
import { readAsForge } from "./helpers/forge_reader.ts";
import { FORGE_HEADERS, mainTurn, title } from "./helpers/requests.ts";

const MODEL = "databricks-claude-sonnet-5";

Deno.test("startServer() answers ForgeCode's main turn and title at once, over sockets", async () => {
  await using bridge = listeningBridge();
  const send = async (body: unknown) => {
    const request = postRequest(`${bridge.url}/chat/completions`, body, { headers: FORGE_HEADERS });
    const response = await fetch(request);
    const contentType = response.headers.get("content-type");
    return readAsForge(await response.text(), { status: response.status, contentType });
  };
  for (const model of [MODEL, "databricks-gpt-5-5"]) {
    const [main, small] = await Promise.all([send(mainTurn(model)), send(title(model))]);
    assertEquals([main.outcome, main.problems], ["done", []], main.message);
    assert(main.toolCalls.length > 0, "the main turn calls a tool");
    assertEquals([small.outcome, small.problems], ["done", []], small.message);
    assertEquals(typeof JSON.parse(small.content).title, "string");
  }
  assertEquals(bridge.log().split("POST /chat/completions 200").length, 5);
});

Deno.test("startServer() sends a stream live: the first chunk is there while the gateway still writes", async () => {
  // The gateway goes on only when the test says so.
  let goOn = () => {};
  const wait = (_ms: number, signal: AbortSignal) =>
    new Promise<void>((resolve) => {
      goOn = resolve;
      signal.addEventListener("abort", () => resolve(), { once: true });
    });
  await using bridge = listeningBridge({ simulator: { pace: 1, wait } });
  const response = await fetch(
    postRequest(`${bridge.url}/v1/chat/completions`, ask(MODEL, "Hello", { stream: true })),
  );
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  while (!text.includes('"content"')) {
    const { value, done } = await reader.read();
    assert(!done);
    text += value;
    goOn();
  }
  assertEquals(bridge.simulator.openStreams, 1, "the gateway has not ended");
  assert(!text.includes("[DONE]"));
  await reader.cancel();
  goOn();
  assertEquals(await bridge.simulator.requests[0].ended, "aborted");
});

Deno.test("startServer() lets many streams run side by side, each its own", async () => {
  await using bridge = listeningBridge();
  const texts = await Promise.all(Array.from({ length: 24 }, async (_, at) => {
    const body = ask(MODEL, `Number ${at}, please`, { stream: true });
    const response = await fetch(postRequest(`${bridge.url}/chat/completions`, body));
    return readAsForge(await response.text());
  }));
  for (const [at, { content, outcome, problems }] of texts.entries()) {
    assertEquals([outcome, problems], ["done", []]);
    assertStringIncludes(content, `Number ${at}, please`);
  }
});

Deno.test("startServer() answers HEAD, wrong methods and unknown paths in OpenAI's shape", async () => {
  await using bridge = listeningBridge();
  const head = await fetch(`${bridge.url}/models`, { method: "HEAD" });
  assertEquals([head.status, await head.text()], [200, ""]);
  const cases: readonly (readonly [string, string, number])[] = [
    ["GET", "/chat/completions", 405],
    ["POST", "/models", 405],
    ["GET", "/nothing", 404],
    ["POST", "/v1/embeddings-of-mine", 404],
  ];
  for (const [method, path, status] of cases) {
    const response = await fetch(bridge.url + path, {
      method,
      headers: { authorization: `Bearer ${TOKEN}`, "content-type": "application/json" },
      ...method === "POST" ? { body: "{}" } : {},
    });
    assertEquals(response.status, status, `${method} ${path}`);
    const { error } = await response.json();
    assertEquals(Object.keys(error), ["message", "type", "param", "code"]);
  }
});

Deno.test("startServer() shows the token in no answer and no log line, over sockets", async () => {
  await using bridge = listeningBridge({ flags: ["--log-level", "trace", "--retries", "0"] });
  for (
    const scenario of ["401", "403", "html", "abrupt", "error-midstream", "reset", "504", "text"]
  ) {
    const body = ask(MODEL, `x [[sim: ${scenario}]]`, { stream: true });
    const response = await fetch(postRequest(`${bridge.url}/chat/completions`, body));
    const text = await response.text();
    assert(!text.includes(TOKEN), scenario);
  }
  assert(!bridge.log().includes(TOKEN));
  assert(
    bridge.simulator.requests.every(({ headers }) => headers.authorization === `Bearer ${TOKEN}`),
  );
});
