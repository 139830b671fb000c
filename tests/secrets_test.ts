/**
 * What must never be seen: the token, the prompt and the answer, in the log, in the numbers and in
 * errors, whatever the client sends and whatever the gateway says back.
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { ask, eventStream, type FakeGateway, testBridge } from "./helpers/bridge.ts";
import { errorFixtures } from "./helpers/fixtures.ts";

/** Of forms that a pattern can find, and of one that none can. */
const TOKENS = [
  "dapi0123456789abcdef0123456789abcdef",
  "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhZGEifQ.c2lnbmF0dXJl",
  "Zq7-opaque~token~that~looks~like~nothing",
];
const KEY = "client-key-that-is-secret";
const PROMPT = "the-prompt-that-nobody-else-may-read";
const ANSWER = "the-answer-that-nobody-else-may-read";

const chunk = (content: string, finish_reason: string | null = null) => ({
  choices: [{ index: 0, delta: { content }, finish_reason }],
});
const completion = {
  choices: [{ index: 0, message: { role: "assistant", content: ANSWER }, finish_reason: "stop" }],
};
const error = (fields: Record<string, unknown>) => ({ error: { message: "no", ...fields } });

/** What a gateway answers, given the token; several of them say it back. */
const GATEWAYS: Readonly<Record<string, (token: string) => ReturnType<FakeGateway>>> = {
  "a stream": () => eventStream(chunk(ANSWER), chunk(ANSWER, "stop"), "[DONE]"),
  "a completion": () => Response.json(completion),
  "a stream that breaks off": () => eventStream(chunk(ANSWER)),
  "half of an event": () => eventStream(JSON.stringify(chunk(ANSWER)).slice(0, -5)),
  "half of a completion": () =>
    new Response(JSON.stringify(completion).slice(0, -5), {
      headers: { "content-type": "application/json" },
    }),
  "the other half of an event": () => eventStream(JSON.stringify(chunk(ANSWER)).slice(5)),
  "an array of answers": () => Response.json([completion]),
  "a response": () =>
    eventStream({ type: "response.output_text.delta", delta: ANSWER, item_id: "i" }),
  "half of a response's event": () =>
    eventStream(`{"type":"response.output_text.delta","delta":"${ANSWER}`),
  "an error in the stream": (token) =>
    eventStream(chunk(ANSWER), error({ message: `bad ${token}` })),
  "an error that is all token": (token) =>
    eventStream(error({ message: token, code: token, type: token, param: token })),
  "a refusal in text": (token) => new Response(`Invalid Token ${token}`, { status: 403 }),
  "a refusal in JSON": (token) =>
    Response.json({ error_code: `CODE ${token}`, message: `Bearer ${token} is bad` }, {
      status: 400,
    }),
  "a refusal that is all token": (token) =>
    Response.json(error({ message: token, code: token, type: token, param: token }), {
      status: 401,
    }),
  "a refusal of another shape": (token) =>
    Response.json({ detail: [{ msg: `no ${token}`, input: token }] }, { status: 422 }),
  "a refusal with headers": (token) =>
    new Response("no", { status: 400, headers: { "x-request-id": token } }),
  "a page": (token) =>
    new Response(`<html><title>Bad ${token}</title></html>`, {
      status: 502,
      headers: { "content-type": "text/html" },
    }),
  "text in the stream": (token) => eventStream(`upstream said ${token}`),
  "text for JSON": (token) =>
    new Response(`said ${token}`, { headers: { "content-type": "application/json" } }),
  "a redirect": (token) =>
    new Response(null, { status: 302, headers: { location: `https://x.example/?t=${token}` } }),
  "nothing": (token) =>
    Promise.reject(new TypeError(`connection refused: Bearer ${token} ${token}`)),
};

const MODELS = ["databricks-glm-5-2", "databricks-gpt-5-5"];

