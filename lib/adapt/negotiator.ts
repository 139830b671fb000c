/**
 * Infers from refusals how a model wants its requests, and remembers it: a field to drop, another
 * dialect, surface or name. What is remembered fades after an hour and is then tried again, because
 * gateways change, and one refusal may have been a mistake.
 *
 * @module
 */

import type { DialectName } from "../dialects/dialect.ts";
import type { JsonObject } from "../json.ts";
import { type Catalog, type Route, surfaceRoute } from "../models/catalog.ts";
import {
  AdjustmentMemory,
  isDetour,
  type LearnedModel,
  MAX_ADJUSTMENTS,
  replaces,
} from "./adjustment_memory.ts";
import { type Adjustment, applyAdjustment, describeAdjustment } from "./adjustments.ts";
import { type GatewayRefusal, inferAll } from "./inference.ts";
import { type Inferred, isGptName } from "./refusals.ts";

export { LIFETIME, MAX_ADJUSTMENTS } from "./adjustment_memory.ts";
export type { LearnedModel } from "./adjustment_memory.ts";
export { type Adjustment, describeAdjustment } from "./adjustments.ts";
export type { GatewayRefusal } from "./inference.ts";

/** How a request is sent: where to, and with which adjustments. */
export interface Plan {
  /** The model as the client asked for it. */
  readonly model: string;
  /** The model's name on the wire. */
  readonly name: string;
  /** The surface and its path. */
  readonly route: Route;
  /** What is spoken there. */
  readonly dialect: DialectName;
  /** What is changed of the body: what was remembered, and what this request was refused for. */
  readonly adjustments: readonly Adjustment[];
  /** How many of this request's refusals led to another attempt. */
  readonly rounds: number;
  /** The list that it was made with. */
  readonly catalog?: Catalog;
  /** The gateway's base: what one workspace refuses another may take. */
  readonly workspace?: string;
  /** The dialect that the request is written in, where it can't be said in another one. */
  readonly only?: DialectName;
  /** The refusal of the surface that was asked first, once another one was. */
  readonly firstRefusal?: GatewayRefusal;
}

/** What a plan may be told beside the model. */
export interface PlanOptions {
  /** The gateway's base: what one workspace refuses another may take. */
  readonly workspace?: string;
  /** The dialect that the request is written in, where it can't be said in another one. */
  readonly only?: DialectName;
}

/** What a refusal led to. */
export interface Inference {
  /** What was inferred from it. */
  readonly adjustments: readonly Adjustment[];
  /** How the request is to be sent next. */
  readonly plan: Plan;
}

/** How a {@linkcode Negotiator} is set up. */
export interface NegotiatorOptions {
  /** The clock, in milliseconds. @default {Date.now} */
  now?: () => number;
}

/** How often one request is sent again because of what a refusal said. */
export const MAX_ROUNDS = 5;

/**
 * Infers adjustments from refusals and remembers them, by workspace and model.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { Negotiator } from "./negotiator.ts";
 * import { parseModels, routeOf } from "../models/catalog.ts";
 *
 * const catalog = parseModels('{"models": []}', "models.json");
 * const route = routeOf(catalog, "databricks-gpt-5-5", "chat");
 * const negotiator = new Negotiator();
 * const plan = negotiator.plan(catalog, "databricks-gpt-5-5", route);
 * const refusal = { status: 400, message: "Unsupported parameter: 'seed'" };
 * const inference = negotiator.infer(plan, refusal, { messages: [], seed: 1 });
 * assertEquals(inference?.plan.adjustments, [{ type: "drop", path: "seed" }]);
 * const later = negotiator.plan(catalog, "databricks-gpt-5-5", route);
 * assertEquals(later.adjustments, inference?.plan.adjustments);
 * ```
 */
export class Negotiator {
  readonly #memory: AdjustmentMemory;
  /** Called with what is remembered about a model when that changes, to share it with other bridges. */
  onChange?: (learned: LearnedModel) => void;

  /** Makes a negotiator that remembers nothing yet. */
  constructor({ now = Date.now }: NegotiatorOptions = {}) {
    this.#memory = new AdjustmentMemory(now);
  }

