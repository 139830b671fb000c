/**
 * Every command in the documents is run here, or a row of the table says why not. A command that no row
 * knows fails.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { parseCommandLine } from "../lib/config/command_line.ts";
import { PROGRAM_FLAGS } from "../scripts/permissions.ts";
import { currentStdSource, stdFlags } from "../scripts/std_source.ts";
import { TASKS } from "../scripts/tasks.ts";
import { commandsOf, type DocCommand, shellWords } from "./helpers/doc_commands.ts";
import { type Program, startProgram } from "./helpers/program.ts";

const ROOT = new URL("../", import.meta.url);
const MODEL = "databricks-claude-sonnet-5-5";

/** What is done with a command. */
interface Row {
  readonly pattern: RegExp;
  /** Runs the real program in an empty home folder, beside a bridge with the simulated gateway. */
  readonly run?: {
    /** Words that answer its questions, because nobody types here. */
    readonly add?: readonly string[];
    /** The exit code; 0 if left out. */
    readonly code?: number;
    /** What it prints, on either stream. */
    readonly prints: RegExp;
  };
  /** Another check of the command. */
  readonly check?: (text: string) => void | Promise<void>;
  /** Why it isn't run. */
  readonly not?: string;
}

/** The task that a command names is there. */
function taskIsThere(text: string): void {
  const name = /\btask (\S+)/.exec(text)?.[1] ?? "";
  assert(Object.hasOwn(TASKS, name), text);
}

