import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { LogLevel } from "../lib/config/config.ts";
import { BridgeError } from "../lib/errors.ts";
import { Exchange } from "../lib/observe/exchange.ts";
import { Log } from "../lib/observe/log.ts";
import { Metrics } from "../lib/observe/metrics.ts";

function exchange(level: LogLevel = "info") {
  const lines: string[] = [];
  const metrics = new Metrics();
  const log = new Log({ level, format: "json", color: false, write: (line) => lines.push(line) });
  return {
    exchange: new Exchange({ log, metrics }, "POST", "/chat/completions"),
    entries: () => lines.map((line) => JSON.parse(line)),
    metrics,
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
  assertEquals([entries()[0].tokens_in, entries()[0].tokens_out], [3, undefined]);
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
