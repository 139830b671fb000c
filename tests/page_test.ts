import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { EventHub } from "../lib/observe/page/events.ts";
import { createPage, type PageContext } from "../lib/observe/page/mod.ts";
import { RequestLog } from "../lib/observe/record.ts";
import { startPage } from "./helpers/page_server.ts";

const HOST = "127.0.0.1:8080";
const CSP =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:";

/** A page without a server, asked as a browser asks. */
function page(more: Partial<PageContext> = {}) {
  const requests = new RequestLog();
  const made = createPage({
    version: "fd-bridge/1.0.0",
    requests,
    usage: { groups: () => [] },
    loopback: true,
    keys: () => [],
    health: () => ({ rows: [], learned: [] }),
    ...more,
  });
  const ask = (method: string, path: string, headers: Record<string, string> = {}, body?: string) =>
    made.handle(
      new Request(`http://${HOST}${path}`, { method, headers: { host: HOST, ...headers }, body }),
      path.replace(/\?.*/, ""),
    );
  const get = async (path: string, headers: Record<string, string> = {}) => {
    const response = await ask("GET", path, { "sec-fetch-site": "same-origin", ...headers });
    assert(response, `${path} is there`);
    return response;
  };
  const token = async () => (await (await get("/api/session")).json()).token as string;
  const post = async (path: string, headers: Record<string, string>, body = "{}") => {
    const response = await ask("POST", path, headers, body);
    assert(response, `${path} is there`);
    return response;
  };
  return { made, requests, ask, get, post, token };
}

const OWN = { origin: `http://${HOST}`, "sec-fetch-site": "same-origin" };

Deno.test("createPage() answers a browser at /, and leaves others to the rest of the bridge", async () => {
  const { made, get, ask } = page();
  const response = await get("/", { accept: "text/html,application/xhtml+xml,*/*;q=0.8" });
  assertEquals(response.headers.get("content-type"), "text/html; charset=utf-8");
  assertStringIncludes((await response.text()).toLowerCase(), "<!doctype html>");
  assertEquals(ask("GET", "/", { accept: "*/*" }), undefined);
  assertEquals(ask("GET", "/", {}), undefined);
  for (const path of ["/models", "/page.html", "/api/constructor", "/constructor", "/__proto__"]) {
    assertEquals(ask("GET", path, { accept: "text/html" }), undefined, path);
  }
  made.close();
});

Deno.test("every answer of the page carries its security headers", async () => {
  const { get, ask } = page();
  const answers = [
    await get("/", { accept: "text/html" }),
    await get("/page.css"),
    await get("/page.js"),
    await get("/api/session"),
    await get("/api/requests"),
    await get("/api/usage?days=7&by=day"),
    await get("/api/health"),
    await get("/api/report?id=none"),
    (await ask("PUT", "/api/health"))!,
    (await ask("GET", "/api/health", { origin: "https://evil.example" }))!,
  ];
  for (const { headers } of answers) {
    assertEquals(headers.get("content-security-policy"), CSP);
    assertEquals(headers.get("x-frame-options"), "DENY");
    assertEquals(headers.get("referrer-policy"), "no-referrer");
    assertEquals(headers.get("cross-origin-opener-policy"), "same-origin");
    assertEquals(headers.get("x-content-type-options"), "nosniff");
    assertEquals(headers.get("access-control-allow-origin"), null);
  }
  assertEquals(answers.map(({ status }) => status), [
    200,
    200,
    200,
    200,
    200,
    200,
    200,
    404,
    405,
    403,
  ]);
});

Deno.test("the page's files need nothing from elsewhere, and no inline script or style", async () => {
  const { get } = page();
  const html = await (await get("/", { accept: "text/html" })).text();
  assert(!/<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc="\/page\.js")/i.test(html));
  for (const path of ["/", "/page.css", "/page.js"]) {
    const text = await (await get(path, { accept: "text/html" })).text();
    // Names of XML namespaces are no addresses.
    const links = text.replaceAll("http://www.w3.org/2000/svg", "").match(/https?:|url\(|@import/g);
    assertEquals(links, null, path);
    assert(!/innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b/.test(text), path);
  }
});

