import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { BridgeError } from "../lib/errors.ts";
import { chatClient } from "../lib/dialects/chat/mod.ts";
import type { RequestSummary } from "../lib/dialects/dialect.ts";
import { responsesClient } from "../lib/dialects/responses/mod.ts";
import { parseBody, readText } from "../lib/request.ts";
import { FORGE_REQUESTS } from "./helpers/requests.ts";

/** Reads and checks a request, of the Responses API where it has `input` alone. */
function readAsk(text: string): RequestSummary & { body: Record<string, unknown> } {
  const body = parseBody(text);
  const client = body.input !== undefined && !("messages" in body) ? responsesClient : chatClient;
  return { body, ...client.parseRequest(body, "") };
}

const chat = (more: Record<string, unknown>) =>
  JSON.stringify({ model: "m", messages: [{ role: "user", content: "hi" }], ...more });
const message = (value: unknown) => JSON.stringify({ model: "m", messages: [value] });

/** Bad body → the field that the error names, and its code. */
const BAD: readonly (readonly [string, string, string | null, string])[] = [
  ["nothing", "", null, "invalid_json"],
  ["blanks", " \n", null, "invalid_json"],
  ["text", "hello", null, "invalid_json"],
  ["cut JSON", '{"model":"m","messages":[', null, "invalid_json"],
  ["two bodies", "{}{}", null, "invalid_json"],
  ["an array", "[]", null, "invalid_type"],
  ["null", "null", null, "invalid_type"],
  ["a number", "1", null, "invalid_type"],
  ["a string", '"x"', null, "invalid_type"],
  ["100,000 brackets without an end", "[".repeat(100_000), null, "invalid_json"],
  ["100,000 arrays", "[".repeat(100_000) + "]".repeat(100_000), null, "too_deep"],
  [
    "100,000 objects in a message",
    `{"model":"m","messages":[{"role":"user","content":"x","a":${'{"a":'.repeat(100_000)}1${
      "}".repeat(100_000)
    }}]}`,
    null,
    "too_deep",
  ],
  ["no model", '{"messages":[]}', "model", "missing_field"],
  ["a number for a model", chat({ model: 1 }), "model", "invalid_type"],
  ["an empty model", chat({ model: " " }), "model", "invalid_type"],
  ["no messages", '{"model":"m"}', "messages", "missing_field"],
  ["null messages", chat({ messages: null }), "messages", "invalid_type"],
  ["messages in an object", chat({ messages: {} }), "messages", "invalid_type"],
  ["messages in a string", chat({ messages: "hi" }), "messages", "invalid_type"],
  ["empty messages", chat({ messages: [] }), "messages", "request"],
  ["a message in a string", message("hi"), "messages[0]", "invalid_type"],
  ["a null message", message(null), "messages[0]", "invalid_type"],
  ["a message without a role", message({ content: "x" }), "messages[0].role", "request"],
  ["an unknown role", message({ role: "wizard" }), "messages[0].role", "request"],
  ["a number for a role", message({ role: 1 }), "messages[0].role", "request"],
  [
    "a number for content",
    message({ role: "user", content: 1 }),
    "messages[0].content",
    "invalid_type",
  ],
  [
    "an object for content",
    message({ role: "user", content: {} }),
    "messages[0].content",
    "invalid_type",
  ],
  [
    "strings in content",
    message({ role: "user", content: ["hi"] }),
    "messages[0].content",
    "invalid_type",
  ],
  [
    "tool calls in an object",
    message({ role: "assistant", tool_calls: {} }),
    "messages[0].tool_calls",
    "invalid_type",
  ],
  [
    "a number for tool_call_id",
    message({ role: "tool", content: "x", tool_call_id: 1 }),
    "messages[0].tool_call_id",
    "invalid_type",
  ],
  ["a string for stream", chat({ stream: "true" }), "stream", "invalid_type"],
  ["tools in an object", chat({ tools: {} }), "tools", "invalid_type"],
  ["tools of strings", chat({ tools: ["x"] }), "tools", "invalid_type"],
  ["a number for tool_choice", chat({ tool_choice: 1 }), "tool_choice", "invalid_type"],
  [
    "a string for response_format",
    chat({ response_format: "json" }),
    "response_format",
    "invalid_type",
  ],
  ["a string for max_tokens", chat({ max_tokens: "20" }), "max_tokens", "invalid_type"],
  ["max_tokens of 0", chat({ max_tokens: 0 }), "max_tokens", "invalid_type"],
  ["half a token", chat({ max_completion_tokens: 1.5 }), "max_completion_tokens", "invalid_type"],
  ["a string for temperature", chat({ temperature: "hot" }), "temperature", "invalid_type"],
  ["a string for top_p", chat({ top_p: "1" }), "top_p", "invalid_type"],
  ["n of 0", chat({ n: 0 }), "n", "invalid_type"],
  [
    "a string for stream_options",
    chat({ stream_options: "usage" }),
    "stream_options",
    "invalid_type",
  ],
  ["a number for input", '{"model":"m","input":1}', "input", "invalid_type"],
];

