import { assert, assertEquals } from "@std/assert";
import { inferAll } from "../lib/adapt/inference.ts";
import type { JsonObject } from "../lib/json.ts";
import { type Catalog, parseModels, routeOf } from "../lib/models/catalog.ts";
import {
  type Adjustment,
  applyAdjustments,
  describeAdjustment,
  type Inference,
  LIFETIME,
  MAX_ADJUSTMENTS,
  MAX_ROUNDS,
  Negotiator,
  type Plan,
  refusalToShow,
} from "../lib/adapt/negotiator.ts";
import { REFUSALS } from "../lib/adapt/refusals.ts";
import { gatewayError } from "../lib/gateway/errors.ts";
import { errorFixtures } from "./helpers/fixtures.ts";

const MODEL = "databricks-gpt-5";

function catalog(value: JsonObject = { models: [] }): Catalog {
  return parseModels(JSON.stringify(value), "models.json");
}

/** A body in which everything that a refusal may name is there. */
function body(): JsonObject {
  return {
    model: MODEL,
    messages: [
      { role: "developer", content: "Be brief." },
      {
        role: "user",
        content: [{ type: "text", text: "u", cache_control: { type: "ephemeral", scope: "x" } }],
      },
      {
        role: "assistant",
        content: [{
          type: "reasoning",
          summary: [{ type: "summary_text", text: "t", signature: "s" }],
        }],
        tool_calls: ["a", "b"].map((id) => ({
          id,
          type: "function",
          function: { name: "f0", arguments: "{}" },
        })),
      },
      { role: "tool", tool_call_id: "a", content: "r" },
      { role: "tool", tool_call_id: "b", content: "r" },
      { role: "assistant", content: "Half " },
    ],
    tools: Array.from({ length: 40 }, (_, at) => ({
      type: "function",
      function: {
        name: `f${at}`,
        strict: true,
        parameters: {
          type: "object",
          properties: Object.fromEntries(
            Array.from({ length: 20 }, (_, key) => [`k${key}`, { pattern: "^a" }]),
          ),
        },
      },
    })),
    stream_options: {},
    stop: ["x"],
    max_tokens: 100_000,
    seed: 1,
    temperature: 0.2,
    top_p: 0.9,
    prompt_cache_key: "k",
    reasoning_effort: "none",
    output_config: { effort: "huge" },
    response_format: { type: "json_object" },
    thinking: { type: "enabled", budget_tokens: 200_000 },
  };
}

/** What follows from the words of a refusal. */
function inferred(
  words: string,
  sent: JsonObject = body(),
  { status = 400, model = MODEL, code, param }: {
    status?: number;
    model?: string;
    code?: string;
    param?: string;
  } = {},
): {
  inference: Inference | undefined;
  adjustments: readonly Adjustment[];
  negotiator: Negotiator;
  next: Plan;
} {
  const list = catalog();
  const negotiator = new Negotiator();
  const route = routeOf(list, model, "chat");
  const planned = negotiator.plan(list, model, route);
  const plan = sent.messages === undefined && sent.input !== undefined
    ? { ...planned, dialect: "responses" as const }
    : planned;
  const inference = negotiator.infer(plan, { status, message: words, code, param }, sent);
  return {
    inference,
    adjustments: inference?.adjustments ?? [],
    negotiator,
    next: negotiator.plan(list, model, route),
  };
}

const drop = (path: string): Adjustment => ({ type: "drop", path });
const dropOnce = (path: string): Adjustment => ({ type: "drop", path, once: true });

/** The words of a row of the table → what must be inferred, from another body where it needs one. */
const ROWS: Readonly<Record<string, readonly [Adjustment, JsonObject?]>> = {
  "Function tools with": [{ type: "surface", surface: "openai" }],
  "Model databricks-gpt-5-5-pro only": [{ type: "surface", surface: "openai" }],
  "Responses API passthrough": [{ type: "surface", surface: "mlflow" }],
  "Model name databricks-glm-5-2": [{ type: "surface", surface: "openai" }],
  "'databricks-gpt-5-6-sol' is no longer": [{ type: "name", name: "system.ai.gpt-5" }],
  "Bad request: Missing required Chat": [{ type: "dialect", dialect: "chat" }, { input: "x" }],
  "Missing required parameter: 'input'": [{ type: "dialect", dialect: "responses" }],
  "Multiple tool calls": [{ type: "one-call" }],
  "INVALID_PARAMETER_VALUE: Structured": [{ type: "instruct" }],
  "input length and": [{ type: "cap", tokens: 9520, once: true }],
  "This model's maximum context": [{ type: "cap", tokens: 8000, once: true }],
  "`max_tokens` must be greater": [{ type: "budget", once: true }],
  "thinking.enabled.budget_tokens": [{ type: "budget", once: true }],
  '"thinking.type.enabled"': [{ type: "adaptive" }],
  "adaptive thinking is not": [{ type: "budgeted" }, {
    messages: [],
    thinking: { type: "adaptive" },
  }],
  "messages.1.content.0.type: Expected": [{ type: "reasoning", off: true, once: true }],
  "Item with id": [
    { type: "reasoning", off: false, once: true },
    { input: [{ type: "reasoning", encrypted_content: "x" }, { role: "user", content: "u" }] },
  ],
  "`temperature` and `top_p`": [dropOnce("top_p")],
  "Bad request: messages[0].role: unknown": [{ type: "role", from: "developer", to: "system" }],
  'messages: Unexpected role "system"': [{ type: "role", from: "system", to: "user" }, {
    messages: [{ role: "user", content: "u" }, { role: "system", content: "s" }],
  }],
  "invalid beta flag": [{ type: "header", name: "anthropic-beta" }],
  "This model does not support assistant": [{ type: "continue" }],
  "messages: final assistant": [{ type: "trim" }],
  'Invalid JSON schema - the "pattern"': [{ type: "keyword", keyword: "pattern" }],
  "Unable to submit": [{ type: "types" }],
  "max_tokens: 100000 >": [{ type: "cap", tokens: 64_000 }],
  "max_tokens is too large": [{ type: "cap", tokens: 16_384 }],
  "Invalid 'max_output_tokens'": [
    { type: "floor", tokens: 16, once: true },
    { input: "x", max_output_tokens: 5 },
  ],
  "Function calling supports": [{ type: "tools", most: 32 }],
  "Invalid JSON schema - an object": [{ type: "keys", most: 16 }],
  "The given endpoint": [{ type: "surface", surface: "openai" }],
};

