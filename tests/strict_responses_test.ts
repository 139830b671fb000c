import { assertEquals, assertThrows } from "@std/assert";
import type { DialectContext } from "../lib/dialects/dialect.ts";
import { responsesClient } from "../lib/dialects/responses/mod.ts";
import { BridgeError } from "../lib/errors.ts";
import type { JsonObject } from "../lib/json.ts";
import { assertStrictResponses } from "./helpers/strict_responses.ts";

const context: DialectContext = {
  model: "m",
  created: 1790000000,
  makeId: (prefix) => prefix + crypto.randomUUID(),
  request: {},
};

function stream(error?: BridgeError): JsonObject[] {
  const encoder = responsesClient.encoder(context);
  const delta = (delta: JsonObject, finish_reason: string | null = null) => ({
    created: 1790000000,
    choices: [{ index: 0, delta, finish_reason }],
    usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 },
  });
  const call = (index: number, text: string) => ({
    tool_calls: [{ index, id: `call_${index}`, function: { name: "f", arguments: text } }],
  });
  const text = [
    delta({ reasoning_content: "Hm." }),
    delta({ content: "Hi " }),
    delta({ content: "there" }),
    delta(call(0, '{"a":1}')),
    delta(call(1, "{}")),
    delta({}, "tool_calls"),
  ].map((chunk) => encoder.chunk(chunk)).join("") +
    (error === undefined ? encoder.end() : encoder.error(error));
  return text.split("\n\n").slice(0, -1).map((event) => JSON.parse(event.split("\ndata: ")[1]));
}

function write(events: JsonObject[], renumber = true): string {
  return events.map((event, at) => {
    const numbered = renumber ? { ...event, sequence_number: at } : event;
    return `event: ${event.type}\ndata: ${JSON.stringify(numbered)}\n\n`;
  }).join("");
}

Deno.test("assertStrictResponses() misses no event that is lost, said twice or moved", () => {
  for (const events of [stream(), stream(new BridgeError("interrupted", "Cut."))]) {
    assertEquals(assertStrictResponses(write(events)).events.length, events.length);
    const closed = events.findLastIndex(({ type }) => type === "response.output_item.done");
    for (const [at, event] of events.entries()) {
      // To be told once less, or twice, is no fault of what only says that the response goes on.
      if (event.type === "response.in_progress") continue;
      // Nobody knows what an item that was cut off would have said.
      if (at > closed && event.item_id !== undefined) continue;
      const name = `${at} ${event.type}`;
      const without = events.filter((_, other) => other !== at);
      assertThrows(() => assertStrictResponses(write(without)), Error, undefined, `${name} lost`);
      const twice = events.toSpliced(at, 0, event);
      assertThrows(() => assertStrictResponses(write(twice)), Error, undefined, `${name} twice`);
      if (at < 2) continue;
      const first = [...events.slice(0, 2), event, ...without.slice(2)];
      if (at > 2) {
        assertThrows(() => assertStrictResponses(write(first)), Error, undefined, `${name} moved`);
      }
    }
  }
});

Deno.test("assertStrictResponses() misses no field of the contract", () => {
  const events = stream();
  const needed = [
    "sequence_number",
    "item_id",
    "output_index",
    "content_index",
    "summary_index",
    "response",
    "item",
    "part",
    "delta",
    "text",
    "arguments",
    "logprobs",
  ];
  let count = 0;
  for (const [at, event] of events.entries()) {
    for (const name of needed) {
      if (!(name in event)) continue;
      const { [name]: _value, ...rest } = event;
      const broken = events.with(at, rest);
      assertThrows(
        () => assertStrictResponses(write(broken, false)),
        Error,
        undefined,
        `${event.type} without ${name}`,
      );
      count++;
    }
  }
  assertEquals(count > 80, true);
  for (
    const [field, value] of [
      ["usage", { input_tokens: 1, output_tokens: 1, total_tokens: 2 }],
      ["output", []],
      ["status", "failed"],
      ["id", "another"],
    ] as const
  ) {
    const last = events.at(-1)!;
    const response = { ...(last.response as JsonObject), [field]: value };
    const broken = events.with(-1, { ...last, response });
    assertThrows(() => assertStrictResponses(write(broken)), Error, undefined, field);
  }
});
