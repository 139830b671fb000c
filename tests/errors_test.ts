import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { ADVICE } from "../lib/gateway/advice.ts";
import { BridgeError, maskSecrets } from "../lib/errors.ts";
import { gatewayError, isErrorBody } from "../lib/gateway/errors.ts";
import type { JsonObject } from "../lib/json.ts";
import { errorFixtures } from "./helpers/fixtures.ts";

for (const { id, status, headers, body, includes } of errorFixtures()) {
  Deno.test(`gatewayError() makes one OpenAI error of ${id}`, () => {
    const text = typeof body === "string" ? body : JSON.stringify(body);
    const error = gatewayError(status, text, { headers: new Headers(headers) });
    assertEquals([error.kind, error.status], ["gateway", status]);
    const after = error.headers["retry-after"];
    if (status !== 429) assertEquals(after, headers?.["retry-after"]);
    else assert(Number(headers?.["retry-after"] ?? 2) <= Number(after), after);
    const parts = error.toBody().error as Record<string, string>;
    assertEquals(Object.keys(parts), ["message", "type", "param", "code"]);
    assertStringIncludes(parts.message, includes);
    assert(typeof parts.type === "string" && parts.type !== "");
    assert(parts.code === null || typeof parts.code === "string");
    assert(!/<\/?(html|body|h1|center)/i.test(parts.message), "HTML is never shown raw");
  });
}

const ADVISED: readonly (readonly [id: string, words: string])[] = [
  ["endpoint-disabled", "not enabled for your workspace"],
  ["invalid-token-text-403", "create a new one"],
  ["invalid-token-text-400", "create a new one"],
  ["invalid-token-json", "create a new one"],
  ["invalid-token-401", "create a new one"],
  ["ip-blocked", "IP access list"],
  ["rate-limit-qps", "limit on requests"],
  ["rate-limit-tokens", "input tokens a minute"],
  ["endpoint-not-found", "no such model"],
  ["unity-catalog", "Unity Catalog name"],
];

Deno.test("gatewayError() says what to do where that is known", () => {
  for (const [id, words] of ADVISED) {
    const { status, body } = errorFixtures().find((fixture) => fixture.id === id)!;
    const text = typeof body === "string" ? body : JSON.stringify(body);
    const { message } = gatewayError(status, text);
    assertStringIncludes(message, "[fd-bridge: ");
    assertStringIncludes(message, words);
    assert(!gatewayError(status, text, { advice: false }).message.includes("fd-bridge"));
  }
  for (const { advice } of ADVICE) assert(advice.endsWith("."), advice);
});

Deno.test("gatewayError() takes param, type and code from where they stand", () => {
  const error = gatewayError(400, {
    error: { message: "no", type: "t", param: "messages", code: "c" },
  });
  assertEquals([error.type, error.param, error.code], ["t", "messages", "c"]);
  const databricks = gatewayError(400, { error_code: "BAD", message: "no" });
  assertEquals([databricks.code, databricks.type], ["BAD", "invalid_request_error"]);
  assertEquals(gatewayError(429, { error: { message: "x" } }).type, "rate_limit_error");
  assertEquals(gatewayError(503, "").type, "server_error");
  const anthropic = { type: "error", error: { type: "overloaded_error", message: "busy" } };
  assertEquals(gatewayError(529, anthropic).type, "overloaded_error");
});

Deno.test("gatewayError() reads an error that is the text of another, or in a list", () => {
  const inner = JSON.stringify({ error: { message: "Field required", type: "t" } });
  const error = gatewayError(400, { error_code: "BAD", message: inner });
  assertEquals([error.message, error.type, error.code], ["Field required", "t", "BAD"]);
  assertEquals(gatewayError(400, '[{"error": {"message": "in a list"}}]').message, "in a list");
  const page = gatewayError(502, { message: "<html><title>Bad</title></html>" });
  assertStringIncludes(page.message, 'titled "Bad"');
  assertEquals(gatewayError(400, "<name> is no model").message, "<name> is no model");
});

