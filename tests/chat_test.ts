import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { JsonObject } from "../lib/json.ts";
import { SCENARIOS } from "../lib/simulator/mod.ts";
import { ask, eventStream, type TestBridge, testBridge, TOKEN } from "./helpers/bridge.ts";
import { errorFixtures, streamFixtures } from "./helpers/fixtures.ts";
import { readAsForge } from "./helpers/forge_reader.ts";
import { violations } from "./helpers/mutate.ts";
import { FORGE_HEADERS, imageTurn, mainTurn, suggest, title } from "./helpers/requests.ts";

const CHAT = "/chat/completions";
const NO_WAITING = ["--retries", "0", "--heartbeat", "0"];

/** A model of every family that the simulator knows ways of. */
const MODELS = [
  "claude-sonnet-5",
  "claude-haiku-4-5",
  "gpt-5",
  "gpt-5-4-mini",
  "gpt-5-5",
  "gpt-5-3-codex",
  "gpt-6-astra",
  "gpt-oss-120b",
  "gemini-2-5-pro",
  "gemini-3-flash",
  "grok-4-6",
  "glm-5-3",
  "kimi-k3",
  "deepseek-v4-pro-0813",
  "inkling",
  "gemma-3-12b",
  "llama-4-maverick",
  "meta-llama-3-3-70b-instruct",
  "qwen35-122b-a10b",
  "gpt-5-6-sol",
].map((name) => `databricks-${name}`);

const TOOLS = ["get_weather", "get_time"].map((name) => ({
  type: "function",
  function: {
    name,
    description: name,
    parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
  },
}));

/** An answer as ForgeCode reads it. */
async function forge(response: Response) {
  const body = await response.text();
  const contentType = response.headers.get("content-type");
  return { ...readAsForge(body, { status: response.status, contentType }), body };
}

/** The simulator's requests for a model. */
function sentTo({ requests }: TestBridge): (JsonObject | undefined)[] {
  return requests.map(({ body }) => body);
}

// --- What ForgeCode sends, to every family

for (const [name, make] of Object.entries({ mainTurn, title, suggest, imageTurn })) {
  Deno.test(`chat() answers ForgeCode's ${name} for every family, and repeats no refusal`, async () => {
    for (const model of MODELS) {
      const bridge = testBridge();
      const headers = { ...FORGE_HEADERS };
      const first = await forge(await bridge.post(CHAT, make(model), { headers }));
      assertEquals([first.outcome, first.problems], ["done", []], `${model}: ${first.message}`);
      const tries = bridge.requests.length;
      assert(tries <= 3, `${model}: ${tries} tries`);
      const second = await forge(await bridge.post(CHAT, make(model), { headers }));
      assertEquals(second.outcome, "done", model);
      assertEquals(bridge.requests.length, tries + 1, `${model} repeats a refusal`);
      if (make === title || make === suggest) {
        assertEquals(typeof JSON.parse(first.content), "object", "bare JSON");
      }
    }
  });
}

Deno.test("chat() carries a tool round trip for every family, reasoning and signatures included", async () => {
  for (const model of MODELS) {
    const bridge = testBridge();
    const question = { role: "user", content: "What is the weather in Berlin?" };
    const base = { model, stream: true, tools: TOOLS, parallel_tool_calls: true };
    const first = await forge(await bridge.post(CHAT, { ...base, messages: [question] }));
    assertEquals([first.outcome, first.problems], ["done", []], `${model}: ${first.message}`);
    assertEquals(first.toolCalls.length, 1, model);
    const [{ id, name, arguments: text }] = first.toolCalls;
    const details = first.reasoningDetails;
    const turn = {
      role: "assistant",
      content: first.content,
      tool_calls: [{ id, type: "function", function: { name, arguments: text } }],
      ...details.length > 0 ? { reasoning_details: details } : {},
    };
    const result = { role: "tool", tool_call_id: id, name, content: "18 degrees" };
    const messages = [question, turn, result];
    const second = await forge(await bridge.post(CHAT, { ...base, messages }));
    assertEquals(
      [second.outcome, second.finishReason],
      ["done", "stop"],
      `${model}: ${second.message}`,
    );
    assertStringIncludes(second.content, "18 degrees", model);
  }
});

