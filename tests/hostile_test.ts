/**
 * Tens of thousands of random and mutated streams, bodies and headers at the real server, over
 * loopback, with a gateway of raw TCP behind it. Whatever comes: the server lives, every answer is
 * well-formed, nothing stays open, and nothing happens that nobody foresaw.
 */
import { assert, assertEquals } from "@std/assert";
import {
  answer,
  chunk,
  type RawRequest,
  startRawGateway,
  STREAM_END,
  STREAM_HEAD,
} from "./helpers/raw_gateway.ts";
import {
  type FaultBridge,
  inTime,
  MODELS,
  RawClient,
  startFaultBridge,
} from "./helpers/fault_bridge.ts";
import {
  cuts,
  Random,
  randomFromEnvironment,
  randomGatewayBytes,
  violations,
} from "./helpers/mutate.ts";
import { losesClients } from "../lib/listen.ts";
import { FORGE_REQUESTS } from "./helpers/requests.ts";
import { assertStrictStream } from "./helpers/strict_stream.ts";

/** How many cases there are, and after how many milliseconds it is enough, on whatever machine. */
const CASES = 24_000;
const TIME = 14_000;
/** The least cases of each kind: a machine on which fewer fit into the time shows nothing. */
const LEAST = 50;
/** Whether this Deno's server notices every client that leaves. */
const SOUND = !losesClients(Deno.version.deno);
/** How many run at once. */
const WORKERS = 24;

/** What the gateway does with the requests of the cases that are running, by number. */
type Plays = Map<number, (request: RawRequest) => void | Promise<void>>;

interface Case {
  readonly random: Random;
  readonly number: number;
  readonly bridge: FaultBridge;
  readonly plays: Plays;
}

const TOKEN = { authorization: "Bearer t", "content-type": "application/json" };
const encoder = new TextEncoder();

/** A request that tells the gateway which case it belongs to. */
function requestOf({ random, number }: Case, stream: boolean) {
  const model = random.pick(Object.values(MODELS));
  return { model, stream, messages: [{ role: "user", content: `case-${number}` }] };
}

function post({ bridge }: Case, body: string | Uint8Array<ArrayBuffer>, more: RequestInit = {}) {
  return fetch(`${bridge.url}/chat/completions`, { method: "POST", headers: TOKEN, body, ...more });
}

/** Sends a body in random pieces, as chunks of HTTP. */
async function play(request: RawRequest, random: Random, bytes: Uint8Array): Promise<void> {
  const framed: Uint8Array[] = [encoder.encode(STREAM_HEAD)];
  // At most a few dozen: byte by byte, a stream takes as long as thousands of cases.
  const all = random.chance(0.8) ? [bytes] : cuts(bytes, random);
  const first = all.slice(0, 40);
  const rest = bytes.subarray(first.reduce((sum, piece) => sum + piece.length, 0));
  const pieces = [...first, rest];
  for (const piece of pieces) if (piece.length > 0) framed.push(chunk(piece));
  if (all.length > 1) {
    for (const piece of framed) await request.send(piece);
    return await request.send(STREAM_END);
  }
  const whole = new Blob([...framed as Uint8Array<ArrayBuffer>[], STREAM_END]);
  await request.send(new Uint8Array(await whole.arrayBuffer()));
}

/** Bytes with a few of them changed, lost, or doubled. */
function mutated(bytes: Uint8Array, random: Random): Uint8Array {
  const out = [...bytes];
  for (let times = random.integer(1, 8); times > 0 && out.length > 0; times--) {
    const at = random.integer(0, out.length - 1);
    const kind = random.integer(0, 3);
    if (kind === 0) out[at] = random.integer(0, 255);
    else if (kind === 1) out.splice(at, random.integer(1, 40));
    else if (kind === 2) out.splice(at, 0, ...out.slice(at, at + random.integer(1, 40)));
    else {out.splice(
        at,
        0,
        ...encoder.encode(
          random.pick(['"', "\n\n", "data: ", "{", "}", "\r", "\0", "\\u", "[DONE]"]),
        ),
      );}
  }
  return Uint8Array.from(out);
}

