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
  /** JSR's packages with their versions. */
  readonly jsr: Readonly<Record<string, LockedPackage>>;
  /** npm's packages with their versions, and those of the peers that they were resolved with. */
  readonly npm?: Readonly<Record<string, LockedPackage>>;
}

/** What the lock file knows of a package. */
export interface LockedPackage {
  /** JSR: a SHA-256 in hexadecimal. npm: `sha512-` and Base64. */
  readonly integrity: string;
  /** What it needs. */
  readonly dependencies?: readonly string[];
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
  /** The packages that the program imports: `jsr:@std/cli@1.0.28`, `npm:undici@7.30.2`. */
  readonly packages: readonly string[];
  /** The lock file. */
  readonly lock: LockFile;
}

/** A package in the lock file: where it comes from, and its key there. */
interface Locked {
  readonly registry: "jsr" | "npm";
  /** Such as `@std/cli@1.0.28`; npm's may name peers behind an underscore. */
  readonly key: string;
}

/** Licenses of npm's packages, which the lock file doesn't have. JSR's `@std` is MIT. */
const NPM_LICENSES: readonly { readonly name: RegExp; readonly id: string }[] = [
  { name: /^@opentelemetry\//, id: "Apache-2.0" },
  { name: /^ini$/, id: "ISC" },
  { name: /(?:)/, id: "MIT" },
];

/** Name and version, without the peers that npm's keys name. */
function plain({ registry, key }: Locked): { ref: string; name: string; version: string } {
  const [, name, version] = /^(@?[^@]+)@([^_]+)/.exec(key)!;
  return { ref: `${registry}:${name}@${version}`, name, version };
}

function entryOf({ registry, key }: Locked, lock: LockFile): LockedPackage {
  const entry = lock[registry]?.[key];
  if (!entry) throw new TypeError(`deno.lock has no package ${registry}:${key}.`);
  return entry;
}

/** The package that a specifier leads to: `jsr:@std/cli@^1.0.28`, `npm:undici@7.30.2`. */
function resolve(specifier: string, lock: LockFile): Locked {
  const registry = specifier.startsWith("npm:") ? "npm" : "jsr";
  const name = specifier.replace(/^(jsr|npm):/, "").replace(/(?<=.)@.*$/, "");
  // A dependency's range is left out where only one version of it is there.
  const version = lock.specifiers[specifier] ??
    Object.entries(lock.specifiers).find(([key]) => key.startsWith(`${registry}:${name}@`))?.[1];
  if (version === undefined) throw new TypeError(`deno.lock resolves no ${specifier}.`);
  return { registry, key: `${name}@${version}` };
}

/** What a package needs. */
function dependenciesOf(locked: Locked, lock: LockFile): Locked[] {
  return (entryOf(locked, lock).dependencies ?? []).map((dependency) => {
    if (locked.registry === "jsr") return resolve(dependency, lock);
    const key = Object.keys(lock.npm ?? {}).find((key) =>
      key === dependency || key.startsWith(`${dependency}@`)
    );
    if (key === undefined) throw new TypeError(`deno.lock has no package npm:${dependency}.`);
    return { registry: "npm", key };
  });
}

/** The packages and all that they need, by their references. */
function closure(roots: readonly string[], lock: LockFile): Map<string, Locked> {
  const found = new Map<string, Locked>();
  const visit = (locked: Locked) => {
    const { ref } = plain(locked);
    if (found.has(ref)) return;
    found.set(ref, locked);
    for (const dependency of dependenciesOf(locked, lock)) visit(dependency);
  };
  for (const root of roots) visit(resolve(root, lock));
  return new Map([...found].sort(([one], [other]) => one < other ? -1 : 1));
}

function packageComponent(locked: Locked, lock: LockFile): Record<string, unknown> {
  const { ref, name, version } = plain(locked);
  const { integrity } = entryOf(locked, lock);
  const [group, short] = name.includes("/") ? name.split("/") : [undefined, name];
  const npm = locked.registry === "npm";
  const hash = npm
    ? { alg: "SHA-512", content: hexOf(integrity.replace(/^sha512-/, "")) }
    : { alg: "SHA-256", content: integrity };
  return {
    type: "library",
    "bom-ref": ref,
    ...(group ? { group } : {}),
    name: short,
    version,
    scope: "required",
    licenses: [{
      license: { id: npm ? NPM_LICENSES.find((row) => row.name.test(name))!.id : "MIT" },
    }],
    ...(npm ? { purl: `pkg:npm/${name.replace("@", "%40")}@${version}` } : {}),
    externalReferences: [{
      type: "distribution",
      url: ref,
      comment: npm
        ? "The hash is of the package's archive."
        : "The hash is of the package's manifest, which names the hash of each of its files.",
      hashes: [hash],
    }],
  };
}

function hexOf(base64: string): string {
  return [...atob(base64)].map((byte) => byte.charCodeAt(0).toString(16).padStart(2, "0")).join("");
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
 *   deno: "2.8.2",
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
      ...[...all.values()].map((locked) => packageComponent(locked, lock)),
    ],
    dependencies: [
      { ref: program, dependsOn: [runtime, ...[...packages].sort()] },
      { ref: runtime, dependsOn: [] },
      ...[...all].map(([ref, locked]) => ({
        ref,
        dependsOn: dependenciesOf(locked, lock).map((dependency) => plain(dependency).ref).sort(),
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
