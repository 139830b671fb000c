import { assert, assertEquals } from "@std/assert";
import type { JsonObject } from "../lib/json.ts";
import { type Catalog, parseModels, routeOf } from "../lib/models/catalog.ts";
import {
  applyLessons,
  describeLesson,
  type Lesson,
  Negotiator,
  type Plan,
  REFUSALS,
} from "../lib/adapt/negotiator.ts";
import { errorFixtures } from "./helpers/fixtures.ts";

const MODEL = "databricks-gpt-5";

function catalogue(value: JsonObject = { models: [] }): Catalog {
  return parseModels(JSON.stringify(value), "models.json");
}

/** A body in which everything that a refusal may name is there. */
function body(): JsonObject {
  return {
    model: MODEL,
    messages: [{ role: "user", content: [{ type: "text", text: "u", cache_control: {} }] }],
    tools: Array.from({ length: 40 }, (_, at) => ({
      type: "function",
      function: {
        name: `f${at}`,
        strict: true,
        parameters: { type: "object", properties: { a: { type: "string", pattern: "^a" } } },
      },
    })),
    stream_options: {},
    stop: ["x"],
    max_tokens: 100_000,
    seed: 1,
    temperature: 0.2,
    prompt_cache_key: "k",
    reasoning_effort: "none",
    output_config: { effort: "huge" },
    response_format: { type: "json_object" },
    background: true,
  };
}

/** What the words of a refusal teach, with what becomes of the body. */
function learned(words: string, sent: JsonObject = body(), status = 400): {
  lesson: Lesson | undefined;
  next: Plan;
  negotiator: Negotiator;
} {
  const list = catalogue();
  const negotiator = new Negotiator();
  const route = routeOf(list, MODEL, "chat");
  const lesson = negotiator.learn(negotiator.plan(list, MODEL, route), status, words, sent);
  return { lesson, next: negotiator.plan(list, MODEL, route), negotiator };
}

/** The words of each row → what they must teach. */
const TEACHES: readonly (readonly [words: RegExp, lesson: Lesson, sent?: JsonObject])[] = [
  [/^Function tools with reasoning_effort/, { type: "surface", surface: "openai" }],
  [/^Responses API passthrough/, { type: "surface", surface: "mlflow" }],
  [/no longer available/, { type: "name", name: "system.ai.gpt-5" }],
  [/^Unsupported parameter: 'messages'/, { type: "dialect", dialect: "responses" }],
  [/^Multiple tool calls/, { type: "one-call" }],
  [/Use 'max_completion_tokens' instead/, {
    type: "rename",
    path: "max_tokens",
    to: "max_completion_tokens",
  }],
  [/^INVALID_PARAMETER_VALUE: Structured output/, { type: "instruct" }],
  [/must contain the word "json"/, { type: "instruct" }],
  [/"pattern" keyword/, { type: "keyword", keyword: "pattern" }],
  [/unknown field "stream_options"/, { type: "drop", path: "stream_options" }],
  [/"stop" is not supported/, { type: "drop", path: "stop" }],
  [/^prompt_cache_key: Extra inputs/, { type: "drop", path: "prompt_cache_key" }],
  [/'temperature' does not support/, { type: "drop", path: "temperature" }],
  [/'none' is not supported/, { type: "drop", path: "reasoning_effort" }],
  [/^output_config\.effort/, { type: "drop", path: "output_config.effort" }],
  [/^`temperature` is not supported/, { type: "drop", path: "temperature" }],
  [/^max_tokens: 100000 > 64000/, { type: "cap", tokens: 64_000 }],
  [/at most 32 functions/, { type: "tools", most: 32 }],
  [/at most 16 keys/, { type: "keys", most: 16 }],
];

Deno.test("REFUSALS: the words that were seen teach what they should, row by row", () => {
  for (const row of REFUSALS) {
    const { seen, status } = row;
    if (seen === "Unsupported parameter: 'input'") continue; // Below: it needs another dialect.
    const expected = TEACHES.find(([words]) => words.test(seen));
    assert(expected, `no expectation for "${seen}"`);
    assertEquals(learned(seen, body(), status[0]).lesson, expected[1], seen);
  }
});

