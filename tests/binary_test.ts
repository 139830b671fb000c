/**
 * The compiled program, end to end: `FD_BRIDGE_BIN=dist/fd-bridge deno task test tests/binary_test.ts`.
 * Without that variable the tests are left out, and say so.
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { COMMANDS } from "../lib/config/commands.ts";
import { FLAGS } from "../lib/config/flags.ts";
import { ENVIRONMENT_VARIABLES, PROGRAM_PERMISSIONS } from "../scripts/permissions.ts";
import { BINARY, desk } from "./helpers/binary.ts";
import { readAsForge, readModelsAsForge } from "./helpers/forge_reader.ts";
import { mainTurn, secondTurn } from "./helpers/requests.ts";

if (BINARY === undefined) {
  console.warn("tests/binary_test.ts: left out, because FD_BRIDGE_BIN names no program to test.");
}

const windows = Deno.build.os === "windows";
const MODEL = "databricks-claude-sonnet-5";
const RESPONSES_MODEL = "databricks-gpt-5-5-pro";
const { version } = JSON.parse(
  await Deno.readTextFile(new URL("../deno.json", import.meta.url)),
);

function binaryTest(name: string, fn: () => Promise<void>, ignore = false): void {
  Deno.test({ name: `the program ${name}`, ignore: BINARY === undefined || ignore, fn });
}

/** A request as a client sends it. */
function post(url: string, body: unknown): Promise<Response> {
  return fetch(`${url}/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: "Bearer any-word" },
    body: JSON.stringify(body),
  });
}

binaryTest("prints version, Deno, target and commit", async () => {
  await using folder = await desk();
  const { code, out, err } = await folder.run(["--version"]);
  assertEquals([code, err], [0, ""]);
  const [, said, target] =
    /^fd-bridge (\S+) \(Deno \d+\.\d+\.\d+\S*, (\S+), commit ([0-9a-f]{12}(-dirty)?|unknown)\)\n$/
      .exec(out) ?? [];
  assertEquals([said, target], [version, Deno.build.target], out);
});

binaryTest("prints its help, with every command and flag", async () => {
  await using folder = await desk();
  const { code, out } = await folder.run(["--help", "--all"]);
  assertEquals(code, 0);
  for (const { name } of COMMANDS.slice(1)) assertStringIncludes(out, `\n  ${name} `);
  for (const { name, commands } of FLAGS) {
    if (!commands || commands.includes("serve")) assertStringIncludes(out, name);
  }
});

binaryTest("ends with 2 and one line for what it doesn't understand", async () => {
  await using folder = await desk();
  for (const args of [["--prot", "1"], ["sevre"], ["--port"], ["--port", "many"]]) {
    const { code, out, err } = await folder.run(args);
    assertEquals([code, out], [2, ""], args.join(" "));
    assertMatch(err, /^fd-bridge: [^\n]+\n$/);
    assert(!err.includes("    at "), err);
  }
});

binaryTest("asks for the gateway's address, and names the demo", async () => {
  await using folder = await desk();
  const { code, err } = await folder.run([]);
  assertEquals(code, 2);
  assertStringIncludes(err, "DATABRICKS_AI_GATEWAY_URL");
  assertStringIncludes(err, "--demo");
});

binaryTest("lists the embedded models, and streams the demo's answer", async () => {
  await using folder = await desk();
  await using program = await folder.start(["--demo", "--port", "0"]);
  assertMatch(new URL(program.url).port, /^\d+$/);

  const list = await fetch(`${program.url}/models`);
  const models = readModelsAsForge(await list.json(), list.status);
  const embedded = JSON.parse(
    await Deno.readTextFile(new URL("../models.json", import.meta.url)),
  );
  assertEquals(models.models.length, embedded.models.length);

  const response = await post(program.url, {
    model: MODEL,
    stream: true,
    messages: [{ role: "user", content: "Hello from the outside" }],
  });
  const verdict = readAsForge(await response.bytes(), {
    status: response.status,
    contentType: response.headers.get("content-type"),
  });
  assertEquals(verdict.outcome, "done", verdict.message);
  assertStringIncludes(verdict.content, "Hello from the outside");
});

for (
  const [name, turn] of [
    ["main turn, to a Claude model", mainTurn(MODEL)],
    ["main turn, to a model of the Responses API", mainTurn(RESPONSES_MODEL)],
    ["turn after its tools ran", secondTurn(RESPONSES_MODEL)],
  ] as const
) {
  binaryTest(`serves ForgeCode's ${name}`, async () => {
    await using folder = await desk();
    await using program = await folder.start(["--demo", "--port", "0"]);
    const response = await post(program.url, turn);
    const verdict = readAsForge(await response.bytes(), {
      status: response.status,
      contentType: response.headers.get("content-type"),
    });
    assertEquals(verdict.outcome, "done", verdict.message);
  });
}

