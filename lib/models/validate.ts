/**
 * Checks a value against a JSON Schema: the few keywords that `models.schema.json` is made of. The
 * schema that gives editors their completion thereby gives the program its messages, too: where, what
 * was expected, what came.
 *
 * @module
 */

import { isObject } from "../json.ts";

/** The part of JSON Schema (draft 7) that is understood. */
export interface Schema {
  /** What a person reads in an editor. */
  readonly description?: string;
  /** What a person reads when the value doesn't fit: `expected …`. Editors know this keyword, too. */
  readonly errorMessage?: string;
  /** One of JSON's types, or `integer`, or several. */
  readonly type?: string | readonly string[];
  /** Names that an object must have. */
  readonly required?: readonly string[];
  /** Name → what its value must be. */
  readonly properties?: Readonly<Record<string, Schema>>;
  /** What the value of any other name must be. */
  readonly additionalProperties?: Schema;
  /** What every element must be. */
  readonly items?: Schema;
  /** What a string must match. */
  readonly pattern?: string;
  /** The least number. */
  readonly minimum?: number;
  /** Alternatives; they must differ in `type`. */
  readonly anyOf?: readonly Schema[];
  /** `#/definitions/NAME`. */
  readonly $ref?: string;
  /** What `$ref` names. */
  readonly definitions?: Readonly<Record<string, Schema>>;
}

/** What doesn't fit. */
export interface Mismatch {
  /** Where: `models[3].endpoint`; empty for the value itself. */
  readonly path: string;
  /** What was expected: `expected …`. */
  readonly expected: string;
  /** What came. */
  readonly got: string;
}

/**
 * What a value is, for a message: `null`, `an array`, `an object`, `string "x"`, `number 3`. A missing
 * one is `nothing`.
 *
 * @example
 * ```ts
 * import { kindOf } from "./validate.ts";
 *
 * if (kindOf([]) !== "an array" || kindOf(3) !== "number 3") throw new Error("kinds");
 * ```
 */
export function kindOf(value: unknown): string {
  if (value === undefined) return "nothing";
  if (value === null) return "null";
  if (Array.isArray(value)) return "an array";
  if (typeof value === "object") return "an object";
  const shown = JSON.stringify(value);
  return `${typeof value} ${shown.length > 80 ? shown.slice(0, 77) + "…" : shown}`;
}

/** Type → whether a value is of it. */
const TYPES: Readonly<Record<string, (value: unknown) => boolean>> = {
  object: isObject,
  array: Array.isArray,
  string: (value) => typeof value === "string",
  boolean: (value) => typeof value === "boolean",
  number: (value) => typeof value === "number",
  // Beyond 2^53 a number is no longer the one that was written.
  integer: Number.isSafeInteger,
  null: (value) => value === null,
};

/**
 * Finds the first place where a value doesn't fit a schema.
 *
 * @param value The value, from `JSON.parse`.
 * @param schema The schema; its `definitions` are what `$ref` names.
 * @returns The first mismatch in the order of the value's own text, or undefined where it fits.
 *
 * @example
 * ```ts
 * import { validate } from "./validate.ts";
 *
 * const schema = { properties: { port: { type: "integer", errorMessage: "expected a port" } } };
 * const mismatch = validate({ port: "80" }, schema);
 * if (mismatch?.path !== "port" || mismatch.got !== 'string "80"') throw new Error("where and what");
 * ```
 */
export function validate(value: unknown, schema: Schema): Mismatch | undefined {
  return check(value, schema, "", schema);
}

function check(value: unknown, given: Schema, path: string, root: Schema): Mismatch | undefined {
  const schema = resolve(given, root);
  const wrong = (path: string, value: unknown, schema: Schema): Mismatch => ({
    path,
    expected: schema.errorMessage ?? `expected ${[schema.type].flat().join(" or ")}`,
    got: kindOf(value),
  });
  if (schema.anyOf) {
    const branch = schema.anyOf.find((branch) => isOfType(value, resolve(branch, root)));
    return branch ? check(value, branch, path, root) : wrong(path, value, schema);
  }
  if (!isOfType(value, schema)) return wrong(path, value, schema);
  if (typeof value === "string" && schema.pattern && !new RegExp(schema.pattern).test(value)) {
    return wrong(path, value, schema);
  }
  if (typeof value === "number" && value < (schema.minimum ?? -Infinity)) {
    return wrong(path, value, schema);
  }
  if (Array.isArray(value) && schema.items) {
    for (const [at, element] of value.entries()) {
      const mismatch = check(element, schema.items, `${path}[${at}]`, root);
      if (mismatch) return mismatch;
    }
  }
  if (!isObject(value)) return undefined;
  const below = (name: string) => path === "" ? name : `${path}.${name}`;
  for (const name of schema.required ?? []) {
    if (!Object.hasOwn(value, name)) {
      return wrong(below(name), undefined, resolve(schema.properties?.[name] ?? schema, root));
    }
  }
  for (const [name, element] of Object.entries(value)) {
    const rule = Object.hasOwn(schema.properties ?? {}, name)
      ? schema.properties![name]
      : schema.additionalProperties;
    const mismatch = rule && check(element, rule, below(name), root);
    if (mismatch) return mismatch;
  }
  return undefined;
}

function isOfType(value: unknown, { type }: Schema): boolean {
  return type === undefined || [type].flat().some((name) => TYPES[name](value));
}

function resolve(schema: Schema, root: Schema): Schema {
  const name = schema.$ref?.replace("#/definitions/", "");
  return name === undefined ? schema : root.definitions?.[name] ?? schema;
}
