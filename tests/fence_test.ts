import { assertEquals } from "@std/assert";
import { FenceRemover } from "../lib/enrich/fence.ts";
import { Random } from "./helpers/mutate.ts";

function unfenced(...pieces: string[]): string {
  const fence = new FenceRemover();
  return pieces.map((piece) => fence.push(piece)).join("") + fence.end();
}

const CASES: readonly (readonly [text: string, expected: string])[] = [
  ['```json\n{"a":1}\n```', '{"a":1}'],
  ['```\n{"a":1}\n```', '{"a":1}'],
  ['\n\n```JSON\r\n{"a":1}\r\n```\n', '{"a":1}'],
  ['```json\n{\n  "a": "```"\n}\n```\n\nThere you are.', '{\n  "a": "```"\n}'],
  ['```json\n{"a":1}', '{"a":1}'],
  ['```json\n{"a":1}\n``', '{"a":1}'],
  ['{"a":"\\n```\\n"}', '{"a":"\\n```\\n"}'],
  ["plain text with ``` in it", "plain text with ``` in it"],
  ["`code`", "`code`"],
  ["", ""],
  ["``", "``"],
  ["   x", "   x"],
];

Deno.test("FenceRemover takes one fence off, whole or in pieces", () => {
  const random = new Random(5);
  for (const [text, expected] of CASES) {
    assertEquals(unfenced(text), expected, text);
    assertEquals(unfenced(...text), expected, `${text}, character by character`);
    for (let round = 0; round < 20; round++) {
      const at = random.integer(0, text.length);
      const to = random.integer(at, text.length);
      const pieces = [text.slice(0, at), text.slice(at, to), text.slice(to)];
      assertEquals(unfenced(...pieces), expected, JSON.stringify(pieces));
    }
  }
});

Deno.test("FenceRemover holds nothing of what can't be a fence", () => {
  const fence = new FenceRemover();
  assertEquals(fence.push('{"a"'), '{"a"');
  assertEquals(fence.push(":1}"), ":1}");
  const fenced = new FenceRemover();
  assertEquals(fenced.push("```json\n"), "");
  assertEquals(fenced.push('{"a"'), '{"a"', "content goes out as it comes");
});

Deno.test("FenceRemover gives up on a language that never ends", () => {
  const text = "```" + "x".repeat(200);
  assertEquals(unfenced(text), text);
  assertEquals(unfenced(...text), text);
});

Deno.test("FenceRemover is quick on long content of awkward characters", () => {
  const inner = "\n   ".repeat(50_000) + "\n `".repeat(50_000);
  assertEquals(unfenced("```json\n", inner, "x\n```"), inner + "x");
});
