/** Our own client: what gateways may answer, and what becomes of their connections. */
import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { createClient, type SendOptions } from "../lib/http1/client.ts";
import { inTime } from "./helpers/fault_bridge.ts";
import { type RawAnswer, type RawServer, startRawServer } from "./helpers/raw_server.ts";
import { sanitizeTests } from "./helpers/sanitizers.ts";

sanitizeTests();

/** A client in front of a server, both disposed of at the end. */
function startPair(answer: RawAnswer, options?: Parameters<typeof startRawServer>[1]) {
  const server = startRawServer(answer, options);
  const client = createClient();
  return {
    server,
    client,
    async ask(more: SendOptions = {}) {
      const answer = await inTime("the head", client.send(server.url, { method: "POST", ...more }));
      const body = new Uint8Array(await inTime("the body", answer.arrayBuffer()));
      return { status: answer.status, headers: answer.headers, text: String.fromCharCode(...body) };
    },
    async [Symbol.asyncDispose]() {
      client.close();
      await server[Symbol.asyncDispose]();
    },
  };
}

/** The connection of each request. */
const connections = ({ requests }: RawServer) => requests.map(({ connection }) => connection);
const OK = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/** Answers that leave their connection open → status and text. */
const REUSED: Readonly<Record<string, readonly [answer: string, status: number, text: string]>> = {
  "a body of a stated length": [OK, 200, "ok"],
  "chunks": [
    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    200,
    "ok",
  ],
  "chunks of nothing": ["HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", 200, ""],
  "chunks and a length beside them": [
    "HTTP/1.1 200 OK\r\ncontent-length: 99\r\nTransfer-Encoding: Chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    200,
    "ok",
  ],
  "no length but 0": ["HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n", 500, ""],
  "204": ["HTTP/1.1 204 No Content\r\n\r\n", 204, ""],
  "304": ["HTTP/1.1 304 Not Modified\r\ncontent-length: 99\r\n\r\n", 304, ""],
  "no reason": ["HTTP/1.1 200\r\ncontent-length: 2\r\n\r\nok", 200, "ok"],
  "100 before it": [`HTTP/1.1 100 Continue\r\n\r\n${OK}`, 200, "ok"],
  "several 1xx before it": [
    `HTTP/1.1 102 Wait\r\n\r\nHTTP/1.1 103 Hints\r\nlink: </a>\r\n\r\n${OK}`,
    200,
    "ok",
  ],
  "HTTP/1.0 that keeps it": [
    "HTTP/1.0 200 OK\r\nconnection: Keep-Alive\r\ncontent-length: 2\r\n\r\nok",
    200,
    "ok",
  ],
};

for (const [what, [answer, status, text]] of Object.entries(REUSED)) {
  Deno.test(`createClient() reads ${what}, and uses the connection again`, async () => {
    await using pair = startPair((peer) => peer.write(answer));
    for (let round = 0; round < 3; round++) {
      const received = await pair.ask({ body: "{}" });
      assertEquals([received.status, received.text], [status, text]);
    }
    assertEquals(connections(pair.server), [1, 1, 1]);
  });
}

const LONG = "x".repeat(20_000);

/** Answers behind which nothing else may be asked on the connection. */
const ONCE: Readonly<Record<string, string>> = {
  "connection: close": OK.replace("\r\n\r\n", "\r\nconnection: close\r\n\r\n"),
  "Connection: Close in a list": OK.replace("\r\n\r\n", "\r\nConnection: a, Close\r\n\r\n"),
  "HTTP/1.0": OK.replace("HTTP/1.1", "HTTP/1.0"),
  "bytes behind the body": `${OK}HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil`,
  "bytes behind the last chunk":
    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
  "bytes behind 204": "HTTP/1.1 204 No\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
  "bytes behind a long body":
    `HTTP/1.1 200 OK\r\ncontent-length: 20000\r\n\r\n${LONG}HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil`,
};

for (const [what, answer] of Object.entries(ONCE)) {
  Deno.test(`createClient() doesn't use a connection again after ${what}`, async () => {
    await using pair = startPair((peer) => peer.write(answer));
    const first = await pair.ask();
    assert(["ok", "", LONG].includes(first.text));
    await inTime("the end of the first", pair.server.left(1));
    assertEquals((await pair.ask()).text, first.text);
    assertEquals(connections(pair.server), [1, 2]);
  });
}

Deno.test("createClient() gives a connection back once, however often its body is asked for", async () => {
  await using pair = startPair((peer) => peer.write(OK));
  const answer = await pair.client.send(pair.server.url, {});
  await answer.arrayBuffer();
  await answer.arrayBuffer().catch(() => {});
  // Were it kept twice, these would be asked on one connection at the same time.
  await Promise.all([pair.ask(), pair.ask()]);
  assertEquals(new Set(connections(pair.server).slice(1)).size, 2);
});

