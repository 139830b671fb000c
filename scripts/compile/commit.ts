/**
 * Which commit a build is made from, and when that was.
 *
 * @module
 */
import { runQuietly, ToolError } from "./run_quietly.ts";

/** A commit, as a build names it. */
export interface Commit {
  /** Twelve digits of its hash, and "-dirty" where files differ from it; "unknown" without git. */
  readonly name: string;
  /** When it was made, in seconds since 1970: every file of a release bears this time. */
  readonly time: number;
}

/** Where nothing tells the time: the first day that a zip archive can name. */
const NO_TIME = Date.UTC(1980, 0, 1) / 1000;

/**
 * Asks git.
 *
 * @example Usage
 * ```ts
 * import { describeCommit } from "./commit.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const folder = await Deno.makeTempDir();
 * assertEquals((await describeCommit(folder)).name, "unknown");
 * await Deno.remove(folder);
 * ```
 *
 * @param root The project's folder.
 * @param epoch The value of `SOURCE_DATE_EPOCH`, which goes before git's time.
 * @returns The commit.
 */
export async function describeCommit(root: string, epoch?: string): Promise<Commit> {
  const forced = epoch !== undefined && /^\d+$/.test(epoch) ? Number(epoch) : undefined;
  // A folder that is only unpacked somewhere inside another project's clone is not of its commit.
  const git = (...args: string[]) =>
    runQuietly("git", ["--no-optional-locks", ...args], {
      cwd: root,
      env: { GIT_CEILING_DIRECTORIES: `${root.replace(/[\\/]$/, "")}/..` },
    });
  try {
    const [hash, time] = (await git("log", "-1", "--format=%H %ct")).split(" ");
    const changed = await git("status", "--porcelain");
    return {
      name: hash.slice(0, 12) + (changed === "" ? "" : "-dirty"),
      time: forced ?? Number(time),
    };
  } catch (error) {
    if (!(error instanceof ToolError)) throw error;
    return { name: "unknown", time: forced ?? NO_TIME };
  }
}
