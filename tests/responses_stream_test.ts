import { assert, assertEquals } from "@std/assert";
import { decodeBody, isResponsesEvent, ResponsesDecoder } from "../lib/dialects/responses/mod.ts";
import { isObject, type JsonObject } from "../lib/json.ts";
import { ToolCallCache } from "../lib/adapt/tool_call_cache.ts";
import { randomFromEnvironment } from "./helpers/random.ts";

/** One stream and the chunks that it must become. */
interface StreamFixture {
  name: string;
  about: string;
  events: JsonObject[];
  expected: JsonObject[];
}

const FOLDER = new URL("./fixtures/responses/", import.meta.url);

const FIXTURES: StreamFixture[] = [...Deno.readDirSync(FOLDER)]
  .map(({ name }) => name)
  .filter((name) => name.startsWith("stream_"))
  .toSorted()
  .map((name) => ({ name, ...JSON.parse(Deno.readTextFileSync(new URL(name, FOLDER))) }));

for (const { name, about, events, expected } of FIXTURES) {
  Deno.test(`ResponsesDecoder translates ${name}: ${about}`, () => {
    assertEquals(decode(events), expected);
  });
}

Deno.test("ResponsesDecoder keeps encrypted reasoning under the calls that it led to", () => {
  const memory = new ToolCallCache();
  const decoder = new ResponsesDecoder({ memory });
  for (
    const item of [
      reasoning("rs_1"),
      call("call_aaaaaaaa"),
      call("call_bbbbbbbb"),
      reasoning("rs_2"),
      reasoning("rs_3"),
      call("call_cccccccc"),
    ]
  ) decoder.event({ type: "response.output_item.done", item });
  const ids = (callId: string) => memory.get(callId)?.items?.map((item) => item.id);
  assertEquals(ids("call_aaaaaaaa"), ["rs_1"]);
  assertEquals(ids("call_bbbbbbbb"), ["rs_1"]);
  assertEquals(ids("call_cccccccc"), ["rs_2", "rs_3"]);
});

Deno.test("ResponsesDecoder keeps reasoning that closes after its call, and drops what can't be sent back", () => {
  const memory = new ToolCallCache();
  const decoder = new ResponsesDecoder({ memory });
  const open = { type: "reasoning", id: "rs_1", summary: [] };
  decoder.event({ type: "response.output_item.added", output_index: 0, item: open });
  decoder.event({
    type: "response.output_item.done",
    output_index: 0,
    item: call("call_aaaaaaaa"),
  });
  assertEquals(memory.get("call_aaaaaaaa"), undefined);
  const closed = {
    ...reasoning("rs_1"),
    status: "completed",
    content: [{ type: "reasoning_text" }],
  };
  decoder.event({ type: "response.output_item.done", output_index: 0, item: closed });
  assertEquals(memory.get("call_aaaaaaaa")?.items, [reasoning("rs_1")]);
});

Deno.test("ResponsesDecoder keeps reasoning that only the last event has", () => {
  const memory = new ToolCallCache();
  const decoder = new ResponsesDecoder({ memory });
  decoder.event({
    type: "response.completed",
    response: { output: [reasoning("rs_1"), call("call_aaaaaaaa")] },
  });
  assertEquals(memory.get("call_aaaaaaaa")?.items, [reasoning("rs_1")]);
});

Deno.test("ResponsesDecoder keeps the model with the reasoning", () => {
  const memory = new ToolCallCache();
  const decoder = new ResponsesDecoder({ memory, model: "m" });
  decoder.event({ type: "response.output_item.done", item: reasoning("rs_1") });
  decoder.event({ type: "response.output_item.done", item: call("call_aaaaaaaa") });
  assertEquals(memory.get("call_aaaaaaaa"), { items: [reasoning("rs_1")], model: "m" });
});

Deno.test("ResponsesDecoder keeps no reasoning that can't be replayed, and none under a mere counter", () => {
  const memory = new ToolCallCache();
  const decoder = new ResponsesDecoder({ memory });
  const plain = { type: "reasoning", id: "rs_1", summary: [] };
  decoder.event({ type: "response.output_item.done", item: plain });
  decoder.event({ type: "response.output_item.done", item: call("call_aaaaaaaa") });
  decoder.event({ type: "response.output_item.done", item: reasoning("rs_2") });
  decoder.event({ type: "response.output_item.done", item: call("call_0") });
  assertEquals(memory.size, 0);
});

