/** The sources of tokens, with scripted programs and a token server on loopback. */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { BridgeError } from "../lib/errors.ts";
import { resolveTokenSource, type TokenMachine } from "../lib/gateway/tokens/mod.ts";
import { AzureCliSource } from "../lib/gateway/tokens/azure_cli.ts";
import { DatabricksCliSource } from "../lib/gateway/tokens/databricks_cli.ts";
import { OauthM2mSource } from "../lib/gateway/tokens/oauth_m2m.ts";
import { childEnvironment, run } from "../lib/gateway/tokens/run.ts";
import { readToken } from "../lib/gateway/tokens/token.ts";
import { TokenCommandSource } from "../lib/gateway/tokens/token_command.ts";
import { splitWords } from "../lib/gateway/tokens/words.ts";
import { type TokenPrograms, tokenPrograms } from "./helpers/token_programs.ts";

const { signal } = new AbortController();
/** The scripts are for a POSIX shell. */
const ignore = Deno.build.os === "windows";

function cli({ path }: TokenPrograms, options: Record<string, unknown> = {}) {
  const waits: number[] = [];
  const source = new DatabricksCliSource({
    label: "profile dev (databricks-cli)",
    profile: "dev",
    run,
    env: { PATH: path },
    sleep: (time) => Promise.resolve(void waits.push(time)),
    ...options,
  });
  return { source, waits };
}

async function failure(work: Promise<unknown>): Promise<BridgeError> {
  return await assertRejects(() => work, BridgeError);
}

Deno.test({
  name: "DatabricksCliSource asks by profile and reads token and expiry",
  ignore,
  async fn() {
    await using programs = await tokenPrograms("hour");
    const { source } = cli(programs);
    const token = await source.token(signal);
    assertEquals(token.value, "token-1");
    const left = token.expiresAt! - Date.now();
    assert(left > 3_500_000 && left <= 3_600_000, `${left} ms left`);
    assertEquals(await programs.calls(), ["auth token --profile dev --output json"]);
  },
});

Deno.test({
  name: "DatabricksCliSource asks by host where no profile is named",
  ignore,
  async fn() {
    await using programs = await tokenPrograms("hour");
    const host = "https://adb-1.2.azuredatabricks.net";
    const { source } = cli(programs, { profile: undefined, host });
    await source.rejected(await source.token(signal), signal);
    assertEquals(await programs.calls(), [
      `auth token --host ${host} --output json`,
      `auth token --host ${host} --force-refresh --output json`,
    ]);
  },
});

/** What the CLI does → the error's kind, and what must stand in its message. */
const CLI_FAILURES: Readonly<Record<string, [string, ...string[]]>> = {
  several: ["unauthenticated", "Several profiles", "dev and DEFAULT", "--profile NAME"],
  never: ["unauthenticated", "Nobody has logged in", "`databricks auth login --profile dev`"],
  over: ["unauthenticated", "is over", "`databricks auth login --profile dev`"],
  m2m: ["unauthenticated", "service principal", "--auth m2m"],
  keyring: ["unauthenticated", "keychain", "DATABRICKS_AUTH_STORAGE=plaintext"],
  network: ["unreachable", "no such host", "VPN"],
  legacy: ["unauthenticated", "old CLI", "https://"],
  leaking: ["unauthenticated", "Bearer ***", "`databricks auth login --profile dev`"],
  rubbish: ["unauthenticated", "printed no token", "`databricks auth login --profile dev`"],
  empty: ["unauthenticated", "printed no token"],
  flood: ["unreachable", "more than 64 KiB"],
  locked: ["unreachable", "token cache", "exit status 45"],
};

for (const [mode, [kind, ...words]] of Object.entries(CLI_FAILURES)) {
  Deno.test({
    name: `DatabricksCliSource explains in one line when the CLI plays "${mode}"`,
    ignore,
    async fn() {
      await using programs = await tokenPrograms(mode);
      const { source } = cli(programs);
      const error = await failure(source.token(signal));
      assertEquals(error.kind, kind);
      for (const word of words) assertStringIncludes(error.message, word);
      assert(!/[\n\r]|dapi0|no token</.test(error.message), error.message);
    },
  });
}

