/**
 * Every dialect of a client's with every dialect of a surface's, streamed and whole. What must come of a
 * scenario is written once.
 *
 * @module
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { testBridge } from "./helpers/bridge.ts";
import {
  DIALECT_CLIENTS,
  type DialectClient,
  type Question,
  type Understood,
} from "./helpers/dialect_clients.ts";
import { scriptedAnswer, type Step } from "./helpers/scripted_answer.ts";

/** Surface → a part of its path. */
const SURFACES: Readonly<Record<string, string>> = {
  mlflow: "/mlflow/v1/chat/completions",
  openai: "/openai/v1/responses",
  anthropic: "/anthropic/v1/messages",
  gemini: "/gemini/v1beta/models/some-model:",
};

const MODEL = "some-model";
const IMAGE = "aW1hZ2U=";
const SCHEMA = {
  type: "object",
  properties: { colour_of_the_sky: { type: "string" } },
  required: ["colour_of_the_sky"],
};

const DONE: Step = { do: "done" };
const finish = (reason: string): Step => ({ do: "finish", reason });
const text = (words: string): Step => ({ do: "text", text: words });
const call = (key: number, path: string): Step[] => [
  { do: "call", key, name: "look", id: `call_abcdefgh${key}` },
  { do: "arguments", key, text: '{"path":' },
  { do: "arguments", key, text: `"${path}"}` },
];

/** What is asked, what the gateway answers, and what the client must understand. */
interface Scenario {
  readonly name: string;
  readonly question: Question;
  readonly steps: readonly Step[];
  readonly expected: Partial<Omit<Understood, "turn" | "error">>;
  /** What the gateway must be told, whatever its words. */
  readonly told?: readonly string[];
  /** What an error must say. */
  readonly error?: string;
  /** Surfaces on which it can't happen, with the reason. */
  readonly not?: Readonly<Record<string, string>>;
}

const SCENARIOS: readonly Scenario[] = [
  {
    name: "text",
    question: { text: "Say hello" },
    steps: [text("Hello, "), text("wörld 🚀"), finish("stop"), DONE],
    expected: { text: "Hello, wörld 🚀", calls: [], end: "stop" },
    told: ["Say hello"],
  },
  {
    name: "a tool",
    question: { text: "Look", tools: true },
    steps: [text("I look."), ...call(0, "a.txt"), finish("tool_calls"), DONE],
    expected: {
      text: "I look.",
      calls: [{ name: "look", arguments: { path: "a.txt" } }],
      end: "tool_calls",
    },
    told: ["look", "Looks at a file", "path"],
  },
  {
    name: "parallel tools",
    question: { text: "Look twice", tools: true },
    steps: [...call(0, "a.txt"), ...call(1, "b.txt"), finish("tool_calls"), DONE],
    expected: {
      calls: [
        { name: "look", arguments: { path: "a.txt" } },
        { name: "look", arguments: { path: "b.txt" } },
      ],
      end: "tool_calls",
    },
  },
  {
    name: "an image",
    question: { text: "What is it?", image: IMAGE },
    steps: [text("A cat."), finish("stop"), DONE],
    expected: { text: "A cat.", end: "stop" },
    told: ["What is it?", IMAGE],
  },
  {
    name: "structured output",
    question: { text: "The sky?", schema: SCHEMA },
    steps: [text('{"colour_of_the_sky":"blue"}'), finish("stop"), DONE],
    expected: { text: '{"colour_of_the_sky":"blue"}', end: "stop" },
    told: ["colour_of_the_sky"],
  },
  {
    name: "an answer that is cut for its length",
    question: { text: "A novel" },
    steps: [text("Once upon"), finish("length"), DONE],
    expected: { text: "Once upon", end: "length" },
  },
  {
    name: "a filtered answer",
    question: { text: "Something bad" },
    steps: [text("I"), finish("content_filter"), DONE],
    expected: { end: "refusal" },
  },
  {
    name: "a stream that is cut",
    question: { text: "Hello" },
    steps: [text("Half an ans")],
    expected: { end: "error" },
    error: "cut off",
  },
  {
    name: "a stream whose connection breaks",
    question: { text: "Hello" },
    steps: [text("Half an ans"), { do: "break" }],
    expected: { end: "error" },
  },
  {
    name: "a call that is cut",
    question: { text: "Look", tools: true },
    steps: [...call(0, "a.txt").slice(0, 2), finish("length"), DONE],
    expected: { calls: [], end: "error" },
    not: { gemini: "Google sends whole calls alone" },
  },
  {
    name: "an error in the middle",
    question: { text: "Hello" },
    steps: [text("Half"), { do: "error", error: { message: "It broke." } }],
    expected: { end: "error" },
    error: "It broke.",
  },
];

