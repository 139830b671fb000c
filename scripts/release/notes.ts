/**
 * The notes of a release: what `CHANGELOG.md` says about its version.
 *
 * @module
 */

/**
 * Takes a version's part out of the text of `CHANGELOG.md`: from its heading, `## 1.2.3` with or without
 * brackets and a date, to the next one.
 *
 * @example Usage
 * ```ts
 * import { releaseNotes } from "./notes.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const text = "# Changelog\n\n## 1.2.3 (2026-01-02)\n\n- New.\n\n## 1.2.2\n\n- Old.\n";
 * assertEquals(releaseNotes(text, "1.2.3"), "- New.\n");
 * ```
 *
 * @param changelog The file's text.
 * @param version The version, without a "v".
 * @param final Whether the heading must not say "not released" any more. @default {false}
 * @returns The part, without its heading.
 * @throws {TypeError} If there is none, or nothing in it, or it is not final.
 */
export function releaseNotes(changelog: string, version: string, final = false): string {
  const lines = changelog.split("\n");
  const titleOf = (line: string) => /^## \[?v?([^\]\s]+)/.exec(line)?.[1];
  const start = lines.findIndex((line) => titleOf(line) === version);
  if (start < 0) throw new TypeError(`CHANGELOG.md has no heading "## ${version}".`);
  if (final && /not released/i.test(lines[start])) {
    throw new TypeError(`CHANGELOG.md still says "${lines[start]}": write the date there.`);
  }
  const rest = lines.slice(start + 1);
  const end = rest.findIndex((line) => line.startsWith("## "));
  const notes = rest.slice(0, end < 0 ? undefined : end).join("\n").trim();
  if (notes === "") throw new TypeError(`CHANGELOG.md says nothing under "## ${version}".`);
  return `${notes}\n`;
}
