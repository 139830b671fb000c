/**
 * Random refusals of random bodies: a grammar of sentences, paths, envelopes and statuses. What a refusal
 * names goes, nothing else, nothing vital, and never in more than five rounds.
 */
import { assert, assertEquals } from "@std/assert";
import { applyAdjustments, MAX_ROUNDS, Negotiator } from "../lib/adapt/negotiator.ts";
import { withoutField } from "../lib/adapt/paths.ts";
import { gatewayError } from "../lib/gateway/errors.ts";
import type { JsonObject } from "../lib/json.ts";
import { parseModels, routeOf } from "../lib/models/catalog.ts";
import { type Random, randomFromEnvironment } from "./helpers/random.ts";

/** Top-level fields that clients send. */
const TOP: JsonObject = {
  temperature: 0.5,
  top_p: 0.9,
  top_k: 40,
  min_p: 0.1,
  seed: 7,
  user: "u-1",
  stop: ["END"],
  logit_bias: { "50256": -100 },
  presence_penalty: 0.1,
  frequency_penalty: 0.2,
  parallel_tool_calls: true,
  prompt_cache_key: "k",
  service_tier: "auto",
  safety_identifier: "x",
  verbosity: "low",
  reasoning_effort: "low",
  client_metadata: { a: "b" },
  context_management: { edits: [] },
  store: false,
  logprobs: true,
  cachePolicy: "none",
  "x-trace": "t",
};

/** Fields below the top: the path that goes → the paths that gateways write for it. */
const NESTED: Readonly<Record<string, readonly string[]>> = {
  "tools[].function.strict": [
    "tools.0.function.strict",
    "tools[0].function.strict",
    "tools.0.custom.strict",
    "/tools/0/function/strict",
    "strict",
  ],
  "messages[].name": ["messages.1.name", "messages[1].name", "$.messages[1].name"],
  "messages[].reasoning_content": [
    "messages.2.reasoning_content",
    "messages[2].reasoning_content",
    "reasoning_content",
  ],
  "messages[].content[].cache_control.scope": [
    "messages.1.content.0.cache_control.scope",
    "system.0.cache_control.ephemeral.scope",
    "messages[1].content[0].cache_control.scope",
  ],
  "messages[].content[].annotations": ["messages.1.content.0.text.annotations", "annotations"],
  "metadata.user_id": ["metadata.user_id", "body.metadata.user_id"],
};

const VITAL = [
  "model",
  "messages",
  "tools",
  "stream",
  "messages[0].role",
  "messages.1.content",
  "previous_response_id",
  "conversation",
  "background",
  "prompt",
  "tools.0.function.name",
];

/** A random body. */
function randomBody(random: Random): JsonObject {
  const body: JsonObject = {
    model: "databricks-m",
    stream: true,
    messages: [
      { role: "system", content: "Be brief. Never say that a seed is not supported." },
      {
        role: "user",
        name: "ada",
        content: [{
          type: "text",
          text: "hi",
          annotations: [],
          cache_control: { type: "ephemeral", scope: "turn" },
        }],
      },
      { role: "assistant", content: "so", reasoning_content: "because" },
      { role: "user", content: "go on" },
    ],
    tools: [{
      type: "function",
      function: {
        name: "seed",
        description: "Plants temperature and user",
        strict: true,
        parameters: {
          type: "object",
          properties: { temperature: { type: "number" }, stop: { type: "string" } },
        },
      },
    }],
    metadata: { user_id: "u", session: "s" },
    previous_response_id: "resp_1",
    conversation: "conv_1",
    background: true,
    prompt: { id: "p" },
  };
  for (const name of Object.keys(TOP)) if (random.chance(0.7)) body[name] = TOP[name];
  if (random.chance(0.3)) body[`invented_${random.integer(0, 99)}`] = { deep: [1] };
  return body;
}

/** A name as refusals write it. */
function quoted(random: Random, name: string): string {
  return random.pick([`'${name}'`, `"${name}"`, `\`${name}\``, `“${name}”`]);
}

/** A sentence that refuses one name; `others` stand in the body, and are only mentioned. */
function sentence(random: Random, name: string, others: readonly string[]): string {
  const q = quoted(random, name);
  const other = random.pick(others);
  const list = others.slice(0, 3).map((one) => `\`${one}\``).join(", ");
  const plain = /^[a-z]+$/.test(name) ? name : q;
  return random.pick([
    `Unsupported parameter: ${q}`,
    `Unsupported parameter: ${q} is not supported with this model.`,
    `BAD_REQUEST: Model us.anthropic.claude-opus-9 does not support the ${plain} parameter.`,
    `Bad request: json: unknown field "${name}"`,
    `${name}: Extra inputs are not permitted`,
    `Unrecognized request argument supplied: ${plain}`,
    `This model doesn't support ${q}.`,
    `Parameter ${q} is not allowed for model 'gpt-5'.`,
    `Invalid JSON payload received. Unknown name ${q}: Cannot find field.`,
    `Got an unexpected keyword argument ${q}`,
    `Field ${q} is not recognized.`,
    `Property ${plain} is not permitted.`,
    `Additional properties are not allowed (${q} was unexpected)`,
    `${name}: property is unsupported`,
    `The request contains the extra field ${q}.`,
    `unknown field ${q}, expected one of ${list}`,
    `${q} is not supported when ${quoted(random, other)} is set`,
    `Unsupported parameter: ${q}. Supported parameters are: ${list}.`,
    `Unknown parameter: ${q}. Did you mean ${quoted(random, other)}?`,
    `1 validation error for Request\n${name}\n  Extra inputs are not permitted [type=extra_forbidden, input_value=1, input_type=int]`,
    `unsupported_parameter: ${q}`,
    `You can't use ${q} with this endpoint.`,
    `Please remove ${q} and try again.`,
    `The argument ${plain} isn't accepted here.`,
    `Key ${q} is unexpected`,
    `${q} was not expected`,
    `The option ${plain} is no longer supported.`,
  ]);
}

