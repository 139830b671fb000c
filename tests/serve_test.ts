/** The program as a process: how it starts, and how it ends. */
import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { losesClients } from "../lib/listen.ts";
import { chunk, startRawGateway, STREAM_END, STREAM_HEAD } from "./helpers/raw_gateway.ts";
import { inTime, MODELS, RawClient, rawPost, startFaultBridge } from "./helpers/fault_bridge.ts";
import { type ProgramOptions, startProgram } from "./helpers/program.ts";

/** Why a test can't run on this Deno, for its name; empty where it can. */
const UNFIT = losesClients(Deno.version.deno)
  ? ` (skipped: Deno ${Deno.version.deno} doesn't notice a client that leaves before its answer)`
  : "";

Deno.test("losesClients() knows the versions of Deno that were tried", () => {
  for (const version of ["2.6.8", "2.7.14", "2.8.0", "2.8.2"]) assert(!losesClients(version));
  for (const version of ["2.8.3", "2.9.6", "3.0.0"]) assert(losesClients(version), version);
});

Deno.test({
  name:
    `Deno.serve ends request.signal within 0.5 s when a client with a 20 KB body leaves${UNFIT}`,
  ignore: UNFIT !== "",
  async fn() {
    const came = Promise.withResolvers<void>();
    const left = Promise.withResolvers<void>();
    const server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen() {} },
      async (request) => {
        await request.text();
        request.signal.addEventListener("abort", () => left.resolve());
        came.resolve();
        await left.promise;
        return new Response();
      },
    );
    const client = await RawClient.send(server.addr.port, rawPost("x".repeat(20_000)));
    await inTime("the request", came.promise);
    client.leave();
    await inTime("the signal", left.promise, 500);
    await server.shutdown();
  },
});

Deno.test({
  name:
    `the gateway's request ends when a client with a 20 KB body leaves before the answer${UNFIT}`,
  ignore: UNFIT !== "",
  async fn() {
    await using gateway = startRawGateway(() => {});
    await using bridge = startFaultBridge(gateway.url);
    const messages = [{ role: "user", content: "x".repeat(20_000) }];
    const client = await RawClient.send(bridge.port, rawPost({ model: MODELS.chat, messages }));
    const { closed } = await inTime("the request", gateway.request(1));
    client.leave();
    await inTime("the end of the gateway's request", closed, 1_000);
  },
});

const key = ["--client-key", "our-secret-key"];

/** Arguments → words of the one line that the program ends with. */
const BAD: readonly (readonly [string[], string])[] = [
  [["--demo", "--host", "203.0.113.7", "--port", "0", ...key], "not an address of this machine"],
  [["--demo", "--host", "0.0.0.0", "--port", "0"], "--client-key"],
  [["--demo", "--models", "/nowhere.json"], "/nowhere.json: there is no such file"],
  [["--demo", "--models", "lib"], "can't be read"],
  [["--demo", "--models", "deno.json"], "deno.json"],
  [["--demo", "--port", "99999"], "--port"],
  [["--nonsense"], "no flag"],
];

for (const [args, words] of BAD) {
  Deno.test(`the program ends with a line and 2 for ${args.join(" ")}`, async () => {
    await using program = await startProgram(args);
    assertEquals(await program.ended, 2);
    assertStringIncludes(program.text(), words);
    assertEquals(program.text().trim().split("\n").length, 1, program.text());
  });
}

Deno.test("the program says who has its port, where that is another fd-bridge", async () => {
  await using first = await startProgram(["--demo", "--port", "0"]);
  const { port } = new URL(await first.url);
  await using second = await startProgram(["--demo", "--port", port]);
  assertEquals(await second.ended, 2);
  assertMatch(second.text(), /another fd-bridge \(\d+\.\d+\.\d+[^)]*\) listens there/);
  const other = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  await using third = await startProgram(["--demo", "--port", String(other.addr.port)]);
  assertEquals(await third.ended, 2);
  assertStringIncludes(third.text(), "another program listens there");
  other.close();
});

Deno.test("the program warns where other machines can reach it", async () => {
  await using program = await startProgram(["--demo", "--host", "0.0.0.0", "--port", "0", ...key]);
  const url = await program.url;
  assertStringIncludes(program.text(), "WARNING");
  assert(!program.text().includes("our-secret-key"));
  const response = await fetch(`${url}/healthz`);
  assertEquals((await response.json()).status, "ok");
});

