/**
 * The shared store, with a store in memory in the place of a real one.
 *
 * @module
 */

import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { Negotiator } from "../lib/adapt/negotiator.ts";
import { ToolCallCache } from "../lib/adapt/tool_call_cache.ts";
import { readConfig, settings } from "../lib/config/config.ts";
import { parseCommandLine } from "../lib/config/command_line.ts";
import { BridgeError } from "../lib/errors.ts";
import type { JsonObject } from "../lib/json.ts";
import { Sealer } from "../lib/store/seal.ts";
import { StoreConnection, StoreUnavailable } from "../lib/store/connection.ts";
import { MemoryCounters, readStoreAddress, SharedStore } from "../lib/store/mod.ts";
import { SharedCounters } from "../lib/store/shared_counters.ts";
import { SharedMemory } from "../lib/store/shared_memory.ts";
import { SharedUsage } from "../lib/store/shared_usage.ts";
import { eventStream, testBridge } from "./helpers/bridge.ts";
import { FakeStore } from "./helpers/fake_store.ts";
import { until } from "./helpers/until.ts";

const SECRET = "the secret that all bridges share";
const ADDRESS = readStoreAddress("redis://127.0.0.1", "--store");

/** A bridge's connection to a store, and what it says. */
function connect(store: FakeStore) {
  const told: string[] = [];
  const counted: string[] = [];
  const connection = new StoreConnection({
    open: store.open,
    address: ADDRESS.shown,
    tell: (message) => told.push(message),
    count: (trouble) => counted.push(trouble),
  });
  return { connection, told, counted, [Symbol.dispose]: () => connection.close() };
}

/** What a bridge shares through a store. */
async function share(store: FakeStore, secret = SECRET) {
  const told: string[] = [];
  const shared = new SharedStore({
    address: ADDRESS,
    secret,
    open: store.open,
    tell: (message) => told.push(message),
    count: () => {},
  });
  await shared.connect();
  return { shared, told, [Symbol.dispose]: () => shared.close() };
}

Deno.test("Sealer opens what it has sealed under the same name and secret, and nothing else", () => {
  const sealer = new Sealer(SECRET);
  const name = sealer.name("call", "ada");
  const sealed = sealer.seal(name, "what ada's model thought 🦕");
  assertEquals(sealer.open(name, sealed), "what ada's model thought 🦕");
  assertEquals(new Sealer(SECRET).open(name, sealed), "what ada's model thought 🦕");
  assertEquals(sealer.open(sealer.name("call", "bob"), sealed), undefined);
  assertEquals(new Sealer("another secret").open(name, sealed), undefined);
  const changed = sealed.slice(0, 40) + (sealed[40] === "A" ? "B" : "A") + sealed.slice(41);
  assertEquals(sealer.open(name, changed), undefined);
  assertEquals(sealer.open(name, ""), undefined);
  assert(!atob(sealed).includes("thought"));
  assert(sealed !== sealer.seal(name, "what ada's model thought 🦕"), "each with its own nonce");
});

Deno.test("Sealer.name() tells parts apart, and needs the secret", () => {
  const sealer = new Sealer(SECRET);
  assert(sealer.name("a", "bc") !== sealer.name("ab", "c"));
  assert(sealer.name("a") !== new Sealer("another secret").name("a"));
  assertEquals(sealer.name("a", "b"), sealer.name("a", "b"));
});

/** Address → why it is refused. */
const WRONG: readonly (readonly [address: string, why: string])[] = [
  ["localhost", "is no address"],
  ["http://localhost", "begins with http://"],
  ["redis://", "names no host"],
  ["redis://localhost/cache", "no database's number"],
  ["redis://localhost?db=1", "has a ? or #"],
];
for (const [address, why] of WRONG) {
  Deno.test(`readStoreAddress() refuses ${address}: ${why}`, () => {
    assertThrows(() => readStoreAddress(address, "FD_BRIDGE_STORE"), BridgeError, why);
  });
}

Deno.test("readStoreAddress() shows no password, not even in an error", () => {
  const { shown, password, username } = readStoreAddress(
    "redis://bridge:s%3Acret@r:1/0",
    "--store",
  );
  assertEquals([shown, username, password], ["redis://r:1/0", "bridge", "s:cret"]);
  const error = assertThrows(
    () => readStoreAddress("redis://:s3cret@r/x", "--store"),
    BridgeError,
  );
  assert(!error.message.includes("s3cret"));
});

Deno.test("readConfig() asks for a secret where a store is set, and hides it", () => {
  const config = (...args: string[]) =>
    readConfig(settings(parseCommandLine(args), { process: {} }));
  const store = ["--store", "redis://r"];
  assertThrows(() => config(...store), BridgeError, "FD_BRIDGE_STORE_KEY (--store-key) is not set");
  const short = assertThrows(() => config(...store, "--store-key", "short"), BridgeError);
  assertStringIncludes(short.message, "--store-key is shorter than 16 characters");
  assert(!short.message.includes('"short"'));
  assertEquals(config(...store, "--store-key", SECRET).storeKey, SECRET);
  assertEquals(config().store, undefined);
});

