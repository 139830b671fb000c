import { assert, assertEquals } from "@std/assert";
import { Metrics } from "../lib/observe/metrics.ts";
import { ask, testBridge } from "./helpers/bridge.ts";

/** One sample of Prometheus' text format: name, labels, value. */
const SAMPLE =
  /^([a-z_]+)(?:\{([a-z]+="(?:[^"\\\n]|\\["\\n])*"(?:,[a-z]+="(?:[^"\\\n]|\\["\\n])*")*)\})? (\d+(?:\.\d+)?(?:e[+-]\d+)?)$/;

/** Reads the text format strictly; throws where it isn't. */
function read(text: string): Map<string, number> {
  assert(text.endsWith("\n"), "the last line has no end");
  const samples = new Map<string, number>();
  const types = new Map<string, string>();
  for (const line of text.slice(0, -1).split("\n")) {
    const type = /^# TYPE ([a-z_]+) (counter|gauge|histogram)$/.exec(line);
    if (type) {
      assert(!types.has(type[1]), `${type[1]} is declared twice`);
      types.set(type[1], type[2]);
      continue;
    }
    if (/^# HELP [a-z_]+ \S/.test(line)) continue;
    const match = SAMPLE.exec(line);
    assert(match, `no sample: ${line}`);
    const family = match[1].replace(/_(bucket|sum|count)$/, "");
    assert(types.has(match[1]) || types.get(family) === "histogram", `${line} has no type`);
    const key = match[2] === undefined ? match[1] : `${match[1]}{${match[2]}}`;
    assert(!samples.has(key), `${key} stands there twice`);
    samples.set(key, Number(match[3]));
  }
  return samples;
}

Deno.test("Metrics.text() is Prometheus' format before anything has happened", () => {
  const samples = read(new Metrics().text());
  assertEquals(samples.get("fd_bridge_open_streams"), 0);
  assertEquals(samples.get("fd_bridge_requests_total"), 0);
  assertEquals(samples.get('fd_bridge_duration_seconds_bucket{le="+Inf"}'), 0);
});

Deno.test("Metrics.text() escapes what labels hold", () => {
  const metrics = new Metrics();
  metrics.count("fd_bridge_errors_total", { kind: 'a"b\\c\nd' });
  assertEquals(read(metrics.text()).get('fd_bridge_errors_total{kind="a\\"b\\\\c\\nd"}'), 1);
});

Deno.test("Metrics.observe() counts each time in its bucket and all above it", () => {
  const metrics = new Metrics();
  for (const time of [0, 50, 51, 700, 999_000]) metrics.observe("fd_bridge_duration_seconds", time);
  const samples = read(metrics.text());
  const bucket = (bound: string) => samples.get(`fd_bridge_duration_seconds_bucket{le="${bound}"}`);
  assertEquals([bucket("0.05"), bucket("0.1"), bucket("1"), bucket("300"), bucket("+Inf")], [
    2,
    3,
    4,
    4,
    5,
  ]);
  assertEquals(samples.get("fd_bridge_duration_seconds_count"), 5);
  assert(Math.abs(samples.get("fd_bridge_duration_seconds_sum")! - 999.801) < 1e-9);
});

Deno.test("Metrics.count() keeps the number of label sets bounded, and loses no count", () => {
  const metrics = new Metrics();
  for (let at = 0; at < 10_000; at++) {
    metrics.count("fd_bridge_errors_total", { kind: `made-up-${at}` });
  }
  const samples = [...read(metrics.text())].filter(([key]) => key.startsWith("fd_bridge_errors"));
  assert(samples.length <= 201, `${samples.length} label sets`);
  assertEquals(samples.reduce((sum, [, value]) => sum + value, 0), 10_000);
});

Deno.test("GET /metrics counts requests, errors, retries, lessons and tokens by what they are", async () => {
  let asked = 0;
  const bridge = testBridge({
    flags: ["--log-level", "error"],
    gateway: () => {
      asked++;
      if (asked === 1) {
        return new Response('Bad request: json: unknown field "seed"', { status: 400 });
      }
      return Response.json({
        choices: [{ index: 0, message: { content: "Hi" }, finish_reason: "stop" }],
        usage: { prompt_tokens: 11, completion_tokens: 7, total_tokens: 18 },
      });
    },
  });
  for (const stream of [true, false]) {
    const body = ask("databricks-glm-5-2", "Hello", { stream, seed: 1 });
    await (await bridge.post("/v1//chat/completions/", body)).text();
  }
  await bridge.post("/chat/completions", "{");
  await bridge.get("/models/made-up-model");
  await bridge.get("/made/up/path");
  const response = await bridge.get("/metrics");
  assertEquals(response.headers.get("content-type"), "text/plain; version=0.0.4; charset=utf-8");
  const samples = read(await response.text());
  const get = (key: string) => samples.get(`fd_bridge_${key}`);
  assertEquals(get('requests_total{path="/chat/completions",status="200"}'), 2);
  assertEquals(get('requests_total{path="/chat/completions",status="400"}'), 1);
  assertEquals(get('requests_total{path="/models/{id}",status="404"}'), 1);
  assertEquals(get('requests_total{path="(unknown)",status="404"}'), 1);
  assertEquals(get('errors_total{kind="request"}'), 1);
  assertEquals(get('errors_total{kind="not_found"}'), 2);
  assertEquals(get('tokens_total{direction="in"}'), 22);
  assertEquals(get('tokens_total{direction="out"}'), 14);
  assertEquals(get("open_streams"), 0);
  assertEquals(get("first_byte_seconds_count"), 3);
  assert([...samples.keys()].some((key) => key.startsWith("fd_bridge_lessons_total{")));
  assert(![...samples.keys()].some((key) => key.includes("made-up")));
});

Deno.test("Metrics.sum() adds what has the labels", () => {
  const metrics = new Metrics();
  metrics.count("fd_bridge_tokens_total", { direction: "in" }, 5);
  metrics.count("fd_bridge_tokens_total", { direction: "out" }, 2);
  assertEquals(metrics.sum("fd_bridge_tokens_total"), 7);
  assertEquals(metrics.sum("fd_bridge_tokens_total", { direction: "out" }), 2);
  assertEquals(metrics.sum("fd_bridge_requests_total"), 0);
});
