/**
 * A gateway that does everything wrong, on real sockets: what a client gets of it, and that the
 * gateway's request ends when the client leaves, at whatever moment.
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import {
  answer,
  chunk,
  type RawAnswer,
  type RawOptions,
  startRawGateway,
  STREAM_END,
  STREAM_HEAD,
} from "./helpers/raw_gateway.ts";
import {
  type FaultBridge,
  inTime,
  MODELS,
  RawClient,
  rawPost,
  startFaultBridge,
} from "./helpers/fault_bridge.ts";
import { assertStrictStream } from "./helpers/strict_stream.ts";

const event = (delta: unknown, finish_reason: string | null = null) =>
  `data: ${
    JSON.stringify({
      id: "chatcmpl-1",
      created: 1,
      model: "m",
      choices: [{ index: 0, delta, finish_reason }],
    })
  }\n\n`;
const HALF = event({ role: "assistant", content: "The quay" });
const END = event({ content: " is long." }, "stop");
const WHOLE = HALF + END + "data: [DONE]\n\n";
const COMPLETION = JSON.stringify({
  id: "chatcmpl-1",
  created: 1,
  model: "m",
  choices: [{ index: 0, message: { role: "assistant", content: "Hi" }, finish_reason: "stop" }],
});
/** Long enough that bytes stay unread where the gateway reads only the head. */
const MESSAGES = [{ role: "user", content: "How long is the quay? ".repeat(2_000) }];
const stream = (more = {}) => ({ model: MODELS.chat, messages: MESSAGES, stream: true, ...more });
const plain = (more = {}) => ({ model: MODELS.chat, messages: MESSAGES, ...more });

/** Opens a streamed answer and sends its beginning. */
async function begin(send: (data: string | Uint8Array) => Promise<void>, text = HALF) {
  await send(STREAM_HEAD);
  await send(chunk(text));
}

/** A moment at which a client leaves. */
interface Moment {
  readonly name: string;
  /** What the gateway does until then; it never ends anything. */
  readonly fault: RawAnswer;
  readonly body: unknown;
  readonly path?: string;
  readonly flags?: readonly string[];
  /** The gateway's request, by number, that must end. */
  readonly request?: number;
  /** What the client waits for before it leaves; nothing where it leaves once the request has come. */
  readonly until?: string;
}

const MOMENTS: readonly Moment[] = [
  { name: "before the answer begins", fault: () => {}, body: stream() },
  { name: "before a whole answer begins", fault: () => {}, body: plain() },
  {
    name: "in the middle of a stream",
    fault: ({ send }) => begin(send),
    body: stream(),
    until: "The quay",
  },
  {
    name: "in the middle of a stream of the Responses API's",
    fault: ({ send }) => begin(send, 'data: {"type":"response.created","response":{}}\n\n'),
    body: { model: MODELS.responses, input: "How long is the quay?", stream: true },
    path: "/responses",
    until: "response.created",
  },
  {
    name: "in the middle of a whole answer",
    fault: async ({ send }) => {
      await send(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 900\r\n\r\n",
      );
      await send(COMPLETION.slice(0, 20));
    },
    body: plain(),
  },
  {
    name: "during a retry",
    fault: ({ number, send }) => number === 1 ? send(answer("", { status: 503 })) : undefined,
    body: stream(),
    request: 2,
  },
  {
    name: "while a refusal has been learned from",
    fault: ({ number, send }) =>
      number === 1
        ? send(answer('Bad request: json: unknown field "seed"', { status: 400, headers: {} }))
        : undefined,
    body: stream({ seed: 1 }),
    request: 2,
  },
  {
    name: "in the middle of a refusal",
    fault: ({ send }) => send("HTTP/1.1 400 Bad Request\r\ncontent-length: 900\r\n\r\n{"),
    body: stream(),
  },
  {
    name: "while comment lines keep it awake",
    fault: () => {},
    body: stream(),
    flags: ["--heartbeat", "30ms"],
    until: ": fd-bridge",
  },
];

