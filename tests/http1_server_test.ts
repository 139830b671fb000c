/** Our own server, asked over raw connections: what it answers, and what it refuses. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { inTime } from "./helpers/fault_bridge.ts";
import { echo, FedStream, get, startTestServer } from "./helpers/http_server.ts";
import { sanitizeTests } from "./helpers/sanitizers.ts";

sanitizeTests();

/** Sends a request, reads to the connection's end. */
async function exchange(request: string, handler = echo): Promise<string> {
  await using server = startTestServer(handler);
  const client = await server.send(request);
  const text = await inTime("the answer", client.read());
  client.leave();
  return text;
}

Deno.test("startHttpServer() answers pipelined requests in their order", async () => {
  const order: string[] = [];
  await using server = startTestServer(async (request) => {
    order.push(`begin ${request.url}`);
    const response = await echo(request);
    // Those that are asked first take longest.
    for (let turns = 20 - 4 * order.length; turns > 0; turns--) await Promise.resolve();
    order.push(`end ${request.url}`);
    return response;
  });
  const post = "POST /b HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nhello";
  const chunks =
    "POST /c HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n";
  const client = await server.send(
    get("/a") + post + chunks + get("/d") + get("/e", "connection: close\r\n"),
  );
  const text = await inTime("the answers", client.read());
  assertEquals(text.match(/\[.*?\]/g), [
    "[GET http://localhost/a ]",
    "[POST http://localhost/b hello]",
    "[POST http://localhost/c hello]",
    "[GET http://localhost/d ]",
    "[GET http://localhost/e ]",
  ]);
  assertEquals(
    order,
    [..."abcde"].flatMap((name) =>
      ["begin", "end"].map((word) => `${word} http://localhost/${name}`)
    ),
  );
  client.leave();
});

Deno.test("startHttpServer() keeps a pipelined request that comes while a stream is under way", async () => {
  const fed = new FedStream();
  await using server = startTestServer(({ url }) =>
    new Response(url.endsWith("/a") ? fed.stream : "second")
  );
  const client = await server.send(get("/a"));
  fed.give("first");
  await inTime("the first", client.read("first"));
  await client.write(get("/b", "connection: close\r\n"));
  fed.give("more");
  await inTime("more of the first", client.read("more"));
  fed.end();
  assertStringIncludes(await inTime("the second", client.read()), "0\r\n\r\nHTTP/1.1 200 OK\r\n");
  client.leave();
});

Deno.test("startHttpServer() reads a request byte by byte, with empty lines before it", async () => {
  await using server = startTestServer(echo);
  const client = await server.send("");
  const request =
    "\r\n\r\nPOST /slow HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi";
  for (const byte of request) {
    await client.write(byte);
    // A turn of the event loop, so that each is a read of its own.
    await new Promise((resolve) => setTimeout(resolve));
  }
  const text = await inTime("the answer", client.read());
  assertStringIncludes(text, "[POST http://localhost/slow hi]");
  client.leave();
});

Deno.test("startHttpServer() streams a chunked request to its handler as it comes", async () => {
  const seen = Promise.withResolvers<void>();
  await using server = startTestServer(async (request) => {
    let text = "";
    for await (const piece of request.body!) {
      text += new TextDecoder().decode(piece);
      seen.resolve();
    }
    return new Response(`[${text}]`);
  });
  const client = await server.send(
    "POST / HTTP/1.1\r\nhost: a\r\nconnection: close\r\ntransfer-encoding: Chunked\r\n\r\n5;x\r\nhello\r\n",
  );
  await inTime("the first chunk", seen.promise);
  await client.write("6\r\n world\r\n0\r\na: b\r\n\r\n");
  assertStringIncludes(await inTime("the answer", client.read()), "[hello world]");
  client.leave();
});

Deno.test("startHttpServer() reads a body of megabytes, stated or in chunks", async () => {
  await using server = startTestServer(async (request) => {
    const bytes = new Uint8Array(await request.arrayBuffer());
    const wrong = bytes.findIndex((byte, at) => byte !== 97 + at % 26);
    return new Response(`[${bytes.length} ${wrong}]`);
  });
  const length = 3_000_000;
  const body = "abcdefghijklmnopqrstuvwxyz".repeat(length / 26 + 1).slice(0, length);
  const client = await server.send(
    `POST / HTTP/1.1\r\nhost: a\r\ncontent-length: ${length}\r\n\r\n${body}`,
  );
  await inTime("the first", client.read(`[${length} -1]`));
  let chunks = "";
  for (let at = 0; at < length; at += 9_999) {
    const chunk = body.slice(at, at + 9_999);
    chunks += `${chunk.length.toString(16)}\r\n${chunk}\r\n`;
  }
  await client.write(
    `POST / HTTP/1.1\r\nhost: a\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n${chunks}0\r\n\r\n`,
  );
  assertEquals(
    (await inTime("the second", client.read())).match(/\[.*?\]/g),
    Array(2).fill(`[${length} -1]`),
  );
  client.leave();
});

