/**
 * Which program this is: version, runtime, target and commit, for `--version` and for bug reports.
 *
 * @module
 */

/** `scripts/compile.ts` puts the commit in this text's place; a program that runs from source keeps it. */
const COMMIT: string = "{{commit}}";

/**
 * The line that `fd-bridge --version` prints.
 *
 * @param version The program's version, from `deno.json`.
 * @param commit The commit that it was built from. @default {what the build wrote into the program}
 * @returns Version, Deno's version, the target it was built for, and the commit, `from source` for a
 * program that was not built.
 *
 * @example
 * ```ts
 * import { versionText } from "./version.ts";
 *
 * const line = versionText("1.2.3", "0123456789ab");
 * if (!line.startsWith("fd-bridge 1.2.3 (Deno ")) throw new Error(line);
 * if (!line.endsWith(", commit 0123456789ab)")) throw new Error(line);
 * ```
 */
export function versionText(version: string, commit: string = COMMIT): string {
  // Not compared with the text itself, which the build would replace here as well.
  const origin = commit.startsWith("{{") ? "from source" : `commit ${commit}`;
  return `fd-bridge ${version} (Deno ${Deno.version.deno}, ${Deno.build.target}, ${origin})`;
}
