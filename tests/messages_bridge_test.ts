/**
 * Clients of Anthropic's through the bridge: Messages in, every surface out.
 *
 * @module
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { testBridge } from "./helpers/bridge.ts";
import { Random, randomFromEnvironment } from "./helpers/random.ts";
import { scriptedAnswer, type Step } from "./helpers/scripted_answer.ts";
import { assertStrictMessages } from "./helpers/strict_messages.ts";
import type { JsonObject } from "../lib/json.ts";

const CLAUDE = "databricks-claude-sonnet-5-5";
const GPT = "databricks-gpt-6-sol";
const KIMI = "databricks-kimi-k3";
const GEMINI = "databricks-gemini-3-8-flash";

const BASH = {
  name: "Bash",
  description: "Runs a command",
  input_schema: { type: "object", properties: { command: { type: "string" } } },
};

function ask(model: string, more: JsonObject = {}): JsonObject {
  return {
    model,
    max_tokens: 1000,
    stream: true,
    thinking: { type: "adaptive" },
    messages: [{ role: "user", content: "Hello" }],
    tools: [BASH],
    ...more,
  };
}

/** A bridge whose gateway always gives the same answer, on every surface or without Anthropic's. */
function scripted(steps: readonly Step[], anthropic = true) {
  return testBridge({
    gateway(request) {
      const { pathname } = new URL(request.url);
      if (!anthropic && pathname.startsWith("/anthropic")) {
        const message = `No API found for 'POST ${pathname}'`;
        return Response.json({ error_code: "ENDPOINT_NOT_FOUND", message }, { status: 404 });
      }
      return scriptedAnswer(pathname, steps);
    },
  });
}

const STEPS: readonly Step[] = [
  { do: "think", text: "I should " },
  { do: "text", text: "Hello, " },
  { do: "text", text: "you." },
  { do: "call", key: 0, name: "Bash", id: "toolu_abcdefgh1" },
  { do: "arguments", key: 0, text: '{"command":' },
  { do: "arguments", key: 0, text: '"ls -l"}' },
  { do: "call", key: 1, name: "Bash", id: "toolu_abcdefgh2" },
  { do: "arguments", key: 1, text: '{"command":"pwd"}' },
  { do: "finish", reason: "tool_calls" },
  { do: "done" },
];

/** Surface → the model that is asked there, and whether Anthropic's surface is there. */
const ROADS: readonly (readonly [surface: string, model: string, anthropic: boolean])[] = [
  ["anthropic", CLAUDE, true],
  ["mlflow", CLAUDE, false],
  ["mlflow", KIMI, true],
  ["mlflow", GEMINI, true],
  ["cursor", GPT, true],
];