for (const { name, fault, body, path, flags, request = 1, until } of MOMENTS) {
  Deno.test(`a client that leaves ${name} ends the gateway's request within a second`, async () => {
    await using gateway = startRawGateway(fault);
    await using bridge = startFaultBridge(gateway.url, {
      flags,
    });
    const client = await RawClient.send(bridge.port, rawPost(body, path));
    const { closed } = await inTime("the request", gateway.request(request));
    if (until) await inTime(until, client.read(until));
    client.leave();
    await inTime("the end of the gateway's request", closed, 1_000);
    await inTime("the log's line", bridge.logged(/client left/));
    assertEquals(bridge.bridge.metrics.openStreams, 0);
    assertEquals(gateway.requests.length, request);
  });
}

Deno.test(`a client that leaves without having read ends the gateway's request`, async () => {
  let sent = 0;
  await using gateway = startRawGateway(async ({ send, isClosed }) => {
    await send(STREAM_HEAD);
    const piece = chunk(event({ content: "quay ".repeat(2_000) }));
    while (!isClosed()) {
      await send(piece);
      sent += piece.length;
    }
  });
  await using bridge = startFaultBridge(gateway.url);
  const client = await RawClient.send(bridge.port, rawPost(stream()));
  await inTime("a byte", client.read("HTTP/1.1 200"));
  const { closed } = await gateway.request(1);
  // The gateway stands still when nobody reads; that is as long as this waits.
  let before = -1;
  while (before !== sent) {
    before = sent;
    await new Promise((resolve) => setTimeout(resolve, 150));
  }
  assert(sent < 64 * 2 ** 20, `${sent} bytes were taken that nobody read`);
  client.leave();
  await inTime("the end of the gateway's request", closed, 1_000);
  await inTime("the log's line", bridge.logged(/client left/));
  assertEquals(bridge.bridge.metrics.openStreams, 0);
});

/** What a gateway does wrong, and what a client gets. */
interface FaultRow {
  readonly name: string;
  readonly fault: RawAnswer;
  readonly options?: RawOptions;
  readonly flags?: readonly string[];
  /** A streaming client's: words of the error's event, `done`, or the status of a refusal. */
  readonly stream: string | number;
  /** Another client's: the status. */
  readonly whole: number;
  /** How many requests reach the gateway; retries are off unless the flags say so. @default {1} */
  readonly requests?: number;
}

