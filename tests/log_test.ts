import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { startProgram } from "./helpers/program.ts";
import { Log, type LogOptions } from "../lib/observe/log.ts";

function log(more: Partial<LogOptions> = {}): { log: Log; lines: string[] } {
  const lines: string[] = [];
  const options: LogOptions = {
    level: "trace",
    format: "text",
    color: false,
    write: (line) => lines.push(line),
    now: () => new Date(2026, 8, 1, 12, 34, 56),
    ...more,
  };
  return { log: new Log(options), lines };
}

Deno.test("Log shows its level and what is more important, and nothing else", () => {
  const levels = ["error", "warn", "info", "debug", "trace"] as const;
  levels.forEach((level, at) => {
    const { log: one, lines } = log({ level });
    for (const each of levels) one[each]("x");
    assertEquals(lines.length, at + 1);
    assertEquals(levels.map((each) => one.shows(each)), levels.map((_, other) => other <= at));
  });
});

Deno.test("Log writes a line a message, fields behind it, undefined ones left out", () => {
  const { log: one, lines } = log();
  one.info("POST /x 200", { model: "m", time_ms: 5, none: undefined, ok: true });
  assertEquals(lines, ["12:34:56 info  POST /x 200 model=m time_ms=5 ok=true\n"]);
});

Deno.test("Log keeps one line one line, and a value one value, whatever they are", () => {
  const { log: one, lines } = log();
  one.warn("a\nb\x1b[31m", { model: "x status=200\r\nfake", quote: 'a"b', empty: "" });
  assertEquals(lines.length, 1);
  assertEquals(lines[0].split("\n").length, 2);
  assert(!lines[0].includes("\x1b"), "no escape of a client's reaches the terminal");
  assertStringIncludes(lines[0], 'model="x status=200  fake"');
  assertStringIncludes(lines[0], 'quote="a\\"b"');
  assertStringIncludes(lines[0], 'empty=""');
});

Deno.test("Log writes JSON for machines, one object a line", () => {
  const { log: one, lines } = log({ format: "json" });
  one.error("failed\nbadly", { status: 500, none: undefined });
  const entry = JSON.parse(lines[0]);
  assertEquals(entry, {
    time: new Date(2026, 8, 1, 12, 34, 56).toISOString(),
    level: "error",
    message: "failed\nbadly",
    status: 500,
  });
  assert(lines[0].endsWith("}\n") && lines[0].trim().split("\n").length === 1);
});

Deno.test("Log colours only where it was told to", () => {
  const { log: plain, lines } = log();
  plain.error("x", { a: 1 });
  assert(!lines[0].includes("\x1b"));
  const { log: bright, lines: painted } = log({ color: true });
  bright.error("x", { a: 1 });
  assertStringIncludes(painted[0], "\x1b[31m");
});

Deno.test("Log masks what looks like a token, in both forms", () => {
  for (const format of ["text", "json"] as const) {
    const { log: one, lines } = log({ format });
    one.info("dapi0123456789abcdef", { header: "Bearer abcdefgh" });
    assert(!/dapi0|abcdefgh/.test(lines[0]), lines[0]);
  }
});

Deno.test("the program goes on answering when nobody reads its log any more", async () => {
  await using program = await startProgram(["--port", "0", "--demo"]);
  const url = await program.url;
  await program.stopReading();
  const start = performance.now();
  // Lines are written some time after their requests.
  while (performance.now() - start < 500) {
    const response = await fetch(`${url}/models`);
    assertEquals([response.status, (await response.json()).object], [200, "list"]);
  }
});
