/**
 * Anthropic's own client through the bridge, over real sockets, with a model of each kind.
 *
 * @module
 */

import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import "undici";
import Anthropic from "@anthropic-ai/sdk";
import { listeningBridge } from "./helpers/bridge.ts";

const MODELS = [
  "databricks-claude-sonnet-5-5",
  "databricks-claude-sonnet-4-5",
  "databricks-gpt-6-sol",
  "databricks-gemini-3-8-flash",
  "databricks-kimi-k3",
];

const TOOLS: Anthropic.Tool[] = [{
  name: "get_weather",
  description: "The weather of a city",
  input_schema: {
    type: "object",
    properties: { city: { type: "string" } },
    required: ["city"],
  },
}];

/** Thinking in the form that a model of Anthropic's takes; others take either. */
function thinkingFor(model: string): Anthropic.ThinkingConfigParam {
  return model.includes("4-5")
    ? { type: "enabled", budget_tokens: 1_024 }
    : { type: "adaptive" } as unknown as Anthropic.ThinkingConfigParam;
}

function clientOf(url: string): Anthropic {
  return new Anthropic({ baseURL: url, apiKey: "any-word", maxRetries: 0 });
}

for (const messages of [true, false]) {
  const where = messages ? "with Anthropic's surface" : "without Anthropic's surface";
  for (const model of MODELS) {
    Deno.test(`the @anthropic-ai/sdk makes a tool round trip with ${model}, ${where}`, async () => {
      await using bridge = listeningBridge({ simulator: { messages } });
      const client = clientOf(bridge.url);
      const history: Anthropic.MessageParam[] = [
        { role: "user", content: "What is the weather in Berlin?" },
      ];
      const ask = () =>
        client.messages.stream({
          model,
          max_tokens: 4_000,
          messages: history,
          tools: TOOLS,
          thinking: thinkingFor(model),
        });
      let text = "";
      const first = await ask().on("text", (delta) => text += delta).finalMessage();
      assertEquals(first.stop_reason, "tool_use");
      const call = first.content.find((block) => block.type === "tool_use");
      assert(call !== undefined);
      assertEquals(call.input, { city: "Berlin" });
      assertStringIncludes(text, "get_weather");
      assert(first.usage.output_tokens > 0);
      history.push({ role: "assistant", content: first.content });
      history.push({
        role: "user",
        content: [{ type: "tool_result", tool_use_id: call.id, content: "sunny, 21 °C" }],
      });
      const last = await ask().finalMessage();
      assertEquals(last.stop_reason, "end_turn");
      const words = last.content.filter((block) => block.type === "text").map(({ text }) => text);
      assertStringIncludes(words.join(""), "sunny, 21 °C");
      const asked = bridge.simulator.requests.filter(({ status }) => status === 200);
      assertEquals(asked.length, 2);
    });
  }
}

Deno.test("the @anthropic-ai/sdk gets whole answers, structured output and counts", async () => {
  await using bridge = listeningBridge();
  const client = clientOf(bridge.url);
  const question = { role: "user" as const, content: "Name a city." };
  for (const model of MODELS) {
    const message = await client.messages.create({
      model,
      max_tokens: 1_000,
      messages: [question],
    });
    assertEquals(message.stop_reason, "end_turn", model);
    assert(message.usage.input_tokens > 0, model);
  }
  const schema = {
    type: "object",
    properties: { city: { type: "string" } },
    required: ["city"],
    additionalProperties: false,
  };
  for (const model of ["databricks-claude-sonnet-5-5", "databricks-gpt-6-sol"]) {
    const structured = await client.messages.create({
      model,
      max_tokens: 1_000,
      messages: [question],
      output_config: { format: { type: "json_schema", schema } },
    } as Anthropic.MessageCreateParamsNonStreaming);
    const [block] = structured.content.filter(({ type }) => type === "text");
    assert(block.type === "text");
    assertEquals(Object.keys(JSON.parse(block.text)), ["city"], model);
  }
  const { input_tokens: tokens } = await client.messages.countTokens({
    model: MODELS[0],
    messages: [question],
  });
  assert(tokens > 3 && tokens < 20, `${tokens}`);
});

Deno.test("the @anthropic-ai/sdk lists the models", async () => {
  await using bridge = listeningBridge();
  const ids: string[] = [];
  for await (const { id, type, display_name: name } of clientOf(bridge.url).models.list()) {
    assertEquals([type, name !== ""], ["model", true]);
    ids.push(id);
  }
  for (const model of MODELS) assert(ids.includes(model), model);
});

/** What the gateway does, and what the client makes of it. */
const FAILURES:
  readonly (readonly [scenario: string, status: number | undefined, words: string])[] = [
    ["abrupt", undefined, "cut off"],
    ["reset", undefined, ""],
    ["error-midstream", undefined, ""],
    ["429", 429, ""],
    ["503", 503, ""],
    ["401", 401, ""],
    ["413", 413, ""],
  ];

for (const [scenario, status, words] of FAILURES) {
  for (const model of ["databricks-claude-sonnet-5-5", "databricks-kimi-k3"]) {
    Deno.test(`the @anthropic-ai/sdk throws for ${scenario} with ${model}, and asks once`, async () => {
      await using bridge = listeningBridge({ simulator: { scenario }, flags: ["--retries", "0"] });
      const error = await assertRejects(
        () =>
          clientOf(bridge.url).messages.stream({
            model,
            max_tokens: 1_000,
            messages: [{ role: "user", content: "Hello" }],
          }).finalMessage(),
        Anthropic.APIError,
      ) as InstanceType<typeof Anthropic.APIError>;
      if (status !== undefined) assertEquals(error.status, status);
      assertStringIncludes(error.message, words);
      assertEquals(bridge.simulator.requests.length, 1);
    });
  }
}
