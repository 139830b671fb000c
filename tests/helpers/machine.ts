/**
 * A machine in memory: files, a keyboard, a network. Commands run on it as on the real one, without
 * touching anything.
 *
 * @module
 */

import { run } from "./run.ts";
import { BridgeError } from "../../lib/errors.ts";
import { fetchClient } from "../../lib/gateway/fetch_client.ts";
import type { Machine, Sockets, System } from "../../lib/system/system.ts";

/** Options of a test's machine. */
export interface TestMachineOptions {
  /** Path → text. It is changed by what the program writes. */
  readonly files?: Record<string, string>;
  /** Whether a file can't be made or written. */
  readonly unwritable?: (path: string) => boolean;
  /** The environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** What is typed, where a person is at the terminal: one text a read. */
  readonly typed?: readonly string[];
  /** What is piped in, where there is no terminal. */
  readonly piped?: string;
  /** Answers every request. */
  readonly fetch?: (request: Request) => Response | Promise<Response>;
  /** Sockets that behave otherwise. */
  readonly sockets?: Partial<Sockets>;
  /** The embedded list. */
  readonly embedded?: string;
  /** Whether standard output is a terminal, too. */
  readonly color?: boolean;
  /** The operating system. */
  readonly os?: string;
}

/** A machine, and what happened on it. */
export interface TestMachine {
  /** The machine. */
  readonly system: System & { readonly machine: Machine };
  /** Its files as they are now. */
  readonly files: Record<string, string>;
  /** Everything written to standard output. */
  readonly out: () => string;
  /** Everything written to standard error. */
  readonly err: () => string;
  /** How the keyboard was set, in order. */
  readonly raw: readonly boolean[];
  /** Handlers by signal. */
  readonly signals: Map<string, () => void>;
  /** Resolves when standard error holds a text. */
  readonly said: (text: string) => Promise<void>;
}

/**
 * Makes a machine.
 *
 * @param options What it is told.
 *
 * @example
 * ```ts
 * import { testMachine } from "./machine.ts";
 *
 * const { system } = testMachine({ files: { "a.txt": "hi" } });
 * if (await system.readText("a.txt") !== "hi") throw new Error("a file");
 * ```
 */
export function testMachine(options: TestMachineOptions = {}): TestMachine {
  const { env = {}, files = {}, typed } = options;
  const typing = [...typed ?? []];
  const raw: boolean[] = [];
  const signals = new Map<string, () => void>();
  let out = "";
  let err = "";
  let listeners: (() => void)[] = [];
  const answer = options.fetch;
  const machine: Machine = {
    files: {
      realPath: (path) => Promise.resolve(path in files ? path : undefined),
      mode: (path) => Promise.resolve(path in files ? 0o644 : undefined),
      makeFolder: () => Promise.resolve(),
      create(path, text) {
        if (options.unwritable?.(path)) {
          return Promise.reject(new Deno.errors.PermissionDenied("os error 13"));
        }
        return Promise.resolve(void (files[path] = text));
      },
      rename(from, to) {
        files[to] = files[from];
        delete files[from];
        return Promise.resolve();
      },
      remove: (path) => Promise.resolve(void delete files[path]),
    },
    input: {
      terminal: typed !== undefined,
      readAll: () => Promise.resolve(options.piped ?? ""),
      read: () => {
        const text = typing.shift();
        return Promise.resolve(text === undefined ? undefined : new TextEncoder().encode(text));
      },
      setRaw: (on) => raw.push(on),
    },
    sockets: {
      lookup: () => Promise.resolve(["192.0.2.1"]),
      connect: () => Promise.resolve(),
      connectTls: () => Promise.resolve(),
      listen: () => {},
      ...options.sockets,
    },
    createClient: () =>
      fetchClient(async (url, init) => {
        if (answer === undefined) throw new TypeError("connect ECONNREFUSED");
        return await answer(new Request(url, init));
      }),
    seal: () => Promise.resolve(),
  };
  const system: System & { readonly machine: Machine } = {
    version: "1.0.0",
    embeddedModels: options.embedded ?? '{"models":["databricks-gpt-5"]}',
    os: options.os ?? "linux",
    variable: (name) => env[name],
    readText: (path) => Promise.resolve(files[path]),
    out: (text) => void (out += text),
    err(text) {
      err += text;
      for (const listener of listeners) listener();
    },
    machine,
    terminal: { out: options.color ?? false, err: typed !== undefined },
    onSignal: (name, handler) => void signals.set(name, handler),
    exit(code) {
      throw new Error(`exit ${code}`);
    },
  };
  return {
    system,
    files,
    out: () => out,
    err: () => err,
    raw,
    signals,
    said: (text) =>
      new Promise((resolve) => {
        const listener = () => {
          if (!err.includes(text)) return;
          listeners = listeners.filter((other) => other !== listener);
          resolve();
        };
        listeners.push(listener);
        listener();
      }),
  };
}

/** How a command ended. */
export interface Ran extends TestMachine {
  /** Its exit code: 2 where it ended with a {@linkcode BridgeError}. */
  readonly code: number;
  /** That error's message. */
  readonly error: string;
}

/**
 * Runs a command line on a machine in memory.
 *
 * @param args The command line.
 * @param options The machine.
 *
 * @example
 * ```ts
 * import { runOn } from "./machine.ts";
 *
 * const { code, out } = await runOn(["models"]);
 * if (code !== 0 || !out().includes("databricks-gpt-5")) throw new Error(out());
 * ```
 */
export async function runOn(args: readonly string[], options?: TestMachineOptions): Promise<Ran> {
  const machine = testMachine(options);
  try {
    return { ...machine, code: await run(args, machine.system), error: "" };
  } catch (error) {
    if (!(error instanceof BridgeError)) throw error;
    return { ...machine, code: 2, error: error.message };
  }
}