Deno.test("createClient() reads HTTP/1.0 without a length to its end", async () => {
  await using pair = startPair(async (peer) => {
    await peer.write("HTTP/1.0 200 OK\r\n\r\nto the end");
    peer.close();
  });
  for (let round = 0; round < 2; round++) assertEquals((await pair.ask()).text, "to the end");
});

Deno.test("createClient() asks once more, on a new connection, however many kept ones were closed", async () => {
  const answered = Promise.withResolvers<void>();
  let waiting = 0;
  await using pair = startPair(async (peer) => {
    if (peer.number > 3) return await peer.write(OK);
    if (peer.request > 1) return peer.close();
    // Nobody is answered before there are three connections.
    if (++waiting === 3) answered.resolve();
    await answered.promise;
    await peer.write(OK);
  });
  await Promise.all([pair.ask(), pair.ask(), pair.ask()]);
  assertEquals((await pair.ask({ body: "again" })).text, "ok");
  // Each of them has read the request, and may have worked on it: it was paid for twice, not four times.
  const asked = connections(pair.server).slice(3);
  assertEquals([asked.length, asked[0] <= 3, asked[1]], [2, true, 4]);
});

Deno.test("createClient() doesn't ask again where a new connection is closed", async () => {
  await using pair = startPair((peer) =>
    peer.request > 1 || peer.number > 1 ? peer.close() : peer.write(OK)
  );
  await pair.ask();
  await assertRejects(() => pair.ask(), TypeError, "closed");
  assertEquals(connections(pair.server), [1, 1, 2]);
});

/** What comes of an answer before its connection breaks. */
const BEGUN: Readonly<Record<string, string>> = {
  "a byte": "H",
  "half a head": "HTTP/1.1 200 OK\r\ncontent-",
  "a head without its last byte": "HTTP/1.1 200 OK\r\n\r",
  "an interim answer": "HTTP/1.1 100 Continue\r\n\r\n",
};

for (const [what, answer] of Object.entries(BEGUN)) {
  Deno.test(`createClient() doesn't ask again after ${what} has come on a kept connection`, async () => {
    await using pair = startPair(async (peer) => {
      if (peer.request === 1) return await peer.write(OK);
      await peer.write(answer);
      peer.close();
    });
    await pair.ask();
    await assertRejects(() => pair.ask(), TypeError);
    assertEquals(connections(pair.server), [1, 1]);
  });
}

Deno.test("createClient() doesn't ask again after a kept connection was reset in its answer", async () => {
  const begun = "HTTP/1.1 2";
  const connect = Deno.connect;
  // A reset can't be had at will: the socket says it in the server's place.
  Object.assign(Deno, {
    async connect(options: Deno.ConnectOptions) {
      const socket = await connect(options);
      const read = socket.read.bind(socket);
      let reset = false;
      socket.read = async (into) => {
        if (reset) throw new Deno.errors.ConnectionReset("reset by the test");
        const count = await read(into);
        reset = count === begun.length;
        return count;
      };
      return socket;
    },
  });
  try {
    await using pair = startPair((peer) => peer.write(peer.request === 1 ? OK : begun));
    await pair.ask();
    await assertRejects(() => pair.ask(), TypeError);
    assertEquals(connections(pair.server), [1, 1]);
  } finally {
    Deno.connect = connect;
  }
});

const CUT_OFF: Readonly<Record<string, string>> = {
  "a head cut off": "HTTP/1.1 200 OK\r\ncontent-le",
  "nothing": "",
  "an interim answer alone": "HTTP/1.1 100 Continue\r\n\r\n",
  "HTTP/2": "HTTP/2.0 200 OK\r\n\r\n",
  "a status that is none": "HTTP/1.1 2000 OK\r\n\r\n",
  "a status of letters": "HTTP/1.1 OK\r\n\r\n",
  "two lengths": "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nok",
  "a length that is no number": "HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\nok",
  "a head of 70 KB": `HTTP/1.1 200 OK\r\nx: ${"x".repeat(70_000)}\r\n\r\n`,
  "a field with a space in its name": "HTTP/1.1 200 OK\r\na : b\r\n\r\n",
};

for (const [what, answer] of Object.entries(CUT_OFF)) {
  Deno.test(`createClient() rejects with TypeError on ${what}, and closes the connection`, async () => {
    await using pair = startPair(async (peer) => {
      await peer.write(answer);
      await peer.finish();
    });
    await assertRejects(() => pair.ask(), TypeError);
    await inTime("the end", pair.server.left(1));
    assertEquals(connections(pair.server), [1]);
  });
}

