import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { withCacheMarks } from "../lib/adapt/prompt_cache.ts";
import type { JsonObject } from "../lib/json.ts";
import { testBridge } from "./helpers/bridge.ts";

const CLAUDE = "databricks-claude-sonnet-5-5";
const HAIKU = "databricks-claude-haiku-4-5";
const LONG = "A sentence about the project and its rules. ".repeat(300);

const TOOLS = Array.from({ length: 13 }, (_, at) => ({
  type: "function",
  function: {
    name: `tool_${at}`,
    description: "Reads, writes, searches or changes something in the project. ".repeat(6),
    parameters: { type: "object", properties: { path: { type: "string" } }, required: ["path"] },
  },
}));

const SYSTEM = [
  { role: "system", content: LONG },
  { role: "system", content: "The current working directory is /home/ada/project." },
];

const MARK = { type: "ephemeral" };

/** Where the marks of a request are: `tools[12]`, `messages[1]`, … */
function marksOf({ tools, messages }: JsonObject): string[] {
  const found: string[] = [];
  for (const [at, tool] of ((tools ?? []) as JsonObject[]).entries()) {
    if (tool.cache_control) found.push(`tools[${at}]`);
  }
  for (const [at, { content, ...rest }] of ((messages ?? []) as JsonObject[]).entries()) {
    assertEquals(rest.cache_control, undefined, "a message itself has no mark");
    if (!Array.isArray(content)) continue;
    for (const part of content as JsonObject[]) {
      if (part.cache_control) found.push(`messages[${at}]`);
    }
  }
  return found;
}

const user = (content: string) => ({ role: "user", content });
const call = (id: string) => ({
  role: "assistant",
  content: "",
  tool_calls: [{ id, type: "function", function: { name: "tool_0", arguments: '{"path":"a"}' } }],
});
const result = (id: string, content: string) => ({ role: "tool", tool_call_id: id, content });

Deno.test("withCacheMarks() marks the last tool, the last system part and the ends of two turns", () => {
  const first = { tools: TOOLS, messages: [...SYSTEM, user("Hello")] };
  assertEquals(marksOf(withCacheMarks(first, CLAUDE)), ["tools[12]", "messages[1]", "messages[2]"]);
  const second = {
    tools: TOOLS,
    messages: [...first.messages, call("a"), result("a", "1"), result("b", "2")],
  };
  assertEquals(marksOf(withCacheMarks(second, CLAUDE)), [
    "tools[12]",
    "messages[1]",
    "messages[2]",
    "messages[5]",
  ]);
  const third = { tools: TOOLS, messages: [...second.messages, call("c"), result("c", "3")] };
  assertEquals(marksOf(withCacheMarks(third, CLAUDE)), [
    "tools[12]",
    "messages[1]",
    "messages[5]",
    "messages[7]",
  ]);
});

Deno.test("withCacheMarks() leaves the client's request as it was", () => {
  const request = { tools: TOOLS, messages: [...SYSTEM, user("Hello")] };
  const before = structuredClone(request);
  withCacheMarks(request, CLAUDE);
  assertEquals(request, before);
});

/** Requests that are not marked. */
const UNMARKED: readonly (readonly [what: string, model: string, request: JsonObject])[] = [
  ["to another family", "databricks-kimi-k3", { tools: TOOLS, messages: [...SYSTEM, user("x")] }],
  ["that is short", CLAUDE, { messages: [user("Hello")] }],
  ["that is short for Haiku", HAIKU, { messages: [user("word ".repeat(2_500))] }],
  ["with a mark of its own in a part", CLAUDE, {
    tools: TOOLS,
    messages: [...SYSTEM, {
      role: "user",
      content: [{ type: "text", text: "x", cache_control: MARK }],
    }],
  }],
  ["with a mark of its own on a tool", CLAUDE, {
    tools: [{ ...TOOLS[0], cache_control: MARK }],
    messages: [...SYSTEM, user("x")],
  }],
];

for (const [what, model, request] of UNMARKED) {
  Deno.test(`withCacheMarks() marks no request ${what}`, () => {
    assert(withCacheMarks(request, model) === request);
  });
}

Deno.test("withCacheMarks() marks a long request to Haiku", () => {
  assertEquals(marksOf(withCacheMarks({ messages: [user("word ".repeat(6_000))] }, HAIKU)), [
    "messages[0]",
  ]);
});

/** Ten turns of ForgeCode's with tools; what each answer's usage says. */
async function converse(bridge: ReturnType<typeof testBridge>) {
  const usages: { prompt_tokens: number; prompt_tokens_details?: { cached_tokens: number } }[] = [];
  const messages: JsonObject[] = [...SYSTEM, user("Look at ten files. [[sim: text]]")];
  for (let turn = 0; turn < 10; turn++) {
    const response = await bridge.post("/chat/completions", {
      model: CLAUDE,
      messages,
      tools: TOOLS,
      parallel_tool_calls: true,
    }, { headers: { "user-agent": "Forge" } });
    usages.push((await response.json()).usage);
    messages.push(call(`call_abcdefgh${turn}`));
    messages.push(result(`call_abcdefgh${turn}`, `File ${turn}: ${"code ".repeat(150)}`));
  }
  return usages;
}

Deno.test("ten turns with tools read at least 80 % of their input from the cache", async () => {
  const bridge = testBridge();
  const usages = await converse(bridge);
  const input = usages.reduce((sum, { prompt_tokens: tokens }) => sum + tokens, 0);
  const read = usages.reduce(
    (sum, { prompt_tokens_details: details }) => sum + (details?.cached_tokens ?? 0),
    0,
  );
  assert(read / input >= 0.8, `${read} of ${input} tokens`);
  assertEquals(usages[0].prompt_tokens_details?.cached_tokens ?? 0, 0);
  const metrics = await (await bridge.get("/metrics")).text();
  assertStringIncludes(metrics, `fd_bridge_cache_tokens_total{operation="read"} ${read}`);
  assertStringIncludes(bridge.log(), "tokens_cached=");
  assertStringIncludes(bridge.log(), "tokens_written=");
});

Deno.test("--no-prompt-cache marks nothing", async () => {
  const bridge = testBridge({ flags: ["--no-prompt-cache"] });
  await converse(bridge);
  for (const { body } of bridge.requests) assertEquals(marksOf(body!), []);
});

Deno.test("a gateway that refuses a mark is believed, once", async () => {
  const bridge = testBridge({
    gateway(_request, number) {
      const { body } = bridge.requests[number - 1];
      if (marksOf(body!).length > 0) {
        const message = "tools.12.cache_control: Extra inputs are not permitted";
        return Response.json({ error_code: "BAD_REQUEST", message }, { status: 400 });
      }
      return Response.json({
        object: "chat.completion",
        choices: [{ index: 0, message: { content: "Hi" }, finish_reason: "stop" }],
      });
    },
  });
  for (let time = 0; time < 3; time++) {
    const body = { model: CLAUDE, messages: [...SYSTEM, user("Hello")], tools: TOOLS };
    assertEquals((await bridge.post("/chat/completions", body)).status, 200);
  }
  assertEquals(bridge.requests.length, 4);
});

Deno.test("a request to another family is the same with the cache and without", async () => {
  const body = {
    model: "databricks-kimi-k3",
    messages: [...SYSTEM, user("Hello")],
    tools: TOOLS,
  };
  const texts: string[] = [];
  for (const flags of [[], ["--no-prompt-cache"]]) {
    const bridge = testBridge({ flags });
    await bridge.post("/chat/completions", body);
    texts.push(bridge.requests[0].text);
  }
  assertEquals(texts[0], texts[1]);
});
