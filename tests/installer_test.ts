/**
 * `scripts/install.sh`, run by `sh` against a release folder that is served on loopback.
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { runQuietly } from "../scripts/compile/run_quietly.ts";
import { REPOSITORY, ROOT } from "../scripts/project.ts";
import { checksums } from "../scripts/release/checksums.ts";
import { BINARY } from "./helpers/binary.ts";
import { readAsForge } from "./helpers/forge_reader.ts";

const windows = Deno.build.os === "windows";
const SCRIPT = await Deno.readTextFile(`${ROOT}scripts/install.sh`);
const LINUX = "fd-bridge-x86_64-unknown-linux-gnu.tar.gz";

/** What the tests need of a machine, so that another's can be made of it. */
const TOOLS = "awk cat chmod cp cut gzip head mkdir mktemp mv rm sed sh sha256sum tar wget curl"
  .split(
    " ",
  );

/** A release on loopback and a home to install to; all of it is removed at the end of the test. */
interface Scene extends AsyncDisposable {
  /** The folder of the release. */
  readonly release: string;
  /** The home. */
  readonly home: string;
  /** The folder of the machine's tools. */
  readonly tools: string;
  /** The address of the release's folder. */
  readonly base: string;
  /** The paths that were asked for. */
  readonly asked: string[];
  /** Writes the checksums of what is in the release. */
  readonly sum: () => Promise<void>;
  /** Puts a shell script into the place of a tool; undefined takes the tool away. */
  readonly tool: (name: string, script: string | undefined) => Promise<void>;
  /** Runs the installer as `curl … | sh` does. */
  readonly install: (
    env?: Record<string, string>,
    script?: string,
    shell?: string,
  ) => Promise<{ code: number; err: string }>;
}

async function scene(program = '#!/bin/sh\necho "fd-bridge 9.9.9"\n'): Promise<Scene> {
  const path = await Deno.realPath(await Deno.makeTempDir({ prefix: "fd-bridge-install-" }));
  const [release, home, tools] = ["release", "home", "tools"].map((name) => `${path}/${name}`);
  for (const folder of [release, home, tools, `${path}/temporary`]) await Deno.mkdir(folder);
  const found = (Deno.env.get("PATH") ?? "").split(":");
  for (const tool of TOOLS) {
    for (const folder of found) {
      try {
        await Deno.symlink(await Deno.realPath(`${folder}/${tool}`), `${tools}/${tool}`);
        break;
      } catch {
        // Not in this folder.
      }
    }
  }
  const asked: string[] = [];
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, async (request) => {
    const name = new URL(request.url).pathname.slice(1);
    asked.push(name);
    try {
      return new Response((await Deno.open(`${release}/${name}`)).readable);
    } catch {
      return new Response("<html>Not found</html>", { status: 404 });
    }
  });
  const made: Scene = {
    release,
    home,
    tools,
    base: `http://127.0.0.1:${server.addr.port}`,
    asked,
    async sum() {
      const names = (await Array.fromAsync(Deno.readDir(release))).map(({ name }) => name);
      const archives = names.filter((name) => name.endsWith(".tar.gz"));
      await Deno.writeTextFile(`${release}/SHA256SUMS`, await checksums(release, archives));
    },
    async tool(name, script) {
      await Deno.remove(`${tools}/${name}`).catch(() => {});
      if (script === undefined) return;
      await Deno.writeTextFile(`${tools}/${name}`, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    },
    async install(env = {}, script = SCRIPT, shell = "/bin/sh") {
      const child = new Deno.Command(shell, {
        args: ["-s"],
        cwd: path,
        clearEnv: true,
        env: {
          PATH: tools,
          HOME: home,
          TMPDIR: `${path}/temporary`,
          FD_BRIDGE_BASE_URL: `http://127.0.0.1:${server.addr.port}`,
          ...env,
        },
        stdin: "piped",
        stdout: "piped",
        stderr: "piped",
      }).spawn();
      const writer = child.stdin.getWriter();
      // A shell that ends early doesn't read to the end.
      await writer.write(new TextEncoder().encode(script)).then(() => writer.close())
        .catch(() => {});
      const { code, stdout, stderr } = await child.output();
      assertEquals(new TextDecoder().decode(stdout), "");
      const left = await Array.fromAsync(Deno.readDir(`${path}/temporary`));
      assertEquals(left, [], "temporary files are left");
      return { code, err: new TextDecoder().decode(stderr) };
    },
    async [Symbol.asyncDispose]() {
      await server.shutdown();
      await Deno.remove(path, { recursive: true });
    },
  };
  await Deno.writeTextFile(`${path}/fd-bridge`, program, { mode: 0o755 });
  await runQuietly("tar", ["-czf", `${release}/${LINUX}`, "-C", path, "fd-bridge"], { cwd: path });
  await made.sum();
  await made.tool("uname", 'case "$1" in -s) echo Linux ;; *) echo x86_64 ;; esac');
  await made.tool("ldd", 'echo "ldd (GNU libc) 2.36"');
  return made;
}

