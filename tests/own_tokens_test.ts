/** The program with tokens of its own: the real process, scripted command-line tools, a gateway on loopback. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { answer, startRawGateway } from "./helpers/raw_gateway.ts";
import { startProgram } from "./helpers/program.ts";
import { tokenPrograms } from "./helpers/token_programs.ts";

const ignore = Deno.build.os === "windows";
const COMPLETION = JSON.stringify({
  id: "chatcmpl-1",
  object: "chat.completion",
  created: 1,
  model: "m",
  choices: [{ index: 0, message: { role: "assistant", content: "Hi" }, finish_reason: "stop" }],
});

/** A gateway that takes the tokens that a test says are valid. */
function tokenGateway(isValid: (token: string) => boolean) {
  return startRawGateway(({ head, send }) => {
    const token = /authorization: bearer (\S+)/i.exec(head)?.[1] ?? "";
    if (isValid(token)) return send(answer(COMPLETION));
    const refusal = JSON.stringify({ error_code: 403, message: "Invalid access token." });
    return send(answer(refusal, { status: 403 }));
  });
}

/** A home folder with a `.databrickscfg`. */
async function home(profiles: string) {
  const folder = await Deno.makeTempDir({ prefix: "fd-bridge-home-" });
  await Deno.writeTextFile(`${folder}/.databrickscfg`, profiles);
  return {
    folder,
    [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }),
  };
}

/** The key that the banner shows. */
function keyIn(text: string): string {
  return /API key\s+(fdb-[\w-]+)/.exec(text)?.[1] ?? "";
}

function post(url: string, headers: Record<string, string>): Promise<Response> {
  return fetch(`${url}/v1/chat/completions`, {
    method: "POST",
    headers,
    body: JSON.stringify({
      model: "databricks-glm-5-2",
      messages: [{ role: "user", content: "Hi" }],
    }),
  });
}

Deno.test({
  name: "the program takes its token from a profile, and asks for its own key",
  ignore,
  async fn() {
    const token = "dapi-made-up-token-of-the-profile";
    await using gateway = tokenGateway((given) => given === token);
    await using user = await home(
      `[DEFAULT]\nhost = https://adb-1.2.azuredatabricks.net\ntoken = ${token}\n`,
    );
    await using program = await startProgram(
      ["--profile", "DEFAULT", "--gateway", gateway.url, "--port", "0", "--log-level", "trace"],
      { env: { HOME: user.folder, XDG_CONFIG_HOME: `${user.folder}/config` } },
    );
    const url = await program.url;
    const key = keyIn(program.text());
    assertMatch(key, /^fdb-[\w-]{43}$/);
    for (
      const headers of [
        {},
        { authorization: "Bearer wrong" },
        { authorization: `Bearer ${token}` },
        { "x-fd-bridge-key": key.slice(0, -1) },
      ] as Record<string, string>[]
    ) {
      const response = await post(url, headers);
      assertEquals(response.status, 401);
      assertStringIncludes((await response.json()).error.message, "fd-bridge key");
    }
    assertEquals((await fetch(`${url}/models?key=${key}`)).status, 401);
    assertEquals(gateway.requests.length, 0);
    for (
      const headers of [
        { authorization: `Bearer ${key}` },
        { "x-api-key": key },
        { "x-fd-bridge-key": key },
      ] as Record<string, string>[]
    ) {
      const response = await post(url, headers);
      assertEquals(response.status, 200, await response.clone().text());
      await response.body?.cancel();
    }
    for (const { head, body } of gateway.requests) {
      assert(!head.includes(key) && !body.includes(key), "the key never goes to the gateway");
    }
    const health = await (await fetch(`${url}/healthz`)).json();
    assertEquals(typeof health.token, "string");
    assert(!JSON.stringify(health).includes(token));
    assert(!program.text().includes(token), "the token is in no output");
    const file = await Deno.readTextFile(`${user.folder}/config/fd-bridge/bridge-key`);
    assertEquals(file.trim(), key);
    assertEquals(
      (await Deno.stat(`${user.folder}/config/fd-bridge/bridge-key`)).mode! & 0o777,
      0o600,
    );
  },
});

Deno.test({
  name: "the program says what to type where a profile can't be had, and ends with 2",
  ignore,
  async fn() {
    await using user = await home("[DEFAULT]\nhost = https://adb-1.2.azuredatabricks.net\n");
    await using program = await startProgram(["--profile", "nobody", "--port", "0"], {
      env: { HOME: user.folder, XDG_CONFIG_HOME: `${user.folder}/config` },
    });
    assertEquals(await program.ended, 2);
    assertStringIncludes(program.text(), "databricks auth login --profile nobody");
    assertEquals(program.text().trim().split("\n").length, 1, program.text());
  },
});

Deno.test({
  name:
    "the program renews tokens of two seconds under load: no client sees a refusal, and none overlap",
  ignore,
  async fn() {
    await using programs = await tokenPrograms("short");
    const expiries = new Map<string, number>();
    await using gateway = tokenGateway((token) => {
      // The scripted CLI's tokens live for two seconds from when it printed them.
      const first = expiries.get(token) ?? Date.now();
      expiries.set(token, first);
      return Date.now() < first + 2_500;
    });
    await using user = await home(
      "[DEFAULT]\nhost = https://adb-1.2.azuredatabricks.net\nauth_type = databricks-cli\n",
    );
    await using program = await startProgram(
      ["--profile", "DEFAULT", "--gateway", gateway.url, "--port", "0"],
      {
        env: {
          HOME: user.folder,
          XDG_CONFIG_HOME: `${user.folder}/config`,
          PATH: programs.path,
        },
      },
    );
    const url = await program.url;
    const authorization = `Bearer ${keyIn(program.text())}`;
    const statuses = new Map<number, number>();
    const until = performance.now() + 6_000;
    const work = async () => {
      while (performance.now() < until) {
        const response = await post(url, { authorization });
        await response.body?.cancel();
        statuses.set(response.status, (statuses.get(response.status) ?? 0) + 1);
      }
    };
    await Promise.all(Array.from({ length: 50 }, work));
    assertEquals([...statuses.keys()], [200], program.text().slice(-600));
    assert((await programs.calls()).length >= 3, "three expiries at least");
    assertEquals(await programs.overlaps(), 0);
  },
});
