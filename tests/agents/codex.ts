/**
 * Runs the real Codex against the Responses encoder and normalizer: three tool turns of a model that speaks
 * chat completions, a call of a tool in a namespace, and every way in which a stream can break. Needs npm,
 * and is no part of the gate:
 *
 *     npm i --prefix FOLDER @openai/codex@0.169.0
 *     deno run -A --no-lock --import-map=scripts/standins/import_map.json tests/agents/codex.ts FOLDER
 *
 * @module
 */

import { BridgeError } from "../../lib/errors.ts";
import { responsesClient, responsesSurface } from "../../lib/dialects/responses/mod.ts";
import type { DialectContext } from "../../lib/dialects/dialect.ts";
import type { JsonObject } from "../../lib/json.ts";
import { assertStrictResponses } from "../helpers/strict_responses.ts";

/** What is answered to one request, and what must come of the prompt. */
interface Scenario {
  readonly name: string;
  /** The stream for the request of this number, from 0. */
  readonly answer: (body: JsonObject, turn: number, context: DialectContext) => string;
  /** How many requests Codex may send. */
  readonly requests: number;
  /** What Codex must print, or leave in its folder. */
  readonly check: (output: string, folder: string, bodies: JsonObject[]) => string;
}

const delta = (delta: JsonObject, finish: string | null = null, usage?: JsonObject) => ({
  id: "chatcmpl-1",
  object: "chat.completion.chunk",
  created: 1790000000,
  model: "m",
  choices: [{ index: 0, delta, finish_reason: finish }],
  ...(usage === undefined ? {} : { usage }),
});

const USAGE = { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 };

function encode(context: DialectContext, chunks: JsonObject[], error?: BridgeError): string {
  const encoder = responsesClient.encoder(context);
  const text = chunks.map((chunk) => encoder.chunk(chunk)).join("");
  return text + (error === undefined ? encoder.end() : encoder.error(error));
}

function shell(context: DialectContext, cmd: string, id: string, fields: JsonObject = {}): string {
  const text = JSON.stringify({ cmd });
  const cut = Math.floor(text.length / 2);
  return encode(context, [
    delta({ role: "assistant", reasoning_content: "I look at " }),
    delta({ reasoning_content: "the files." }),
    delta({ reasoning_details: [{ type: "reasoning.text", text: "", signature: `sig_${id}` }] }),
    delta({
      tool_calls: [{
        index: 0,
        id,
        type: "function",
        function: { name: "exec_command", arguments: "" },
        ...fields,
      }],
    }),
    delta({ tool_calls: [{ index: 0, function: { arguments: text.slice(0, cut) } }] }),
    delta({ tool_calls: [{ index: 0, function: { arguments: text.slice(cut) } }] }),
    delta({}, "tool_calls", USAGE),
  ]);
}

function say(context: DialectContext, text: string): string {
  return encode(context, [delta({ role: "assistant", content: text }), delta({}, "stop", USAGE)]);
}

function normalize(context: DialectContext, events: JsonObject[]): string {
  const normalizer = responsesSurface.normalizer(context);
  return events.map((value) => normalizer.event({ type: "json", value })).join("") +
    normalizer.end();
}

const created = { type: "response.created", response: { id: "resp_1" } };