Deno.test("ResponsesDecoder keeps the reasoning of one response from the calls of the next", () => {
  const memory = new ToolCallCache();
  const decoder = new ResponsesDecoder({ memory });
  decoder.event({ type: "response.created", response: { id: "resp_1" } });
  decoder.event({ type: "response.output_item.done", item: reasoning("rs_1") });
  decoder.event({ type: "response.completed", response: { id: "resp_1" } });
  decoder.event({ type: "response.created", response: { id: "resp_2" } });
  decoder.event({ type: "response.output_item.done", item: call("call_aaaaaaaa") });
  decoder.event({ type: "response.completed", response: { id: "resp_2" } });
  assertEquals(memory.size, 0);
});

Deno.test("ResponsesDecoder.ended follows the response's state", () => {
  const decoder = new ResponsesDecoder();
  const states = [
    { type: "response.created", response: { id: "resp_1" } },
    { type: "response.output_text.delta", delta: "a" },
    { type: "response.completed", response: { id: "resp_1" } },
    { type: "response.created", response: { id: "resp_2" } },
    { type: "response.failed", response: { id: "resp_2" } },
  ].map((event) => {
    decoder.event(event);
    return decoder.ended;
  });
  assertEquals(states, [false, false, true, false, true]);
});

Deno.test("ResponsesDecoder gives every call an id of its own", () => {
  const decoder = new ResponsesDecoder();
  const item = (name: string) => ({ type: "function_call", id: "fc", name, arguments: "{}" });
  const chunks = ["f", "g"].flatMap((name, output_index) =>
    decoder.event({ type: "response.output_item.done", output_index, item: item(name) })
  );
  const { calls } = gather(chunks);
  assertEquals(calls.map(({ name }) => name), ["f", "g"]);
  assert(calls[0].id !== calls[1].id, `both calls are ${calls[0].id}`);
});

Deno.test("isResponsesEvent() knows its own events", () => {
  const own = [
    { type: "response.created" },
    { type: "response.unheard_of" },
    { type: "error", message: "m", code: null },
    { type: "error", sequence_number: 1, error: { message: "m" } },
  ];
  const foreign = [
    {},
    { type: 5 },
    { type: "responses" },
    { type: "message_start" },
    { type: "error", error: { type: "overloaded_error", message: "m" } },
    { choices: [] },
    { error: { message: "m" } },
  ];
  for (const event of own) assertEquals(isResponsesEvent(event), true, JSON.stringify(event));
  for (const event of foreign) assertEquals(isResponsesEvent(event), false, JSON.stringify(event));
});

Deno.test("ResponsesDecoder never throws and writes only well-formed chunks, whatever the events", () => {
  const { random, seed } = randomness("well-formed chunks");
  for (let round = 0; round < 3_000; round++) {
    const { name, events } = FIXTURES[random(FIXTURES.length)];
    const where = `seed ${seed}, round ${round}, ${name}`;
    const decoder = new ResponsesDecoder({ memory: new ToolCallCache() });
    for (const event of events) {
      const broken = random(3) === 0 ? mutate(event, random) : event;
      let chunks: JsonObject[];
      try {
        chunks = decoder.event(broken as JsonObject);
      } catch (error) {
        throw new Error(`${where}: ${JSON.stringify(broken)}`, { cause: error });
      }
      for (const chunk of chunks) checkChunk(chunk, where);
    }
  }
});

Deno.test("ResponsesDecoder loses and doubles nothing, wherever whole texts stand among the deltas", () => {
  const { random, seed } = randomness("whole texts among deltas");
  for (let round = 0; round < 3_000; round++) {
    const { events, items } = randomStream(random);
    const where = `seed ${seed}, round ${round}:\n${
      events.map((e) => JSON.stringify(e)).join("\n")
    }`;
    const { content, thoughts, calls, finish } = gather(decode(events));
    for (const item of items) {
      if (item.kind === "call") {
        const found = calls.filter(({ id }) => id === item.callId);
        assertEquals(found.map(({ args }) => args), [item.parts[0].text], where);
        continue;
      }
      const text = item.kind === "message" ? content : thoughts;
      for (const part of item.parts) assertEquals(only(text, part.alphabet), part.text, where);
    }
    const expectedCalls = items.filter(({ kind }) => kind === "call");
    assertEquals(calls.length, expectedCalls.length, where);
    assertEquals(finish.at(-1), expectedCalls.length > 0 ? "tool_calls" : "stop", where);
  }
});