Deno.test("chat() answers title and main turn side by side, both of a model that must be learned first", async () => {
  for (
    const model of ["databricks-gpt-5-5", "databricks-gpt-5-6-sol", "databricks-claude-sonnet-5"]
  ) {
    const bridge = testBridge();
    const [main, small, ...others] = await Promise.all(
      [mainTurn(model), title(model), suggest(model), mainTurn(model)].map(async (body) =>
        await forge(await bridge.post(CHAT, body))
      ),
    );
    assertEquals([main.outcome, main.toolCalls.length > 0], ["done", true], main.message);
    assertEquals(typeof JSON.parse(small.content), "object");
    for (const other of others) assertEquals(other.outcome, "done", other.message);
    const before = bridge.requests.length;
    assert(before <= 12, `${before} requests`);
    await forge(await bridge.post(CHAT, mainTurn(model)));
    assertEquals(bridge.requests.length, before + 1);
  }
});

// --- Every scenario

/** Values that a scenario is tried with, where its bare name isn't enough. */
const VALUES: Readonly<Record<string, readonly string[]>> = {
  "error-midstream": ["databricks", "openai", "anthropic", "text"],
  framing: ["crlf", "cr", "single", "no-space", "comments"],
  finish: ["STOP", "null", "end_turn", "whatever", "constructor"],
  silent: ["0"],
  hang: ["0"],
  long: ["300"],
};

/** Scenarios in which the gateway truly fails: an error is the right answer. */
const FAILING = new Set(
  "abrupt reset error-midstream empty failed error-event html ip-acl 401 403 413 429 429-once"
    .split(" ")
    .concat("429-retry-after 500 503 503-once 504".split(" ")),
);
/** Scenarios that go wrong only in streams. */
const ONLY_STREAMS = new Set(["error-midstream", "error-event"]);
/** Scenarios of a cut answer: ForgeCode asks again, and must be told the truth all the same. */
const CUT = new Set(["length", "incomplete"]);

for (const { name } of SCENARIOS) {
  Deno.test(`chat() makes the best of the scenario ${name}, streamed and plain, for several families`, async () => {
    const directives = (VALUES[name] ?? [""]).map((value) => value ? `${name}=${value}` : name);
    // A whole answer in an open stream is waited for a moment.
    const models = name === "open"
      ? [MODELS[0], MODELS[4]]
      : MODELS.filter((_, at) => at % 2 === 0);
    for (const directive of directives) {
      for (const model of models) {
        for (const tools of [undefined, TOOLS]) {
          const about = `${directive}, ${model}, ${tools ? "tools" : "no tools"}`;
          const content = `The weather in Berlin? [[sim: ${directive}]]`;
          const simulator = { wait: () => Promise.resolve() };
          const bridge = testBridge({ flags: NO_WAITING, ...name !== "open" && { simulator } });
          const streamed = await forge(
            await bridge.post(CHAT, ask(model, content, { stream: true, ...tools && { tools } })),
          );
          // inkling says no finish_reason: without [DONE], too, its stream has no end.
          const endless = name === "no-done" && model.endsWith("inkling");
          const outcome = FAILING.has(name) || endless
            ? "error"
            : CUT.has(name)
            ? "runaway"
            : name === "content-filter"
            ? "refusal"
            : "done";
          assertEquals(streamed.outcome, outcome, `${about}: ${streamed.message}`);
          assertEquals(streamed.lostChunks, 0, about);
          assert(!streamed.message.startsWith("Failed to parse"), about);
          if (CUT.has(name)) assertEquals(streamed.finishReason, "length");
          assert(bridge.requests.length <= 3, about);

          const plain = await bridge.post(CHAT, ask(model, content, { ...tools && { tools } }));
          const answer = await plain.json();
          if (FAILING.has(name) && !ONLY_STREAMS.has(name) && !name.endsWith("-once")) {
            assert(plain.status >= 400 && answer.error.message !== "", about);
          } else {
            assertEquals(plain.status, 200, `${about}: ${JSON.stringify(answer)}`);
            const [{ message, finish_reason }] = answer.choices;
            assert(message.content === null || typeof message.content === "string", about);
            assert(
              ["stop", "length", "tool_calls", "content_filter"].includes(finish_reason),
              about,
            );
            assertEquals(finish_reason === "tool_calls", message.tool_calls !== undefined, about);
          }
        }
      }
    }
  });
}

// --- Streams

