import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { frame } from "./helpers/event_stream.ts";
import {
  completionFixtures,
  errorFixtures,
  requestFixture,
  streamFixtures,
} from "./helpers/fixtures.ts";
import {
  assertStrictStream,
  type ForgeVerdict,
  readAsForge,
  readModelsAsForge,
  RETRIED_STATUSES,
} from "./helpers/forge_reader.ts";
import { violations } from "./helpers/expectations.ts";
import { FloatNumber, isMap, readJson } from "./helpers/json.ts";
import { FIXTURE_MODEL, FORGE_REQUESTS } from "./helpers/requests.ts";
import { StrictStreamError } from "./helpers/strict_stream.ts";

type Fields = Record<string, unknown>;

const HEAD = { id: "c", object: "chat.completion.chunk", created: 1, model: "m" };
const USAGE = { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 };

/** A chunk with one choice. */
function chunk(delta: unknown, finish: unknown = null, more: Fields = {}): Fields {
  return { ...HEAD, choices: [{ index: 0, delta, finish_reason: finish }], ...more };
}

/** A stream with LF framing; `[DONE]` is not added. */
function stream(...events: (Fields | string)[]): string {
  return events.map((event) => typeof event === "string" ? event : JSON.stringify(event))
    .map((data) => `data: ${data}\n\n`).join("");
}

function call(fields: Fields, fn: Fields): Fields {
  return chunk({ tool_calls: [{ ...fields, function: fn }] });
}

const HELLO = chunk({ role: "assistant", content: "Hello" });
const STOP = chunk({}, "stop", { usage: USAGE });
const CLEAN = stream(HELLO, STOP, "[DONE]");

/** What the client makes of a stream whose first chunk, or all of whose chunks, lack something. */
function withHead(change: Fields, events: Fields[] = [HELLO, STOP]): ForgeVerdict {
  const changed = events.map((event) => {
    const copy: Fields = { ...event, ...change };
    for (const [key, value] of Object.entries(change)) if (value === undefined) delete copy[key];
    return copy;
  });
  return readAsForge(stream(...changed, "[DONE]"));
}

Deno.test("readAsForge() accepts a clean stream", () => {
  const verdict = readAsForge(CLEAN);
  assertEquals(verdict.outcome, "done");
  assertEquals(verdict.content, "Hello");
  assertEquals(verdict.finishReason, "stop");
  assertEquals(verdict.usage, { prompt: 3, completion: 2, total: 5, cached: 0 });
  assertEquals([verdict.lostChunks, verdict.problems, verdict.tries], [0, [], 1]);
});

Deno.test("readAsForge() doesn't miss index, object, model, role, [DONE] and usage", () => {
  const bare = (delta: Fields, finish: string | null) => ({
    id: "",
    choices: [{ delta, finish_reason: finish }],
  });
  const verdict = readAsForge(stream(bare({ content: "Hi" }, null), bare({}, "stop")));
  assertEquals([verdict.outcome, verdict.content, verdict.problems], ["done", "Hi", []]);
});

const LOSSES: Record<string, Fields> = {
  "id missing": { id: undefined },
  "id null": { id: null },
  "id a number": { id: 7 },
  "created a string": { created: "1" },
  "created null": { created: null },
  "created negative": { created: -1 },
  "model a number": { model: 1 },
  "object an object": { object: {} },
  "usage without total_tokens": { usage: { prompt_tokens: 1, completion_tokens: 1 } },
  "usage with null": { usage: { ...USAGE, completion_tokens: null } },
  "usage with a fraction": { usage: { ...USAGE, prompt_tokens: 1.5 } },
  "usage details without cached_tokens": { usage: { ...USAGE, prompt_tokens_details: {} } },
  "usage details with null": {
    usage: { ...USAGE, prompt_tokens_details: { cached_tokens: null } },
  },
  "prompt_filter_results broken": { prompt_filter_results: [{}] },
};
for (const [what, change] of Object.entries(LOSSES)) {
  Deno.test(`readAsForge() loses chunks with ${what}: an empty completion`, () => {
    const verdict = withHead(change);
    assertEquals([verdict.outcome, verdict.content, verdict.tries], ["empty", "", 9]);
    assertEquals(verdict.lostChunks, 2);
  });
  Deno.test(`readAsForge() runs away when only the last chunk has ${what}`, () => {
    const verdict = readAsForge(stream(HELLO, withoutUndefined({ ...STOP, ...change }), "[DONE]"));
    assertEquals([verdict.outcome, verdict.content, verdict.tries], ["runaway", "Hello", 100]);
    assertEquals(verdict.lostChunks, 1);
  });
}

