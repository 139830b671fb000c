import { assert, assertEquals, assertMatch, assertRejects, assertThrows } from "@std/assert";
import { versionText } from "../lib/commands/version.ts";
import { bundleArguments, compileArguments } from "../scripts/compile.ts";
import { describeCommit } from "../scripts/compile/commit.ts";
import { runQuietly, ToolError } from "../scripts/compile/run_quietly.ts";
import { stage, stamp } from "../scripts/compile/staging.ts";
import { findTarget, TARGETS } from "../scripts/compile/targets.ts";
import { PROGRAM_PERMISSIONS } from "../scripts/permissions.ts";
import { ROOT } from "../scripts/project.ts";
import { currentStdSource, stdFlags } from "../scripts/std_source.ts";

/** A folder for a test. */
async function temporary(): Promise<AsyncDisposable & { path: string }> {
  const path = await Deno.realPath(await Deno.makeTempDir({ prefix: "fd-bridge-" }));
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}

const NOBODY = ["-c", "user.name=nobody", "-c", "user.email=nobody@example.com"];

Deno.test("TARGETS are the five systems, each with names of its own", () => {
  assertEquals(TARGETS.map(({ name }) => name).sort(), [
    "aarch64-apple-darwin",
    "aarch64-unknown-linux-gnu",
    "x86_64-apple-darwin",
    "x86_64-pc-windows-msvc",
    "x86_64-unknown-linux-gnu",
  ]);
  assertEquals(new Set(TARGETS.map(({ archive }) => archive)).size, 5);
  assertEquals(
    findTarget("x86_64-pc-windows-msvc").archive,
    "fd-bridge-x86_64-pc-windows-msvc.zip",
  );
  const error = assertThrows(() => findTarget("riscv64"), TypeError);
  assertMatch(error.message, /"riscv64".*x86_64-unknown-linux-gnu/);
});

Deno.test("compileArguments() asks for the permissions of the one list, and for no others", () => {
  const args = compileArguments("x86_64-unknown-linux-gnu", "out", ["--no-lock"], "main.js");
  const flags = args.filter((word) => /^(-[A-Z]|--allow-|--no-prompt)/.test(word));
  assertEquals(flags, [...PROGRAM_PERMISSIONS]);
  assert(!args.some((word) => /^(-A|--allow-(all|ffi|sys))\b/.test(word)));
  assertEquals(args.at(-1), "main.js");
});

Deno.test("bundleArguments() take @std from where the task takes it", () => {
  for (const std of ["jsr", "standins"] as const) {
    const args = bundleArguments(std, "bundle");
    for (const flag of stdFlags(std)) assert(args.includes(flag), flag);
  }
});

Deno.test("describeCommit() tells hash, time and whether files differ from it", async () => {
  await using folder = await temporary();
  const git = (...args: string[]) => runQuietly("git", [...NOBODY, ...args], { cwd: folder.path });
  await git("init", "--quiet");
  await Deno.writeTextFile(`${folder.path}/a`, "a");
  await git("add", "a");
  await git("commit", "--quiet", "--message=a", "--no-gpg-sign", "--date=2020-01-01T00:00:00Z");
  const hash = await git("rev-parse", "HEAD");

  const clean = await describeCommit(folder.path);
  assertEquals(clean.name, hash.slice(0, 12));
  assertEquals(clean.time, Number(await git("log", "-1", "--format=%ct")));
  assertEquals((await describeCommit(folder.path, "12345")).time, 12345);
  assertEquals((await describeCommit(folder.path, "soon")).time, clean.time);

  await Deno.writeTextFile(`${folder.path}/a`, "b");
  assertEquals((await describeCommit(folder.path)).name, `${hash.slice(0, 12)}-dirty`);
});

Deno.test("describeCommit() says unknown where there is no git, even inside another project", async () => {
  await using folder = await temporary();
  assertEquals((await describeCommit(folder.path)).name, "unknown");

  const git = (...args: string[]) => runQuietly("git", [...NOBODY, ...args], { cwd: folder.path });
  await git("init", "--quiet");
  await git("commit", "--quiet", "--message=a", "--no-gpg-sign", "--allow-empty");
  await Deno.mkdir(`${folder.path}/unpacked`);
  assertEquals((await describeCommit(`${folder.path}/unpacked/`)).name, "unknown");
  assertEquals((await describeCommit(`${folder.path}/unpacked/`, "7")).time, 7);
});

Deno.test("stamp() wants exactly one place for the commit", async () => {
  const text = await Deno.readTextFile(`${ROOT}lib/commands/version.ts`);
  assert(stamp(text, "abc").includes('"abc"'));
  assertThrows(() => stamp("nothing", "abc"), TypeError, "0 times");
  assertThrows(() => stamp(text + text, "abc"), TypeError, "2 times");
});

Deno.test("versionText() says that a program was not built", () => {
  assertMatch(versionText("1.2.3"), /^fd-bridge 1\.2\.3 \(Deno \S+, \S+, from source\)$/);
  assertMatch(versionText("1.2.3", "unknown"), /, commit unknown\)$/);
});

Deno.test("stage() copies what the program needs and no settings of the user's", async () => {
  let path: string;
  {
    await using staging = await stage(ROOT, "0123456789ab");
    path = staging.path;
    const names = (await Array.fromAsync(Deno.readDir(path))).map(({ name }) => name);
    assert(names.includes("main.ts") && names.includes("deno.json"));
    assert(!names.some((name) => name.startsWith(".") || name === "tests"), names.join());
    // The copy is a program: all its imports are there, and it tells the commit.
    const out = await runQuietly(
      Deno.execPath(),
      ["run", ...stdFlags(currentStdSource()), "--no-prompt", "main.ts", "--version"],
      { cwd: path, env: { NO_COLOR: "1" } },
    );
    assertMatch(out, /commit 0123456789ab\)$/);
  }
  await assertRejects(() => Deno.stat(path), Deno.errors.NotFound);
});

Deno.test("runQuietly() tells what a tool said when it fails, and that one is missing", async () => {
  const failing = 'console.error("this is why"); Deno.exit(3)';
  const failed = await assertRejects(
    () => runQuietly(Deno.execPath(), ["eval", failing], { cwd: "." }),
    ToolError,
  );
  assertMatch(failed.message, /ended with 3: this is why$/);
  const missing = await assertRejects(
    () => runQuietly("no-such-tool", [], { cwd: "." }),
    ToolError,
  );
  assertMatch(missing.message, /no-such-tool is needed/);
});

Deno.test("compile says what it doesn't understand, with exit code 2", async () => {
  for (const args of [["--tarket", "x"], ["--target", "x"]]) {
    const { code, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        ...stdFlags(currentStdSource()),
        "--no-prompt",
        "--allow-read",
        "--allow-env",
        "scripts/compile.ts",
        ...args,
      ],
      cwd: ROOT,
      env: { NO_COLOR: "1" },
    }).output();
    assertEquals(code, 2);
    assertMatch(new TextDecoder().decode(stderr), /^compile: .*x86_64-unknown-linux-gnu.*\n$/);
  }
});
