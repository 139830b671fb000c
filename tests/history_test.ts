import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { oneCallATurn, repairHistory, shortId } from "../lib/adapt/history.ts";
import type { JsonObject } from "../lib/json.ts";
import { ToolCallCache } from "../lib/adapt/tool_call_cache.ts";
import { cleanToolName } from "../lib/adapt/tool_names.ts";

const CLAUDE = "databricks-claude-sonnet-5";
const OPEN = "databricks-kimi-k3";

function call(id: unknown, more: JsonObject = {}): JsonObject {
  return { id, type: "function", function: { name: "f", arguments: "{}" }, ...more };
}

function assistant(...calls: JsonObject[]): JsonObject {
  return { role: "assistant", content: "", tool_calls: calls };
}

function result(id: unknown, content: unknown = `result of ${id}`): JsonObject {
  return { role: "tool", tool_call_id: id, content };
}

const USER: JsonObject = { role: "user", content: "go on" };

function repaired(messages: JsonObject[], model = OPEN, memory?: ToolCallCache): JsonObject[] {
  const before = structuredClone(messages);
  const { messages: after } = repairHistory({ messages }, model, memory);
  assertEquals(messages, before, "the client's messages are never changed");
  return after as JsonObject[];
}

Deno.test("repairHistory() leaves a history alone that is as it should be", () => {
  const messages = [
    { role: "system", content: "s" },
    USER,
    assistant(call("a"), call("b")),
    result("a"),
    result("b"),
    USER,
  ];
  const after = repaired(messages);
  assertEquals(after, messages);
  after.forEach((message, at) => assertStrictEquals(message, messages[at]));
});

Deno.test("repairHistory() puts results behind their calls, drops orphans, and answers open calls", () => {
  const messages = [
    result("orphan"),
    assistant(call("a"), call("b")),
    USER,
    result("b"),
    result("a"),
  ];
  const roles = repaired(messages).map(({ role, tool_call_id }) => tool_call_id ?? role);
  assertEquals(roles, ["assistant", "a", "b", "user"]);
  const open = repaired([assistant(call("a")), USER]);
  assertEquals(open.map(({ role }) => role), ["assistant", "tool", "user"]);
  assertEquals(open[1].content, "(no result: the call was not completed)");
  assertEquals(
    repaired([USER, assistant(call("a"))]).length,
    2,
    "the last turn's calls may be open",
  );
});

Deno.test("repairHistory() pairs ids that come again, and calls without ids, in order", () => {
  const again = repaired([
    assistant(call("a")),
    result("a", "1"),
    assistant(call("a")),
    result("a", "2"),
    USER,
  ]);
  assertEquals([again[1].content, again[3].content], ["1", "2"]);
  const none = repaired([assistant(call(null)), { role: "tool", content: "r" }, USER]);
  assertEquals(none.map(({ content }) => content), ["", "r", "go on"]);
});

Deno.test("repairHistory() takes empty text parts out", () => {
  const parts = [{ type: "text", text: "" }, { type: "text", text: "x" }, { type: "text" }];
  assertEquals(repaired([{ role: "user", content: parts }])[0].content, [{
    type: "text",
    text: "x",
  }]);
  assertEquals(repaired([{ role: "user", content: [{ type: "text", text: "" }] }])[0].content, "");
});

Deno.test("repairHistory() sends Claude no empty text", () => {
  const messages = [
    { role: "user", content: "x" },
    { role: "assistant", content: " " },
    assistant(call("a")),
    result("a", ""),
    { role: "assistant", content: null },
  ];
  const after = repaired(messages, CLAUDE);
  assertEquals(after.map(({ role }) => role), ["user", "assistant", "tool"]);
  assert(!("content" in after[1]), "beside tool calls the content goes");
  assertEquals(after[2].content, "(no output)");
  assertEquals(repaired(messages, OPEN).length, 5);
});

Deno.test("repairHistory() gives Claude its signed reasoning back as the part that it was", () => {
  const details = [
    { type: "reasoning.text", text: "so", signature: "sig" },
    { type: "reasoning.text", text: "unsigned" },
  ];
  const turn = { ...assistant(call("a")), content: "x", reasoning_details: details };
  const [after] = repaired([turn, result("a"), USER], CLAUDE);
  assertEquals(after.content, [
    { type: "reasoning", summary: [{ type: "summary_text", text: "so", signature: "sig" }] },
    { type: "text", text: "x" },
  ]);
  const empty = repaired([{ ...turn, content: "" }, result("a"), USER], CLAUDE)[0];
  assertEquals((empty.content as unknown[]).length, 1);
  const unsigned = { ...turn, reasoning_details: [details[1]] };
  assertEquals(repaired([unsigned, result("a"), USER], CLAUDE)[0].content, "x");
  assertEquals(repaired([turn, result("a"), USER], OPEN)[0].content, "x");
});

