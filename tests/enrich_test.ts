import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { ChunkEnricherOptions } from "../lib/enrich/choice.ts";
import { type Chunk, ChunkEnricher } from "../lib/enrich/chunks.ts";
import { FINISH_REASONS } from "../lib/enrich/finish_reason.ts";
import { decoderFor } from "../lib/dialects/registry.ts";
import type { JsonObject } from "../lib/json.ts";
import { ToolCallCache } from "../lib/adapt/tool_call_cache.ts";
import type { SseEvent } from "../lib/dialects/dialect.ts";
import { errorFixtures } from "./helpers/fixtures.ts";

function enricher(more: Partial<ChunkEnricherOptions> = {}): ChunkEnricher {
  let made = 0;
  const makeId = (prefix: string) => `${prefix}${++made}`;
  const context = { model: "asked", created: 99, makeId, calls: more.calls };
  return new ChunkEnricher({ ...context, decoder: decoderFor(context), ...more });
}

/** What a client is sent: chunks, and the error that ends a failed stream. */
function sent(state: ChunkEnricher, chunks: Chunk[]): Chunk[] {
  return state.ending?.type === "failed" ? [...chunks, state.ending.error.toEvent()] : chunks;
}

function json(value: JsonObject): SseEvent {
  return { type: "json", value };
}

function delta(fields: JsonObject, finish: unknown = null): JsonObject {
  return { choices: [{ delta: fields, finish_reason: finish }] };
}

const DONE: SseEvent = { type: "done" };

/** Everything that comes of values and `[DONE]`. */
function chunksOf(
  values: readonly JsonObject[],
  more: Partial<ChunkEnricherOptions> = {},
): Chunk[] {
  const state = enricher(more);
  return [...values.flatMap((value) => state.event(json(value))), ...state.event(DONE)];
}

// deno-lint-ignore no-explicit-any
function choice(chunk: Chunk): any {
  return (chunk.choices as unknown[])[0];
}

function textOf(chunks: readonly Chunk[], field = "content"): string {
  return chunks.filter((chunk) => (chunk.choices as unknown[])?.length > 0)
    .map((chunk) => choice(chunk).delta[field] ?? "").join("");
}

function reasonOf(chunks: readonly Chunk[]): unknown {
  return chunks.flatMap((chunk) => chunk.choices as JsonObject[])
    .map((choice) => choice.finish_reason).filter((reason) => reason !== null).at(-1);
}

Deno.test("enrich() completes a chunk that has nothing but a delta", () => {
  const [first, last] = chunksOf([{ choices: [{ delta: { content: "hi" } }] }]);
  assertEquals(first, {
    id: "chatcmpl-1",
    object: "chat.completion.chunk",
    created: 99,
    model: "asked",
    choices: [{ index: 0, delta: { role: "assistant", content: "hi" }, finish_reason: null }],
  });
  assertEquals(last, { ...first, choices: [{ index: 0, delta: {}, finish_reason: "stop" }] });
});

Deno.test("enrich() keeps one id, one created and the model that was asked for through a stream", () => {
  const chunks = chunksOf([
    { id: null, created: "x", model: "other", ...delta({ content: "a" }) },
    { id: "gateway's", created: 5, model: "third", ...delta({ content: "b" }) },
    { id: "another", created: 6.5, ...delta({ content: "c" }) },
  ]);
  assertEquals(new Set(chunks.map(({ id }) => id)), new Set(["chatcmpl-1"]));
  assertEquals(new Set(chunks.map(({ created }) => created)), new Set([99]));
  assertEquals(new Set(chunks.map(({ model }) => model)), new Set(["asked"]));
  const given = chunksOf([
    { id: "g", created: 5, ...delta({ content: "a" }) },
    delta({ content: "b" }),
  ]);
  assertEquals(given.map(({ id, created }) => [id, created]), given.map(() => ["g", 5]));
});