Deno.test("REFUSALS: the words that were seen mean what they should, row by row", () => {
  for (const { seen, status } of REFUSALS) {
    const key = Object.keys(ROWS).find((words) => seen.startsWith(words));
    assert(key, `no expectation for "${seen}"`);
    const [expected, sent] = ROWS[key];
    assertEquals(inferred(seen, sent, { status }).adjustments, [expected], seen);
  }
});

/** Words about one field → what goes. */
const WORDS: readonly (readonly [words: string, path: string])[] = [
  [
    "BAD_REQUEST: Model us.anthropic.claude-opus-5 does not support the temperature parameter.",
    "temperature",
  ],
  ['Bad request: json: unknown field "seed"', "seed"],
  ["unknown field `seed`, expected one of `model`, `messages`, `temperature`, `top_p`", "seed"],
  ['Unsupported parameter: "stop" is not supported with this model.', "stop"],
  ["prompt_cache_key: Extra inputs are not permitted", "prompt_cache_key"],
  ["The parameter seed is not recognized by this model.", "seed"],
  ["seed isn't supported by this model", "seed"],
  ["Unexpected keyword argument 'seed'", "seed"],
  ["Request contains an extra property: seed.", "seed"],
  ["Additional properties are not allowed ('seed' was unexpected)", "seed"],
  ['Invalid JSON payload received. Unknown name "seed": Cannot find field.', "seed"],
  ["This model doesn't accept prompt_cache_key", "prompt_cache_key"],
  ["unsupported_parameter: seed", "seed"],
  ["There is no such parameter: seed", "seed"],
  ["Please remove the 'seed' field and try again.", "seed"],
  ["Parameter `seed` must not be set for this model.", "seed"],
  ["You cannot specify `seed` for this model", "seed"],
  ["$.seed: unrecognized key", "seed"],
  ["/seed is an unknown property", "seed"],
  ["body.seed: extra fields not permitted", "seed"],
  [
    "1 validation error for Request\nseed\n  Extra inputs are not permitted [type=extra_forbidden, input_value=1, input_type=int]",
    "seed",
  ],
  ["The following fields are not permitted:\n- seed", "seed"],
  ["tools.0.function.strict: Extra inputs are not permitted", "tools[].function.strict"],
  ["tools.0.custom.strict: Extra inputs are not permitted", "tools[].function.strict"],
  ['unknown field "strict"', "tools[].function.strict"],
  [
    "system.0.cache_control.ephemeral.scope: Extra inputs are not permitted",
    "messages[].content[].cache_control.scope",
  ],
  [
    "messages.1.content.0.text.cache_control: Extra inputs are not permitted",
    "messages[].content[].cache_control",
  ],
  [
    "messages.1.content.0.cache_control.ephemeral is not supported",
    "messages[].content[].cache_control",
  ],
  [
    "Unknown parameter: 'messages[1].content[0].cache_control'.",
    "messages[].content[].cache_control",
  ],
  ["output_config.effort is not supported on this model", "output_config.effort"],
];

for (const [words, path] of WORDS) {
  Deno.test(`infer() reads: ${JSON.stringify(words.slice(0, 90))}`, () => {
    const { adjustments, next } = inferred(words);
    assertEquals(adjustments, [drop(path)]);
    assertEquals(next.adjustments, [drop(path)], "and remembers it");
  });
}