const STATUSES_OF_ERRORS = [
  200,
  400,
  401,
  403,
  404,
  405,
  413,
  415,
  422,
  429,
  499,
  500,
  501,
  502,
  503,
  504,
];

/** Whatever an answer is, it is OpenAI's: a completion, or an error with its four fields. */
async function assertWellFormed(response: Response): Promise<void> {
  const text = await response.text();
  if (response.headers.get("content-type") === "text/event-stream") {
    assertEquals(response.status, 200);
    assertStrictStream(text);
    return;
  }
  const body = JSON.parse(text);
  if (response.status === 200) {
    assertEquals(body.object, "chat.completion");
    return;
  }
  assert(response.status >= 400, `status ${response.status}`);
  assertEquals(Object.keys(body), ["error"]);
  assertEquals(Object.keys(body.error), ["message", "type", "param", "code"]);
  assert(typeof body.error.message === "string" && body.error.message !== "", text);
}

/** Kind → how to run one of it. The more often it stands in {@linkcode MIX}, the more there are. */
const KINDS: Readonly<Record<string, (one: Case) => Promise<void>>> = {
  /** A stream with all that gateways do to streams: what comes out is known to the letter. */
  async stream(one) {
    const { random, number, plays } = one;
    const { bytes, expected, mutations } = randomGatewayBytes(random);
    plays.set(number, (request) => play(request, random, bytes));
    const response = await post(one, JSON.stringify(requestOf(one, true)));
    const output = await response.text();
    const found = violations(output, expected);
    assertEquals(found, [], `${mutations}\n${new TextDecoder().decode(bytes)}\n=>\n${output}`);
  },
  /** A stream whose bytes were changed anywhere: what comes out is well-formed. */
  async bytes(one) {
    const { random, number, plays } = one;
    const bytes = mutated(randomGatewayBytes(random).bytes, random);
    plays.set(number, (request) => play(request, random, bytes));
    await assertWellFormed(await post(one, JSON.stringify(requestOf(one, random.chance(0.7)))));
  },
  /** A stream that ends anywhere, and the connection with it. */
  async cut(one) {
    const { random, number, plays } = one;
    const { bytes } = randomGatewayBytes(random);
    const framed = new Blob([STREAM_HEAD, chunk(bytes) as Uint8Array<ArrayBuffer>, STREAM_END]);
    const all = new Uint8Array(await framed.arrayBuffer());
    plays.set(number, async ({ send, close }) => {
      await send(all.subarray(0, random.integer(1, all.length)));
      close();
    });
    await assertWellFormed(await post(one, JSON.stringify(requestOf(one, random.chance(0.7)))));
  },
  /** A refusal of any status, in any words. */
  async refusal(one) {
    const { random, number, plays } = one;
    const status = random.pick(STATUSES_OF_ERRORS);
    const words = random.pick([
      "",
      "no",
      "{",
      "[]",
      "null",
      '"text"',
      "<html><title>no</title>",
      '{"error":null}',
      '{"error":{"message":{},"code":[]}}',
      '{"error_code":1e99,"message":""}',
      '{"detail":[{"msg":1}]}',
      "\0\xff".repeat(random.integer(1, 50)),
      "[".repeat(random.integer(1, 20_000)),
      '{"a":'.repeat(random.integer(1, 5_000)),
    ]);
    const type = random.pick(["application/json", "text/html", "text/plain", "text/event-stream"]);
    plays.set(
      number,
      ({ send }) => send(answer(words, { status, headers: { "content-type": type } })),
    );
    await assertWellFormed(await post(one, JSON.stringify(requestOf(one, random.chance(0.5)))));
  },
  /** A client's body that is none, or nearly none. */
  async body(one) {
    const { random, number, plays } = one;
    plays.set(number, ({ send }) => send(answer("{}")));
    const good = random.chance(0.5)
      ? requestOf(one, false)
      : random.pick(Object.values(FORGE_REQUESTS))(MODELS.chat);
    const bytes = mutated(encoder.encode(JSON.stringify(good)), random);
    await assertWellFormed(await post(one, Uint8Array.from(bytes)));
  },
  /** Fields of every wrong type. */
  async fields(one) {
    const { random, number, plays } = one;
    plays.set(number, ({ send }) => send(answer("{}")));
    const odd = (depth: number): unknown =>
      random.pick([
        () => null,
        () => random.integer(-5, 5),
        () => 1e308,
        () => "",
        () => "\ud800",
        () => true,
        () => [],
        () => ({}),
        () => depth > 0 ? [odd(depth - 1), odd(depth - 1)] : 0,
        () => depth > 0 ? { type: odd(depth - 1), __proto__: odd(depth - 1), text: "x" } : "x",
      ])();
    const body: Record<string, unknown> = requestOf(one, false);
    const names = [
      "messages",
      "tools",
      "tool_choice",
      "stream",
      "response_format",
      "stop",
      "n",
      "max_tokens",
      "metadata",
      "model",
      "input",
      "reasoning",
      "parallel_tool_calls",
    ];
    for (let times = random.integer(1, 3); times > 0; times--) body[random.pick(names)] = odd(3);
    if (random.chance(0.5)) {
      const parts = ["role", "content", "tool_calls", "tool_call_id", "name", "reasoning_details"];
      const message: Record<string, unknown> = {
        role: random.pick(["user", "assistant", "tool"]),
        content: `case-${number}`,
      };
      message[random.pick(parts)] = odd(3);
      body.messages = [message, ...random.chance(0.5) ? [message] : []];
    }
    await assertWellFormed(await post(one, JSON.stringify(body)));
  },
  /** Heads that are none: the server answers with a status, or closes. */
  async head({ random, bridge }) {
    const garbage = () =>
      String.fromCharCode(
        ...Array.from({ length: random.integer(0, 30) }, () => random.integer(0, 255)),
      );
    const line = random.pick([
      () => `${garbage()} / HTTP/1.1`,
      () => `GET ${garbage()} HTTP/1.1`,
      () => `GET /${garbage().replace(/\s/g, "")} HTTP/1.1`,
      () => "POST /chat/completions HTTP/1.1",
      () => `OPTIONS ${random.pick(["*", "/models", "//", "http://x/"])} HTTP/1.1`,
      () => `GET /models HTTP/${random.pick(["0.9", "1.0", "2.0", "9.9", "x"])}`,
    ])();
    const header = () =>
      random.pick([
        () =>
          `host: ${
            random.pick(["127.0.0.1", "evil", "a b", "", "[::1", "127.0.0.1:99999", garbage()])
          }`,
        () => `authorization: ${random.pick(["Bearer t", "Bearer", garbage()])}`,
        () =>
          `content-length: ${random.pick(["0", "-1", "5", "1e3", "99999999999999999999", "x"])}`,
        () => `transfer-encoding: ${random.pick(["chunked", "gzip", "chunked, chunked", "x"])}`,
        () => `origin: ${garbage()}`,
        () => `${garbage()}: ${garbage()}`,
        () => `x: ${"y".repeat(random.integer(0, 9_000))}`,
        () => "expect: 100-continue",
        () => "upgrade: websocket\r\nconnection: upgrade",
      ])();
    const headers = Array.from({ length: random.integer(0, 6) }, header);
    const bytes = Uint8Array.from(
      [line, ...headers, "connection: close", "", garbage()].join("\r\n"),
      (c) => c.charCodeAt(0),
    );
    const client = await RawClient.send(bridge.port, "");
    // A server that has heard enough may close while the rest is being sent.
    await client.write(bytes).catch(() => {});
    // Nothing more will come: whatever was sent, the server answers or closes.
    await client.finish().catch(() => {});
    const text = await client.read();
    assert(text === "" || /^HTTP\/1\.[01] \d{3}/.test(text), text);
    client.leave();
  },
  /** A client that leaves whenever it likes. */
  async leave(one) {
    const { random, number, plays, bridge } = one;
    const { bytes } = randomGatewayBytes(random);
    const slow = random.chance(0.5);
    plays.set(number, async (request) => {
      if (slow) await pause(random.integer(0, 5));
      // It never ends its stream: only the client's leaving does.
      await request.send(STREAM_HEAD);
      await request.send(chunk(bytes.subarray(0, bytes.length / 2)));
      await request.closed;
    });
    const body = JSON.stringify(requestOf(one, true));
    const head =
      `POST /chat/completions HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer t\r\ncontent-length: ${body.length}\r\n\r\n`;
    const client = await RawClient.send(
      bridge.port,
      (head + body).slice(
        0,
        random.chance(0.2) ? random.integer(1, head.length + body.length) : undefined,
      ),
    );
    await pause(random.integer(0, 6));
    client.leave();
  },
};

