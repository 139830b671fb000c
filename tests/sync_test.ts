/**
 * `fd-bridge models sync`: the workspace's lists, their quirks, and what goes wrong.
 *
 * @module
 */

import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { discoverModels, type Discovery, workspaceUrl } from "../lib/models/update/workspace.ts";
import { BridgeError } from "../lib/errors.ts";
import { DEFAULT_ENDPOINTS } from "../lib/models/catalog.ts";
import { createSimulator, type SimulatorOptions } from "../lib/simulator/mod.ts";
import { runOn } from "./helpers/machine.ts";

const TOKEN = "Zq7-opaque~token~of~the~tests";

/** A workspace that answers by a list of responses, in order; the last one stays. */
function workspace(...answers: ((request: Request) => Response)[]) {
  const requests: Request[] = [];
  const pauses: number[] = [];
  const ask = (endpoints = DEFAULT_ENDPOINTS): Promise<Discovery> =>
    discoverModels({
      host: "https://adb-1.7.azuredatabricks.net",
      token: TOKEN,
      endpoints,
      fetch(input, init) {
        const request = new Request(input, init);
        requests.push(request);
        const answer = answers[Math.min(requests.length, answers.length) - 1];
        return new Promise((resolve) => resolve(answer(request)));
      },
      sleep: (time) => Promise.resolve(void pauses.push(time)),
    });
  return { ask, requests, pauses };
}

const services = (...names: string[]) => () =>
  Response.json({ model_services: names.map((name) => ({ name: `model-services/${name}` })) });
const status = (status: number, body: unknown = {}) => () => Response.json(body, { status });
const NOT_HERE = status(404, { error_code: "ENDPOINT_NOT_FOUND", message: "No API found" });

function simulated(options: SimulatorOptions = {}) {
  const { handler, requests } = createSimulator(options);
  const files: Record<string, string> = {
    "./models.json": '{\n  "models": [\n    "databricks-gpt-5",\n    "databricks-old-1"\n  ]\n}\n',
  };
  const env = { DATABRICKS_HOST: "http://127.0.0.1:1", DATABRICKS_TOKEN: TOKEN };
  return { machine: { files, env, fetch: (request: Request) => handler(request) }, requests };
}

Deno.test("models sync takes every chat model of the simulated workspace, on the surface that its types name", async () => {
  const { machine, requests } = simulated();
  const { code, files, out } = await runOn(["models", "sync"], machine);
  assertEquals(code, 0);
  const { models } = JSON.parse(files["./models.json"]);
  const ids: string[] = models.map((entry: { id?: string }) => entry.id ?? entry);
  assertEquals(ids.slice(0, 2), ["databricks-gpt-5", "databricks-old-1"]);
  assertEquals(models[1], { id: "databricks-old-1", gone: true });
  const surface = (id: string) =>
    models.find((entry: { id?: string }) => entry.id === id)?.endpoint;
  assertEquals(surface("system.ai.claude-opus-4-8"), "mlflow");
  assertEquals(surface("system.ai.gpt-5-3-codex"), "cursor");
  assertEquals(surface("system.ai.gpt-oss-20b"), "mlflow");
  assert(!ids.includes("system.ai.gpt-5"), "it is there as databricks-gpt-5");
  assert(!ids.some((id) => /gte|bge|embedding|team-/.test(id)), "no embeddings, nobody's own");
  assertStringIncludes(out(), "3 of them not for chats");
  // 62 services, 25 a page, and the empty page behind the first.
  assertEquals(requests.length, 4);
  for (const { path, headers } of requests) {
    assertStringIncludes(path, "/api/2.1/unity-catalog/model-services?");
    assertStringIncludes(path, "page_size=");
    assertStringIncludes(path, "parent=schemas%2Fsystem.ai");
    assertEquals(headers.authorization, `Bearer ${TOKEN}`);
  }
});

Deno.test("models sync --demo needs no account", async () => {
  const { fetch: _none, ...machine } = simulated().machine;
  const ran = await runOn(["models", "sync", "--demo", "--dry-run"], {
    ...machine,
    env: {},
    fetch: (request) => fetch(request),
  });
  assertEquals(ran.code, 0);
  assertStringIncludes(ran.out(), "+ system.ai.claude-opus-5-5");
});

