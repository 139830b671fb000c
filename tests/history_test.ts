import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { mendHistory, oneCallATurn, shortId } from "../lib/adapt/history.ts";
import type { JsonObject } from "../lib/json.ts";
import { ToolCallCache } from "../lib/adapt/tool_call_cache.ts";

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

function mended(messages: JsonObject[], model = OPEN, memory?: ToolCallCache): JsonObject[] {
  const before = structuredClone(messages);
  const { messages: after } = mendHistory({ messages }, model, memory);
  assertEquals(messages, before, "the client's messages are never changed");
  return after as JsonObject[];
}

Deno.test("mendHistory() leaves a history alone that is as it should be", () => {
  const messages = [
    { role: "system", content: "s" },
    USER,
    assistant(call("a"), call("b")),
    result("a"),
    result("b"),
    USER,
  ];
  const after = mended(messages);
  assertEquals(after, messages);
  after.forEach((message, at) => assertStrictEquals(message, messages[at]));
});

Deno.test("mendHistory() puts results behind their calls, drops orphans, and answers open calls", () => {
  const messages = [
    result("orphan"),
    assistant(call("a"), call("b")),
    USER,
    result("b"),
    result("a"),
  ];
  const roles = mended(messages).map(({ role, tool_call_id }) => tool_call_id ?? role);
  assertEquals(roles, ["assistant", "a", "b", "user"]);
  const open = mended([assistant(call("a")), USER]);
  assertEquals(open.map(({ role }) => role), ["assistant", "tool", "user"]);
  assertEquals(open[1].content, "(no result: the call was not completed)");
  assertEquals(mended([USER, assistant(call("a"))]).length, 2, "the last turn's calls may be open");
});

Deno.test("mendHistory() pairs ids that come again, and calls without ids, in order", () => {
  const again = mended([
    assistant(call("a")),
    result("a", "1"),
    assistant(call("a")),
    result("a", "2"),
    USER,
  ]);
  assertEquals([again[1].content, again[3].content], ["1", "2"]);
  const none = mended([assistant(call(null)), { role: "tool", content: "r" }, USER]);
  assertEquals(none.map(({ content }) => content), ["", "r", "go on"]);
});

Deno.test("mendHistory() takes empty text parts out", () => {
  const parts = [{ type: "text", text: "" }, { type: "text", text: "x" }, { type: "text" }];
  assertEquals(mended([{ role: "user", content: parts }])[0].content, [{
    type: "text",
    text: "x",
  }]);
  assertEquals(mended([{ role: "user", content: [{ type: "text", text: "" }] }])[0].content, "");
});

Deno.test("mendHistory() sends Claude no empty text", () => {
  const messages = [
    { role: "user", content: "x" },
    { role: "assistant", content: " " },
    assistant(call("a")),
    result("a", ""),
    { role: "assistant", content: null },
  ];
  const after = mended(messages, CLAUDE);
  assertEquals(after.map(({ role }) => role), ["user", "assistant", "tool"]);
  assert(!("content" in after[1]), "beside tool calls the content goes");
  assertEquals(after[2].content, "(no output)");
  assertEquals(mended(messages, OPEN).length, 5);
});

Deno.test("mendHistory() gives Claude its signed reasoning back as the part that it was", () => {
  const details = [
    { type: "reasoning.text", text: "so", signature: "sig" },
    { type: "reasoning.text", text: "unsigned" },
  ];
  const turn = { ...assistant(call("a")), content: "x", reasoning_details: details };
  const [after] = mended([turn, result("a"), USER], CLAUDE);
  assertEquals(after.content, [
    { type: "reasoning", summary: [{ type: "summary_text", text: "so", signature: "sig" }] },
    { type: "text", text: "x" },
  ]);
  const empty = mended([{ ...turn, content: "" }, result("a"), USER], CLAUDE)[0];
  assertEquals((empty.content as unknown[]).length, 1);
  const unsigned = { ...turn, reasoning_details: [details[1]] };
  assertEquals(mended([unsigned, result("a"), USER], CLAUDE)[0].content, "x");
  assertEquals(mended([turn, result("a"), USER], OPEN)[0].content, "x");
});

Deno.test("mendHistory() gives Gemini its thoughtSignature back, from memory or from the client", () => {
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
  const calls = mended(messages, gemini, memory)[0].tool_calls as JsonObject[];
  assertEquals(calls.map((one) => one.thoughtSignature), ["kept", "carried", undefined]);
});

Deno.test("mendHistory() shortens ids for GPT, call and result alike", () => {
  const long = "call_" + "x".repeat(100);
  const [turn, answer] = mended([assistant(call(long)), result(long), USER], "databricks-gpt-5");
  const [{ id }] = turn.tool_calls as { id: string }[];
  assertEquals([id.length, answer.tool_call_id], [64, id]);
  assertEquals(mended([assistant(call(long)), result(long)], OPEN)[1].tool_call_id, long);
});

Deno.test("shortId() tells long ids apart that differ in one place", () => {
  const ids = Array.from({ length: 100 }, (_, at) => "x".repeat(at) + "y" + "x".repeat(100 - at));
  assertEquals(new Set(ids.map(shortId)).size, 100);
  assertEquals(shortId(null), null);
});

Deno.test("mendHistory() gives every tool the parameters that Llama demands", () => {
  const tools = [
    { type: "function", function: { name: "f" } },
    { type: "function", function: { name: "g", parameters: { type: "object" } } },
    { type: "odd" },
  ];
  const { tools: after } = mendHistory({ messages: [], tools }, "databricks-llama-4-maverick");
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
