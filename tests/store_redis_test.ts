/**
 * Bridges that share a real Redis or Valkey, and everything that can happen to it meanwhile.
 *
 * @module
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { JsonObject } from "../lib/json.ts";
import { hashOfKey, KeyRing, makeKey, withClientKey } from "../lib/keys/mod.ts";
import { openStore, readStoreAddress, type SharedStore } from "../lib/store/mod.ts";
import { eventStream, testBridge } from "./helpers/bridge.ts";
import { startProgram } from "./helpers/program.ts";
import { freePort, NEEDS_REDIS, REDIS, startRedis } from "./helpers/redis.ts";
import { until } from "./helpers/until.ts";

const SECRET = "the secret that all bridges share";
const GEMINI = "databricks-gemini-3-flash";
const SIGNATURE = "c2lnbmF0dXJlLW9mLXR1cm4t";

/** A test that is ignored where there is no server to be had. */
function redisTest(name: string, fn: () => Promise<void>): void {
  Deno.test({ name: name + NEEDS_REDIS, ignore: REDIS === undefined, fn });
}

/**
 * Connects to a server as a bridge does, but with more patience: a machine that is busy with other tests makes
 * a store slow that isn't.
 */
async function connect(
  url: string,
  { secret = SECRET, ca, patience = 10_000 }: { secret?: string; ca?: string; patience?: number } =
    {},
) {
  const told: string[] = [];
  const store = openStore(
    { store: readStoreAddress(url, "--store"), storeKey: secret },
    ca,
    { tell: (message) => told.push(message), count: () => {}, patience },
  )!;
  await store.connect();
  return { store, told, [Symbol.dispose]: () => store.close() };
}

/** A gateway that answers every turn with a call of its own, signed as Gemini signs, and wants the signatures back. */
function signingGateway() {
  const missing: string[] = [];
  const gateway = async (request: Request) => {
    const { messages } = await request.json() as { messages: JsonObject[] };
    const calls = messages.flatMap(({ tool_calls }) => (tool_calls ?? []) as JsonObject[]);
    for (const [at, call] of calls.entries()) {
      const text = JSON.stringify(call);
      if (!text.includes(`${SIGNATURE}${at}`)) missing.push(`turn ${calls.length}, call ${at}`);
    }
    const call = {
      index: 0,
      id: `call_of_turn_${calls.length}_8Zq3kd9a`,
      type: "function",
      thoughtSignature: `${SIGNATURE}${calls.length}`,
      function: { name: "read", arguments: '{"path":"a"}' },
    };
    return eventStream(
      { choices: [{ index: 0, delta: { tool_calls: [call] }, finish_reason: "tool_calls" }] },
      "[DONE]",
    );
  };
  return { gateway, missing };
}

/** A client that knows a call's id, name and arguments, and nothing else, as chat clients do. */
class Conversation {
  readonly messages: JsonObject[];

  /** Begins with what the user says, by which bridges know the conversation. */
  constructor(content = "Read everything") {
    this.messages = [{ role: "user", content }];
  }

  /** Asks a bridge for the next turn. */
  async turn(
    post: ReturnType<typeof testBridge>["post"],
    headers: Record<string, string> = {},
  ): Promise<void> {
    const body = { model: GEMINI, stream: true, messages: this.messages };
    const response = await post("/chat/completions", body, { headers });
    const text = await response.text();
    assertEquals(response.status, 200, text);
    const id = /"id":"(call_[^"]+)"/.exec(text)?.[1];
    assert(id, text);
    const call = { id, type: "function", function: { name: "read", arguments: '{"path":"a"}' } };
    this.messages.push(
      { role: "assistant", content: null, tool_calls: [call] },
      { role: "tool", tool_call_id: id, content: "text" },
    );
  }
}

/** Two bridges of a store, in front of the same gateway. */
function twoBridges(stores: readonly SharedStore[]) {
  const { gateway, missing } = signingGateway();
  const bridges = stores.map((store) => testBridge({ gateway, store }));
  return { bridges, missing };
}

