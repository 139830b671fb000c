import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import type { DialectContext } from "../lib/dialects/dialect.ts";
import { responsesClient, responsesSurface } from "../lib/dialects/responses/mod.ts";
import { BridgeError } from "../lib/errors.ts";
import type { JsonObject } from "../lib/json.ts";
import { assertStrictResponses, type StrictResponses } from "./helpers/strict_responses.ts";

const FOLDER = new URL("./fixtures/responses/", import.meta.url);

const fixtures = (prefix: string) =>
  [...Deno.readDirSync(FOLDER)].map(({ name }) => name).filter((name) => name.startsWith(prefix))
    .toSorted()
    .map((name) => ({ name, ...JSON.parse(Deno.readTextFileSync(new URL(name, FOLDER))) }));

function contextOf(request: JsonObject = {}, model = "databricks-claude-sonnet-5"): DialectContext {
  let made = 0;
  return {
    model: typeof request.model === "string" ? request.model : model,
    created: 1790000001,
    makeId: (prefix) => `${prefix}made_${made++}`,
    request,
  };
}

for (const { name, about, request, expected } of fixtures("chat_")) {
  Deno.test(`decodeRequest() translates ${name}: ${about}`, () => {
    const before = JSON.stringify(request);
    const { model } = responsesClient.parseRequest(request, "");
    assertEquals(responsesClient.decodeRequest(request, contextOf({ model })), expected);
    assertEquals(JSON.stringify(request), before);
  });
}

const TARGET = { path: "/openai/v1/responses", model: "m", stream: true };

for (const { name, about, request, expected, dropped } of fixtures("pass_")) {
  Deno.test(`passRequest() takes out of ${name} what is refused: ${about}`, () => {
    const before = JSON.stringify(request);
    const passed = responsesSurface.passRequest(request, TARGET);
    assertEquals(passed.body, expected);
    assertEquals([...passed.dropped].toSorted(), dropped.toSorted());
    assertEquals(JSON.stringify(request), before);
  });
}

function refusal(action: () => unknown): BridgeError {
  const error = assertThrows(action, BridgeError) as BridgeError;
  assertEquals(error.status, 400);
  return error;
}

Deno.test("passRequest() and decodeRequest() refuse what carries the conversation rather than drop it", () => {
  const impossible: [string, unknown][] = [
    ["previous_response_id", "resp_1"],
    ["conversation", "conv_1"],
    ["conversation", { id: "conv_1" }],
    ["store", true],
    ["background", true],
    ["prompt", { id: "pmpt_1" }],
  ];
  for (const [param, value] of impossible) {
    const body = { model: "m", input: "hi", [param]: value };
    for (
      const action of [
        () => responsesSurface.passRequest(body, TARGET),
        () => responsesClient.decodeRequest(body, contextOf(body)),
      ]
    ) assertEquals(refusal(action).param, param);
  }
  const input = [{ role: "user", content: "x" }, { type: "item_reference", id: "msg_1" }];
  assertEquals(
    refusal(() => responsesSurface.passRequest({ model: "m", input }, TARGET)).param,
    "input[1]",
  );
});

Deno.test("decodeRequest() refuses what chat completions can't say, and names it", () => {
  const cases: [JsonObject, string, string][] = [
    [{ tools: [{ type: "file_search", vector_store_ids: [] }] }, "tools", "file_search"],
    [{ tools: [{ type: "mcp", server_label: "x" }] }, "tools", "mcp"],
    [
      { tool_choice: { type: "web_search" }, tools: [{ type: "web_search" }] },
      "tool_choice",
      "web_search",
    ],
    [{ input: [{ type: "compaction", encrypted_content: "x" }] }, "input[0]", "compaction"],
    [
      { input: [{ role: "user", content: [{ type: "input_image", file_id: "file_1" }] }] },
      "input[0].content[0]",
      "stored",
    ],
    [
      { input: [{ role: "user", content: [{ type: "input_video" }] }] },
      "input[0].content[0]",
      "input_video",
    ],
  ];
  for (const [fields, param, words] of cases) {
    const body = { model: "m", input: "hi", ...fields };
    const error = refusal(() => responsesClient.decodeRequest(body, contextOf(body)));
    assertEquals(error.param, param);
    assertStringIncludes(error.message, words);
  }
});