for (const [surface, model, anthropic] of ROADS) {
  const title = `POST /messages with ${model} by ${surface}`;
  Deno.test(`${title} gives text, thinking and parallel calls, streamed and whole`, async () => {
    const { post, requests, log } = scripted(STEPS, anthropic);
    const response = await post("/v1/messages?beta=true", ask(model));
    assertEquals(response.headers.get("content-type"), "text/event-stream");
    const { message, error } = assertStrictMessages(await response.text());
    assertEquals(error, undefined);
    assertStringIncludes(requests.at(-1)!.path, `/${surface}/`);
    const whole = await (await post("/messages", ask(model, { stream: false }))).json();
    for (const { content, stop_reason, usage, model: named } of [message, whole]) {
      assertEquals(named, model);
      assertEquals(stop_reason, "tool_use");
      assertEquals([usage.input_tokens, usage.output_tokens], [10, 5]);
      const kinds = content.map(({ type }: JsonObject) => type);
      assertEquals(kinds, ["thinking", "text", "tool_use", "tool_use"]);
      assertEquals(content[0].thinking, "I should ");
      assert(content[0].signature !== "");
      assertEquals(content[1].text, "Hello, you.");
      assertEquals(content[2].input, { command: "ls -l" });
      assertEquals(content[3].input, { command: "pwd" });
    }
    assertEquals(log().match(/ending=tool_calls/g)?.length, 2, log());
  });

  Deno.test(`${title} never ends well where the gateway's stream is cut`, async () => {
    for (let length = 0; length < STEPS.length - 1; length++) {
      for (const last of [[], [{ do: "break" }], [{ do: "done" }]] as Step[][]) {
        // A chat stream that ends with [DONE] is complete, whatever it lacks.
        if (surface === "mlflow" && last[0]?.do === "done") continue;
        const { post, requests } = scripted([...STEPS.slice(0, length), ...last], anthropic);
        const text = await (await post("/v1/messages", ask(model))).text();
        const { error } = assertStrictMessages(text);
        const told = `${length} steps, then ${JSON.stringify(last)}: ${text.slice(-400)}`;
        assert(error !== undefined, told);
        assertEquals(error.type === "overloaded_error", false, told);
        assertEquals(
          requests.length,
          anthropic || surface !== "mlflow" ? requests.length : 2,
          told,
        );
        const whole = await post("/v1/messages", ask(model, { stream: false }));
        assert(whole.status >= 400, told);
        assertEquals((await whole.json()).type, "error");
      }
    }
  });

  Deno.test(`${title} doesn't end a call that is cut`, async () => {
    const steps: Step[] = [
      ...STEPS.slice(0, 5),
      { do: "finish", reason: "length" },
      { do: "done" },
    ];
    const { post } = scripted(steps, anthropic);
    const { events, error } = assertStrictMessages(
      await (await post("/v1/messages", ask(model))).text(),
    );
    assert(error !== undefined);
    const starts = events.filter(({ type }) => type === "content_block_start");
    const stops = events.filter(({ type }) => type === "content_block_stop");
    const calls = starts.filter(({ content_block: block }) => block.type === "tool_use");
    assertEquals(calls.length, 1);
    assertEquals(stops.some(({ index }) => index === calls[0].index), false);
  });

  Deno.test(`${title} tells an error in the middle in Anthropic's words, and nothing to repeat`, async () => {
    const failure: Step = {
      do: "error",
      error: { message: "Overloaded", code: "overloaded_error" },
    };
    const { post } = scripted([...STEPS.slice(0, 3), failure], anthropic);
    const { error } = assertStrictMessages(await (await post("/messages", ask(model))).text());
    assertEquals(error?.type, "api_error");
    assertStringIncludes(error!.message, "Overloaded");
  });
}

Deno.test("POST /messages remembers that a gateway has no Anthropic surface", async () => {
  const { post, requests, log } = scripted(STEPS, false);
  for (let time = 0; time < 3; time++) await (await post("/messages", ask(CLAUDE))).text();
  assertEquals(requests.map(({ path }) => path.split("/")[1]), [
    "anthropic",
    "mlflow",
    "mlflow",
    "mlflow",
  ]);
  assertStringIncludes(log(), "use the surface mlflow");
});

for (
  const [what, status, body] of [
    ["501", 501, { error_code: "NOT_IMPLEMENTED", message: "Not implemented" }],
    ["405", 405, { message: "Method not allowed" }],
    ["FEATURE_DISABLED", 400, { error_code: "FEATURE_DISABLED", message: "It is disabled" }],
  ] as const
) {
  Deno.test(`POST /messages goes on to mlflow after ${what}`, async () => {
    const { post, requests } = testBridge({
      gateway: (request) => {
        const { pathname } = new URL(request.url);
        return pathname.startsWith("/anthropic")
          ? Response.json(body, { status })
          : scriptedAnswer(pathname, STEPS);
      },
    });
    assertStrictMessages(await (await post("/messages", ask(CLAUDE))).text());
    assertEquals(requests.length, 2);
  });
}

