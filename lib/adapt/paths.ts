/**
 * Fields of a request body by their paths: removing one, and finding the one that a path in a refusal
 * means. A path is written `tools[].function.strict`: `[]` goes through every element of an array.
 *
 * @module
 */

import { isObject, type JsonObject } from "../json.ts";

/**
 * Removes a field by its path, without changing what it was given.
 *
 * @param value An object, or what a longer path leads through.
 * @param path Segments; `[]` after a name goes through every element: `tools[].function.strict`.
 * @returns The same value where the field isn't there, else a copy of just what had to change.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { withoutField } from "./paths.ts";
 *
 * const body: unknown = { tools: [{ function: { name: "f", strict: true } }] };
 * assertEquals(withoutField(body, "tools[].function.strict"), { tools: [{ function: { name: "f" } }] });
 * ```
 */
export function withoutField<T>(value: T, path: string): T {
  return changeField(value, path, () => undefined);
}

/**
 * Changes a field by its path, without changing what it was given.
 *
 * @param value An object, or what a longer path leads through.
 * @param path As for {@linkcode withoutField}.
 * @param change Gives the new value for an old one; undefined removes the field.
 * @returns The same value where nothing changed, else a copy of just what had to change.
 */
export function changeField<T>(value: T, path: string, change: (old: unknown) => unknown): T {
  return changeAt(value, path.split("."), 0, change);
}

function changeAt<T>(
  value: T,
  path: readonly string[],
  at: number,
  change: (old: unknown) => unknown,
): T {
  const each = path[at].endsWith("[]");
  const name = each ? path[at].slice(0, -2) : path[at];
  if (!isObject(value) || !Object.hasOwn(value, name)) return value;
  const child = value[name];
  const last = at === path.length - 1;
  const changed = each && Array.isArray(child)
    ? mapKeeping(
      child,
      (element) => last ? change(element) : changeAt(element, path, at + 1, change),
    )
    : last
    ? change(child)
    : changeAt(child, path, at + 1, change);
  if (changed === child) return value;
  if (changed !== undefined) return { ...value, [name]: changed };
  const { [name]: _gone, ...kept } = value;
  return kept as T;
}

/** Like `map`, but gives the same array back when nothing changed. */
export function mapKeeping<T>(list: T[], change: (element: T) => T): T[] {
  let mapped: T[] | undefined;
  for (let at = 0; at < list.length; at++) {
    const next = change(list[at]);
    if (next !== list[at]) (mapped ??= [...list])[at] = next;
  }
  return mapped ?? list;
}

/** A field that stands in a body. */
export interface FoundField {
  /** Its path. */
  readonly path: string;
  /** The names along the path; the last one is its own. */
  readonly names: readonly string[];
  /** One of its values. */
  readonly value: unknown;
}

/** How deep fields are looked for, through how many values, and how many places of one name count. */
const SEARCH = { depth: 9, values: 20_000, places: 32 };

/** Fields whose own fields are the user's: a name in them is no field of the request. */
const FREE = new Set([
  "parameters",
  "input_schema",
  "parametersJsonSchema",
  "schema",
  "properties",
  "arguments",
  "args",
  "metadata",
  "logit_bias",
]);

/** Blocks and parts whose `input`, `output` or `response` is a tool's. */
const TOOL_DATA = new Set(["input", "output", "response"]);

/**
 * Where fields of the given names stand in a body, the shallowest first. Looks through at most 20,000
 * values, nine deep, and not into what tools and users name themselves, unless a name asks for it.
 *
 * @param body The body.
 * @param names The names that are looked for.
 * @param open Names of fields to look into although their fields are the user's.
 */
