/**
 * What refusals have taught, by workspace and model: it fades after an hour, and is bounded.
 *
 * @module
 */

import type { Adjustment } from "./adjustments.ts";

/** How many models' adjustments are kept; the ones that were inferred first go first. */
const MAX_MODELS = 1000;

/** How many adjustments are kept for one model; the oldest go first. */
export const MAX_ADJUSTMENTS = 64;

/** How long an adjustment is kept, in milliseconds. */
export const LIFETIME = 60 * 60 * 1000;

/** What memories are told apart by. */
export interface ModelKey {
  /** The gateway's base: what one workspace refuses another may take. */
  readonly workspace?: string;
  /** The model as clients ask for it. */
  readonly model: string;
}

/** One adjustment, and when it was inferred, in milliseconds. */
interface Remembered {
  readonly adjustment: Adjustment;
  readonly at: number;
}

/** What is remembered about a model, as it is shared with other bridges. */
export interface LearnedModel {
  /** The gateway's base. */
  readonly workspace: string;
  /** The model as clients ask for it. */
  readonly model: string;
  /** When it was changed, in milliseconds. */
  readonly at: number;
  /** The adjustments, and when each was inferred. */
  readonly adjustments: readonly { readonly adjustment: Adjustment; readonly at: number }[];
  /** The places, surface and dialect, that refused to serve the model, and when. */
  readonly left: readonly (readonly [place: string, at: number])[];
}

/** What is remembered about a model in a workspace. */
interface Memory {
  readonly model: string;
  adjustments: Remembered[];
  /** The places, surface and dialect, that refused to serve the model, and when. */
  readonly left: Map<string, number>;
  /** When it was changed, in milliseconds. */
  changedAt: number;
}

/**
 * Remembers adjustments.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { AdjustmentMemory } from "./adjustment_memory.ts";
 *
 * const memory = new AdjustmentMemory();
 * memory.remember({ model: "m" }, { type: "cap", tokens: 8_000 });
 * memory.remember({ model: "m" }, { type: "cap", tokens: 4_000 });
 * assertEquals(memory.adjustments({ model: "m" }), [{ type: "cap", tokens: 4_000 }]);
 * assertEquals(memory.adjustments({ model: "n" }), []);
 * ```
 */
export class AdjustmentMemory {
  readonly #memories = new Map<string, Memory>();
  readonly #now: () => number;

  /**
   * Makes an empty memory.
   *
   * @param now The clock, in milliseconds.
   */
  constructor(now: () => number = Date.now) {
    this.#now = now;
  }

  /** What is remembered about a model, and still holds. */
  adjustments(key: ModelKey): readonly Adjustment[] {
    return this.#fresh(nameOf(key))?.adjustments.map(({ adjustment }) => adjustment) ?? [];
  }

  /** Whether a place has refused the model. */
  hasLeft(key: ModelKey, place: string): boolean {
    return this.#fresh(nameOf(key))?.left.has(place) ?? false;
  }

  /** Remembers an adjustment; what it replaces goes. */
  remember(key: ModelKey, adjustment: Adjustment): void {
    const memory = this.#change(key);
    const text = JSON.stringify(adjustment);
    const kept = memory.adjustments.filter(({ adjustment: old }) =>
      !replaces(adjustment, old) && JSON.stringify(old) !== text
    );
    memory.adjustments = [...kept, { adjustment, at: this.#now() }].slice(-MAX_ADJUSTMENTS);
  }

  /** Remembers that a place, surface and dialect, has refused the model. */
  leave(key: ModelKey, place: string): void {
    this.#change(key).left.set(place, this.#now());
  }

  /** Prevents routing loops: two surfaces that redirect to each other leave the list's own route in force. */
  forgetDetours(key: ModelKey): void {
    const memory = this.#change(key);
    memory.adjustments = memory.adjustments.filter(({ adjustment }) => !isDetour(adjustment));
  }

  /** What is remembered about a model, to be shared; undefined where nothing is. */
  learned(key: ModelKey): LearnedModel | undefined {
    const memory = this.#fresh(nameOf(key));
    if (memory === undefined) return undefined;
    const { model, changedAt: at, adjustments, left } = memory;
    return { workspace: key.workspace ?? "", model, at, adjustments, left: [...left] };
  }

  /**
   * Takes over what another bridge has learned about a model, unless this one has learned something since.
   *
   * @param learned What it remembers.
   */
  merge({ workspace, model, at, adjustments, left }: LearnedModel): void {
    const key = { workspace, model };
    if ((this.#fresh(nameOf(key))?.changedAt ?? -1) >= at) return;
    const memory = this.#change(key);
    memory.adjustments = adjustments.slice(-MAX_ADJUSTMENTS);
    for (const [place, when] of left) memory.left.set(place, when);
    memory.changedAt = at;
  }

  /** Every model about which something is remembered, with its adjustments. */
  *models(): Generator<{ readonly model: string; readonly adjustments: readonly Adjustment[] }> {
    for (const [name, { model }] of this.#memories) {
      const adjustments = this.#fresh(name)!.adjustments.map(({ adjustment }) => adjustment);
      if (adjustments.length > 0) yield { model, adjustments };
    }
  }

  /** Takes out what is older than {@linkcode LIFETIME}. */
  #fresh(name: string): Memory | undefined {
    const memory = this.#memories.get(name);
    if (memory === undefined) return undefined;
    const since = this.#now() - LIFETIME;
    memory.adjustments = memory.adjustments.filter(({ at }) => at > since);
    for (const [place, at] of memory.left) if (at <= since) memory.left.delete(place);
    return memory;
  }

  /** The memory of a model, which is about to change; made where there is none. */
  #change(key: ModelKey): Memory {
    const name = nameOf(key);
    const memory: Memory = this.#fresh(name) ??
      { model: key.model, adjustments: [], left: new Map(), changedAt: 0 };
    memory.changedAt = Math.max(this.#now(), memory.changedAt + 1);
    // Inserted anew, so that the first one is the one that was changed the longest time ago.
    this.#memories.delete(name);
    this.#memories.set(name, memory);
    if (this.#memories.size > MAX_MODELS) {
      this.#memories.delete(this.#memories.keys().next().value!);
    }
    return memory;
  }
}

function nameOf({ workspace, model }: ModelKey): string {
  return `${workspace ?? ""}\n${model}`;
}

/** Whether an adjustment changes where requests go, or what is spoken there. */
export function isDetour({ type }: Adjustment): boolean {
  return type === "surface" || type === "dialect";
}

/** Whether a newer adjustment takes the place of an older one. */
export function replaces(newer: Adjustment, older: Adjustment): boolean {
  switch (newer.type) {
    case "surface":
      return isDetour(older);
    case "dialect":
    case "name":
    case "cap":
    case "tools":
    case "keys":
      return older.type === newer.type;
    case "adaptive":
      return older.type === "budgeted";
    case "budgeted":
      return older.type === "adaptive";
    default:
      return false;
  }
}