Deno.test("the page is for its own origin only", async () => {
  const { ask } = page();
  const refused = [
    { origin: "https://evil.example" },
    { origin: "null" },
    { origin: "http://127.0.0.1:9090" },
    { "sec-fetch-site": "cross-site" },
    { "sec-fetch-site": "same-site" },
    { origin: `http://${HOST}`, "sec-fetch-site": "cross-site" },
  ];
  for (const path of ["/", "/page.js", "/api/requests", "/api/session", "/api/events"]) {
    for (const headers of refused as Record<string, string>[]) {
      const response = await ask("GET", path, { accept: "text/html", ...headers });
      assertEquals(response?.status, 403, `${path} ${JSON.stringify(headers)}`);
    }
    for (const headers of [{}, { "sec-fetch-site": "none" }, OWN] as Record<string, string>[]) {
      const response = await ask("GET", path, { accept: "text/html", ...headers });
      assertEquals(response?.status, 200, path);
      await response?.body?.cancel();
    }
  }
});

Deno.test("a POST needs proof of its origin and the page's token", async () => {
  let runs = 0;
  const { post, token } = page({
    async *runDoctor() {
      runs++;
      await Promise.resolve();
      yield "well";
    },
  });
  const right = await token();
  const cases: Record<string, string>[] = [
    {},
    { "x-fd-bridge-page-token": right },
    { "x-fd-bridge-page-token": right, "sec-fetch-site": "none" },
    { "x-fd-bridge-page-token": right, origin: "https://evil.example" },
    { ...OWN },
    { ...OWN, "x-fd-bridge-page-token": "0" },
  ];
  for (const headers of cases) {
    assertEquals((await post("/api/doctor", headers)).status, 403, JSON.stringify(headers));
  }
  assertEquals(runs, 0);
  const response = await post("/api/doctor", { ...OWN, "x-fd-bridge-page-token": right });
  assertEquals([response.status, await response.text(), runs], [200, "well", 1]);
});

Deno.test("the page asks for a key once, and keeps its hash in a cookie that scripts can't read", async () => {
  const keys = ["the-bridge-key", "the-client-key"];
  const { get, post, token } = page({ keys: () => keys });
  assertEquals((await (await get("/api/session")).json()).locked, true);
  for (const path of ["/api/requests", "/api/usage", "/api/health", "/api/events", "/api/report"]) {
    assertEquals((await get(path)).status, 401, path);
  }
  const headers = { ...OWN, "x-fd-bridge-page-token": await token() };
  assertEquals((await post("/api/login-key", headers, '{"key":"wrong"}')).status, 401);
  assertEquals((await post("/api/login-key", headers, "no JSON")).status, 401);
  for (const key of keys) {
    const response = await post("/api/login-key", headers, JSON.stringify({ key }));
    const cookie = response.headers.get("set-cookie")!;
    assert(/^fd_bridge_page_8080=[0-9a-f]{64}; /.test(cookie), cookie);
    assertStringIncludes(cookie, "HttpOnly; SameSite=Strict");
    assert(!cookie.includes(key));
    const pair = `other=1; ${cookie.split(";")[0]}`;
    assertEquals((await get("/api/requests", { cookie: pair })).status, 200);
    assertEquals((await (await get("/api/session", { cookie: pair })).json()).locked, false);
    assertEquals((await get("/api/requests", { cookie: `${pair.slice(0, -1)}g` })).status, 401);
  }
  assertEquals((await get("/api/requests", { "x-fd-bridge-key": keys[1] })).status, 200);
  const bearer = { authorization: `Bearer ${keys[1]}:token` };
  assertEquals((await get("/api/requests", bearer)).status, 200);
  keys.length = 1;
  assertEquals(
    (await get("/api/requests", bearer)).status,
    401,
    "a key that is gone opens nothing",
  );
});

Deno.test("wrong keys are counted, and after ten none is looked at for a minute", async () => {
  const { post, token } = page({ keys: () => ["right"] });
  const headers = { ...OWN, "x-fd-bridge-page-token": await token() };
  const statuses: number[] = [];
  for (let at = 0; at < 12; at++) {
    statuses.push((await post("/api/login-key", headers, `{"key":"${at}"}`)).status);
  }
  assertEquals(statuses, [...Array(10).fill(401), 429, 429]);
  assertEquals((await post("/api/login-key", headers, '{"key":"right"}')).status, 429);
});

Deno.test("beyond loopback the page is there with a key only", async () => {
  const { get } = page({ loopback: false });
  for (const path of ["/", "/page.js", "/api/session", "/api/requests"]) {
    assertEquals((await get(path, { accept: "text/html" })).status, 403, path);
  }
  const keyed = page({ loopback: false, keys: () => ["key"] });
  assertEquals((await keyed.get("/", { accept: "text/html" })).status, 200);
  assertEquals((await keyed.get("/api/requests")).status, 401);
});

