/**
 * `fd-bridge doctor` finds every fault that is planted here, and nothing where there is none.
 *
 * @module
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { Check } from "../lib/doctor/check.ts";
import { sessionOf } from "../lib/doctor/forge.ts";
import { readAnswer, type Stumble } from "../lib/doctor/reader.ts";
import { ProxyError } from "../lib/gateway/proxy_error.ts";
import { createSimulator, type SimulatorOptions } from "../lib/simulator/mod.ts";
import { runOn, type TestMachineOptions } from "./helpers/machine.ts";

const TOKEN = "Zq7-opaque~token~of~the~tests";
const GATEWAY = "https://1.7.ai-gateway.azuredatabricks.net";
const MODEL = "databricks-claude-sonnet-4-5";

/** ForgeCode as it should be. */
const FORGE: Record<string, string> = {
  "/usr/bin/forge": "",
  "/home/ada/.forge/.forge.toml":
    `"$schema" = "x"\n\n[session]\nprovider_id = "openai_compatible"\nmodel_id = "${MODEL}"\n\n[http]\nx = 1\n`,
  "/home/ada/.forge/.credentials.json": JSON.stringify([
    { id: "anthropic", auth_details: { api_key: "other" } },
    {
      id: "openai_compatible",
      auth_details: { api_key: TOKEN },
      url_params: { OPENAI_URL: "http://127.0.0.1:8080/v1/" },
    },
  ]),
};

/** A machine where all is well: gateway, token, one model, ForgeCode. */
function healthy(
  { simulator = {}, ...more }: TestMachineOptions & { simulator?: SimulatorOptions } = {},
): TestMachineOptions {
  const { handler } = createSimulator({ pace: 0, wait: () => Promise.resolve(), ...simulator });
  return {
    fetch: (request) => handler(request),
    ...more,
    env: {
      DATABRICKS_AI_GATEWAY_URL: GATEWAY,
      DATABRICKS_TOKEN: TOKEN,
      HOME: "/home/ada",
      PATH: "/usr/local/bin:/usr/bin",
      ...more.env,
    },
    files: { "./models.json": JSON.stringify({ models: [MODEL] }), ...FORGE, ...more.files },
  };
}

interface Found extends Check {
  readonly section: string;
}

async function examine(options: TestMachineOptions, args: readonly string[] = []) {
  const ran = await runOn(["doctor", "--json", ...args], options);
  const { ok, checks } = JSON.parse(ran.out()) as { ok: boolean; checks: Found[] };
  assertEquals(ran.code, ok ? 0 : 1);
  assert(!(ran.out() + ran.err()).includes(TOKEN), "the token is in the output");
  const get = (name: string) => checks.find((check) => check.name === name);
  return { ok, checks, get };
}

Deno.test("doctor finds nothing where all is well, and says what is", async () => {
  const { ok, checks } = await examine(healthy());
  assertEquals(checks.filter(({ status }) => status !== "ok"), []);
  assertEquals(ok, true);
  assertEquals(checks.map(({ section, name }) => `${section}: ${name}`), [
    "Settings: .env",
    "Settings: settings",
    "Settings: models",
    "Network: address",
    "Network: dns",
    "Network: tcp",
    "Network: tls",
    "Gateway: answer",
    "Gateway: token",
    `Models: ${MODEL}`,
    "This machine: port",
    "This machine: forge",
    "This machine: forge set",
    "This machine: forge url",
    "This machine: forge model",
  ]);
});

Deno.test("doctor writes a line a check, with a mark", async () => {
  const { out, code } = await runOn(["doctor"], healthy());
  assertEquals(code, 0);
  assertStringIncludes(
    out(),
    "\n  ✓ dns           1.7.ai-gateway.azuredatabricks.net is 192.0.2.1.\n",
  );
  assertStringIncludes(out(), `  ✓ ${MODEL}  mlflow, tool call; first byte `);
  assertStringIncludes(out(), "repaired: usage");
  assert(out().endsWith("\nAll is well.\n"));
});

