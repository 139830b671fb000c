/**
 * Client keys: the file, who is let in, limits, and what each client sees.
 *
 * @module
 */

import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { checkTeam } from "../lib/commands/doctor_settings.ts";
import { key } from "../lib/commands/key.ts";
import { parseCommandLine } from "../lib/config/command_line.ts";
import { exposure, readConfig, settings } from "../lib/config/config.ts";
import { BridgeError, maskSecrets } from "../lib/errors.ts";
import type { Start } from "../lib/system/system.ts";
import { freePort } from "./helpers/redis.ts";
import { testMachine } from "./helpers/machine.ts";
import type { JsonObject } from "../lib/json.ts";
import {
  admit,
  type ClientKey,
  hashOfKey,
  KeyRing,
  makeKey,
  mayAsk,
  parseClientKeys,
  withClientKey,
  withoutClientKey,
} from "../lib/keys/mod.ts";
import { PageKeys } from "../lib/observe/page/access.ts";
import { MemoryCounters } from "../lib/store/counters.ts";
import { testBridge, TOKEN } from "./helpers/bridge.ts";
import { until } from "./helpers/until.ts";

const ADA = makeKey();
const BOB = makeKey();
const ROOT = makeKey();
const KIMI = "databricks-kimi-k3";

/** A file with some keys. */
function fileOf(...keys: (Partial<ClientKey> & { readonly name: string })[]): string {
  const hashes: Record<string, string> = { ada: ADA, bob: BOB, root: ROOT };
  return keys.reduce(
    (text, key) => withClientKey(text, { hash: hashOfKey(hashes[key.name]), ...key }),
    "",
  );
}

/** The ring of a file that can be changed. */
async function ringOf(text: string) {
  const file = { text: text as string | undefined };
  const told: string[] = [];
  const ring = await KeyRing.open({
    path: "keys.json",
    read: () => Promise.resolve(file.text),
    tell: (message) => told.push(message),
  });
  return { file, told, ring };
}

Deno.test("parseClientKeys() reads what withClientKey() writes, and keeps comments", () => {
  const text = `{
  // The team's.
  "keys": [
    { "name": "ada", "hash": "${hashOfKey(ADA)}", "models": ["databricks-claude-*"] }, // first
  ],
}`;
  const bob = { name: "bob", hash: hashOfKey(BOB), tokensPerDay: 5, dollarsPerDay: 0.5 };
  const changed = withClientKey(text, { ...bob, requestsPerMinute: 2, admin: true });
  assertStringIncludes(changed, "// The team's.");
  assertStringIncludes(changed, "// first");
  assertEquals(parseClientKeys(changed, "f").map(({ name }) => name), ["ada", "bob"]);
  const [, read] = parseClientKeys(changed, "f");
  assertEquals([read.tokensPerDay, read.dollarsPerDay, read.requestsPerMinute, read.admin], [
    5,
    0.5,
    2,
    true,
  ]);
  const left = withoutClientKey(changed, 0);
  assertEquals(parseClientKeys(left, "f").map(({ name }) => name), ["bob"]);
});

/** What is wrong with a file → where and what. */
const BROKEN: readonly (readonly [text: string, where: string])[] = [
  ["{", "keys.json:1:2"],
  ["[]", 'expected an object with a list "keys"'],
  ['{"keys": [\n{"name": "a b", "hash": ""}]}', "keys.json:2:10: expected a name"],
  ['{"keys": [{"name": "a", "hash": "plain-key"}]}', "expected a SHA-256 hash"],
  [fileOf({ name: "ada" }, { name: "ada" }), "there are two keys named ada"],
  [
    fileOf({ name: "ada" }, { name: "bob", hash: hashOfKey(ADA) }),
    "bob has the key of another entry",
  ],
  [fileOf({ name: "ada", tokensPerDay: -1 }), "expected a number from 0 on"],
  [fileOf({ name: "ada" }).replace('"hash"', '"limit": 1, "hash"'), 'there is no field "limit"'],
];
for (const [text, where] of BROKEN) {
  Deno.test(`parseClientKeys() says ${where}`, () => {
    const { message } = assertThrows(() => parseClientKeys(text, "keys.json"), BridgeError);
    assertStringIncludes(message, where);
  });
}

