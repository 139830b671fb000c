import { assert, assertEquals } from "@std/assert";
import { jsonErrorAt } from "../lib/models/json_error.ts";

const CASES: readonly (readonly [text: string, line: number, column: number])[] = [
  ["", 1, 1],
  ["x", 1, 1],
  ["{", 1, 2],
  ['{"a"}', 1, 5],
  ['{"a":1,}', 1, 8],
  ["[1,]", 1, 4],
  ["[1 2]", 1, 4],
  ['{"a":1]', 1, 7],
  ["{} {}", 1, 4],
  ["{a:1}", 1, 2],
  ["{'a':1}", 1, 2],
  ['{"a": tru}', 1, 7],
  ["[01]", 1, 2],
  ["[1.]", 1, 2],
  ['["a\tb"]', 1, 2],
  ['["\\x"]', 1, 2],
  ["[TRUE]", 1, 2],
  ['{\n  "models": [\n    "a",,\n  ]\n}', 3, 9],
  ['{\n  "models": [\n    "a"\n    "b"\n  ]\n}', 4, 5],
  ["{\n  // no comments\n}", 2, 3],
  ['{"models": ["a"\n\n', 3, 1],
  ["]", 1, 1],
  [",", 1, 1],
];

Deno.test("jsonErrorAt() finds the first character that can't be there", () => {
  for (const [text, line, column] of CASES) {
    let parses = true;
    try {
      JSON.parse(text);
    } catch {
      parses = false;
    }
    assert(!parses, `${text} is JSON`);
    assertEquals(jsonErrorAt(text), { line, column }, text);
  }
});

Deno.test("jsonErrorAt() finds nothing in JSON", () => {
  const values = [
    "{}",
    "[]",
    ' {"a":[1,-2.5e+3,true,null,{"b":"\\u00e4\\n"}]}\n',
    "0",
    '"x"',
    "null",
  ];
  for (const text of values) assertEquals(jsonErrorAt(text), undefined, text);
});

Deno.test("jsonErrorAt() is quick on long rubbish", () => {
  const text = '{"a": "' + "\\\\".repeat(200_000);
  assertEquals(jsonErrorAt(text), { line: 1, column: 7 });
  assertEquals(jsonErrorAt("[".repeat(100_000))?.column, 100_001);
});
