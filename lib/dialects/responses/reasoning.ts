/**
 * Keeps encrypted reasoning items for the requests that follow.
 *
 * @module
 */

import type { CallScope } from "../dialect.ts";
import type { Item } from "./item.ts";

/**
 * The shortest id under which reasoning is kept, in characters. Shorter ones are counters
 * (`call_0`), which other conversations use as well: theirs would be given this one's thoughts.
 */
const MIN_MEMORABLE_ID = 10;

/** Where reasoning items are kept. */
export interface ReasoningKeeper {
  /** The store, by the ids of the calls that the reasoning led to; nothing is kept where missing. */
  memory?: CallScope;
  /** The model that was asked for: reasoning items are sent back to no other. */
  model?: string;
}

/** Keeps reasoning items under the ids of the calls that they led to, in the order of a final list. */
export function keepReasoning(items: readonly Item[], keeper: ReasoningKeeper): void {
  let reasoning: Item[] = [];
  let calls: Item[] = [];
  for (const item of items) {
    if (item.kind === "reasoning" && item.replayable !== undefined) {
      if (calls.length > 0) {
        keepReasoningFor(calls, reasoning, keeper);
        reasoning = [];
        calls = [];
      }
      reasoning.push(item);
    } else if (item.kind === "call") calls.push(item);
  }
  keepReasoningFor(calls, reasoning, keeper);
}

/** Keeps reasoning items under the ids of calls. */
export function keepReasoningFor(
  calls: readonly Item[],
  reasoning: readonly Item[],
  { memory, model }: ReasoningKeeper,
): void {
  if (memory === undefined) return;
  const items = reasoning.flatMap(({ replayable }) => replayable ? [replayable] : []);
  if (items.length === 0) return;
  for (const { sentId } of calls) {
    if (sentId.length < MIN_MEMORABLE_ID) continue;
    memory.set(sentId, model === undefined ? { items } : { items, model });
  }
}