Deno.test("parseRequest() names the field that is wrong", () => {
  const wrong: [JsonObject, string][] = [
    [{ input: "x" }, "model"],
    [{ model: 7, input: "x" }, "model"],
    [{ model: "m" }, "input"],
    [{ model: "m", messages: [] }, "input"],
    [{ model: "m", input: 7 }, "input"],
    [{ model: "m", input: [] }, "input"],
    [{ model: "m", input: ["x"] }, "input[0]"],
    [{ model: "m", input: [{}] }, "input[0].type"],
    [{ model: "m", input: [{ role: "tool", content: "x" }] }, "input[0].role"],
    [{ model: "m", input: [{ role: "robot", content: "x" }] }, "input[0].role"],
    [{ model: "m", input: [{ role: "user" }] }, "input[0].content"],
    [{ model: "m", input: [{ role: "user", content: 7 }] }, "input[0].content"],
    [{ model: "m", input: [{ type: "function_call_output", output: "x" }] }, "input[0].call_id"],
    [
      { model: "m", input: [{ type: "function_call", call_id: "c", arguments: {} }] },
      "input[0].arguments",
    ],
    [{ model: "m", input: "x", stream: "yes" }, "stream"],
    [{ model: "m", input: "x", tools: {} }, "tools"],
    [{ model: "m", input: "x", max_output_tokens: 0 }, "max_output_tokens"],
    [{ model: "m", input: "x", text: "plain" }, "text"],
  ];
  for (const [body, param] of wrong) {
    assertEquals(refusal(() => responsesClient.parseRequest(body, "")).param, param);
  }
  assertEquals(
    responsesClient.parseRequest({ model: "m", input: "x", stream: null, tools: null }, ""),
    { model: "m", stream: false },
  );
});

const delta = (delta: JsonObject, finish_reason: string | null = null, rest: JsonObject = {}) => ({
  id: "chatcmpl-1",
  object: "chat.completion.chunk",
  created: 1790000000,
  model: "m",
  choices: [{ index: 0, delta, finish_reason }],
  ...rest,
});

const begin = (index: number, id: string, name: string, fields: JsonObject = {}) =>
  delta({
    tool_calls: [{ index, id, type: "function", function: { name, arguments: "" }, ...fields }],
  });

const piece = (index: number, text: string) =>
  delta({ tool_calls: [{ index, function: { arguments: text } }] });

const USAGE = {
  prompt_tokens: 7,
  completion_tokens: 5,
  total_tokens: 12,
  prompt_tokens_details: { cached_tokens: 3 },
};

function encode(chunks: JsonObject[], request: JsonObject = {}): StrictResponses {
  const encoder = responsesClient.encoder(contextOf(request));
  return assertStrictResponses(
    chunks.map((chunk) => encoder.chunk(chunk)).join("") + encoder.end(),
  );
}

Deno.test("ResponsesEncoder writes reasoning, text and calls as items, one after the other", () => {
  const read = encode([
    delta({ role: "assistant", reasoning_content: "I th" }),
    delta({ reasoning_content: "ink." }),
    delta({ content: "I rea" }),
    delta({ content: "d." }),
    begin(0, "call_1", "read"),
    piece(0, '{"p":'),
    piece(0, "1}"),
    begin(1, "call_2", "now"),
    delta({}, "tool_calls", { usage: USAGE }),
  ]);
  assertEquals(read.items.map(({ type }) => type), [
    "reasoning",
    "message",
    "function_call",
    "function_call",
  ]);
  assertEquals([read.reasoning, read.text, read.end], ["I think.", "I read.", "completed"]);
  assertEquals(read.calls.map((call) => [call.name, call.callId, call.arguments]), [
    ["read", "call_1", '{"p":1}'],
    ["now", "call_2", "{}"],
  ]);
  assertEquals(read.response.usage, {
    input_tokens: 7,
    input_tokens_details: { cached_tokens: 3 },
    output_tokens: 5,
    output_tokens_details: { reasoning_tokens: 0 },
    total_tokens: 12,
  });
  assertEquals(read.response.model, "databricks-claude-sonnet-5");
});

