/**
 * What a person sees, command by command. The transcripts of `docs/transcripts.md` are made here;
 * `FD_BRIDGE_WRITE_DOCS=1` writes them anew.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { loadStart } from "../lib/commands/mod.ts";
import { logs } from "../lib/commands/logs.ts";
import { type Programs, service } from "../lib/commands/service.ts";
import { parseCommandLine } from "../lib/config/command_line.ts";
import { BridgeError } from "../lib/errors.ts";
import { createSimulator } from "../lib/simulator/mod.ts";
import type { System } from "../lib/system/system.ts";
import { testMachine, type TestMachineOptions } from "./helpers/machine.ts";
import { run } from "./helpers/run.ts";

const DOCUMENT = new URL("../docs/transcripts.md", import.meta.url);
const GATEWAY = "https://1234567890123456.7.ai-gateway.azuredatabricks.net";
const ENV = {
  HOME: "/home/ada",
  PATH: "/usr/local/bin",
  TERM: "dumb",
  NO_COLOR: "1",
};
const OWN_ENV = "/home/ada/.config/fd-bridge/.env";

/** A terminal on which commands are typed one after the other, over the same files. */
class Session {
  readonly #options: TestMachineOptions;
  #text = "";

  constructor(options: TestMachineOptions = {}) {
    this.#options = { ...options, files: { ...options.files } };
  }

  get files(): Record<string, string> {
    return this.#options.files!;
  }

  /** All of it, without what differs from run to run. */
  get text(): string {
    return this.#text.trimEnd()
      .replace(/127\.0\.0\.1:\d{5}\b/g, "127.0.0.1:8080")
      .replace(/\b0\.\d\d s\b/g, "0.42 s").replace(/[ \t]+$/gm, "");
  }

