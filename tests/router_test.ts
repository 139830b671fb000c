import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { normalizePath } from "../lib/router.ts";
import { ask, testBridge, TOKEN } from "./helpers/bridge.ts";
import { answer, startRawGateway } from "./helpers/raw_gateway.ts";
import { inTime, MODELS, RawClient, rawPost, startFaultBridge } from "./helpers/fault_bridge.ts";

const PATHS: readonly (readonly [string, string])[] = [
  ["http://localhost", "/"],
  ["http://localhost/", "/"],
  ["http://localhost/v1", "/"],
  ["http://localhost/v1/", "/"],
  ["http://localhost/models", "/models"],
  ["http://localhost//models", "/models"],
  ["http://localhost/v1/models/", "/models"],
  ["http://localhost/v1//models", "/models"],
  ["http://localhost/v1/v1/models", "/models"],
  ["http://localhost/models?x=/v1", "/models"],
  ["http://localhost/v1x/models", "/v1x/models"],
  ["http://localhost//evil.example/models", "/evil.example/models"],
];

for (const [url, path] of PATHS) {
  Deno.test(`normalizePath() reads ${url} as ${path}`, () =>
    assertEquals(normalizePath(url), path));
}

/** Request → status, error's code, and the Allow header. */
const REQUESTS: readonly (readonly [string, string, number, string?, string?])[] = [
  ["GET", "/", 200],
  ["GET", "/healthz", 200],
  ["HEAD", "/healthz", 200],
  ["GET", "/readyz", 200],
  ["HEAD", "/readyz", 200],
  ["GET", "/metrics", 200],
  ["GET", "/models", 200],
  ["GET", "/v1/models/databricks-glm-5-2", 200],
  ["GET", "/models/databricks%2Dglm-5-2", 200],
  ["GET", "/models/nobody", 404, "model_not_found"],
  ["GET", "/models/%E0%A4%A", 404, "model_not_found"],
  ["GET", "/nothing", 404, "unknown_path"],
  ["GET", "/chat/completions/more", 404, "unknown_path"],
  ["GET", "/v1/embeddings/../models", 200],
  ["GET", "/chat/completions", 405, "method", "POST"],
  ["PUT", "/chat/completions", 405, "method", "POST"],
  ["DELETE", "/models/databricks-glm-5-2", 405, "method", "GET"],
  ["POST", "/models", 405, "method", "GET"],
  ["POST", "/healthz", 405, "method", "GET"],
  ["POST", "/readyz", 405, "method", "GET"],
  ["PATCH", "/", 405, "method", "GET"],
  ["OPTIONS", "/models", 405, "method", "GET"],
  ["constructor", "/models", 405, "method", "GET"],
];

for (const [method, path, status, code, allow] of REQUESTS) {
  Deno.test(`the router answers ${method} ${path} with ${status}`, async () => {
    const { route } = testBridge();
    const response = await route(new Request(`http://127.0.0.1:8080${path}`, { method }));
    const text = await response.text();
    assertEquals([response.status, response.headers.get("allow")], [status, allow ?? null]);
    if (code) assertEquals(JSON.parse(text).error.code, code);
    if (method === "HEAD") assertEquals(text, "");
  });
}

Deno.test("the router asks for a token before it reads a body", async () => {
  const { route, requests } = testBridge();
  let read = false;
  const body = new ReadableStream({
    pull(controller) {
      read = true;
      controller.close();
    },
  }, { highWaterMark: 0 });
  const request = new Request("http://127.0.0.1/chat/completions", { method: "POST", body });
  const response = await route(request);
  assertEquals([response.status, read, requests.length], [401, false, 0]);
  assertEquals(response.headers.get("www-authenticate"), "Bearer");
  assertEquals((await response.json()).error.type, "authentication_error");
});

Deno.test("GET /readyz is 200 while the bridge serves, and 503 from the moment at which it drains", async () => {
  const { get, post, bridge } = testBridge();
  const ready = await get("/readyz");
  assertEquals([ready.status, await ready.json()], [200, { status: "ready" }]);
  assertEquals(ready.headers.get("connection"), null);
  bridge.drain();
  const draining = await get("/readyz");
  assertEquals([draining.status, await draining.json()], [503, { status: "draining" }]);
  // It lives, and whoever still asks is answered: on a connection that is not kept.
  assertEquals((await get("/healthz")).status, 200);
  const answer = await post("/chat/completions", ask("databricks-glm-5-2", "Hello"));
  assertEquals([answer.status, answer.headers.get("connection")], [200, "close"]);
  assertStringIncludes(await answer.text(), "Hello");
});

Deno.test("GET /healthz says who it is, and needs no token", async () => {
  const { get } = testBridge();
  const { status, program, models } = await (await get("/healthz")).json();
  assertEquals([status, program], ["ok", "fd-bridge/test"]);
  assert(models > 0);
});