const FAULTS: readonly FaultRow[] = [
  {
    name: "hangs before it answers",
    fault: () => {},
    flags: ["--first-byte-timeout", "150ms"],
    stream: 504,
    whole: 504,
  },
  {
    name: "drips headers without an end",
    fault: async ({ send, isClosed }) => {
      await send("HTTP/1.1 200 OK\r\n");
      for (let at = 0; !isClosed(); at++) {
        await send(`x-${at}: y\r\n`);
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    },
    flags: ["--first-byte-timeout", "150ms"],
    stream: 504,
    whole: 504,
  },
  {
    name: "sends headers without an end",
    fault: async ({ send, isClosed }) => {
      await send("HTTP/1.1 200 OK\r\n");
      while (!isClosed()) await send(`x-header: ${"y".repeat(10_000)}\r\n`);
    },
    stream: 502,
    whole: 502,
  },
  { name: "closes before it answers", fault: ({ close }) => close(), stream: 502, whole: 502 },
  {
    name: "resets before it answers",
    fault: ({ close }) => close(),
    options: { resets: true },
    stream: 502,
    whole: 502,
  },
  {
    name:
      "resets before it answers, and is not asked again, because the request may have reached it",
    fault: ({ close }) => close(),
    options: { resets: true },
    flags: ["--retries", "2"],
    stream: 502,
    whole: 502,
  },
  {
    name: "sends garbage in the place of HTTP",
    fault: async ({ send, close }) => {
      await send("\x16\x03\x01\x00\xffgarbage\r\n\r\n".repeat(20));
      close();
    },
    stream: 502,
    whole: 502,
  },
  {
    name: "resets half-way",
    fault: async ({ send, close }) => {
      await begin(send);
      await new Promise((resolve) => setTimeout(resolve, 50));
      close();
    },
    options: { resets: true },
    stream: "cut off here",
    whole: 502,
  },
  {
    name: "closes half-way",
    fault: async ({ send, close }) => {
      await begin(send);
      close();
    },
    stream: "cut off here",
    whole: 502,
  },
  {
    name: "closes in the middle of a character",
    fault: async ({ send, close }) => {
      await send(STREAM_HEAD);
      const bytes = new TextEncoder().encode(event({ content: "quai ⚓" }));
      await send(chunk(bytes.subarray(0, bytes.indexOf(0xe2) + 1)));
      close();
    },
    stream: "cut off here",
    whole: 502,
  },
  {
    name: "ends its stream half-way, in good order",
    fault: async ({ send }) => {
      await begin(send);
      await send(STREAM_END);
    },
    stream: "cut off here",
    whole: 502,
  },
  {
    name: "says that its body is longer than it is",
    fault: async ({ send, close }) => {
      await send(
        `HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 9999\r\n\r\n${HALF}`,
      );
      close();
    },
    stream: "cut off here",
    whole: 502,
  },
  {
    name: "says that its body is shorter than it is",
    fault: ({ send }) =>
      send(
        `HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: ${
          HALF.length + 20
        }\r\n\r\n${WHOLE}`,
      ),
    stream: "cut off here",
    whole: 502,
  },
  {
    name: "breaks off behind a whole answer",
    fault: async ({ send, close }) => {
      await begin(send, HALF + END);
      close();
    },
    stream: "done",
    whole: 200,
  },
  {
    name: "drips",
    fault: async ({ send }) => {
      await send(STREAM_HEAD);
      for (const byte of new TextEncoder().encode(WHOLE)) await send(chunk(Uint8Array.of(byte)));
      await send(STREAM_END);
    },
    stream: "done",
    whole: 200,
  },
  {
    name: "falls silent half-way",
    fault: ({ send }) => begin(send),
    flags: ["--idle-timeout", "200ms"],
    stream: "was silent for 0.2 s",
    whole: 504,
  },
  {
    name: "leaves the stream open behind the whole answer",
    fault: ({ send }) => begin(send, HALF + END),
    flags: ["--idle-timeout", "1m"],
    stream: "done",
    whole: 200,
  },
  {
    name: "goes on and on behind [DONE]",
    fault: async ({ send, isClosed }) => {
      await begin(send, WHOLE);
      while (!isClosed()) {
        await send(chunk(event({ content: "more" })));
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
    },
    stream: "done",
    whole: 200,
  },
  {
    name: "sends a line without an end",
    fault: async ({ send, isClosed }) => {
      await begin(send);
      await send(chunk('data: {"choices":[{"delta":{"content":"'));
      const piece = chunk("x".repeat(1024 * 1024));
      for (let at = 0; at < 100 && !isClosed(); at++) await send(piece);
    },
    stream: "no event of a chat is that long",
    whole: 502,
  },
  {
    name: "compresses though nobody asked it to",
    fault: async ({ send }) => {
      const zipped = new Blob([WHOLE]).stream().pipeThrough(new CompressionStream("gzip"));
      const bytes = new Uint8Array(await new Response(zipped).arrayBuffer());
      await send(STREAM_HEAD.replace("\r\n\r\n", "\r\ncontent-encoding: gzip\r\n\r\n"));
      await send(chunk(bytes));
      await send(STREAM_END);
    },
    stream: "done",
    whole: 200,
  },
  {
    name: "sends a login page",
    fault: ({ send }) =>
      send(answer("<!doctype html><title>Sign in</title>", {
        headers: { "content-type": "text/html" },
      })),
    stream: "HTML page",
    whole: 502,
  },
  {
    name: "sends an empty body",
    fault: ({ send }) => send(answer("", { headers: { "content-type": "text/event-stream" } })),
    stream: "cut off here",
    whole: 502,
  },
  {
    name: "sends no body",
    fault: ({ send }) => send("HTTP/1.1 204 No Content\r\n\r\n"),
    stream: "cut off here",
    whole: 502,
  },
  {
    name: "sends half of a JSON body",
    fault: async ({ send, close }) => {
      await send(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 999\r\n\r\n",
      );
      await send(COMPLETION.slice(0, 100));
      close();
    },
    stream: "cut off here",
    whole: 502,
  },
  {
    name: "sends JSON in a stream's place",
    fault: ({ send }) => send(answer(COMPLETION)),
    stream: "done",
    whole: 200,
  },
  {
    name: "sends hints before its answer",
    fault: ({ send }) =>
      send(`HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n${answer(COMPLETION)}`),
    stream: "done",
    whole: 200,
  },
  {
    name: "hangs in the middle of a refusal's body",
    fault: async ({ send, close }) => {
      await send("HTTP/1.1 403 Forbidden\r\ncontent-length: 500\r\n\r\nPERMISSION_DENIED: no");
      close();
    },
    stream: 403,
    whole: 403,
  },
];

for (const row of FAULTS) {
  Deno.test(`a gateway that ${row.name} is told to a streaming client`, async () => {
    await using gateway = startRawGateway(row.fault, row.options);
    await using bridge = startFaultBridge(gateway.url, {
      flags: ["--retries", "0", ...row.flags ?? []],
    });
    const response = await post(bridge.url, stream());
    const text = await inTime("the answer", response.text(), 10_000);
    if (typeof row.stream === "number") {
      assertEquals(response.status, row.stream, text);
      assert(JSON.parse(text).error.message.length > 0);
    } else {
      assertEquals(response.status, 200, text);
      const { end, done, error } = assertStrictStream(text);
      if (row.stream === "done") assert(end === "clean" && done, text);
      else assertStringIncludes(error?.message ?? text, row.stream);
    }
    await settled(bridge, gateway, row);
  });

  Deno.test(`a gateway that ${row.name} is told to a client that waits for the whole`, async () => {
    await using gateway = startRawGateway(row.fault, row.options);
    await using bridge = startFaultBridge(gateway.url, {
      flags: ["--retries", "0", ...row.flags ?? []],
    });
    const response = await post(bridge.url, plain());
    const text = await inTime("the answer", response.text(), 10_000);
    assertEquals(response.status, row.whole, text);
    const body = JSON.parse(text);
    if (row.whole === 200) assertMatch(body.choices[0].message.content, /long|Hi/);
    else assert(body.error.message.length > 0);
    await settled(bridge, gateway, row);
  });
}

Deno.test(`a gateway that points elsewhere is not followed`, async () => {
  await using other = startRawGateway(({ send }) => send(answer(COMPLETION)));
  await using gateway = startRawGateway(({ send }) =>
    send(answer("", { status: 307, headers: { location: `${other.url}/take-the-token` } }))
  );
  await using bridge = startFaultBridge(gateway.url);
  const response = await post(bridge.url, plain());
  const { error } = await response.json();
  assertEquals([response.status, error.code], [502, "redirected"]);
  assertEquals([gateway.requests.length, other.requests.length], [1, 0]);
});

function post(url: string, body: unknown): Promise<Response> {
  return fetch(`${url}/chat/completions`, {
    method: "POST",
    headers: { authorization: "Bearer t" },
    body: JSON.stringify(body),
  });
}

/** Nothing may be left over: no request to the gateway, no open stream in the numbers. */
async function settled(
  bridge: FaultBridge,
  gateway: ReturnType<typeof startRawGateway>,
  { requests = 1, options }: FaultRow,
): Promise<void> {
  assertEquals(bridge.bridge.metrics.openStreams, 0);
  assertEquals(gateway.requests.length, requests);
  if (options?.resets) return;
  const start = performance.now();
  while (gateway.open > 0) {
    assert(performance.now() - start < 3_000, "the gateway's request is still open");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