/** Everything that a client may send, good and bad. */
function* requests(token: string): Generator<[string, unknown, Record<string, string>]> {
  for (const model of MODELS) {
    for (const stream of [true, false]) {
      yield ["/chat/completions", ask(model, PROMPT, { stream }), {}];
      yield ["/responses", { model, input: PROMPT, stream }, {}];
    }
  }
  yield ["/chat/completions", `{"model":"m","messages":[{"role":"user","content":"${PROMPT}`, {}];
  yield ["/chat/completions", { model: MODELS[0], messages: PROMPT }, {}];
  yield ["/chat/completions", { model: MODELS[0], messages: [{ role: PROMPT }] }, {}];
  yield ["/chat/completions", ask(MODELS[0], PROMPT), { origin: "https://evil.example" }];
  yield ["/chat/completions", ask(MODELS[0], PROMPT), { "x-fd-bridge-key": `${KEY}-wrong` }];
  yield ["/chat/completions", ask(MODELS[0], PROMPT), { authorization: `Basic ${token}` }];
}

const LEVELS = ["error", "warn", "info", "debug", "trace"];

for (const level of LEVELS) {
  for (const format of ["text", "json"]) {
    Deno.test(`no token, prompt or answer is in the log at level ${level} as ${format}, nor in errors and numbers`, async () => {
      for (const token of TOKENS) {
        for (const [name, answer] of Object.entries(GATEWAYS)) {
          const bridge = testBridge({
            flags: [
              "--log-level",
              level,
              "--log-format",
              format,
              "--retries",
              "0",
              "--client-key",
              KEY,
            ],
            gateway: () => answer(token),
          });
          for (const [path, body, headers] of requests(token)) {
            const response = await bridge.post(path, body, {
              headers: {
                authorization: `Bearer ${token}`,
                "x-fd-bridge-key": KEY,
                "user-agent": "Forge",
                ...headers,
              },
            });
            const text = await response.text();
            const seen = JSON.stringify([...response.headers]) + text;
            for (const secret of [token, KEY]) {
              assert(!seen.includes(secret), `after ${name} the client reads ${secret}: ${seen}`);
            }
          }
          const log = bridge.log();
          const shown = log + await (await bridge.get("/metrics")).text();
          const hidden = level === "trace" ? [token, KEY] : [token, KEY, PROMPT, ANSWER];
          for (const secret of hidden) {
            const line = shown.split("\n").find((line) => line.includes(secret));
            assertEquals(line, undefined, `after ${name}`);
          }
          if (level === "trace") assertStringIncludes(log, PROMPT);
          if (level !== "error") assert(log !== "", "nothing was logged, so nothing was tried");
        }
      }
    });
  }
}

Deno.test("what the gateway refuses is told without the token, in all of its shapes", async () => {
  for (const { id, status, headers, body } of errorFixtures()) {
    const [token] = TOKENS;
    const text = (typeof body === "string" ? body : JSON.stringify(body)).replaceAll(
      "o",
      `${token}o`,
    );
    const bridge = testBridge({
      flags: ["--retries", "0", "--log-level", "debug"],
      gateway: () => new Response(text, { status, headers }),
    });
    const response = await bridge.post("/chat/completions", ask(MODELS[0], PROMPT), {
      headers: { authorization: `Bearer ${token}` },
    });
    const shown = await response.text() + bridge.log();
    assert(!shown.includes(token), `${id}: ${shown}`);
  }
});

Deno.test("a token in a client's own prompt is masked in the trace, too", async () => {
  const [token] = TOKENS;
  const bridge = testBridge({ flags: ["--log-level", "trace"] });
  const body = ask(MODELS[0], `Is ${token} valid? ${TOKENS[2]}`);
  await bridge.post("/chat/completions", body, {
    headers: { authorization: `Bearer ${TOKENS[2]}` },
  });
  const log = bridge.log();
  assertStringIncludes(log, "valid?");
  assert(!log.includes(token) && !log.includes(TOKENS[2]), log);
});
