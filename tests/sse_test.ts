import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { TextLineStream } from "@std/streams/text-line-stream";
import type { SseEvent, StreamCore, StreamOutcome } from "../lib/dialects/dialect.ts";
import { BridgeError } from "../lib/errors.ts";
import { MAX_EVENT, SseParser } from "../lib/enrich/sse_parser.ts";
import { enrichStream, type EnrichStreamOptions } from "../lib/sse.ts";
import { streamFixtures } from "./helpers/fixtures.ts";
import { cuts, FRAMINGS, Random, reframe, streamOf } from "./helpers/mutate.ts";

const encoder = new TextEncoder();
const HEARTBEAT = ": alive\n\n";

/** Keeps the events that it is given; writes them as they are. "finish" makes it finished, "end" ends it. */
class RecordingCore implements StreamCore {
  readonly heartbeat = HEARTBEAT;
  readonly events: SseEvent[] = [];
  ended = false;
  finished = false;
  outcome: StreamOutcome = {
    finishReason: undefined,
    usage: undefined,
    error: undefined,
    spoke: false,
  };

  event(event: SseEvent): string {
    this.events.push(event);
    const text = event.type === "json"
      ? String(event.value.text ?? "")
      : event.type === "done"
      ? "done"
      : event.text;
    if (text === "finish") this.finished = true;
    if (text === "end") this.ended = true;
    return text === "" ? "" : `${text};`;
  }

  end(cause?: unknown): string {
    this.ended = true;
    return cause === undefined ? "(over)" : `(${(cause as Error).message ?? cause})`;
  }
}

/** The reference: `TextLineStream` and the parser, a line at a time. */
async function reference(bytes: Uint8Array): Promise<SseEvent[]> {
  const parser = new SseParser();
  const lines = streamOf([bytes]).pipeThrough(new TextDecoderStream())
    .pipeThrough(new TextLineStream({ allowCR: true }));
  const events: SseEvent[] = [];
  for await (const line of lines) events.push(...parser.line(line));
  return [...events, ...parser.end()];
}

/** The events that enrichStream() finds in a body. */
async function enriched(pieces: Iterable<Uint8Array>): Promise<SseEvent[]> {
  const core = new RecordingCore();
  await streamOf(pieces).pipeThrough(enrichStream({ core })).pipeTo(new WritableStream());
  return core.events;
}

function parsed(...lines: string[]): SseEvent[] {
  const parser = new SseParser();
  return [...lines.flatMap((line) => parser.line(line)), ...parser.end()];
}

function bytewise(bytes: Uint8Array): Uint8Array[] {
  return Array.from(bytes, (byte) => new Uint8Array([byte]));
}

const A: SseEvent = { type: "json", value: { a: 1 } };
const DONE: SseEvent = { type: "done" };

Deno.test("SseParser gives an event as soon as its data is complete, not at the blank line", () => {
  const parser = new SseParser();
  assertEquals(parser.line('data: {"a":1}'), [A]);
  assertEquals(parser.line(""), []);
  assertEquals(parser.line('data:{"a":1}'), [A], "without the space");
  assertEquals(parser.line('data: {"a":1}'), [A], "without a blank line in between");
  assertEquals(parser.line("data: [DONE]"), [DONE]);
  assertEquals(parser.line("data:[DONE] "), [DONE]);
});

Deno.test("SseParser passes over comments, names, ids, retry times and empty data", () => {
  assertEquals(
    parsed(": comment", ":", "event: x", "id: 1", "retry: 5", "data:", "data: ", "", "data", "x"),
    [],
  );
});

Deno.test("SseParser joins data that stands on several lines", () => {
  assertEquals(parsed('data: {"a":', "data: 1}"), [A]);
  assertEquals(parsed('data: {"a":', ": comment", "event: x", "data: 1}", ""), [A]);
  assertEquals(parsed('data: {"x":"a', 'data: {"a":1}'), [
    { type: "malformed", text: '{"x":"a' },
    A,
  ], "a line break inside a string is not JSON: what is held gives way to the next complete event");
});

Deno.test("SseParser takes bare JSON for data, because errors are written so", () => {
  assertEquals(parsed('{"a":1}'), [A]);
  assertEquals(parsed("{", '  "a": 1', "}"), [A]);
});

