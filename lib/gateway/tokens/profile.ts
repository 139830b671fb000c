/**
 * Profiles of `~/.databrickscfg`, the file that Databricks' own tools share.
 *
 * @module
 */

import { parse } from "ini";
import { isLoopback } from "../../config/base_url.ts";
import { BridgeError } from "../../errors.ts";
import { isObject } from "../../json.ts";
import { printable } from "../../system/terminal.ts";

/** A profile: the keys of its section in lower case, with their values; empty ones are left out. */
export interface Profile {
  /** Its section's name. */
  readonly name: string;
  /** Key → value. */
  readonly values: Readonly<Record<string, string | undefined>>;
}

/** A file of profiles. */
export interface ProfileFile {
  /** Where it is, or would be; undefined where the environment doesn't tell. */
  readonly path: string | undefined;
  /** Its profiles; none where there is no file. */
  readonly profiles: readonly Profile[];
  /** The profile that `[__settings__]` names. */
  readonly defaultProfile: string | undefined;
}

/** The section with settings of the CLI's own. */
const SETTINGS = "__settings__";

/**
 * Reads profiles out of a file's text. Databricks' tools disagree in details; here a `#` or `;` begins a
 * comment only at the start of a line or behind white space, a value may be in quotes of any kind, `:`
 * does for `=`, and a section's name may have dots.
 *
 * @param text The file's text.
 *
 * @example
 * ```ts
 * import { parseProfiles } from "./profile.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const { profiles } = parseProfiles("[DEFAULT]\nhost = https://adb-1.2.azuredatabricks.net\n");
 * assertEquals(profiles[0].values.host, "https://adb-1.2.azuredatabricks.net");
 * ```
 */
export function parseProfiles(text: string): Omit<ProfileFile, "path"> {
  const plain = text.replace(/^\uFEFF/, "").split(/\r\n|[\r\n]/).map(plainLine).join("\n");
  const sections: Record<string, unknown> = parse(plain);
  const profiles: Profile[] = [];
  let defaultProfile: string | undefined;
  for (const [name, section] of Object.entries(sections)) {
    if (!isObject(section)) continue;
    const values: Record<string, string> = Object.create(null);
    for (const [key, value] of Object.entries(section)) {
      if (!isObject(value) && String(value) !== "") values[key.toLowerCase()] = String(value);
    }
    if (name === SETTINGS) defaultProfile = values.default_profile;
    else profiles.push({ name, values });
  }
  return { profiles, defaultProfile };
}

/** A line in the form in which `ini` reads it as it is meant. */
function plainLine(line: string): string {
  const header = /^\s*\[([^\]]*)\]/.exec(line);
  // `ini` nests sections at dots.
  if (header) return `[${header[1].trim().replace(/[.\\]/g, "\\$&")}]`;
  const pair = /^\s*([\w-]+)\s*[=:](.*)$/.exec(line);
  if (pair === null) return "";
  const value = pair[2].trim();
  const quoted = /^(["'`])(.*)\1\s*(?:[#;].*)?$/.exec(value);
  const text = quoted ? quoted[2] : value.replace(/(?:^|\s)[#;].*$/, "").trim();
  return `${pair[1]}=${JSON.stringify(text)}`;
}

/** What reading profiles needs of the machine. */
export interface ProfilePlace {
  /** Reads a variable. */
  readonly variable: (name: string) => string | undefined;
  /** Reads a file; undefined where there is none. */
  readonly readText: (path: string) => Promise<string | undefined>;
  /** `Deno.build.os`. */
  readonly os: string;
}

/**
 * Where the profiles are: `DATABRICKS_CONFIG_FILE`, else `.databrickscfg` in the home folder.
 *
 * @returns The path; undefined where the environment doesn't tell.
 */
export function profilePath({ variable, os }: Omit<ProfilePlace, "readText">): string | undefined {
  const home = (os === "windows" ? variable("USERPROFILE") : undefined) || variable("HOME");
  const named = variable("DATABRICKS_CONFIG_FILE");
  if (named) return home ? named.replace(/^~(?=[/\\])/, home) : named;
  return home ? `${home}${os === "windows" ? "\\" : "/"}.databrickscfg` : undefined;
}

/**
 * Reads the profiles.
 *
 * @throws {BridgeError} kind `config`, where the file is there and can't be read.
 */
export async function readProfiles(place: ProfilePlace): Promise<ProfileFile> {
  const path = profilePath(place);
  if (path === undefined) return { path, profiles: [], defaultProfile: undefined };
  let text: string | undefined;
  try {
    text = await place.readText(path);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message.replace(/ \(os error.*|: open.*/s, "") : "";
    throw new BridgeError("config", `${path} can't be read: ${why}.`, { cause });
  }
  return { path, ...parseProfiles(text ?? "") };
}

/**
 * A profile by its name. `DEFAULT` also means the one that `[__settings__] default_profile` names, where
 * the section itself is missing or empty.
 */
export function findProfile(
  { profiles, defaultProfile }: ProfileFile,
  name: string,
): Profile | undefined {
  const found = profiles.find((profile) => profile.name === name);
  if (name !== "DEFAULT" || (found && Object.keys(found.values).length > 0)) return found;
  return profiles.find((profile) => profile.name === defaultProfile) ?? found;
}

/**
 * A workspace's address in any form that people have at hand, as scheme and host. `https` only; `http`
 * is for loopback.
 *
 * @param text The address, with or without scheme, path and query.
 * @param name What it is called in messages.
 * @throws {BridgeError} kind `config`, when it is no address, or no workspace's.
 *
 * @example
 * ```ts
 * import { workspaceHost } from "./profile.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(workspaceHost("adb-1.2.azuredatabricks.net/?o=1", "host"), "https://adb-1.2.azuredatabricks.net");
 * ```
 */
export function workspaceHost(text: string, name: string): string {
  const given = text.trim();
  const full = /^[a-z][a-z0-9+.-]*:\/\//i.test(given) ? given : `https://${given}`;
  const url = URL.canParse(full) ? new URL(full) : undefined;
  const wrong = (why: string) =>
    new BridgeError(
      "config",
      `${name} is "${
        printable(given, 100)
      }", ${why}: expected the workspace's address, such as https://adb-1234567890123456.7.azuredatabricks.net.`,
    );
  if (url === undefined || url.hostname === "" || /\s/.test(given)) {
    throw wrong("which is no address");
  }
  if (url.username !== "" || url.password !== "") {
    throw new BridgeError("config", `${name} carries a user name or password: leave them out.`);
  }
  if (url.protocol !== "https:" && !(url.protocol === "http:" && isLoopback(url.hostname))) {
    throw wrong("and a token must not travel unencrypted");
  }
  if (url.hostname.includes(".ai-gateway.")) throw wrong("which is the gateway's address");
  if (/^accounts(?:-\w+)?\./.test(url.hostname)) {
    throw wrong("which is the account console and not a workspace");
  }
  return url.origin;
}
