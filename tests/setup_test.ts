/** `fd-bridge setup`, on a machine in memory; the real agents read its files in `tests/agents`. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { COMMANDS } from "../lib/config/commands.ts";
import { FLAGS } from "../lib/config/flags.ts";
import { AGENTS } from "../lib/setup/agents.ts";
import { withoutSecrets } from "../lib/setup/change.ts";
import { type Format, valueIn, withValue } from "../lib/setup/text.ts";
import { runOn, type TestMachineOptions } from "./helpers/machine.ts";

const HOME = "/home/ada";
const MODEL = "databricks-gpt-5";

/** Somebody's own files, with comments and an order of their own. */
const OWN: Readonly<Record<string, string>> = {
  [`${HOME}/.forge/.credentials.json`]:
    `[\n  { "id": "anthropic", "auth_details": { "api_key": "other" } }\n]\n`,
  [`${HOME}/.forge/.forge.toml`]:
    `# mine\n[session]\nprovider_id = "anthropic" # paid by work\nmodel_id = "claude"\n\n[http]\nx = 1\n`,
  [`${HOME}/.codex/config.toml`]:
    `# mine\nmodel = "gpt-5" # the good one\napproval_policy = "never"\n\n[mcp_servers.docs]\ncommand = "docs"\n`,
  [`${HOME}/.claude/settings.json`]:
    `{\n  "theme": "dark",\n  "env": {\n    "ANTHROPIC_MODEL": "opus",\n    "FOO": "1"\n  }\n}\n`,
  [`${HOME}/.config/opencode/opencode.jsonc`]:
    `{\n  // mine\n  "theme": "x",\n  "provider": {\n    "other": {},\n  },\n}\n`,
  [`${HOME}/.qwen/settings.json`]: `{ "ui": { "theme": "x" } }\n`,
  [`${HOME}/.qwen/.env`]: `# mine\nFOO=1\nOPENAI_MODEL=qwen3\n`,
  [`${HOME}/.continue/config.yaml`]:
    `# mine\nname: home\nversion: 0.0.1\nmodels:\n  - name: local # small\n    provider: ollama\n    model: qwen\n`,
  [`${HOME}/.gemini/settings.json`]: `{\n  "model": { "name": "gemini-3" }\n}\n`,
  [`${HOME}/.gemini/.env`]: `GEMINI_API_KEY="mine"\n`,
  [`${HOME}/.pi/agent/models.json`]: `{ "providers": { "ollama": { "baseUrl": "u" } } }\n`,
};

function machine(options: TestMachineOptions = {}): TestMachineOptions {
  return { ...options, env: { HOME, ...options.env }, files: { ...options.files } };
}

for (const { name, title, program } of AGENTS.filter(({ name }) => name !== "cline")) {
  for (const [kind, own] of [["with files of its own", OWN], ["without files", {}]] as const) {
    Deno.test(`setup ${name}, ${kind}: written, the same again, and back to the last byte`, async () => {
      const options = machine({ files: own });
      const first = await runOn(["setup", name, "--demo", "--yes"], options);
      assertEquals([first.code, first.error], [0, ""]);
      assertStringIncludes(first.err(), `${title} is pointed at http://127.0.0.1:8080`);
      assertStringIncludes(first.err(), `(\`${program}\`) is not on the PATH`);
      const written = { ...options.files };
      const changed = Object.keys(written).filter((path) =>
        written[path] !== (own as typeof OWN)[path]
      );
      assert(changed.some((path) => written[path].includes(MODEL)), changed.join());
      for (const comment of ["# mine", "// mine", "# small", "FOO"]) {
        for (const path of changed.filter((path) => (own as typeof OWN)[path]?.includes(comment))) {
          assertStringIncludes(written[path], comment, path);
        }
      }

      const again = await runOn(["setup", name, "--demo", "--yes"], options);
      assertEquals(again.code, 0);
      assertEquals(options.files, written);
      assertStringIncludes(again.err(), "was pointed already");

      const removed = await runOn(["setup", name, "--remove", "--yes"], options);
      assertEquals([removed.code, removed.error], [0, ""]);
      for (const [path, text] of Object.entries(options.files!)) {
        const format = path.endsWith("toml")
          ? "toml"
          : path.endsWith("yaml")
          ? "yaml"
          : path.endsWith(".env")
          ? "env"
          : "json";
        assertEquals(
          valueIn(format, text, []),
          valueIn(format, (own as typeof OWN)[path], []),
          path,
        );
      }
      assertEquals(Object.keys(options.files!).sort(), Object.keys(own).sort());
    });
  }
}