/** Ways of saying that `seed` isn't taken. */
const SAYINGS: readonly string[] = [
  "seed: unknown",
  "seed - not supported",
  "'seed' unsupported",
  "param seed unsupported",
  "Unsupported request field seed",
  "Unsupported param(s): seed",
  "Unsupported: seed",
  "extra_forbidden: seed",
  "Extra field seed",
  "Extra fields not allowed: seed",
  "model gpt-5 doesn't know parameter seed",
  "databricks-m does not take seed",
  "Disallowed property: seed",
  "The property 'seed' is not allowed in this request",
  "Not allowed: seed",
  "seed is not a valid parameter",
  "seed is not a recognized parameter for this model",
  "invalid field: seed",
  "Invalid argument 'seed'",
  "the 'seed' property is unrecognized",
  "Unrecognized key(s) in object: 'seed'",
  'Unrecognized key: "seed"',
  "request body must NOT have additional properties: 'seed'",
  "no field named seed",
  "Unknown argument `seed`. Available options are listed in the docs",
  "cannot set seed for this model",
  "seed: not implemented",
  "UNSUPPORTED_FIELD seed",
  "Object has extra key seed",
  "Did not expect field seed",
  "unexpected field: seed",
  "seed: Unexpected property",
  "seed: Unevaluated properties are not allowed",
  "parameter_not_supported: seed",
  "ValidationException: Malformed input request: #: extraneous key [seed] is not permitted, please reformat your input and try again.",
  "#/seed: extraneous key is not permitted",
  "Unknown request parameter: seed",
  "The requested feature 'seed' is not available",
  "litellm.UnsupportedParamsError: databricks does not support parameters: ['seed'], for model=databricks-m.",
  "Setting `seed` is not possible",
  "The use of seed is not supported",
  "Using 'seed' is not permitted",
  "Sorry, seed isn't available for this model.",
  "Support for 'seed' is not enabled",
  'parameter "seed" has no effect and is not accepted',
  "This model rejects the parameter seed.",
  "Seed is not supported.",
  "Argument not supported on this model: seed",
  "Unknown key in request: seed",
  "unknown field: seed",
  "The server does not recognise seed",
  "Bad parameter: seed",
  "seed cannot be used with this model",
  "seed is unknown to this endpoint",
  "Unsupported OpenAI parameter seed",
  "[seed] is not supported",
  "<seed> is not supported",
  "Request has unsupported parameter(s) {'seed'}",
  "parameter 'seed' is invalid for this model",
  "you must omit seed",
  "Field seed does not exist",
  "There's no parameter called 'seed'.",
  "'seed' is not one of the supported parameters",
  '"seed" is not among the allowed fields',
  "seed is not defined in the schema",
  "Schema has no property seed",
  "Unsupported parameter 'seed' (type=integer)",
  "json: unknown field seed",
  "Cannot process parameter seed",
  "unknown parameter seed, expected model, messages or temperature",
  "seed not allowed here",
  "parameters.seed is not supported",
  "generation_config.seed: unknown field",
  "ChatCompletionRequest.seed: unknown field",
  "Unknown field 'seed' in ChatCompletionRequest, known fields: temperature, top_p, stop",
];

Deno.test("infer() reads any way of saying that a field isn't taken", () => {
  for (const words of SAYINGS) assertEquals(inferred(words).adjustments, [drop("seed")], words);
});

Deno.test("infer() takes all that one refusal names, and nothing that it only mentions", () => {
  const lists = [
    "Unknown parameters: 'seed', 'stop'",
    "Unrecognized request arguments supplied: seed and stop",
    "The parameters seed, stop are not supported. Supported parameters are: temperature, top_p.",
    "seed: Extra inputs are not permitted; stop: Extra inputs are not permitted",
    "Unsupported keys [seed, stop]; use temperature instead",
    "This model does not support seed or stop when temperature is set.",
    "Not permitted:\n * seed\n * stop",
  ];
  for (const words of lists) {
    assertEquals(inferred(words).adjustments, [drop("seed"), drop("stop")], words);
  }
});

Deno.test("infer() takes what is refused beside another field for this request only", () => {
  const sayings: readonly string[] = [
    "`temperature` is not supported when `thinking` is enabled",
    "Parameter 'temperature' is not allowed together with 'thinking'.",
    "temperature is not supported with `reasoning_effort`",
  ];
  for (const words of sayings) {
    const { adjustments, next } = inferred(words);
    assertEquals(adjustments, [dropOnce("temperature")], words);
    assertEquals(next.adjustments, []);
  }
});

Deno.test("infer() reads a refusal whose own fields say what the words don't", () => {
  const hints = { code: "unsupported_parameter", param: "seed" };
  assertEquals(inferred("This can't be used.", body(), hints).adjustments, [drop("seed")]);
  assertEquals(inferred("Parameter 'seed'.", body(), { code: "unknown_parameter" }).adjustments, [
    drop("seed"),
  ]);
});

Deno.test("infer() renames what goes by another name", () => {
  const renames: readonly string[] = [
    "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
    "`max_tokens` is deprecated, please use `max_completion_tokens`.",
  ];
  const rename: Adjustment = { type: "rename", path: "max_tokens", to: "max_completion_tokens" };
  for (const words of renames) assertEquals(inferred(words).adjustments, [rename], words);
  const moved =
    "Unsupported parameter: 'reasoning_effort'. In the Responses API, this parameter has moved to 'reasoning.effort'.";
  const { adjustments } = inferred(moved, { input: "x", reasoning_effort: "low" });
  assertEquals(adjustments, [{ type: "rename", path: "reasoning_effort", to: "reasoning.effort" }]);
});

