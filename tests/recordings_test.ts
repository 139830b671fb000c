/**
 * What a person sees on a terminal of 80×24: recorded in tmux with the real program, and compared with
 * `docs/recordings.md`. `FD_BRIDGE_WRITE_DOCS=1` records anew, which needs the compiled program
 * (`FD_BRIDGE_BIN`) for the service.
 *
 * @module
 */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { startSimulator } from "../lib/simulator/mod.ts";
import { BINARY } from "./helpers/binary.ts";
import { startProgram } from "./helpers/program.ts";
import { HAS_TMUX, openTerminal, type Terminal } from "./helpers/tmux.ts";

const DOCUMENT = new URL("../docs/recordings.md", import.meta.url);
const INTRODUCTION = `# On a terminal of 80×24

Recorded in tmux with the real program by \`tests/recordings_test.ts\`, which fails when they are no
longer true. The gateway is the simulated one of \`--demo\`; times and ports are made the same.
`;

/** A port that is free now. */
function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

/** A simulated gateway, and a terminal that may have a bridge in the background. */
async function open(
  options: { bridge?: boolean; settings?: boolean; service?: boolean } = {},
): Promise<
  AsyncDisposable & {
    terminal: Terminal;
    url: string;
    gateway: string;
    text: () => Promise<string>;
  }
> {
  const simulator = startSimulator({ pace: 0 });
  const port = freePort();
  const bridge = options.bridge
    ? await startProgram(["--gateway", simulator.url, "--port", String(port)])
    : undefined;
  await bridge?.url;
  const terminal = await openTerminal({
    ...options.service ? {} : { FD_BRIDGE_PORT: String(port) },
    ...options.settings === false || options.service ? {} : { DATABRICKS_TOKEN: "dapi-0123" },
  });
  if (options.settings !== false) {
    await terminal.write(
      ".config/fd-bridge/.env",
      `DATABRICKS_AI_GATEWAY_URL=${simulator.url}\n${
        options.service ? `FD_BRIDGE_PORT=${port}\n` : ""
      }`,
    );
  }
  return {
    terminal,
    url: `http://127.0.0.1:${port}`,
    gateway: simulator.url,
    // As wide as what they replace, so that nothing is broken elsewhere.
    text: async () =>
      (await terminal.text())
        .replaceAll(simulator.url, "http://127.0.0.1:20443")
        .replaceAll(new URL(simulator.url).port, "20443").replaceAll(String(port), "18080")
        .replace(/^(\^C)?\d\d:\d\d:\d\d/gm, (_, key = "") => `${key}00:03:12`).replace(
          /today=\S+/g,
          "today=2026-11-27",
        )
        .replace(/\b\d\.\d\d s\b/g, "0.42 s")
        .replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/g, "2026-11-27T00:03:12.000Z")
        .replace(/^(id +)[0-9a-f]{16}$/gm, "$17ad1f3c2b5e84f06")
        .replace(/^(gateway's id +)\S+$/gm, "$132ff1f6b-0000-4000-8000-6dd5d2000000")
        .replace(/^(first byte|duration)( +)\d+ ms$/gm, "$1$212 ms").replace(/[ \t]+$/gm, ""),
    async [Symbol.asyncDispose]() {
      await terminal[Symbol.asyncDispose]();
      await bridge?.[Symbol.asyncDispose]();
      await simulator.close();
    },
  };
}

const YES = /\[Y\/n\]$/;

/** In the place of systemd's: never touches the machine. */
const SYSTEMCTL = `#!/bin/sh
echo "$@" >>"$HOME/asked"
case "$*" in
  *restart*)
    line=$(sed -n 's/^ExecStart=//p' "$HOME/.config/systemd/user/fd-bridge.service")
    nohup sh -c "exec $line" >"$HOME/log" 2>&1 </dev/null &
    echo $! >"$HOME/pid" ;;
  *disable*) kill "$(cat "$HOME/pid")" ;;
esac
`;

/** A recording. */
interface Recording {
  readonly title: string;
  /** A sentence where something is not as on a person's machine. */
  readonly note?: string;
  readonly compiled?: true;
  readonly play: () => Promise<string>;
}

const RECORDINGS: readonly Recording[] = [
  {
    title: "First start",
    async play() {
      await using desk = await open({ settings: false });
      const { terminal } = desk;
      await terminal.type("fd-bridge", /leave\):$/);
      await terminal.type(desk.gateway, YES);
      await terminal.type("y", /Ctrl-C ends|today=/);
      await terminal.press("C-c");
      assertStringIncludes(
        await Deno.readTextFile(`${terminal.home}/.config/fd-bridge/.env`),
        desk.gateway,
      );
      return await desk.text();
    },
  },
  {
    title: "ForgeCode and Codex",
    note: "A bridge runs in another terminal.",
    async play() {
      await using desk = await open({ bridge: true });
      const { terminal } = desk;
      for (const program of ["forge", "codex"]) {
        await terminal.write(`.local/bin/${program}`, "#!/bin/sh\n", "program");
      }
      await terminal.write(
        "models.json",
        '{"models":["databricks-claude-sonnet-5-5","databricks-gpt-6-sol"]}\n',
      );
      await terminal.run("fd-bridge setup forge", [YES, "y"], [YES, "y"]);
      await terminal.run("fd-bridge setup codex", [YES, "y"], [YES, "y"]);
      assertStringIncludes(
        await Deno.readTextFile(`${terminal.home}/.codex/config.toml`),
        desk.url,
      );
      return await desk.text();
    },
  },
  {
    title: "A doctor that finds something, and its fix",
    async play() {
      await using desk = await open();
      const { terminal } = desk;
      await terminal.write(
        "models.json",
        '{"models":["databricks-claude-sonnet-5-5","databricks-gpt-9"]}\n',
      );
      await terminal.run("fd-bridge doctor --yes");
      await terminal.run("fd-bridge doctor --fix", [/\[a\/F\/n\]$/, "a"], [YES, "y"]);
      await terminal.run("fd-bridge doctor --yes");
      return await desk.text();
    },
  },
  {
    title: "A service",
    note: "`systemctl` is a stand-in here: it starts what `ExecStart` says, and ends it.",
    compiled: true,
    async play() {
      await using desk = await open({ service: true });
      const { terminal } = desk;
      await terminal.write(".local/bin/systemctl", SYSTEMCTL, "program");
      await terminal.run("fd-bridge service install");
      await terminal.run("cat .config/systemd/user/fd-bridge.service");
      await terminal.run("fd-bridge service uninstall");
      const text = await desk.text();
      const asked = await Deno.readTextFile(`${terminal.home}/asked`).catch(() => "");
      assertStringIncludes(asked, "--user enable", text);
      await Deno.remove(`${terminal.home}/pid`);
      return text;
    },
  },
  {
    title: "An error at midnight",
    note: "A bridge runs in another terminal; Codex has asked it something in vain.",
    async play() {
      await using desk = await open({ bridge: true });
      const response = await fetch(`${desk.url}/v1/responses`, {
        method: "POST",
        headers: {
          authorization: "Bearer dapi-0123",
          "content-type": "application/json",
          "user-agent": "codex_exec/0.169.0",
        },
        body: JSON.stringify({
          model: "databricks-gpt-6-sol",
          stream: true,
          input: "Hello [[sim: 403]]",
        }),
      });
      await response.text();
      await desk.terminal.run("fd-bridge logs --last-error");
      return await desk.text();
    },
  },
];