Deno.test("setup --remove leaves alone what it never wrote, and keeps what was changed since", async () => {
  const options = machine({ files: OWN });
  for (const { name } of AGENTS) {
    const { code } = await runOn(["setup", name, "--remove", "--yes"], options);
    assertEquals(code, 0, name);
  }
  assertEquals(options.files, { ...OWN });

  await runOn(["setup", "claude", "--demo", "--yes"], options);
  const path = `${HOME}/.claude/settings.json`;
  options.files![path] = withValue("json", options.files![path], ["theme"], "light");
  await runOn(["setup", "claude", "--remove", "--yes"], options);
  assertEquals(options.files![path], OWN[path].replace("dark", "light"));
});

const GATEWAY = "https://1.7.ai-gateway.azuredatabricks.net";

/** `setup` alone, on a machine with Codex, as a person answers. */
async function answer(typed: string[], more: TestMachineOptions = {}) {
  const options = machine({
    ...more,
    typed,
    files: { "/bin/codex": "", ...more.files },
    env: { PATH: "/bin", NO_COLOR: "1", ...more.env },
    fetch: (request) => {
      if (!request.url.startsWith(GATEWAY)) throw new TypeError("connect ECONNREFUSED");
      const body = { error_code: "401", message: "Credential was not sent" };
      return Response.json(body, { status: 401 });
    },
  });
  return { ...await runOn(["setup"], options), files: options.files! };
}

Deno.test("setup alone asks for the gateway, tries it, writes it, and sets up what is found", async () => {
  const { code, files, err } = await answer([`${GATEWAY}\n`, "\n", "\n"]);
  assertEquals(code, 0);
  assertEquals(files[`${HOME}/.config/fd-bridge/.env`], `DATABRICKS_AI_GATEWAY_URL=${GATEWAY}\n`);
  assertStringIncludes(files[`${HOME}/.codex/config.toml`], 'env_key = "DATABRICKS_TOKEN"');
  assertStringIncludes(err(), "Codex is here.");
  assert(!err().includes("Claude Code is here"));
});

Deno.test("setup alone takes the demo, and a gateway that is known already", async () => {
  const demo = await answer(["demo\n", "\n"]);
  assertEquals(demo.code, 0);
  assertStringIncludes(demo.files[`${HOME}/.codex/config.toml`], '"demo"');
  assertStringIncludes(demo.err(), "fd-bridge --demo");
  const known = await answer(["\n"], { env: { DATABRICKS_AI_GATEWAY_URL: GATEWAY } });
  assertEquals(known.code, 0);
  assertStringIncludes(known.err(), `Known: ${GATEWAY}.`);
});

Deno.test("setup alone ends with 1 after Enter, and goes past an agent whose file is broken", async () => {
  const left = await answer(["\n"]);
  assertEquals([left.code, Object.keys(left.files)], [1, ["/bin/codex"]]);
  const broken = { [`${HOME}/.codex/config.toml`]: "model = \n", "/bin/claude": "" };
  const { code, files, err } = await answer(["demo\n", "\n"], { files: broken });
  assertEquals(code, 1);
  assertStringIncludes(err(), "is no TOML");
  assertStringIncludes(files[`${HOME}/.claude/settings.json`], "ANTHROPIC_BASE_URL");
});

Deno.test("setup --remove leaves a provider that was chosen since", async () => {
  const options = machine({ files: OWN });
  await runOn(["setup", "codex", "--demo", "--yes"], options);
  const path = `${HOME}/.codex/config.toml`;
  const chosen = [["model_provider"], "openai", ["model"], "gpt-9"] as const;
  options.files![path] = withValue("toml", options.files![path], chosen[0], chosen[1]);
  options.files![path] = withValue("toml", options.files![path], chosen[2], chosen[3]);
  await runOn(["setup", "codex", "--remove", "--yes"], options);
  assertEquals(valueIn("toml", options.files![path], ["model_provider"]), "openai");
  assertEquals(valueIn("toml", options.files![path], ["model"]), "gpt-9");
  assertEquals(valueIn("toml", options.files![path], ["model_providers"]), undefined);
});