/** A bridge whose only way to the model is one surface. */
function bridgeTo(surface: string, answer: (path: string, number: number) => Response) {
  return testBridge({
    flags: ["--retries", "0"],
    models: { models: [{ id: MODEL, endpoint: surface }], endpoints: { cursor: null } },
    gateway: (request, number) => answer(new URL(request.url).pathname, number),
  });
}

async function ask(
  { post }: ReturnType<typeof bridgeTo>,
  client: DialectClient,
  stream: boolean,
  question: Question,
): Promise<Understood> {
  const path = client.path(MODEL, stream);
  const response = await post(path, client.body(MODEL, stream, question));
  const said = await response.text();
  if (stream && response.status === 200) return client.readStream(said);
  return client.readWhole(JSON.parse(said), response.status);
}

for (const client of DIALECT_CLIENTS) {
  for (const [surface, path] of Object.entries(SURFACES)) {
    for (const stream of [true, false]) {
      const way = `${client.dialect} by ${surface}, ${stream ? "streamed" : "whole"}`;

      for (const { name, question, steps, expected, told = [], error, not } of SCENARIOS) {
        if (not && surface in not) continue;
        Deno.test(`${way}: ${name}`, async () => {
          const bridge = bridgeTo(surface, (path) => scriptedAnswer(path, steps));
          const understood = await ask(bridge, client, stream, question);
          const shown = JSON.stringify(understood);
          for (const [field, value] of Object.entries(expected)) {
            assertEquals(understood[field as keyof Understood], value, shown);
          }
          if (error) assertStringIncludes(understood.error, error, shown);
          const [request] = bridge.requests;
          assert(request.path.startsWith(path), request.path);
          for (const words of told) assertStringIncludes(request.text, words);
          assertEquals(bridge.requests.length, 1);
        });
      }

      Deno.test(`${way}: reasoning and a tool over two turns`, async () => {
        const bridge = bridgeTo(surface, (path, number) =>
          scriptedAnswer(
            path,
            number === 1
              ? [
                { do: "think", text: "I must look." },
                ...call(0, "a.txt"),
                finish("tool_calls"),
                DONE,
              ]
              : [text("It says hi."), finish("stop"), DONE],
          ));
        const question = { text: "What does it say?", tools: true };
        const first = await ask(bridge, client, stream, question);
        assertEquals(first.thinking, "I must look.");
        assertEquals(first.end, "tool_calls");
        const earlier = { turn: first.turn, results: ["the result is hi"] };
        const last = await ask(bridge, client, stream, { ...question, earlier });
        assertEquals([last.text, last.end], ["It says hi.", "stop"]);
        const { text: sent } = bridge.requests[1];
        for (const words of ["What does it say?", "look", "a.txt", "the result is hi"]) {
          assertStringIncludes(sent, words);
        }
      });

      Deno.test(`${way}: an error before the answer`, async () => {
        const bridge = bridgeTo(
          surface,
          () =>
            Response.json({ error_code: "BAD_REQUEST", message: "You may not." }, { status: 403 }),
        );
        const understood = await ask(bridge, client, stream, { text: "Hello" });
        assertEquals(understood.end, "error");
        assertStringIncludes(understood.error, "You may not.");
        assertEquals(bridge.requests.length, 1);
      });
    }
  }
}
