/** The client against servers of raw TCP: what reaches them, what it makes of answers, how it ends. */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import {
  type Client,
  type ClientOptions,
  createClient,
  RequestFailure,
} from "../lib/gateway/client.ts";
import { AnswerHandler } from "../lib/gateway/answer_handler.ts";
import { clientFetch } from "../lib/gateway/fetch_client.ts";
import { Gateway } from "../lib/gateway/gateway.ts";
import { BridgeError } from "../lib/errors.ts";
import { type RawAnswer, startRawGateway } from "./helpers/raw_gateway.ts";
import { sanitizeTests } from "./helpers/sanitizers.ts";

sanitizeTests();

/** A client that is closed at the end of its scope. */
function testClient(options: Partial<ClientOptions> = {}): Client & AsyncDisposable {
  const client = createClient({
    connectTimeout: 5000,
    firstByteTimeout: 5000,
    idleTimeout: 5000,
    ...options,
  });
  return { ...client, [Symbol.asyncDispose]: () => client.close() };
}

const POST = { method: "POST", headers: {}, body: "{}" };

/** A body as it comes, its pieces as texts. */
async function piecesOf({ body }: Response): Promise<string[]> {
  const pieces: string[] = [];
  for await (const piece of body!) pieces.push(new TextDecoder().decode(piece));
  return pieces;
}

/** A chunk of HTTP's own. */
const chunk = (text: string) => `${text.length.toString(16)}\r\n${text}\r\n`;
const CHUNKED = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
const END = "0\r\n\r\n";
const HI = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi";

/** Resolves when undici has taken an answer's end in, and may use its connection again. */
const turn = () => new Promise<void>((resolve) => setTimeout(resolve, 10));

/** Resolves after a time; where time itself is what is tested. */
const delay = (time: number) => new Promise<void>((resolve) => setTimeout(resolve, time));

Deno.test("Client.send() sends method, path, headers and body, and reads status, headers and body", async () => {
  await using server = startRawGateway((request) =>
    request.send(
      "HTTP/1.1 429 Slow\r\nretry-after: 3\r\nset-cookie: a=1\r\nset-cookie: b=2\r\ncontent-length: 4\r\n\r\nwait",
    )
  );
  await using client = testClient();
  const headers = Object.freeze({ authorization: "Bearer t", "content-type": "application/json" });
  const { response, failure } = await client.send(`${server.url}/a/b?c=d`, {
    method: "POST",
    headers,
    body: '{"ä":1}',
  });
  assertEquals(response.status, 429);
  assertEquals(response.headers.get("retry-after"), "3");
  assertEquals(response.headers.getSetCookie(), ["a=1", "b=2"]);
  assertEquals(await response.text(), "wait");
  assertEquals(failure(), undefined);
  const [{ head, body }] = server.requests;
  assert(head.startsWith("POST /a/b?c=d HTTP/1.1\r\n"), head);
  assertStringIncludes(head, "authorization: Bearer t\r\n");
  assertStringIncludes(head, "content-length: 8\r\n");
  assertEquals(body, '{"ä":1}');
});

Deno.test("Client.send() sends bytes, too", async () => {
  await using server = startRawGateway(({ send }) => send(HI));
  await using client = testClient();
  const body = new TextEncoder().encode("bytes");
  await (await client.send(server.url, { ...POST, body })).response.text();
  assertEquals(server.requests[0].body, "bytes");
});

Deno.test("Client.send() hands on what one read of the socket brought in one piece", async () => {
  await using server = startRawGateway((request) => {
    const chunks = Array.from({ length: 100 }, (_, number) => chunk(`data: ${number}\n\n`));
    return request.send(CHUNKED + chunks.join("") + END);
  });
  await using client = testClient();
  const { response } = await client.send(server.url, POST);
  const pieces = await piecesOf(response);
  assertEquals(pieces.join("").match(/data: /g)?.length, 100);
  assert(pieces.length <= 4, `${pieces.length} pieces`);
});

