/**
 * `lib/sse.ts` alone: the fast path and the general one, on the same bytes, beside a plain split that
 * understands no more than what the benchmark sends.
 *
 * `deno bench bench/`
 *
 * @module
 */

import { eventReader, sseEvents, SseParser } from "../lib/sse.ts";
import { eventText } from "./gateway.ts";

const EVENTS = 500;

const texts = Array.from({ length: EVENTS }, (_, at) => eventText(`tok${at} lorem ipsum `, null));
const encoder = new TextEncoder();
/** As the gateway sends them as a rule: an event a piece. */
const single = texts.map((text) => encoder.encode(text));
/** As they lie there when the reader was busy: all in one piece. */
const joined = [encoder.encode(texts.join(""))];
const lines = texts.join("").split("\n");

/** A body like one of `fetch`: a byte stream that has its next piece ready whenever it is asked. */
function bodyOf(
  pieces: readonly Uint8Array<ArrayBuffer>[],
): ReadableStream<Uint8Array<ArrayBuffer>> {
  let at = 0;
  return new ReadableStream({
    type: "bytes",
    pull(controller) {
      if (at === pieces.length) {
        controller.close();
        controller.byobRequest?.respond(0);
        return;
      }
      // A copy, because a byte stream takes the buffer over.
      controller.enqueue(pieces[at++].slice());
    },
  });
}

/** Every way must find every event; one that doesn't has no time worth comparing. */
function expectAll(count: number): void {
  if (count !== EVENTS) throw new Error(`${count} of ${EVENTS} events came out`);
}

async function plainSplit(body: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<number> {
  const decoder = new TextDecoder();
  let rest = "";
  let count = 0;
  for await (const piece of body) {
    const parts = (rest + decoder.decode(piece, { stream: true })).split("\n\n");
    rest = parts.pop()!;
    for (const part of parts) if (JSON.parse(part.slice(6)).choices) count++;
  }
  return count;
}

async function fast(body: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<number> {
  const reader = eventReader(body);
  let count = 0;
  for (let events = await reader.read(); events; events = await reader.read()) {
    count += events.length;
  }
  return count;
}

async function general(body: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<number> {
  let count = 0;
  for await (const _ of body.pipeThrough(new TextDecoderStream()).pipeThrough(sseEvents())) count++;
  return count;
}

for (const [group, pieces] of [["one event a piece", single], ["all in one", joined]] as const) {
  Deno.bench("plain split", { group, baseline: true }, async () => {
    expectAll(await plainSplit(bodyOf(pieces)));
  });
  Deno.bench("eventReader, fast path", { group }, async () => {
    expectAll(await fast(bodyOf(pieces)));
  });
  Deno.bench("sseEvents, general path", { group }, async () => {
    expectAll(await general(bodyOf(pieces)));
  });
}

Deno.bench("JSON.parse", { group: "lines", baseline: true }, () => {
  let count = 0;
  for (const line of lines) if (line !== "" && JSON.parse(line.slice(6)).choices) count++;
  expectAll(count);
});

Deno.bench("SseParser", { group: "lines" }, () => {
  const parser = new SseParser();
  let count = 0;
  for (const line of lines) if (parser.line(line)?.type === "json") count++;
  expectAll(count);
});