const EXPECT =
  "POST / HTTP/1.1\r\nhost: a\r\nexpect: 100-Continue\r\ncontent-length: 5\r\nconnection: close\r\n\r\n";

Deno.test("startHttpServer() asks for a body with 100 once its handler reads it", async () => {
  const begun = Promise.withResolvers<void>();
  const go = Promise.withResolvers<void>();
  await using server = startTestServer(async (request) => {
    begun.resolve();
    await go.promise;
    return await echo(request);
  });
  const client = await server.send(EXPECT);
  await inTime("the handler", begun.promise);
  const reading = client.read("\r\n\r\n");
  let asked = false;
  void reading.then(() => asked = true);
  await new Promise((resolve) => setTimeout(resolve));
  assert(!asked, "asked before anybody read");
  go.resolve();
  assertEquals(await inTime("the word", reading), "HTTP/1.1 100 Continue\r\n\r\n");
  await client.write("hello");
  const text = await inTime("the answer", client.read());
  assertMatch(text, /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 OK\r\n[^]*hello\]$/);
  client.leave();
});

Deno.test("startHttpServer() doesn't ask for a body that its handler doesn't read", async () => {
  const text = await exchange(EXPECT, () => Promise.resolve(new Response("no", { status: 413 })));
  assertMatch(text, /^HTTP\/1\.1 413 [^]*connection: close[^]*no$/);
});

Deno.test("startHttpServer() doesn't ask for a body once its answer has begun", async () => {
  const fed = new FedStream();
  let read = () => Promise.resolve();
  await using server = startTestServer((request) => {
    read = () => request.arrayBuffer().then(() => fed.give("read"));
    return new Response(fed.stream);
  });
  const client = await server.send(EXPECT);
  fed.give("begun");
  await inTime("the beginning", client.read("begun"));
  const reading = read();
  await client.write("hello");
  await inTime("the body", reading);
  fed.end();
  const text = await inTime("the end", client.read());
  assert(!text.includes("100 Continue"), text);
  client.leave();
});

Deno.test("startHttpServer() doesn't say 100 to HTTP/1.0", async () => {
  const text = await exchange(`${EXPECT.replace("HTTP/1.1", "HTTP/1.0")}hello`);
  assertMatch(text, /^HTTP\/1\.1 200 [^]*hello\]$/);
});

Deno.test("startHttpServer() sends HTTP/1.0 no chunks, and closes the connection", async () => {
  const stream = () => {
    const fed = new FedStream();
    for (const piece of ["one ", "two ", "three"]) fed.give(piece);
    fed.end();
    return Promise.resolve(new Response(fed.stream));
  };
  const text = await exchange("GET / HTTP/1.0\r\n\r\n", stream);
  assertMatch(text, /connection: close\r\n/);
  assert(!/transfer-encoding/i.test(text), text);
  assertStringIncludes(text, "\r\n\r\none two three");
  assertMatch(await exchange("GET /x HTTP/1.0\r\n\r\n"), /content-length: \d+[^]*\/x \]$/);
});

Deno.test("startHttpServer() answers HEAD with the head alone, of whole answers and of streams", async () => {
  const fed = new FedStream();
  await using server = startTestServer(({ url }) =>
    url.endsWith("/stream") ? new Response(fed.stream) : new Response("hello")
  );
  const head = (path: string) => get(path).replace("GET", "HEAD");
  const client = await server.send(head("/") + head("/stream") + get("/", "connection: close\r\n"));
  const heads = (await inTime("the answers", client.read())).split("\r\n\r\n");
  assertEquals(heads.length, 4, "three heads, one body");
  assertStringIncludes(heads[0], "content-length: 5");
  assertStringIncludes(heads[1], "transfer-encoding: chunked");
  assertEquals(heads[3], "hello");
  await inTime("the stream's cancel", fed.cancelled);
  client.leave();
});

Deno.test("startHttpServer() answers 204 and 304 without a body, and keeps the connection", async () => {
  await using server = startTestServer(({ url }) =>
    new Response(null, { status: Number(url.slice(-3)) })
  );
  const client = await server.send(
    get("/204") + get("/304") + get("/204", "connection: close\r\n"),
  );
  const text = await inTime("the answers", client.read());
  assertEquals(text.match(/^HTTP\/1\.1 \d+/gm), [204, 304, 204].map((n) => `HTTP/1.1 ${n}`));
  assert(!/content-length|transfer-encoding/.test(text), text);
  client.leave();
});

