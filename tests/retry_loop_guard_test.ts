import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { BridgeError } from "../lib/errors.ts";
import { LIFETIME, MOST, MOST_SILENT, RetryLoopGuard } from "../lib/adapt/retry_loop_guard.ts";
import type { JsonObject } from "../lib/json.ts";
import { ask, eventStream, type FakeGateway, testBridge } from "./helpers/bridge.ts";

const request = (more: JsonObject = {}): JsonObject => ({
  model: "m",
  messages: [{ role: "user", content: "hi" }],
  tools: [{ type: "function" }],
  ...more,
});

/** A guard with a clock, and a request that has ended badly some times. */
function endedBadly(times: number, ending = "length", content = true) {
  let clock = 1_000_000;
  const guard = new RetryLoopGuard(() => clock);
  for (let at = 0; at < times; at++) {
    guard.check(request());
    guard.ended(request(), ending, content);
  }
  return { guard, pass: (time: number) => clock += time };
}

function isStopped(guard: RetryLoopGuard, body: JsonObject): boolean {
  try {
    guard.check(body);
    return false;
  } catch (error) {
    assert(error instanceof BridgeError && error.kind === "runaway");
    return true;
  }
}

Deno.test("RetryLoopGuard lets eight cut answers of one turn through, and stops the ninth", () => {
  endedBadly(MOST - 1).guard.check(request());
  const { guard } = endedBadly(MOST);
  const error = assertThrows(() => guard.check(request({ max_tokens: 20480 })), BridgeError);
  assertEquals([error.status, error.kind], [400, "runaway"]);
  assertEquals(error.headers["x-should-retry"], "false");
  for (const words of ["8 times", '"length"', "`max_tokens` (it is 20480)", "--no-runaway-guard"]) {
    assertStringIncludes(error.message, words);
  }
});

Deno.test("RetryLoopGuard lets three answers through that say nothing", () => {
  for (const ending of ["length", "empty", "stop"]) {
    endedBadly(MOST_SILENT - 1, ending, false).guard.check(request());
    const { guard } = endedBadly(MOST_SILENT, ending, false);
    const error = assertThrows(() => guard.check(request()), BridgeError);
    const words = ending === "length" ? "thought until its tokens ran out" : "says nothing";
    assertStringIncludes(error.message, words);
  }
});

/** What a client adds to the same turn: its answer so far. */
const GROWN: readonly (readonly [first: JsonObject, then: JsonObject])[] = [
  [
    request(),
    request({
      messages: [{ role: "user", content: "hi" }, { role: "assistant", content: "Once" }],
    }),
  ],
  [
    { model: "m", input: "hi" },
    { model: "m", input: "hi", max_output_tokens: 9 },
  ],
  [
    { model: "m", input: [{ role: "user", content: "hi" }] },
    {
      model: "m",
      input: [
        { role: "user", content: "hi" },
        { type: "reasoning", summary: [] },
        { type: "message", role: "assistant", content: [{ type: "output_text", text: "Once" }] },
      ],
    },
  ],
  [
    { model: "m", system: "s", messages: [{ role: "user", content: "hi" }] },
    {
      model: "m",
      system: "s",
      messages: [{ role: "user", content: "hi" }, {
        role: "assistant",
        content: [{ type: "text", text: "Once" }],
      }],
    },
  ],
  [
    { contents: [{ role: "user", parts: [{ text: "hi" }] }] },
    {
      contents: [{ role: "user", parts: [{ text: "hi" }] }, {
        role: "model",
        parts: [{ text: "Once" }],
      }],
    },
  ],
];

Deno.test("RetryLoopGuard sees the same turn in a request that grows by the partial answer, in any dialect", () => {
  for (const [first, then] of GROWN) {
    const guard = new RetryLoopGuard();
    guard.ended(first, "length");
    for (let at = 1; at < MOST; at++) guard.ended(then, "length");
    assert(isStopped(guard, then) && isStopped(guard, first), JSON.stringify(then));
  }
});

