/**
 * What the project is called and where it lives: the one place. Files that can't import it — the
 * installer, the workflow, the README — are compared with it by a test.
 *
 * @module
 */

/** The program's name, and its binary's. */
export const PROGRAM = "fd-bridge";

/** What it is, in one line: for the formula and the image. */
export const DESCRIPTION = "Lets OpenAI clients use every model behind a Databricks AI Gateway";

/** The repository, as GitHub writes it. */
export const REPOSITORY = "fd-bridge/fd-bridge";

/** The repository of the Homebrew tap; brew leaves out "homebrew-" and calls it `fd-bridge/tap`. */
export const TAP_REPOSITORY = "fd-bridge/homebrew-tap";

/** The image of the container, without a version. */
export const IMAGE = `ghcr.io/${REPOSITORY}`;

/** The project's address. */
export const HOMEPAGE = `https://github.com/${REPOSITORY}`;

/**
 * Where a release's files are downloaded.
 *
 * @example Usage
 * ```ts
 * import { releaseUrl } from "./project.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new URL(releaseUrl("1.2.3")).pathname.split("/").slice(-2), ["download", "v1.2.3"]);
 * ```
 *
 * @param version The version, without a "v".
 * @returns The address of the folder, without a slash at its end.
 */
export function releaseUrl(version: string): string {
  return `${HOMEPAGE}/releases/download/v${version}`;
}

/** The project's folder, as a path with a slash at its end. */
export const ROOT: string = decodeURIComponent(new URL("..", import.meta.url).pathname)
  // On Windows a file URL's path is /C:/…
  .replace(/^\/(?=[A-Za-z]:)/, "");
