import { assert, assertEquals } from "@std/assert";
import { encodeRequest, RESPONSES_FIELDS } from "../lib/dialects/responses/mod.ts";
import { encodeMessages, MAX_CALL_ID_LENGTH, NO_RESULT } from "../lib/dialects/responses/input.ts";
import { isObject, type JsonObject } from "../lib/json.ts";
import { type CachedCall, ToolCallCache } from "../lib/adapt/tool_call_cache.ts";
import { randomFromEnvironment } from "./helpers/random.ts";

/** One request and what it must become. */
interface RequestFixture {
  about: string;
  remembered?: Record<string, CachedCall>;
  request: JsonObject;
  expected: JsonObject;
}

const FIXTURES = new URL("./fixtures/responses/", import.meta.url);

for (
  const { name } of [...Deno.readDirSync(FIXTURES)].toSorted((a, b) => a.name < b.name ? -1 : 1)
) {
  if (!name.startsWith("request_")) continue;
  const fixture: RequestFixture = JSON.parse(Deno.readTextFileSync(new URL(name, FIXTURES)));
  Deno.test(`encodeRequest() translates ${name}: ${fixture.about}`, () => {
    const memory = fixture.remembered && new ToolCallCache();
    for (const [callId, value] of Object.entries(fixture.remembered ?? {})) {
      memory?.set(callId, value);
    }
    assertEquals(encodeRequest(deepFreeze(fixture.request), { memory }), fixture.expected);
  });
}

Deno.test("encodeRequest() without reasoning continuity asks for nothing and sends nothing back", () => {
  const memory = new ToolCallCache();
  memory.set("call_1", { items: [{ type: "reasoning", id: "rs_1" }] });
  const body = {
    messages: [
      {
        role: "assistant",
        tool_calls: [{ id: "call_1", function: { name: "f", arguments: "{}" } }],
      },
      { role: "tool", tool_call_id: "call_1", content: "1" },
    ],
  };
  const request = encodeRequest(body, { memory, reasoningContinuity: false });
  assertEquals("include" in request, false);
  assertEquals((request.input as JsonObject[]).map((item) => item.type), [
    "function_call",
    "function_call_output",
  ]);
});

Deno.test("encodeRequest() sends reasoning back to no other model than the one it came from", () => {
  const memory = new ToolCallCache();
  memory.set("call_1", { items: [{ type: "reasoning", id: "rs_1" }], model: "m" });
  const tool_calls = [{ id: "call_1", function: { name: "f", arguments: "{}" } }];
  const types = (model?: string) => {
    const messages = [{ role: "assistant", tool_calls }];
    const { input } = encodeRequest({ model, messages }, { memory });
    return (input as JsonObject[]).map((item) => item.type);
  };
  assertEquals(types("m"), ["reasoning", "function_call"]);
  assertEquals(types(), ["reasoning", "function_call"]);
  assertEquals(types("another"), ["function_call"]);
});

Deno.test("encodeRequest() doesn't ask twice for encrypted reasoning", () => {
  const include = ["reasoning.encrypted_content"];
  const request = encodeRequest({ messages: [], include }, { memory: new ToolCallCache() });
  assertEquals(request.include, include);
});

Deno.test("encodeRequest() recalls reasoning by the client's id even where that is shortened", () => {
  const id = "call_".padEnd(100, "x");
  const memory = new ToolCallCache();
  memory.set(id, { items: [{ type: "reasoning", id: "rs_1" }] });
  const { input } = encodeRequest({
    messages: [{ role: "assistant", tool_calls: [{ id, function: { name: "f", arguments: "" } }] }],
  }, { memory });
  assertEquals((input as JsonObject[])[0], { type: "reasoning" });
});

Deno.test("RESPONSES_FIELDS lists every field once, and gives a reason for each", () => {
  const names = RESPONSES_FIELDS.map(({ field }) => field);
  assertEquals(names.length, new Set(names).size);
  for (const { field, why } of RESPONSES_FIELDS) assert(why.length > 10, `${field} has no reason`);
});

