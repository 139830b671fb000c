/**
 * Names in any text, the merge into a models.json, and the file that is written.
 *
 * @module
 */

import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { writeAtomically } from "../lib/system/atomic.ts";
import { addEntry, inHouseStyle, markGone, removeEntry } from "../lib/models/update/document.ts";
import { applyChanges, compare } from "../lib/models/update/merge.ts";
import { isChatModel, readNames } from "../lib/models/update/names.ts";
import { BridgeError } from "../lib/errors.ts";
import { machine } from "../lib/system/machine.ts";
import { parseModels, routeOf } from "../lib/models/catalog.ts";
import type { Files } from "../lib/system/system.ts";
import { randomFromEnvironment } from "./helpers/random.ts";

const FIXTURES = new URL("./fixtures/catalog/", import.meta.url);

/** The five models that every layout holds. */
const FIVE = [
  "databricks-claude-opus-5-5",
  "databricks-gpt-6-sol",
  "databricks-gemini-3-8-flash",
  "databricks-gte-large-en",
  "system.ai.kimi-k3",
];
const SERVICES = FIVE.map((id) => id.replace("databricks-", "system.ai."));

const LAYOUTS: readonly [file: string, names: readonly string[]][] = [
  ["four_lines.txt", FIVE],
  ["table.md", FIVE],
  ["page.html", FIVE],
  ["tabs.tsv", FIVE],
  ["models.csv", FIVE],
  ["prose.txt", FIVE],
  ["services.json", SERVICES],
  ["endpoints.json", FIVE],
];

for (const [file, names] of LAYOUTS) {
  Deno.test(`readNames() finds the five models of ${file}, and nothing else`, async () => {
    assertEquals(readNames(await Deno.readTextFile(new URL(file, FIXTURES))).names, names);
  });
}

Deno.test("readNames() reads UTF-16, as PowerShell writes it", async () => {
  const text = await Deno.readTextFile(new URL("four_lines.txt", FIXTURES));
  const bytes = [0xff, 0xfe, ...[...text].flatMap((char) => [char.charCodeAt(0), 0])];
  assertEquals(readNames(new TextDecoder().decode(new Uint8Array(bytes))).names, FIVE);
});

const EDGES: readonly [text: string, names: string][] = [
  ["databricks-gpt-5.", "databricks-gpt-5"],
  ["databricks-claude-3.7-sonnet.", "databricks-claude-3.7-sonnet"],
  ["(system.ai.gpt-4.1)", "system.ai.gpt-4.1"],
  ["databricks‑gpt‑5", "databricks-gpt-5"],
  ["databricks-gpt-5’s", "databricks-gpt-5"],
  ["?model=databricks-gpt-5&x=1", "databricks-gpt-5"],
  ["databricks-gpt-5 databricks-gpt-5", "databricks-gpt-5"],
  ["|databricks-newcomer|", "databricks-newcomer"],
  ["a databricks-newcomer thing", ""],
  ["databricks-gpt-5.example.com", ""],
  ["https://databricks-gpt-5/x", ""],
  ["databricks-gpt-5/invocations", ""],
  ["databricks-gpt-5.png", ""],
  ["databricks-gpt-5:latest", ""],
  ["somebody@databricks-gpt-5", ""],
  ["databricks-gpt-5@example.com", ""],
  ["databricks-meta-llama-3-1-…", ""],
  ["databricks-gpt-*", ""],
  ["databricks-gpt-{version}", ""],
  ["other.system.ai.gpt-5", ""],
  ["databricks-sql-connector 4", ""],
  ["Databricks-Claude-Sonnet-5-5", "databricks-claude-sonnet-5-5"],
  ["DATABRICKS-GPT-7-NOVA", "databricks-gpt-7-nova"],
  ["System.AI.GPT-5", "system.ai.gpt-5"],
  ["databricks-gpt-6-solCopy", "databricks-gpt-6-sol"],
  ["databricks-llama-3-70BReady", "databricks-llama-3-70b"],
  ["databricks-gpt-6-solCOPY", "databricks-gpt-6-sol"],
  ["databricks-gpt-5Copy databricks-kimi-k3Try it", "databricks-gpt-5 databricks-kimi-k3"],
  ["Databricks-Llama-3-70B", "databricks-llama-3-70b"],
  ["<!-- databricks-gpt-4 -->databricks-gpt-5<!--databricks-gpt-3", "databricks-gpt-5"],
  ['<script>"databricks-gpt-4"</script><p>databricks-gpt-5</p>', "databricks-gpt-5"],
  ["<STYLE>.databricks-gpt-4 {}</STYLE> databricks-gpt-5", "databricks-gpt-5"],
  ["", ""],
];

