/**
 * Stop sequences, where the surface has none.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { CompletionCollector } from "../lib/enrich/completion.ts";
import { missingStops, StopEncoder } from "../lib/enrich/stop.ts";
import { BridgeError } from "../lib/errors.ts";
import type { JsonObject } from "../lib/json.ts";
import { testBridge } from "./helpers/bridge.ts";
import { randomFromEnvironment } from "./helpers/random.ts";
import { scriptedAnswer, type Step } from "./helpers/scripted_answer.ts";

function chunk(delta: JsonObject, finish_reason: string | null = null, index = 0): JsonObject {
  return { id: "x", model: "m", created: 1, choices: [{ index, delta, finish_reason }] };
}

/** What a client has at the end of some chunks. */
function collect(chunks: readonly JsonObject[], stops: readonly string[]): JsonObject[] {
  const collector = new CompletionCollector();
  const encoder = new StopEncoder(collector, stops);
  for (const one of chunks) encoder.chunk(one);
  encoder.end();
  return collector.completion().choices as JsonObject[];
}

Deno.test("missingStops() names what the client asked for and the surface isn't told", () => {
  assertEquals(missingStops({ stop: "END" }, {}), ["END"]);
  assertEquals(missingStops({ stop: ["a", "", 1, "b"] }, { model: "m" }), ["a", "b"]);
  assertEquals(missingStops({ stop: ["a"] }, { stop: ["a"] }), []);
  assertEquals(missingStops({ stop: ["a"] }, { stop_sequences: ["a"] }), []);
  assertEquals(missingStops({ stop: "a" }, { generationConfig: { stopSequences: ["a"] } }), []);
  assertEquals(missingStops({}, {}), []);
});

/** Text → stop sequences → what is left of the text, and the sequence that ended it. */
const CASES:
  readonly (readonly [text: string, stops: readonly string[], left: string, by?: string])[] = [
    ["one END two", ["END"], "one ", "END"],
    ["one EN", ["END"], "one EN"],
    ["ababac", ["abac"], "ab", "abac"],
    ["aaab", ["aab"], "a", "aab"],
    ["x</a></b>", ["</b>", "</a>"], "x", "</a>"],
    ["abc", ["bc", "b"], "a", "b"],
    ["abcd", ["abcx", "c"], "ab", "c"],
    ["abc", ["bc", "c"], "a", "bc"],
    ["END", ["END"], "", "END"],
    ["nothing", ["END", "\n\n"], "nothing"],
    ["a\n\nb", ["\n\n"], "a", "\n\n"],
    ["the 🦕 walks 🦕", ["🦕"], "the ", "🦕"],
  ];

for (const [text, stops, left, by] of CASES) {
  Deno.test(`StopEncoder ends ${JSON.stringify(text)} at ${JSON.stringify(stops)}, however it is cut`, () => {
    for (let at = 0; at <= text.length; at++) {
      for (let next = at; next <= text.length; next++) {
        const pieces = [text.slice(0, at), text.slice(at, next), text.slice(next)];
        const [choice] = collect(
          [...pieces.map((content) => chunk({ content })), chunk({}, "stop")],
          stops,
        );
        assertEquals((choice.message as JsonObject).content ?? "", left, JSON.stringify(pieces));
        assertEquals(choice.finish_reason, "stop");
        assertEquals(choice.stop_reason, by);
      }
    }
  });
}

Deno.test("StopEncoder finds in any cut what is in the whole text", () => {
  const random = randomFromEnvironment("stop sequences");
  for (let round = 0; round < 2_000; round++) {
    const letters = (length: number) =>
      Array.from({ length }, () => random.pick(["a", "b", "c"])).join("");
    const text = letters(random.integer(0, 30));
    const stops = Array.from({ length: random.integer(1, 3) }, () => letters(random.integer(1, 4)));
    const [[, first]] = [
      ...stops.map((stop) => [text.indexOf(stop) + stop.length, text.indexOf(stop)])
        .filter(([, at]) => at !== -1).sort(([a, x], [b, y]) => a - b || x - y),
      [0, text.length],
    ];
    const chunks: JsonObject[] = [];
    for (let at = 0; at < text.length;) {
      const length = random.integer(1, 5);
      chunks.push(chunk({ content: text.slice(at, at + length) }));
      at += length;
    }
    const [choice] = collect([...chunks, chunk({}, "stop")], stops);
    assertEquals(
      (choice.message as JsonObject).content ?? "",
      text.slice(0, first),
      `${text} ${stops}`,
    );
  }
});

Deno.test("StopEncoder keeps the text of each choice apart", () => {
  const choices = collect([
    chunk({ content: "a E" }, null, 0),
    chunk({ content: "ND b" }, null, 1),
    chunk({ content: "ND c" }, null, 0),
    chunk({}, "length", 1),
    chunk({}, "length", 0),
  ], ["END"]);
  assertEquals(choices.map(({ message }) => (message as JsonObject).content), ["a ", "ND b"]);
  assertEquals(choices.map(({ finish_reason }) => finish_reason), ["stop", "length"]);
});