const half = `data: ${JSON.stringify({ choices: [{ index: 0, delta: { content: "half" } }] })}\n\n`;
const rest = `data: ${
  JSON.stringify({ choices: [{ index: 0, delta: { content: "whole" }, finish_reason: "stop" }] })
}\n\ndata: [DONE]\n\n`;

/** A program with a stream that is half-way; `finish` lets the gateway end it. */
async function midStream(flags: readonly string[], options: ProgramOptions = {}) {
  const finish = Promise.withResolvers<void>();
  const gateway = startRawGateway(async ({ send }) => {
    await send(STREAM_HEAD);
    await send(chunk(half));
    await finish.promise;
    await send(chunk(rest));
    await send(STREAM_END);
  });
  const program = await startProgram(["--gateway", gateway.url, "--port", "0", ...flags], {
    ...options,
  });
  const messages = [{ role: "user", content: "Hello" }];
  const response = await fetch(`${await program.url}/chat/completions`, {
    method: "POST",
    headers: { authorization: "Bearer t" },
    body: JSON.stringify({ model: MODELS.chat, messages, stream: true }),
  });
  const pieces = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  const { value: first = "" } = await pieces.read();
  return {
    program,
    gateway,
    finish: finish.resolve,
    async text() {
      let text = first;
      for (let piece = await pieces.read(); !piece.done; piece = await pieces.read()) {
        text += piece.value;
      }
      return text;
    },
    async [Symbol.asyncDispose]() {
      finish.resolve();
      await program[Symbol.asyncDispose]();
      await gateway[Symbol.asyncDispose]();
    },
  };
}

const ignore = Deno.build.os === "windows";

/** Waits until the program has written something. */
async function said(program: { text: () => string }, words: string): Promise<void> {
  const waiting = async () => {
    while (!program.text().includes(words)) await new Promise((resolve) => setTimeout(resolve, 10));
  };
  await inTime(words, waiting());
}

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  for (const byTask of [false, true]) {
    Deno.test({
      name: `the program lets a stream finish after ${signal}${
        byTask ? ", sent to the launcher" : ""
      }`,
      ignore,
      async fn() {
        await using running = await midStream([], { byTask });
        const { program } = running;
        program.signal(signal);
        await said(program, "ending: 1 running answer");
        await assertRejects(async () => await fetch(await program.url));
        running.finish();
        assertMatch(await inTime("the answer", running.text()), /whole[^]*\[DONE\]\n\n$/);
        assertEquals(await inTime("the end", program.ended), 0);
        assert(!program.text().includes("cut off"), program.text());
      },
    });
  }
}

for (const byTask of [false, true]) {
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    Deno.test({
      name: `the program lets a stream finish after ${signal} to its process group${
        byTask ? ", the launcher's" : ""
      }`,
      ignore: Deno.build.os !== "linux",
      async fn() {
        await using running = await midStream([], { byTask, behind: ["setsid"] });
        running.program.signalGroup(signal);
        await said(running.program, "ending: 1 running answer");
        running.finish();
        assertMatch(await inTime("the answer", running.text()), /whole[^]*\[DONE\]\n\n$/);
        assertEquals(await inTime("the end", running.program.ended), 0);
      },
    });
  }
}

Deno.test({
  name: "the program lives on after SIGHUP under nohup",
  ignore: Deno.build.os !== "linux",
  async fn() {
    // A shell leaves the name of what it starts in `_`.
    await using running = await midStream([], { behind: ["nohup"], env: { _: "/usr/bin/nohup" } });
    const { program } = running;
    program.signal("SIGHUP");
    running.finish();
    assertMatch(await inTime("the answer", running.text()), /whole[^]*\[DONE\]\n\n$/);
    assertEquals((await fetch(`${await program.url}/healthz`)).status, 200);
    assert(!program.text().includes("info  ending"), program.text());
    program.signal("SIGTERM");
    assertEquals(await inTime("the end", program.ended), 0);
  },
});

Deno.test({
  name: "the program lets a stream finish and ends when its launcher is killed",
  ignore,
  async fn() {
    await using running = await midStream([], { byTask: true });
    const { program } = running;
    program.signal("SIGKILL");
    await said(program, "ending: 1 running answer");
    running.finish();
    assertMatch(await inTime("the answer", running.text()), /whole[^]*\[DONE\]\n\n$/);
    // Standard error ends with the last that writes to it.
    await inTime("the end", program.ended);
  },
});