function withoutUndefined(fields: Fields): Fields {
  return JSON.parse(JSON.stringify(fields));
}

Deno.test("readAsForge() loses a created that is written as a fraction, even 1.0", () => {
  for (const spelling of ["1.0", "1e0", "1.5"]) {
    const verdict = readAsForge(CLEAN.replaceAll('"created":1', `"created":${spelling}`));
    assertEquals([verdict.outcome, verdict.lostChunks], ["empty", 2], spelling);
  }
});

Deno.test("readAsForge() loses a chunk with a known key twice", () => {
  assertEquals(readAsForge(CLEAN.replaceAll('"id":"c"', '"id":"c","id":"c"')).lostChunks, 2);
});

Deno.test("readAsForge() takes null where it may be null", () => {
  const details = { ...USAGE, prompt_tokens_details: null, completion_tokens_details: null };
  for (const change of [{ usage: null }, { usage: details }, { model: null }, { object: null }]) {
    assertEquals(withHead(change).outcome, "done");
  }
});

const HARD_ERRORS: Record<string, string> = {
  "delta missing": stream({ ...HEAD, choices: [{ index: 0, finish_reason: null }] }),
  "delta null": stream(chunk(null)),
  "choices missing": stream({ ...HEAD }),
  "content an array": stream(chunk({ content: [{ type: "text", text: "Hi" }] })),
  "reasoning an object": stream(chunk({ reasoning: {} })),
  "a reasoning detail without type": stream(chunk({ reasoning_details: [{ text: "x" }] })),
  "tool function missing": stream(chunk({ tool_calls: [{ index: 0, id: "a" }] })),
  "arguments null": stream(call({ id: "a" }, { name: "read", arguments: null })),
  "arguments an object": stream(call({ id: "a" }, { name: "read", arguments: {} })),
  "tool id a number": stream(call({ id: 1 }, { name: "read", arguments: "" })),
  "finish_reason a number": stream(chunk({}, 1)),
  "cut JSON": stream('{"id":"c","choices":[{"del'),
  "a Databricks error": stream({ error_code: "INTERNAL_ERROR", message: "Oh" }),
  "an error that is a string": stream({ error: "Oh" }),
  "an error code out of range": stream({ error: { message: "Oh", code: 70000 } }),
  "an error code that is an object": stream({ error: { message: "Oh", code: {} } }),
  "a Responses event": stream({ type: "response.created", response: {} }),
  "words": stream("upstream connect error"),
  "half a surrogate pair": stream('{"id":"c","choices":[{"delta":{"content":"\\ud83d"}}]}'),
};
for (const [what, body] of Object.entries(HARD_ERRORS)) {
  Deno.test(`readAsForge() stops at ${what}: a hard error, not retried`, () => {
    const verdict = readAsForge(stream(HELLO) + body + stream(STOP, "[DONE]"));
    assertEquals([verdict.outcome, verdict.tries], ["error", 1]);
    assertStringIncludes(verdict.message, "Failed to parse provider response");
  });
}

const FINISHES: [unknown, ForgeVerdict["outcome"], number][] = [
  ["stop", "done", 1],
  ["end_turn", "done", 1],
  ["STOP", "runaway", 100],
  ["length", "runaway", 100],
  ["tool_calls", "runaway", 100],
  ["eos", "runaway", 100],
  ["", "runaway", 100],
  [null, "runaway", 100],
  ["content_filter", "refusal", 1],
];
for (const [reason, outcome, tries] of FINISHES) {
  Deno.test(`readAsForge() takes finish_reason ${JSON.stringify(reason)} for ${outcome}`, () => {
    const verdict = readAsForge(stream(HELLO, chunk({}, reason), "[DONE]"));
    assertEquals([verdict.outcome, verdict.tries], [outcome, tries]);
  });
}

