/**
 * Notices the end of the programs that a task was started through.
 *
 * Under `npx deno task start` the processes are npm, a shell, `deno task`, the launcher and the program.
 * A signal that ends npm or `deno task` alone doesn't reach the rest, and Deno can't ask the kernel to
 * be told. So the launcher looks twice a second.
 *
 * @module
 */
import process from "node:process";

/** How often the parents are looked at, in milliseconds. */
const INTERVAL = 500;

/** npm as `ps` shows it: by the title that it gives itself, or by its script. */
const NPM = /(^|[\s/])(npm|npx)(-cli\.js)?(\s|$)/;

/**
 * The processes between npm and the launcher, from a listing of `ps -A -o pid=,ppid=,args=`: those that
 * end with the task. Further up is the user's own shell, whose end means nothing: `&` and `disown` put a
 * task into the background.
 *
 * @param listing What `ps` printed.
 * @param parent The launcher's parent.
 * @returns Their ids, the parent first; the parent alone where npm isn't among its ancestors.
 *
 * @example
 * ```ts
 * import { parentsUpToNpm } from "./parents.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const listing = `
 *    70    1 -zsh
 *    71   70 npm exec deno@2.8.2 task start
 *    72   71 sh -c 'deno' task start
 *    73   72 deno task start`;
 * assertEquals(parentsUpToNpm(listing, 73), [73, 72, 71]);
 * ```
 */
export function parentsUpToNpm(listing: string, parent: number): number[] {
  const processes = new Map<number, { parent: number; command: string }>();
  for (const [, pid, ppid, command] of listing.matchAll(/^\s*(\d+)\s+(\d+)\s+(.*)$/gm)) {
    processes.set(Number(pid), { parent: Number(ppid), command });
  }
  const chain: number[] = [];
  let pid = parent;
  for (let at = processes.get(pid); at; at = processes.get(pid)) {
    if (NPM.test(at.command)) return [...chain, pid];
    // Between npm and the launcher every command line has Deno in it.
    if (!at.command.includes("deno") || chain.includes(pid)) break;
    chain.push(pid);
    pid = at.parent;
  }
  return [parent];
}

/** Whether a process is there. */
function isThere(pid: number): boolean {
  try {
    // Sends nothing, and fails where there is no such process.
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/**
 * Calls a function once when the launcher's parent has ended, or npm where npm has started it. Outside
 * `deno task` nothing is watched, and nothing on Windows, where a process doesn't learn of its parent's
 * end.
 *
 * Under `nohup` a hang-up ends npm, because Node undoes what `nohup` does, and the task must go on: after
 * a hang-up the parent alone is watched.
 *
 * @param ended What is called.
 * @returns What ends the watch.
 */
export function watchParents(ended: () => void): () => void {
  if (Deno.build.os === "windows" || !Deno.env.get("INIT_CWD")) return () => {};
  const parent = Deno.ppid;
  let parents: readonly number[] = [];
  if (Deno.env.get("npm_command")) {
    new Deno.Command("ps", {
      args: ["-A", "-o", "pid=,ppid=,args="],
      stdin: "null",
      stderr: "null",
    }).output().then(
      ({ stdout }) => parents = parentsUpToNpm(new TextDecoder().decode(stdout), parent),
      // Without `ps`, as in small containers, the parent alone is watched.
      () => {},
    );
  }
  let hungUp = false;
  const onHangup = () => hungUp = true;
  const underNohup = /(^|\/)nohup$/.test(Deno.env.get("_") ?? "");
  if (underNohup) Deno.addSignalListener("SIGHUP", onHangup);
  let looksWithout = 0;
  const timer = setInterval(() => {
    const there = Deno.ppid === parent && (hungUp || parents.every(isThere));
    looksWithout = there ? 0 : looksWithout + 1;
    // The hang-up that has ended npm may still be on its way here: one more look.
    if (looksWithout < 2) return;
    stop();
    ended();
  }, INTERVAL);
  Deno.unrefTimer(timer);
  function stop() {
    clearInterval(timer);
    if (underNohup) Deno.removeSignalListener("SIGHUP", onHangup);
  }
  return stop;
}