Deno.test("ResponsesEncoder gives calls back as the tools that the client knows", () => {
  const tools = [
    { type: "custom", name: "apply_patch" },
    { type: "local_shell" },
    { type: "namespace", name: "agents", tools: [{ type: "function", name: "close" }] },
  ];
  const read = encode([
    begin(0, "call_1", "apply_patch"),
    piece(0, '{"input":"*** Begin\\n'),
    piece(0, '*** End"}'),
    begin(1, "call_2", "local_shell"),
    piece(1, '{"command":["ls","-l"],"timeout_ms":5}'),
    begin(2, "call_3", "local_shell"),
    piece(2, '{"command":"ls | wc"}'),
    begin(3, "call_4", "agents__close"),
    delta({}, "tool_calls"),
  ], { model: "m", tools });
  const [patch, shell, piped, close] = read.items;
  assertEquals([patch.type, patch.name, patch.input], [
    "custom_tool_call",
    "apply_patch",
    "*** Begin\n*** End",
  ]);
  assertEquals(shell.action, { type: "exec", command: ["ls", "-l"], env: {}, timeout_ms: 5 });
  assertEquals(piped.action.command, ["bash", "-lc", "ls | wc"]);
  assertEquals([close.type, close.namespace, close.name], ["function_call", "agents", "close"]);
});

Deno.test("ResponsesEncoder and decodeRequest() carry signed thinking and signatures of calls to the next turn", () => {
  const request = { model: "databricks-claude-sonnet-5", include: ["reasoning.encrypted_content"] };
  const read = encode([
    delta({
      reasoning_content: "One ",
      reasoning_details: [{ type: "reasoning.text", text: "One " }],
    }),
    delta({
      reasoning_content: "two.",
      reasoning_details: [{ type: "reasoning.text", text: "two." }],
    }),
    delta({ reasoning_details: [{ type: "reasoning.text", text: "", signature: "sig1" }] }),
    delta({ reasoning_details: [{ type: "reasoning.encrypted", data: "redacted" }] }),
    begin(0, "call_1", "read", { thoughtSignature: "ts1" }),
    begin(1, "call_2", "read", { thoughtSignature: "ts2" }),
    delta({}, "tool_calls"),
  ], request);
  assertEquals(read.items.map(({ type }) => type), [
    "reasoning",
    "function_call",
    "reasoning",
    "function_call",
  ]);
  const results = ["call_1", "call_2"].map((call_id) => ({
    type: "function_call_output",
    call_id,
    output: "ok",
  }));
  // As Codex sends them: without ids.
  const items = read.items.map(({ id: _id, ...item }) => item);
  const body = { ...request, input: [{ role: "user", content: "go" }, ...items, ...results] };
  const { messages } = responsesClient.decodeRequest(body, contextOf(body));
  assertEquals((messages as JsonObject[])[1], {
    role: "assistant",
    content: null,
    reasoning_details: [
      { type: "reasoning.text", text: "One two.", signature: "sig1" },
      { type: "reasoning.encrypted", data: "redacted" },
    ],
    tool_calls: ["1", "2"].map((n) => ({
      thoughtSignature: `ts${n}`,
      id: `call_${n}`,
      type: "function",
      function: { name: "read", arguments: "{}" },
    })),
  });
  // Another model can't read them.
  const other = { ...body, model: "databricks-claude-opus-5" };
  const decoded = responsesClient.decodeRequest(other, contextOf(other)).messages as JsonObject[];
  assertEquals("reasoning_details" in decoded[1], false);
  // Nor can a Responses surface.
  const passed = responsesSurface.passRequest(body, TARGET).body.input as JsonObject[];
  assertEquals(passed.some(({ type }) => type === "reasoning"), false);
  // What was damaged on the way is left out.
  for (const encrypted_content of ["fdb1.", "fdb1.!!!", "fdb1.e30", "fdb1.bnVsbA", 7, "x"]) {
    const damaged = {
      ...body,
      input: [{ type: "reasoning", summary: [], encrypted_content }, ...results],
    };
    responsesClient.decodeRequest(damaged, contextOf(damaged));
  }
});