Deno.test("gatewayError() keeps Retry-After, or makes it of the body's own", () => {
  assertEquals(
    gatewayError(429, { error: { message: "x", retry_after: 14.2 } }).headers["retry-after"],
    "15",
  );
  const headers = new Headers({ "retry-after": "3", "x-request-id": "r" });
  const error = gatewayError(429, { error: { message: "x", retry_after: 15 } }, { headers });
  assertEquals(error.headers, { "retry-after": "3", "x-request-id": "r" });
});

Deno.test("gatewayError() gives an error inside a 200 its own number, or 502", () => {
  assertEquals(gatewayError(200, { error: { message: "x", code: 429 } }).status, 429);
  for (const code of [undefined, "c", 5, 200, 700]) {
    assertEquals(gatewayError(200, { error: { message: "x", code } }).status, 502);
  }
});

Deno.test("BridgeError.toEvent() has a code that ForgeCode can read, and no choices", () => {
  for (
    const [code, expected] of [[429, 429], [-1, "-1"], [1e9, "1000000000"], [1.5, "1.5"], [
      "a",
      "a",
    ]]
  ) {
    const event = gatewayError(200, { error: { message: "x", code } }).toEvent();
    assertEquals(Object.keys(event), ["error"]);
    assertEquals(event.error.code, expected as never);
  }
});

Deno.test("isErrorBody() tells errors from answers", () => {
  const errors: JsonObject[] = [
    { error: {} },
    { error: "x" },
    { error: { message: "x" }, choices: [] },
    { error_code: 1, message: "x" },
    { type: "error", message: "x" },
    { message: "x" },
    { detail: [{ msg: "x" }] },
  ];
  for (const value of errors) assert(isErrorBody(value), JSON.stringify(value));
  const answers: JsonObject[] = [
    {},
    { choices: [], error: null },
    { choices: [], error: {} },
    { delta: {}, error: "" },
    { choices: [], error_code: 5 },
    { object: "response", message: "x" },
    { choices: [], message: "x" },
    { error: false },
    { usage: {} },
  ];
  for (const value of answers) assert(!isErrorBody(value), JSON.stringify(value));
});

Deno.test("maskSecrets() masks tokens of every known form, and those that it is told", () => {
  const cases: readonly (readonly [string, string])[] = [
    ["token dapi0123456789abcdef-2 is bad", "token *** is bad"],
    ["eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln", "***"],
    ["Authorization: Bearer abcd1234, x", "Authorization: Bearer ***, x"],
    ["bearer   abcd1234", "bearer   ***"],
    ["the bearer of news", "the bearer of news"],
    ["nothing here", "nothing here"],
  ];
  for (const [text, expected] of cases) assertEquals(maskSecrets(text), expected);
  assertEquals(maskSecrets("a~b~c a~b~c", ["a~b~c"]), "*** ***");
  assertEquals(maskSecrets("abc", ["abc"]), "abc", "what is so short is a word");
});

/** Secret → what must not be seen of it. */
const SECRET_FORMS: readonly (readonly [text: string, secret: string])[] = [
  ["client secret dose0123456789abcdef0123456789abcdef is wrong", "0123456789abcdef"],
  ["token_dapi0123456789abcdef", "0123456789"],
  ["payload eyJzdWIiOiJhZGEifQ alone", "zdWIiOiJhZGEifQ"],
  ["Authorization: Basic YWRhOnNlY3JldDE=", "YWRhOnNlY3JldDE"],
  ["key fdb-Zq7x-92mmAbC_1 is not known", "Zq7x-92"],
];

Deno.test("maskSecrets() masks OAuth secrets, parts of JWTs, Basic credentials and the bridge's keys", () => {
  for (const [text, secret] of SECRET_FORMS) {
    const masked = maskSecrets(text);
    assert(masked.includes("***") && !masked.includes(secret), masked);
  }
  for (const words of ["Basic authentication is off", "a basic instruction", "doses of data"]) {
    assertEquals(maskSecrets(words), words);
  }
});