Deno.test({
  name: "DatabricksCliSource tries a locked cache four more times, 50 to 800 ms apart",
  ignore,
  async fn() {
    await using programs = await tokenPrograms("locked");
    for (const random of [0, 0.5, 0.999]) {
      const { source, waits } = cli(programs, { random: () => random });
      await failure(source.token(signal));
      assertEquals(waits.length, 4);
      assert(waits.every((wait) => wait >= 50 && wait <= 800), waits.join(" "));
    }
    assertEquals((await programs.calls()).length, 15);
  },
});

Deno.test({
  name: "DatabricksCliSource gets over a lock that is passing",
  ignore,
  async fn() {
    await using programs = await tokenPrograms("locked-twice");
    const { source, waits } = cli(programs);
    assertEquals((await source.token(signal)).value, "token-3");
    assertEquals(waits.length, 2);
  },
});

Deno.test({
  name: "DatabricksCliSource goes without --force-refresh where the CLI doesn't know it",
  ignore,
  async fn() {
    await using programs = await tokenPrograms("old-cli");
    const { source } = cli(programs);
    const old = await source.token(signal);
    await source.rejected(old, signal);
    await source.rejected(old, signal);
    const forced = (await programs.calls()).filter((call) => call.includes("--force-refresh"));
    assertEquals(forced.length, 1);
  },
});

Deno.test({
  name: "run() ends a program that hangs, and its children, at the limit and with the signal",
  ignore,
  async fn() {
    await using programs = await tokenPrograms("hang");
    const { source } = cli(programs, { limit: 300 });
    const begun = performance.now();
    const error = await failure(source.token(signal));
    assertEquals(error.kind, "timeout");
    assertStringIncludes(error.message, "within 0.3 s");
    const controller = new AbortController();
    const asking = source.token(controller.signal);
    controller.abort(new Error("the bridge ends"));
    await assertRejects(() => asking, Error, "the bridge ends");
    assert(performance.now() - begun < 10_000, "the child's child was waited for");
  },
});

Deno.test({
  name: "A program gets the variables that it needs, and no secret of the bridge's",
  ignore,
  async fn() {
    await using programs = await tokenPrograms("environment");
    const variables: Record<string, string> = {
      PATH: programs.path,
      HOME: "/home/ada",
      DATABRICKS_CONFIG_FILE: "/home/ada/cfg",
      DATABRICKS_TOKEN: "secret",
      DATABRICKS_CLIENT_SECRET: "secret",
      FD_BRIDGE_CLIENT_KEY: "secret",
    };
    const env = childEnvironment("databricks", (name) => variables[name]);
    assertEquals(Object.keys(env).sort(), ["DATABRICKS_CONFIG_FILE", "HOME", "PATH"]);
    const names = (await cli(programs, { env }).source.token(signal)).value;
    assert(!/TOKEN|SECRET|KEY/.test(names), names);
  },
});

Deno.test("A program that isn't there is one line that says where to get it", async () => {
  const env = { PATH: "/nowhere" };
  const databricks = new DatabricksCliSource({ label: "x", profile: "dev", run, env });
  const error = await failure(databricks.token(signal));
  assertEquals(error.kind, "unauthenticated");
  assertStringIncludes(error.message, "not on the PATH");
  assertStringIncludes(error.message, "`databricks auth login --profile dev`");
  const az = await failure(new AzureCliSource({ label: "x", run, env }).token(signal));
  assertStringIncludes(az.message, "`az login`");
  const own = new TokenCommandSource({ words: ["/nowhere/helper"], run });
  assertStringIncludes((await failure(own.token(signal))).message, "can't be started");
});

Deno.test({
  name: "AzureCliSource reads expires_on in seconds and expiresOn in local time",
  ignore,
  async fn() {
    await using programs = await tokenPrograms("seconds");
    const source = new AzureCliSource({
      label: "azure-cli",
      tenant: "t-1",
      run,
      env: { PATH: programs.path },
    });
    assertEquals((await source.token(signal)).expiresAt, 1795701912000);
    await programs.play("local");
    const local = new Date(2026, 10, 26, 14, 5, 12, 123).getTime();
    assertEquals((await source.token(signal)).expiresAt, local);
    assertEquals(
      (await programs.calls())[0],
      "account get-access-token --resource 2ff814a6-3304-4ab8-85cb-cd0e6f879c1d --tenant t-1 --output json",
    );
    await programs.play("login");
    const error = await failure(source.token(signal));
    assertEquals(error.kind, "unauthenticated");
    assertStringIncludes(error.message, "`az login --tenant t-1`");
    await programs.play("network");
    assertEquals((await failure(source.token(signal))).kind, "unreachable");
  },
});

