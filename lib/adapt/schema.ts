/**
 * Changes a tool's JSON Schema for a surface that refuses parts of it (`gateway.md`, "Function calling").
 * Keywords go only on a refusal, because the models that take the whole schema do better with it; a
 * missing `type` is filled in.
 *
 * @module
 */

import { isObject, type JsonObject } from "../json.ts";
import { mapKeeping } from "./paths.ts";

/** Keywords whose value is a map of names to schemas. */
const MAPS = new Set(["properties", "patternProperties", "$defs", "definitions"]);
/** Keywords whose value is a schema, or a list of schemas. */
const SCHEMAS = new Set([
  "items",
  "prefixItems",
  "additionalProperties",
  "anyOf",
  "oneOf",
  "allOf",
  "not",
]);
/** Keywords that choose among schemas: taking them away must leave one of them. */
const CHOICES = new Set(["anyOf", "oneOf", "allOf"]);

/** Deeper than any tool's schema; what is below stays as it is. */
const MAX_DEPTH = 64;

/** Changes every schema directly inside a schema; the same schema where nothing changed. */
function each(schema: JsonObject, change: (child: unknown) => unknown): JsonObject {
  let changed: JsonObject | undefined;
  for (const key of Object.keys(schema)) {
    const value = schema[key];
    let next = value;
    if (MAPS.has(key) && isObject(value)) next = eachOf(value, change);
    else if (SCHEMAS.has(key)) {
      next = Array.isArray(value) ? mapKeeping(value, change) : change(value);
    }
    if (next !== value) (changed ??= { ...schema })[key] = next;
  }
  return changed ?? schema;
}

/** Changes every schema of a map; the same map where nothing changed. */
function eachOf(map: JsonObject, change: (child: unknown) => unknown): JsonObject {
  let changed: JsonObject | undefined;
  for (const name of Object.keys(map)) {
    const next = change(map[name]);
    // The copy has every name of its own already, `__proto__` too: this sets no prototype.
    if (next !== map[name]) (changed ??= { ...map })[name] = next;
  }
  return changed ?? map;
}

/**
 * A schema without a keyword, at any depth. Of `anyOf` and its kind the first alternative that isn't
 * `null` stays in the keyword's place.
 *
 * @example
 * ```ts
 * import { withoutKeyword } from "./schema.ts";
 *
 * const schema = { type: "object", properties: { pattern: { type: "string", pattern: "^a" } } };
 * const simple = withoutKeyword(schema, "pattern");
 * if (JSON.stringify(simple) !== '{"type":"object","properties":{"pattern":{"type":"string"}}}') {
 *   throw new Error("the keyword goes, a property of that name stays");
 * }
 * ```
 */
export function withoutKeyword(schema: unknown, keyword: string, depth = 0): unknown {
  if (!isObject(schema) || depth > MAX_DEPTH) return schema;
  if (!Object.hasOwn(schema, keyword)) {
    return each(schema, (child) => withoutKeyword(child, keyword, depth + 1));
  }
  const { [keyword]: taken, ...rest } = schema;
  const alternatives = CHOICES.has(keyword) && Array.isArray(taken) ? taken.filter(isObject) : [];
  const chosen = alternatives.find((alternative) => alternative.type !== "null") ?? {};
  const merged = keyword === "allOf" ? Object.assign({}, ...alternatives) : chosen;
  const simpler: JsonObject = { ...rest, ...merged };
  // What stands in its place may have the keyword itself.
  if (Object.hasOwn(simpler, keyword)) return withoutKeyword(simpler, keyword, depth + 1);
  return each(simpler, (child) => withoutKeyword(child, keyword, depth + 1));
}

/**
 * A schema whose objects have at most `most` properties: the required ones stay first.
 *
 * @example
 * ```ts
 * import { withFewerKeys } from "./schema.ts";
 *
 * const schema = { type: "object", properties: { a: {}, b: {}, c: {} }, required: ["c"] };
 * const fewer = withFewerKeys(schema, 2) as { properties: object };
 * if (Object.keys(fewer.properties).join() !== "a,c") throw new Error("required and first");
 * ```
 */
export function withFewerKeys(schema: unknown, most: number, depth = 0): unknown {
  if (!isObject(schema) || depth > MAX_DEPTH) return schema;
  let pruned = schema;
  if (isObject(schema.properties) && Object.keys(schema.properties).length > most) {
    const required = new Set(Array.isArray(schema.required) ? schema.required : []);
    const names = Object.keys(schema.properties);
    const kept = new Set(
      [...names].sort((a, b) => Number(required.has(b)) - Number(required.has(a))).slice(0, most),
    );
    const { properties } = schema;
    pruned = {
      ...schema,
      properties: Object.fromEntries(
        names.filter((name) => kept.has(name)).map((name) => [name, properties[name]]),
      ),
      ...(Array.isArray(schema.required)
        ? { required: schema.required.filter((name) => kept.has(name)) }
        : {}),
    };
  }
  return each(pruned, (child) => withFewerKeys(child, most, depth + 1));
}