Deno.test("POST /messages passes Claude's own request but for what can't pass", async () => {
  const { post, requests } = scripted(STEPS);
  const mark = { type: "ephemeral" };
  const signed = { type: "thinking", thinking: "hm", signature: "c2ln" };
  await (await post("/v1/messages", {
    ...ask(CLAUDE),
    system: [
      { type: "text", text: "x-anthropic-billing-header: cc_version=1; cch=abc" },
      { type: "text", text: "You are Claude Code.", cache_control: { ...mark, scope: "global" } },
    ],
    tools: [{ ...BASH, eager_input_streaming: true, cache_control: mark }],
    context_management: { edits: [] },
    messages: [
      { role: "user", content: [{ type: "text", text: "Hi", cache_control: mark }] },
      {
        role: "assistant",
        content: [
          signed,
          { type: "thinking", thinking: "of another model", signature: "fdb1.e30" },
          { type: "text", text: "" },
          { type: "tool_use", id: "functions.Bash:0", name: "Bash", input: {} },
        ],
      },
      {
        role: "user",
        content: [{ type: "tool_result", tool_use_id: "functions.Bash:0", content: "ok" }],
      },
    ],
  }, { headers: { "anthropic-version": "2023-06-01", "anthropic-beta": "a,b" } })).text();
  const [{ headers, path }] = requests;
  const body = requests[0].body!;
  assertEquals(path, "/anthropic/v1/messages");
  assertEquals(headers["anthropic-version"], "2023-06-01");
  assertEquals(headers["anthropic-beta"], "a,b");
  assertEquals(body.system, [{ type: "text", text: "You are Claude Code.", cache_control: mark }]);
  assertEquals(body.tools, [{ ...BASH, cache_control: mark }]);
  assertEquals((body.messages as JsonObject[])[0], {
    role: "user",
    content: [{ type: "text", text: "Hi", cache_control: mark }],
  });
  assertEquals((body.messages as JsonObject[])[1].content, [
    signed,
    { type: "tool_use", id: "functions_Bash_0", name: "Bash", input: {} },
  ]);
  assertEquals((body.messages as JsonObject[])[2].content, [
    { type: "tool_result", tool_use_id: "functions_Bash_0", content: "ok" },
  ]);
});

Deno.test("POST /messages says everything that a chat surface can be told", async () => {
  const { post, requests } = scripted(STEPS);
  await (await post("/v1/messages", {
    ...ask(KIMI),
    system: "Be brief.",
    metadata: { user_id: "u" },
    stop_sequences: ["END"],
    temperature: 0.5,
    thinking: { type: "enabled", budget_tokens: 31_999 },
    output_config: { format: { type: "json_schema", schema: { type: "object" } } },
    tool_choice: { type: "any" },
    tools: [
      { ...BASH, defer_loading: true },
      { type: "web_search_20250305", name: "web_search" },
      { type: "bash_20250124", name: "bash" },
    ],
    messages: [
      {
        role: "user",
        content: [
          { type: "text", text: "Look:" },
          { type: "image", source: { type: "base64", media_type: "image/png", data: "AAAA" } },
        ],
      },
      {
        role: "assistant",
        content: [
          { type: "text", text: "I run two." },
          { type: "tool_use", id: "call_abcdefgh1", name: "Bash", input: { command: "ls" } },
          { type: "tool_use", id: "call_abcdefgh2", name: "Bash", input: {} },
        ],
      },
      {
        role: "user",
        content: [
          { type: "tool_result", tool_use_id: "call_abcdefgh1", content: "a.txt" },
          {
            type: "tool_result",
            tool_use_id: "call_abcdefgh2",
            is_error: true,
            content: [{ type: "text", text: "no such file" }],
          },
          { type: "text", text: "Go on." },
        ],
      },
      { role: "system", content: "It is late." },
    ],
  })).text();
  const body = requests[0].body!;
  const messages = body.messages as JsonObject[];
  // The format is told in words: a streaming request may not ask for it otherwise.
  assertEquals(messages.map(({ role }) => role), [
    "system",
    "system",
    "user",
    "assistant",
    "tool",
    "tool",
    "user",
    "user",
  ]);
  assertEquals((messages[2].content as JsonObject[])[1].image_url, {
    url: "data:image/png;base64,AAAA",
  });
  assertEquals((messages[3].tool_calls as JsonObject[]).length, 2);
  assertEquals(messages[4].content, "a.txt");
  assertEquals(messages[5].content, "The tool failed: no such file");
  assertEquals(messages[7].content, "<system-reminder>\nIt is late.\n</system-reminder>");
  assertEquals(body.reasoning_effort, "high");
  assertEquals(body.stop, ["END"]);
  assertEquals(body.tool_choice, "required");
  const names = (body.tools as { function: { name: string } }[]).map((tool) => tool.function.name);
  assertEquals(names, ["Bash", "bash"]);
  assertEquals("metadata" in body, false);
});

