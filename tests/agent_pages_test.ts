/**
 * The pages of `docs/agents/`: one for each agent that `fd-bridge setup` knows, with what it writes.
 * `FD_BRIDGE_WRITE_DOCS=1` writes those parts anew.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { AGENTS } from "../lib/setup/agents.ts";
import { AGENTS as TRIED } from "./agents/clients.ts";
import { testMachine } from "./helpers/machine.ts";
import { run } from "./helpers/run.ts";

const DOCS = new URL("../docs/", import.meta.url);

/** The pages that aren't named as `setup` names their agents. */
const PAGES: Readonly<Record<string, string>> = {
  forge: "forgecode",
  claude: "claude-code",
  gemini: "gemini-cli",
};

/** What `fd-bridge setup NAME --print` shows in an empty home folder. */
async function printed(name: string): Promise<string> {
  const { system, out } = testMachine({
    env: {
      HOME: "/home/ada",
      NO_COLOR: "1",
      PATH: "/usr/local/bin",
      DATABRICKS_AI_GATEWAY_URL: "https://1234567890123456.7.ai-gateway.azuredatabricks.net",
    },
    embedded: '{"models":["databricks-claude-sonnet-5-5"]}',
  });
  const command = ["setup", name, "--print"];
  assertEquals(await run(command, system), 0);
  return `\`\`\`console\n$ fd-bridge ${command.join(" ")}\n${out().trimEnd()}\n\`\`\``;
}

/** What was run: `docs/agents.md` has the results. */
function tried(name: string): string {
  const client = TRIED.find(({ setup }) => setup === name);
  if (!client) return "It is no part of `deno task test:agents`.";
  return `Run by \`deno task test:agents\`: \`${client.package}\`, ${client.dialect}.

[Results](../agents.md#tried).`;
}

for (const { name, title } of AGENTS) {
  Deno.test(`docs/agents/ has a page that says what setup ${name} writes`, async () => {
    const file = new URL(`agents/${PAGES[name] ?? name}.md`, DOCS);
    const text = await Deno.readTextFile(file);
    let made = text;
    for (const [mark, part] of [["setup", await printed(name)], ["tried", tried(name)]]) {
      const pattern = new RegExp(`(<!-- ${mark} -->)[^]*?(<!-- /${mark} -->)`);
      assert(pattern.test(made), `${file.pathname} has no part <!-- ${mark} -->`);
      made = made.replace(pattern, (_, begin, end) => `${begin}\n\n${part}\n\n${end}`);
    }
    if (Deno.env.get("FD_BRIDGE_WRITE_DOCS")) await Deno.writeTextFile(file, made);
    assertEquals(await Deno.readTextFile(file), made);
    assert(made.startsWith(`# ${title}\n`));
  });
}

Deno.test("docs/agents.md links the page of every agent", async () => {
  const text = await Deno.readTextFile(new URL("agents.md", DOCS));
  for (const { name } of AGENTS) assert(text.includes(`(agents/${PAGES[name] ?? name}.md)`), name);
});
