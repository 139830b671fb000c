/**
 * The compiled program under test: the file that `FD_BRIDGE_BIN` names, started as a person starts it, in
 * an empty folder and with an environment of its own.
 *
 * @module
 */

/** The program's path, absolute; undefined where `FD_BRIDGE_BIN` is not set. */
export const BINARY: string | undefined = absolute(Deno.env.get("FD_BRIDGE_BIN"));

function absolute(path: string | undefined): string | undefined {
  // Tests start it in other folders.
  return path && Deno.realPathSync(path);
}

/** What a finished run left. */
export interface FinishedRun {
  /** The exit code. */
  readonly code: number;
  /** Its standard output. */
  readonly out: string;
  /** Its standard error. */
  readonly err: string;
}

/** A folder to start the program in, with a home of its own. */
export interface Desk extends AsyncDisposable {
  /** The folder. */
  readonly path: string;
  /** Its user's configuration folder for the bridge. */
  readonly config: string;
  /** Writes a file, with the folders that it needs. */
  readonly write: (name: string, text: string) => Promise<void>;
  /** Runs the program to its end. */
  readonly run: (args: string[], env?: Record<string, string>) => Promise<FinishedRun>;
  /** Starts the program and waits until it listens. */
  readonly start: (args: string[], env?: Record<string, string>) => Promise<Started>;
}

/** A program that listens. */
export interface Started extends AsyncDisposable {
  /** Where. */
  readonly url: string;
  /** Everything that it has written to its standard error. */
  readonly err: () => string;
  /** Sends a signal and waits for the end. */
  readonly stop: (signal: Deno.Signal) => Promise<FinishedRun>;
}

/** Variables without which programs don't start on Windows. */
const WINDOWS = ["SystemRoot", "TEMP", "TMP"];

/**
 * Makes a folder to start the program in. It is removed at the end of the test.
 *
 * @param program The program, and arguments before all others.
 *
 * @example
 * ```ts
 * import { desk } from "./binary.ts";
 *
 * await using folder = await desk([Deno.execPath(), "eval", "console.log(Deno.args.length)"]);
 * const { out } = await folder.run(["one", "two"]);
 * if (out.trim() !== "2") throw new Error(out);
 * ```
 */
export async function desk(program: readonly string[] = [BINARY!]): Promise<Desk> {
  const path = await Deno.realPath(await Deno.makeTempDir({ prefix: "fd-bridge-desk-" }));
  const home = `${path}/home`;
  await Deno.mkdir(home);
  const command = (args: string[], env: Record<string, string> = {}) => {
    const kept = WINDOWS.map((name) => [name, Deno.env.get(name) ?? ""]);
    return new Deno.Command(program[0], {
      args: [...program.slice(1), ...args],
      cwd: path,
      clearEnv: true,
      env: {
        ...Deno.build.os === "windows" ? Object.fromEntries(kept) : {},
        HOME: home,
        APPDATA: home,
        XDG_CONFIG_HOME: home,
        NO_COLOR: "1",
        ...env,
      },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    });
  };
  return {
    path,
    config: `${home}/fd-bridge`,
    async write(name, text) {
      const file = `${path}/${name}`;
      await Deno.mkdir(file.replace(/[^/]*$/, ""), { recursive: true });
      await Deno.writeTextFile(file, text);
    },
    async run(args, env) {
      const { code, stdout, stderr } = await command(args, env).output();
      const decoder = new TextDecoder();
      return { code, out: decoder.decode(stdout), err: decoder.decode(stderr) };
    },
    start: (args, env) => listening(command(args, env).spawn()),
    [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }),
  };
}

/** Waits until the program's banner says where it listens. */
async function listening(child: Deno.ChildProcess): Promise<Started> {
  const out = new Response(child.stdout).text();
  const said = Promise.withResolvers<string>();
  let err = "";
  const read = (async () => {
    for await (const piece of child.stderr.pipeThrough(new TextDecoderStream())) {
      err += piece;
      const url = /listening\s+(http:\S+)\s/.exec(err)?.[1];
      if (url) said.resolve(url);
    }
    said.reject(new Error(`It ended before it listened: ${err}`));
  })();
  // Rejects the wait for the address; later there is none.
  said.promise.catch(() => {});
  let over = false;
  const end = async (signal: Deno.Signal) => {
    if (!over) child.kill(signal);
    over = true;
    const { code } = await child.status;
    await read;
    return { code, out: await out, err };
  };
  try {
    const url = await said.promise;
    return {
      url,
      err: () => err,
      stop: end,
      [Symbol.asyncDispose]: async () => void await end("SIGKILL"),
    };
  } catch (error) {
    over = true;
    await Promise.all([child.status, out]);
    throw error;
  }
}
