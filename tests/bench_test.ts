/**
 * The benchmark: that it measures what it says. How fast anything is, is no matter here.
 */
import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { type CandidateName, candidates, start } from "../bench/candidates.ts";
import { type CaseName, CASES, chatRequest, quantile } from "../bench/cases.ts";
import { BodyWalker, Connection, EventCounter } from "../bench/client.ts";
import { orderText, readOrder, startGateway } from "../bench/gateway.ts";
import { measure } from "../bench/measure.ts";
import {
  cell,
  goalsTable,
  type Results,
  type RowName,
  ROWS,
  type Sample,
  troubles,
  valuesTable,
  verdicts,
} from "../bench/report.ts";
import { readOptions } from "../bench/run.ts";
import { busyBetween, parseProc } from "../bench/usage.ts";
import { fill } from "../scripts/performance.ts";

const encode = (text: string) => new TextEncoder().encode(text);
const EFFORT = { seconds: 0.01, share: 0.02 };
const ALL = Object.keys(CASES) as CaseName[];

/** A server in the bridge's place. */
function serve(handler: (request: Request) => Response): AsyncDisposable & { port: number } {
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, async (request) => {
    await request.text();
    return handler(request);
  });
  return { port: server.addr.port, [Symbol.asyncDispose]: () => server.shutdown() };
}

/** A sample with one number in it. */
function sample(
  candidate: CandidateName,
  row: RowName,
  value: number | null,
  more: Partial<Sample> = {},
): Sample {
  const values = { [row]: value };
  return { round: 0, candidate, case: "any", values, good: 1, bad: 0, failures: {}, ...more };
}

/** A run with only these samples. */
function run(samples: readonly Sample[]): Results {
  const names = [...new Set(samples.map(({ candidate }) => candidate))];
  return {
    version: 1,
    when: "2030-01-01T00:00:00.000Z",
    command: "deno task bench",
    machine: { cpu: "A processor", cpus: 2, memory: 4096, system: "linux" },
    versions: { Deno: "2" },
    seed: 1,
    rounds: 1,
    seconds: 1,
    pinned: false,
    candidates: names.map((name) => ({ name, label: `The ${name}` })),
    missing: [],
    samples,
  };
}

Deno.test("measure() gives every row for every candidate, and every answer is good", async () => {
  const list = candidates({}).filter(({ name }) => name !== "direct");
  const results = await measure({
    ...EFFORT,
    rounds: 1,
    settle: 0,
    pin: false,
    seed: 7,
    cases: ALL,
    candidates: list,
    command: "deno task bench",
    missing: [],
    versions: {},
    tell: () => {},
  });
  assertEquals(troubles(results), []);
  // What only Linux tells is there nevertheless, as null or NaN, and shown as missing.
  const told = (name: RowName) => Deno.build.os === "linux" || !/^(cpu|memory)/.test(name);
  for (const { name } of ROWS) {
    for (const candidate of list) {
      const found = results.samples.filter((sample) =>
        sample.candidate === candidate.name && name in sample.values
      );
      assertEquals(found.length, 1, `${name} of ${candidate.name}`);
      if (told(name) && !name.startsWith("cpu")) {
        assert((found[0].values[name] ?? 0) > 0, `${name} of ${candidate.name}`);
      }
    }
  }
  for (const name of ALL) {
    for (const sample of results.samples.filter((sample) => sample.case === name)) {
      assert(sample.good > 0, `${name} of ${sample.candidate} asked nothing`);
    }
  }
  const kept: Results = JSON.parse(JSON.stringify(results));
  assertEquals(kept.version, 1);
  assertEquals(kept.candidates.map(({ name }) => name), ["passthrough", "parts", "bridge"]);
  assert(kept.machine.cpus > 0);
  assertEquals(Object.keys(kept.versions), ["fd-bridge", "Deno", "V8"]);
  assertStringIncludes(valuesTable(kept), "raw Deno pass-through");
  assertEquals(verdicts(kept).some(({ ratio }) => ratio !== undefined), true);
});

const WRONG: Record<string, () => Response> = {
  "status 500": () => new Response("data: 1\n\n", { status: 500 }),
  "an event too few": () => new Response("data: 1\n\n".repeat(2)),
  "an event too many": () => new Response("data: 1\n\n".repeat(4)),
};

for (const [what, answer] of Object.entries(WRONG)) {
  Deno.test(`a case counts as bad: ${what}`, async () => {
    await using server = serve(answer);
    const result = await CASES.first({ port: server.port, pid: undefined }, EFFORT);
    assertEquals(result.good, 0);
    assert(result.bad > 0);
    assertMatch(Object.keys(result.failures)[0], /^status \d+, \d of 3 events/);
  });
}

Deno.test("a case counts as bad: nobody answers", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  for (const name of ALL) {
    const { good, bad } = await CASES[name]({ port, pid: undefined }, EFFORT);
    assertEquals(good, 0, name);
    assert(bad > 0, name);
  }
});