Deno.test("mayAsk() reads patterns with stars, in linear time", () => {
  const keyOf = (...models: string[]) => ({ name: "ada", hash: "", models });
  assert(mayAsk({ name: "ada", hash: "" }, "anything"));
  assert(mayAsk(keyOf("databricks-claude-*"), "databricks-claude-sonnet-5"));
  assert(mayAsk(keyOf("*claude*5"), "databricks-CLAUDE-sonnet-5"));
  assert(!mayAsk(keyOf("databricks-claude-*"), "databricks-gpt-5-5"));
  assert(!mayAsk(keyOf("aba*ba"), "aba"), "the two ends don't overlap");
  assert(!mayAsk(keyOf("gpt"), "databricks-gpt"));
  assert(!mayAsk(keyOf("*a".repeat(1_000) + "b"), "a".repeat(20_000)));
});

Deno.test("KeyRing follows its file, and keeps the old keys where it is broken", async () => {
  const { ring, file, told } = await ringOf(fileOf({ name: "ada" }));
  const stop = ring.watch(1);
  const shows = (key: string) => new Headers({ "x-fd-bridge-key": key });
  assertEquals(ring.check(shows(ADA)).name, "ada");
  file.text = fileOf({ name: "ada" }, { name: "bob" });
  await until("bob is let in", () => ring.find(BOB)?.name === "bob");
  file.text = '{"keys": [';
  await until("it is told", () => told.length === 2);
  assertStringIncludes(told[1], "the old ones stay, because keys.json:1:11");
  assertEquals(ring.check(shows(BOB)).name, "bob");
  file.text = fileOf({ name: "bob" });
  await until("ada is out", () => ring.find(ADA) === undefined);
  assertThrows(() => ring.check(shows(ADA)), BridgeError, "is not known, or was taken away");
  assertThrows(() => ring.check(new Headers()), BridgeError, "has no client key");
  stop();
});

Deno.test("KeyRing.open() says how to make a file that isn't there", async () => {
  const error = await assertRejects(
    () => KeyRing.open({ path: "k.json", read: () => Promise.resolve(undefined), tell() {} }),
    BridgeError,
  );
  assertStringIncludes(error.message, "fd-bridge key add NAME --client-keys k.json");
});

/** A request that reserves 100 tokens for its 300 characters, and 100 for its answer. */
const ASK = {
  model: KIMI,
  body: { max_tokens: 100, messages: [{ role: "user", content: "x".repeat(240) }] },
};

Deno.test("admit() lets exactly as many requests a minute through, under 50 at once", async () => {
  const client: ClientKey = { name: "ada", hash: "", requestsPerMinute: 7 };
  const now = Date.UTC(2026, 10, 27, 12, 0, 15);
  const counters = new MemoryCounters(() => now);
  const asked = await Promise.allSettled(
    Array.from({ length: 50 }, () => admit({ key: client, ...ASK }, counters, now)),
  );
  assertEquals(asked.filter(({ status }) => status === "fulfilled").length, 7);
  const refused = asked.find((one) => one.status === "rejected")!.reason as BridgeError;
  assertEquals([refused.status, refused.headers["retry-after"]], [429, "45"]);
  assertEquals(refused.headers["x-should-retry"], "true");
  assertEquals(
    refused.message,
    "The key of ada may take 7 requests a minute, and has taken them: wait until 12:01:00 UTC. Who runs the bridge can raise it.",
  );
  await admit({ key: client, ...ASK }, counters, now + 45_000);
});

Deno.test("admit() never lets requests exceed a day's tokens together, and gives back what they didn't take", async () => {
  // The real clock: these counters forget what has ended.
  const counters = new MemoryCounters();
  const client: ClientKey = { name: "ada", hash: "", tokensPerDay: 1_000 };
  // Each reserves 100 + 100 tokens, and takes 10.
  const ask = () => admit({ key: client, ...ASK }, counters);
  const first = await Promise.allSettled(Array.from({ length: 50 }, ask));
  const settled = first.flatMap((one) => one.status === "fulfilled" ? [one.value] : []);
  assertEquals(settled.length, 5);
  const refused = first.find((one) => one.status === "rejected")!.reason as BridgeError;
  assertStringIncludes(
    refused.message,
    "1000 tokens a day, and has taken them, running requests included",
  );
  assertEquals(refused.headers["x-should-retry"], "false");
  const tokens = { input: 8, output: 2, cached: 0, written: 0, writtenForHour: 0 };
  for (const settle of settled) settle(tokens);
  // 50 are taken: 4 more fit beside them, whose reserve is 200 each.
  const second = await Promise.allSettled(Array.from({ length: 50 }, ask));
  assertEquals(second.filter(({ status }) => status === "fulfilled").length, 4);
});

