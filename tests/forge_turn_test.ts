/**
 * Turns of ForgeCode through the bridge: what a broken answer costs, and what comes of it. The table of
 * `docs/forgecode.md` is made here; `FD_BRIDGE_WRITE_DOCS=1` writes it anew.
 *
 * @module
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { testBridge } from "./helpers/bridge.ts";
import { RETRIED_CODES, RETRIED_STATUSES } from "./helpers/forge_reader.ts";
import { type ForgeDialect, type ForgeTurn, playTurn } from "./helpers/forge_turn.ts";
import { scriptedAnswer, type Step } from "./helpers/scripted_answer.ts";

const TEXT: Step = { do: "text", text: "Half of an answer" };
const THINK: Step = { do: "think", text: "Let me think" };
const DONE: Step = { do: "done" };
const BREAK: Step = { do: "break" };
const finish = (reason: string | null): Step => ({ do: "finish", reason });

/** A whole call, in pieces. */
const call = (key: number, name = "write", id = `call_abcdefgh${key}`): Step[] => [
  { do: "call", key, name, id },
  { do: "arguments", key, text: '{"path":"a.txt",' },
  { do: "arguments", key, text: `"content":"whole ${key}"}` },
];

/** The same call, cut in the middle of its arguments. */
const CUT_CALL: Step[] = call(0).slice(0, 2).concat({
  do: "arguments",
  key: 0,
  text: '"content":"half',
});

const GOOD: Step[] = [TEXT, finish("stop"), DONE];

type Outcome = ForgeTurn["outcome"];

/** What the gateway does, and what may come of it. */
interface Scenario {
  readonly name: string;
  /** The answer to a request by its number, from 1. */
  readonly answer: (number: number) => readonly Step[] | Response;
  /** Requests of a client that makes no needless ones. */
  readonly ideal: number;
  /** The most requests that may reach the gateway. @default {ideal + 2} */
  readonly most?: number;
  /** How many tools may run. @default {0} */
  readonly runs?: number;
  /** How it must end; where it is another end over Responses, the second one. @default {"error"} */
  readonly outcome?: Outcome | readonly [chat: Outcome, responses: Outcome];
  /** Whether the gateway answers only after the first heartbeat. */
  readonly slow?: boolean;
  /** What the user must be told; of a response that is incomplete, ForgeCode tells the reason alone. */
  readonly words?: string;
}

const refusal = (status: number) =>
  Response.json({ error_code: "X", message: `Refused with ${status}.` }, { status });

const always = (...steps: Step[]) => () => steps;

const SCENARIOS: readonly Scenario[] = [
  { name: "a good answer", answer: always(...GOOD), ideal: 1, outcome: "done" },
  {
    name: "a call, then a good answer",
    answer: (at) => at === 1 ? [...call(0), finish("tool_calls"), DONE] : GOOD,
    ideal: 2,
    runs: 1,
    outcome: "done",
  },
  {
    name: "parallel calls whose fragments alternate",
    answer: (at) => {
      const [one, two] = [call(0), call(1)];
      const mixed = one.flatMap((step, index) => [step, two[index]]);
      return at === 1 ? [...mixed, finish("tool_calls"), DONE] : GOOD;
    },
    ideal: 2,
    runs: 2,
    outcome: "done",
  },
  { name: "text, then the end of the body", answer: always(TEXT), ideal: 1, words: "cut off" },
  { name: "text, then a broken connection", answer: always(TEXT, BREAK), ideal: 1 },
  {
    name: "text, then the end of the body, in the middle of an event",
    answer: always(TEXT, { do: "raw", text: 'data: {"choices":[{"del' }),
    ideal: 1,
  },
  { name: "an empty body", answer: always(), ideal: 1 },
  { name: "a broken connection at once", answer: always(BREAK), ideal: 1 },
  {
    name: "`length` after text, every time",
    answer: always(TEXT, finish("length"), DONE),
    ideal: 1,
    most: 9,
    words: "raise",
  },
  {
    name: "`length` after reasoning alone, every time",
    answer: always(THINK, finish("length"), DONE),
    ideal: 1,
    words: "thought until its tokens ran out",
  },
  {
    name: "`stop` without a word, every time",
    answer: always(finish("stop"), DONE),
    ideal: 1,
    outcome: ["done", "error"],
  },
  {
    name: "reasoning alone, then `stop`, every time",
    answer: always(THINK, finish("stop"), DONE),
    ideal: 1,
    outcome: ["done", "error"],
  },
  {
    name: "`content_filter` after text",
    answer: always(TEXT, finish("content_filter"), DONE),
    ideal: 1,
    outcome: ["refusal", "error"],
  },
  {
    name: "`tool_calls` without calls, every time",
    answer: always(TEXT, finish("tool_calls"), DONE),
    ideal: 1,
    outcome: "done",
  },
  {
    name: "a reason that nobody knows",
    answer: always(TEXT, finish("STOP"), DONE),
    ideal: 1,
    outcome: "done",
  },
  {
    name: "a call without a name",
    answer: (at) => at === 1 ? [...call(0, ""), finish("tool_calls"), DONE] : GOOD,
    ideal: 2,
    runs: 1,
    outcome: "done",
  },
  ...[
    ["`length`", finish("length"), DONE],
    ["[DONE] without a reason", DONE],
    ["`tool_calls`", finish("tool_calls"), DONE],
    ["`stop`", finish("stop"), DONE],
    ["the end of the body"],
    ["a broken connection", BREAK],
  ].map(([how, ...steps]): Scenario => ({
    name: `a call that is cut, then ${how}`,
    answer: always(...CUT_CALL, ...steps as Step[]),
    ideal: 1,
  })),
  ...[...RETRIED_CODES, "rate_limit_exceeded", 429, 500, 503, 529].map((code): Scenario => ({
    name: `an error with code ${code} after text`,
    answer: always(TEXT, { do: "error", error: { message: "It broke.", code } }),
    ideal: 1,
    words: "It broke.",
  })),
  {
    name: "an empty error object after text",
    answer: always(TEXT, { do: "error", error: {} }),
    ideal: 1,
  },
  ...[429, 503].map((status): Scenario => ({
    name: `status ${status} once, then a good answer`,
    answer: (at) => at === 1 ? refusal(status) : GOOD,
    ideal: 2,
    outcome: "done",
  })),
  ...[429, 503].map((status): Scenario => ({
    name: `status ${status} once, after the first heartbeat, then a good answer`,
    answer: (at) => at === 1 ? refusal(status) : GOOD,
    slow: true,
    ideal: 2,
    outcome: "done",
  })),
  {
    name: "an error with code 503 in the stream before text, once",
    answer: (at) => at === 1 ? [{ do: "error", error: { message: "Busy.", code: "503" } }] : GOOD,
    ideal: 2,
    outcome: "done",
  },
  ...[...RETRIED_STATUSES].map((status): Scenario => ({
    name: `status ${status}, every time`,
    answer: () => refusal(status),
    // The client's own nine tries; the bridge adds none.
    ideal: 9,
    most: 9,
  })),
  ...[400, 401, 403, 404, 413, 422].map((status): Scenario => ({
    name: `status ${status}`,
    answer: () => refusal(status),
    ideal: 1,
  })),
];