Deno.test("enrich() makes an id where the gateway's is missing, null, a number or empty", () => {
  for (const id of [undefined, null, 7, "", {}, false]) {
    assertEquals(chunksOf([{ id, ...delta({ content: "a" }) }])[0].id, "chatcmpl-1");
  }
  for (const created of [undefined, null, 1.5, "1", -1, 1e300, {}]) {
    assertEquals(chunksOf([{ created, ...delta({ content: "a" }) }])[0].created, 99);
  }
});

Deno.test("enrich() tells the role once, on the first chunk", () => {
  const role = { role: "assistant" };
  const chunks = chunksOf([delta({ ...role, content: "a" }), delta({ ...role, content: "b" })]);
  assertEquals(chunks.map((chunk) => choice(chunk).delta.role), [
    "assistant",
    undefined,
    undefined,
  ]);
});

Deno.test("enrich() passes unknown fields of chunks, choices and deltas", () => {
  const [chunk] = chunksOf([{
    odd: { a: 1 },
    choices: [{ delta: { content: "a", annotations: [1] }, logprobs: null, extra: 1 }],
  }]);
  assertEquals(chunk.odd, { a: 1 });
  assertEquals([choice(chunk).extra, choice(chunk).logprobs], [1, null]);
  assertEquals(choice(chunk).delta.annotations, [1]);
});

Deno.test("enrich() takes no field for more than a name: __proto__ and constructor are words", () => {
  const raw = JSON.parse(
    '{"__proto__":{"polluted":1},"constructor":{"x":1},"choices":[{"delta":' +
      '{"__proto__":{"content":"evil"},"constructor":"c","content":"a"},"__proto__":{"p":1}}]}',
  );
  const [chunk] = chunksOf([raw]);
  assertEquals(choice(chunk).delta.content, "a");
  assertEquals(Object.getPrototypeOf(chunk), Object.prototype);
  assertEquals(Object.getPrototypeOf(choice(chunk).delta), Object.prototype);
  assertEquals(({} as JsonObject).polluted, undefined);
  assertEquals(chunk.constructor, { x: 1 } as never);
});

Deno.test("enrich() makes one string of content parts, and reasoning_content of reasoning parts", () => {
  const summary = [{ type: "summary_text", text: "17*23", signature: "sig" }];
  const chunks = chunksOf([
    delta({ content: [{ type: "reasoning", summary }] }),
    delta({ content: [{ type: "text", text: "39" }, { type: "text", text: "1" }] }),
    delta({ content: "!" }, "stop"),
  ]);
  assertEquals(textOf(chunks), "391!");
  assertEquals(textOf(chunks, "reasoning_content"), "17*23");
  assertEquals(choice(chunks[0]).delta.reasoning_details, [
    { type: "reasoning.text", text: "17*23", signature: "sig" },
  ]);
});

Deno.test("enrich() makes strings of reasoning that is an object, and leaves null out", () => {
  const [chunk] = chunksOf([delta({ reasoning: { text: "so" }, reasoning_content: null })]);
  assertEquals(choice(chunk).delta, { role: "assistant", reasoning: "so" });
});

Deno.test("enrich() puts a top-level delta into a choice", () => {
  const chunks = chunksOf([
    { choices: [], delta: { role: "assistant", content: "a" } },
    { delta: { content: "b" } },
    { choices: [], delta: { content: "" }, finish_reason: "length" },
  ]);
  assertEquals([textOf(chunks), reasonOf(chunks)], ["ab", "length"]);
  assert(chunks.every((chunk) => !("delta" in chunk)));
});

Deno.test("enrich() reads a message or a text in a delta's place", () => {
  assertEquals(textOf(chunksOf([{ choices: [{ message: { content: "a" } }] }])), "a");
  assertEquals(textOf(chunksOf([{ choices: [{ text: "a" }] }])), "a");
});

