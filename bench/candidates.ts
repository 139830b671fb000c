/**
 * What is measured, and how each of it is started.
 *
 * @module
 */

import { bundleArguments } from "../scripts/compile.ts";
import { PROGRAM_FLAGS } from "../scripts/permissions.ts";
import { childEnvironment, currentStdSource, stdFlags } from "../scripts/std_source.ts";
import { clock } from "./gateway.ts";
import { Connection } from "./client.ts";

/** The names of the candidates. `direct` is no server: the client asks the gateway itself. */
export type CandidateName = "direct" | "passthrough" | "python" | "bridge" | "source" | "binary";

/** Something that is measured. */
export interface Candidate {
  /** What results are kept under. */
  readonly name: CandidateName;
  /** What people read. */
  readonly label: string;
  /** The program and its arguments; undefined where there is none to start. */
  readonly command?: (port: number, gateway: string) => readonly [string, ...string[]];
}

/** The project's folder. */
export const ROOT: string = decodeURIComponent(new URL("..", import.meta.url).pathname).replace(
  /\/$/,
  "",
);

const baseline = (file: string) => `${ROOT}/bench/baselines/${file}`;

/** The bridge's own arguments: as a user runs it, but without the user's settings. */
const bridgeFlags = (port: number, gateway: string) => [
  ...["--port", `${port}`, "--gateway", gateway],
  ...["--env-file", baseline("empty.env"), "--models", `${ROOT}/models.json`],
];

/**
 * What can be measured on this machine.
 *
 * @param options The python program and the bundled bridge, where they are there, and the compiled bridge, where one is named.
 *
 * @example
 * ```ts
 * import { candidates } from "./candidates.ts";
 *
 * const names = candidates({}).map(({ name }) => name);
 * if (names.join() !== "direct,passthrough,bridge") throw new Error(names.join());
 * ```
 */
export function candidates(
  options: { python?: string; bundle?: string; binary?: string },
): Candidate[] {
  const { python, bundle, binary } = options;
  const deno = Deno.execPath();
  const list: Candidate[] = [{ name: "direct", label: "no bridge" }, {
    name: "passthrough",
    label: "raw Deno pass-through",
    command: (port, gateway) => [
      deno,
      ...["run", "--no-config", "--no-prompt", "--allow-net=127.0.0.1"],
      ...[baseline("passthrough.ts"), `${port}`, gateway],
    ],
  }];
  if (python) {
    list.push({
      name: "python",
      label: "threaded Python",
      command: (port, gateway) => [python, baseline("threaded.py"), `${port}`, gateway],
    });
  }
  const source: Candidate = {
    name: "bridge",
    label: "fd-bridge",
    command: (port, gateway) => [
      deno,
      ...["run", ...stdFlags(currentStdSource()), ...PROGRAM_FLAGS],
      ...[`${ROOT}/main.ts`, ...bridgeFlags(port, gateway)],
    ],
  };
  if (bundle) {
    list.push({
      ...source,
      command: (port, gateway) => [
        deno,
        // What `deno.json` says of the runtime, and `deno compile` puts into the program.
        ...["run", "--no-config", "--no-lock", "--unstable-no-legacy-abort"],
        ...[...PROGRAM_FLAGS, bundle, ...bridgeFlags(port, gateway)],
      ],
    }, { ...source, name: "source", label: "fd-bridge, from its source" });
  } else {
    list.push(source);
  }
  if (binary) {
    list.push({
      name: "binary",
      label: "fd-bridge, compiled",
      command: (port, gateway) => [binary, ...bridgeFlags(port, gateway)],
    });
  }
  return list;
}

/**
 * Bundles the bridge as a release does: what people have is one file, not a hundred.
 *
 * @param folder Where to put it.
 * @returns The file, or undefined where Deno can't have its bundler.
 */