for (const [text, names] of EDGES) {
  Deno.test(`readNames() reads ${JSON.stringify(text)} as ${names || "no name"}`, () => {
    assertEquals(readNames(text).names.join(" "), names);
  });
}

Deno.test("readNames() gets through a text made against it", () => {
  // Quadratic matching would need minutes for this.
  const text = "databricks-" + "a-".repeat(200_000) + " " + "system.ai.".repeat(50_000);
  assertEquals(readNames(text).names.filter((name) => name.length < 1000), []);
  for (const piece of ["<!--", "<script>", "<!-- --><script", "aB", "databricks-aB"]) {
    readNames(piece.repeat(100_000));
  }
});

Deno.test("readNames() says what it passed over, and why", () => {
  const text = "databricks-gpt-5, databricks-sql-connector, databricks-claude-opus.png, " +
    "databricks-claude-opus, databricks-gpt-*";
  assertEquals(readNames(text), {
    names: ["databricks-gpt-5", "databricks-claude-opus"],
    skipped: [
      { name: "databricks-sql-connector", why: "not a model" },
      { name: "databricks-gpt", why: "part of a longer word or address" },
    ],
  });
});

Deno.test("isChatModel() leaves out embeddings and their like", () => {
  const ids = ["gte-large-en", "bge-large-en", "qwen3-embedding-0-6b"];
  for (const id of ids) assert(!isChatModel(`databricks-${id}`), id);
  assert(isChatModel("databricks-gemma-3-12b"));
});

/** A list as a person keeps it: own fields, own order, own name, an endpoint against the family's rule. */
const OWN = `{
  "$schema": "./models.schema.json",
  "//": "ours",
  "endpoints": { "codex": "/codex/v1/responses" },
  "models": [
    { "id": "databricks-gpt-6-sol", "endpoint": "codex", "team": ["a", "}"] },
    "databricks-old-1",
    { "id": "our-agent" },
    {
      "id": "databricks-older-1",
      "endpoint": "mlflow"
    },
    { "id": "databricks-claude-opus-5-5", "gone": true }
  ],
  "after": 1
}
`;

Deno.test("compare() finds what is new, gone and back, and leaves foreign names alone", () => {
  const changes = compare(parseModels(OWN, "m"), FIVE.map((id) => ({ id })));
  assertEquals(changes.map(({ kind, id, surface }) => [kind, id, surface ?? ""].join(" ").trim()), [
    "gone databricks-old-1",
    "gone databricks-older-1",
    "back databricks-claude-opus-5-5",
    "new databricks-gemini-3-8-flash mlflow",
    "new system.ai.kimi-k3 mlflow",
  ]);
});

Deno.test("compare() takes databricks-x and system.ai.x for one model", () => {
  const catalog = parseModels('{"models": ["databricks-kimi-k3"]}', "m");
  assertEquals(compare(catalog, [{ id: "system.ai.kimi-k3" }]), []);
});

Deno.test("compare() offers no surface that the list has taken away", () => {
  const catalog = parseModels('{"endpoints": {"cursor": null}, "models": []}', "m");
  const [change] = compare(catalog, [{ id: "databricks-gpt-5" }]);
  assertEquals(change.surface, undefined);
});