  /**
   * How to send a request to a model, given where its route leads.
   *
   * @param catalog The list in force: a surface that it doesn't have can't be used.
   * @param model The model as the client asked for it.
   * @param route Where the list sends it.
   */
  plan(catalog: Catalog, model: string, route: Route, options: PlanOptions = {}): Plan {
    let plan: Plan = {
      model,
      name: model,
      route,
      dialect: route.dialect,
      adjustments: [],
      rounds: 0,
      catalog,
      ...options,
    };
    for (const adjustment of this.#memory.adjustments(plan)) {
      const next = adjust(plan, adjustment);
      if (!isDetour(adjustment) || fits(next)) plan = next;
    }
    return plan;
  }

  /**
   * What follows from a refusal. Remembers what it says about the model.
   *
   * @param plan How the refused request was sent.
   * @param refusal What the gateway answered, unwrapped; the bridge's advice in its message doesn't count.
   * @param sent The body that was refused, as it was sent.
   * @returns How to send the request again; undefined where the refusal is the answer.
   */
  infer(plan: Plan, refusal: GatewayRefusal, sent: JsonObject): Inference | undefined {
    if (plan.rounds >= MAX_ROUNDS) return undefined;
    const taught = inferAll(refusal, { body: sent, name: plan.name });
    const renamed = taught.some((reading) => reading.some(({ type }) => type === "name"));
    const readings: readonly (readonly Inferred[])[] = isMissing(plan, refusal) && !renamed
      ? [[{ type: "elsewhere" }]]
      : taught;
    for (const reading of readings) {
      const adjustments: Adjustment[] = [];
      let next = plan;
      for (const inferred of reading) {
        const adjustment = this.#choose(inferred, next);
        if (adjustment === undefined || adjustments.length >= MAX_ADJUSTMENTS) continue;
        adjustments.push(adjustment);
        next = adjust(next, adjustment);
      }
      if (adjustments.length === 0) continue;
      if (adjustments.some(({ type }) => type === "surface")) {
        next = { ...next, firstRefusal: plan.firstRefusal ?? refusal };
      }
      const lasting = adjustments.filter(({ once }) => !once);
      for (const adjustment of lasting) this.#memory.remember(plan, adjustment);
      if (lasting.length > 0) this.onChange?.(this.#memory.learned(plan)!);
      return { adjustments, plan: { ...next, rounds: plan.rounds + 1 } };
    }
    return undefined;
  }

  /**
   * Takes over what another bridge has learned about a model, unless this one has learned something since.
   *
   * @param learned What it remembers.
   */
  merge(learned: LearnedModel): void {
    this.#memory.merge(learned);
  }

  /** Everything that is remembered, for the log and the doctor: model → adjustments in words. */
  get known(): ReadonlyMap<string, readonly string[]> {
    const known = new Map<string, string[]>();
    for (const { model, adjustments } of this.#memory.models()) {
      const words = adjustments.map(describeAdjustment);
      known.set(model, [...known.get(model) ?? [], ...words]);
    }
    return known;
  }

  /** The adjustment for what was inferred, or undefined where it leads nowhere new. */
  #choose(inferred: Inferred, plan: Plan): Adjustment | undefined {
    switch (inferred.type) {
      case "elsewhere":
        return this.#nextSurface(plan, inferred.prefer);
      case "surface":
      case "dialect":
        return this.#mayGo(plan, inferred) ? inferred : undefined;
      case "name":
        return inferred.name === plan.name ? undefined : inferred;
      default: {
        const key = JSON.stringify(inferred);
        return plan.adjustments.some((old) => JSON.stringify(old) === key) ? undefined : inferred;
      }
    }
  }

  /**
   * The next surface that may have the model: the preferred one, then those of its family. None twice,
   * and none that has refused the model before.
   */
  #nextSurface(plan: Plan, prefer: string | undefined): Adjustment | undefined {
    const { catalog, model, route } = plan;
    const family = isGptName(model) ? ["cursor", "openai", "mlflow"] : ["mlflow", "openai"];
    const order = prefer === undefined
      ? family
      : [prefer, ...family.filter((one) => one !== prefer)];
    this.#memory.leave(plan, placeOf(plan));
    for (const surface of order) {
      const exists = catalog !== undefined && surfaceRoute(catalog, surface) !== undefined;
      const adjustment: Adjustment = exists ? { type: "surface", surface } : {
        // Without such a surface its dialect alone may do: `cursor` speaks both.
        type: "dialect",
        dialect: surface === "openai" ? "responses" : "chat",
      };
      if (!exists && surface !== prefer) continue;
      if (exists && surface === route.surface && plan.dialect === route.dialect) continue;
      if (this.#isOpen(adjust(plan, adjustment), plan)) return adjustment;
    }
    this.#memory.forgetDetours(plan);
    return undefined;
  }

