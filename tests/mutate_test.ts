import { assert, assertEquals } from "@std/assert";
import { frame } from "./helpers/event_stream.ts";
import { joinToolCallsByIndex, type ToolCallFragment } from "./helpers/forge_tool_calls.ts";
import {
  cuts,
  FRAMINGS,
  type GatewayChunk,
  mutateStream,
  MUTATIONS,
  Random,
  randomFromEnvironment,
  randomGatewayBytes,
  randomStream,
  reframe,
  streamOf,
  violations,
  write,
} from "./helpers/mutate.ts";

/** Reads as leniently as can be: all text that stands anywhere in the chunks that can be parsed. */
function readLeniently(events: string[]): { content: string; fragments: ToolCallFragment[] } {
  let content = "";
  const fragments: ToolCallFragment[] = [];
  for (const event of events) {
    let chunk: GatewayChunk;
    try {
      chunk = JSON.parse(event);
    } catch {
      continue;
    }
    for (const delta of [chunk.delta, chunk.choices?.[0]?.delta]) {
      if (!delta) continue;
      if (typeof delta.content === "string") content += delta.content;
      else for (const part of delta.content ?? []) content += part.text ?? "";
      for (const call of delta.tool_calls ?? []) {
        const { name, arguments: text } = call.function;
        fragments.push({
          index: call.index,
          id: call.id ?? undefined,
          name: name ?? undefined,
          arguments: typeof text === "object" && text !== null ? JSON.stringify(text) : text ?? "",
        });
      }
    }
  }
  return { content, fragments };
}

Deno.test("Random gives the same sequence for the same seed, and spreads", () => {
  const numbers = (seed: number) =>
    Array.from({ length: 50 }, ((r) => () => r.next())(new Random(seed)));
  assertEquals(numbers(7), numbers(7));
  assert(numbers(7)[0] !== numbers(8)[0]);
  assert(numbers(7).every((number) => number >= 0 && number < 1));
  const random = new Random(1);
  const integers = Array.from({ length: 200 }, () => random.integer(2, 4));
  assertEquals([...new Set(integers)].sort(), [2, 3, 4]);
  assertEquals(random.shuffle([1, 2, 3, 4]).sort(), [1, 2, 3, 4]);
});

Deno.test("randomFromEnvironment() prints the seed and takes it from FD_BRIDGE_SEED", () => {
  const random = randomFromEnvironment("randomFromEnvironment()");
  const given = Deno.env.get("FD_BRIDGE_SEED");
  assert(given === undefined ? random.seed > 0 : random.seed === Number(given) >>> 0);
});

Deno.test("randomStream() makes clean streams: without reasoning they keep the contract as they are", () => {
  const random = randomFromEnvironment("randomStream()");
  let passed = 0;
  for (let left = 300; left > 0; left--) {
    const stream = randomStream(random);
    stream.spelling = "compact";
    const reasoning = stream.events.some((event) => event.reasoning !== "");
    const { events, expected } = write(stream);
    if (reasoning) continue;
    assertEquals(violations(reframe(events, "lf"), expected), [], `seed ${random.seed}`);
    passed++;
  }
  assert(passed > 50);
});

Deno.test("violations() finds a lost word, a lost call, a false end and a hidden error", () => {
  const random = new Random(11);
  let stream = randomStream(random);
  while (stream.toolCalls?.length !== 2 || stream.events.some((event) => event.reasoning !== "")) {
    stream = randomStream(random);
  }
  stream.spelling = "compact";
  const { events, expected } = write(stream);
  const text = reframe(events, "lf");
  assertEquals(violations(text, expected), []);
  const [call] = expected.toolCalls!;
  const wrong = [
    { ...expected, content: expected.content + "more" },
    { ...expected, reasoning: "some" },
    { ...expected, toolCalls: [call] },
    { ...expected, toolCalls: [{ ...call, arguments: '{"other":1}' }, expected.toolCalls![1]] },
    { ...expected, toolCalls: [{ ...call, id: "other" }, expected.toolCalls![1]] },
    { ...expected, finishReason: "stop" },
    { ...expected, end: "error" as const, errorIncludes: "Oh" },
    { ...expected, usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 999 } },
    { ...expected, signature: "s" },
  ];
  for (const other of wrong) assert(violations(text, other).length > 0, JSON.stringify(other));
});