Deno.test("learn() turns back to chat where a surface refuses input", () => {
  const list = catalogue();
  const negotiator = new Negotiator();
  const route = routeOf(list, MODEL, "chat");
  const plan = { ...negotiator.plan(list, MODEL, route), dialect: "responses" as const };
  const lesson = negotiator.learn(plan, 400, "Unsupported parameter: 'input'", { input: [] });
  assertEquals(lesson, { type: "dialect", dialect: "chat" });
});

Deno.test("learn() reads the words in every shape in which they were seen", () => {
  for (const { id, status, body: words, teaches } of errorFixtures()) {
    if (teaches === undefined || id === "unity-catalog") continue;
    const text = typeof words === "string" ? words : JSON.stringify(words);
    assert(learned(text, body(), status).lesson !== undefined, `${id} teaches ${teaches}`);
  }
});

Deno.test("learn() learns nothing of what is no refusal of a field", () => {
  const nothing = [
    "Invalid Token",
    "messages: text content blocks must be non-empty",
    "The given endpoint does not exist",
    "",
    'unknown field "not_in_the_body"',
    "Unsupported parameter: 'constructor'",
    "Unsupported parameter: '__proto__'. Use 'x' instead",
    "Unsupported parameter: 'toString'. Use 'x' instead",
  ];
  for (const words of nothing) assertEquals(learned(words).lesson, undefined, words);
  for (const status of [401, 403, 404, 413, 429, 500, 503]) {
    assertEquals(learned('unknown field "seed"', body(), status).lesson, undefined, `${status}`);
  }
});

Deno.test("learn() never gives up what makes a request: model, messages, tools", () => {
  for (const field of ["model", "stream", "tools", "messages[0].role", "messages.0.content"]) {
    assertEquals(learned(`Unknown parameter: '${field}'`).lesson, undefined, field);
  }
  assertEquals(
    learned("messages[0].content[0].text: Extra inputs are not permitted").lesson,
    undefined,
  );
});

const NESTED: readonly (readonly [words: string, path: string])[] = [
  ['unknown field "strict"', "tools[].function.strict"],
  ["tools.0.function.strict: Extra inputs are not permitted", "tools[].function.strict"],
  ["tools.0.custom.strict: Extra inputs are not permitted", "tools[].function.strict"],
  ['unknown field "cache_control"', "messages[].content[].cache_control"],
  [
    "messages.0.content.0.text.cache_control: Extra inputs are not permitted",
    "messages[].content[].cache_control",
  ],
  [
    "Unknown parameter: 'messages[0].content[0].cache_control'.",
    "messages[].content[].cache_control",
  ],
  ['unknown field "effort"', "output_config.effort"],
  ['unknown field "fourth"', "first.second[].third.fourth"],
];

for (const [words, path] of NESTED) {
  Deno.test(`learn() finds a field inside others: ${words}`, () => {
    const sent = { ...body(), first: { second: [{}, { third: { fourth: 1 } }] } };
    const { lesson, next } = learned(words, sent);
    assertEquals(lesson, { type: "drop", path });
    const clean = JSON.stringify(applyLessons(sent, next));
    assert(!clean.includes(`"${path.slice(path.lastIndexOf(".") + 1)}"`), clean);
  });
}

Deno.test("learn() takes a field of a tool's schema for a keyword, and no property of that name", () => {
  const schema = {
    type: "object",
    title: "T",
    properties: { title: { type: "string", title: "x" } },
  };
  const tools = [{ type: "function", function: { name: "f", parameters: schema } }];
  const { lesson, next } = learned('Bad request: json: unknown field "title"', { tools });
  assertEquals(lesson, { type: "keyword", keyword: "title" });
  assertEquals(applyLessons({ tools }, next).tools, [{
    type: "function",
    function: {
      name: "f",
      parameters: { type: "object", properties: { title: { type: "string" } } },
    },
  }]);
});

