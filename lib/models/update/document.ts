/**
 * Edits the text of a `models.json` in place: entries are marked, removed and added, and every other
 * byte stays as its owner wrote it, line ends, indentation, order and unknown fields included.
 *
 * @module
 */

import { isObject, type JsonObject } from "../../json.ts";
import { memberOf, readJsonc, type TextNode, treeOf } from "../jsonc.ts";

/** A piece of the text: from, up to. */
interface Span {
  readonly start: number;
  readonly end: number;
}

/** One entry of `models` where it stands. */
interface Entry extends Span {
  readonly node: TextNode;
  readonly id: string;
}

/** The array `models` in the tree. */
function modelsIn(text: string): TextNode {
  const models = memberOf(treeOf(text), "models")?.children?.[1];
  if (models?.type !== "array") throw new TypeError("The text is no models.json.");
  return models;
}

function spanOf({ offset, length }: TextNode): Span {
  return { start: offset, end: offset + length };
}

function entriesOf(models: TextNode): Entry[] {
  return (models.children ?? []).map((node) => {
    const id = node.type === "object" ? memberOf(node, "id")?.children?.[1].value : node.value;
    return { ...spanOf(node), node, id: String(id) };
  });
}

function splice(text: string, { start, end }: Span, by: string): string {
  return text.slice(0, start) + by + text.slice(end);
}

function entryOf(text: string, id: string): Entry | undefined {
  return entriesOf(modelsIn(text)).find((entry) => entry.id === id);
}

/** Takes an element out of an array, or a member out of an object, with the comma that belongs to it. */
function without(text: string, node: TextNode): string {
  const siblings = node.parent!.children!;
  const at = siblings.indexOf(node);
  const { start, end } = spanOf(node);
  const next = siblings.at(at + 1);
  if (next) return splice(text, { start, end: next.offset }, "");
  return at === 0
    ? splice(text, { start, end }, "")
    : splice(text, { start: spanOf(siblings[at - 1]).end, end }, "");
}