Deno.test("reframe() changes the framing and nothing else", () => {
  const events = ['{"a":"ü"}', "{}", "[DONE]"];
  for (const style of Object.keys(FRAMINGS)) {
    const text = reframe(events, style);
    const data = text.replace(/^\uFEFF/, "").split(/\r\n|\r|\n/).filter((line) =>
      line.startsWith("data:")
    )
      .map((line) => line.slice(5).trim()).filter((line) => line !== "");
    assertEquals(data, events, style);
    const { data: read, unfinished } = frame(new TextEncoder().encode(text));
    const found = unfinished === undefined ? read : [...read, unfinished];
    assertEquals(found.join("\n").split("\n").filter((line) => line !== ""), events, style);
  }
});

Deno.test("cuts() gives the bytes back, in pieces that are not empty", () => {
  const random = randomFromEnvironment("cuts()");
  const bytes = new TextEncoder().encode("data: Brücke 橋 🌉\r\n\r\n".repeat(20));
  let most = 0;
  let insideCharacter = false;
  for (let left = 60; left > 0; left--) {
    const pieces = cuts(bytes, random);
    assert(pieces.every((piece) => piece.length > 0));
    assertEquals(Uint8Array.from(pieces.flatMap((piece) => [...piece])), bytes);
    most = Math.max(most, pieces.length);
    insideCharacter ||= pieces.some((piece) => (piece[0] & 0xc0) === 0x80);
  }
  assertEquals(most, bytes.length);
  assert(insideCharacter);
  assertEquals(cuts(new Uint8Array(), random), []);
});

Deno.test("streamOf() gives the pieces one by one", async () => {
  const pieces = [new Uint8Array([1]), new Uint8Array([2, 3])];
  assertEquals(await Array.fromAsync(streamOf(pieces)), pieces);
});

/** Mutations after which calls can only be told apart by more than their index. */
const BLURRED = new Set(["calls' index missing", "calls' index always 0"]);

const { seed } = randomFromEnvironment("MUTATIONS");
for (const mutation of MUTATIONS) {
  Deno.test(`MUTATIONS: "${mutation.name}" changes streams and keeps what it promises`, () => {
    const random = new Random(seed);
    let applied = 0;
    for (let left = 120; left > 0; left--) {
      const stream = randomStream(random);
      stream.spelling = "compact";
      const before = JSON.stringify(stream.events);
      const given = structuredClone(stream.toolCalls ?? []);
      if (mutation.apply(stream, random) === false) continue;
      if (JSON.stringify(stream.events) !== before) applied++;
      const { events, expected } = write(stream);
      const { content, fragments } = readLeniently(events);
      assertEquals(content, expected.content, `seed ${seed}`);
      assertEquals(expected.end === "error", expected.finishReason === undefined);
      if (expected.end === "error") {
        assertEquals(expected.toolCalls, undefined);
        assert(events.join("").includes(expected.errorIncludes ?? ""));
        continue;
      }
      assertEquals(expected.toolCalls?.length, given.length);
      if (BLURRED.has(mutation.name)) continue;
      assertEquals(
        joinToolCallsByIndex(fragments).map(({ name, arguments: text }) => [name, text]),
        given.map(({ name, arguments: text }) => [name, text === "" ? "{}" : text]),
      );
    }
    assert(applied > 0, "it was never applied");
  });
}

Deno.test("mutateStream() applies several mutations, and every one of them now and then", () => {
  const random = new Random(20);
  const seen = new Set<string>();
  let several = 0;
  for (let left = 12_000; left > 0; left--) {
    const { events, mutations, expected } = mutateStream(randomStream(random), random);
    assert(events.every((event) => !/[\r\n]/.test(event)));
    assertEquals(readLeniently(events).content, expected.content);
    for (const name of mutations) seen.add(name);
    if (mutations.length > 2) several++;
  }
  assertEquals(MUTATIONS.filter(({ name }) => !seen.has(name)).map(({ name }) => name), []);
  assert(several > 1000);
});

Deno.test("randomGatewayBytes() makes the same bytes of the same seed", () => {
  const make = (seed: number) => randomGatewayBytes(new Random(seed));
  assertEquals(make(5), make(5));
  assert(new Set(Array.from({ length: 20 }, (_, seed) => make(seed).bytes.length)).size > 10);
});