Deno.test("StopEncoder hands on what it held back before a call, an error and the end", () => {
  const call = { index: 0, id: "c", type: "function", function: { name: "f", arguments: "{}" } };
  const [choice] = collect(
    [chunk({ content: "see E" }), chunk({ tool_calls: [call] }), chunk({}, "tool_calls")],
    ["END"],
  );
  const message = choice.message as JsonObject;
  assertEquals([message.content, choice.finish_reason], ["see E", "tool_calls"]);
  const seen: unknown[] = [];
  const encoder = new StopEncoder({
    heartbeat: "",
    chunk: ({ choices }) => {
      seen.push((choices as JsonObject[])[0].delta);
      return "";
    },
    end: () => "",
    error: () => "error",
  }, ["END"]);
  encoder.chunk(chunk({ content: "left E" }));
  assertEquals(encoder.error(new BridgeError("interrupted", "broke off")), "error");
  assertEquals(seen, [{ content: "left " }, { content: "E" }]);
});

Deno.test("StopEncoder drops calls behind the sequence", () => {
  const call = { index: 0, id: "c", type: "function", function: { name: "f", arguments: "{}" } };
  const [choice] = collect(
    [chunk({ content: "a END" }), chunk({ tool_calls: [call] }), chunk({}, "tool_calls")],
    ["END"],
  );
  assertEquals((choice.message as JsonObject).tool_calls, undefined);
  assertEquals([choice.finish_reason, choice.stop_reason], ["stop", "END"]);
});

Deno.test("StopEncoder ends an answer well that breaks off behind its stop sequence", () => {
  const error = new BridgeError("interrupted", "broke off");
  const run = (...chunks: JsonObject[]) => {
    const collector = new CompletionCollector();
    let ended = "";
    const encoder = new StopEncoder({
      heartbeat: "",
      chunk: (one) => collector.chunk(one),
      end: () => ended = "end",
      error: () => ended = "error",
    }, ["END"]);
    for (const one of chunks) encoder.chunk(one);
    encoder.error(error);
    return { ended, choices: collector.completion().choices as JsonObject[] };
  };
  const broken = run(chunk({ content: "a END b" }));
  assertEquals(broken.ended, "end");
  assertEquals([broken.choices[0].finish_reason, broken.choices[0].stop_reason], ["stop", "END"]);
  assertEquals(run(chunk({ content: "a END b" }), chunk({}, "stop")).ended, "end");
  assertEquals(
    run(chunk({ content: "a END" }, null, 0), chunk({ content: "b" }, null, 1)).ended,
    "error",
  );
  assertEquals(run(chunk({ content: "a EN" })).ended, "error");
  assertEquals(run().ended, "error");
});

const STEPS: readonly Step[] = [
  { do: "text", text: "one EN" },
  { do: "text", text: "D two" },
  { do: "finish", reason: "stop" },
  { do: "done" },
];

const messages = [{ role: "user", content: "Count" }];

for (
  const [model, surface] of [
    ["databricks-gpt-oss-120b", "mlflow"],
    ["databricks-gpt-5-5-codex", "openai"],
  ]
) {
  const bridge = () =>
    testBridge({
      models: { models: [{ id: model, endpoint: surface }] },
      gateway: (request) => scriptedAnswer(new URL(request.url).pathname, STEPS),
    });
  Deno.test(`POST /messages ends ${model}'s text at a stop sequence and names it`, async () => {
    const { post, requests } = bridge();
    const body = { model, max_tokens: 100, messages, stop_sequences: ["END"] };
    const answer = await (await post("/v1/messages", body)).json();
    assertEquals(answer.content, [{ type: "text", text: "one " }]);
    assertEquals([answer.stop_reason, answer.stop_sequence], ["stop_sequence", "END"]);
    assertEquals(answer.usage.output_tokens, 5);
    assertEquals(requests[0].body?.stop, undefined);
  });
}

Deno.test("POST /chat/completions ends gpt-oss's stream at a stop sequence", async () => {
  const { post } = testBridge({
    gateway: (request) => scriptedAnswer(new URL(request.url).pathname, STEPS),
  });
  const body = { model: "databricks-gpt-oss-120b", messages, stream: true, stop: "END" };
  const text = await (await post("/chat/completions", body)).text();
  const said = [...text.matchAll(/"content":"([^"]*)"/g)].map(([, content]) => content).join("");
  assertEquals(said, "one ", text);
  assertEquals(text.includes('"finish_reason":"stop"'), true);
  assertEquals(text.endsWith("data: [DONE]\n\n"), true);
});