Deno.test("enrich() knows every word for an ending, in any case, and no inherited one", () => {
  for (const [word, meaning] of Object.entries(FINISH_REASONS)) {
    const expected = meaning === "tool_calls" ? "stop" : meaning;
    for (const written of [word, word.toUpperCase()]) {
      assertEquals(reasonOf(chunksOf([delta({ content: "a" }, written)])), expected, written);
    }
  }
  for (const odd of ["constructor", "__proto__", "whatever", "hasOwnProperty"]) {
    assertEquals(reasonOf(chunksOf([delta({ content: "a" }, odd)])), "stop", odd);
  }
});

Deno.test("enrich() takes a finish_reason that is no text for none", () => {
  for (const odd of [5, {}, [], true, ""]) {
    const chunks = chunksOf([delta({ content: "a" }, odd), delta({ content: "b" }, "length")]);
    assertEquals(chunks.map((chunk) => choice(chunk).finish_reason), [null, "length"]);
  }
});

Deno.test("enrich() tells the finish_reason at once, not at [DONE]", () => {
  const state = enricher();
  state.event(json(delta({ content: "a" })));
  const [chunk] = state.event(json(delta({ content: "" }, "stop")));
  assertEquals(choice(chunk).finish_reason, "stop");
  assert(state.finished);
  assertEquals(state.event(DONE), []);
  assertEquals(state.ending, { type: "finished" });
});

const CALL = { index: 0, id: "c", type: "function", function: { name: "f", arguments: "{}" } };

Deno.test("enrich() ends a [DONE] without finish_reason with stop, or tool_calls after calls", () => {
  assertEquals(reasonOf(chunksOf([delta({ content: "a" })])), "stop");
  assertEquals(reasonOf(chunksOf([delta({ tool_calls: [CALL] })])), "tool_calls");
  assertEquals(reasonOf(chunksOf([])), "stop");
});

Deno.test("enrich() makes tool_calls of a stop with calls, and stop of tool_calls without", () => {
  assertEquals(reasonOf(chunksOf([delta({ tool_calls: [CALL] }, "stop")])), "tool_calls");
  assertEquals(reasonOf(chunksOf([delta({ content: "a" }, "tool_calls")])), "stop");
  assertEquals(reasonOf(chunksOf([delta({ tool_calls: [CALL] }, "length")])), "length");
});

Deno.test("enrich() makes a refusal in words a content_filter, which ForgeCode doesn't repeat", () => {
  assertEquals(reasonOf(chunksOf([delta({ refusal: "no" }, "stop")])), "content_filter");
  assertEquals(reasonOf(chunksOf([delta({ refusal: "", content: "a" }, "stop")])), "stop");
});

Deno.test("enrich() repairs usage, keeps it off chunks where it isn't complete, and tells the rest at the end", () => {
  const nulls = { prompt_tokens: 7, completion_tokens: null, total_tokens: null };
  const chunks = chunksOf([
    { ...delta({ content: "a" }), usage: nulls },
    { ...delta({ content: "" }, "stop"), usage: { prompt_tokens: 7, completion_tokens: 2 } },
  ]);
  assertEquals("usage" in chunks[0], false);
  assertEquals(chunks[1].usage, { prompt_tokens: 7, completion_tokens: 2, total_tokens: 9 });
  const late = chunksOf([delta({ content: "a" }, "stop"), { choices: [], usage: nulls }]);
  assertEquals(late.at(-1)?.usage, { prompt_tokens: 7, completion_tokens: 0, total_tokens: 7 });
});

Deno.test("enrich() passes a last chunk with usage and without choices", () => {
  const usage = { prompt_tokens: 1, completion_tokens: 2, total_tokens: 3 };
  const chunks = chunksOf([delta({ content: "a" }, "stop"), { choices: [], usage }]);
  assertEquals([chunks[1].choices, chunks[1].usage], [[], usage]);
});