/** Envelope → the innermost words and code. */
const ENVELOPES: readonly (readonly [body: unknown, message: string, code: unknown])[] = [
  [
    {
      external_model_provider: "p",
      external_model_error: { error_code: "B", message: '{"message":"in"}' },
    },
    "in",
    "B",
  ],
  [{ external_model_error: { error: { message: "in", code: "c" } }, error_code: "OUT" }, "in", "c"],
  [{ error_code: "B", message: '{"error":"{\\"message\\":\\"in\\"}"}' }, "in", "B"],
  [
    {
      error: {
        message: "Provider returned error",
        code: 400,
        metadata: { raw: '{"error":{"message":"in"}}' },
      },
    },
    "in",
    400,
  ],
  [[{ error: { code: 400, message: "in", status: "INVALID" } }], "in", 400],
  [
    { detail: [{ loc: ["body", "tools", 0, "strict"], msg: "no" }, { loc: ["seed"], msg: "no" }] },
    "tools.0.strict: no; seed: no",
    null,
  ],
  [{ detail: "in" }, "in", null],
  [{ detail: { error: "in" } }, "in", null],
  [{ errors: [{ message: "in" }, { message: "too" }] }, "in; too", null],
  ['BAD_REQUEST: {"message":"in"}', "in", null],
  ['Error code: 400 - {"type":"error","error":{"type":"t","message":"in"}}', "in", null],
  ['"in"', "in", null],
  ["in", "in", null],
  [
    { error_code: "B", message: 'the schema {"type":"object"} is odd' },
    'the schema {"type":"object"} is odd',
    "B",
  ],
];

Deno.test("gatewayError() shows the innermost words and code, whatever the envelope", () => {
  for (const [body, message, code] of ENVELOPES) {
    const error = gatewayError(400, typeof body === "string" ? body : JSON.stringify(body));
    assertEquals([error.message, error.code], [message, code as never], JSON.stringify(body));
  }
  assert(isErrorBody({ external_model_provider: "p", external_model_error: {} }));
});

/** Refusal → words of the advice. */
const NEW_ADVICE: readonly (readonly [status: number, message: string, words: string])[] = [
  [400, "Request blocked by input guardrail 'pii'", "rephrase"],
  [400, "Output guardrail 'safety' failed to evaluate the response", "stream: false"],
  [404, "FEATURE_DISABLED: AI Gateway", "not enabled in this workspace"],
  [403, "Invalid access to Org: 4401770000123", "another workspace"],
  [413, "Request size cannot exceed 4194304 bytes", "4 MB"],
  [403, "The usage budget of this endpoint is exhausted", "budget"],
  [400, "prompt is too long: 210000 tokens > 200000 maximum", "compact"],
  [400, "input length and `max_tokens` exceed context limit: 1 + 2 > 2", "compact"],
  [400, "Unsupported parameter: 'previous_response_id'", "whole conversation"],
  [400, "Unknown parameter: 'conversation'.", "whole conversation"],
  [400, "Unsupported parameter: 'background' is not supported.", "stream: true"],
  [400, "Unknown parameter: 'prompt'.", "instructions"],
  [429, "Too many tokens, please wait", "rate limit"],
];

Deno.test("gatewayError() has advice for guardrails, budgets, workspaces, and what is too long", () => {
  for (const [status, message, words] of NEW_ADVICE) {
    assertStringIncludes(gatewayError(status, message).message, words, message);
  }
  assert(!gatewayError(400, "the conversation must end with a user message").message.includes("["));
});

Deno.test("gatewayError() names ForgeCode's login to ForgeCode alone", () => {
  const says = (client?: string) => gatewayError(401, "", { client }).message;
  assertStringIncludes(says("Forge"), "forge provider login");
  assertStringIncludes(says("forge/2.13.21 (linux)"), "forge provider login");
  for (const client of [undefined, "OpenAI/JS 7.57.0", "claude-cli/2.1", "sourceforge-bot"]) {
    assert(!/forge provider/i.test(says(client)), client);
    assertStringIncludes(says(client), "API key");
  }
});

