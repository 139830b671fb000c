/**
 * What is measured, and how each of it is started.
 *
 * @module
 */

import { bundleArguments } from "../scripts/compile.ts";
import { PROGRAM_FLAGS } from "../scripts/permissions.ts";
import { childEnvironment, currentStdSource, stdFlags } from "../scripts/std_source.ts";
import { Connection } from "./client.ts";
import { clock } from "./gateway.ts";
import { output } from "./usage.ts";

/** The names of the candidates. `direct` is no server: the client asks the gateway itself. */
export type CandidateName =
  | ("direct" | "passthrough" | "python" | "parts")
  | ("bridge" | "source" | "binary");

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
const BASELINES = `${ROOT}/bench/baselines`;

/** The bridge's own arguments: as a user runs it, but without the user's settings. */
const bridgeFlags = (port: number, gateway: string) => [
  ...["--port", `${port}`, "--gateway", gateway],
  ...["--env-file", `${BASELINES}/empty.env`, "--models", `${ROOT}/models.json`],
];

/** What can be measured, given a Python, a bundled bridge and a compiled one where they are there. */
export function candidates(
  { python, bundle, binary }: { python?: string; bundle?: string; binary?: string },
): Candidate[] {
  const deno = Deno.execPath();
  const list: (Candidate | undefined)[] = [
    { name: "direct", label: "no bridge" },
    {
      name: "passthrough",
      label: "raw Deno pass-through",
      command: (port, gateway) => [
        deno,
        ...["run", "--no-config", "--no-prompt", "--allow-net=127.0.0.1"],
        ...[`${BASELINES}/passthrough.ts`, `${port}`, gateway],
      ],
    },
    {
      name: "parts",
      label: "the parts alone",
      command: (port, gateway) => [
        deno,
        ...["run", ...stdFlags(currentStdSource()), ...PROGRAM_FLAGS],
        ...[`${BASELINES}/parts.ts`, `${port}`, gateway],
      ],
    },
    python === undefined ? undefined : {
      name: "python",
      label: "threaded Python",
      command: (port, gateway) => [python, `${BASELINES}/threaded.py`, `${port}`, gateway],
    },
    bundle === undefined ? undefined : {
      name: "bridge",
      label: "fd-bridge",
      command: (port, gateway) => [
        deno,
        // What `deno.json` says of the runtime, and `deno compile` puts into the program.
        ...["run", "--no-config", "--no-lock", "--unstable-no-legacy-abort"],
        ...[...PROGRAM_FLAGS, bundle, ...bridgeFlags(port, gateway)],
      ],
    },
    {
      name: bundle === undefined ? "bridge" : "source",
      label: bundle === undefined ? "fd-bridge" : "fd-bridge, from its source",
      command: (port, gateway) => [
        deno,
        ...["run", ...stdFlags(currentStdSource()), ...PROGRAM_FLAGS],
        ...[`${ROOT}/main.ts`, ...bridgeFlags(port, gateway)],
      ],
    },
    binary === undefined ? undefined : {
      name: "binary",
      label: "fd-bridge, compiled",
      command: (port, gateway) => [binary, ...bridgeFlags(port, gateway)],
    },
  ];
  return list.filter((candidate) => candidate !== undefined);
}

/** Bundles the bridge into a folder as a release does; returns the file, or undefined where Deno can't have its bundler. */
export async function bundleBridge(folder: string): Promise<string | undefined> {
  const { success } = await new Deno.Command(Deno.execPath(), {
    args: bundleArguments(currentStdSource(), folder),
    cwd: ROOT,
    ...{ stdin: "null", stdout: "null", stderr: "null" },
  }).output();
  return success ? `${folder}/main.js` : undefined;
}

/** Looks for `python3`: the program itself, not a version manager's script in front of it, and its version. */
export async function findPython(): Promise<{ program: string; version: string } | undefined> {
  const said = await output(
    "python3",
    "-c",
    "import sys; print(sys.executable); print(sys.version.split()[0])",
  );
  const [program, version] = said?.trim().split("\n") ?? [];
  return program && version ? { program, version } : undefined;
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

const PROBE = new TextEncoder().encode(
  "GET /models HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n",
);

/** A port that is free now. */
function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

/**
 * Starts a candidate and waits for its first answer to `GET /models`.
 *
 * @param candidate What to start.
 * @param options The gateway's port, and the words to put in front of the command, such as `taskset -c 1`.
 * @throws {Error} When it doesn't answer with 200 in time; with the last of what it said.
 */
export async function start(
  candidate: Candidate,
  { gateway, prefix = [] }: { gateway: number; prefix?: readonly string[] },
): Promise<Running> {
  const { command, label } = candidate;
  if (command === undefined) {
    return { candidate, port: gateway, pid: undefined, startUp: 0, stop: () => Promise.resolve() };
  }
  const port = freePort();
  const [program, ...args] = [...prefix, ...command(port, `http://127.0.0.1:${gateway}`)];
  const get = (name: string) => Deno.env.get(name);
  const kept = KEPT.flatMap((name) => get(name) === undefined ? [] : [[name, get(name)!]]);
  // What a program keeps in the user's folders, such as the totals of requests, must not get there.
  const home = await Deno.makeTempDir({ prefix: "fd-bridge-bench-" });
  const begun = clock();
  const child = new Deno.Command(program, {
    args,
    cwd: ROOT,
    clearEnv: true,
    env: { ...Object.fromEntries(kept), ...childEnvironment(get), XDG_CONFIG_HOME: home },
    ...{ stdin: "null", stdout: "null", stderr: "piped" },
  }).spawn();
  const said = collect(child.stderr);
  const stop = async () => {
    await end(child);
    await Deno.remove(home, { recursive: true });
  };
  let ended = false;
  child.status.then(() => ended = true);
  while (!ended && clock() - begun < START_LIMIT * 1000) {
    const { status } = await new Connection(port).send(PROBE, { deadline: 2000 });
    const startUp = (clock() - begun) / 1000;
    if (status === 200) return { candidate, port, pid: child.pid, startUp, stop };
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await stop();
  throw new Error(`${label} does not answer. It said:\n${said()}`);
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

async function end(child: Deno.ChildProcess): Promise<void> {
  const kill = (signal: Deno.Signal) => {
    try {
      child.kill(signal);
    } catch {
      // It has ended.
    }
  };
  kill("SIGTERM");
  const timer = setTimeout(() => kill("SIGKILL"), 1000);
  await child.status;
  clearTimeout(timer);
}