/** Whether a tool is on this machine; says so where it isn't. */
function isThere(tool: string): boolean {
  try {
    return new Deno.Command(tool, { args: ["--version"], stdout: "null", stderr: "null" })
      .outputSync().success;
  } catch {
    console.warn(`tests/installer_test.ts: ${tool} is not on this machine; a test is left out.`);
    return false;
  }
}

function installerTest(name: string, fn: () => Promise<void>, ignore = false): void {
  Deno.test({ name: `the installer ${name}`, ignore: windows || ignore, fn });
}

async function installed(path: string): Promise<string | undefined> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

installerTest("installs into ~/.local/bin and says what to type next", async () => {
  await using machine = await scene();
  const { code, err } = await machine.install();
  assertEquals(code, 0, err);
  const file = `${machine.home}/.local/bin/fd-bridge`;
  assertEquals(await runQuietly(file, [], { cwd: "/" }), "fd-bridge 9.9.9");
  assertEquals((await Deno.stat(file)).mode! & 0o777, 0o755);
  assertEquals(machine.asked, ["SHA256SUMS", LINUX]);
  assertStringIncludes(err, `export PATH="${machine.home}/.local/bin:$PATH"`);
  assertStringIncludes(err, `${file} --demo`);
});

installerTest("installs into another folder, and is short where that is in the PATH", async () => {
  await using machine = await scene();
  const folder = `${machine.home}/my programs`;
  const env = { FD_BRIDGE_INSTALL_DIR: folder, PATH: `${machine.tools}:${folder}` };
  const { code, err } = await machine.install(env);
  assertEquals(code, 0, err);
  assert(await installed(`${folder}/fd-bridge`));
  assert(!err.includes("export PATH"), err);
  assertStringIncludes(err, "  fd-bridge --demo\n");
});

installerTest("upgrades in one step: the old program stays whole for whoever runs it", async () => {
  await using machine = await scene();
  const file = `${machine.home}/.local/bin/fd-bridge`;
  await Deno.mkdir(file.replace(/[^/]*$/, ""), { recursive: true });
  await Deno.writeTextFile(file, "the old one");
  using old = await Deno.open(file);
  const { code, err } = await machine.install();
  assertEquals(code, 0, err);
  assertStringIncludes(await installed(file) ?? "", "9.9.9");
  assertEquals(await new Response(old.readable).text(), "the old one");
});

installerTest("installs nothing whose checksum is another", async () => {
  await using machine = await scene();
  await Deno.writeTextFile(`${machine.release}/${LINUX}`, "something else", { append: true });
  const { code, err } = await machine.install();
  assertEquals(code, 1);
  assertMatch(
    err,
    /is not the file of the release:\n {2}expected SHA-256 \w{64}\n {2}found {12}\w{64}/,
  );
  assertEquals(await installed(`${machine.home}/.local/bin/fd-bridge`), undefined);
});

installerTest("verifies with whichever tool the machine has", async () => {
  for (const tool of ["shasum", "openssl"]) {
    await using machine = await scene();
    const real = await Deno.realPath(`${machine.tools}/sha256sum`);
    await machine.tool("sha256sum", undefined);
    await machine.tool(tool, `for last; do :; done; echo "${tool} $*" >&2; exec ${real} "$last"`);
    const { code, err } = await machine.install();
    assertEquals(code, 0, err);
    assertMatch(err, tool === "shasum" ? /shasum -a 256 / : /openssl dgst -sha256 -r /);
  }
  await using machine = await scene();
  await machine.tool("sha256sum", undefined);
  const { code, err } = await machine.install();
  assertEquals(code, 1, "a download that can't be verified is not installed");
  assertStringIncludes(err, "is needed to verify");
}, !isThere("sha256sum"));