const html = (status: number) => () =>
  new Response("<!doctype html><title>Sign in</title>", {
    status,
    headers: { "content-type": "text/html" },
  });
const json = (status: number, body: unknown) => () => Response.json(body, { status });
const refusedByProxy = {
  fetch: () => Promise.reject(new ProxyError("http://proxy.corp.example:3128", "no", 403)),
};
const fails = (words: string) => ({ fetch: () => Promise.reject(new TypeError(words)) });
const rejects = (words: string, name = "Error") => () =>
  Promise.reject(Object.assign(new Error(words), { name }));
const proxied = { HTTPS_PROXY: "http://proxy.corp.example:3128", NO_PROXY: "127.0.0.1" };
/** A gateway that is well, and whose models all do the same. */
function doing(scenario: string): TestMachineOptions {
  const plain = createSimulator({ pace: 0 }).handler;
  const odd = createSimulator({ pace: 0, wait: () => Promise.resolve(), scenario }).handler;
  return healthy({
    env: { FD_BRIDGE_RETRIES: "0" },
    async fetch(request) {
      const isForModel = (await request.clone().text()).includes('"model"');
      return await (isForModel ? odd : plain)(request);
    },
  });
}
const token = (DATABRICKS_TOKEN: string) => healthy({ env: { DATABRICKS_TOKEN } });
const env = (env: Record<string, string>) => healthy({ env });
const forge = (file: string, text: string) =>
  healthy({ files: { [`/home/ada/.forge/${file}`]: text } });
const session = (lines: string) => forge(".forge.toml", `[session]\n${lines}\n`);
const credentials = (entry: Record<string, unknown>) =>
  forge(".credentials.json", JSON.stringify([{ id: "openai_compatible", ...entry }]));

