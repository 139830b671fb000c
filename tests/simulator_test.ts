import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import {
  createSimulator,
  type JsonObject,
  SCENARIOS,
  type Simulator,
  type SimulatorOptions,
  startSimulator,
} from "../lib/simulator/mod.ts";
import { TOKEN_REFUSALS } from "../lib/simulator/authentication.ts";
import { FAMILIES, familyOf } from "../lib/simulator/families.ts";
import { CHAT_MODELS, EMBEDDING_MODELS } from "../lib/simulator/models.ts";
import { REFUSALS } from "../lib/simulator/refusals.ts";
import { valueFor } from "../lib/simulator/schema.ts";
import { waitByClock } from "../lib/simulator/steps.ts";

const MLFLOW = "/mlflow/v1/chat/completions";
const CURSOR = "/cursor/v1/chat/completions";
const RESPONSES = "/openai/v1/responses";

/** A tool in the chat dialect, and the same one in the Responses dialect. */
const PARAMETERS = {
  type: "object",
  properties: { city: { type: "string" }, unit: { type: "string", enum: ["celsius"] } },
  required: ["city", "unit"],
};
const CHAT_TOOLS = [{
  type: "function",
  function: { name: "get_weather", description: "Weather of a city", parameters: PARAMETERS },
}];
const RESPONSES_TOOLS = [{ type: "function", name: "get_weather", parameters: PARAMETERS }];

function simulator(options: SimulatorOptions = {}): Simulator {
  return createSimulator({ pace: 0, now: () => 1_790_000_000_000, ...options });
}

async function post(
  gateway: Simulator,
  path: string,
  body: unknown,
  headers: Record<string, string> = { authorization: "Bearer demo" },
): Promise<Response> {
  return await gateway.handler(
    new Request(`http://gateway.test${path}`, {
      method: "POST",
      headers,
      body: typeof body === "string" ? body : JSON.stringify(body),
    }),
  );
}

function chat(model: string, text: string, more: JsonObject = {}): JsonObject {
  return { model: `databricks-${model}`, messages: [{ role: "user", content: text }], ...more };
}

/** Reads a stream whatever its layout: every `data` line is an event. */
function eventsIn(text: string): JsonObject[] {
  return text.split(/\r\n|\r|\n/).filter((line) => line.startsWith("data:"))
    .map((line) => line.slice(5).trim()).filter((data) => data !== "[DONE]")
    .map((data) => JSON.parse(data));
}

async function chatStream(text: string, model = "gpt-5", more: JsonObject = {}): Promise<string> {
  const body = chat(model, text, { stream: true, ...more });
  const response = await post(simulator(), MLFLOW, body);
  assertEquals(response.status, 200);
  return await response.text();
}

async function responsesStream(text: string, more: JsonObject = {}): Promise<JsonObject[]> {
  const body = { model: "databricks-gpt-5", input: text, stream: true, ...more };
  const response = await post(simulator(), RESPONSES, body);
  assertEquals(response.status, 200);
  return eventsIn(await response.text());
}

// deno-lint-ignore no-explicit-any
type Loose = any;

function deltasIn(text: string): Loose[] {
  return eventsIn(text).map((chunk: Loose) => chunk.choices[0]?.delta ?? chunk.delta ?? {});
}

function contentIn(text: string): string {
  return deltasIn(text).map(({ content }) =>
    typeof content === "string"
      ? content
      : (content ?? []).map((part: Loose) => part.text ?? "").join("")
  ).join("");
}

interface RefusalCase {
  rule: string;
  path: string;
  status: number;
  says: string;
  body: JsonObject;
}

const REFUSAL_CASES: RefusalCase[] = JSON.parse(
  await Deno.readTextFile(new URL("./fixtures/simulator/refusals.json", import.meta.url)),
);

Deno.test("createSimulator() refuses each case by its rule, with the rule's words and shape", async () => {
  for (const { rule: name, path, status, says, body } of REFUSAL_CASES) {
    const rule = REFUSALS.find((candidate) => candidate.name === name);
    assert(rule, `no rule is called ${name}`);
    const response = await post(simulator(), path, body);
    const text = await response.text();
    assertEquals(response.status, status, `${name}: ${text}`);
    assertEquals(rule.status, status, name);
    const json = rule.shape === "text" ? undefined : JSON.parse(text);
    const message = rule.shape === "text"
      ? text
      : rule.shape === "databricks"
      ? json.message
      : json.error.message;
    assertStringIncludes(message, says, name);
    if (rule.shape === "anthropic") assertEquals(json.type, "error");
    if (rule.shape === "databricks") assert("error_code" in json, name);
    assert(response.headers.get("x-request-id"), name);
  }
});

Deno.test("REFUSALS has no rule that no case meets, and no name twice", () => {
  const names = REFUSALS.map((rule) => rule.name);
  assertEquals(new Set(names).size, names.length);
  const met = new Set(REFUSAL_CASES.map(({ rule }) => rule));
  assertEquals(names.filter((name) => !met.has(name)), []);
});

