/**
 * The launcher of the tasks: `scripts/task.ts` and what it is made of. It is tried in a temporary
 * copy of the project with a tiny program, and with a registry on loopback in the place of JSR.
 */
import { MADE_FOR } from "../lib/listen.ts";
import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { parentsUpToNpm } from "../scripts/parents.ts";
import { PROGRAM_PERMISSIONS } from "../scripts/permissions.ts";
import { type AskOptions, askStdSource } from "../scripts/std_source.ts";
import { TASKS } from "../scripts/tasks.ts";

const root = new URL("../", import.meta.url);
const read = (path: string) => Deno.readTextFile(new URL(path, root));

/** The tiny program: says what it was given, and can wait for a signal or read its input. */
const PROGRAM = `
import { parseArgs } from "@std/cli/parse-args";
const { _: [what, code] } = parseArgs(Deno.args);
console.log(JSON.stringify(Deno.args));
if (what === "exit") Deno.exit(Number(code));
if (what === "read") console.log((await new Response(Deno.stdin.readable).text()).toUpperCase());
if (what === "wait") {
  let signals = 0;
  // As the bridge does under nohup.
  if (code !== "SIGHUP") Deno.addSignalListener("SIGHUP", () => {});
  Deno.addSignalListener(code as Deno.Signal, () => {
    signals++;
    // Whatever else is on its way gets the time to arrive.
    setTimeout(() => {
      console.log("ended by", signals);
      Deno.exit(40 + signals);
    }, 100);
  });
  console.log("ready");
  await new Promise(() => setInterval(() => {}, 1000));
}
`;

/** A copy of what the launcher needs, around the tiny program; removed at the end of the test. */
async function copy(): Promise<AsyncDisposable & { path: string }> {
  const path = await Deno.realPath(await Deno.makeTempDir({ prefix: "fd-bridge-" }));
  await Deno.mkdir(`${path}/scripts/standins`, { recursive: true });
  for (const folder of ["scripts/", "scripts/standins/"]) {
    for await (const { isFile, name } of Deno.readDir(new URL(folder, root))) {
      if (isFile) await Deno.copyFile(new URL(folder + name, root), `${path}/${folder}${name}`);
    }
  }
  for (const file of ["deno.json", "deno.lock"]) {
    await Deno.copyFile(new URL(file, root), `${path}/${file}`);
  }
  await Deno.writeTextFile(`${path}/main.ts`, PROGRAM);
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}

