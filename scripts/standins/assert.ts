/**
 * Stand-in for the part of `@std/assert` that the project uses, over `node:assert`, for networks
 * that do not reach JSR. `tests/standins_test.ts` compares it with the real package wherever both
 * can be had. The words of a failure are others, what fails is the same.
 *
 * @example Usage
 * ```ts
 * import { assertEquals, assertThrows } from "./assert.ts";
 *
 * assertEquals({ a: [1] }, { a: [1] });
 * assertThrows(() => JSON.parse("{"), SyntaxError, "JSON");
 * ```
 *
 * @module
 */
import { deepStrictEqual } from "node:assert";
import { inspect } from "node:util";

/** What every assertion throws that does not hold. */
export class AssertionError extends Error {
  /**
   * Makes the error.
   *
   * @param message What was expected and what came.
   * @param options The cause, if there is one.
   */
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "AssertionError";
  }
}

/** A class of errors. */
// deno-lint-ignore no-explicit-any
export type ErrorClass<E extends Error> = abstract new (...args: any[]) => E;

function refuse(what: string, message: string | undefined): never {
  throw new AssertionError(message ? `${what}: ${message}` : `${what}.`);
}

/**
 * Checks that a value is truthy.
 *
 * @param expr The value.
 * @param msg What to say if it is not.
 * @throws {AssertionError} If it is not.
 */
export function assert(expr: unknown, msg = ""): asserts expr {
  if (!expr) throw new AssertionError(msg);
}

/**
 * A copy for comparing as the real package compares: objects without prototype are plain objects,
 * and -0 is 0, which `node:assert` tells apart.
 */
function comparable(value: unknown, seen = new Map<unknown, unknown>()): unknown {
  if (Object.is(value, -0)) return 0;
  if (typeof value !== "object" || value === null) return value;
  const prototype = Object.getPrototypeOf(value);
  const plain = prototype === null || prototype === Object.prototype;
  if (!plain && prototype !== Array.prototype) return value;
  const known = seen.get(value);
  if (known) return known;
  const copy: object = plain ? {} : new Array((value as unknown[]).length);
  seen.set(value, copy);
  for (const key of Reflect.ownKeys(value)) {
    if (key === "length" && !plain) continue;
    const inner = (value as Record<PropertyKey, unknown>)[key];
    Object.defineProperty(copy, key, {
      value: comparable(inner, seen),
      enumerable: true,
      configurable: true,
      writable: true,
    });
  }
  return copy;
}

/**
 * Checks that two values are equal, deeply: own properties, prototypes, dates, maps and sets.
 *
 * @param actual What came.
 * @param expected What was expected.
 * @param msg What to say if they differ.
 * @throws {AssertionError} If they differ; the message shows where.
 */
export function assertEquals<T>(actual: T, expected: T, msg?: string): void {
  try {
    deepStrictEqual(comparable(actual), comparable(expected));
  } catch (error) {
    throw new AssertionError(
      `Values are not equal${msg ? `: ${msg}` : "."}\n${(error as Error).message}`,
    );
  }
}

/**
 * Checks that two values are the same, by `Object.is`.
 *
 * @param actual What came.
 * @param expected What was expected.
 * @param msg What to say if they differ.
 * @throws {AssertionError} If they differ.
 */
export function assertStrictEquals<T>(
  actual: unknown,
  expected: T,
  msg?: string,
): asserts actual is T {
  if (Object.is(actual, expected)) return;
  refuse(`Expected ${inspect(expected)} itself, but got ${inspect(actual)}`, msg);
}

/**
 * Checks that a value is neither `undefined` nor `null`.
 *
 * @param actual The value.
 * @param msg What to say if it is.
 * @throws {AssertionError} If it is.
 */
export function assertExists<T>(actual: T, msg?: string): asserts actual is NonNullable<T> {
  if (actual === undefined || actual === null) refuse(`Expected a value, but got ${actual}`, msg);
}

/**
 * Checks that a text matches a pattern.
 *
 * @param actual The text.
 * @param expected The pattern.
 * @param msg What to say if it does not.
 * @throws {AssertionError} If it does not.
 */
export function assertMatch(actual: string, expected: RegExp, msg?: string): void {
  if (!expected.test(actual)) refuse(`Expected a match of ${expected}, but got "${actual}"`, msg);
}

/**
 * Checks that a text contains another.
 *
 * @param actual The text.
 * @param expected The part that it should contain.
 * @param msg What to say if it does not.
 * @throws {AssertionError} If it does not.
 */
export function assertStringIncludes(actual: string, expected: string, msg?: string): void {
  if (!actual.includes(expected)) refuse(`Expected "${expected}" in "${actual}"`, msg);
}