/** A token server on loopback. */
function tokenServer(answer: (request: Request, body: string) => Response | Promise<Response>) {
  const server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen() {} },
    async (request) => await answer(request, await request.text()),
  );
  return {
    url: `http://127.0.0.1:${server.addr.port}`,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

function m2m(host: string, options: Record<string, unknown> = {}) {
  return new OauthM2mSource({
    label: "profile sp (oauth-m2m)",
    host,
    read: () => Promise.resolve({ id: "the id", secret: "the+secret" }),
    send: fetch,
    now: () => 1_000_000,
    ...options,
  });
}

Deno.test("OauthM2mSource sends client credentials as Basic and reads expires_in", async () => {
  const seen: unknown[] = [];
  await using server = tokenServer((request, body) => {
    seen.push([
      request.method,
      new URL(request.url).pathname,
      request.headers.get("authorization"),
      body,
    ]);
    return Response.json({ access_token: "m2m-token", token_type: "Bearer", expires_in: 3600 });
  });
  const token = await m2m(server.url).token(signal);
  assertEquals(token, { value: "m2m-token", expiresAt: 4_600_000 });
  assertEquals(seen, [[
    "POST",
    "/oidc/v1/token",
    `Basic ${btoa("the%20id:the%2Bsecret")}`,
    "grant_type=client_credentials&scope=all-apis",
  ]]);
});

Deno.test("OauthM2mSource tells a wrong secret from a server that is down", async () => {
  let answer = () =>
    Response.json({ error: "invalid_client", error_description: "no the+secret" }, { status: 401 });
  await using server = tokenServer(() => answer());
  const wrong = await failure(m2m(server.url).token(signal));
  assertEquals(wrong.kind, "unauthenticated");
  assertStringIncludes(wrong.message, "401 (invalid_client: no ***)");
  answer = () => new Response("<html>busy</html>", { status: 503 });
  assertEquals((await failure(m2m(server.url).token(signal))).kind, "unreachable");
  answer = () => Response.redirect("https://elsewhere.example/", 302);
  assertStringIncludes((await failure(m2m(server.url).token(signal))).message, "302");
  answer = () => new Response("{}");
  assertStringIncludes((await failure(m2m(server.url).token(signal))).message, "no token");
  const closed = await failure(m2m("http://127.0.0.1:9").token(signal));
  assertEquals(closed.kind, "unreachable");
});

Deno.test("OauthM2mSource gives a silent server a limited time", async () => {
  const { promise, resolve } = Promise.withResolvers<Response>();
  await using server = tokenServer(() => promise);
  const error = await failure(m2m(server.url, { limit: 50 }).token(signal));
  assertEquals(error.kind, "timeout");
  resolve(new Response());
});

Deno.test({
  name: "TokenCommandSource takes a bare token or JSON, and shows nothing of what it can't read",
  ignore,
  async fn() {
    const command = (line: string) =>
      new TokenCommandSource({ words: splitWords(line), run, now: () => 0 }).token(signal);
    assertEquals((await command("echo  bare-token")).value, "bare-token");
    assertEquals(await command(`printf '{"access_token":"a","expires_in":60}'`), {
      value: "a",
      expiresAt: 60_000,
    });
    const rubbish = await failure(command("echo secret words of mine"));
    assert(!rubbish.message.includes("secret"), rubbish.message);
    const failed = await failure(
      command(`sh -c "echo 'vault is sealed' >&2; exit 3" --key=secret`),
    );
    assertStringIncludes(failed.message, "exit code 3 (vault is sealed)");
    assert(!failed.message.includes("secret"), failed.message);
    assertStringIncludes((await failure(command("true"))).message, "printed nothing");
  },
});

Deno.test("readToken() reads every form of a time, and a JWT's own", () => {
  const at = Date.UTC(2026, 10, 26, 5);
  const forms = [
    { expiry: "2026-11-26T05:00:00.000000123Z" },
    { expiry: "2026-11-26T07:00:00+02:00" },
    { expires_on: at / 1000 },
    { expires_on: String(at / 1000) },
    { expires_in: at / 1000 },
    { expires_in: String(at / 1000) },
  ];
  for (const form of forms) {
    const text = JSON.stringify({ access_token: "t", ...form });
    assertEquals(readToken(text, 0)?.expiresAt, at, text);
  }
  const part = (value: unknown) => btoa(JSON.stringify(value)).replaceAll("=", "");
  const jwt = `${part({ alg: "none" })}.${part({ exp: at / 1000 })}.c2ln`;
  assertEquals(readToken(`${jwt}\n`, 0)?.expiresAt, at);
  assertEquals(readToken(`Bearer ${jwt}`, 0)?.value, jwt);
  for (const form of [{ expiry: "0001-01-01T00:00:00Z" }, { expiry: "soon" }, { expires_in: -1 }]) {
    const token = readToken(JSON.stringify({ access_token: "t", ...form }), 0);
    assertEquals(token, { value: "t", expiresAt: undefined });
  }
  const none = [
    "",
    "two words",
    "{",
    "null",
    "[]",
    "{}",
    '{"access_token":""}',
    '{"token":7}',
    "é",
  ];
  for (const text of none) assertEquals(readToken(text, 0), undefined, text);
});

Deno.test("splitWords() honors quotes and needs no shell", () => {
  assertEquals(splitWords(`a 'b c' "d \\"e\\"" f\\ g ''`), ["a", "b c", 'd "e"', "f g", ""]);
  assertEquals(splitWords("C:\\tools\\helper.exe --json", "x", "windows"), [
    "C:\\tools\\helper.exe",
    "--json",
  ]);
  assertEquals(splitWords(`sh -c 'a | b'`), ["sh", "-c", "a | b"]);
  for (const line of ["", "  ", "'a", 'a "b', "a | b", "a && b", "a > b", "''"]) {
    try {
      splitWords(line);
    } catch (error) {
      assert(error instanceof BridgeError && error.kind === "config", String(error));
      continue;
    }
    throw new Error(`${line} was taken`);
  }
});

Deno.test({
  name: "run() works with the permissions that the program has",
  ignore,
  async fn() {
    await using programs = await tokenPrograms("hour");
    const script = `
      import { run } from ${
      JSON.stringify(new URL("../lib/gateway/tokens/run.ts", import.meta.url).href)
    };
      const { signal } = new AbortController();
      const own = await run("echo", ["x"], { signal });
      const cli = await run("databricks", ["auth", "token"], { signal, env: { PATH: Deno.args[0] } });
      console.log(own.code + cli.code);`;
    await Deno.writeTextFile(`${programs.folder}/script.ts`, script);
    const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        ...["run", "--quiet", "--no-lock", "--no-prompt", "--no-config"],
        ...["--allow-run", "--allow-env=PATH", `--allow-read=${programs.folder}`],
        ...[`${programs.folder}/script.ts`, programs.path],
      ],
      stdin: "null",
    }).output();
    assertEquals(new TextDecoder().decode(stdout), "0\n", new TextDecoder().decode(stderr));
  },
});