  #mayGo(plan: Plan, adjustment: Adjustment): boolean {
    this.#memory.leave(plan, placeOf(plan));
    if (this.#isOpen(adjust(plan, adjustment), plan)) return true;
    this.#memory.forgetDetours(plan);
    return false;
  }

  /** Whether a place can be asked: it is another one, speaks a usable dialect, and hasn't refused the model. */
  #isOpen(next: Plan, plan: Plan): boolean {
    const place = placeOf(next);
    return fits(next) && place !== placeOf(plan) && !this.#memory.hasLeft(plan, place);
  }
}

/** Surfaces that not every gateway has: the models behind them are on `mlflow`, too. */
const NATIVE: ReadonlySet<DialectName> = new Set<DialectName>(["messages", "gemini"]);

/** Whether a refusal says that a vendor's own surface isn't there. */
function isMissing({ dialect }: Plan, { status, code }: GatewayRefusal): boolean {
  return NATIVE.has(dialect) &&
    ([404, 405, 501].includes(status ?? 0) || code === "FEATURE_DISABLED");
}

/** Whether the request can be said where a plan leads. */
function fits({ only, dialect }: Plan): boolean {
  return only === undefined || only === dialect;
}

/** Where a plan leads, in a word. */
function placeOf({ route, dialect }: Plan): string {
  return `${route.surface} ${dialect}`;
}

/** A plan with one adjustment more. */
function adjust(plan: Plan, adjustment: Adjustment): Plan {
  switch (adjustment.type) {
    case "name":
      return { ...plan, name: adjustment.name };
    case "dialect":
      return { ...plan, dialect: adjustment.dialect };
    case "surface": {
      const route = plan.catalog && surfaceRoute(plan.catalog, adjustment.surface);
      return route === undefined ? plan : { ...plan, route, dialect: route.dialect };
    }
    default: {
      const kept = plan.adjustments.filter((old) => !replaces(adjustment, old));
      return { ...plan, adjustments: [...kept, adjustment] };
    }
  }
}

/**
 * The refusal that is the answer: where several surfaces were asked in vain, what the first one said,
 * because the others only say that the model isn't theirs.
 *
 * @param plan How the request was sent last.
 * @param refusal What came of it.
 */
export function refusalToShow<T extends GatewayRefusal>(plan: Plan, refusal: T): T {
  const { firstRefusal } = plan;
  if (firstRefusal === undefined) return refusal;
  const readings = inferAll(refusal, { body: {}, name: plan.name });
  const isSurfaces = readings.some((reading) => reading.some(({ type }) => type === "elsewhere"));
  return isSurfaces ? firstRefusal as T : refusal;
}

/**
 * A body with the plan's name for the model, and every adjustment of the plan applied to it.
 *
 * @param body A body in the plan's dialect; it is not changed.
 * @param plan With the adjustments.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { applyAdjustments, type Plan } from "./negotiator.ts";
 *
 * const route = { surface: "mlflow", path: "/mlflow/v1/chat/completions", dialect: "chat" as const };
 * const plan: Plan = {
 *   model: "m",
 *   name: "system.ai.m",
 *   route,
 *   dialect: "chat",
 *   adjustments: [{ type: "drop", path: "seed" }],
 *   rounds: 0,
 * };
 * const body = applyAdjustments({ model: "m", seed: 1, messages: [] }, plan);
 * assertEquals(body, { model: "system.ai.m", messages: [] });
 * ```
 */
export function applyAdjustments(body: JsonObject, plan: Plan): JsonObject {
  // A Gemini body names no model: its path does.
  const named = body.model === plan.name || Array.isArray(body.contents);
  let changed: JsonObject = named ? body : { ...body, model: plan.name };
  for (const adjustment of plan.adjustments) changed = applyAdjustment(changed, adjustment);
  return changed;
}
