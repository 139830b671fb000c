/**
 * `fd-bridge models` and `models update`, as a person or a script runs them.
 *
 * @module
 */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { runOn } from "./helpers/machine.ts";

const LIST = `{
  "models": [
    { "id": "databricks-gpt-5", "endpoint": "openai", "team": "a" },
    { "id": "databricks-old-1", "endpoint": "mlflow" },
    { "id": "our-agent", "endpoint": "mlflow" }
  ]
}
`;
const TABLE = "databricks-gpt-5\nOpenAI\nChat\nReady\ndatabricks-kimi-k3\nMoonshot\nChat\nReady\n" +
  "databricks-gte-large-en\nAlibaba\nEmbeddings\nReady\n";
const UPDATED = `{
  "models": [
    { "id": "databricks-gpt-5", "endpoint": "openai", "team": "a" },
    { "id": "databricks-old-1", "endpoint": "mlflow", "gone": true },
    { "id": "our-agent", "endpoint": "mlflow" },
    { "id": "databricks-kimi-k3", "endpoint": "mlflow" }
  ]
}
`;

function files(): Record<string, string> {
  return { "./models.json": LIST, "table.md": TABLE };
}

const OWN = await Deno.readTextFile(new URL("../models.json", import.meta.url));

Deno.test("models prints a table that fits 80 columns", async () => {
  const { code, out } = await runOn(["models"], { files: { "./models.json": OWN } });
  assertEquals(code, 0);
  const lines = out().split("\n");
  assertMatch(lines[0], /^model +surface +context +kind +price$/);
  assertStringIncludes(
    out(),
    "databricks-gpt-oss-120b                 mlflow   128K     reasoning  0.072/0.28\n",
  );
  assertStringIncludes(out(), "59 models from ./models.json");
  assertEquals(lines.filter((line) => line.length > 80), []);
});

Deno.test("models drops columns that say the same in every row, and groups families", async () => {
  const list = '{"models": ["databricks-claude-x", "databricks-gpt-9", "databricks-claude-y"]}';
  const { out } = await runOn(["models"], { files: { "./models.json": list } });
  const lines = out().split("\n");
  assert(!lines[0].includes("price"), "nobody knows any price");
  assertEquals(lines.slice(1, 5).map((line) => line.split(" ")[0]), [
    "databricks-claude-x",
    "databricks-claude-y",
    "",
    "databricks-gpt-9",
  ]);
});

Deno.test("models --json prints every model's facts", async () => {
  const { code, out } = await runOn(["models", "--json"], { files: { "./models.json": UPDATED } });
  assertEquals(code, 0);
  const { file, models } = JSON.parse(out());
  assertEquals(file, "./models.json");
  assertEquals(models[0], {
    id: "databricks-gpt-5",
    surface: "openai",
    dialect: "responses",
    context: 400_000,
    output: 128_000,
    tools: true,
    reasoning: true,
    vision: true,
    source: "file",
    gone: false,
    price: { input: 1.25, output: 10 },
  });
  assertEquals(models[1].gone, true);
  assertEquals(models[2].context, null);
});

Deno.test("models says where the embedded list is in force", async () => {
  const { out } = await runOn(["models", "--json"]);
  assertEquals(JSON.parse(out()).file, null);
  assertEquals(JSON.parse(out()).models[0].source, "embedded");
});

Deno.test("models update writes straight away where there is no terminal", async () => {
  const ran = await runOn(["models", "update", "table.md"], { files: files() });
  assertEquals(ran.code, 0);
  assertEquals(ran.files["./models.json"], UPDATED);
  assertEquals(Object.keys(ran.files).sort(), ["./models.json", "table.md"]);
  assertStringIncludes(ran.out(), "- databricks-old-1    marked as gone");
  assertStringIncludes(ran.out(), "+ databricks-kimi-k3  mlflow");
  assertStringIncludes(ran.out(), "1 new, 1 gone, 2 as before");
  assert(!ran.out().includes("\x1b"), "no colours where nobody looks");
});