/** A store, and two bridges that share it. */
async function startPair(flags: readonly string[] = []) {
  const redis = await startRedis(flags);
  const url = `redis://127.0.0.1:${redis.port}`;
  const [one, two] = [await connect(url), await connect(url)];
  return {
    redis,
    one,
    two,
    ...twoBridges([one.store, two.store]),
    async [Symbol.asyncDispose]() {
      one.store.close();
      two.store.close();
      await redis[Symbol.asyncDispose]();
    },
  };
}

redisTest("ten turns with tools and signed reasoning, each by the other bridge", async () => {
  await using pair = await startPair();
  const { redis, one, two, bridges, missing } = pair;
  const conversation = new Conversation();
  for (let turn = 0; turn < 10; turn++) await conversation.turn(bridges[turn % 2].post);
  assertEquals(missing, []);
  assertEquals([...one.told, ...two.told], []);
  const dump = await redis.tell("KEYS", "*");
  for (const word of ["call_of_turn", SIGNATURE, "gemini"]) assert(!dump.includes(word), word);
});

redisTest("without a store the other bridge has no signature: the test would notice", async () => {
  const { gateway, missing } = signingGateway();
  const bridges = [testBridge({ gateway }), testBridge({ gateway })];
  const conversation = new Conversation();
  for (let turn = 0; turn < 4; turn++) await conversation.turn(bridges[turn % 2].post);
  assert(missing.length > 0);
});

redisTest(
  "one user's signatures can't be had with another's token, or with another secret",
  async () => {
    await using redis = await startRedis();
    const url = `redis://127.0.0.1:${redis.port}`;
    using one = await connect(url);
    using two = await connect(url);
    using stranger = await connect(url, { secret: "a secret of somebody else's" });
    const { bridges: [first, second, third], missing } = twoBridges([
      one.store,
      two.store,
      stranger.store,
    ]);
    const conversation = new Conversation();
    await conversation.turn(first.post);
    await conversation.turn(second.post, { authorization: "Bearer another-token" });
    assertEquals(missing.splice(0), ["turn 1, call 0"]);
    conversation.messages.length = 3;
    await conversation.turn(third.post);
    assertEquals(missing.splice(0), ["turn 1, call 0"]);
    await conversation.turn(second.post);
    assertEquals(missing, ["turn 2, call 1"], "the first is the user's own, and is there");
  },
);

redisTest("the store is killed and started again in the middle of a conversation", async () => {
  await using pair = await startPair();
  const { redis, one, two, bridges, missing } = pair;
  const conversation = new Conversation();
  await conversation.turn(bridges[0].post);
  await conversation.turn(bridges[1].post);
  assertEquals(missing, []);
  await redis.kill();
  for (let turn = 0; turn < 3; turn++) await conversation.turn(bridges[1].post);
  assertEquals(missing, [], "what a bridge has in its own memory, it still has");
  await redis.start();
  await until("both use it again", () => [one, two].every(({ store }) => !store.trouble));
  await conversation.turn(bridges[1].post);
  missing.length = 0;
  const after = new Conversation();
  for (let turn = 0; turn < 4; turn++) await after.turn(bridges[turn % 2].post);
  assertEquals(missing, []);
  for (const { told } of [one, two]) {
    assertEquals(told.length, 2, told.join("\n"));
    assertStringIncludes(told[0], "can't be reached");
    assertStringIncludes(told[1], "works again");
  }
});

redisTest("a store that sleeps holds no request up for long", async () => {
  await using redis = await startRedis();
  using one = await connect(`redis://127.0.0.1:${redis.port}`, { patience: 50 });
  const { bridges: [bridge] } = twoBridges([one.store]);
  const conversation = new Conversation();
  await conversation.turn(bridge.post);
  const asleep = redis.tell("DEBUG", "SLEEP", "3");
  await until("it sleeps", async () => {
    await conversation.turn(bridge.post);
    return one.store.trouble !== undefined;
  });
  // Far less than the sleep: the first request has waited 50 ms, the others not at all.
  const started = performance.now();
  for (let turn = 0; turn < 10; turn++) await conversation.turn(bridge.post);
  assert(performance.now() - started < 2_000);
  await asleep;
  await until("it is used again", () => one.store.trouble === undefined);
});