function findFields(
  body: JsonObject,
  names: ReadonlySet<string>,
  open: ReadonlySet<string> = new Set(),
): Map<string, FoundField[]> {
  const found = new Map<string, FoundField[]>();
  const seen = new Set<string>();
  let level: { prefix: string; names: readonly string[]; value: JsonObject }[] = [
    { prefix: "", names: [], value: body },
  ];
  let left = SEARCH.values;
  for (let depth = 0; depth < SEARCH.depth && level.length > 0; depth++) {
    const next: typeof level = [];
    for (const { prefix, names: along, value } of level) {
      for (const name in value) {
        if (--left < 0) return found;
        const child = value[name];
        const path = prefix + name;
        if (names.has(name) && !seen.has(path)) {
          const places = found.get(name) ?? [];
          if (places.length < SEARCH.places) {
            seen.add(path);
            found.set(name, [...places, { path, names: [...along, name], value: child }]);
          }
        }
        if (FREE.has(name) && !open.has(name)) continue;
        if (TOOL_DATA.has(name) && depth > 0 && !Array.isArray(child)) continue;
        if (Array.isArray(child)) {
          for (const element of child) {
            if (--left < 0) return found;
            if (isObject(element)) {
              next.push({ prefix: `${path}[].`, names: [...along, name], value: element });
            }
          }
        } else if (isObject(child)) {
          next.push({ prefix: `${path}.`, names: [...along, name], value: child });
        }
      }
    }
    level = next;
  }
  return found;
}

/** The names of all fields in a body, schemas included; of at most 20,000 values. */
export function fieldNames(body: JsonObject): ReadonlySet<string> {
  const names = new Set<string>();
  const open: unknown[] = [body];
  for (let at = 0; at < open.length && at < SEARCH.values; at++) {
    const value = open[at];
    const inner = Array.isArray(value) ? value : isObject(value) ? Object.values(value) : [];
    if (isObject(value)) { for (const name of Object.keys(value)) names.add(name); }
    for (const one of inner) {
      if (open.length >= SEARCH.values) break;
      if (typeof one === "object" && one !== null) open.push(one);
    }
  }
  return names;
}

/** Words that stand for the body as a whole at the beginning of a path. */
const ROOTS = new Set(["$", "body", "request", "root", "payload", "params", "parameters", "json"]);

/**
 * The names in a path, whoever wrote it: `tools.0.custom.strict`, `messages[3].name`, `/tools/0/strict`,
 * `$.seed`. Numbers are left out.
 */
export function namesOf(path: string): string[] {
  const names = path.split(/[.[\]/]+/).filter((name) => name !== "" && !/^\d+$/.test(name));
  while (names.length > 1 && ROOTS.has(names[0])) names.shift();
  return names;
}

/** How many of `names` stand in `along` in the same order. */
function agreement(names: readonly string[], along: readonly string[]): number {
  let at = 0;
  for (const name of along) if (at < names.length && names[at] === name) at++;
  // A word in between may name a kind rather than a field: `tools.0.custom.strict`.
  let matched = at;
  for (let start = 1; start < names.length && matched < names.length - start; start++) {
    let next = start;
    for (const name of along) if (next < names.length && names[next] === name) next++;
    matched = Math.max(matched, next - start);
  }
  return matched;
}

/**
 * The fields of a body that a path may mean, the likeliest first. The path may be the whole one, its
 * end, or one with words in between that name kinds and not fields (`system.0.cache_control.ephemeral.scope`);
 * where its end is the value or the kind of a field, that field is meant.
 *
 * @param body The body that was sent.
 * @param names The names in the path; see {@linkcode namesOf}.
 */
export function resolvePath(body: JsonObject, names: readonly string[]): FoundField[] {
  if (names.length === 0 || names.length > MAX_NAMES) return [];
  const open = new Set(names.slice(0, -1).filter((name) => OPEN.has(name)));
  const found = findFields(body, new Set(names.slice(-2)), open);
  for (const end of names.length > 1 ? [names.length, names.length - 1] : [1]) {
    const leaf = names[end - 1];
    const before = names.slice(0, end - 1);
    const root = before.find((name) => Object.hasOwn(body, name));
    const kind = names[end];
    const places = (found.get(leaf) ?? [])
      .filter((field) => root === undefined || before[0] !== root || field.names[0] === root)
      .filter(({ value }) => kind === undefined || isKind(value, kind))
      .map((field) => ({ field, score: agreement(before, field.names.slice(0, -1)) }))
      .sort((a, b) => b.score - a.score || a.field.names.length - b.field.names.length);
    if (places.length > 0) return places.map(({ field }) => field);
  }
  return [];
}

/** Longer paths name no field of a request. */
const MAX_NAMES = 16;

/** Fields of the user's that a path may lead into: what stands in them is the gateway's business, too. */
const OPEN = new Set(["metadata", "logit_bias"]);

/** Whether a word is a field's value, or the `type` of it. */
function isKind(value: unknown, word: string): boolean {
  const values = Array.isArray(value) ? value : [value];
  return values.some((one) => one === word || (isObject(one) && one.type === word));
}