Deno.test("readAsForge() runs away when a body with content just ends", () => {
  assertEquals(readAsForge(stream(HELLO)).outcome, "runaway");
  assertEquals(readAsForge("").outcome, "empty");
});

Deno.test("readAsForge() keeps a finish_reason when a null or an unknown one follows", () => {
  const later = (reason: unknown) => stream(HELLO, STOP, chunk({}, reason), "[DONE]");
  assertEquals(readAsForge(later(null)).outcome, "done");
  assertEquals(readAsForge(later("eos")).finishReason, "stop");
  assertEquals(readAsForge(later("length")).outcome, "runaway");
});

Deno.test("readAsForge() reads on after finish_reason and [DONE], and says so", () => {
  const verdict = readAsForge(CLEAN + stream(chunk({ content: "!" })));
  assertEquals(verdict.content, "Hello!");
  assertEquals(verdict.problems.length, 2);
});

const A = { index: 0, id: "a", type: "function" };
const B = { index: 1, id: "b", type: "function" };

Deno.test("readAsForge() joins fragments of calls that stand together", () => {
  const verdict = readAsForge(stream(
    call(A, { name: "read", arguments: "" }),
    call({ index: 0 }, { arguments: '{"p":' }),
    call({ index: 0 }, { arguments: "1}" }),
    call(B, { name: "shell" }),
    chunk({}, "tool_calls"),
    "[DONE]",
  ));
  assertEquals(verdict.outcome, "done");
  assertEquals(verdict.problems, []);
  assertEquals(verdict.toolCalls, [
    { id: "a", name: "read", arguments: '{"p":1}' },
    { id: "b", name: "shell", arguments: "{}" },
  ]);
});

Deno.test("readAsForge() corrupts interleaved calls, and says so", () => {
  const verdict = readAsForge(stream(
    call(A, { name: "read", arguments: '{"p"' }),
    call(B, { name: "shell", arguments: '{"c"' }),
    call({ index: 0 }, { arguments: ":1}" }),
    call({ index: 1 }, { arguments: ":2}" }),
    chunk({}, "tool_calls"),
  ));
  assertEquals(verdict.toolCalls.map((call) => call.arguments), ['{"p"', '{"c":1}:2}']);
  assertStringIncludes(verdict.problems.join("\n"), "Tool calls are corrupted");
});

Deno.test("readAsForge() melts calls without ids of their own into one, and says so", () => {
  for (const id of [undefined, "same"]) {
    const verdict = readAsForge(stream(
      call({ index: 0, id }, { name: "read", arguments: "{}" }),
      call({ index: 1, id }, { name: "shell", arguments: "{}" }),
      chunk({}, "tool_calls"),
    ));
    assertEquals(verdict.toolCalls, [{ id: id ?? null, name: "shell", arguments: "{}{}" }]);
    assertStringIncludes(verdict.problems.join("\n"), "Tool calls are corrupted");
  }
});

Deno.test("readAsForge() accepts one call without an id, and says that it is replayed as null", () => {
  const verdict = readAsForge(
    stream(call({ index: 0 }, { name: "read", arguments: "{}" }), chunk({}, "tool_calls")),
  );
  assertEquals([verdict.outcome, verdict.toolCalls[0].id], ["done", null]);
  assertStringIncludes(verdict.problems.join("\n"), "no id");
});

Deno.test("readAsForge() takes nameless fragments with other ids for the open call's", () => {
  const verdict = readAsForge(stream(
    call(A, { name: "read", arguments: "{" }),
    call({ index: 0, id: "other" }, { name: "", arguments: "}" }),
    chunk({}, "tool_calls"),
  ));
  assertEquals(verdict.toolCalls, [{ id: "a", name: "read", arguments: "{}" }]);
});

