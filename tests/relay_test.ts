import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { toStream } from "../lib/http1/reply.ts";
import { HEARTBEAT, relay, type RelayOptions, type StreamTranslator } from "../lib/relay.ts";
import type { EventReader, SseEvent } from "../lib/sse.ts";

const event = (text: string): SseEvent => ({ type: "malformed", text });

/** A reader that is fed by the test. */
class FedReader implements EventReader {
  readonly #waiting: (() => Promise<SseEvent[] | undefined>)[] = [];
  #wake: (() => void) | undefined;
  reads = 0;

  give(...texts: string[]): void {
    this.#push(() => Promise.resolve(texts.map(event)));
  }
  end(): void {
    this.#push(() => Promise.resolve(undefined));
  }
  fail(cause: unknown): void {
    this.#push(() => Promise.reject(cause));
  }
  async read(): Promise<SseEvent[] | undefined> {
    this.reads++;
    while (this.#waiting.length === 0) {
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
    return await this.#waiting.shift()!();
  }
  cancel(): Promise<void> {
    return Promise.resolve();
  }
  #push(next: () => Promise<SseEvent[] | undefined>): void {
    this.#waiting.push(next);
    this.#wake?.();
  }
}

/** Writes events as they are; "finish" makes it finished and "end" ends it. */
class PlainTranslator implements StreamTranslator {
  ended = false;
  finished = false;
  event(event: SseEvent): string {
    const { text } = event as { text: string };
    if (text === "finish") this.finished = true;
    if (text === "end") this.ended = true;
    return `${text};`;
  }
  end(cause?: unknown): string {
    this.ended = true;
    return cause === undefined ? "(over)" : `(${(cause as Error).message})`;
  }
}

/** A relay with a reader that is fed; what it told is kept. */
function relayed(options: Partial<RelayOptions> = {}) {
  const reader = new FedReader();
  const ended: boolean[] = [];
  const aborted: unknown[] = [];
  let firsts = 0;
  const pieces = relay(reader, new PlainTranslator(), {
    heartbeat: 0,
    idle: 0,
    abort(reason) {
      aborted.push(reason);
      reader.fail(reason);
    },
    onFirst: () => firsts++,
    onEnd: (left) => ended.push(left),
    ...options,
  });
  return { reader, pieces, body: toStream(pieces), ended, aborted, firsts: () => firsts };
}

Deno.test("relay() writes what the translator makes of each batch, and its end", async () => {
  const { reader, body, ended, firsts } = relayed();
  reader.give("a", "b");
  reader.give();
  reader.give("c");
  reader.end();
  assertEquals(await new Response(body).text(), "a;b;c;(over)");
  assertEquals([ended, firsts()], [[false], 1]);
});

Deno.test("relay() tells of the first bytes when they go out, and not for comment lines", async () => {
  const { reader, body, firsts } = relayed({ heartbeat: 10 });
  const pieces = body.pipeThrough(new TextDecoderStream()).getReader();
  assertEquals((await pieces.read()).value, HEARTBEAT);
  assertEquals(firsts(), 0);
  reader.give("a", "end");
  let text = "";
  for (let piece = await pieces.read(); !piece.done; piece = await pieces.read()) {
    text += piece.value;
  }
  assert(text.replaceAll(HEARTBEAT, "") === "a;end;" && firsts() === 1, text);
  reader.end();
});

Deno.test("relay() ends the stream with the cause when the gateway's body breaks off", async () => {
  const { reader, body, ended, aborted } = relayed();
  reader.give("a");
  reader.fail(new Error("reset"));
  assertEquals(await new Response(body).text(), "a;(reset)");
  assertEquals([ended, aborted.length], [[false], 1]);
});

Deno.test("relay() ends the stream when the last word was said, and reads the rest so that the connection is kept", async () => {
  const { reader, body, ended, aborted } = relayed();
  reader.give("a", "end");
  reader.give("more");
  assertEquals(await new Response(body).text(), "a;end;");
  assertEquals(ended, [false]);
  reader.end();
  // Whatever reads the rest is done before the next turn of the event loop.
  await new Promise((resolve) => setTimeout(resolve, 0));
  assertEquals([aborted, reader.reads], [[], 3]);
});

Deno.test("relay() gives up a gateway that is silent for too long", async () => {
  const { reader, body, ended, aborted } = relayed({ idle: 40 });
  reader.give("a");
  const text = await new Response(body).text();
  assertStringIncludes(text, "a;(The gateway was silent for 0.04 s");
  assertStringIncludes(text, "--idle-timeout");
  assertEquals([ended, aborted], [[false], ["idle"]]);
});

Deno.test("relay() doesn't count the silence of a gateway that has not begun", async () => {
  let waiting = true;
  const { reader, body } = relayed({ idle: 30, waiting: () => waiting });
  const text = new Response(body).text();
  setTimeout(() => {
    waiting = false;
    reader.give("a", "end");
    reader.end();
  }, 90);
  assertEquals(await text, "a;end;");
});

