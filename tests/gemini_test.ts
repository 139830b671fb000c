import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { JsonObject } from "../lib/json.ts";
import { testBridge } from "./helpers/bridge.ts";
import { randomFromEnvironment } from "./helpers/random.ts";

const GEMINI = "databricks-gemini-3-8-flash";
const KIMI = "databricks-kimi-k3";

const USAGE = {
  usageMetadata: { promptTokenCount: 5, candidatesTokenCount: 2, totalTokenCount: 7 },
};

const HELLO = { contents: [{ role: "user", parts: [{ text: "Hello" }] }] };

function pathOf(model: string, stream = true): string {
  return `/v1beta/models/${model}:${stream ? "streamGenerateContent?alt=sse" : "generateContent"}`;
}

function candidate(parts: readonly JsonObject[], finishReason?: string): JsonObject {
  return {
    candidates: [{
      content: { role: "model", parts },
      index: 0,
      ...finishReason === undefined ? {} : { finishReason },
    }],
    ...finishReason === undefined ? {} : USAGE,
  };
}

function eventText(event: unknown): string {
  return `data: ${typeof event === "string" ? event : JSON.stringify(event)}\n\n`;
}

function streamOf(events: readonly unknown[]): Response {
  const headers = { "content-type": "text/event-stream" };
  return new Response(events.map(eventText).join(""), { headers });
}

interface Told {
  readonly candidates?: readonly {
    readonly content?: { readonly parts: readonly JsonObject[] };
    readonly finishReason?: string;
  }[];
  readonly error?: { readonly message: string };
  readonly promptFeedback?: JsonObject;
}

/** The events of a stream, as Google's SDK splits it: anything but `data:` lines would break it. */
function read(text: string): Told[] {
  return text.split("\n\n").map((event) => event.trim()).filter((event) => event !== "")
    .map((event) => {
      assert(event.startsWith("data: "), event);
      return JSON.parse(event.slice("data: ".length));
    });
}

function textIn(events: readonly Told[]): string {
  return events.flatMap(({ candidates = [] }) => candidates[0]?.content?.parts ?? [])
    .map(({ text }) => text ?? "").join("");
}

function reasonsIn(events: readonly Told[]): (string | undefined)[] {
  return events.map(({ candidates = [] }) => candidates[0]?.finishReason)
    .filter((reason) => reason !== undefined);
}

/** What a client is told where the gateway's own Gemini surface sends these events. */
async function told(events: readonly unknown[], model = GEMINI): Promise<Told[]> {
  const { post } = testBridge({ flags: ["--retries", "0"], gateway: () => streamOf(events) });
  return read(await (await post(pathOf(model), HELLO)).text());
}

Deno.test("a Gemini stream tells an error that stands in an array", async () => {
  const error = { code: 503, message: "It broke.", status: "UNAVAILABLE" };
  const events = await told([candidate([{ text: "Half" }]), [{ error }]]);
  assertEquals(events.at(-1)?.error?.message, "It broke.");
  assertEquals(textIn(events), "Half[It broke.]");
  assertEquals(reasonsIn(events), ["OTHER"]);
});

Deno.test("a Gemini stream tells an error that stands beside a candidate", async () => {
  const error = { code: 500, message: "It broke.", status: "INTERNAL" };
  const events = await told([
    candidate([{ text: "Half" }]),
    { ...candidate([{ text: " an answer" }]), error },
  ]);
  assertEquals(events.at(-1)?.error?.message, "It broke.");
  assertEquals(textIn(events), "Half an answer[It broke.]");
  assertEquals(reasonsIn(events), ["OTHER"]);
});

Deno.test("a Gemini answer that is complete stays so, whatever broken piece follows", async () => {
  const events = await told([candidate([{ text: "Done." }], "STOP"), '{"candi']);
  assertEquals(textIn(events), "Done.");
  assertEquals(reasonsIn(events), ["STOP"]);
});

Deno.test("a blocked prompt ends with a finish reason and words", async () => {
  const blocked = { promptFeedback: { blockReason: "PROHIBITED_CONTENT" }, ...USAGE };
  const events = await told([blocked]);
  assertEquals(events[0].promptFeedback, blocked.promptFeedback);
  assertEquals(reasonsIn(events), ["PROHIBITED_CONTENT"]);
  assertStringIncludes(textIn(events), "PROHIBITED_CONTENT");

  const { post } = testBridge({ gateway: () => Response.json(blocked) });
  const whole = await (await post(pathOf(GEMINI, false), HELLO)).json();
  assertEquals(reasonsIn([whole]), ["PROHIBITED_CONTENT"]);
  assertStringIncludes(textIn([whole]), "PROHIBITED_CONTENT");
});