Deno.test("setup takes the newest model of the agent's own family", async () => {
  const ids = ["claude-opus-5", "gpt-oss-120b", "gpt-5", "gpt-6-sol", "gpt-6-1-sol", "gpt-5-5-pro"];
  const embedded = JSON.stringify({ models: ids.map((id) => `databricks-${id}`) });
  const { out } = await runOn(["setup", "codex", "--demo", "--print"], machine({ embedded }));
  assertStringIncludes(out(), '+model = "databricks-gpt-6-1-sol"');
});

Deno.test("setup shows no secrets of other services", async () => {
  const path = `${HOME}/.forge/.credentials.json`;
  const files = { [path]: '[{"id":"anthropic","auth_details":{"api_key":"sk-ant-secret"}}]\n' };
  const { out } = await runOn(["setup", "forge", "--demo", "--print"], machine({ files }));
  assertStringIncludes(out(), '"id":"anthropic"');
  assert(!out().includes("sk-ant-secret"), out());
});

Deno.test("withoutSecrets() hides values, not the names of variables", () => {
  for (
    const [text, hidden] of [
      ["apiKey: sk-0123456789", "apiKey: ••••••••"],
      ['{ Authorization = "Bearer fdb-0123" }', '{ Authorization = "Bearer ••••••••" }'],
      ["OPENAI_API_KEY=sk-0123", "OPENAI_API_KEY=••••••••"],
      ['env_key = "DATABRICKS_TOKEN"', 'env_key = "DATABRICKS_TOKEN"'],
      ['"apiKey": "{env:DATABRICKS_TOKEN}"', '"apiKey": "{env:DATABRICKS_TOKEN}"'],
      ['"max_tokens": 1000000', '"max_tokens": 1000000'],
    ]
  ) assertEquals(withoutSecrets(text), hidden);
});

Deno.test("setup --print writes nothing and shows no key", async () => {
  const options = machine({ files: OWN, env: { FD_BRIDGE_CLIENT_KEY: "s3cr3t-key-of-mine" } });
  const { code, out } = await runOn(["setup", "claude", "--demo", "--print"], options);
  assertEquals(code, 0);
  assertEquals(options.files, { ...OWN });
  assertStringIncludes(out(), `-    "ANTHROPIC_MODEL": "opus"`);
  assertStringIncludes(out(), `+    "ANTHROPIC_AUTH_TOKEN": "••••••••"`);
  assert(!out().includes("s3cr3t-key"), out());
});

Deno.test("setup asks, and writes nothing after a no", async () => {
  const options = machine({ typed: ["n\n"] });
  const { code, err, files } = await runOn(["setup", "codex", "--demo"], options);
  assertEquals([code, Object.keys(files)], [1, []]);
  assertStringIncludes(err(), "Write this? [Y/n]");
  assertStringIncludes(err(), `base_url = "http://127.0.0.1:8080/v1"`);
});

Deno.test("setup says what to add where nobody can be asked", async () => {
  const { code, error } = await runOn(["setup", "codex", "--demo"], machine());
  assertEquals(code, 2);
  assertStringIncludes(error, "--yes");
});

Deno.test("setup writes no token of Databricks': the agent takes it from the environment", async () => {
  const env = { DATABRICKS_TOKEN: "dapi-not-for-files" };
  for (const { name } of AGENTS) {
    const options = machine({ env });
    const { code, out, err } = await runOn(["setup", name, "--yes"], options);
    assertEquals(code, 0, name);
    const all = Object.values(options.files!).join("") + out() + err();
    assert(!all.includes("dapi-not-for-files"), name);
    assert(name === "forge" || all.includes("DATABRICKS_TOKEN"), name);
  }
});

Deno.test("setup lets agents send client key and token where the bridge asks for both", async () => {
  const env = { DATABRICKS_TOKEN: "dapi-not-for-files", FD_BRIDGE_CLIENT_KEY: "a-key-of-ours" };
  for (const { name } of AGENTS) {
    const asked: (string | null)[] = [];
    const fetch = (request: Request) => {
      asked.push(request.headers.get("authorization"));
      return Response.json({});
    };
    const options = machine({ env, fetch });
    const { code, err } = await runOn(["setup", name, "--yes"], options);
    assertEquals(code, 0, name);
    assertEquals(asked, [null, "Bearer a-key-of-ours:dapi-not-for-files"]);
    assertStringIncludes(err(), `export FDB_API_KEY="$FD_BRIDGE_CLIENT_KEY:$DATABRICKS_TOKEN"`);
    const all = Object.values(options.files!).join("");
    assert(!/dapi-not-for-files|a-key-of-ours|DATABRICKS_TOKEN/.test(all), name);
  }
});

