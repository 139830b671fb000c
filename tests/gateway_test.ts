import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { BridgeError } from "../lib/errors.ts";
import { type Client, RequestFailure } from "../lib/gateway/client.ts";
import { fetchClient } from "../lib/gateway/fetch_client.ts";
import { Gateway, type GatewayOptions } from "../lib/gateway/gateway.ts";
import { brotliCompressSync, deflateSync, gzipSync, zstdCompressSync } from "node:zlib";
import { errorFixtures } from "./helpers/fixtures.ts";

/** A step of a fake gateway: an answer, or what the client rejects with. */
type Step = () => Response | Error;

const status = (code: number, headers: Record<string, string> = {}, body = "") => () =>
  new Response(body, { status: code, headers });
const fine = status(200);

/** A failure with a code of undici's or the system's. */
function failure(code: string, words = code, sent = false): RequestFailure {
  return new RequestFailure(Object.assign(new Error(words), { code }), sent);
}
const REFUSED = () => failure("ECONNREFUSED", "connect ECONNREFUSED 127.0.0.1:9");

/** A gateway whose answers, clock, sleep and dice are made up. */
function scripted(steps: readonly Step[], options: Partial<GatewayOptions> = {}) {
  const slept: number[] = [];
  let asked = 0;
  let clock = 0;
  const gateway = new Gateway({
    base: "https://gateway.example",
    connectTimeout: 0,
    firstByteTimeout: 0,
    retries: 2,
    retryTime: 10_000,
    random: () => 1,
    now: () => clock,
    sleep(time, signal) {
      signal.throwIfAborted();
      slept.push(time);
      clock += time;
      return Promise.resolve();
    },
    idleTimeout: 0,
    client: fetchClient(() => {
      const outcome = steps[Math.min(asked++, steps.length - 1)]();
      return outcome instanceof Error ? Promise.reject(outcome) : Promise.resolve(outcome);
    }),
    ...options,
  });
  const { signal } = new AbortController();
  return {
    gateway,
    slept,
    asked: () => asked,
    post: (
      more: { signal?: AbortSignal; onRetry?: (reason: string, delay: number) => void } = {},
    ) => gateway.post({ path: "/x", headers: {}, body: "{}", signal, ...more }),
  };
}

/** First answer → what is slept, and how often the gateway is asked, when the second would be fine. */
const RETRIES: readonly { name: string; first: Step; slept: number[] }[] = [
  { name: "429", first: status(429), slept: [500] },
  { name: "502", first: status(502), slept: [500] },
  { name: "503", first: status(503), slept: [500] },
  { name: "504", first: status(504), slept: [500] },
  { name: "a refused connection", first: REFUSED, slept: [500] },
  { name: "an unknown host", first: () => failure("ENOTFOUND"), slept: [500] },
  {
    name: "a reset before the request was sent",
    first: () => failure("ECONNRESET"),
    slept: [500],
  },
  {
    name: "a connection that closed after the request was sent",
    first: () => failure("UND_ERR_SOCKET", "other side closed", true),
    slept: [],
  },
  {
    name: "a reset after the request was sent",
    first: () => failure("ECONNRESET", "read ECONNRESET", true),
    slept: [],
  },
  { name: "no answer in time", first: () => failure("UND_ERR_HEADERS_TIMEOUT"), slept: [] },
  { name: "no connection in time", first: () => failure("UND_ERR_CONNECT_TIMEOUT"), slept: [] },
  { name: "Retry-After: 3", first: status(429, { "retry-after": "3" }), slept: [3000] },
  { name: "Retry-After: 0", first: status(429, { "retry-after": "0" }), slept: [500] },
  { name: "Retry-After: soon", first: status(503, { "retry-after": "soon" }), slept: [500] },
  {
    name: "a date in Retry-After",
    first: status(503, { "retry-after": "Thu, 01 Jan 1970 00:00:04 GMT" }),
    slept: [4000],
  },
  {
    name: "retry_after in the body",
    first: status(429, {}, '{"error":{"message":"slow down","code":429,"retry_after":2}}'),
    slept: [2000],
  },
  {
    name: "Retry-After: 11, more than all the time",
    first: status(429, { "retry-after": "11" }),
    slept: [],
  },
  {
    name: "Retry-After: 10, just the time",
    first: status(429, { "retry-after": "10" }),
    slept: [10_000],
  },
  ...[301, 400, 401, 403, 404, 408, 409, 413, 422, 499, 500, 501, 505].map((code) => ({
    name: `${code}`,
    first: status(code),
    slept: [],
  })),
  {
    name: "a limit of 0, whatever its status",
    first: status(429, {}, "disabled due to a Databricks-set rate limit of 0."),
    slept: [],
  },
  { name: "a budget", first: status(429, {}, '{"message":"The budget is used up"}'), slept: [] },
  { name: "a policy", first: status(503, {}, "blocked by policy"), slept: [] },
  { name: "a daily quota", first: status(429, {}, "quota per day exceeded"), slept: [] },
  {
    name: "a certificate that isn't trusted",
    first: () => failure("UNABLE_TO_VERIFY_LEAF_SIGNATURE"),
    slept: [],
  },
];