for (const { name, bytes, expected } of streamFixtures()) {
  Deno.test(`chat() makes the stream ${name} strict, end to end`, async () => {
    const gateway = () =>
      new Response(new Uint8Array(bytes), {
        headers: {
          "content-type": "text/event-stream",
          "content-encoding": "identity",
          "content-length": String(bytes.length),
          "x-gateway": "own",
        },
      });
    const bridge = testBridge({ gateway, flags: NO_WAITING });
    const response = await bridge.post(CHAT, ask("databricks-kimi-k3", "x", { stream: true }));
    assertEquals(response.status, 200);
    assertEquals(response.headers.get("content-type"), "text/event-stream");
    for (const header of ["content-encoding", "content-length", "x-gateway"]) {
      assertEquals(response.headers.get(header), null, header);
    }
    assertEquals(violations(await response.text(), expected), []);
  });
}

/** A gateway whose stream is written piece by piece by the test. */
function steppedGateway() {
  const { readable, writable } = new TransformStream<Uint8Array>();
  const writer = writable.getWriter();
  const encoder = new TextEncoder();
  return {
    gateway: () => new Response(readable, { headers: { "content-type": "text/event-stream" } }),
    send: (value: unknown) =>
      writer.write(
        encoder.encode(`data: ${typeof value === "string" ? value : JSON.stringify(value)}\n\n`),
      ),
    close: () => writer.close(),
  };
}

/** Reads until there is text, then one more turn at a time until a whole event is there. */
async function nextEvent(reader: ReadableStreamDefaultReader<string>): Promise<string> {
  let text = "";
  while (!text.endsWith("\n\n")) {
    const { value, done } = await reader.read();
    if (done) return text;
    text += value;
  }
  return text;
}

const LIVE: readonly (readonly [
  what: string,
  model: string,
  steps: readonly (readonly [JsonObject, string])[],
])[] = [
  ["text, reasoning and the finish chunk", "databricks-kimi-k3", [
    [{ choices: [{ delta: { reasoning_content: "hm" } }] }, '"reasoning_content":"hm"'],
    [{ choices: [{ delta: { content: "a" } }] }, '"content":"a"'],
    [{ choices: [{ delta: { content: [{ type: "text", text: "b" }] } }] }, '"content":"b"'],
    [{ choices: [{ delta: { content: "" }, finish_reason: "stop" }] }, '"finish_reason":"stop"'],
    [
      { choices: [], usage: { prompt_tokens: 1, completion_tokens: 2, total_tokens: 3 } },
      '"usage":{',
    ],
  ]],
  ["tool calls", "databricks-kimi-k3", [
    [
      {
        choices: [{
          delta: { tool_calls: [{ index: 0, id: "c", function: { name: "f", arguments: "" } }] },
        }],
      },
      '"name":"f"',
    ],
    [
      { choices: [{ delta: { tool_calls: [{ index: 0, function: { arguments: '{"a"' } }] } }] },
      '{\\"a\\"',
    ],
    [
      { choices: [{ delta: { tool_calls: [{ index: 0, function: { arguments: ":1}" } }] } }] },
      ":1}",
    ],
    [{ choices: [{ delta: {}, finish_reason: "tool_calls" }] }, '"finish_reason":"tool_calls"'],
  ]],
  ["the Responses dialect", "databricks-on-openai", [
    [
      { type: "response.reasoning_summary_text.delta", item_id: "r", delta: "hm" },
      '"reasoning_content":"hm"',
    ],
    [{ type: "response.output_text.delta", item_id: "m", delta: "a" }, '"content":"a"'],
    [
      {
        type: "response.output_item.added",
        output_index: 1,
        item: { type: "function_call", id: "f", call_id: "c", name: "f", arguments: "" },
      },
      '"name":"f"',
    ],
    [
      { type: "response.function_call_arguments.delta", item_id: "f", delta: "{}" },
      '"arguments":"{}"',
    ],
    [
      { type: "response.completed", response: { status: "completed" } },
      '"finish_reason":"tool_calls"',
    ],
  ]],
];

for (const [what, model, steps] of LIVE) {
  Deno.test(`chat() sends each chunk before the next one is there: ${what}`, async () => {
    const models = {
      endpoints: { cursor: null },
      models: [{ id: "databricks-on-openai", endpoint: "openai" }],
    };
    const { gateway, send, close } = steppedGateway();
    const bridge = testBridge({ gateway, models, flags: NO_WAITING });
    const responding = bridge.post(CHAT, ask(model, "x", { stream: true }));
    // In lockstep: were anything held back until the next event, this would never end.
    let reader: ReadableStreamDefaultReader<string> | undefined;
    for (const [event, words] of steps) {
      const sent = send(event);
      reader ??= (await responding).body!.pipeThrough(new TextDecoderStream()).getReader();
      assertStringIncludes(await nextEvent(reader), words);
      await sent;
    }
    const done = send("[DONE]");
    assertEquals(await nextEvent(reader!), "data: [DONE]\n\n");
    assertEquals((await reader!.read()).done, true, "the body closes with [DONE]");
    await done;
    // The bridge does not wait for long for the gateway to close.
    await close().catch(() => {});
  });
}