/** Words about a value → what is done for this one request. */
const VALUES: readonly (readonly [words: string, adjustments: readonly Adjustment[]])[] = [
  ["temperature: Input should be less than or equal to 1", [dropOnce("temperature")]],
  [
    "Unsupported value: 'temperature' does not support 0.2 with this model. Only the default (1) value is supported.",
    [dropOnce("temperature")],
  ],
  ["`temperature` may only be set to 1 when `thinking` is enabled", [dropOnce("temperature")]],
  [
    "BAD_REQUEST: Unsupported value: 'none' is not supported with the 'gpt-5' model. Supported values are: 'minimal', 'low', 'medium', and 'high'.",
    [dropOnce("reasoning_effort")],
  ],
  ["output_config.effort: Input should be 'low', 'medium', 'high' or 'max'", [
    dropOnce("output_config.effort"),
  ]],
  ["messages.1.content.0.cache_control.ttl: Input should be '5m' or '1h'", []],
  ["tools.0.function.parameters: Input should be a valid dictionary", []],
  ["messages.1.content: Input should be a valid string", []],
  ["temperature must be <= 1", [dropOnce("temperature")]],
  ["Temperature can only be 1 when thinking is enabled", [dropOnce("temperature")]],
  [
    "Invalid 'temperature': decimal above maximum value. Expected a value <= 1, but got 1.5 instead.",
    [dropOnce("temperature")],
  ],
  ["stop: Input should be a valid list", []],
  ["thinking.budget_tokens: Input should be a valid integer", []],
  ["tools.0.function.name: string too long, at most 64 characters", []],
  ["max_tokens: Field required", []],
];

Deno.test("infer() repairs a value for one request, remembers nothing, and never mutilates what is needed", () => {
  for (const [words, expected] of VALUES) {
    const { adjustments, next, negotiator } = inferred(words);
    assertEquals(adjustments, expected, words);
    assertEquals(next.adjustments, [], words);
    assertEquals(negotiator.known.size, 0, words);
  }
});

/** Bodies of other dialects. */
const RESPONSES: JsonObject = {
  model: MODEL,
  input: [
    {
      type: "message",
      id: "msg_" + "x".repeat(100),
      role: "user",
      status: "completed",
      content: [{ type: "input_text", text: "u" }],
    },
    { type: "function_call", call_id: "c", name: "f", arguments: "{}" },
  ],
  tools: [{
    type: "function",
    name: "f",
    strict: false,
    parameters: { type: "object", properties: {}, $schema: "x" },
  }],
  text: { format: { type: "json_object" }, verbosity: "low" },
  reasoning: { effort: "low", summary: "auto" },
};
const MESSAGES: JsonObject = {
  model: MODEL,
  max_tokens: 9000,
  system: [{ type: "text", text: "s", cache_control: { type: "ephemeral", scope: "x" } }],
  messages: [{ role: "user", content: [{ type: "text", text: "u" }] }, {
    role: "assistant",
    content: [{
      type: "tool_use",
      id: "t",
      name: "f",
      input: { seed: 1 },
      caller: { type: "direct" },
    }],
  }],
  tools: [{
    name: "f",
    eager_input_streaming: true,
    defer_loading: true,
    input_schema: { type: "object", properties: {} },
  }],
  thinking: { type: "adaptive", display: "omitted" },
  output_config: { effort: "low", format: { type: "json_schema", schema: {} } },
};
const GEMINI: JsonObject = {
  contents: [{ role: "user", parts: [{ text: "u" }] }],
  generationConfig: { temperature: 1, thinkingConfig: { includeThoughts: true } },
  tools: [{ functionDeclarations: [{ name: "f", parameters: { type: "object", $schema: "x" } }] }],
};

const DIALECTS:
  readonly (readonly [words: string, sent: JsonObject, adjustments: readonly Adjustment[]])[] = [
    [
      "Invalid 'input[0].id': string too long. Expected a string with maximum length 64, but got a string with length 104 instead.",
      RESPONSES,
      [dropOnce("input[].id")],
    ],
    ["Unknown parameter: 'input[0].status'.", RESPONSES, [drop("input[].status")]],
    ["Unknown parameter: 'input[1].call_id'.", RESPONSES, []],
    ["Unsupported parameter: 'text.format'", RESPONSES, [{ type: "instruct" }]],
    ["Unsupported parameter: 'reasoning.summary' is not supported with this model.", RESPONSES, [
      drop("reasoning.summary"),
    ]],
    ["tools.0.strict: Extra inputs are not permitted", RESPONSES, [drop("tools[].strict")]],
    ["tools.0.custom.eager_input_streaming: Extra inputs are not permitted", MESSAGES, [
      drop("tools[].eager_input_streaming"),
    ]],
    ["system.0.cache_control.ephemeral.scope: Extra inputs are not permitted", MESSAGES, [
      drop("system[].cache_control.scope"),
    ]],
    ["messages.1.content.0.tool_use.caller: Extra inputs are not permitted", MESSAGES, [
      drop("messages[].content[].caller"),
    ]],
    ["thinking.adaptive.display: Extra inputs are not permitted", MESSAGES, [
      drop("thinking.display"),
    ]],
    ["output_config.format: Extra inputs are not permitted", MESSAGES, [{ type: "instruct" }]],
    ["messages.1.content.0.tool_use.input: Extra inputs are not permitted", MESSAGES, []],
    ["max_tokens: Extra inputs are not permitted", MESSAGES, []],
    ["unknown field `seed`", MESSAGES, []],
    [
      `Invalid JSON payload received. Unknown name "thinkingConfig" at 'generation_config': Cannot find field.`,
      GEMINI,
      [drop("generationConfig.thinkingConfig")],
    ],
    [
      `Invalid JSON payload received. Unknown name "$schema" at 'tools[0].function_declarations[0].parameters': Cannot find field.`,
      GEMINI,
      [{ type: "keyword", keyword: "$schema" }],
    ],
  ];