/** The command behind a task of `deno.json`, in a copy of the project. */
async function launch(
  path: string,
  args: string[],
  options: { stdin?: "piped" | "null"; std?: string } = {},
): Promise<Deno.ChildProcess> {
  const { tasks } = JSON.parse(await Deno.readTextFile(`${path}/deno.json`));
  const [program, ...words] = tasks.start.command.split(" ");
  assertEquals([program, words.at(-1)], ["deno", "start"]);
  return new Deno.Command(Deno.execPath(), {
    args: [...words.slice(0, -1), ...args],
    cwd: path,
    env: { FD_BRIDGE_STD: options.std ?? "standins", NO_COLOR: "1" },
    stdin: options.stdin ?? "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

/** What a finished child wrote, and its exit code. */
async function finish(child: Deno.ChildProcess) {
  const { code, stdout, stderr } = await child.output();
  const decoder = new TextDecoder();
  return { code, out: decoder.decode(stdout).trim(), err: decoder.decode(stderr).trim() };
}

Deno.test("task passes on arguments, spaces and all", async () => {
  await using project = await copy();
  const args = ["--port", "9090", "models", "a b", "", "--x=$HOME"];
  const { code, out } = await finish(await launch(project.path, ["start", ...args]));
  assertEquals([code, JSON.parse(out)], [0, args]);
});

Deno.test("task demo is start with --demo", async () => {
  await using project = await copy();
  const { out } = await finish(await launch(project.path, ["demo", "--port", "1"]));
  assertEquals(JSON.parse(out), ["--demo", "--port", "1"]);
});

Deno.test("task ends with the program's exit code", async () => {
  await using project = await copy();
  assertEquals((await finish(await launch(project.path, ["start", "exit", "37"]))).code, 37);
});

Deno.test("task hands the program its standard input", async () => {
  await using project = await copy();
  const child = await launch(project.path, ["start", "read"], { stdin: "piped" });
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode("said by a pipe"));
  await writer.close();
  assertStringIncludes((await finish(child)).out, "SAID BY A PIPE");
});

for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) {
  Deno.test({
    name: `task hands ${signal} to the program, once`,
    // Windows has no signals between programs; its consoles tell all programs themselves.
    ignore: Deno.build.os === "windows",
    async fn() {
      await using project = await copy();
      const child = await launch(project.path, ["start", "wait", signal]);
      const stderr = new Response(child.stderr).text();
      let out = "";
      let sent = false;
      for await (const piece of child.stdout.pipeThrough(new TextDecoderStream())) {
        out += piece;
        if (!sent && out.includes("ready")) {
          sent = true;
          child.kill(signal);
        }
      }
      assertEquals((await child.status).code, 41, out + await stderr);
    },
  });
}

/**
 * Starts a program that waits for SIGTERM, does something to what has started it, and gives what the
 * program prints until the last of them has ended.
 */
async function outlive(
  path: string,
  [program, ...args]: string[],
  act: (child: Deno.ChildProcess, out: () => string) => void | Promise<void>,
  env: Record<string, string> = {},
): Promise<string> {
  const child = new Deno.Command(program, {
    args,
    cwd: path,
    env: { FD_BRIDGE_STD: "standins", NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1", ...env },
    stdin: "null",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  let out = "";
  let acting: void | Promise<void> = undefined;
  let acted = false;
  for await (const piece of child.stdout.pipeThrough(new TextDecoderStream())) {
    out += piece;
    if (!acted && out.includes("ready")) {
      acted = true;
      acting = act(child, () => out);
    }
  }
  await child.status;
  await acting;
  return out;
}

Deno.test({
  name: "task ends the program with SIGTERM when `deno task` is killed",
  ignore: Deno.build.os === "windows",
  async fn() {
    await using project = await copy();
    const command = [Deno.execPath(), "task", "start", "wait", "SIGTERM"];
    assertMatch(
      await outlive(project.path, command, (child) => child.kill("SIGKILL")),
      /^ended by 1$/m,
    );
  },
});

/** Whether there is npx, and a Deno that it starts without fetching one. */
async function hasNpx(): Promise<boolean> {
  try {
    const { success } = await new Deno.Command("npx", {
      args: ["--no-install", `deno@${MADE_FOR}`, "--version"],
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).output();
    return success;
  } catch {
    return false;
  }
}

const npx = Deno.build.os !== "windows" && await hasNpx();

for (const signal of ["SIGTERM", "SIGKILL"] as const) {
  Deno.test({
    name: `task ends the program with SIGTERM when npx gets ${signal}${
      npx ? "" : " (ignored: npx has no Deno here)"
    }`,
    ignore: !npx,
    async fn() {
      await using project = await copy();
      const command = ["npx", "-y", `deno@${MADE_FOR}`, "task", "start", "wait", "SIGTERM"];
      assertMatch(
        await outlive(project.path, command, (child) => child.kill(signal)),
        /^ended by 1$/m,
      );
    },
  });
}

Deno.test({
  name: `task goes on after a hang-up under nohup and npx${npx ? "" : " (ignored: no Deno there)"}`,
  ignore: !npx || Deno.build.os !== "linux",
  async fn() {
    await using project = await copy();
    const npxCommand = ["npx", "-y", `deno@${MADE_FOR}`, "task", "start", "wait", "SIGTERM"];
    // `setsid` gives them a process group of their own; a shell leaves the name of what it starts in `_`.
    const out = await outlive(project.path, ["setsid", "nohup", ...npxCommand], async (
      child,
      out,
    ) => {
      Deno.kill(-child.pid, "SIGHUP");
      await child.status;
      // npm is gone; the launcher looks several times.
      await new Promise((resolve) => setTimeout(resolve, 2_000));
      assert(!out().includes("ended"), out());
      Deno.kill(-child.pid, "SIGTERM");
    }, { _: "/usr/bin/nohup" });
    assertMatch(out, /^ended by/m);
  },
});

const UNDER_NPM = `
    1     0 /sbin/init
   70     1 -zsh
   71    70 npm exec deno@2.8.2 task start
   72    71 sh -c 'deno' task start
   73    72 node /home/ada/.npm/_npx/003332dcfa352246/node_modules/.bin/deno task start
   74    73 /home/ada/.npm/_npx/003332dcfa352246/node_modules/deno/deno task start
   80    70 deno task start`;

Deno.test("parentsUpToNpm() goes up to npm, and no further", () => {
  assertEquals(parentsUpToNpm(UNDER_NPM, 74), [74, 73, 72, 71]);
  const byScript = UNDER_NPM.replace("npm exec", "node /usr/local/bin/npx -y");
  assertEquals(parentsUpToNpm(byScript, 74), [74, 73, 72, 71]);
});

Deno.test("parentsUpToNpm() gives the parent alone without npm, or with a user's shell between", () => {
  assertEquals(parentsUpToNpm(UNDER_NPM, 80), [80]);
  assertEquals(parentsUpToNpm("", 80), [80]);
  const editor = `
   60     1 npm run editor
   61    60 zsh
   62    61 deno task start`;
  assertEquals(parentsUpToNpm(editor, 62), [62]);
});

Deno.test("task says on stderr, in one line, where @std comes from", async () => {
  await using project = await copy();
  const { err } = await finish(await launch(project.path, ["start"]));
  assertMatch(err, /^@std: .*stand-ins.*FD_BRIDGE_STD=standins.*$/);
});

Deno.test("task refuses what it does not know, with exit code 2", async () => {
  await using project = await copy();
  const task = await finish(await launch(project.path, ["strat"]));
  assertEquals(task.code, 2);
  assertMatch(task.err, /^There is no task "strat"; there are: .*start.*$/);
  const std = await finish(await launch(project.path, ["start"], { std: "deno.land" }));
  assertEquals(std.code, 2);
  assertMatch(std.err, /^FD_BRIDGE_STD is "deno.land"; .*standins.*$/);
});

Deno.test("task never writes the lock file with the stand-ins in use", async () => {
  await using project = await copy();
  const lock = `${project.path}/deno.lock`;
  await finish(await launch(project.path, ["start"]));
  assertEquals(await Deno.readTextFile(lock), await read("deno.lock"));
  await Deno.remove(lock);
  assertEquals((await finish(await launch(project.path, ["start"]))).code, 0);
  await assertRejects(() => Deno.stat(lock), Deno.errors.NotFound);
});

/** How a registry on loopback answers. */
type Answer = (path: string) => Response | Promise<Response>;

/** A registry on loopback: the options to ask it, and how often it was asked. */
function registry(path: string, answer: Answer) {
  let requests = 0;
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => {
    requests++;
    return answer(new URL(request.url).pathname);
  });
  const options: AskOptions = {
    root: path,
    env: { JSR_URL: `http://127.0.0.1:${server.addr.port}/`, DENO_DIR: `${path}/cache` },
  };
  return {
    options,
    requests: () => requests,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

const refuse: Answer = () => new Response("not here", { status: 404 });

/** A package of each name, with one module that says nothing. */
async function packages(): Promise<Answer> {
  const { imports } = JSON.parse(await read("deno.json"));
  const versions = new Map<string, string>();
  for (const specifier of Object.values<string>(imports)) {
    const [, name = "", version = ""] = /^jsr:(.+)@(.+)$/.exec(specifier) ?? [];
    versions.set(name, version);
  }
  const module = new TextEncoder().encode("export {};\n");
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", module));
  const manifest = { "/mod.ts": { size: module.length, checksum: `sha256-${digest.toHex()}` } };
  const exports: Record<string, string> = { ".": "./mod.ts" };
  for (const name of ["parse-args", "parse", "status", "text-line-stream"]) {
    exports[`./${name}`] = "./mod.ts";
  }
  return (path) => {
    const [, name = "", file = ""] = /^\/(@std\/[^/]+)\/(.+)$/.exec(path) ?? [];
    const version = versions.get(name);
    if (version === undefined) return refuse(path);
    if (file === "meta.json") return Response.json({ versions: { [version]: {} } });
    if (file === `${version}_meta.json`) return Response.json({ manifest, exports });
    return new Response(module, { headers: { "content-type": "text/typescript" } });
  };
}

Deno.test("askStdSource() takes the stand-ins where JSR refuses, and remembers it", async () => {
  await using project = await copy();
  await using jsr = registry(project.path, refuse);
  const first = await askStdSource({ ...jsr.options, now: () => 1000 });
  assertEquals(first.source, "standins");
  assertStringIncludes(first.reason, "@std/");
  const asked = jsr.requests();
  assert(asked > 0);

  const soon = await askStdSource({ ...jsr.options, now: () => 61_000 });
  assertEquals(soon, { source: "standins", reason: `${first.reason}; asked again in 14 min` });
  assertEquals(jsr.requests(), asked);

  await askStdSource({ ...jsr.options, now: () => 1000 + 15 * 60_000 });
  assert(jsr.requests() > asked, "after a quarter of an hour it did not ask again");
});

Deno.test("askStdSource() does not believe a memory from the future, or a broken one", async () => {
  await using project = await copy();
  await using jsr = registry(project.path, refuse);
  const memory = `${project.path}/memory.json`;
  for (const text of ['{"at": 5000, "reason": "later"}', '{"at": "soon"}', "{"]) {
    const before = jsr.requests();
    await Deno.writeTextFile(memory, text);
    await askStdSource({ ...jsr.options, memory, now: () => 1000 });
    assert(jsr.requests() > before, `it believed ${text}`);
  }
});

Deno.test("askStdSource() gives a silent network up", async () => {
  await using project = await copy();
  const silence = Promise.withResolvers<Response>();
  await using jsr = registry(project.path, () => silence.promise);
  const answer = await askStdSource({ ...jsr.options, silence: 500 });
  silence.resolve(new Response());
  assertEquals(answer, { source: "standins", reason: "JSR was silent for 0.5 s" });
});

Deno.test("askStdSource() takes the real packages where JSR gives them, later from the cache", async () => {
  await using project = await copy();
  await using jsr = registry(project.path, await packages());
  // The true hashes can't fit these packages: Deno writes a lock file of its own for them.
  const lock = `${project.path}/deno.lock`;
  await Deno.remove(lock);
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["cache", "--lock=deno.lock", "scripts/probe.ts"],
    cwd: project.path,
    env: { ...jsr.options.env, DENO_DIR: `${project.path}/other-cache` },
  }).output();
  assert(success, new TextDecoder().decode(stderr));
  const locked = await Deno.readTextFile(lock);

  assertEquals(await askStdSource(jsr.options), { source: "jsr", reason: "JSR answers" });
  const asked = jsr.requests();
  const again = await askStdSource(jsr.options);
  assertEquals(again, { source: "jsr", reason: "it is in Deno's cache" });
  assertEquals(jsr.requests(), asked);
  assertEquals(await Deno.readTextFile(lock), locked);
});

Deno.test("askStdSource() takes the stand-ins where the packages are not those of the lock file", async () => {
  await using project = await copy();
  await using jsr = registry(project.path, await packages());
  const answer = await askStdSource(jsr.options);
  assertEquals(answer.source, "standins");
  assertMatch(answer.reason, /integrity|lockfile/i);
  assertEquals(await Deno.readTextFile(`${project.path}/deno.lock`), await read("deno.lock"));
});

Deno.test("deno.json and the table of tasks name the same tasks", async () => {
  const { tasks } = JSON.parse(await read("deno.json"));
  assertEquals(Object.keys(tasks).sort(), Object.keys(TASKS).sort());
  for (const [name, { command }] of Object.entries<{ command: string }>(tasks)) {
    assert(command.endsWith(` scripts/task.ts ${name}`), command);
  }
});

Deno.test("the program's tasks ask for named permissions only", () => {
  for (const name of ["start", "demo", "dev"]) {
    for (const { command } of TASKS[name] ?? []) {
      const flags = command.filter((word) => /^(-A|--allow-|--no-prompt)/.test(word));
      assertEquals(flags, [...PROGRAM_PERMISSIONS]);
    }
  }
  // To run programs can't be narrowed (scripts/permissions.ts): it is given away at the start.
  assert(!PROGRAM_PERMISSIONS.some((flag) => /^(-A|--allow-(all|env|ffi|sys))$/.test(flag)));
});

Deno.test("deno.json, the lock file and the stand-ins' import map name the same packages", async () => {
  const { imports, scopes } = JSON.parse(await read("deno.json"));
  const specifiers: string[] = [imports, ...Object.values<object>(scopes)].flatMap(Object.values);
  for (const specifier of specifiers) assertMatch(specifier, /^(jsr|npm):.+@\d+\.\d+\.\d+$/);
  const lock = JSON.parse(await read("deno.lock"));
  assertEquals(lock.workspace.dependencies, specifiers.sort());

  const map = JSON.parse(await read("scripts/standins/import_map.json"));
  for (const [name, specifier] of Object.entries<string>(map.imports)) {
    if (specifier.startsWith("npm:")) {
      const plain = name.replace(/\/$/, "");
      assertEquals(
        specifier.replace("npm:/", "npm:").replace(/\/$/, ""),
        imports[plain] ?? scopes["./tests/"]?.[plain],
      );
    } else {
      assert(imports[name.split("/").slice(0, 2).join("/")], `${name} is not in deno.json`);
    }
  }
});

Deno.test("the stand-ins and the probe cover every module of @std that the project imports", async () => {
  const map = JSON.parse(await read("scripts/standins/import_map.json"));
  const probed = await read("scripts/probe.ts");
  const used = new Set<string>();
  async function collect(folder: string): Promise<void> {
    for await (const entry of Deno.readDir(new URL(folder, root))) {
      const path = folder + entry.name;
      if (entry.isDirectory && !/^\.|^(node_modules|dist|fixtures)$/.test(entry.name)) {
        await collect(`${path}/`);
      } else if (entry.isFile && entry.name.endsWith(".ts")) {
        for (const [, name] of (await read(path)).matchAll(/(?:from|import) "(@std\/[^"]+)"/g)) {
          used.add(name!);
        }
      }
    }
  }
  await collect("./");
  assert(used.size >= 5);
  for (const name of used) {
    assert(map.imports[name], `${name} has no stand-in in scripts/standins/import_map.json`);
    assertStringIncludes(probed, `import "${name}";`);
  }
});

Deno.test(".dvmrc has the one version of Deno: every other place names the same, or reads it", async () => {
  const version = (await read(".dvmrc")).trim();
  assertMatch(version, /^\d+\.\d+\.\d+$/);
  assertEquals(MADE_FOR, version);
  assertStringIncludes(await read("Dockerfile"), `FROM denoland/deno:${version}`);
  assertStringIncludes(await read(".ci/run"), "cat .dvmrc");
  const named = [...(await read("README.md")).matchAll(/npx -y deno(@\S+)? /g)];
  assert(named.length > 0);
  for (const [, tag] of named) assertEquals(tag, `@${version}`);
  const release = await read(".github/workflows/release.yml");
  assertEquals(
    release.match(/deno-version-file: \.dvmrc/g)?.length,
    release.match(/denoland\/setup-deno@/g)?.length,
  );
});