Deno.test("readAsForge() loses what follows a fragment with an empty id and no arguments", () => {
  const verdict = readAsForge(stream(
    call(A, { name: "read", arguments: "" }),
    call({ index: 0, id: "" }, { name: "", arguments: "" }),
    call({ index: 0, id: "" }, { name: "", arguments: '{"p":1}' }),
    chunk({}, "tool_calls"),
  ));
  assertEquals(verdict.toolCalls, [{ id: "a", name: "read", arguments: "{}" }]);
  assertStringIncludes(verdict.problems.join("\n"), "Tool calls are corrupted");
});

Deno.test("readAsForge() goes on with tool calls whatever the finish_reason but content_filter", () => {
  for (const reason of ["stop", "length", null, "eos"]) {
    const body = stream(call(A, { name: "read", arguments: "{}" }), chunk({}, reason));
    assertEquals(readAsForge(body).outcome, "done");
  }
});

const FRAMES: [string, string, ForgeVerdict["outcome"]][] = [
  ["CRLF", CLEAN.replaceAll("\n", "\r\n"), "done"],
  ["CR", CLEAN.replaceAll("\n", "\r"), "done"],
  ["a BOM", "\uFEFF" + CLEAN, "done"],
  ["comments", CLEAN.replaceAll("data", ": hi\n\n:\ndata"), "done"],
  ["event names", CLEAN.replaceAll("data", "event: x\nid: 1\ndata"), "done"],
  ["no space", CLEAN.replaceAll("data: ", "data:"), "done"],
  ["single newlines", CLEAN.replaceAll("\n\n", "\n"), "empty"],
  ["single newlines and a blank line", CLEAN.replaceAll("\n\n", "\n") + "\n", "error"],
  ["a last event without its blank line", stream(HELLO) + stream(STOP).slice(0, -1), "runaway"],
  ["a last event without its line end", stream(HELLO) + stream(STOP).trimEnd(), "runaway"],
  ["a last event that ends in CR", stream(HELLO, STOP).replaceAll("\n", "\r"), "runaway"],
  ["two spaces before [DONE]", CLEAN.replace("data: [DONE]", "data:  [DONE]"), "error"],
];
for (const [what, body, outcome] of FRAMES) {
  Deno.test(`readAsForge() reads a stream with ${what} as ${outcome}`, () => {
    const verdict = readAsForge(new TextEncoder().encode(body));
    assertEquals(verdict.outcome, outcome);
    if (outcome !== "done" && outcome !== "error") assertEquals(verdict.lostChunks, 1);
    else assertEquals(verdict.lostChunks, 0);
  });
}

Deno.test("frame() keeps the data lines of one event together and drops empty events", () => {
  assertEquals(frame("data: a\ndata\ndata:  b\n\n\n\ndata:\n\nevent: x\n\n").data, ["a\n\n b", ""]);
});

Deno.test("readAsForge() loses all from the first byte that is not UTF-8 on", () => {
  const bytes = [...new TextEncoder().encode(stream(HELLO)), 0xff];
  const verdict = readAsForge(
    new Uint8Array([...bytes, ...new TextEncoder().encode(stream(STOP))]),
  );
  assertEquals([verdict.outcome, verdict.content, verdict.tries], ["error", "Hello", 1]);
});

const STREAM_ERRORS: [string, Fields, number][] = [
  ["a status to retry", { message: "Oh", type: "x", code: 503 }, 9],
  ["a status to retry, as a string", { message: "Oh", type: "x", code: "429" }, 9],
  ["the code server_error", { message: "Oh", type: "x", code: "server_error" }, 9],
  ["a status not to retry", { message: "Oh", type: "x", code: 400 }, 1],
  ["a word for a code", { message: "Oh", type: "server_error", code: "overloaded" }, 1],
  ["a null code", { message: "Oh", type: "server_error", code: null }, 1],
  ["the code inside", { error: { code: 500 } }, 9],
  ["nothing in it", { type: "server_error" }, 9],
];
for (const [what, error, tries] of STREAM_ERRORS) {
  Deno.test(`readAsForge() reports an error event with ${what} after ${tries} tries`, () => {
    const verdict = readAsForge(stream(HELLO, { error }));
    assertEquals([verdict.outcome, verdict.tries], ["error", tries]);
    assertEquals(verdict.message.includes("Failed to parse"), false);
  });
}

