/**
 * A terminal of 80×24 in tmux, with the real program in a home folder of its own.
 *
 * @module
 */

import { PROGRAM_FLAGS } from "../../scripts/permissions.ts";
import { currentStdSource, stdFlags } from "../../scripts/std_source.ts";
import { BINARY } from "./binary.ts";

const ROOT = decodeURIComponent(new URL("../../", import.meta.url).pathname).replace(/\/$/, "");

/** How long a screen may take to show what is expected, in milliseconds. */
const DEADLINE = 30_000;

/** Whether tmux is there. */
export const HAS_TMUX: boolean = Deno.build.os === "linux" && (() => {
  try {
    return new Deno.Command("tmux", { args: ["-V"], stdout: "null" }).outputSync().success;
  } catch {
    return false;
  }
})();

/** A terminal. */
export interface Terminal extends AsyncDisposable {
  /** Its home folder, which is also where it begins. */
  readonly home: string;
  /** Writes a file of the home folder, with the folders that it needs; a program, where asked for. */
  readonly write: (name: string, text: string, program?: "program") => Promise<void>;
  /** Types a line, and waits until the screen's last line matches. */
  readonly type: (line: string, until: RegExp) => Promise<void>;
  /** Types a command, and answers its questions: each is waited for before its answer is typed. */
  readonly run: (
    command: string,
    ...answers: [question: RegExp, answer: string][]
  ) => Promise<void>;
  /** Presses a key by tmux's name (`C-c`), and waits for the prompt. */
  readonly press: (key: string) => Promise<void>;
  /** All that was on the screen since the start, with what differs between runs taken out. */
  readonly text: () => Promise<string>;
}

/** A home folder whose path is as long as `/home/ada`, so that lines break where they would there. */
async function makeHome(): Promise<string> {
  for (;;) {
    const home = `/tmp/${Math.random().toString(36).slice(2, 6).padEnd(4, "0")}`;
    try {
      await Deno.mkdir(home, { mode: 0o700 });
      return home;
    } catch (error) {
      if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
    }
  }
}

/** The shell's prompt, alone on the last line. */
const PROMPT = /^\$$/;

/**
 * Opens a terminal.
 *
 * @param env Variables of its shell, beside `HOME`, `PATH` and the time zone.
 * @returns The terminal, at its prompt; to be disposed of.
 */
export async function openTerminal(env: Record<string, string> = {}): Promise<Terminal> {
  const home = await makeHome();
  const bin = `${home}/.local/bin`;
  await Deno.mkdir(bin, { recursive: true });
  const words = ["run", ...stdFlags(currentStdSource()), ...PROGRAM_FLAGS, `${ROOT}/main.ts`]
    .map((word) => word.replace("scripts/standins", `${ROOT}/scripts/standins`));
  if (BINARY) await Deno.copyFile(BINARY, `${bin}/fd-bridge`);
  else {
    const quoted = [Deno.execPath(), ...words].map((word) => `'${word}'`).join(" ");
    await Deno.writeTextFile(`${bin}/fd-bridge`, `#!/bin/sh\nexec ${quoted} "$@"\n`, {
      mode: 0o755,
    });
  }
  const cache = Deno.env.get("DENO_DIR") ??
    `${Deno.env.get("XDG_CACHE_HOME") ?? `${Deno.env.get("HOME")}/.cache`}/deno`;
  const variables = {
    HOME: home,
    PATH: `${bin}:/usr/bin:/bin`,
    TZ: "UTC",
    LANG: "C.UTF-8",
    NO_COLOR: "1",
    PS1: "$ ",
    DENO_DIR: cache,
    DENO_NO_UPDATE_CHECK: "1",
    FD_BRIDGE_STD: currentStdSource(),
    TMUX_TMPDIR: home,
    ...env,
  };
  const tmux = async (...args: string[]) => {
    const { success, stdout, stderr } = await new Deno.Command("tmux", {
      args: ["-f", "/dev/null", ...args],
      clearEnv: true,
      env: variables,
      stdin: "null",
    }).output();
    if (!success) throw new Error(`tmux ${args[0]}: ${new TextDecoder().decode(stderr)}`);
    return new TextDecoder().decode(stdout);
  };
  const capture = async () => (await tmux("capture-pane", "-p", "-S", "-")).trimEnd();
  async function until(last: RegExp): Promise<void> {
    const late = performance.now() + DEADLINE;
    for (let screen = await capture();; screen = await capture()) {
      if (last.test(screen.split("\n").at(-1)!)) return;
      if (performance.now() > late) throw new Error(`no ${last} on the screen:\n${screen}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
  await tmux("new-session", "-d", "-x", "80", "-y", "24", "-c", home, "/bin/sh");
  await tmux("set-option", "-g", "history-limit", "5000");
  await until(/^[#$]$/);
  // Whoever runs it, root too, has the same prompt.
  await tmux("send-keys", "PS1='$ '; clear", "Enter");
  await until(PROMPT);
  await tmux("clear-history");
  const terminal: Terminal = {
    home,
    async write(name, text, program) {
      const path = `${home}/${name}`;
      await Deno.mkdir(path.slice(0, path.lastIndexOf("/")), { recursive: true });
      await Deno.writeTextFile(path, text, program && { mode: 0o755 });
    },
    async type(line, last) {
      await tmux("send-keys", "-l", line);
      // The shell's answer is looked for once what was typed is there: the last prompt is no answer.
      const tail = line.slice(-8).replace(/[^\w]/g, "\\$&");
      await until(new RegExp(`${tail}$`));
      await tmux("send-keys", "Enter");
      await until(last);
    },
    async run(command, ...answers) {
      const steps = [...answers.map(([question]) => question), PROMPT];
      const typed = [command, ...answers.map(([, answer]) => answer)];
      for (const [at, line] of typed.entries()) await terminal.type(line, steps[at]);
    },
    async press(key) {
      await tmux("send-keys", key);
      await until(PROMPT);
    },
    text: async () => (await capture()).replace(/\n\$$/, "").replaceAll(home, "/home/ada"),
    async [Symbol.asyncDispose]() {
      await tmux("kill-server").catch(() => {});
      await Deno.remove(home, { recursive: true });
    },
  };
  return terminal;
}
