import { assert, assertEquals } from "@std/assert";
import { ToolCallCache } from "../lib/adapt/tool_call_cache.ts";

Deno.test("ToolCallCache gives back what it was given", () => {
  const memory = new ToolCallCache();
  const items = [{ type: "reasoning", id: "rs_1" }];
  memory.set("call_1", { items });
  assertEquals(memory.get("call_1"), { items });
  assertEquals(memory.get("call_2"), undefined);
});

Deno.test("ToolCallCache.set() keeps items when only fields are given later", () => {
  const memory = new ToolCallCache();
  memory.set("call_1", { items: [{ type: "reasoning" }] });
  memory.set("call_1", { fields: { thoughtSignature: "s" } });
  memory.set("call_1", { fields: { thoughtSignature: "t" } });
  assertEquals(memory.get("call_1"), {
    items: [{ type: "reasoning" }],
    fields: { thoughtSignature: "t" },
  });
  assertEquals(memory.size, 1);
});

Deno.test("ToolCallCache forgets the longest unused call when there are too many", () => {
  const memory = new ToolCallCache({ entries: 2 });
  memory.set("a", { fields: { n: 1 } });
  memory.set("b", { fields: { n: 2 } });
  memory.get("a");
  memory.set("c", { fields: { n: 3 } });
  assertEquals(memory.get("b"), undefined);
  assert(memory.get("a") !== undefined);
  assert(memory.get("c") !== undefined);
  assertEquals(memory.size, 2);
});

Deno.test("ToolCallCache keeps the sum of its values within its bytes", () => {
  const memory = new ToolCallCache({ bytes: 10_000 });
  for (let i = 0; i < 100; i++) {
    memory.set(`call_${i}`, { items: [{ encrypted_content: "x".repeat(1_000) }] });
    assert(memory.bytes <= 10_000, `${memory.bytes} bytes are kept, expected at most 10000`);
  }
  assert(memory.size >= 2, "expected several calls to fit");
  assert(memory.get("call_99") !== undefined);
  assertEquals(memory.get("call_0"), undefined);
});

Deno.test("ToolCallCache.bytes is 0 again when nothing is kept", () => {
  let now = 0;
  const memory = new ToolCallCache({ ageMs: 10, now: () => now });
  memory.set("a", {
    items: [{ type: "reasoning", summary: [1, null, true, { deep: ["x"] }] }],
  });
  memory.set("a", { fields: { n: 1 } });
  assert(memory.bytes > 0);
  now = 11;
  assertEquals(memory.get("a"), undefined);
  assertEquals([memory.size, memory.bytes], [0, 0]);
});

Deno.test("ToolCallCache doesn't empty itself for a value that can't fit", () => {
  const memory = new ToolCallCache({ bytes: 2_000 });
  memory.set("small", { fields: { n: 1 } });
  memory.set("large", { fields: { text: "x".repeat(5_000) } });
  assert(memory.get("small") !== undefined);
  assertEquals(memory.get("large"), undefined);
});

Deno.test("ToolCallCache forgets by age since the last use", () => {
  let now = 0;
  const memory = new ToolCallCache({ ageMs: 100, now: () => now });
  memory.set("used", { fields: { n: 1 } });
  memory.set("unused", { fields: { n: 2 } });
  now = 80;
  assert(memory.get("used") !== undefined);
  now = 160;
  assert(memory.get("used") !== undefined);
  assertEquals(memory.get("unused"), undefined);
  now = 261;
  assertEquals(memory.get("used"), undefined);
});

Deno.test("ToolCallCache with room for nothing keeps nothing", () => {
  const memory = new ToolCallCache({ entries: 0 });
  memory.set("a", { fields: { n: 1 } });
  assertEquals([memory.size, memory.bytes], [0, 0]);
});

Deno.test("ToolCallCache doesn't keep what nests without end", () => {
  const loop: Record<string, unknown> = {};
  loop.self = loop;
  const memory = new ToolCallCache();
  memory.set("a", { fields: loop });
  assertEquals([memory.size, memory.bytes], [0, 0]);
});