Deno.test("a case counts as bad: the connection closes before the end", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const serving = (async () => {
    for await (const connection of listener) {
      await connection.read(new Uint8Array(64 * 1024));
      await connection.write(encode(
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1b\r\ndata: 1\n\ndata: 2\n\ndata: 3\n\n\r\n",
      ));
      connection.close();
    }
  })();
  const { port } = listener.addr;
  const { good, failures } = await CASES.first({ port, pid: undefined }, EFFORT);
  listener.close();
  await serving;
  assertEquals(good, 0);
  assertStringIncludes(Object.keys(failures)[0], "closed");
});

Deno.test("latency is the time from the gateway's write to the client's read", async () => {
  await using server = serve(() => {
    // As if the gateway had written them a second ago.
    const written = Math.round((performance.timeOrigin + performance.now()) * 1000) - 1e6;
    const events = Array.from({ length: 4 }, (_, at) => `data: @${written}|${at}\n\n`);
    return new Response(events.join("") + "data: {}\n\ndata: [DONE]\n\n");
  });
  const result = await CASES.paced1({ port: server.port, pid: undefined }, EFFORT);
  assertEquals(result.bad, 0);
  assert(result.values.latency! >= 1000, `${result.values.latency} ms`);
});

Deno.test("startGateway() sends what is ordered, flat out and paced, on one connection", async () => {
  await using gateway = startGateway();
  const connection = new Connection(gateway.port);
  for (const [interval, events] of [[0, 1], [0, 5000], [500, 20], [1, 300]]) {
    const reply = await connection.send(chatRequest({ stream: true, events, interval }, 100_000));
    assertEquals(reply, { ...reply, status: 200, whole: true, events: events + 2 });
  }
  const reply = await connection.send(chatRequest({ stream: false, events: 9, interval: 0 }));
  assertEquals(reply, { ...reply, status: 200, whole: true, events: 0 });
  connection.close();
});

Deno.test("startGateway() reads a request that fetch sends in chunks", async () => {
  await using gateway = startGateway();
  const order = orderText({ stream: true, events: 3, interval: 0 });
  const body = ReadableStream.from([encode("x".repeat(70_000)), encode(order), encode("y")]);
  const url = `http://127.0.0.1:${gateway.port}/`;
  const text = await (await fetch(url, { method: "POST", body })).text();
  assertEquals(text.split("data: ").length - 1, 5);
});

Deno.test("readOrder() reads what orderText() writes, and nothing else", () => {
  const order = { stream: false, events: 12, interval: 5000 };
  assertEquals(readOrder(`{"content":"${orderText(order)} and so on"}`), order);
  assertEquals(readOrder("bench{stream=1}"), undefined);
});

Deno.test("EventCounter finds every data:, wherever the bytes are cut", () => {
  const text = 'data: {"d":"data"}\n\ndatdata:\ndata: [DONE]\n\nda';
  for (let first = 0; first <= text.length; first++) {
    for (let second = first; second <= text.length; second++) {
      const counter = new EventCounter();
      const cuts = [text.slice(0, first), text.slice(first, second), text.slice(second)];
      for (const cut of cuts) counter.add(encode(cut));
      assertEquals(counter.count, 3, JSON.stringify(cuts));
    }
  }
});

Deno.test("BodyWalker gives the body without its framing, wherever the bytes are cut", () => {
  const framings = [
    ["chunked", "5\r\nhello\r\n1;a=b\r\n \r\nA\r\nwide world\r\n0\r\n\r\n"],
    ["chunked", "10\r\nhello wide world\r\n0\r\nx: y\r\n\r\n"],
    [16, "hello wide world"],
  ] as const;
  for (const [framing, text] of framings) {
    for (let cut = 0; cut <= text.length; cut++) {
      let body = "";
      const walker = new BodyWalker(framing, (bytes) => body += new TextDecoder().decode(bytes));
      walker.add(encode(text.slice(0, cut)));
      assertEquals(walker.whole, cut === text.length, `cut at ${cut}`);
      walker.add(encode(text.slice(cut)));
      assertEquals([body, walker.whole], ["hello wide world", true]);
    }
  }
});

Deno.test("quantile() takes the value at its place, of numbers and not of words", () => {
  assertEquals(quantile([10, 9, 100], 0.5), 10);
  assertEquals(quantile(Array.from({ length: 100 }, (_, at) => at), 0.99), 99);
  assertEquals(quantile([], 0.5), NaN);
});

Deno.test("verdicts() compares what stood side by side in a round, and takes the median", () => {
  // The machine changes its speed; the medians of each alone are 100 and 180. One lacks the first round.
  const both = [[0, 900, NaN], [1, 400, 200], [2, 100, 50], [3, 90, 180]] as const;
  const results = run(both.flatMap(([round, own, other]) => [
    sample("bridge", "events16", own, { round }),
    sample("python", "events16", other, { round }),
  ]));
  assertEquals(verdicts(results).find(({ ratio }) => ratio !== undefined)?.ratio, 2);
});