Deno.test("createClient() returns an answer that comes before its request was read", async () => {
  const answer = "HTTP/1.1 413 Too Large\r\ncontent-length: 5\r\n\r\nlarge";
  await using pair = startPair((peer) => peer.write(answer), { atHead: true });
  const { status, text } = await pair.ask({ body: "x".repeat(20_000_000) });
  assertEquals([status, text], [413, "large"]);
  // What of the request wasn't written can't be left out.
  await pair.ask({ body: "y".repeat(20_000_000) });
  assertEquals(connections(pair.server), [1, 2]);
});

Deno.test("createClient() sends 5 MB to a slow reader whole", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const client = createClient();
  const body = "0123456789abcdef".repeat(5 * 65_536);
  const sent = client.send(`http://127.0.0.1:${listener.addr.port}`, { method: "POST", body });
  const socket = await listener.accept();
  let text = "";
  const piece = new Uint8Array(10_000);
  while (!text.endsWith(body.slice(-100)) || text.length < body.length) {
    // Between two reads the client gets to write as much as fits.
    await new Promise((resolve) => setTimeout(resolve));
    text += new TextDecoder().decode(piece.subarray(0, await socket.read(piece) ?? 0));
  }
  assert(text.endsWith(`content-length: ${body.length}\r\n\r\n${body}`));
  await socket.write(new TextEncoder().encode(OK));
  assertEquals((await (await sent).arrayBuffer()).byteLength, 2);
  client.close();
  socket.close();
  listener.close();
});

Deno.test("createClient() sends and reads Latin-1 in a header", async () => {
  await using pair = startPair((peer) =>
    peer.write(OK.replace("\r\n\r\n", "\r\nx: gr\xfcn\r\n\r\n"))
  );
  const { headers } = await pair.ask({ headers: { y: "sch\xf6n" } });
  assertEquals(headers.get("x"), "gr\xfcn");
  assertMatch(pair.server.requests[0].text, /\r\ny: sch\xf6n\r\n/);
});

for (const value of ["a\r\nb: c", "a\n", "\u{1f600}"]) {
  Deno.test(`createClient() rejects the header ${JSON.stringify(value)}, and asks nobody`, async () => {
    await using pair = startPair((peer) => peer.write(OK));
    await assertRejects(() => pair.ask({ headers: { x: value } }), TypeError);
    assertEquals(pair.server.requests, []);
  });
}

/** Whether this machine has IPv6. */
function hasIPv6(): boolean {
  try {
    Deno.listen({ hostname: "::1", port: 0 }).close();
    return true;
  } catch {
    return false;
  }
}

Deno.test({
  name: "createClient() asks an address of IPv6",
  ignore: !hasIPv6(),
  async fn() {
    await using server = startRawServer((peer) => peer.write(OK), { hostname: "::1" });
    const client = createClient();
    const answer = await client.send(`http://[::1]:${server.port}/`, {});
    assertEquals((await answer.arrayBuffer()).byteLength, 2);
    assertMatch(server.requests[0].text, new RegExp(`host: \\[::1\\]:${server.port}\r\n`));
    client.close();
  },
});

Deno.test("createClient() rejects with the reason of an abort, at whatever moment it comes", async () => {
  await using pair = startPair((peer) => peer.write(OK));
  for (let turns = 0; turns < 40; turns++) {
    const controller = new AbortController();
    const sent = pair.client.send(pair.server.url, { signal: controller.signal });
    const result = sent.then((answer) => answer.arrayBuffer()).catch((error) => error);
    for (let left = turns % 20; left > 0; left--) await Promise.resolve();
    if (turns >= 20) await new Promise((resolve) => setTimeout(resolve));
    const reason = new Error("of the test");
    controller.abort(reason);
    const outcome = await inTime("the outcome", result);
    assert(outcome === reason || outcome instanceof ArrayBuffer, `${turns}: ${outcome}`);
  }
});

Deno.test("createClient() closes a connection that is there just as its request is aborted", async () => {
  const connect = Deno.connect;
  const controller = new AbortController();
  await using pair = startPair((peer) => peer.write(OK));
  Object.assign(Deno, {
    async connect(options: Deno.ConnectOptions) {
      const socket = await connect(options);
      queueMicrotask(() => controller.abort());
      return socket;
    },
  });
  try {
    // That nothing stays open is what the test's sanitizers see.
    await assertRejects(() => pair.ask({ signal: controller.signal }), DOMException);
  } finally {
    Deno.connect = connect;
  }
});

Deno.test("createClient() doesn't connect for a signal that was aborted before", async () => {
  await using pair = startPair((peer) => peer.write(OK));
  const reason = new Error("of the test");
  const signal = AbortSignal.abort(reason);
  assertEquals(await pair.ask({ signal }).catch((error) => error), reason);
  assertEquals(pair.server.requests, []);
});
