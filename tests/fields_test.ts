import { assert, assertEquals } from "@std/assert";
import { fitsField, normalizeDetails, wholeCharacters } from "../lib/enrich/fields.ts";

Deno.test("fitsField() lets unknown fields pass, and known ones of the type that clients expect", () => {
  const filters = [{
    prompt_index: 0,
    content_filter_results: { hate: { filtered: false, severity: "safe" } },
  }];
  const fit: readonly (readonly [string, unknown])[] = [
    ["anything", { a: 1 }],
    ["constructor", 1],
    ["toString", 1],
    ["system_fingerprint", "fp"],
    ["system_fingerprint", null],
    ["provider", undefined],
    ["prompt_filter_results", filters],
    ["prompt_filter_results", []],
    ["extra_content", { google: { thought_signature: "s" } }],
    ["extra_content", {}],
  ];
  for (const [name, value] of fit) assert(fitsField(name, value), `${name}: ${String(value)}`);
  const unfit: readonly (readonly [string, unknown])[] = [
    ["system_fingerprint", 7],
    ["provider", {}],
    ["reasoning_text", ["x"]],
    ["reasoning_opaque", false],
    ["prompt_filter_results", {}],
    ["prompt_filter_results", [{ prompt_index: "0", content_filter_results: {} }]],
    ["extra_content", "x"],
    ["extra_content", { google: { thought_signature: 5 } }],
  ];
  for (const [name, value] of unfit) assert(!fitsField(name, value), `${name}: ${value}`);
});

Deno.test("normalizeDetails() keeps objects with a type, and of their known fields those that fit", () => {
  const details = [
    { type: "reasoning.text", text: "a", signature: null, index: 1, odd: [1] },
    { type: "reasoning.text", text: 5, data: {}, index: 1.5, id: "i" },
    { text: "no type" },
    "text",
    null,
  ];
  assertEquals(normalizeDetails(details), [
    { type: "reasoning.text", text: "a", signature: null, index: 1, odd: [1] },
    { type: "reasoning.text", id: "i" },
  ]);
  for (const odd of [null, undefined, "x", {}]) assertEquals(normalizeDetails(odd), []);
});

Deno.test("wholeCharacters() joins halves of characters, however the text is cut", () => {
  const text = "a🚀b𝄞\u{10ffff}";
  for (let at = 0; at <= text.length; at++) {
    for (let to = at; to <= text.length; to++) {
      const join = wholeCharacters();
      const pieces = [text.slice(0, at), text.slice(at, to), text.slice(to)].map(join);
      assertEquals(pieces.join(""), text);
      for (const piece of pieces) assert(piece.isWellFormed());
    }
  }
});

Deno.test("wholeCharacters() makes U+FFFD of a half that nothing completes", () => {
  const join = wholeCharacters();
  assertEquals(["\ud83d", "x", "\ude80", "y"].map(join).join(""), "\ufffdx\ufffdy");
});
