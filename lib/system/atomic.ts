/**
 * Writes a file so that nobody ever reads half of it: the text goes into a new file beside it, which
 * then takes its name.
 *
 * @module
 */

import { BridgeError } from "../errors.ts";
import type { Files } from "./system.ts";

/**
 * Replaces a file's text, or makes the file. Its mode stays, a link is followed, and whatever fails, the
 * old file is whole and nothing else is left behind.
 *
 * @param path The file. Its folder is made where it isn't there.
 * @param text Its new text.
 * @param files The machine's files.
 * @param newMode The mode of a file that isn't there yet. @default the system's own
 * @throws {BridgeError} kind `config`, saying what went wrong with which file.
 *
 * @example
 * ```ts
 * import type { Files } from "./system.ts";
 * import { writeAtomically } from "./atomic.ts";
 *
 * const written: string[] = [];
 * const files = {
 *   realPath: (path: string) => Promise.resolve(path),
 *   mode: () => Promise.resolve(undefined),
 *   makeFolder: () => Promise.resolve(),
 *   create: (path: string) => Promise.resolve(void written.push(path)),
 *   rename: (_from: string, to: string) => Promise.resolve(void written.push(to)),
 *   remove: () => Promise.resolve(),
 * } satisfies Files;
 * await writeAtomically("a/models.json", "{}", files);
 * if (!/^a\/\.models\.json\.\w+\.tmp$/.test(written[0])) throw new Error(written[0]);
 * if (written[1] !== "a/models.json") throw new Error(written[1]);
 * ```
 */
export async function writeAtomically(
  path: string,
  text: string,
  files: Files,
  newMode?: number,
): Promise<void> {
  let temporary: string | undefined;
  try {
    const target = await files.realPath(path) ?? path;
    const mode = await files.mode(target);
    if (mode !== undefined && (mode & 0o200) === 0) {
      // To rename over it would work, and is not what its owner meant.
      throw new BridgeError("config", `${path} is read-only: nothing was written.`);
    }
    const [, folder, name] = /^(.*[/\\])?([^/\\]*)$/s.exec(target)!;
    if (mode === undefined && folder) await files.makeFolder(folder);
    temporary = `${folder ?? ""}.${name}.${crypto.randomUUID().slice(0, 8)}.tmp`;
    await files.create(temporary, text, mode ?? newMode);
    await files.rename(temporary, target);
  } catch (cause) {
    if (temporary) await files.remove(temporary).catch(() => {});
    if (cause instanceof BridgeError) throw cause;
    throw new BridgeError("config", `${path} can't be written: ${why(cause)}.`, { cause });
  }
}

function why(cause: unknown): string {
  const { name, message } = cause instanceof Error ? cause : new Error(String(cause));
  if (name === "NotCapable") {
    return "Deno was not allowed to; start it with --allow-write, or use the compiled program";
  }
  if (name === "PermissionDenied") return "the system doesn't permit it";
  return message.replace(/ \(os error.*|: (open|writefile|rename).*/s, "").replace(/\.$/, "");
}
