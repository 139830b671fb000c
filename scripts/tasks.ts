/**
 * The tasks, as a table: a new task is an entry here and a line in `deno.json`.
 *
 * @module
 */
import { PROGRAM_FLAGS, TEST_PERMISSIONS } from "./permissions.ts";

/** One call of Deno. */
export interface Step {
  /** The subcommand and its arguments. A word that ends in a slash stands for all TypeScript files in that folder. */
  readonly command: readonly [string, ...string[]];
  /** Whether the call loads modules, and so needs to know where `@std` comes from. */
  readonly imports: boolean;
}

/** Which steps a task takes, one after the other, up to the first that fails. */
export type Task = readonly Step[];

/** A step that loads modules. */
function step(...command: [string, ...string[]]): Step {
  return { command, imports: true };
}

/** A step that only reads text. */
function textStep(...command: [string, ...string[]]): Step {
  return { command, imports: false };
}

const FORMAT = textStep("fmt", "--check");
const LINT = textStep("lint");
const CHECK = step("check", ".");
const DOC_LINT = step("doc", "--lint", "main.ts", "lib/", "scripts/", "bench/");
/** Runs the tests, and the examples in the doc comments as tests. */
const TEST = step("test", ...TEST_PERMISSIONS, "--doc", "--ignore=tests/page");
/** Drives the page in Chromium, which it installs where it can. */
const TEST_PAGE = step("test", ...TEST_PERMISSIONS, "tests/page/page_test.ts");

/**
 * What each task runs. What follows a task's name on the command line goes to its last step.
 *
 * @example Usage
 * ```ts
 * import { TASKS } from "./tasks.ts";
 * import { assert } from "@std/assert";
 *
 * assert(TASKS.start[0].command.includes("main.ts"));
 * ```
 */
export const TASKS: Readonly<Record<string, Task>> = {
  start: [step("run", ...PROGRAM_FLAGS, "main.ts")],
  demo: [step("run", ...PROGRAM_FLAGS, "main.ts", "--demo")],
  dev: [step("run", "--watch", ...PROGRAM_FLAGS, "main.ts")],
  test: [TEST],
  "test:page": [TEST_PAGE],
  "test:agents": [step("run", ...TEST_PERMISSIONS, "tests/agents/run.ts")],
  check: [CHECK],
  "lint:doc": [DOC_LINT],
  ok: [FORMAT, LINT, CHECK, DOC_LINT, TEST],
  bench: [step("run", ...TEST_PERMISSIONS, "bench/run.ts")],
  "bench:scale": [step("run", ...TEST_PERMISSIONS, "bench/scale.ts")],
  compile: [step("run", ...TEST_PERMISSIONS, "scripts/compile.ts")],
  release: [step("run", ...TEST_PERMISSIONS, "scripts/release.ts")],
  formula: [step("run", ...TEST_PERMISSIONS, "scripts/formula.ts")],
  soak: [step("run", ...TEST_PERMISSIONS, "scripts/soak.ts")],
};