Deno.test("Only one file of lib starts programs", async () => {
  const found: string[] = [];
  const walk = async (folder: URL) => {
    for await (const { name, isDirectory } of Deno.readDir(folder)) {
      if (isDirectory) await walk(new URL(`${name}/`, folder));
      else if (/\bDeno\.Command\b/.test(await Deno.readTextFile(new URL(name, folder)))) {
        found.push(name);
      }
    }
  };
  await walk(new URL("../lib/", import.meta.url));
  assertEquals(found.filter((name) => name !== "run.ts" && name !== "resolve.ts"), []);
  assert(found.includes("run.ts"));
});

Deno.test({
  name: "resolveTokenSource() makes a working source of a profile",
  ignore,
  async fn() {
    await using programs = await tokenPrograms("hour");
    const machine: TokenMachine = {
      os: "linux",
      variable: (name) => ({ HOME: "/home/ada", PATH: programs.path })[name],
      readText: () => Promise.resolve("[dev]\nhost = https://adb-1.2.azuredatabricks.net\n"),
      send: fetch,
    };
    const found = await resolveTokenSource({ profile: "dev" }, machine);
    assertEquals((await found!.source.token(signal)).value, "token-1");
    assertEquals(await programs.calls(), ["auth token --profile dev --output json"]);
  },
});