Deno.test("applyChanges() keeps every byte that it needn't change", () => {
  const changes = compare(parseModels(OWN, "m"), FIVE.map((id) => ({ id })));
  assertEquals(
    applyChanges(OWN, changes),
    OWN
      .replace('"databricks-old-1"', '{ "id": "databricks-old-1", "gone": true }')
      .replace('"endpoint": "mlflow"\n', '"endpoint": "mlflow",\n      "gone": true\n')
      .replace(
        '{ "id": "databricks-claude-opus-5-5", "gone": true }',
        '{ "id": "databricks-claude-opus-5-5" },\n' +
          '    { "id": "databricks-gemini-3-8-flash", "endpoint": "mlflow" },\n' +
          '    { "id": "system.ai.kimi-k3", "endpoint": "mlflow" }',
      ),
  );
});

Deno.test("applyChanges() with prune takes out what is gone, also what was marked before", () => {
  const catalog = parseModels(OWN, "m");
  const offers = [{ id: "databricks-gpt-6-sol" }];
  const text = applyChanges(OWN, compare(catalog, offers, { prune: true }));
  assertEquals(
    parseModels(text, "m").models.map(({ id }) => id),
    ["databricks-gpt-6-sol", "our-agent"],
  );
});

Deno.test("the editing functions give JSON of the same meaning for any layout", () => {
  const random = randomFromEnvironment("catalog");
  for (let round = 0; round < 300; round++) {
    const count = random.integer(0, 4);
    const models = Array.from({ length: count }, (_, at) => {
      const id = `m-${at}`;
      const rich = { id, note: 'a "quoted" ]} \\ text', list: [1, { x: null }] };
      return [id, { id }, rich][random.integer(0, 2)];
    });
    const indent = ["", "  ", "\t"][random.integer(0, 2)];
    const eol = ["\n", "\r\n"][random.integer(0, 1)];
    const before = { first: [{ models: [1] }], models, last: { models: [2] } };
    const text = JSON.stringify(before, null, indent).replaceAll("\n", eol);
    const id = `m-${random.integer(0, 5)}`;
    const ids = (json: string) => parseModels(json, "m").models.map((entry) => entry.id);
    const gone = (json: string) =>
      parseModels(json, "m").models.filter((entry) => entry.gone).map((entry) => entry.id);
    const known = ids(text).includes(id);
    assertEquals(gone(markGone(text, id, true)), known ? [id] : []);
    assertEquals(gone(markGone(markGone(text, id, true), id, false)), []);
    assertEquals(ids(removeEntry(text, id)), ids(text).filter((other) => other !== id));
    const added = addEntry(text, { id: "new", endpoint: "mlflow" });
    assertEquals(ids(added), [...ids(text), "new"]);
    const { first, last } = JSON.parse(added);
    assertEquals({ first, last }, { first: before.first, last: before.last });
    if (eol === "\r\n" && indent) assert(!/[^\r]\n/.test(added), added);
  }
});

Deno.test("the editing functions leave comments and trailing commas alone", () => {
  const text = `{
  // ours
  "models": [
    "a", // the first
    { "id": "b", /* no more */ "endpoint": "mlflow" },
  ],
}
`;
  assertEquals(
    addEntry(text, { id: "c", endpoint: "mlflow" }),
    text.replace(
      '"mlflow" },',
      '"mlflow" },\n    { "id": "c", "endpoint": "mlflow" },',
    ),
  );
  assertEquals(
    markGone(text, "b", true),
    text.replace('"mlflow" },', '"mlflow", "gone": true },'),
  );
  assertEquals(markGone(markGone(text, "b", true), "b", false), text);
  assertEquals(
    removeEntry(text, "a"),
    text.replace('"a", // the first\n    ', ""),
  );
});

Deno.test("inHouseStyle() writes our own models.json as it is, without the folder's $schema", async () => {
  const own = await Deno.readTextFile(new URL("../models.json", import.meta.url));
  assertEquals(inHouseStyle(own), own.replace(/^ {2}"\$schema".*\n/m, ""));
});