Deno.test("createSimulator() takes what the rules ask for", async () => {
  const user = { role: "user", content: "Hello" };
  const call = (id: string, more: JsonObject = {}) => ({
    id,
    type: "function",
    function: { name: "read", arguments: "{}" },
    ...more,
  });
  const result = (id: string) => ({ role: "tool", tool_call_id: id, content: "ok" });
  const accepted: [string, JsonObject][] = [
    [RESPONSES, { model: "system.ai.gpt-5-6-sol", input: "Hello" }],
    [`/ai-gateway${MLFLOW}`, chat("gpt-5", "Hello", { max_tokens: 100 })],
    ["/codex/v1/responses", { model: "databricks-gpt-5-3-codex", input: "Hello" }],
    [CURSOR, chat("gpt-5-mini", "Hello", { parallel_tool_calls: true, tools: CHAT_TOOLS })],
    [CURSOR, { model: "databricks-gpt-6-sol", input: "Hello", tools: RESPONSES_TOOLS }],
    [MLFLOW, chat("gpt-5-4", "Hello")],
    [MLFLOW, chat("gpt-6-sol", "Hello", { tools: CHAT_TOOLS, reasoning_effort: "none" })],
    [RESPONSES, { model: "databricks-grok-4-6", input: "Hello" }],
    [MLFLOW, {
      model: "databricks-gpt-oss-20b",
      messages: [
        user,
        { role: "assistant", content: "", tool_calls: [call("a")] },
        result("a"),
        { role: "assistant", content: "", tool_calls: [call("b")] },
        result("b"),
      ],
    }],
    [MLFLOW, {
      model: "databricks-gemini-3-flash",
      messages: [
        user,
        { role: "assistant", content: "", tool_calls: [call("a", { thoughtSignature: "x" })] },
        result("a"),
      ],
    }],
    // A property that is called like a keyword is none.
    [
      MLFLOW,
      chat("llama-4-maverick", "Hello", {
        tools: [{
          type: "function",
          function: {
            name: "search",
            parameters: { type: "object", properties: { pattern: { type: "string" } } },
          },
        }],
      }),
    ],
  ];
  for (const [path, body] of accepted) {
    const response = await post(simulator(), path, body);
    assertEquals(response.status, 200, `${path} ${body.model}: ${await response.clone().text()}`);
    await response.body?.cancel();
  }
});

Deno.test("createSimulator() answers every catalogd model on one of the surfaces its lists name", async () => {
  const gateway = simulator({ notEnabled: [] });
  for (const bare of CHAT_MODELS) {
    const family = familyOf(bare);
    const model = `system.ai.${bare}`;
    const response = family.mlflow
      ? await post(gateway, MLFLOW, { ...chat(bare, "Hello"), model })
      : await post(gateway, RESPONSES, { model, input: "Hello" });
    assertEquals(response.status, 200, `${bare}: ${await response.clone().text()}`);
    await response.body?.cancel();
  }
});

Deno.test("createSimulator() refuses tokens in each of the shapes that were seen", async () => {
  for (const [prefix, words] of TOKEN_REFUSALS) {
    const response = await post(simulator(), MLFLOW, chat("gpt-5", "Hello"), {
      authorization: `Bearer ${prefix}-token`,
    });
    assertEquals(response.status, words.status, prefix);
    const text = await response.text();
    assertEquals(words.shape === "text" ? text : JSON.parse(text).message, words.message);
  }
  for (const headers of [{}, { "api-key": "demo" }, { authorization: "Basic eDp5" }]) {
    const response = await post(simulator(), MLFLOW, chat("gpt-5", "Hello"), headers as never);
    assertEquals(response.status, 401);
    assertEquals((await response.json()).error_code, 401);
  }
});

Deno.test("createSimulator() knows no other paths, no GET /models and no body that is no object", async () => {
  const gateway = simulator({ discovery: false });
  for (const path of ["/mlflow/v1/models", "/models", "/api/2.0/serving-endpoints"]) {
    const response = await gateway.handler(
      new Request(`http://gateway.test${path}`, { headers: { authorization: "Bearer demo" } }),
    );
    assertEquals(response.status, 404);
    assertEquals((await response.json()).message, `No API found for 'GET ${path}'`);
  }
  for (const body of ["{", "[]", "null"]) {
    const response = await post(gateway, MLFLOW, body);
    assertEquals(response.status, 400);
    assertEquals((await response.json()).error_code, "MALFORMED_REQUEST");
  }
});

/** What is peculiar to each family's stream of text, and of one tool call. */
const FAMILY_STREAMS: Record<
  string,
  { model: string; text: (stream: string) => void; call?: (stream: string) => void }