Deno.test("StoreConnection goes on without a store that is silent, and comes back by itself", async () => {
  const store = new FakeStore();
  using bridge = connect(store);
  await bridge.connection.connect();
  assertEquals(await bridge.connection.run([["PING"]]), ["PONG"]);
  store.state = "silent";
  const asked = Promise.allSettled([1, 2, 3].map(() => bridge.connection.run([["PING"]])));
  for (const { status } of await asked) assertEquals(status, "rejected");
  assertEquals(bridge.connection.trouble, "slow");
  const before = performance.now();
  for (let time = 0; time < 100; time++) {
    await bridge.connection.run([["PING"]]).catch((cause) => {
      assert(cause instanceof StoreUnavailable);
    });
  }
  assert(performance.now() - before < 2_500, "only the first request waits");
  store.state = "well";
  await until("the store is used again", () => bridge.connection.isOpen);
  assertEquals(await bridge.connection.run([["PING"]]), ["PONG"]);
  assertEquals(bridge.told.map((words) => words.split(":").slice(0, 3).join(":")), [
    "the store at redis://127.0.0.1:6379/0 takes longer than 50 ms",
    "the store at redis://127.0.0.1:6379/0 works again",
  ]);
});

for (const state of ["gone", "refusing"] as const) {
  Deno.test(`StoreConnection says once that a store is ${state}, counts it, and tries again`, async () => {
    const store = new FakeStore();
    store.state = state;
    using bridge = connect(store);
    await bridge.connection.connect();
    await until("a second try", () => store.connections >= 3);
    assertEquals(bridge.told.length, 1);
    assertStringIncludes(bridge.told[0], state === "gone" ? "can't be reached" : "WRONGPASS");
    assert(bridge.counted.length >= 2);
    store.state = "well";
    await until("it works", () => bridge.connection.isOpen);
    assertStringIncludes(bridge.told[1], "works again");
  });
}

Deno.test("StoreConnection notices that the store was stopped before anybody asks it", async () => {
  const store = new FakeStore();
  using bridge = connect(store);
  await bridge.connection.connect();
  store.break();
  await until("it is told", () => bridge.told.length > 0);
  assertStringIncludes(bridge.told[0], "ECONNRESET");
  await until("it is used again", () => bridge.connection.isOpen);
});

Deno.test("StoreConnection still reads from a store that is full, and writes when there is room", async () => {
  const store = new FakeStore();
  store.entries.set("a", "1");
  using bridge = connect(store);
  await bridge.connection.connect();
  store.state = "full";
  const write = () => bridge.connection.run([["SET", "b", "2"]], true);
  assertEquals((await Promise.allSettled([write(), write()])).map(({ status }) => status), [
    "rejected",
    "rejected",
  ]);
  assertEquals(await bridge.connection.run([["GET", "a"]]), ["1"]);
  assertEquals(bridge.told.length, 1);
  assertStringIncludes(bridge.told[0], "is full");
  store.state = "well";
  await until("it is written", () => write().then(() => true, () => false));
  assertStringIncludes(bridge.told[1], "works again");
});

const CALL = "call_8Zq3kd9aXw2LmN0p";
const SCOPE = { owner: "ada", conversation: "1", model: "m" };
const HISTORY = { messages: [{ role: "assistant", tool_calls: [{ id: CALL }] }] };

/** A bridge's memory that is shared. */
function remember(store: FakeStore, workspace = "https://w", secret = SECRET) {
  const { connection, told } = connect(store);
  const calls = new ToolCallCache();
  const negotiator = new Negotiator();
  let unreadable = 0;
  const memory = new SharedMemory({
    connection,
    sealer: new Sealer(secret),
    calls,
    negotiator,
    workspace,
    onUnreadable: () => unreadable++,
  });
  return {
    calls,
    memory,
    negotiator,
    connection,
    told,
    unreadable: () => unreadable,
    [Symbol.dispose]: () => connection.close(),
  };
}

/** The same, connected. */
async function rememberBy(store: FakeStore) {
  const bridge = remember(store);
  await bridge.connection.connect();
  return bridge;
}