Deno.test("repairHistory() gives Gemini its thoughtSignature back, from memory or from the client", () => {
  const gemini = "databricks-gemini-3-flash";
  const memory = new ToolCallCache();
  memory.set("a", { fields: { thoughtSignature: "kept", extra: 1 } });
  const carried = call("b", { extra_content: { google: { thought_signature: "carried" } } });
  const messages = [
    assistant(call("a"), carried, call("c")),
    result("a"),
    result("b"),
    result("c"),
  ];
  const calls = repaired(messages, gemini, memory)[0].tool_calls as JsonObject[];
  assertEquals(calls.map((one) => one.thoughtSignature), ["kept", "carried", undefined]);
});

Deno.test("repairHistory() shortens ids for GPT, call and result alike", () => {
  const long = "call_" + "x".repeat(100);
  const [turn, answer] = repaired([assistant(call(long)), result(long), USER], "databricks-gpt-5");
  const [{ id }] = turn.tool_calls as { id: string }[];
  assertEquals([id.length, answer.tool_call_id], [64, id]);
  assertEquals(repaired([assistant(call(long)), result(long)], OPEN)[1].tool_call_id, long);
});

Deno.test("shortId() tells long ids apart that differ in one place", () => {
  const ids = Array.from({ length: 100 }, (_, at) => "x".repeat(at) + "y" + "x".repeat(100 - at));
  assertEquals(new Set(ids.map(shortId)).size, 100);
  assertEquals(shortId(null), null);
});

Deno.test("repairHistory() joins the pieces of thinking under the signature that comes after them", () => {
  const details = [
    { type: "reasoning.text", text: "I should " },
    { type: "reasoning.text", text: "look.", signature: "" },
    { type: "reasoning.text", text: "", signature: "sig1" },
    { type: "reasoning.encrypted", data: "ZW5j" },
    { type: "reasoning.text", text: "Then.", signature: "sig2" },
  ];
  const [after] = repaired(
    [{ ...assistant(call("a")), reasoning_details: details }, result("a")],
    CLAUDE,
  );
  const part = (text: string, signature: string) => ({
    type: "reasoning",
    summary: [{ type: "summary_text", text, signature }],
  });
  assertEquals(after.content, [
    part("I should look.", "sig1"),
    { type: "redacted_thinking", data: "ZW5j" },
    part("Then.", "sig2"),
  ]);
});

/** Two blocks of thinking, as a stream leaves them in the cache. */
const BLOCKS = [
  { type: "reasoning.text", text: "First.", signature: "one" },
  { type: "reasoning.encrypted", data: "ZW5j" },
  { type: "reasoning.text", text: "Second.", signature: "two" },
];

/** The signatures and the data that stand in a message's content. */
function marks({ content }: JsonObject): string {
  return JSON.stringify(content).match(/one|two|ZW5j|joined/g)?.join() ?? "";
}

Deno.test("repairHistory() gives Claude the thinking of its first call back from memory", () => {
  const memory = new ToolCallCache();
  memory.set("a", { items: BLOCKS, model: CLAUDE });
  const history = (more: JsonObject = {}) => [
    USER,
    { ...assistant(call("a"), call("b")), content: "Looking.", ...more },
    result("a"),
    result("b"),
  ];
  // A client that echoes nothing, and one that joins both texts under the first signature.
  const joined = [{ type: "reasoning.text", text: "joined First.Second.", signature: "one" }];
  for (const more of [{}, { reasoning_details: joined }]) {
    const turn = repaired(history(more), CLAUDE, memory)[1];
    assertEquals(marks(turn), "one,ZW5j,two");
    assertEquals((turn.content as JsonObject[]).at(-1), { type: "text", text: "Looking." });
  }
  assertEquals(repaired(history(), "databricks-claude-opus-5", memory)[1].content, "Looking.");
  assertEquals(repaired(history(), OPEN, memory)[1].content, "Looking.");
  // Reasoning items of another dialect are no thinking.
  memory.set("a", { items: [{ type: "reasoning", encrypted_content: "x" }], model: CLAUDE });
  assertEquals(repaired(history(), CLAUDE, memory)[1].content, "Looking.");
});

