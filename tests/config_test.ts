import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { type Config, exposure, readConfig, settings } from "../lib/config/config.ts";
import { BridgeError } from "../lib/errors.ts";
import { parseCommandLine } from "../lib/config/command_line.ts";
import { FLAGS } from "../lib/config/flags.ts";
import { meantFrom } from "../lib/config/called_from.ts";
import { misspeltVariables } from "../lib/config/misspelt.ts";

function configOf(
  args: readonly string[],
  process: Record<string, string> = {},
  file?: Record<string, string>,
): Config {
  return readConfig(settings(parseCommandLine(args), { process, file }));
}

function messageOf(args: readonly string[], process: Record<string, string> = {}): string {
  const error = assertThrows(() => configOf(args, process), BridgeError);
  assertEquals(error.kind, "config");
  assert(!error.message.includes("\n"), error.message);
  return error.message;
}

Deno.test("readConfig() has the defaults that the documentation names", () => {
  const config = configOf([]);
  assertEquals([config.port, config.host, config.gateway], [8080, "127.0.0.1", ""]);
  assertEquals([config.logLevel, config.logFormat, config.demo], ["info", "text", false]);
  assertEquals([config.maxBody, config.retries, config.runawayGuard], [32 * 2 ** 20, 2, true]);
  assertEquals([config.heartbeat, config.idleTimeout], [15_000, 300_000]);
  assert(Object.isFrozen(config));
});

Deno.test("settings() prefers the flag, then the environment, then the .env file, then the default", () => {
  const file = { FD_BRIDGE_PORT: "1" };
  const process = { FD_BRIDGE_PORT: "2" };
  assertEquals(configOf(["--port", "3"], process, file).port, 3);
  assertEquals(configOf([], process, file).port, 2);
  assertEquals(configOf([], {}, file).port, 1);
  assertEquals(configOf([], {}, {}).port, 8080);
  assertEquals(configOf([], { FD_BRIDGE_PORT: "" }, file).port, 1, "an empty variable is not set");
  const origins = settings(parseCommandLine(["--port", "3"]), { process, file });
  assertEquals(origins.find(({ flag }) => flag.name === "port")?.origin, "flag");
});

Deno.test("every flag of the bridge, but those that only print, has an environment variable of its own", () => {
  const variables = FLAGS.map(({ env }) => env).filter((env) => env !== undefined);
  assertEquals(new Set(variables).size, variables.length);
  for (const { name, env, commands } of FLAGS) {
    const isSetting = commands === undefined || commands.includes("serve");
    if (!isSetting || ["version", "help", "all"].includes(name)) continue;
    assert(env !== undefined, `--${name} has no variable`);
  }
});

Deno.test("readConfig() reads the gateway from the environment in any of its forms", () => {
  const url = "https://adb-1.2.azuredatabricks.net/ai-gateway/mlflow/v1/chat/completions";
  const config = configOf([], { DATABRICKS_AI_GATEWAY_URL: url });
  assertEquals(config.gateway, "https://adb-1.2.azuredatabricks.net/ai-gateway");
  assertStringIncludes(
    messageOf([], { DATABRICKS_AI_GATEWAY_URL: "nonsense" }),
    'DATABRICKS_AI_GATEWAY_URL is "nonsense", which is no URL',
  );
});

Deno.test("readConfig() names a setting by the way in which it was set, with what was expected", () => {
  assertEquals(messageOf(["--port", "http"]), '--port is "http": expected a port, 0 to 65535.');
  assertStringIncludes(messageOf([], { FD_BRIDGE_PORT: "70000" }), 'FD_BRIDGE_PORT is "70000"');
});

const BAD: readonly (readonly [flag: string, ...values: string[]])[] = [
  ["port", "65536", "-1", "8e3", "80.5", "0x50", " "],
  ["log-level", "loud"],
  ["log-format", "xml"],
  ["heartbeat", "soon", "-1s", "25h", "1e9"],
  ["idle-timeout", "5 minutes", "Infinity"],
  ["max-body", "0", "2TB", "1.5.5MB", "2GB"],
  ["retries", "-1", "1.5", "1000"],
  ["allow-origin", "app.example.com", "https://app.example.com/path", "*"],
];

for (const [flag, ...values] of BAD) {
  Deno.test(`readConfig() refuses a --${flag} that is none`, () => {
    for (const value of values) {
      assertStringIncludes(messageOf([`--${flag}=${value}`]), `--${flag} is "${value}": expected`);
    }
  });
}

