/**
 * The real program as a process of its own.
 *
 * @module
 */

import { PROGRAM_FLAGS } from "../../scripts/permissions.ts";
import { currentStdSource, stdFlags } from "../../scripts/std_source.ts";

const ROOT = decodeURIComponent(new URL("../../", import.meta.url).pathname)
  .replace(/^\/(?=[A-Za-z]:)/, "");

/** Variables that a process can't do without. */
const NEEDED = [
  "PATH",
  "HOME",
  "DENO_DIR",
  "XDG_CACHE_HOME",
  "TMPDIR",
  "SystemRoot",
  "LOCALAPPDATA",
];

/** The folder of Deno's cache, also for a program with another home folder. */
const CACHE = Deno.env.get("DENO_DIR") ??
  (Deno.build.os === "darwin"
    ? `${Deno.env.get("HOME")}/Library/Caches/deno`
    : `${Deno.env.get("XDG_CACHE_HOME") ?? `${Deno.env.get("HOME")}/.cache`}/deno`);

/** What a program is started with. */
export interface ProgramOptions {
  /** The environment, beside what every process needs. */
  readonly env?: Readonly<Record<string, string>>;
  /** The text of its `.env`; it never gets to see a developer's own. */
  readonly envFile?: string;
  /** Whether it is started by the launcher of the tasks. */
  readonly byTask?: boolean;
  /** A program and arguments in front of it, which run it in their place: `setsid`, `nohup`. */
  readonly behind?: readonly string[];
}

/** A program that runs. */
export interface Program extends AsyncDisposable {
  /** Where it listens, once it does. @throws {Error} When it ends before that. */
  readonly url: Promise<string>;
  /** What it wrote to standard error. */
  readonly text: () => string;
  /** Closes the pipe that it writes to, as a log's reader does that ends. */
  readonly stopReading: () => Promise<void>;
  /** Sends it a signal. */
  readonly signal: (name: Deno.Signal) => void;
  /** Sends a signal to its process group, which it leads behind `setsid`. */
  readonly signalGroup: (name: Deno.Signal) => void;
  /** Its exit code, once it has ended. */
  readonly ended: Promise<number>;
}

/**
 * Starts the program.
 *
 * @param args Its arguments.
 * @param options Its environment.
 * @returns The program; to be disposed of (`await using`).
 */
export async function startProgram(
  args: readonly string[],
  { env = {}, envFile = "", byTask = false, behind = [] }: ProgramOptions = {},
): Promise<Program> {
  const folder = await Deno.makeTempDir({ prefix: "fd-bridge-" });
  await Deno.writeTextFile(`${folder}/env`, envFile);
  const needed = NEEDED.flatMap((name) => {
    const value = Deno.env.get(name);
    return value === undefined ? [] : [[name, value]];
  });
  const source = currentStdSource();
  const command = byTask
    ? [
      "run",
      "--no-config",
      "--no-lock",
      "--no-prompt",
      "--allow-run",
      "--allow-read",
      "--allow-env",
      "--allow-write=.deno",
      "scripts/task.ts",
      "start",
    ]
    : ["run", ...stdFlags(source), ...PROGRAM_FLAGS, "main.ts"];
  const [file, ...words] = [
    ...behind,
    Deno.execPath(),
    ...command,
    "--env-file",
    `${folder}/env`,
    ...args,
  ];
  const child = new Deno.Command(file, {
    args: words,
    cwd: ROOT,
    clearEnv: true,
    env: {
      ...Object.fromEntries(needed),
      NO_COLOR: "1",
      DENO_NO_UPDATE_CHECK: "1",
      FD_BRIDGE_STD: source,
      ...(env.HOME === undefined ? {} : { DENO_DIR: CACHE }),
      ...env,
    },
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  let text = "";
  const url = Promise.withResolvers<string>();
  url.promise.catch(() => {});
  const reader = child.stderr.pipeThrough(new TextDecoderStream()).getReader();
  const reading = (async () => {
    for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
      text += piece.value;
      const match = /listening\s+(http:\S+)[^]*Ctrl-C/.exec(text);
      if (match) url.resolve(match[1]);
    }
    url.reject(new Error(`It ended before it listened: ${text}`));
  })();
  const ended = reading.then(async () => (await child.status).code);
  return {
    url: url.promise,
    text: () => text,
    stopReading: () => reader.cancel(),
    signal: (name) => child.kill(name),
    signalGroup: (name) => Deno.kill(-child.pid, name),
    ended,
    async [Symbol.asyncDispose]() {
      try {
        child.kill("SIGKILL");
      } catch {
        // It has ended.
      }
      await ended;
      await Deno.remove(folder, { recursive: true });
    },
  };
}
