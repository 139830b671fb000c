import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import type { DialectContext, SseEvent } from "../lib/dialects/dialect.ts";
import {
  answerEvents,
  ResponsesNormalizer,
  responsesSurface,
} from "../lib/dialects/responses/mod.ts";
import { BridgeError } from "../lib/errors.ts";
import type { JsonObject } from "../lib/json.ts";
import { ToolCallCache } from "../lib/adapt/tool_call_cache.ts";
import { testBridge } from "./helpers/bridge.ts";
import { randomFromEnvironment } from "./helpers/random.ts";
import { assertStrictResponses, type StrictResponses } from "./helpers/strict_responses.ts";

/** One stream, and what the strict reader must get of it. */
interface NormalizeFixture {
  name: string;
  about: string;
  request: JsonObject;
  events: JsonObject[];
  expected: {
    end: StrictResponses["end"];
    text?: string;
    reasoning?: string;
    items?: string[];
    ids?: string[];
    calls?: unknown[];
    encrypted?: string[];
    code?: string;
    says?: string;
  };
}

const FOLDER = new URL("./fixtures/responses/", import.meta.url);

const fixtures = (prefix: string) =>
  [...Deno.readDirSync(FOLDER)].map(({ name }) => name).filter((name) => name.startsWith(prefix))
    .toSorted()
    .map((name) => ({ name, ...JSON.parse(Deno.readTextFileSync(new URL(name, FOLDER))) }));

const FIXTURES: NormalizeFixture[] = fixtures("normalize_");

/** The decoder's fixtures: whatever a gateway sends, what leaves is strict. */
const STREAMS: { name: string; events: JsonObject[] }[] = fixtures("stream_");

function contextOf(request?: JsonObject): DialectContext {
  let made = 0;
  return {
    model: "databricks-gpt-5-5",
    created: 1790000001,
    makeId: (prefix) => `${prefix}made_${made++}`,
    ...(request === undefined ? {} : { request }),
  };
}

const json = (value: JsonObject): SseEvent => ({ type: "json", value });

function normalize(events: readonly JsonObject[], request?: JsonObject): string {
  const normalizer = new ResponsesNormalizer(contextOf(request));
  return events.map((event) => normalizer.event(json(event))).join("") + normalizer.end();
}

for (const { name, about, request, events, expected } of FIXTURES) {
  Deno.test(`ResponsesNormalizer makes ${name} strict: ${about}`, () => {
    const read = assertStrictResponses(normalize(events, request));
    assertEquals(read.end, expected.end);
    if (expected.end === "failed") {
      assertEquals(read.response.error.code, expected.code);
      assertStringIncludes(read.error!.message, expected.says!);
      assertEquals(read.error!.code, expected.code);
      return;
    }
    assertEquals(read.text, expected.text ?? "");
    assertEquals(read.reasoning, expected.reasoning ?? "");
    assertEquals(read.calls, expected.calls ?? []);
    assertEquals(read.items.map(({ type }) => type), expected.items);
    if (expected.ids) assertEquals(read.items.map(({ id }) => id), expected.ids);
    const encrypted = read.items.map((item) => item.encrypted_content).filter(Boolean);
    assertEquals(encrypted, expected.encrypted ?? []);
  });
}

Deno.test("ResponsesNormalizer ends no cut stream well, wherever it is cut", () => {
  for (const { name, request, events } of FIXTURES) {
    const complete = events.findIndex(({ type }) =>
      type === "response.completed" || type === "response.incomplete"
    );
    for (let length = 0; length < (complete < 0 ? events.length : complete); length++) {
      const read = assertStrictResponses(normalize(events.slice(0, length), request));
      assertEquals(read.end, "failed", `${name}, cut after ${length} events`);
    }
  }
});

Deno.test("ResponsesNormalizer writes strictly whatever the decoder's fixtures hold", () => {
  for (const { name, events } of STREAMS) {
    for (let length = 0; length <= events.length; length++) {
      try {
        assertStrictResponses(normalize(events.slice(0, length)));
      } catch (error) {
        throw new Error(`${name}, ${length} events: ${(error as Error).message}`);
      }
    }
  }
});

Deno.test("ResponsesNormalizer writes strictly whatever the order of the events", () => {
  const random = randomFromEnvironment("order of events");
  const all = [...FIXTURES, ...STREAMS].map(({ events }) => events);
  for (let round = 0; round < 400; round++) {
    const events = [...random.pick(all), ...random.pick(all)];
    for (let at = events.length - 1; at > 0; at--) {
      if (random.chance(0.7)) continue;
      const other = random.integer(0, at);
      [events[at], events[other]] = [events[other], events[at]];
    }
    assertStrictResponses(normalize(events));
  }
});