Deno.test("infer() reads refusals of bodies in every dialect", () => {
  for (const [words, sent, expected] of DIALECTS) {
    assertEquals(inferred(words, sent).adjustments, expected, words);
  }
});

Deno.test("infer() never gives up what carries the request or the conversation", () => {
  const sent = {
    ...body(),
    previous_response_id: "resp_1",
    conversation: "conv_1",
    prompt: { id: "p" },
    background: true,
    input: "x",
    instructions: "i",
    system: "s",
  };
  const vital = [
    "model",
    "messages",
    "input",
    "stream",
    "tools",
    "instructions",
    "system",
    "previous_response_id",
    "conversation",
    "prompt",
    "background",
    "messages[0].role",
    "messages.1.content",
    "messages[1].content[0].text",
    "messages[2].tool_calls",
    "messages[2].tool_calls[0].id",
    "messages[3].tool_call_id",
    "tools.0.function.name",
    "tools.0.function.parameters",
    "tools[0].type",
  ];
  for (const field of vital) {
    for (
      const words of [
        `Unsupported parameter: '${field}'`,
        `${field}: Extra inputs are not permitted`,
      ]
    ) {
      assertEquals(inferred(words, sent).inference, undefined, words);
    }
  }
});

Deno.test("infer() reads the words in every shape in which they were seen", () => {
  for (const { id, status, body: words, teaches } of errorFixtures()) {
    if (teaches === undefined || id === "background") continue;
    const text = typeof words === "string" ? words : JSON.stringify(words);
    const refusal = gatewayError(status, text);
    const sent = id === "schema-keyword"
      ? { tools: [{ function: { parameters: { anyOf: [{}] } } }] }
      : body();
    const { inference } = inferred(refusal.message, sent, { status });
    assert(inference !== undefined, `${id} teaches ${teaches}`);
  }
});

Deno.test("infer() infers nothing from what names no field of the body", () => {
  const nothing = [
    "Invalid Token",
    "messages: text content blocks must be non-empty",
    "",
    'unknown field "not_in_the_body"',
    "Unsupported parameter: 'constructor'",
    "Unsupported parameter: '__proto__'. Use 'x' instead",
    "An internal error occurred [TraceId: 00-5a1e-01]",
    "Request blocked by input guardrail 'stop'",
    "The model is overloaded, please try again",
    "no such user [fd-bridge: unknown parameter 'seed']",
    "System messages are not supported",
    "Tool use is not supported by this model.",
  ];
  for (const words of nothing) assertEquals(inferred(words).adjustments, [], words);
  for (const status of [401, 403, 413, 429, 502, 503]) {
    assertEquals(inferred('unknown field "seed"', body(), { status }).adjustments, [], `${status}`);
  }
  for (const status of [400, 404, 422, 500, 501]) {
    assertEquals(inferred('unknown field "seed"', body(), { status }).adjustments, [drop("seed")]);
  }
});

Deno.test("infer() takes a field of a tool's schema for a keyword, and no property of that name", () => {
  const schema = {
    type: "object",
    title: "T",
    properties: { title: { type: "string", title: "x" } },
  };
  const tools = [{ type: "function", function: { name: "f", parameters: schema } }];
  const sayings = [
    'Bad request: json: unknown field "title"',
    "tools.0.function.parameters.properties.title.title: Extra inputs are not permitted",
    "tools.0.custom.input_schema: the keyword `title` is not permitted",
  ];
  for (const words of sayings) {
    const { adjustments, next } = inferred(words, { tools });
    assertEquals(adjustments, [{ type: "keyword", keyword: "title" }], words);
    const clean = applyAdjustments({ tools }, next).tools as typeof tools;
    assertEquals(clean[0].function.parameters, {
      type: "object",
      properties: { title: { type: "string" } },
    } as never);
  }
});

Deno.test("infer() lowers a maximum that is named, and remembers it where it is the model's", () => {
  const words: readonly (readonly [string, number, boolean])[] = [
    ["max_tokens must be less than or equal to 8192", 8192, true],
    ["max_tokens (100000) cannot exceed 25,000", 25_000, true],
    [
      "The maximum number of output tokens is exceeded: this model supports at most 4096 output tokens",
      4096,
      true,
    ],
    [
      "input length and `max_tokens` exceed context limit: 150000 + 100000 > 200000, decrease",
      50_000,
      false,
    ],
  ];
  for (const [message, tokens, kept] of words) {
    const { inference, next } = inferred(message);
    const plan = inference!.plan;
    assertEquals(
      applyAdjustments({ model: MODEL, max_tokens: 100_000 }, plan).max_tokens,
      tokens,
      message,
    );
    assertEquals(next.adjustments.length, kept ? 1 : 0, message);
  }
  assertEquals(inferred("exceed context limit: 199990 + 100000 > 200000").inference, undefined);
  assertEquals(inferred("exceed context limit: 210000 + 100 > 200000").inference, undefined);
});