Deno.test("SseParser gives what is not a JSON object as malformed, at the blank line or at the end", () => {
  assertEquals(parsed('data: {"a":'), [{ type: "malformed", text: '{"a":' }]);
  assertEquals(parsed("data: upstream error", "", 'data: {"a":1}'), [
    { type: "malformed", text: "upstream error" },
    A,
  ]);
  for (const text of ["1", "[1]", '"x"', "null", "true"]) {
    assertEquals(parsed(`data: ${text}`, ""), [{ type: "malformed", text }]);
  }
});

Deno.test("SseParser gives nothing inherited: a field named __proto__ is data", () => {
  const [event] = parsed('data: {"__proto__": {"choices": []}}');
  assert(event.type === "json" && event.value.choices === undefined);
  assertEquals(({} as Record<string, unknown>).choices, undefined);
});

Deno.test("SseParser bounds an event", () => {
  const parser = new SseParser();
  const line = `data: {"a": "${"x".repeat(MAX_EVENT / 2)}`;
  parser.line(line);
  const error = assertThrows(() => parser.line(line), BridgeError);
  assertEquals(error.kind, "overflow");
});

Deno.test("SseParser takes linear time for an event of many lines, whole or never complete", () => {
  const time = (count: number, last: string) => {
    const parser = new SseParser();
    const started = performance.now();
    parser.line('data: {"a":[');
    for (let at = 0; at < count; at++) parser.line("data: [1,2,3,{}],");
    parser.line(`data: ${last}`);
    return performance.now() - started;
  };
  for (const last of ["0]}", "nothing of the kind"]) {
    time(5_000, last);
    const once = Math.max(time(10_000, last), 2);
    const fourfold = time(40_000, last);
    assert(fourfold < 12 * once, `${once} ms for n, ${fourfold} ms for 4n`);
  }
});

Deno.test("enrichStream() ends a stream whose line has no end", async () => {
  const piece = encoder.encode("data: " + "x".repeat(1024 * 1024));
  for (const first of ["", "\r"]) {
    const pieces = [encoder.encode(first), ...Array.from({ length: 17 }, () => piece)];
    const core = new RecordingCore();
    const text = await new Response(streamOf(pieces).pipeThrough(enrichStream({ core }))).text();
    assertStringIncludes(text, `(The gateway sent an event of more than ${MAX_EVENT}`);
  }
});

Deno.test("enrichStream() reads every framing to the same events, cut anywhere", async () => {
  const events = ['{"a":"日本 🚀"}', '{"b":[1,{"c":"x\\ny"}]}', "[DONE]"];
  const expected: SseEvent[] = [
    { type: "json", value: { a: "日本 🚀" } },
    { type: "json", value: { b: [1, { c: "x\ny" }] } },
    DONE,
  ];
  const random = new Random(1);
  for (const style of Object.keys(FRAMINGS)) {
    const bytes = encoder.encode(reframe(events, style));
    assertEquals(await reference(bytes), expected, style);
    assertEquals(await enriched([bytes]), expected, style);
    assertEquals(await enriched(bytewise(bytes)), expected, `${style}, byte by byte`);
    for (let round = 0; round < 5; round++) {
      assertEquals(await enriched(cuts(bytes, random)), expected, style);
    }
  }
});

Deno.test("enrichStream() finds what TextLineStream finds, on every fixture at many cuts", async () => {
  for (const { name, bytes } of streamFixtures()) {
    const expected = await reference(bytes);
    assertEquals(await enriched([bytes]), expected, name);
    assertEquals(await enriched(bytewise(bytes)), expected, `${name}, byte by byte`);
    const step = Math.ceil(bytes.length / 100);
    for (let at = 1; at < bytes.length; at += step) {
      const pieces = [bytes.slice(0, at), bytes.slice(at)];
      assertEquals(await enriched(pieces), expected, `${name}, cut at ${at}`);
    }
  }
});

Deno.test("enrichStream() goes over to TextLineStream in the middle of a line, a character, an event", async () => {
  const text =
    'data: {"a":"é\\r"}\n\ndata: {"b":\ndata: "ü"}\r\n\r\ndata: {"c":1}\rdata: [DONE]\n\n';
  const bytes = encoder.encode(text);
  const expected = await reference(bytes);
  assertEquals(expected.map(({ type }) => type).join(), "json,json,json,done");
  for (let at = 1; at < bytes.length; at++) {
    for (let to = at + 1; to < Math.min(bytes.length, at + 6); to++) {
      const pieces = [bytes.slice(0, at), bytes.slice(at, to), bytes.slice(to)];
      assertEquals(await enriched(pieces), expected, `cut at ${at} and ${to}`);
    }
  }
});