  /** Runs a command, with what is typed at its questions. */
  async type(
    command: string,
    typed: readonly string[],
    go: (
      args: string[],
      system: System,
      machine: ReturnType<typeof testMachine>,
    ) => Promise<unknown>,
  ): Promise<void> {
    this.#text += `$ ${command}\n`;
    const env = { ...ENV, ...this.#options.env };
    const machine = testMachine({ ...this.#options, env, typed: typed.map((line) => `${line}\n`) });
    const write = (text: string) => void (this.#text += text);
    const system = {
      ...machine.system,
      out: write,
      err(text: string) {
        machine.system.err(text);
        write(text);
      },
      terminal: { out: true, err: true, columns: 80 },
      machine: { ...machine.system.machine, program: "/usr/local/bin/fd-bridge" },
    };
    try {
      await go(command.split(" ").slice(1), system, machine);
    } catch (error) {
      if (!(error instanceof BridgeError)) throw error;
      write(`fd-bridge: ${error.message}\n`);
    }
    if (!this.#text.endsWith("\n\n")) this.#text += "\n";
  }
}

const simulated = createSimulator({ pace: 0 }).handler;

const RECORD = {
  id: "7ad1f3c2b5e84f06",
  time: "2026-11-26T00:03:12.000Z",
  client: "codex",
  method: "POST",
  path: "/responses",
  model: "databricks-gpt-6-sol",
  surface: "openai",
  status: 429,
  gateway_id: "32ff1f6b-0000-4000-8000-6dd5d2000000",
  first_byte_ms: 1_020,
  duration_ms: 2_140,
  dropped: ["client_metadata"],
  repaired: [],
  learned: [],
  retries: 2,
  retry_causes: ["429", "429"],
  error: {
    kind: "gateway",
    status: 429,
    message: "Request rejected: the limit of queries per hour is exceeded.",
    advice: "Wait, or ask for a higher limit on the AI Gateway page.",
  },
};

const TRANSCRIPTS: readonly (readonly [title: string, play: () => Promise<string>])[] = [
  ["The first start", async () => {
    const session = new Session({
      // What `serve` logs has the time in it.
      env: { FD_BRIDGE_LOG_LEVEL: "error" },
      fetch: (request) => simulated(request),
    });
    await session.type("fd-bridge", [GATEWAY, "y"], async (_args, system, machine) => {
      const done = run(["--port", "0"], system);
      await machine.said("Ctrl-C ends");
      machine.signals.get("SIGINT")!();
      await done;
    });
    assertEquals(session.files[OWN_ENV], `DATABRICKS_AI_GATEWAY_URL=${GATEWAY}\n`);
    return session.text;
  }],
  ["ForgeCode and Codex", async () => {
    const session = new Session({
      files: {
        [OWN_ENV]: `DATABRICKS_AI_GATEWAY_URL=${GATEWAY}\n`,
        "/usr/local/bin/forge": "",
        "/usr/local/bin/codex": "",
        "/home/ada/.codex/config.toml": '# mine\nmodel = "gpt-5"\napproval_policy = "never"\n',
      },
      embedded: '{"models":["databricks-claude-sonnet-5-5","databricks-gpt-6-sol"]}',
      env: { DATABRICKS_TOKEN: "dapi-0123" },
      fetch: (request) =>
        request.method === "GET" ? new Response("{}") : Response.json({ choices: [] }),
    });
    await session.type("fd-bridge setup forge", ["y", "y"], run);
    await session.type("fd-bridge setup codex", ["y", "y"], run);
    await session.type("fd-bridge setup codex --remove", ["y"], run);
    return session.text;
  }],
  ["A doctor who finds something, and its remedy", async () => {
    const session = new Session({
      files: {
        [OWN_ENV]: `DATABRICKS_AI_GATEWAY_URL=${GATEWAY}\n`,
        "./models.json": '{"models":["databricks-claude-sonnet-5-5","databricks-gpt-9"]}\n',
      },
      env: { DATABRICKS_TOKEN: "dapi-0123" },
      fetch: (request) => simulated(request),
    });
    await session.type("fd-bridge doctor --yes", [], run);
    await session.type("fd-bridge doctor --fix", ["a", "y"], run);
    await session.type("fd-bridge doctor --yes", [], run);
    return session.text;
  }],
  ["In the background", async () => {
    let started = false;
    const programs: Programs = {
      run(_program, args) {
        started ||= args.includes("restart");
        return Promise.resolve({ code: 0, stdout: "", stderr: "" });
      },
      runAtTerminal: () => Promise.resolve(0),
      wait: () => Promise.resolve(),
    };
    const session = new Session({
      files: {
        [OWN_ENV]: `DATABRICKS_AI_GATEWAY_URL=${GATEWAY}\n`,
        "/usr/local/bin/fd-bridge": "",
      },
      fetch() {
        if (!started) throw new TypeError("connect ECONNREFUSED");
        return new Response("{}");
      },
    });
    const go = async (args: string[], system: System) =>
      await service(await loadStart(parseCommandLine(args), system), programs);
    await session.type("fd-bridge service install --print", [], go);
    await session.type("fd-bridge service install", [], go);
    await session.type("fd-bridge service uninstall", [], go);
    return session.text;
  }],
  ["An error at midnight", async () => {
    const session = new Session({
      files: { [OWN_ENV]: `DATABRICKS_AI_GATEWAY_URL=${GATEWAY}\n` },
      fetch: () => Response.json({ version: "fd-bridge/1.0.0", requests: [RECORD] }),
    });
    await session.type(
      "fd-bridge logs --last-error",
      [],
      async (args, system) => await logs(await loadStart(parseCommandLine(args), system)),
    );
    return session.text;
  }],
];

Deno.test("docs/transcripts.md shows what a person sees, in 80 columns", async () => {
  const parts = [];
  for (const [title, play] of TRANSCRIPTS) {
    parts.push(`## ${title}\n\n\`\`\`console\n${await play()}\n\`\`\`\n`);
  }
  const text =
    `# What it looks like\n\nMade by \`tests/transcripts_test.ts\`, which fails when they are no longer true.\n\n${
      parts.join("\n")
    }`;
  if (Deno.env.get("FD_BRIDGE_WRITE_DOCS")) await Deno.writeTextFile(DOCUMENT, text);
  assertEquals(await Deno.readTextFile(DOCUMENT), text);
  // What is typed may be longer.
  const long = parts.join("").split("\n").filter((line) =>
    line.length > 80 && !line.includes(GATEWAY)
  );
  assert(long.length === 0, long.join("\n"));
});
