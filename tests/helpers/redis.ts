/**
 * A real Redis or Valkey on a free port of loopback.
 *
 * @module
 */

import { until } from "./until.ts";

/** The names of the server's program. */
const PROGRAMS = ["valkey-server", "redis-server"];

/** The server's program; undefined where there is none on this machine. */
export const REDIS: string | undefined = PROGRAMS.find((name) => {
  try {
    return new Deno.Command(name, { args: ["--version"], stdout: "null", stderr: "null" })
      .outputSync().success;
  } catch {
    return false;
  }
});

/** What a test's name says where it can't be run. */
export const NEEDS_REDIS: string = REDIS
  ? ""
  : " (ignored: neither valkey-server nor redis-server)";

/** A server that runs. */
export interface Redis extends AsyncDisposable {
  /** Its port. */
  readonly port: number;
  /** Runs a command by a connection of its own, and returns the reply's text. */
  readonly tell: (...command: string[]) => Promise<string>;
  /** Stops it at once, as a crash does. */
  readonly kill: () => Promise<void>;
  /** Starts it again on the same port, empty. */
  readonly start: () => Promise<void>;
}

/**
 * Starts a server without files of its own.
 *
 * @param flags Further flags, such as `["--requirepass", "…"]`.
 * @param options The password, for commands of the test's own; and the port, where it isn't any.
 */
export async function startRedis(
  flags: readonly string[] = [],
  { password, port = freePort() }: { password?: string; port?: number } = {},
): Promise<Redis> {
  const tls = flags.includes("--tls-port");
  let child: Deno.ChildProcess | undefined;
  const start = async () => {
    child = new Deno.Command(REDIS!, {
      args: [
        ...tls ? [] : ["--port", `${port}`],
        ...["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"],
        ...["--enable-debug-command", "yes"],
        ...flags.map((flag) => flag.replace("{port}", `${port}`)),
      ],
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    await until("the server listens", async () => {
      try {
        (await Deno.connect({ hostname: "127.0.0.1", port })).close();
        return true;
      } catch {
        return false;
      }
    });
  };
  const kill = async () => {
    try {
      child?.kill("SIGKILL");
    } catch {
      // It has ended.
    }
    await child?.status;
  };
  await start();
  return {
    port,
    start,
    kill,
    tell: (...command) => tell(port, command, password),
    [Symbol.asyncDispose]: kill,
  };
}

async function tell(port: number, command: readonly string[], password?: string): Promise<string> {
  using connection = await Deno.connect({ hostname: "127.0.0.1", port });
  const lines = [...password ? [["AUTH", password]] : [], command];
  for (const words of lines) {
    const bytes = words.map((word) => `$${new TextEncoder().encode(word).length}\r\n${word}\r\n`);
    await connection.write(new TextEncoder().encode(`*${words.length}\r\n${bytes.join("")}`));
  }
  const buffer = new Uint8Array(1 << 16);
  let text = "";
  while (text.split("\r\n").length <= lines.length) {
    const length = await connection.read(buffer);
    if (length === null) break;
    text += new TextDecoder().decode(buffer.subarray(0, length));
  }
  return text;
}

/** A port that nobody listens on now. */
export function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}