async function inFolder(test: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "fd-bridge-" });
  try {
    await test(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function namesIn(folder: string): string[] {
  return [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
}

Deno.test("writeAtomically() replaces a file and leaves nothing beside it", async () => {
  await inFolder(async (folder) => {
    const path = `${folder}/models.json`;
    await Deno.writeTextFile(path, "old");
    await writeAtomically(path, "new", machine.files);
    assertEquals(await Deno.readTextFile(path), "new");
    assertEquals(namesIn(folder), ["models.json"]);
  });
});

Deno.test("writeAtomically() makes the folder of a new file", async () => {
  await inFolder(async (folder) => {
    await writeAtomically(`${folder}/a/b/models.json`, "new", machine.files);
    assertEquals(await Deno.readTextFile(`${folder}/a/b/models.json`), "new");
  });
});

Deno.test({
  name: "writeAtomically() keeps the mode and follows a link",
  ignore: Deno.build.os === "windows",
  async fn() {
    await inFolder(async (folder) => {
      await Deno.mkdir(`${folder}/real`);
      await Deno.writeTextFile(`${folder}/real/models.json`, "old");
      await Deno.chmod(`${folder}/real/models.json`, 0o640);
      await Deno.symlink(`${folder}/real/models.json`, `${folder}/models.json`);
      await writeAtomically(`${folder}/models.json`, "new", machine.files);
      assert((await Deno.lstat(`${folder}/models.json`)).isSymlink);
      assertEquals(await Deno.readTextFile(`${folder}/real/models.json`), "new");
      assertEquals((await Deno.stat(`${folder}/real/models.json`)).mode! & 0o777, 0o640);
      assertEquals(namesIn(`${folder}/real`), ["models.json"]);
    });
  },
});

Deno.test({
  name: "writeAtomically() refuses a file that is read-only",
  ignore: Deno.build.os === "windows",
  async fn() {
    await inFolder(async (folder) => {
      const path = `${folder}/models.json`;
      await Deno.writeTextFile(path, "old", { mode: 0o444 });
      const error = await assertRejects(
        () => writeAtomically(path, "new", machine.files),
        BridgeError,
      );
      assertStringIncludes(error.message, "read-only");
      assertEquals(await Deno.readTextFile(path), "old");
    });
  },
});

for (const step of ["create", "rename"] as const) {
  Deno.test(`writeAtomically() leaves the old file whole and no other one when ${step} fails`, async () => {
    await inFolder(async (folder) => {
      const path = `${folder}/models.json`;
      await Deno.writeTextFile(path, "old");
      const files: Files = {
        ...machine.files,
        async [step](...words: [string, string]) {
          if (step === "create") await Deno.writeTextFile(words[0], "ha");
          throw new Error("No space left on device (os error 28)");
        },
      };
      const error = await assertRejects(() => writeAtomically(path, "new", files), BridgeError);
      assertEquals(error.message, `${path} can't be written: No space left on device.`);
      assertEquals(await Deno.readTextFile(path), "old");
      assertEquals(namesIn(folder), ["models.json"]);
    });
  });
}

Deno.test("parseModels() tells of misspelt fields, blanks, capitals and fields that stand twice", () => {
  const { warnings } = parseModels(
    `{
  "models": [
    { "id": "a", "endpont": "openai" },
    { "id": "a b" },
    "A",
    { "id": "c", "id": "d" }
  ]
}`,
    "m.json",
  );
  assertEquals(warnings, [
    "m.json: models[0].endpont is no field that the bridge knows: did you mean endpoint?",
    'm.json: models[1].id: "a b" has a blank in it, and no model\'s name has.',
    'm.json: models[2].id: "A" and "a" differ in capitals alone.',
    'm.json: line 6: "id" stands twice; the last one counts.',
  ]);
});

Deno.test("parseModels() reads 20,000 models in a second, and refuses 200,000 with words", () => {
  const list = (count: number) =>
    JSON.stringify({
      models: Array.from({ length: count }, (_, at) => ({ id: `databricks-m-${at}` })),
    });
  const start = performance.now();
  const catalog = parseModels(list(20_000), "m.json");
  for (const { id } of catalog.models) routeOf(catalog, id, "chat");
  assert(performance.now() - start < 1000);
  const error = assertThrows(() => parseModels(list(200_000), "m.json"), BridgeError);
  assertEquals(error.message, "m.json: too many models: expected 100,000 at most, got 200,000.");
});
