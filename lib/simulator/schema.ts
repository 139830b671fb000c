/**
 * Values that fit a JSON schema: what a small model would fill into a tool call or a structured
 * answer.
 *
 * @module
 */

import { isObject, type JsonObject } from "./json.ts";

/** What is known about the request, for texts that make sense. */
export interface ValueHints {
  /** The user's question: its words become titles, queries and answers. */
  readonly question: string;
  /** The client's working directory, where the messages name one. */
  readonly directory?: string;
}

/** How deep a schema is followed; a recursive one ends there. */
const MAX_DEPTH = 8;

/** Texts for well-known property names; the first pattern that fits wins. */
const TEXTS: readonly (readonly [RegExp, (hints: ValueHints) => string])[] = [
  [/url|uri|link/i, () => "https://example.com/"],
  [/email/i, () => "somebody@example.com"],
  [/(file|path)/i, (hints) => hints.directory ? `${hints.directory}/README.md` : "README.md"],
  [/(dir|folder|cwd|root)/i, (hints) => hints.directory ?? "."],
  [/(command|cmd|script)/i, () => "echo hello"],
  [/(pattern|regex|glob)/i, (hints) => words(hints.question, 1) || "README"],
  [/(query|question|search|prompt|keyword|topic)/i, (hints) => words(hints.question, 6) || "help"],
  [/(city|location|place)/i, () => "Berlin"],
  [/(language|lang)/i, () => "en"],
  [/date/i, () => "2026-09-01"],
  [/(expression|formula)/i, () => "6 * 7"],
  [/(title|name|subject|summary)/i, (hints) => titleCase(words(hints.question, 5)) || "Untitled"],
];

/** Texts for the formats of JSON Schema. */
const FORMATS: Readonly<Record<string, string>> = {
  "date-time": "2026-09-01T12:00:00Z",
  "date": "2026-09-01",
  "time": "12:00:00Z",
  "duration": "PT1H",
  "email": "somebody@example.com",
  "hostname": "example.com",
  "ipv4": "192.0.2.1",
  "ipv6": "2001:db8::1",
  "uri": "https://example.com/",
  "url": "https://example.com/",
  "uuid": "00000000-0000-4000-8000-000000000000",
};

/**
 * Makes a value that fits a JSON schema: required properties only, `const`, `default` and the first
 * of `enum` or `examples` where they are given. `pattern` is not looked at.
 *
 * @param schema The schema; anything that is no object counts as "any value".
 * @param hints What is known about the request.
 * @param name The property's name: texts are chosen by it.
 * @returns A value of plain JSON.
 *
 * @example
 * ```ts
 * import { valueFor } from "./schema.ts";
 *
 * const schema = {
 *   type: "object",
 *   properties: { path: { type: "string" }, lines: { type: "integer", minimum: 3 } },
 *   required: ["path", "lines"],
 * };
 * const value = JSON.stringify(valueFor(schema, { question: "" }));
 * if (value !== '{"path":"README.md","lines":3}') throw new Error(value);
 * ```
 */
export function valueFor(schema: unknown, hints: ValueHints, name = ""): unknown {
  return generate(schema, { hints, root: schema, depth: 0 }, name);
}

interface Place {
  readonly hints: ValueHints;
  readonly root: unknown;
  readonly depth: number;
}

function generate(given: unknown, place: Place, name: string): unknown {
  if (!isObject(given) || place.depth > MAX_DEPTH) return textFor({}, place.hints, name);
  const inner = { ...place, depth: place.depth + 1 };
  const schema = resolve(given, place.root);
  if ("const" in schema) return schema.const;
  if (schema.default !== undefined && schema.default !== null) return schema.default;
  if (Array.isArray(schema.enum) && schema.enum.length > 0) return schema.enum[0];
  if (Array.isArray(schema.examples) && schema.examples.length > 0) return schema.examples[0];
  if (Array.isArray(schema.allOf)) return generate(merge(schema), inner, name);
  const choices = schema.anyOf ?? schema.oneOf;
  if (Array.isArray(choices)) {
    const choice = choices.find((one) => isObject(one) && one.type !== "null") ?? choices[0];
    return generate(choice, inner, name);
  }
  switch (typeOf(schema)) {
    case "object":
      return objectFor(schema, inner);
    case "array": {
      const count = typeof schema.minItems === "number" ? Math.min(schema.minItems, 20) : 1;
      return Array.from({ length: count }, () => generate(schema.items ?? {}, inner, name));
    }
    case "integer":
    case "number":
      return numberFor(schema);
    case "boolean":
      return false;
    case "null":
      return null;
    default:
      return textFor(schema, place.hints, name);
  }
}

function objectFor(schema: JsonObject, place: Place): JsonObject {
  const properties = isObject(schema.properties) ? schema.properties : {};
  const required = Array.isArray(schema.required) ? schema.required : [];
  const value: JsonObject = {};
  for (const key of required) {
    if (typeof key === "string") value[key] = generate(properties[key] ?? {}, place, key);
  }
  return value;
}

function numberFor(schema: JsonObject): number {
  const step = typeof schema.multipleOf === "number" ? schema.multipleOf : 1;
  const least = typeof schema.exclusiveMinimum === "number"
    ? schema.exclusiveMinimum + step
    : typeof schema.minimum === "number"
    ? schema.minimum
    : 1;
  const value = Math.ceil(least / step) * step;
  return typeof schema.maximum === "number" ? Math.min(value, schema.maximum) : value;
}

function textFor(schema: JsonObject, hints: ValueHints, name: string): string {
  const format = typeof schema.format === "string" ? FORMATS[schema.format] : undefined;
  if (format !== undefined) return format;
  const known = TEXTS.find(([pattern]) => pattern.test(name));
  let text = known ? known[1](hints) : words(hints.question, 12) || "text";
  if (typeof schema.minLength === "number") {
    text = text.padEnd(Math.min(schema.minLength, 1000), ".");
  }
  if (typeof schema.maxLength === "number") text = text.slice(0, schema.maxLength);
  return text;
}

function typeOf(schema: JsonObject): unknown {
  if (Array.isArray(schema.type)) return schema.type.find((type) => type !== "null") ?? "null";
  return schema.type ?? (isObject(schema.properties) ? "object" : "string");
}

/** Follows a `$ref` inside the same schema, one step; a foreign one counts as "any value". */
function resolve(schema: JsonObject, root: unknown): JsonObject {
  if (typeof schema.$ref !== "string") return schema;
  let found: unknown = root;
  for (const key of schema.$ref.replace(/^#\/?/, "").split("/")) {
    found = isObject(found) ? found[key] : undefined;
  }
  return isObject(found) ? found : {};
}

function merge(schema: JsonObject): JsonObject {
  const { allOf, ...rest } = schema;
  const parts = [rest, ...(allOf as unknown[])].filter(isObject);
  const merged: JsonObject = Object.assign({}, ...parts);
  const objects = parts.map((part) => part.properties).filter(isObject);
  if (objects.length > 0) merged.properties = Object.assign({}, ...objects);
  const required = parts.flatMap((part) => Array.isArray(part.required) ? part.required : []);
  if (required.length > 0) merged.required = required;
  return merged;
}

/** The first words of a text, without punctuation at either end. */
function words(text: string, count: number): string {
  return text.split(/\s+/).map((word) => word.replace(/^[^\p{L}\p{N}]+|[^\p{L}\p{N}]+$/gu, ""))
    .filter((word) => word !== "").slice(0, count).join(" ");
}

function titleCase(text: string): string {
  return text.replace(/(^|\s)\p{L}/gu, (letter) => letter.toUpperCase());
}
