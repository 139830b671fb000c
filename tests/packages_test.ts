/** `scripts/packages.ts`: what Scoop and winget read. */
import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import { parse } from "yaml";
import { findTarget, TARGETS } from "../scripts/compile/targets.ts";
import { releaseUrl, ROOT } from "../scripts/project.ts";
import { scoop, winget, WINGET_ID, WINGET_SCHEMA } from "../scripts/packages.ts";

const sumOf = (at: number) => "abcdef"[at].repeat(64);
const SUMS = TARGETS.map(({ archive }, at) => `${sumOf(at)}  ${archive}\n`).join("");
const OPTIONS = { version: "1.2.3", sums: SUMS };
const WINDOWS = findTarget("x86_64-pc-windows-msvc");
const SUM = sumOf(TARGETS.indexOf(WINDOWS));
const URL_OF = `${releaseUrl("1.2.3")}/${WINDOWS.archive}`;

/** The fields that the schemas of winget 1.6.0 require, by kind of manifest. */
const REQUIRED: Readonly<Record<string, readonly string[]>> = {
  version: ["DefaultLocale"],
  installer: ["Installers"],
  defaultLocale: ["PackageLocale", "Publisher", "PackageName", "License", "ShortDescription"],
};
const ALWAYS = ["PackageIdentifier", "PackageVersion", "ManifestType", "ManifestVersion"];

Deno.test("scoop() has what Scoop requires, and the archive with its checksum", () => {
  const manifest = JSON.parse(scoop(OPTIONS));
  for (const field of ["version", "homepage", "license"]) assert(manifest[field], field);
  assertEquals(manifest.architecture, { "64bit": { url: URL_OF, hash: SUM } });
  assertEquals(manifest.bin, WINDOWS.binary);
});

Deno.test("scoop() updates itself to the addresses that the next release has", () => {
  const { autoupdate } = JSON.parse(scoop(OPTIONS));
  const url = autoupdate.architecture["64bit"].url.replace("$version", "1.2.3");
  assertEquals(url, URL_OF);
  assertEquals(
    autoupdate.hash.url.replace("$baseurl", url.replace(/\/[^/]*$/, "")),
    `${releaseUrl("1.2.3")}/SHA256SUMS`,
  );
});

Deno.test("winget() has the fields that each of its schemas requires", () => {
  const files = winget(OPTIONS);
  const kinds = [...files].map(([name, text]) => {
    const manifest = parse(text);
    for (const field of [...ALWAYS, ...REQUIRED[manifest.ManifestType]]) {
      assert(manifest[field], `${name} lacks ${field}`);
    }
    assertEquals(manifest.PackageIdentifier, WINGET_ID);
    assertEquals(manifest.PackageVersion, "1.2.3");
    assertEquals(manifest.ManifestVersion, WINGET_SCHEMA);
    assert(
      text.includes(
        `$schema=https://aka.ms/winget-manifest.${manifest.ManifestType}.${WINGET_SCHEMA}.schema.json`,
      ),
    );
    return manifest.ManifestType;
  });
  assertEquals(kinds, Object.keys(REQUIRED));
  assertEquals([...files.keys()], [
    `${WINGET_ID}.yaml`,
    `${WINGET_ID}.installer.yaml`,
    `${WINGET_ID}.locale.en-US.yaml`,
  ]);
});

Deno.test("winget() keeps to the lengths and forms of its schemas", () => {
  assertMatch(WINGET_ID, /^[^.\s\\/:*?"<>|]{1,32}(\.[^.\s\\/:*?"<>|]{1,32}){1,7}$/);
  const [, installer, locale] = [...winget(OPTIONS).values()].map((text) => parse(text));
  assert(locale.ShortDescription.length >= 3 && locale.ShortDescription.length <= 256);
  assert(locale.Publisher.length >= 2 && locale.PackageName.length >= 2);
  const [file] = installer.Installers;
  assertEquals(file.InstallerUrl, URL_OF);
  assertEquals(file.InstallerSha256, SUM.toUpperCase());
  assertEquals(file.Architecture, "x64");
  assertEquals([installer.InstallerType, installer.NestedInstallerType], ["zip", "portable"]);
  assertEquals(installer.NestedInstallerFiles, [
    { RelativeFilePath: WINDOWS.binary, PortableCommandAlias: "fd-bridge" },
  ]);
});

Deno.test("winget() writes a version that looks like a number as text", () => {
  for (const text of winget({ ...OPTIONS, version: "1.0" }).values()) {
    assertEquals(parse(text).PackageVersion, "1.0");
  }
});

Deno.test("scoop() and winget() refuse a release without the archive for Windows", () => {
  const options = { version: "1.2.3", sums: `${sumOf(0)}  another.zip\n` };
  assertThrows(() => scoop(options), TypeError, WINDOWS.archive);
  assertThrows(() => winget(options), TypeError, WINDOWS.archive);
});

Deno.test("the licence that the manifests name is that of LICENSE", async () => {
  assertMatch(await Deno.readTextFile(`${ROOT}LICENSE`), /^MIT License/);
});