Deno.test("admit() counts what a client has seen that left before the end", async () => {
  const counters = new MemoryCounters();
  const client: ClientKey = { name: "ada", hash: "", tokensPerDay: 500 };
  (await admit({ key: client, ...ASK }, counters))(undefined, undefined, 250);
  await assertRejects(
    () => admit({ key: client, ...ASK }, counters),
    BridgeError,
    "500 tokens a day",
  );
  const other = { name: "bob", hash: "", tokensPerDay: 500 };
  (await admit({ key: other, ...ASK }, counters))();
  await admit({ key: other, ...ASK }, counters);
});

Deno.test("admit() counts dollars, and refuses a model whose cost nobody knows", async () => {
  const counters = new MemoryCounters();
  const client: ClientKey = { name: "ada", hash: "", dollarsPerDay: 0.01, tokensPerDay: 1_000_000 };
  await assertRejects(() => admit({ key: client, ...ASK }, counters), BridgeError, "has no price");
  const price = { input: 10, output: 50, cached: 1, written: 12, writtenForHour: 20 };
  const settle = await admit({ key: client, ...ASK, price }, counters);
  await assertRejects(
    () => admit({ key: client, ...ASK, body: {}, price }, counters),
    BridgeError,
    "$0.01 a day",
  );
  settle();
});

/** A bridge with some keys. */
async function keyedBridge(text: string, flags: readonly string[] = []) {
  const { ring } = await ringOf(text);
  return testBridge({ keys: ring, flags });
}

const HELLO = { model: KIMI, messages: [{ role: "user", content: "Hello" }] };

Deno.test("POST lets in who shows a key, in each way, and hands the gateway the token alone", async () => {
  const { post, requests, log } = await keyedBridge(fileOf({ name: "ada" }));
  const ways: Record<string, string>[] = [
    { authorization: `Bearer ${ADA}:${TOKEN}` },
    { "x-fd-bridge-key": ADA, authorization: `Bearer ${TOKEN}` },
    { authorization: "", "x-api-key": `${ADA}:${TOKEN}` },
  ];
  for (const headers of ways) {
    const response = await post("/chat/completions", HELLO, { headers });
    assertEquals(response.status, 200, await response.text());
  }
  for (const { headers } of requests) {
    assertEquals(headers.authorization, `Bearer ${TOKEN}`);
    assert(!JSON.stringify(headers).includes(ADA));
  }
  for (const key of [BOB, ""]) {
    const headers = { authorization: `Bearer ${key}:${TOKEN}` };
    const response = await post("/chat/completions", HELLO, { headers });
    assertEquals(response.status, 401);
    assertStringIncludes(await response.text(), "fd-bridge key add NAME");
  }
  assert(!log().includes(ADA) && !log().includes(TOKEN));
  assertStringIncludes(log(), "client=ada/");
});

Deno.test("POST refuses a model that a key may not ask, in the client's dialect, and lists the others only", async () => {
  const { post, route } = await keyedBridge(
    fileOf({ name: "ada", models: ["databricks-claude-*"] }),
  );
  const headers = { authorization: `Bearer ${ADA}:${TOKEN}` };
  const chat = await post("/chat/completions", HELLO, { headers });
  assertEquals([chat.status, chat.headers.get("x-should-retry")], [403, "false"]);
  assertStringIncludes(
    (await chat.json()).error.message,
    `The key of ada may not ask the model "${KIMI}", only databricks-claude-*.`,
  );
  const messages = await post("/v1/messages", { ...HELLO, max_tokens: 10 }, { headers });
  assertEquals((await messages.json()).error.type, "permission_error");
  const list = await route(new Request("http://127.0.0.1:8080/models", { headers }));
  const ids = (await list.json()).data.map(({ id }: JsonObject) => id as string);
  assert(ids.length > 0 && ids.every((id: string) => id.startsWith("databricks-claude-")));
  const one = await route(new Request(`http://127.0.0.1:8080/models/${KIMI}`, { headers }));
  assertEquals(one.status, 404);
  await one.text();
});

Deno.test("POST hands no header on that routes elsewhere, from a key that may ask some models only", async () => {
  const { post, requests } = await keyedBridge(
    fileOf({ name: "ada", models: ["databricks-kimi-*"] }, { name: "bob" }),
  );
  const route = "databricks-model-provider-service";
  for (const key of [ADA, BOB]) {
    const headers = { authorization: `Bearer ${key}:${TOKEN}`, [route]: "somebody-else" };
    await (await post("/chat/completions", HELLO, { headers })).text();
  }
  assertEquals(requests.map(({ headers }) => headers[route]), [undefined, "somebody-else"]);
});