Deno.test("ResponsesEncoder gives plain reasoning encrypted content only where it is asked for", () => {
  const chunks = [delta({ reasoning_content: "Hm." }), delta({ content: "Hi" }), delta({}, "stop")];
  assertEquals(encode(chunks).items[0].encrypted_content, undefined);
  const include = ["reasoning.encrypted_content"];
  assertStringIncludes(encode(chunks, { include }).items[0].encrypted_content, "fdb1.");
});

Deno.test("ResponsesEncoder ends as the answer ended", () => {
  const cut = encode([delta({ content: "Half" }), delta({}, "length")]);
  assertEquals([cut.end, cut.response.incomplete_details], [
    "incomplete",
    { reason: "max_output_tokens" },
  ]);
  assertEquals(cut.items[0].status, "incomplete");
  const filtered = encode([delta({ content: "Half" }), delta({}, "content_filter")]);
  assertEquals(filtered.response.incomplete_details, { reason: "content_filter" });
  const refused = encode([delta({ refusal: "No." }), delta({}, "content_filter")]);
  assertEquals([refused.end, refused.items[0].content[0].type], ["completed", "refusal"]);
});

Deno.test("ResponsesEncoder ends with a failure where a call is cut off", () => {
  for (const reason of ["length", "tool_calls", "stop"]) {
    for (const tools of [[], [{ type: "custom", name: "write" }], [{ type: "local_shell" }]]) {
      const name = tools[0]?.type === "local_shell" ? "local_shell" : "write";
      const read = encode([
        begin(0, "call_1", name),
        piece(0, '{"content":"half of a'),
        delta({}, reason, { usage: USAGE }),
      ], { tools });
      assertEquals([read.end, read.error!.code, read.calls], ["failed", "invalid_prompt", []]);
      assertStringIncludes(read.error!.message, "5 output tokens");
      assertStringIncludes(read.error!.message, "max_output_tokens");
    }
  }
});

Deno.test("ResponsesEncoder tells errors with codes that are repeated before content only", () => {
  const cases: [BridgeError, boolean, string][] = [
    [new BridgeError("gateway", "Busy.", { status: 503 }), false, "server_error"],
    [new BridgeError("gateway", "Busy.", { status: 503 }), true, "invalid_prompt"],
    [new BridgeError("gateway", "Slow.", { status: 429 }), false, "server_error"],
    [new BridgeError("gateway", "No.", { status: 403 }), false, "invalid_prompt"],
    [new BridgeError("interrupted", "Cut."), false, "invalid_prompt"],
    [new BridgeError("timeout", "Silent."), true, "invalid_prompt"],
  ];
  for (const [error, content, code] of cases) {
    const encoder = responsesClient.encoder(contextOf());
    const text = (content ? encoder.chunk(delta({ content: "Hi" })) : "") + encoder.error(error);
    const read = assertStrictResponses(text);
    assertEquals([read.end, read.error!.code, read.error!.message], [
      "failed",
      code,
      error.message,
    ]);
  }
});

