/** Our own server: how it goes down, and what it stands. */
import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { inTime, RawClient } from "./helpers/fault_bridge.ts";
import { echo, FedStream, get, startTestServer } from "./helpers/http_server.ts";
import { sanitizeTests } from "./helpers/sanitizers.ts";

sanitizeTests();

Deno.test("shutdown() ends idle connections at once, and lets running answers finish", async () => {
  const fed = new FedStream();
  await using server = startTestServer(({ url }) =>
    new Response(url.endsWith("/stream") ? fed.stream : "hi")
  );
  const fresh = await server.send("");
  const begun = await server.send("GET / HTTP/1.1\r\nhost");
  const kept = await server.send(get("/"));
  await inTime("an answer", kept.read("hi"));
  const streaming = await server.send(get("/stream"));
  fed.give("half ");
  await inTime("a half", streaming.read("half"));
  let stopped = false;
  const stopping = server.shutdown().then(() => stopped = true);
  for (const [name, client] of Object.entries({ fresh, begun, kept })) {
    await inTime(`the end of the ${name} one`, client.read(), 1_000);
    client.leave();
  }
  await assertRejects(() => RawClient.send(server.port, ""), Deno.errors.ConnectionRefused);
  assert(!stopped, "while an answer is running");
  fed.give("whole");
  fed.end();
  assertStringIncludes(await inTime("the whole", streaming.read()), "whole\r\n0\r\n\r\n");
  await inTime("the stop", stopping, 1_000);
  streaming.leave();
});

Deno.test("shutdown() waits for a handler, whose answer says that the connection ends", async () => {
  const begun = Promise.withResolvers<void>();
  const go = Promise.withResolvers<void>();
  await using server = startTestServer(async () => {
    begun.resolve();
    await go.promise;
    return new Response("last");
  });
  // Of what is pipelined, only the request that is being answered is.
  const client = await server.send(get("/1") + get("/2"));
  await inTime("the handler", begun.promise);
  const stopping = server.shutdown();
  go.resolve();
  const text = await inTime("the answer", client.read(), 1_000);
  assertMatch(text, /^HTTP\/1\.1 200 [^]*connection: close\r\n[^]*last$/);
  assertEquals(text.match(/HTTP\/1\.1/g)?.length, 1);
  await inTime("the stop", stopping, 1_000);
  client.leave();
});

Deno.test("shutdown() of a server without connections resolves", async () => {
  await using server = startTestServer(echo);
  await inTime("the stop", server.shutdown(), 1_000);
});

for (const more of ["", get("/next")]) {
  const what = more === "" ? "running answers" : "running answers with a next request behind them";
  Deno.test(`abort() cuts off ${what}, and tells their handlers`, async () => {
    const fed = new FedStream();
    const begun = Promise.withResolvers<void>();
    const told = Promise.withResolvers<void>();
    await using server = startTestServer(async ({ url, signal }) => {
      if (url.endsWith("/stream")) return new Response(fed.stream);
      signal.addEventListener("abort", () => told.resolve());
      begun.resolve();
      await told.promise;
      return new Response();
    });
    const working = await server.send(get("/") + more);
    const streaming = await server.send(get("/stream") + more);
    fed.give("half");
    await inTime("a half", streaming.read("half"));
    await inTime("the handler", begun.promise);
    const stopping = server.shutdown();
    server.abort();
    await inTime("the signal", told.promise, 1_000);
    await inTime("the cancel", fed.cancelled, 1_000);
    assert(!(await inTime("the end", streaming.read())).includes("0\r\n\r\n"));
    assertEquals(await inTime("the other's end", working.read()), "");
    await inTime("the stop", stopping, 1_000);
    working.leave();
    streaming.leave();
  });
}

