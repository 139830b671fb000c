/**
 * The soak: 2,000 streams to warm up and 2,000 that count, 200 at once, through the program as a user runs it. None may be wrong, and
 * its memory must stay flat: `deno task soak`. Loopback only, and it stops by itself.
 *
 * @module
 */

import { usageOf } from "../bench/usage.ts";
import { ROOT } from "./project.ts";
import { PROGRAM_FLAGS } from "./permissions.ts";
import { childEnvironment, currentStdSource, stdFlags } from "./std_source.ts";
import { startSimulator } from "../lib/simulator/mod.ts";

/** Streams that count, streams before them, and streams at once. Until its heap has grown, no program's memory is flat. */
const STREAMS = 2_000;
const WARM_UP = 2_000;
const AT_ONCE = 200;

/** The longest that all of it may take, in milliseconds. */
const TIME = 180_000;

/** How much the last rounds may have more than the warm-up's last ones: a fifth, and a little for the allocator. */
const GROWTH = 1.2;
const SLACK_MIB = 30;

/** One model of each kind of stream: Claude's, GPT's over the Responses API, parts, reasoning, Llama's, bare chunks. */
const MODELS = [
  "databricks-claude-sonnet-5",
  "databricks-gpt-5-5",
  "databricks-gpt-oss-120b",
  "databricks-glm-5-2",
  "databricks-meta-llama-3-3-70b-instruct",
  "databricks-gemini-2-5-pro",
  "databricks-qwen35-122b-a10b",
];

/** What a stream said, for comparison. */
export interface Said {
  /** The text of all its chunks. */
  readonly content: string;
  /** Its finish reason. */
  readonly finish: string;
}

/**
 * Reads a stream as the strictest client would: framing, one id, whole chunks, one ending.
 *
 * @param text All of it.
 * @throws {Error} With what is wrong.
 *
 * @example
 * ```ts
 * import { readStream } from "./soak.ts";
 *
 * const base = { id: "a", object: "chat.completion.chunk", created: 1, model: "m" };
 * const choices = [{ index: 0, delta: { role: "assistant", content: "hi" }, finish_reason: "stop" }];
 * const { content } = readStream(`data: ${JSON.stringify({ ...base, choices })}\n\ndata: [DONE]\n\n`);
 * if (content !== "hi") throw new Error(content);
 * ```
 */
export function readStream(text: string): Said {
  const events = text.split("\n\n");
  if (events.pop() !== "") throw new Error("the last event has no end");
  if (events.pop() !== "data: [DONE]") throw new Error(`no [DONE] at the end: ${text.slice(-200)}`);
  let content = "";
  const ids = new Set<string>();
  const finishes: string[] = [];
  for (const event of events) {
    if (event.startsWith(":")) continue;
    if (!event.startsWith("data: {")) throw new Error(`no event: ${event.slice(0, 200)}`);
    const chunk = JSON.parse(event.slice("data: ".length));
    if (chunk.object !== "chat.completion.chunk" || !Number.isInteger(chunk.created)) {
      throw new Error(`no chunk: ${event.slice(0, 200)}`);
    }
    ids.add(chunk.id);
    for (const choice of chunk.choices) {
      content += choice.delta.content ?? "";
      if (choice.finish_reason !== null) finishes.push(choice.finish_reason);
    }
  }
  if (ids.size !== 1) throw new Error(`${ids.size} ids in one stream`);
  if (finishes.length !== 1) throw new Error(`${finishes.length} finish reasons`);
  return { content, finish: finishes[0] };
}

/** Asks one model one question. */
async function ask(url: string, model: string, question: string): Promise<Said> {
  const response = await fetch(`${url}/chat/completions`, {
    method: "POST",
    headers: { authorization: "Bearer soak", "content-type": "application/json" },
    body: JSON.stringify({ model, stream: true, messages: [{ role: "user", content: question }] }),
  });
  const text = await response.text();
  if (response.status !== 200) throw new Error(`${response.status}: ${text.slice(0, 200)}`);
  return readStream(text);
}