redisTest("a store that is full still gives what it has", async () => {
  await using pair = await startPair(["--maxmemory-policy", "noeviction"]);
  const { redis, two, bridges, missing } = pair;
  const conversation = new Conversation();
  await conversation.turn(bridges[0].post);
  await until("it is stored", async () => (await redis.tell("DBSIZE")).trim() !== ":0");
  assertStringIncludes(await redis.tell("CONFIG", "SET", "maxmemory", "1"), "OK");
  await conversation.turn(bridges[1].post);
  assertEquals(missing, []);
  await until("it is told", () => two.told.length > 0);
  assertStringIncludes(two.told[0], "is full (OOM");
  await conversation.turn(bridges[1].post);
  assertEquals(two.told.length, 1);
});

redisTest("limits are exact for two bridges together, under 50 requests at once", async () => {
  await using redis = await startRedis();
  const url = `redis://127.0.0.1:${redis.port}`;
  using one = await connect(url);
  using two = await connect(url);
  const value = makeKey();
  const text = withClientKey("", {
    name: "ada",
    hash: hashOfKey(value),
    requestsPerMinute: 1_000,
    tokensPerDay: 10_000,
  });
  const ring = () =>
    KeyRing.open({ path: "keys.json", read: () => Promise.resolve(text), tell() {} });
  // Answers wait until all have come: what is reserved is reserved at once.
  const all = Promise.withResolvers<void>();
  let asked = 0;
  const gateway = async () => {
    asked++;
    await all.promise;
    return eventStream(
      { choices: [{ index: 0, delta: { content: "Hi" }, finish_reason: "stop" }] },
      { choices: [], usage: { prompt_tokens: 90, completion_tokens: 10, total_tokens: 100 } },
      "[DONE]",
    );
  };
  const bridges = await Promise.all(
    [one, two].map(async ({ store }) => testBridge({ gateway, store, keys: await ring() })),
  );
  const body = {
    model: "databricks-kimi-k3",
    stream: true,
    max_tokens: 900,
    messages: [{ role: "user", content: "x".repeat(150) }],
  };
  const headers = { authorization: `Bearer ${value}:dapi0123456789abcdef` };
  let refused = 0;
  const answers = Array.from({ length: 50 }, async (_, at) => {
    const response = await bridges[at % 2].post("/chat/completions", body, { headers });
    if (response.status === 429) refused++;
    await response.text();
    return response.status;
  });
  await until("all have come", () => asked + refused === 50);
  all.resolve();
  const statuses = await Promise.all(answers);
  // Each reserves 900 tokens and a third of its body: ten fit into 10,000.
  assertEquals(statuses.filter((status) => status === 200).length, 10);
  await until("what they took is counted", async () => {
    const endsAt = Date.now() + 60_000;
    const day = Math.floor(Date.now() / 86_400_000);
    return await two.store.counters.add(`ada tokens ${day}`, 0, endsAt) === 1_000;
  });
});

redisTest("a store that refuses the password is told of without it", async () => {
  await using redis = await startRedis(["--requirepass", "right-password"], {
    password: "right-password",
  });
  using wrong = await connect(`redis://:wrong-password@127.0.0.1:${redis.port}`);
  const { bridges: [bridge] } = twoBridges([wrong.store]);
  await new Conversation().turn(bridge.post);
  assertEquals(wrong.told.length, 1);
  assertStringIncludes(wrong.told[0], "refuses (WRONGPASS");
  assert(!wrong.told[0].includes("wrong-password"));
  using right = await connect(`redis://:right-password@127.0.0.1:${redis.port}/3`);
  await new Conversation().turn(twoBridges([right.store]).bridges[0].post);
  assertEquals(right.told, []);
  await until(
    "it is in the database that was named",
    async () => (await redis.tell("INFO", "keyspace")).includes("db3:"),
  );
});