export async function bundleBridge(folder: string): Promise<string | undefined> {
  const output = `${folder}/main.js`;
  const [program, ...args] = [Deno.execPath(), ...bundleArguments(currentStdSource(), folder)];
  const { success } = await new Deno.Command(program, {
    args,
    cwd: ROOT,
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).output();
  return success ? output : undefined;
}

/** A Python with its version. */
export interface Python {
  /** The program itself, not a script in front of it. */
  readonly program: string;
  /** Such as "3.12.1". */
  readonly version: string;
}

/**
 * Looks for `python3`.
 *
 * @returns The program, or undefined where there is none.
 *
 * @example
 * ```ts
 * import { findPython } from "./candidates.ts";
 *
 * const python = await findPython();
 * if (python && !python.version.startsWith("3.")) throw new Error(python.version);
 * ```
 */
export async function findPython(): Promise<Python | undefined> {
  try {
    const { success, stdout } = await new Deno.Command("python3", {
      // Version managers put a slow script in front: it is asked what it stands for.
      args: ["-c", "import sys; print(sys.executable); print(sys.version.split()[0])"],
      stdin: "null",
      stderr: "null",
    }).output();
    const [program, version] = new TextDecoder().decode(stdout).trim().split("\n");
    return success && program && version ? { program, version } : undefined;
  } catch {
    return undefined;
  }
}

/** A candidate at work. */
export interface Running {
  /** What it is. */
  readonly candidate: Candidate;
  /** Where it listens on 127.0.0.1. */
  readonly port: number;
  /** Its process; undefined for `direct`. */
  readonly pid: number | undefined;
  /** From its start to its first answer, in milliseconds. */
  readonly startUp: number;
  /** Ends it. */
  readonly stop: () => Promise<void>;
}

/** What of the environment programs need to start at all. Proxies and the bridge's own settings stay out. */
const KEPT = ["PATH", "HOME", "DENO_DIR", "TMPDIR", "LANG", "SystemRoot", "FD_BRIDGE_STD"];

/** How long a start may take, in milliseconds. */
const START_LIMIT = 20_000;

/** A port that is free now. */
function freePort(): number {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  return port;
}

const PROBE = new TextEncoder().encode(
  "GET /models HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n",
);

/**
 * Starts a candidate and waits for its first answer to `GET /models`.
 *
 * @param candidate What to start.
 * @param options The gateway's port, and the words to put in front of the command, such as `taskset -c 1`.
 * @throws {Error} When it doesn't answer with 200 in time; with the last of what it said.
 *
 * @example
 * ```ts
 * import { candidates, start } from "./candidates.ts";
 * import { startGateway } from "./gateway.ts";
 *
 * const gateway = startGateway();
 * const running = await start(candidates({})[0], { gateway: gateway.port });
 * if (running.port !== gateway.port) throw new Error("nothing stands in between");
 * await running.stop();
 * await gateway.close();
 * ```
 */
export async function start(
  candidate: Candidate,
  { gateway, prefix = [] }: { gateway: number; prefix?: readonly string[] },
): Promise<Running> {
  const { command } = candidate;
  if (command === undefined) {
    return {
      candidate,
      port: gateway,
      pid: undefined,
      startUp: 0,
      stop: () => Promise.resolve(),
    };
  }
  const port = freePort();
  const [program, ...args] = [...prefix, ...command(port, `http://127.0.0.1:${gateway}`)];
  const get = (name: string) => Deno.env.get(name);
  const kept = KEPT.flatMap((name) => get(name) === undefined ? [] : [[name, get(name)!]]);
  // What a program keeps in the user's folders is not the user's business here: the totals of requests.
  const home = await Deno.makeTempDir({ prefix: "fd-bridge-bench-" });
  const begun = clock();
  const child = new Deno.Command(program, {
    args,
    cwd: ROOT,
    clearEnv: true,
    env: { ...Object.fromEntries(kept), ...childEnvironment(get), XDG_CONFIG_HOME: home },
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  const said = collect(child.stderr);
  const running = {
    candidate,
    port,
    pid: child.pid,
    startUp: 0,
    async stop() {
      await stop(child);
      await Deno.remove(home, { recursive: true });
    },
  };
  let ended = false;
  child.status.then(() => ended = true);
  while (!ended && clock() - begun < START_LIMIT * 1000) {
    const { status } = await new Connection(port).send(PROBE, { deadline: 2000 });
    if (status === 200) return { ...running, startUp: (clock() - begun) / 1000 };
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await running.stop();
  throw new Error(`${candidate.label} does not answer. It said:\n${said()}`);
}

/** Reads what a program says, so that it never waits for a reader; keeps the last of it. */
function collect(stream: ReadableStream<Uint8Array<ArrayBuffer>>): () => string {
  let text = "";
  (async () => {
    for await (const piece of stream.pipeThrough(new TextDecoderStream())) {
      text = (text + piece).slice(-2000);
    }
  })();
  return () => text.trim();
}

async function stop(child: Deno.ChildProcess): Promise<void> {
  const kill = (signal: Deno.Signal) => {
    try {
      child.kill(signal);
    } catch {
      // It has ended.
    }
  };
  // The second signal is the one that ends a bridge at once.
  kill("SIGTERM");
  const timer = setTimeout(() => kill("SIGKILL"), 1000);
  await child.status;
  clearTimeout(timer);
}