Deno.test("SharedMemory brings a call that another bridge has seen, to its owner alone", async () => {
  const store = new FakeStore();
  using first = await rememberBy(store);
  using second = await rememberBy(store);
  first.calls.scope(SCOPE).set(CALL, { fields: { thoughtSignature: "c2ln" } });
  for (
    const other of [
      { ...SCOPE, owner: "bob" },
      { ...SCOPE, conversation: "2" },
      { ...SCOPE, model: "n" },
    ]
  ) {
    await second.memory.prepare(other, HISTORY);
    assertEquals(second.calls.scope(other).get(CALL), undefined);
  }
  await second.memory.prepare(SCOPE, HISTORY);
  assertEquals(second.calls.scope(SCOPE).get(CALL)?.fields, { thoughtSignature: "c2ln" });
  const held = JSON.stringify([...store.entries]);
  for (const word of ["ada", CALL, "c2ln", "thoughtSignature", "https://w"]) {
    assert(!held.includes(word), word);
  }
});

Deno.test("SharedMemory asks for what it doesn't know, in one round trip", async () => {
  const store = new FakeStore();
  using bridge = await rememberBy(store);
  bridge.calls.scope(SCOPE).set(CALL, { fields: {} });
  await until("it is stored", () => store.entries.size === 1);
  store.commands.length = 0;
  await bridge.memory.prepare(SCOPE, HISTORY);
  assertEquals(store.commands.map(([name]) => name), ["GET", "PEXPIRE"]);
  store.commands.length = 0;
  await bridge.memory.prepare(SCOPE, HISTORY);
  assertEquals(store.commands, [], "known, and asked for within the second");
  const more = { messages: [{ role: "assistant", tool_calls: [{ id: "call_2" }, { id: CALL }] }] };
  await bridge.memory.prepare(SCOPE, more);
  assertEquals(store.commands.map((command) => [command[0], command.length]), [["MGET", 2]]);
});

Deno.test("SharedMemory forgets in the store what a refusal says about a conversation", async () => {
  const store = new FakeStore();
  using first = await rememberBy(store);
  using second = await rememberBy(store);
  first.calls.scope(SCOPE).set(CALL, { fields: { thoughtSignature: "c2ln" } });
  first.calls.scope(SCOPE).clear();
  await until("it is gone", () => store.entries.size === 0);
  await second.memory.prepare(SCOPE, HISTORY);
  assertEquals(second.calls.scope(SCOPE).get(CALL), undefined);
});

Deno.test("SharedMemory says once that entries were written with another secret, and goes on", async () => {
  const store = new FakeStore();
  using first = remember(store);
  await first.connection.connect();
  first.calls.scope(SCOPE).set(CALL, { fields: {} });
  const [[, sealed]] = [...store.entries];
  using second = remember(store, "https://w", "another secret of theirs");
  await second.connection.connect();
  // Under its own names, as if someone had put the entries there.
  const names = await namesAskedFor(second, store);
  for (const name of names) store.entries.set(name, sealed);
  await second.memory.prepare({ ...SCOPE, conversation: "2" }, HISTORY);
  await second.memory.prepare(SCOPE, HISTORY);
  assertEquals(second.calls.scope(SCOPE).get(CALL), undefined);
  assertEquals(second.unreadable(), 1);
});

/** The names of the calls that a bridge looks for. */
async function namesAskedFor(bridge: ReturnType<typeof remember>, store: FakeStore) {
  await bridge.memory.prepare(SCOPE, HISTORY);
  return store.commands.filter(([name]) => name === "MGET").flatMap(([, ...names]) => names);
}

Deno.test("SharedMemory spares every bridge the refusal that one of them has met", async () => {
  const store = new FakeStore();
  const gateway = async (request: Request) => {
    const body = await request.json();
    return "seed" in body
      ? Response.json({ error: { message: "Unsupported parameter: 'seed'" } }, { status: 400 })
      : eventStream(
        { choices: [{ index: 0, delta: { content: "Hi" }, finish_reason: "stop" }] },
        "[DONE]",
      );
  };
  using one = await share(store);
  using two = await share(store);
  const bridges = [one, two].map(({ shared }) => testBridge({ gateway, store: shared }));
  const body = {
    model: "databricks-kimi-k3",
    stream: true,
    seed: 1,
    messages: [{ role: "user", content: "Hello" }],
  };
  for (const { post } of bridges) await (await post("/chat/completions", body)).text();
  assertEquals(bridges.map(({ requests }) => requests.length), [2, 1]);
  assert(!JSON.stringify([...store.entries]).includes("seed"));
});

Deno.test("SharedMemory keeps what a bridge has learned since from what the store still has", async () => {
  const store = new FakeStore();
  using bridge = await rememberBy(store);
  const adjustment = { type: "drop", path: "seed" } as const;
  const learned = (at: number) => ({
    workspace: "https://w",
    model: "m",
    at,
    adjustments: [{ adjustment, at }],
    left: [],
  });
  const now = Date.now();
  bridge.negotiator.merge(learned(now));
  assertEquals(bridge.negotiator.known.get("m"), ["send no seed"]);
  bridge.negotiator.merge({ ...learned(now - 1_000), adjustments: [] });
  assertEquals(bridge.negotiator.known.get("m"), ["send no seed"]);
  bridge.negotiator.merge({ ...learned(now + 1_000), adjustments: [] });
  assertEquals(bridge.negotiator.known.get("m"), undefined);
});

