/**
 * Waiting for something for a bounded time.
 *
 * @module
 */

/**
 * The promised value if it comes in time; undefined while it is still to come.
 *
 * @param promise What is waited for; its failure is the caller's.
 * @param time How long, in milliseconds.
 */
export async function within<T>(promise: Promise<T>, time: number): Promise<T | undefined> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), time);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