Deno.test("gatewayError() says that a repeat can't help, and when one can", () => {
  const headers = (status: number, body: string) => gatewayError(status, body).headers;
  for (const status of [400, 401, 403, 404, 413, 422]) {
    assertEquals(headers(status, "no")["x-should-retry"], "false", `${status}`);
  }
  for (const status of [429, 500, 502, 503, 504]) {
    assertEquals(headers(status, "no")["x-should-retry"], undefined, `${status}`);
  }
  assertEquals(headers(429, "budget exhausted"), { "x-should-retry": "false" });
  assertEquals(headers(200, '{"error":{"message":"broke"}}')["x-should-retry"], "false");
  assertEquals(headers(200, '{"error":{"message":"busy","code":503}}'), {});
  assert(Number(headers(429, "slow down")["retry-after"]) > 0);
  assertEquals(gatewayError(429, "slow down", { retryAfter: false }).headers, {});
  assertEquals(new BridgeError("interrupted", "x").headers, { "x-should-retry": "false" });
  assertEquals(new BridgeError("unreachable", "x").headers, {});
});

/** Texts that make careless patterns take quadratic time. */
const AWKWARD: readonly string[] = [
  "x" + " ".repeat(2 ** 20) + "x",
  "Bearer " + " ".repeat(2 ** 20),
  "Bearer".repeat(2 ** 17),
  "<title".repeat(2 ** 17),
  "<html>" + "<title>".repeat(2 ** 17),
  "eyJ".repeat(2 ** 18),
  "dapi".repeat(2 ** 18),
  '{"message": "' + "a.".repeat(2 ** 19) + '"}',
  "{".repeat(2 ** 20),
  "[".repeat(2 ** 20),
  "Basic ".repeat(2 ** 17),
  "Basic " + "a".repeat(2 ** 20),
  "token_".repeat(2 ** 17),
  '{"message":'.repeat(2 ** 10) + '"x"' + "}".repeat(2 ** 10),
];

Deno.test("gatewayError() is bounded in what it shows, and quick on a MiB of awkward text", () => {
  for (const text of AWKWARD) {
    const { message } = gatewayError(400, text, { secrets: ["opaque~secret"] });
    assert(message.length < 4500, `${message.length}`);
  }
});

Deno.test("gatewayError() shows no half of a secret where it cuts a message", () => {
  for (let at = 3950; at < 4010; at++) {
    const text = "w ".repeat(at / 2) + "dapi0123456789abcdef0123456789abcdef opaque~secret tail";
    const { message } = gatewayError(400, text, { secrets: ["opaque~secret"] });
    assert(!/dapi0|opaque/.test(message), message.slice(-60));
  }
});

Deno.test("gatewayError() survives errors that nest without end", () => {
  const deep = '{"error":'.repeat(50_000) + '"x"' + "}".repeat(50_000);
  assertEquals(gatewayError(400, deep).status, 400);
});

Deno.test("BridgeError gives each kind its status and OpenAI's shape", () => {
  const error = new BridgeError("request", "`x` is wrong.", { param: "x" });
  assertEquals([error.status, error.type, error.code], [400, "invalid_request_error", "request"]);
  assertEquals(error.toBody(), {
    error: { message: "`x` is wrong.", type: "invalid_request_error", param: "x", code: "request" },
  });
});

Deno.test("gatewayError() puts a suggestion behind its advice", () => {
  const body = '{"error_code":"ENDPOINT_NOT_FOUND","message":"The endpoint does not exist."}';
  const { message } = gatewayError(404, body, { suggestion: " Did you mean databricks-gpt-5?" });
  assert(message.endsWith("in models.json. Did you mean databricks-gpt-5?]"), message);
});

Deno.test("maskSecrets() masks what stands behind a secret's name, and passwords in addresses", () => {
  const cases: readonly (readonly [string, string])[] = [
    ["client_secret=hunter2hunter2 x", "client_secret=*** x"],
    ['refresh_token: "abcdefghijklmno"', 'refresh_token: "***"'],
    ['{"access_token":"opaque-value"}', '{"access_token":"***"}'],
    ["http://ada:pass@proxy:3128/", "http://ada:***@proxy:3128/"],
    ["max_tokens: 32000 is too many", "max_tokens: 32000 is too many"],
    ["http://127.0.0.1:8080/v1?a=b@c", "http://127.0.0.1:8080/v1?a=b@c"],
  ];
  for (const [text, expected] of cases) assertEquals(maskSecrets(text), expected);
});