Deno.test("chat() ends a stream truly for every shape of error in the middle of it", async () => {
  for (const { id, body, includes } of errorFixtures()) {
    if (body === "" || id.includes("html") || id === "detail-body" || id === "text-broken-json") {
      continue;
    }
    const chunk = { choices: [{ delta: { content: "half" } }] };
    const gateway = () =>
      eventStream(chunk, typeof body === "string" ? body.trim() : body, "[DONE]");
    const bridge = testBridge({ gateway, flags: NO_WAITING });
    const read = await forge(
      await bridge.post(CHAT, ask("databricks-kimi-k3", "x", { stream: true })),
    );
    assertEquals(read.outcome, "error", id);
    assertStringIncludes(JSON.parse(read.message).message, includes, id);
    assert(!read.body.includes("[DONE]"), `${id}: no invented ending`);
    assertEquals(read.body.match(/"error":/g)?.length, 1, id);
  }
});

Deno.test("chat() makes a stream of an HTML page or of a stream in JSON's clothes", async () => {
  const chunk = 'data: {"choices":[{"delta":{"content":"hi"}}]}\n\ndata: [DONE]\n\n';
  const type = { "content-type": "application/json" };
  const dressed = testBridge({ gateway: () => new Response(chunk, { headers: type }) });
  const streamed = await forge(await dressed.post(CHAT, ask("m", "x", { stream: true })));
  assertEquals([streamed.outcome, streamed.content], ["done", "hi"], streamed.message);
  const plain = await (await dressed.post(CHAT, ask("m", "x"))).json();
  assertEquals(plain.choices[0].message.content, "hi");

  const page = "<!DOCTYPE html><html><title>Sign in</title><p>secret page</p></html>";
  const html = testBridge({
    gateway: () => new Response(page, { headers: { "content-type": "text/html" } }),
    flags: NO_WAITING,
  });
  const login = await forge(await html.post(CHAT, ask("m", "x", { stream: true })));
  assertEquals(login.outcome, "error");
  assertStringIncludes(login.message, 'titled "Sign in"'.replaceAll('"', '\\"'));
  assert(!login.body.includes("<p>"));
});

// --- Requests

Deno.test("chat() passes unknown fields, strips what is refused, and tells which at level debug", async () => {
  const bridge = testBridge({ flags: ["--log-level", "debug"] });
  const more = { top_k_invented: { deep: 1 }, parallel_tool_calls: true, store: false };
  const response = await bridge.post(CHAT, ask("databricks-claude-sonnet-5", "x", more));
  await response.body?.cancel();
  const [{ path, body }] = bridge.requests;
  assertEquals(path, "/mlflow/v1/chat/completions");
  assertEquals(body?.top_k_invented, { deep: 1 });
  assert(!("parallel_tool_calls" in body!) && !("store" in body!));
  assertStringIncludes(bridge.log(), "parallel_tool_calls");
});

Deno.test("chat() answers requests that are none with a 400 that names the fault, without the gateway", async () => {
  const messages = [{ role: "user", content: "x" }];
  const deep = '{"model":"m","messages":[{"role":"user","content":[' + '{"a":['.repeat(50_000) +
    "]}".repeat(50_000) + "]}]}";
  const cases: readonly (readonly [unknown, string])[] = [
    ["", "no body"],
    ["{", "not JSON"],
    ["[]", "an array"],
    ["null", "null"],
    [{ messages }, "`model`"],
    [{ model: 5, messages }, "`model`"],
    [{ model: "m" }, "`messages`"],
    [{ model: "m", messages: [] }, "`messages` is empty"],
    [{ model: "m", messages: "x" }, "`messages`"],
    [{ model: "m", messages: [null] }, "`messages[0]`"],
    [{ model: "m", messages: [{ content: "x" }] }, "`messages[0].role`"],
    [{ model: "m", messages: [{ role: "constructor" }] }, "`messages[0].role`"],
    [{ model: "m", messages, stream: "yes" }, "`stream`"],
    [{ model: "m", messages, tools: {} }, "`tools`"],
    [{ model: "m", messages, max_tokens: 0.5 }, "`max_tokens`"],
    [{ model: "m", input: "x" }, "`messages`"],
    [deep, "levels deep"],
  ];
  for (const [body, words] of cases) {
    const bridge = testBridge();
    const response = await bridge.post(CHAT, body);
    const { error } = await response.json();
    assertEquals([response.status, error.type], [400, "invalid_request_error"], words);
    assertStringIncludes(error.message, words);
    assertEquals(bridge.requests.length, 0);
  }
});

