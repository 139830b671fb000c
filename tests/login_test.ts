/** `fd-bridge login`, on a machine in memory and with a CLI of the test's. */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { login, withVariable } from "../lib/commands/login.ts";
import { BridgeError } from "../lib/errors.ts";
import { MissingProgram } from "../lib/gateway/tokens/mod.ts";
import type { Start } from "../lib/system/system.ts";
import { testMachine, type TestMachineOptions } from "./helpers/machine.ts";

const CFG = "/home/ada/.databrickscfg";
const ENV = "/home/ada/.config/fd-bridge/.env";
const HOST = "https://adb-1.2.azuredatabricks.net";
const section = (name: string, host = HOST) =>
  `[${name}]\nhost = ${host}\nauth_type = databricks-cli\n`;

interface Case extends TestMachineOptions {
  readonly words?: readonly string[];
  readonly flags?: Record<string, boolean>;
  readonly settings?: Record<string, string>;
  /** What `./.env` says. */
  readonly folder?: Record<string, string>;
  /** What the CLI leaves in its file. */
  readonly leaves?: string;
  readonly code?: number;
}

async function runLogin(options: Case = {}) {
  const { words = [], flags = {}, settings = {}, code = 0, leaves, folder = {} } = options;
  const machine = testMachine({ ...options, env: { HOME: "/home/ada", ...options.env } });
  const rows = Object.entries(settings).map(([name, text]) => ({ flag: { name }, text }));
  const env = {
    variables: folder,
    paths: [".env"],
    warnings: [],
    fileOf: (name: string) => name in folder ? "./.env" : undefined,
  };
  const start = { system: machine.system, line: { command: "login", words, flags }, rows, env };
  const ran: string[] = [];
  const exit = await login(start as unknown as Start, (program, args) => {
    ran.push([program, ...args].join(" "));
    if (leaves !== undefined) machine.files[CFG] = leaves;
    return Promise.resolve(code);
  });
  return { exit, ran, err: machine.err(), files: machine.files };
}

Deno.test("login runs the CLI, and writes profile and address into .env after asking", async () => {
  const { exit, ran, files, err } = await runLogin({
    words: ["adb-1.2.azuredatabricks.net"],
    leaves: section("dev"),
    typed: ["\n"],
  });
  assertEquals(exit, 0);
  assertEquals(ran, [`databricks auth login --host ${HOST}`]);
  assertEquals(
    files[ENV],
    `DATABRICKS_CONFIG_PROFILE=dev\nDATABRICKS_AI_GATEWAY_URL=${HOST}/ai-gateway\n`,
  );
  assertStringIncludes(err, `Write them to ${ENV}? [Y/n]`);
});

Deno.test("login writes nothing without a yes", async () => {
  for (const typed of [["n\n"], undefined]) {
    const { exit, files, err } = await runLogin({ words: [HOST], leaves: section("dev"), typed });
    assertEquals([exit, files[ENV]], [0, undefined]);
    assertStringIncludes(err, "DATABRICKS_CONFIG_PROFILE=dev");
    assertStringIncludes(err, "fd-bridge --profile dev");
  }
  const { files } = await runLogin({ leaves: section("dev"), flags: { yes: true } });
  assertStringIncludes(files[ENV], "DATABRICKS_CONFIG_PROFILE=dev");
});

Deno.test("login keeps what else stands in .env, and an address that is there", async () => {
  const old =
    "# mine\nexport DATABRICKS_CONFIG_PROFILE=old\nDATABRICKS_AI_GATEWAY_URL=https://x.example\nA=1";
  const { files, err } = await runLogin({
    files: { [ENV]: old },
    leaves: section("a b$&"),
    typed: ["y\n"],
    folder: { DATABRICKS_CONFIG_PROFILE: "theirs" },
  });
  assertEquals(
    files[ENV],
    "# mine\nDATABRICKS_CONFIG_PROFILE='a b$&'\nDATABRICKS_AI_GATEWAY_URL=https://x.example\nA=1",
  );
  assertStringIncludes(err, ".env says otherwise");
});