for (const { name, first, slept } of RETRIES) {
  const how = slept.length > 0 ? `asks again ${slept[0]} ms after` : "does not ask again after";
  Deno.test(`Gateway.post() ${how} ${name}`, async () => {
    const script = scripted([first, fine]);
    const outcome = await script.post().catch((error) => error);
    assertEquals(script.slept, slept);
    assertEquals(script.asked(), 1 + slept.length);
    assertEquals(outcome.ok === true, slept.length > 0);
  });
}

for (const { id, status: code, headers, body, retry } of errorFixtures()) {
  Deno.test(`Gateway.post() ${retry ? "asks" : "does not ask"} again after the refusal ${id}`, async () => {
    const text = typeof body === "string" ? body : JSON.stringify(body);
    // Retry-After is another test's matter.
    const { "retry-after": _after, ...rest } = headers ?? {};
    const script = scripted([status(code, rest, text.replace(/, ?"retry_after": ?\d+/, "")), fine]);
    await script.post();
    assertEquals(script.asked(), retry ? 2 : 1);
  });
}

Deno.test("Gateway.post() asks at most twice again, waits longer each time, and gives the last refusal", async () => {
  const script = scripted([status(503), status(502), status(429, { "retry-after": "1" }), fine]);
  const outcome = await script.post();
  assertEquals(script.slept, [500, 1000]);
  assert(!outcome.ok && outcome.status === 429 && outcome.headers.get("retry-after") === "1");
});

Deno.test("Gateway.post() puts jitter of up to a half into each backoff", async () => {
  for (const [dice, slept] of [[0, [250, 500]], [0.5, [375, 750]], [0.999, [500, 1000]]] as const) {
    const script = scripted([status(503)], { random: () => dice });
    await script.post();
    assertEquals(script.slept.map(Math.round), [...slept]);
  }
});

Deno.test("Gateway.post() asks again only within the time for all retries, however long attempts take", async () => {
  let clock = 0;
  const script = scripted([() => {
    clock += 9_800;
    return new Response(null, { status: 503 });
  }], { now: () => clock });
  await script.post();
  assertEquals([script.asked(), script.slept], [1, []]);
});

Deno.test("Gateway.budget() is shared by the requests that it is handed to", async () => {
  const script = scripted([status(503)]);
  const budget = script.gateway.budget();
  const { signal } = new AbortController();
  const request = { path: "/x", headers: {}, body: "{}", signal, budget };
  await script.gateway.post(request);
  await script.gateway.post(request);
  assertEquals(script.asked(), 4);
});

Deno.test("Gateway.post() does not ask again with --retries 0", async () => {
  const script = scripted([status(503), fine], { retries: 0 });
  await script.post();
  assertEquals(script.asked(), 1);
});

