import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { logs } from "../lib/commands/logs.ts";
import { usage, usageText } from "../lib/commands/usage.ts";
import { readConfig, settings } from "../lib/config/config.ts";
import { parseCommandLine } from "../lib/config/command_line.ts";
import { BridgeError } from "../lib/errors.ts";
import { UsageStore } from "../lib/observe/usage.ts";
import { addUsage, noUsage, type UsageGroup } from "../lib/observe/usage_totals.ts";
import { fetchClient } from "../lib/gateway/fetch_client.ts";
import { runOn } from "./helpers/machine.ts";
import { machine } from "../lib/system/machine.ts";
import type { Start, System } from "../lib/system/system.ts";

/** Runs a command in a configuration folder of its own. */
async function run(
  command: (start: Start) => Promise<number>,
  args: string[],
  { home = "/nowhere", answer }: {
    home?: string;
    answer?: (request: Request) => Response | Promise<Response>;
  } = {},
) {
  let out = "";
  const system = {
    version: "1.0.0",
    embeddedModels: "",
    os: "linux",
    variable: (name: string) => name === "XDG_CONFIG_HOME" ? home : undefined,
    readText: () => Promise.resolve(undefined),
    out: (text: string) => void (out += text),
    terminal: { out: false, err: false },
    machine: {
      ...machine,
      createClient: () =>
        fetchClient(async (url, init) => {
          if (answer === undefined) throw new TypeError("Connection refused");
          return await answer(new Request(url, init));
        }),
    },
  } as unknown as System;
  const line = parseCommandLine(args);
  const rows = settings(line, { process: {} });
  const proxies = { loopbackProxied: false, proxyFor: () => undefined };
  const start = { system, line, rows, config: readConfig(rows), proxies } as unknown as Start;
  const code = await command(start);
  return { code, out };
}

async function filled() {
  const home = await Deno.makeTempDir({ prefix: "fd-bridge-usage-" });
  const store = await UsageStore.open({
    path: `${home}/fd-bridge/usage.db`,
    files: machine.files,
    tell: (message) => console.error(message),
  });
  const tokens = {
    input: 1_000_000,
    output: 20_000,
    cached: 900_000,
    written: 0,
    writtenForHour: 0,
  };
  const cost = { total: 1.25, saved: 2.5, writing: 0.125 };
  const day = 86_400_000;
  const now = Date.now();
  const base = { client: "ForgeCode", failed: false, tokens };
  store.add({ ...base, time: now, model: "databricks-claude-sonnet-4-5", cost });
  store.add({ ...base, time: now - 2 * day, model: "databricks-claude-sonnet-4-5", cost });
  store.add({ ...base, time: now, model: "databricks-kimi-k3", client: "codex" });
  store.add({ ...base, time: now - 30 * day, model: "old", failed: true, tokens: undefined });
  assert(await store.close());
  return { home, [Symbol.asyncDispose]: () => Deno.remove(home, { recursive: true }) };
}

Deno.test("fd-bridge usage shows the last seven days by model, with sums and what the cache saved", async () => {
  await using place = await filled();
  const { code, out } = await run(usage, ["usage"], place);
  assertEquals(code, 0);
  const lines = out.split("\n");
  const row = lines.find((line) => line.startsWith("databricks-claude"))!;
  assert(/ 2 +2\.0M +90% +40\.0k +\$2\.50 █{9}$/.test(row), row);
  const kimi = lines.find((line) => line.startsWith("databricks-kimi"))!;
  assert(/ 1 +1\.0M +90% +20\.0k *$/.test(kimi), "no price, no cost and no bar");
  assert(/^total +3 +3\.0M +90% +60\.0k +\$2\.50$/m.test(out), out);
  assertStringIncludes(out, "The cache saved $5.00; writing it cost $0.2500 more than not.");
  assertStringIncludes(out, "third party's list of July 2026");
  assertStringIncludes(out, "No price is known for 1 of them");
  assert(!out.includes("old"));
});

Deno.test("fd-bridge usage --json gives rows and totals, by day and client, too", async () => {
  await using place = await filled();
  const month = JSON.parse((await run(usage, ["usage", "--days", "60", "--json"], place)).out);
  assertEquals([month.days, month.by, month.rows.length], [60, "model", 3]);
  assertEquals([month.totals.requests, month.totals.failed, month.totals.cost], [4, 1, 2.5]);
  const days = JSON.parse((await run(usage, ["usage", "--by", "day", "--json"], place)).out);
  assertEquals(days.rows.length, 2);
  assert(days.rows[0].key < days.rows[1].key, "days stand in order");
  const today = ["usage", "--by", "client", "--days", "1", "--json"];
  const clients = JSON.parse((await run(usage, today, place)).out);
  assertEquals(clients.rows.map(({ key }: UsageGroup) => key), ["ForgeCode", "codex"]);
});

