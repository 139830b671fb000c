import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { LogLevel } from "../lib/config/config.ts";
import { BridgeError } from "../lib/errors.ts";
import { Exchange } from "../lib/observe/exchange.ts";
import { Log } from "../lib/observe/log.ts";
import { priceOf } from "../lib/observe/cost.ts";
import { Metrics } from "../lib/observe/metrics.ts";
import { RequestLog } from "../lib/observe/record.ts";
import type { UsageRow } from "../lib/observe/usage.ts";

function exchange(level: LogLevel = "info", path = "/chat/completions") {
  const lines: string[] = [];
  const metrics = new Metrics();
  const log = new Log({ level, format: "json", color: false, write: (line) => lines.push(line) });
  const requests = new RequestLog();
  const rows: UsageRow[] = [];
  const recorder = {
    log,
    metrics,
    requests,
    usage: { add: (row: UsageRow) => void rows.push(row) },
    price: (model: string) => priceOf(model),
  };
  const method = path.startsWith("/chat") ? "POST" : "GET";
  return {
    exchange: new Exchange(recorder, method, path, "ForgeCode/2.9 (linux)"),
    entries: () => lines.map((line) => JSON.parse(line)),
    metrics,
    requests,
    rows,
  };
}

Deno.test("Exchange writes one line, however often it is ended", () => {
  const { exchange: one, entries, metrics } = exchange();
  one.model = "m";
  one.surface = "mlflow";
  one.first();
  const usage = { prompt_tokens: 7, completion_tokens: 5, total_tokens: 12 };
  one.end({ status: 200, ending: "stop", usage });
  one.end({ status: 500 });
  const [entry, ...others] = entries();
  assertEquals(others, []);
  assertEquals([entry.level, entry.message], ["info", "POST /chat/completions 200"]);
  assertEquals([entry.model, entry.surface, entry.ending], ["m", "mlflow", "stop"]);
  assertEquals([entry.tokens_in, entry.tokens_out], [7, 5]);
  assert(Number.isInteger(entry.first_byte_ms) && entry.duration_ms >= entry.first_byte_ms);
  assertStringIncludes(metrics.text(), 'fd_bridge_tokens_total{direction="in"} 7');
});

Deno.test("Exchange counts tokens in either dialect's words", () => {
  const { exchange: one, entries } = exchange();
  one.end({ status: 200, usage: { input_tokens: 3, output_tokens: "4" } });
  assertEquals([entries()[0].tokens_in, entries()[0].tokens_out], [3, 0]);
});

Deno.test("Exchange warns of a client's fault and shouts about the gateway's, both masked and cut", () => {
  for (const [status, level] of [[400, "warn"], [502, "error"]] as const) {
    const { exchange: one, entries } = exchange();
    one.secrets = ["opaque~secret"];
    one.model = `opaque~secret${"m".repeat(500)}`;
    const error = new BridgeError("gateway", `opaque~secret ${"x".repeat(5000)}`, { status });
    one.end({ status, ending: "opaque~secret", error });
    const [entry] = entries();
    assertEquals(entry.level, level);
    assert(!JSON.stringify(entry).includes("opaque~secret"));
    assert(entry.error.length <= 500 && entry.model.length <= 100);
  }
});

Deno.test("Exchange names what was dropped at level debug only", () => {
  for (const [level, expected] of [["info", undefined], ["debug", "store,logprobs"]] as const) {
    const { exchange: one, entries } = exchange(level);
    one.dropped = ["store", "logprobs"];
    one.end({ status: 200 });
    assertEquals(entries()[0].dropped, expected);
  }
});

Deno.test("Exchange.log() gives every line of a request its id, and masks its secrets", () => {
  const { exchange: one, entries, requests } = exchange();
  one.secrets = ["opaque~secret"];
  one.model = "m";
  one.log("info", "about opaque~secret", { value: "opaque~secret", count: 5 });
  one.retry("the connection was refused", 250.4);
  one.learn("drops store", "drop", { status: 400 });
  one.log("debug", "not shown");
  one.end({ status: 200 });
  assertEquals(entries().map(({ id }) => id), [one.id, one.id, one.id, one.id]);
  const [free, retry, learned, line] = entries();
  assertEquals([free.message, free.value, free.count], ["about ***", "***", 5]);
  assertEquals([retry.level, retry.message, retry.model, retry.delay_ms], [
    "warn",
    "the connection was refused; asking again",
    "m",
    250,
  ]);
  assertEquals([learned.message, learned.model, learned.status], [
    "learned: drops store",
    "m",
    400,
  ]);
  assertEquals([line.retries, line.client], [1, "ForgeCode"]);
  const [record] = requests.find();
  assertEquals([record.retries, record.retry_causes], [1, ["the connection was refused"]]);
  assertEquals(record.learned, ["drops store"]);
  assert(/^[0-9a-f]{16}$/.test(one.id));
});

