/**
 * Simplifies a tool's JSON Schema for a surface that refuses some of its keywords (`gateway.md`,
 * "Function calling"). Only on a refusal: the models that take the whole schema do better with it.
 *
 * @module
 */

import { isObject, type JsonObject } from "../json.ts";

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

function each(schema: JsonObject, change: (child: unknown) => unknown): JsonObject {
  const changed: JsonObject = {};
  for (const [key, value] of Object.entries(schema)) {
    // As a key of a literal it would set the prototype; in a schema it means nothing.
    if (key === "__proto__") continue;
    if (MAPS.has(key) && isObject(value)) {
      changed[key] = Object.fromEntries(
        Object.entries(value).map(([name, child]) => [name, change(child)]),
      );
    } else if (SCHEMAS.has(key)) {
      changed[key] = Array.isArray(value) ? value.map(change) : change(value);
    } else changed[key] = value;
  }
  return changed;
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
