/**
 * Variables that nobody reads because their name is misspelt: `FD_BRIDGE_PROT`. The program may read
 * single variables only, never the list of them; so of the environment the names are tried that differ
 * from a known one by one slip of the fingers.
 *
 * @module
 */

import { didYouMean } from "../suggest.ts";
import { FLAGS } from "./flags.ts";

const PREFIX = "FD_BRIDGE_";

/** Variables that are no flag's: of the launcher, the build, the installer and the tests. */
const INTERNAL: ReadonlySet<string> = new Set(
  [
    "LAUNCHER",
    "STD",
    "SEED",
    "BIN",
    "BASE_URL",
    "INSTALL_DIR",
    "VERSION",
    "STORE",
    "STORE_KEY",
    "CALLED_FROM",
  ]
    .map((name) => PREFIX + name),
);

const KNOWN: readonly string[] = FLAGS.flatMap(({ env }) => env?.startsWith(PREFIX) ? [env] : []);

/** Names that differ from one by two letters swapped, one left out, or one typed twice. */
function* slips(name: string): Generator<string> {
  for (let at = PREFIX.length; at < name.length; at++) {
    const [before, here, after] = [name.slice(0, at), name[at], name.slice(at + 1)];
    yield before + after;
    yield before + here + here + after;
    if (after !== "") yield before + after[0] + here + after.slice(1);
  }
}

/**
 * What is told of misspelt variables, one line each.
 *
 * @param variable Reads a variable of the environment.
 * @param files The variables of the `.env` files.
 * @param fileOf The file that a variable comes from.
 *
 * @example
 * ```ts
 * import { misspeltVariables } from "./misspelt.ts";
 *
 * const environment: Record<string, string> = { FD_BRIDGE_PROT: "9090" };
 * const [line] = misspeltVariables((name) => environment[name], {}, () => undefined);
 * if (!line.includes("Did you mean FD_BRIDGE_PORT?")) throw new Error(line);
 * ```
 */
export function misspeltVariables(
  variable: (name: string) => string | undefined,
  files: Readonly<Record<string, string>>,
  fileOf: (name: string) => string | undefined,
): string[] {
  const isKnown = (name: string) => KNOWN.includes(name) || INTERNAL.has(name);
  const found = new Map<string, string>();
  for (const name of Object.keys(files)) {
    if (name.startsWith(PREFIX) && !isKnown(name)) found.set(name, fileOf(name) ?? ".env");
  }
  for (const name of new Set(KNOWN.flatMap((known) => [...slips(known)]))) {
    if (!isKnown(name) && variable(name)) found.set(name, "the environment");
  }
  return [...found].map(([name, where]) =>
    `${name} (in ${where}) is no setting, and is not read.${
      didYouMean(
        name.slice(PREFIX.length),
        KNOWN.map((known) => known.slice(PREFIX.length)),
        (word) => PREFIX + word,
      )
    }`
  );
}
