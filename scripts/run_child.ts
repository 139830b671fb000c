/**
 * Runs a program in place of this one: same terminal, same signals, same exit code.
 *
 * @module
 */
import { watchParents } from "./parents.ts";

/** Signals of Windows: there Deno knows no others. */
const WINDOWS_SIGNALS: readonly Deno.Signal[] = ["SIGINT", "SIGBREAK"];
const UNIX_SIGNALS: readonly Deno.Signal[] = [
  "SIGINT",
  "SIGQUIT",
  "SIGHUP",
  "SIGTERM",
  "SIGUSR1",
  "SIGUSR2",
];
/** What a terminal sends to all programs that run in its foreground, and so to the child as well. */
const TERMINAL_SIGNALS: ReadonlySet<Deno.Signal> = new Set(["SIGINT", "SIGQUIT"]);

/**
 * Runs a program with this one's standard streams and waits for its end. Signals that this program
 * gets go on to it, each at most once in a quarter of a second: whoever signals a whole group, and
 * the wrappers around this program that forward what they get, would otherwise count twice, and a
 * second Ctrl-C means "at once". (On a terminal, Ctrl-C has reached the program already.)
 *
 * Neither end alone: where what has started this program ends, the program gets SIGTERM
 * (`parents.ts`); and it is told this program's id in `FD_BRIDGE_LAUNCHER`, so that it can notice when
 * this program is killed.
 *
 * @example Usage
 * ```ts
 * import { runChild } from "./run_child.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const code = await runChild({
 *   program: Deno.execPath(),
 *   args: ["eval", "Deno.exit(3)"],
 *   cwd: ".",
 *   env: {},
 * });
 * assertEquals(code, 3);
 * ```
 *
 * @param command The program, its arguments, folder and further environment variables.
 * @returns Its exit code; 128 and the signal's number where a signal ended it.
 */
export async function runChild(
  command: { program: string; args: string[]; cwd: string; env: Record<string, string> },
): Promise<number> {
  const windows = Deno.build.os === "windows";
  const onTerminal = Deno.stdin.isTerminal() || Deno.stdout.isTerminal() ||
    Deno.stderr.isTerminal();
  let child: Deno.ChildProcess | undefined;
  const lastSent = new Map<Deno.Signal, number>();

  const listeners = (windows ? WINDOWS_SIGNALS : UNIX_SIGNALS).map((signal) => {
    const listener = () => {
      // Windows sends Ctrl-C and Ctrl-Break to the whole console, and `kill` there knows no mercy.
      if (windows || (onTerminal && TERMINAL_SIGNALS.has(signal))) return;
      const now = performance.now();
      if (now - (lastSent.get(signal) ?? -Infinity) < 250) return;
      lastSent.set(signal, now);
      try {
        child?.kill(signal);
      } catch {
        // It ended in the meantime.
      }
    };
    Deno.addSignalListener(signal, listener);
    return () => Deno.removeSignalListener(signal, listener);
  });
  const unwatch = watchParents(() => {
    try {
      child?.kill("SIGTERM");
    } catch {
      // It ended in the meantime.
    }
  });
  try {
    const { program, ...options } = command;
    child = new Deno.Command(program, {
      ...options,
      env: { ...options.env, FD_BRIDGE_LAUNCHER: String(Deno.pid) },
      stdin: "inherit",
      stdout: "inherit",
      stderr: "inherit",
    }).spawn();
    return (await child.status).code;
  } finally {
    unwatch();
    for (const remove of listeners) remove();
  }
}