Deno.test("infer() leaves useless reasoning out, in any dialect, and turns Claude's thinking off", () => {
  const thought = { type: "thinking", thinking: "t", signature: "s" };
  const bodies: JsonObject[] = [
    body(),
    { input: [{ type: "reasoning", encrypted_content: "x" }, { role: "user", content: "u" }] },
    {
      messages: [{ role: "assistant", content: [thought, { type: "text", text: "x" }] }],
      thinking: { type: "adaptive" },
    },
  ];
  for (const sent of bodies) {
    for (
      const [message, code] of [
        ["messages.1.content.0: Invalid `signature` in `thinking` block"],
        ["The encrypted content gAAA...ZW5j could not be verified.", "invalid_encrypted_content"],
        ["Item with id 'rs_0123' not found. Items are not persisted."],
      ]
    ) {
      const { inference, next } = inferred(message, sent, { code });
      const clean = JSON.stringify(applyAdjustments(sent, inference!.plan));
      assert(!/signature|encrypted_content|"thinking"/.test(clean), clean);
      assertEquals(next.adjustments, []);
    }
  }
});

Deno.test("infer() learns a thing once: the same refusal again is the answer", () => {
  const { negotiator, next } = inferred('unknown field "seed"');
  const again = { status: 400, message: 'unknown field "seed"' };
  assertEquals(negotiator.infer(next, again, body()), undefined);
  assertEquals(negotiator.known.get(MODEL), ["send no seed"]);
});

Deno.test("infer() sends one request again five times at most", () => {
  const list = catalog();
  const negotiator = new Negotiator();
  const route = routeOf(list, MODEL, "chat");
  let plan = negotiator.plan(list, MODEL, route);
  const sent: JsonObject = { model: MODEL, messages: [] };
  for (let at = 0; at < 20; at++) sent[`field_${at}`] = 1;
  let rounds = 0;
  for (; rounds < 20; rounds++) {
    const refusal = { status: 400, message: `unknown field "field_${rounds}"` };
    const inference = negotiator.infer(plan, refusal, sent);
    if (inference === undefined) break;
    plan = inference.plan;
  }
  assertEquals(rounds, MAX_ROUNDS);
});

Deno.test("Negotiator keeps what it inferred for its model and its workspace only", () => {
  const list = catalog();
  const negotiator = new Negotiator();
  const planFor = (model: string, workspace?: string) =>
    negotiator.plan(list, model, routeOf(list, model, "chat"), { workspace });
  const refusal = { status: 400, message: 'unknown field "seed"' };
  assert(negotiator.infer(planFor(MODEL, "https://a"), refusal, { seed: 1 }));
  assertEquals(planFor(MODEL, "https://a").adjustments, [drop("seed")]);
  assertEquals(planFor(MODEL, "https://b").adjustments, []);
  for (const name of ["databricks-kimi-k3", "constructor", "__proto__"]) {
    assertEquals(planFor(name, "https://a").adjustments, []);
  }
});

Deno.test("Negotiator forgets after an hour, and tries again", () => {
  let clock = 1_000_000;
  const list = catalog();
  const negotiator = new Negotiator({ now: () => clock });
  const plan = () => negotiator.plan(list, "databricks-m", routeOf(list, "databricks-m", "chat"));
  assert(negotiator.infer(plan(), { status: 400, message: 'unknown field "seed"' }, { seed: 1 }));
  assert(negotiator.infer(plan(), { status: 404, message: "no such endpoint" }, {}));
  clock += LIFETIME - 1;
  assertEquals(plan().adjustments, [drop("seed")]);
  assertEquals(plan().route.surface, "openai");
  clock += 1;
  assertEquals(plan().adjustments, []);
  assertEquals(plan().route.surface, "mlflow");
  assertEquals(negotiator.known.size, 0);
});

/** A gateway of words: which place refuses with what. */
function exchangesOf(
  negotiator: Negotiator,
  list: Catalog,
  refusals: Readonly<Record<string, string>>,
  model = "databricks-m",
  status = 400,
): string[] {
  const places: string[] = [];
  let plan = negotiator.plan(list, model, routeOf(list, model, "chat"));
  for (;;) {
    const place = `${plan.route.surface} ${plan.dialect}`;
    places.push(place);
    const message = refusals[place];
    if (message === undefined) return [...places, "ok"];
    const sent = plan.dialect === "chat" ? { messages: [] } : { input: [] };
    const inference = negotiator.infer(plan, { status, message }, sent);
    if (inference === undefined) return places;
    plan = inference.plan;
  }
}

const TO_RESPONSES = "To use function tools, use /v1/responses";
const TO_CHAT = "Responses API passthrough is not supported for model databricks-m.";

Deno.test("infer() follows from surface to surface, and goes there at once the next time", () => {
  for (const status of [400, 500]) {
    const negotiator = new Negotiator();
    const refusals = { "mlflow chat": TO_RESPONSES };
    const way = ["mlflow chat", "openai responses", "ok"];
    assertEquals(exchangesOf(negotiator, catalog(), refusals, undefined, status), way);
    assertEquals(exchangesOf(negotiator, catalog(), refusals), way.slice(1));
  }
});

Deno.test("infer() tries the surfaces that may have a model, once each, and remembers those that haven't", () => {
  const words = {
    "cursor chat":
      "Model name databricks-gpt-7-nova is not supported for Cursor on Databricks at this time.",
    "openai responses":
      "INVALID_PARAMETER_VALUE: Native_api_type=OPENAI_RESPONSES is not supported for provider x",
  };
  const negotiator = new Negotiator();
  const way = ["cursor chat", "openai responses", "mlflow chat", "ok"];
  assertEquals(exchangesOf(negotiator, catalog(), words, "databricks-gpt-7-nova"), way);
  assertEquals(exchangesOf(negotiator, catalog(), words, "databricks-gpt-7-nova"), way.slice(2));
  const nowhere = { ...words, "mlflow chat": "The given endpoint does not exist" };
  for (const model of ["databricks-gpt-7-nova", "databricks-glm-5-2"]) {
    const other = new Negotiator();
    const all = exchangesOf(other, catalog(), nowhere, model, 404);
    assertEquals(all.length, model.includes("gpt") ? 3 : 2);
    assertEquals(
      exchangesOf(other, catalog(), nowhere, model, 404),
      all.slice(0, 1),
      "once an hour",
    );
  }
});