/** Whether the file has spaces inside its braces and after its colons; nothing in it may speak against it. */
function spacing(text: string): { brace: string; colon: string } {
  const colon = /":\s/.test(text) || !/":/.test(text) ? " " : "";
  return { brace: colon !== "" && (/\{ "/.test(text) || !/\{"/.test(text)) ? " " : "", colon };
}

function inOneLine(value: JsonObject, text: string): string {
  const { brace, colon } = spacing(text);
  const members = Object.entries(value)
    .map(([name, field]) => `${JSON.stringify(name)}:${colon}${JSON.stringify(field)}`);
  return `{${brace}${members.join(`,${colon}`)}${brace}}`;
}

/**
 * Writes the mark `"gone": true` into an entry, or takes it out.
 *
 * @param text A valid `models.json`.
 * @param id The entry; a text without it stays as it is.
 * @param gone Whether the mark is to be there.
 *
 * @example
 * ```ts
 * import { markGone } from "./document.ts";
 *
 * const text = '{"models": ["a", { "id": "b" }]}';
 * if (markGone(text, "b", true) !== '{"models": ["a", { "id": "b", "gone": true }]}') {
 *   throw new Error("the rest stays");
 * }
 * ```
 */
export function markGone(text: string, id: string, gone: boolean): string {
  const entry = entryOf(text, id);
  if (entry === undefined) return text;
  if (entry.node.type !== "object") {
    return gone ? splice(text, entry, inOneLine({ id, gone }, text)) : text;
  }
  const members = entry.node.children!;
  const mark = memberOf(entry.node, "gone");
  if (mark) return gone ? splice(text, spanOf(mark.children![1]), "true") : without(text, mark);
  if (!gone) return text;
  const { end } = spanOf(members[members.length - 1]);
  const { colon } = spacing(text);
  const gap = /^\s*/.exec(text.slice(entry.start + 1))![0];
  // A member on a line of its own is followed by another one; on one line a space is enough.
  const separator = gap.includes("\n") ? gap : colon;
  return splice(text, { start: end, end }, `,${separator}"gone":${colon}true`);
}

/**
 * Takes an entry out.
 *
 * @param text A valid `models.json`.
 * @param id The entry; a text without it stays as it is.
 *
 * @example
 * ```ts
 * import { removeEntry } from "./document.ts";
 *
 * if (removeEntry('{"models": ["a", "b"]}', "b") !== '{"models": ["a"]}') throw new Error("gone");
 * ```
 */
export function removeEntry(text: string, id: string): string {
  const entry = entryOf(text, id);
  return entry === undefined ? text : without(text, entry.node);
}

/**
 * Adds an entry at the end, written as its neighbours are: a plain name among plain names, on one line
 * or on several.
 *
 * @param text A valid `models.json`.
 * @param model The entry.
 *
 * @example
 * ```ts
 * import { addEntry } from "./document.ts";
 *
 * const text = addEntry('{"models": [{ "id": "a" }]}', { id: "b", endpoint: "mlflow" });
 * if (text !== '{"models": [{ "id": "a" }, { "id": "b", "endpoint": "mlflow" }]}') throw new Error(text);
 * ```
 */
export function addEntry(text: string, model: JsonObject): string {
  const models = modelsIn(text);
  const entries = entriesOf(models);
  const last = entries.at(-1);
  if (last === undefined) {
    const lines = text.includes("\n");
    const eol = text.includes("\r\n") ? "\r\n" : "\n";
    const entry = inOneLine(model, text);
    return splice(
      text,
      { start: models.offset + 1, end: spanOf(models).end - 1 },
      lines ? `${eol}    ${entry}${eol}  ` : entry,
    );
  }
  const first = entries[0].start;
  const gap = entries.length > 1
    ? text.slice(entries[entries.length - 2].end, last.start)
    : text.slice(models.offset + 1, first) || spacing(text).colon;
  const between = /\s*$/.exec(gap)![0];
  const entry = entries.every(({ node }) => node.type === "string")
    ? JSON.stringify(model.id)
    : inStyleOf(model, text.slice(last.start, last.end), text);
  return splice(text, { start: last.end, end: last.end }, `,${between}${entry}`);
}

function inStyleOf(model: JsonObject, neighbour: string, text: string): string {
  const inner = /^\{(\s*\n\s*)/.exec(neighbour)?.[1];
  if (inner === undefined) return inOneLine(model, text);
  const outer = /(\s*)\}$/.exec(neighbour)![1];
  const members = Object.entries(model)
    .map(([name, field]) => `${JSON.stringify(name)}: ${JSON.stringify(field)}`);
  return `{${inner}${members.join(`,${inner}`)}${outer}}`;
}

/**
 * The text of a new `models.json`, one model a line, from a list in any form. A `$schema` that points
 * into a folder is left out, because the new file stands in another one.
 *
 * @param text A valid `models.json`, such as the list embedded in the program.
 *
 * @example
 * ```ts
 * import { inHouseStyle } from "./document.ts";
 *
 * const text = inHouseStyle('{"models":["a",{"id":"b"}]}');
 * if (text !== '{\n  "models": [\n    "a",\n    { "id": "b" }\n  ]\n}\n') throw new Error(text);
 * ```
 */
export function inHouseStyle(text: string): string {
  const { models, $schema, ...rest } = readJsonc(text).value as JsonObject & { models: unknown[] };
  const keep = typeof $schema === "string" && /^https?:/.test($schema) ? { $schema } : {};
  const entries = models.map((entry) =>
    `    ${isObject(entry) ? inOneLine(entry, '{ "like": "this" }') : JSON.stringify(entry)}`
  );
  const head = Object.entries({ ...keep, ...rest })
    .map(([name, value]) =>
      `  ${JSON.stringify(name)}: ${JSON.stringify(value, null, 2).replaceAll("\n", "\n  ")},\n`
    );
  return `{\n${head.join("")}  "models": [\n${entries.join(",\n")}\n  ]\n}\n`;
}
