import { assert, assertEquals, assertStrictEquals, assertStringIncludes } from "@std/assert";
import type { JsonObject } from "../lib/json.ts";
import {
  formatInstruction,
  instructFormat,
  sanitize,
  SANITIZE_RULES,
  type SanitizeRule,
  type Target,
  withoutField,
} from "../lib/adapt/sanitize.ts";
import { title } from "./helpers/requests.ts";

const MLFLOW = "/mlflow/v1/chat/completions";
const CURSOR = "/cursor/v1/chat/completions";
const OPEN = "databricks-kimi-k3";

/** A model of each family that a rule can be for. */
const MODEL_OF: Readonly<Record<string, string>> = {
  claude: "databricks-claude-sonnet-5",
  gpt: "databricks-gpt-5",
  "gpt-oss": "databricks-gpt-oss-120b",
  gemini: "databricks-gemini-3-flash",
  llama: "databricks-llama-4-maverick",
  grok: "databricks-grok-4-6",
  open: OPEN,
};

/** A body in which every field of the table stands where the table looks for it. */
function fullBody(): JsonObject {
  return {
    model: OPEN,
    stream: true,
    messages: [
      { role: "system", content: "s" },
      { role: "user", content: "u", name: "ada" },
      {
        role: "assistant",
        content: "",
        reasoning_details: [{ type: "reasoning.text", text: "t" }],
        reasoning_text: "t",
        reasoning_opaque: "o",
        reasoning_content: "kept",
        extra_content: { google: {} },
        tool_calls: [{
          id: "c",
          type: "function",
          extra_content: { google: { thought_signature: "s" } },
          function: { name: "f", arguments: "{}" },
        }],
      },
      { role: "tool", tool_call_id: "c", content: "r" },
    ],
    tools: [
      { type: "function", function: { name: "f", strict: true, parameters: { type: "object" } } },
      { type: "function", function: { name: "g", parameters: { properties: { strict: {} } } } },
    ],
    parallel_tool_calls: true,
    stream_options: { include_usage: true },
    response_format: {
      type: "json_schema",
      json_schema: { name: "n", schema: { type: "object" } },
    },
    store: false,
    metadata: { a: "b" },
    logprobs: true,
    top_logprobs: 2,
    max_completion_tokens: 100,
    prompt_cache_key: "k",
    reasoning_effort: "low",
    stop: ["x"],
    reasoning: { enabled: true },
    session_id: "s",
    transforms: [],
    provider: {},
    route: "fallback",
    temperature: 0.5,
    top_p: 0.9,
    seed: 1,
    user: "u",
    invented_next_year: { deep: [1, { two: null }] },
  };
}

/** Whether a path leads to a field anywhere in a value. */
function has(value: unknown, path: string): boolean {
  return withoutField(value, path) !== value;
}

function targetOf(rule: SanitizeRule): Target {
  return {
    path: rule.surfaces?.[0] === undefined ? CURSOR : `/${rule.surfaces[0]}/v1/chat/completions`,
    model: MODEL_OF[rule.families?.[0] ?? "open"],
    stream: rule.stream ?? true,
  };
}

Deno.test("sanitize() applies every row of its table where the row says so", () => {
  for (const rule of SANITIZE_RULES) {
    assert(has(fullBody(), rule.field), `the test's body has no ${rule.field}`);
    const { body, dropped } = sanitize(fullBody(), targetOf(rule));
    assert(!has(body, rule.field), rule.field);
    assert(dropped.some((word) => word.startsWith(rule.field)), `${rule.field} is not named`);
    if (rule.becomes) assertEquals(body[rule.becomes], fullBody()[rule.field]);
    assert(rule.why.length > 3);
  }
});

Deno.test("sanitize() leaves a row's field alone where the row does not apply", () => {
  for (const rule of SANITIZE_RULES) {
    const target = targetOf(rule);
    const elsewhere: Target[] = [
      ...rule.surfaces ? [{ ...target, path: "/elsewhere/v1/chat" }] : [],
      ...rule.families ? [{ ...target, model: OPEN }] : [],
      ...rule.stream === undefined ? [] : [{ ...target, stream: !rule.stream }],
    ];
    for (const other of elsewhere) {
      assert(has(sanitize(fullBody(), other).body, rule.field), `${rule.field} at ${other.path}`);
    }
  }
});