Deno.test("verdicts() divides, and knows which way is better", () => {
  const results = run([
    ...[90, 200, 300].map((value, round) => sample("bridge", "events16", value, { round })),
    ...[50, 100, 120].map((value, round) => sample("python", "events16", value, { round })),
    sample("passthrough", "events16", 500, { round: 1 }),
    sample("bridge", "cpuFlat", 7),
    sample("python", "cpuFlat", 10),
    sample("passthrough", "cpuFlat", 2.8),
  ]);
  const found = verdicts(results).filter(({ ratio }) => ratio !== undefined)
    .map(({ row, goal, ratio, met }) => [row.name, goal.against, ratio, met]);
  assertEquals(found, [
    ["events16", "python", 2, false],
    ["cpuFlat", "python", 0.7, false],
  ]);
  assertMatch(
    goalsTable(results),
    /16 streams .*threaded Python .*≥ 5× .*2\.00× .*\*\*not met\*\*/,
  );
});

Deno.test("goalsTable() tells the ratios of several runs side by side", () => {
  const reaching = (value: number) =>
    run([sample("bridge", "events16", value), sample("python", "events16", 40)]);
  const line = (...values: number[]) =>
    goalsTable(values.map(reaching)).split("\n").find((line) =>
      line.includes("Events a second, flat out, 16")
    ) ??
      "";
  assertMatch(line(200, 300), /5\.00×, 7\.50× +\| +met/);
  assertMatch(line(200, 100, 300), /5\.00×, 2\.50×, 7\.50× +\| +\*\*met in 2 of 3\*\*/);
  assertMatch(line(100, 50), /2\.50×, 1\.25× +\| +\*\*not met\*\*/);
});

Deno.test("a bad answer voids its row, for that candidate and for the ratio", () => {
  const results = run([
    sample("bridge", "events128", 900, { bad: 1, failures: { "status 502": 1 } }),
    sample("bridge", "events128", 900),
    sample("python", "events128", 100),
  ]);
  assertEquals(cell(results, "bridge", "events128")?.bad, 1);
  assertEquals(verdicts(results).filter(({ met }) => met !== undefined), []);
  assertStringIncludes(valuesTable(results), "void: 1 bad");
  assertEquals(troubles(results), ["bridge, any, round 1: 1 of 2 bad: 1 × status 502"]);
});

Deno.test("what a system does not tell is shown as missing and judged not at all", () => {
  const results = run([sample("bridge", "cpuFlat", null), sample("python", "cpuFlat", null)]);
  assertEquals(cell(results, "bridge", "cpuFlat"), undefined);
  assert(verdicts(results).every(({ met }) => met === undefined));
});

Deno.test("ROWS has every goal, and each row a name of its own", () => {
  assertEquals(new Set(ROWS.map(({ name }) => name)).size, ROWS.length);
  assertEquals(ROWS.filter(({ goal }) => goal !== undefined).length, 12);
});

Deno.test("fill() leaves a page alone that has no markers", () => {
  assertEquals(fill("<!-- a -->", "a", "x"), undefined);
  assertEquals(fill("nothing", "a", "x"), undefined);
});

Deno.test("parseProc() reads a stat line whose name has parentheses, and knows when there is none", () => {
  const stat = `42 (deno) x) R ${"1 ".repeat(10)}3 4 0 0 20`;
  assertEquals(parseProc(`${stat}\nName:\tdeno\nVmRSS:\t  1536 kB\n`), { cpu: 0.07, memory: 1.5 });
  assertEquals(parseProc("\n"), { cpu: undefined, memory: undefined });
});

Deno.test("busyBetween() tells the share of time in which processors did anything", () => {
  const before = "cpu  100 0 50 1000 50 0 0 0 0 0\ncpu0 1 2 3\n";
  assertEquals(busyBetween(before, "cpu  130 0 60 1040 70 0 0 0 0 0\n"), 0.4);
  assertEquals(busyBetween(before, before), 0);
});

Deno.test("readOptions() says what it does not know", async () => {
  await assertRejects(() => readOptions(["--cases", "none"]), TypeError, 'There is no "none"');
  await assertRejects(() => readOptions(["--rounds", "0"]), TypeError, "--rounds");
  await assertRejects(() => readOptions(["--fast"]), TypeError, "--fast");
  const { command, pin, seed } = await readOptions(["--seed", "5", "--no-pin", "--json", "a.json"]);
  assertEquals([command, pin, seed], ["deno task bench --seed 5 --no-pin", false, 5]);
});

Deno.test("start() tells what a program said that never answers", async () => {
  const silent = {
    name: "bridge" as const,
    label: "A silent one",
    command: () => [Deno.execPath(), "eval", "console.error('no luck')"] as const,
  };
  const failure = await assertRejects(() => start(silent, { gateway: 1 }), Error);
  assertStringIncludes(failure.message, "no luck");
});