Deno.test("GET /api/usage refuses days and keys that there aren't", async () => {
  const { get } = page();
  for (const query of ["days=0", "days=401", "days=x", "by=constructor", "days=1.5"]) {
    assertEquals((await get(`/api/usage?${query}`)).status, 400, query);
  }
});

Deno.test("the page's data has every request's facts, and a report of one", async () => {
  await using server = await startPage();
  server.add({ tokens: [1_000, 50, 600] });
  const failed = server.add({
    error: { status: 429, message: "Too many [fd-bridge: wait a little.]" },
  });
  const running = server.begin({ model: "databricks-kimi-k3" });
  running.pieces = 7;
  const { requests, running: now, version } = await (await fetch(`${server.url}/api/requests`))
    .json();
  assertEquals([requests.length, now.length, now[0].tokens, version], [2, 1, 7, "fd-bridge/1.0.0"]);
  assertEquals([requests[0].id, requests[0].error.advice], [failed.id, "wait a little."]);
  assertEquals([requests[1].tokens_in, requests[1].tokens_cached], [1_000, 600]);
  const errors = await (await fetch(`${server.url}/api/requests?status=error&limit=1`)).json();
  assertEquals(errors.requests.map(({ id }: { id: string }) => id), [failed.id]);
  const report = await (await fetch(`${server.url}/api/report?id=${failed.id}`)).text();
  assertStringIncludes(report, failed.id);
  const usage = await (await fetch(`${server.url}/api/usage?days=1&by=client`)).json();
  assertEquals([usage.rows[0].key, usage.totals.requests, usage.totals.tokens_in], [
    "ForgeCode",
    2,
    1_000,
  ]);
  running.end({ status: 200 });
});

/** Reads a page's events, one at a time. */
function eventReader(response: Response) {
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  return {
    /** The data of the next event of a name that fits; what comes before is passed over. */
    async next(name: string, fits: (data: { id: string; status?: number }[]) => boolean) {
      while (true) {
        const end = text.indexOf("\n\n");
        if (end === -1) {
          const { done, value } = await reader.read();
          if (done) throw new Error(`The events ended before ${name}.`);
          text += value;
          continue;
        }
        const match = /^event: (\w+)\ndata: (.*)$/.exec(text.slice(0, end));
        text = text.slice(end + 2);
        if (match?.[1] !== name) continue;
        const data = JSON.parse(match[2]);
        if (fits(data)) return data;
      }
    },
    async end() {
      while (!(await reader.read()).done);
    },
  };
}

Deno.test("GET /api/events tells of what runs and of what ends, and ends with the bridge", async () => {
  await using server = await startPage({ tick: 5 });
  const response = await fetch(`${server.url}/api/events`);
  assertEquals(response.headers.get("content-type"), "text/event-stream; charset=utf-8");
  const events = eventReader(response);
  const exchange = server.begin();
  const [running] = await events.next("running", (data) => data.length === 1);
  assertEquals(running.id, exchange.id);
  exchange.end({ status: 200 });
  const [record] = await events.next("requests", (data) => data.length === 1);
  assertEquals([record.id, record.status], [exchange.id, 200]);
  await events.next("running", (data) => data.length === 0);
  server.page().close();
  await events.end();
  assertEquals((await fetch(`${server.url}/api/events`)).status, 503);
});

Deno.test("EventHub is bounded in listeners and in what waits for them, and works for nobody", async () => {
  const requests = new RequestLog();
  const hub = new EventHub(requests, 1);
  const streams = Array.from({ length: 30 }, () => hub.open());
  assertEquals([streams.filter(Boolean).length, hub.listeners], [20, 20]);
  // Nobody reads: what waits is bounded, and who is too slow is let go.
  const running = { running: () => ({ text: "x".repeat(100_000) }) as never };
  requests.begin(running);
  const start = performance.now();
  while (hub.listeners > 0 && performance.now() - start < 5_000) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  assertEquals(hub.listeners, 0);
  for (const stream of streams) await stream?.cancel();
  const one = hub.open()!;
  await one.cancel();
  assertEquals(hub.listeners, 0);
  // The test's sanitizer sees that no timer is left.
});
