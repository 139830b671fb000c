/**
 * What is strange in a `models.json` that can be used all the same: misspelt fields, names with blanks,
 * names that differ in the case of their letters alone, and fields that stand twice.
 *
 * @module
 */

import { visit } from "jsonc-parser";
import { isObject, type JsonObject } from "../json.ts";
import { nearest } from "../suggest.ts";

/** The most oddities that are told. */
const MOST_TOLD = 20;

/** A field that stands twice in one object, and its last line. */
function* repeatedFields(text: string): Generator<string> {
  const open: Set<string>[] = [];
  const found: string[] = [];
  visit(text, {
    onObjectBegin: () => void open.push(new Set()),
    onObjectEnd: () => void open.pop(),
    onObjectProperty(name, _offset, _length, line) {
      const names = open[open.length - 1];
      if (names.has(name) && name !== "//") {
        found.push(`line ${line + 1}: "${name}" stands twice; the last one counts.`);
      }
      names.add(name);
    },
  });
  yield* found;
}

/** Fields that are nearly one that the bridge knows, and are not it. */
function* misspelt(value: JsonObject, known: readonly string[], where: string): Generator<string> {
  for (const name of Object.keys(value)) {
    if (known.includes(name)) continue;
    const meant = nearest(name, known);
    if (meant !== undefined && !Object.hasOwn(value, meant)) {
      yield `${where}${name} is no field that the bridge knows: did you mean ${meant}?`;
    }
  }
}

/**
 * What is strange in a file, each in a sentence without the file's name.
 *
 * @param text The file's text.
 * @param file What it says; it fits the schema.
 * @param known The fields that the bridge knows: of the file, and of a model.
 *
 * @example
 * ```ts
 * import { oddities } from "./oddities.ts";
 *
 * const file = { models: [{ id: "a", endpont: "openai" }] };
 * const known = { file: ["models"], model: ["id", "endpoint"] };
 * const [line] = oddities(JSON.stringify(file), file, known);
 * if (!line.endsWith("did you mean endpoint?")) throw new Error(line);
 * ```
 */
export function oddities(
  text: string,
  file: { readonly models: readonly unknown[] },
  known: { readonly file: readonly string[]; readonly model: readonly string[] },
): string[] {
  const told: string[] = [];
  for (const line of all(text, file, known)) {
    if (told.length === MOST_TOLD) return [...told, "there is more of the kind."];
    told.push(line);
  }
  return told;
}

function* all(
  text: string,
  file: { readonly models: readonly unknown[] },
  known: { readonly file: readonly string[]; readonly model: readonly string[] },
): Generator<string> {
  yield* misspelt(file as unknown as JsonObject, known.file, "");
  const spellings = new Map<string, string>();
  for (const [at, model] of file.models.entries()) {
    const id = isObject(model) ? String(model.id) : String(model);
    if (isObject(model)) yield* misspelt(model, known.model, `models[${at}].`);
    if (/\s/.test(id)) {
      yield `models[${at}].id: ${JSON.stringify(id)} has a blank in it, and no model's name has.`;
    }
    const lower = id.toLowerCase();
    const other = spellings.get(lower);
    if (other !== undefined && other !== id) {
      yield `models[${at}].id: "${id}" and "${other}" differ in capitals alone.`;
    }
    spellings.set(lower, id);
  }
  yield* repeatedFields(text);
}