Deno.test("ResponsesNormalizer writes nothing behind its ending, and tells how it ended", () => {
  const normalizer = new ResponsesNormalizer(contextOf());
  normalizer.event(json({ type: "response.output_text.delta", item_id: "m", delta: "Hi" }));
  assertEquals([normalizer.finished, normalizer.outcome.spoke], [false, true]);
  const usage = { input_tokens: 1, output_tokens: 2, total_tokens: 3 };
  const completed = { type: "response.completed", response: { id: "r", output: [], usage } };
  // Another response may follow, so nothing is said yet.
  assertEquals(normalizer.event(json(completed)), "");
  assertEquals([normalizer.finished, normalizer.ended], [true, false]);
  assertStringIncludes(normalizer.event({ type: "done" }), "event: response.completed\n");
  assert(normalizer.ended);
  assertEquals(normalizer.event(json(completed)) + normalizer.end(), "");
  assertEquals(normalizer.outcome, {
    finishReason: "stop",
    usage,
    error: undefined,
    spoke: true,
  });
  assertEquals(normalizer.answer!.usage, {
    input_tokens: 1,
    input_tokens_details: { cached_tokens: 0 },
    output_tokens: 2,
    output_tokens_details: { reasoning_tokens: 0 },
    total_tokens: 3,
  });
});

Deno.test("ResponsesNormalizer tells the words of a text that is no event, and no half of an answer", () => {
  const plain = new ResponsesNormalizer(contextOf());
  const told = assertStrictResponses(plain.event({ type: "malformed", text: "upstream timeout" }));
  assertStringIncludes(told.error!.message, "upstream timeout");
  const half = new ResponsesNormalizer(contextOf());
  const text = '{"type":"response.output_text.delta","delta":"half of a sec';
  const cut = assertStrictResponses(half.event({ type: "malformed", text }));
  assert(!cut.error!.message.includes("sec"));
  assertEquals(half.outcome.error!.code, "stream_interrupted");
});

Deno.test("ResponsesNormalizer says why the gateway broke off where that is known", () => {
  const normalizer = new ResponsesNormalizer(contextOf());
  const cause = new BridgeError("timeout", "The gateway was silent for 300 s.", { status: 504 });
  const read = assertStrictResponses(
    normalizer.event(json({ type: "response.output_text.delta", item_id: "m", delta: "Hi" })) +
      normalizer.end(cause),
  );
  assertEquals([read.error!.message, read.error!.code], [cause.message, "invalid_prompt"]);
  assertEquals(normalizer.outcome.error, cause);
});

Deno.test("ResponsesNormalizer says the request's settings again, and its model's name", () => {
  const request = {
    model: "databricks-gpt-5-5",
    input: "hi",
    instructions: "Be brief.",
    temperature: 0.5,
    max_output_tokens: 100,
    reasoning: { effort: "low" },
    tools: [{ type: "namespace", name: "a", tools: [] }],
    tool_choice: "auto",
    metadata: { run: "1" },
  };
  const gateway = { id: "resp_9", created_at: 1790000000.5, model: "gpt-5-5-x", tools: [], odd: 1 };
  const events = [
    { type: "response.created", response: gateway },
    { type: "response.completed", response: { ...gateway, output: [] } },
  ];
  const { response } = assertStrictResponses(normalize(events, request));
  const { input: _input, ...settings } = request;
  for (const [name, value] of Object.entries(settings)) assertEquals(response[name], value, name);
  assertEquals([response.id, response.created_at, response.odd], ["resp_9", 1790000000, 1]);
});

Deno.test("ResponsesNormalizer keeps encrypted reasoning for calls whose client doesn't send it back", () => {
  const calls = new ToolCallCache();
  const normalizer = new ResponsesNormalizer({ ...contextOf(), calls });
  const reasoning = { type: "reasoning", id: "rs_1", summary: [], encrypted_content: "gAAA" };
  const call = { type: "function_call", call_id: "call_12345678", name: "f", arguments: "{}" };
  for (const item of [reasoning, call]) {
    normalizer.event(json({ type: "response.output_item.done", item }));
  }
  assertEquals(calls.get("call_12345678")?.items?.length, 1);
});

Deno.test("ResponsesNormalizer cuts off an answer that is larger than any model's", () => {
  const normalizer = new ResponsesNormalizer(contextOf());
  const delta = "x".repeat(2 ** 20);
  let text = "";
  for (let at = 0; at < 20 && !normalizer.ended; at++) {
    text = normalizer.event(json({ type: "response.output_text.delta", item_id: "m", delta }));
  }
  assert(normalizer.ended);
  assertEquals(normalizer.outcome.error!.kind, "overflow");
  assertStringIncludes(text, "16 Mi characters");

  const items = new ResponsesNormalizer(contextOf());
  for (let at = 0; at < 10_000 && !items.ended; at++) {
    const item = {
      type: "function_call",
      id: `f${at}`,
      call_id: `c${at}`,
      name: "f",
      arguments: "{}",
    };
    items.event(json({ type: "response.output_item.done", output_index: at, item }));
  }
  assertEquals(items.outcome.error!.kind, "overflow");
});

