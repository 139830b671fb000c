import { assert, assertEquals, assertStrictEquals, assertStringIncludes } from "@std/assert";
import type { DialectName } from "../lib/dialects/dialect.ts";
import type { JsonObject } from "../lib/json.ts";
import { ADAPTIVE_CLAUDE, BUDGETED_CLAUDE, UNFORMATTED_CLAUDE } from "../lib/models/families.ts";
import { formatInstruction, instructFormat } from "../lib/adapt/instruct.ts";
import { withoutField } from "../lib/adapt/paths.ts";
import { sanitize } from "../lib/adapt/sanitize.ts";
import { SANITIZE_RULES, type SanitizeRule } from "../lib/adapt/sanitize_rules.ts";
import type { Target } from "../lib/dialects/dialect.ts";
import { sanitizeTable } from "./helpers/sanitize_table.ts";
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
      {
        role: "user",
        content: [{ type: "text", text: "u", cache_control: { type: "ephemeral", scope: "x" } }],
        name: "ada",
      },
      {
        role: "assistant",
        content: "",
        reasoning_details: [{ type: "reasoning.text", text: "t" }],
        reasoning_text: "t",
        reasoning_opaque: "o",
        reasoning: "t",
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
      {
        type: "function",
        eager_input_streaming: true,
        cache_control: { type: "ephemeral", scope: "x" },
        function: { name: "f", strict: true, parameters: { type: "object" } },
      },
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
    service_tier: "auto",
    context_management: {},
    client_metadata: {},
    system: [{ type: "text", text: "s", cache_control: { type: "ephemeral", scope: "x" } }],
    top_k: 3,
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

/** A model of each group that a rule can be for. */
const MODEL_IN: Readonly<Record<string, string>> = {
  [ADAPTIVE_CLAUDE.label]: "databricks-claude-opus-5",
  [BUDGETED_CLAUDE.label]: "databricks-claude-sonnet-4-5",
  [UNFORMATTED_CLAUDE.label]: "databricks-claude-sonnet-5-5",
};

const PATHS: Readonly<Record<DialectName, string>> = {
  chat: CURSOR,
  responses: "/openai/v1/responses",
  messages: "/anthropic/v1/messages",
  gemini: "/gemini/v1beta/models/m:generateContent",
};

function targetOf(rule: SanitizeRule, dialect: DialectName = "chat"): Target {
  return {
    path: rule.surfaces?.[0] === undefined
      ? PATHS[dialect]
      : `/${rule.surfaces[0]}/v1/chat/completions`,
    model: rule.models ? MODEL_IN[rule.models.label] : MODEL_OF[rule.families?.[0] ?? "open"],
    stream: rule.stream ?? (rule.models !== UNFORMATTED_CLAUDE),
  };
}

Deno.test("sanitize() applies every row of its table where the row says so", () => {
  for (const rule of SANITIZE_RULES) {
    assert(rule.why.length > 3);
    if (rule.change) continue;
    assert(has(fullBody(), rule.field), `the test's body has no ${rule.field}`);
    for (const dialect of rule.dialects ?? ["chat"]) {
      const { body, dropped } = sanitize(fullBody(), targetOf(rule, dialect), dialect);
      assert(!has(body, rule.field), rule.field);
      assert(dropped.some((word) => word.startsWith(rule.field)), `${rule.field} is not named`);
      if (rule.becomes) assertEquals(body[rule.becomes], fullBody()[rule.field]);
    }
  }
});

Deno.test("sanitize() leaves a row's field alone where the row does not apply", () => {
  for (const rule of SANITIZE_RULES) {
    if (rule.change) continue;
    for (const dialect of ["chat", "responses", "messages"] as const) {
      const here = (rule.dialects ?? ["chat"]).includes(dialect);
      const target = targetOf(rule, dialect);
      const elsewhere: Target[] = here
        ? [
          ...rule.surfaces ? [{ ...target, path: "/elsewhere/v1/chat" }] : [],
          ...rule.families || rule.models ? [{ ...target, model: OPEN }] : [],
          ...rule.stream === undefined ? [] : [{ ...target, stream: !rule.stream }],
        ]
        : [target];
      for (const other of elsewhere) {
        if (SANITIZE_RULES.some((one) => one !== rule && one.field === rule.field)) continue;
        assert(
          has(sanitize(fullBody(), other, dialect).body, rule.field),
          `${rule.field} in ${dialect}`,
        );
      }
    }
  }
});

/** What a request has and the model → what is sent. */
const CHANGES: readonly (readonly [
  model: string,
  given: JsonObject,
  sent: JsonObject,
  dialect?: DialectName,
])[] = [
  ["claude-opus-5", { temperature: 0.3, top_p: 0.9, top_k: 3 }, {}],
  ["claude-opus-4-7", { temperature: 0.3 }, {}],
  ["claude-haiku-5-5", { temperature: 0.3 }, {}],
  ["claude-opus-4-6", { temperature: 0.3 }, { temperature: 0.3 }],
  ["claude-haiku-4-5", { top_p: 0.3 }, { top_p: 0.3 }],
  ["claude-sonnet-4-5", { temperature: 0.3, top_p: 0.9 }, { temperature: 0.3 }],
  ["glm-5-2", { temperature: 0.3, top_p: 0.9 }, { temperature: 0.3, top_p: 0.9 }],
  [
    "claude-opus-5",
    { thinking: { type: "enabled", budget_tokens: 4000 } },
    { thinking: { type: "adaptive" }, output_config: { effort: "medium" } },
  ],
  [
    "claude-fable-5",
    { thinking: { type: "enabled", budget_tokens: 32_000 }, output_config: { effort: "max" } },
    { thinking: { type: "adaptive" }, output_config: { effort: "max" } },
    "messages",
  ],
  ["claude-sonnet-5", { thinking: { type: "adaptive" } }, { thinking: { type: "adaptive" } }],
  [
    "claude-sonnet-4-5",
    {
      max_tokens: 8192,
      thinking: { type: "enabled", budget_tokens: 10_000 },
      temperature: 0.2,
      top_k: 4,
    },
    { max_tokens: 8192, thinking: { type: "enabled", budget_tokens: 6144 }, temperature: 1 },
  ],
  [
    "claude-sonnet-4-5",
    { max_tokens: 8192, thinking: { type: "enabled", budget_tokens: 100 } },
    { max_tokens: 8192, thinking: { type: "enabled", budget_tokens: 1024 } },
    "messages",
  ],
  ["claude-sonnet-4-5", { max_tokens: 500, thinking: { type: "enabled", budget_tokens: 2000 } }, {
    max_tokens: 500,
  }],
  ["gpt-5-5", { background: true, max_output_tokens: 5 }, {
    background: true,
    max_output_tokens: 16,
  }, "responses"],
  ["gpt-5-5", { background: false, store: true, context_management: [] }, {}, "responses"],
  ["glm-5-3-flash", { max_tokens: 60_000 }, { max_tokens: 25_000 }],
  ["gpt-5-5", { previous_response_id: "r", conversation: "c" }, {
    previous_response_id: "r",
    conversation: "c",
  }, "responses"],
];

Deno.test("sanitize() changes what a family would refuse, and nothing for others", () => {
  for (const [model, given, sent, dialect = "chat"] of CHANGES) {
    const target = {
      path: dialect === "chat" ? MLFLOW : PATHS[dialect],
      model: `databricks-${model}`,
      stream: false,
    };
    assertEquals(sanitize(given, target, dialect).body, sent, `${model} ${JSON.stringify(given)}`);
  }
});

Deno.test("sanitize() sends developer messages as system messages to mlflow", () => {
  const messages = [{ role: "developer", content: "x" }, { role: "user", content: "y" }];
  const roles = (path: string) =>
    (sanitize({ messages }, { path, model: OPEN, stream: false }).body.messages as typeof messages)
      .map(({ role }) => role);
  assertEquals(roles(MLFLOW), ["system", "user"]);
  assertEquals(roles(CURSOR), ["developer", "user"]);
});

Deno.test("sanitize() turns a response_format that a model refuses into an instruction", () => {
  const given = { messages: [], response_format: { type: "json_object" } };
  for (const model of ["claude-opus-5-5", "claude-haiku-5-5", "claude-fable-5-1"]) {
    const { body } = sanitize(given, { path: MLFLOW, model, stream: false });
    assert(!("response_format" in body) && (body.messages as unknown[]).length === 1, model);
  }
  const { body } = sanitize(given, { path: MLFLOW, model: "claude-opus-5", stream: false });
  assertEquals(body, given);
});

const DOCS = new URL("../docs/adjustments.md", import.meta.url);

Deno.test("docs/adjustments.md has the table of the code; FD_BRIDGE_WRITE_DOCS=1 writes it", () => {
  const [begin, end] = ["<!-- deno-fmt-ignore-start -->\n", "\n<!-- deno-fmt-ignore-end -->"];
  const text = Deno.readTextFileSync(DOCS);
  const [head, rest] = text.split(begin);
  const [table, tail] = rest.split(end);
  if (Deno.env.get("FD_BRIDGE_WRITE_DOCS") === "1") {
    Deno.writeTextFileSync(DOCS, head + begin + sanitizeTable() + end + tail);
  } else assertEquals(table, sanitizeTable());
});

Deno.test("sanitize() touches nothing else, and never the client's body", () => {
  const given = fullBody();
  const { body } = sanitize(given, { path: MLFLOW, model: OPEN, stream: true });
  assertEquals(given, fullBody());
  const touched = new Set([
    ...SANITIZE_RULES.filter(({ models }) => !models).map(({ field }) => field.split(/[.[]/)[0]),
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
    (instructFormat({
      messages: given.map((role) => ({ role, content: "x" })),
      response_format: { type: "json_object" },
    }).messages as JsonObject[]).map(({ role }) => role);
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

for (const rule of SANITIZE_RULES) {
  Deno.test(`SANITIZE_RULES: ${rule.field} (${rule.why}) changes nothing in a body without it`, () => {
    const body = withoutField(fullBody(), rule.field.split(/[.[]/, 1)[0]);
    const next = rule.change ? rule.change.apply(body) : withoutField(body, rule.field);
    assertStrictEquals(next, body);
  });
}
