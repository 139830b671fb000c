import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
// It must be loaded before the openai package.
import "undici";
import OpenAI from "openai";
import { listeningBridge, testBridge } from "./helpers/bridge.ts";

const MODEL = "databricks-gte-large-en";

Deno.test("POST /embeddings gives a vector for each text", async () => {
  const { post, requests, log } = testBridge();
  for (const input of ["one", ["one", "two"]]) {
    const response = await post("/v1/embeddings", { model: MODEL, input });
    assertEquals(response.status, 200);
    const { object, data } = await response.json();
    assertEquals([object, data.length], ["list", [input].flat().length]);
    assert(data.every(({ embedding }: { embedding: unknown }) => Array.isArray(embedding)));
  }
  assertEquals(requests[0].path, "/mlflow/v1/embeddings");
  assertStringIncludes(log(), "POST /embeddings 200");
  assertStringIncludes(log(), "tokens_in=");
});

Deno.test("POST /embeddings says nothing of encoding_format to the gateway, and keeps to it", async () => {
  const { post, requests } = testBridge();
  const ask = async (encoding_format: string) => {
    const body = { model: MODEL, input: "one", encoding_format };
    return (await (await post("/embeddings", body)).json()).data[0].embedding;
  };
  const floats = await ask("float");
  const bytes = Uint8Array.fromBase64(await ask("base64"));
  assertEquals([...new Float32Array(bytes.buffer)], floats.map(Math.fround));
  for (const { body } of requests) assertEquals(Object.keys(body!), ["model", "input"]);
});

const REFUSED: readonly (readonly [param: string, body: Record<string, unknown>])[] = [
  ["model", { input: "x" }],
  ["input", { model: MODEL }],
  ["input", { model: MODEL, input: "" }],
  ["input", { model: MODEL, input: [{}] }],
  ["input", { model: MODEL, input: Array.from({ length: 2_049 }, () => "x") }],
  ["dimensions", { model: MODEL, input: "x", dimensions: "256" }],
  ["dimensions", { model: MODEL, input: "x", dimensions: 1.5 }],
  ["encoding_format", { model: MODEL, input: "x", encoding_format: "hex" }],
];

for (const [param, body] of REFUSED) {
  Deno.test(`POST /embeddings refuses ${JSON.stringify(body).slice(0, 60)}, naming ${param}`, async () => {
    const { post, requests } = testBridge();
    const response = await post("/embeddings", body);
    assertEquals(response.status, 400);
    assertEquals((await response.json()).error.param, param);
    assertEquals(requests.length, 0);
  });
}

Deno.test("POST /embeddings tells the gateway's refusal in OpenAI's words", async () => {
  const { post } = testBridge({
    gateway: () =>
      Response.json({ error_code: "BAD_REQUEST", message: "No such model." }, { status: 404 }),
  });
  const response = await post("/embeddings", { model: MODEL, input: "x" });
  assertEquals(response.status, 404);
  assertStringIncludes((await response.json()).error.message, "No such model.");
});

Deno.test("POST /embeddings asks again after 503, and not for a client that does so itself", async () => {
  for (const [agent, expected] of [["curl/8", 2], ["Forge", 1]] as const) {
    const { post, requests } = testBridge({
      flags: ["--retry-time", "30s"],
      gateway: (_request, number) =>
        number === 1
          ? Response.json({ message: "busy" }, { status: 503, headers: { "retry-after": "0" } })
          : Response.json({ object: "list", data: [{ embedding: [1], index: 0 }] }),
    });
    const body = { model: MODEL, input: "x" };
    await post("/embeddings", body, { headers: { "user-agent": agent } });
    assertEquals(requests.length, expected, agent);
  }
});

Deno.test("the openai package reads embeddings, with its own defaults", async () => {
  await using bridge = listeningBridge();
  const client = new OpenAI({ apiKey: "x", baseURL: `${bridge.url}/v1`, maxRetries: 0 });
  const { data, usage } = await client.embeddings.create({ model: MODEL, input: ["a", "b"] });
  assertEquals(data.map(({ index }) => index), [0, 1]);
  const length = Math.hypot(...data[0].embedding);
  assert(Math.abs(length - 1) < 1e-6, `${length}`);
  assert(usage.prompt_tokens > 0);
  await assertRejects(() => client.embeddings.create({ model: MODEL, input: "" }), Error, "input");
});

Deno.test("GET /models lists embedding models for who asks for them, and ForgeCode's list stays as it is", async () => {
  const ids = async (bridge: ReturnType<typeof testBridge>, path: string) =>
    (await (await bridge.get(path)).json()).data.map(({ id }: { id: string }) => id);
  const usual = testBridge();
  assert((await ids(usual, "/v1/models?kind=embedding")).includes(MODEL));
  assertEquals((await ids(usual, "/models")).includes(MODEL), false);
  const models = {
    models: ["databricks-gpt-5", "our-bge-small", { id: "our-vectors", kind: "embedding" }],
  };
  const own = testBridge({ models });
  assertEquals(await ids(own, "/models?kind=embedding"), ["our-bge-small", "our-vectors"]);
  assertEquals(await ids(own, "/models"), ["databricks-gpt-5"]);
});

Deno.test("POST /embeddings counts a list of tokens as one text", async () => {
  const { post, requests } = testBridge();
  const input = Array.from({ length: 3_000 }, (_, at) => at);
  await (await post("/v1/embeddings", { model: MODEL, input })).body?.cancel();
  assertEquals(requests.length, 1);
});
