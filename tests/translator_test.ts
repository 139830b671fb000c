import { assert, assertEquals } from "@std/assert";
import type { JsonObject } from "../lib/json.ts";
import type { SseEvent } from "../lib/dialects/dialect.ts";
import { chatClient, DONE } from "../lib/dialects/chat/mod.ts";
import { ChunkEnricher } from "../lib/enrich/chunks.ts";
import { Translator } from "../lib/translator.ts";

function json(value: JsonObject): SseEvent {
  return { type: "json", value };
}

function chat(): Translator {
  const context = { model: "m", created: 1, makeId: (prefix: string) => `${prefix}1` };
  return new Translator(new ChunkEnricher(context), chatClient.encoder(context));
}

const HI = json({ choices: [{ delta: { content: "hi" } }] });

Deno.test("Translator frames every chunk as data, one space, JSON and a blank line", () => {
  const text = chat().event(HI);
  assert(/^data: \{[^\n]*\}\n\n$/.test(text), text);
});

Deno.test("Translator ends a whole answer with exactly one [DONE]", () => {
  const translator = chat();
  const text = translator.event(HI) + translator.event({ type: "done" }) +
    translator.event({ type: "done" }) + translator.event(HI) + translator.end();
  assertEquals(text.split(DONE).length, 2);
  assert(text.endsWith(DONE) && translator.ended);
});

Deno.test("Translator ends a failed answer with one error and no [DONE]", () => {
  const translator = chat();
  const text = translator.event(HI) + translator.end(new Error("x")) + translator.end();
  assert(!text.includes("[DONE]"));
  assertEquals(text.match(/data: \{"error"/g)?.length, 1);
});

Deno.test("Translator writes no line break and no half of a character into an event", () => {
  const text = chat().event(
    json({ choices: [{ delta: { content: "a\n\r\u2028b", x: "\ud83d" } }] }),
  );
  assertEquals(text.split("\n").length, 3);
  assert(!text.includes("\r") && text.isWellFormed() && !text.includes("\\ud83d"));
});