Deno.test("startHttpServer() closes only the connection of a handler that throws", async () => {
  await using server = startTestServer((request) => {
    if (request.url.endsWith("/throw")) throw new Error("of the test");
    if (request.url.endsWith("/reject")) return Promise.reject(new Error("of the test"));
    return echo(request);
  });
  const other = await server.send(get("/1"));
  await inTime("an answer", other.read("/1 ]"));
  for (const path of ["/throw", "/reject"]) {
    const client = await server.send(get(path));
    assertEquals(await inTime("the end", client.read(), 1_000), "");
    client.leave();
  }
  await other.write(get("/2"));
  await inTime("an answer on the same connection", other.read("/2 ]"));
  other.leave();
});

Deno.test("startHttpServer() never lets an answer look whole whose body fails", async () => {
  const failing = () =>
    new ReadableStream({
      start: (controller) => controller.enqueue(new TextEncoder().encode("half")),
      pull: (controller) => controller.error(new Error("of the test")),
    });
  await using server = startTestServer(({ url }) =>
    new Response(
      failing(),
      url.endsWith("/whole") ? { headers: { "content-type": "text/plain" } } : {},
    )
  );
  for (const path of ["/whole", "/stream"]) {
    const client = await server.send(get(path));
    const text = await inTime("the end", client.read(), 1_000);
    assert(!text.includes("0\r\n\r\n") && !text.includes("content-length"), text);
    client.leave();
  }
});

Deno.test("startHttpServer() skips empty pieces of a stream, which would end it", async () => {
  const fed = new FedStream();
  await using server = startTestServer(() => new Response(fed.stream));
  const client = await server.send(get("/", "connection: close\r\n"));
  for (const piece of ["", "one", "", "two", ""]) fed.give(piece);
  fed.end();
  const text = await inTime("the answer", client.read());
  assertStringIncludes(text, "\r\n\r\n3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n");
  client.leave();
});

Deno.test("startHttpServer() sends the head before there is a piece", async () => {
  const fed = new FedStream();
  await using server = startTestServer(() => new Response(fed.stream));
  const client = await server.send(get("/", "connection: close\r\n"));
  const text = await inTime("the head", client.read("\r\n\r\n"));
  assertMatch(text, /^HTTP\/1\.1 200 OK\r\n[^]*transfer-encoding: chunked\r\n\r\n$/);
  fed.end();
  assert((await inTime("the end", client.read())).endsWith("\r\n\r\n0\r\n\r\n"));
  client.leave();
});

Deno.test("startHttpServer() sends large pieces, and large answers, whole", async () => {
  const text = "0123456789abcdef".repeat(100_000);
  const fed = new FedStream();
  fed.give(text);
  fed.end();
  await using server = startTestServer(({ url }) =>
    url.endsWith("/stream") ? new Response(fed.stream) : Response.json(text)
  );
  const client = await server.send(get("/"));
  await inTime("the answer", client.read(`"${text}"`));
  await client.write(get("/stream", "connection: close\r\n"));
  const all = await inTime("the stream", client.read());
  assert(all.includes(`\r\n\r\n${text.length.toString(16)}\r\n${text}\r\n0\r\n\r\n`));
  client.leave();
});

Deno.test("startHttpServer() answers 200 clients at once, each its own", async () => {
  const all = Promise.withResolvers<void>();
  let asked = 0;
  await using server = startTestServer(async (request) => {
    // Nobody is answered before all have asked.
    if (++asked === 200) all.resolve();
    if (asked <= 200) await all.promise;
    return await echo(request);
  });
  const clients = await Promise.all(
    Array.from({ length: 200 }, (_, number) => server.send(get(`/${number}/`))),
  );
  await inTime(
    "the answers",
    Promise.all(clients.map(async (client, number) => {
      assertStringIncludes(await client.read("]"), `[GET http://localhost/${number}/ ]`);
      await client.write(get(`/again/${number}/`, "connection: close\r\n"));
      assertStringIncludes(await client.read(), `[GET http://localhost/again/${number}/ ]`);
      client.leave();
    })),
    10_000,
  );
});