/** Reason of Google's → OpenAI's, for answers that end before they have said anything. */
const EMPTY: readonly (readonly [google: string, openai: string])[] = [
  ["SAFETY", "content_filter"],
  ["MAX_TOKENS", "length"],
];

for (const [google, openai] of EMPTY) {
  Deno.test(`an answer without content that ends with ${google} says so in words, once`, async () => {
    const chat = [{ choices: [{ index: 0, delta: {}, finish_reason: openai }] }, "[DONE]"];
    for (
      const events of [await told([candidate([], google)]), await told(chat, KIMI)]
    ) {
      assertEquals(reasonsIn(events), [google]);
      assertStringIncludes(textIn(events), google);
    }
    const spoken = await told([candidate([{ text: "Once" }]), candidate([], google)]);
    assertEquals(textIn(spoken), "Once");
  });
}

/** A conversation with a call that has Google's own signature. */
function signed(signature: string): JsonObject {
  const functionCall = { id: "call_1", name: "look", args: { path: "a" } };
  const functionResponse = { id: "call_1", name: "look", response: { output: "hi" } };
  return {
    contents: [
      ...HELLO.contents,
      { role: "model", parts: [{ functionCall, thoughtSignature: signature }] },
      { role: "user", parts: [{ functionResponse }] },
    ],
  };
}

Deno.test("Google's signatures go back to Gemini verbatim, and to no other family", async () => {
  const signature = "Cp4BVGhvdWdodE1hZGVVcA==";
  const models: readonly (readonly [model: string, kept: boolean])[] = [
    [GEMINI, true],
    ["our-own-endpoint", true],
    [KIMI, false],
    ["databricks-claude-sonnet-5-5", false],
    ["databricks-gpt-5", false],
    ["databricks-meta-llama-3-3-70b-instruct", false],
  ];
  for (const [model, kept] of models) {
    const { post, requests } = testBridge({
      models: { models: [{ id: model, endpoint: "mlflow" }] },
      gateway: () => streamOf([candidate([{ text: "Hi" }], "STOP")]),
    });
    await (await post(pathOf(model), signed(signature))).text();
    assertEquals(requests.length, 1, model);
    for (const { text } of requests) assertEquals(text.includes(signature), kept, model);
  }
});

const STREAM = [
  candidate([{ text: "I must look.", thought: true }]),
  candidate([{ text: "I look" }]),
  candidate([{ text: ", wörld 🚀." }]),
  candidate([{
    functionCall: { id: "call_1", name: "look", args: { path: "a" } },
    thoughtSignature: "c2ln",
  }]),
  candidate([{ text: "" }], "STOP"),
];

Deno.test("a Gemini stream passes as it came", async () => {
  const events = await told(STREAM);
  assertEquals<unknown>(events, STREAM.map((event) => ({ ...event, modelVersion: GEMINI })));
});

Deno.test("a Gemini stream that is cut at an event ends with an error, by either way", async () => {
  const chat = ["I ", "look", "."].map((content) => ({
    choices: [{ index: 0, delta: { content }, finish_reason: null }],
  }));
  for (const [events, model] of [[STREAM.slice(0, -1), GEMINI], [chat, KIMI]] as const) {
    for (let length = 0; length <= events.length; length++) {
      const got = await told(events.slice(0, length), model);
      const last = got.at(-1);
      assert(last?.error !== undefined, `${model}, ${length} events`);
      assertEquals(reasonsIn(got), ["OTHER"]);
      assertStringIncludes(textIn([last]), last.error.message);
    }
  }
});

Deno.test("a Gemini stream that is cut at any byte never ends well, and no error repeats it", async () => {
  const random = randomFromEnvironment("cuts of Gemini streams");
  const secret = "must look";
  const bytes = new TextEncoder().encode(STREAM.map(eventText).join(""));
  const before = new TextEncoder().encode(STREAM.slice(0, -1).map(eventText).join("")).length;
  for (let round = 0; round < 100; round++) {
    const at = random.integer(0, before);
    const { post, log } = testBridge({
      flags: ["--retries", "0"],
      gateway: () =>
        new Response(bytes.slice(0, at), { headers: { "content-type": "text/event-stream" } }),
    });
    const got = read(await (await post(pathOf(GEMINI), HELLO)).text());
    assertEquals(reasonsIn(got), ["OTHER"], `seed ${random.seed}, cut at ${at}`);
    const error = got.at(-1)?.error?.message ?? "";
    assert(error !== "", `seed ${random.seed}, cut at ${at}`);
    assert(!(error + log()).includes(secret), `seed ${random.seed}, cut at ${at}: ${error}`);
  }
});

