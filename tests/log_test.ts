import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { startProgram } from "./helpers/program.ts";
import { Log, type LogOptions, queuedLog } from "../lib/observe/log.ts";
import { LogQueue } from "../lib/observe/log_queue.ts";
import { currentStdSource, stdFlags } from "../scripts/std_source.ts";

function log(more: Partial<LogOptions> = {}): { log: Log; lines: string[] } {
  const lines: string[] = [];
  const options: LogOptions = {
    level: "trace",
    format: "text",
    color: false,
    // What day it is has tests of its own.
    write: (line) => line.includes(" today=") || lines.push(line),
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

Deno.test("Log tells the date and the zone before its first text line, and at midnight", () => {
  const lines: string[] = [];
  let time = new Date(2026, 8, 1, 23, 59, 59);
  const one = log({ level: "warn", now: () => time, write: (line) => lines.push(line) }).log;
  one.info("not shown");
  assertEquals(lines, [], "a day in which nothing is said needs no date");
  one.warn("before");
  one.warn("still");
  time = new Date(2026, 8, 2, 0, 0, 1);
  one.warn("after");
  assertEquals(lines.map((line) => line.replace(/UTC[+-]\d\d:\d\d/, "ZONE")), [
    "23:59:59 info  today=2026-09-01 zone=ZONE\n",
    "23:59:59 warn  before\n",
    "23:59:59 warn  still\n",
    "00:00:01 info  today=2026-09-02 zone=ZONE\n",
    "00:00:01 warn  after\n",
  ]);
});

/** An output that takes nothing until it is told to. */
function stuckOutput() {
  let text = "";
  let writes = 0;
  const release = Promise.withResolvers<void>();
  return {
    send: async (bytes: Uint8Array) => {
      writes++;
      await release.promise;
      text += new TextDecoder().decode(bytes);
      return bytes.length;
    },
    release: () => release.resolve(),
    text: () => text,
    writes: () => writes,
  };
}

Deno.test("LogQueue drops the oldest lines of an output that is stuck, and tells how many", async () => {
  const output = stuckOutput();
  const queue = new LogQueue(output.send, { maxLines: 10 });
  queue.write("in flight\n");
  await Promise.resolve();
  for (let line = 1; line <= 25; line++) queue.write(`${line}\n`);
  assertEquals([queue.waiting, queue.dropped, output.writes()], [10, 15, 1]);
  output.release();
  assert(await queue.flush(1_000));
  const lines = output.text().trim().split("\n");
  assertEquals(lines.slice(0, 3), [
    "in flight",
    "(15 log lines were dropped: nobody read them)",
    "16",
  ]);
  assertEquals([lines.at(-1), lines.length, queue.dropped], ["25", 12, 0]);
});

Deno.test("LogQueue is bounded in characters, too, and keeps the newest line whatever its length", async () => {
  const output = stuckOutput();
  const queue = new LogQueue(output.send, { maxLength: 100 });
  queue.write("x\n");
  await Promise.resolve();
  for (let line = 0; line < 20; line++) queue.write("y".repeat(39) + "\n");
  assertEquals(queue.waiting, 2);
  queue.write("z".repeat(1_000) + "\n");
  assertEquals(queue.waiting, 1);
  output.release();
  await queue.flush(1_000);
  assert(output.text().endsWith("z\n"));
});

Deno.test("LogQueue goes on where only part of the bytes was taken", async () => {
  let text = "";
  const queue = new LogQueue((bytes) => {
    text += new TextDecoder().decode(bytes.subarray(0, 3));
    return Promise.resolve(Math.min(3, bytes.length));
  });
  queue.write("a longer line\n");
  assert(await queue.flush(1_000));
  assertEquals(text, "a longer line\n");
});

Deno.test("LogQueue.flush() gives up after its time, and an output that fails ends nothing", async () => {
  const output = stuckOutput();
  const stuck = new LogQueue(output.send);
  stuck.write("x\n");
  assertEquals(await stuck.flush(5), false);
  output.release();
  assert(await stuck.flush(1_000));

  const closed = new LogQueue(() => Promise.reject(new Deno.errors.BrokenPipe("nobody reads")));
  closed.write("x\n");
  assertEquals(await closed.flush(1_000), false);
  closed.write("y\n");
  assertEquals(closed.waiting, 0);
});

Deno.test("LogQueue writes a line that comes just as it runs out of lines", async () => {
  for (let turns = 0; turns < 10; turns++) {
    let text = "";
    const sent = Promise.withResolvers<void>();
    const queue = new LogQueue(async (bytes) => {
      text += new TextDecoder().decode(bytes);
      await sent.promise;
      return bytes.length;
    });
    queue.write("a\n");
    for (let turn = 0; turn < 5; turn++) await Promise.resolve();
    sent.resolve();
    for (let turn = 0; turn < turns; turn++) await Promise.resolve();
    queue.write("b\n");
    assert(await queue.flush(1_000));
    assertEquals(text, "a\nb\n", `after ${turns} turns`);
  }
});

Deno.test("queuedLog() tells dropped lines in the log's own form", async () => {
  for (const format of ["text", "json"] as const) {
    const output = stuckOutput();
    const { log: one, queue } = queuedLog({ level: "info", format, color: false }, output.send);
    for (let line = 0; line < 3; line++) {
      for (let at = 0; at < 1_500; at++) one.info("x");
      await Promise.resolve();
    }
    output.release();
    assert(await queue.flush(1_000));
    const told = output.text().split("\n").find((line) => line.includes("were dropped"))!;
    if (format === "json") {
      const { level, message, dropped } = JSON.parse(told);
      assertEquals([level, typeof message, dropped > 0], ["warn", "string", true]);
    } else assert(/^\d\d:\d\d:\d\d warn {2}.* dropped=\d+$/.test(told), told);
  }
});

/** Starts `tests/helpers/log_child.ts`, whose standard error nobody reads. */
function startLogChild() {
  return new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--no-prompt",
      ...stdFlags(currentStdSource()),
      new URL("./helpers/log_child.ts", import.meta.url).pathname,
    ],
    cwd: new URL("..", import.meta.url).pathname,
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

/** Reads text up to where it holds a word. */
async function readUntil(reader: ReadableStreamDefaultReader<string>, word: string) {
  let text = "";
  while (!text.includes(word)) {
    const { done, value } = await reader.read();
    if (done) throw new Error(`It ended before "${word}": ${text}`);
    text += value;
  }
  return text;
}

Deno.test("a pipe that nobody reads holds up nothing, and what was dropped is told when it flows again", async () => {
  const child = startLogChild();
  const out = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  await readUntil(out, "answered 5000");
  // Now somebody reads.
  const errors = new Response(child.stderr).text();
  const input = child.stdin.getWriter();
  await input.write(new Uint8Array([10]));
  await readUntil(out, "flushed true");
  await Promise.all([input.close(), out.cancel()]);
  assertEquals((await child.status).code, 0);
  const lines = (await errors).trim().split("\n");
  const dropped = lines.reduce(
    (sum, line) => sum + Number(/ dropped=(\d+)$/.exec(line)?.[1] ?? 0),
    0,
  );
  const shown = lines.filter((line) => line.includes(" line=")).length;
  assert(dropped > 0, "the pipe was full");
  assertEquals(shown + dropped, 5_000);
  assert(lines.some((line) => line.includes("line=1 ")), "what had been written stays");
  assert(lines.some((line) => line.includes("line=5000 ")), "the newest lines are kept");
  assertStringIncludes(lines.at(-1)!, "the last line");
});

Deno.test("a pipe that is never read holds up the end of the program for its time limit only", async () => {
  const child = startLogChild();
  const out = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  await readUntil(out, "answered 5000");
  const input = child.stdin.getWriter();
  await input.write(new Uint8Array([10]));
  await readUntil(out, "flushed false");
  assertEquals((await child.status).code, 0);
  await Promise.all([input.close().catch(() => {}), out.cancel(), child.stderr.cancel()]);
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

Deno.test("LogQueue writes the first line at once, and what comes in the pause after it together", async () => {
  const output = { writes: [] as string[] };
  const queue = new LogQueue((bytes) => {
    output.writes.push(new TextDecoder().decode(bytes));
    return Promise.resolve(bytes.length);
  }, { pause: 60_000 });
  queue.write("one\n");
  await new Promise((resolve) => setTimeout(resolve, 0));
  assertEquals(output.writes, ["one\n"]);
  queue.write("two\n");
  queue.write("three\n");
  assertEquals(
    await queue.flush(1_000),
    true,
    "whoever waits for the last line waits for no pause",
  );
  assertEquals(output.writes, ["one\n", "two\nthree\n"]);
});