Deno.test("Exchange.headers names the bridge's id always, and the gateway's where there is one", () => {
  const { exchange: one, entries } = exchange();
  assertEquals(one.headers, { "x-fd-bridge-request-id": one.id, "x-request-id": one.id });
  one.gatewayRequestId = "gw-1";
  assertEquals(one.headers, { "x-fd-bridge-request-id": one.id, "x-request-id": "gw-1" });
  one.end({ status: 200 });
  assertEquals(entries()[0].gateway_id, "gw-1");
});

Deno.test("Exchange tells a stream's late failure by the failure's status, at its level", () => {
  for (
    const [status, ending, level] of [
      [429, "gateway", "warn"],
      [502, "gateway", "error"],
      [504, "timeout", "error"],
      [502, "shutdown", "warn"],
    ] as const
  ) {
    const { exchange: one, entries } = exchange();
    one.end({ status: 200, ending, error: new BridgeError("gateway", "no", { status }) });
    const [entry] = entries();
    assertEquals([entry.level, entry.message], [
      level,
      `POST /chat/completions 200 then ${status}`,
    ]);
  }
});

Deno.test("Exchange logs what machines ask over and over at debug, and doesn't record it", () => {
  for (const path of ["/", "/healthz", "/readyz", "/metrics", "/api/events", "/page.js"]) {
    const quiet = exchange("info", path);
    quiet.exchange.end({ status: 200 });
    assertEquals([quiet.entries(), quiet.requests.find()], [[], []]);
    const debug = exchange("debug", path);
    debug.exchange.end({ status: 200 });
    assertEquals(debug.entries()[0].level, "debug");
    const failed = exchange("info", path);
    failed.exchange.end({ status: 500, error: new BridgeError("gateway", "no", { status: 500 }) });
    assertEquals(failed.entries().length, 1);
  }
});

Deno.test("Exchange records every fact of a request, with its cost, and adds it to the usage", () => {
  const { exchange: one, entries, requests, rows, metrics } = exchange();
  one.model = "databricks-claude-sonnet-4-5";
  one.surface = "mlflow";
  one.dialects = "chat → chat";
  one.stream = true;
  one.dropped = ["store"];
  one.repair("fills missing tool call ids");
  one.repair("fills missing tool call ids");
  one.gatewayRequestId = "gw-2";
  one.bytes = 500;
  one.pieces = 20;
  const [running] = requests.running();
  assertEquals([running.id, running.bytes, running.tokens], [one.id, 500, 20]);
  one.end({
    status: 200,
    ending: "stop",
    usage: { prompt_tokens: 1_000, completion_tokens: 100, cache_read_input_tokens: 800 },
  });
  assertEquals(requests.running(), []);
  const [record] = requests.find();
  assertEquals([record.client, record.dialects, record.stream], ["ForgeCode", "chat → chat", true]);
  assertEquals([record.tokens_in, record.tokens_out, record.tokens_cached], [1_000, 100, 800]);
  assertEquals(record.cost?.toFixed(6), "0.002340");
  assertEquals(record.saved?.toFixed(6), "0.002160");
  assertEquals([record.dropped, record.repaired], [["store"], ["fills missing tool call ids"]]);
  assertEquals([rows.length, rows[0].client, rows[0].failed], [1, "ForgeCode", false]);
  assertEquals(rows[0].tokens?.cached, 800);
  assertEquals(entries()[0].cost, 0.00234);
  assertStringIncludes(metrics.text(), 'fd_bridge_cache_tokens_total{operation="read"} 800');
});

Deno.test("Exchange shows no cost where no price is known, and no usage where no model was asked", () => {
  const unknown = exchange();
  unknown.exchange.model = "databricks-kimi-k3";
  unknown.exchange.end({ status: 200, usage: { prompt_tokens: 5, completion_tokens: 5 } });
  assertEquals([unknown.requests.find()[0].cost, unknown.rows[0].cost], [undefined, undefined]);
  const nobody = exchange();
  nobody.exchange.end({ status: 400, error: new BridgeError("request", "no JSON") });
  assertEquals(nobody.rows, []);
  assertEquals(nobody.requests.find({ status: "error" }).length, 1);
});

Deno.test("Exchange keeps advice apart, and bounds and masks whatever others wrote", () => {
  const { exchange: one, requests } = exchange();
  one.secrets = ["opaque~secret"];
  one.model = "opaque~secret-model";
  one.dropped = Array.from({ length: 5_000 }, (_, at) => `opaque~secret.${at}${"x".repeat(500)}`);
  for (let at = 0; at < 1_000; at++) one.repair(`${at} opaque~secret ${"y".repeat(500)}`);
  const message = `opaque~secret said no [fd-bridge: choose another model.]`;
  one.end({ status: 403, error: new BridgeError("gateway", message, { code: "opaque~secret" }) });
  const [record] = requests.find();
  assertEquals(record.error?.advice, "choose another model.");
  const text = JSON.stringify(record);
  assert(!text.includes("opaque~secret") && text.length < 40_000, `${text.length} characters`);
});
