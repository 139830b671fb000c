/** The bridge's own key: made once, kept safe, asked for. */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { key } from "../lib/commands/key.ts";
import { BridgeError, maskSecrets } from "../lib/errors.ts";
import {
  BridgeKey,
  checkBridgeKey,
  type KeyMachine,
  loadBridgeKey,
  rotateBridgeKey,
} from "../lib/gateway/tokens/mod.ts";
import { machine as realMachine } from "../lib/system/machine.ts";
import type { Start } from "../lib/system/system.ts";
import { testMachine } from "./helpers/machine.ts";

const KEY = /^fdb-[A-Za-z0-9_-]{43}$/;
const PATH = "/home/ada/.config/fd-bridge/bridge-key";

/** The real file system in a folder of its own. */
async function realFolder() {
  const folder = await Deno.makeTempDir({ prefix: "fd-bridge-" });
  const on: KeyMachine = {
    os: "linux",
    variable: (name) => name === "XDG_CONFIG_HOME" ? folder : undefined,
    async readText(path) {
      try {
        return await Deno.readTextFile(path);
      } catch (error) {
        if (error instanceof Deno.errors.NotFound) return undefined;
        throw error;
      }
    },
    files: realMachine.files,
  };
  return {
    on,
    path: `${folder}/fd-bridge/bridge-key`,
    [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }),
  };
}

function memory(files: Record<string, string> = {}) {
  const { system } = testMachine({ files, env: { HOME: "/home/ada" } });
  return { on: { ...system, files: system.machine.files }, files };
}

async function refusal(work: Promise<unknown>): Promise<BridgeError> {
  return await assertRejects(() => work, BridgeError);
}

Deno.test("loadBridgeKey() makes a key of 32 random bytes, readable by its owner only", async () => {
  await using folder = await realFolder();
  const made = await loadBridgeKey(folder.on);
  assert(KEY.test(made), made);
  assertEquals(await loadBridgeKey(folder.on), made);
  assertEquals(await Deno.readTextFile(folder.path), `${made}\n`);
  if (Deno.build.os === "windows") return;
  const mode = async () => (await Deno.stat(folder.path)).mode! & 0o777;
  assertEquals(await mode(), 0o600);
  await Deno.chmod(folder.path, 0o644);
  assertEquals(await loadBridgeKey(folder.on), made);
  assertEquals(await mode(), 0o600);
  await Deno.chmod(folder.path, 0o644);
  const rotated = await rotateBridgeKey(folder.on);
  assert(rotated !== made);
  assertEquals([await loadBridgeKey(folder.on), await mode()], [rotated, 0o600]);
});

Deno.test("loadBridgeKey() gives bridges that start at once the same key", async () => {
  for (let round = 0; round < 10; round++) {
    await using folder = await realFolder();
    const keys = await Promise.all(Array.from({ length: 20 }, () => loadBridgeKey(folder.on)));
    assertEquals(new Set(keys).size, 1);
    const names = [...Deno.readDirSync(folder.path.replace(/[^/]*$/, ""))].map(({ name }) => name);
    assertEquals(names, ["bridge-key"]);
  }
});

Deno.test("loadBridgeKey() says what is wrong with the file, and where else a key can come from", async () => {
  const { on } = memory({ [PATH]: "not a key" });
  assertStringIncludes((await refusal(loadBridgeKey(on))).message, "fd-bridge key --rotate");
  const nowhere = { ...memory().on, variable: () => undefined };
  const noHome = await refusal(loadBridgeKey(nowhere));
  assertStringIncludes(noHome.message, "HOME is not set");
  const full = memory().on;
  const readOnly = {
    ...full,
    files: { ...full.files, create: () => Promise.reject(new Error("Read-only file system")) },
  };
  for (const work of [loadBridgeKey(readOnly), rotateBridgeKey(readOnly)]) {
    const error = await refusal(work);
    assertEquals(error.kind, "config");
    assertStringIncludes(error.message, "Read-only file system");
    assertStringIncludes(error.message, "--client-key");
  }
});

Deno.test("checkBridgeKey() takes the key in every header in which clients send one", async () => {
  const right = `fdb-${"k".repeat(43)}`;
  const headers: HeadersInit[] = [
    { authorization: `Bearer ${right}` },
    { authorization: `bearer  ${right} ` },
    { "x-api-key": right },
    { "x-goog-api-key": right },
    { "X-FD-Bridge-Key": right },
    { authorization: "Bearer a-token-of-the-client", "x-fd-bridge-key": right },
    { authorization: `Bearer ${right}`, "x-api-key": "dummy" },
  ];
  for (const init of headers) await checkBridgeKey(new Headers(init), right);
});