const MIX = [
  "stream",
  "stream",
  "stream",
  "stream",
  "stream",
  "bytes",
  "bytes",
  "bytes",
  "cut",
  "cut",
  "refusal",
  "refusal",
  "body",
  "body",
  "fields",
  "fields",
  "head",
  "head",
  "leave",
];

function pause(time: number): Promise<undefined> {
  return new Promise((resolve) => setTimeout(() => resolve(undefined), time));
}

Deno.test({
  name: SOUND
    ? "the real server stays up and well-behaved, whatever is thrown at it"
    : `the real server stays up, whatever is thrown at it (skipped: Deno ${Deno.version.deno} doesn't notice every client that leaves)`,
  ignore: !SOUND,
  fn: throwEverything,
});

async function throwEverything(): Promise<void> {
  const { seed } = randomFromEnvironment("hostile");
  const plays: Plays = new Map();
  await using gateway = startRawGateway(async (request) => {
    const number = Number(/case-(\d+)/.exec(request.body)?.[1]);
    // A body that was changed on its way may have lost its number.
    await (plays.get(number) ?? (({ send }) => send(answer("{}"))))(request);
  });
  await using bridge = startFaultBridge(gateway.url, {
    flags: ["--retries", "0", "--no-runaway-guard", "--log-level", "error"],
  });
  const start = performance.now();
  const done: Record<string, number> = {};
  let number = 0;
  const work = async () => {
    while (number < CASES && performance.now() - start < TIME) {
      // Each has its own randomness, so that it is the same however they overlap.
      const one = { random: new Random(seed + ++number), number, bridge, plays };
      const kind = one.random.pick(MIX);
      try {
        await inTime(kind, KINDS[kind](one), 10_000);
      } catch (cause) {
        throw new Error(`case ${one.number}, ${kind}: ${(cause as Error).message}`, { cause });
      }
      plays.delete(one.number);
      done[kind] = (done[kind] ?? 0) + 1;
    }
  };
  await Promise.all(Array.from({ length: WORKERS }, work));
  console.log(
    `hostile: ${number} cases in ${((performance.now() - start) / 1000).toFixed(1)} s`,
    done,
  );

  const health = await fetch(`${bridge.url}/healthz`);
  assertEquals((await health.json()).status, "ok");
  const unforeseen = bridge.log().split("\n").filter((line) => line.includes("internal error"));
  assertEquals(unforeseen.slice(0, 5), []);
  const end = performance.now() + 3_000;
  while ((gateway.open > 0 || bridge.bridge.metrics.openStreams > 0) && performance.now() < end) {
    await pause(10);
  }
  assertEquals(bridge.bridge.metrics.openStreams, 0);
  assertEquals(gateway.open, 0, "requests to the gateway that are still open");
  for (const kind of new Set(MIX)) {
    assert(done[kind] >= LEAST, `only ${done[kind] ?? 0} cases of ${kind}, expected ${LEAST}`);
  }
}