Deno.test("no bad request reaches the gateway", async () => {
  const { post, requests } = testBridge();
  for (
    const body of ["", "{", "[]", "{}", '{"model":"m"}', '{"model":"m","messages":"x"}', "\ufeff{"]
  ) {
    const response = await post("/chat/completions", body);
    assertEquals(response.status, 400);
    const { error } = await response.json();
    assertEquals([error.type, typeof error.message], ["invalid_request_error", "string"]);
  }
  assertEquals(requests.length, 0);
});

const PAGE = "https://app.example";

Deno.test("a page that --allow-origin names gets its preflight and its answers with CORS headers", async () => {
  const { route, post } = testBridge({ flags: ["--allow-origin", PAGE] });
  const preflight = await route(
    new Request("http://127.0.0.1/v1/chat/completions", {
      method: "OPTIONS",
      headers: { origin: PAGE, "access-control-request-method": "POST" },
    }),
  );
  const { headers } = preflight;
  assertEquals([preflight.status, headers.get("access-control-allow-origin")], [204, PAGE]);
  assertEquals(headers.get("access-control-allow-methods"), "POST");
  assertStringIncludes(headers.get("access-control-allow-headers")!, "authorization");
  assertEquals(headers.get("access-control-allow-credentials"), null);
  for (const body of [ask("databricks-glm-5-2", "Hello", { stream: true }), "{"]) {
    const response = await post("/chat/completions", body, { headers: { origin: PAGE } });
    await response.text();
    assertEquals(response.headers.get("access-control-allow-origin"), PAGE);
    assertStringIncludes(response.headers.get("vary")!, "Origin");
  }
});

Deno.test("any other page is refused, with its preflight, and gets no CORS headers", async () => {
  const { route, post, requests } = testBridge({ flags: ["--allow-origin", PAGE] });
  const headers = { origin: "https://evil.example", "access-control-request-method": "POST" };
  const preflight = await route(
    new Request("http://127.0.0.1/chat/completions", { method: "OPTIONS", headers }),
  );
  const response = await post("/chat/completions", ask("m", "Hello"), { headers });
  for (const { status, headers } of [preflight, response]) {
    assertEquals([status, headers.get("access-control-allow-origin")], [403, null]);
  }
  assertEquals(requests.length, 0);
});

Deno.test("a page that posts text without asking first is refused as well", async () => {
  const { route, requests } = testBridge();
  const response = await route(
    new Request("http://127.0.0.1/chat/completions", {
      method: "POST",
      headers: { origin: "null", "content-type": "text/plain", authorization: `Bearer ${TOKEN}` },
      body: JSON.stringify(ask("m", "Hello")),
    }),
  );
  assertEquals([response.status, requests.length], [403, 0]);
});

Deno.test("a client key never reaches the gateway", async () => {
  const key = "our-secret-key";
  const { post, requests } = testBridge({ flags: ["--client-key", key, "--retries", "0"] });
  const body = ask("databricks-glm-5-2", "Hello");
  const ways: Record<string, string>[] = [
    { "x-fd-bridge-key": key },
    { authorization: `Bearer ${key}:${TOKEN}` },
  ];
  for (const headers of ways) {
    assertEquals((await post("/chat/completions", body, { headers })).status, 200);
  }
  assertEquals((await post("/chat/completions", body)).status, 401);
  assertEquals(requests.length, 2);
  for (const { headers, text } of requests) {
    assertEquals(headers.authorization, `Bearer ${TOKEN}`);
    assert(!JSON.stringify(headers).includes(key) && !text.includes(key));
  }
});

/** What a client might try to steer the bridge with; the first line's target, headers and model. */
const STEERING: readonly { target?: string; headers?: string; model?: string }[] = [
  { target: "http://127.0.0.1:ELSEWHERE/chat/completions" },
  { target: "//127.0.0.1:ELSEWHERE/chat/completions" },
  { target: "/chat/completions?base=http://127.0.0.1:ELSEWHERE" },
  { target: "/v1//chat/completions/" },
  { headers: "x-forwarded-host: 127.0.0.1:ELSEWHERE\r\n" },
  {
    headers:
      "forwarded: host=127.0.0.1:ELSEWHERE\r\nx-original-url: http://127.0.0.1:ELSEWHERE/\r\n",
  },
  { headers: "databricks-host: http://127.0.0.1:ELSEWHERE\r\n" },
  { headers: "connection: upgrade\r\nupgrade: h2c\r\n" },
  { model: "http://127.0.0.1:ELSEWHERE/x" },
  { model: "//127.0.0.1:ELSEWHERE/x" },
  { model: "../../../127.0.0.1:ELSEWHERE" },
  { model: "@127.0.0.1:ELSEWHERE/" },
  { model: "m\r\nhost: 127.0.0.1:ELSEWHERE" },
  { model: "?x=1#" },
];