Deno.test("enrich() keeps several choices apart", () => {
  const chunks = chunksOf([
    { choices: [{ delta: { content: "a" } }, { delta: { content: "b" } }] },
    { choices: [{ index: 1, delta: { content: "c" }, finish_reason: "length" }] },
    { choices: [{ index: 0, delta: {}, finish_reason: "stop" }] },
  ]);
  const all = chunks.flatMap(({ choices }) => choices as JsonObject[]);
  const of = (index: number) => all.filter((choice) => choice.index === index);
  assertEquals(of(1).map(({ delta }) => (delta as JsonObject).content), ["b", "c"]);
  assertEquals([of(0).at(-1)?.finish_reason, of(1).at(-1)?.finish_reason], ["stop", "length"]);
  assertEquals(of(0).filter(({ delta }) => (delta as JsonObject).role).length, 1);
});

Deno.test("enrich() takes a huge, negative or odd index for the choice's place", () => {
  for (const index of [1e9, -1, 0.5, "0", null, {}]) {
    const [chunk] = chunksOf([{ choices: [{ index, delta: { content: "a" } }] }]);
    assertEquals(choice(chunk).index, 0);
  }
});

Deno.test("enrich() sends nothing for chunks that say nothing", () => {
  const state = enricher();
  state.event(json(delta({ role: "assistant", content: "" })));
  const silent = [{}, { choices: [] }, delta({}), { choices: [null, 5, "x"] }, { choices: {} }];
  for (const value of silent) assertEquals(state.event(json(value as JsonObject)), []);
});

Deno.test("enrich() takes a fence off where it was asked to, across chunks", () => {
  const parts = ["``", '`json\n{"a"', ":1}\n``", "`"];
  const values = [...parts.map((content) => delta({ content })), delta({}, "stop")];
  assertEquals(textOf(chunksOf(values, { unfence: true })), '{"a":1}');
  assertEquals(textOf(chunksOf(values)), parts.join(""));
});

Deno.test("enrich() joins characters that were cut in two, in every text", () => {
  const halves = ["\ud83d", "\ude80"];
  for (const field of ["content", "reasoning_content", "reasoning", "refusal"]) {
    const chunks = chunksOf(halves.map((half) => delta({ [field]: half })));
    assertEquals(textOf(chunks, field), "🚀", field);
  }
});

Deno.test("enrich() remembers a call's unknown fields for the next turn", () => {
  const memory = new ToolCallCache();
  chunksOf([delta({ tool_calls: [{ ...CALL, thoughtSignature: "s" }] })], { calls: memory });
  assertEquals(memory.get("c")?.fields?.thoughtSignature, "s");
});

Deno.test("enrich() speaks chat for every event of the Responses API", () => {
  const chunks = chunksOf([
    { type: "response.created", response: { id: "r", created_at: 5, model: "m" } },
    { type: "response.output_text.delta", item_id: "i", delta: "hi" },
    {
      type: "response.completed",
      response: { id: "r", usage: { input_tokens: 1, output_tokens: 2, total_tokens: 3 } },
    },
  ]);
  assertEquals([textOf(chunks), reasonOf(chunks)], ["hi", "stop"]);
  const last = chunks.find(({ usage }) => usage !== undefined);
  assertEquals((last?.usage as JsonObject).total_tokens, 3);
  assert(chunks.every(({ id, model }) => id === "r" && model === "asked"));
});

Deno.test("enrich() ends a stream that just ends, or breaks off, with an error and without an ending", () => {
  for (const cause of [undefined, new Error("reset by peer at 10.1.2.3")]) {
    const state = enricher();
    state.event(json(delta({ content: "a" })));
    const [event] = sent(state, state.end(cause));
    assertEquals(Object.keys(event), ["error"]);
    const error = event.error as JsonObject;
    assertEquals(Object.keys(error), ["message", "type", "code"]);
    assertStringIncludes(String(error.message), "cut off here");
    assert(!String(error.message).includes("10.1.2.3"), "the cause is not the client's business");
    assertEquals(state.ending?.type, "failed");
    assertEquals([state.event(DONE), state.end()], [[], []]);
  }
});

Deno.test("enrich() takes a body that ends behind its finish_reason for whole", () => {
  const state = enricher();
  state.event(json(delta({ content: "a" }, "stop")));
  assertEquals(state.end(new Error("reset")), []);
  assertEquals(state.ending, { type: "finished" });
});

