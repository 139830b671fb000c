import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { run } from "./helpers/run.ts";
import { type ConfigReport, configText } from "../lib/commands/config.ts";
import type { System } from "../lib/system/system.ts";

/** Runs the program on a machine made of tables. */
async function runOn(
  args: string[],
  { variables = {}, files = {}, color = false }: {
    variables?: Record<string, string>;
    files?: Record<string, string>;
    color?: boolean;
  } = {},
): Promise<{ code: number; out: string }> {
  let out = "";
  const system = {
    version: "1.2.3",
    embeddedModels: '{"models": ["databricks-embedded"]}',
    os: "linux",
    variable: (name: string) => ({ HOME: "/home/ada", ...variables })[name],
    readText: (path: string) => Promise.resolve(files[path]),
    out: (text: string) => void (out += text),
    err: () => {},
    terminal: { out: color, err: false },
  } as unknown as System;
  return { code: await run(args, system), out };
}

async function reportOf(...args: Parameters<typeof runOn>): Promise<ConfigReport> {
  const [words, machine] = args;
  return JSON.parse((await runOn([...words, "--json"], machine)).out);
}

function shown(report: ConfigReport, name: string) {
  const row = report.settings.find((row) => row.name === name);
  return [row?.value, row?.from];
}

Deno.test("config tells for each setting where it came from", async () => {
  const report = await reportOf(["config", "--port", "9"], {
    variables: { FD_BRIDGE_HEARTBEAT: "7s", FD_BRIDGE_PORT: "8" },
    files: { ".env": "FD_BRIDGE_RETRIES=1\nFD_BRIDGE_HEARTBEAT=1s\n" },
  });
  assertEquals(shown(report, "port"), ["9", "flag"]);
  assertEquals(shown(report, "heartbeat"), ["7s", "environment"]);
  assertEquals(shown(report, "retries"), ["1", "env file"]);
  assertEquals(shown(report, "idle-timeout"), ["5m", "default"]);
  assertEquals(shown(report, "ca-file"), [null, "default"]);
  assertEquals(report.problems, []);
});

Deno.test("config names the files in force, beside the start or in the configuration folder", async () => {
  const folder = "/home/ada/.config/fd-bridge";
  const none = await reportOf(["config"]);
  assertEquals([none.envFile, none.modelsFile, none.models], [null, null, 1]);
  assertEquals(none.configFolder, folder);

  const models = '{"models": ["a", "b"]}';
  const home = { [`${folder}/.env`]: "", [`${folder}/models.json`]: models };
  const atHome = await reportOf(["config"], { files: home });
  assertEquals(atHome.envFile, `${folder}/.env`);
  assertEquals([atHome.modelsFile, atHome.models], [`${folder}/models.json`, 2]);

  const here = await reportOf(["config"], { files: { ...home, ".env": "" } });
  assertEquals(here.envFile, ".env");
});

Deno.test("config shows no secret, in either form", async () => {
  const machine = {
    variables: {
      FD_BRIDGE_CLIENT_KEY: "correct-horse-battery",
      DATABRICKS_TOKEN: "no-known-form-of-token",
      HTTPS_PROXY: "http://ada:lovelace@proxy.example:3128",
      FD_BRIDGE_LOG_LEVEL: "dapi0123456789abcdef0123",
    },
  };
  for (const args of [["config"], ["config", "--json"]]) {
    const { out } = await runOn(args, machine);
    for (const secret of ["correct-horse", "no-known-form", "lovelace", "dapi0123"]) {
      assert(!out.includes(secret), out);
    }
    assertStringIncludes(out, "***");
  }
});

Deno.test("config shows the workspace's variables of the .env file, too", async () => {
  const files = {
    ".env": "DATABRICKS_HOST=adb-1.2.azuredatabricks.net\nDATABRICKS_TOKEN=opaque-one\n",
  };
  const { variables } = await reportOf(["config"], { files });
  assertEquals(variables.map(({ name, value }) => [name, value]), [
    ["DATABRICKS_HOST", "adb-1.2.azuredatabricks.net"],
    ["DATABRICKS_TOKEN", "***"],
  ]);
});

Deno.test("config says what is wrong with a setting or a file, and ends with 2", async () => {
  const { code, out } = await runOn(["config"], {
    variables: { FD_BRIDGE_PORT: "many" },
    files: { "./models.json": '{"models": ["a"' },
  });
  assertEquals(code, 2);
  assertStringIncludes(out, 'FD_BRIDGE_PORT is "many"');
  assertStringIncludes(out, "./models.json: ");
  // What is right is shown all the same.
  assertStringIncludes(out, "idle-timeout");
});

Deno.test("configText() is coloured for a terminal only", async () => {
  const report = await reportOf(["config"]);
  assert(!configText(report, false).includes("\x1b"));
  // deno-lint-ignore no-control-regex
  assertEquals(configText(report, true).replace(/\x1b\[[\d;]*m/g, ""), configText(report, false));
  assert((await runOn(["config"], { color: true })).out.includes("\x1b"));
  assert(
    !(await runOn(["config"], { color: true, variables: { NO_COLOR: "1" } })).out.includes("\x1b"),
  );
});

Deno.test("configText() keeps the columns straight", async () => {
  const report = await reportOf(["config"], {
    variables: {
      DATABRICKS_AI_GATEWAY_URL: "https://1234567890123456.7.ai-gateway.azuredatabricks.net",
    },
  });
  const lines = configText(report, false).split("\n");
  const columns = lines.filter((line) => line.endsWith("  default"))
    .map((line) => line.length - "default".length);
  assert(columns.length > 5);
  assertEquals(new Set(columns).size, 1);
});

Deno.test("config shows the gateway's address in force, and a long value's note below it", async () => {
  const address = "https://1234567890123456.7.ai-gateway.azuredatabricks.net";
  const { out } = await runOn(["config"], {
    variables: { DATABRICKS_AI_GATEWAY_URL: `${address}/mlflow/v1/chat/completions` },
  });
  assertMatch(out, new RegExp(`gateway +${address}\\n +DATABRICKS_AI_GATEWAY_URL in the`));
  assertEquals(out.split("\n").filter((line) => line.length > 100), []);
});