Deno.test("learn() learns a thing once: the same refusal again is the answer", () => {
  const { negotiator, next } = learned('unknown field "seed"');
  assertEquals(negotiator.learn(next, 400, 'unknown field "seed"', body()), undefined);
  assertEquals(negotiator.known.get(MODEL), ["send no seed"]);
});

Deno.test("learn() keeps what it learned for its model only", () => {
  const { negotiator } = learned('unknown field "seed"');
  const list = catalogue();
  const other = negotiator.plan(
    list,
    "databricks-kimi-k3",
    routeOf(list, "databricks-kimi-k3", "chat"),
  );
  assertEquals(other.lessons, []);
  for (const name of ["constructor", "__proto__"]) {
    assertEquals(negotiator.plan(list, name, routeOf(list, name, "chat")).lessons, []);
  }
});

/** A gateway of words: which place refuses with what. */
function journey(
  negotiator: Negotiator,
  list: Catalog,
  refusals: Readonly<Record<string, string>>,
  model = "databricks-m",
): string[] {
  const places: string[] = [];
  for (let attempt = 1; attempt <= 3; attempt++) {
    const plan = negotiator.plan(list, model, routeOf(list, model, "chat"));
    const place = `${plan.route.surface} ${plan.dialect}`;
    places.push(place);
    const words = refusals[place];
    if (words === undefined) return [...places, "ok"];
    const sent = plan.dialect === "chat" ? { messages: [] } : { input: [] };
    if (attempt === 3 || !negotiator.learn(plan, 400, words, sent)) return places;
  }
  return places;
}

const TO_RESPONSES = "To use function tools, use /v1/responses";
const TO_CHAT = "Responses API passthrough is not supported for model databricks-m.";

Deno.test("learn() follows from surface to surface, and goes there at once the next time", () => {
  const negotiator = new Negotiator();
  const refusals = { "mlflow chat": TO_RESPONSES };
  assertEquals(journey(negotiator, catalogue(), refusals), [
    "mlflow chat",
    "openai responses",
    "ok",
  ]);
  assertEquals(journey(negotiator, catalogue(), refusals), ["openai responses", "ok"]);
});

Deno.test("learn() goes from cursor over its other dialect to mlflow within three tries", () => {
  const negotiator = new Negotiator();
  const refusals = {
    "cursor chat": "Unsupported parameter: 'messages'",
    "cursor responses": TO_CHAT,
  };
  const model = "databricks-gpt-oss-120b";
  assertEquals(journey(negotiator, catalogue(), refusals, model), [
    "cursor chat",
    "cursor responses",
    "mlflow chat",
    "ok",
  ]);
  assertEquals(journey(negotiator, catalogue(), refusals, model), ["mlflow chat", "ok"]);
});

Deno.test("learn() lets no two surfaces send a request to and fro, nor later ones astray", () => {
  const negotiator = new Negotiator();
  const both = { "mlflow chat": TO_RESPONSES, "openai responses": TO_CHAT };
  assertEquals(journey(negotiator, catalogue(), both), ["mlflow chat", "openai responses"]);
  assertEquals(journey(negotiator, catalogue(), both), ["mlflow chat"], "nothing is repeated");
  // The same model without tools: its own surface takes it.
  assertEquals(journey(negotiator, catalogue(), { "openai responses": TO_CHAT }), [
    "mlflow chat",
    "ok",
  ]);
});

Deno.test("learn() tries a surface's other dialect where there is no openai surface, once", () => {
  const negotiator = new Negotiator();
  const list = catalogue({ models: [], endpoints: { openai: null } });
  const refusals = {
    "mlflow chat": TO_RESPONSES,
    "mlflow responses": 'Bad request: json: unknown field "input"',
  };
  assertEquals(journey(negotiator, list, refusals), ["mlflow chat", "mlflow responses"]);
  assertEquals(journey(negotiator, list, refusals), ["mlflow chat"]);
});

