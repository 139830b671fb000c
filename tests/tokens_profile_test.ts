/** Which source the settings name, and what is said where they name none. */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { BridgeError } from "../lib/errors.ts";
import {
  resolveTokenSource,
  TOKEN_VARIABLES,
  type TokenMachine,
  tokenMachine,
  type TokenSettings,
  workspaceHost,
} from "../lib/gateway/tokens/mod.ts";
import { parseProfiles, profilePath } from "../lib/gateway/tokens/profile.ts";
import { CHILD_VARIABLES, type Run } from "../lib/gateway/tokens/run.ts";
import type { Start } from "../lib/system/system.ts";
import { ENVIRONMENT_VARIABLES } from "../scripts/permissions.ts";

const FILE = await Deno.readTextFile(
  new URL("fixtures/tokens/databrickscfg.ini", import.meta.url),
);
const PATH = "/home/ada/.databrickscfg";
const { signal } = new AbortController();

function machine(
  variables: Record<string, string> = {},
  files: Record<string, string> = { [PATH]: FILE },
) {
  const ran: string[] = [];
  const run: Run = (program, args) => {
    ran.push([program, ...args].join(" "));
    return Promise.resolve({ code: 0, stdout: "a-token-of-the-run", stderr: "" });
  };
  const made: TokenMachine = {
    os: "linux",
    variable: (name) => ({ HOME: "/home/ada", ...variables })[name],
    readText: (path) => Promise.resolve(files[path]),
    send: () => Promise.resolve(Response.json({ access_token: "m2m-token", expires_in: 60 })),
    run,
  };
  return { machine: made, ran, files };
}

async function resolved(settings: TokenSettings, variables?: Record<string, string>) {
  const { machine: on, ran } = machine(variables);
  const found = await resolveTokenSource(settings, on);
  if (found === undefined) return undefined;
  const { value } = await found.source.token(signal);
  return { kind: found.kind, gateway: found.gateway, runs: found.runsPrograms, value, ran };
}

async function message(settings: TokenSettings, on = machine().machine): Promise<string> {
  const error = await assertRejects(() => resolveTokenSource(settings, on), BridgeError);
  assertEquals(error.kind, "config");
  assert(!error.message.includes("\n"));
  return error.message;
}

Deno.test("parseProfiles() reads what Databricks' tools write, and nothing else", () => {
  const { profiles, defaultProfile } = parseProfiles(FILE);
  assertEquals(defaultProfile, "team.dev");
  const names = ["DEFAULT", "account", "azure", "constructor", "odd", "pat", "plain", "sp"];
  assertEquals(profiles.map(({ name }) => name).sort(), [...names, "team.dev"]);
  const values = (name: string) => ({ ...profiles.find((row) => row.name === name)?.values });
  assertEquals(values("pat"), { host: "adb-3.4.azuredatabricks.net", token: "abc#def;ghi" });
  assertEquals(values("sp").client_secret, "a=b ; c");
  assertEquals(values("azure").azure_tenant_id, "t-1");
  assertEquals(values("team.dev").auth_type, "databricks-cli");
  assertEquals(values("constructor").token, "null");
  assertEquals(({} as Record<string, unknown>).token, undefined);
});

Deno.test("Without a setting, and with --auth client, the client's own token travels through", async () => {
  const variables = { DATABRICKS_TOKEN: "t", DATABRICKS_HOST: "adb-1.2.azuredatabricks.net" };
  assertEquals(await resolved({}, variables), undefined);
  assertEquals(await resolved({ auth: "client", profile: "pat", tokenCommand: "x" }), undefined);
});

Deno.test("A profile is used by its auth_type, or by what stands in it", async () => {
  assertEquals(await resolved({ profile: "team.dev" }), {
    kind: "databricks-cli",
    gateway: "https://adb-1.2.azuredatabricks.net/ai-gateway",
    runs: true,
    value: "a-token-of-the-run",
    ran: ["databricks auth token --profile team.dev --output json"],
  });
  assertEquals(await resolved({ profile: "pat" }), {
    kind: "pat",
    gateway: "https://adb-3.4.azuredatabricks.net/ai-gateway",
    runs: false,
    value: "abc#def;ghi",
    ran: [],
  });
  const sp = await resolved({ profile: "sp" });
  assertEquals([sp?.kind, sp?.value, sp?.runs], ["m2m", "m2m-token", false]);
  const azure = await resolved({ profile: "azure" });
  assertEquals(azure?.kind, "azure-cli");
  assertStringIncludes(azure!.ran[0], "--tenant t-1");
  assertEquals((await resolved({ profile: "plain" }))?.kind, "databricks-cli");
});

