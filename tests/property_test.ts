import { assert, assertEquals } from "@std/assert";
import { CompletionCollector } from "../lib/enrich/completion.ts";
import { ChunkEnricher } from "../lib/enrich/chunks.ts";
import { chatClient } from "../lib/dialects/chat/mod.ts";
import { decoderFor } from "../lib/dialects/registry.ts";
import { SseParser } from "../lib/enrich/sse_parser.ts";
import { enrichStream } from "../lib/sse.ts";
import { Translator } from "../lib/translator.ts";
import { streamFixtures } from "./helpers/fixtures.ts";
import { readAsForge } from "./helpers/forge_reader.ts";
import {
  cuts,
  FRAMINGS,
  type Random,
  randomFromEnvironment,
  randomGatewayBytes,
  reframe,
  streamOf,
  violations,
} from "./helpers/mutate.ts";

const MODEL = "databricks-asked-for";

function enricher(): ChunkEnricher {
  let made = 0;
  const context = {
    model: MODEL,
    created: 1,
    makeId: (prefix: string) => `${prefix}${++made}`,
  };
  return new ChunkEnricher({ ...context, decoder: decoderFor(context) });
}

/** A stream's path through the bridge, without the HTTP around it. */
async function throughTheBridge(pieces: Iterable<Uint8Array>): Promise<string> {
  const encoder = chatClient.encoder({ model: MODEL, created: 1, makeId: () => "" });
  const core = new Translator(enricher(), encoder);
  return await new Response(streamOf(pieces).pipeThrough(enrichStream({ core }))).text();
}

function show(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes).slice(0, 4000);
}

Deno.test("enrichStream() makes every random stream strict, whatever was done to it, however it is cut", async () => {
  const random = randomFromEnvironment("streams");
  for (let round = 0; round < 1500; round++) {
    const made = randomGatewayBytes(random);
    const output = await throughTheBridge(cuts(made.bytes, random));
    const found = violations(output, made.expected);
    assertEquals(
      found,
      [],
      `round ${round}, seed ${random.seed}, ${made.mutations.join("; ")}\n${show(made.bytes)}\n${
        output.slice(-600)
      }`,
    );
  }
});

Deno.test("enrichStream() makes every fixture strict in every framing and on random cuts", async () => {
  const random = randomFromEnvironment("fixtures");
  for (const fixture of streamFixtures()) {
    for (let round = 0; round < 6; round++) {
      const output = await throughTheBridge(cuts(fixture.bytes, random));
      assertEquals(
        violations(output, fixture.expected),
        [],
        `${fixture.name}, seed ${random.seed}`,
      );
    }
  }
});

Deno.test("enrichStream() writes the same for the same bytes, however they are cut", async () => {
  const random = randomFromEnvironment("cuts");
  for (let round = 0; round < 400; round++) {
    const { bytes } = randomGatewayBytes(random);
    const whole = await throughTheBridge([bytes]);
    const about = `seed ${random.seed}\n${show(bytes)}`;
    assertEquals(await throughTheBridge(cuts(bytes, random)), whole, about);
  }
});

/** Whatever came in: every chunk can be read, and the end is an end. */
function assertReadable(output: string, about: string): void {
  const verdict = readAsForge(output);
  // That a client reads one choice of several is no fault of the stream's.
  const lost = verdict.problems.filter((problem) =>
    /lost|swallowed|hides/.test(problem) && !problem.includes("only the first of its choices")
  );
  assertEquals(lost, [], about);
  assert(!verdict.message.startsWith("Failed to parse"), `${verdict.message}\n${about}`);
  const last = output.trimEnd().split("\n\n").at(-1) ?? "";
  assert(last === "data: [DONE]" || last.startsWith('data: {"error":{'), about);
  assert(output.endsWith("\n\n"), about);
}

/** Bytes that no gateway sends: rubbish between the pieces of true streams. */
function rubbish(random: Random): Uint8Array {
  const { bytes } = randomGatewayBytes(random);
  const spoilt = new Uint8Array(bytes);
  for (let n = random.integer(1, 12); n > 0; n--) {
    const at = random.integer(0, spoilt.length - 1);
    if (random.chance(0.5)) spoilt[at] = random.integer(0, 255);
    else {spoilt.copyWithin(
        at,
        random.integer(0, spoilt.length - 1),
        random.integer(0, spoilt.length),
      );}
  }
  return spoilt.subarray(0, random.chance(0.3) ? random.integer(0, spoilt.length) : spoilt.length);
}

Deno.test("enrichStream() ends every stream strictly, even one of spoilt bytes", async () => {
  const random = randomFromEnvironment("spoilt bytes");
  for (let round = 0; round < 800; round++) {
    const bytes = rubbish(random);
    const output = await throughTheBridge(cuts(bytes, random));
    const about = `seed ${random.seed}\n${show(bytes)}\n${output}`;
    assertReadable(output, about);
  }
});

