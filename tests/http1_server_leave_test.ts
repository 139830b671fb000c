/** Our own server, and clients that leave, stall, or are many. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import type { ClientRequest } from "../lib/http1/request.ts";
import { inTime, RawClient } from "./helpers/fault_bridge.ts";
import { echo, FedStream, get, startTestServer } from "./helpers/http_server.ts";
import { sanitizeTests } from "./helpers/sanitizers.ts";

sanitizeTests();

const post = (length: number, body = "") =>
  `POST / HTTP/1.1\r\nhost: a\r\ncontent-length: ${length}\r\n\r\n${body}`;

/** The end of a request's signal. */
function leaving({ signal }: ClientRequest): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve());
  });
}

/** A handler that works until its client leaves, and what becomes of it. */
function worker(readBody = true) {
  const begun = Promise.withResolvers<ClientRequest>();
  const left = Promise.withResolvers<void>();
  return {
    begun: begun.promise,
    left: left.promise,
    async handler(request: ClientRequest) {
      if (readBody) await request.arrayBuffer();
      begun.resolve(request);
      await leaving(request);
      left.resolve();
      return new Response("nobody reads this");
    },
  };
}

for (const part of ["", "G", "GET / HTTP/1.1\r\n", get("/").slice(0, -1)]) {
  Deno.test(`startHttpServer() forgets a client that leaves after ${JSON.stringify(part)}`, async () => {
    let asked = 0;
    await using server = startTestServer(() => new Response(`${asked++}`));
    const client = await server.send(part);
    client.leave();
    await inTime("the shutdown", server.shutdown(), 2_000);
    assertEquals(asked, 0);
  });
}

for (const length of ["content-length: 9000", "transfer-encoding: chunked"]) {
  Deno.test(`startHttpServer() tells of a client that leaves in a body of ${length}`, async () => {
    const failed = Promise.withResolvers<unknown>();
    const left = Promise.withResolvers<void>();
    await using server = startTestServer(async (request) => {
      void leaving(request).then(left.resolve);
      failed.resolve(await request.arrayBuffer().catch((error) => error));
      return new Response();
    });
    const client = await server.send(`POST / HTTP/1.1\r\nhost: a\r\n${length}\r\n\r\n5\r\nhel`);
    client.leave();
    const error = await inTime("the failure", failed.promise, 1_000);
    assert(error instanceof TypeError, String(error));
    await inTime("the signal", left.promise, 1_000);
  });
}

const REQUESTS: Readonly<Record<string, string>> = {
  "a GET": get("/"),
  "a small body": post(5, "hello"),
  "a body of megabytes": post(2_000_000, "x".repeat(2_000_000)),
  "chunks": "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
  "HTTP/1.0": "GET / HTTP/1.0\r\n\r\n",
  "an empty line behind the body": `${post(5, "hello")}\r\n`,
  "the next request on its heels": post(5, "hello") + get("/next"),
};

for (const [what, request] of Object.entries(REQUESTS)) {
  Deno.test(`startHttpServer() ends the signal when a client of ${what} leaves`, async () => {
    const { handler, begun, left } = worker();
    await using server = startTestServer(handler);
    const client = await server.send(request);
    await inTime("the handler", begun);
    client.leave();
    await inTime("the signal", left, 1_000);
  });

  Deno.test(`startHttpServer() cancels a stream when a client of ${what} leaves`, async () => {
    const fed = new FedStream();
    await using server = startTestServer(async (request) => {
      await request.arrayBuffer();
      return new Response(fed.stream);
    });
    const client = await server.send(request);
    fed.give("half");
    await inTime("a half", client.read("half"));
    client.leave();
    await inTime("the cancel", fed.cancelled, 1_000);
  });
}

Deno.test("startHttpServer() ends a signal that is asked for after its client left", async () => {
  const go = Promise.withResolvers<void>();
  const seen = Promise.withResolvers<boolean>();
  const { handler, begun, left } = worker();
  await using server = startTestServer(async (request) => {
    if (request.url.endsWith("/watch")) return await handler(request);
    await go.promise;
    seen.resolve(request.signal.aborted);
    return new Response();
  });
  const late = await server.send(get("/late"));
  late.leave();
  // The first was read before the second was: what tells of one tells of both.
  const watched = await server.send(get("/watch"));
  await inTime("the handler", begun);
  watched.leave();
  await inTime("the other's signal", left);
  go.resolve();
  assertEquals(await inTime("the signal", seen.promise), true);
});

Deno.test("startHttpServer() keeps no stream that is made after its client left", async () => {
  const fed = new FedStream();
  await using server = startTestServer(async (request) => {
    await leaving(request);
    return new Response(fed.stream);
  });
  const client = await server.send(get("/"));
  client.leave();
  await inTime("the cancel", fed.cancelled, 1_000);
});

Deno.test("startHttpServer() doesn't end the signal of a request that was answered", async () => {
  const requests: ClientRequest[] = [];
  await using server = startTestServer((request) => {
    requests.push(request);
    void request.signal;
    return new Response("hi");
  });
  const client = await server.send(get("/"));
  await inTime("the answer", client.read("hi"));
  client.leave();
  await server.shutdown();
  assertEquals(requests.map(({ signal }) => signal.aborted), [false]);
});

Deno.test("startHttpServer() answers a client that sends more than anybody reads, and then ends", async () => {
  await using server = startTestServer(() => new Response("enough", { status: 413 }), {
    discard: 50,
  });
  const client = await server.send(post(1_000_000_000, "x".repeat(300_000)));
  const text = await inTime("the answer", client.read(), 1_000);
  assertMatch(text, /^HTTP\/1\.1 413 [^]*connection: close\r\n[^]*enough$/);
  await inTime("the end", server.shutdown(), 1_000);
  client.leave();
});