Deno.test("models update run twice changes nothing the second time", async () => {
  const first = await runOn(["models", "update", "table.md"], { files: files() });
  const again = await runOn(["models", "update", "table.md"], { files: first.files });
  assertStringIncludes(again.out(), "./models.json is up to date: 4 models.");
  assertEquals(again.files["./models.json"], UPDATED);
});

Deno.test("models update --dry-run only shows", async () => {
  const ran = await runOn(["models", "update", "table.md", "--dry-run"], { files: files() });
  assertEquals(ran.code, 0);
  assertEquals(ran.files, files());
  assertStringIncludes(ran.out(), "+ databricks-kimi-k3");
  assertStringIncludes(ran.out(), "--dry-run");
});

Deno.test("models update --prune removes what is gone", async () => {
  const ran = await runOn(["models", "update", "table.md", "--prune"], { files: files() });
  assertEquals(
    ran.files["./models.json"],
    UPDATED.replace(/ {4}.*gone.*\n/, ""),
  );
});

Deno.test("models update says what it read", async () => {
  const table = TABLE + "databricks-sql-connector\n<!-- databricks-gpt-4 -->";
  const { out } = await runOn(["models", "update", "table.md"], {
    files: { ...files(), "table.md": table },
  });
  assertStringIncludes(out(), "table.md: 3 names found");
  assertStringIncludes(out(), "left out, because they answer no chats: databricks-gte-large-en");
  assertStringIncludes(out(), "passed over: databricks-sql-connector (not a model)");
});

Deno.test("models update refuses to lose more than a third where nobody can be asked", async () => {
  const run = (args: string[], typed?: string[]) =>
    runOn(["models", "update", "-", ...args], {
      files: { "./models.json": OWN },
      piped: "databricks-gpt-6-sol databricks-kimi-k3",
      typed,
    });
  const refused = await run([]);
  assertEquals(refused.code, 1);
  assertEquals(refused.files["./models.json"], OWN);
  assertStringIncludes(refused.error + refused.err(), "57 of 59 models would go");
  assertStringIncludes(refused.err(), "--yes");
  const meant = await run(["--yes"]);
  assertEquals(meant.code, 0);
  const listed = await runOn(["config", "--json"], { files: meant.files });
  assertEquals(JSON.parse(listed.out()).models, 2, "what is gone doesn't count");
});

Deno.test("models update - reads what is piped in", async () => {
  const ran = await runOn(["models", "update", "-"], { files: files(), piped: TABLE });
  assertEquals(ran.files["./models.json"], UPDATED);
});

for (
  const [typed, code, written] of [["y\n", 0, true], ["\n", 0, true], ["n\n", 1, false]] as const
) {
  Deno.test(`models update asks at a terminal, and ${JSON.stringify(typed)} ${written ? "writes" : "doesn't"}`, async () => {
    const ran = await runOn(["models", "update", "table.md"], { files: files(), typed: [typed] });
    assertEquals(ran.code, code);
    assertStringIncludes(ran.err(), "Write this to ./models.json? [Y/n]");
    assertEquals(ran.files["./models.json"], written ? UPDATED : LIST);
  });
}

Deno.test("models update takes a bare Enter for a no where most of the list would go", async () => {
  const table = "databricks-new-1";
  const list = '{"models": ["databricks-a-1", "databricks-b-1", "databricks-c-1"]}';
  const ran = await runOn(["models", "update", "t"], {
    files: { "./models.json": list, t: table },
    typed: ["\n"],
  });
  assertEquals(ran.code, 1);
  assertStringIncludes(ran.err(), "3 of 3 models would go: is that the whole list?");
  assertEquals(ran.files["./models.json"], list);
});

Deno.test("models update --yes asks nothing", async () => {
  const ran = await runOn(["models", "update", "table.md", "-y"], { files: files(), typed: [] });
  assertEquals(ran.files["./models.json"], UPDATED);
  assertEquals(ran.err(), "");
});

