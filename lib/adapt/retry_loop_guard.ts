/**
 * The runaway guard. ForgeCode repeats a paid request up to 100 times over an ending that it doesn't
 * like (`forgecode.md`, "Runaway"). The bridge mends what it can; what it can't, such as an answer that
 * is cut for its length every time, is stopped here.
 *
 * @module
 */

import { BridgeError } from "../errors.ts";
import { hash64 } from "../hash.ts";
import type { JsonObject } from "../json.ts";

/** How many times the same request may end the same way within {@linkcode WINDOW}. */
export const MOST = 8;

/** Milliseconds. */
export const WINDOW = 120_000;

/** How many requests are watched at once; the longest unused go first. */
const MAX_REQUESTS = 2_000;

/** The endings of one request that were not good ones. */
type Endings = { ending: string; at: number }[];

/**
 * Counts the endings of requests. A good answer, one that ends with `stop` and says something, is not
 * counted: a client that got it doesn't repeat its request, and who asks the same on purpose may.
 *
 * @example
 * ```ts
 * import { RunawayGuard } from "./retry_loop_guard.ts";
 *
 * const guard = new RunawayGuard();
 * const request = { model: "m", messages: [{ role: "user", content: "Write a novel" }] };
 * for (let i = 0; i < 8; i++) guard.ended(request, "length");
 * let stopped = false;
 * try {
 *   guard.check(request);
 * } catch {
 *   stopped = true;
 * }
 * if (!stopped) throw new Error("the ninth is stopped");
 * ```
 */
export class RunawayGuard {
  readonly #endings = new Map<string, Endings>();
  readonly #now: () => number;

  /** Makes a guard that reads the time, in milliseconds, from `now`. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /**
   * Lets a request pass, or stops it where it has run away. As long as nothing has ended badly, which
   * is nearly always, it costs nothing.
   *
   * @param request The body as it is sent to the gateway, in either dialect.
   * @throws {BridgeError} kind `runaway`, when this request has ended the same way {@linkcode MOST} times within {@linkcode WINDOW}.
   */
  check(request: JsonObject): void {
    const since = this.#now() - WINDOW;
    // Requests stand in the order of their last endings.
    for (const [key, endings] of this.#endings) {
      if (endings.at(-1)!.at > since) break;
      this.#endings.delete(key);
    }
    if (this.#endings.size === 0) return;
    const recent = (this.#endings.get(keyOf(request)) ?? []).filter(({ at }) => at > since);
    const counts = new Map<string, number>();
    for (const { ending } of recent) counts.set(ending, (counts.get(ending) ?? 0) + 1);
    for (const [ending, count] of counts) {
      if (count < MOST) continue;
      throw new BridgeError(
        "runaway",
        `The same request has ended ${count} times in two minutes with "${ending}", and every time was paid for: the bridge stops it here. ${
          REMEDIES[ending] ?? "Change the request, or try another model"
        }. It is let through again after two minutes; --no-runaway-guard turns this off.`,
      );
    }
  }

  /**
   * Notes how a request ended.
   *
   * @param request As for {@linkcode RunawayGuard.check}.
   * @param ending A finish reason, `empty`, or an error's kind.
   */
  ended(request: JsonObject, ending: string): void {
    const key = keyOf(request);
    const since = this.#now() - WINDOW;
    const kept = (this.#endings.get(key) ?? []).filter(({ at }) => at > since).slice(-(2 * MOST));
    this.#endings.delete(key);
    this.#endings.set(key, [...kept, { ending, at: this.#now() }]);
    if (this.#endings.size > MAX_REQUESTS) this.#endings.delete(this.#endings.keys().next().value!);
  }
}

/**
 * What tells one request from another: model, messages and tools in either dialect, because clients
 * change the rest from one attempt to the next. A hash, so that no prompt is kept.
 */
function keyOf({ model, messages, instructions, input, tools }: JsonObject): string {
  const text = JSON.stringify([model, messages, instructions, input, tools]);
  return `${text.length}:${hash64(text)}`;
}

/** Ending → what helps. */
const REMEDIES: Readonly<Record<string, string>> = {
  length: "The answer doesn't fit: raise max_tokens, or ask for less at once",
  empty: "The model says nothing: rephrase the request, or try another model",
  interrupted: "The gateway breaks the answer off: wait, or try another model",
  content_filter: "A filter of the gateway's stops the answer: rephrase the request",
};