Deno.test("Client.send() hands on each piece as it comes", async () => {
  const turns = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  await using server = startRawGateway(async (request) => {
    await request.send(CHUNKED + chunk("one"));
    await turns[0].promise;
    await request.send(chunk("two"));
    await turns[1].promise;
    await request.send(END);
  });
  await using client = testClient();
  const reader = (await client.send(server.url, POST)).response.body!.getReader();
  const decoder = new TextDecoder();
  assertEquals(decoder.decode((await reader.read()).value), "one");
  turns[0].resolve();
  assertEquals(decoder.decode((await reader.read()).value), "two");
  turns[1].resolve();
  assert((await reader.read()).done);
});

Deno.test("Client.send() keeps a connection for the next request", async () => {
  await using server = startRawGateway(({ send }) => send(HI));
  await using client = testClient();
  for (let n = 0; n < 3; n++) {
    await (await client.send(server.url, POST)).response.text();
    await turn();
  }
  assertEquals(server.requests.map(({ connection }) => connection), [1, 1, 1]);
});

Deno.test("Client.send() sends no request on a connection that waits for another's answer", async () => {
  const all = Promise.withResolvers<void>();
  let waiting = 0;
  await using server = startRawGateway(async (request) => {
    if (++waiting === 5) all.resolve();
    await all.promise;
    await request.send(HI);
  });
  await using client = testClient();
  await Promise.all(Array.from({ length: 5 }, async () => {
    assertEquals(await (await client.send(server.url, POST)).response.text(), "hi");
  }));
  assertEquals(new Set(server.requests.map(({ connection }) => connection)).size, 5);
});

/** What a server does with a kept connection, after one whole answer → how the second request goes. */
const STALE: readonly {
  name: string;
  second: RawAnswer;
  closes?: boolean;
  outcome: string;
  requests: number;
}[] = [
  {
    name: "was closed in between, on a new connection",
    second: ({ send }) => send(HI),
    closes: true,
    outcome: "hi",
    requests: 2,
  },
  {
    name: "closes when the request has come, not again",
    second: ({ close }) => close(),
    outcome: "UND_ERR_SOCKET",
    requests: 2,
  },
  {
    name: "answers half a head and closes, not again",
    second: async ({ send, close }) => {
      await send("HTTP/1.1 200 OK\r\nconte");
      close();
    },
    outcome: "UND_ERR_SOCKET",
    requests: 2,
  },
];

for (const { name, second, closes = false, outcome, requests } of STALE) {
  Deno.test(`Client.send() sends a request once where a kept connection ${name}`, async () => {
    await using server = startRawGateway(async (request) => {
      if (server.requests.length > 1) return await second(request);
      await request.send(HI);
      if (closes) request.close();
    });
    await using client = testClient();
    await (await client.send(server.url, POST)).response.text();
    await (closes ? server.requests[0].closed : turn());
    const got = await client.send(server.url, POST).then(
      ({ response }) => response.text(),
      (error: RequestFailure) => `${error.code}`,
    );
    assertEquals(got, outcome);
    assertEquals(server.requests.length, requests);
  });
}

/** What a server does with a request → the failure's code, and whether the request may have arrived. */
const UNANSWERED: readonly { name: string; fault: RawAnswer; code: string; resets?: boolean }[] = [
  { name: "closes the connection", fault: ({ close }) => close(), code: "UND_ERR_SOCKET" },
  {
    name: "resets the connection",
    fault: ({ close }) => close(),
    resets: true,
    code: "RESET",
  },
  { name: "is silent", fault: ({ closed }) => closed, code: "UND_ERR_HEADERS_TIMEOUT" },
  {
    name: "answers with a status that is none",
    fault: ({ send }) => send("HTTP/1.1 999 Odd\r\ncontent-length: 2\r\n\r\nhi"),
    code: "HPE_INVALID_STATUS",
  },
  {
    name: "answers with a status below 100",
    fault: ({ send }) => send("HTTP/1.1 099 Odd\r\ncontent-length: 2\r\n\r\nhi"),
    code: "HPE_INVALID_STATUS",
  },
  {
    name: "changes the protocol",
    fault: ({ send }) =>
      send("HTTP/1.1 101 Switching\r\nupgrade: odd\r\nconnection: upgrade\r\n\r\n"),
    code: "UND_ERR_SOCKET",
  },
  {
    name: "says how long its body is in two ways",
    fault: ({ send }) =>
      send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n"),
    code: "UND_ERR_RES_CONTENT_LENGTH_MISMATCH",
  },
];