/** What is planted, on which machine, which check finds it, in which words, and with which remedy. */
const FAULTS: readonly [
  what: string,
  machine: TestMachineOptions,
  name: string,
  words: string,
  remedy: string,
][] = [
  [
    "a setting that can't be",
    env({ FD_BRIDGE_PORT: "http" }),
    "settings",
    'FD_BRIDGE_PORT is "http"',
    "fd-bridge config",
  ],
  [
    "a gateway without https",
    env({ DATABRICKS_AI_GATEWAY_URL: "http://x.example" }),
    "settings",
    "unencrypted",
    "Correct it",
  ],
  [
    "an address that is none",
    env({ DATABRICKS_AI_GATEWAY_URL: "gateway" }),
    "settings",
    "no URL",
    "Correct it",
  ],
  ["no address", env({ DATABRICKS_AI_GATEWAY_URL: "" }), "address", "is not set", ".env"],
  [
    "a broken models.json",
    healthy({ files: { "./models.json": '{"models": ["a", {}]}' } }),
    "models",
    "line 1, column 18: models[1].id: expected",
    "Correct the file",
  ],
  [
    "a models.json that is cut",
    healthy({ files: { "./models.json": '{"models": ["databricks-gpt-5"' } }),
    "models",
    "not JSON",
    "Correct the file",
  ],
  [
    "an empty models.json",
    healthy({ files: { "./models.json": '{"models": []}' } }),
    "models",
    "0 models",
    "models sync",
  ],
  [
    "a named list that isn't there",
    env({ FD_BRIDGE_MODELS: "/none.json" }),
    "models",
    "no such file",
    "Correct the file",
  ],

  [
    "an unknown host",
    healthy({ sockets: { lookup: rejects("ENOTFOUND") } }),
    "dns",
    "unknown here",
    "spelling",
  ],
  [
    "a closed port",
    healthy({ sockets: { connect: rejects("Connection refused (os error 111)") } }),
    "tcp",
    "Connection refused.",
    "firewall",
  ],
  [
    "a port that is silent",
    healthy({ sockets: { connect: rejects("no connection within 10 s") } }),
    "tcp",
    "within 10 s",
    "VPN",
  ],
  [
    "a certificate that isn't trusted",
    healthy({ sockets: { connectTls: rejects("invalid peer certificate: UnknownIssuer") } }),
    "tls",
    "UnknownIssuer",
    "--ca-file",
  ],
  [
    "a certificate of another host",
    healthy({ sockets: { connectTls: rejects("invalid peer certificate: NotValidForName") } }),
    "tls",
    "NotValidForName",
    "another name",
  ],
  [
    "an expired certificate",
    healthy({ sockets: { connectTls: rejects("invalid peer certificate: Expired") } }),
    "tls",
    "Expired",
    "clock",
  ],
  [
    "a port without TLS",
    healthy({ sockets: { connectTls: rejects("received corrupt message") } }),
    "tls",
    "corrupt",
    "https",
  ],
  [
    "a file of certificates that isn't there",
    env({ FD_BRIDGE_CA_FILE: "/none.pem" }),
    "ca-file",
    "no such file",
    "Name a file",
  ],
  [
    "a proxy with an unknown name",
    healthy({ env: proxied, sockets: { lookup: rejects("ENOTFOUND") } }),
    "dns",
    "of the proxy",
    "HTTPS_PROXY",
  ],
  [
    "a proxy that is down",
    healthy({ env: proxied, sockets: { connect: rejects("Connection refused") } }),
    "tcp",
    "proxy.corp.example",
    "HTTPS_PROXY",
  ],
  [
    "a proxy that lets nothing through",
    { ...env(proxied), ...refusedByProxy },
    "answer",
    "the proxy proxy.corp.example:3128 does not let it through (403)",
    "NO_PROXY",
  ],

  [
    "a web page",
    { ...healthy(), fetch: html(200) },
    "answer",
    "that is no gateway",
    "AI Gateway page",
  ],
  [
    "a web page for what is missing",
    { ...healthy(), fetch: html(404) },
    "answer",
    "that is no gateway",
    "AI Gateway page",
  ],
  [
    "a load balancer's page",
    { ...healthy(), fetch: html(502) },
    "answer",
    "a load balancer",
    "minute",
  ],
  [
    "a login",
    {
      ...healthy(),
      fetch: () =>
        new Response(null, { status: 302, headers: { location: "https://login.example/x" } }),
    },
    "answer",
    "points to login.example",
    "AI Gateway page",
  ],
  [
    "a workspace without a gateway",
    {
      ...healthy(),
      fetch: json(404, { error_code: "ENDPOINT_NOT_FOUND", message: "No API found" }),
    },
    "answer",
    "No API found",
    "AI Gateway page",
  ],
  [
    "a server that takes anything",
    { ...healthy(), fetch: json(200, {}) },
    "answer",
    "answers 200",
    "AI Gateway page",
  ],
  [
    "a gateway that is down",
    { ...healthy(), fetch: json(503, { message: "Unavailable" }) },
    "answer",
    "Unavailable",
    "minute",
  ],
  [
    "a connection that breaks",
    { ...healthy(), ...fails("connection reset") },
    "answer",
    "closed the connection",
    "",
  ],
  [
    "an IP access list",
    {
      ...healthy(),
      fetch: json(403, {
        error_code: 403,
        message: "Source IP address: 192.0.2.7 is blocked by Databricks IP ACL",
      }),
    },
    "answer",
    "192.0.2.7",
    "VPN",
  ],

  ["no token", env({ DATABRICKS_TOKEN: "" }), "token", "There is none", "DATABRICKS_TOKEN"],
  [
    "a bad token, told as text",
    token("bad-one-0123456"),
    "token",
    "Invalid Token",
    "Create a new one",
  ],
  [
    "a bad token, told as 400",
    token("bad-400-0123456"),
    "token",
    "Invalid Token",
    "Create a new one",
  ],
  [
    "a bad token, told as JSON",
    token("bad-json-012345"),
    "token",
    "Invalid access token",
    "Create a new one",
  ],
  ["a bad token, told as 401", token("bad-401-0123456"), "token", "not valid", "Create a new one"],
  ["an expired token", token("expired-0123456"), "token", "expired", "Create a new one"],
  ["a token that is locked out", token("blocked-0123456"), "token", "IP ACL", "VPN"],
  [
    "a token with a line end in it",
    token("dapi0123\n456789"),
    "token",
    "characters that no token has",
    "Copy it again",
  ],

  [
    "a model that is not enabled",
    healthy({ simulator: { notEnabled: [MODEL.replace("databricks-", "")] } }),
    MODEL,
    "rate limit of 0",
    "ask a workspace admin",
  ],
  [
    "a model that isn't there",
    healthy({ simulator: { models: ["gpt-5"] } }),
    MODEL,
    "404",
    "compare the name",
  ],
  ["a model at its limit", doing("429"), MODEL, "429", "wait"],
  ["a model that is down", doing("503"), MODEL, "503", ""],
  ["a model behind a page", doing("html"), MODEL, "HTML page", ""],
  ["a stream that is cut", doing("abrupt"), MODEL, "an error in the stream", "Try again"],
  ["a stream that breaks", doing("reset"), MODEL, "an error in the stream", "Try again"],
  ["a stream with an error in it", doing("error-midstream"), MODEL, "an error in the stream", ""],
  ["an empty stream", doing("empty"), MODEL, "", "Try again"],
  ["a filtered answer", doing("content-filter, text"), MODEL, "filtered", "another model"],
  [
    "an answer that is cut by its length",
    doing("length, text"),
    MODEL,
    "used up 1000 tokens",
    "real use",
  ],

  [
    "a port that another program has",
    healthy({
      sockets: {
        listen: () => {
          throw new Deno.errors.AddrInUse("in use");
        },
      },
    }),
    "port",
    "another program",
    "--port",
  ],
  [
    "an address of another machine",
    healthy({
      sockets: {
        listen: () => {
          throw new Deno.errors.AddrNotAvailable("x");
        },
      },
    }),
    "port",
    "can't listen",
    "--host",
  ],
  [
    "a port that one may not have",
    healthy({
      sockets: {
        listen: () => {
          throw new Deno.errors.PermissionDenied("x");
        },
      },
    }),
    "port",
    "can't listen",
    "1024",
  ],

  [
    "ForgeCode without a provider",
    forge(".forge.toml", ""),
    "forge set",
    "no provider",
    "forge provider login",
  ],
  [
    "ForgeCode with another provider",
    session('provider_id = "anthropic"\nmodel_id = "x"'),
    "forge set",
    "anthropic",
    "forge config set model",
  ],
  [
    "ForgeCode without a login",
    forge(".credentials.json", "[]"),
    "forge url",
    "no address",
    "http://127.0.0.1:8080",
  ],
  [
    "ForgeCode with unreadable credentials",
    forge(".credentials.json", "{"),
    "forge url",
    "no address",
    "forge provider login",
  ],
  [
    "ForgeCode at another port",
    credentials({
      auth_details: { api_key: "k" },
      url_params: { OPENAI_URL: "http://localhost:9090" },
    }),
    "forge url",
    "asks http://localhost:9090",
    "--port",
  ],
  [
    "ForgeCode at the gateway itself",
    credentials({ auth_details: { api_key: "k" }, url_params: { OPENAI_URL: GATEWAY } }),
    "forge url",
    "ai-gateway",
    "bridge's address",
  ],
  [
    "ForgeCode without a key",
    credentials({
      auth_details: { api_key: " " },
      url_params: { OPENAI_URL: "http://localhost:8080" },
    }),
    "forge url",
    "no API key",
    "again",
  ],
  [
    "ForgeCode without a model",
    session('provider_id = "openai_compatible"'),
    "forge model",
    "no model",
    MODEL,
  ],
  [
    "ForgeCode with an unknown model",
    session('provider_id = "openai_compatible"\nmodel_id = "gpt-4"'),
    "forge model",
    "gpt-4 is not in the list",
    MODEL,
  ],
  [
    "ForgeCode with a model that is gone",
    healthy({
      files: {
        "./models.json": JSON.stringify({
          models: [{ id: MODEL, gone: true }, "databricks-gpt-5"],
        }),
      },
    }),
    "forge model",
    "gone",
    "databricks-gpt-5",
  ],
  [
    "ForgeCode behind a proxy",
    env({ HTTP_PROXY: "http://proxy.corp.example:3128" }),
    "no_proxy",
    "A proxy is set",
    "NO_PROXY=127.0.0.1",
  ],
];