Deno.test("readConfig() reads times, sizes, switches and lists as people write them", () => {
  assertEquals(configOf(["--heartbeat", "500ms"]).heartbeat, 500);
  assertEquals(configOf(["--heartbeat", "2"]).heartbeat, 2000);
  assertEquals(configOf(["--heartbeat", "1.5m"]).heartbeat, 90_000);
  assertEquals(configOf(["--max-body", "1kb"]).maxBody, 1024);
  assertEquals(configOf([], { FD_BRIDGE_DEMO: "yes" }).demo, true);
  assertEquals(configOf([], { FD_BRIDGE_RUNAWAY_GUARD: "off" }).runawayGuard, false);
  assertEquals(configOf(["--allow-host", "A.example", "--allow-host", "b"]).allowHosts, [
    "a.example",
    "b",
  ]);
  const origins = configOf([], { FD_BRIDGE_ALLOW_ORIGIN: "https://a.example, http://b:1" });
  assertEquals(origins.allowOrigins, ["https://a.example", "http://b:1"]);
});

Deno.test("readConfig() never shows the client key in an error", () => {
  for (const key of ["short", "with spaces in it", "colon:in-it-1234"]) {
    assert(!messageOf(["--client-key", key]).includes(key), key);
  }
  assertEquals(configOf(["--client-key", "long-enough"]).clientKey, "long-enough");
});

Deno.test("exposure() asks for a client key beyond loopback", () => {
  const beyond = ["--host", "0.0.0.0"];
  const error = assertThrows(() => exposure(configOf(beyond)), BridgeError);
  assertStringIncludes(error.message, "--client-key");
  const warning = exposure(configOf([...beyond, "--client-key", "our-secret-key"]));
  assertStringIncludes(warning!, "other machines");
  assert(!warning!.includes("our-secret-key"));
  for (const host of ["127.0.0.1", "localhost", "::1"]) {
    assertEquals(exposure(configOf(["--host", host])), undefined);
  }
});

Deno.test("readConfig() reads sizes with MiB, choices in capitals, and values with blanks around them", () => {
  const config = configOf([], {
    FD_BRIDGE_MAX_BODY: "32MiB",
    FD_BRIDGE_LOG_LEVEL: "INFO",
    FD_BRIDGE_PORT: " 9090 ",
    FD_BRIDGE_RETRY_TIME: " 15 s ",
  });
  assertEquals([config.maxBody, config.logLevel], [32 * 2 ** 20, "info"]);
  assertEquals([config.port, config.retryTime], [9090, 15_000]);
});

Deno.test("exposure() names the host as it was set", () => {
  const error = assertThrows(
    () => exposure(configOf([], { FD_BRIDGE_HOST: "0.0.0.0" })),
    BridgeError,
  );
  assertStringIncludes(error.message, "FD_BRIDGE_HOST is 0.0.0.0");
});

Deno.test("misspeltVariables() finds slips in the environment and every unknown name in a file", () => {
  const environment: Record<string, string> = { FD_BRIDGE_PROT: "9090", FD_BRIDGE_SEED: "1" };
  const lines = misspeltVariables(
    (name) => environment[name],
    { FD_BRIDGE_HOSTT: "x", FD_BRIDGE_SOMETHING_ELSE: "y", FD_BRIDGE_LAUNCHER: "1", PORT: "1" },
    () => "./.env",
  );
  assertEquals(lines, [
    "FD_BRIDGE_HOSTT (in ./.env) is no setting, and is not read. Did you mean FD_BRIDGE_HOST?",
    "FD_BRIDGE_SOMETHING_ELSE (in ./.env) is no setting, and is not read.",
    "FD_BRIDGE_PROT (in the environment) is no setting, and is not read. Did you mean FD_BRIDGE_PORT?",
  ]);
});

Deno.test("meantFrom() takes files from where they were typed, and nothing else", () => {
  const meant = (...args: string[]) => meantFrom(parseCommandLine(args), "/app/src");
  assertEquals(meant("--models", "../x.json").flags.models, "/app/src/../x.json");
  assertEquals(meant("--models", "/x.json").flags.models, "/x.json");
  assertEquals(meant("--models", "C:\\x.json").flags.models, "C:\\x.json");
  assertEquals(meant("--host", "localhost").flags.host, "localhost");
  assertEquals(meant("models", "update", "list.md").words, ["update", "/app/src/list.md"]);
  assertEquals(meant("models", "update", "-").words, ["update", "-"]);
  assertEquals(meant("doctor", "databricks-gpt-5").words, ["databricks-gpt-5"]);
});