/** Starts the program, and waits until it says where it listens. */
async function startProgram(gateway: string): Promise<{ child: Deno.ChildProcess; url: string }> {
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", ...stdFlags(currentStdSource()), ...PROGRAM_FLAGS, "main.ts"],
      ...["--port", "0", "--gateway", gateway, "--models", "models.json", "--log-level", "info"],
    ],
    cwd: ROOT,
    env: childEnvironment((name) => Deno.env.get(name)),
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  const listening = Promise.withResolvers<string>();
  let banner = "";
  void (async () => {
    // Its log is read to the end, or the program would wait for its reader.
    for await (const piece of child.stderr.pipeThrough(new TextDecoderStream())) {
      if (banner.length < 4_000) banner += piece;
      const match = /listening\s+(http:\S+)/.exec(banner);
      if (match) listening.resolve(match[1]);
    }
    listening.reject(new Error(`The program did not start: ${banner}`));
  })();
  return { child, url: await listening.promise };
}

async function main(): Promise<number> {
  const start = performance.now();
  const gateway = startSimulator({ pace: 0 });
  const { child, url } = await startProgram(gateway.url);
  const wrong: string[] = [];
  const memory: number[] = [];
  let streams = 0;
  try {
    // The first answer of each model is what all the others must be; it also teaches the bridge its way.
    const golden = new Map<string, Said>();
    for (const model of MODELS) golden.set(model, await ask(url, model, "Tell me about rivers."));
    const rounds = (WARM_UP + STREAMS) / AT_ONCE;
    for (let round = 1; round <= rounds && performance.now() - start < TIME; round++) {
      await Promise.all(Array.from({ length: AT_ONCE }, async (_, at) => {
        const model = MODELS[at % MODELS.length];
        try {
          const said = await ask(url, model, "Tell me about rivers.");
          const expected = golden.get(model)!;
          if (said.content !== expected.content || said.finish !== expected.finish) {
            throw new Error(`another answer: ${said.content.slice(0, 80)}`);
          }
        } catch (error) {
          wrong.push(`round ${round}, ${model}: ${(error as Error).message}`);
        }
      }));
      streams += AT_ONCE;
      const { memory: mib } = await usageOf(child.pid);
      if (mib !== undefined) memory.push(mib);
      console.log(`round ${round} of ${rounds}: ${AT_ONCE} streams, ${mib?.toFixed(0) ?? "?"} MiB`);
    }
    const metrics = await (await fetch(`${url}/metrics`)).text();
    if (!/^fd_bridge_open_streams 0$/m.test(metrics)) wrong.push("streams are left open");
  } finally {
    child.kill("SIGTERM");
    await child.status;
    await gateway.close();
  }
  const warm = WARM_UP / AT_ONCE;
  // The allocator moves in leaps: only a floor that has risen over what was the ceiling is growth.
  const early = Math.max(...memory.slice(0, warm));
  const late = Math.min(...memory.slice(-5));
  const flat = memory.length === 0 || late <= early * GROWTH + SLACK_MIB;
  console.log(
    `${streams} streams in ${
      ((performance.now() - start) / 1000).toFixed(1)
    } s, ${wrong.length} wrong; ` +
      (memory.length === 0
        ? "memory unknown here"
        : `memory ${early.toFixed(0)} MiB early, ${late.toFixed(0)} MiB late: ${
          flat ? "flat" : "NOT flat"
        }`),
  );
  for (const line of wrong.slice(0, 10)) console.error(`  ${line}`);
  const all = WARM_UP + STREAMS;
  if (streams < all) console.error(`  only ${streams} of ${all} in the time there was`);
  return wrong.length === 0 && flat && streams === all ? 0 : 1;
}

if (import.meta.main) Deno.exit(await main());