Deno.test("repairHistory() sends arguments as a JSON object's text", () => {
  const given: readonly (readonly [unknown, string])[] = [
    ["", "{}"],
    [null, "{}"],
    [undefined, "{}"],
    ['{"a":', "{}"],
    ["[1]", "{}"],
    ["null", "{}"],
    [{ a: 1 }, '{"a":1}'],
    ['{"a": 1}', '{"a": 1}'],
    ["{}", "{}"],
  ];
  for (const [value, expected] of given) {
    const one = call("a", { function: { name: "f", arguments: value } });
    for (const model of [CLAUDE, OPEN]) {
      const [turn] = repaired([assistant(one), result("a")], model);
      const [{ function: definition }] = turn.tool_calls as { function: JsonObject }[];
      assertEquals(definition, { name: "f", arguments: expected });
    }
  }
});

Deno.test("repairHistory() cleans the names of calls", () => {
  const one = call("a", { function: { name: "shell<|channel|>commentary", arguments: "{}" } });
  const [turn] = repaired([assistant(one), result("a")], "databricks-gpt-oss-20b");
  assertEquals((turn.tool_calls as { function: JsonObject }[])[0].function.name, "shell");
});

Deno.test("cleanToolName() cuts what the model's own format left, and nothing else", () => {
  const offered = new Set(["shell", "functions.odd"]);
  const names: readonly (readonly [string, string])[] = [
    ["shell", "shell"],
    ["shell<|channel|>commentary", "shell"],
    ["shell <|constrain|>json", "shell"],
    ["functions.shell", "shell"],
    ["functions.shell<|channel|>analysis", "shell"],
    ["functions.odd", "functions.odd"],
    ["functions.other", "functions.other"],
    ["<|channel|>", "<|channel|>"],
    ["a<b|c", "a<b|c"],
  ];
  for (const [name, expected] of names) assertEquals(cleanToolName(name, offered), expected);
  assertEquals(cleanToolName("shell<|channel|>x"), "shell");
});

Deno.test("repairHistory() cuts white space off an unfinished answer to Claude", () => {
  const turns = (content: unknown) => [USER, { role: "assistant", content }];
  assertEquals(repaired(turns("Half \n"), CLAUDE)[1].content, "Half");
  assertEquals(repaired(turns("Half \n"), OPEN)[1].content, "Half \n");
  const parts = [{ type: "text", text: "a " }, { type: "text", text: "b " }];
  assertEquals(repaired(turns(parts), CLAUDE)[1].content, [parts[0], { type: "text", text: "b" }]);
});

Deno.test("repairHistory() gives Kimi its reasoning back as one text", () => {
  const details = [{ type: "reasoning.text", text: "so" }, {
    type: "reasoning.text",
    text: " it is",
  }];
  const forms = [{ reasoning_details: details }, { reasoning: "so it is" }, {
    reasoning_content: "so it is",
  }];
  for (const form of forms) {
    const [turn] = repaired([{ ...assistant(call("a")), ...form }, result("a")], OPEN);
    assertEquals(turn.reasoning_content, "so it is");
  }
  const [other] = repaired(
    [{ ...assistant(call("a")), reasoning: "x" }, result("a")],
    "databricks-glm-5-2",
  );
  assert(!("reasoning_content" in other));
});

Deno.test("repairHistory() says the types of schemas: the root's always, Gemini's everywhere", () => {
  const parameters = { properties: { value: { description: "any" }, list: { items: {} } } };
  const tools = [{ type: "function", function: { name: "f", parameters } }];
  const schemaFor = (model: string) =>
    (repairHistory({ messages: [], tools }, model).tools as typeof tools)[0].function.parameters;
  assertEquals(schemaFor(CLAUDE), {
    type: "object",
    properties: { value: { description: "any" }, list: { type: "array", items: {} } },
  } as never);
  assertEquals(schemaFor("databricks-gemini-3-1-pro"), {
    type: "object",
    properties: {
      value: { type: "string", description: "any" },
      list: { type: "array", items: { type: "string" } },
    },
  } as never);
});

Deno.test("repairHistory() gives every tool the parameters that Llama demands", () => {
  const tools = [
    { type: "function", function: { name: "f" } },
    { type: "function", function: { name: "g", parameters: { type: "object" } } },
    { type: "odd" },
  ];
  const { tools: after } = repairHistory({ messages: [], tools }, "databricks-llama-4-maverick");
  assertEquals(after, [
    { type: "function", function: { name: "f", parameters: { type: "object", properties: {} } } },
    tools[1],
    tools[2],
  ]);
});

Deno.test("oneCallATurn() gives each call a turn, followed by its own result", () => {
  const messages = [USER, assistant(call("a"), call("b")), result("b"), result("a"), USER];
  const after = oneCallATurn(messages);
  assertEquals(after.map(({ role, tool_call_id }) => tool_call_id ?? role), [
    "user",
    "assistant",
    "a",
    "assistant",
    "b",
    "user",
  ]);
  const single = [assistant(call("a")), result("a")];
  assertEquals(oneCallATurn(single), single);
});