Deno.test("POST answers 429 over a limit, in the client's dialect, until the window ends", async () => {
  const { post } = await keyedBridge(fileOf({ name: "ada", requestsPerMinute: 0 }));
  const headers = { authorization: `Bearer ${ADA}:${TOKEN}` };
  const response = await post("/v1/messages", { ...HELLO, max_tokens: 10 }, { headers });
  assertEquals(response.status, 429);
  const seconds = Number(response.headers.get("retry-after"));
  assert(seconds >= 1 && seconds <= 60);
  assertEquals((await response.json()).error.type, "rate_limit_error");
});

Deno.test("a stream settles with its key's tokens when it ends", async () => {
  const { post, bridge } = await keyedBridge(fileOf({ name: "ada", tokensPerDay: 100_000 }));
  const headers = { authorization: `Bearer ${ADA}:${TOKEN}` };
  await (await post("/chat/completions", { ...HELLO, stream: true }, { headers })).text();
  const day = Math.floor(Date.now() / 86_400_000);
  const taken = await bridge.counters.add(`ada tokens ${day}`, 0, Date.now() + 60_000);
  assert(taken > 0 && taken < 2_000, String(taken));
});

Deno.test("GET /metrics is for admins; GET /usage shows one's own, to admins everybody's", async () => {
  const { route } = await keyedBridge(
    fileOf({ name: "ada", tokensPerDay: 9 }, { name: "root", admin: true }),
  );
  const get = (path: string, key: string) =>
    route(new Request(`http://127.0.0.1:8080${path}`, { headers: { "x-fd-bridge-key": key } }));
  const refused = await get("/metrics", ADA);
  assertEquals(refused.status, 403);
  assertStringIncludes(await refused.text(), "The key of ada may not see this");
  assertEquals((await get("/metrics", ROOT)).status, 200);
  const own = await (await get("/usage", ADA)).json();
  assertEquals([own.key, own.rows], [{ name: "ada", tokensPerDay: 9 }, []]);
  assert(!JSON.stringify(own).includes(hashOfKey(ADA)));
});

/** `fd-bridge key …` on a machine in memory. */
function command(words: string[], flags: Record<string, unknown>, files: Record<string, string>) {
  const machine = testMachine({ files, env: { HOME: "/home/ada" } });
  const config = { clientKeys: "/team/keys.json" };
  const made = { system: machine.system, line: { command: "key", words, flags }, rows: [], config };
  return { start: made as unknown as Start, machine };
}

Deno.test("key add prints a key once and writes its hash, list shows limits, remove takes it away", async () => {
  const files: Record<string, string> = {};
  const flags = { "tokens-per-day": "5000000", "allow-models": ["a,b*"], admin: true };
  const added = command(["add", "ada"], flags, files);
  assertEquals(await key(added.start), 0);
  const value = added.machine.out().trim();
  assert(/^fdk-[\w-]{43}$/.test(value), value);
  assertStringIncludes(added.machine.err(), "shown only this once");
  const text = files["/team/keys.json"];
  assert(!text.includes(value));
  assertEquals(parseClientKeys(text, "f").map(({ hash }) => hash), [hashOfKey(value)]);
  const listed = command(["list"], {}, files);
  await key(listed.start);
  assertEquals(
    listed.machine.out(),
    `${"ada".padEnd(20)} admin; a, b*; 5000000 tokens a day\n`,
  );
  const again = await assertRejects(() => key(command(["add", "ada"], {}, files).start));
  assertStringIncludes((again as Error).message, "fd-bridge key remove ada");
  await key(command(["remove", "ada"], {}, files).start);
  assertEquals(parseClientKeys(files["/team/keys.json"], "f"), []);
  const gone = await assertRejects(() => key(command(["remove", "ada"], {}, files).start));
  assertStringIncludes((gone as Error).message, "ada has no key in /team/keys.json: nobody has.");
});

Deno.test("parseCommandLine() takes limits as large as people give", () => {
  const limits = ["--tokens-per-day", "50000000", "--requests-per-minute", "6000"];
  const line = parseCommandLine(["key", "add", "ada", "--client-keys", "k.json", ...limits]);
  readConfig(settings(line, { process: {} }));
  assertEquals(line.flags["tokens-per-day"], "50000000");
});