redisTest("rediss:// takes a certificate of an authority that is named, and no other", async () => {
  const folder = new URL("fixtures/tls/", import.meta.url);
  const file = (name: string) => decodeURIComponent(new URL(name, folder).pathname);
  const files = ["--tls-cert-file", file("localhost.pem"), "--tls-key-file", file("localhost.key")];
  await using redis = await startRedis([
    ...["--port", "0", "--tls-port", "{port}", "--tls-auth-clients", "no"],
    ...[...files, "--tls-ca-cert-file", file("ca.pem")],
  ]);
  const ca = Deno.readTextFileSync(file("ca.pem"));
  const url = `rediss://localhost:${redis.port}`;
  using trusted = await connect(url, { ca });
  assertEquals(trusted.told, []);
  using untrusted = await connect(url);
  assertStringIncludes(untrusted.told.join("\n"), "can't be reached");
});

redisTest(
  "two programs share what they learn and count; usage, page and metrics tell of all",
  async () => {
    await using redis = await startRedis(["--requirepass", "s3cret-of-the-store"]);
    const { gateway, missing } = signingGateway();
    await using server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, gateway);
    const home = await Deno.makeTempDir();
    const env = {
      HOME: home,
      XDG_CONFIG_HOME: home,
      FD_BRIDGE_STORE: `redis://:s3cret-of-the-store@127.0.0.1:${redis.port}`,
      FD_BRIDGE_STORE_KEY: SECRET,
    };
    const flags = ["--gateway", `http://127.0.0.1:${server.addr.port}`, "--port", "0"];
    // One after the other: two that start at once from their source get in each other's way in Deno's cache.
    await using one = await startProgram(flags, { env });
    const first = await one.url;
    await using two = await startProgram(flags, { env });
    const urls = [first, await two.url];
    let conversation = new Conversation();
    const post = (at: number) => (path: string, body: unknown) =>
      fetch(urls[at] + path, {
        method: "POST",
        headers: { authorization: "Bearer dapi0123456789abcdef0123456789abcdef" },
        body: JSON.stringify(body),
      });
    let turns = 0;
    // On a busy machine the store may be too slow for a turn, and the bridges go on without it.
    await until("a conversation loses nothing", async () => {
      missing.length = 0;
      conversation = new Conversation(`Read everything, ${turns}`);
      for (let turn = 0; turn < 6; turn++, turns++) await conversation.turn(post(turn % 2));
      return missing.length === 0;
    });
    await until("the page of one knows of both", async () => {
      const answer = await fetch(`${urls[0]}/api/usage?by=day&days=1`);
      return (await answer.json()).totals.requests === turns;
    });
    const health = await (await fetch(`${urls[1]}/api/health`)).text();
    assertStringIncludes(health, `redis://127.0.0.1:${redis.port}/0`);
    for (const program of [one, two]) {
      assertStringIncludes(program.text(), `store      redis://127.0.0.1:${redis.port}/0`);
      assert(!program.text().includes("s3cret"), program.text());
    }
    await redis.kill();
    await conversation.turn(post(0));
    await until(
      "it is counted",
      async () =>
        /fd_bridge_store_failures_total\{trouble="gone"\} [1-9]/.test(
          await (await fetch(`${urls[0]}/metrics`)).text(),
        ),
    );
    await Deno.remove(home, { recursive: true });
  },
);

redisTest("a bridge starts without its store, says so, and uses it when it comes", async () => {
  const port = freePort();
  await using program = await startProgram(["--demo", "--port", "0"], {
    env: {
      FD_BRIDGE_STORE: `redis://127.0.0.1:${port}`,
      FD_BRIDGE_STORE_KEY: SECRET,
    },
  });
  const url = await program.url;
  assertStringIncludes(program.text(), "(not in use: see below)");
  await until("it is told", () => program.text().includes("can't be reached"));
  assertEquals((await fetch(`${url}/healthz`)).status, 200);
  await using _redis = await startRedis([], { port });
  await until("it works", () => program.text().includes("works again"));
});
