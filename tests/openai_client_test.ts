// Before openai: Deno resolves its optional peer dependency in this order.
import "undici";
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { type ListeningBridge, listeningBridge, TOKEN } from "./helpers/bridge.ts";
import OpenAI from "openai";

/** The npm client, pointed at a bridge. */
function clientOf({ url }: ListeningBridge): OpenAI {
  return new OpenAI({ apiKey: TOKEN, baseURL: `${url}/v1`, maxRetries: 0 });
}

/** A model that speaks chat, two that only speak the Responses API, one that streams minimally. */
const MODELS = [
  "databricks-claude-sonnet-5",
  "databricks-gpt-5-5",
  "databricks-gpt-5-3-codex",
  "databricks-gemini-3-flash",
  "databricks-inkling",
];

Deno.test("the openai package streams from every kind of model", async () => {
  await using bridge = listeningBridge();
  const client = clientOf(bridge);
  for (const model of MODELS) {
    const stream = await client.chat.completions.create({
      model,
      messages: [{ role: "user", content: "Say grüße" }],
      stream: true,
      stream_options: { include_usage: true },
    });
    let text = "";
    let reason: string | null = null;
    for await (const chunk of stream) {
      assertEquals(chunk.model, model);
      text += chunk.choices[0]?.delta.content ?? "";
      reason = chunk.choices[0]?.finish_reason ?? reason;
    }
    assertStringIncludes(text, "Say grüße", model);
    assertEquals(reason, "stop", model);
  }
});

Deno.test("the openai package's stream helper collects content, calls and usage", async () => {
  await using bridge = listeningBridge();
  const client = clientOf(bridge);
  for (const model of MODELS) {
    const stream = client.chat.completions.stream({
      model,
      messages: [{ role: "user", content: "What is the weather in Berlin?" }],
      tools: [{
        type: "function",
        function: {
          name: "get_weather",
          parameters: { type: "object", properties: { city: { type: "string" } } },
        },
      }],
    });
    const completion = await stream.finalChatCompletion();
    const [{ message, finish_reason }] = completion.choices;
    assertEquals([finish_reason, message.tool_calls?.length], ["tool_calls", 1], model);
    const [call] = message.tool_calls!;
    assert(call.type === "function" && call.function.name === "get_weather", model);
    assertEquals(typeof JSON.parse(call.function.arguments), "object");
  }
});

Deno.test("the openai package completes a tool round trip by itself, streamed and plain", async () => {
  await using bridge = listeningBridge();
  const client = clientOf(bridge);
  for (const model of MODELS) {
    for (const stream of [true, false] as const) {
      const asked: unknown[] = [];
      const params = {
        model,
        messages: [{ role: "user" as const, content: "What is the weather in Berlin?" }],
        tools: [{
          type: "function" as const,
          function: {
            name: "get_weather",
            description: "Weather of a city",
            parameters: {
              type: "object",
              properties: { city: { type: "string" } },
              required: ["city"],
            },
            parse: JSON.parse,
            function: (args: unknown) => {
              asked.push(args);
              return "18 degrees and rain";
            },
          },
        }],
      };
      const runner = stream
        ? client.chat.completions.runTools({ ...params, stream: true })
        : client.chat.completions.runTools(params);
      const content = await runner.finalContent();
      assertEquals(asked.length, 1, model);
      assertStringIncludes(content ?? "", "18 degrees and rain", `${model}, stream: ${stream}`);
    }
  }
});

Deno.test("the openai package reads a plain completion with its usage", async () => {
  await using bridge = listeningBridge();
  const completion = await clientOf(bridge).chat.completions.create({
    model: "databricks-gpt-5-5",
    messages: [{ role: "system", content: "Be brief." }, { role: "user", content: "Hello" }],
    max_tokens: 100,
  });
  assertEquals([completion.object, completion.model], ["chat.completion", "databricks-gpt-5-5"]);
  assertStringIncludes(completion.choices[0].message.content ?? "", "Hello");
  assert(Number.isInteger(completion.usage?.total_tokens));
});

Deno.test("the openai package gets errors with status, message, type, code and request id", async () => {
  await using bridge = listeningBridge({ flags: ["--retries", "0"] });
  const client = clientOf(bridge);
  const fails = (content: string, model = "databricks-glm-5-3") =>
    assertRejects(
      async () => {
        const messages = [{ role: "user" as const, content }];
        const stream = await client.chat.completions.create({ model, messages, stream: true });
        for await (const _chunk of stream) continue;
      },
      OpenAI.APIError,
    );
  const denied = await fails("[[sim: 403]]");
  assertEquals([denied.status, denied.code], [403, "PERMISSION_DENIED"]);
  assertStringIncludes(denied.message, "rate limit of 0");
  assert(denied.requestID, "the gateway's x-request-id");
  const limited = await fails("[[sim: 429-retry-after]]");
  assert(limited instanceof OpenAI.RateLimitError);
  assertEquals(limited.headers?.get("retry-after"), "15");
  assert(await fails("[[sim: 401]]") instanceof OpenAI.AuthenticationError);
  assert(await fails("x", "databricks-none") instanceof OpenAI.NotFoundError);
  const middle = await fails("[[sim: error-midstream=openai]]");
  assertStringIncludes(middle.message, "The server had an error");
  const cut = await fails("[[sim: abrupt]]");
  assertStringIncludes(cut.message, "cut off here");
  const nobody = new OpenAI({ apiKey: " ", baseURL: `${bridge.url}/v1`, maxRetries: 0 });
  await assertRejects(
    () =>
      nobody.chat.completions.create({ model: "m", messages: [{ role: "user", content: "x" }] }),
    OpenAI.AuthenticationError,
  );
});

Deno.test("the openai package speaks the Responses API through the bridge, streamed and plain", async () => {
  await using bridge = listeningBridge();
  const client = clientOf(bridge);
  const model = "databricks-gpt-5-5";
  const stream = await client.responses.create({ model, input: "Say grüße", stream: true });
  let text = "";
  const types = new Set<string>();
  for await (const event of stream) {
    types.add(event.type);
    if (event.type === "response.output_text.delta") text += event.delta;
  }
  assertStringIncludes(text, "Say grüße");
  assert(types.has("response.created") && types.has("response.completed"));
  const whole = await client.responses.create({ model, input: "Say grüße" });
  assertStringIncludes(whole.output_text, "Say grüße");
});

Deno.test("the openai package lists and retrieves models", async () => {
  await using bridge = listeningBridge();
  const client = clientOf(bridge);
  const models = await Array.fromAsync(client.models.list());
  assert(models.length > 20 && models.every(({ object }) => object === "model"));
  assertEquals((await client.models.retrieve(models[3].id)).id, models[3].id);
  await assertRejects(() => client.models.retrieve("none"), OpenAI.NotFoundError);
  assertEquals(bridge.simulator.requests.length, 0);
});

Deno.test("the openai package's abort ends the gateway's stream, too", async () => {
  await using bridge = listeningBridge({ simulator: { pace: 5 } });
  const stream = await clientOf(bridge).chat.completions.create({
    model: "databricks-claude-sonnet-5",
    messages: [{ role: "user", content: "[[sim: long=20000]]" }],
    stream: true,
  });
  for await (const _chunk of stream) break;
  stream.controller.abort();
  assertEquals(await bridge.simulator.requests[0].ended, "aborted");
});
