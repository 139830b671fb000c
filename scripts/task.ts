/**
 * Runs one of the project's tasks: `deno task start --port 9090` comes here as `start --port 9090`.
 *
 * Company networks often reach npm but not JSR, where `@std` lives. So Deno is asked first whether
 * it can have the project's imports; where it can't, the same command runs with stand-ins for the
 * few parts of `@std` that are used. A line on stderr says which of the two it is.
 *
 * `FD_BRIDGE_STD=jsr` or `FD_BRIDGE_STD=standins` in the environment decides it without asking.
 *
 * This file imports nothing from outside: it must run before anything is known about the network.
 *
 * @module
 */
import { runChild } from "./run_child.ts";
import { askStdSource, childEnvironment, stdFlags } from "./std_source.ts";
import { TASKS } from "./tasks.ts";

/** The exit code for a command that can't be understood. */
const USAGE = 2;

const root = decodeURIComponent(new URL("..", import.meta.url).pathname)
  // On Windows a file URL's path is /C:/…
  .replace(/^\/(?=[A-Za-z]:)/, "").replace(/\/$/, "");

/** The TypeScript files of a folder of the project and of those in it, in order. */
async function files(folder: string): Promise<string[]> {
  const found: string[] = [];
  try {
    for await (const { isDirectory, name } of Deno.readDir(`${root}/${folder}`)) {
      const path = `${folder}/${name}`;
      if (isDirectory) found.push(...await files(path));
      else if (name.endsWith(".ts")) found.push(path);
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return found.sort();
}

/** Writes out the words that stand for files. A shell would, but not the same one everywhere. */
async function expand(words: readonly string[]): Promise<string[]> {
  const expanded = words.map((word) => word.endsWith("/") ? files(word.slice(0, -1)) : [word]);
  return (await Promise.all(expanded)).flat();
}

async function main([name, ...rest]: string[]): Promise<number> {
  const task = name !== undefined && Object.hasOwn(TASKS, name) ? TASKS[name] : undefined;
  if (task === undefined) {
    console.error(`There is no task "${name ?? ""}"; there are: ${Object.keys(TASKS).join(", ")}.`);
    return USAGE;
  }
  let answer;
  try {
    answer = await askStdSource({ root, forced: Deno.env.get("FD_BRIDGE_STD") });
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    console.error(`${error.message}.`);
    return USAGE;
  }
  const { source, reason } = answer;
  const what = source === "jsr" ? "the real packages of JSR" : "the stand-ins of scripts/standins";
  console.error(`@std: ${what} (${reason})`);

  // Tasks within this one need not ask again.
  const from = Deno.env.get("INIT_CWD");
  const env = {
    ...childEnvironment((name) => Deno.env.get(name)),
    FD_BRIDGE_STD: source,
    // Files are named from where the task was started.
    ...from && from !== root ? { FD_BRIDGE_CALLED_FROM: from } : {},
  };
  for (const [index, { command: [subcommand, ...words], imports }] of task.entries()) {
    const args = [
      subcommand,
      ...imports ? stdFlags(source) : [],
      ...await expand(words),
      ...index === task.length - 1 ? rest : [],
    ];
    const code = await runChild({ program: Deno.execPath(), args, cwd: root, env });
    if (code !== 0) return code;
  }
  return 0;
}

Deno.exit(await main(Deno.args));