Deno.test("chat() is not led astray by models and fields with names of JavaScript's", async () => {
  for (const model of ["constructor", "__proto__", "toString", "hasOwnProperty"]) {
    const gateway = () => eventStream({ choices: [{ delta: { content: "a" } }] }, "[DONE]");
    const bridge = testBridge({ gateway });
    const body = JSON.stringify(ask(model, "x", { stream: true })).replace(
      "{",
      '{"__proto__":{"admin":true},"constructor":{"x":1},',
    );
    const read = await forge(await bridge.post(CHAT, body));
    assertEquals([read.outcome, read.content], ["done", "a"]);
    assertStringIncludes(read.body, `"model":"${model}"`);
    assertEquals(bridge.requests[0].path, "/mlflow/v1/chat/completions");
    assertStringIncludes(bridge.requests[0].text, '"constructor":{"x":1}');
    assertEquals(({} as JsonObject).admin, undefined);
  }
});

Deno.test("chat() sends the token to the gateway and nowhere else, whatever goes wrong", async () => {
  const echoes: readonly (() => Response)[] = [
    () => new Response(`Invalid Token: ${TOKEN}`, { status: 403 }),
    () => Response.json({ error_code: 403, message: `bad ${TOKEN}` }, { status: 403 }),
    () => Response.json({ error: { message: TOKEN, code: 400 } }, { status: 400 }),
    () => new Response(`<html><title>${TOKEN}</title></html>`, { status: 502 }),
    () => new Response(`half ${TOKEN}`, { headers: { "content-type": "application/json" } }),
    () => eventStream({ choices: [{ delta: { content: "a" } }] }, { error: { message: TOKEN } }),
    () => eventStream(`not JSON ${TOKEN}`),
    () => eventStream({ type: "response.failed", response: { error: { message: TOKEN } } }),
    () => eventStream({ type: "error", message: TOKEN, code: TOKEN }),
    () => eventStream({ choices: [{ delta: {}, error: { message: TOKEN } }] }),
  ];
  const input = { model: "databricks-gpt-5", input: "x", stream: true };
  for (const [at, gateway] of echoes.entries()) {
    for (const format of ["text", "json"]) {
      const flags = [...NO_WAITING, "--log-level", "trace", "--log-format", format];
      const bridge = testBridge({ gateway, flags });
      for (const stream of [true, false]) {
        for (const body of [ask("m", "x", { stream }), { ...input, stream }]) {
          const response = await bridge.post(CHAT, body);
          const text = await response.text() + JSON.stringify([...response.headers]);
          // What a Responses client is sent of an event is the gateway's own, so only errors are looked at there.
          const passes = "input" in body && stream && at > 5;
          if (!passes) assert(!text.includes(TOKEN), `case ${at}: ${text}`);
        }
      }
      assert(bridge.requests.every(({ headers }) => headers.authorization === `Bearer ${TOKEN}`));
      assert(!bridge.log().includes(TOKEN), `case ${at}: ${bridge.log()}`);
      assert(bridge.requests.every(({ text }) => !text.includes(TOKEN)));
    }
  }
});

Deno.test("chat() logs a line a request without a word of the prompt or the answer", async () => {
  const bridge = testBridge({ flags: ["--log-level", "debug"] });
  const body = ask("databricks-glm-5-3", "the hidden word is quetzal", { stream: true });
  assertStringIncludes((await forge(await bridge.post(CHAT, body))).content, "quetzal");
  const [today, ...lines] = bridge.log().trim().split("\n");
  assertStringIncludes(today, "today=");
  assertEquals(lines.length, 1);
  for (
    const words of [
      "POST /chat/completions 200",
      "model=databricks-glm-5-3",
      "surface=mlflow",
      "ending=stop",
    ]
  ) {
    assertStringIncludes(lines[0], words);
  }
  assert(/first_byte_ms=\d+ duration_ms=\d+/.test(lines[0]), lines[0]);
  assert(!bridge.log().includes("quetzal"));
});

// --- Learning

