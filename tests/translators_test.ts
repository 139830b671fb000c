import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { ChunkEnricher } from "../lib/enrich/chunks.ts";
import { BridgeError } from "../lib/errors.ts";
import type { JsonObject } from "../lib/json.ts";
import type { SseEvent } from "../lib/sse.ts";
import { ChatTranslator, DONE, ResponsesTranslator } from "../lib/translators.ts";

function json(value: JsonObject): SseEvent {
  return { type: "json", value };
}

function chat(): ChatTranslator {
  return new ChatTranslator(new ChunkEnricher({ model: "m", created: 1, makeId: (p) => `${p}1` }));
}

const HI = json({ choices: [{ delta: { content: "hi" } }] });

Deno.test("ChatTranslator frames every chunk as data, one space, JSON and a blank line", () => {
  const text = chat().event(HI);
  assert(/^data: \{[^\n]*\}\n\n$/.test(text), text);
});

Deno.test("ChatTranslator ends a whole answer with exactly one [DONE]", () => {
  const translator = chat();
  const text = translator.event(HI) + translator.event({ type: "done" }) +
    translator.event({ type: "done" }) + translator.event(HI) + translator.end();
  assertEquals(text.split(DONE).length, 2);
  assert(text.endsWith(DONE) && translator.ended);
});

Deno.test("ChatTranslator ends a failed answer with one error and no [DONE]", () => {
  const translator = chat();
  const text = translator.event(HI) + translator.end(new Error("x")) + translator.end();
  assert(!text.includes("[DONE]"));
  assertEquals(text.match(/data: \{"error"/g)?.length, 1);
});

Deno.test("ChatTranslator writes no line break and no half of a character into an event", () => {
  const text = chat().event(
    json({ choices: [{ delta: { content: "a\n\r\u2028b", x: "\ud83d" } }] }),
  );
  assertEquals(text.split("\n").length, 3);
  assert(!text.includes("\r") && text.isWellFormed() && !text.includes("\\ud83d"));
});

Deno.test("ResponsesTranslator passes events untouched, with their names", () => {
  const translator = new ResponsesTranslator();
  const event = { type: "response.output_text.delta", delta: "x", odd: [1] };
  assertEquals(
    translator.event(json(event)),
    `event: response.output_text.delta\ndata: ${JSON.stringify(event)}\n\n`,
  );
  const usage = { input_tokens: 1 };
  translator.event(json({ type: "response.completed", response: { usage } }));
  assertEquals([translator.finished, translator.usage], [true, usage]);
  assertEquals(translator.end(), "");
});

Deno.test("ResponsesTranslator waits for another response that begins behind one that is over", () => {
  const translator = new ResponsesTranslator();
  translator.event(json({ type: "response.completed", response: {} }));
  translator.event(json({ type: "response.created", response: {} }));
  assertEquals(translator.finished, false);
  assertStringIncludes(translator.end(), '"type":"error"');
});

Deno.test("ResponsesTranslator tells every failure by the API's own error event, once", () => {
  const secret = "opaque~secret";
  const failures: readonly ((translator: ResponsesTranslator) => string)[] = [
    (translator) => translator.event(json({ error_code: "X", message: `no ${secret}` })),
    (translator) => translator.event(json({ error: { message: `no ${secret}` } })),
    (translator) => translator.event({ type: "malformed", text: `no ${secret}` }),
    (translator) => translator.event({ type: "malformed", text: '{"type": "respon' }),
    (translator) => translator.event({ type: "done" }),
    (translator) => translator.end(),
    (translator) => translator.end(new BridgeError("timeout", "silent")),
  ];
  for (const fail of failures) {
    const translator = new ResponsesTranslator([secret]);
    const text = fail(translator);
    assert(text.startsWith('event: error\ndata: {"type":"error","code":'), text);
    assert(!text.includes(secret));
    assert(translator.ended && translator.error !== undefined);
    assertEquals(translator.event(json({ type: "x" })) + translator.end(), "");
  }
});