for (const [what, machine, name, words, remedy] of FAULTS) {
  Deno.test(`doctor finds ${what}`, async () => {
    const { ok, get, checks } = await examine(machine, ["--timeout", "5s"]);
    const check = get(name);
    assert(check, `no check ${name} among ${checks.map(({ name }) => name).join()}`);
    assert(check.status === "fail" || check.status === "warn", JSON.stringify(check));
    assertStringIncludes(check.detail, words);
    assertStringIncludes(check.remedy ?? "", remedy);
    assertEquals(ok, false);
    // One fault is one complaint: what lies behind it is not tried, what doesn't is well.
    const others = checks.filter(({ status }) => status === "fail" || status === "warn");
    assertEquals(others.map(({ name }) => name), [name]);
  });
}

Deno.test("doctor takes a model that never ends its answer for a fault", async () => {
  const { handler } = createSimulator({ pace: 0, scenario: "open" });
  const { get } = await examine({ ...healthy(), fetch: (request) => handler(request) }, [
    "--timeout",
    "300ms",
  ]);
  const check = get(MODEL)!;
  // A stream with its [DONE] is a whole answer, though its connection stays open.
  assertEquals(check.status, "ok");
  const silent = createSimulator({ pace: 0, scenario: "silent=60" }).handler;
  const late = await examine({ ...healthy(), fetch: (request) => silent(request) }, [
    "--timeout",
    "300ms",
  ]);
  assertEquals(late.get(MODEL)?.detail, "No whole answer within 0.3 s.");
});

