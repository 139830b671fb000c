/**
 * Where the program looks for its files. It reads nothing itself: it is handed the way to read.
 *
 * @module
 */

import { BridgeError } from "../errors.ts";
import { type Catalog, isModelsFile, parseModels } from "../models/catalog.ts";

/** How files are read. Gives undefined where there is no such file; anything else that goes wrong is thrown. */
export type ReadText = (path: string) => Promise<string | undefined>;

/** The system, as far as paths depend on it. */
export interface Place {
  /** `Deno.build.os`. */
  readonly os: string;
  /** Reads a variable of the environment. */
  readonly variable: (name: string) => string | undefined;
}

/**
 * The user's configuration folder for the bridge: `$XDG_CONFIG_HOME/fd-bridge` or `~/.config/fd-bridge`,
 * on macOS `~/Library/Application Support/fd-bridge`, on Windows `%APPDATA%\fd-bridge`.
 *
 * @returns The folder, or undefined where the environment doesn't tell.
 *
 * @example
 * ```ts
 * import { configFolder } from "./locate.ts";
 *
 * const variables: Record<string, string> = { HOME: "/home/ada" };
 * const folder = configFolder({ os: "linux", variable: (name) => variables[name] });
 * if (folder !== "/home/ada/.config/fd-bridge") throw new Error(folder);
 * ```
 */
export function configFolder({ os, variable }: Place): string | undefined {
  if (os === "windows") {
    const data = variable("APPDATA");
    return data && `${data}\\fd-bridge`;
  }
  const home = variable("HOME");
  const xdg = variable("XDG_CONFIG_HOME");
  if (xdg) return `${xdg}/fd-bridge`;
  if (!home) return undefined;
  return os === "darwin"
    ? `${home}/Library/Application Support/fd-bridge`
    : `${home}/.config/fd-bridge`;
}

/** A file in a folder. */
export function joinPath(folder: string, name: string): string {
  return folder.includes("\\") ? `${folder}\\${name}` : `${folder}/${name}`;
}

function why(cause: unknown): string {
  return cause instanceof Error
    ? cause.message.replace(/ \(os error.*|: (open|readfile).*/s, "")
    : String(cause);
}

/** Reads a file that the user named. */
export async function readNamed(path: string, what: string, read: ReadText): Promise<string> {
  let text: string | undefined;
  try {
    text = await read(path);
  } catch (cause) {
    throw new BridgeError("config", `${path}: ${what} can't be read: ${why(cause)}.`, { cause });
  }
  if (text === undefined) {
    throw new BridgeError("config", `${path}: there is no such file (${what}).`);
  }
  return text;
}

/** Reads a default file: one that isn't there is no fault, one that can't be read is. */
export async function readIfThere(path: string, read: ReadText): Promise<string | undefined> {
  try {
    return await read(path);
  } catch (cause) {
    throw new BridgeError("config", `${path}: can't be read: ${why(cause)}.`, { cause });
  }
}

/** A list of models with the file that it came from. */
export interface FoundModels {
  /** The list. */
  readonly catalog: Catalog;
  /** Its file; undefined for the list that is embedded in the program. */
  readonly path: string | undefined;
  /** A `models.json` of another program's that was passed over. */
  readonly foreign?: string;
}

/**
 * Finds the models: the named file, else `./models.json`, else the one in the configuration folder,
 * else the list embedded in the program. A `./models.json` that is another program's is passed over.
 *
 * @param named The file of `--models`, which must be there.
 * @param place The system.
 * @param read Reads files.
 * @param embedded The text of the embedded list.
 * @param setBy What the user named the file by. @default {"--models"}
 * @throws {BridgeError} kind `config`, when a file is there but can't be read or doesn't fit.
 *
 * @example
 * ```ts
 * import { findModels } from "./locate.ts";
 *
 * const place = { os: "linux", variable: () => undefined };
 * const found = await findModels(undefined, place, () => Promise.resolve(undefined), '{"models":["m"]}');
 * if (found.path !== undefined || found.catalog.models.length !== 1) throw new Error("embedded");
 * ```
 */
export async function findModels(
  named: string | undefined,
  place: Place,
  read: ReadText,
  embedded: string,
  setBy = "--models",
): Promise<FoundModels> {
  if (named !== undefined) {
    const text = await readNamed(named, `the models file of ${setBy}`, read);
    return { catalog: parseModels(text, named), path: named };
  }
  const folder = configFolder(place);
  const here = "./models.json";
  let foreign: string | undefined;
  for (const path of [here, ...folder ? [joinPath(folder, "models.json")] : []]) {
    const text = await readIfThere(path, read);
    if (text === undefined) continue;
    if (path === here && !isModelsFile(text)) foreign = path;
    else return { catalog: parseModels(text, path), path, foreign };
  }
  const catalog = parseModels(embedded, "the list embedded in the program");
  return { catalog, path: undefined, foreign };
}
