/**
 * No reading of the gateway's or the client's words grows faster than they do: a text of 4n takes no more
 * than some eight times what one of n takes.
 */
import { assert } from "@std/assert";
import { maskSecrets } from "../lib/errors.ts";
import { gatewayError } from "../lib/gateway/errors.ts";
import { inferAll } from "../lib/adapt/inference.ts";
import { RetryLoopGuard } from "../lib/adapt/retry_loop_guard.ts";
import { repairHistory } from "../lib/adapt/history.ts";
import { sanitize } from "../lib/adapt/sanitize.ts";
import { cleanToolName } from "../lib/adapt/tool_names.ts";
import { conversationOf, ownerOf } from "../lib/adapt/tool_call_cache.ts";
import { retriesItself } from "../lib/adapt/retrying_clients.ts";
import type { JsonObject } from "../lib/json.ts";
import { bareName } from "../lib/models/families.ts";
import { FenceRemover } from "../lib/enrich/fence.ts";
import { normalizePath } from "../lib/router.ts";

/** Pieces that make careless patterns take quadratic time. */
const PIECES = [
  " ",
  "a",
  "a.",
  "'",
  '"',
  "`",
  "[",
  "{",
  "(",
  "<|",
  "-",
  ":\n",
  "x\n ",
  "not ",
  "n't ",
  "unknown field ",
  "unsupported: ",
  "seed, ",
  "max_tokens ",
  "use ",
  "eyJ",
  "Bearer ",
  "Basic ",
  "dapi",
  "<title",
  "functions.",
  "encrypted_content ",
  "thinking ",
  "1,",
  '\\"',
  "expected ",
  "context length ",
  "databricks-",
  "\n",
  "\r",
  "\n ",
  "\n`",
  "\n``\t",
  "//",
  "/v1",
  "?",
  "%",
];

const BODY: JsonObject = { model: "m", messages: [], seed: 1, max_tokens: 1e6 };

/** What reads a text of anybody's. */
const READERS: Readonly<Record<string, (text: string) => unknown>> = {
  maskSecrets: (text) => maskSecrets(text),
  gatewayError: (text) => gatewayError(400, text),
  "gatewayError of JSON": (text) =>
    gatewayError(400, { message: text, error: text, detail: [text] }),
  inferAll: (text) => inferAll({ status: 400, message: text }, { body: BODY, name: "m" }),
  cleanToolName: (text) => cleanToolName(text),
  ownerOf: (text) => ownerOf(text),
  conversationOf: (text) => conversationOf({ input: text }),
  retriesItself: (text) => retriesItself({ get: () => text }),
  bareName: (text) => bareName(text),
  FenceRemover: (text) => unfence([text]),
  "FenceRemover of single characters": (text) => unfence(text),
  normalizePath: (text) => normalizePath(`http://localhost/${text}`),
};

/** What is left of a fenced answer that comes in pieces. */
function unfence(pieces: Iterable<string>): string {
  const fence = new FenceRemover();
  let out = fence.push("```json\n");
  for (const piece of pieces) out += fence.push(piece);
  return out + fence.end();
}

/** What reads a request with many messages. */
const WALKERS: Readonly<Record<string, (body: JsonObject) => unknown>> = {
  repairHistory: (body) => repairHistory(body, "databricks-claude-sonnet-4-5"),
  sanitize: (body) =>
    sanitize(body, {
      path: "/mlflow/v1/chat/completions",
      model: "databricks-claude-sonnet-4-5",
      stream: true,
    }),
  RetryLoopGuard: (body) => new RetryLoopGuard().ended(body, "length"),
  inferAll: (body) =>
    inferAll({ status: 400, message: "unknown field `strict`" }, { body, name: "m" }),
};

/** A conversation of so many turns. */
function conversation(turns: number): JsonObject {
  const messages = Array.from({ length: turns }, (_, at) => [
    { role: "user", content: [{ type: "text", text: "" }, { type: "text", text: "go on" }] },
    {
      role: "assistant",
      content: "",
      reasoning_details: [{ type: "reasoning.text", text: "t" }, {
        type: "reasoning.text",
        text: "",
        signature: "s",
      }],
      tool_calls: [{ id: `c${at}`, type: "function", function: { name: "f", arguments: "" } }],
    },
    { role: "tool", tool_call_id: `c${at}`, content: "r" },
  ]).flat();
  return { model: "m", messages };
}

/** The least time of a few runs, in milliseconds. */
function timeOf(run: () => unknown): number {
  let least = Infinity;
  for (let at = 0; at < 3; at++) {
    const start = performance.now();
    run();
    least = Math.min(least, performance.now() - start);
  }
  return least;
}

function assertLinear(what: string, small: () => unknown, large: () => unknown): void {
  const [one, four] = [timeOf(small), timeOf(large)];
  // What takes no time at all can't be compared.
  assert(
    four < 25 || four < 10 * one,
    `${what}: ${one.toFixed(1)} ms for n, ${four.toFixed(1)} ms for 4n`,
  );
}

for (const [name, read] of Object.entries(READERS)) {
  Deno.test(`${name}() takes linear time on awkward texts`, () => {
    for (const piece of PIECES) {
      const text = (size: number) => piece.repeat(Math.ceil(size / piece.length)) + "x";
      const [small, large] = [text(50_000), text(200_000)];
      assertLinear(JSON.stringify(piece), () => read(small), () => read(large));
    }
  });
}

for (const [name, walk] of Object.entries(WALKERS)) {
  Deno.test(`${name}() takes linear time on long conversations`, () => {
    const [small, large] = [conversation(1_000), conversation(4_000)];
    assertLinear(name, () => walk(small), () => walk(large));
  });
}
