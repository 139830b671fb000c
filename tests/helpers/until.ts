/**
 * Waits for a condition.
 *
 * @module
 */

/** How long a condition may take, in milliseconds. */
const DEADLINE = 20_000;

/** How often it is looked at, in milliseconds. */
const LOOK = 5;

/**
 * Waits until something holds.
 *
 * @param what What is waited for, for the error.
 * @param holds Whether it does.
 * @throws {Error} When it doesn't within 20 s.
 */
export async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + DEADLINE;
  while (!await holds()) {
    if (performance.now() > end) throw new Error(`It never came: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, LOOK));
  }
}