/** The recordings of the document, by title. */
async function kept(): Promise<Map<string, string>> {
  const text = await Deno.readTextFile(DOCUMENT).catch(() => "");
  const parts = text.matchAll(/^## (.+)\n[^]*?```console\n([^]*?)\n```$/gm);
  return new Map([...parts].map(([, title, screen]) => [title, screen]));
}

const writing = Deno.env.get("FD_BRIDGE_WRITE_DOCS") !== undefined;

for (const { title, compiled, play } of RECORDINGS) {
  const missing = !HAS_TMUX
    ? "no tmux here"
    : compiled && !BINARY
    ? "FD_BRIDGE_BIN is not set"
    : "";
  Deno.test({
    name: `docs/recordings.md shows a terminal of 80×24: ${title}${
      missing && ` (ignored: ${missing})`
    }`,
    ignore: missing !== "",
    async fn() {
      const screen = await play();
      if (writing) {
        const all = (await kept()).set(title, screen);
        const parts = RECORDINGS.flatMap(({ title, note }) =>
          all.has(title)
            ? [
              `\n## ${title}\n\n${note ? `${note}\n\n` : ""}\`\`\`console\n${
                all.get(title)
              }\n\`\`\`\n`,
            ]
            : []
        );
        await Deno.writeTextFile(DOCUMENT, INTRODUCTION + parts.join(""));
      }
      assertEquals((await kept()).get(title), screen);
    },
  });
}

Deno.test("docs/recordings.md has every recording, in lines of at most 80 columns", async () => {
  const all = await kept();
  assertEquals([...all.keys()], RECORDINGS.map(({ title }) => title));
  const long = [...all.values()].join("\n").split("\n").filter((line) => line.length > 80);
  assertEquals(long, []);
});
