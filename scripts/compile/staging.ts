/**
 * A copy of the program's source in a temporary folder, with the commit written into it: the build works
 * there, so that it leaves the project's folder as it was.
 *
 * @module
 */

/** What the program is made of, beside the files of these kinds in the project's folder itself. */
const FOLDERS = ["lib/", "scripts/standins/"];
const KINDS = /\.(ts|json|lock)$/;

/** The text in `lib/commands/version.ts` that the commit takes the place of. */
const PLACE = '"{{commit}}"';

/** A staged copy. */
export interface Staging extends AsyncDisposable {
  /** Its folder, without a slash at the end. */
  readonly path: string;
}

async function copyFolder(from: string, to: string): Promise<void> {
  await Deno.mkdir(to, { recursive: true });
  for await (const { name, isDirectory } of Deno.readDir(from)) {
    if (isDirectory) await copyFolder(`${from}${name}/`, `${to}${name}/`);
    else await Deno.copyFile(`${from}${name}`, `${to}${name}`);
  }
}

/**
 * Writes a commit into the text of `lib/commands/version.ts`.
 *
 * @example Usage
 * ```ts
 * import { stamp } from "./staging.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(stamp('const COMMIT = "{{commit}}";', "abc"), 'const COMMIT = "abc";');
 * ```
 *
 * @param text The file's text.
 * @param commit The commit's name.
 * @returns The text with the commit.
 * @throws {TypeError} Unless there is exactly one place for it.
 */
export function stamp(text: string, commit: string): string {
  const parts = text.split(PLACE);
  if (parts.length !== 2) {
    throw new TypeError(
      `lib/commands/version.ts has ${parts.length - 1} times ${PLACE}; expected once.`,
    );
  }
  return parts.join(JSON.stringify(commit));
}

/**
 * Makes the copy. It is removed at the end of the block that it is used in.
 *
 * @example Usage
 * ```ts
 * import { ROOT } from "../project.ts";
 * import { stage } from "./staging.ts";
 * import { assert } from "@std/assert";
 *
 * await using staging = await stage(ROOT, "0123456789ab");
 * const text = await Deno.readTextFile(`${staging.path}/lib/commands/version.ts`);
 * assert(text.includes("0123456789ab"));
 * ```
 *
 * @param root The project's folder, with a slash at its end.
 * @param commit The commit's name.
 * @returns The copy.
 */
export async function stage(root: string, commit: string): Promise<Staging> {
  const path = await Deno.realPath(await Deno.makeTempDir({ prefix: "fd-bridge-build-" }));
  const dispose = () => Deno.remove(path, { recursive: true });
  try {
    for await (const { name, isFile } of Deno.readDir(root)) {
      if (isFile && KINDS.test(name)) await Deno.copyFile(`${root}${name}`, `${path}/${name}`);
    }
    for (const folder of FOLDERS) await copyFolder(`${root}${folder}`, `${path}/${folder}`);
    const file = `${path}/lib/commands/version.ts`;
    await Deno.writeTextFile(file, stamp(await Deno.readTextFile(file), commit));
  } catch (error) {
    await dispose();
    throw error;
  }
  return { path, [Symbol.asyncDispose]: dispose };
}