/** The part of a value that its pattern speaks of, to show and to compare. */
function overlap(actual: unknown, expected: unknown): unknown {
  if (typeof actual !== "object" || actual === null) return actual;
  if (typeof expected !== "object" || expected === null) return actual;
  if (Array.isArray(actual) && Array.isArray(expected)) {
    return actual.slice(0, expected.length).map((item, index) => overlap(item, expected[index]));
  }
  const proto = Object.getPrototypeOf(actual);
  if (Array.isArray(actual) || (proto !== null && proto !== Object.prototype)) return actual;
  return Object.fromEntries(
    Reflect.ownKeys(actual).filter((key) => Object.hasOwn(expected, key)).map((key) => [
      key,
      overlap(
        (actual as Record<PropertyKey, unknown>)[key],
        (expected as Record<PropertyKey, unknown>)[key],
      ),
    ]),
  );
}

/**
 * Checks that an object has all that a pattern has, deeply; arrays are compared as far as the
 * shorter of the two goes, as the real package does.
 *
 * @param actual The object.
 * @param expected The pattern.
 * @param msg What to say if it does not fit.
 * @throws {AssertionError} If it does not fit.
 */
export function assertObjectMatch(
  // deno-lint-ignore no-explicit-any
  actual: Record<PropertyKey, any>,
  expected: Record<PropertyKey, unknown>,
  msg?: string,
): void {
  assertEquals(overlap(actual, expected), expected as unknown, msg);
}

/** Checks a caught value against a class and a part of its message. */
function checkThrown<E extends Error>(
  thrown: unknown,
  Class: ErrorClass<E> | undefined,
  part: string | undefined,
  msg: string | undefined,
): void {
  if (Class === undefined) return;
  if (!(thrown instanceof Error)) refuse(`Expected an Error, but got ${inspect(thrown)}`, msg);
  if (!(thrown instanceof Class)) {
    refuse(`Expected an instance of ${Class.name}, but got ${inspect(thrown)}`, msg);
  }
  if (part !== undefined && !thrown.message.includes(part)) {
    refuse(`Expected a message with "${part}", but got "${thrown.message}"`, msg);
  }
}

/**
 * Checks that a function throws.
 *
 * @param fn The function.
 * @param msg What to say if it does not.
 * @returns What it threw.
 * @throws {AssertionError} If it does not throw.
 */
export function assertThrows(fn: () => unknown, msg?: string): unknown;
/**
 * Checks that a function throws an error of a class, with certain words in its message.
 *
 * @param fn The function.
 * @param ErrorClass The class.
 * @param msgIncludes Words that the message should contain.
 * @param msg What to say if it does not.
 * @returns The error.
 * @throws {AssertionError} If it throws nothing or something else.
 */
export function assertThrows<E extends Error = Error>(
  fn: () => unknown,
  ErrorClass: ErrorClass<E>,
  msgIncludes?: string,
  msg?: string,
): E;
export function assertThrows<E extends Error = Error>(
  fn: () => unknown,
  classOrMsg?: ErrorClass<E> | string,
  msgIncludes?: string,
  msg?: string,
): unknown {
  const [Class, message] = typeof classOrMsg === "string"
    ? [undefined, classOrMsg]
    : [classOrMsg, msg];
  try {
    fn();
  } catch (thrown) {
    checkThrown(thrown, Class, msgIncludes, message);
    return thrown;
  }
  refuse("Expected the function to throw", message);
}

/**
 * Checks that a function returns a promise that rejects.
 *
 * @param fn The function.
 * @param msg What to say if it does not.
 * @returns What the promise rejected with.
 * @throws {AssertionError} If it does not reject, or the function throws at once.
 */
export function assertRejects(fn: () => PromiseLike<unknown>, msg?: string): Promise<unknown>;
/**
 * Checks that a function returns a promise that rejects with an error of a class, with certain
 * words in its message.
 *
 * @param fn The function.
 * @param ErrorClass The class.
 * @param msgIncludes Words that the message should contain.
 * @param msg What to say if it does not.
 * @returns The error.
 * @throws {AssertionError} If it does not reject, rejects with something else, or the function
 * throws at once.
 */
export function assertRejects<E extends Error = Error>(
  fn: () => PromiseLike<unknown>,
  ErrorClass: ErrorClass<E>,
  msgIncludes?: string,
  msg?: string,
): Promise<E>;
export async function assertRejects<E extends Error = Error>(
  fn: () => PromiseLike<unknown>,
  classOrMsg?: ErrorClass<E> | string,
  msgIncludes?: string,
  msg?: string,
): Promise<unknown> {
  const [Class, message] = typeof classOrMsg === "string"
    ? [undefined, classOrMsg]
    : [classOrMsg, msg];
  let promise: unknown;
  try {
    promise = fn();
  } catch (thrown) {
    refuse(`Expected a promise that rejects, but the function threw ${inspect(thrown)}`, message);
  }
  if (typeof (promise as PromiseLike<unknown> | null)?.then !== "function") {
    refuse("Expected a promise that rejects, but the function returned none", message);
  }
  try {
    await promise;
  } catch (thrown) {
    checkThrown(thrown, Class, msgIncludes, message);
    return thrown;
  }
  refuse("Expected the promise to reject", message);
}