Deno.test("models sync finds the workspace in the gateway's address, and the token in .env", async () => {
  const asked: string[] = [];
  const ran = await runOn(["models", "sync", "--dry-run"], {
    files: { ".env": `DATABRICKS_TOKEN=${TOKEN}\n` },
    env: { DATABRICKS_AI_GATEWAY_URL: "https://adb-1.7.azuredatabricks.net/ai-gateway" },
    fetch(request) {
      asked.push(`${new URL(request.url).origin} ${request.headers.get("authorization")}`);
      return services("system.ai.gpt-5")();
    },
  });
  assertEquals(ran.code, 0);
  assertEquals(asked, [`https://adb-1.7.azuredatabricks.net Bearer ${TOKEN}`]);
});

Deno.test("models sync asks for the token without showing it", async () => {
  const { machine } = simulated();
  const ran = await runOn(["models", "sync", "--yes"], {
    ...machine,
    env: { DATABRICKS_HOST: "http://127.0.0.1:1" },
    typed: ["Zq7-opx\x7f", `${TOKEN.slice(6)}\r`],
  });
  assertEquals(ran.code, 0);
  assertEquals(ran.raw, [true, false]);
  assert(!(ran.out() + ran.err()).includes("Zq7"), "the token is shown");
});

for (const missing of ["DATABRICKS_HOST", "DATABRICKS_TOKEN"]) {
  Deno.test(`models sync says that ${missing} is not set`, async () => {
    const { machine } = simulated();
    const { [missing]: _gone, ...env } = machine.env as Record<string, string>;
    const ran = await runOn(["models", "sync"], { ...machine, env });
    assertEquals(ran.code, 2);
    assertStringIncludes(ran.error, `${missing} is not set`);
  });
}

Deno.test("discoverModels() reads on behind an empty page", async () => {
  const { ask, requests } = workspace(
    () =>
      Response.json({
        model_services: [{ name: "model-services/system.ai.a-1" }],
        next_page_token: "x",
      }),
    () => Response.json({ next_page_token: "y" }),
    services("system.ai.b-1"),
  );
  assertEquals((await ask()).offers.map(({ id }) => id), ["system.ai.a-1", "system.ai.b-1"]);
  assertEquals(requests.map(({ url }) => new URL(url).searchParams.get("page_token")), [
    null,
    "x",
    "y",
  ]);
});

for (
  const [what, token] of [
    ["the same token again and again", () => "x"],
    ["a new token for ever", () => crypto.randomUUID()],
  ] as const
) {
  Deno.test(`discoverModels() ends a list with ${what}`, async () => {
    const { ask, requests } = workspace(() =>
      Response.json({
        model_services: [{ name: "model-services/system.ai.a-1" }],
        next_page_token: token(),
      })
    );
    const error = await assertRejects(ask, BridgeError);
    assertStringIncludes(error.message, "does not end");
    assert(requests.length <= 200, `${requests.length}`);
  });
}

Deno.test("discoverModels() falls back from list to list where one isn't there", async () => {
  const { ask, requests } = workspace(
    NOT_HERE,
    status(403, { error_code: "PERMISSION_DENIED", message: "User does not have USE SCHEMA" }),
    () =>
      Response.json({
        endpoints: [
          { name: "databricks-a-1", task: "llm/v1/chat", state: { ready: "READY" } },
          { name: "databricks-b-1", task: "llm/v1/embeddings", state: { ready: "READY" } },
          { name: "databricks-c-1", task: "llm/v1/chat", state: { ready: "NOT_READY" } },
          { name: "churn", state: { ready: "READY" } },
          null,
          "x",
        ],
      }),
  );
  const { offers, source } = await ask();
  assertEquals(offers, [{ id: "databricks-a-1", chat: true }, {
    id: "databricks-b-1",
    chat: false,
  }]);
  assertEquals(source, "/api/2.0/serving-endpoints");
  assertEquals(requests.length, 3);
});

Deno.test("discoverModels() reads the types of foundation models", async () => {
  const endpoint = (name: string, ...api_types: string[]) => ({
    name,
    config: { served_entities: [{ foundation_model: { api_types } }] },
  });
  const { ask } = workspace(NOT_HERE, () =>
    Response.json({
      endpoints: [
        endpoint("databricks-gpt-9", "openai/v1/responses", "mlflow/v1/chat/completions"),
        endpoint("databricks-x-1", "openai/v1/responses"),
        endpoint("databricks-y-1", "anthropic/v1/messages"),
        endpoint("databricks-v-1", "video/v1/frames"),
        endpoint("databricks-z-1"),
        { name: "databricks-w-1", config: null },
      ],
    }));
  const { offers, unusable } = await ask();
  assertEquals(offers, [
    { id: "databricks-gpt-9", surface: "mlflow", chat: true },
    { id: "databricks-x-1", surface: "openai", chat: true },
    { id: "databricks-y-1", surface: "anthropic", chat: true },
    { id: "databricks-v-1", surface: "", chat: false },
    { id: "databricks-z-1" },
    { id: "databricks-w-1" },
  ]);
  assertEquals(unusable, ["databricks-v-1"]);
});