/** Requests that would get another answer than they ask for, and the field that is named. */
const IMPOSSIBLE: readonly (readonly [param: string, fields: JsonObject])[] = [
  ["mcp_servers", { mcp_servers: [{ type: "url", url: "https://x.example" }] }],
  ["container", { container: "c" }],
  ["tool_choice", {
    tools: [{ type: "web_search_20250305", name: "web_search" }],
    tool_choice: { type: "tool", name: "web_search" },
  }],
  ["tool_choice", {
    tools: [{ type: "web_search_20250305", name: "web_search" }],
    tool_choice: { type: "any" },
  }],
  ["tools[0].type", { tools: [{ type: "computer_20250124", name: "computer" }] }],
  ["messages[0].content[0]", {
    messages: [{
      role: "user",
      content: [{ type: "document", source: { type: "url", url: "https://x.example/a.pdf" } }],
    }],
  }],
  ["messages[0].content[0]", {
    messages: [{
      role: "user",
      content: [{ type: "image", source: { type: "file", file_id: "f" } }],
    }],
  }],
  ["messages", { messages: [] }],
  ["messages[0].role", { messages: [{ role: "tool", content: "x" }] }],
  ["max_tokens", { max_tokens: "many" }],
  ["model", { model: "" }],
];

for (const [param, fields] of IMPOSSIBLE) {
  Deno.test(`POST /messages refuses ${JSON.stringify(fields)}, naming ${param}`, async () => {
    const { post, requests } = scripted(STEPS);
    const response = await post("/v1/messages", ask(KIMI, fields));
    const body = await response.json();
    assertEquals([response.status, body.type, body.error.type], [
      400,
      "error",
      "invalid_request_error",
    ]);
    assertStringIncludes(body.error.message, param);
    assertEquals(requests.length, 0);
  });
}

Deno.test("POST /messages takes thinking back only for the model that thought it", async () => {
  const { post, requests } = scripted(STEPS);
  const first = assertStrictMessages(await (await post("/messages", ask(KIMI))).text()).message;
  const [thinking, , call] = first.content;
  const turn = (model: string) =>
    ask(model, {
      messages: [
        { role: "user", content: "Hello" },
        { role: "assistant", content: [thinking, call] },
        {
          role: "user",
          content: [{ type: "tool_result", tool_use_id: call.id, content: "done" }],
        },
      ],
    });
  await (await post("/messages", turn(KIMI))).text();
  const own = (requests.at(-1)!.body!.messages as JsonObject[])[1];
  assertEquals(own.reasoning_content, "I should ");
  await (await post("/messages", turn(GEMINI))).text();
  const other = (requests.at(-1)!.body!.messages as JsonObject[])[1];
  assertEquals(other.reasoning_content, undefined);
});