Deno.test("enrichStream() takes invalid UTF-8 for replacement characters and goes on", async () => {
  const bytes = new Uint8Array([
    ...encoder.encode('data: {"a":"'),
    0xff,
    ...encoder.encode('"}\n'),
  ]);
  assertEquals(await enriched([bytes]), [{ type: "json", value: { a: "\ufffd" } }]);
});

/** A stream that a test feeds; what it told is kept. */
function fed(options: Partial<EnrichStreamOptions> = {}) {
  const core = new RecordingCore();
  const ended: boolean[] = [];
  let firsts = 0;
  let cancelled: unknown;
  let reads = 0;
  let failure: unknown;
  let controller!: ReadableStreamDefaultController<Uint8Array>;
  const source = new ReadableStream<Uint8Array>({
    start: (own) => void (controller = own),
    pull: () => void reads++,
    cancel: (reason) => void (cancelled = reason ?? "cancelled"),
  }, { highWaterMark: 0 });
  const body = source.pipeThrough(enrichStream({
    core,
    source: {
      response: new Response(null, { headers: { "content-type": "text/event-stream" } }),
      failure: () => failure,
    },
    onFirst: () => firsts++,
    onEnd: (clientLeft) => ended.push(clientLeft),
    ...options,
  }));
  return {
    core,
    body,
    ended,
    firsts: () => firsts,
    cancelled: () => cancelled,
    reads: () => reads,
    give: (...texts: string[]) =>
      controller.enqueue(
        encoder.encode(texts.map((text) => `data: ${JSON.stringify({ text })}\n\n`).join("")),
      ),
    raw: (text: string) => controller.enqueue(encoder.encode(text)),
    end: (cause?: unknown) => {
      failure = cause;
      controller.close();
    },
  };
}

Deno.test("enrichStream() writes what the core makes of each piece, and its end", async () => {
  const { give, end, body, ended, firsts } = fed();
  give("a", "b");
  give("");
  give("c");
  end();
  assertEquals(await new Response(body).text(), "a;b;c;(over)");
  assertEquals([ended, firsts()], [[false], 1]);
});

Deno.test("enrichStream() gives the events of each piece without waiting for more", async () => {
  const { raw, end, body } = fed();
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  // A piece is given only when the one before has come out: a stream that waits would never end.
  for (const ending of ["\n\n", "\n", "\r\n\r\n", "\r\n"]) {
    raw(`data: {"text":"a"}${ending}`);
    assertEquals((await reader.read()).value, "a;", JSON.stringify(ending));
  }
  end();
  assertEquals((await reader.read()).value, "(over)");
  assertEquals((await reader.read()).done, true);
});

Deno.test("enrichStream() calls onFirst when the answer's first bytes go out, not for a heartbeat", async () => {
  const { give, end, body, firsts } = fed({ heartbeat: 10 });
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  assertEquals((await reader.read()).value, HEARTBEAT);
  assertEquals(firsts(), 0);
  give("a", "end");
  let text = "";
  for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
    text += piece.value;
    if (text.includes("end;")) end();
  }
  assert(text.replaceAll(HEARTBEAT, "") === "a;end;" && firsts() === 1, text);
});

Deno.test("enrichStream() ends with the cause where the gateway's body broke off", async () => {
  const { give, end, body, ended } = fed();
  give("a");
  end(new Error("reset"));
  assertEquals(await new Response(body).text(), "a;(reset)");
  assertEquals(ended, [false]);
});

Deno.test("enrichStream() reads on for a moment when the answer has ended, so that the connection is kept", async () => {
  const { give, end, body, cancelled } = fed();
  give("a", "end");
  const text = new Response(body).text();
  give("more");
  end();
  assertEquals([await text, cancelled()], ["a;end;", undefined]);
});

Deno.test("enrichStream() ends an answer whose body goes on, and cancels the body", async () => {
  const { give, body, ended, cancelled } = fed();
  give("a", "end");
  assertEquals(await new Response(body).text(), "a;end;");
  assertEquals(ended, [false]);
  assert(cancelled() !== undefined);
});

Deno.test("enrichStream() ends a complete answer whose stream stays open", async () => {
  const { give, body, ended, cancelled } = fed();
  give("a", "finish");
  const started = performance.now();
  assertEquals(await new Response(body).text(), "a;finish;(over)");
  assert(performance.now() - started >= 1_900, "usage may still come: it waits two seconds");
  assertEquals(ended, [false]);
  assert(cancelled() !== undefined);
});

