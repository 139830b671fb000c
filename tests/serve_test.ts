/** Both kinds of server, and the real program: how it begins, and how it goes down. */
import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { BridgeError } from "../lib/errors.ts";
import { losesClients, type ServeOptions, startServer } from "../lib/serve.ts";
import { chunk, startFaultGateway, STREAM_END, STREAM_HEAD } from "./helpers/fault_gateway.ts";
import { inTime, MODELS, RawClient } from "./helpers/fault_bridge.ts";
import { startProgram } from "./helpers/program.ts";

const encoder = new TextEncoder();

/** The kind of server → the Deno that it is made for. That of a newer Deno isn't tried on an older one. */
const KINDS: Readonly<Record<string, string>> = {
  "Deno.serve": "2.6.8",
  ...losesClients(Deno.version.deno) ? { "our own": Deno.version.deno } : {},
};

const listen = (deno: string, handler: ServeOptions["handler"], shutdownTime = 5_000) =>
  startServer({ host: "127.0.0.1", port: 0, handler, shutdownTime, deno });

for (const [kind, deno] of Object.entries(KINDS)) {
  Deno.test(`startServer() hands method, headers and body over, and brings the answer back (${kind})`, async () => {
    const server = listen(deno, async (request) => {
      const text = new TextDecoder().decode(await request.arrayBuffer());
      const { pathname, search } = new URL(request.url);
      const seen = [request.method, pathname + search, request.headers.get("x-a"), text.length];
      return new Response(JSON.stringify(seen), { status: 201, headers: { "x-b": "b" } });
    });
    for (const size of [0, 5, 2_000, 300_000]) {
      const response = await fetch(`${server.url}/p?q=1`, {
        method: "PUT",
        headers: { "x-a": "ä" },
        body: "x".repeat(size),
      });
      assertEquals([response.status, response.headers.get("x-b")], [201, "b"]);
      assertEquals(await response.json(), ["PUT", "/p?q=1", "ä", size]);
    }
    assertEquals(await server.stop(), true);
  });

  Deno.test(`startServer() answers HEAD without a body, and 204 (${kind})`, async () => {
    const server = listen(
      deno,
      ({ method }) => new Response(null, { status: method === "HEAD" ? 200 : 204 }),
    );
    for (const method of ["HEAD", "GET"]) {
      const response = await fetch(server.url, { method });
      assertEquals(await response.text(), "");
    }
    await server.stop();
  });

  Deno.test(`startServer() sends each piece when it is there (${kind})`, async () => {
    let give = (_: string) => {};
    let end = () => {};
    const server = listen(deno, () =>
      new Response(
        new ReadableStream<Uint8Array<ArrayBuffer>>({
          start(controller) {
            give = (text) => controller.enqueue(encoder.encode(text));
            end = () => controller.close();
          },
        }),
      ));
    const response = await inTime("the head", fetch(server.url));
    const pieces = response.body!.pipeThrough(new TextDecoderStream()).getReader();
    for (const text of ["one", "two", "three"]) {
      give(text);
      assertEquals((await inTime(text, pieces.read())).value, text);
    }
    end();
    assertEquals((await pieces.read()).done, true);
    await server.stop();
  });

  Deno.test(`startServer() breaks an answer off whose body fails (${kind})`, async () => {
    const server = listen(deno, () =>
      new Response(
        new ReadableStream({
          start: (controller) => controller.enqueue(encoder.encode("half")),
          pull: (controller) => controller.error(new Error("broken")),
        }),
      ));
    const failure = await fetch(server.url).then((response) => response.text()).catch((e) => e);
    assert(failure instanceof Error, `a client took it for a whole answer: ${failure}`);
    await server.stop();
  });

  Deno.test(`startServer() tells a handler of a body that breaks off (${kind})`, async () => {
    const failed = Promise.withResolvers<unknown>();
    const server = listen(deno, async (request) => {
      failed.resolve(await request.arrayBuffer().catch((error) => error));
      return new Response();
    });
    const head = "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 9000\r\n\r\nhalf";
    const client = await RawClient.send(server.port, head);
    client.leave();
    assert(await inTime("the failure", failed.promise) instanceof Error);
    await server.stop();
  });

  Deno.test(`startServer() keeps a connection for the next request (${kind})`, async () => {
    const server = listen(deno, () => new Response("hi"));
    const client = await RawClient.send(server.port, "GET /1 HTTP/1.1\r\nhost: a\r\n\r\n");
    await inTime("the first", client.read("hi"));
    await client.write("GET /2 HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
    assertEquals((await inTime("the second", client.read())).match(/HTTP\/1\.1 200/g)?.length, 2);
    client.leave();
    await server.stop();
  });

  Deno.test(`startServer() lets running answers finish when it stops, and takes no new ones (${kind})`, async () => {
    let end = () => {};
    const server = listen(deno, () =>
      new Response(
        new ReadableStream<Uint8Array<ArrayBuffer>>({
          start(controller) {
            controller.enqueue(encoder.encode("half "));
            end = () => {
              controller.enqueue(encoder.encode("whole"));
              controller.close();
            };
          },
        }),
      ));
    const idle = await RawClient.send(server.port, "");
    const response = await fetch(server.url);
    const stopping = server.stop();
    assertEquals(server.stop(), stopping);
    await assertRejects(() => fetch(server.url));
    end();
    assertEquals(await response.text(), "half whole");
    assertEquals(await inTime("the stop", stopping), true);
    idle.leave();
  });
}

Deno.test("startServer() says when something isn't finished in time, and cuts it off", async () => {
  const cancelled = Promise.withResolvers<void>();
  const server = listen(Deno.version.deno, () =>
    new Response(
      new ReadableStream({
        start: (controller) => controller.enqueue(encoder.encode("half")),
        cancel: () => cancelled.resolve(),
      }),
    ), 50);
  const response = await fetch(server.url);
  assertEquals(await server.stop(), false);
  // `Deno.serve` leaves that to the program's end, which follows.
  if (losesClients(Deno.version.deno)) await assertRejects(() => response.text());
  else await response.body!.cancel();
  await inTime("the end of the body", cancelled.promise);
});

for (const [what, size] of [["a small body", 10], ["a body like ForgeCode's", 50_000]] as const) {
  Deno.test(`startServer() ends the request's signal when a client with ${what} leaves`, async () => {
    const seen = Promise.withResolvers<void>();
    const left = Promise.withResolvers<void>();
    const server = listen(Deno.version.deno, async (request) => {
      new TextDecoder().decode(await request.arrayBuffer());
      request.signal.addEventListener("abort", () => left.resolve());
      seen.resolve();
      await left.promise;
      return new Response();
    });
    const body = "x".repeat(size);
    const head = `POST / HTTP/1.1\r\nhost: a\r\ncontent-length: ${size}\r\n\r\n`;
    const client = await RawClient.send(server.port, head + body);
    await inTime("the request", seen.promise);
    client.leave();
    await inTime("the signal", left.promise, 1_000);
    await server.stop();
  });
}

Deno.test("startServer() says what is wrong with a port or an address", () => {
  const taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  for (const deno of Object.values(KINDS)) {
    const handler = () => new Response();
    const start = (host: string, port: number) =>
      startServer({ host, port, handler, shutdownTime: 0, deno });
    const { port } = taken.addr;
    assertThrows(
      () => start("127.0.0.1", port),
      BridgeError,
      `Port ${port} on 127.0.0.1 is in use`,
    );
    assertThrows(
      () => start("203.0.113.7", 0),
      BridgeError,
      "is not an address of this machine",
    );
  }
  taken.close();
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
async function midStream(flags: readonly string[], byTask = false) {
  const finish = Promise.withResolvers<void>();
  const gateway = startFaultGateway(async ({ send }) => {
    await send(STREAM_HEAD);
    await send(chunk(half));
    await finish.promise;
    await send(chunk(rest));
    await send(STREAM_END);
  });
  const program = await startProgram(["--gateway", gateway.url, "--port", "0", ...flags], {
    byTask,
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

const SIGNALS: readonly { signal: Deno.Signal; code: number }[] = [
  { signal: "SIGINT", code: 130 },
  { signal: "SIGTERM", code: 143 },
];
const ignore = Deno.build.os === "windows";

for (const { signal, code } of SIGNALS) {
  for (const byTask of [false, true]) {
    Deno.test({
      name: `the program lets a stream finish after ${signal}${
        byTask ? ", sent to the launcher" : ""
      }`,
      ignore,
      async fn() {
        await using running = await midStream([], byTask);
        const { program } = running;
        program.signal(signal);
        const ending = async () => {
          while (!program.text().includes("ending:")) {
            await new Promise((resolve) => setTimeout(resolve, 10));
          }
        };
        await inTime("the log's line", ending());
        await assertRejects(async () => await fetch(await program.url));
        running.finish();
        assertMatch(await inTime("the answer", running.text()), /whole[^]*\[DONE\]\n\n$/);
        assertEquals(await inTime("the end", program.ended), 0);
        assert(!program.text().includes("cut off"), program.text());
      },
    });
  }

  Deno.test({
    name: `the program ends at once at a second ${signal}`,
    ignore,
    async fn() {
      await using running = await midStream([]);
      const { program, gateway } = running;
      program.signal(signal);
      while (!program.text().includes("ending:")) {
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
      program.signal(signal);
      assertEquals(await inTime("the end", program.ended, 2_000), code);
      await inTime("the end of the gateway's request", gateway.requests[0].closed, 1_000);
    },
  });
}

Deno.test({
  name: "the program cuts a stream off that doesn't finish in time",
  ignore,
  async fn() {
    await using running = await midStream(["--shutdown-time", "200ms"]);
    const { program, gateway } = running;
    program.signal("SIGTERM");
    assertEquals(await inTime("the end", program.ended, 3_000), 0);
    assertStringIncludes(program.text(), "cut off");
    await assertRejects(() => running.text());
    await inTime("the end of the gateway's request", gateway.requests[0].closed, 1_000);
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