const ROWS: readonly Row[] = [
  // The program.
  { pattern: /^fd-bridge$/, run: { add: ["--version"], prints: /^fd-bridge \d/ } },
  {
    pattern: /^fd-bridge --profile \w+$/,
    not: "needs the Databricks CLI; tests/tokens_profile_test.ts has stand-ins for it",
  },
  { pattern: /^fd-bridge doctor$/, run: { code: 1, prints: /One thing is wrong:/ } },
  { pattern: /^fd-bridge doctor --(yes|fix)$/, not: "recorded by tests/recordings_test.ts" },
  { pattern: /^fd-bridge models$/, run: { prints: /\d+ models/ } },
  { pattern: /^fd-bridge models update /, run: { prints: /1 new/ } },
  { pattern: /^fd-bridge models sync$/, run: { prints: /models at / } },
  { pattern: /^fd-bridge usage\b/, run: { prints: /./ } },
  { pattern: /^fd-bridge logs --last-error$/, run: { prints: /No request of the bridge/ } },
  { pattern: /^fd-bridge setup cline$/, run: { prints: /^ *cline auth /m } },
  { pattern: /^fd-bridge setup \w+$/, run: { add: ["--yes"], prints: /is pointed at/ } },
  {
    pattern: /^fd-bridge setup \w+( <model>)? --print$/,
    run: { prints: /127\.0\.0\.1|openai_compatible/ },
  },
  { pattern: /^fd-bridge setup \w+ --remove$/, run: { add: ["--yes"], prints: /./ } },
  {
    pattern: /^fd-bridge service /,
    not: "would change this machine; recorded by tests/recordings_test.ts, and in service_test.ts",
  },
  { pattern: /^cat \.config\/systemd/, not: "recorded by tests/recordings_test.ts" },
  {
    pattern: /^fd-bridge (login|key)\b/,
    not: "needs a source of tokens; tests/login_test.ts and tests/key_test.ts have stand-ins",
  },
  // The project's tasks.
  { pattern: /^(npx -y deno@[\d.]+|deno) task /, check: taskIsThere },
  {
    pattern: /^deno run .* scripts\/performance\.ts/,
    not: "needs the result of a benchmark",
    check: async () => void await Deno.stat(new URL("scripts/performance.ts", ROOT)),
  },
  // Others.
  { pattern: /^curl -N http:\/\/127/, check: curl },
  {
    pattern: /^(export )?([A-Z_]+=\S+ ?)+$/,
    check: async (text) => {
      const { success } = await new Deno.Command("sh", {
        args: ["-n", "-c", text.replace("<model>", MODEL)],
      }).output();
      assert(success, text);
    },
  },
  { pattern: /^(brew|docker|gh) |^curl -fsSL https:/, not: "needs a published release" },
  { pattern: /^(\$zip|Invoke-WebRequest|Expand-Archive|\[Env|";\$env)/, not: "needs Windows" },
  { pattern: /^databricks auth login/, not: "needs the Databricks CLI and a browser" },
  {
    pattern: /^(forge|cline|gemini) /,
    not: "another program's; deno task test:agents runs those that npm has",
  },
  {
    pattern: /^(cd deploy|cp .*|mkdir -p config tls|for bridge in .*|sleep 20|done)$/,
    not: "needs a checkout to deploy from, certificates and Docker",
  },
  { pattern: /^curl https:\/\/bridge\.dev/, not: "needs a deployed bridge" },
  { pattern: /^kubectl /, not: "needs a cluster" },
  {
    pattern: /^export \w+="\$\(openssl rand/,
    check: async (text) => {
      const { success } = await new Deno.Command("sh", { args: ["-n", "-c", text] }).output();
      assert(success, text);
    },
  },
  { pattern: /^otelcol /, not: "needs the OpenTelemetry Collector" },
];

/** Every command of every document. */
async function commands(): Promise<DocCommand[]> {
  const found: DocCommand[] = [];
  async function read(path: string): Promise<void> {
    found.push(...commandsOf(path, await Deno.readTextFile(new URL(path, ROOT))));
  }
  for (const name of ["README.md", "CONTRIBUTING.md", "RELEASING.md", "SECURITY.md"]) {
    await read(name);
  }
  for (const folder of ["docs", "docs/agents"]) {
    const names = [];
    for await (const { name } of Deno.readDir(new URL(folder, ROOT))) {
      if (name.endsWith(".md")) names.push(name);
    }
    for (const name of names.sort()) await read(`${folder}/${name}`);
  }
  return found;
}

/** The program's arguments in a command, as a person types them. */
function argumentsOf(text: string): string[] {
  return shellWords(text.replace("<model>", MODEL)).slice(1);
}

/** The first command that each text stands for. */
const ALL = [...new Map((await commands()).map((command) => [command.text, command])).values()];

Deno.test("docs: every command has a row, and every row a command", () => {
  assert(ALL.length > 60, String(ALL.length));
  const without = ALL.filter(({ text }) => !ROWS.some(({ pattern }) => pattern.test(text)));
  assertEquals(without.map(({ file, line, text }) => `${file}:${line}: ${text}`), []);
  const idle = ROWS.filter(({ pattern }) => !ALL.some(({ text }) => pattern.test(text)));
  assertEquals(idle.map(({ pattern }) => String(pattern)), []);
  for (const row of ROWS) assert(row.run || row.check || row.not, String(row.pattern));
});

Deno.test("docs: the program knows the flags and words of every command that names it", async () => {
  const texts = ALL.map(({ text }) => text).filter((text) => /^fd-bridge\b/.test(text));
  // And those in the middle of a sentence, or of a table.
  for (const file of new Set((await commands()).map(({ file }) => file))) {
    const document = await Deno.readTextFile(new URL(file, ROOT));
    for (const [, text] of document.replace(/```[^]*?```/g, "").matchAll(/`(fd-bridge [^`]+)`/g)) {
      texts.push(text.replace(/\s+/g, " ").replace(/ \\?\|.*$/, ""));
    }
  }
  const wrong = [];
  for (const text of texts) {
    try {
      parseCommandLine(argumentsOf(text));
    } catch (error) {
      wrong.push(`${text}: ${(error as Error).message}`);
    }
  }
  assertEquals(wrong, []);
});

/** The anchor that GitHub gives a heading. */
function anchorOf(heading: string): string {
  return heading.toLowerCase().replace(/[^\p{L}\p{N} _-]/gu, "").replaceAll(" ", "-");
}

Deno.test("docs: every link leads somewhere, and docs/index.md leads to every page", async () => {
  const pages = ["README.md", "CONTRIBUTING.md", "RELEASING.md", "SECURITY.md"];
  const indexed: string[] = [];
  for (const folder of ["docs/", "docs/agents/"]) {
    for await (const { name } of Deno.readDir(new URL(folder, ROOT))) {
      if (name.endsWith(".md")) indexed.push(folder + name);
    }
  }
  const broken: string[] = [];
  const fromIndex = new Set(["docs/index.md"]);
  for (const page of [...pages, ...indexed]) {
    const text = (await Deno.readTextFile(new URL(page, ROOT))).replace(/```[^]*?```/g, "");
    for (const [, link] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(link)) continue;
      const target = new URL(link, new URL(page, ROOT));
      const anchor = target.hash.slice(1);
      target.hash = "";
      if (page === "docs/index.md") fromIndex.add(target.href.slice(ROOT.href.length));
      const there = await Deno.readFile(target).catch(() => undefined);
      const headings = there && new TextDecoder().decode(there).match(/^#+ .+$/gm);
      const known = headings?.map((line) => anchorOf(line.replace(/^#+ /, ""))) ?? [];
      if (!there || (anchor !== "" && !known.includes(anchor))) broken.push(`${page}: ${link}`);
    }
  }
  assertEquals(broken, []);
  assertEquals(indexed.filter((page) => !fromIndex.has(page)), []);
});

/** A bridge with the simulated gateway, for all tests of this file that ask one. */
let demo: Program | undefined;

/** Asks the demo what a `curl` of the documents asks. */
async function curl(text: string): Promise<void> {
  const url = await demo!.url;
  const { code, stdout, stderr } = await new Deno.Command("curl", {
    args: ["-sS", "--fail", "--noproxy", "*", ...shellWords(text).slice(1)]
      .map((word) => word.replace("http://127.0.0.1:8080", url)),
  }).output();
  assertEquals(code, 0, new TextDecoder().decode(stderr));
  assert(new TextDecoder().decode(stdout).includes("data: [DONE]"), text);
}

/** Runs the program. */
async function program(args: readonly string[], home: string, port: string) {
  const main = new URL("main.ts", ROOT).pathname;
  const flags = stdFlags(currentStdSource()).map((flag) =>
    flag.replace("scripts/standins", new URL("scripts/standins", ROOT).pathname)
  );
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", ...flags, ...PROGRAM_FLAGS, main, ...args],
    cwd: home,
    stdin: "null",
    env: {
      HOME: home,
      XDG_CONFIG_HOME: `${home}/.config`,
      DENO_DIR: Deno.env.get("DENO_DIR") ?? `${Deno.env.get("HOME")}/.cache/deno`,
      NO_COLOR: "1",
      FD_BRIDGE_DEMO: "true",
      FD_BRIDGE_PORT: port,
      DATABRICKS_TOKEN: "dapi-0123",
    },
  }).output();
  const decoder = new TextDecoder();
  return { code, text: decoder.decode(stdout) + decoder.decode(stderr) };
}

Deno.test({
  name: "docs: the commands do what their documents say",
  ignore: Deno.build.os === "windows",
  async fn(t) {
    await using running = await startProgram(["--demo", "--port", "0"]);
    demo = running;
    const list = await Deno.readTextFile(new URL("models.json", ROOT)) +
      "\ndatabricks-gpt-99-nova\n";
    const { port } = new URL(await running.url);
    for (const { file, line, text } of ALL) {
      const row = ROWS.find(({ pattern }) => pattern.test(text))!;
      if (!row.run && !row.check) continue;
      await t.step(`${file}:${line}: ${text.slice(0, 70)}`, async () => {
        await row.check?.(text);
        if (!row.run) return;
        const home = await Deno.makeTempDir({ prefix: "fd-bridge-" });
        try {
          await Deno.writeTextFile(`${home}/databricks-models.md`, list);
          const { add = [], code = 0, prints } = row.run;
          const ran = await program([...argumentsOf(text), ...add], home, port);
          assertEquals(ran.code, code, ran.text);
          assert(prints.test(ran.text), ran.text);
        } finally {
          await Deno.remove(home, { recursive: true });
        }
      });
    }
  },
});