/** The kinds of providers and surfaces that a turn is played over. */
const ROADS: readonly { readonly name: string; dialect: ForgeDialect; model: string }[] = [
  { name: "chat, from mlflow", dialect: "chat", model: "databricks-claude-sonnet-5-5" },
  { name: "chat, from cursor", dialect: "chat", model: "databricks-gpt-6-sol" },
  { name: "Responses, from mlflow", dialect: "responses", model: "databricks-claude-sonnet-5-5" },
  { name: "Responses, from openai", dialect: "responses", model: "databricks-gpt-6-sol" },
  { name: "Messages, from anthropic", dialect: "messages", model: "databricks-claude-sonnet-5-5" },
  { name: "Messages, from mlflow", dialect: "messages", model: "databricks-kimi-k3" },
];

const OUTCOMES: Readonly<Record<ForgeTurn["outcome"], string>> = {
  done: "the answer",
  refusal: "a refusal",
  error: "an error",
  runaway: "runs on",
  empty: "nothing",
};

const cells = new Map<string, string>();

for (const scenario of SCENARIOS) {
  for (const { name: road, dialect, model } of ROADS) {
    Deno.test(`a turn of ForgeCode over ${road}: ${scenario.name}`, async () => {
      const { answer, ideal, most = ideal + 2, runs = 0, outcome = "error", words, slow } =
        scenario;
      const { post, requests } = testBridge({
        flags: slow ? ["--heartbeat", "1ms"] : [],
        async gateway(request, number) {
          if (slow) await new Promise((resolve) => setTimeout(resolve, 20));
          const given = answer(number);
          return given instanceof Response
            ? given
            : scriptedAnswer(new URL(request.url).pathname, given);
        },
      });
      const turn = await playTurn(
        (path, body, headers) => post(path, body, { headers }),
        dialect,
        model,
      );
      const told = `${turn.requests} of the client, ${requests.length} at the gateway, ` +
        `${turn.outcome}: ${turn.message}`;
      cells.set(
        `${scenario.name}\n${road}`,
        `${requests.length}, ${OUTCOMES[turn.outcome]}`,
      );
      assert(requests.length <= most, `more than ${most} requests: ${told}`);
      for (const { name, arguments: text } of turn.ran) {
        // A tool that runs does what the model has finished writing.
        const { content } = JSON.parse(text);
        assertStringIncludes(content, "whole", name);
      }
      assertEquals(turn.ran.length, runs, told);
      const expected = typeof outcome === "string"
        ? outcome
        : outcome[dialect === "responses" ? 1 : 0];
      assertEquals(turn.outcome, expected, told);
      if (words && !turn.message.startsWith("incomplete")) {
        assertStringIncludes(turn.message, words, told);
      }
      assertEquals(new Set(turn.texts).size <= 1 && turn.texts.length <= Math.max(1, most), true);
    });
  }
}

const DOCUMENT = new URL("../docs/forgecode.md", import.meta.url);

Deno.test("docs/forgecode.md has the table of what was played", async () => {
  if (cells.size < SCENARIOS.length * ROADS.length) return;
  const table = [
    ["what the gateway does", ...ROADS.map(({ name }) => name)],
    ["---", ...ROADS.map(() => "---")],
    ...SCENARIOS.map(({ name }) => [
      name,
      ...ROADS.map(({ name: road }) => cells.get(`${name}\n${road}`)!),
    ]),
  ].map((row) => row.join(" | "));
  const document = await Deno.readTextFile(DOCUMENT);
  const before = /^[^]*<!-- turns -->\n\n/.exec(document)![0];
  const after = /\n\n<!-- \/turns -->[^]*$/.exec(document)![0];
  const rows = (text: string) =>
    text.split("\n").map((line) =>
      line.split("|").map((cell) => cell.trim()).filter(Boolean).join(" | ").replace(
        /-{3,}/g,
        "---",
      )
    );
  if (Deno.env.get("FD_BRIDGE_WRITE_DOCS")) {
    await Deno.writeTextFile(
      DOCUMENT,
      before + table.map((row) => `| ${row} |`).join("\n") + after,
    );
  } else {
    assertEquals(rows(document.slice(before.length, -after.length)), table);
  }
});