binaryTest("finds .env and models.json beside where it is started", async () => {
  await using folder = await desk();
  await folder.write(".env", "FD_BRIDGE_DEMO=true\nFD_BRIDGE_PORT=0\n");
  await folder.write("models.json", '{"models": ["databricks-from-here"]}');
  await using program = await folder.start([]);
  const { data } = await (await fetch(`${program.url}/models`)).json();
  assertEquals(data.map(({ id }: { id: string }) => id), ["databricks-from-here"]);
});

binaryTest("finds .env and models.json in the user's configuration folder", async () => {
  await using folder = await desk();
  await folder.write("home/fd-bridge/.env", "FD_BRIDGE_DEMO=true\nFD_BRIDGE_PORT=0\n");
  await folder.write("home/fd-bridge/models.json", '{"models": ["databricks-from-home"]}');
  await using program = await folder.start([]);
  const { data } = await (await fetch(`${program.url}/models`)).json();
  assertEquals(data.map(({ id }: { id: string }) => id), ["databricks-from-home"]);
});

binaryTest("tells with `config` what is in force and from where, without secrets", async () => {
  await using folder = await desk();
  await folder.write(".env", "FD_BRIDGE_RETRIES=1\nFD_BRIDGE_CLIENT_KEY=quite-a-secret\n");
  const { code, out } = await folder.run(["config", "--json", "--port", "9"], {
    FD_BRIDGE_HEARTBEAT: "7s",
  });
  assertEquals(code, 0);
  assert(!out.includes("quite-a-secret"));
  const report = JSON.parse(out);
  const from = (name: string) => {
    const { value, from } = report.settings.find((row: { name: string }) => row.name === name);
    return [value, from];
  };
  assertEquals(report.envFile, ".env");
  assertEquals(report.modelsFile, null);
  assertEquals(from("port"), ["9", "flag"]);
  assertEquals(from("heartbeat"), ["7s", "environment"]);
  assertEquals(from("retries"), ["1", "env file"]);
  assertEquals(from("client-key"), ["***", "env file"]);
  assertEquals(from("idle-timeout"), ["5m", "default"]);
});

binaryTest("prints completions beside a broken .env", async () => {
  await using folder = await desk();
  await folder.write(".env", "FD_BRIDGE_PORT=none\n");
  const { code, out } = await folder.run(["completions", "bash"]);
  assertEquals(code, 0);
  assertStringIncludes(out, "complete -F");
});

binaryTest("says that a port is taken, in one line", async () => {
  await using folder = await desk();
  await using program = await folder.start(["--demo", "--port", "0"]);
  const { code, err } = await folder.run(["--demo", "--port", new URL(program.url).port]);
  assertEquals(code, 2);
  assertMatch(err, /^fd-bridge: Port \d+ on 127\.0\.0\.1 is in use[^\n]*\n$/);
});

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  binaryTest(`ends well at ${signal}`, async () => {
    await using folder = await desk();
    await using program = await folder.start(["--demo", "--port", "0"]);
    await (await fetch(`${program.url}/healthz`)).body?.cancel();
    const { code, err } = await program.stop(signal);
    assertEquals(code, 0, err);
    assert(!err.includes("    at "), err);
    // Windows ends a program without telling it.
  }, windows);
}

binaryTest("writes nothing while it serves", async () => {
  await using folder = await desk();
  const temporary = `${folder.path}/temporary`;
  await Deno.mkdir(temporary);
  const env = { TMPDIR: temporary, TEMP: temporary, TMP: temporary };
  await using program = await folder.start(["--demo", "--port", "0"], env);
  const response = await post(program.url, {
    model: MODEL,
    messages: [{ role: "user", content: "Hi" }],
  });
  assertEquals(response.status, 200);
  await response.body?.cancel();
  if (!windows) await program.stop("SIGTERM");
  assertEquals((await Array.fromAsync(Deno.readDir(temporary))).length, 0);
  const names = (await Array.fromAsync(Deno.readDir(folder.path))).map(({ name }) => name);
  assertEquals(names.sort(), ["home", "temporary"]);
});

binaryTest("has the permissions of scripts/permissions.ts, and no others", async () => {
  // Deno keeps them as JSON behind the runtime; null is "none", [] is "all".
  const bytes = await Deno.readFile(BINARY!);
  const text = new TextDecoder("latin1").decode(
    bytes.subarray(80_000_000 < bytes.length ? 80_000_000 : 0),
  );
  const found = [...text.matchAll(/"permissions":(\{"allow_.*?"prompt":(?:true|false)\})/g)]
    .map(([, json]) => JSON.parse(json)).at(-1);
  assert(found !== undefined, "the program has no permissions where they are looked for");
  const has = (name: string) =>
    PROGRAM_PERMISSIONS.some((flag) => flag.startsWith(`--allow-${name}`));
  assertEquals(found.prompt, false);
  for (const name of ["net", "read", "write", "run", "sys", "ffi"]) {
    assertEquals(found[`allow_${name}`] !== null, has(name), `--allow-${name}`);
  }
  assertEquals(found.allow_env, [...ENVIRONMENT_VARIABLES]);
  assertEquals(found.allow_all ?? false, false);
  // Without it Deno aborts a request's signal at its ordinary end, too.
  assertMatch(text, /"features":\[[^\]]*"no-legacy-abort"/);
});
