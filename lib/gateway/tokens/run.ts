/**
 * Child processes: the one place of the program that starts any. No shell, arguments as a list, nothing
 * on standard input, bounded output, a time limit.
 *
 * @module
 */

import { BridgeError, maskSecrets } from "../../errors.ts";
import { printable } from "../../system/terminal.ts";

/** How a program ended. */
export interface RunResult {
  /** Its exit code. */
  readonly code: number;
  /** What it printed. */
  readonly stdout: string;
  /** What it complained of. */
  readonly stderr: string;
}

/** How a program is run. */
export interface RunOptions {
  /** Its whole environment. @default the bridge's own */
  readonly env?: Readonly<Record<string, string>>;
  /** Ends it. */
  readonly signal: AbortSignal;
  /** How long it may take, in milliseconds. @default {15000} */
  readonly limit?: number;
}

/**
 * Runs a program to its end.
 *
 * @throws {BridgeError} kind `timeout` past the limit; `unreachable` where it prints too much.
 * @throws {MissingProgram} Where it can't be started.
 */
export type Run = (
  program: string,
  args: readonly string[],
  options: RunOptions,
) => Promise<RunResult>;

/** A program that can't be started: it isn't there, or is no program. */
export class MissingProgram extends Error {
  /** Always `MissingProgram`. */
  override name = "MissingProgram";
}

/** How long a program may take: what other bridges allow the Databricks CLI (`tokens.md`). */
const LIMIT = 15_000;

/** The most of an output that is read, in bytes. */
const MAX_OUTPUT = 64 * 1024;

/** How long pipes are read after the program has ended: a child of its own may hold them open. */
const AFTERWARDS = 500;

/**
 * Runs a program of the machine's. It gets a process group of its own: Ctrl-C at the bridge must not end
 * the CLI while it writes its token cache, and past the limit its children end with it.
 *
 * @param program Its name on the PATH, or its path.
 * @param args Its arguments.
 * @param options Environment, signal, limit.
 */
export const run: Run = async (
  program: string,
  args: readonly string[],
  { env, signal, limit = LIMIT }: RunOptions,
): Promise<RunResult> => {
  signal.throwIfAborted();
  const child = start(program, args, env);
  const late = new BridgeError(
    "timeout",
    `${nameOf(program)} did not finish within ${limit / 1000} s and was ended.`,
    { code: "token_timeout" },
  );
  let ended: unknown;
  const end = (why: unknown) => {
    if (ended !== undefined) return;
    ended = why;
    kill(child);
    pipes.cancel();
  };
  const pipes = new Pipes(child, () =>
    end(
      new BridgeError(
        "unreachable",
        `${nameOf(program)} printed more than ${MAX_OUTPUT / 1024} KiB and was ended.`,
      ),
    ));
  const leave = () => end(signal.reason);
  signal.addEventListener("abort", leave, { once: true });
  const timer = setTimeout(() => end(late), limit);
  try {
    const { code } = await child.status;
    await pipes.finish(AFTERWARDS);
    if (ended !== undefined) throw ended;
    return { code, stdout: pipes.stdout, stderr: pipes.stderr };
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", leave);
  }
};

function start(
  program: string,
  args: readonly string[],
  env: RunOptions["env"],
): Deno.ChildProcess {
  try {
    return new Deno.Command(program, {
      args: [...args],
      ...(env ? { env: { ...env }, clearEnv: true } : {}),
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
      // Windows would open a console window for it.
      detached: Deno.build.os !== "windows",
    }).spawn();
  } catch (cause) {
    throw new MissingProgram(cause instanceof Error ? cause.message : String(cause), { cause });
  }
}

function kill(child: Deno.ChildProcess): void {
  try {
    if (Deno.build.os === "windows") child.kill("SIGKILL");
    else Deno.kill(-child.pid, "SIGKILL");
  } catch {
    // It has ended by itself.
  }
}

/** Both outputs of a program, up to a bound. */
class Pipes {
  readonly #out: ReadableStreamDefaultReader<Uint8Array>;
  readonly #err: ReadableStreamDefaultReader<Uint8Array>;
  readonly #reading: Promise<unknown>;
  stdout = "";
  stderr = "";

  constructor(child: Deno.ChildProcess, overflow: () => void) {
    this.#out = child.stdout.getReader();
    this.#err = child.stderr.getReader();
    this.#reading = Promise.allSettled([
      drain(this.#out, (text) => this.stdout += text, overflow),
      // What is beyond the bound is nothing that anybody reads.
      drain(this.#err, (text) => this.stderr += text, () => {}),
    ]);
  }