Deno.test("infer() goes from cursor over its other dialect to mlflow", () => {
  const negotiator = new Negotiator();
  const refusals = {
    "cursor chat": "Unsupported parameter: 'messages'",
    "cursor responses": TO_CHAT,
  };
  const model = "databricks-gpt-oss-120b";
  const way = ["cursor chat", "cursor responses", "mlflow chat", "ok"];
  assertEquals(exchangesOf(negotiator, catalog(), refusals, model), way);
  assertEquals(exchangesOf(negotiator, catalog(), refusals, model), way.slice(2));
});

Deno.test("infer() lets no two surfaces send a request to and fro, nor later ones astray", () => {
  const negotiator = new Negotiator();
  const both = { "mlflow chat": TO_RESPONSES, "openai responses": TO_CHAT };
  assertEquals(exchangesOf(negotiator, catalog(), both), ["mlflow chat", "openai responses"]);
  assertEquals(exchangesOf(negotiator, catalog(), both), ["mlflow chat"], "nothing is repeated");
  // The same model without tools: its own surface takes it.
  assertEquals(exchangesOf(negotiator, catalog(), { "openai responses": TO_CHAT }), [
    "mlflow chat",
    "ok",
  ]);
});

Deno.test("infer() tries a surface's other dialect where there is no openai surface, once", () => {
  const negotiator = new Negotiator();
  const list = catalog({ models: [], endpoints: { openai: null } });
  const refusals = {
    "mlflow chat": TO_RESPONSES,
    "mlflow responses": 'Bad request: json: unknown field "input"',
  };
  assertEquals(exchangesOf(negotiator, list, refusals), ["mlflow chat", "mlflow responses"]);
  assertEquals(exchangesOf(negotiator, list, refusals), ["mlflow chat"]);
});

Deno.test("refusalToShow() shows what the first surface said, where the others don't have the model", () => {
  const list = catalog();
  const negotiator = new Negotiator();
  const plan = negotiator.plan(list, "databricks-m", routeOf(list, "databricks-m", "chat"));
  const first = { status: 404, message: "no such model service" };
  const next = negotiator.infer(plan, first, {})!.plan;
  assertEquals(refusalToShow(next, { status: 400, message: TO_CHAT }), first);
  const other = { status: 400, message: "the prompt is too long" };
  assertEquals(refusalToShow(next, other), other);
  assertEquals(refusalToShow(plan, other), other);
});

Deno.test("plan() and infer() keep a request to the only dialect that it can be said in", () => {
  const list = catalog();
  const negotiator = new Negotiator();
  const route = routeOf(list, "databricks-grok-m", "responses");
  const planOnly = () => negotiator.plan(list, "databricks-grok-m", route, { only: "responses" });
  const refusal = { status: 400, message: TO_CHAT };
  assertEquals(negotiator.infer(planOnly(), refusal, { input: "x" }), undefined);
  const chat = negotiator.plan(list, "databricks-grok-m", route);
  assert(negotiator.infer(chat, refusal, { input: [] }) !== undefined);
  assertEquals(negotiator.plan(list, "databricks-grok-m", route).route.surface, "mlflow");
  assertEquals(planOnly().route.surface, "openai");
});