/** Every shape in which an error can stand in a stream: those of whole bodies, and what only streams have. */
function shapes(): readonly (readonly [name: string, event: SseEvent, words: string])[] {
  const objects = errorFixtures().filter(({ body }) =>
    typeof body === "object" && body !== null && !Array.isArray(body)
  ).map(({ id, body, includes }) => {
    const words = id === "detail-body" ? "field required" : includes;
    return [id, json(body as JsonObject), words] as const;
  });
  const texts = errorFixtures().filter(({ id, body }) =>
    typeof body === "string" && body !== "" && !id.includes("html")
  ).map(({ id, body, includes }) => {
    const words = id === "text-broken-json" ? "breaks off" : includes;
    return [id, { type: "malformed", text: body as string }, words] as const;
  });
  return [
    ...objects,
    ...texts,
    ["text in error", json({ error: "boom" }), "boom"],
    ["beside choices", json({ error: { message: "boom" }, choices: [] }), "boom"],
    ["inside a choice", json({ choices: [{ delta: {}, error: { message: "boom" } }] }), "boom"],
    ["a failed finish", json(delta({}, "error")), 'finish_reason "error"'],
    ["a bare message", json({ message: "boom", code: 5 }), "boom"],
    ["a bare detail", json({ detail: "boom" }), "boom"],
    [
      "Anthropic's",
      json({ type: "error", error: { type: "overloaded_error", message: "boom" } }),
      "boom",
    ],
    [
      "the Responses API's",
      json({ type: "error", code: "x", message: "boom", param: null }),
      "boom",
    ],
    [
      "a failed response",
      json({ type: "response.failed", response: { error: { message: "boom" } } }),
      "boom",
    ],
  ];
}

for (const [name, event, words] of shapes()) {
  Deno.test(`enrich() ends a stream with one error event: ${name}`, () => {
    const state = enricher();
    state.event(json(delta({ content: "a" })));
    const out = sent(state, state.event(event));
    assertEquals(out.length, 1);
    assertEquals(Object.keys(out[0]), ["error"], "no choices: with them ForgeCode swallows it");
    const { message, type, code, ...rest } = out[0].error as JsonObject;
    assertStringIncludes(String(message), words);
    assert(typeof type === "string" && type !== "");
    assert(code === null || typeof code === "string" || Number.isInteger(code));
    assertEquals(rest, {});
    assertEquals(state.ending?.type, "failed");
    assertEquals([...state.event(json(delta({ content: "b" }))), ...state.event(DONE)], []);
  });
}

Deno.test("enrich() takes an error that is empty beside an answer for none", () => {
  for (const error of ["", null, false, {}]) {
    const chunks = chunksOf([{ error, ...delta({ content: "a" }) }]);
    assertEquals([textOf(chunks), reasonOf(chunks)], ["a", "stop"], JSON.stringify(error));
  }
});

Deno.test("enrich() shows no secret in an error, in any shape", () => {
  const secret = "opaque~secret";
  for (
    const value of [{ error: { message: `bad ${secret}` } }, { error_code: 1, message: secret }]
  ) {
    const state = enricher({ secrets: [secret] });
    const out = JSON.stringify(sent(state, state.event(json(value))));
    assert(!out.includes(secret) && out.includes("***"), out);
  }
  const text: SseEvent = { type: "malformed", text: `token ${secret} is bad` };
  const state = enricher({ secrets: [secret] });
  assert(!JSON.stringify(sent(state, state.event(text))).includes(secret));
});

Deno.test("enrich() survives JSON that nests too deep to be written", () => {
  for (const name of ["error", "content", "message", "delta", "x"]) {
    const deep = JSON.parse(`{"${name}":`.repeat(20_000) + '"x"' + "}".repeat(20_000));
    for (
      const value of [deep, delta({ content: [deep] }), delta({ reasoning: deep }), { error: deep }]
    ) {
      const state = enricher();
      state.event(json(value));
      state.end();
      assert(state.ending !== undefined, name);
    }
  }
});