  /** Waits for the rest, but not long. */
  async finish(time: number): Promise<void> {
    const timer = setTimeout(() => this.cancel(), time);
    await this.#reading;
    clearTimeout(timer);
  }

  cancel(): void {
    for (const reader of [this.#out, this.#err]) reader.cancel().catch(() => {});
  }
}

async function drain(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  take: (text: string) => void,
  overflow: () => void,
): Promise<void> {
  const decoder = new TextDecoder();
  let size = 0;
  for (let read = await reader.read(); !read.done; read = await reader.read()) {
    const before = size;
    size += read.value.length;
    if (size <= MAX_OUTPUT) take(decoder.decode(read.value, { stream: true }));
    else if (before <= MAX_OUTPUT) overflow();
  }
}

/**
 * Runs a program at the user's terminal: it asks and tells as if it had been typed.
 *
 * @returns Its exit code.
 * @throws {MissingProgram} Where it can't be started.
 */
export async function runAtTerminal(program: string, args: readonly string[]): Promise<number> {
  try {
    const child = new Deno.Command(program, {
      args: [...args],
      stdin: "inherit",
      stdout: "inherit",
      stderr: "inherit",
    }).spawn();
    return (await child.status).code;
  } catch (cause) {
    throw new MissingProgram(cause instanceof Error ? cause.message : String(cause), { cause });
  }
}

/** A program as messages name it: without its folder. */
export function nameOf(program: string): string {
  return program.replace(/^.*[/\\]/s, "") || program;
}

/**
 * What a program said about its failure, for a message: the first line that is not empty, masked and
 * shortened, without the word "Error" in front; empty where it said nothing.
 */
export function complaint(stderr: string): string {
  const line = stderr.slice(0, MAX_OUTPUT).split("\n").map((line) => line.trim())
    .find((line) => line !== "") ?? "";
  return printable(maskSecrets(line), 300).replace(/^(error|warning):\s*/i, "").replace(/\.+$/, "");
}

/** What every program may need: where things are, the user's session, proxies and certificates. */
const COMMON_VARIABLES = [
  "PATH",
  "HOME",
  "USER",
  "LOGNAME",
  "LANG",
  "LC_ALL",
  "TMPDIR",
  "XDG_CONFIG_HOME",
  "XDG_CACHE_HOME",
  "XDG_DATA_HOME",
  // The CLI keeps its tokens in the session's keychain.
  "XDG_RUNTIME_DIR",
  "DBUS_SESSION_BUS_ADDRESS",
  // Windows.
  "USERPROFILE",
  "USERNAME",
  "APPDATA",
  "LOCALAPPDATA",
  "PROGRAMFILES",
  "PROGRAMDATA",
  "SYSTEMROOT",
  "SYSTEMDRIVE",
  "COMSPEC",
  "PATHEXT",
  "TEMP",
  "TMP",
  "HTTP_PROXY",
  "http_proxy",
  "HTTPS_PROXY",
  "https_proxy",
  "ALL_PROXY",
  "all_proxy",
  "NO_PROXY",
  "no_proxy",
  "SSL_CERT_FILE",
  "SSL_CERT_DIR",
];

/**
 * Program → the variables that it gets. Other variables, above all keys and tokens, stay here. A command
 * of the user's own has no row: it gets the bridge's whole environment, because only the user knows what
 * it needs.
 */
export const CHILD_VARIABLES: Readonly<Record<"databricks" | "az", readonly string[]>> = {
  databricks: [...COMMON_VARIABLES, "DATABRICKS_CONFIG_FILE", "DATABRICKS_AUTH_STORAGE"],
  az: [
    ...COMMON_VARIABLES,
    "AZURE_CONFIG_DIR",
    "AZURE_EXTENSION_DIR",
    "AZURE_CLOUD_NAME",
    "REQUESTS_CA_BUNDLE",
  ],
};

/**
 * The environment of a child.
 *
 * @param program Whose.
 * @param variable Reads a variable.
 */
export function childEnvironment(
  program: "databricks" | "az",
  variable: (name: string) => string | undefined,
): Record<string, string> {
  const env: Record<string, string> = {};
  for (const name of CHILD_VARIABLES[program]) {
    const value = variable(name);
    if (value !== undefined) env[name] = value;
  }
  return env;
}