installerTest("says which file of a release is missing", async () => {
  await using machine = await scene();
  await Deno.remove(`${machine.release}/${LINUX}`);
  const gone = await machine.install();
  assertEquals(gone.code, 1);
  assertMatch(gone.err, new RegExp(`/${LINUX} could not be downloaded`));

  await Deno.writeTextFile(`${machine.release}/${LINUX}`, "x");
  await Deno.writeTextFile(`${machine.release}/SHA256SUMS`, `${"0".repeat(64)}  another.tar.gz\n`);
  const unnamed = await machine.install();
  assertEquals(unnamed.code, 1);
  assertStringIncludes(unnamed.err, `SHA256SUMS does not name ${LINUX}`);

  await Deno.remove(`${machine.release}/SHA256SUMS`);
  const none = await machine.install();
  assertEquals(none.code, 1);
  assertStringIncludes(none.err, "SHA256SUMS could not be downloaded");
});

installerTest("takes the archive of the system and processor", async () => {
  const archives: Record<string, string> = {
    "Darwin arm64": "aarch64-apple-darwin",
    "Darwin x86_64": "x86_64-apple-darwin",
    "Linux aarch64": "aarch64-unknown-linux-gnu",
    "Linux amd64": "x86_64-unknown-linux-gnu",
  };
  for (const [system, target] of Object.entries(archives)) {
    await using machine = await scene();
    const [name, processor] = system.split(" ");
    await machine.tool("uname", `case "$1" in -s) echo ${name} ;; *) echo ${processor} ;; esac`);
    await machine.tool("sysctl", "echo 0");
    await machine.install();
    assertEquals(machine.asked.at(-1), `fd-bridge-${target}.tar.gz`);
  }
  await using machine = await scene();
  await machine.tool("uname", 'case "$1" in -s) echo Darwin ;; *) echo x86_64 ;; esac');
  await machine.tool("sysctl", '[ "$2" = hw.optional.arm64 ] && echo 1');
  await machine.install();
  assertEquals(machine.asked.at(-1), "fd-bridge-aarch64-apple-darwin.tar.gz", "under Rosetta");
});

installerTest(
  "says on which systems there is no program, before it downloads anything",
  async () => {
    const refusals: Record<string, RegExp> = {
      "FreeBSD amd64": /no fd-bridge for FreeBSD/,
      "Linux riscv64": /no fd-bridge for riscv64/,
      "MINGW64_NT-10.0 x86_64": /on Windows download fd-bridge-x86_64-pc-windows-msvc\.zip/,
    };
    for (const [system, words] of Object.entries(refusals)) {
      await using machine = await scene();
      const [name, processor] = system.split(" ");
      await machine.tool("uname", `case "$1" in -s) echo ${name} ;; *) echo ${processor} ;; esac`);
      const { code, err } = await machine.install();
      assertEquals(code, 1);
      assertMatch(err, words);
      assertEquals(machine.asked, []);
    }
    await using machine = await scene();
    await machine.tool("ldd", 'echo "musl libc (x86_64)" >&2; exit 1');
    const { code, err } = await machine.install();
    assertEquals(code, 1);
    assertStringIncludes(err, "musl");
  },
);

installerTest("says that a folder can't be written to, before it downloads anything", async () => {
  await using machine = await scene();
  await Deno.writeTextFile(`${machine.home}/file`, "");
  // A folder below a file: nobody can make it, root neither.
  const { code, err } = await machine.install({
    FD_BRIDGE_INSTALL_DIR: `${machine.home}/file/bin`,
  });
  assertEquals(code, 1);
  assertStringIncludes(err, `${machine.home}/file/bin can't be written to`);
  assertEquals(machine.asked, []);
});

installerTest("leaves a folder alone that is another's", async () => {
  await using machine = await scene();
  const folder = `${machine.home}/theirs`;
  await Deno.mkdir(folder, { mode: 0o555 });
  const { code, err } = await machine.install({ FD_BRIDGE_INSTALL_DIR: folder });
  assertEquals(code, 1);
  assertStringIncludes(err, "can't be written to");
}, Deno.build.os !== "windows" && Deno.uid() === 0);

installerTest("installs no program that doesn't run here", async () => {
  await using machine = await scene("#!/bin/sh\nexit 127\n");
  const { code, err } = await machine.install();
  assertEquals(code, 1);
  assertStringIncludes(err, "does not run on this machine");
  assertEquals(await installed(`${machine.home}/.local/bin/fd-bridge`), undefined);
});