Deno.test("readAsForge() swallows an error that has choices, and says so", () => {
  const error = { message: "Oh", type: "server_error", code: 500 };
  for (const event of [{ ...HEAD, choices: [], error }, { choices: [], error }]) {
    const verdict = readAsForge(stream(HELLO, event, "[DONE]"));
    assertEquals([verdict.outcome, verdict.lostChunks], ["runaway", 1]);
  }
});

Deno.test("readAsForge() takes 200 and text/event-stream, nothing else", () => {
  const read = (head: Parameters<typeof readAsForge>[1]) => readAsForge(CLEAN, head);
  assertEquals(
    read({ status: 200, contentType: "Text/Event-Stream; charset=utf-8" }).outcome,
    "done",
  );
  assertEquals(read({ contentEncoding: "identity" }).outcome, "done");
  assertEquals(read({ status: 201 }).outcome, "error");
  assertEquals(read({ contentType: "application/json" }).message.includes("Hello"), false);
  assertEquals(read({ contentType: null }).outcome, "error");
  assertEquals(read({ contentEncoding: "gzip" }).tries, 1);
  assertEquals(read({ broken: true }).tries, 9);
});

Deno.test("readAsForge() shows an error's raw body, and retries what it always retries", () => {
  for (const status of [...RETRIED_STATUSES, 400, 401, 403, 404, 413]) {
    const verdict = readAsForge("Oh", { status });
    assertEquals([verdict.outcome, verdict.message], ["error", `${status} Reason: Oh`]);
    assertEquals(verdict.tries, RETRIED_STATUSES.has(status) ? 9 : 1);
  }
});

Deno.test("readAsForge() reads reasoning from three fields", () => {
  const detail = (text: string, signature?: string) => ({
    reasoning_details: [{ type: "reasoning.text", text, signature, index: 0 }],
  });
  const verdict = readAsForge(stream(
    chunk({ reasoning_content: "one " }),
    chunk({ reasoning: "two " }),
    chunk({ reasoning: "same", reasoning_content: "same and more" }),
    chunk({ reasoning_content: "\n\n" }),
    chunk(detail("a")),
    chunk(detail("b", "s1")),
    chunk(detail("c", "s2")),
    HELLO,
    STOP,
  ));
  assertEquals(verdict.reasoning, "one two same and more");
  assertEquals(verdict.reasoningDetails, [{
    type: "reasoning.text",
    text: "abc",
    signature: "s1",
  }]);
});

Deno.test("readAsForge() replaces usage by a complete one and merges an incomplete one", () => {
  const usage = (prompt_tokens: number, completion_tokens: number, total_tokens: number) =>
    chunk({}, null, { usage: { prompt_tokens, completion_tokens, total_tokens } });
  const verdict = readAsForge(stream(usage(9, 1, 10), usage(4, 2, 6), usage(0, 8, 8), HELLO));
  assertEquals(verdict.usage, { prompt: 4, completion: 8, total: 8, cached: 0 });
});

Deno.test("readModelsAsForge() needs data, an id in each entry, and a whole created", () => {
  assertEquals(readModelsAsForge({ data: [{ id: "m" }] }).models, [{ id: "m" }]);
  const full = {
    id: "m",
    name: "M",
    created: 1,
    context_length: 9,
    supported_parameters: ["tools"],
  };
  assertEquals(readModelsAsForge({ object: "list", data: [full] }).models, [
    { id: "m", name: "M", contextLength: 9, tools: true, reasoning: false },
  ]);
  const refused: unknown[] = [
    {},
    { models: [] },
    { data: [{}] },
    { data: [full, { id: 1 }] },
    { data: [{ id: "m", created: "1" }] },
    { data: [{ id: "m", context_length: 0.5 }] },
    { data: [{ id: "m", architecture: { input_modalities: ["text"] } }] },
    "<html>",
  ];
  for (const body of refused) assert(!readModelsAsForge(body).ok, JSON.stringify(body));
  assert(!readModelsAsForge({ data: [{ id: "m" }] }, 401).ok);
});