Deno.test("SharedUsage adds up what all bridges count, and counts nothing twice", async () => {
  const store = new FakeStore();
  const time = new Date(2026, 10, 27, 12).getTime();
  const now = () => new Date(time);
  const sealer = new Sealer(SECRET);
  using first = connect(store);
  using second = connect(store);
  const usages = [first, second].map(({ connection }, at) =>
    new SharedUsage({ connection, sealer, now, bridge: `b${at}` })
  );
  const tokens = { input: 100, output: 10, cached: 0, written: 0, writtenForHour: 0 };
  for (const { connection } of [first, second]) await connection.connect();
  for (const [at, usage] of usages.entries()) {
    for (let time_ = 0; time_ <= at; time_++) {
      usage.add({ time, model: "m", client: `c${at}`, failed: false, tokens });
    }
    assert(await usage.publish());
    assert(await usage.publish(), "again, as after an answer that never came");
  }
  for (const usage of usages) {
    await usage.refresh();
    const [row] = usage.groups("model", 7);
    assertEquals([row.key, row.requests, row.tokens_in], ["m", 3, 300]);
    assertEquals(usage.groups("client", 7).map(({ key }) => key), ["c1", "c0"]);
  }
  // A new process, such as `fd-bridge usage`, and a bridge that was started anew.
  using third = connect(store);
  await third.connection.connect();
  const reader = new SharedUsage({ connection: third.connection, sealer, now });
  await reader.refresh();
  assertEquals(reader.groups("day", 7).map(({ key, requests }) => [key, requests]), [[
    "2026-11-27",
    3,
  ]]);
  assert(!JSON.stringify([...store.entries]).includes('"m"'));
  for (const usage of [...usages, reader]) await usage.close();
});

Deno.test("SharedUsage keeps its sums while the store is gone, and stores them when it is back", async () => {
  const store = new FakeStore();
  using bridge = connect(store);
  const usage = new SharedUsage({ connection: bridge.connection, sealer: new Sealer(SECRET) });
  store.state = "gone";
  await bridge.connection.connect();
  usage.add({ time: Date.now(), model: "m", client: "c", failed: false });
  assertEquals(await usage.publish(), false);
  assertEquals(usage.groups("model", 1).map(({ requests }) => requests), [1]);
  store.state = "well";
  await until("it is connected", () => bridge.connection.isOpen);
  assert(await usage.publish());
  await usage.close();
});

Deno.test("SharedCounters count together, and go on from the last sum while the store is gone", async () => {
  const store = new FakeStore();
  using first = connect(store);
  using second = connect(store);
  const sealer = new Sealer(SECRET);
  const counters = [first, second].map(({ connection }) => new SharedCounters(connection, sealer));
  for (const { connection } of [first, second]) await connection.connect();
  const endsAt = Date.now() + 60_000;
  const sums = await Promise.all(
    Array.from({ length: 50 }, (_, at) => counters[at % 2].add("ada, 12:01", 1, endsAt)),
  );
  assertEquals(sums.sort((a, b) => a - b), Array.from({ length: 50 }, (_, at) => at + 1));
  assertEquals(await counters[0].add("ada, 12:01", 0, endsAt), 50);
  store.state = "gone";
  store.break();
  assertEquals(await counters[0].add("ada, 12:01", 1, endsAt), 51);
  assertEquals(await counters[0].add("ada, 12:02", 1, endsAt), 1);
});

Deno.test("MemoryCounters begin anew when a window ends, and stay bounded", async () => {
  let now = 0;
  const counters = new MemoryCounters(() => now);
  assertEquals(await counters.add("a", 2, 1_000), 2);
  now = 1_000;
  assertEquals(await counters.add("a", 1, 2_000), 1);
  for (let at = 0; at < 5_000; at++) await counters.add(`old ${at}`, 1, 1_000);
  assert(counters.size < 2_000, String(counters.size));
});

Deno.test("chat() answers as ever while the store is silent, gone or full", async () => {
  const answer = (body: JsonObject) => JSON.stringify(body.choices ?? body);
  for (const state of ["silent", "gone", "full", "refusing"] as const) {
    const store = new FakeStore();
    using one = await share(store);
    const { post } = testBridge({ store: one.shared });
    store.state = state;
    const body = { model: "databricks-kimi-k3", messages: [{ role: "user", content: "Hello" }] };
    for (let time = 0; time < 3; time++) {
      const response = await post("/chat/completions", body);
      assertEquals(response.status, 200, answer(await response.json()));
    }
    assert(one.told.length <= 1, one.told.join("\n"));
  }
});
