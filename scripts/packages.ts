/**
 * The manifests of Windows' package managers, written from the same checksums as the formula:
 *
 * - Scoop: `fd-bridge.json`, which `scoop install ADDRESS` reads from the release itself;
 * - winget: three files, which a pull request to its community repository takes.
 *
 * @module
 */
import { stringify } from "yaml";
import { findTarget } from "./compile/targets.ts";
import { DESCRIPTION, HOMEPAGE, PROGRAM, releaseUrl, REPOSITORY } from "./project.ts";
import { parseChecksums } from "./release/checksums.ts";

/** What the manifests are written from. */
export interface PackageOptions {
  /** The version, without a "v". */
  readonly version: string;
  /** The text of `SHA256SUMS`. */
  readonly sums: string;
}

/** The version of winget's manifest schemas. */
export const WINGET_SCHEMA = "1.6.0";

/** The name in winget: publisher and package. */
export const WINGET_ID: string = REPOSITORY.replace("/", ".");

const WINDOWS = findTarget("x86_64-pc-windows-msvc");

/** Address and checksum of the archive for Windows. */
function windowsArchive({ version, sums }: PackageOptions): { url: string; sum: string } {
  const sum = parseChecksums(sums).get(WINDOWS.archive);
  if (sum === undefined) throw new TypeError(`SHA256SUMS has no ${WINDOWS.archive}.`);
  return { url: `${releaseUrl(version)}/${WINDOWS.archive}`, sum };
}

/**
 * Writes Scoop's manifest.
 *
 * @example Usage
 * ```ts
 * import { TARGETS } from "./compile/targets.ts";
 * import { scoop } from "./packages.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const sums = TARGETS.map(({ archive }) => `${"0".repeat(64)}  ${archive}\n`).join("");
 * assertEquals(JSON.parse(scoop({ version: "1.2.3", sums })).version, "1.2.3");
 * ```
 *
 * @param options Version and checksums.
 * @returns JSON, with a newline at its end.
 * @throws {TypeError} If the checksum of the archive is missing.
 */
export function scoop(options: PackageOptions): string {
  const { url, sum } = windowsArchive(options);
  const latest = `${HOMEPAGE}/releases/download/v$version`;
  const manifest = {
    version: options.version,
    description: DESCRIPTION,
    homepage: HOMEPAGE,
    license: "MIT",
    architecture: { "64bit": { url, hash: sum } },
    bin: WINDOWS.binary,
    notes: `Try it without an account: ${PROGRAM} --demo`,
    checkver: { github: HOMEPAGE },
    autoupdate: {
      architecture: { "64bit": { url: `${latest}/${WINDOWS.archive}` } },
      hash: { url: "$baseurl/SHA256SUMS" },
    },
  };
  return JSON.stringify(manifest, null, 4) + "\n";
}

/**
 * Writes winget's manifests.
 *
 * @example Usage
 * ```ts
 * import { TARGETS } from "./compile/targets.ts";
 * import { winget } from "./packages.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const sums = TARGETS.map(({ archive }) => `${"0".repeat(64)}  ${archive}\n`).join("");
 * assertEquals(winget({ version: "1.2.3", sums }).size, 3);
 * ```
 *
 * @param options Version and checksums.
 * @returns File name → YAML.
 * @throws {TypeError} If the checksum of the archive is missing.
 */
export function winget(options: PackageOptions): Map<string, string> {
  const { url, sum } = windowsArchive(options);
  const [publisher] = REPOSITORY.split("/");
  const kinds = {
    version: { file: "", fields: { DefaultLocale: "en-US" } },
    installer: {
      file: ".installer",
      fields: {
        InstallerType: "zip",
        NestedInstallerType: "portable",
        NestedInstallerFiles: [
          { RelativeFilePath: WINDOWS.binary, PortableCommandAlias: PROGRAM },
        ],
        Commands: [PROGRAM],
        Installers: [
          { Architecture: "x64", InstallerUrl: url, InstallerSha256: sum.toUpperCase() },
        ],
      },
    },
    defaultLocale: {
      file: ".locale.en-US",
      fields: {
        PackageLocale: "en-US",
        Publisher: publisher,
        PublisherUrl: `https://github.com/${publisher}`,
        PublisherSupportUrl: `${HOMEPAGE}/issues`,
        PackageName: PROGRAM,
        PackageUrl: HOMEPAGE,
        License: "MIT",
        LicenseUrl: `${HOMEPAGE}/blob/v${options.version}/LICENSE`,
        ShortDescription: DESCRIPTION,
        ReleaseNotesUrl: `${HOMEPAGE}/releases/tag/v${options.version}`,
      },
    },
  };
  return new Map(
    Object.entries(kinds).map(([kind, { file, fields }]) => {
      const schema = `https://aka.ms/winget-manifest.${kind}.${WINGET_SCHEMA}.schema.json`;
      const text = stringify({
        PackageIdentifier: WINGET_ID,
        // A string, also where it looks like a number.
        PackageVersion: options.version,
        ...fields,
        ManifestType: kind,
        ManifestVersion: WINGET_SCHEMA,
      }, { lineWidth: 0 });
      return [
        `${WINGET_ID}${file}.yaml`,
        `# Written by scripts/packages.ts of ${HOMEPAGE}; changes belong there.\n` +
        `# yaml-language-server: $schema=${schema}\n\n${text}`,
      ];
    }),
  );
}
