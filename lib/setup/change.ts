/**
 * What `fd-bridge setup` does to a file, as texts: the bridge's values go in, and out again.
 *
 * @module
 */

import { createTwoFilesPatch } from "diff";
import { isObject } from "../json.ts";
import type { SettingsFile } from "./agents.ts";
import { type Path, valueIn, withValue } from "./text.ts";

/**
 * The text with the bridge's values.
 *
 * @param file The file and its values.
 * @param text The file so far; empty where there is none.
 */
export function pointed({ format, entries }: SettingsFile, text: string): string {
  let changed = text;
  for (const { path, value, keep } of entries) {
    if (keep && valueIn(format, changed, path) !== undefined) continue;
    changed = withValue(format, changed, path, value);
  }
  return changed;
}

/**
 * The text without the bridge's values: each is again what it was before, and whatever else was changed
 * since stays.
 *
 * @param file The file and its values.
 * @param text The file as it is.
 * @param before The file before `setup` first wrote it; empty where there was none.
 * @returns The text; undefined where nothing of it is left, and there was no file before.
 */
export function takenBack(
  { format, entries }: SettingsFile,
  text: string,
  before: string,
): string | undefined {
  let changed = text;
  for (const { path, sign } of entries) {
    // What somebody has chosen since is theirs.
    if (sign && valueIn(format, text, sign.path) !== sign.value) continue;
    changed = withValue(format, changed, path, valueIn(format, before, path));
    // An object that was made for the value goes with it.
    for (let length = path.length - 1; length > 0; length--) {
      const parent: Path = path.slice(0, length);
      if (!isEmpty(valueIn(format, changed, parent)) || valueIn(format, before, parent)) break;
      changed = withValue(format, changed, parent, undefined);
    }
  }
  if (before !== "") return changed;
  return isEmpty(valueIn(format, changed, []) ?? {}) ? undefined : changed;
}

function isEmpty(value: unknown): boolean {
  return (isObject(value) && Object.keys(value).length === 0) ||
    (Array.isArray(value) && value.length === 0);
}

/** A field or variable that holds a secret, and that secret; a name of a variable is none. */
const SECRET =
  /((?:(?<!env_?)key|token|secret|password|authorization)["']?\s*[:=]\s*["']?(?:Bearer )?)(?!\{env:|\$\{\{|DATABRICKS_TOKEN\b|FDB_API_KEY\b)[^\s"',}]{6,}/gi;

/**
 * A text without the secrets that stand in it: an agent's file may have those of other services.
 *
 * @example
 * ```ts
 * import { withoutSecrets } from "./change.ts";
 *
 * if (withoutSecrets('"api_key": "sk-0123456789"') !== '"api_key": "••••••••"') throw new Error("seen");
 * ```
 */
export function withoutSecrets(text: string): string {
  return text.replace(SECRET, "$1••••••••");
}

/**
 * What changes, as `diff -u` shows it, without secrets; empty where nothing does.
 *
 * @param path The file.
 * @param before Its text.
 * @param after Its text afterwards.
 * @param secret A text that is not to be seen.
 */
export function diffOf(path: string, before: string, after: string, secret?: string): string {
  if (before === after) return "";
  const patch = createTwoFilesPatch(path, path, before, after, "", "", { context: 2 });
  const lines = patch.split("\n").slice(1).filter((line) => !/^(---|===)/.test(line));
  const text = lines.join("\n").replace(/^\+\+\+ (\S+)\t?$/m, "$1");
  return withoutSecrets(secret ? text.replaceAll(secret, "••••••••") : text);
}
