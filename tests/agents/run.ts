/**
 * Runs the real agents from npm against the real program with its simulated gateway, without a person,
 * each set up by `fd-bridge setup`: `deno task test:agents [--only NAME]`. It installs them into `.deno/agents`, prints a table, and is no
 * part of the gate, because it needs npm and several minutes.
 *
 * @module
 */

import { startProgram } from "../helpers/program.ts";
import { type Agent, AGENTS } from "./clients.ts";

/** What an agent is asked, and what must come of it. */
interface Scenario {
  readonly name: string;
  readonly prompt: string;
  /** What is wrong, or an empty text. */
  readonly check: (output: string, read: (file: string) => string | undefined) => string;
}

const FIVE = [1, 2, 3, 4, 5].map((step) => `\`echo ${step} >> steps.txt\``).join(", then ");

const SCENARIOS: readonly Scenario[] = [
  {
    name: "text",
    prompt: "Say something friendly. [[sim: text]]",
    check: (output) => output.includes("I am a simulated model") ? "" : "no answer",
  },
  {
    name: "file",
    prompt: "Run `echo made > made.txt`.",
    check: (_output, read) => read("made.txt") === "made\n" ? "" : "no file",
  },
  {
    name: "five steps",
    prompt: `Run ${FIVE}.`,
    check: (_output, read) =>
      read("steps.txt") === "1\n2\n3\n4\n5\n" ? "" : `steps.txt: ${read("steps.txt")}`,
  },
  {
    name: "parallel",
    prompt: "Run `echo a > a.txt` and `echo b > b.txt` at once.",
    check: (_output, read) =>
      read("a.txt") === "a\n" && read("b.txt") === "b\n" ? "" : "not both files",
  },
];

/** One model of each kind: with its own surface, of the Responses API alone, by mlflow, with open weights. */
const MODELS = [
  "databricks-claude-sonnet-5-5",
  "databricks-gpt-6-sol",
  "databricks-gemini-3-8-flash",
  "databricks-kimi-k3",
];

/** How long one prompt may take, in milliseconds. */
const TIME = 120_000;

const ROOT = decodeURIComponent(new URL("../../", import.meta.url).pathname);

/** Installs an agent, and says where its program is; what went wrong otherwise. */
async function install(agent: Agent): Promise<{ program: string } | { failure: string }> {
  const folder = `${ROOT}.deno/agents/${agent.bin}`;
  await Deno.mkdir(folder, { recursive: true });
  const { success, stderr } = await new Deno.Command("npm", {
    args: ["install", "--no-fund", "--no-audit", "--loglevel=error", "--prefix", folder].concat(
      agent.package,
    ),
    stdout: "null",
  }).output();
  if (!success) return { failure: new TextDecoder().decode(stderr).split("\n")[0] };
  return { program: `${folder}/node_modules/.bin/${agent.bin}` };
}

async function runOnce(
  agent: Agent,
  program: string,
  url: string,
  model: string,
  { prompt, check }: Scenario,
): Promise<string> {
  const home = await Deno.makeTempDir();
  const folder = `${home}/work`;
  await Deno.mkdir(folder);
  try {
    const { port } = new URL(url);
    const flags = ["--demo", "--port", port, "--yes"];
    await using setup = await startProgram(["setup", agent.setup, model, ...flags], {
      env: { HOME: home },
    });
    if (await setup.ended !== 0) return setup.text();
    const { stdout, stderr } = await new Deno.Command(program, {
      args: [...agent.args({ model, prompt })],
      cwd: folder,
      clearEnv: true,
      env: {
        PATH: Deno.env.get("PATH")!,
        HOME: home,
        TERM: "dumb",
        NO_PROXY: "127.0.0.1,localhost",
        ...agent.env,
      },
      stdin: "null",
      signal: AbortSignal.timeout(TIME),
    }).output();
    const output = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
    const wrong = check(output, (file) => {
      try {
        return Deno.readTextFileSync(`${folder}/${file}`);
      } catch {
        return undefined;
      }
    });
    return wrong && `${wrong}\n${output.slice(-2_000)}`;
  } finally {
    await Deno.remove(home, { recursive: true });
  }
}

async function main(args: readonly string[]): Promise<number> {
  const only = args[0] === "--only" ? args[1]?.toLowerCase() : undefined;
  const agents = AGENTS.filter(({ name }) => !only || name.toLowerCase().includes(only));
  const rows: string[][] = [];
  let failures = 0;
  const home = await Deno.makeTempDir();
  {
    await using bridge = await startProgram(["--demo", "--port", "0"], {
      env: { HOME: home },
    });
    const url = await bridge.url;
    for (const agent of agents) {
      const installed = await install(agent);
      for (const model of MODELS) {
        const cells: string[] = [];
        for (const scenario of SCENARIOS) {
          const wrong = "failure" in installed
            ? installed.failure
            : await runOnce(agent, installed.program, url, model, scenario);
          if (wrong !== "") {
            failures++;
            console.error(`${agent.name}, ${model}, ${scenario.name}: ${wrong}`);
          }
          cells.push(wrong === "" ? "✓" : "✗");
        }
        rows.push([agent.name, agent.package.split("@").at(-1)!, agent.dialect, model, ...cells]);
        console.error(rows.at(-1)!.join("  "));
      }
    }
  }
  await Deno.remove(home, { recursive: true });
  const names = SCENARIOS.map(({ name }) => name);
  const table = [
    ["agent", "version", "dialect", "model", ...names],
    ["---", "---", "---", "---", ...names.map(() => "---")],
    ...rows,
  ].map((row) => `| ${row.join(" | ")} |`).join("\n");
  console.log(table);
  return failures === 0 ? 0 : 1;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