Deno.test("A token of the environment's is not taken for a profile's", async () => {
  const plain = await resolved({ profile: "plain" }, { DATABRICKS_TOKEN: "other" });
  assertEquals(plain?.kind, "databricks-cli");
});

Deno.test("DEFAULT is the section of that name, else the default_profile", async () => {
  assertEquals((await resolved({ profile: "DEFAULT" }))?.ran, [
    "databricks auth token --profile team.dev --output json",
  ]);
  const text = "[DEFAULT]\nhost = https://adb-1.2.azuredatabricks.net\ntoken = default-token\n";
  const { machine: on } = machine({}, { [PATH]: text });
  const found = await resolveTokenSource({ profile: "DEFAULT" }, on);
  assertEquals((await found!.source.token(signal)).value, "default-token");
});

Deno.test("--auth names a source with the environment's variables", async () => {
  const variables = {
    DATABRICKS_HOST: "adb-4.4.azuredatabricks.net",
    DATABRICKS_TOKEN: "env-token",
    DATABRICKS_CLIENT_ID: "id",
    DATABRICKS_CLIENT_SECRET: "secret",
    DATABRICKS_CLI_PATH: "/opt/databricks",
  };
  const gateway = "https://adb-4.4.azuredatabricks.net/ai-gateway";
  const pat = await resolved({ auth: "pat" }, variables);
  assertEquals([pat?.value, pat?.gateway], ["env-token", gateway]);
  assertEquals((await resolved({ auth: "m2m" }, variables))?.value, "m2m-token");
  assertEquals((await resolved({ auth: "databricks-cli" }, variables))?.ran, [
    "/opt/databricks auth token --host https://adb-4.4.azuredatabricks.net --output json",
  ]);
  assertEquals((await resolved({ auth: "azure-cli" }, variables))?.kind, "azure-cli");
  // The gateway's address tells the workspace, and the default profile stands in where nothing does.
  const settings = { auth: "databricks-cli", gateway } as const;
  const { machine: empty, ran } = machine({}, {});
  const found = await resolveTokenSource(settings, empty);
  await found!.source.token(signal);
  assertEquals(ran, [
    "databricks auth token --host https://adb-4.4.azuredatabricks.net --output json",
  ]);
  assertEquals((await resolved({ auth: "databricks-cli" }))?.ran, [
    "databricks auth token --profile team.dev --output json",
  ]);
});

Deno.test("--token-command comes first, and takes the address from the profile", async () => {
  const found = await resolved({ profile: "pat", tokenCommand: `my-helper "a b"` });
  assertEquals([found?.kind, found?.ran], ["token-command", ["my-helper a b"]]);
  assertEquals(found?.gateway, "https://adb-3.4.azuredatabricks.net/ai-gateway");
  const alone = await resolved({ tokenCommand: "my-helper" }, { DATABRICKS_CONFIG_FILE: "/none" });
  assertEquals(alone?.gateway, undefined);
});

Deno.test("What can't be had is one line that says what to type", async () => {
  const login = (name: string) => `\`databricks auth login --profile ${name}\``;
  const missing = await message({ profile: "nope" });
  for (const words of ['"nope"', PATH, login("nope"), "team.dev"]) {
    assertStringIncludes(missing, words);
  }
  assertStringIncludes(await message({ profile: "x" }, machine({}, {}).machine), login("x"));
  assertStringIncludes(
    await message({ profile: "x" }, machine({ HOME: "" }, {}).machine),
    "HOME is not set",
  );
  const empty = machine({}, { [PATH]: "[DEFAULT]\n" }).machine;
  assertStringIncludes(await message({ profile: "DEFAULT" }, empty), login("DEFAULT"));
  const odd = await message({ profile: "odd" });
  for (const words of ["auth_type of profile odd", '"basic"', "oauth-m2m", "--token-command"]) {
    assertStringIncludes(odd, words);
  }
  assertStringIncludes(await message({ profile: "account" }), "account console");
  const bare = () => machine({}, {}).machine;
  assertStringIncludes(await message({ auth: "pat" }, bare()), "DATABRICKS_TOKEN");
  assertStringIncludes(await message({ auth: "m2m" }, bare()), "DATABRICKS_CLIENT_ID");
  assertStringIncludes(await message({ auth: "databricks-cli" }, bare()), "DATABRICKS_HOST");
  assertStringIncludes(await message({ auth: "m2m", profile: "plain" }), "profile plain");
  assertStringIncludes(await message({ tokenCommand: "a | b" }), "without");
  const unreadable = {
    ...bare(),
    readText: () => Promise.reject(new Error("Permission denied (os error 13)")),
  };
  assertStringIncludes(await message({ profile: "x" }, unreadable), `${PATH} can't be read`);
});