Deno.test("applyAdjustments() applies every adjustment, in any dialect, and never changes the body", () => {
  const route = {
    surface: "mlflow",
    path: "/mlflow/v1/chat/completions",
    dialect: "chat" as const,
  };
  const apply = (given: JsonObject, ...adjustments: Adjustment[]) => {
    const before = structuredClone(given);
    const plan: Plan = { model: "m", name: "m", route, dialect: "chat", adjustments, rounds: 0 };
    const after = applyAdjustments({ model: "m", ...given }, plan);
    assertEquals(given, before);
    const { model: _model, ...rest } = after;
    return rest;
  };
  assertEquals(apply({ a: { b: 1, c: 2 } }, drop("a.b")), { a: { c: 2 } });
  assertEquals(apply({ a: 1 }, { type: "rename", path: "a", to: "b" }), { b: 1 });
  assertEquals(apply({ a: 1, b: 2 }, { type: "rename", path: "a", to: "b" }), { b: 2 });
  assertEquals(apply({ a: 1 }, { type: "rename", path: "a", to: "b.c" }), { b: { c: 1 } });
  assertEquals(apply({ c: 1 }, { type: "rename", path: "constructor", to: "b" }), { c: 1 });
  assertEquals(apply({ tools: [1, 2, 3] }, { type: "tools", most: 2 }), { tools: [1, 2] });
  const caps = { max_tokens: 9, max_completion_tokens: 9, max_output_tokens: 3 };
  assertEquals(apply(caps, { type: "cap", tokens: 5 }), {
    max_tokens: 5,
    max_completion_tokens: 5,
    max_output_tokens: 3,
  });
  const thinking = { type: "enabled", budget_tokens: 8000 };
  const capped = apply({ max_tokens: 20_000, thinking }, { type: "cap", tokens: 5000 });
  assert((capped.thinking as typeof thinking).budget_tokens < 5000);
  assert(!("thinking" in apply({ max_tokens: 20_000, thinking }, { type: "cap", tokens: 500 })));
  const parameters = { properties: { a: { pattern: "x" }, b: {} }, required: ["b"] };
  for (
    const tool of [
      { type: "function", name: "f", parameters },
      { name: "f", input_schema: parameters },
      { functionDeclarations: [{ name: "f", parameters }] },
      { type: "function", function: { name: "f", parameters } },
    ]
  ) {
    const pruned = JSON.stringify(
      apply({ tools: [tool] }, { type: "keyword", keyword: "pattern" }),
    );
    assertEquals(pruned, JSON.stringify({ tools: [tool] }).replace('{"pattern":"x"}', "{}"));
  }
  const instructed = apply({ messages: [], response_format: { type: "json_object" } }, {
    type: "instruct",
  });
  assertEquals(Object.keys(instructed), ["messages"]);
  assertEquals((instructed.messages as unknown[]).length, 1);
  const format = { type: "json_schema", name: "n", schema: {} };
  const responses = apply({ input: "x", instructions: "i", text: { format } }, {
    type: "instruct",
  });
  assert(String(responses.instructions).startsWith("i\n\nAnswer with one JSON"));
  const messages = apply({ messages: [], system: "s", output_config: { format } }, {
    type: "instruct",
  });
  assert(String(messages.system).startsWith("s\n\nAnswer with one JSON"));
});

Deno.test("describeAdjustment() has words for every adjustment", () => {
  const adjustments = [...Object.values(ROWS).map(([adjustment]) => adjustment), drop("x")];
  const words = adjustments.map(describeAdjustment);
  assert(words.every((text) => text.length > 5 && !text.includes("undefined")), words.join("\n"));
  assertEquals(describeAdjustment(dropOnce("x")), "send no x (this request only)");
});

Deno.test("Negotiator bounds its memory, whatever refusals name", () => {
  const list = catalog();
  const negotiator = new Negotiator();
  for (let at = 0; at < 1500; at++) {
    const model = `databricks-m${at}`;
    const plan = negotiator.plan(list, model, routeOf(list, model, "chat"));
    negotiator.infer(plan, { status: 400, message: 'unknown field "seed"' }, { seed: 1 });
  }
  assertEquals(negotiator.known.size, 1000);
  const names = Array.from({ length: 5000 }, (_, at) => `field_${at}`);
  const sent = Object.fromEntries(names.map((name) => [name, 1]));
  const planned = () =>
    negotiator.plan(list, "databricks-x", routeOf(list, "databricks-x", "chat"));
  negotiator.infer(
    planned(),
    { status: 400, message: `Unknown fields: ${names.join(", ")}` },
    sent,
  );
  for (const name of names.slice(0, 500)) {
    negotiator.infer(planned(), { status: 400, message: `unknown field "${name}"` }, sent);
  }
  assertEquals(planned().adjustments.length, MAX_ADJUSTMENTS);
});

Deno.test("infer() repairs this request only where the refusal names the value that was sent", () => {
  const cases: readonly (readonly [words: string, field: string, value: unknown])[] = [
    ["reasoning_effort 'xhigh' is not supported by this model", "reasoning_effort", "xhigh"],
    ["service_tier 'flex' unknown", "service_tier", "flex"],
    [
      "tool_choice: function 'g' is unknown",
      "tool_choice",
      { type: "function", function: { name: "g" } },
    ],
  ];
  for (const [message, field, value] of cases) {
    const body = { model: "m", messages: [{ role: "user", content: "q" }], [field]: value };
    const [first] = inferAll({ status: 400, message }, { body, name: "m" });
    assertEquals(first, [{ type: "drop", path: field, once: true }], message);
  }
  const conditions: readonly (readonly [words: string, body: JsonObject, field: string])[] = [
    [
      "tool_choice is not supported when thinking is enabled",
      { tools: [], tool_choice: "required", thinking: { type: "enabled" } },
      "tool_choice",
    ],
    [
      "parallel_tool_calls is not allowed without tools",
      { parallel_tool_calls: false },
      "parallel_tool_calls",
    ],
    [
      "logprobs is not supported when streaming with reasoning",
      { stream: true, logprobs: true, reasoning_effort: "low" },
      "logprobs",
    ],
    ["'seed' is not permitted when using tools", { tools: [], seed: 1 }, "seed"],
    ["Your value for `temperature` isn't accepted.", { temperature: 1.7 }, "temperature"],
  ];
  for (const [message, fields, path] of conditions) {
    const body = { model: "m", messages: [{ role: "user", content: "q" }], ...fields };
    const [first] = inferAll({ status: 400, message }, { body, name: "m" });
    assertEquals(first, [{ type: "drop", path, once: true }], message);
  }
  const both = { model: "m", messages: [], temperature: 1.5, top_p: 0.5 };
  const message = "top_p and temperature cannot both be specified";
  const [reading] = inferAll({ status: 400, message }, { body: both, name: "m" });
  assert(reading.every((adjustment) => "once" in adjustment && adjustment.once), message);
});