Deno.test("enrichStream() sends heartbeats into a silence, and they don't pile up where nobody reads", async () => {
  const { give, end, body } = fed({ heartbeat: 10 });
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  for (let at = 0; at < 3; at++) assertEquals((await reader.read()).value, HEARTBEAT);
  await new Promise((resolve) => setTimeout(resolve, 120));
  give("a", "end");
  end();
  let text = "";
  for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
    text += piece.value;
  }
  // One that waits in this stream, and one in each queue of the test's own pipe.
  assert(text.split(HEARTBEAT).length - 1 <= 3, text);
  assertEquals(text.replaceAll(HEARTBEAT, ""), "a;end;");
});

Deno.test("enrichStream() tells once when the client leaves, and cancels the gateway's body", async () => {
  const { give, body, ended, cancelled } = fed({ heartbeat: 5 });
  give("a");
  const reader = body.getReader();
  await reader.read();
  await reader.cancel("enough");
  assertEquals([ended, cancelled()], [[true], "enough"]);
});

Deno.test("enrichStream() passes a client's leaving on after a CR, too", async () => {
  const { raw, body, ended, cancelled } = fed();
  raw('data: {"text":"a"}\r\n');
  const reader = body.getReader();
  await reader.read();
  await reader.cancel("enough");
  assertEquals([ended, cancelled()], [[true], "enough"]);
});

Deno.test("enrichStream() reads no faster than the client does", async () => {
  const { give, body, reads } = fed();
  for (let at = 0; at < 1_000; at++) give("x".repeat(1_000));
  const reader = body.getReader();
  await reader.read();
  await new Promise((resolve) => setTimeout(resolve, 0));
  assert(reads() < 30, `${reads()} reads for one piece`);
  await reader.cancel();
});

Deno.test("enrichStream() ends with its signal's reason, at once", async () => {
  const shutdown = new AbortController();
  const { give, body, ended, cancelled } = fed({ signal: shutdown.signal });
  give("a");
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  assertEquals((await reader.read()).value, "a;");
  shutdown.abort(new Error("shut down"));
  assertEquals((await reader.read()).value, "(shut down)");
  assertEquals([(await reader.read()).done, ended], [true, [false]]);
  assert(cancelled() !== undefined);
});

Deno.test("enrichStream() ends the stream with what its core throws, and breaks off where it has no ending", async () => {
  const { core, give, body } = fed();
  core.event = () => {
    throw new Error("too long");
  };
  give("a");
  assertEquals(await new Response(body).text(), "(too long)");

  const second = fed();
  second.core.event = second.core.end = () => {
    throw new Error("no ending");
  };
  second.give("a");
  await assertRejects(() => new Response(second.body).text(), Error, "no ending");
});

Deno.test("enrichStream() reads answers of every kind in a stream's place", async () => {
  const stream = 'data: {"a":1}\n\ndata: [DONE]\n\n';
  const cases: readonly (readonly [string, string, string])[] = [
    [stream, "text/event-stream", "json,done"],
    [stream, "text/plain", "json,done"],
    [stream, "application/json", "json,done"],
    [`: comment\n\n${stream}`, "application/json", "json,done"],
    ['{"choices":[]}', "application/json; charset=utf-8", "json,done"],
    ['{\n"choices":\n[]}', "application/json", "json,done"],
    ['{"error_code":1,\n"message":"x"}', "text/event-stream", "json"],
    ["[oops]", "application/json", "malformed"],
    ["", "text/event-stream", ""],
  ];
  for (const [text, type, expected] of cases) {
    const bytes = encoder.encode(text);
    for (const pieces of [[bytes], bytewise(bytes)]) {
      const core = new RecordingCore();
      const response = new Response(null, { headers: { "content-type": type } });
      const source = { response, failure: () => undefined };
      await streamOf(pieces).pipeThrough(enrichStream({ core, source })).pipeTo(
        new WritableStream(),
      );
      assertEquals(core.events.map(({ type }) => type).join(), expected, `${type} ${text}`);
    }
  }
});

Deno.test("enrichStream() tells a web page from an answer, whatever its status", async () => {
  const core = new RecordingCore();
  const response = new Response("<html><head><title>Sign in</title></head></html>", {
    headers: { "content-type": "text/html; charset=utf-8" },
  });
  const source = { response, failure: () => undefined };
  const text = await new Response(response.body!.pipeThrough(enrichStream({ core, source })))
    .text();
  assertStringIncludes(text, 'an HTML page titled "Sign in"');
});
