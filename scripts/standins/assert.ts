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
  /** Its name, as stack traces show it. */
  override name = "AssertionError";
}

/** A class of errors. */
// deno-lint-ignore no-explicit-any
export type ErrorClass<E extends Error> = abstract new (...args: any[]) => E;

function refuse(what: string, message: string | undefined): never {
  throw new AssertionError(message ? `${what}: ${message}` : `${what}.`);
}

/** Checks that a value is truthy. */
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

/** Checks that two values are equal, deeply: own properties, prototypes, dates, maps and sets. */
export function assertEquals<T>(actual: T, expected: T, msg?: string): void {
  try {
    deepStrictEqual(comparable(actual), comparable(expected));
  } catch (error) {
    throw new AssertionError(
      `Values are not equal${msg ? `: ${msg}` : "."}\n${(error as Error).message}`,
    );
  }
}

/** Checks that two values are the same, by `Object.is`. */
export function assertStrictEquals<T>(
  actual: unknown,
  expected: T,
  msg?: string,
): asserts actual is T {
  if (Object.is(actual, expected)) return;
  refuse(`Expected ${inspect(expected)} itself, but got ${inspect(actual)}`, msg);
}

/** Checks that a text matches a pattern. */
export function assertMatch(actual: string, expected: RegExp, msg?: string): void {
  if (!expected.test(actual)) refuse(`Expected a match of ${expected}, but got "${actual}"`, msg);
}

/** Checks that a text contains another. */
export function assertStringIncludes(actual: string, expected: string, msg?: string): void {
  if (!actual.includes(expected)) refuse(`Expected "${expected}" in "${actual}"`, msg);
}

/** What the checks for errors take behind the function: a message, or a class, a part of the error's message, and a message. */
type About = readonly [
  classOrMsg?: ErrorClass<Error> | string,
  msgIncludes?: string,
  msg?: string,
];

/** Checks a caught value against a class and a part of its message. */
function checkThrown(thrown: unknown, [Class, part, msg]: About): void {
  if (Class === undefined || typeof Class === "string") return;
  if (!(thrown instanceof Class)) {
    refuse(`Expected an instance of ${Class.name}, but got ${inspect(thrown)}`, msg);
  }
  if (part !== undefined && !thrown.message.includes(part)) {
    refuse(`Expected a message with "${part}", but got "${thrown.message}"`, msg);
  }
}

const messageOf = ([first, , msg]: About) => typeof first === "string" ? first : msg;

/** Checks that a function throws; returns what it threw. */
export function assertThrows(fn: () => unknown, msg?: string): unknown;
/** Checks that a function throws an error of a class, with certain words in its message; returns the error. */
export function assertThrows<E extends Error = Error>(
  fn: () => unknown,
  ErrorClass: ErrorClass<E>,
  msgIncludes?: string,
  msg?: string,
): E;
export function assertThrows(fn: () => unknown, ...about: About): unknown {
  try {
    fn();
  } catch (thrown) {
    checkThrown(thrown, about);
    return thrown;
  }
  refuse("Expected the function to throw", messageOf(about));
}

/** Checks that a function returns a promise that rejects; returns what it rejected with. */
export function assertRejects(fn: () => PromiseLike<unknown>, msg?: string): Promise<unknown>;
/** Checks that a function returns a promise that rejects with an error of a class, with certain words in its message; returns the error. */
export function assertRejects<E extends Error = Error>(
  fn: () => PromiseLike<unknown>,
  ErrorClass: ErrorClass<E>,
  msgIncludes?: string,
  msg?: string,
): Promise<E>;
export async function assertRejects(
  fn: () => PromiseLike<unknown>,
  ...about: About
): Promise<unknown> {
  let promise: PromiseLike<unknown>;
  try {
    promise = fn();
  } catch (thrown) {
    refuse(
      `Expected a promise that rejects, but the function threw ${inspect(thrown)}`,
      messageOf(about),
    );
  }
  if (typeof promise?.then !== "function") {
    refuse("Expected a promise that rejects, but the function returned none", messageOf(about));
  }
  try {
    await promise;
  } catch (thrown) {
    checkThrown(thrown, about);
    return thrown;
  }
  refuse("Expected the promise to reject", messageOf(about));
}
