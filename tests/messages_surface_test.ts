/**
 * The Anthropic surface where it refuses, or answers in another form than it is asked in.
 *
 * @module
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { JsonObject } from "../lib/json.ts";
import { eventStream, testBridge } from "./helpers/bridge.ts";
import { assertStrictMessages } from "./helpers/strict_messages.ts";

const CLAUDE = "databricks-claude-sonnet-5-5";
const GPT = "databricks-gpt-6-sol";
const KIMI = "databricks-kimi-k3";

const MESSAGE = {
  id: "msg_1",
  type: "message",
  role: "assistant",
  content: [{ type: "text", text: "Hello." }],
  stop_reason: "end_turn",
  usage: { input_tokens: 1, output_tokens: 1 },
};

const COMPLETION = {
  id: "chatcmpl-1",
  object: "chat.completion",
  choices: [{
    index: 0,
    message: { role: "assistant", content: "Hello." },
    finish_reason: "stop",
  }],
  usage: { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 },
};

function ask(model: string, more: JsonObject = {}): JsonObject {
  return { model, max_tokens: 2_000, messages: [{ role: "user", content: "Hello" }], ...more };
}

/** A refusal in Anthropic's words. */
function refusal(message: string): Response {
  return Response.json({ type: "error", error: { type: "invalid_request_error", message } }, {
    status: 400,
  });
}

Deno.test("POST /messages reads a whole chat completion of the Anthropic surface", async () => {
  const { post } = testBridge({ gateway: () => Response.json(COMPLETION) });
  const message = await (await post("/v1/messages", ask(CLAUDE))).json();
  assertEquals([message.type, message.stop_reason], ["message", "end_turn"]);
  assertEquals(message.content, [{ type: "text", text: "Hello." }]);
  assertEquals([message.usage.input_tokens, message.usage.output_tokens], [3, 2]);
});

Deno.test("POST /messages reads chat chunks of the Anthropic surface", async () => {
  const { post } = testBridge({
    gateway: () =>
      eventStream(
        { choices: [{ index: 0, delta: { content: "Hello." } }] },
        { choices: [{ index: 0, delta: {}, finish_reason: "stop" }] },
        "[DONE]",
      ),
  });
  const text = await (await post("/v1/messages", ask(CLAUDE, { stream: true }))).text();
  const { message, error } = assertStrictMessages(text);
  assertEquals(error, undefined);
  assertEquals(message.content, [{ type: "text", text: "Hello." }]);
});

for (const body of [{}, { hello: 1 }, { type: "message" }]) {
  Deno.test(`POST /messages tells that ${JSON.stringify(body)} is no message`, async () => {
    const { post, log } = testBridge({ gateway: () => Response.json(body) });
    const response = await post("/v1/messages", ask(CLAUDE));
    assertEquals(response.status, 502);
    assertEquals((await response.json()).type, "error");
    assert(!log().includes("internal error"), log());
  });
}

for (
  const words of [
    "invalid beta flag",
    "Unexpected value(s) `oauth-2025-04-20` for the `anthropic-beta` header. Please consult our documentation at docs.anthropic.com or try again without the header.",
  ]
) {
  Deno.test(`POST /messages sends no anthropic-beta after "${words.slice(0, 30)}"`, async () => {
    const { post, requests, log } = testBridge({
      gateway: (request) =>
        request.headers.has("anthropic-beta") ? refusal(words) : Response.json(MESSAGE),
    });
    const headers = { "anthropic-beta": "a-2025-01-01,b-2025-01-01" };
    for (let time = 0; time < 2; time++) {
      const response = await post("/v1/messages?beta=true", ask(CLAUDE), { headers });
      assertEquals(response.status, 200);
    }
    assertEquals(requests.map(({ headers }) => "anthropic-beta" in headers), [true, false, false]);
    assertStringIncludes(log(), "send no anthropic-beta header");
  });
}

Deno.test("POST /messages gives up where betas are refused that it doesn't send", async () => {
  const { post, requests } = testBridge({ gateway: () => refusal("invalid beta flag") });
  const response = await post("/v1/messages", ask(CLAUDE), { headers: { "anthropic-beta": "a" } });
  assertEquals([response.status, requests.length], [400, 2]);
});

Deno.test("POST /messages keeps anthropic-beta where a refusal asks for one", async () => {
  const words = "`container` requires the `anthropic-beta` header code-execution-2025-08-25.";
  const { post, requests } = testBridge({ gateway: () => refusal(words) });
  const headers = { "anthropic-beta": "a" };
  await post("/v1/messages", ask(CLAUDE), { headers });
  await post("/v1/messages", ask(CLAUDE), { headers });
  assert(requests.every(({ headers }) => headers["anthropic-beta"] === "a"));
});