Deno.test("POST /messages/count_tokens estimates, and says so", async () => {
  const { post, requests } = scripted(STEPS);
  const count = async (body: JsonObject) => {
    const response = await post("/v1/messages/count_tokens?beta=true", body);
    assertEquals(response.headers.get("x-fd-bridge-estimate"), "true");
    return (await response.json()).input_tokens as number;
  };
  const short = await count({
    model: CLAUDE,
    messages: [{ role: "user", content: "Hello there" }],
  });
  assert(short >= 4 && short <= 12, `${short}`);
  const long = await count({
    model: CLAUDE,
    messages: [{
      role: "user",
      content: "The quick brown fox jumps over the lazy dog. ".repeat(100),
    }],
  });
  assert(long > 900 && long < 1150, `${long}`);
  assertEquals(requests.length, 0);
  const wrong = await post("/v1/messages/count_tokens", { model: CLAUDE });
  assertEquals((await wrong.json()).error.type, "invalid_request_error");
});

Deno.test("GET /models answers clients of Anthropic's in their shape, and ForgeCode in its own", async () => {
  const { route } = scripted(STEPS);
  const response = await route(
    new Request("http://127.0.0.1:8080/v1/models?limit=1000", {
      headers: { "anthropic-version": "2023-06-01" },
    }),
  );
  const list = await response.json();
  assertEquals([list.object, list.has_more], ["list", false]);
  const model = list.data.find(({ id }: JsonObject) => id === CLAUDE);
  assertEquals([
    model.type,
    model.display_name !== "",
    model.object,
    Number.isInteger(model.created),
  ], [
    "model",
    true,
    "model",
    true,
  ]);
});

Deno.test("a Messages error has the type of its status", async () => {
  for (
    const [status, type] of [
      [400, "invalid_request_error"],
      [401, "authentication_error"],
      [403, "permission_error"],
      [413, "request_too_large"],
      [429, "rate_limit_error"],
      [529, "overloaded_error"],
    ] as const
  ) {
    const { post } = testBridge({
      flags: ["--retries", "0"],
      gateway: () => Response.json({ error_code: "X", message: "Refused." }, { status }),
    });
    const response = await post("/v1/messages", ask(KIMI));
    assertEquals([response.status, (await response.json()).error.type], [status, type]);
  }
});

Deno.test("POST /messages keeps its contract whatever steps an answer has", async () => {
  const random: Random = randomFromEnvironment("messages");
  for (let round = 0; round < 400; round++) {
    const [, model, anthropic] = ROADS[random.integer(0, ROADS.length - 1)];
    const steps = Array.from(
      { length: random.integer(0, 12) },
      () => STEPS[random.integer(0, STEPS.length - 1)],
    ).filter((step, at, all) =>
      // Arguments belong to a call that has begun.
      step.do !== "arguments" ||
      all.slice(0, at).some((other) => other.do === "call" && other.key === step.key)
    );
    const { post } = scripted(steps, anthropic);
    assertStrictMessages(await (await post("/v1/messages", ask(model))).text());
  }
});

