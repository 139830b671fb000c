import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { BridgeError } from "../lib/errors.ts";
import { eventReader, MAX_EVENT, type SseEvent, sseEvents, SseParser } from "../lib/sse.ts";
import { streamFixtures } from "./helpers/fixtures.ts";
import { cuts, FRAMINGS, Random, reframe, streamOf } from "./helpers/mutate.ts";

const encoder = new TextEncoder();

/** The general path, which is the reference. */
function general(bytes: Uint8Array, pieces: Uint8Array[] = [bytes]): Promise<SseEvent[]> {
  const text = streamOf(pieces).pipeThrough(new TextDecoderStream());
  return Array.fromAsync(text.pipeThrough(sseEvents()));
}

/** The fast path, batches joined. */
async function fast(body: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<SseEvent[]> {
  const reader = eventReader(body);
  const events: SseEvent[] = [];
  for (let batch = await reader.read(); batch; batch = await reader.read()) events.push(...batch);
  return events;
}

function parsed(...lines: string[]): SseEvent[] {
  const parser = new SseParser();
  const events = lines.map((line) => parser.line(line));
  return [...events, parser.end()].filter((event) => event !== undefined);
}

function bytewise(bytes: Uint8Array): Uint8Array[] {
  return Array.from(bytes, (byte) => new Uint8Array([byte]));
}

const A: SseEvent = { type: "json", value: { a: 1 } };
const DONE: SseEvent = { type: "done" };

Deno.test("SseParser gives an event as soon as its data is complete, not at the blank line", () => {
  const parser = new SseParser();
  assertEquals(parser.line('data: {"a":1}'), A);
  assertEquals(parser.line(""), undefined);
  assertEquals(parser.line('data:{"a":1}'), A, "without the space");
  assertEquals(parser.line('data: {"a":1}'), A, "without a blank line in between");
  assertEquals(parser.line("data: [DONE]"), DONE);
  assertEquals(parser.line("data:[DONE] "), DONE);
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
  // A line break inside a string is no JSON: what is held gives way to the next whole event.
  const parser = new SseParser();
  assertEquals(parser.line('data: {"x":"a'), undefined);
  assertEquals(parser.line('data: {"a":1}'), { type: "malformed", text: '{"x":"a' });
  assertEquals(parser.line('data: {"a":1}'), A, "the caller hands the line in again");
});

Deno.test("SseParser takes bare JSON for data, because errors are written so", () => {
  assertEquals(parsed('{"a":1}'), [A]);
  assertEquals(parsed("{", '  "a": 1', "}"), [A]);
});

Deno.test("SseParser tells what is no JSON object, at the blank line or at the end", () => {
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

Deno.test("eventReader() and sseEvents() bound a line without an end", async () => {
  const piece = encoder.encode("data: " + "x".repeat(1024 * 1024));
  const endless = () => streamOf(Array.from({ length: 17 }, () => piece));
  const error = await assertRejects(() => fast(endless()), BridgeError);
  assertEquals(error.kind, "overflow");
  const text = endless().pipeThrough(new TextDecoderStream());
  await assertRejects(() => Array.fromAsync(text.pipeThrough(sseEvents())), BridgeError);
});

Deno.test("sseEvents() reads every framing to the same events, cut anywhere", async () => {
  const events = ['{"a":"日本 🚀"}', '{"b":[1,{"c":"x\\ny"}]}', "[DONE]"];
  const expected: SseEvent[] = [
    { type: "json", value: { a: "日本 🚀" } },
    { type: "json", value: { b: [1, { c: "x\ny" }] } },
    DONE,
  ];
  const random = new Random(1);
  for (const style of Object.keys(FRAMINGS)) {
    const bytes = encoder.encode(reframe(events, style));
    assertEquals(await general(bytes), expected, style);
    assertEquals(await general(bytes, bytewise(bytes)), expected, `${style}, byte by byte`);
    assertEquals(await fast(streamOf([bytes])), expected, `${style}, fast`);
    assertEquals(await fast(streamOf(bytewise(bytes))), expected, `${style}, fast, byte by byte`);
    for (let round = 0; round < 5; round++) {
      assertEquals(await fast(streamOf(cuts(bytes, random))), expected, style);
    }
  }
});

Deno.test("eventReader() gives what sseEvents() gives, on every fixture at many cuts", async () => {
  for (const { name, bytes } of streamFixtures()) {
    const expected = await general(bytes);
    assertEquals(await fast(streamOf([bytes])), expected, name);
    assertEquals(await fast(streamOf(bytewise(bytes))), expected, `${name}, byte by byte`);
    const step = Math.ceil(bytes.length / 100);
    for (let at = 1; at < bytes.length; at += step) {
      const pieces = [bytes.slice(0, at), bytes.slice(at)];
      assertEquals(await fast(streamOf(pieces)), expected, `${name}, cut at ${at}`);
    }
  }
});

Deno.test("eventReader() goes over to the general path in the middle of a line, a character, an event", async () => {
  const text =
    'data: {"a":"é\\r"}\n\ndata: {"b":\ndata: "ü"}\r\n\r\ndata: {"c":1}\rdata: [DONE]\n\n';
  const bytes = encoder.encode(text);
  const expected = await general(bytes);
  assertEquals(expected.map(({ type }) => type).join(), "json,json,json,done");
  for (let at = 1; at < bytes.length; at++) {
    for (let to = at + 1; to < Math.min(bytes.length, at + 6); to++) {
      const pieces = [bytes.slice(0, at), bytes.slice(at, to), bytes.slice(to)];
      assertEquals(await fast(streamOf(pieces)), expected, `cut at ${at} and ${to}`);
    }
  }
});

Deno.test("eventReader() reads byte streams and others alike", async () => {
  const bytes = encoder.encode('data: {"a":1}\n\ndata: [DONE]\n\n');
  assertEquals(await fast(new Blob([bytes]).stream()), [A, DONE]);
  assertEquals(await fast(new Response(bytes).body!), [A, DONE]);
  assertEquals(await fast(streamOf([bytes])), [A, DONE]);
});

Deno.test("eventReader() gives a batch for each piece, without waiting for more", async () => {
  const { readable, writable } = new TransformStream<Uint8Array<ArrayBuffer>>();
  const writer = writable.getWriter();
  const reader = eventReader(readable);
  // A piece is written only when the one before has come out: a reader that waits would never end.
  for (const ending of ["\n\n", "\n", "\r\n\r\n", "\r\n"]) {
    const written = writer.write(encoder.encode(`data: {"a":1}${ending}`));
    let batch: SseEvent[] | undefined = [];
    while (batch?.length === 0) batch = await reader.read();
    assertEquals(batch, [A], JSON.stringify(ending));
    await written;
  }
  const closed = writer.close();
  assertEquals(await reader.read(), undefined);
  await closed;
});

Deno.test("eventReader() rejects where the body breaks off, and can be given up", async () => {
  const body = new ReadableStream<Uint8Array<ArrayBuffer>>({
    pull: (controller) => controller.error(new Error("reset")),
  });
  await assertRejects(() => eventReader(body).read(), Error, "reset");
  for (const first of ["data: {", "data: {}\r\n"]) {
    let reason: unknown;
    const open = new ReadableStream<Uint8Array<ArrayBuffer>>({
      start: (controller) => controller.enqueue(encoder.encode(first)),
      cancel: (why) => void (reason = why),
    });
    const reader = eventReader(open);
    await reader.read();
    await reader.cancel("enough");
    assertEquals(reason, "enough", first);
  }
});

Deno.test("eventReader() takes invalid UTF-8 for replacement characters and goes on", async () => {
  const bytes = new Uint8Array([
    ...encoder.encode('data: {"a":"'),
    0xff,
    ...encoder.encode('"}\n\n'),
  ]);
  assertEquals(await fast(streamOf([bytes])), [{ type: "json", value: { a: "\ufffd" } }]);
});