Deno.test("POST /messages tells a system message as the user's reminder where the role is refused", async () => {
  const isSystem = ({ role }: JsonObject) => role === "system";
  const { post, requests } = testBridge({
    async gateway(request) {
      const { messages } = await request.json();
      return messages.some(isSystem)
        ? refusal(
          'messages: Unexpected role "system". The Messages API accepts a top-level `system` parameter, not "system" as an input message role.',
        )
        : Response.json(MESSAGE);
    },
  });
  const messages = [
    { role: "user", content: "Hello" },
    { role: "system", content: "It is late." },
    { role: "system", content: [{ type: "text", text: "It is cold." }] },
  ];
  const response = await post("/v1/messages", ask(CLAUDE, { messages }));
  assertEquals([response.status, requests.length], [200, 2]);
  assertEquals(requests[1].body!.messages, [
    messages[0],
    { role: "user", content: "<system-reminder>\nIt is late.\n</system-reminder>" },
    {
      role: "user",
      content: [{ type: "text", text: "<system-reminder>\nIt is cold.\n</system-reminder>" }],
    },
  ]);
});

Deno.test("POST /messages passes no empty text, wherever it stands", async () => {
  const { post, requests } = testBridge({ gateway: () => Response.json(MESSAGE) });
  const empty = { type: "text", text: "" };
  await post(
    "/v1/messages",
    ask(CLAUDE, {
      system: [empty],
      messages: [
        { role: "user", content: [{ type: "text", text: "Hello" }, empty] },
        { role: "assistant", content: [{ type: "tool_use", id: "a", name: "f", input: {} }] },
        {
          role: "user",
          content: [{ type: "tool_result", tool_use_id: "a", content: [empty] }],
        },
      ],
    }),
  );
  const { system, messages } = requests[0].body!;
  assertEquals(system, undefined);
  assertEquals((messages as JsonObject[]).map(({ content }) => content), [
    [{ type: "text", text: "Hello" }],
    [{ type: "tool_use", id: "a", name: "f", input: {} }],
    [{ type: "tool_result", tool_use_id: "a", content: [] }],
  ]);
});

Deno.test("POST /messages leaves out what is null", async () => {
  const { post, requests } = testBridge({ gateway: () => Response.json(COMPLETION) });
  const names = ["system", "tools", "temperature", "top_p", "stop_sequences", "thinking"];
  await post("/v1/messages", ask(KIMI, Object.fromEntries(names.map((name) => [name, null]))));
  assertEquals(Object.keys(requests[0].body!).sort(), ["max_tokens", "messages", "model"]);
});

Deno.test("a chat client's wish for any JSON object is told the Anthropic surface in words", async () => {
  const { post, requests } = testBridge({
    models: { models: [{ id: CLAUDE, endpoint: "anthropic" }] },
    gateway: () => Response.json(MESSAGE),
  });
  await post("/v1/chat/completions", {
    model: CLAUDE,
    messages: [{ role: "user", content: "Hello" }],
    response_format: { type: "json_object" },
  });
  const body = requests[0].body!;
  assertStringIncludes(JSON.stringify(body.system), "Answer with one JSON object");
  assertEquals("response_format" in body, false);
});

const STRICT = {
  type: "object",
  properties: {
    title: { type: "string" },
    tags: {
      type: "array",
      items: {
        type: "object",
        properties: { name: { type: "string" } },
        required: ["name"],
        additionalProperties: false,
      },
    },
  },
  required: ["title", "tags"],
  additionalProperties: false,
};

for (
  const [what, model, schema, strict] of [
    ["a schema that fits", GPT, STRICT, true],
    ["an optional field", GPT, { ...STRICT, required: ["title"] }, undefined],
    ["further fields", GPT, { ...STRICT, additionalProperties: true }, undefined],
    ["no fields named", GPT, { type: "object" }, undefined],
    ["an array at the top", GPT, { type: "array", items: STRICT }, undefined],
    ["an inner object that doesn't fit", GPT, {
      ...STRICT,
      properties: { ...STRICT.properties, tags: { type: "array", items: { type: "object" } } },
    }, undefined],
    ["a model of another family", KIMI, STRICT, undefined],
  ] as const
) {
  Deno.test(`POST /messages asks for strict structured output: ${what}`, async () => {
    const { post, requests } = testBridge({ gateway: () => Response.json(COMPLETION) });
    await post(
      "/v1/messages",
      ask(model, { output_config: { format: { type: "json_schema", schema } } }),
    );
    const format = requests[0].body!.response_format as JsonObject;
    assertEquals((format.json_schema as JsonObject).strict, strict);
  });
}
