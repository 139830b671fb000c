/**
 * The first start without settings, at a terminal and without one.
 *
 * @module
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { run } from "./helpers/run.ts";
import { createSimulator } from "../lib/simulator/mod.ts";
import { Terminal } from "../lib/system/terminal.ts";
import { runOn, testMachine, type TestMachineOptions } from "./helpers/machine.ts";

const GATEWAY = "https://1.7.ai-gateway.azuredatabricks.net";
const simulated = createSimulator().handler;
const ARGS = ["--port", "0"];

/** Starts the bridge as a person would, and ends it once it listens. */
async function start(options: TestMachineOptions) {
  const machine = testMachine({ fetch: (request) => simulated(request), ...options });
  const done = run(ARGS, machine.system);
  await machine.said("Ctrl-C ends");
  machine.signals.get("SIGINT")!();
  assertEquals(await done, 0);
  return machine;
}

Deno.test("serve asks for the gateway at a terminal, tries it, writes .env and goes on", async () => {
  const { files, err } = await start({
    typed: [`${GATEWAY}/mlflow/v1/chat/completions?x=1\n`, "y\n"],
  });
  assertEquals(files, { ".env": `DATABRICKS_AI_GATEWAY_URL=${GATEWAY}\n` });
  assertStringIncludes(err(), "The gateway answers (401");
  assertStringIncludes(err(), "fd-bridge doctor");
  assertStringIncludes(err(), "forge provider login openai_compatible");
});

Deno.test("serve asks again for an address that can't be the gateway's", async () => {
  const { files, err } = await start({
    typed: ["http://x.example\n", "nonsense\n", "1.7.ai-gateway.azuredatabricks.net\n", "\n"],
  });
  assertEquals(files[".env"], `DATABRICKS_AI_GATEWAY_URL=${GATEWAY}\n`);
  assertStringIncludes(err(), "must not travel unencrypted");
  assertStringIncludes(err(), "which is no URL");
});

Deno.test("serve goes on without a file where none is wanted", async () => {
  const { files } = await start({ typed: [`${GATEWAY}\n`, "n\n"] });
  assertEquals(files, {});
});

Deno.test("serve keeps what a .env says already", async () => {
  const { files } = await start({
    files: { ".env": "# ours\nDATABRICKS_AI_GATEWAY_URL=\nDATABRICKS_HOST=x\n" },
    typed: [`${GATEWAY}\n`, "y\n"],
  });
  assertEquals(
    files[".env"],
    `# ours\nDATABRICKS_AI_GATEWAY_URL=${GATEWAY}\nDATABRICKS_HOST=x\n`,
  );
});

Deno.test("serve warns of an address that isn't a gateway's, and takes it only if it is told to", async () => {
  const html = () => new Response("<html></html>", { headers: { "content-type": "text/html" } });
  const left = await runOn(ARGS, { typed: [`${GATEWAY}\n`, "\n"], fetch: html });
  assertEquals([left.code, left.files], [2, {}]);
  assertStringIncludes(left.err(), "a web page: that is no gateway");
  const taken = await start({ typed: [`${GATEWAY}\n`, "y\n", "y\n"], fetch: html });
  assertStringIncludes(taken.files[".env"], GATEWAY);
});

for (const typed of [[], ["\n"]]) {
  Deno.test(`serve ends with 2 where ${typed.length ? "Enter alone" : "nothing"} is typed`, async () => {
    const { code, error, files } = await runOn(ARGS, { typed });
    assertEquals([code, files], [2, {}]);
    assertStringIncludes(error, "DATABRICKS_AI_GATEWAY_URL is not set");
  });
}

Deno.test("serve asks nothing where there is no terminal", async () => {
  const { code, error, err, files } = await runOn(ARGS, { piped: GATEWAY });
  assertEquals([code, err(), files], [2, "", {}]);
  assertStringIncludes(error, "DATABRICKS_AI_GATEWAY_URL is not set");
});

const HOME = { HOME: "/home/ada" };
const ENV = "/home/ada/.config/fd-bridge/.env";

Deno.test("serve writes .env into the configuration folder", async () => {
  const { files } = await start({ env: HOME, typed: [`${GATEWAY}\n`, "\n"] });
  assertEquals(files[ENV], `DATABRICKS_AI_GATEWAY_URL=${GATEWAY}\n`);
});

Deno.test("serve goes on with the address where .env can't be written, and says what to export", async () => {
  const { files, err } = await start({
    env: HOME,
    typed: [`${GATEWAY}\n`, "\n"],
    unwritable: (path) => path.includes(".env"),
  });
  assertEquals(files[ENV], undefined);
  assertStringIncludes(err(), `${ENV} can't be written: the system doesn't permit it.`);
  assertStringIncludes(err(), `export DATABRICKS_AI_GATEWAY_URL='${GATEWAY}'`);
});

Deno.test("serve offers the demo, and writes nothing for it", async () => {
  const { files, err } = await start({ env: HOME, typed: ["demo\n"] });
  assertEquals(files, {});
  assertStringIncludes(err(), "a simulated gateway");
});

Deno.test("serve offers the profiles of the Databricks CLI, and takes one with its token", async () => {
  const cfg = "/home/ada/.databrickscfg";
  const host = "https://adb-1.2.azuredatabricks.net";
  const { files, err } = await start({
    env: HOME,
    files: { [cfg]: `[DEFAULT]\n[dev]\nhost = ${host}\ntoken = any-good-token\n` },
    typed: ["1\n", "\n"],
  });
  assertEquals(files[ENV], "DATABRICKS_CONFIG_PROFILE=dev\n");
  assertStringIncludes(err(), `1  dev  ${host}`);
  assertStringIncludes(err(), "The gateway accepts it.");
});

Deno.test("Terminal.ask() passes over arrow keys, and shows what is typed", async () => {
  const { system, err } = testMachine({ typed: ["ab\x1b[D\x1bOCc", "ö\x7f\x7fd\r"] });
  assertEquals(await new Terminal(system).ask("Name:"), "abd");
  assertEquals(err(), "Name: abcö\b \b\b \bd\n");
});

Deno.test("Terminal.secret() shows nothing, takes corrections and pasted text, and resets the terminal", async () => {
  const paste = "\x1b[200~dapi-one\x1b[201~";
  const { system, err, raw } = testMachine({ typed: ["wrong\x15", `${paste}x\x7f`, "\rrest\n"] });
  const terminal = new Terminal(system);
  assertEquals(await terminal.secret("Token:"), "dapi-one");
  assertEquals(raw, [true, false]);
  assertEquals(err(), "Token: \n");
  assertEquals(await terminal.ask("Name:"), "rest");
});

Deno.test("Terminal.secret() ends the program at Ctrl-C, with the terminal as it was", async () => {
  const { system, raw } = testMachine({ typed: ["abc\x03"] });
  const failure = await new Terminal(system).secret("Token:").catch((error) => error.message);
  assertEquals(failure, "exit 130");
  assertEquals(raw.at(-1), false);
});

Deno.test("Terminal.spin() writes nothing where nobody looks", () => {
  const { system, err } = testMachine();
  const spinner = new Terminal(system).spin("Working");
  spinner.update("Still");
  spinner.stop();
  assertEquals(err(), "");
});

Deno.test("Terminal.spin() leaves an empty line behind", () => {
  const { system, err } = testMachine({ typed: [], env: { NO_COLOR: "1" } });
  const spinner = new Terminal(system).spin("Working");
  spinner.stop();
  assertStringIncludes(err(), "Working");
  assert(err().endsWith("\r\x1b[K"));
});