Deno.test("a gateway without the Gemini surface is asked on mlflow, and that is remembered", async () => {
  const { post, requests } = testBridge({
    flags: ["--retries", "0"],
    gateway: (request) =>
      new URL(request.url).pathname.startsWith("/gemini/")
        ? Response.json({ error_code: "ENDPOINT_NOT_FOUND", message: "not enabled" }, {
          status: 404,
        })
        : streamOf([
          { choices: [{ index: 0, delta: { content: "Hi" }, finish_reason: "stop" }] },
          "[DONE]",
        ]),
  });
  for (let time = 0; time < 2; time++) {
    const events = read(await (await post(pathOf(GEMINI), HELLO)).text());
    assertEquals([textIn(events), reasonsIn(events)], ["Hi", ["STOP"]]);
  }
  assertEquals(requests.map(({ path }) => path.split("/")[1]), ["gemini", "mlflow", "mlflow"]);
});

Deno.test("a Gemini request may be written with underscores, as Google's own examples are", async () => {
  const { post, requests } = testBridge({
    gateway: () => Response.json({ error_code: "BAD_REQUEST", message: "x" }, { status: 404 }),
  });
  await post(pathOf(KIMI, false), {
    system_instruction: { parts: [{ text: "SYS" }] },
    generation_config: { max_output_tokens: 5, top_p: 0.5 },
    tools: [{
      function_declarations: [{ name: "a_b", parameters: { properties: { x_y: {} } } }],
    }],
    contents: [
      { role: "user", parts: [{ inline_data: { mime_type: "image/png", data: "AA==" } }] },
      { role: "model", parts: [{ function_call: { name: "a_b", args: { x_y: 1 } } }] },
      { role: "user", parts: [{ function_response: { name: "a_b", response: { c_d: 1 } } }] },
    ],
  });
  const { messages, tools, max_tokens, top_p } = requests[0].body as Record<string, JsonObject[]>;
  assertEquals([max_tokens, top_p], [5, 0.5] as unknown[]);
  assertEquals(messages[0], { role: "system", content: "SYS" });
  const text = JSON.stringify([messages, tools]);
  for (const words of ["data:image/png;base64,AA==", "x_y", "c_d", '"a_b"']) {
    assertStringIncludes(text, words);
  }
});

Deno.test("a Gemini request that allows two functions offers no third", async () => {
  const { post, requests } = testBridge({
    gateway: () => Response.json({ error_code: "BAD_REQUEST", message: "x" }, { status: 404 }),
  });
  await post(pathOf(KIMI, false), {
    ...HELLO,
    tools: [{ functionDeclarations: ["a", "b", "c"].map((name) => ({ name })) }],
    toolConfig: { functionCallingConfig: { mode: "ANY", allowedFunctionNames: ["a", "b"] } },
  });
  const { tools, tool_choice } = requests[0].body as Record<string, unknown>;
  const names = (tools as { function: { name: string } }[]).map(({ function: { name } }) => name);
  assertEquals([names, tool_choice], [["a", "b"], "required"]);
});

Deno.test("POST generateContent hands every setting of the answer on that its model's surface knows", async () => {
  const generationConfig = {
    temperature: 0.5,
    topP: 0.9,
    topK: 64,
    seed: 7,
    presencePenalty: 0.1,
    frequencyPenalty: 0.2,
    stopSequences: ["END"],
    maxOutputTokens: 100,
  };
  const { post, requests } = testBridge();
  await (await post(pathOf(KIMI, false), { ...HELLO, generationConfig })).json();
  const { temperature, top_p, seed, presence_penalty, frequency_penalty, stop, max_tokens } =
    requests[0].body!;
  assertEquals(
    { temperature, top_p, seed, presence_penalty, frequency_penalty, stop, max_tokens },
    {
      temperature: 0.5,
      top_p: 0.9,
      seed: 7,
      presence_penalty: 0.1,
      frequency_penalty: 0.2,
      stop: ["END"],
      max_tokens: 100,
    },
  );
});