Deno.test("readJson() tells integers from floats and refuses what the client refuses", () => {
  const value = readJson('{"a": [1, -2, 1.0, 1e2, -0, 18446744073709551616, "\\ud83c\\udf09"]}');
  assert(isMap(value));
  const items = value.a as unknown[];
  assertEquals(items.map((item) => item instanceof FloatNumber), [
    false,
    false,
    true,
    true,
    true,
    true,
    false,
  ]);
  assertEquals(items[6], "🌉");
  const deep = "[".repeat(200) + "]".repeat(200);
  for (const text of ["", "{", "[1,]", "{} {}", '"\\ud83c"', '"\n"', "01", "nul", "'a'", deep]) {
    assertThrows(() => readJson(text), SyntaxError);
  }
});

Deno.test("assertStrictStream() accepts the contract and tells what the stream says", () => {
  const read = assertStrictStream(": hi\n\n" + CLEAN);
  assertEquals([read.content, read.finishReason, read.end], ["Hello", "stop", "clean"]);
  assertEquals([read.id, read.created, read.model, read.comments], ["c", 1, "m", 1]);
  assertEquals(read.usage, USAGE);
  const error = { error: { message: "Oh", type: "server_error", code: 502 } };
  assertEquals(assertStrictStream(stream(HELLO, error)).done, false);
  assertEquals(assertStrictStream(stream(HELLO, error, "[DONE]")).done, true);
  assertEquals(assertStrictStream(stream(error)).error, error.error);
});

const OPEN = call(A, { name: "read", arguments: "{}" });
OPEN.choices = [{
  index: 0,
  delta: { role: "assistant", tool_calls: [{ ...A, function: { name: "read", arguments: "{}" } }] },
  finish_reason: null,
}];
const CALLS = chunk({}, "tool_calls");
const BREACHES: Record<string, string> = {
  "CRLF": CLEAN.replaceAll("\n", "\r\n"),
  "no space": CLEAN.replaceAll("data: ", "data:"),
  "a BOM": "\uFEFF" + CLEAN,
  "an event name": "event: x\n" + CLEAN,
  "an extra blank line": CLEAN.replace("\n\n", "\n\n\n"),
  "no blank line at the end": CLEAN.slice(0, -1),
  "no [DONE]": stream(HELLO, STOP),
  "two [DONE]": CLEAN + stream("[DONE]"),
  "a chunk after [DONE]": CLEAN + stream(STOP),
  "nothing but [DONE]": stream("[DONE]"),
  "no finish_reason": stream(HELLO, "[DONE]"),
  "an id that changes": stream(HELLO, { ...STOP, id: "d" }, "[DONE]"),
  "an empty id": CLEAN.replaceAll('"id":"c"', '"id":""'),
  "a created that changes": stream(HELLO, { ...STOP, created: 2 }, "[DONE]"),
  "a created with a fraction": CLEAN.replaceAll('"created":1', '"created":1.0'),
  "no model": CLEAN.replaceAll(',"model":"m"', ""),
  "another object": CLEAN.replaceAll("completion.chunk", "completion"),
  "a key twice": CLEAN.replaceAll('"id":"c"', '"id":"c","id":"c"'),
  "no index": CLEAN.replaceAll('"index":0,', ""),
  "no delta": CLEAN.replaceAll('"delta":{},', ""),
  "a finish_reason left out": CLEAN.replace(',"finish_reason":null', ""),
  "an unknown finish_reason": stream(HELLO, chunk({}, "eos"), "[DONE]"),
  "no role": stream(chunk({ content: "Hi" }), STOP, "[DONE]"),
  "content in parts": stream(chunk({ role: "assistant", content: [] }), STOP, "[DONE]"),
  "content after the finish_reason": stream(HELLO, STOP, chunk({ content: "!" }), "[DONE]"),
  "usage null": stream(HELLO, { ...STOP, usage: null }, "[DONE]"),
  "usage with null": stream(HELLO, { ...STOP, usage: { ...USAGE, total_tokens: null } }, "[DONE]"),
  "usage without a field": stream(HELLO, { ...STOP, usage: { total_tokens: 1 } }, "[DONE]"),
  "usage details without cached_tokens": stream(HELLO, {
    ...STOP,
    usage: { ...USAGE, prompt_tokens_details: {} },
  }, "[DONE]"),
  "usage details null": stream(HELLO, {
    ...STOP,
    usage: { ...USAGE, completion_tokens_details: null },
  }, "[DONE]"),
  "an error with choices": stream(HELLO, { choices: [], error: { message: "Oh", type: "x" } }),
  "an error without a type": stream({ error: { message: "Oh", code: 500 } }),
  "an error without a code": stream({ error: { message: "Oh", type: "x" } }),
  "an error that is a string": stream({ error: "Oh" }),
  "a chunk after an error": stream(
    { error: { message: "Oh", type: "x", code: 1 } },
    STOP,
    "[DONE]",
  ),
  "stop with tool calls": stream(OPEN, STOP, "[DONE]"),
  "tool_calls without any": stream(HELLO, CALLS, "[DONE]"),
  "a call without an id": stream(HELLO, call({ index: 0 }, { name: "read", arguments: "" }), CALLS),
  "a call without arguments": stream(HELLO, call(A, { name: "read" }), CALLS, "[DONE]"),
  "a call without a type": stream(HELLO, call({ index: 0, id: "a" }, { name: "r", arguments: "" })),
  "two calls with one id": stream(
    OPEN,
    call({ ...B, id: "a" }, { name: "shell", arguments: "" }),
    CALLS,
    "[DONE]",
  ),
  "interleaved calls": stream(
    OPEN,
    call(B, { name: "shell", arguments: "" }),
    call({ index: 0 }, { arguments: " " }),
    CALLS,
    "[DONE]",
  ),
  "half a surrogate pair": CLEAN.replaceAll("Hello", "\\ud83d"),
};
for (const [what, body] of Object.entries(BREACHES)) {
  Deno.test(`assertStrictStream() refuses ${what}`, () => {
    assertThrows(() => assertStrictStream(body), StrictStreamError);
  });
}