Deno.test("Gateway.post() tells of every retry", async () => {
  const told: [string, number][] = [];
  const script = scripted([REFUSED, status(503), fine]);
  await script.post({ onRetry: (reason, delay) => told.push([reason, delay]) });
  assertEquals(told, [["the connection failed", 500], ["the gateway answered 503", 1000]]);
});

Deno.test("Gateway.post() ends its backoff at once when the client leaves", async () => {
  const client = new AbortController();
  let asked = 0;
  const gateway = new Gateway({
    base: "https://gateway.example",
    connectTimeout: 0,
    firstByteTimeout: 0,
    retries: 2,
    retryTime: 1_000_000,
    idleTimeout: 0,
    client: fetchClient(() => {
      asked++;
      return Promise.resolve(
        new Response(null, { status: 429, headers: { "retry-after": "900" } }),
      );
    }),
  });
  const onRetry = () => queueMicrotask(() => client.abort(new Error("left")));
  const request = { path: "/x", headers: {}, body: "{}", signal: client.signal, onRetry };
  // Were it not so, the test would take a quarter of an hour.
  await assertRejects(() => gateway.post(request), Error, "left");
  assertEquals(asked, 1);
});

Deno.test("Gateway.post() asks nothing for a client that has left already", async () => {
  const script = scripted([fine]);
  await assertRejects(() => script.post({ signal: AbortSignal.abort(new Error("left")) }), Error);
  assertEquals(script.asked(), 0);
});

Deno.test("Gateway.post() asks fewer times where its budget says so", async () => {
  const script = scripted([status(503), fine]);
  const { signal } = new AbortController();
  const budget = script.gateway.budget(0);
  await script.gateway.post({ path: "/x", headers: {}, body: "{}", signal, budget });
  assertEquals(script.asked(), 1);
});

/** undici's code → the error's code, and words that say what to do. */
const TIMEOUTS: readonly (readonly [string, string, string])[] = [
  ["UND_ERR_CONNECT_TIMEOUT", "connect_timeout", "no connection within"],
  ["UND_ERR_HEADERS_TIMEOUT", "first_byte_timeout", "--first-byte-timeout"],
];

for (const [code, expected, words] of TIMEOUTS) {
  Deno.test(`Gateway.post() tells ${code} as ${expected}`, async () => {
    const script = scripted([() => failure(code)], { connectTimeout: 10, firstByteTimeout: 20 });
    const error = await assertRejects(() => script.post(), BridgeError);
    assertEquals([error.kind, error.status, error.code], ["timeout", 504, expected]);
    assertStringIncludes(error.message, words);
  });
}

/** Why a body breaks off → the error's code. */
const BREAKS: readonly (readonly [Error, string])[] = [
  [Object.assign(new Error("x"), { code: "UND_ERR_BODY_TIMEOUT" }), "idle_timeout"],
  [Object.assign(new Error("x"), { code: "UND_ERR_SOCKET" }), "stream_interrupted"],
  [new BridgeError("interrupted", "stopped", { code: "shutdown" }), "shutdown"],
];

for (const [cause, expected] of BREAKS) {
  Deno.test(`Gateway.post() tells a body that breaks off as ${expected}`, async () => {
    const client: Client = {
      send: () => Promise.resolve({ response: new Response("half"), failure: () => cause }),
      close: () => Promise.resolve(),
    };
    const answer = await scripted([], { client }).post();
    assert(answer.ok);
    assertEquals(await answer.response.text(), "half");
    assertEquals(answer.failure()?.code, expected);
  });
}

/** `content-encoding` → what compresses so. */
const ENCODINGS: Readonly<Record<string, (text: string) => Uint8Array>> = {
  gzip: gzipSync,
  "X-GZip": gzipSync,
  deflate: deflateSync,
  br: brotliCompressSync,
  zstd: zstdCompressSync,
};