Deno.test("RetryLoopGuard has no clock but for forgetting a turn that nobody asks for", () => {
  const { guard, pass } = endedBadly(MOST - 1);
  pass(LIFETIME - 1);
  guard.ended(request(), "length");
  pass(LIFETIME - 1);
  assert(isStopped(guard, request()), "asking keeps it");
  pass(LIFETIME - 1);
  assert(isStopped(guard, request()));
  pass(LIFETIME);
  guard.check(request());
  assertEquals(guard.size, 0);
});

Deno.test("RetryLoopGuard counts bad endings in a row, and a good one resets them", () => {
  for (const good of ["stop", "tool_calls", "end_turn", "completed"]) {
    const { guard } = endedBadly(MOST - 1);
    guard.ended(request(), good);
    guard.ended(request(), "interrupted");
    guard.check(request());
  }
  const { guard } = endedBadly(MOST - 1);
  guard.ended(request(), "content_filter");
  assertThrows(() => guard.check(request()), BridgeError, "rephrase");
});

Deno.test("RetryLoopGuard never counts good answers", () => {
  const guard = new RetryLoopGuard();
  for (let at = 0; at < 100; at++) {
    guard.check(request());
    guard.ended(request(), at % 2 === 0 ? "tool_calls" : "stop");
  }
  assertEquals(guard.size, 0);
});

/** What is changed → whether it is another turn. */
const OTHERS: readonly (readonly [JsonObject, boolean])[] = [
  [{ model: "n" }, true],
  [{ messages: [{ role: "user", content: "ho" }] }, true],
  [{ messages: [{ role: "user", content: "hi" }, { role: "user", content: "go on" }] }, true],
  [{ tools: [] }, true],
  [{ tools: undefined }, true],
  [{ input: [{ role: "user" }] }, true],
  [{ instructions: "Be brief." }, true],
  [{ temperature: 0.5 }, false],
  [{ seed: 7, user: "x", metadata: { try: "2" } }, false],
  [{ max_tokens: 17 }, false],
  [{ stream: true, stream_options: { include_usage: true } }, false],
];

for (const [change, other] of OTHERS) {
  const what = JSON.stringify(change);
  Deno.test(`RetryLoopGuard takes a request with ${what} for ${other ? "another turn" : "the same"}`, () => {
    const { guard } = endedBadly(MOST);
    assertEquals(isStopped(guard, request(change)), !other);
  });
}

Deno.test("RetryLoopGuard forgets turns that are too many", () => {
  const { guard } = endedBadly(MOST);
  for (let at = 0; at < 2_000; at++) guard.ended(request({ model: `m${at}` }), "length");
  guard.check(request());
  assertEquals(guard.size, 2_000);
});

const chunk = (delta: unknown, finish_reason: string | null) => ({
  choices: [{ index: 0, delta, finish_reason }],
});
const call = { index: 0, id: "call_1", type: "function", function: { name: "f", arguments: "{}" } };

/** Ending → the gateway's answer, and how many requests reach it; undefined where nothing is stopped. */
const ENDINGS: Readonly<Record<string, readonly [FakeGateway, number | undefined]>> = {
  "an answer": [() => eventStream(chunk({ content: "Hi" }, "stop"), "[DONE]"), undefined],
  "an answer cut for its length": [
    () => eventStream(chunk({ content: "Hi" }, "length"), "[DONE]"),
    MOST,
  ],
  "an empty answer": [() => eventStream(chunk({}, "stop"), "[DONE]"), MOST_SILENT],
  "a filter": [() => eventStream(chunk({ content: "Hi" }, "content_filter"), "[DONE]"), MOST],
  "a tool call": [
    () => eventStream(chunk({ tool_calls: [call] }, "tool_calls"), "[DONE]"),
    undefined,
  ],
  "a stream that breaks off": [() => eventStream(chunk({ content: "Hi" }, null)), MOST],
  "an error in the stream": [() => eventStream({ error: { message: "no", code: 500 } }), MOST],
  // Nothing was paid for: a refusal is the client's to repeat.
  "a refusal": [() => new Response("no", { status: 400 }), undefined],
};

