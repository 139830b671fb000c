import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { CompletionCollector } from "../lib/enrich/completion.ts";
import { ChunkEnricher } from "../lib/enrich/chunks.ts";
import type { JsonObject } from "../lib/json.ts";
import type { SseEvent } from "../lib/dialects/dialect.ts";
import { decoderFor } from "../lib/dialects/registry.ts";
import { SseParser } from "../lib/enrich/sse_parser.ts";
import { completionFixtures, streamFixtures } from "./helpers/fixtures.ts";

/** What comes of events as one answer; an error's words where they end in one. */
function complete(events: readonly SseEvent[], end = false): JsonObject {
  let made = 0;
  const makeId = (prefix: string) => `${prefix}${++made}`;
  const context = { model: "asked", created: 9, makeId };
  const enricher = new ChunkEnricher({ ...context, decoder: decoderFor(context) });
  const builder = new CompletionCollector();
  const add = (chunks: JsonObject[]) => {
    if (enricher.ending?.type !== "failed") chunks.forEach((chunk) => builder.chunk(chunk));
  };
  for (const event of events) add(enricher.event(event));
  if (end) add(enricher.end());
  if (enricher.ending?.type === "failed") return { error: enricher.ending.error.message };
  return builder.completion();
}

interface Choice {
  index: number;
  message: JsonObject & {
    tool_calls?: { id: string; function: { name: string; arguments: string } }[];
  };
  finish_reason: string;
}

for (const { name, body, expected } of completionFixtures()) {
  Deno.test(`CompletionCollector repairs a whole answer: ${name}`, () => {
    const answer = complete([{ type: "json", value: body }, { type: "done" }]);
    if (expected.end === "error") {
      assertStringIncludes(String(answer.error), expected.errorIncludes ?? "");
      return;
    }
    assertEquals([answer.object, answer.model], ["chat.completion", "asked"]);
    assert(typeof answer.id === "string" && Number.isInteger(answer.created));
    const [{ message, finish_reason }] = answer.choices as Choice[];
    assertEquals(message.role, "assistant");
    assertEquals(message.content ?? "", expected.content);
    if (expected.reasoning !== undefined) {
      assertEquals(message.reasoning_content, expected.reasoning);
    }
    assertEquals(finish_reason, expected.finishReason);
    if (expected.usage) {
      const { prompt_tokens, completion_tokens, total_tokens } = answer.usage as JsonObject;
      assertEquals({ prompt_tokens, completion_tokens, total_tokens }, expected.usage as never);
    }
    for (const [at, call] of (expected.toolCalls ?? []).entries()) {
      const given = message.tool_calls![at];
      assertEquals(given.function.name, call.name);
      assertEquals(JSON.parse(given.function.arguments), JSON.parse(call.arguments));
    }
    assertEquals(message.tool_calls?.length ?? 0, expected.toolCalls?.length ?? 0);
  });
}

for (const { name, bytes, expected } of streamFixtures()) {
  Deno.test(`CompletionCollector makes one answer of the stream ${name}`, () => {
    const parser = new SseParser();
    const lines = new TextDecoder().decode(bytes).split(/\r\n|\r|\n/);
    const events = [...lines.flatMap((line) => parser.line(line)), ...parser.end()];
    const answer = complete(events, true);
    if (expected.end === "error") {
      assertStringIncludes(String(answer.error), expected.errorIncludes ?? "");
      return;
    }
    const [{ message, finish_reason }] = answer.choices as Choice[];
    const plain = (text: unknown) => String(text ?? "").replace(/[\ud800-\udfff\ufffd]/g, "");
    assertEquals(
      expected.lossy ? plain(message.content) : message.content ?? "",
      expected.lossy ? plain(expected.content) : expected.content,
    );
    assertEquals(finish_reason, expected.finishReason);
    const calls = message.tool_calls ?? [];
    assertEquals(
      calls.map(({ function: { name } }) => name),
      expected.toolCalls?.map((call) => call.name) ?? [],
    );
    for (const [at, call] of calls.entries()) {
      assert(!("index" in call), "an index is a stream's");
      const wanted = expected.toolCalls![at].arguments || "{}";
      assertEquals(JSON.parse(call.function.arguments), JSON.parse(wanted));
    }
  });
}

Deno.test("CompletionCollector keeps several choices in their order", () => {
  const base = { id: "x", object: "chat.completion.chunk", created: 1, model: "m" };
  const builder = new CompletionCollector();
  for (
    const [index, content, finish_reason] of [[1, "b", null], [0, "a", "stop"], [1, "c", "length"]]
  ) {
    builder.chunk({ ...base, choices: [{ index, delta: { content }, finish_reason }] });
  }
  const choices = builder.completion().choices as Choice[];
  assertEquals(
    choices.map(({ index, message, finish_reason }) => [index, message.content, finish_reason]),
    [
      [0, "a", "stop"],
      [1, "bc", "length"],
    ],
  );
});