for (const [encoding, compress] of Object.entries(ENCODINGS)) {
  Deno.test(`Gateway.post() reads an answer that is compressed as ${encoding}, and ends one that is cut`, async () => {
    const text = "data: {}\n\n".repeat(1000);
    const bytes = compress(text) as Uint8Array<ArrayBuffer>;
    const headers = { "content-encoding": encoding };
    const answers = scripted([
      () => new Response(bytes, { headers }),
      () => new Response(bytes.slice(0, -8), { headers }),
      () => new Response("this is not compressed at all", { headers }),
    ]);
    const whole = await answers.post();
    assert(whole.ok);
    assertEquals(whole.response.headers.get("content-encoding"), null);
    assertEquals([await whole.response.text(), whole.failure()], [text, undefined]);
    const cut = await answers.post();
    assert(cut.ok);
    assert(text.startsWith(await cut.response.text()));
    // Deno says nothing of an end that is missing in the other two, where the body itself is whole.
    if (/gzip|br/i.test(encoding)) assertEquals(cut.failure()?.kind, "interrupted");
    const garbage = await answers.post();
    assert(garbage.ok);
    assertEquals(await garbage.response.text(), "");
    assertEquals(garbage.failure()?.kind, "interrupted");
  });
}

for (const encoding of ["constructor", "__proto__", "snappy", "gzip, br"]) {
  Deno.test(`Gateway.post() refuses an answer that is compressed as ${encoding}, and ends it`, async () => {
    let ended = false;
    const body = new ReadableStream({ cancel: () => void (ended = true) });
    const script = scripted([
      () => new Response(body, { headers: { "content-encoding": encoding } }),
    ]);
    const error = await assertRejects(() => script.post(), BridgeError, encoding);
    assertEquals([error.kind, error.status, ended], ["gateway", 502, true]);
  });
}

Deno.test("Gateway.post() follows no redirect and names the host, not the path", async () => {
  const script = scripted([
    status(302, { location: "https://elsewhere.example/login?token=secret" }),
  ]);
  const error = await assertRejects(() => script.post(), BridgeError);
  assertEquals([error.status, error.code], [502, "redirected"]);
  assertStringIncludes(error.message, "elsewhere.example");
  assert(!error.message.includes("secret"));
});

/** Codes and words of the network's → words that a person must find. */
const WORDS: readonly (readonly [string, string])[] = [
  ["getaddrinfo ENOTFOUND gateway.example", "name is unknown"],
  ["getaddrinfo EAI_AGAIN gateway.example", "name is unknown"],
  ["connect ECONNREFUSED 127.0.0.1:9", "refused"],
  ["connect EHOSTUNREACH 10.0.0.1:443", "no network"],
  ["invalid peer certificate: UnknownIssuer", "--ca-file"],
  ["self-signed certificate in certificate chain", "--ca-file"],
  ["unable to get local issuer certificate", "--ca-file"],
  ["DEPTH_ZERO_SELF_SIGNED_CERT", "--ca-file"],
  ["CERT_HAS_EXPIRED", "clock"],
  ["ERR_TLS_CERT_ALTNAME_INVALID", "another name"],
  ["received corrupt message of type InvalidContentType", "does not speak https"],
  ["Client network socket disconnected before secure TLS connection", "closed the connection"],
  ["Response does not match the HTTP/1.1 protocol (Expected HTTP/)", "is not HTTP"],
  ["read ECONNRESET", "closed the connection"],
  ["other side closed", "closed the connection"],
  ["error sending request for url (https://proxy.tls.example/): connection reset", "closed"],
  ["something new with dapi0123456789abcdef", "something new with ***"],
];

for (const [words, expected] of WORDS) {
  Deno.test(`Gateway.post() says what "${words}" means`, async () => {
    const script = scripted([() => new RequestFailure(new Error(words), false)], { retries: 0 });
    const error = await assertRejects(() => script.post(), BridgeError);
    assertEquals([error.kind, error.status], ["unreachable", 502]);
    assertStringIncludes(error.message, expected);
    assertStringIncludes(error.message, "https://gateway.example");
  });
}
