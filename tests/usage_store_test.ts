import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { DatabaseSync } from "node:sqlite";
import { type UsageRow, UsageStore } from "../lib/observe/usage.ts";
import { readUsage } from "../lib/observe/usage_totals.ts";
import { machine } from "../lib/system/machine.ts";
import { currentStdSource, stdFlags } from "../scripts/std_source.ts";

const DAY = 86_400_000;

async function folder(): Promise<{ path: string } & AsyncDisposable> {
  const path = await Deno.makeTempDir({ prefix: "fd-bridge-usage-" });
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}

function row(more: Partial<UsageRow> = {}): UsageRow {
  return {
    time: Date.now(),
    model: "databricks-gpt-5",
    client: "ForgeCode",
    failed: false,
    tokens: { input: 100, output: 10, cached: 60, written: 20, writtenForHour: 0 },
    cost: { total: 0.5, saved: 0.25, writing: 0.125 },
    ...more,
  };
}

async function openStore(path: string | undefined, now?: () => Date) {
  const told: string[] = [];
  const store = await UsageStore.open({
    path,
    files: machine.files,
    tell: (message) => told.push(message),
    now,
  });
  return { store, told };
}

Deno.test("UsageStore adds up by model, client and day, and a restart keeps the totals", async () => {
  await using temporary = await folder();
  const path = `${temporary.path}/not there yet/usage.db`;
  for (let start = 1; start <= 2; start++) {
    const { store, told } = await openStore(path);
    store.add(row());
    store.add(row({ client: "codex_cli_rs" }));
    store.add(row({ model: "m", tokens: undefined, cost: undefined, failed: true }));
    await Promise.resolve();
    const [gpt, m] = store.groups("model", 1);
    assertEquals([gpt.key, gpt.requests, gpt.tokens_in], [
      "databricks-gpt-5",
      2 * start,
      200 * start,
    ]);
    assertEquals([gpt.tokens_out, gpt.tokens_cached, gpt.tokens_written], [
      20 * start,
      120 * start,
      40 * start,
    ]);
    assertEquals([gpt.cost, gpt.saved, gpt.cache_writing], [start, start / 2, start / 4]);
    assertEquals([gpt.priced, gpt.counted, gpt.failed], [2 * start, 2 * start, 0]);
    assertEquals([m.key, m.requests, m.failed, m.counted], ["m", start, start, 0]);
    assertEquals(store.groups("client", 1).map(({ key }) => key), ["ForgeCode", "codex_cli_rs"]);
    assertEquals(store.groups("day", 7).length, 1);
    assert(await store.close());
    assertEquals(told, []);
  }
  if (Deno.build.os !== "windows") {
    assertEquals((await Deno.stat(path)).mode! & 0o777, 0o600);
  }
});

Deno.test("UsageStore counts a request on its local day, and keeps 400 days", async () => {
  await using temporary = await folder();
  const path = `${temporary.path}/usage.db`;
  const today = new Date(2026, 8, 30, 0, 30);
  const first = await openStore(path, () => today);
  first.store.add(row({ time: today.getTime() }));
  first.store.add(row({ time: today.getTime() - 3_600_000 }));
  first.store.add(row({ time: today.getTime() - 410 * DAY }));
  await Promise.resolve();
  assertEquals(first.store.groups("day", 2).map(({ key }) => key), ["2026-09-29", "2026-09-30"]);
  assertEquals(first.store.groups("day", 1).length, 1);
  assertEquals(first.store.groups("day", 1_000).length, 3);
  await first.store.close();
  const second = await openStore(path, () => today);
  assertEquals(second.store.groups("day", 1_000).length, 2);
  await second.store.close();
});

Deno.test("UsageStore is bounded, whatever models and clients call themselves, and loses no token", async () => {
  await using temporary = await folder();
  for (const path of [`${temporary.path}/usage.db`, undefined]) {
    const { store } = await openStore(path);
    for (let at = 0; at < 5_000; at++) {
      store.add(row({ model: `made-up-${at}\ud800'; DROP TABLE usage`, client: `c${at}` }));
      if (at % 100 === 0) await Promise.resolve();
    }
    await Promise.resolve();
    const groups = store.groups("model", 1);
    assert(groups.length <= 501, `${groups.length} models`);
    assertEquals(groups.reduce((sum, group) => sum + group.tokens_in, 0), 500_000);
    await store.close();
  }
});