installerTest(
  "downloads from GitHub with HTTPS alone, the latest release or the one that is named",
  async () => {
    await using machine = await scene();
    await machine.tool("curl", 'echo "curl $*" >&2; exit 22');
    const latest = await machine.install({ FD_BRIDGE_BASE_URL: "" });
    assertEquals(latest.code, 1);
    assertStringIncludes(
      latest.err,
      `https://github.com/${REPOSITORY}/releases/latest/download/SHA256SUMS`,
    );
    assertStringIncludes(latest.err, "--proto =https --tlsv1.2");
    const word = await machine.install({ FD_BRIDGE_BASE_URL: "", FD_BRIDGE_VERSION: "latest" });
    const withoutFolder = (err: string) => err.replace(/tmp\.\w+/g, "");
    assertEquals(withoutFolder(word.err), withoutFolder(latest.err));
    for (const version of ["1.2.3", "v1.2.3"]) {
      const env = { FD_BRIDGE_BASE_URL: "", FD_BRIDGE_VERSION: version };
      const named = await machine.install(env);
      assertStringIncludes(named.err, `/${REPOSITORY}/releases/download/v1.2.3/SHA256SUMS`);
    }
    const plain = await machine.install({ FD_BRIDGE_BASE_URL: "http://mirror.example" });
    assertEquals(plain.code, 1);
    assertStringIncludes(plain.err, "expected an address that begins with https://");
  },
);

installerTest("takes wget where there is no curl, and says that it needs one of them", async () => {
  await using machine = await scene();
  await machine.tool("curl", undefined);
  await machine.tool("wget", 'shift; cp "$RELEASE/${3##*/}" "$2"');
  const { code, err } = await machine.install({ RELEASE: machine.release });
  assertEquals(code, 0, err);
  await machine.tool("wget", undefined);
  const neither = await machine.install();
  assertEquals(neither.code, 1);
  assertStringIncludes(neither.err, "curl or wget is needed");
});

installerTest("does nothing at all when its own download breaks off", async () => {
  await using machine = await scene();
  const lines = SCRIPT.split("\n");
  for (const part of [0.3, 0.6, 0.9]) {
    const half = lines.slice(0, Math.floor(lines.length * part)).join("\n");
    await machine.install({}, half);
  }
  await machine.install({}, SCRIPT.slice(0, SCRIPT.lastIndexOf('main "$@"')));
  assertEquals(machine.asked, []);
  assertEquals(await installed(`${machine.home}/.local/bin/fd-bridge`), undefined);
});

installerTest("says which file of the user's shell puts the folder into the PATH", async () => {
  await using machine = await scene();
  const folder = `${machine.home}/.local/bin`;
  const line = (file: string) => `echo 'export PATH="${folder}:$PATH"' >> ${file}\n`;
  const hints: [shell: string, hint: string][] = [
    ["/bin/zsh", line("~/.zshrc")],
    ["/usr/bin/bash", line("~/.bashrc")],
    ["/usr/bin/fish", `fish_add_path "${folder}"\n`],
    ["/bin/sh", line("~/.profile")],
    ["", line("~/.profile")],
  ];
  for (const [SHELL, hint] of hints) {
    const { code, err } = await machine.install({ SHELL });
    assertEquals(code, 0, err);
    assertStringIncludes(err, `  ${hint}`);
  }
  await Deno.rename(
    `${machine.release}/${LINUX}`,
    `${machine.release}/fd-bridge-aarch64-apple-darwin.tar.gz`,
  );
  await machine.sum();
  await machine.tool("uname", 'case "$1" in -s) echo Darwin ;; *) echo arm64 ;; esac');
  const { code, err } = await machine.install({ SHELL: "/bin/bash" });
  assertEquals(code, 0, err);
  assertStringIncludes(err, line("~/.bash_profile"));
});

