import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { BridgeError } from "../lib/errors.ts";
import { MOST, RunawayGuard, WINDOW } from "../lib/adapt/retry_loop_guard.ts";
import { ask, eventStream, type FakeGateway, testBridge } from "./helpers/bridge.ts";

const request = (more = {}) => ({
  model: "m",
  messages: [{ role: "user", content: "hi" }],
  tools: [{ type: "function" }],
  ...more,
});

/** A guard with a clock, and a request that has ended badly some times. */
function endedBadly(times: number, ending = "length") {
  let clock = 1_000_000;
  const guard = new RunawayGuard(() => clock);
  for (let at = 0; at < times; at++) {
    guard.check(request());
    guard.ended(request(), ending);
  }
  return { guard, pass: (time: number) => clock += time };
}

Deno.test("RunawayGuard lets a request through seven times and eight, and stops the ninth", () => {
  endedBadly(MOST - 1).guard.check(request());
  const { guard } = endedBadly(MOST);
  const error = assertThrows(() => guard.check(request()), BridgeError);
  assertEquals([error.status, error.kind], [400, "runaway"]);
  for (const words of ["8 times", '"length"', "max_tokens", "--no-runaway-guard"]) {
    assertStringIncludes(error.message, words);
  }
});

Deno.test("RunawayGuard lets the request through again after two minutes", () => {
  const { guard, pass } = endedBadly(MOST);
  pass(WINDOW - 1);
  assertThrows(() => guard.check(request()), BridgeError);
  pass(1);
  guard.check(request());
});

Deno.test("RunawayGuard counts each ending by itself", () => {
  const { guard } = endedBadly(MOST - 1, "length");
  for (let at = 0; at < MOST - 1; at++) guard.ended(request(), "empty");
  guard.check(request());
  guard.ended(request(), "empty");
  assertThrows(() => guard.check(request()), BridgeError, "empty");
});

/** What is changed → whether it is another request. */
const OTHERS: readonly (readonly [Record<string, unknown>, boolean])[] = [
  [{ model: "n" }, true],
  [{ messages: [{ role: "user", content: "ho" }] }, true],
  [{ messages: [...request().messages, { role: "user", content: "go on" }] }, true],
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
  Deno.test(`RunawayGuard takes a request with ${what} for ${other ? "another" : "the same"}`, () => {
    const { guard } = endedBadly(MOST);
    if (other) guard.check(request(change));
    else assertThrows(() => guard.check(request(change)), BridgeError);
  });
}

Deno.test("RunawayGuard forgets old requests, and those that are too many", () => {
  const { guard, pass } = endedBadly(MOST);
  for (let at = 0; at < 2_000; at++) guard.ended(request({ model: `m${at}` }), "length");
  guard.check(request());
  pass(WINDOW);
  guard.check(request());
});

const chunk = (delta: unknown, finish_reason: string | null) => ({
  choices: [{ index: 0, delta, finish_reason }],
});
const call = { index: 0, id: "call_1", type: "function", function: { name: "f", arguments: "{}" } };

/** Ending → the gateway's answer, and whether the ninth request is stopped. */
const ENDINGS: Readonly<Record<string, readonly [FakeGateway, boolean]>> = {
  "an answer": [() => eventStream(chunk({ content: "Hi" }, "stop"), "[DONE]"), false],
  "an answer cut for its length": [
    () => eventStream(chunk({ content: "Hi" }, "length"), "[DONE]"),
    true,
  ],
  "an empty answer": [() => eventStream(chunk({}, "stop"), "[DONE]"), true],
  "a filter": [() => eventStream(chunk({ content: "Hi" }, "content_filter"), "[DONE]"), true],
  "a tool call": [() => eventStream(chunk({ tool_calls: [call] }, "tool_calls"), "[DONE]"), false],
  "a stream that breaks off": [() => eventStream(chunk({ content: "Hi" }, null)), true],
  "an error in the stream": [() => eventStream({ error: { message: "no", code: 500 } }), true],
  // Nothing was paid for: a refusal is the client's to repeat.
  "a refusal": [() => new Response("no", { status: 400 }), false],
};

for (const stream of [true, false]) {
  for (const [ending, [gateway, stopped]] of Object.entries(ENDINGS)) {
    const how = stream ? "streamed" : "whole";
    Deno.test(`the runaway guard ${stopped ? "stops" : "lets pass"} the ninth request after eight that ended with ${ending}, ${how}`, async () => {
      const bridge = testBridge({ gateway });
      const body = ask("databricks-glm-5-2", "Hello", { stream });
      const statuses: number[] = [];
      for (let at = 0; at < MOST + 1; at++) {
        const response = await bridge.post("/chat/completions", body);
        await response.text();
        statuses.push(response.status);
      }
      assertEquals(bridge.requests.length, stopped ? MOST : MOST + 1);
      if (stopped) assertEquals(statuses.at(-1), 400);
    });
  }
}

Deno.test("the runaway guard counts nine requests that run at once, and stops those after them", async () => {
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