Deno.test("plan() and learn() keep a request to the only dialect that it can be said in", () => {
  const list = catalogue();
  const negotiator = new Negotiator();
  const route = routeOf(list, "databricks-m", "responses");
  const plan = negotiator.plan(list, "databricks-m", route, "responses");
  assertEquals(negotiator.learn(plan, 400, TO_CHAT, { input: "x" }), undefined);
  // A chat request of the same model may learn it, and that must not lead the other kind astray.
  const chat = negotiator.plan(list, "databricks-m", route);
  assert(negotiator.learn(chat, 400, TO_CHAT, { input: [] }) !== undefined);
  assertEquals(negotiator.plan(list, "databricks-m", route).route.surface, "mlflow");
  assertEquals(negotiator.plan(list, "databricks-m", route, "responses").route.surface, "openai");
});

Deno.test("applyLessons() applies every lesson, in either dialect, and never changes the body", () => {
  const route = {
    surface: "mlflow",
    path: "/mlflow/v1/chat/completions",
    dialect: "chat" as const,
  };
  const apply = (given: JsonObject, ...lessons: Lesson[]) => {
    const before = structuredClone(given);
    const plan: Plan = { model: "m", name: "m", route, dialect: "chat", lessons };
    const after = applyLessons({ model: "m", ...given }, plan);
    assertEquals(given, before);
    const { model: _model, ...rest } = after;
    return rest;
  };
  assertEquals(apply({ a: { b: 1, c: 2 } }, { type: "drop", path: "a.b" }), { a: { c: 2 } });
  assertEquals(apply({ a: 1 }, { type: "rename", path: "a", to: "b" }), { b: 1 });
  assertEquals(apply({ a: 1, b: 2 }, { type: "rename", path: "a", to: "b" }), { b: 2 });
  assertEquals(apply({ c: 1 }, { type: "rename", path: "constructor", to: "b" }), { c: 1 });
  assertEquals(apply({ tools: [1, 2, 3] }, { type: "tools", most: 2 }), { tools: [1, 2] });
  const caps = { max_tokens: 9, max_completion_tokens: 9, max_output_tokens: 3 };
  assertEquals(apply(caps, { type: "cap", tokens: 5 }), {
    max_tokens: 5,
    max_completion_tokens: 5,
    max_output_tokens: 3,
  });
  const parameters = { properties: { a: { pattern: "x" }, b: {} }, required: ["b"] };
  const flat = [{ type: "function", name: "f", parameters }];
  assertEquals(apply({ tools: flat }, { type: "keyword", keyword: "pattern" }), {
    tools: [{
      type: "function",
      name: "f",
      parameters: { ...parameters, properties: { a: {}, b: {} } },
    }],
  });
  assertEquals(apply({ tools: flat }, { type: "keys", most: 1 }), {
    tools: [{
      type: "function",
      name: "f",
      parameters: { properties: { b: {} }, required: ["b"] },
    }],
  });
  const instructed = apply({ messages: [], response_format: { type: "json_object" } }, {
    type: "instruct",
  });
  assertEquals(Object.keys(instructed), ["messages"]);
  assertEquals((instructed.messages as unknown[]).length, 1);
});

Deno.test("describeLesson() has words for every lesson", () => {
  const lessons: Lesson[] = [
    ...TEACHES.map(([, lesson]) => lesson),
    { type: "dialect", dialect: "chat" },
  ];
  const words = lessons.map(describeLesson);
  assert(words.every((text) => text.length > 5 && !text.includes("undefined")), words.join("\n"));
});

Deno.test("learn() is quick on long words of the gateway's", () => {
  const long = ["a.".repeat(2000), "[".repeat(4000), "max_tokens " + "x".repeat(3900)];
  for (const words of long) assertEquals(learned(words).lesson, undefined);
  let deep: JsonObject = { x: 1 };
  for (let level = 0; level < 20_000; level++) deep = { deep };
  assertEquals(learned('unknown field "nowhere"', { ...deep, tools: [] }).lesson, undefined);
});

Deno.test("Negotiator bounds its memory", () => {
  const list = catalogue();
  const negotiator = new Negotiator();
  for (let at = 0; at < 1500; at++) {
    const model = `databricks-m${at}`;
    const plan = negotiator.plan(list, model, routeOf(list, model, "chat"));
    negotiator.learn(plan, 400, 'unknown field "seed"', { seed: 1 });
  }
  assertEquals(negotiator.known.size, 1000);
});