Deno.test("ResponsesEncoder writes strictly at every cut, and ends none well", () => {
  const chunks = [
    delta({ role: "assistant", reasoning_content: "I think." }),
    delta({ content: "Te" }),
    delta({ content: "xt" }),
    begin(0, "call_1", "read"),
    piece(0, "{}"),
    delta({}, "tool_calls", { usage: USAGE }),
  ];
  for (let length = 0; length <= chunks.length; length++) {
    const encoder = responsesClient.encoder(contextOf());
    const text = chunks.slice(0, length).map((chunk) => encoder.chunk(chunk)).join("");
    const read = assertStrictResponses(
      text + encoder.error(new BridgeError("interrupted", "Cut.")),
    );
    assertEquals(read.end, "failed");
  }
});

Deno.test("encodeAnswer() is the stream's response, and throws where a call is cut off", () => {
  const message = {
    role: "assistant",
    content: "Text",
    reasoning_content: "Hm.",
    tool_calls: [
      { id: "call_1", type: "function", function: { name: "f", arguments: '{"a":1}' } },
      { id: "call_2", type: "function", function: { name: "g", arguments: "{}" } },
    ],
  };
  const completion = {
    id: "c",
    object: "chat.completion",
    created: 1790000000,
    model: "m",
    choices: [{ index: 0, message, finish_reason: "tool_calls" }],
    usage: USAGE,
  };
  const response = responsesClient.encodeAnswer(completion, contextOf());
  assertEquals((response.output as JsonObject[]).map(({ type }) => type), [
    "reasoning",
    "message",
    "function_call",
    "function_call",
  ]);
  assertEquals([response.status, response.created_at], ["completed", 1790000000]);
  message.tool_calls[1].function.arguments = '{"half';
  assertThrows(() => responsesClient.encodeAnswer(completion, contextOf()), BridgeError);
});

Deno.test("encodeError() is OpenAI's error", () => {
  const error = new BridgeError("request", "No.", { param: "input", code: "invalid_type" });
  assertEquals(responsesClient.encodeError(error), {
    error: { message: "No.", type: "invalid_request_error", param: "input", code: "invalid_type" },
  });
});

Deno.test("responsesSurface tells chat clients of tools that the gateway ran itself, and calls none", () => {
  const call = {
    type: "function_call",
    id: "fc_1",
    call_id: "call_srv1",
    name: "genie",
    arguments: "{}",
  };
  const output = [
    call,
    { type: "function_call_output", call_id: "call_srv1", output: "42" },
    {
      type: "message",
      id: "m",
      role: "assistant",
      content: [{ type: "output_text", text: "fine" }],
    },
  ];
  const request = { model: "m", tools: [{ type: "function", function: { name: "shell" } }] };
  const decoder = responsesSurface.decoder(contextOf(request));
  const chunks = [
    ...output.map((item) => ({ type: "response.output_item.done", item })),
    { type: "response.completed", response: { output: [] } },
  ].flatMap((event) => decoder.event(event));
  const text = JSON.stringify(chunks);
  assert(!text.includes("tool_calls"), text);
  assertStringIncludes(text, "The gateway ran genie({}): 42");
  assertStringIncludes(text, '"finish_reason":"stop"');
  const whole = responsesSurface.decodeAnswer(
    { object: "response", status: "completed", output },
    contextOf(request),
  );
  assert(!JSON.stringify(whole).includes("tool_calls"), JSON.stringify(whole));
  // A call of the client's own tool goes out at once.
  const own = responsesSurface.decoder(contextOf(request)).event({
    type: "response.output_item.added",
    item: { ...call, name: "shell<|channel|>commentary" },
  });
  assertStringIncludes(JSON.stringify(own), '"name":"shell"');
});

Deno.test("responsesSurface says what a chat request loses", () => {
  const request = { model: "m", messages: [{ role: "user", content: "x" }], stop: ["a"], seed: 1 };
  const { body, dropped } = responsesSurface.encodeRequest(request, TARGET);
  assertEquals(dropped, ["stop", "seed"]);
  assertEquals("stop" in body, false);
});