Deno.test("models update colours its changes on a terminal, unless NO_COLOR is set", async () => {
  const options = { files: files(), color: true };
  assertStringIncludes(
    (await runOn(["models", "update", "table.md"], options)).out(),
    "\x1b[32m+ ",
  );
  const plain = { files: files(), color: true, env: { NO_COLOR: "1" } };
  assert(!(await runOn(["models", "update", "table.md"], plain)).out().includes("\x1b"));
});

Deno.test("models update writes the file that --models names, also a new one", async () => {
  const args = ["models", "update", "table.md", "--models", "/srv/list.json"];
  const ran = await runOn(args, { files: files() });
  assertEquals(ran.files["./models.json"], LIST);
  assertEquals(
    JSON.parse(ran.files["/srv/list.json"]).models.map((entry: { id: string } | string) =>
      typeof entry === "string" ? entry : entry.id
    ),
    ["databricks-gpt-5", "databricks-kimi-k3"],
  );
  assertStringIncludes(ran.out(), "Written to /srv/list.json.");
});

for (
  const [os, env, path] of [
    ["linux", { HOME: "/home/ada" }, "/home/ada/.config/fd-bridge/models.json"],
    ["windows", { APPDATA: "C:\\Ada" }, "C:\\Ada\\fd-bridge\\models.json"],
    ["linux", {}, "models.json"],
  ] as const
) {
  Deno.test(`models update writes a new file to ${path} where the embedded list is in force`, async () => {
    const ran = await runOn(["models", "update", "t"], { files: { t: TABLE }, env, os });
    assertStringIncludes(ran.out(), `Written to ${path}.`);
    assertStringIncludes(ran.files[path], '"databricks-kimi-k3"');
  });
}

Deno.test("models update --json tells scripts what changed", async () => {
  const ran = await runOn(["models", "update", "table.md", "--json"], { files: files() });
  assertEquals(JSON.parse(ran.out()), {
    file: "./models.json",
    written: true,
    changes: [
      { kind: "gone", id: "databricks-old-1" },
      { kind: "new", id: "databricks-kimi-k3", surface: "mlflow" },
    ],
  });
});

const FAULTS: readonly [
  what: string,
  args: string[],
  files: Record<string, string>,
  words: string,
][] = [
  ["a file without names", ["update", "t"], { t: "Nothing here.\n" }, "t names no model"],
  ["an empty pipe", ["update", "-"], {}, "The input names no model"],
  ["a missing file", ["update", "none.md"], {}, "none.md: there is no such file"],
  ["no file", ["update"], {}, "models update FILE"],
  ["two files", ["update", "a", "b"], {}, "got `fd-bridge models update a b`"],
  ["an unknown word", ["frobnicate"], {}, "got `fd-bridge models frobnicate`"],
  ["--prune without update", ["--prune"], {}, "--prune goes with"],
  [
    "a broken list",
    ["update", "t"],
    { t: TABLE, "./models.json": '{"models": ["a", 3]}' },
    './models.json: line 1, column 18: models[1]: expected a model\'s name or an object with "id", got number 3.',
  ],
];

for (const [what, args, files, words] of FAULTS) {
  Deno.test(`models ends with 2 and writes nothing for ${what}`, async () => {
    const before = { ...files };
    const ran = await runOn(["models", ...args], { files });
    assertEquals(ran.code, 2);
    assertStringIncludes(ran.error, words);
    assertEquals(ran.files, before);
  });
}

Deno.test("models update doesn't write over what somebody else wrote in the meantime", async () => {
  const all = files();
  let reads = 0;
  const ran = await runOn(["models", "update", "table.md"], {
    files: new Proxy(all, {
      get(target, name: string) {
        // The list is read to find it, and read for its text; then somebody writes.
        if (name === "./models.json" && ++reads === 3) target[name] = LIST + "\n";
        return target[name];
      },
    }),
  });
  assertEquals(ran.code, 2);
  assertStringIncludes(ran.error, "was changed by somebody else");
});
