import { assert, assertEquals, assertMatch, assertStringIncludes, assertThrows } from "@std/assert";
import { parse } from "yaml";
import { runQuietly, ToolError } from "../scripts/compile/run_quietly.ts";
import { findTarget, TARGETS } from "../scripts/compile/targets.ts";
import { WINGET_ID } from "../scripts/packages.ts";
import { DESCRIPTION, IMAGE, REPOSITORY, ROOT, TAP_REPOSITORY } from "../scripts/project.ts";
import { BILL, pack, programPackages } from "../scripts/release.ts";
import { checksums, parseChecksums } from "../scripts/release/checksums.ts";
import { releaseNotes } from "../scripts/release/notes.ts";
import { billOfMaterials, type LockFile } from "../scripts/release/sbom.ts";
import { currentStdSource, stdFlags } from "../scripts/std_source.ts";

const { version } = JSON.parse(await Deno.readTextFile(`${ROOT}deno.json`));

/** Whether the tools of a release are on this machine; says so where they aren't. */
async function toolsAreThere(): Promise<boolean> {
  try {
    const tar = await runQuietly("tar", ["--version"], { cwd: ROOT });
    for (const tool of ["zip", "unzip"]) await runQuietly(tool, ["-v"], { cwd: ROOT });
    if (tar.includes("GNU tar")) return true;
  } catch (error) {
    if (!(error instanceof ToolError)) throw error;
  }
  console.warn("tests/release_test.ts: without GNU tar, zip and unzip no archive is tried.");
  return false;
}
const ignore = !await toolsAreThere();

