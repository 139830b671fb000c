import { assert, assertEquals, assertThrows } from "@std/assert";
import { BridgeError } from "../lib/errors.ts";
import type { JsonObject } from "../lib/json.ts";
import { ToolCallAssembler } from "../lib/enrich/tool_calls.ts";

interface Joined {
  id: unknown;
  name: unknown;
  arguments: string;
}

/** Feeds deltas, ends, and joins what came out as ForgeCode does: by change of id. */
function joined(deltas: unknown[][]): Joined[] {
  let made = 0;
  const order = new ToolCallAssembler({ makeId: () => `made_${++made}` });
  const out: JsonObject[] = [];
  for (const delta of deltas) out.push(...order.push(delta));
  out.push(...order.end());
  const calls: Joined[] = [];
  for (const fragment of out) {
    const { name, arguments: text } = fragment.function as JsonObject;
    assertEquals(typeof text, "string");
    if (fragment.id !== undefined) {
      assertEquals(fragment.index, calls.length, "calls are counted from 0");
      assertEquals(fragment.type, "function");
      calls.push({ id: fragment.id, name, arguments: text as string });
    } else {
      assertEquals(fragment.index, calls.length - 1, "a call's fragments stand together");
      calls[calls.length - 1].arguments += text;
    }
  }
  assertEquals(new Set(calls.map(({ id }) => id)).size, calls.length, "each id is used once");
  return calls;
}

function part(
  index: unknown,
  text?: unknown,
  head: { id?: unknown; name?: unknown } = {},
): JsonObject {
  const { id, name } = head;
  return {
    ...index === undefined ? {} : { index },
    ...id === undefined ? {} : { id, type: "function" },
    function: {
      ...name === undefined ? {} : { name },
      ...text === undefined ? {} : { arguments: text },
    },
  };
}

Deno.test("ToolCallAssembler passes a call's fragments as they come", () => {
  const order = new ToolCallAssembler({ makeId: () => "never" });
  const first = order.push([part(0, "", { id: "a", name: "f" })]);
  assertEquals(first, [{
    index: 0,
    id: "a",
    type: "function",
    function: { name: "f", arguments: "" },
  }]);
  assertEquals(order.push([part(0, '{"x"')]), [{ index: 0, function: { arguments: '{"x"' } }]);
  assertEquals(order.push([part(0, ":1}")]), [{ index: 0, function: { arguments: ":1}" } }]);
  assertEquals(order.end(), []);
});

Deno.test("ToolCallAssembler puts interleaved calls one behind the other", () => {
  const calls = joined([
    [part(0, "", { id: "a", name: "f" }), part(1, "", { id: "b", name: "g" })],
    [part(1, '{"y"')],
    [part(0, '{"x"')],
    [part(1, ":2}")],
    [part(0, ":1}")],
  ]);
  assertEquals(calls, [
    { id: "a", name: "f", arguments: '{"x":1}' },
    { id: "b", name: "g", arguments: '{"y":2}' },
  ]);
});

Deno.test("ToolCallAssembler lets the first call out live while others wait, and not longer than it must", () => {
  const order = new ToolCallAssembler({ makeId: () => "x" });
  order.push([part(0, "{", { id: "a", name: "f" }), part(1, "{}", { id: "b", name: "g" })]);
  const done = order.push([part(0, "}")]);
  assertEquals(done.map(({ index }) => index), [0, 1], "the second goes out with the first's end");
});

Deno.test("ToolCallAssembler gives ids where there are none, and to calls that share one", () => {
  assertEquals(joined([[part(0, "{}", { name: "f" })], [part(1, "{}", { name: "g", id: null })]]), [
    { id: "made_1", name: "f", arguments: "{}" },
    { id: "made_2", name: "g", arguments: "{}" },
  ]);
  const shared = joined([[
    part(0, "{}", { id: "a", name: "f" }),
    part(1, "{}", { id: "a", name: "g" }),
  ]]);
  assertEquals(shared.map(({ id }) => id), ["a", "made_1"]);
  assertEquals(joined([[part(0, "{}", { id: 7, name: "f" })]])[0].id, "made_1");
});

Deno.test("ToolCallAssembler goes on by id, by index, or with the last call", () => {
  const byId = [[part(undefined, "{", { id: "a", name: "f" })], [
    part(undefined, "}", { id: "a" }),
  ]];
  assertEquals(joined(byId), [{ id: "a", name: "f", arguments: "{}" }]);
  const byNothing = [[part(undefined, "{", { id: "a", name: "f" })], [part(undefined, "}")]];
  assertEquals(joined(byNothing), [{ id: "a", name: "f", arguments: "{}" }]);
  const newIndex = [[part(1, "{", { id: "a", name: "f" })], [part(0, "}")]];
  assertEquals(joined(newIndex), [{ id: "a", name: "f", arguments: "{}" }]);
});

Deno.test("ToolCallAssembler tells whole calls at one index apart", () => {
  const calls = joined([
    [part(0, '{"a":1}', { id: "a", name: "f" })],
    [part(0, '{"b":1}', { id: "b", name: "f" })],
    [part(0, '{"c":1}', { name: "f" })],
  ]);
  assertEquals(calls.map((call) => call.arguments), ['{"a":1}', '{"b":1}', '{"c":1}']);
});

