/**
 * Makes a release in `dist`: `deno task release [--target TARGET]… [--tag v1.2.3]`.
 *
 * It builds the program for every target (or those that are named) and packs each with licence and
 * README; `SHA256SUMS`, a bill of materials, the manifests of package managers and the notes stand beside them. With
 * `--tag` it refuses whatever a real release must not be: of another version than `deno.json` says, of
 * files that are not committed, made with stand-ins, or with notes that are not final.
 *
 * @module
 */
import { parseArgs } from "@std/cli/parse-args";
import { compile, compilingDeno } from "./compile.ts";
import { type Commit, describeCommit } from "./compile/commit.ts";
import { runQuietly, ToolError } from "./compile/run_quietly.ts";
import { findTarget, type Target, TARGETS } from "./compile/targets.ts";
import { formula } from "./formula.ts";
import { scoop, winget } from "./packages.ts";
import { HOMEPAGE, PROGRAM, ROOT } from "./project.ts";
import { writeArchive } from "./release/archive.ts";
import { checksums } from "./release/checksums.ts";
import { releaseNotes } from "./release/notes.ts";
import { billOfMaterials, type LockFile } from "./release/sbom.ts";
import { currentStdSource, type StdSource } from "./std_source.ts";

/** The schema of `models.json`, for editors; its `$id` is its address in the latest release. */
const SCHEMA = "models.schema.json";

/** What stands beside the program in an archive. */
const COMPANIONS = ["LICENSE", "README.md", ".env.example", SCHEMA];

/** The installer, as it is published. */
const INSTALLER = "install.sh";

/** The file of the bill of materials. */
export const BILL = `${PROGRAM}.cdx.json`;

/** System → the variable with the certificate that its programs are signed with, see `sign.sh`. */
const CERTIFICATES: readonly (readonly [system: string, variable: string])[] = [
  ["macOS", "APPLE_CERTIFICATE"],
  ["Windows", "WINDOWS_CERTIFICATE"],
];

/**
 * What the notes say to whoever downloads by browser; empty where every program is signed.
 *
 * @example Usage
 * ```ts
 * import { unsignedNote } from "./release.ts";
 * import { assertEquals, assertStringIncludes } from "@std/assert";
 *
 * assertStringIncludes(unsignedNote(() => undefined), "macOS and Windows are not signed");
 * assertStringIncludes(unsignedNote((name) => name.startsWith("APPLE") ? "p12" : ""), "for Windows");
 * assertEquals(unsignedNote(() => "p12"), "");
 * ```
 *
 * @param variable The environment's variables.
 */
export function unsignedNote(variable: (name: string) => string | undefined): string {
  const unsigned = CERTIFICATES.filter(([, name]) => !variable(name)).map(([system]) => system);
  return unsigned.length === 0 ? "" : `
The programs for ${
    unsigned.join(" and ")
  } are not signed with a developer's certificate, so a browser's
download is asked about once: ${HOMEPAGE}/blob/main/docs/install.md
`;
}

/** A release to be packed. */
export interface ReleaseOptions {
  /** Where its files go; the programs are there already, each in a folder named after its target. */
  readonly folder: string;
  /** The targets. */
  readonly targets: readonly Target[];
  /** The version, without a "v". */
  readonly version: string;
  /** The commit. */
  readonly commit: Commit;
  /** The version of Deno whose runtime is in the programs. */
  readonly deno: string;
  /** Where `@std` came from: the bill lists no package that is not in the program. */
  readonly std: StdSource;
  /** Whether the notes must be final. */
  readonly final: boolean;
}

/**
 * The packages of `deno.json` that the program itself imports, with their versions.
 *
 * @example Usage
 * ```ts
 * import { programPackages } from "./release.ts";
 * import { assert } from "@std/assert";
 *
 * const packages = await programPackages();
 * assert(packages.some((name) => name.startsWith("jsr:@std/cli@")));
 * assert(!packages.some((name) => name.startsWith("jsr:@std/assert@")));
 * ```
 *
 * @returns Such as `jsr:@std/cli@1.0.28`, in order.
 */