/** A folder with small files in the place of programs, packed. */
async function packed(): Promise<AsyncDisposable & { path: string; files: string[] }> {
  const path = await Deno.makeTempDir({ prefix: "fd-bridge-dist-" });
  for (const { name, binary } of TARGETS) {
    await Deno.mkdir(`${path}/${name}`);
    await Deno.writeTextFile(`${path}/${name}/${binary}`, `the program for ${name}`);
  }
  const files = await pack({
    folder: path,
    targets: TARGETS,
    version,
    commit: { name: "0123456789ab", time: 1_700_000_001 },
    deno: "2.8.2",
    std: "jsr",
    final: false,
  });
  return { path, files, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}

Deno.test({
  name: "pack() makes an archive a target, with licence, README and an example of settings",
  ignore,
  async fn() {
    await using dist = await packed();
    for (const { name, archive, binary } of TARGETS) {
      const out = `${dist.path}/out-${name}`;
      await Deno.mkdir(out);
      await (archive.endsWith(".zip")
        ? runQuietly("unzip", ["-q", `../${archive}`], { cwd: out })
        : runQuietly("tar", ["-xzf", `../${archive}`], { cwd: out }));
      const names = (await Array.fromAsync(Deno.readDir(out))).map(({ name }) => name).sort();
      assertEquals(names, [".env.example", "LICENSE", "README.md", binary, "models.schema.json"]);
      assertEquals(await Deno.readTextFile(`${out}/${binary}`), `the program for ${name}`);
      if (archive.endsWith(".tar.gz")) {
        assertEquals((await Deno.stat(`${out}/${binary}`)).mode! & 0o777, 0o755);
        assertEquals((await Deno.stat(`${out}/LICENSE`)).mtime, new Date(1_700_000_001_000));
      }
    }
  },
});

Deno.test({
  name:
    "pack() gives the same bytes for the same files, at another time and by another user's umask",
  ignore,
  async fn() {
    await using first = await packed();
    const before = Deno.umask(0o077);
    try {
      await using second = await packed();
      const sums = (path: string) => Deno.readTextFile(`${path}/SHA256SUMS`);
      assertEquals(await sums(first.path), await sums(second.path));
    } finally {
      Deno.umask(before);
    }
  },
});

Deno.test({
  name: "pack() writes checksums that sha256sum accepts, of every file that is published",
  ignore,
  async fn() {
    await using dist = await packed();
    const out = await runQuietly("sha256sum", ["--check", "--strict", "SHA256SUMS"], {
      cwd: dist.path,
    });
    assertEquals(out.split("\n").length, TARGETS.length + 3);
    assertEquals(
      [...dist.files].sort(),
      [
        ...TARGETS.map(({ archive }) => archive),
        BILL,
        "install.sh",
        "models.schema.json",
        "SHA256SUMS",
        "fd-bridge.json",
        `${WINGET_ID}.yaml`,
        `${WINGET_ID}.installer.yaml`,
        `${WINGET_ID}.locale.en-US.yaml`,
      ].sort(),
    );
    const names = (await Array.fromAsync(Deno.readDir(dist.path))).map(({ name }) => name);
    assert(names.includes("fd-bridge.rb") && names.includes("NOTES.md"));
    assertStringIncludes(await Deno.readTextFile(`${dist.path}/NOTES.md`), "are not signed");
    assertEquals(
      await Deno.readTextFile(`${dist.path}/install.sh`),
      await Deno.readTextFile(`${ROOT}scripts/install.sh`),
    );
  },
});

Deno.test("checksums() and parseChecksums() are each other's inverse", async () => {
  const folder = await Deno.makeTempDir();
  await Deno.writeTextFile(`${folder}/b`, "b");
  await Deno.writeTextFile(`${folder}/a`, "a");
  const text = await checksums(folder, ["b", "a"]);
  assertEquals([...parseChecksums(text).keys()], ["a", "b"]);
  await Deno.remove(folder, { recursive: true });
  assertThrows(() => parseChecksums("<html>not found</html>\n"), TypeError, "expected");
});

Deno.test("releaseNotes() takes one version's part, and wants it to be there", () => {
  const text = "# Changes\n\n## [2.0.0] - 2026-02-02\n\n- Two\n\n### More\n\n- Yes\n\n" +
    "## 1.0.0 (not released)\n\n- One\n\n## 0.9.0\n";
  assertEquals(releaseNotes(text, "2.0.0", true), "- Two\n\n### More\n\n- Yes\n");
  assertEquals(releaseNotes(text, "1.0.0"), "- One\n");
  assertThrows(() => releaseNotes(text, "1.0.0", true), TypeError, "not released");
  assertThrows(() => releaseNotes(text, "0.9.0"), TypeError, "nothing");
  assertThrows(() => releaseNotes(text, "0.9"), TypeError, "no heading");
});

Deno.test("CHANGELOG.md has notes for the version of deno.json", async () => {
  assert(releaseNotes(await Deno.readTextFile(`${ROOT}CHANGELOG.md`), version).length > 20);
});

Deno.test("billOfMaterials() lists the runtime and each package with all that it needs", async () => {
  const lock: LockFile = JSON.parse(await Deno.readTextFile(`${ROOT}deno.lock`));
  const packages = await programPackages();
  const options = { version, commit: "0123456789ab", time: 1, deno: "2.8.2", packages, lock };
  const text = await billOfMaterials(options);
  assertEquals(text, await billOfMaterials(options), "the same bill twice");
  const bill = JSON.parse(text);
  assertEquals([bill.bomFormat, bill.specVersion], ["CycloneDX", "1.6"]);
  assertMatch(
    bill.serialNumber,
    /^urn:uuid:[\da-f]{8}-[\da-f]{4}-8[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/,
  );
  assertEquals(bill.metadata.timestamp, "1970-01-01T00:00:01.000Z");

  const refs: string[] = bill.components.map((row: Record<string, string>) => row["bom-ref"]);
  assertStringIncludes(refs[0], "deno@v2.8.2");
  for (const name of packages) assert(refs.includes(name), name);
  assert(refs.some((ref) => ref.startsWith("jsr:@std/bytes@")), "what @std/streams needs");
  assert(refs.some((ref) => ref.startsWith("npm:undici@")), "npm's packages, too");
  assert(!refs.some((ref) => /openai|assert|playwright/.test(ref)), "what only tests use");
  assertEquals(new Set(refs).size, refs.length);
  const known = new Set([...refs, bill.metadata.component["bom-ref"]]);
  assertEquals(bill.dependencies.length, known.size);
  for (const { ref, dependsOn } of bill.dependencies) {
    for (const name of [ref, ...dependsOn]) assert(known.has(name), name);
  }
});

Deno.test("release refuses a tag of another version", async () => {
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      ...stdFlags(currentStdSource()),
      "--no-prompt",
      "--allow-read",
      "--allow-env",
      "--allow-run",
      "scripts/release.ts",
      "--tag=v99.0.0",
    ],
    cwd: ROOT,
    env: { NO_COLOR: "1" },
  });
  const { code, stderr } = await child.output();
  assertEquals(code, 1);
  assertStringIncludes(new TextDecoder().decode(stderr), "the tag is v99.0.0");
});

