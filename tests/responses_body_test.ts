import { assertEquals } from "@std/assert";
import { decodeBody, isResponsesBody } from "../lib/dialects/responses/mod.ts";
import type { JsonObject } from "../lib/json.ts";
import { ToolCallCache } from "../lib/adapt/tool_call_cache.ts";

const FIXTURES = new URL("./fixtures/responses/", import.meta.url);

for (
  const { name } of [...Deno.readDirSync(FIXTURES)].toSorted((a, b) => a.name < b.name ? -1 : 1)
) {
  if (!name.startsWith("body_")) continue;
  const fixture: { about: string; body: JsonObject; expected: JsonObject } = JSON.parse(
    Deno.readTextFileSync(new URL(name, FIXTURES)),
  );
  Deno.test(`decodeBody() translates ${name}: ${fixture.about}`, () => {
    assertEquals(decodeBody(fixture.body), fixture.expected);
  });
}

Deno.test("decodeBody() remembers encrypted reasoning under the calls that follow it", () => {
  const memory = new ToolCallCache();
  decodeBody({
    object: "response",
    output: [
      { type: "reasoning", id: "rs_1", encrypted_content: "e", status: "completed", content: [] },
      { type: "function_call", call_id: "call_aaaaaaaa", name: "f", arguments: "{}" },
    ],
  }, { memory });
  assertEquals(memory.get("call_aaaaaaaa")?.items, [
    { type: "reasoning", id: "rs_1", summary: [], encrypted_content: "e" },
  ]);
});

Deno.test("decodeBody() makes a completion even of an empty answer", () => {
  assertEquals(decodeBody({}), {
    object: "chat.completion",
    choices: [{ index: 0, message: { role: "assistant", content: "" }, finish_reason: "stop" }],
  });
});

Deno.test("isResponsesBody() knows a response from a completion", () => {
  assertEquals(isResponsesBody({ object: "response" }), true);
  assertEquals(isResponsesBody({ object: "chat.completion", choices: [] }), false);
  assertEquals(isResponsesBody({ error: { message: "no" } }), false);
});