Deno.test("RESPONSES_FIELDS without a destination aren't in the request", () => {
  const body: JsonObject = { messages: [{ role: "user", content: "u" }] };
  for (const { field, to } of RESPONSES_FIELDS) if (to === undefined) body[field] = 1;
  assertEquals(Object.keys(encodeRequest(body)), ["input"]);
});

Deno.test("encodeMessages() writes valid items for any history", () => {
  const { random, seed } = randomness("random histories");
  for (let round = 0; round < 2_000; round++) {
    const messages = deepFreeze(Array.from({ length: random(12) }, () => randomMessage(random)));
    const where = `seed ${seed}, round ${round}: ${JSON.stringify(messages)}`;
    const { input } = encodeMessages(messages);
    assertEquals(encodeMessages(messages).input, input, `the same history differs; ${where}`);

    const open = new Set<unknown>();
    const used = new Set<unknown>();
    for (const item of input) {
      const { type, call_id: id } = item;
      if (type === "function_call") {
        assert(typeof id === "string" && id !== "" && id.length <= MAX_CALL_ID_LENGTH, where);
        assert(!used.has(id), `${id} is used twice; ${where}`);
        used.add(id);
        open.add(id);
        assert(typeof item.arguments === "string" && item.arguments !== "", where);
      } else if (type === "function_call_output") {
        assert(open.delete(id), `${id} is answered but not open; ${where}`);
      } else if (type === "message") {
        assert(open.size === 0, `a message stands between a call and its result; ${where}`);
        assert(item.role !== "tool" && item.role !== "function", where);
        assert(Array.isArray(item.content) && item.content.length > 0, where);
        for (const part of item.content) assert(part.text !== "", where);
      }
    }
    const last = messages.findLast(isObject);
    const mayBeOpen = last?.role === "assistant" && Array.isArray(last.tool_calls);
    assert(open.size === 0 || mayBeOpen, `a call has no result; ${where}`);

    // Nothing that was answered loses its answer.
    const answers = input.map((item) => item.output).filter((output) => output !== undefined);
    for (const output of answers) {
      assert(output === NO_RESULT || JSON.stringify(messages).includes(`"${output}"`), where);
    }
  }
});

/** A whole number from 0 to less than `below`. */
type Below = (below: number) => number;

function randomness(what: string): { random: Below; seed: number } {
  const source = randomFromEnvironment(what);
  return { random: (below) => source.integer(0, below - 1), seed: source.seed };
}

const IDS = [
  "a",
  "b",
  "call",
  "call_2",
  "a_2",
  "",
  null,
  undefined,
  7,
  "x".repeat(80),
  "x".repeat(81),
];
const CONTENTS = [
  "",
  "text",
  null,
  undefined,
  [],
  [{ type: "text", text: "" }],
  ["part"],
  [null],
  5,
];

function randomMessage(random: Below): unknown {
  const pick = <T>(list: readonly T[]): T => list[random(list.length)];
  switch (random(6)) {
    case 0:
      return { role: pick(["user", "system", "developer"]), content: pick(CONTENTS) };
    case 1:
    case 2:
      return {
        role: "assistant",
        content: pick(CONTENTS),
        tool_calls: Array.from({ length: random(4) }, () => ({
          id: pick(IDS),
          type: "function",
          function: {
            name: pick(["f", "", undefined]),
            arguments: pick(["{}", "", { a: 1 }, null]),
          },
        })),
      };
    case 3:
    case 4:
      return { role: "tool", tool_call_id: pick(IDS), content: `result ${random(100)}` };
    default:
      return pick([null, 3, "message", [], {}, {
        role: "assistant",
        content: "hi",
        tool_calls: 5,
      }]);
  }
}

function deepFreeze<T>(value: T): T {
  if (typeof value === "object" && value !== null) {
    for (const inner of Object.values(value)) deepFreeze(inner);
    Object.freeze(value);
  }
  return value;
}