const workflow = await Deno.readTextFile(`${ROOT}.github/workflows/release.yml`);
const installer = await Deno.readTextFile(`${ROOT}scripts/install.sh`);

Deno.test("the workflows pin every action by its full hash, with its version beside it", async () => {
  for await (const { name } of Deno.readDir(`${ROOT}.github/workflows`)) {
    const text = await Deno.readTextFile(`${ROOT}.github/workflows/${name}`);
    const uses = text.split("\n").filter((line) => /^\s*(- )?uses:/.test(line));
    assert(uses.length > 0);
    for (const line of uses) {
      assertMatch(line, /uses: [\w-]+\/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/);
    }
  }
});

Deno.test("the release runs every target on its own system, and no job has more permissions than named", () => {
  for (const { name } of TARGETS) {
    assertEquals(workflow.split(`target: ${name} }`).length, 2, name);
  }
  assertMatch(workflow, /^permissions: \{\}$/m);
  assertEquals(workflow.match(/^ {6}[\w-]+: write$/gm)?.map((line) => line.trim()).sort(), [
    "attestations: write",
    "attestations: write",
    "contents: write",
    "id-token: write",
    "id-token: write",
    "packages: write",
  ]);
});

Deno.test("files that can't import the project's names agree with them", async () => {
  assertStringIncludes(installer, `repository="https://github.com/${REPOSITORY}"`);
  assertStringIncludes(workflow, `github.com/${TAP_REPOSITORY}"`);
  assertStringIncludes(workflow, `image="${IMAGE.replace(REPOSITORY, "$GITHUB_REPOSITORY")}"`);
  assertStringIncludes(workflow, `brew tap ${TAP_REPOSITORY.replace("/homebrew-", "/")}\n`);
  const { name } = JSON.parse(await Deno.readTextFile(`${ROOT}deno.json`));
  assertEquals(name, `@${REPOSITORY}`);
  for (const text of [installer, workflow]) {
    for (const [, owner] of text.matchAll(/github\.com\/([\w-]+\/[\w-]+)/g)) {
      assert([REPOSITORY, TAP_REPOSITORY].includes(owner), owner);
    }
  }
});

Deno.test("the archives that the installer asks for are those of the release", () => {
  for (const { name, brew } of TARGETS) {
    if (!brew) continue;
    const [processor, system] = [name.split("-")[0], name.slice(name.indexOf("-") + 1)];
    assertStringIncludes(installer, `system=${system}\n`);
    assertStringIncludes(installer, `processor=${processor}`);
    assertEquals(findTarget(name).archive, `fd-bridge-${name}.tar.gz`);
  }
});

Deno.test("the published image is the Dockerfile's, with the programs of the release in it", async () => {
  const lines = async (name: string) => {
    const text = await Deno.readTextFile(ROOT + name);
    return text.slice(text.lastIndexOf("\nFROM ") + 1).split("\n")
      .filter((line) => !/^(COPY|ARG) /.test(line));
  };
  assertEquals(await lines("Dockerfile.release"), await lines("Dockerfile"));
  const text = await Deno.readTextFile(`${ROOT}Dockerfile.release`);
  assert(!/^RUN /m.test(text), "what runs while it is built needs an emulator");
  assertMatch(text, /^ARG TARGETARCH\nCOPY --chmod=755 \$\{TARGETARCH\}\/fd-bridge \/fd-bridge$/m);
  assertMatch(text, /^HEALTHCHECK .* CMD \["\/fd-bridge", "healthcheck"\]$/m);
});

Deno.test("the workflow builds the image for both processors, labels it, and attests its digest", () => {
  const { jobs } = parse(workflow);
  const steps: { run?: string; with?: Record<string, unknown> }[] = jobs.container.steps;
  const { run = "" } = steps.find(({ run }) => run?.includes("--push")) ?? {};
  assertStringIncludes(run, "--platform linux/amd64,linux/arm64");
  for (const label of ["source", "version", "revision", "licenses", "title"]) {
    assertMatch(run, new RegExp(`"${label}=`));
  }
  assertStringIncludes(run, `"description=${DESCRIPTION}"`);
  const unpack = steps.find(({ run }) => run?.includes("tar -xzf"))?.run ?? "";
  for (const name of ["x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu"]) {
    assertStringIncludes(unpack, findTarget(name).archive);
  }
  const attested = steps.at(-1)?.with;
  assertEquals(attested?.["push-to-registry"], true);
  assertStringIncludes(String(attested?.["subject-digest"]), "steps.push.outputs.digest");
});