Deno.test("checkBridgeKey() refuses every other request with 401, and says where the key is found", async () => {
  const right = `fdb-${"k".repeat(43)}`;
  const headers: HeadersInit[] = [
    {},
    { authorization: "" },
    { authorization: `Basic ${right}` },
    { authorization: right },
    { authorization: `Bearer ${right}x` },
    { authorization: `Bearer ${right.slice(0, -1)}` },
    { authorization: `Bearer ${right.toUpperCase()}` },
    { authorization: "Bearer dapi0123456789abcdef" },
    { "x-api-key": "" },
    { cookie: `key=${right}` },
    { "api-key": right },
  ];
  for (const init of headers) {
    const error = await refusal(checkBridgeKey(new Headers(init), right));
    assertEquals([error.kind, error.status], ["unauthenticated", 401]);
    assertStringIncludes(error.message, "`fd-bridge key`");
    assert(!error.message.includes(right));
  }
});

Deno.test("BridgeKey takes a rotated key at once, and refuses the old one within a second", async () => {
  const { on } = memory();
  const clock = { now: 0 };
  const old = await loadBridgeKey(on);
  const bridge = new BridgeKey(
    old,
    async () => (await on.readText(PATH))?.trim(),
    () => clock.now,
  );
  const send = (key: string) => bridge.check(new Headers({ "x-api-key": key }));
  await send(old);
  const rotated = await rotateBridgeKey(on);
  await send(rotated);
  await refusal(send(old));
  const third = await rotateBridgeKey(on);
  await send(rotated);
  clock.now += 1000;
  await refusal(send(rotated));
  await send(third);
  assertEquals(bridge.value, third);
});

Deno.test("BridgeKey keeps its key while the file is gone", async () => {
  const { on, files } = memory();
  const bridge = await BridgeKey.open(on);
  delete files[PATH];
  await bridge.check(new Headers({ "x-api-key": bridge.value }));
  await refusal(bridge.check(new Headers({ "x-api-key": `fdb-${"x".repeat(43)}` })));
  await bridge.check(new Headers({ "x-api-key": bridge.value }));
});

Deno.test("A key that is given stays as it is", async () => {
  const bridge = new BridgeKey("our-own-key");
  await bridge.check(new Headers({ authorization: "Bearer our-own-key" }));
  await refusal(bridge.check(new Headers({ authorization: "Bearer other" })));
});

Deno.test("maskSecrets() hides bridge keys and OAuth secrets", () => {
  const made = `fdb-${"aB3_-".repeat(9).slice(0, 43)}`;
  assertEquals(maskSecrets(`key ${made}, secret dose${"0a".repeat(16)}`), "key ***, secret ***");
});

function start(words: string[], flags: Record<string, boolean>, files = {}, clientKey?: string) {
  const machine = testMachine({ files, env: { HOME: "/home/ada" } });
  const rows = [{ flag: { name: "client-key" }, text: clientKey }];
  const made = { system: machine.system, line: { command: "key", words, flags }, rows };
  return { start: made as unknown as Start, machine };
}

Deno.test("key prints the key alone, and makes it at the first time", async () => {
  const files: Record<string, string> = {};
  const first = start([], {}, files);
  assertEquals(await key(first.start), 0);
  const printed = first.machine.out();
  assert(KEY.test(printed.trim()), printed);
  assertEquals(files[PATH], printed);
  assertEquals(first.machine.err(), "");
  const second = start([], {}, files);
  await key(second.start);
  assertEquals(second.machine.out(), printed);
});

Deno.test("key --rotate makes another key and says what to do with it", async () => {
  const files: Record<string, string> = { [PATH]: "broken" };
  const { start: rotating, machine } = start([], { rotate: true }, files);
  assertEquals(await key(rotating), 0);
  assertEquals(files[PATH], machine.out());
  assert(KEY.test(machine.out().trim()));
  assertStringIncludes(machine.err(), "forge provider login openai_compatible");
});

Deno.test("key takes no words, and says when another key is in force", async () => {
  assertEquals((await refusal(key(start(["rotate"], {}).start))).kind, "usage");
  const { start: set, machine } = start([], {}, {}, "own-key-of-mine");
  await key(set);
  assertStringIncludes(machine.err(), "FD_BRIDGE_CLIENT_KEY");
  assert(!machine.err().includes("own-key-of-mine"));
});
