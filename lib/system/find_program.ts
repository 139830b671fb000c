/**
 * Where a program is: the folders of the `PATH`, one after the other.
 *
 * @module
 */

import type { Machine, System } from "./system.ts";

/** What is needed to look. */
export type ProgramPlace = Pick<System, "os" | "variable"> & {
  readonly machine: Pick<Machine, "files">;
};

/** What a program's file may end with on Windows. */
const WINDOWS_ENDINGS = [".exe", ".cmd"];

/**
 * The first file of a name on the `PATH`.
 *
 * @param name The program, as one types it.
 * @param place The machine.
 * @returns Its path; undefined where there is none.
 */
export async function findProgram(
  name: string,
  { os, variable, machine }: ProgramPlace,
): Promise<string | undefined> {
  const windows = os === "windows";
  const folders = (variable("PATH") ?? "").split(windows ? ";" : ":");
  for (const folder of folders.filter(Boolean)) {
    for (const ending of windows ? WINDOWS_ENDINGS : [""]) {
      const path = `${folder}${windows ? "\\" : "/"}${name}${ending}`;
      // A folder of the PATH that can't be read has no program that can be run.
      if (await machine.files.realPath(path).catch(() => undefined)) return path;
    }
  }
  return undefined;
}