/** JSON values that no delta should have. */
function oddValue(random: Random, depth = 0): unknown {
  const leaves = [null, true, 0, -1, 1.5, 1e308, "", "x", "\ud83d", "__proto__", [], {}];
  if (depth > 2 || random.chance(0.5)) return random.pick(leaves);
  if (random.chance(0.4)) {
    return Array.from({ length: random.integer(0, 3) }, () => oddValue(random, depth + 1));
  }
  const names = ["type", "text", "content", "delta", "function", "name", "arguments", "id", "index"]
    .concat("choices", "usage", "message", "constructor", "tool_calls", "reasoning", "role")
    .concat("finish_reason", "summary", "signature", "reasoning_details", "refusal", "x");
  const object: Record<string, unknown> = {};
  for (let n = random.integer(0, 4); n > 0; n--) {
    object[random.pick(names)] = oddValue(random, depth + 1);
  }
  return object;
}

/** A chunk with an odd value in some place of it. */
function oddChunk(random: Random): Record<string, unknown> {
  const odd = () => oddValue(random);
  return random.pick<() => Record<string, unknown>>([
    () => ({ choices: odd() }),
    () => ({ choices: [odd(), odd()] }),
    () => ({ choices: [{ delta: odd(), index: odd() }] }),
    () => ({ choices: [{ message: odd() }] }),
    () => ({ choices: [{ delta: { content: odd(), reasoning: odd(), refusal: odd() } }] }),
    () => ({ choices: [{ delta: { reasoning_content: odd(), reasoning_details: odd() } }] }),
    () => ({ choices: [{ delta: { tool_calls: odd(), role: odd() } }] }),
    () => ({ choices: [{ delta: { tool_calls: [odd()] } }] }),
    () => ({
      choices: [{ delta: { tool_calls: [{ index: odd(), id: odd(), function: odd() }] } }],
    }),
    () => ({ choices: [{ delta: { content: "x" }, finish_reason: odd() }] }),
    () => ({ choices: [], delta: odd(), usage: odd(), id: odd(), created: odd() }),
    () => ({ choices: [], usage: { prompt_tokens: odd(), completion_tokens: odd() } }),
    () => ({
      choices: [],
      usage: { prompt_tokens: 1, total_tokens: 2, prompt_tokens_details: odd() },
    }),
    () => ({ type: "response.output_item.added", item: odd(), output_index: odd() }),
    () => ({ type: "response.output_text.delta", delta: odd(), item_id: odd() }),
    () => ({ type: "response.function_call_arguments.delta", delta: odd(), item_id: odd() }),
    () => ({ type: "response.output_item.done", item: odd() }),
    () => ({ type: "response.completed", response: odd() }),
    () => odd() as Record<string, unknown>,
  ])();
}

Deno.test("enrichStream() and CompletionCollector survive JSON of every shape", async () => {
  const random = randomFromEnvironment("odd values");
  for (let round = 0; round < 3000; round++) {
    const values = Array.from({ length: random.integer(1, 6) }, () => oddChunk(random));
    if (random.chance(0.7)) values.push({ choices: [{ delta: {}, finish_reason: "stop" }] });
    const events = [...values.map((value) => JSON.stringify(value)), "[DONE]"];
    const about = `seed ${random.seed}\n${events.join("\n")}`;
    const output = await throughTheBridge([new TextEncoder().encode(reframe(events, "lf"))]);
    assertReadable(
      output,
      `${about}
${output}`,
    );
    const whole = enricher();
    const builder = new CompletionCollector();
    const parser = new SseParser();
    const lines = reframe(events, "lf").split("\n");
    for (const event of [...lines.flatMap((line) => parser.line(line)), ...parser.end()]) {
      const chunks = whole.event(event);
      if (whole.ending?.type !== "failed") chunks.forEach((chunk) => builder.chunk(chunk));
    }
    if (whole.ending?.type !== "finished") continue;
    const { id, object, created, choices } = builder.completion();
    assert(typeof id === "string" && object === "chat.completion", about);
    assert(Number.isInteger(created) && Array.isArray(choices) && choices.length > 0, about);
  }
});

Deno.test("FRAMINGS change nothing of what enrichStream() makes of a stream", async () => {
  const events = ['{"choices":[{"delta":{"content":"日本 🚀"}}]}', "[DONE]"];
  const [plain, ...others] = await Promise.all(
    Object.keys(FRAMINGS).map((style) =>
      throughTheBridge([new TextEncoder().encode(reframe(events, style))])
    ),
  );
  for (const other of others) assertEquals(other, plain);
});
