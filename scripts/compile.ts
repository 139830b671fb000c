/**
 * Builds the program as one file: `deno task compile [--target TARGET] [--output FILE]`.
 *
 * It bundles and minifies a copy of the source, and lets `deno compile` put the result behind Deno's
 * runtime, with the permissions of `permissions.ts` and no prompt. There is no code cache: it saves some
 * milliseconds at a start, but is a file in the temporary folder, under a name that any user of the
 * machine can take first, and what is in it gets executed.
 *
 * `DENO_COMPILE` names another Deno to compile with; the runtime in `DENORT_BIN`, a variable of Deno's
 * own, is used instead of one from the network.
 *
 * @module
 */
import { parseArgs } from "@std/cli/parse-args";
import { type Commit, describeCommit } from "./compile/commit.ts";
import { runQuietly, ToolError } from "./compile/run_quietly.ts";
import { stage } from "./compile/staging.ts";
import { findTarget, type Target, TARGETS } from "./compile/targets.ts";
import { PROGRAM_FLAGS } from "./permissions.ts";
import { ROOT } from "./project.ts";
import { childEnvironment, currentStdSource, stdFlags, type StdSource } from "./std_source.ts";

/** How a program is built. */
export interface CompileOptions {
  /** The system that it is for. */
  readonly target: Target;
  /** Where to write it. */
  readonly output: string;
  /** The commit to write into it. */
  readonly commit: Commit;
  /** Where `@std` comes from. */
  readonly std: StdSource;
  /** The Deno to compile with. */
  readonly deno: string;
  /** Gets a line for a person. */
  readonly say: (line: string) => void;
}

/** Lets a Deno before 2.8 import the page's files as text; later ones do so without being told. */
const TEXT_IMPORTS = "--unstable-raw-imports";

/**
 * The arguments of `deno bundle`: `main.js` out of all modules that a start needs, the embedded
 * `models.json` among them, and a file for each module that is loaded later. To start from one file of
 * everything takes 30 ms longer.
 *
 * @example Usage
 * ```ts
 * import { bundleArguments } from "./compile.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(bundleArguments("jsr", "bundle").at(0), "bundle");
 * ```
 *
 * @param std Where `@std` comes from.
 * @param folder Where the files go.
 * @returns The arguments, for the folder of the copy.
 */
export function bundleArguments(std: StdSource, folder: string): string[] {
  return [
    "bundle",
    "--quiet",
    TEXT_IMPORTS,
    ...stdFlags(std),
    "--minify",
    "--code-splitting",
    `--outdir=${folder}`,
    "main.ts",
  ];
}

/**
 * The arguments of `deno compile`.
 *
 * @example Usage
 * ```ts
 * import { compileArguments } from "./compile.ts";
 * import { PROGRAM_FLAGS } from "./permissions.ts";
 * import { assert } from "@std/assert";
 *
 * const args = compileArguments("x86_64-unknown-linux-gnu", "dist/fd-bridge", ["--no-lock"], "main.js");
 * assert(PROGRAM_FLAGS.every((flag) => args.includes(flag)));
 * ```
 *
 * @param target As Deno calls it.
 * @param output Where to write the program.
 * @param moduleFlags Lock file and import map.
 * @param entry The first module.
 * @returns The arguments.
 */
export function compileArguments(
  target: string,
  output: string,
  moduleFlags: readonly string[],
  entry: string,
): string[] {
  return [
    "compile",
    "--quiet",
    TEXT_IMPORTS,
    ...moduleFlags,
    // The types are checked before, by `deno task check`; there are none in a bundle.
    "--no-check",
    "--no-code-cache",
    ...PROGRAM_FLAGS,
    `--target=${target}`,
    `--output=${output}`,
    entry,
  ];
}

/**
 * Builds the program.
 *
 * @param options For which system, where to, and with what.
 * @returns The size of the program, in bytes.
 * @throws {ToolError} If Deno fails.
 */
export async function compile(options: CompileOptions): Promise<number> {
  const { target, commit, std, deno, say } = options;
  await using staging = await stage(ROOT, commit.name);
  const environment = {
    cwd: staging.path,
    env: { ...childEnvironment((name) => Deno.env.get(name)), NO_COLOR: "1" },
  };
  let entry = "bundle/main.js";
  // A bundle imports its own files: nothing may be fetched and run.
  let moduleFlags = ["--no-lock", "--deny-import"];
  try {
    await runQuietly(Deno.execPath(), bundleArguments(std, "bundle"), environment);
    if (deno !== Deno.execPath()) await useNodeTimers(`${staging.path}/bundle`);
  } catch (error) {
    // Deno fetches its bundler from npm. Without it the program is 1 MB larger, and starts later.
    if (!(error instanceof ToolError)) throw error;
    say(`not bundled: ${error.message.split("\n")[0]}`);
    entry = "main.ts";
    moduleFlags = stdFlags(std);
  }
  const output = `${staging.path}/${target.binary}`;
  await runQuietly(
    deno,
    compileArguments(target.name, output, moduleFlags, entry),
    environment,
  );
  const folder = options.output.replace(/[^\\/]*$/, "");
  if (folder !== "") await Deno.mkdir(folder, { recursive: true });
  // Beside its place first, then moved: whoever runs the old program keeps it.
  const beside = `${options.output}.new`;
  await Deno.copyFile(output, beside);
  await Deno.rename(beside, options.output);
  return (await Deno.stat(options.output)).size;
}

/**
 * Gives the files of a bundle the timers of Node. undici calls `unref()` on timers, and in a bundle it gets the web's,
 * which have that only from Deno 2.8 on: another Deno may compile for an older runtime.
 */
async function useNodeTimers(folder: string): Promise<void> {
  const names = "setTimeout,clearTimeout,setInterval,clearInterval";
  for await (const { name } of Deno.readDir(folder)) {
    const file = `${folder}/${name}`;
    const text = await Deno.readTextFile(file);
    await Deno.writeTextFile(file, `import{${names}}from"node:timers";${text}`);
  }
}

/** The Deno to compile with. */
export function compilingDeno(): string {
  return Deno.env.get("DENO_COMPILE") || Deno.execPath();
}

async function main(args: string[]): Promise<number> {
  const options = parseArgs(args, {
    string: ["target", "output"],
    default: { target: Deno.build.target },
    unknown: (word) => {
      throw new TypeError(
        `"${word}" is not understood; usage: deno task compile [--target TARGET] [--output FILE], TARGET being one of ${
          TARGETS.map(({ name }) => name).join(", ")
        }.`,
      );
    },
  });
  const target = findTarget(options.target);
  const folder = target.name === Deno.build.target ? "dist" : `dist/${target.name}`;
  const output = options.output || `${folder}/${target.binary}`;
  const commit = await describeCommit(ROOT, Deno.env.get("SOURCE_DATE_EPOCH"));
  const size = await compile({
    target,
    output,
    commit,
    std: currentStdSource(),
    deno: compilingDeno(),
    say: (line) => console.error(line),
  });
  console.error(
    `${output}: ${target.name}, commit ${commit.name}, ${(size / 2 ** 20).toFixed(1)} MiB`,
  );
  return 0;
}

if (import.meta.main) {
  try {
    Deno.exit(await main(Deno.args));
  } catch (error) {
    if (!(error instanceof TypeError) && !(error instanceof ToolError)) throw error;
    console.error(`compile: ${error.message}`);
    Deno.exit(error instanceof ToolError ? 1 : 2);
  }
}