Deno.test("decodeBody() says the same as the stream that ends with that body", () => {
  const { random, seed } = randomness("decodeBody");
  for (let round = 0; round < 500; round++) {
    const { items } = randomStream(random);
    const response = { object: "response", status: "completed", output: items.map(wholeItem) };
    const streamed = gather(decode([{ type: "response.completed", response }]));
    const body = decodeBody(response) as { choices: { message: JsonObject }[] };
    const { message } = body.choices[0];
    assertEquals(message.content ?? "", streamed.content, `seed ${seed}, round ${round}`);
    assertEquals(
      message.reasoning_content ?? "",
      streamed.thoughts,
      `seed ${seed}, round ${round}`,
    );
    const calls = (message.tool_calls ?? []) as { id: string }[];
    assertEquals(calls.map(({ id }) => id), streamed.calls.map(({ id }) => id));
  }
});

function decode(events: readonly JsonObject[]): JsonObject[] {
  const decoder = new ResponsesDecoder();
  return events.flatMap((event) => decoder.event(event));
}

function reasoning(id: string): JsonObject {
  return { type: "reasoning", id, summary: [], encrypted_content: `encrypted ${id}` };
}

function call(callId: string): JsonObject {
  return { type: "function_call", id: `fc_${callId}`, call_id: callId, name: "f", arguments: "{}" };
}

/** What a client makes of chunks. */
interface Gathered {
  content: string;
  thoughts: string;
  calls: { id: string; name: string; args: string }[];
  finish: string[];
}

function gather(chunks: readonly JsonObject[]): Gathered {
  const gathered: Gathered = { content: "", thoughts: "", calls: [], finish: [] };
  for (const { choices } of chunks as { choices: Choice[] }[]) {
    const { delta, finish_reason: finish } = choices[0];
    gathered.content += delta.content ?? "";
    gathered.thoughts += delta.reasoning_content ?? "";
    for (const { index, id, function: { name, arguments: args } } of delta.tool_calls ?? []) {
      gathered.calls[index] ??= { id: id ?? "", name: name ?? "", args: "" };
      gathered.calls[index].args += args;
    }
    if (finish !== null) gathered.finish.push(finish);
  }
  return gathered;
}

interface Choice {
  delta: {
    content?: string;
    reasoning_content?: string;
    tool_calls?: { index: number; id?: string; function: { name?: string; arguments: string } }[];
  };
  finish_reason: string | null;
}

function checkChunk(chunk: JsonObject, where: string): void {
  if ("error" in chunk) {
    assertEquals(Object.keys(chunk), ["error"], where);
    assert(isObject(chunk.error), where);
    const { message, type, code } = chunk.error;
    assert(typeof message === "string" && message !== "" && typeof type === "string", where);
    assert(typeof code === "string" || typeof code === "number", where);
    return;
  }
  assert(Array.isArray(chunk.choices) && chunk.choices.length === 1, where);
  const { index, delta, finish_reason: finish } = chunk.choices[0];
  assertEquals(index, 0, where);
  assert([null, "stop", "tool_calls", "length", "content_filter"].includes(finish), where);
  for (const [field, value] of Object.entries(delta)) {
    if (field !== "tool_calls") assert(typeof value === "string" && value !== "", where);
  }
  for (const piece of delta.tool_calls ?? []) {
    assert(Number.isInteger(piece.index) && typeof piece.function.arguments === "string", where);
    assert(piece.id === undefined || (piece.id !== "" && piece.function.name !== ""), where);
  }
}

/** A whole number from 0 to less than `below`. */
type Below = (below: number) => number;

function randomness(what: string): { random: Below; seed: number } {
  const source = randomFromEnvironment(what);
  return { random: (below) => source.integer(0, below - 1), seed: source.seed };
}

const JUNK = [null, undefined, 0, -1, 1.5, "", "x", "__proto__", "constructor", true, [], {}, [
  null,
], {
  type: "text",
  text: "t",
}];

/** A copy of `value` in which something is not what it was. */
function mutate(value: unknown, random: Below): unknown {
  if (random(4) === 0 || typeof value !== "object" || value === null) {
    return structuredClone(JUNK[random(JUNK.length)]);
  }
  const copy: JsonObject = structuredClone(value) as JsonObject;
  const keys = Object.keys(copy);
  if (keys.length === 0) return JUNK[random(JUNK.length)];
  const key = keys[random(keys.length)];
  if (random(4) === 0) delete copy[key];
  else copy[key] = mutate(copy[key], random);
  return copy;
}