for (const { name, fault, code, resets } of UNANSWERED) {
  Deno.test(`Client.send() fails with ${code} where a server ${name}, and sends the request once`, async () => {
    await using server = startRawGateway(fault, { resets });
    await using client = testClient({ firstByteTimeout: 100 });
    const body = resets ? "x".repeat(3_000_000) : "{}";
    const error = await assertRejects(
      () => client.send(server.url, { ...POST, body }),
      RequestFailure,
    );
    // A reset is told as such, or as a close, as the system comes by it.
    const told = resets && /^(ECONNRESET|EPIPE|UND_ERR_SOCKET)$/.test(error.code)
      ? "RESET"
      : error.code;
    assertEquals([told, error.sent], [code, true]);
    assertEquals(server.requests.length, 1);
  });
}

/** Where a request can't even be sent → the failure's code. */
const UNSENT: readonly (readonly [string, string])[] = [
  ["http://127.0.0.1:9", "ECONNREFUSED"],
  ["https://127.0.0.1:9", "ECONNREFUSED"],
  ["http://nowhere.invalid", "ENOTFOUND"],
];

for (const [url, code] of UNSENT) {
  Deno.test(`Client.send() fails with ${code} at ${url}, and knows that nothing was sent`, async () => {
    await using client = testClient();
    const error = await assertRejects(() => client.send(url, POST), RequestFailure);
    assert([code, "EAI_AGAIN"].includes(error.code), error.code);
    assertEquals(error.sent, false);
  });
}

Deno.test("Client.send() follows no redirect", async () => {
  await using server = startRawGateway((request) =>
    request.send(`HTTP/1.1 307 There\r\nlocation: /b\r\ncontent-length: 0\r\n\r\n`)
  );
  await using client = testClient();
  const { response } = await client.send(`${server.url}/a`, POST);
  await response.body?.cancel();
  assertEquals([response.status, server.requests.length], [307, 1]);
});

Deno.test("Client.send() passes over what comes before the answer", async () => {
  await using server = startRawGateway((request) =>
    request.send("HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n" + HI)
  );
  await using client = testClient();
  assertEquals(await (await client.send(server.url, POST)).response.text(), "hi");
});

for (const status of [204, 304]) {
  Deno.test(`Client.send() takes ${status}, which has no body`, async () => {
    await using server = startRawGateway(({ send }) => send(`HTTP/1.1 ${status} No\r\n\r\n`));
    await using client = testClient();
    const { response } = await client.send(server.url, POST);
    assertEquals([response.status, response.body], [status, null]);
  });
}

/** How a body breaks off → what came of it, and the cause's code. */
const BROKEN: readonly { name: string; head: string; body: string; code: string | undefined }[] = [
  {
    name: "before the length that it names",
    head: "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n",
    body: "half",
    code: "UND_ERR_SOCKET",
  },
  {
    name: "before the length that it names, on a connection that isn't kept",
    head: "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 10\r\n\r\n",
    body: "half",
    code: "UND_ERR_RES_CONTENT_LENGTH_MISMATCH",
  },
  { name: "between chunks", head: CHUNKED, body: chunk("half"), code: "UND_ERR_SOCKET" },
  { name: "within a chunk", head: CHUNKED, body: "8\r\nhalf", code: "UND_ERR_SOCKET" },
  { name: "with a chunk that is none", head: CHUNKED, body: chunk("half") + "no\r\n", code: "HPE" },
  {
    name: "nowhere, where its end is the connection's",
    head: "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n",
    body: "half",
    code: undefined,
  },
];

for (const { name, head, body, code } of BROKEN) {
  Deno.test(`Client.send() ends a body that breaks off ${name}, and says why`, async () => {
    await using server = startRawGateway(async (request) => {
      await request.send(head + body);
      request.close();
    });
    await using client = testClient();
    const { response, failure } = await client.send(server.url, POST);
    assertEquals(await response.text(), "half");
    const cause = failure() as (Error & { code?: string }) | undefined;
    const told = cause?.name === "HTTPParserError" ? "HPE" : cause?.code;
    assertEquals(told, code);
  });
}