Deno.test("startHttpServer() takes a target with a host in it", async () => {
  const text = await exchange(
    "GET http://example.com:99/p?q HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n",
  );
  assertStringIncludes(text, "[GET http://example.com:99/p?q ]");
});

Deno.test("startHttpServer() hands over Latin-1 in a header, and sends it", async () => {
  await using server = startTestServer(({ headers }) =>
    new Response("", { headers: { "x-b": headers.get("x-a")! } })
  );
  const connection = await Deno.connect({ hostname: "127.0.0.1", port: server.port });
  const request = get("/", "x-a: gr\xfcn\r\nconnection: close\r\n");
  await connection.write(Uint8Array.from(request, (byte) => byte.charCodeAt(0)));
  let text = "";
  for await (const piece of connection.readable) text += String.fromCharCode(...piece);
  assertStringIncludes(text, "x-b: gr\xfcn\r\n");
});

const CLIENT_HELLO = "\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03" + "\x00\x17".repeat(70) +
  "\x00\x0a\x0d";
const close = "connection: close\r\n";

/** What is no proper request → the status of its answer. */
const REFUSED: readonly (readonly [what: string, request: string, status: number])[] = [
  ["no Host", "GET / HTTP/1.1\r\n\r\n", 400],
  ["two Hosts", get("/", `host: b\r\n${close}`), 400],
  ["two lengths", get("/", "content-length: 5\r\ntransfer-encoding: chunked\r\n"), 400],
  ["two Content-Lengths", get("/", "content-length: 5\r\ncontent-length: 6\r\n"), 400],
  ["a length that is no number", get("/", "content-length: 5x\r\n"), 400],
  ["another transfer encoding", get("/", "transfer-encoding: gzip, chunked\r\n"), 400],
  ["chunks in HTTP/1.0", "POST / HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", 400],
  ["a space before a colon", get("/", "a : b\r\n"), 400],
  ["a folded line", get("/", "a: b\r\n c\r\n"), 400],
  ["a bare LF", get("/", "a: b\nc: d\r\n"), 400],
  ["no target", "GET HTTP/1.1\r\nhost: a\r\n\r\n", 400],
  ["a target with a space", get("/a b"), 400],
  ["a target that is none", get("a"), 400],
  ["a tab in the request line", "GET\t/ HTTP/1.1\r\nhost: a\r\n\r\n", 400],
  ["a method that is none", "G(T / HTTP/1.1\r\nhost: a\r\n\r\n", 400],
  ["HTTP/0.9", "GET /\r\n\r\n", 400],
  ["the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505],
  ["HTTP/1.2", get("/").replace("1.1", "1.2"), 505],
  ["a version that is none", get("/").replace("HTTP/1.1", "HTTP/11"), 400],
  ["small letters for HTTP", get("/").replace("HTTP/1.1", "http/1.1"), 400],
  ["garbage", "\0\x01\x02garbage\xff\r\n\r\n", 400],
  ["a TLS ClientHello", CLIENT_HELLO, 400],
  ["a head over 64 KiB", get("/", `x: ${"x".repeat(70_000)}\r\n`), 431],
  ["a head over 64 KiB that doesn't end", `GET / HTTP/1.1\r\nx: ${"x".repeat(70_000)}`, 431],
  ["many headers over 64 KiB", get("/", "x: y\r\n".repeat(12_000)), 431],
];

for (const [what, request, status] of REFUSED) {
  Deno.test(`startHttpServer() answers ${status} to ${what}, and closes the connection`, async () => {
    let asked = 0;
    await using server = startTestServer(() => new Response(`${asked++}`), { discard: 50 });
    const client = await server.send("");
    await client.write(Uint8Array.from(request, (byte) => byte.charCodeAt(0)));
    const text = await inTime("the answer", client.read(), 2_000);
    assertMatch(text, new RegExp(`^HTTP/1\\.1 ${status} [^]*connection: close\r\n`));
    assertEquals(asked, 0);
    assertEquals(text.match(/^HTTP/gm)?.length, 1, "one answer");
    client.leave();
  });
}

Deno.test("startHttpServer() allows a head of nearly 64 KiB", async () => {
  const text = await exchange(get("/", `x: ${"x".repeat(65_000)}\r\n${close}`));
  assertStringIncludes(text, "[GET http://localhost/ ]");
});

Deno.test("startHttpServer() answers OPTIONS * in one way or the other", async () => {
  const text = await exchange(`OPTIONS * HTTP/1.1\r\nhost: a\r\n${close}\r\n`);
  assertMatch(text, /^HTTP\/1\.1 (2\d\d|400) /);
});
