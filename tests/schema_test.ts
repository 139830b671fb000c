import { assertEquals, assertStrictEquals } from "@std/assert";
import { withFewerKeys, withoutKeyword } from "../lib/adapt/schema.ts";

Deno.test("withoutKeyword() takes a keyword away at any depth, and no property of that name", () => {
  const schema = {
    type: "object",
    pattern: "x",
    properties: {
      pattern: { type: "string", pattern: "y" },
      list: { type: "array", items: { pattern: "z" }, prefixItems: [{ pattern: "p" }] },
    },
    additionalProperties: { pattern: "q" },
    $defs: { pattern: { pattern: "d", minLength: 1 } },
    default: { pattern: "kept: a value, no schema" },
  };
  const before = structuredClone(schema);
  assertEquals(withoutKeyword(schema, "pattern"), {
    type: "object",
    properties: {
      pattern: { type: "string" },
      list: { type: "array", items: {}, prefixItems: [{}] },
    },
    additionalProperties: {},
    $defs: { pattern: { minLength: 1 } },
    default: { pattern: "kept: a value, no schema" },
  });
  assertEquals(schema, before);
});

Deno.test("withoutKeyword() leaves one of the alternatives in a choice's place", () => {
  const nullable = { description: "d", anyOf: [{ type: "null" }, { type: "string" }] };
  assertEquals(withoutKeyword(nullable, "anyOf"), { description: "d", type: "string" });
  assertEquals(withoutKeyword({ oneOf: [{ type: "null" }] }, "oneOf"), {});
  const all = { allOf: [{ type: "object" }, { required: ["a"] }] };
  assertEquals(withoutKeyword(all, "allOf"), { type: "object", required: ["a"] });
  const nested = { anyOf: [{ anyOf: [{ type: "null" }, { anyOf: [{ type: "number" }] }] }] };
  assertEquals(withoutKeyword(nested, "anyOf"), { type: "number" });
});

Deno.test("withoutKeyword() gives back what is no schema", () => {
  for (const value of [true, null, 5, "x", [1]]) {
    assertStrictEquals(withoutKeyword(value, "x"), value);
  }
  assertEquals(withoutKeyword({ a: 1 }, "constructor"), { a: 1 });
  const own = JSON.parse('{"properties": {"__proto__": {"pattern": "x"}}, "__proto__": {"a": 1}}');
  assertEquals(
    JSON.stringify(withoutKeyword(own, "pattern")),
    '{"properties":{"__proto__":{}},"__proto__":{"a":1}}',
  );
});

Deno.test("withFewerKeys() keeps the required properties and the first ones, at any depth", () => {
  const properties = { a: {}, b: {}, c: { properties: { d: {}, e: {}, f: {} } } };
  const schema = { type: "object", properties, required: ["c", "a"] };
  assertEquals(withFewerKeys(schema, 2), {
    type: "object",
    properties: { a: {}, c: { properties: { d: {}, e: {} } } },
    required: ["c", "a"],
  });
  assertEquals(withFewerKeys({ properties: { a: {}, b: {} }, required: ["a", "b"] }, 1), {
    properties: { a: {} },
    required: ["a"],
  });
});

Deno.test("withoutKeyword() and withFewerKeys() leave alone what nests deeper than any schema", () => {
  let deep: unknown = { pattern: "x" };
  for (let level = 0; level < 50_000; level++) deep = { items: deep };
  withoutKeyword(deep, "pattern");
  withFewerKeys(deep, 1);
  let choices: unknown = { type: "string" };
  for (let level = 0; level < 50_000; level++) choices = { anyOf: [choices] };
  withoutKeyword(choices, "anyOf");
});