installerTest("refuses a glibc that is too old, and tries one that it can't tell", async () => {
  const old = ["ldd (GNU libc) 2.17", "ldd (Ubuntu GLIBC 2.23-0ubuntu11) 2.23", "ldd (x) 1.99"];
  for (const line of old) {
    await using machine = await scene();
    await machine.tool("ldd", `echo "${line}"`);
    const { code, err } = await machine.install();
    assertEquals(code, 1, line);
    assertMatch(err, /has glibc [\d.]+; the program needs 2\.27 or newer/);
    assertEquals(machine.asked, []);
  }
  const fine = ["ldd (GNU libc) 2.27", "ldd (Debian GLIBC 2.41-12) 2.41", "ldd (x) 3.1", "what?"];
  for (const line of fine) {
    await using machine = await scene();
    await machine.tool("ldd", `echo "${line}"`);
    const { code, err } = await machine.install();
    assertEquals(code, 0, line + err);
  }
});

for (const shell of ["dash", "bash"]) {
  installerTest(`works under ${shell}`, async () => {
    await using machine = await scene();
    const { code, err } = await machine.install({ SHELL: "/bin/zsh" }, SCRIPT, `/bin/${shell}`);
    assertEquals(code, 0, err);
    assertStringIncludes(err, "~/.zshrc");
  }, !await Deno.stat(`/bin/${shell}`).then(() => true, () => false));
}

installerTest("draws curl's bar in a terminal, and is quiet elsewhere", async () => {
  await using machine = await scene();
  await machine.tool(
    "curl",
    `echo "curl $*" >&2; exec ${await Deno.realPath("/usr/bin/curl")} "$@"`,
  );
  const { err } = await machine.install();
  assert(!err.includes("--progress-bar"), err);
  await Deno.writeTextFile(`${machine.home}/install.sh`, SCRIPT);
  const { base } = machine;
  const { stdout } = await new Deno.Command("/usr/bin/script", {
    args: ["-qec", `sh ${machine.home}/install.sh`, "/dev/null"],
    clearEnv: true,
    env: { PATH: machine.tools, HOME: machine.home, SHELL: "/bin/sh", FD_BRIDGE_BASE_URL: base },
    stdin: "null",
  }).output();
  const out = new TextDecoder().decode(stdout);
  assertEquals(out.match(/^curl .*--progress-bar.*$/gm)?.length, 1, out);
  assertMatch(out, /--progress-bar.*\.tar\.gz/);
}, Deno.build.os !== "linux" || !isThere("script") || !isThere("curl"));

installerTest("pleases shellcheck", async () => {
  await runQuietly("shellcheck", ["--shell=sh", "scripts/install.sh"], { cwd: ROOT });
}, !isThere("shellcheck"));

installerTest("brings a first-time user to the demo's answer with two commands", async () => {
  await using machine = await scene();
  // As quick as it goes: the program is 90 MB.
  await Deno.copyFile(BINARY!, `${machine.home}/fd-bridge`);
  const words = ["--use-compress-program=gzip -1", "-cf", `${machine.release}/${LINUX}`];
  await runQuietly("tar", [...words, "fd-bridge"], { cwd: machine.home });
  await machine.sum();
  // The first command.
  const { code, err } = await machine.install();
  assertEquals(code, 0, err);
  // The second, as the installer says it; it listens, and whoever asks gets an answer.
  const [, command, flag] = /without an account: {2}(\S+) (--demo)\n/.exec(err) ?? [];
  const child = new Deno.Command(command, {
    args: [flag, "--port", "0"],
    cwd: machine.home,
    env: { HOME: machine.home, NO_COLOR: "1" },
    stdout: "null",
    stderr: "piped",
  }).spawn();
  let said = "";
  for await (const piece of child.stderr.pipeThrough(new TextDecoderStream())) {
    said += piece;
    const url = /listening\s+(http:\S+)\s/.exec(said)?.[1];
    if (url === undefined) continue;
    const response = await fetch(`${url}/v1/chat/completions`, {
      method: "POST",
      headers: { authorization: "Bearer any-word", "content-type": "application/json" },
      body: JSON.stringify({
        model: "databricks-claude-sonnet-5",
        stream: true,
        messages: [{ role: "user", content: "Hello" }],
      }),
    });
    const verdict = readAsForge(await response.bytes(), {
      status: response.status,
      contentType: response.headers.get("content-type"),
    });
    assertEquals(verdict.outcome, "done", verdict.message);
    break;
  }
  try {
    child.kill("SIGTERM");
  } catch {
    // It ended by itself, and the address never came.
  }
  await child.status;
  assertStringIncludes(said, "listening");
}, BINARY === undefined || Deno.build.target !== "x86_64-unknown-linux-gnu");