Deno.test("Client.send() ends a body that is reset, and says why", async () => {
  const seen = Promise.withResolvers<void>();
  // With the rest of the request unread, the close is a reset.
  await using server = startRawGateway(async (request) => {
    await request.send(CHUNKED + chunk("half"));
    await seen.promise;
    request.close();
  }, { resets: true });
  await using client = testClient();
  const { response, failure } = await client.send(server.url, {
    ...POST,
    body: "x".repeat(1_000_000),
  });
  const reader = response.body!.getReader();
  assertEquals(new TextDecoder().decode((await reader.read()).value), "half");
  seen.resolve();
  assert((await reader.read()).done);
  assert(failure() instanceof Error);
});

Deno.test("Client.send() ends a body that is silent while somebody reads", async () => {
  await using server = startRawGateway(async ({ send, closed }) => {
    await send(CHUNKED + chunk("half"));
    await closed;
  });
  await using client = testClient({ idleTimeout: 60 });
  const { response, failure } = await client.send(server.url, POST);
  assertEquals(await response.text(), "half");
  assertEquals((failure() as { code?: unknown }).code, "UND_ERR_BODY_TIMEOUT");
  // The gateway's request is over, too.
  await server.requests[0].closed;
});

Deno.test("AnswerHandler leaves out headers that no answer may have, and keeps the others", async () => {
  const handler = new AnswerHandler({ firstByteTimeout: 0, idleTimeout: 0, onWaited() {} });
  handler.onRequestStart({ abort() {}, pause() {}, resume() {} });
  const fields = { "x-one": "1", "x-odd": "a\u0000b", "x-two": ["a", "b\nc"] };
  handler.onResponseStart(undefined, 200, fields);
  handler.onResponseData(undefined, new TextEncoder().encode("hi"));
  handler.onResponseEnd();
  const { response } = await handler.answer;
  assertEquals([...response.headers], [["x-one", "1"], ["x-two", "a"]]);
  assertEquals(await response.text(), "hi");
});

/** First-byte and idle timeout, and whether the head comes → the failure, and the time that has passed by then. */
const LIMITS: readonly { limits: [number, number]; head: boolean; code: string; least: number }[] =
  [
    { limits: [150, 40], head: false, code: "UND_ERR_HEADERS_TIMEOUT", least: 145 },
    { limits: [150, 0], head: false, code: "UND_ERR_HEADERS_TIMEOUT", least: 145 },
    { limits: [40, 150], head: true, code: "UND_ERR_BODY_TIMEOUT", least: 145 },
    { limits: [0, 150], head: true, code: "UND_ERR_BODY_TIMEOUT", least: 145 },
  ];

for (const { limits, head, code, least } of LIMITS) {
  const [firstByteTimeout, idleTimeout] = limits;
  const what = head ? "a body" : "an answer";
  Deno.test(`Client.send() waits for ${what} as long as its own limit says, with ${limits.join(" and ")} ms`, async () => {
    await using server = startRawGateway(async ({ send, closed }) => {
      if (head) await send(CHUNKED);
      await closed;
    });
    await using client = testClient({ firstByteTimeout, idleTimeout });
    const start = performance.now();
    const cause = await client.send(server.url, POST).then(async ({ response, failure }) => {
      await response.text();
      return failure();
    }, (error: RequestFailure) => error);
    assertEquals((cause as { code?: unknown }).code, code);
    assert(performance.now() - start >= least);
  });
}

/** How much comes before the reader pauses: what waits is in the client, or in the system's buffers. */
for (const pieces of [1, 3, 200]) {
  Deno.test(`Client.send() does not count the time in which nobody reads, with ${pieces} pieces waiting`, async () => {
    const paused = Promise.withResolvers<void>();
    const piece = "x".repeat(16_000);
    await using server = startRawGateway(async ({ send }) => {
      await send(CHUNKED);
      const sending = (async () => {
        for (let n = 0; n < pieces; n++) await send(chunk(piece));
      })();
      await paused.promise;
      await sending;
      await send(chunk("end") + END);
    });
    await using client = testClient({ idleTimeout: 60 });
    const { response, failure } = await client.send(server.url, POST);
    const reader = response.body!.getReader();
    let length = (await reader.read()).value!.length;
    await delay(250);
    paused.resolve();
    for (let read = await reader.read(); !read.done; read = await reader.read()) {
      length += read.value.length;
    }
    assertEquals([length, failure()], [pieces * piece.length + 3, undefined]);
  });
}

