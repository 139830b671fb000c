/**
 * The software bill of materials of a release, in CycloneDX 1.6: what is in the program beside the
 * project's own code, from `deno.json` and `deno.lock`.
 *
 * @module
 */
import { DESCRIPTION, HOMEPAGE, PROGRAM } from "../project.ts";
import { sha256 } from "./checksums.ts";

/** The part of `deno.lock` that is read. */
export interface LockFile {
  /** Specifier → version: `jsr:@std/cli@^1.0.28` → `1.0.28`. */
  readonly specifiers: Readonly<Record<string, string>>;
  /** Package with its version → what is known of it. */
  readonly jsr: Readonly<
    Record<string, { readonly integrity: string; readonly dependencies?: readonly string[] }>
  >;
}

/** What a bill is written from. */
export interface BillOptions {
  /** The program's version. */
  readonly version: string;
  /** The commit's name. */
  readonly commit: string;
  /** The time that the bill bears, in seconds since 1970. */
  readonly time: number;
  /** The version of Deno whose runtime is in the program. */
  readonly deno: string;
  /** The packages that the program imports, with their versions: `@std/cli@1.0.28`. */
  readonly packages: readonly string[];
  /** The lock file. */
  readonly lock: LockFile;
}

/** One package of JSR with all that it needs. */
function closure(roots: readonly string[], lock: LockFile): string[] {
  const found = new Set<string>();
  const visit = (name: string) => {
    if (found.has(name)) return;
    const entry = lock.jsr[name];
    if (!entry) throw new TypeError(`deno.lock has no package ${name}.`);
    found.add(name);
    for (const specifier of entry.dependencies ?? []) visit(resolve(specifier, lock));
  };
  for (const root of roots) visit(root);
  return [...found].sort();
}

/** The lock file leaves a dependency's range out where only one version of it is there. */
function resolve(specifier: string, lock: LockFile): string {
  const bare = specifier.replace(/^jsr:/, "");
  const name = bare.replace(/(?<=.)@.*$/, "");
  const version = lock.specifiers[specifier] ??
    Object.entries(lock.specifiers).find(([key]) => key.startsWith(`jsr:${name}@`))?.[1];
  if (version === undefined) throw new TypeError(`deno.lock resolves no ${specifier}.`);
  return `${name}@${version}`;
}

function packageComponent(name: string, lock: LockFile): Record<string, unknown> {
  const at = name.lastIndexOf("@");
  const [group, short] = name.slice(0, at).split("/");
  return {
    type: "library",
    "bom-ref": `jsr:${name}`,
    group,
    name: short,
    version: name.slice(at + 1),
    scope: "required",
    licenses: [{ license: { id: "MIT" } }],
    externalReferences: [{
      type: "distribution",
      url: `jsr:${name}`,
      comment: "The hash is of the package's manifest, which names the hash of each of its files.",
      hashes: [{ alg: "SHA-256", content: lock.jsr[name].integrity }],
    }],
  };
}

/**
 * Writes the bill. The same release gives the same text.
 *
 * @example Usage
 * ```ts
 * import { billOfMaterials } from "./sbom.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const text = await billOfMaterials({
 *   version: "1.2.3",
 *   commit: "0123456789ab",
 *   time: 1_700_000_000,
 *   deno: "2.9.6",
 *   packages: [],
 *   lock: { specifiers: {}, jsr: {} },
 * });
 * assertEquals(JSON.parse(text).components.length, 1);
 * ```
 *
 * @param options The program, its runtime and its packages.
 * @returns JSON, with a newline at its end.
 * @throws {TypeError} If the lock file lacks a package.
 */
export async function billOfMaterials(options: BillOptions): Promise<string> {
  const { version, commit, time, deno, packages, lock } = options;
  const all = closure(packages, lock);
  const runtime = `pkg:github/denoland/deno@v${deno}`;
  const program = `${PROGRAM}@${version}`;
  const bill = {
    bomFormat: "CycloneDX",
    specVersion: "1.6",
    serialNumber: "",
    version: 1,
    metadata: {
      timestamp: new Date(time * 1000).toISOString(),
      component: {
        type: "application",
        "bom-ref": program,
        name: PROGRAM,
        version,
        description: DESCRIPTION,
        licenses: [{ license: { id: "MIT" } }],
        externalReferences: [{ type: "vcs", url: HOMEPAGE, comment: `commit ${commit}` }],
      },
    },
    components: [
      {
        type: "platform",
        "bom-ref": runtime,
        name: "deno",
        version: deno,
        description: "The runtime in the program, with V8 and its other parts.",
        scope: "required",
        licenses: [{ license: { id: "MIT" } }],
        purl: runtime,
      },
      ...all.map((name) => packageComponent(name, lock)),
    ],
    dependencies: [
      { ref: program, dependsOn: [runtime, ...[...packages].sort().map((name) => `jsr:${name}`)] },
      { ref: runtime, dependsOn: [] },
      ...all.map((name) => ({
        ref: `jsr:${name}`,
        dependsOn: (lock.jsr[name].dependencies ?? [])
          .map((specifier) => `jsr:${resolve(specifier, lock)}`).sort(),
      })),
    ],
  };
  // A serial number that follows from the contents: the same bill, the same number.
  const digest = await sha256(new TextEncoder().encode(JSON.stringify(bill)));
  const variant = "89ab"[parseInt(digest[16], 16) % 4];
  const digits = `${digest.slice(0, 12)}8${digest.slice(13, 16)}${variant}${digest.slice(17, 32)}`;
  const uuid = digits.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
  bill.serialNumber = `urn:uuid:${uuid}`;
  return JSON.stringify(bill, null, 2) + "\n";
}