Deno.test("fd-bridge usage without a file, or with one of another program, says so", async () => {
  assertStringIncludes((await run(usage, ["usage"])).out, "No usage from");
  const home = await Deno.makeTempDir();
  await Deno.mkdir(`${home}/fd-bridge`);
  await Deno.writeTextFile(`${home}/fd-bridge/usage.db`, "not a database ".repeat(100));
  const error = await assertRejects(() => run(usage, ["usage"], { home }), BridgeError);
  assertStringIncludes(error.message, "it is broken");
  await Deno.remove(home, { recursive: true });
});

Deno.test("fd-bridge usage refuses days and keys that there aren't", async () => {
  for (
    const args of [["--days", "0"], ["--days", "401"], ["--days", "x"], ["--by", "x"], ["word"]]
  ) {
    const error = await assertRejects(() => run(usage, ["usage", ...args]), BridgeError);
    assert(error.kind === "usage" || error.kind === "config", error.message);
  }
});

Deno.test("usageText() is at most 80 columns wide, whatever the names and numbers are", () => {
  const sizes = [0, 1, 999, 1_000, 99_949, 999_949, 999_999, 123_456_789, 9.9996e11, 5e14];
  const groups = sizes.map((size, at): UsageGroup => ({
    key: at % 2 ? "m".repeat(100) : "x\x1b[2J\ny",
    ...noUsage(),
    requests: size,
    tokens_in: size,
    tokens_cached: size,
    tokens_out: size,
    priced: size,
    counted: size * 2,
    cost: size / 3,
    saved: size,
    failed: 1,
  }));
  const totals = noUsage();
  for (const group of groups) addUsage(totals, group);
  const span = { since: "2026-09-01", until: "2026-09-07" };
  for (const by of ["model", "client", "day"] as const) {
    const text = usageText(groups, totals, by, span, (_color, text) => text);
    for (const line of text.split("\n")) assert(line.length <= 80, `${line.length}: ${line}`);
    assert(!text.includes("\x1b"));
  }
});

const RECORD = {
  id: "0123456789abcdef",
  time: "2026-09-01T12:00:00.000Z",
  client: "Forge\x1b[2JCode",
  method: "POST",
  path: "/chat/completions",
  model: "m",
  status: 429,
  first_byte_ms: 1,
  duration_ms: 2,
  dropped: ["store"],
  repaired: [],
  learned: [],
  retries: 2,
  retry_causes: ["429"],
  error: { kind: "gateway", status: 429, message: "slow down", advice: "wait" },
};

Deno.test("fd-bridge logs --last-error prints the record of the running bridge's last failure", async () => {
  let asked: Request | undefined;
  const answer = (request: Request) => {
    asked = request;
    return Response.json({ version: "fd-bridge/1.0.0", requests: [RECORD] });
  };
  const args = ["logs", "--last-error", "--port", "9191", "--client-key", "a-client-key"];
  const { code, out } = await run(logs, args, { answer });
  assertEquals(code, 0);
  assertEquals(asked?.url, "http://127.0.0.1:9191/api/requests?status=error&limit=1");
  assertEquals(asked?.headers.get("x-fd-bridge-key"), "a-client-key");
  for (const word of ["0123456789abcdef", "slow down", "store", "fd-bridge/1.0.0", "429"]) {
    assertStringIncludes(out, word);
  }
  assert(!out.includes("\x1b"));
  assertEquals(JSON.parse((await run(logs, [...args, "--json"], { answer })).out), RECORD);
});

Deno.test("fd-bridge logs shows the key of a bridge with tokens of its own", async () => {
  let key: string | null = null;
  const { code } = await runOn(["logs", "--last-error"], {
    env: { HOME: "/home/ada" },
    files: { "/home/ada/.config/fd-bridge/bridge-key": "fdb-own-key\n" },
    fetch: (request) => {
      key = request.headers.get("x-fd-bridge-key");
      return Response.json({ version: "fd-bridge/1.0.0", requests: [] });
    },
  });
  assertEquals([code, key as string | null], [0, "fdb-own-key"]);
});

Deno.test("fd-bridge logs says what is wrong where it gets no record", async () => {
  const cases: [((request: Request) => Response) | undefined, string][] = [
    [undefined, "No bridge answers at http://127.0.0.1:8080"],
    [() => Response.json({}, { status: 401 }), "asks for its key"],
    [() => Response.json({}, { status: 404 }), "no record of requests"],
    [() => new Response("<p>"), "is no fd-bridge"],
  ];
  for (const [answer, words] of cases) {
    const error = await assertRejects(
      () => run(logs, ["logs", "--last-error"], { answer }),
      BridgeError,
    );
    assertStringIncludes(error.message, words);
  }
  const none = await run(logs, ["logs", "--last-error"], {
    answer: () => Response.json({ requests: [] }),
  });
  assertStringIncludes(none.out, "No request");
  await assertRejects(() => run(logs, ["logs"]), BridgeError, "--last-error");
});