/** A sentence that refuses several names at once. */
function sentenceOfAll(
  random: Random,
  names: readonly string[],
  others: readonly string[],
): string {
  const list = names.map((name) => quoted(random, name)).join(", ");
  const last = names.length > 1
    ? `${names.slice(0, -1).map((name) => quoted(random, name)).join(", ")} and ${
      quoted(random, names.at(-1)!)
    }`
    : list;
  return random.pick([
    `Unsupported parameters: ${list}`,
    `Unrecognized request arguments supplied: ${names.join(", ")}`,
    `The parameters ${last} are not supported. Supported parameters are: ${
      others.slice(0, 2).join(", ")
    }.`,
    names.map((name) => `${name}: Extra inputs are not permitted`).join("; "),
    names.map((name) => `${name}: Extra inputs are not permitted`).join("\n"),
    `Unknown fields in the request:\n${names.map((name) => `- ${name}`).join("\n")}`,
    `This model does not support ${last}.`,
    `Additional properties are not allowed (${list} were unexpected)`,
  ]);
}

/** An answer of the gateway's around the words. */
function envelope(random: Random, words: string): string {
  const error = { message: words, type: "invalid_request_error" };
  return random.pick<() => string>([
    () => words,
    () => JSON.stringify({ error_code: "BAD_REQUEST", message: words }),
    () => JSON.stringify({ error }),
    () => JSON.stringify({ type: "error", error }),
    () => JSON.stringify([{ error }]),
    () => JSON.stringify({ detail: words }),
    () => JSON.stringify({ error_code: "BAD_REQUEST", message: JSON.stringify({ error }) }),
    () =>
      JSON.stringify({
        external_model_provider: "p",
        external_model_error: {
          error_code: "BAD_REQUEST",
          message: JSON.stringify({ message: words }),
        },
      }),
    () => `BAD_REQUEST: ${JSON.stringify({ error })}`,
  ])();
}

const CATALOG = parseModels('{"models": []}', "models.json");
const ROUTE = routeOf(CATALOG, "databricks-m", "chat");
const STATUSES = [400, 400, 400, 404, 422, 500, 501];

/** Sends a body to a gateway of words until it is taken, or the refusal is the answer. */
function send(body: JsonObject, refuse: (sent: JsonObject) => string | undefined, status: number) {
  const negotiator = new Negotiator();
  let plan = negotiator.plan(CATALOG, "databricks-m", ROUTE);
  const words: string[] = [];
  for (let rounds = 0;; rounds++) {
    const sent = applyAdjustments(body, plan);
    const answer = refuse(sent);
    if (answer === undefined) return { sent, rounds, words, taken: true };
    words.push(answer);
    const inference = negotiator.infer(plan, gatewayError(status, answer), sent);
    if (inference === undefined) return { sent, rounds, words, taken: false };
    plan = inference.plan;
  }
}

const RUNS = 4000;

Deno.test("infer(): what random refusals name goes, and nothing else, in five rounds at most", () => {
  const random = randomFromEnvironment("refusals");
  for (let run = 0; run < RUNS; run++) {
    const body = randomBody(random);
    const top = random.shuffle(Object.keys(TOP).filter((name) => name in body));
    const paths = random.shuffle([
      ...top.slice(0, 4),
      ...random.shuffle(Object.keys(NESTED)).slice(0, 2),
    ])
      .slice(0, random.integer(1, MAX_ROUNDS));
    const others = top.filter((name) => !paths.includes(name));
    const spelled = new Map(paths.map((path) => [path, random.pick(NESTED[path] ?? [path])]));
    const together = random.chance(0.4);
    const result = send(body, (sent) => {
      const left = paths.filter((path) => withoutField(sent, path) !== sent);
      if (left.length === 0) return undefined;
      const names = left.map((path) => spelled.get(path)!);
      return envelope(
        random,
        together ? sentenceOfAll(random, names, others) : sentence(random, names[0], others),
      );
    }, random.pick(STATUSES));
    const expected = paths.reduce((rest, path) => withoutField(rest, path), body);
    const said = `${JSON.stringify(paths)}\n${result.words.join("\n")}`;
    assert(result.taken, said);
    assertEquals(result.sent, expected, said);
    assert(result.rounds <= MAX_ROUNDS, said);
  }
});

Deno.test("infer(): a random refusal of something vital is the answer, and changes nothing", () => {
  const random = randomFromEnvironment("vital refusals");
  for (let run = 0; run < RUNS; run++) {
    const body = randomBody(random);
    const others = Object.keys(TOP).filter((name) => name in body);
    const name = random.pick(VITAL);
    if (name === "messages") continue; // That is another dialect, and no field to drop.
    const result = send(
      body,
      () => envelope(random, sentence(random, name, others)),
      random.pick([400, 422, 500, 501]),
    );
    assert(!result.taken && result.rounds <= MAX_ROUNDS);
    assertEquals(result.sent, body, result.words.join("\n"));
  }
});
