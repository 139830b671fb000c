import { assert, assertEquals } from "@std/assert";
import { conversationOf, ownerOf, scopeOf, ToolCallCache } from "../lib/adapt/tool_call_cache.ts";

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

Deno.test("scope() keeps conversations, owners and models apart, whatever the ids of their calls", () => {
  const cache = new ToolCallCache();
  const key = { owner: "ada", conversation: "c", model: "m" };
  cache.scope(key).set("call_0", { fields: { thoughtSignature: "mine" } });
  for (const other of [{ owner: "bob" }, { conversation: "d" }, { model: "n" }]) {
    assertEquals(cache.scope({ ...key, ...other }).get("call_0"), undefined);
  }
  assertEquals(cache.scope(key).get("call_0")?.fields?.thoughtSignature, "mine");
  assertEquals(cache.size, 1);
  cache.scope({ ...key, model: "n" }).set("call_0", { fields: {} });
  cache.scope(key).clear();
  assertEquals(cache.scope(key).get("call_0"), undefined);
  assertEquals([cache.size, cache.bytes > 0], [1, true]);
});

/** A token as a workspace issues it, with claims of ours. */
function jwt(claims: Record<string, unknown>): string {
  const part = (value: unknown) =>
    btoa(JSON.stringify(value)).replace(/=+$/, "").replace(/\+/g, "-").replace(/\//g, "_");
  return `${part({ alg: "none" })}.${part(claims)}.${part("signature")}`;
}

Deno.test("ownerOf() knows a renewed token, and tells people and keys apart", () => {
  const token = jwt({ iss: "w", sub: "ada@example.com", iat: 1 });
  assertEquals(
    ownerOf(`Bearer ${token}`),
    ownerOf(jwt({ iss: "w", sub: "ada@example.com", iat: 2 })),
  );
  assert(ownerOf(token) !== ownerOf(jwt({ iss: "w", sub: "bob@example.com" })));
  assert(ownerOf(token) !== ownerOf(jwt({ iss: "v", sub: "ada@example.com" })));
  assertEquals(ownerOf("Bearer dapi0123"), ownerOf("bearer dapi0123"));
  assert(ownerOf("dapi0123") !== ownerOf("dapi0124"));
  assert(!ownerOf("dapi0123456789").includes("dapi"), "no key is kept");
  for (const odd of ["", "a.b.c", "..", "a.e30.b", "%%%.%%%.%%%"]) ownerOf(odd);
});

Deno.test("scopeOf() reads a body once, when the conversation is first asked for", () => {
  let reads = 0;
  const body = {
    get messages() {
      reads++;
      return [{ role: "user", content: "hi" }];
    },
  };
  const scope = scopeOf("Bearer dapi0123", body, "m");
  const calls = new ToolCallCache().scope(scope);
  assertEquals(reads, 0, "a conversation without tool calls needs no hash");
  for (let at = 0; at < 100; at++) calls.get(`call_${at}`);
  for (let at = 0; at < 100; at++) assertEquals(scope.conversation, scope.conversation);
  assertEquals(reads, 1);
});

Deno.test("conversationOf() is the same for every turn of a conversation, in any dialect", () => {
  const first = { role: "user", content: "hi" };
  const id = conversationOf({ messages: [{ role: "system", content: "s" }, first] });
  assertEquals(
    conversationOf({ messages: [first, { role: "assistant", content: "x" }, first] }),
    id,
  );
  const parts = [{ type: "text", text: "hi", cache_control: { type: "ephemeral" } }];
  assertEquals(conversationOf({ messages: [{ role: "user", content: parts }] }), id);
  assertEquals(conversationOf({ input: "hi" }), id);
  const items = [{ type: "message", role: "user", content: [{ type: "input_text", text: "hi" }] }];
  assertEquals(conversationOf({ input: items }), id);
  assertEquals(conversationOf({ contents: [{ role: "user", parts: [{ text: "hi" }] }] }), id);
  assert(conversationOf({ messages: [{ role: "user", content: "ho" }] }) !== id);
  assertEquals(conversationOf({}), "");
});