/** A native stream of Claude's with one call, whose input comes in the given pieces. */
function callStream(
  pieces: readonly string[],
  reason: string,
  { name = "Bash", stop = true }: { name?: string; stop?: boolean } = {},
): Response {
  const block = { type: "tool_use", id: "toolu_1", name, input: {} };
  const events = [
    {
      type: "message_start",
      message: { id: "msg_1", usage: { input_tokens: 5, output_tokens: 1 } },
    },
    { type: "content_block_start", index: 0, content_block: block },
    ...pieces.map((partial_json) => ({
      type: "content_block_delta",
      index: 0,
      delta: { type: "input_json_delta", partial_json },
    })),
    ...stop ? [{ type: "content_block_stop", index: 0 }] : [],
    { type: "message_delta", delta: { stop_reason: reason }, usage: { output_tokens: 32_000 } },
    { type: "message_stop" },
  ];
  const text = events.map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`);
  return new Response(text.join(""), { headers: { "content-type": "text/event-stream" } });
}

const ASK = {
  model: "databricks-claude-sonnet-5-5",
  max_tokens: 32_000,
  messages: [{ role: "user", content: "q" }],
  tools: [{ name: "Bash", input_schema: { type: "object" } }],
};

for (const pieces of [[], [""], ['{"command": "rm -']]) {
  for (const stop of [true, false]) {
    Deno.test(`a native call cut after ${JSON.stringify(pieces)}, ${stop ? "closed" : "open"}, is no call, and tells its tokens`, async () => {
      const { post, log } = testBridge({
        gateway: () => callStream(pieces, "max_tokens", { stop }),
      });
      const text = await (await post("/v1/messages", { ...ASK, stream: true })).text();
      assert(!text.includes("content_block_stop"), text);
      assert(!text.includes("message_stop"), text);
      assertStringIncludes(text, "event: error");
      assertStringIncludes(text, "32000 output tokens");
      assertStringIncludes(log(), "tokens_out=32000");
    });
  }
}

Deno.test("a native call without input is a call where nothing was cut", async () => {
  const { post } = testBridge({ gateway: () => callStream([], "tool_use") });
  const text = await (await post("/v1/messages", { ...ASK, stream: true })).text();
  const types = [...text.matchAll(/^event: (.*)$/gm)].map(([, type]) => type);
  assertEquals(types, [
    "message_start",
    "content_block_start",
    "content_block_stop",
    "message_delta",
    "message_stop",
  ]);
});

Deno.test("a native whole call that a limit left without input is an error", async () => {
  const message = {
    id: "msg_1",
    type: "message",
    role: "assistant",
    content: [{ type: "tool_use", id: "toolu_1", name: "Bash", input: {} }],
    stop_reason: "max_tokens",
    usage: { input_tokens: 5, output_tokens: 9 },
  };
  const cut = testBridge({ gateway: () => Response.json(message) });
  assertEquals((await (await cut.post("/v1/messages", ASK)).json()).type, "error");
  const whole = testBridge({
    gateway: () => Response.json({ ...message, stop_reason: "tool_use" }),
  });
  assertEquals((await (await whole.post("/v1/messages", ASK)).json()).content[0].input, {});
});

Deno.test("a native call without a name gets one", async () => {
  const { post } = testBridge({ gateway: () => callStream(["{}"], "tool_use", { name: "" }) });
  const text = await (await post("/v1/messages", { ...ASK, stream: true })).text();
  assertStringIncludes(text, '"name":"unnamed_tool"');
});

Deno.test("a client's cache marks on results and answers reach mlflow", async () => {
  const { post, requests } = testBridge({
    gateway: (request) =>
      Response.json({ error_code: "X", message: "x" }, {
        status: new URL(request.url).pathname.includes("anthropic") ? 404 : 400,
      }),
  });
  const cache_control = { type: "ephemeral" };
  await post("/v1/messages", {
    ...ASK,
    messages: [
      { role: "user", content: "q" },
      {
        role: "assistant",
        content: [{ type: "text", text: "t", cache_control }, {
          type: "tool_use",
          id: "toolu_1",
          name: "Bash",
          input: {},
        }],
      },
      {
        role: "user",
        content: [{ type: "tool_result", tool_use_id: "toolu_1", content: "r", cache_control }],
      },
    ],
  });
  const { messages } = requests.at(-1)!.body as { messages: { content: unknown }[] };
  assertEquals(messages.map(({ content }) => content), [
    "q",
    [{ type: "text", text: "t", cache_control }],
    [{ type: "text", text: "r", cache_control }],
  ]);
});

Deno.test("GET /models/{id} fails in Anthropic's words for Anthropic's clients", async () => {
  const { bridge } = testBridge();
  const headers = { "anthropic-version": "2023-06-01", host: "127.0.0.1:8080" };
  const response = await bridge.handler(
    new Request("http://127.0.0.1:8080/v1/models/nope", { headers }),
  );
  assertEquals(response.status, 404);
  assertEquals((await response.json()).type, "error");
});