Deno.test("relay() writes comment lines into a silence, and into nothing else", async () => {
  const { reader, body } = relayed({ heartbeat: 20 });
  const text = new Response(body).text();
  setTimeout(() => {
    reader.give("a", "end");
    reader.end();
  }, 110);
  const pieces = (await text).split(HEARTBEAT);
  assert(pieces.length >= 3 && pieces.length <= 7, `${pieces.length - 1} comment lines in 110 ms`);
  assertEquals(pieces.join(""), "a;end;");
});

Deno.test("relay() tells when the client leaves, once, and ends the gateway's request", async () => {
  const { reader, body, ended, aborted } = relayed({ heartbeat: 5 });
  reader.give("a");
  const pieces = body.getReader();
  await pieces.read();
  await pieces.cancel();
  assertEquals(ended, [true]);
  assert(aborted.length === 1 && (aborted[0] as Error).name === "AbortError");
  await new Promise((resolve) => setTimeout(resolve, 20));
  assertEquals([ended.length, aborted.length], [1, 1]);
});

Deno.test("relay() reads no faster than the client does", async () => {
  const { reader, body } = relayed();
  for (let at = 0; at < 1_000; at++) reader.give("x".repeat(1_000));
  const pieces = body.getReader();
  await pieces.read();
  await new Promise((resolve) => setTimeout(resolve, 0));
  assert(reader.reads < 30, `${reader.reads} reads for one piece`);
  await pieces.cancel();
});

Deno.test("relay() ends a whole answer whose stream stays open", async () => {
  const { reader, body, ended, aborted } = relayed();
  reader.give("a", "finish");
  const start = performance.now();
  assertEquals(await new Response(body).text(), "a;finish;(over)");
  assert(performance.now() - start >= 1_900, "usage may still come: it waits two seconds");
  assertEquals([ended, aborted], [[false], ["the answer is whole"]]);
});

Deno.test("relay() says with the last words that nothing comes behind them", async () => {
  const { reader, pieces } = relayed();
  reader.give("a");
  assertEquals([await pieces.next(), pieces.over], ["a;", false]);
  reader.give("b", "end");
  reader.end();
  assertEquals([await pieces.next(), pieces.over], ["b;end;", true]);
  assertEquals(await pieces.next(), undefined);
});

Deno.test("relay() keeps what comes while the client takes a comment line, last words included", async () => {
  const { reader, pieces } = relayed({ heartbeat: 5 });
  assertEquals(await pieces.next(), HEARTBEAT);
  reader.give("a", "end");
  reader.end();
  // Nobody asks yet; the read of the gateway that was under way comes to its end.
  await new Promise((resolve) => setTimeout(resolve, 0));
  assertEquals([pieces.over, reader.reads], [false, 2]);
  assertEquals([await pieces.next(), pieces.over], ["a;end;", true]);
});

Deno.test("relay() ends the wait for a piece when the client leaves", async () => {
  const { pieces, ended, aborted } = relayed();
  const waiting = pieces.next();
  pieces.cancel();
  assertEquals([await waiting, pieces.over, await pieces.next()], [undefined, true, undefined]);
  pieces.cancel();
  assertEquals([ended, aborted.length], [[true], 1]);
});

Deno.test("relay() ends the stream with what its translator throws", async () => {
  const reader = new FedReader();
  const translator = new PlainTranslator();
  translator.event = () => {
    throw new Error("too long");
  };
  const aborted: unknown[] = [];
  const pieces = relay(reader, translator, {
    heartbeat: 0,
    idle: 0,
    abort: (reason) => aborted.push(reason),
  });
  reader.give("a");
  assertEquals([await pieces.next(), pieces.over, aborted.length], ["(too long)", true, 1]);
});

for (const way of ["the gateway's end", "the last word", "a break", "a silence"] as const) {
  Deno.test(`relay() breaks off, and ends the gateway's request, when what it tells of ${way} fails`, async () => {
    const { reader, pieces, aborted } = relayed({
      idle: way === "a silence" ? 20 : 0,
      onEnd: () => {
        throw new Error("the log is closed");
      },
    });
    if (way === "the gateway's end") reader.end();
    else if (way === "the last word") reader.give("end");
    else if (way === "a break") reader.fail(new Error("reset"));
    await assertRejects(() => pieces.next(), Error, "the log is closed");
    assert(aborted.length > 0 && pieces.over, "nobody waits for the rest");
    pieces.cancel();
  });
}

Deno.test("relay() breaks off when its translator has no last word", async () => {
  const reader = new FedReader();
  const translator = new PlainTranslator();
  translator.end = () => {
    throw new Error("no word");
  };
  const pieces = relay(reader, translator, { heartbeat: 0, idle: 0, abort: () => {} });
  reader.end();
  await assertRejects(() => pieces.next(), Error, "no word");
  assertEquals(await pieces.next(), undefined);
});