Deno.test("ToolCallAssembler makes arguments strings, and {} of none in a whole answer", () => {
  for (
    const [args, expected] of [[{ a: 1 }, '{"a":1}'], [null, "{}"], [undefined, "{}"], ["", "{}"]]
  ) {
    assertEquals(joined([[part(0, args, { id: "a", name: "f" })]])[0].arguments, expected);
  }
  assertEquals(joined([[{ index: 0, id: "a", name: "flat", arguments: "{}" }]]), [
    { id: "a", name: "flat", arguments: "{}" },
  ]);
});

Deno.test("ToolCallAssembler waits for a late name, and tells a call that never gets one at the end", () => {
  const late = joined([[part(0, '{"x":', { id: "a" })], [part(0, "1}", { name: "f" })]]);
  assertEquals(late, [{ id: "a", name: "f", arguments: '{"x":1}' }]);
  const [unnamed] = joined([[part(0, "{}", { id: "a" })]]);
  assert(unnamed.name !== "", "ForgeCode takes a call without a name for none, and asks 100 times");
});

Deno.test("ToolCallAssembler keeps unknown fields, with Gemini's signature where clients look for it", () => {
  const begun: unknown[] = [];
  const order = new ToolCallAssembler({ makeId: () => "x", onBegin: (call) => begun.push(call) });
  const [fragment] = order.push([
    { ...part(0, "{}", { id: "a", name: "f" }), thoughtSignature: "s", odd: { a: 1 } },
  ]);
  assertEquals(fragment.thoughtSignature, "s");
  assertEquals(fragment.extra_content, { google: { thought_signature: "s" } });
  assertEquals(fragment.odd, { a: 1 });
  assertEquals((begun[0] as { id: string }).id, "a");
});

Deno.test("ToolCallAssembler reads arguments' end by their brackets, strings aside", () => {
  const text = '{"a":"}\\"}","b":[{"c":"\\\\"}]}';
  const order = new ToolCallAssembler({ makeId: () => "x" });
  const out = [...text].flatMap((letter, at) =>
    order.push([part(0, letter, at === 0 ? { id: "a", name: "f" } : {})])
  );
  // The second call may begin only now; were the end seen too early, it would stand in the middle.
  out.push(...order.push([part(1, "{}", { id: "b", name: "g" })]), ...order.push([part(0, " \n")]));
  assertEquals(out.filter(({ index }) => index === 0).length, text.length);
  assertEquals(out[out.length - 1].index, 1);
});

Deno.test("ToolCallAssembler survives fragments that are none, huge indices and very many calls", () => {
  assertEquals(joined([[null, 5, "x", [], {}]]).length <= 1, true);
  assertEquals(joined([[part(1e9, "{}", { id: "a", name: "f" })]])[0].id, "a");
  assertEquals(joined([[part(-3, "{}", { id: "a", name: "f" })]])[0].name, "f");
  assertEquals(joined([[part(0.5, "{}", { id: "a", name: "f" })]])[0].name, "f");
  const many = Array.from({ length: 3000 }, (_, at) => part(at, "{}", { id: `c${at}`, name: "f" }));
  const calls = joined([many]);
  assert(calls.length >= 1000 && calls.length <= 3000);
});

Deno.test("ToolCallAssembler names a call whose arguments are cut off", () => {
  const cases: readonly (readonly [unknown[][], boolean, string | undefined])[] = [
    [[[part(0, '{"path": "a.txt", "text": "ha', { id: "a", name: "write" })]], true, "write"],
    [[[part(0, '{"path": "a.txt"}', { id: "a", name: "write" })]], true, undefined],
    [
      [[part(0, "{}", { id: "a", name: "ls" })], [part(1, "[1", { id: "b", name: "f" })]],
      true,
      "f",
    ],
    [[[part(0, "", { id: "a", name: "ls" })]], true, undefined],
    [[[part(0, "", { id: "a", name: "ls" })]], false, "ls"],
    [[[part(0, "null", { id: "a", name: "ls" })]], false, undefined],
    [[[part(0, '"half', { id: "a", name: "ls" })]], true, "ls"],
    [[[part(0, "tru", { id: "a", name: "ls" })]], true, "ls"],
  ];
  for (const [deltas, whole, expected] of cases) {
    const order = new ToolCallAssembler({ makeId: () => "x" });
    for (const delta of deltas) order.push(delta);
    assertEquals(order.cutOff(whole), expected, JSON.stringify(deltas));
  }
});

Deno.test("ToolCallAssembler gives ids of its own to calls that are numbered anew in every answer", () => {
  const id = (given: string, index: unknown, usedIds?: ReadonlySet<string>) => {
    const order = new ToolCallAssembler({ makeId: () => "made", usedIds });
    return order.push([part(index, "{}", { id: given, name: "f" })])[0].id;
  };
  for (const [given, index] of [["call_0", 0], ["0", 0], ["call_1", 1], ["tool-0", undefined]]) {
    assertEquals(id(given as string, index), "made", `${given}`);
  }
  for (const given of ["call_1", "toolu_01", "call_x3lZ20", "functions.read_file:0x", "abc"]) {
    assertEquals(id(given, 0), given);
  }
  assertEquals(id("call_x", 0, new Set(["call_x"])), "made", "the conversation has it already");
});

Deno.test("ToolCallAssembler bounds the arguments that it holds back", () => {
  const order = new ToolCallAssembler({ makeId: () => "x" });
  order.push([part(0, "{", { id: "a", name: "f" }), part(1, "[", { id: "b", name: "g" })]);
  const piece = part(1, "1,".repeat(1024 * 1024));
  const error = assertThrows(() => {
    for (let at = 0; at < 9; at++) order.push([piece]);
  }, BridgeError);
  assertEquals(error.kind, "overflow");
});