Deno.test("A new token in the file holds without a restart", async () => {
  const { machine: on, files } = machine();
  const { source } = (await resolveTokenSource({ profile: "pat" }, on))!;
  const old = await source.token(signal);
  files[PATH] = "[pat]\nhost = https://adb-3.4.azuredatabricks.net\ntoken = another\n";
  assertEquals((await source.rejected(old, signal)).value, "another");
  files[PATH] = "[pat]\nhost = https://adb-3.4.azuredatabricks.net\n";
  const error = await assertRejects(() => source.token(signal), BridgeError);
  assertStringIncludes(error.message, PATH);
});

Deno.test("profilePath() follows DATABRICKS_CONFIG_FILE and the system's home", () => {
  const on = (os: string, variables: Record<string, string>) =>
    profilePath({ os, variable: (name) => variables[name] });
  assertEquals(on("linux", { HOME: "/h" }), "/h/.databrickscfg");
  assertEquals(on("linux", { HOME: "/h", DATABRICKS_CONFIG_FILE: "~/cfg" }), "/h/cfg");
  assertEquals(on("windows", { USERPROFILE: "C:\\u" }), "C:\\u\\.databrickscfg");
  assertEquals(on("linux", {}), undefined);
});

Deno.test("workspaceHost() takes an address in any form, and no other than a workspace's", () => {
  const url = "https://adb-1.2.azuredatabricks.net";
  for (const text of [url, `${url}/`, `${url}/ai-gateway?o=1`, "adb-1.2.azuredatabricks.net"]) {
    assertEquals(workspaceHost(text, "HOST"), url);
  }
  assertEquals(workspaceHost("http://127.0.0.1:8000/", "HOST"), "http://127.0.0.1:8000");
  const wrong = [
    "",
    "two words",
    "http://adb-1.2.azuredatabricks.net",
    "https://1.2.ai-gateway.azuredatabricks.net",
    "https://accounts.cloud.databricks.com",
    "https://me:secret@adb-1.2.azuredatabricks.net",
    "ftp://adb-1.2.azuredatabricks.net",
  ];
  for (const text of wrong) {
    try {
      workspaceHost(text, "HOST");
    } catch (error) {
      assert(error instanceof BridgeError && !error.message.includes("secret"), String(error));
      continue;
    }
    throw new Error(`"${text}" was taken`);
  }
});

Deno.test("tokenMachine() lets no .env say where programs and the home folder are", () => {
  const variables: Record<string, string> = { HOME: "./evil", PATH: "./evil", LANG: "evil" };
  const start = {
    system: { variable: (name: string) => ({ PATH: "/bin" })[name], os: "linux" },
    env: { variables: { ...variables, DATABRICKS_CONFIG_PROFILE: "dev" } },
  } as unknown as Start;
  const { variable } = tokenMachine(start, fetch);
  assertEquals(["PATH", "HOME", "LANG", "DATABRICKS_CONFIG_PROFILE"].map(variable), [
    "/bin",
    undefined,
    undefined,
    "dev",
  ]);
});

Deno.test("The program may read every variable that a source or its programs need", () => {
  const allowed = new Set(ENVIRONMENT_VARIABLES);
  for (const name of [...TOKEN_VARIABLES, ...Object.values(CHILD_VARIABLES).flat()]) {
    assert(allowed.has(name), `${name} is missing in scripts/permissions.ts`);
  }
});
