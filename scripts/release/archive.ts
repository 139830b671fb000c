/**
 * The archives of a release. The same files give the same bytes: in order, with one time, one owner and
 * fixed modes.
 *
 * @module
 */
import { runQuietly, ToolError } from "../compile/run_quietly.ts";

/** A file to put into an archive. */
export interface Member {
  /** Its name there. */
  readonly name: string;
  /** Where it is now. */
  readonly source: string;
  /** Whether it is a program. */
  readonly executable: boolean;
}

/**
 * Writes an archive: a zip where the name ends so, else a tar.gz. Uses GNU tar and gzip, or Info-ZIP.
 *
 * @example Usage
 * ```ts
 * import { writeArchive } from "./archive.ts";
 * import { assert } from "@std/assert";
 *
 * const folder = await Deno.makeTempDir();
 * await Deno.writeTextFile(`${folder}/a.txt`, "a");
 * const member = { name: "a.txt", source: `${folder}/a.txt`, executable: false };
 * if (Deno.build.os === "linux") {
 *   await writeArchive(`${folder}/a.tar.gz`, [member], 1_700_000_000);
 *   assert((await Deno.stat(`${folder}/a.tar.gz`)).size > 0);
 * }
 * await Deno.remove(folder, { recursive: true });
 * ```
 *
 * @param output The archive; one that is there is replaced.
 * @param members What goes in.
 * @param time The time that all of them bear, in seconds since 1970.
 * @throws {ToolError} If a tool is missing or fails.
 */
export async function writeArchive(
  output: string,
  members: readonly Member[],
  time: number,
): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "fd-bridge-archive-" });
  try {
    const sorted = [...members].sort((a, b) => a.name < b.name ? -1 : 1);
    for (const { name, source, executable } of sorted) {
      await Deno.copyFile(source, `${folder}/${name}`);
      await Deno.chmod(`${folder}/${name}`, executable ? 0o755 : 0o644);
      await Deno.utime(`${folder}/${name}`, time, time);
    }
    const names = sorted.map(({ name }) => name);
    const write = output.endsWith(".zip") ? zip : tar;
    const finished = await write(folder, names, time);
    await Deno.copyFile(finished, output);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function tar(folder: string, names: string[], time: number): Promise<string> {
  const version = await runQuietly("tar", ["--version"], { cwd: folder });
  if (!version.includes("GNU tar")) {
    throw new ToolError("GNU tar is needed; this machine's tar is another one.");
  }
  const options = ["--format=ustar", "--owner=0", "--group=0", "--numeric-owner"];
  await runQuietly(
    "tar",
    ["--create", "--file=archive.tar", ...options, `--mtime=@${time}`, ...names],
    { cwd: folder },
  );
  // Without the name and time that gzip would keep.
  await runQuietly("gzip", ["--no-name", "--best", "archive.tar"], { cwd: folder });
  return `${folder}/archive.tar.gz`;
}

async function zip(folder: string, names: string[]): Promise<string> {
  // A zip's times are local ones; -X leaves out users, and the further times that the system knows.
  await runQuietly("zip", ["-q", "-X", "-9", "archive.zip", ...names], {
    cwd: folder,
    env: { TZ: "UTC" },
  });
  return `${folder}/archive.zip`;
}