> = {
  "gpt-oss": {
    model: "gpt-oss-120b",
    text(stream) {
      assertStringIncludes(stream, "\r\n\r\n");
      assertEquals(deltasIn(stream)[0].content[0].type, "reasoning");
      assert(deltasIn(stream).some(({ content }) => content?.[0]?.type === "text"));
    },
  },
  "gpt-5-4": { model: "gpt-5-4", text: usageAlone },
  "gpt-6-astra": { model: "gpt-6-astra", text: usageAlone },
  "gpt-6": { model: "gpt-6-sol", text: usageAlone },
  "gpt-5": {
    model: "gpt-5",
    text: usageAlone,
    call(stream) {
      const calls = deltasIn(stream).flatMap(({ tool_calls }) => tool_calls ?? []);
      assertEquals(calls[0].type, "function");
      assertEquals(calls[0].function.arguments, "");
      assert(calls.length > 2, "the arguments come in fragments");
    },
  },
  "claude": { model: "claude-sonnet-4-5", text: claudeText, call: claudeCall },
  "claude-adaptive": { model: "claude-opus-4-8", text: claudeText, call: claudeCall },
  "gemini-2-5": {
    model: "gemini-2-5-pro",
    text(stream) {
      assertMatch(stream, /^data:\{/);
      assert(deltasIn(stream).every(({ content }) => !content || Array.isArray(content)));
    },
    call: geminiCall,
  },
  "gemini": {
    model: "gemini-3-flash",
    text: (stream) => assertMatch(stream, /^: keep-alive\n\ndata: /),
    call: geminiCall,
  },
  "grok": { model: "grok-4-6", text: reasoningContent },
  "glm": {
    model: "glm-5-2",
    text(stream) {
      reasoningContent(stream);
      assert(eventsIn(stream).every((chunk) => !("id" in chunk)));
    },
  },
  "kimi": {
    model: "kimi-k3",
    text: reasoningContent,
    call(stream) {
      const calls = deltasIn(stream).flatMap(({ tool_calls }) => tool_calls ?? []);
      assertEquals(calls[0].id, "functions.get_weather:0");
    },
  },
  "deepseek": { model: "deepseek-v4-flash-0731", text: reasoningContent },
  "inkling": {
    model: "inkling",
    text(stream) {
      reasoningContent(stream);
      assert(!/finish_reason":"/.test(stream), "no finish_reason is said");
      assert(stream.endsWith("data:[DONE]\n\n"));
    },
  },
  "llama": {
    model: "llama-4-maverick",
    text(stream) {
      for (const chunk of eventsIn(stream) as Loose[]) {
        assert(Number.isInteger(chunk.usage.total_tokens));
      }
    },
    call(stream) {
      const calls = deltasIn(stream).flatMap(({ tool_calls }) => tool_calls ?? []);
      assertEquals(calls.length, 1);
      assertEquals(JSON.parse(calls[0].function.arguments), { city: "Berlin", unit: "celsius" });
    },
  },
  "qwen3-next": {
    model: "qwen3-next-80b-a3b-instruct",
    text: (stream) =>
      assertEquals((eventsIn(stream).at(-1) as Loose).usage.prompt_tokens_details, null),
  },
  "qwen": {
    model: "qwen35-122b-a10b",
    text: (stream) => assert(!stream.includes("\n\n"), "single newlines between events"),
  },
  "chat-agent": {
    model: "support-chat-agent",
    text(stream) {
      for (const chunk of eventsIn(stream) as Loose[]) {
        assertEquals(chunk.choices, []);
        assertEquals(chunk.delta.role, "assistant");
      }
    },
  },
  "default": {
    model: "gemma-3-12b",
    text(stream) {
      for (const chunk of eventsIn(stream) as Loose[]) {
        assertEquals(Object.keys(chunk), ["choices"]);
        assertEquals(Object.keys(chunk.choices[0]), ["delta"]);
      }
    },
    call(stream) {
      const calls = deltasIn(stream).flatMap(({ tool_calls }) => tool_calls ?? []);
      assert(calls.every((call: Loose) => !("index" in call) && !("type" in call)));
    },
  },
};

function usageAlone(stream: string): void {
  const last = eventsIn(stream).at(-1) as Loose;
  assertEquals(last.choices, []);
  assert(last.usage.total_tokens > 0);
}

function claudeText(stream: string): void {
  const chunks = eventsIn(stream) as Loose[];
  for (const chunk of chunks) assertEquals(chunk.choices[0].delta.role, "assistant");
  for (const chunk of chunks.slice(0, -1)) assertEquals(chunk.usage.completion_tokens, null);
  const last = chunks.at(-1);
  assertEquals(last.choices[0].delta.content, "");
  assertEquals(last.choices[0].finish_reason, "stop");
  assert(last.usage.completion_tokens > 0);
}

function claudeCall(stream: string): void {
  const deltas = deltasIn(stream).filter(({ tool_calls }) => tool_calls);
  assert(deltas.every(({ content }) => content === null));
  const calls = deltas.flatMap(({ tool_calls }) => tool_calls);
  assert(calls.every((call: Loose) => call.index === 1), "text took index 0");
  assertMatch(calls[0].id, /^toolu_/);
  assert(calls.slice(1).every((call: Loose) => !("id" in call) && !("type" in call)));
}

function geminiCall(stream: string): void {
  const calls = deltasIn(stream).flatMap(({ tool_calls }) => tool_calls ?? []);
  assertEquals(calls.length, 1);
  assert(calls[0].thoughtSignature);
  assertStringIncludes(stream, '"finish_reason":"stop"');
}

function reasoningContent(stream: string): void {
  const thought = deltasIn(stream).map((delta) => delta.reasoning_content ?? "").join("");
  assertStringIncludes(thought, "The user says");
}

Deno.test("createSimulator() streams in each family's shape", async () => {
  for (const [name, { model, text, call }] of Object.entries(FAMILY_STREAMS)) {
    assertEquals(familyOf(model).name, name);
    const named = name === "chat-agent" ? { model } : {};
    const said = await chatStream("How are you?", model, named);
    assertStringIncludes(contentIn(said), 'You asked: "How are you?"', name);
    assertMatch(said, /data: ?\[DONE\]\s*$/, name);
    text(said);
    if (!familyOf(model).chatTools) continue;
    const called = await chatStream("The weather?", model, { tools: CHAT_TOOLS, ...named });
    const argumentsText = deltasIn(called).flatMap(({ tool_calls }) => tool_calls ?? [])
      .map((fragment: Loose) => fragment.function.arguments).join("");
    assertEquals(JSON.parse(argumentsText), { city: "Berlin", unit: "celsius" }, name);
    call?.(called);
  }
});

Deno.test("FAMILIES has no chat family whose stream no test reads, and no name twice", () => {
  const names = FAMILIES.map(({ name }) => name);
  assertEquals(new Set(names).size, names.length);
  const served = FAMILIES.filter(({ mlflow }) => mlflow).map(({ name }) => name);
  assertEquals(served.filter((name) => !(name in FAMILY_STREAMS)), []);
});

Deno.test("createSimulator() lets Claude think in signed content parts and takes them back", async () => {
  const thinking = { thinking: { type: "enabled", budget_tokens: 2048 }, max_tokens: 8192 };
  const stream = await chatStream("The weather?", "claude-sonnet-4-5", {
    ...thinking,
    tools: CHAT_TOOLS,
  });
  const parts = deltasIn(stream).filter(({ content }) => Array.isArray(content))
    .map(({ content }) => content[0].summary[0]);
  assert(parts.length > 2);
  const signature = parts.at(-1).signature;
  assert(signature !== "" && parts.slice(0, -1).every((part) => part.signature === ""));
  const text = parts.map((part) => part.text).join("");
  const call = deltasIn(stream).flatMap(({ tool_calls }) => tool_calls ?? [])[0];
  const response = await post(simulator(), MLFLOW, {
    model: "databricks-claude-sonnet-4-5",
    ...thinking,
    messages: [
      { role: "user", content: "The weather?" },
      {
        role: "assistant",
        content: [{ type: "reasoning", summary: [{ type: "summary_text", text, signature }] }],
        tool_calls: [{ id: call.id, type: "function", function: { name: "x", arguments: "{}" } }],
      },
      { role: "tool", tool_call_id: call.id, content: "sunny" },
    ],
  });
  assertEquals(response.status, 200, await response.clone().text());
  await response.body?.cancel();
});

Deno.test("createSimulator() answers a plain request with a completion in the family's shape", async () => {
  const bodyOf = async (model: string, more: JsonObject = {}): Promise<Loose> =>
    await (await post(simulator(), MLFLOW, chat(model, "Hello", more))).json();
  const gpt = await bodyOf("gpt-5", { tools: CHAT_TOOLS });
  assertEquals(gpt.object, "chat.completion");
  assertEquals(gpt.choices[0].finish_reason, "tool_calls");
  assertEquals(gpt.choices[0].message.tool_calls[0].function.name, "get_weather");
  assertEquals(gpt.usage.total_tokens, gpt.usage.prompt_tokens + gpt.usage.completion_tokens);
  const oss = await bodyOf("gpt-oss-20b");
  assertEquals(oss.choices[0].message.content.map((part: Loose) => part.type), [
    "reasoning",
    "text",
  ]);
  const glm = await bodyOf("glm-5-2");
  assertEquals(typeof glm.choices[0].message.reasoning_content, "string");
  const gemma = await bodyOf("gemma-3-12b");
  assertEquals(gemma.choices[0].finish_reason, "stop");
});

Deno.test("createSimulator() quotes a tool's result and asks for no more, even before a client's note", async () => {
  const messages = [
    { role: "user", content: "The weather?" },
    {
      role: "assistant",
      content: "I look.",
      tool_calls: [{
        id: "c1",
        type: "function",
        function: { name: "get_weather", arguments: "{}" },
      }],
    },
    { role: "tool", tool_call_id: "c1", content: "22 degrees and sunny" },
  ];
  for (const more of [[], [{ role: "user", content: "A note of the client's." }]]) {
    const stream = await chatStream("", "gpt-5", {
      messages: [...messages, ...more],
      tools: CHAT_TOOLS,
    });
    assertStringIncludes(contentIn(stream), "22 degrees and sunny");
    assertStringIncludes(stream, '"finish_reason":"stop"');
  }
});

Deno.test("createSimulator() gives an object as arguments to a tool without a schema", async () => {
  for (const parameters of [undefined, {}, { type: "object" }]) {
    const tools = [{ type: "function", name: "read", parameters }];
    const events = await responsesStream("Hello", { tools });
    const done = events.find(({ type }) => type === "response.function_call_arguments.done");
    assertEquals(done?.arguments, "{}");
  }
});

Deno.test("createSimulator() calls the tool that the question names, and a harmless one otherwise", async () => {
  const tools = ["shell", "fs_remove", "write", "read", "weather_report"].map((name) => ({
    type: "function",
    function: { name, parameters: { type: "object", properties: {} } },
  }));
  const called = async (text: string, more: JsonObject = {}): Promise<string[]> =>
    deltasIn(await chatStream(text, "gpt-5", { tools, ...more }))
      .flatMap(({ tool_calls }) => tool_calls ?? [])
      .flatMap((call: Loose) => call.function.name ?? []);
  assertEquals(await called("Remove everything, and write it down in the shell"), ["read"]);
  assertEquals(await called("What is the weather?"), ["weather_report"]);
  assertEquals(await called("Do two things"), ["read", "weather_report"]);
  assertEquals(await called("Hello", { tool_choice: "none" }), []);
  assertEquals(
    await called("Hello", { tool_choice: { type: "function", function: { name: "shell" } } }),
    ["shell"],
  );
});

Deno.test("createSimulator() runs the commands that a question lists, one a turn or all at once", async () => {
  const gateway = simulator();
  const tools = [...CHAT_TOOLS, {
    type: "function",
    function: {
      name: "bash",
      parameters: { type: "object", properties: { command: { type: "string" } } },
    },
  }];
  const ask = async (messages: JsonObject[]) => {
    const body = { model: "databricks-kimi-k3", messages, tools };
    const answer = await (await post(gateway, MLFLOW, body)).json();
    return answer.choices[0].message;
  };
  const commandsOf = (message: JsonObject) =>
    ((message.tool_calls ?? []) as { function: { arguments: string } }[])
      .map((call) => JSON.parse(call.function.arguments).command);

  const messages: JsonObject[] = [{ role: "user", content: "Run `echo 1 > a`, then `cat a`." }];
  for (const expected of [["echo 1 > a"], ["cat a"], []]) {
    const message = await ask(messages);
    assertEquals(commandsOf(message), expected);
    messages.push(message);
    for (const call of (message.tool_calls ?? []) as { id: string }[]) {
      messages.push({ role: "tool", tool_call_id: call.id, content: "1" });
      messages.push({ role: "user", content: "A note of the client's." });
    }
  }
  const both = await ask([{ role: "user", content: "Run `date` and `pwd` at once" }]);
  assertEquals(commandsOf(both), ["date", "pwd"]);
});

Deno.test("createSimulator() answers with JSON where it is asked to: raw natively, fenced otherwise", async () => {
  const schema = {
    type: "object",
    properties: { title: { type: "string" }, tags: { type: "array", items: { type: "string" } } },
    required: ["title"],
  };
  const native = await post(
    simulator(),
    MLFLOW,
    chat("gpt-5", "fix the login page", {
      response_format: { type: "json_schema", json_schema: { name: "title", schema } },
    }),
  );
  const { choices } = await native.json();
  assertEquals(JSON.parse(choices[0].message.content), { title: "Fix The Login Page" });

  const stream = await chatStream("", "claude-haiku-4-5", {
    messages: [
      { role: "system", content: "You make titles. A brace: {" },
      {
        role: "system",
        content: `Answer with JSON only, to fit this JSON schema: ${JSON.stringify(schema)}`,
      },
      { role: "user", content: "<task>fix the login page</task>\n<system_date>x</system_date>" },
    ],
  });
  assertEquals(contentIn(stream), '```json\n{"title":"Fix The Login Page"}\n```');

  const text = { format: { type: "json_schema", name: "title", schema } };
  const events = await responsesStream("fix the login page", { text });
  const done = events.find(({ type }) => type === "response.output_text.done");
  assertEquals(done?.text, '{"title":"Fix The Login Page"}');
});

Deno.test("createSimulator() cuts an answer where the request's limit is", async () => {
  const stream = await chatStream("Hello", "llama-4-maverick", { max_tokens: 3 });
  assertEquals(contentIn(stream).trim().split(" ").length, 3);
  assertStringIncludes(stream, '"finish_reason":"length"');
  const thought = await chatStream("Hello [[sim: length]]", "gpt-oss-120b");
  assert(deltasIn(thought).every(({ content }) => content?.[0]?.type !== "text"));
});

Deno.test("createSimulator() streams the Responses dialect from created to completed, numbered", async () => {
  const events = await responsesStream("The weather?", {
    tools: RESPONSES_TOOLS,
    include: ["reasoning.encrypted_content"],
    reasoning: { effort: "low", summary: "auto" },
  }) as Loose[];
  assertEquals(events.map((event) => event.sequence_number), events.map((_, index) => index));
  const types = [...new Set(events.map(({ type }) => type))];
  assertEquals(types, [
    "response.created",
    "response.in_progress",
    "response.output_item.added",
    "response.reasoning_summary_part.added",
    "response.reasoning_summary_text.delta",
    "response.reasoning_summary_text.done",
    "response.reasoning_summary_part.done",
    "response.output_item.done",
    "response.content_part.added",
    "response.output_text.delta",
    "response.output_text.done",
    "response.content_part.done",
    "response.function_call_arguments.delta",
    "response.function_call_arguments.done",
    "response.completed",
  ]);
  const [reasoning, message, call] = events.at(-1).response.output;
  assertMatch(reasoning.encrypted_content, /^gAAAA/);
  assertEquals(message.content[0].type, "output_text");
  assertEquals(JSON.parse(call.arguments), { city: "Berlin", unit: "celsius" });
  const next = await post(simulator(), RESPONSES, {
    model: "databricks-gpt-5",
    input: [
      { role: "user", content: [{ type: "input_text", text: "The weather?" }] },
      reasoning,
      message,
      { type: "function_call", call_id: call.call_id, name: call.name, arguments: call.arguments },
      { type: "function_call_output", call_id: call.call_id, output: "sunny" },
    ],
  });
  const { output, status } = await next.json();
  assertEquals(status, "completed");
  assertStringIncludes(output.at(-1).content[0].text, "sunny");
});

Deno.test("createSimulator() answers some Responses bodies on cursor with chat chunks", async () => {
  const body = { model: "databricks-gpt-6-astra", input: "Hello", stream: true };
  const onCursor = await (await post(simulator(), CURSOR, body)).text();
  assertStringIncludes(onCursor, '"object":"chat.completion.chunk"');
  const onOpenai = await (await post(simulator(), RESPONSES, body)).text();
  assertStringIncludes(onOpenai, "event: response.completed\n");
});

/** What each scenario does to an answer; a function a scenario. */
const SCENARIO_CHECKS: Record<string, () => Promise<void>> = {
  async "abrupt"() {
    const stream = await chatStream("Hello [[sim: abrupt]]");
    assert(!stream.includes("[DONE]") && !/finish_reason":"/.test(stream));
    assert(eventsIn(stream).length > 3);
  },
  async "reset"() {
    const response = await post(
      simulator(),
      MLFLOW,
      chat("gpt-5", "Hello [[sim: reset]]", { stream: true }),
    );
    const failure = await response.text().then(() => undefined, (error) => error);
    assert(failure instanceof Error, "the body breaks");
  },
  async "error-midstream"() {
    assertStringIncludes(await chatStream("Hello [[sim: error-midstream]]"), '"error_code"');
    const last = async (shape: string) =>
      eventsIn(await chatStream(`Hello [[sim: error-midstream=${shape}]]`)).at(-1) as Loose;
    assertEquals((await last("openai")).error.type, "server_error");
    assertEquals((await last("anthropic")).type, "error");
    assertMatch(await chatStream("Hello [[sim: error-midstream=text]]"), /data: upstream/);
  },
  async "no-done"() {
    const stream = await chatStream("Hello [[sim: no-done]]");
    assert(!stream.includes("[DONE]") && stream.includes('"finish_reason":"stop"'));
  },
  async "no-finish"() {
    const stream = await chatStream("Hello [[sim: no-finish]]");
    assert(stream.includes("[DONE]") && !/finish_reason":"/.test(stream));
  },
  async "finish"() {
    assertStringIncludes(
      await chatStream("Hello [[sim: finish=STOP]]"),
      '"finish_reason":"STOP"',
    );
  },
  async "open"() {
    const gateway = simulator();
    const body = chat("gpt-5", "Hello [[sim: open]]", { stream: true });
    const reader = (await post(gateway, MLFLOW, body)).body!.getReader();
    for (let text = ""; !text.includes("[DONE]");) {
      text = new TextDecoder().decode((await reader.read()).value);
    }
    assertEquals(gateway.openStreams, 1);
    const next = reader.read().catch((error) => error.name);
    gateway.stop();
    assertEquals(await next, "AbortError");
    assertEquals(gateway.openStreams, 0);
  },
  async "after-done"() {
    assertEquals((await chatStream("Hello [[sim: after-done]]")).split("[DONE]").length, 4);
  },
  async "empty"() {
    assertEquals(await chatStream("Hello [[sim: empty]]"), "");
  },
  async "silence"() {
    const stream = await chatStream("Hello [[sim: silence]]");
    assertEquals(contentIn(stream), "");
    assertStringIncludes(stream, '"finish_reason":"stop"');
  },
  async "length"() {
    assertStringIncludes(await chatStream("Hello [[sim: length]]"), '"finish_reason":"length"');
  },
  async "incomplete"() {
    const last = (await responsesStream("Hello [[sim: incomplete]]")).at(-1) as Loose;
    assertEquals(last.type, "response.incomplete");
    assertEquals(last.response.incomplete_details.reason, "max_output_tokens");
  },
  async "content-filter"() {
    const stream = await chatStream("Hello [[sim: content-filter]]");
    assertStringIncludes(stream, '"finish_reason":"content_filter"');
    const last = (await responsesStream("Hello [[sim: content-filter]]")).at(-1) as Loose;
    assertEquals(last.response.incomplete_details.reason, "content_filter");
  },
  async "failed"() {
    const last = (await responsesStream("Hello [[sim: failed]]")).at(-1) as Loose;
    assertEquals(last.type, "response.failed");
    assertEquals(last.response.error.code, "server_error");
    assertStringIncludes(await chatStream("Hello [[sim: failed]]"), '"error"');
  },
  async "error-event"() {
    const last = (await responsesStream("Hello [[sim: error-event]]")).at(-1);
    assertEquals(last?.type, "error");
  },
  async "text"() {
    const stream = await chatStream("Hello [[sim: text]]", "gpt-5", { tools: CHAT_TOOLS });
    assert(!stream.includes("tool_calls"));
  },
  async "two"() {
    const stream = await chatStream("Hello [[sim: two]]", "gpt-5", { tools: CHAT_TOOLS });
    assertEquals(idsIn(stream).length, 2);
    assertEquals(new Set(idsIn(stream)).size, 2);
  },
  async "interleave"() {
    const stream = await chatStream("Hello [[sim: interleave]]", "gpt-5", { tools: CHAT_TOOLS });
    const indexes = deltasIn(stream).flatMap(({ tool_calls }) => tool_calls ?? [])
      .map((call: Loose) => call.index);
    assertEquals(indexes.slice(0, 4), [0, 1, 0, 1]);
    const events = await responsesStream("Hello [[sim: interleave]]", { tools: RESPONSES_TOOLS });
    const places = events.filter(({ type }) => `${type}`.endsWith("arguments.delta"))
      .map((event) => event.item_id);
    assert(places[0] !== places[1] && places[0] === places[2]);
  },
  async "no-ids"() {
    const stream = await chatStream("Hello [[sim: no-ids]]", "gpt-5", { tools: CHAT_TOOLS });
    assertEquals(idsIn(stream), []);
  },
  async "object-arguments"() {
    const stream = await chatStream("Hello [[sim: object-arguments]]", "gpt-5", {
      tools: CHAT_TOOLS,
    });
    assertStringIncludes(stream, '"arguments":{"city":"Berlin"');
  },
  async "late-arguments"() {
    const events = await responsesStream("Hello [[sim: late-arguments]]", {
      tools: RESPONSES_TOOLS,
    });
    assert(!events.some(({ type }) => `${type}`.endsWith("arguments.delta")));
    assert(events.some(({ type }) => `${type}`.endsWith("arguments.done")));
  },
  async "pairs"() {
    const events = await responsesStream("Hello [[sim: pairs]]");
    const count = (name: string) => events.filter(({ type }) => type === name).length;
    assertEquals([count("response.created"), count("response.completed")], [2, 2]);
  },
  async "untidy"() {
    const events = await responsesStream("Hello [[sim: untidy]]", {
      tools: RESPONSES_TOOLS,
    }) as Loose[];
    const added = events.filter(({ type }) => type === "response.output_item.added");
    const closed = events.filter(({ type }) => type === "response.output_item.done");
    const delta = events.find(({ type }) => type === "response.output_text.delta");
    assert(!added.some(({ item }) => item.id === delta.item_id));
    assertEquals(added[0].output_index, added[1].output_index);
    assertEquals(closed.map(({ item }) => item.id), added.map(({ item }) => item.id).reverse());
  },
  async "tidy"() {
    const events = await responsesStream("Hello [[sim: tidy]]", {
      model: "databricks-gpt-6-sol",
    }) as Loose[];
    const added = events.filter(({ type }) => type === "response.output_item.added");
    assertEquals(added.map((event) => event.output_index), added.map((_, index) => index));
  },
  async "chat-chunks"() {
    const [first] = await responsesStream("Hello [[sim: chat-chunks]]");
    assertEquals(first.object, "chat.completion.chunk");
  },
  async "top-level-delta"() {
    const [first] = eventsIn(await chatStream("Hello [[sim: top-level-delta]]"));
    assertEquals(first.choices, []);
    assert(first.delta);
  },
  async "minimal"() {
    for (const chunk of eventsIn(await chatStream("Hello [[sim: minimal]]"))) {
      assertEquals(Object.keys(chunk), ["choices"]);
    }
  },
  async "bad-usage"() {
    const [first] = eventsIn(await chatStream("Hello [[sim: bad-usage]]")) as Loose[];
    assertEquals(first.usage.completion_tokens, 1.5);
    assertEquals(first.usage.prompt_tokens, null);
  },
  async "bad-ids"() {
    const [first] = eventsIn(await chatStream("Hello [[sim: bad-ids]]"));
    assertEquals(typeof first.id, "number");
    assertEquals(typeof first.created, "string");
  },
  async "framing"() {
    const cr = await chatStream("Hello [[sim: framing=cr]]");
    assert(cr.includes("\r\r") && !cr.includes("\n"));
    assert(!(await chatStream("Hello [[sim: framing=single]]")).includes("\n\n"));
  },
  async "bom"() {
    const body = chat("gpt-5", "Hello [[sim: bom]]", { stream: true });
    const response = await post(simulator(), MLFLOW, body);
    assertEquals([...new Uint8Array(await response.arrayBuffer()).slice(0, 3)], [239, 187, 191]);
  },
  async "bytes"() {
    assertEquals(new Set(await chunkSizes("Hello [[sim: bytes]]")), new Set([1]));
  },
  async "burst"() {
    assertEquals((await chunkSizes("Hello [[sim: burst]]")).length, 1);
  },
  async "long"() {
    assertMatch(contentIn(await chatStream("Hello [[sim: long=50]]")), /word49 word50\.$/);
  },
  async "slow"() {
    assert((await waits("Hello [[sim: slow]]", 5)).every((wait) => wait === 50));
    assert((await waits("Hello", 5)).every((wait) => wait === 5));
  },
  async "silent"() {
    assertEquals(await waits("Hello [[sim: silent=3]]", 0), [3000]);
  },
  async "hang"() {
    assertEquals(await waits("Hello [[sim: hang=3]]", 0), [3000]);
  },
  async "json-for-stream"() {
    const completion = JSON.parse(await chatStream("Hello [[sim: json-for-stream]]"));
    assertEquals(completion.object, "chat.completion");
  },
  async "stream-for-json"() {
    const body = chat("gpt-5", "Hello [[sim: stream-for-json]]");
    const response = await post(simulator(), MLFLOW, body);
    assertMatch(response.headers.get("content-type") ?? "", /^text\/event-stream/);
    await response.body?.cancel();
  },
  async "html"() {
    const response = await failing("html", 502);
    assertEquals(response.headers.get("content-type"), "text/html");
  },
  "ip-acl": () => failing("ip-acl", 403).then(() => {}),
  "401": () => failing("401", 401).then(() => {}),
  "403": () => failing("403", 403).then(() => {}),
  "413": () => failing("413", 413).then(() => {}),
  async "429"() {
    const response = await failing("429", 429);
    assertEquals(response.headers.has("retry-after"), false);
  },
  "429-once": () => once("429-once", 429),
  async "429-retry-after"() {
    const response = await failing("429-retry-after", 429);
    assertEquals(response.headers.get("retry-after"), "15");
  },
  "500": () => failing("500", 500).then(() => {}),
  "503": () => failing("503", 503).then(() => {}),
  "503-once": () => once("503-once", 503),
  "504": () => failing("504", 504).then(() => {}),
};

function idsIn(stream: string): string[] {
  return deltasIn(stream).flatMap(({ tool_calls }) => tool_calls ?? [])
    .flatMap((call: Loose) => call.id ?? []);
}

async function chunkSizes(text: string): Promise<number[]> {
  const response = await post(simulator(), MLFLOW, chat("gpt-5", text, { stream: true }));
  const sizes: number[] = [];
  for await (const chunk of response.body!) sizes.push(chunk.length);
  return sizes;
}

/** The pauses of an answer in milliseconds, which are not waited for. */
async function waits(text: string, pace: number): Promise<number[]> {
  const found: number[] = [];
  const gateway = simulator({
    pace,
    wait: (milliseconds) => {
      found.push(milliseconds);
      return Promise.resolve();
    },
  });
  const response = await post(gateway, MLFLOW, chat("gpt-5", text, { stream: true }));
  await response.text();
  assert(found.length > 0);
  return found;
}

async function failing(name: string, status: number): Promise<Response> {
  const body = chat("gpt-5", `Hello [[sim: ${name}]]`, { stream: true });
  const response = await post(simulator(), MLFLOW, body);
  assertEquals(response.status, status);
  assert((await response.text()).length > 10);
  return response;
}

async function once(name: string, status: number): Promise<void> {
  const gateway = simulator();
  const body = chat("gpt-5", `Hello [[sim: ${name}]]`);
  const statuses: number[] = [];
  for (let count = 0; count < 3; count++) {
    const response = await post(gateway, MLFLOW, body);
    statuses.push(response.status);
    await response.body?.cancel();
  }
  assertEquals(statuses, [status, 200, 200]);
}

for (const { name, description } of SCENARIOS) {
  Deno.test(`[[sim: ${name}]]: ${description}`, async () => {
    const check = SCENARIO_CHECKS[name];
    assert(check, `no check for ${name}`);
    await check();
  });
}

Deno.test("SCENARIOS has every scenario that is checked, and no name twice", () => {
  const names = SCENARIOS.map(({ name }) => name);
  assertEquals(new Set(names), new Set(Object.keys(SCENARIO_CHECKS)));
  assertEquals(new Set(names).size, names.length);
});

Deno.test("createSimulator({ scenario }) holds for every request", async () => {
  const response = await post(simulator({ scenario: "503" }), MLFLOW, chat("gpt-5", "Hello"));
  assertEquals(response.status, 503);
  await response.body?.cancel();
});

async function get(gateway: Simulator, path: string): Promise<Response> {
  return await gateway.handler(
    new Request(`http://gateway.test${path}`, { headers: { authorization: "Bearer demo" } }),
  );
}

Deno.test("createSimulator() pages through the model services, with an empty page in between", async () => {
  const gateway = simulator();
  const path = "/api/2.1/unity-catalog/model-services?parent=schemas/system.ai";
  const names: string[] = [];
  const sizes: number[] = [];
  let token = "";
  let typeless = 0;
  do {
    const response = await get(gateway, `${path}&page_size=10&page_token=${token}`);
    const page: Loose = await response.json();
    sizes.push(page.model_services?.length ?? 0);
    for (const service of page.model_services ?? []) {
      names.push(service.name);
      if (!service.supported_api_types) typeless++;
    }
    token = page.next_page_token ?? "";
  } while (token !== "" && sizes.length < 50);
  assertEquals(sizes.slice(0, 3), [10, 0, 10]);
  assertEquals(new Set(names).size, names.length);
  assertEquals(names.length, CHAT_MODELS.length + EMBEDDING_MODELS.length + 1);
  assert(names.includes("model-services/system.ai.claude-opus-4-8"));
  assert(names.includes("model-services/workspace.default.team-claude-opus-4-8"));
  assert(typeless > 1);

  const wordless = await get(gateway, path);
  assertEquals([wordless.status, await wordless.text()], [499, ""]);
  assertEquals((await get(gateway, `${path}&page_size=10&page_token=x`)).status, 400);
  assertEquals((await get(gateway, `${path}.other&page_size=10`)).status, 404);
  const large: Loose = await (await get(gateway, `${path}&page_size=100&view=FULL`)).json();
  assertEquals(large.model_services.length, 25);
  assert(large.model_services[1].config.routing.destinations.length > 0);
});

Deno.test("createSimulator() lists foundation models and serving endpoints, and asks for a token", async () => {
  const gateway = simulator();
  const path = "/api/2.0/serving-endpoints";
  const models: Loose = await (await get(gateway, `${path}:foundation-models`)).json();
  const gpt = models.endpoints.find((one: Loose) => one.name === "databricks-gpt-5");
  assertEquals(gpt.config.served_entities[0].foundation_model.api_types, [
    "mlflow/v1/chat/completions",
    "cursor/v1/chat/completions",
    "openai/v1/responses",
  ]);
  const { endpoints }: Loose = await (await get(gateway, path)).json();
  const tasks = new Set(endpoints.map((one: Loose) => one.task));
  assertEquals(tasks, new Set(["llm/v1/chat", "llm/v1/embeddings", "agent/v1/chat", undefined]));
  const forbidden = endpoints.find((one: Loose) => one.name === "databricks-claude-fable-5");
  assertEquals(forbidden.state.ready, "READY");
  const response = await gateway.handler(new Request(`http://gateway.test${path}`));
  assertEquals(response.status, 401);
});

Deno.test("createSimulator() makes embeddings that depend on the text alone", async () => {
  const body = { model: "databricks-gte-large-en", input: ["one", "two", "one"] };
  const { data } = await (await post(simulator(), "/mlflow/v1/embeddings", body)).json();
  assertEquals(data[0].embedding, data[2].embedding);
  assert(data[0].embedding[0] !== data[1].embedding[0]);
});

Deno.test("requests records what came, and forgets the oldest of more than a thousand", async () => {
  const gateway = simulator();
  await post(gateway, `${MLFLOW}?a=b`, chat("gpt-5", "Hello"), {
    authorization: "Bearer demo",
    "User-Agent": "test",
  });
  const [first] = gateway.requests;
  assertEquals(first.path, `${MLFLOW}?a=b`);
  assertEquals(first.headers["user-agent"], "test");
  assertEquals(first.body?.model, "databricks-gpt-5");
  assertEquals([first.status, first.aborted, await first.ended], [200, false, "finished"]);
  for (let count = 0; count < 1000; count++) await post(gateway, "/nowhere", {});
  assertEquals(gateway.requests.length, 1000);
  assertEquals(gateway.requests[0].number, 2);
});

Deno.test("requests says that a client left while the stream ran", async () => {
  const gateway = simulator();
  const body = chat("gpt-5", "Hello [[sim: long]]", { stream: true });
  const reader = (await post(gateway, MLFLOW, body)).body!.getReader();
  await reader.read();
  assertEquals(gateway.openStreams, 1);
  await reader.cancel();
  assertEquals(await gateway.requests[0].ended, "aborted");
  assertEquals(gateway.requests[0].aborted, true);
  assertEquals(gateway.openStreams, 0);
});

Deno.test("startSimulator() serves on a port, notices a client that leaves, and closes", async () => {
  let paused = Promise.withResolvers<void>();
  const wait = (milliseconds: number, signal: AbortSignal) => {
    paused.resolve();
    return waitByClock(milliseconds, signal);
  };
  const { url, simulator: gateway, close } = startSimulator({ pace: 0, wait });
  const leave = new AbortController();
  const ask = (text: string, signal?: AbortSignal) =>
    fetch(url + MLFLOW, {
      method: "POST",
      headers: { authorization: "Bearer demo" },
      body: JSON.stringify(chat("gpt-5", text, { stream: true })),
      signal,
    });
  assertStringIncludes(await (await ask("Hello")).text(), "[DONE]");
  assertEquals(await gateway.requests[0].ended, "finished");
  const silent = await ask("Hello [[sim: silent=60]]", leave.signal);
  await silent.body!.getReader().read();
  leave.abort();
  assertEquals(await gateway.requests[1].ended, "aborted");
  paused = Promise.withResolvers();
  const impatient = new AbortController();
  const hung = ask("Hello [[sim: hang=60]]", impatient.signal).catch((error) => error.name);
  await paused.promise;
  impatient.abort();
  assertEquals(await hung, "AbortError");
  assertEquals(await gateway.requests[2].ended, "aborted");
  const open = await ask("Hello [[sim: open]]");
  const reader = open.body!.getReader();
  await reader.read();
  paused = Promise.withResolvers();
  const waiting = ask("Hello [[sim: hang=60]]").then((response) => response.body?.cancel());
  await paused.promise;
  await Promise.all([close(), waiting, reader.cancel().catch(() => {})]);
  assertEquals(gateway.openStreams, 0);
});

Deno.test("valueFor() fills in what a schema requires", () => {
  const hints = { question: "where is the readme?", directory: "/home/me" };
  const value = valueFor({
    type: "object",
    properties: {
      file_path: { type: "string" },
      start: { type: ["integer", "null"], format: "uint32", minimum: 0 },
      mode: { enum: ["fast", "slow"] },
      kind: { const: "k" },
      flag: { type: "boolean", default: true },
      step: { type: "number", exclusiveMinimum: 1, multipleOf: 0.5 },
      when: { type: "string", format: "date" },
      list: { type: "array", minItems: 2, items: { $ref: "#/$defs/item" } },
      either: { anyOf: [{ type: "null" }, { type: "integer", maximum: 0 }] },
      both: { allOf: [{ properties: { a: { type: "null" } }, required: ["a"] }] },
      optional: { type: "string" },
      short: { type: "string", maxLength: 3 },
    },
    required: [
      ...["file_path", "start", "mode", "kind", "flag", "step", "when", "list", "either", "both"],
      ...["short", "undescribed"],
    ],
    $defs: { item: { type: "object", properties: { id: { minimum: 7, type: "integer" } } } },
  }, hints);
  assertEquals(value, {
    file_path: "/home/me/README.md",
    start: 0,
    mode: "fast",
    kind: "k",
    flag: true,
    step: 1.5,
    when: "2026-09-01",
    list: [{}, {}],
    either: 0,
    both: { a: null },
    short: "whe",
    undescribed: "where is the readme",
  });
  const recursive = { type: "object", properties: { self: { $ref: "#" } }, required: ["self"] };
  assert(JSON.stringify(valueFor(recursive, hints)).length < 500);
});