Deno.test("setup proves it with one small request through the bridge", async () => {
  const asked: string[] = [];
  const fetch = (request: Request) => {
    asked.push(`${request.method} ${new URL(request.url).pathname}`);
    return Response.json({});
  };
  const { code, err } = await runOn(["setup", "codex", "--demo", "--yes"], machine({ fetch }));
  assertEquals(code, 0);
  assertEquals(asked, ["GET /healthz", "POST /v1/chat/completions"]);
  assertStringIncludes(err(), `${MODEL} answers`);
});

Deno.test("setup tells of a request that failed, in the gateway's words", async () => {
  const fetch = (request: Request) =>
    request.method === "GET"
      ? new Response("ok")
      : Response.json({ error: { message: "no such endpoint" } }, { status: 404 });
  const { code, err } = await runOn(["setup", "codex", "--demo", "--yes"], machine({ fetch }));
  assertEquals(code, 1);
  assertStringIncludes(err(), "no such endpoint");
  assertStringIncludes(err(), `fd-bridge doctor ${MODEL}`);
});

Deno.test("setup takes a model of the list, and knows what was meant", async () => {
  const wrong = await runOn(["setup", "codex", "databricks-gtp-5", "--yes"], machine());
  assertStringIncludes(wrong.error, `databricks-gpt-5`);
  const agent = await runOn(["setup", "codx"], machine());
  assertStringIncludes(agent.error, "Did you mean codex?");
  const none = await runOn(["setup", "--remove"], machine());
  assertStringIncludes(none.error, "fd-bridge setup AGENT");
  const nobody = await runOn(["setup"], machine());
  assertStringIncludes(nobody.error, "nobody is there");
});

for (
  const [file, text, agent] of [
    [".claude/settings.json", `{ "env": `, "claude"],
    [".codex/config.toml", `model = `, "codex"],
    [".continue/config.yaml", `a: [`, "continue"],
  ] as const
) {
  Deno.test(`setup leaves a broken ${file} as it is`, async () => {
    const options = machine({ files: { [`${HOME}/${file}`]: text } });
    const { code, error } = await runOn(["setup", agent, "--demo", "--yes"], options);
    assertEquals(code, 2);
    assertStringIncludes(error, `${HOME}/${file} is no `);
    assertEquals(options.files, { [`${HOME}/${file}`]: text });
  });
}

Deno.test("setup goes where the agents' own variables point", async () => {
  const env = {
    CODEX_HOME: "/c",
    CLAUDE_CONFIG_DIR: "/d",
    FORGE_CONFIG: "/f",
    XDG_CONFIG_HOME: "/x",
  };
  const paths: Record<string, string> = {
    codex: "/c/config.toml",
    claude: "/d/settings.json",
    forge: "/f/.forge.toml",
    opencode: "/x/opencode/opencode.json",
  };
  for (const [name, path] of Object.entries(paths)) {
    const options = machine({ env });
    await runOn(["setup", name, "--demo", "--yes"], options);
    assert(path in options.files!, name);
  }
});

Deno.test("the command line names every agent that setup knows", () => {
  const command = COMMANDS.find(({ name }) => name === "setup");
  assertEquals(command?.words, AGENTS.map(({ name }) => name));
  assert(FLAGS.some(({ name, commands }) => name === "remove" && commands?.includes("setup")));
});

const SETS: readonly [Format, string, Parameters<typeof withValue>[2], unknown, string][] = [
  ["json", "", ["a", "b"], 1, `{\n  "a": {\n    "b": 1\n  }\n}\n`],
  ["toml", "", ["a"], "x", `a = "x"\n`],
  ["yaml", "", ["a", "b"], "x", `a:\n  b: x\n`],
  ["env", "A=1\n", ["B"], "2", `A=1\nB=2\n`],
  ["env", "export A=1\nB=2", ["A"], undefined, `B=2\n`],
];
for (const [format, text, path, value, expected] of SETS) {
  Deno.test(`withValue() sets ${path.join(".")} in ${format} ${JSON.stringify(text)}`, () => {
    assertEquals(withValue(format, text, path, value), expected);
  });
}