for (const { target = "/chat/completions", headers = "", model = MODELS.chat } of STEERING) {
  Deno.test(`nothing steers the bridge away from its gateway: ${JSON.stringify({ target, headers, model })}`, async () => {
    await using elsewhere = startRawGateway(({ send }) => send(answer("{}")));
    await using gateway = startRawGateway(({ send }) => send(answer("{}")));
    await using bridge = startFaultBridge(gateway.url, { flags: ["--retries", "0"] });
    const port = new URL(elsewhere.url).port;
    const away = (text: string) => text.replaceAll("ELSEWHERE", port);
    const body = ask(away(model), "Hello", { base_url: elsewhere.url, endpoint: elsewhere.url });
    const request = rawPost(body, away(target)).replace("\r\n", `\r\n${away(headers)}`);
    const client = await RawClient.send(bridge.port, request);
    assertMatch(await client.read("\r\n\r\n"), /^HTTP\/1\.1 \d{3} /);
    client.leave();
    assertEquals(elsewhere.requests.length, 0);
    for (const { head } of gateway.requests) {
      assertMatch(head, /^POST \/(mlflow|cursor|openai)\/v1\/[a-z/]+ HTTP\/1\.1\r\n/);
      assertStringIncludes(head.toLowerCase(), `host: ${new URL(gateway.url).host}\r\n`);
    }
  });
}

/** Raw heads → the status that they get. */
const HEADS: readonly (readonly [string, RegExp])[] = [
  ["GET /models HTTP/1.1\r\nhost: evil.example\r\n\r\n", /^HTTP\/1\.1 403/],
  ["GET http://127.0.0.1/models HTTP/1.1\r\nhost: evil.example\r\n\r\n", /^HTTP\/1\.1 403/],
  ["GET http://evil.example/models HTTP/1.1\r\nhost: evil.example\r\n\r\n", /^HTTP\/1\.1 403/],
  ["GET /models HTTP/1.1\r\nhost: a b\r\n\r\n", /^HTTP\/1\.1 (400|403)/],
  ["GET /models HTTP/1.1\r\nhost: 127.0.0.1\r\nhost: evil\r\n\r\n", /^HTTP\/1\.1 (400|403)/],
  ["GET /models HTTP/1.1\r\nhost: evil\r\nhost: 127.0.0.1\r\n\r\n", /^HTTP\/1\.1 (400|403)/],
  ["GET /models HTTP/1.1\r\nhost:\r\n\r\n", /^HTTP\/1\.1 (400|403)/],
  ["OPTIONS * HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n", /^HTTP\/1\.1 (400|404|405)/],
  ["CONNECT evil.example:443 HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n", /^HTTP\/1\.1 (400|404|405)/],
  ["GET /%ff%00/../models HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n", /^HTTP\/1\.1 (200|400|404)/],
  ["NONSENSE\r\n\r\n", /^HTTP\/1\.1 400/],
];

for (const [head, expected] of HEADS) {
  Deno.test(`the server answers ${JSON.stringify(head)} with ${expected}`, async () => {
    await using bridge = startFaultBridge("http://127.0.0.1:9");
    const client = await RawClient.send(
      bridge.port,
      head.replace("\r\n\r\n", "\r\nconnection: close\r\n\r\n"),
    );
    assertMatch(await client.read(), expected);
    client.leave();
  });
}

Deno.test("a body that is too large gets its 413 while it is still being sent", async () => {
  await using gateway = startRawGateway(() => {});
  await using bridge = startFaultBridge(gateway.url, { flags: ["--max-body", "100KB"] });
  const head = "POST /chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer t\r\n";
  const ways = [
    `${head}content-length: 999999999\r\n\r\n`,
    `${head}transfer-encoding: chunked\r\n\r\n19001\r\n${"x".repeat(0x19001)}\r\n1\r\nx`,
    `${head}transfer-encoding: chunked\r\n\r\n${`2710\r\n${"x".repeat(10_000)}\r\n`.repeat(11)}`,
  ];
  for (const way of ways) {
    const client = await RawClient.send(bridge.port, way);
    const text = await inTime("the answer", client.read("--max-body"));
    assertMatch(text, /^HTTP\/1\.1 413 /);
    client.leave();
  }
  assertEquals(gateway.requests.length, 0);
});

for (const path of ["/models", "/models/databricks-glm-5-2", "/metrics", "/", "/v1/models"]) {
  Deno.test(`GET ${path} asks for the client key where one is set, and the probes do not`, async () => {
    const { route } = testBridge({ flags: ["--client-key", "our-secret-key"] });
    const get = (path: string, headers: Record<string, string> = {}) =>
      route(new Request(`http://127.0.0.1:8080${path}`, { headers }));
    assertEquals((await get(path)).status, 401);
    assertEquals((await get(`${path}?key=our-secret-key`)).status, 401);
    assertEquals((await get(path, { authorization: "Bearer wrong-key:token" })).status, 401);
    for (
      const headers of [
        { authorization: "Bearer our-secret-key:token" },
        { authorization: "Bearer our-secret-key" },
        { "x-fd-bridge-key": "our-secret-key" },
      ] as Record<string, string>[]
    ) assertEquals((await get(path, headers)).status, 200);
    for (const probe of ["/healthz", "/readyz"]) assertEquals((await get(probe)).status, 200);
  });
}
