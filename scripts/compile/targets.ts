/**
 * The systems that the program is built for, and what its files are called there.
 *
 * @module
 */
import { PROGRAM } from "../project.ts";

/** One system. */
export interface Target {
  /** As Deno and Rust call it. */
  readonly name: string;
  /** The name of the binary there. */
  readonly binary: string;
  /** The archive of a release, without its version: so that "latest" has one address. */
  readonly archive: string;
  /** How Homebrew calls the system and the processor; missing where there is no brew. */
  readonly brew?: { readonly system: "macos" | "linux"; readonly processor: "arm" | "intel" };
}

function target(name: string, brew?: Target["brew"]): Target {
  const windows = name.includes("windows");
  return {
    name,
    binary: windows ? `${PROGRAM}.exe` : PROGRAM,
    archive: `${PROGRAM}-${name}.${windows ? "zip" : "tar.gz"}`,
    ...brew && { brew },
  };
}

/** Every system, in the order of a release's list. */
export const TARGETS: readonly Target[] = [
  target("aarch64-apple-darwin", { system: "macos", processor: "arm" }),
  target("x86_64-apple-darwin", { system: "macos", processor: "intel" }),
  target("aarch64-unknown-linux-gnu", { system: "linux", processor: "arm" }),
  target("x86_64-unknown-linux-gnu", { system: "linux", processor: "intel" }),
  target("x86_64-pc-windows-msvc"),
];

/**
 * Finds a target by its name.
 *
 * @example Usage
 * ```ts
 * import { findTarget } from "./targets.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(findTarget("x86_64-pc-windows-msvc").binary, "fd-bridge.exe");
 * ```
 *
 * @param name As Deno calls it.
 * @returns The target.
 * @throws {TypeError} If there is none of that name.
 */
export function findTarget(name: string): Target {
  const found = TARGETS.find((target) => target.name === name);
  if (found) return found;
  throw new TypeError(
    `There is no target "${name}"; there are: ${TARGETS.map(({ name }) => name).join(", ")}.`,
  );
}