Deno.test("Client.send() does not end a body that drips, however long it takes", async () => {
  await using server = startRawGateway(async ({ send }) => {
    await send(CHUNKED);
    for (let n = 0; n < 10; n++) {
      await send(chunk("."));
      await delay(25);
    }
    await send(END);
  });
  await using client = testClient({ idleTimeout: 120 });
  const { response, failure } = await client.send(server.url, POST);
  assertEquals([await response.text(), failure()], ["..........", undefined]);
});

Deno.test("Client.send() takes no more of an answer than somebody reads", async () => {
  const SIZE = 96 * 1024 * 1024;
  const piece = new Uint8Array(64 * 1024);
  let written = 0;
  await using server = startRawGateway(async ({ send }) => {
    await send(`HTTP/1.1 200 OK\r\ncontent-length: ${SIZE}\r\n\r\n`);
    for (; written < SIZE; written += piece.length) await send(piece);
  });
  await using client = testClient();
  const { response, failure } = await client.send(server.url, POST);
  const reader = response.body!.getReader();
  let length = (await reader.read()).value!.length;
  // Until the system's buffers are full, and for a while after.
  for (let before = -1; before !== written;) {
    before = written;
    await delay(100);
  }
  assert(written < SIZE / 2, `${written} bytes were taken`);
  let longest = 0;
  for (let read = await reader.read(); !read.done; read = await reader.read()) {
    length += read.value.length;
    longest = Math.max(longest, read.value.length);
  }
  assertEquals([length, failure()], [SIZE, undefined]);
  assert(longest <= 1024 * 1024, `a piece of ${longest} bytes`);
});

Deno.test("Client.send() rejects with the signal's reason where it has been aborted", async () => {
  await using client = testClient();
  const reason = new Error("left");
  const signal = AbortSignal.abort(reason);
  const caught = await client.send("http://127.0.0.1:9", { ...POST, signal }).catch((e) => e);
  assertEquals(caught, reason);
});

Deno.test("Client.send() ends a request whose signal aborts before the answer", async () => {
  const controller = new AbortController();
  await using server = startRawGateway(({ closed }) => closed);
  await using client = testClient();
  const sending = client.send(server.url, { ...POST, signal: controller.signal });
  const { closed } = await server.request(1);
  const reason = new Error("left");
  controller.abort(reason);
  assertEquals(await sending.catch((error) => error), reason);
  await closed;
});

Deno.test("Client.send() ends a request whose signal aborts in the middle of the body", async () => {
  const controller = new AbortController();
  await using server = startRawGateway(async ({ send, closed }) => {
    await send(CHUNKED + chunk("half"));
    await closed;
  });
  await using client = testClient();
  const { response, failure } = await client.send(server.url, {
    ...POST,
    signal: controller.signal,
  });
  const reader = response.body!.getReader();
  await reader.read();
  const reason = new Error("left");
  controller.abort(reason);
  assert((await reader.read()).done);
  assertEquals(failure(), reason);
  await server.requests[0].closed;
});

Deno.test("Client.send() keeps an answer whose signal aborts after it was complete", async () => {
  const controller = new AbortController();
  await using server = startRawGateway(({ send }) => send(HI));
  await using client = testClient();
  const { response, failure } = await client.send(server.url, {
    ...POST,
    signal: controller.signal,
  });
  assertEquals(await response.text(), "hi");
  controller.abort();
  assertEquals(failure(), undefined);
  // Its connection is kept.
  await turn();
  await (await client.send(server.url, POST)).response.text();
  assertEquals(server.requests[1].connection, 1);
});

Deno.test("Client.send() ends the request whose body is cancelled", async () => {
  await using server = startRawGateway(async ({ send, closed }) => {
    await send(CHUNKED + chunk("half"));
    await closed;
  });
  await using client = testClient();
  const { response } = await client.send(server.url, POST);
  await response.body!.cancel();
  await server.requests[0].closed;
});

