import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import OpenAI from "openai";
import type { DialectContext } from "../lib/dialects/dialect.ts";
import { responsesClient, ResponsesNormalizer } from "../lib/dialects/responses/mod.ts";
import { BridgeError } from "../lib/errors.ts";
import type { JsonObject } from "../lib/json.ts";
import { assertStrictResponses } from "./helpers/strict_responses.ts";

/** What the openai package makes of a stream, through a server that sends just that. */
async function read(text: string) {
  await using server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    async (request) => {
      await request.body?.cancel();
      return new Response(text, { headers: { "content-type": "text/event-stream" } });
    },
  );
  const baseURL = `http://127.0.0.1:${server.addr.port}/v1`;
  const client = new OpenAI({ apiKey: "x", baseURL, maxRetries: 0 });
  const tools = [{
    type: "function" as const,
    name: "read",
    strict: false,
    parameters: { type: "object", properties: {} },
  }];
  const stream = client.responses.stream({ model: "m", input: "x", tools });
  return await stream.finalResponse();
}

function contextOf(request: JsonObject = { model: "m" }): DialectContext {
  let made = 0;
  return {
    model: "m",
    created: 1790000000,
    makeId: (prefix) => `${prefix}made_${made++}`,
    request,
  };
}

const FOLDER = new URL("./fixtures/responses/", import.meta.url);

Deno.test("the openai package's responses.stream() reads whatever the normalizer writes", async () => {
  for (
    const { name } of [...Deno.readDirSync(FOLDER)].toSorted((a, b) => a.name < b.name ? -1 : 1)
  ) {
    if (!/^(normalize|stream)_/.test(name)) continue;
    const { events, request } = JSON.parse(Deno.readTextFileSync(new URL(name, FOLDER)));
    const normalizer = new ResponsesNormalizer(contextOf(request));
    const text = events.map((value: JsonObject) => normalizer.event({ type: "json", value }))
      .join("") + normalizer.end();
    const strict = assertStrictResponses(text);
    if (strict.end === "failed") {
      const error = await assertRejects(() => read(text), Error, undefined, name);
      assertStringIncludes((error as Error).message, strict.error!.message);
      continue;
    }
    const response = await read(text);
    assertEquals(response.status, strict.end, name);
    assertEquals(
      response.output.map(({ type }: { type: string }) => type),
      strict.items.map(({ type }) => type),
      name,
    );
  }
});

const delta = (delta: JsonObject, finish_reason: string | null = null) => ({
  id: "c",
  created: 1790000000,
  choices: [{ index: 0, delta, finish_reason }],
});

Deno.test("the openai package's responses.stream() reads what the encoder writes", async () => {
  const encoder = responsesClient.encoder(contextOf());
  const text = [
    delta({ role: "assistant", reasoning_content: "I think." }),
    delta({ content: "I read " }),
    delta({ content: "two files. 🚀" }),
    ...[0, 1].map((index) =>
      delta({
        tool_calls: [{
          index,
          id: `call_${index}`,
          type: "function",
          function: { name: "read", arguments: `{"file":${index}}` },
        }],
      })
    ),
    delta({}, "tool_calls"),
  ].map((chunk) => encoder.chunk(chunk)).join("") + encoder.end();
  const response = await read(text);
  assertEquals(response.output_text, "I read two files. 🚀");
  assertEquals(
    response.output.flatMap((item: { type: string; arguments?: unknown }) =>
      item.type === "function_call" ? [item.arguments] : []
    ),
    ['{"file":0}', '{"file":1}'],
  );
});

Deno.test("the openai package throws the words of a failure", async () => {
  const encoder = responsesClient.encoder(contextOf());
  const text = encoder.chunk(delta({ content: "Half" })) +
    encoder.error(new BridgeError("gateway", "It broke in the middle.", { status: 503 }));
  const error = await assertRejects(() => read(text), OpenAI.APIError);
  assertStringIncludes((error as Error).message, "It broke in the middle.");
});
