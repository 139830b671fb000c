/**
 * Checks the types of a request's fields, for every dialect alike.
 *
 * @module
 */

import { BridgeError } from "../errors.ts";
import { isObject, type JsonObject } from "../json.ts";

/** What a field must be, where it is there. */
export interface FieldRule {
  /** In words, behind "expected". */
  readonly expected: string;
  /** Whether a value is that. */
  readonly fits: (value: unknown) => boolean;
}

/** Field → what it must be. A field that is null counts as not there, as OpenAI has it. */
export type FieldRules = Readonly<Record<string, FieldRule>>;

/** Whether a value is a string. */
export const isString = (value: unknown): value is string => typeof value === "string";
/** Whether a value is true or false. */
const isBoolean = (value: unknown): value is boolean => typeof value === "boolean";
/** Whether a value is a number. */
const isNumber = (value: unknown): value is number => typeof value === "number";
/** Whether a value is a whole number from 1 on. */
const isCount = (value: unknown): value is number =>
  Number.isInteger(value) && (value as number) >= 1;

/** Whether a value is an array of objects. */
export const areObjects = (value: unknown): value is JsonObject[] =>
  Array.isArray(value) && value.every(isObject);

/** A field that must be a string. */
export const STRING: FieldRule = { expected: "a string", fits: isString };
/** A field that must be true or false. */
export const BOOLEAN: FieldRule = { expected: "true or false", fits: isBoolean };
/** A field that must be a number. */
export const NUMBER: FieldRule = { expected: "a number", fits: isNumber };
/** A field that must be a whole number from 1 on. */
export const COUNT: FieldRule = { expected: "a whole number from 1 on", fits: isCount };
/** A field that must be an object. */
export const OBJECT: FieldRule = { expected: "an object", fits: isObject };
/** A field that must be an array of objects. */
export const OBJECTS: FieldRule = { expected: "an array of objects", fits: areObjects };
/** A field that must be an array of strings. */
export const STRINGS: FieldRule = {
  expected: "an array of strings",
  fits: (value) => Array.isArray(value) && value.every(isString),
};
/** A field that must be a string or an object. */
export const STRING_OR_OBJECT: FieldRule = {
  expected: "a string or an object",
  fits: (value) => isString(value) || isObject(value),
};

/** A value's kind, in words. */
function kindOf(value: unknown): string {
  if (value === undefined) return "nothing";
  if (value === null) return "null";
  if (Array.isArray(value)) return "an array";
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
}

/**
 * The error for a field of a wrong type.
 *
 * @param param The field, as a path.
 * @param expected What it must be, in words.
 * @param value What it is.
 */
export function wrongType(param: string, expected: string, value: unknown): BridgeError {
  const message = value === undefined
    ? `\`${param}\` is missing: expected ${expected}.`
    : `\`${param}\` is ${kindOf(value)}: expected ${expected}.`;
  return new BridgeError("request", message, {
    param,
    code: value === undefined ? "missing_field" : "invalid_type",
  });
}

/**
 * Checks the fields of an object.
 *
 * @param object The body, or a part of it.
 * @param rules What its fields must be; other fields pass.
 * @param prefix The path of the object, with a dot at its end, or an empty string.
 * @throws {BridgeError} kind `request`, for the first field that doesn't fit.
 */
export function checkFields(object: JsonObject, rules: FieldRules, prefix: string): void {
  for (const name in rules) {
    const value = object[name];
    if (value !== undefined && value !== null && !rules[name].fits(value)) {
      throw wrongType(prefix + name, rules[name].expected, value);
    }
  }
}

/**
 * The model that a body asks for.
 *
 * @throws {BridgeError} kind `request`, where it names none.
 */
export function modelOf(body: JsonObject): string {
  const { model } = body;
  if (typeof model === "string" && model.trim() !== "") return model;
  throw new BridgeError("request", "`model` is missing: name a model from GET /models.", {
    param: "model",
    code: model === undefined ? "missing_field" : "invalid_type",
  });
}
