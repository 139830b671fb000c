/**
 * Settings of other programs as texts: JSON with comments, TOML, YAML and `.env`. A value is read or set
 * without touching anything else, comments and layout least of all.
 *
 * @module
 */

import { parse as parseToml, patch as patchToml } from "@decimalturn/toml-patch";
import { applyEdits, modify, parse as parseJson, type ParseError } from "jsonc-parser";
import { parseDocument } from "yaml";
import { isObject } from "../json.ts";

/** How a file is written. */
export type Format = "json" | "toml" | "yaml" | "env";

/** A name in an object, or the element of an array whose field has a value. */
export type Step = string | { readonly field: string; readonly value: string };

/** Where a value stands. */
export type Path = readonly Step[];

/** A text that is not in its format; the message says why. */
export class FormatError extends Error {
  /** Its name. */
  override readonly name = "FormatError";
}

/**
 * Reads a value.
 *
 * @param format The text's format.
 * @param text The text; an empty one has no values.
 * @param path Where the value stands.
 * @returns The value, or undefined where there is none.
 * @throws {FormatError} where the text isn't in its format.
 *
 * @example
 * ```ts
 * import { valueIn } from "./text.ts";
 *
 * if (valueIn("toml", '[a]\nb = "c" # d\n', ["a", "b"]) !== "c") throw new Error("c");
 * ```
 */
export function valueIn(format: Format, text: string, path: Path): unknown {
  return valueOf(parse(format, text), path);
}

/**
 * Sets a value, or takes it away.
 *
 * @param format The text's format.
 * @param text The text.
 * @param path Where the value stands; objects and arrays on the way are made.
 * @param value The value; undefined takes it away, where it is there.
 * @returns The text with it.
 * @throws {FormatError} where the text isn't in its format, or something else stands in the way.
 *
 * @example
 * ```ts
 * import { withValue } from "./text.ts";
 *
 * const text = withValue("json", '{\n  "a": 1 // mine\n}\n', ["b", "c"], 2);
 * if (!text.includes("// mine") || !text.includes('"c": 2')) throw new Error(text);
 * ```
 */
export function withValue(format: Format, text: string, path: Path, value: unknown): string {
  if (format === "env") return withVariable(text, path, value);
  const old = parse(format, text) ?? {};
  if (value === undefined && valueOf(old, path) === undefined) return text;
  switch (format) {
    case "json": {
      const empty = typeof path[0] === "string" ? "{}\n" : "[]\n";
      const base = text.trim() === "" ? empty : text;
      const edits = modify(base, numbered(old, path), value, {
        formattingOptions: { tabSize: 2, insertSpaces: true, eol: "\n" },
      });
      return applyEdits(base, edits);
    }
    case "toml":
      set(old, path, value);
      return endedLike(text, patchToml(text, old, { inlineTableStart: 2 }));
    case "yaml": {
      const document = parseDocument(text);
      const steps = numbered(old, path);
      if (value === undefined) document.deleteIn(steps);
      else document.setIn(steps, document.createNode(value));
      return document.toString();
    }
  }
}

function parse(format: Format, text: string): unknown {
  if (text.trim() === "") return undefined;
  switch (format) {
    case "json": {
      const errors: ParseError[] = [];
      const value: unknown = parseJson(text, errors, { allowTrailingComma: true });
      if (errors.length > 0) {
        const line = text.slice(0, errors[0].offset).split("\n").length;
        throw new FormatError(`line ${line} is no JSON`);
      }
      return value;
    }
    case "toml":
      try {
        return parseToml(text);
      } catch (cause) {
        throw new FormatError(messageOf(cause), { cause });
      }
    case "yaml": {
      const document = parseDocument(text);
      if (document.errors.length > 0) throw new FormatError(document.errors[0].message);
      return document.toJS();
    }
    case "env":
      return Object.fromEntries(
        text.split("\n").flatMap((line) => {
          const [, name, value] = VARIABLE.exec(line) ?? [];
          return name === undefined ? [] : [[name, value.trim().replace(/^(["'])(.*)\1$/, "$2")]];
        }),
      );
  }
}

const VARIABLE = /^\s*(?:export\s+)?([A-Za-z_]\w*)\s*=(.*)$/;

function withVariable(text: string, [name]: Path, value: unknown): string {
  const lines = text === "" ? [] : text.replace(/\n$/, "").split("\n");
  const at = lines.findIndex((line) => VARIABLE.exec(line)?.[1] === name);
  const line = value === undefined ? [] : [`${name}=${value}`];
  if (at === -1) lines.push(...line);
  else lines.splice(at, 1, ...line);
  return lines.length === 0 ? "" : `${lines.join("\n")}\n`;
}

/** A new file ends with a line's end, and an old one as it did. */
function endedLike(old: string, text: string): string {
  return /(^|\n)$/.test(old) && text !== "" && !text.endsWith("\n") ? `${text}\n` : text;
}

function messageOf(cause: unknown): string {
  return (cause instanceof Error ? cause.message : String(cause)).split("\n")[0];
}

function valueOf(root: unknown, path: Path): unknown {
  let value = root;
  for (const step of path) {
    if (typeof step === "string") {
      value = isObject(value) && Object.hasOwn(value, step) ? value[step] : undefined;
    } else value = Array.isArray(value) ? value.find((item) => matches(item, step)) : undefined;
  }
  return value;
}

function matches(item: unknown, { field, value }: Exclude<Step, string>): boolean {
  return isObject(item) && item[field] === value;
}

/** The path with the positions of its elements; a missing one is the next. */
function numbered(root: unknown, path: Path): (string | number)[] {
  let value = root;
  return path.map((step) => {
    const key = typeof step === "string" ? step : positionOf(value, step);
    value = valueOf(value, [step]);
    return key;
  });
}

function positionOf(value: unknown, step: Exclude<Step, string>): number {
  if (!Array.isArray(value)) return 0;
  const at = value.findIndex((item) => matches(item, step));
  return at === -1 ? value.length : at;
}

function set(root: unknown, path: Path, value: unknown): void {
  const last = path.at(-1);
  let object = root;
  for (const step of path.slice(0, -1)) {
    if (!isObject(object) || typeof step !== "string") throw new FormatError("unexpected value");
    object = object[step] ??= {};
  }
  if (!isObject(object) || typeof last !== "string") throw new FormatError("unexpected value");
  if (value === undefined) delete object[last];
  else object[last] = value;
}