for (const code of [429, 500, 502, 503, 504]) {
  Deno.test(`discoverModels() asks again after ${code}, with pauses that grow`, async () => {
    const { ask, pauses } = workspace(status(code), status(code), services("system.ai.a-1"));
    assertEquals((await ask()).offers.length, 1);
    assertEquals(pauses, [500, 1000]);
  });
}

Deno.test("discoverModels() waits as long as Retry-After says", async () => {
  const busy = () => new Response("{}", { status: 429, headers: { "retry-after": "7" } });
  const { ask, pauses } = workspace(busy, services("system.ai.a-1"));
  await ask();
  assertEquals(pauses, [7000]);
});

Deno.test("discoverModels() gives up after four tries", async () => {
  const { ask, requests } = workspace(status(503, { message: "Unavailable" }));
  const error = await assertRejects(ask, BridgeError);
  assertStringIncludes(error.message, "Unavailable");
  assertEquals(requests.length, 4);
});

const REFUSALS: readonly [what: string, answer: () => Response, words: string][] = [
  [
    "a bad token as 403",
    status(403, { error_code: 403, message: "Invalid access token." }),
    "Invalid access token.",
  ],
  [
    "a bad token as plain text",
    () => new Response("Invalid Token", { status: 400 }),
    "Invalid Token",
  ],
  ["an expired token", status(401, { message: "expired" }), "create a new one"],
  [
    "an IP access list",
    status(403, { message: "Source IP address: 192.0.2.7 is blocked by Databricks IP ACL" }),
    "VPN",
  ],
  [
    "a login page",
    () => new Response("<html>Sign in</html>", { headers: { "content-type": "text/html" } }),
    "an HTML page",
  ],
  [
    "a redirect",
    () => new Response(null, { status: 302, headers: { location: "https://login.example/" } }),
    "points elsewhere",
  ],
];

for (const [what, answer, words] of REFUSALS) {
  Deno.test(`discoverModels() tells of ${what} at once, without the token`, async () => {
    const { ask, requests } = workspace(answer);
    const error = await assertRejects(ask, BridgeError);
    assertStringIncludes(error.message, words);
    assert(!error.message.includes(TOKEN));
    assertEquals(requests.length, 1);
  });
}

Deno.test("discoverModels() says it when no list is there", async () => {
  const { machine } = simulated({ discovery: false });
  const ran = await runOn(["models", "sync"], machine);
  assertEquals(ran.code, 2);
  assertStringIncludes(ran.error, "The workspace http://127.0.0.1:1 tells no models: No API found");
  assert(!ran.error.includes(TOKEN));
});

Deno.test("discoverModels() tells of a workspace that can't be reached, by the name of its own variable", async () => {
  const { ask } = workspace(() => {
    throw new TypeError("client error (Connect): dns error: failed to lookup address information");
  });
  const error = await assertRejects(ask, BridgeError);
  assertEquals(error.kind, "unreachable");
  assertStringIncludes(error.message, "DATABRICKS_HOST");
});

for (
  const [text, url] of [
    ["adb-1.7.azuredatabricks.net", "https://adb-1.7.azuredatabricks.net"],
    [" https://adb-1.7.azuredatabricks.net/?o=1#x ", "https://adb-1.7.azuredatabricks.net"],
    ['"https://dbc-1.cloud.databricks.com/ml/endpoints"', "https://dbc-1.cloud.databricks.com"],
    ["http://127.0.0.1:9", "http://127.0.0.1:9"],
  ]
) {
  Deno.test(`workspaceUrl() reads ${text}`, () => assertEquals(workspaceUrl(text), url));
}

for (
  const [text, words] of [
    ["http://adb-1.7.azuredatabricks.net", "unencrypted"],
    ["https://u:p@adb-1.7.azuredatabricks.net", "user name or password"],
    ["1.7.ai-gateway.azuredatabricks.net", "AI Gateway's own address"],
    ["not an address", "no address"],
    ["ftp://adb-1.7.azuredatabricks.net", "unencrypted"],
  ]
) {
  Deno.test(`workspaceUrl() refuses ${text}`, () => {
    assertStringIncludes(assertThrows(() => workspaceUrl(text), BridgeError).message, words);
  });
}