Deno.test("chat() surfaces a refusal that teaches nothing as it is, after one try", async () => {
  for (const { id, status, headers, body, includes, teaches } of errorFixtures()) {
    // A model that one surface doesn't have is looked for on another.
    if (teaches !== undefined || id === "json-word-missing" || status === 404) continue;
    const gateway = () =>
      new Response(typeof body === "string" ? body : JSON.stringify(body), { status, headers });
    const bridge = testBridge({ gateway, flags: NO_WAITING });
    const response = await bridge.post(CHAT, ask("databricks-kimi-k3", "x", { stream: true }));
    assertEquals([response.status, bridge.requests.length], [status, 1], id);
    assertStringIncludes((await response.json()).error.message, includes, id);
  }
});

Deno.test("chat() tries again five times at most, and not once it knows better", async () => {
  let known = 0;
  const gateway = (_request: Request, number: number) => {
    known = number;
    return new Response(`Bad request: json: unknown field "f${number}"`, { status: 400 });
  };
  const bridge = testBridge({ gateway, flags: NO_WAITING });
  const fields = Object.fromEntries(Array.from({ length: 9 }, (_, at) => [`f${at + 1}`, at]));
  const response = await bridge.post(CHAT, ask("databricks-kimi-k3", "x", fields));
  assertEquals([response.status, known], [400, 6]);
  assertStringIncludes((await response.json()).error.message, 'unknown field "f6"');
  await (await bridge.post(CHAT, ask("databricks-kimi-k3", "x", fields))).body?.cancel();
  assertEquals(["f1" in sentTo(bridge)[6]!, "f5" in sentTo(bridge)[6]!], [false, false]);
  assertStringIncludes(bridge.log(), "learned: send no f1");
});

Deno.test("chat() shows nothing of what was learned in GET /models", async () => {
  const bridge = testBridge();
  const before = await (await bridge.get("/models")).text();
  await forge(await bridge.post(CHAT, mainTurn("databricks-gpt-5-6-sol")));
  assert(bridge.bridge.negotiator.known.size > 0);
  assertEquals(await (await bridge.get("/models")).text(), before);
});

Deno.test("createRouter() lists models under every spelling, without a token and without the gateway", async () => {
  const bridge = testBridge();
  const expected = await (await bridge.get("/models")).text();
  assert(JSON.parse(expected).data.length > 20);
  const paths = [
    "/v1/models",
    "//models",
    "/v1//models",
    "/models/",
    "/v1/models/",
    "/v1/v1/models",
    "/models?x=1",
  ];
  for (const path of paths) {
    const response = await bridge.get(path);
    assertEquals([response.status, await response.text()], [200, expected], path);
  }
  for (
    const path of [
      "/models/databricks-gpt-5",
      "/v1/models/databricks-gpt-5",
      "//v1//models//databricks-gpt-5/",
    ]
  ) {
    assertEquals((await (await bridge.get(path)).json()).id, "databricks-gpt-5", path);
  }
  const missing = await bridge.get("/models/none");
  assertEquals([missing.status, (await missing.json()).error.code], [404, "model_not_found"]);
  assertEquals(bridge.requests.length, 0);
});

Deno.test("chat() takes chat completions under every spelling of its path", async () => {
  for (
    const path of [
      "/chat/completions",
      "/v1/chat/completions",
      "//chat//completions/",
      "/v1//chat/completions",
    ]
  ) {
    const read = await forge(
      await testBridge().post(path, ask("databricks-glm-5-3", "x", { stream: true })),
    );
    assertEquals(read.outcome, "done", path);
  }
});

// --- The Responses API itself

Deno.test("chat() passes a Responses request through to the openai surface, and its stream back", async () => {
  for (const path of ["/responses", "/v1/responses"]) {
    const bridge = testBridge();
    const input = "Hello";
    const body = { model: "databricks-gpt-5", input, stream: true, store: false, top_p: 0.5 };
    const text = await (await bridge.post(path, body)).text();
    assertStringIncludes(text, "event: response.completed\ndata: {");
    assertEquals(
      bridge.requests.length,
      1,
      JSON.stringify(bridge.requests.map(({ path }) => path)),
    );
    assertEquals(bridge.requests[0].path, "/openai/v1/responses");
    assertEquals([sentTo(bridge)[0]?.top_p, sentTo(bridge)[0]?.store], [0.5, undefined]);
    const whole = await (await bridge.post(path, { ...body, stream: false })).json();
    assertEquals([whole.object, whole.status], ["response", "completed"]);
  }
});
