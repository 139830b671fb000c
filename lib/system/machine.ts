/**
 * The real {@linkcode Machine}: what Deno offers, in the program's words. It decides nothing.
 *
 * @module
 */

import { createClient } from "../gateway/client.ts";
import type { Files, Input, Machine, Sockets, System } from "./system.ts";

/** A system without modes says nothing: then a file may be written. */
const NO_MODE = 0o666;

function ifThere<T>(promise: Promise<T>): Promise<T | undefined> {
  return promise.catch((error) => {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  });
}

const files: Files = {
  realPath: (path) => ifThere(Deno.realPath(path)),
  async mode(path) {
    const info = await ifThere(Deno.stat(path));
    return info && (info.mode ?? NO_MODE) & 0o777;
  },
  makeFolder: (path) => Deno.mkdir(path, { recursive: true }),
  async create(path, text, mode) {
    using file = await Deno.open(path, { write: true, createNew: true, mode });
    const bytes = new TextEncoder().encode(text);
    for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at));
    await file.sync();
    // What the umask took away from the mode.
    if (mode !== undefined && Deno.build.os !== "windows") await Deno.chmod(path, mode);
  },
  rename: (from, to) => Deno.rename(from, to),
  remove: (path) => Deno.remove(path),
};

const input: Input = {
  terminal: Deno.stdin.isTerminal(),
  readAll: () => new Response(Deno.stdin.readable).text(),
  async read() {
    const buffer = new Uint8Array(4096);
    const size = await Deno.stdin.read(buffer);
    return size === null ? undefined : buffer.subarray(0, size);
  },
  setRaw: (raw) => Deno.stdin.setRaw(raw),
};

/** Ends with an error when a promise takes too long, and closes what comes too late. */
async function inTime(opening: Promise<Deno.Conn>, time: number): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new Deno.errors.TimedOut(`no connection within ${time / 1000} s`)),
      time,
    );
  });
  const opened = opening.then((connection) => connection.close());
  // A failure that comes after the time is up has been told already.
  opened.catch(() => {});
  try {
    await Promise.race([opened, late]);
  } finally {
    clearTimeout(timer);
  }
}

const sockets: Sockets = {
  async lookup(hostname) {
    // Only the doctor asks, and it takes 8 ms and 5 MiB to load.
    const { lookup } = await import("node:dns/promises");
    return (await lookup(hostname, { all: true })).map(({ address }) => address);
  },
  connect: (hostname, port, time) => inTime(Deno.connect({ hostname, port }), time),
  connectTls: (hostname, port, time, certificates) =>
    inTime(
      Deno.connect({ hostname, port })
        // The handshake is what is asked for; on a connection it happens with the first byte only.
        .then((tcp) => Deno.startTls(tcp, { hostname, caCerts: [...certificates] }))
        .then(async (tls) => {
          await tls.handshake();
          return tls;
        }),
      time,
    ),
  listen: (hostname, port) => Deno.listen({ hostname, port }).close(),
};

/**
 * The machine that the program runs on.
 *
 * @example
 * ```ts
 * import { machine } from "./machine.ts";
 *
 * if (await machine.files.realPath("/nowhere/at/all") !== undefined) throw new Error("nothing there");
 * ```
 */
export const machine: Machine = {
  files,
  input,
  sockets,
  program: Deno.build.standalone ? Deno.execPath() : undefined,
  createClient,
  async seal(needs) {
    await Deno.permissions.revoke({ name: "write" });
    if (!needs?.run) await Deno.permissions.revoke({ name: "run" });
  },
};

const encoder = new TextEncoder();

async function readText(path: string): Promise<string | undefined> {
  return await ifThere(Deno.readTextFile(path));
}

/** Writes to standard error. A log that nobody reads any more ends no answer. */
function complain(text: string): void {
  try {
    Deno.stderr.writeSync(encoder.encode(text));
  } catch {
    // There is nobody left to tell.
  }
}

/** Writes to standard output. Where its reader has gone, as `head` does, nobody wants the rest: the program ends. */
function print(text: string): void {
  try {
    let bytes = encoder.encode(text);
    while (bytes.length > 0) bytes = bytes.subarray(Deno.stdout.writeSync(bytes));
  } catch (error) {
    if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
    Deno.exit(0);
  }
}

/** The width of the terminal; undefined where there is none. */
function columns(): number | undefined {
  try {
    return Deno.consoleSize().columns || undefined;
  } catch {
    return undefined;
  }
}

/** Signals that Windows doesn't have. */
const NOT_ON_WINDOWS = new Set(["SIGTERM", "SIGHUP"]);

/**
 * Whether `nohup` has started the program. It lets the signal be ignored, which Deno undoes; the shell
 * leaves the name of what it has started in `_`.
 */
function isUnderNohup(): boolean {
  return /(^|\/)nohup$/.test(Deno.env.get("_") ?? "");
}

/** How often the launcher is looked for, in milliseconds. */
const LAUNCHER_INTERVAL = 1_000;

/**
 * Calls a function when the launcher of `deno task` has ended: nobody else would end the program then.
 * A program that was started in any other way outlives what has started it.
 */
function onLauncherEnd(ended: () => void): void {
  const launcher = Deno.ppid;
  if (Deno.build.os === "windows" || Deno.env.get("FD_BRIDGE_LAUNCHER") !== String(launcher)) {
    return;
  }
  const timer = setInterval(() => {
    if (Deno.ppid === launcher) return;
    clearInterval(timer);
    ended();
  }, LAUNCHER_INTERVAL);
  Deno.unrefTimer(timer);
}

/**
 * The system that the program runs on.
 *
 * @param version The program's version.
 * @param embeddedModels The text of the embedded `models.json`.
 */
export function createSystem(version: string, embeddedModels: string): System {
  return {
    version,
    embeddedModels,
    os: Deno.build.os,
    variable: (name) => Deno.env.get(name),
    setVariable: (name, value) => Deno.env.set(name, value),
    readText,
    out: print,
    err: complain,
    sendErr: (bytes) => Deno.stderr.write(bytes),
    machine,
    terminal: { out: Deno.stdout.isTerminal(), err: Deno.stderr.isTerminal(), columns: columns() },
    onSignal(name, handler) {
      if (Deno.build.os === "windows" && NOT_ON_WINDOWS.has(name)) return;
      if (name === "SIGTERM") onLauncherEnd(handler);
      Deno.addSignalListener(name, name === "SIGHUP" && isUnderNohup() ? () => {} : handler);
    },
    exit: (code) => Deno.exit(code),
  };
}
