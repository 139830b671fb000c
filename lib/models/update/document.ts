/**
 * Edits the text of a `models.json` in place: entries are marked, removed and added, and every other
 * byte stays as its owner wrote it, line ends, indentation, order and unknown fields included.
 *
 * @module
 */

import { isObject, type JsonObject } from "../../json.ts";

/** A piece of the text: from, up to. */
interface Span {
  readonly start: number;
  readonly end: number;
}

/** One entry of `models` where it stands. */
interface Entry extends Span {
  readonly id: string;
}

const STRING = /"(?:[^"\\]|\\.)*"/y;
const SCALAR = /[^\s,\]}]+/y;
const SPACE = /\s*/y;

function matchAt(pattern: RegExp, text: string, at: number): number {
  pattern.lastIndex = at;
  return pattern.test(text) ? pattern.lastIndex : at;
}

/** Where the value that begins here ends. The text is known to be JSON. */
function endOf(text: string, at: number): number {
  if (text[at] === '"') return matchAt(STRING, text, at);
  if (text[at] !== "{" && text[at] !== "[") return matchAt(SCALAR, text, at);
  for (let depth = 0, here = at; here < text.length;) {
    const char = text[here];
    if (char === '"') {
      here = matchAt(STRING, text, here);
      continue;
    }
    if (char === "{" || char === "[") depth++;
    if (char === "}" || char === "]") depth--;
    here++;
    if (depth === 0) return here;
  }
  return text.length;
}

/** The values of an array, or the members of an object with their keys, where they stand. */
function* elements(text: string, at: number): Generator<{ key?: string; span: Span; value: Span }> {
  const object = text[at] === "{";
  for (let here = matchAt(SPACE, text, at + 1); here < text.length;) {
    if (text[here] === "}" || text[here] === "]") return;
    const start = here;
    let key: string | undefined;
    if (object) {
      const end = matchAt(STRING, text, here);
      key = JSON.parse(text.slice(here, end));
      here = matchAt(SPACE, text, matchAt(SPACE, text, end) + 1);
    }
    const end = endOf(text, here);
    yield { key, span: { start, end }, value: { start: here, end } };
    here = matchAt(SPACE, text, end);
    if (text[here] === ",") here = matchAt(SPACE, text, here + 1);
  }
}

/** Where the array `models` begins; of several the last, as `JSON.parse` has it. */
function modelsAt(text: string): number {
  let found = -1;
  for (const { key, value } of elements(text, text.indexOf("{"))) {
    if (key === "models") found = value.start;
  }
  return found;
}

function entriesOf(text: string): Entry[] {
  return [...elements(text, modelsAt(text))].map(({ span }) => {
    const value: unknown = JSON.parse(text.slice(span.start, span.end));
    return { ...span, id: isObject(value) ? String(value.id) : String(value) };
  });
}

function splice(text: string, { start, end }: Span, by: string): string {
  return text.slice(0, start) + by + text.slice(end);
}

function entryOf(text: string, id: string): Entry | undefined {
  return entriesOf(text).find((entry) => entry.id === id);
}

/** Takes an element out, with the comma that belongs to it. */
function without(text: string, { start, end }: Span): string {
  const next = matchAt(SPACE, text, end);
  if (text[next] === ",") return splice(text, { start, end: matchAt(SPACE, text, next + 1) }, "");
  const before = text.slice(0, start).trimEnd();
  if (before.endsWith(",")) return splice(text, { start: before.length - 1, end }, "");
  return splice(text, { start, end }, "");
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
  if (text[entry.start] !== "{") {
    return gone ? splice(text, entry, inOneLine({ id, gone }, text)) : text;
  }
  const members = [...elements(text, entry.start)];
  const mark = members.find(({ key }) => key === "gone");
  if (mark) return gone ? splice(text, mark.value, "true") : without(text, mark.span);
  if (!gone) return text;
  const { span: { end } } = members[members.length - 1];
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
  return entry === undefined ? text : without(text, entry);
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
  const start = modelsAt(text);
  const entries = entriesOf(text);
  const last = entries.at(-1);
  if (last === undefined) {
    const lines = text.includes("\n");
    const eol = text.includes("\r\n") ? "\r\n" : "\n";
    const entry = inOneLine(model, text);
    return splice(
      text,
      { start: start + 1, end: endOf(text, start) - 1 },
      lines ? `${eol}    ${entry}${eol}  ` : entry,
    );
  }
  const first = entries[0].start;
  const between = entries.length > 1
    ? text.slice(entries[entries.length - 2].end, last.start).replace(",", "")
    : text.slice(start + 1, first) || spacing(text).colon;
  const entry = entries.every(({ start }) => text[start] === '"')
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
  const { models, $schema, ...rest } = JSON.parse(text) as JsonObject & { models: unknown[] };
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
