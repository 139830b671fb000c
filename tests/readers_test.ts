import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { BridgeError } from "../lib/errors.ts";
import { isJson, lateEvents, readEvents, readJson } from "../lib/readers.ts";
import type { EventReader } from "../lib/sse.ts";

async function types(reader: EventReader): Promise<string> {
  const found: string[] = [];
  for (let batch = await reader.read(); batch; batch = await reader.read()) {
    found.push(...batch.map(({ type }) => type));
  }
  return found.join();
}

function answer(text: string, type: string): Response {
  return new Response(text, { headers: { "content-type": type } });
}

const STREAM = 'data: {"choices":[]}\n\ndata: [DONE]\n\n';

Deno.test("readEvents() reads streams, and answers of every kind in a stream's place", async () => {
  const cases: readonly (readonly [Response, string])[] = [
    [answer(STREAM, "text/event-stream"), "json,done"],
    [answer(STREAM, "text/plain"), "json,done"],
    [answer(STREAM, "application/json"), "json,done"],
    [answer(`: comment\n\n${STREAM}`, "application/json"), "json,done"],
    [answer('{"choices":[]}', "application/json; charset=utf-8"), "json,done"],
    [answer('{"error_code":1,\n"message":"x"}', "text/event-stream"), "json"],
    [
      answer('{"object":"response","status":"completed","output":[]}', "application/json"),
      "json,done",
    ],
    [answer("", "text/event-stream"), ""],
    [new Response(null), ""],
  ];
  for (const [response, expected] of cases) {
    assertEquals(await types(readEvents(response)), expected);
  }
});

Deno.test("readEvents() tells a web page from an answer, whatever its status", async () => {
  const page = answer(
    "<html><head><title>Sign in</title></head></html>",
    "text/html; charset=utf-8",
  );
  const error = await assertRejects(() => readEvents(page).read(), BridgeError);
  assertStringIncludes(error.message, 'an HTML page titled "Sign in"');
});

Deno.test("readJson() tells an answer that is none, without the words of half an answer", async () => {
  const half = await assertRejects(
    () => readJson(answer('{"choices": [{"quetzal', "application/json")),
    BridgeError,
  );
  assertEquals(half.kind, "interrupted");
  assertEquals(half.message.includes("quetzal"), false);
  const text = await assertRejects(
    () => readJson(answer("no opaque~secret", "application/json"), ["opaque~secret"]),
    BridgeError,
  );
  assertEquals([text.status, text.message], [502, "no ***"]);
  await assertRejects(
    () => readJson(answer("", "application/json")),
    BridgeError,
    "without a body",
  );
  assertEquals(await readJson(answer('{"a":1}', "application/json")), { a: 1 });
});

Deno.test("lateEvents() reads what comes later, and fails as it does", async () => {
  assertEquals(
    await types(lateEvents(Promise.resolve(readEvents(Response.json({}))))),
    "json,done",
  );
  const failing = lateEvents(Promise.reject(new BridgeError("timeout", "too late")));
  await assertRejects(() => failing.read(), BridgeError, "too late");
  await assertRejects(() => failing.cancel(), BridgeError);
});

Deno.test("isJson() goes by the content type", () => {
  for (const type of ["application/json", "application/problem+json", "Application/JSON;x=y"]) {
    assertEquals(isJson(answer("", type)), true, type);
  }
  for (const type of ["text/event-stream", "application/x-ndjson", "text/plain"]) {
    assertEquals(isJson(answer("", type)), false, type);
  }
});
