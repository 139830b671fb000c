import { assertEquals } from "@std/assert";
import { flattenContent, reasoningText } from "../lib/enrich/content.ts";

Deno.test("flattenContent() keeps strings, and null and undefined for nothing", () => {
  assertEquals(flattenContent("x"), { content: "x" });
  assertEquals(flattenContent(""), { content: "" });
  assertEquals(flattenContent(null), {});
  assertEquals(flattenContent(undefined), {});
  assertEquals(flattenContent([]), {});
});

Deno.test("flattenContent() joins text parts of every name", () => {
  const parts = [{ type: "text", text: "a" }, { type: "output_text", text: "b" }, "c", {
    text: "d",
  }];
  assertEquals(flattenContent(parts), { content: "abcd" });
  assertEquals(flattenContent({ type: "text", text: "one" }), { content: "one" });
});

Deno.test("flattenContent() tells Claude's reasoning from its text and keeps signatures", () => {
  const flat = flattenContent([
    {
      type: "reasoning",
      summary: [
        { type: "summary_text", text: "so", signature: "" },
        { type: "summary_text", text: " it is", signature: "c2ln" },
      ],
    },
    { type: "text", text: "391" },
  ]);
  assertEquals(flat, {
    content: "391",
    reasoning: "so it is",
    details: [
      { type: "reasoning.text", text: "so" },
      { type: "reasoning.text", text: " it is", signature: "c2ln" },
    ],
  });
});

Deno.test("flattenContent() knows thinking in Anthropic's own words, encrypted too", () => {
  const flat = flattenContent([
    { type: "thinking", thinking: "hm", signature: "s" },
    { type: "redacted_thinking", data: "ZW5j" },
    { type: "reasoning_text", text: "well" },
  ]);
  assertEquals(flat.reasoning, "hmwell");
  assertEquals(flat.details, [
    { type: "reasoning.text", text: "hm", signature: "s" },
    { type: "reasoning.encrypted", data: "ZW5j" },
    { type: "reasoning.text", text: "well" },
  ]);
});

Deno.test("flattenContent() makes text of what should never be there", () => {
  assertEquals(flattenContent(5), { content: "5" });
  assertEquals(flattenContent(true), { content: "true" });
  assertEquals(flattenContent([null, 5, { type: "constructor" }]), { content: "" });
});

Deno.test("reasoningText() finds the text in any form", () => {
  assertEquals(reasoningText("x"), "x");
  assertEquals(reasoningText({ content: [{ text: "a" }, { text: "b" }] }), "ab");
  assertEquals(reasoningText({ summary: ["a", { text: "b" }] }), "ab");
  assertEquals(reasoningText(7), "");
});

Deno.test("flattenContent() gives up on nesting that no model writes, without exhausting the stack", () => {
  let deep: unknown = "text";
  for (let depth = 0; depth < 100_000; depth++) deep = [deep];
  assertEquals(flattenContent(deep), { content: "" });
  assertEquals(reasoningText(deep), "");
});
