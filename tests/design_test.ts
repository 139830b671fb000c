/**
 * `docs/design.md` says of each folder of `lib` what its main file says of itself.
 * `FD_BRIDGE_WRITE_DOCS=1` writes the table anew.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";

const LIB = new URL("../lib/", import.meta.url);
const DOCUMENT = new URL("../docs/design.md", import.meta.url);

/** The file of each folder to begin with. */
const DOORS: Readonly<Record<string, string>> = {
  adapt: "negotiator.ts",
  commands: "mod.ts",
  config: "config.ts",
  dialects: "dialect.ts",
  doctor: "check.ts",
  enrich: "chunks.ts",
  gateway: "gateway.ts",
  keys: "mod.ts",
  models: "catalog.ts",
  observe: "exchange.ts",
  service: "service.ts",
  setup: "change.ts",
  simulator: "mod.ts",
  store: "mod.ts",
  system: "system.ts",
};

/** The first sentence of a file's first comment. */
async function firstSentence(path: string): Promise<string> {
  const text = await Deno.readTextFile(new URL(path, LIB));
  const [, comment = ""] = /^\/\*\*\n([^]*?)\*\//.exec(text) ?? [];
  const [paragraph] = comment.replace(/^ \* ?/gm, "").split(/\n\n|\n?@module/);
  const [, sentence] = /^(.*?[^.]\.)(?=\s|$)/.exec(paragraph.replace(/\s+/g, " ")) ?? [];
  assert(sentence, `${path} begins with no comment`);
  return sentence.replace(/\{@linkcode (\w+)\}/g, "`$1`").replaceAll("|", "\\|");
}

Deno.test("docs/design.md has every folder of lib, in the words of its first comment", async () => {
  const folders = [];
  for await (const { name, isDirectory } of Deno.readDir(LIB)) {
    if (isDirectory) folders.push(name);
  }
  assertEquals(folders.sort(), Object.keys(DOORS).sort());
  const rows = [];
  for (const folder of folders) {
    const door = `${folder}/${DOORS[folder]}`;
    rows.push(`| \`${folder}/\` | \`${DOORS[folder]}\` | ${await firstSentence(door)} |`);
  }
  const table = `<!-- rooms -->\n\n<!-- deno-fmt-ignore-start -->\n` +
    `| folder | begin with | what it says |\n| --- | --- | --- |\n${rows.join("\n")}\n` +
    `<!-- deno-fmt-ignore-end -->\n\n<!-- /rooms -->`;
  const text = await Deno.readTextFile(DOCUMENT);
  const made = text.replace(/<!-- rooms -->[^]*<!-- \/rooms -->/, () => table);
  assert(made.includes(table), "docs/design.md has no part <!-- rooms -->");
  if (Deno.env.get("FD_BRIDGE_WRITE_DOCS")) await Deno.writeTextFile(DOCUMENT, made);
  assertEquals(await Deno.readTextFile(DOCUMENT), made);
});