for (const stream of [true, false]) {
  for (const [ending, [gateway, reached]] of Object.entries(ENDINGS)) {
    const how = stream ? "streamed" : "whole";
    Deno.test(`the retry-loop guard lets ${reached ?? "all"} requests pass that end with ${ending}, ${how}`, async () => {
      const bridge = testBridge({ gateway });
      const body = ask("databricks-glm-5-2", "Hello", { stream });
      const statuses: number[] = [];
      for (let at = 0; at < MOST + 1; at++) {
        const response = await bridge.post("/chat/completions", body);
        await response.text();
        statuses.push(response.status);
      }
      assertEquals(bridge.requests.length, reached ?? MOST + 1);
      if (reached) assertEquals(statuses.at(-1), 400);
    });
  }
}

Deno.test("the retry-loop guard counts nine requests that run at once, and stops those after them", async () => {
  const bridge = testBridge({ gateway: ENDINGS["an empty answer"][0] });
  const post = async () => {
    const body = ask("databricks-glm-5-2", "Hello", { stream: true });
    const response = await bridge.post("/chat/completions", body);
    await response.text();
    return response.status;
  };
  const together = await Promise.all(Array.from({ length: MOST + 1 }, post));
  assertEquals(new Set(together), new Set([200]));
  assertEquals(await post(), 400);
  assertEquals(bridge.requests.length, MOST + 1);
});

Deno.test("--no-runaway-guard lets every request pass", async () => {
  const gateway = ENDINGS["an empty answer"][0];
  const bridge = testBridge({ gateway, flags: ["--no-runaway-guard"] });
  for (let at = 0; at < MOST + 4; at++) {
    const response = await bridge.post("/chat/completions", ask("databricks-glm-5-2", "Hello"));
    await response.text();
  }
  assertEquals(bridge.requests.length, MOST + 4);
});

Deno.test("RetryLoopGuard lets through whoever raises the limit, as its message says", () => {
  const guard = new RetryLoopGuard();
  for (let at = 0; at < MOST; at++) guard.ended(request({ max_tokens: 9 }), "length");
  assert(isStopped(guard, request({ max_tokens: 9 })));
  assert(isStopped(guard, request({ max_tokens: 8 })));
  assert(!isStopped(guard, request({ max_tokens: 9_000 })));
  for (let at = 0; at < MOST; at++) guard.ended(request({ max_tokens: 9_000 }), "content_filter");
  assert(isStopped(guard, request({ max_tokens: 90_000 })), "a filter has no limit");
});

Deno.test("RetryLoopGuard says of calls that are cut off what to raise", () => {
  const body = { contents: [], generationConfig: { maxOutputTokens: 7 } };
  const guard = new RetryLoopGuard();
  for (let at = 0; at < MOST; at++) guard.ended(body, "tool_call_incomplete", false);
  const { message } = assertThrows(() => guard.check(body), BridgeError);
  assertStringIncludes(message, "raise `maxOutputTokens` (it is 7)");
});

Deno.test("RetryLoopGuard knows the model where the path names it", async () => {
  const bridge = testBridge({
    gateway: () => eventStream(chunk({ content: "Hi" }, "length"), "[DONE]"),
  });
  const ask = async (model: string) => {
    const path = `/v1beta/models/${model}:generateContent`;
    const response = await bridge.post(path, { contents: [{ parts: [{ text: "q" }] }] });
    await response.body?.cancel();
    return response.status;
  };
  for (let at = 0; at < MOST; at++) assertEquals(await ask("databricks-kimi-k3"), 200);
  assertEquals(await ask("databricks-kimi-k3"), 400);
  assertEquals(await ask("databricks-llama-4-maverick"), 200);
});