Deno.test("doctor tells what the bridge had to learn, and what it repaired", async () => {
  const models = ["databricks-gpt-5-6-sol", "databricks-inkling", "databricks-gpt-5-4"];
  const { checks } = await examine(healthy({
    files: { "./models.json": JSON.stringify({ models: [MODEL, ...models] }) },
  }));
  const [sol, inkling, four] = models.map((id) =>
    checks.find(({ name }) => name === id)
  ) as unknown as {
    learned: string[];
    repaired: string[];
    surface: string;
    calledTool: boolean;
    tokens: { input: number; output: number };
    firstByteMs: number;
  }[];
  assertEquals(sol.learned, ["call it system.ai.gpt-5-6-sol", "speak the Responses API"]);
  assertEquals(sol.repaired, ["dialect"]);
  assertEquals(inkling.repaired, ["finish_reason"]);
  assertEquals(four.surface, "openai");
  assert(four.calledTool && four.tokens.input > 0 && four.firstByteMs >= 0);
});

Deno.test("doctor asks just the models that are named, also ones that aren't listed", async () => {
  const { checks } = await examine(healthy(), ["databricks-kimi-k3"]);
  const asked = checks.filter(({ section }) => section === "Models");
  assertEquals(asked.map(({ name }) => name), ["databricks-kimi-k3"]);
  assertStringIncludes(asked[0].detail, "not in the list");
});

const THREE = [
  "databricks-gpt-5",
  "databricks-gpt-5-1",
  "databricks-kimi-k3",
  "databricks-glm-5-2",
];
const three = { files: { "./models.json": JSON.stringify({ models: [MODEL, ...THREE] }) } };

Deno.test("doctor --quick asks the first model of each family", async () => {
  const { checks } = await examine(healthy(three), ["--quick"]);
  assertEquals(
    checks.filter(({ section }) => section === "Models").map(({ name }) => name),
    [MODEL, "databricks-gpt-5", "databricks-kimi-k3", "databricks-glm-5-2"],
  );
});