const SCENARIOS: Scenario[] = [
  {
    name: "three tool turns with reasoning",
    requests: 4,
    answer: (body, turn, context) => {
      if (turn > 0) responsesClient.decodeRequest(body, context);
      return turn < 3
        ? shell(context, `echo line${turn} >> made.txt`, `call_aaaaaaaa${turn}`)
        : say(context, "All three lines are written.");
    },
    check: (output, folder, bodies) => {
      const file = Deno.readTextFileSync(`${folder}/made.txt`);
      if (file !== "line0\nline1\nline2\n") return `made.txt is ${JSON.stringify(file)}`;
      const chat = responsesClient.decodeRequest(bodies[3], contextOf(bodies[3]));
      const turns = (chat.messages as JsonObject[]).filter(({ role }) => role === "assistant");
      const signed = turns.map(({ reasoning_details: details }) =>
        (details as JsonObject[] | undefined)?.[0]?.signature
      );
      if (signed.join() !== "sig_call_aaaaaaaa0,sig_call_aaaaaaaa1,sig_call_aaaaaaaa2") {
        return `signatures that came back: ${signed}`;
      }
      return output.includes("All three lines are written.") ? "" : "no last words";
    },
  },
  {
    name: "parallel calls",
    requests: 2,
    answer: (_body, turn, context) => {
      const call = (index: number) => {
        const text = JSON.stringify({ cmd: `echo p${index} >> p${index}.txt` });
        const id = `call_parallel_${index}`;
        return delta({
          tool_calls: [{
            index,
            id,
            type: "function",
            function: { name: "exec_command", arguments: text },
          }],
        });
      };
      return turn === 0
        ? encode(context, [call(0), call(1), delta({}, "tool_calls", USAGE)])
        : say(context, "Both.");
    },
    check: (_output, folder) =>
      [0, 1].map((at) => Deno.readTextFileSync(`${folder}/p${at}.txt`)).join("") === "p0\np1\n"
        ? ""
        : "not both ran",
  },
  {
    name: "a tool in a namespace",
    requests: 2,
    answer: (_body, turn, context) =>
      turn === 0
        ? encode(context, [
          delta({
            tool_calls: [{
              index: 0,
              id: "call_namespace_1",
              type: "function",
              function: { name: "multi_agent_v1__close_agent", arguments: '{"target":"x"}' },
            }],
          }),
          delta({}, "tool_calls", USAGE),
        ])
        : say(context, "Closed."),
    check: (_output, _folder, bodies) => {
      const items = bodies[1].input as JsonObject[];
      const call = items.find(({ type }) => type === "function_call");
      const result = items.find(({ type }) => type === "function_call_output");
      if (`${result?.output}`.includes("unsupported call")) return `${result?.output}`;
      return call?.namespace === "multi_agent_v1" && call.name === "close_agent"
        ? ""
        : JSON.stringify(call);
    },
  },
  {
    name: "an error before content is asked again, as Codex has it",
    requests: 6,
    answer: (_body, _turn, context) =>
      encode(context, [], new BridgeError("gateway", "Busy now.", { status: 503 })),
    check: (output) => output.includes("Busy now.") ? "" : "the words are not shown",
  },
  {
    name: "an error after content is shown, and asked once",
    requests: 1,
    answer: (_body, _turn, context) =>
      encode(
        context,
        [delta({ role: "assistant", content: "Half an ans" })],
        new BridgeError("gateway", "It broke in the middle.", { status: 503 }),
      ),
    check: (output) => output.includes("It broke in the middle.") ? "" : "the words are not shown",
  },
  {
    name: "a cut call is not run, and asked once",
    requests: 1,
    answer: (_body, _turn, context) =>
      encode(context, [
        delta({
          tool_calls: [{
            index: 0,
            id: "call_cut_1",
            type: "function",
            function: { name: "exec_command", arguments: '{"cmd":"echo half >> half.txt' },
          }],
        }),
        delta({}, "length", USAGE),
      ]),
    check: (output, folder) => {
      if ([...Deno.readDirSync(folder)].some(({ name }) => name === "half.txt")) return "it ran";
      return output.includes("max_output_tokens") ? "" : "the words are not shown";
    },
  },
  {
    name: "a Responses stream that is cut, asked once",
    requests: 1,
    answer: (_body, _turn, context) =>
      normalize(context, [
        created,
        { type: "response.output_text.delta", item_id: "m", delta: "Half" },
      ]),
    check: (output) => output.includes("broke off") ? "" : "the words are not shown",
  },
  {
    name: "a Responses stream without numbers and usage details",
    requests: 1,
    answer: (_body, _turn, context) =>
      normalize(context, [
        created,
        { type: "response.output_text.delta", item_id: "m", delta: "It is fine." },
        { trace_id: "tr-1" },
        {
          type: "response.completed",
          response: { id: "resp_1", usage: { input_tokens: 3, output_tokens: 2, total_tokens: 5 } },
        },
      ]),
    check: (output) => output.includes("It is fine.") ? "" : "no answer",
  },
];

function contextOf(request: JsonObject): DialectContext {
  return {
    model: `${request.model}`,
    created: 1790000000,
    makeId: (prefix) => prefix + crypto.randomUUID().replaceAll("-", ""),
    request,
  };
}

async function run(scenario: Scenario, packages: string): Promise<string> {
  const folder = await Deno.makeTempDir();
  const home = await Deno.makeTempDir();
  const bodies: JsonObject[] = [];
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    async (request) => {
      const body = await request.json();
      bodies.push(body);
      try {
        responsesClient.parseRequest(body, "");
        const text = scenario.answer(body, bodies.length - 1, contextOf(body));
        assertStrictResponses(text);
        return new Response(text, { headers: { "content-type": "text/event-stream" } });
      } catch (error) {
        console.error(error);
        return new Response(`${error}`, { status: 400 });
      }
    },
  );
  try {
    const { port } = server.addr;
    await Deno.writeTextFile(
      `${home}/config.toml`,
      `model = "databricks-claude-sonnet-5-5"\nmodel_provider = "fd"\n[model_providers.fd]\nname = "fd"\n` +
        `base_url = "http://127.0.0.1:${port}/v1"\nenv_key = "FD_KEY"\nwire_api = "responses"\n`,
    );
    const codex = new Deno.Command("node", {
      args: [
        `${packages}/node_modules/@openai/codex/bin/codex.js`,
        "exec",
        "--skip-git-repo-check",
        "--dangerously-bypass-approvals-and-sandbox",
        "Do it.",
      ],
      cwd: folder,
      env: { CODEX_HOME: home, FD_KEY: "x" },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
      signal: AbortSignal.timeout(90_000),
    });
    const { stdout, stderr } = await codex.output();
    const decoder = new TextDecoder();
    const output = decoder.decode(stdout) + decoder.decode(stderr);
    if (bodies.length !== scenario.requests) {
      return `${bodies.length} requests, expected ${scenario.requests}\n${output}`;
    }
    const wrong = scenario.check(output, folder, bodies);
    return wrong === "" ? "" : `${wrong}\n${output}`;
  } finally {
    await server.shutdown();
    await Promise.all([folder, home].map((path) => Deno.remove(path, { recursive: true })));
  }
}

if (import.meta.main) {
  const [packages] = Deno.args;
  if (packages === undefined) {
    console.error("Name the folder where npm has put @openai/codex.");
    Deno.exit(2);
  }
  let failures = 0;
  for (const scenario of SCENARIOS) {
    const wrong = await run(scenario, packages);
    if (wrong !== "") failures++;
    console.log(`${wrong === "" ? "ok" : "FAILED"}  ${scenario.name}${wrong && `: ${wrong}`}`);
  }
  Deno.exit(failures === 0 ? 0 : 1);
}