Deno.test("sanitize() touches nothing else, and never the client's body", () => {
  const given = fullBody();
  const { body } = sanitize(given, { path: MLFLOW, model: OPEN, stream: true });
  assertEquals(given, fullBody());
  const touched = new Set([
    ...SANITIZE_RULES.map(({ field }) => field.split(/[.[]/)[0]),
    "max_tokens",
  ]);
  const kept = Object.keys(given).filter((name) => !touched.has(name));
  assert(kept.includes("invented_next_year") && kept.includes("seed"));
  for (const name of kept) assertStrictEquals(body[name], given[name], name);
  const tools = body.tools as JsonObject[];
  assertEquals((tools[0].function as JsonObject).name, "f");
  assertStrictEquals(tools[1], (given.tools as JsonObject[])[1], "a parameter called strict stays");
  const assistant = (body.messages as JsonObject[]).find(({ role }) => role === "assistant")!;
  assertEquals(Object.keys(assistant), ["role", "content", "reasoning_content", "tool_calls"]);
});

Deno.test("sanitize() gives a body that needs nothing back as it is", () => {
  const given = { model: OPEN, messages: [{ role: "user", content: "u" }], stream: true, x: null };
  const { body, dropped } = sanitize(given, { path: MLFLOW, model: OPEN, stream: true });
  assertStrictEquals(body, given);
  assertEquals(dropped, []);
});

Deno.test("sanitize() renames max_completion_tokens on mlflow only, and not over max_tokens", () => {
  const body = { max_completion_tokens: 7, messages: [] };
  const at = (path: string, more = {}) =>
    sanitize({ ...body, ...more }, { path, model: OPEN, stream: true }).body;
  assertEquals(at(MLFLOW), { messages: [], max_tokens: 7 });
  assertEquals(at(MLFLOW, { max_tokens: 3 }), { messages: [], max_tokens: 3 });
  assertEquals(at(CURSOR), body);
});

Deno.test("sanitize() keeps max_tokens under the model's known cap and says so", () => {
  const target = { path: MLFLOW, model: "databricks-gemma-3-12b", stream: false };
  const { body, dropped } = sanitize({ messages: [], max_completion_tokens: 20480 }, target);
  assertEquals(body.max_tokens, 8192);
  assert(dropped.includes("max_tokens 20480 → 8192"), dropped.join());
  assertEquals(sanitize({ messages: [], max_tokens: 100 }, target).body.max_tokens, 100);
  const free = { ...target, model: "databricks-claude-opus-5" };
  assertEquals(sanitize({ messages: [], max_tokens: 99_999 }, free).body.max_tokens, 99_999);
});

Deno.test("sanitize() turns the response_format of a stream into an instruction behind the system messages", () => {
  const given = title("databricks-claude-sonnet-5");
  const { body } = sanitize(given, { path: MLFLOW, model: String(given.model), stream: true });
  const messages = body.messages as { role: string; content: string }[];
  assertEquals(messages.map(({ role }) => role), ["system", "system", "user"]);
  const [, { content }] = messages;
  assertStringIncludes(content, '"required":["title"]');
  assertStringIncludes(content, "JSON");
  assertStringIncludes(content, "no code fence");
  assert(!("response_format" in body));
});

Deno.test("sanitize() keeps the response_format of a plain request, with the name that GPT models demand", () => {
  const target = { path: MLFLOW, model: OPEN, stream: false };
  const format = { type: "json_schema", json_schema: { schema: { type: "object" } } };
  const { body } = sanitize({ messages: [], response_format: format }, target);
  assertEquals(body.response_format, {
    type: "json_schema",
    json_schema: { name: "response", schema: { type: "object" } },
  });
  const named = { type: "json_schema", json_schema: { name: "mine", schema: {} } };
  assertStrictEquals(
    sanitize({ messages: [], response_format: named }, target).body.response_format,
    named,
  );
});

Deno.test("formatInstruction() asks for JSON where the format does, and for nothing where it doesn't", () => {
  assertStringIncludes(formatInstruction({ type: "json_object" })!, "JSON object");
  assertStringIncludes(formatInstruction({ type: "json_schema" })!, "JSON value");
  const flat = formatInstruction({ type: "json_schema", schema: { type: "array" } });
  assertStringIncludes(flat!, '{"type":"array"}');
  for (const none of [{ type: "text" }, null, undefined, "json", [], { type: "constructor" }]) {
    assertEquals(formatInstruction(none), undefined);
  }
});

Deno.test("instructFormat() finds its place behind leading system and developer messages", () => {
  const roles = (...given: string[]) =>
    (instructFormat(
      { messages: given.map((role) => ({ role, content: "x" })) },
      { type: "json_object" },
    ).messages as JsonObject[]).map(({ role }) => role);
  assertEquals(roles("user"), ["system", "user"]);
  assertEquals(roles("system", "developer", "user", "system"), [
    "system",
    "developer",
    "system",
    "user",
    "system",
  ]);
  assertEquals(roles("system"), ["system", "system"]);
});

Deno.test("withoutField() removes a field by its path and shares what it didn't touch", () => {
  const value = { a: [{ b: { c: 1, d: 2 } }, { e: 3 }, null, "x"], f: { g: 1 } };
  const clean = withoutField(value, "a[].b.c");
  assertEquals(clean, { a: [{ b: { d: 2 } }, { e: 3 }, null, "x"], f: { g: 1 } } as never);
  assertStrictEquals(clean.f, value.f);
  assertStrictEquals(clean.a[1], value.a[1]);
  assertStrictEquals(withoutField(value, "a[].b.x"), value);
  assertStrictEquals(withoutField(value, "nothing"), value);
  assertEquals(withoutField(value, "f.g"), { a: value.a, f: {} } as never);
});

Deno.test("withoutField() knows no field that an object only inherits", () => {
  const value = { a: {} };
  for (
    const name of ["constructor", "__proto__", "toString", "a.constructor.name", "a.__proto__"]
  ) {
    assertStrictEquals(withoutField(value, name), value, name);
  }
  const own = JSON.parse('{"__proto__": {"x": 1}, "b": 2}');
  assertEquals(JSON.stringify(withoutField(own, "__proto__")), '{"b":2}');
  assertEquals(JSON.stringify(withoutField(own, "__proto__.x")), '{"__proto__":{},"b":2}');
});