/** A text whose letters no other text of the stream has, so that it can be found among them. */
interface Part {
  text: string;
  alphabet: number;
}

interface ModelItem {
  kind: "message" | "reasoning" | "call";
  id: string;
  callId: string;
  outputIndex: number;
  parts: Part[];
}

const LETTERS = 16;

function only(text: string, alphabet: number): string {
  const first = 0x4e00 + alphabet * LETTERS;
  return [...text].filter((letter) => {
    const code = letter.codePointAt(0)!;
    return code >= first && code < first + LETTERS;
  }).join("");
}

function wholeItem({ kind, id, callId, parts }: ModelItem): JsonObject {
  const text = parts[0].text;
  if (kind === "call") {
    return { type: "function_call", id, call_id: callId, name: "f", arguments: text };
  }
  if (kind === "message") {
    const content = parts.map((part) => ({ type: "output_text", text: part.text }));
    return { type: "message", id, role: "assistant", content };
  }
  return {
    type: "reasoning",
    id,
    summary: parts.map(({ text }) => ({ type: "summary_text", text })),
  };
}

/**
 * A stream of some items. Each is announced before its deltas, its deltas come in order, but items
 * alternate, and events with whole texts stand anywhere after the announcement, once, twice or not
 * at all. Ids are kept, or left to the place, or made anew for each event.
 */
function randomStream(random: Below): { events: JsonObject[]; items: ModelItem[] } {
  const ids = ["kept", "kept without places", "new"][random(3)];
  let fresh = 0;
  const named = (item: ModelItem): JsonObject => ({
    item_id: ids === "new" ? `id_${fresh++}` : item.id,
    ...(ids === "kept without places" ? {} : { output_index: item.outputIndex }),
  });
  const itemEvent = (type: string, item: ModelItem, whole: JsonObject): JsonObject => {
    const { item_id: id, ...place } = named(item);
    return { type, ...place, item: { ...whole, id } };
  };

  let alphabet = 0;
  const items = Array.from({ length: 1 + random(4) }, (_, outputIndex): ModelItem => {
    const kind = (["message", "reasoning", "call"] as const)[random(3)];
    const count = kind === "call" ? 1 : 1 + random(3);
    const parts = Array.from({ length: count }, () => {
      const first = 0x4e00 + alphabet * LETTERS;
      const letters = Array.from({ length: 1 + random(12) }, () => first + random(LETTERS));
      return { text: String.fromCodePoint(...letters), alphabet: alphabet++ };
    });
    return { kind, id: `item_${outputIndex}`, callId: `call_${outputIndex}`, outputIndex, parts };
  });

  const queues = items.map((item) => {
    const { kind, parts } = item;
    const name =
      { message: "output_text", reasoning: "reasoning_summary_text" }[kind as "message"] ??
        "function_call_arguments";
    const number = kind === "reasoning" ? "summary_index" : "content_index";
    const bare = { ...wholeItem(item), content: [], summary: [], arguments: "" };
    const queue = [itemEvent("response.output_item.added", item, bare)];
    const silent = random(4) === 0;
    for (const [at, { text }] of parts.entries()) {
      for (let from = 0; from < text.length && !silent;) {
        const delta = text.slice(from, from += 1 + random(5));
        queue.push({ type: `response.${name}.delta`, ...named(item), [number]: at, delta });
      }
    }
    for (const [at, { text }] of parts.entries()) {
      for (let times = random(3); times > 0; times--) {
        const field = kind === "call" ? "arguments" : "text";
        const done = { type: `response.${name}.done`, ...named(item), [number]: at, [field]: text };
        queue.splice(1 + random(queue.length), 0, done);
      }
    }
    for (let times = random(3); times > 0; times--) {
      const done = itemEvent("response.output_item.done", item, wholeItem(item));
      queue.splice(1 + random(queue.length), 0, done);
    }
    return queue;
  });

  const events: JsonObject[] = [{ type: "response.created", response: { id: "resp_1" } }];
  while (queues.some((queue) => queue.length > 0)) {
    const next = queues[random(queues.length)].shift();
    if (next !== undefined) events.push(next);
  }
  const output = items.map((item) => ({
    ...wholeItem(item),
    id: ids === "new" ? `id_${fresh++}` : item.id,
  }));
  const completed = { type: "response.completed", response: { id: "resp_1", output } };
  for (let times = 1 + random(2); times > 0; times--) events.push(completed);
  return { events, items };
}