Deno.test("UsageStore works on in memory while another program has the file locked, and writes it then", async () => {
  await using temporary = await folder();
  const path = `${temporary.path}/usage.db`;
  const { store, told } = await openStore(path);
  const other = new DatabaseSync(path);
  other.exec("BEGIN EXCLUSIVE");
  const start = performance.now();
  for (let at = 0; at < 10; at++) {
    store.add(row());
    await Promise.resolve();
  }
  assert(performance.now() - start < 200, "nothing waits for the lock");
  assertEquals(store.groups("model", 1)[0].requests, 10);
  other.exec("COMMIT");
  other.close();
  assert(await store.close());
  assertEquals(told, []);
  assertEquals(readUsage(path, "day", 1, new Date())[0].requests, 10);
});

Deno.test("UsageStore says once that a file stays locked, and once that it is free again", async () => {
  await using temporary = await folder();
  const path = `${temporary.path}/usage.db`;
  const other = new DatabaseSync(path);
  other.exec("CREATE TABLE theirs (x); BEGIN EXCLUSIVE");
  const { store, told } = await openStore(path);
  assertEquals(told.length, 1);
  assertStringIncludes(told[0], "another program holds it locked");
  store.add(row());
  await Promise.resolve();
  assertEquals(store.groups("model", 1)[0].tokens_out, 10);
  other.exec("COMMIT");
  other.close();
  assert(store.flush());
  assertEquals(told.length, 2);
  assertStringIncludes(told[1], "can be written again");
  await store.close();
  assertEquals(readUsage(path, "client", 1, new Date())[0].key, "ForgeCode");
});

Deno.test("UsageStore sets a corrupt file aside and begins a new one", async () => {
  await using temporary = await folder();
  const path = `${temporary.path}/usage.db`;
  const good = await openStore(path);
  for (let at = 0; at < 300; at++) good.store.add(row({ model: `model-${at}` }));
  await good.store.close();
  const bytes = await Deno.readFile(path);
  bytes.fill(0xff, 5_000);
  for (const broken of [new TextEncoder().encode("no database ".repeat(500)), bytes]) {
    await Deno.writeFile(path, broken);
    const { store, told } = await openStore(path);
    assertEquals(told.length, 1);
    assertStringIncludes(told[0], "was broken");
    store.add(row());
    await Promise.resolve();
    assertEquals(store.groups("day", 1)[0].requests, 1);
    await store.close();
    const names = [...Deno.readDirSync(temporary.path)].map(({ name }) => name);
    const aside = names.find((name) => /^usage\.db\.corrupt-[\dTZ-]+$/.test(name));
    assert(aside, names.join());
    assertEquals((await Deno.readFile(`${temporary.path}/${aside}`)).length, broken.length);
    await Deno.remove(`${temporary.path}/${aside}`);
  }
});

Deno.test("UsageStore leaves the file of a newer version as it is", async () => {
  await using temporary = await folder();
  const path = `${temporary.path}/usage.db`;
  const newer = new DatabaseSync(path);
  newer.exec("CREATE TABLE usage (other); PRAGMA user_version = 2");
  newer.close();
  const { store, told } = await openStore(path);
  assertStringIncludes(told[0], "newer fd-bridge");
  store.add(row());
  await Promise.resolve();
  assertEquals(store.groups("model", 1)[0].requests, 1);
  await store.close(0);
});

Deno.test("UsageStore works on where its folder can't be made, and says so", async () => {
  await using temporary = await folder();
  await Deno.writeTextFile(`${temporary.path}/file`, "");
  const { store, told } = await openStore(`${temporary.path}/file/usage.db`);
  assertEquals(told.length, 1);
  assertStringIncludes(told[0], "usage is kept in memory only");
  store.add(row());
  assertEquals(store.groups("model", 1)[0].requests, 1);
  await store.close(0);
});

