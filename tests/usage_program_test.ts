import { assert, assertEquals } from "@std/assert";
import { readUsage } from "../lib/observe/usage_totals.ts";
import { startProgram } from "./helpers/program.ts";
import { type Random, randomFromEnvironment } from "./helpers/random.ts";

/** Words that must be nowhere but in the request and its answer. */
const TOKEN = "Zq7-opaque~token~of~the~tests";
const PROMPT = "the-prompt-itself";
const ANSWER = "the-answer-itself";

/** A gateway that counts what it says it was asked and answered. */
function startGateway(random: Random) {
  const sent = { requests: 0, input: 0, output: 0, cached: 0 };
  const server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen: () => {} },
    async (request) => {
      const { stream } = await request.json();
      const input = random.integer(0, 100_000);
      const output = random.integer(0, 4_000);
      const cached = random.integer(0, input);
      sent.requests++;
      sent.input += input;
      sent.output += output;
      sent.cached += cached;
      const usage = {
        prompt_tokens: input,
        completion_tokens: output,
        total_tokens: input + output,
        prompt_tokens_details: { cached_tokens: cached },
      };
      const base = { id: "1", created: 1, model: "m" };
      if (!stream) {
        const message = { role: "assistant", content: ANSWER };
        const choices = [{ index: 0, message, finish_reason: "stop" }];
        return Response.json({ ...base, object: "chat.completion", choices, usage });
      }
      const chunk = (delta: object, finish_reason: string | null, more: object = {}) =>
        `data: ${
          JSON.stringify({
            ...base,
            object: "chat.completion.chunk",
            choices: [{ index: 0, delta, finish_reason }],
            ...more,
          })
        }\n\n`;
      return new Response(
        chunk({ role: "assistant", content: ANSWER }, null) + chunk({}, "stop", { usage }) +
          "data: [DONE]\n\n",
        { headers: { "content-type": "text/event-stream" } },
      );
    },
  );
  return {
    url: `http://127.0.0.1:${server.addr.port}`,
    sent,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

async function temporary() {
  const path = await Deno.makeTempDir({ prefix: "fd-bridge-usage-" });
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}

function startBridge(gateway: string, config: string) {
  return startProgram(["--port", "0", "--gateway", gateway, "--log-level", "error"], {
    env: { XDG_CONFIG_HOME: config },
  });
}

const MODELS = ["databricks-claude-sonnet-4-5", "databricks-kimi-k3", "databricks-glm-5-2"];

/** Asks once, and waits for the whole answer. */
async function ask(url: string, number: number): Promise<void> {
  const response = await fetch(`${url}/v1/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${TOKEN}` },
    body: JSON.stringify({
      model: MODELS[number % MODELS.length],
      stream: number % 2 === 0,
      messages: [{ role: "user", content: `${PROMPT} ${number}` }],
    }),
  });
  const text = await response.text();
  assert(response.ok && text.includes(ANSWER), text);
}

/** Asks many times, some at once; a failure ends it. The result is how many were answered. */
async function askMany(url: string, count: number, atOnce: number): Promise<number> {
  let next = 0;
  let answered = 0;
  const work = async () => {
    while (next < count) {
      await ask(url, next++);
      answered++;
    }
  };
  await Promise.allSettled(Array.from({ length: atOnce }, work));
  return answered;
}

function totals(config: string) {
  const [day, ...others] = readUsage(`${config}/fd-bridge/usage.db`, "day", 2, new Date());
  return others.reduce((sum, row) => ({
    ...sum,
    requests: sum.requests + row.requests,
    tokens_in: sum.tokens_in + row.tokens_in,
    tokens_out: sum.tokens_out + row.tokens_out,
    tokens_cached: sum.tokens_cached + row.tokens_cached,
  }), day);
}

Deno.test("two bridges on one file count 10,000 requests at 50 at once, to the token, and no content", async () => {
  await using gateway = startGateway(randomFromEnvironment("usage"));
  await using config = await temporary();
  {
    await using one = await startBridge(gateway.url, config.path);
    await using two = await startBridge(gateway.url, config.path);
    const urls = [await one.url, await two.url];
    const answered = await Promise.all(urls.map((url) => askMany(url, 5_000, 25)));
    assertEquals(answered, [5_000, 5_000]);
    const data = await (await fetch(`${urls[0]}/api/requests`)).text();
    const page = await (await fetch(`${urls[0]}/api/usage?days=2`)).json();
    assertEquals(page.totals.tokens_in, gateway.sent.input);
    for (const word of [TOKEN, PROMPT, ANSWER]) assert(!data.includes(word), word);
    one.signal("SIGTERM");
    two.signal("SIGTERM");
    assertEquals(await Promise.all([one.ended, two.ended]), [0, 0]);
  }
  const { requests, tokens_in, tokens_out, tokens_cached } = totals(config.path);
  const { sent } = gateway;
  assertEquals([requests, tokens_in, tokens_out, tokens_cached], [
    sent.requests,
    sent.input,
    sent.output,
    sent.cached,
  ]);
  for (const { name } of Deno.readDirSync(`${config.path}/fd-bridge`)) {
    const bytes = await Deno.readTextFile(`${config.path}/fd-bridge/${name}`).catch(() => "");
    for (const word of [TOKEN, PROMPT, ANSWER]) assert(!bytes.includes(word), `${word} in ${name}`);
  }
});

Deno.test("kill -9 loses no request whose answer was complete", async () => {
  await using gateway = startGateway(randomFromEnvironment("usage"));
  await using config = await temporary();
  await using bridge = await startBridge(gateway.url, config.path);
  const asking = askMany(await bridge.url, 100_000, 20);
  while (gateway.sent.requests < 500) await new Promise((resolve) => setTimeout(resolve, 5));
  bridge.signal("SIGKILL");
  await bridge.ended;
  const answered = await asking;
  const { requests } = totals(config.path);
  assert(requests >= answered, `${requests} counted of ${answered} answered`);
  assert(
    requests <= gateway.sent.requests,
    `${requests} counted of ${gateway.sent.requests} asked`,
  );
});