export async function programPackages(): Promise<string[]> {
  const { imports } = JSON.parse(await Deno.readTextFile(`${ROOT}deno.json`));
  const found = new Set<string>();
  const read = async (path: string) => {
    const text = (await Deno.readTextFile(path)).replace(/^\s*\*.*$/gm, "");
    for (const [, name] of text.matchAll(/(?:from|import\()\s*"(@[^/"]+\/[^/"]+|[\w-]+)/g)) {
      if (Object.hasOwn(imports, name)) found.add(imports[name]);
    }
  };
  const walk = async (folder: string) => {
    for await (const { name, isDirectory } of Deno.readDir(folder)) {
      if (isDirectory) await walk(`${folder}/${name}`);
      else if (name.endsWith(".ts")) await read(`${folder}/${name}`);
    }
  };
  await read(`${ROOT}main.ts`);
  await walk(`${ROOT}lib`);
  return [...found].sort();
}

/**
 * Packs the programs and writes what belongs to a release: archives, bill of materials, installer,
 * schema, `SHA256SUMS`, notes, the manifests of Scoop and winget, and the formula where all of its
 * archives are there.
 *
 * @param options The release.
 * @returns The names of the files that are to be published.
 * @throws {TypeError} If the notes are missing, or not final where they must be.
 * @throws {ToolError} If a tool is missing.
 */
export async function pack(options: ReleaseOptions): Promise<string[]> {
  const { folder, targets, version, commit, deno, std, final } = options;
  const changelog = await Deno.readTextFile(`${ROOT}CHANGELOG.md`);
  await Deno.writeTextFile(
    `${folder}/NOTES.md`,
    releaseNotes(changelog, version, final) + unsignedNote((name) => Deno.env.get(name)),
  );

  const files: string[] = [];
  for (const { name, binary, archive } of targets) {
    await writeArchive(`${folder}/${archive}`, [
      { name: binary, source: `${folder}/${name}/${binary}`, executable: true },
      ...COMPANIONS.map((file) => ({ name: file, source: ROOT + file, executable: false })),
    ], commit.time);
    files.push(archive);
  }

  const lock: LockFile = JSON.parse(await Deno.readTextFile(`${ROOT}deno.lock`));
  const packages = std === "jsr" ? await programPackages() : [];
  const bill = await billOfMaterials({
    version,
    commit: commit.name,
    time: commit.time,
    deno,
    packages,
    lock,
  });
  await Deno.writeTextFile(`${folder}/${BILL}`, bill);
  files.push(BILL);

  await Deno.copyFile(`${ROOT}scripts/${INSTALLER}`, `${folder}/${INSTALLER}`);
  await Deno.copyFile(ROOT + SCHEMA, `${folder}/${SCHEMA}`);
  files.push(INSTALLER, SCHEMA);

  const sums = await checksums(folder, files);
  await Deno.writeTextFile(`${folder}/SHA256SUMS`, sums);
  if (TARGETS.every(({ name, brew }) => !brew || targets.some((own) => own.name === name))) {
    await Deno.writeTextFile(`${folder}/${PROGRAM}.rb`, formula({ version, sums }));
  }
  files.push("SHA256SUMS");
  if (targets.some(({ name }) => name.includes("windows"))) {
    const manifests = winget({ version, sums }).set(`${PROGRAM}.json`, scoop({ version, sums }));
    for (const [name, text] of manifests) await Deno.writeTextFile(`${folder}/${name}`, text);
    files.push(...manifests.keys());
  }
  return files;
}

/** Says why this can't be the release of a tag. */
function refusal(
  tag: string,
  version: string,
  commit: Commit,
  std: StdSource,
): string | undefined {
  if (tag !== `v${version}`) return `deno.json says version ${version}, the tag is ${tag}.`;
  if (!/^[0-9a-f]+$/.test(commit.name)) {
    return `the files are not those of a commit: ${commit.name}.`;
  }
  if (std !== "jsr") return "@std comes from the stand-ins; a release needs the real packages.";
  return undefined;
}

async function main(args: string[]): Promise<void> {
  const options = parseArgs(args, {
    string: ["target", "tag"],
    collect: ["target"],
    unknown: (word) => {
      throw new TypeError(
        `"${word}" is not understood; usage: deno task release [--target TARGET]… [--tag v1.2.3].`,
      );
    },
  });
  const { version } = JSON.parse(await Deno.readTextFile(`${ROOT}deno.json`));
  const commit = await describeCommit(ROOT, Deno.env.get("SOURCE_DATE_EPOCH"));
  const std = currentStdSource();
  const refused = options.tag && refusal(options.tag, version, commit, std);
  if (refused) throw new TypeError(refused);
  const named = options.target as string[];
  const targets = named.length > 0 ? named.map(findTarget) : TARGETS;

  const folder = `${ROOT}dist`;
  for (const target of targets) {
    const output = `${folder}/${target.name}/${target.binary}`;
    const size = await compile({
      target,
      output,
      commit,
      std,
      deno: compilingDeno(),
      say: (line) => console.error(line),
    });
    console.error(`${target.name}: ${(size / 2 ** 20).toFixed(1)} MiB`);
    console.error(
      (await runQuietly("sh", ["scripts/sign.sh", target.name, output], { cwd: ROOT })).trim(),
    );
  }
  const deno = (await runQuietly(compilingDeno(), ["--version"], { cwd: ROOT }))
    .replace(/^deno (\S+)[^]*$/, "$1");
  const files = await pack({
    folder,
    targets,
    version,
    commit,
    deno,
    std,
    final: options.tag !== undefined,
  });
  for (const name of files) console.log(`dist/${name}`);
}

if (import.meta.main) {
  try {
    await main(Deno.args);
  } catch (error) {
    if (!(error instanceof TypeError) && !(error instanceof ToolError)) throw error;
    console.error(`release: ${error.message}`);
    Deno.exit(1);
  }
}