for (const expect of ["", "expect: 100-continue\r\n"]) {
  Deno.test(`startHttpServer() lets a client finish a body that nobody reads (${expect.trim()})`, async () => {
    const size = 3_000_000;
    await using server = startTestServer(() => new Response("enough", { status: 413 }), {
      discard: 10_000,
    });
    const more = `${expect}content-length: ${size}\r\n`;
    const client = await server.send(get("/", more) + "x".repeat(100_000));
    await inTime("the answer", client.read("enough"));
    // Against a connection that was reset, this fails.
    for (let sent = 100_000; sent < size; sent += 100_000) await client.write("x".repeat(100_000));
    await inTime("the end", server.shutdown(), 2_000);
    client.leave();
  });
}

Deno.test("startHttpServer() waits for a client that doesn't read, and notices that it leaves", async () => {
  let pulls = 0;
  const cancelled = Promise.withResolvers<void>();
  const stalled = Promise.withResolvers<void>();
  const piece = new Uint8Array(64 * 1024);
  let timer: ReturnType<typeof setTimeout>;
  await using server = startTestServer(() =>
    new Response(
      new ReadableStream({
        pull(controller) {
          pulls++;
          // There is no event for what doesn't happen: nothing was asked for in a while.
          clearTimeout(timer);
          timer = setTimeout(stalled.resolve, 300);
          controller.enqueue(piece);
        },
        cancel: () => cancelled.resolve(),
      }),
    )
  );
  const client = await server.send(get("/"));
  await inTime("the standstill", stalled.promise);
  // What the sockets' buffers take, which the system grows to some megabytes.
  assert(pulls * piece.length < 32 * 1024 * 1024, `${pulls} pieces`);
  client.leave();
  await inTime("the cancel", cancelled.promise, 1_000);
});

for (const part of ["", "G", get("/").slice(0, -2)]) {
  Deno.test(`startHttpServer() ends a connection that stops after ${JSON.stringify(part)}`, async () => {
    await using server = startTestServer(echo, { read: 60 });
    const client = await server.send(part);
    // A single one that says nothing at all is not worth a timer.
    const other = await server.send("");
    assertEquals(await inTime("the end", client.read(), 2_000), "");
    client.leave();
    other.leave();
  });
}

/** Sends a byte now and then until the connection ends, which must be within two seconds. */
async function dribble(client: RawClient, bytes: string): Promise<void> {
  let ended = false;
  const end = client.read().then(() => ended = true);
  for (let round = 0; round < 200 && !ended; round++) {
    await client.write(bytes).catch(() => {});
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  const inTime = ended;
  client.leave();
  await end;
  assert(inTime, "the connection is still open");
}

Deno.test("startHttpServer() ends a head that comes too slowly, however steadily", async () => {
  await using server = startTestServer(echo, { read: 100 });
  const client = await server.send("GET / HTTP/1.1\r\nx: ");
  await dribble(client, "x");
});

Deno.test("startHttpServer() ends a second head that comes too slowly", async () => {
  await using server = startTestServer(echo, { read: 100, keep: 60_000 });
  const client = await server.send(get("/"));
  await inTime("the first answer", client.read("]"));
  await client.write("GET / HTTP/1.1\r\nx: ");
  await dribble(client, "x");
});

Deno.test("startHttpServer() ends empty lines without end", async () => {
  await using server = startTestServer(echo, { read: 100 });
  const client = await server.send("\r\n");
  await dribble(client, "\r\n");
});

Deno.test("startHttpServer() ends a body that stops coming, and tells its handler", async () => {
  const failed = Promise.withResolvers<unknown>();
  await using server = startTestServer(async (request) => {
    failed.resolve(await request.arrayBuffer().catch((error) => error));
    return new Response();
  }, { read: 60 });
  const client = await server.send(post(100, "half"));
  assert(await inTime("the failure", failed.promise, 2_000) instanceof Error);
  await inTime("the end", client.read(), 2_000);
  client.leave();
});

Deno.test("startHttpServer() has patience with a body that comes slowly", async () => {
  await using server = startTestServer(echo, { read: 400 });
  const client = await server.send(post(10));
  for (const byte of "0123456789") {
    // Ten of these are longer than what each may take.
    await new Promise((resolve) => setTimeout(resolve, 60));
    await client.write(byte);
  }
  assertStringIncludes(await inTime("the answer", client.read("]")), "0123456789");
  client.leave();
});

Deno.test("startHttpServer() has patience with a handler, and with a stream", async () => {
  const fed = new FedStream();
  const pause = () => new Promise((resolve) => setTimeout(resolve, 250));
  await using server = startTestServer(async () => {
    await pause();
    return new Response(fed.stream);
  }, { read: 50, keep: 50 });
  const client = await server.send(get("/"));
  await inTime("the head", client.read("\r\n\r\n"));
  await pause();
  fed.give("slow");
  fed.end();
  assertStringIncludes(await inTime("the answer", client.read("0\r\n\r\n")), "slow");
  client.leave();
});

Deno.test("startHttpServer() ends a connection without a request after a while, not before", async () => {
  await using server = startTestServer(echo, { keep: 100, read: 60_000 });
  const client = await server.send(get("/1"));
  await inTime("the first", client.read("/1 ]"));
  await client.write(get("/2"));
  await inTime("the second, on the same connection", client.read("/2 ]"));
  const since = performance.now();
  await inTime("the end", client.read(), 2_000);
  assert(performance.now() - since > 50);
  client.leave();
});