for (const [typed, count] of [["a\n", 5], ["f\n", 4], ["\n", 4], ["n\n", 0]] as const) {
  Deno.test(`doctor asks before it sends paid requests, and ${JSON.stringify(typed)} sends ${count}`, async () => {
    const ran = await runOn(["doctor"], healthy({ ...three, typed: [typed] }));
    assertStringIncludes(ran.err(), "a tiny request, which is paid, to each of 5 models?");
    const lines = ran.out().split("\n").filter((line) => line.startsWith("  ✓ databricks-"));
    assertEquals(lines.length, count);
  });
}

Deno.test("doctor says how many paid requests it sends where nobody can be asked", async () => {
  const ran = await runOn(["doctor"], healthy(three));
  assertStringIncludes(ran.err(), "to each of 5 models. --quick");
});

Deno.test("doctor asks for the token without showing it", async () => {
  const ran = await runOn(
    ["doctor"],
    healthy({ env: { DATABRICKS_TOKEN: "" }, typed: [`${TOKEN}\n`] }),
  );
  assertEquals(ran.code, 0);
  assertEquals(ran.raw, [true, false]);
  assert(!(ran.out() + ran.err()).includes(TOKEN));
});

Deno.test("doctor takes another bridge on the port for a running one", async () => {
  const { handler } = createSimulator({ pace: 0 });
  const { get, ok } = await examine({
    ...healthy({
      sockets: {
        listen: () => {
          throw new Deno.errors.AddrInUse("in use");
        },
      },
    }),
    fetch: (request) =>
      new URL(request.url).pathname === "/healthz"
        ? Response.json({ status: "ok", program: "fd-bridge/1.0.0", models: 59 })
        : handler(request),
  });
  assertEquals([get("port")?.detail, ok], ["A bridge is running on 8080, with 59 models.", true]);
});

Deno.test("doctor does without ForgeCode", async () => {
  const { ok, get } = await examine(env({ PATH: "/nowhere" }));
  assertEquals([ok, get("forge")?.status], [true, "skip"]);
});

Deno.test("doctor finds ForgeCode's older files, and what its environment says", async () => {
  const { "/usr/bin/forge": program, "/home/ada/.forge/.credentials.json": keys } = FORGE;
  const old = (model: string) =>
    JSON.stringify({ provider: "openai_compatible", model: { openai_compatible: model } });
  const { handler } = createSimulator({ pace: 0 });
  const older = {
    ...healthy(),
    fetch: (request: Request) => handler(request),
    files: {
      "./models.json": JSON.stringify({ models: [MODEL] }),
      "/usr/bin/forge": program,
      "/home/ada/forge": "",
      "/home/ada/forge/.config.json": old("other"),
      "/home/ada/forge/.credentials.json": keys,
    },
  };
  assertEquals((await examine(older)).get("forge model")?.status, "fail");
  const named = { ...older, env: { ...older.env, FORGE_SESSION__MODEL_ID: MODEL } };
  assertEquals((await examine(named)).get("forge model")?.status, "ok");
});

for (
  const toml of [
    '[session]\nprovider_id = "p"\nmodel_id = "m"\n[commit]\nprovider_id = "x"\n',
    "[other]\nmodel_id = 'x'\n[ session ]\n# model_id = \"y\"\nprovider_id='p'\r\nmodel_id='m'",
    'session = { provider_id = "p", model_id = "m" }\n[commit]\nmodel_id = "x"',
    'session.provider_id = "p"\nsession.model_id = "m"\n',
  ]
) {
  Deno.test(`sessionOf() reads ${JSON.stringify(toml)}`, () => {
    assertEquals(sessionOf(toml), { provider: "p", model: "m" });
  });
}