Deno.test("ResponsesNormalizer takes time in proportion to texts and items", () => {
  const time = (events: JsonObject[]) => {
    const started = performance.now();
    normalize(events);
    return performance.now() - started;
  };
  const calls = (count: number, field: string): JsonObject[] =>
    Array.from({ length: count }, (_, at) => ({
      type: "response.output_item.done",
      item: { type: "function_call", [field]: `call_${at}`, name: "f", arguments: `{"n":${at}}` },
    }));
  const deltas = (count: number): JsonObject[] =>
    Array.from({ length: count }, (_, at) => ({
      type: "response.function_call_arguments.delta",
      output_index: at % 2,
      item_id: `fc_${at % 2}`,
      delta: "{".repeat(50),
    }));
  const kinds: [string, (count: number) => JsonObject[], number][] = [
    ["calls with ids", (count) => calls(count, "call_id"), 1000],
    ["calls without ids", (count) => calls(count, "odd"), 1000],
    ["a final list of calls without ids", (count) => [{
      type: "response.completed",
      response: { output: calls(count, "odd").map(({ item }) => item) },
    }], 1000],
    ["interleaved pieces", deltas, 10_000],
  ];
  for (const [name, make, count] of kinds) {
    time(make(count));
    const [small, large] = [count, 4 * count].map((size) =>
      Math.min(...Array.from({ length: 3 }, () => time(make(size))))
    );
    // Twice what linear growth gives: quadratic growth gives four times.
    assert(large < 8 * small + 20, `${name}: ${small} ms, four times as many: ${large} ms`);
  }
});

Deno.test("normalizeAnswer() gives the whole response, and throws a failure", () => {
  const context = contextOf();
  const output = [
    { type: "message", role: "assistant", content: [{ type: "output_text", text: "Hello" }] },
    { type: "function_call", call_id: "call_1", name: "f", arguments: '{"a":1}' },
  ];
  const body = { object: "response", id: "resp_1", status: "completed", output };
  const response = responsesSurface.normalizeAnswer(body, context);
  assertEquals([response.id, response.status], ["resp_1", "completed"]);
  const [message, call] = response.output as JsonObject[];
  assertEquals(call.arguments, '{"a":1}');
  assertEquals(typeof message.id, "string");
  const failing: JsonObject[] = [
    { object: "response", status: "failed", error: { code: "server_error", message: "No." } },
    { object: "response", status: "in_progress", output: [] },
    { object: "response", status: "completed", output: [{ ...output[1], arguments: '{"a":' }] },
    { error_code: "BAD", message: "No." },
  ];
  for (const broken of failing) {
    assertThrows(() => responsesSurface.normalizeAnswer(broken, contextOf()), BridgeError);
  }
});

Deno.test("answerEvents() are the events of a plain answer, whichever dialect it is in", () => {
  const message = { role: "assistant", content: "Hello" };
  const completion = { object: "chat.completion", choices: [{ message, finish_reason: "stop" }] };
  const response = { object: "response", output: [{ type: "message", content: "Hello" }] };
  for (const body of [completion, response]) {
    const normalizer = new ResponsesNormalizer(contextOf());
    const text = answerEvents(body, contextOf()).map((event) => normalizer.event(event)).join("");
    assertEquals(assertStrictResponses(text).text, "Hello");
  }
});

for (const status of ["incomplete", "in_progress", undefined]) {
  for (const done of [true, false]) {
    Deno.test(`ResponsesNormalizer never closes a call that a limit left without arguments: ${status}, ${done ? "done" : "open"}`, async () => {
      const item = {
        type: "function_call",
        id: "fc_1",
        call_id: "c1",
        name: "Write",
        arguments: "",
      };
      const response = {
        id: "r",
        object: "response",
        status: "incomplete",
        incomplete_details: { reason: "max_output_tokens" },
        output: [{ ...item, status }],
        usage: { input_tokens: 1, output_tokens: 2, total_tokens: 3 },
      };
      const events = [
        { type: "response.output_item.added", output_index: 0, item },
        ...done
          ? [{ type: "response.output_item.done", output_index: 0, item: { ...item, status } }]
          : [],
        { type: "response.incomplete", response },
      ];
      const stream = events.map((event) => `data: ${JSON.stringify(event)}\n\n`).join("");
      const headers = { "content-type": "text/event-stream" };
      const ask = { model: "databricks-gpt-6-sol", input: "q" };
      const streamed = testBridge({ gateway: () => new Response(stream, { headers }) });
      const text = await (await streamed.post("/v1/responses", { ...ask, stream: true })).text();
      assert(!text.includes("function_call_arguments.done"), text);
      assertStringIncludes(text, "event: response.failed");
      const whole = testBridge({ gateway: () => Response.json(response) });
      assert((await whole.post("/v1/responses", ask)).status >= 400);
    });
  }
}