for (const [name, body, param, code] of BAD) {
  Deno.test(`parseRequest() refuses ${name} and names ${param ?? "no field"}`, () => {
    const error = assertThrows(() => readAsk(body), BridgeError);
    assertEquals([error.status, error.param, error.code], [400, param, code]);
    assertEquals(error.toBody().error.type, "invalid_request_error");
  });
}

for (const [name, make] of Object.entries(FORGE_REQUESTS)) {
  Deno.test(`parseRequest() takes ForgeCode's ${name}`, () => {
    const body = make("databricks-glm-5-2");
    const ask = readAsk(JSON.stringify(body));
    assertEquals(ask, { body, model: "databricks-glm-5-2", stream: true });
  });
}

Deno.test("parseRequest() lets fields pass that it doesn't know, and null for those that it does", () => {
  const { body } = readAsk(chat({ new_field: [1], temperature: null, tools: null, stream: null }));
  assertEquals(body.new_field, [1]);
});

/** A request whose body is handed over in pieces, and the count of those that were taken. */
function inPieces(sizes: readonly number[], headers: Record<string, string> = {}) {
  let taken = 0;
  const body = new ReadableStream<Uint8Array<ArrayBuffer>>({
    pull(controller) {
      if (taken === sizes.length) return controller.close();
      controller.enqueue(new Uint8Array(sizes[taken++]).fill(65));
    },
  }, { highWaterMark: 0 });
  const request = new Request("http://localhost/", { method: "POST", body, headers });
  return { request, taken: () => taken };
}

Deno.test("readText() refuses a body by its length without reading any of it", async () => {
  const { request, taken } = inPieces([10, 10], { "content-length": "101" });
  const error = await assertRejects(() => readText(request, 100), BridgeError, "--max-body");
  assertEquals([error.status, taken()], [413, 0]);
});

Deno.test("readText() stops a body without a length where it becomes too long", async () => {
  const { request, taken } = inPieces(Array.from({ length: 100 }, () => 40));
  const error = await assertRejects(() => readText(request, 100), BridgeError);
  assertEquals(error.status, 413);
  assert(taken() <= 4, `${taken()} pieces were read, expected the three that are too much`);
});

Deno.test("readText() is not taken in by a small length beside chunks", async () => {
  const { request, taken } = inPieces(Array.from({ length: 100 }, () => 40), {
    "content-length": "10",
    "transfer-encoding": "chunked",
  });
  const error = await assertRejects(() => readText(request, 100), BridgeError);
  assertEquals(error.status, 413);
  assert(taken() <= 4, `${taken()} pieces were read`);
});

Deno.test("readText() takes a body of just the size, with and without its length", async () => {
  for (const headers of [{}, { "content-length": "100" }]) {
    const { request } = inPieces([40, 60], headers as Record<string, string>);
    assertEquals((await readText(request, 100)).length, 100);
  }
});

Deno.test("readText() refuses bytes that are no UTF-8", async () => {
  for (const bytes of [[0xff], [0xc3], [0xe2, 0x82], [0xed, 0xa0, 0x80], [0xc0, 0x80]]) {
    const request = new Request("http://localhost/", {
      method: "POST",
      body: new Uint8Array(bytes),
    });
    const error = await assertRejects(() => readText(request, 100), BridgeError, "UTF-8");
    assertEquals([error.status, error.code], [400, "invalid_utf8"]);
  }
});

Deno.test("readText() tells a body that breaks off", async () => {
  const body = new ReadableStream({
    pull: (controller) => controller.error(new Error("connection reset")),
  });
  const request = new Request("http://localhost/", { method: "POST", body });
  const error = await assertRejects(() => readText(request, 100), BridgeError, "broke off");
  assertEquals(error.status, 400);
});
