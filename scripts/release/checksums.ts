/**
 * `SHA256SUMS`: one line a file, in the form that `sha256sum --check` reads.
 *
 * @module
 */

/**
 * The SHA-256 of bytes, in hexadecimal digits.
 *
 * @example Usage
 * ```ts
 * import { sha256 } from "./checksums.ts";
 * import { assert } from "@std/assert";
 *
 * assert((await sha256(new Uint8Array())).startsWith("e3b0c44298fc1c14"));
 * ```
 */
export async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * Writes the text of `SHA256SUMS`.
 *
 * @example Usage
 * ```ts
 * import { checksums, parseChecksums } from "./checksums.ts";
 * import { assert } from "@std/assert";
 *
 * const folder = await Deno.makeTempDir();
 * await Deno.writeTextFile(`${folder}/a.txt`, "a");
 * const sums = parseChecksums(await checksums(folder, ["a.txt"]));
 * assert(sums.get("a.txt")?.startsWith("ca978112"));
 * await Deno.remove(folder, { recursive: true });
 * ```
 *
 * @param folder Where the files are.
 * @param names Their names.
 * @returns The text, sorted by name.
 */
export async function checksums(folder: string, names: readonly string[]): Promise<string> {
  let text = "";
  for (const name of [...names].sort()) {
    text += `${await sha256(await Deno.readFile(`${folder}/${name}`))}  ${name}\n`;
  }
  return text;
}

/**
 * Reads `SHA256SUMS`.
 *
 * @example Usage
 * ```ts
 * import { parseChecksums } from "./checksums.ts";
 * import { assertThrows } from "@std/assert";
 *
 * assertThrows(() => parseChecksums("not a checksum\n"), TypeError);
 * ```
 *
 * @param text The file's text.
 * @returns File name → its SHA-256.
 * @throws {TypeError} If a line is no checksum.
 */
export function parseChecksums(text: string): Map<string, string> {
  const sums = new Map<string, string>();
  for (const line of text.split("\n")) {
    if (line === "") continue;
    const match = /^([0-9a-f]{64}) [ *](\S+)$/.exec(line);
    if (!match) throw new TypeError(`SHA256SUMS: expected "HASH  FILE", found "${line}".`);
    sums.set(match[2], match[1]);
  }
  return sums;
}