Deno.test("login knows the workspace from the settings, and the profile that is renewed", async () => {
  const leaves = section("dev") + section("other", "https://adb-9.9.azuredatabricks.net");
  const files = { [CFG]: leaves };
  const byVariable = await runLogin({
    files: { ...files },
    env: { DATABRICKS_HOST: "adb-1.2.azuredatabricks.net" },
    flags: { yes: true },
    leaves,
  });
  assertEquals(byVariable.ran, [`databricks auth login --host ${HOST}`]);
  assertStringIncludes(byVariable.files[ENV], "PROFILE=dev");
  const byGateway = await runLogin({ settings: { gateway: `${HOST}/ai-gateway` } });
  assertEquals(byGateway.ran, [`databricks auth login --host ${HOST}`]);
  const byProfile = await runLogin({
    files: { ...files },
    settings: { profile: "other", gateway: `${HOST}/ai-gateway` },
    flags: { yes: true },
    env: { DATABRICKS_CLI_PATH: "/opt/databricks" },
  });
  assertEquals(byProfile.ran, ["/opt/databricks auth login --profile other"]);
  assertStringIncludes(byProfile.files[ENV], "https://adb-9.9.azuredatabricks.net/ai-gateway");
});

Deno.test("login asks which profile, where several are for the workspace", async () => {
  const leaves = section("one") + section("two");
  const options = () => ({ words: [HOST], files: { [CFG]: leaves }, leaves });
  const asked = await runLogin({ ...options(), typed: ["two\n", "y\n"] });
  assertStringIncludes(asked.err, "Which profile shall the bridge use (one, two)?");
  assertStringIncludes(asked.files[ENV], "PROFILE=two");
  const alone = await runLogin(options());
  assertEquals([alone.exit, alone.files[ENV]], [0, undefined]);
  assertStringIncludes(alone.err, "--profile");
});

Deno.test("login that fails writes nothing", async () => {
  const { exit, files, err } = await runLogin({ code: 1, leaves: section("dev"), typed: ["y\n"] });
  assertEquals([exit, files[ENV]], [1, undefined]);
  assertStringIncludes(err, "ended with code 1");
});

Deno.test("login says on each system how to get the CLI", async () => {
  const installs = { darwin: "brew install", windows: "winget install", linux: "setup-cli" };
  for (const [os, words] of Object.entries(installs)) {
    const { system } = testMachine({ os, env: { HOME: "/h", APPDATA: "C:\\a" } });
    const start = {
      system,
      line: { words: [], flags: {} },
      rows: [],
      env: { variables: {} },
    } as unknown as Start;
    const error = await assertRejects(
      () => login(start, () => Promise.reject(new MissingProgram("no such file"))),
      BridgeError,
    );
    assertEquals(error.kind, "config");
    for (const word of [words, "https://", "`fd-bridge login`"]) {
      assertStringIncludes(error.message, word);
    }
  }
});

Deno.test("login refuses what is no workspace", async () => {
  for (const word of ["https://1.2.ai-gateway.azuredatabricks.net", "http://x.example"]) {
    await assertRejects(() => runLogin({ words: [word] }), BridgeError, "workspace");
  }
  await assertRejects(() => runLogin({ words: ["a", "b"] }), BridgeError, "login [HOST]");
  const { ran } = await runLogin({ words: [`${HOST}/ai-gateway/mlflow/v1`] });
  assertEquals(ran, [`databricks auth login --host ${HOST}`]);
});

Deno.test("withVariable() replaces a line or adds one", () => {
  assertEquals(withVariable("", "A", "1"), "A=1\n");
  assertEquals(withVariable("B=2", "A", "1"), "B=2\nA=1\n");
  assertEquals(withVariable("A=\nAA=3\n#A=4\n", "A", "x y"), "A='x y'\nAA=3\n#A=4\n");
  assert(!withVariable("", "A", "it's").includes("it's"));
});