Deno.test("Client.send() makes no connection after a request that was ended", async () => {
  await using server = startRawGateway(({ send }) => send(CHUNKED + chunk("half")));
  await using client = testClient();
  const { response } = await client.send(server.url, POST);
  await response.body!.cancel();
  await server.requests[0].closed;
  await turn();
  // Connections have numbers: had there been one in between, this would be the third.
  await (await client.send(server.url, POST)).response.body!.cancel();
  assertEquals(server.requests.map(({ connection }) => connection), [1, 2]);
});

Deno.test("Client.close() ends what is under way", async () => {
  await using server = startRawGateway(async ({ number, send, closed }) => {
    if (number === 1) await send(CHUNKED + chunk("half"));
    await closed;
  });
  await using client = testClient();
  const { response, failure } = await client.send(server.url, POST);
  const waiting = client.send(server.url, POST).catch((error) => error);
  await server.request(2);
  await client.close();
  assertEquals(await response.text(), "half");
  assert(failure() instanceof Error);
  assert(await waiting instanceof RequestFailure);
  await assertRejects(() => client.send(server.url, POST), RequestFailure);
});

Deno.test("Client.preload() sends nothing", async () => {
  await using server = startRawGateway(({ send }) => send(HI));
  await using client = testClient();
  await client.preload!();
  assertEquals(server.requests.length, 0);
});

Deno.test("clientFetch() has fetch's shape, and a body that fails where it breaks off", async () => {
  await using server = startRawGateway(async (request) => {
    await request.send(
      HI.replace("length: 2", server.requests.length === 1 ? "length: 2" : "length: 9"),
    );
    if (server.requests.length > 1) request.close();
  });
  await using client = testClient();
  const fetch = clientFetch(client);
  const response = await fetch(new URL(server.url), {
    method: "POST",
    headers: new Headers({ "x-a": "b" }),
    body: "{}",
  });
  assertEquals([response.ok, await response.text()], [true, "hi"]);
  assertStringIncludes(server.requests[0].head, "x-a: b\r\n");
  const broken = await fetch(server.url);
  assert(server.requests[1].head.startsWith("GET / "));
  await assertRejects(() => broken.text());
});

/** A gateway on a real client, without a wait between retries. */
function gatewayOn(url: string, client: Client, retries = 2) {
  const told: string[] = [];
  const gateway = new Gateway({
    base: url,
    client,
    connectTimeout: 100,
    firstByteTimeout: 100,
    idleTimeout: 100,
    retries,
    retryTime: 60_000,
    sleep: () => Promise.resolve(),
  });
  const post = () =>
    gateway.post({
      path: "/x",
      headers: {},
      body: "{}",
      signal: new AbortController().signal,
      onRetry: (reason) => told.push(reason),
    });
  return { post, told };
}

/** What a gateway does with every request → how often it gets one with two retries, and the error's code. */
const ASKED: readonly { name: string; fault: RawAnswer; requests: number; code: string }[] = [
  {
    name: "closes without an answer",
    fault: ({ close }) => close(),
    requests: 1,
    code: "connection_closed",
  },
  {
    name: "is silent",
    fault: ({ closed }) => closed,
    requests: 1,
    code: "first_byte_timeout",
  },
  {
    name: "answers in something else than HTTP",
    fault: ({ send }) => send("220 mail\r\n"),
    requests: 1,
    code: "protocol",
  },
  {
    name: "answers 503",
    fault: ({ send }) => send("HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n"),
    requests: 3,
    code: "503",
  },
];

for (const { name, fault, requests, code } of ASKED) {
  Deno.test(`Gateway.post() sends a request ${requests === 1 ? "once" : `${requests} times`} to a gateway that ${name}`, async () => {
    await using server = startRawGateway(fault);
    await using client = testClient({ firstByteTimeout: 100 });
    const outcome = await gatewayOn(server.url, client).post().catch((error) => error);
    assertEquals(outcome instanceof BridgeError ? outcome.code : `${outcome.status}`, code);
    assertEquals(server.requests.length, requests);
  });
}

Deno.test("Gateway.post() asks again where no connection comes about, as nothing was sent", async () => {
  await using client = testClient();
  const { post, told } = gatewayOn("http://127.0.0.1:9", client);
  const error = await assertRejects(post, BridgeError, "the connection was refused");
  assertEquals([error.status, error.code, told.length], [502, "unreachable", 2]);
});