Deno.test("key add refuses names and limits that a bridge couldn't read", async () => {
  const files: Record<string, string> = {};
  for (const [name, flags] of [["a b", {}], ["ada", { "dollars-per-day": "ten" }]] as const) {
    await assertRejects(() => key(command(["add", name], flags, files).start), BridgeError);
  }
  assertEquals(files, {});
});

Deno.test("maskSecrets() hides clients' keys", () => {
  assertEquals(maskSecrets(`it sent ${ADA}`), "it sent ***");
});

Deno.test("readConfig() takes one key for all or one for each, not both; either serves other machines", () => {
  const config = (...args: string[]) =>
    readConfig(settings(parseCommandLine(args), { process: {} }));
  const both = ["--client-key", "our-secret-key", "--client-keys", "keys.json"];
  assertThrows(() => config(...both), BridgeError, "Both --client-key and --client-keys are set");
  assertStringIncludes(exposure(config("--host", "0.0.0.0", ...both.slice(2)))!, "client key");
});

Deno.test("the page opens to an admin's key, and to no other; without an admin to nobody", async () => {
  const { ring } = await ringOf(fileOf({ name: "ada" }, { name: "root", admin: true }));
  const { ring: plain } = await ringOf(fileOf({ name: "ada" }));
  const opens = (key: string, keys = ring) => {
    const admins = keys.keys.filter(({ admin }) => admin).map(({ hash }) => hash);
    return new PageKeys(() => admins.length > 0 ? admins : ["nobody"], undefined, hashOfKey)
      .opens(new Headers({ "x-fd-bridge-key": key }));
  };
  assertEquals(await opens(ROOT), true);
  assertEquals(await opens(ADA), false);
  assertEquals(await opens(ADA, plain), false);
});

Deno.test("admit() reserves for every answer that is asked for, and nothing less than a token", async () => {
  const client = { name: "ada", hash: "", tokensPerDay: 1_000 };
  for (
    const body of [
      { max_tokens: 100, n: 128 },
      { max_tokens: -9e6 },
      { max_tokens: 0 },
      { generationConfig: { maxOutputTokens: -1, candidateCount: 2 } },
    ]
  ) {
    const counters = new MemoryCounters();
    const ask = { ...ASK, key: client, body };
    await assertRejects(() => admit(ask, counters), BridgeError, "1000 tokens a day");
  }
});

Deno.test("the page's cookie can't be made of what the file of keys says", async () => {
  const cookie = async (key: string) => {
    const bytes = new TextEncoder().encode(`fd-bridge page\n${key}`);
    const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
    return `fd_bridge_page_8080=${hash}`;
  };
  for (const text of [fileOf({ name: "ada" }), fileOf({ name: "root", admin: true })]) {
    const { ring } = await ringOf(text);
    const { route } = testBridge({ keys: ring, usage: { add() {}, groups: () => [] } });
    for (const known of ["nobody", hashOfKey(ROOT)]) {
      const headers = { cookie: await cookie(known), host: "127.0.0.1:8080" };
      const response = await route(
        new Request("http://127.0.0.1:8080/api/requests", { headers }),
      );
      assertEquals(response.status, 401);
      await response.text();
    }
  }
});

Deno.test("checkTeam() tells the doctor of keys and a store that can't be used, and of those that can", async () => {
  const files: Record<string, string> = {
    "/keys.json": fileOf({ name: "ada" }),
    "/broken.json": "{",
  };
  const looked = async (...args: string[]) => {
    const { system } = testMachine({ files, env: { HOME: "/home/ada" } });
    const config = readConfig(settings(parseCommandLine(args), { process: {} }));
    const found: [string, string, string][] = [];
    const report = {
      add: (_group: string, { name, status, detail }: Record<string, string>) =>
        found.push([name, status, detail]),
    };
    await checkTeam({ system } as unknown as Start, config, report as never);
    return found;
  };
  assertEquals(await looked(), []);
  assertEquals(await looked("--client-keys", "/keys.json"), [
    ["client-keys", "ok", "1 in /keys.json."],
  ]);
  const [[, status, detail]] = await looked("--client-keys", "/broken.json");
  assertEquals(status, "fail");
  assertStringIncludes(detail, "/broken.json:1:2");
  const port = freePort();
  const secret = ["--store-key", "the secret of all bridges"];
  const [[name, gone, why]] = await looked(
    "--store",
    `redis://:s3cret@127.0.0.1:${port}`,
    ...secret,
  );
  assertEquals([name, gone], ["store", "fail"]);
  assertStringIncludes(why, `The store at redis://127.0.0.1:${port}/0 can't be reached`);
  assert(!why.includes("s3cret"));
});