Deno.test({
  name: "the program outlives a shell that has started it",
  ignore,
  async fn() {
    const script = '"$0" "$@" & echo "pid=$!" >&2; wait';
    await using running = await midStream([], { behind: ["sh", "-c", script] });
    const { program } = running;
    const pid = Number(/pid=(\d+)/.exec(program.text())![1]);
    program.signal("SIGKILL");
    // More than one look at the parent, if there were any.
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    running.finish();
    assertMatch(await inTime("the answer", running.text()), /whole[^]*\[DONE\]\n\n$/);
    assert(!program.text().includes("info  ending"), program.text());
    Deno.kill(pid, "SIGTERM");
  },
});

Deno.test({
  name: "the program takes signals within a second of the first for the same one",
  ignore,
  async fn() {
    await using running = await midStream([]);
    const { program } = running;
    for (const signal of ["SIGTERM", "SIGTERM", "SIGINT"] as const) program.signal(signal);
    await said(program, "ending:");
    program.signal("SIGTERM");
    running.finish();
    assertMatch(await inTime("the answer", running.text()), /whole[^]*\[DONE\]\n\n$/);
    assertEquals(await inTime("the end", program.ended), 0);
  },
});

Deno.test({
  name:
    "the program listens for --drain-time after SIGTERM, not ready, and lets its streams finish",
  ignore,
  async fn() {
    await using running = await midStream(["--drain-time", "2s"]);
    const { program } = running;
    const url = await program.url;
    assertEquals(await (await fetch(`${url}/readyz`)).json(), { status: "ready" });
    program.signal("SIGTERM");
    await said(program, "draining");
    const probe = await fetch(`${url}/readyz`);
    assertEquals([probe.status, probe.headers.get("connection")], [503, "close"]);
    await probe.body?.cancel();
    // New requests are still answered.
    const models = await fetch(`${url}/models`);
    assertEquals(models.status, 200);
    await models.body?.cancel();
    await said(program, "ending: 1 running answer");
    await assertRejects(() => fetch(url));
    running.finish();
    assertMatch(await inTime("the answer", running.text()), /whole[^]*\[DONE\]\n\n$/);
    assertEquals(await inTime("the end", program.ended), 0);
  },
});

Deno.test({
  name: "the program ends the drain at a second signal",
  ignore,
  async fn() {
    await using running = await midStream(["--drain-time", "10m"]);
    running.program.signal("SIGTERM");
    await said(running.program, "draining");
    // A signal within a second of the first is the same one.
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    running.program.signal("SIGTERM");
    await assertCutTruthfully(running);
  },
});

/** What a client gets of a stream that the program's end cut off, and what is logged. */
async function assertCutTruthfully(running: Awaited<ReturnType<typeof midStream>>) {
  const { program, gateway } = running;
  assertEquals(await inTime("the end", program.ended, 4_000), 1);
  const text = await running.text();
  assertStringIncludes(text, '"code":"shutdown"');
  assert(!text.includes("[DONE]"), text);
  assertMatch(program.text(), /POST \/chat\/completions 200 .*ending=shutdown/);
  assertStringIncludes(program.text(), "1 answer was cut off");
  await inTime("the end of the gateway's request", gateway.requests[0].closed, 1_000);
}

Deno.test({
  name: "the program ends a stream with an error event at a second signal, and with 1",
  ignore,
  async fn() {
    await using running = await midStream([]);
    running.program.signal("SIGINT");
    await said(running.program, "ending:");
    // A signal within a second of the first is the same one.
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    running.program.signal("SIGINT");
    await assertCutTruthfully(running);
  },
});

Deno.test({
  name: "the program ends a stream with an error event when --shutdown-time is over, and with 1",
  ignore,
  async fn() {
    await using running = await midStream(["--shutdown-time", "200ms"]);
    running.program.signal("SIGTERM");
    await assertCutTruthfully(running);
  },
});

Deno.test({
  name: "the simulated gateway of --demo doesn't hold up the end",
  ignore,
  async fn() {
    await using program = await startProgram(["--demo", "--port", "0"]);
    const url = await program.url;
    const ask = (content: string) =>
      fetch(`${url}/chat/completions`, {
        method: "POST",
        headers: { authorization: "Bearer t" },
        body: JSON.stringify({ model: MODELS.chat, messages: [{ role: "user", content }] }),
      });
    // Afterwards the connection between the two is kept for the next request.
    await (await ask("Hello")).text();
    program.signal("SIGTERM");
    assertEquals(await inTime("the end", program.ended, 2_000), 0);
  },
});
