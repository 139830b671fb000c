/**
 * Deno's leak sanitizers, which newer Deno enables only on request.
 *
 * @module
 */

/**
 * Asks for them, for all tests of the calling file; where Deno has them on anyway, nothing is done.
 *
 * @example
 * ```ts
 * import { sanitizeTests } from "./sanitizers.ts";
 *
 * sanitizeTests();
 * ```
 */
export function sanitizeTests(): void {
  const test: { sanitizer?: (on: { ops: boolean; resources: boolean }) => void } = Deno.test;
  test.sanitizer?.({ ops: true, resources: true });
}