/** Keyword → the type that it says something about. */
const EVIDENCE: Readonly<Record<string, string>> = {
  properties: "object",
  additionalProperties: "object",
  required: "object",
  items: "array",
  prefixItems: "array",
  minItems: "array",
  maxItems: "array",
  pattern: "string",
  minLength: "string",
  maxLength: "string",
  format: "string",
  minimum: "number",
  maximum: "number",
  exclusiveMinimum: "number",
  exclusiveMaximum: "number",
  multipleOf: "number",
};

/** Keywords that say the type in another place. */
const ELSEWHERE = ["$ref", "anyOf", "oneOf", "allOf", "not", "if"];

/** The JSON Schema type of a value, where all of `values` have the same. */
function typeOf(values: readonly unknown[]): string | undefined {
  const types = new Set(
    values.map((value) =>
      Array.isArray(value) ? "array" : isObject(value) ? "object" : typeof value
    ),
  );
  const [type] = types;
  return types.size === 1 && ["string", "number", "boolean", "array", "object"].includes(type)
    ? type
    : undefined;
}

/** The type that a schema's other keywords speak of. */
function inferType(schema: JsonObject): string | undefined {
  if (Array.isArray(schema.enum)) return typeOf(schema.enum);
  for (const key of ["const", "default"]) {
    if (schema[key] !== undefined && schema[key] !== null) return typeOf([schema[key]]);
  }
  for (const key in EVIDENCE) if (Object.hasOwn(schema, key)) return EVIDENCE[key];
  return undefined;
}

/**
 * A schema of which every part says its `type`, as far as its other keywords tell it.
 *
 * @param schema A tool's schema; it is not changed.
 * @param every Whether a schema that tells nothing becomes a string: Gemini refuses one without a type.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { withTypes } from "./schema.ts";
 *
 * const schema = { properties: { list: { items: {} }, value: { description: "anything" } } };
 * assertEquals(withTypes(schema, true), {
 *   type: "object",
 *   properties: {
 *     list: { type: "array", items: { type: "string" } },
 *     value: { type: "string", description: "anything" },
 *   },
 * });
 * ```
 */
export function withTypes(schema: unknown, every: boolean, depth = 0): unknown {
  if (!isObject(schema) || depth > MAX_DEPTH) return schema;
  const typed = each(schema, (child) => withTypes(child, every, depth + 1));
  if (typed.type !== undefined || ELSEWHERE.some((key) => Object.hasOwn(typed, key))) return typed;
  const type = inferType(typed) ?? (every ? "string" : undefined);
  return type === undefined ? typed : { type, ...typed };
}

/** Fields of a tool, or of its `function`, that hold its schema. */
const SCHEMA_FIELDS = ["parameters", "input_schema", "parametersJsonSchema"];

/** Keywords that OpenAI's strict structured output doesn't know. */
const NOT_STRICT = ["oneOf", "allOf", "not", "patternProperties", "prefixItems", "if"];

/**
 * Whether a schema keeps the rules of OpenAI's strict structured output: an object at the top, and every
 * object names all of its fields, requires them, and allows no others.
 *
 * @param schema A JSON Schema.
 */
export function isStrictSchema(schema: unknown): boolean {
  return isObject(schema) && schema.type === "object" && keepsStrictRules(schema, 0);
}

function keepsStrictRules(schema: unknown, depth: number): boolean {
  if (!isObject(schema) || depth > MAX_DEPTH) return false;
  if (NOT_STRICT.some((keyword) => schema[keyword] !== undefined)) return false;
  const { type, properties, required, additionalProperties, items, anyOf, $defs } = schema;
  const isObjects = type === "object" || (Array.isArray(type) && type.includes("object"));
  if (isObjects || properties !== undefined) {
    if (!isObject(properties) || !Array.isArray(required) || additionalProperties !== false) {
      return false;
    }
    if (!Object.keys(properties).every((name) => required.includes(name))) return false;
  }
  return [properties, $defs].flatMap((map) => isObject(map) ? Object.values(map) : [])
    .concat(items === undefined ? [] : [items], Array.isArray(anyOf) ? anyOf : [])
    .every((inner) => keepsStrictRules(inner, depth + 1));
}

/**
 * A body with the schema of every tool changed, in any dialect's form.
 *
 * @param body A body; it is not changed.
 * @param change Gives the new schema for an old one; the same value where nothing is to change.
 */
export function withSchemas(body: JsonObject, change: (schema: unknown) => unknown): JsonObject {
  if (!Array.isArray(body.tools)) return body;
  const changeIn = (holder: JsonObject): JsonObject => {
    let changed = holder;
    for (const field of SCHEMA_FIELDS) {
      if (!isObject(holder[field])) continue;
      const schema = change(holder[field]);
      if (schema !== holder[field]) changed = { ...changed, [field]: schema };
    }
    return changed;
  };
  const tools = mapKeeping(body.tools, (tool) => {
    if (!isObject(tool)) return tool;
    if (isObject(tool.function)) {
      const definition = changeIn(tool.function);
      return definition === tool.function ? tool : { ...tool, function: definition };
    }
    for (const field of ["functionDeclarations", "function_declarations"]) {
      const list = tool[field];
      if (!Array.isArray(list)) continue;
      const changed = mapKeeping(list, (one) => isObject(one) ? changeIn(one) : one);
      return changed === list ? tool : { ...tool, [field]: changed };
    }
    return changeIn(tool);
  });
  return tools === body.tools ? body : { ...body, tools };
}
