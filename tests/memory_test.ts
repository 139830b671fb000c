import { assert, assertEquals } from "@std/assert";
import { CallMemory } from "../lib/memory.ts";

Deno.test("CallMemory gives back what it was given", () => {
  const memory = new CallMemory();
  const items = [{ type: "reasoning", id: "rs_1" }];
  memory.remember("call_1", { items });
  assertEquals(memory.recall("call_1"), { items });
  assertEquals(memory.recall("call_2"), undefined);
});

Deno.test("CallMemory.remember() keeps items when only fields are given later", () => {
  const memory = new CallMemory();
  memory.remember("call_1", { items: [{ type: "reasoning" }] });
  memory.remember("call_1", { fields: { thoughtSignature: "s" } });
  memory.remember("call_1", { fields: { thoughtSignature: "t" } });
  assertEquals(memory.recall("call_1"), {
    items: [{ type: "reasoning" }],
    fields: { thoughtSignature: "t" },
  });
  assertEquals(memory.size, 1);
});

Deno.test("CallMemory forgets the longest unused call when there are too many", () => {
  const memory = new CallMemory({ entries: 2 });
  memory.remember("a", { fields: { n: 1 } });
  memory.remember("b", { fields: { n: 2 } });
  memory.recall("a");
  memory.remember("c", { fields: { n: 3 } });
  assertEquals(memory.recall("b"), undefined);
  assert(memory.recall("a") !== undefined);
  assert(memory.recall("c") !== undefined);
  assertEquals(memory.size, 2);
});

Deno.test("CallMemory keeps the sum of its values within its bytes", () => {
  const memory = new CallMemory({ bytes: 10_000 });
  for (let i = 0; i < 100; i++) {
    memory.remember(`call_${i}`, { items: [{ encrypted_content: "x".repeat(1_000) }] });
    assert(memory.bytes <= 10_000, `${memory.bytes} bytes are kept, expected at most 10000`);
  }
  assert(memory.size >= 2, "expected several calls to fit");
  assert(memory.recall("call_99") !== undefined);
  assertEquals(memory.recall("call_0"), undefined);
});

Deno.test("CallMemory.bytes is 0 again when nothing is kept", () => {
  let now = 0;
  const memory = new CallMemory({ ageMs: 10, now: () => now });
  memory.remember("a", {
    items: [{ type: "reasoning", summary: [1, null, true, { deep: ["x"] }] }],
  });
  memory.remember("a", { fields: { n: 1 } });
  assert(memory.bytes > 0);
  now = 11;
  assertEquals(memory.recall("a"), undefined);
  assertEquals([memory.size, memory.bytes], [0, 0]);
});

Deno.test("CallMemory doesn't empty itself for a value that can't fit", () => {
  const memory = new CallMemory({ bytes: 2_000 });
  memory.remember("small", { fields: { n: 1 } });
  memory.remember("large", { fields: { text: "x".repeat(5_000) } });
  assert(memory.recall("small") !== undefined);
  assertEquals(memory.recall("large"), undefined);
});

Deno.test("CallMemory forgets by age since the last use", () => {
  let now = 0;
  const memory = new CallMemory({ ageMs: 100, now: () => now });
  memory.remember("used", { fields: { n: 1 } });
  memory.remember("unused", { fields: { n: 2 } });
  now = 80;
  assert(memory.recall("used") !== undefined);
  now = 160;
  assert(memory.recall("used") !== undefined);
  assertEquals(memory.recall("unused"), undefined);
  now = 261;
  assertEquals(memory.recall("used"), undefined);
});

Deno.test("CallMemory with room for nothing keeps nothing", () => {
  const memory = new CallMemory({ entries: 0 });
  memory.remember("a", { fields: { n: 1 } });
  assertEquals([memory.size, memory.bytes], [0, 0]);
});

Deno.test("CallMemory doesn't keep what nests without end", () => {
  const loop: Record<string, unknown> = {};
  loop.self = loop;
  const memory = new CallMemory();
  memory.remember("a", { fields: loop });
  assertEquals([memory.size, memory.bytes], [0, 0]);
});