const chunk = (delta: unknown, more: Record<string, unknown> = {}, finish: unknown = null) =>
  `data: ${JSON.stringify({ id: "1", choices: [{ delta, finish_reason: finish }], ...more })}\n\n`;
const END = chunk({}, {}, "stop") + "data: [DONE]\n\n";
const call = (id: string | undefined, name: string | undefined, text: unknown) => ({
  tool_calls: [{ id, function: { name, arguments: text } }],
});

/** Every stumble, and a stream that has it. */
const STREAMS: readonly [stumbles: Stumble[], body: string][] = [
  [[], chunk({ content: "Hi" }) + END],
  [[], chunk(call("a", "f", "{")) + chunk(call(undefined, undefined, "}")) + END],
  [["id"], chunk({ content: "Hi" }, { id: null }) + END],
  [["created"], chunk({ content: "Hi" }, { created: "1" }) + END],
  [["usage"], chunk({ content: "Hi" }, { usage: { prompt_tokens: 1 } }) + END],
  [["content", "empty"], chunk({ content: [{ text: "Hi" }] }) + END],
  [["delta"], chunk(undefined) + chunk({ content: "Hi" }) + END],
  [["choices"], 'data: {"id":"1"}\n\n' + chunk({ content: "Hi" }) + END],
  [["error"], chunk({ content: "Hi" }) + 'data: {"error":{"message":"m"}}\n\n' + END],
  [["error"], chunk({ content: "Hi" }) + 'data: {"error_code":"X","message":"m"}\n\n' + END],
  [["json"], "data: {\n\n" + chunk({ content: "Hi" }) + END],
  [["framing"], (chunk({ content: "Hi" }) + END).replaceAll("\n\n", "\n")],
  [["framing"], (chunk({ content: "Hi" }) + END).trimEnd()],
  [["dialect", "empty", "finish_reason", "done"], 'data: {"type":"response.created"}\n\n'],
  [["tool call"], chunk(call(undefined, "f", "{}")) + END],
  [["tool call"], chunk(call("a", "f", { x: 1 })) + chunk({ content: "Hi" }) + END],
  [
    ["tool call"],
    chunk(call("a", "f", "{}")) + chunk(call("b", "f", "{}")) + chunk(call("a", "f", "")) + END,
  ],
  [["arguments"], chunk(call("a", "f", "{")) + END],
  [["finish_reason", "done"], chunk({ content: "Hi" })],
  [["finish_reason"], chunk({ content: "Hi" }, {}, "STOP") + "data: [DONE]\n\n"],
  [["length"], chunk({ content: "Hi" }, {}, "length") + "data: [DONE]\n\n"],
  [["filter"], chunk({ content: "Hi" }, {}, "content_filter") + "data: [DONE]\n\n"],
  [["empty"], END],
  [["done"], chunk({ content: "Hi" }, {}, "stop")],
];

for (const [stumbles, body] of STREAMS) {
  Deno.test(`readAnswer() stumbles over ${stumbles.join(" and ") || "nothing"} in ${JSON.stringify(body).slice(0, 80)}`, () => {
    assertEquals([...readAnswer(body).stumbles.keys()].sort(), [...stumbles].sort());
  });
}

Deno.test("readAnswer() puts text, calls and usage together", () => {
  const usage = { prompt_tokens: 3, completion_tokens: 4, total_tokens: 7 };
  const body = chunk({ role: "assistant", content: "a" }) + chunk({ content: "b" }) +
    chunk(call("x", "f", '{"a"')) + chunk(call("x", undefined, ":1}")) + chunk(call("y", "g", "")) +
    chunk({}, { usage }, "tool_calls") + "data: [DONE]\r\n\r\n";
  const { text, calls, usage: tokens, finishReason } = readAnswer(body);
  assertEquals({ text, calls, tokens, finishReason }, {
    text: "ab",
    calls: [{ id: "x", name: "f", arguments: '{"a":1}' }, { id: "y", name: "g", arguments: "" }],
    tokens: { input: 3, output: 4 },
    finishReason: "tool_calls",
  });
});