/** Streams that keep the contract as they come; each is there for what must not be broken. */
const CLEAN_FIXTURES = ["error-openai", "gpt-usage-only-last", "llama-usage-every-chunk"];

Deno.test("the fixtures of streams are what they say, and nearly all break the contract", () => {
  const clean: string[] = [];
  const fixtures = streamFixtures();
  assert(fixtures.length >= 40);
  for (const { name, bytes, expected, what, dialect } of fixtures) {
    assert(what.length > 10, name);
    assert(dialect === "chat" || dialect === "responses", name);
    assertEquals(expected.end === "clean", expected.finishReason !== undefined, name);
    if (violations(bytes, expected).length === 0) clean.push(name);
    const text = new TextDecoder().decode(bytes);
    for (const call of expected.toolCalls ?? []) {
      JSON.parse(call.arguments);
      assertStringIncludes(text, call.name, name);
    }
    assertStringIncludes(text, expected.errorIncludes ?? "", name);
  }
  assertEquals(clean, CLEAN_FIXTURES);
});

Deno.test("the fixtures of whole answers have what must come of them", () => {
  for (const { name, body, expected, dialect } of completionFixtures()) {
    assert(Array.isArray(dialect === "chat" ? body.choices : body.output), name);
    assert(expected.end === "clean" && typeof expected.finishReason === "string", name);
  }
});

Deno.test("the fixtures of errors are told apart and can be read", () => {
  const errors = errorFixtures();
  assertEquals(new Set(errors.map((error) => error.id)).size, errors.length);
  for (const { id, status, body, includes } of errors) {
    assert(Number.isInteger(status) && status >= 400, id);
    // Its words are made of a place and a message.
    if (id === "detail-body") continue;
    if (includes !== String(status)) assertStringIncludes(JSON.stringify(body), includes, id);
  }
});

Deno.test("the fixtures of requests are what the builders build", () => {
  for (const [name, build] of Object.entries(FORGE_REQUESTS)) {
    assertEquals(requestFixture(name), build(FIXTURE_MODEL), name);
  }
  const size = JSON.stringify(FORGE_REQUESTS["main-turn"](FIXTURE_MODEL)).length;
  assert(size > 45_000 && size < 60_000, `A main turn has ${size} bytes, expected about 50 KB`);
});