/** A small disk of its own, where this user may mount one. */
async function mountSmall(path: string, options: string): Promise<boolean> {
  if (Deno.build.os !== "linux") return false;
  const mount = new Deno.Command("mount", {
    args: ["-t", "tmpfs", "-o", options, "tmpfs", path],
    stderr: "null",
  });
  return (await mount.output().catch(() => ({ success: false }))).success;
}

async function run(command: string, ...args: string[]): Promise<void> {
  const { success } = await new Deno.Command(command, { args }).output();
  assert(success, `${command} ${args.join(" ")}`);
}

/** Waits for the end of the event loop's turn, when a store writes. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

Deno.test("UsageStore writes what a turn has added together, before anything else happens", async () => {
  await using temporary = await folder();
  const path = `${temporary.path}/usage.db`;
  const { store } = await openStore(path);
  const count = () => readUsage(path, "day", 1, new Date())[0]?.requests;
  store.add(row());
  store.add(row());
  assertEquals(count(), undefined);
  await turn();
  assertEquals(count(), 2);
  await store.close();
});

Deno.test("UsageStore works on when the disk is full, and loses nothing when there is room again", async (t) => {
  await using temporary = await folder();
  if (!await mountSmall(temporary.path, "size=256k")) {
    await t.step({ name: "needs a user who may mount a tmpfs", ignore: true, fn: () => {} });
    return;
  }
  try {
    const path = `${temporary.path}/usage.db`;
    const { store, told } = await openStore(path);
    const filler = `${temporary.path}/filler`;
    await Deno.writeFile(filler, new Uint8Array(1 << 20)).catch(() => {});
    for (let at = 0; at < 400; at++) {
      store.add(row({ model: `a model with a name that takes up room ${at}` }));
      await turn();
    }
    assertEquals(told.length, 1, told.join());
    assertStringIncludes(told[0], "the disk is full");
    assertEquals(store.groups("day", 1)[0].requests, 400);
    await Deno.remove(filler);
    assert(store.flush());
    assertEquals(told.length, 2);
    await store.close();
    assertEquals(readUsage(path, "day", 1, new Date())[0].requests, 400);
    await run("mount", "-o", "remount,ro", temporary.path);
    const readOnly = await openStore(path);
    assertStringIncludes(readOnly.told.join(), "read-only");
    readOnly.store.add(row());
    assertEquals(readOnly.store.groups("day", 1)[0].requests, 1);
    await readOnly.store.close(0);
  } finally {
    await run("umount", "--lazy", temporary.path);
  }
});

function startChild(path: string, count: number): Deno.ChildProcess {
  return new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--no-prompt",
      "--allow-read",
      "--allow-write",
      ...stdFlags(currentStdSource()),
      new URL("./helpers/usage_child.ts", import.meta.url).pathname,
      path,
      String(count),
    ],
    cwd: new URL("..", import.meta.url).pathname,
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
}

Deno.test("two bridges add to one file, after the permission to write is gone", async () => {
  await using temporary = await folder();
  const path = `${temporary.path}/usage.db`;
  const children = [startChild(path, 400), startChild(path, 300)];
  const outputs = await Promise.all(children.map((child) => child.output()));
  assertEquals(outputs.map(({ code }) => code), [0, 0]);
  const [day] = readUsage(path, "day", 1, new Date());
  assertEquals([day.requests, day.tokens_in, day.tokens_out], [700, 2_100, 1_400]);
});

Deno.test("a bridge that is killed loses no request that was over", async () => {
  await using temporary = await folder();
  const path = `${temporary.path}/usage.db`;
  const child = startChild(path, 0);
  let text = "";
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  while (text.split("\n").length < 200) text += (await reader.read()).value ?? "";
  child.kill("SIGKILL");
  for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
    text += piece.value;
  }
  await child.status;
  const over = Number(text.trim().split("\n").at(-1));
  const [day] = readUsage(path, "day", 1, new Date());
  // The one that was running when the signal came may be there or not.
  assert(day.requests === over || day.requests === over + 1, `${day.requests} of ${over}`);
  const { store, told } = await openStore(path);
  assertEquals(told, []);
  store.add(row());
  assert(await store.close());
});
