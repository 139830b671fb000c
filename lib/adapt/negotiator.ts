/**
 * What a refusal teaches. The gateway says what it won't take in words that are known
 * ({@linkcode REFUSALS}): a field to drop, another dialect, surface or name. A lesson is kept for its
 * model, so that no later request repeats a refusal.
 *
 * @module
 */

import type { JsonObject } from "../json.ts";
import { applyLesson, describeLesson, type Lesson } from "./adjustments.ts";
import type { DialectName } from "../dialects/dialect.ts";
import { type Catalog, type Route, surfaceRoute } from "../models/catalog.ts";
import { REFUSALS } from "./refusals.ts";

export { describeLesson, type Lesson } from "./adjustments.ts";
export { type Refusal, REFUSALS, type Sent } from "./refusals.ts";

/** How a request to a model is sent, with everything that was learned about it. */
export interface Plan {
  /** The model as the client asked for it. */
  readonly model: string;
  /** The model's name on the wire. */
  readonly name: string;
  /** The surface and its path. */
  readonly route: Route;
  /** What is spoken there. */
  readonly dialect: DialectName;
  /** Lessons about the body. */
  readonly lessons: readonly Lesson[];
  /** The list that it was made with. */
  readonly catalogue?: Catalog;
  /** The dialect that the request is written in, where it can't be said in the other one. */
  readonly only?: DialectName;
}

/** How many models' lessons are kept; the ones that were learned first go first. */
const MAX_MODELS = 1000;

/**
 * The memory of what refusals taught, per model.
 *
 * @example
 * ```ts
 * import { Negotiator } from "./negotiator.ts";
 * import { parseModels, routeOf } from "../models/catalog.ts";
 *
 * const catalogue = parseModels('{"models": []}', "models.json");
 * const negotiator = new Negotiator();
 * const route = routeOf(catalogue, "databricks-gpt-5-5", "chat");
 * const plan = negotiator.plan(catalogue, "databricks-gpt-5-5", route);
 * negotiator.learn(plan, 400, "Unsupported parameter: 'messages'", { messages: [] });
 * const next = negotiator.plan(catalogue, "databricks-gpt-5-5", route);
 * if (next.dialect !== "responses") throw new Error("remembered");
 * ```
 */
export class Negotiator {
  readonly #lessons = new Map<string, Lesson[]>();
  /** Model → the places, surface and dialect, that have sent its requests elsewhere. */
  readonly #leftPlaces = new Map<string, Set<string>>();

  /**
   * How to send a request to a model, given where its route leads.
   *
   * @param catalogue The list in force: a surface that it doesn't have can't be switched to.
   * @param model The model as the client asked for it.
   * @param route Where the list sends it.
   * @param only The dialect that the request is written in, where it can't be said in the other one.
   */
  plan(catalogue: Catalog, model: string, route: Route, only?: DialectName): Plan {
    const lessons = this.#lessons.get(model) ?? [];
    let plan: Plan = {
      model,
      name: model,
      route,
      dialect: route.dialect,
      lessons,
      catalogue,
      only,
    };
    for (const lesson of lessons) {
      const next = steer(plan, lesson, catalogue);
      if (!isDetour(lesson) || fits(next)) plan = next;
    }
    return plan;
  }

  /**
   * Takes a refusal as a fact, where it says something new.
   *
   * @param plan What was tried.
   * @param status The gateway's status.
   * @param message Its words.
   * @param body The body that was refused.
   * @returns What was learned, or undefined: then the refusal is the answer.
   */
  learn(plan: Plan, status: number, message: string, body: JsonObject): Lesson | undefined {
    for (const refusal of REFUSALS) {
      if (!refusal.status.includes(status)) continue;
      const match = refusal.words.exec(message);
      if (!match) continue;
      const lesson = refusal.teaches(match, { body, name: plan.name });
      if (lesson === undefined || isKnown(lesson, plan)) return undefined;
      if (isDetour(lesson) && !(fits(steerTo(plan, lesson)) && this.#mayGo(plan, lesson))) {
        return undefined;
      }
      this.#remember(plan.model, lesson);
      return lesson;
    }
    return undefined;
  }

  /**
   * Whether a lesson leads to a place that hasn't sent this model's requests elsewhere itself. Two places
   * that point at each other teach nothing: then the list's own route holds again, and requests that
   * it does take are not sent astray because of one that it didn't.
   */
  #mayGo(plan: Plan, lesson: Lesson): boolean {
    const left = this.#leftPlaces.get(plan.model) ?? new Set();
    this.#leftPlaces.delete(plan.model);
    this.#leftPlaces.set(plan.model, left.add(placeOf(plan)));
    prune(this.#leftPlaces);
    if (!left.has(placeOf(steerTo(plan, lesson)))) return true;
    const lessons = this.#lessons.get(plan.model);
    if (lessons) this.#lessons.set(plan.model, lessons.filter((old) => !isDetour(old)));
    return false;
  }

  #remember(model: string, lesson: Lesson): void {
    const lessons = [...this.#lessons.get(model) ?? []];
    // A new surface or dialect replaces what was believed before; everything else adds up.
    const kept = lesson.type === "surface"
      ? lessons.filter((old) => old.type !== "surface" && old.type !== "dialect")
      : lesson.type === "dialect" || lesson.type === "name" || lesson.type === "cap" ||
          lesson.type === "tools"
      ? lessons.filter((old) => old.type !== lesson.type)
      : lessons;
    this.#lessons.delete(model);
    this.#lessons.set(model, [...kept, lesson]);
    prune(this.#lessons);
  }

  /** Everything learned, for the log and the doctor: model → lessons in words. */
  get known(): ReadonlyMap<string, readonly string[]> {
    return new Map(
      [...this.#lessons].map(([model, lessons]) => [model, lessons.map(describeLesson)]),
    );
  }
}

function prune(models: Map<string, unknown>): void {
  if (models.size > MAX_MODELS) models.delete(models.keys().next().value!);
}

/** Whether a lesson changes where requests go, or what is spoken there. */
function isDetour(lesson: Lesson): boolean {
  return lesson.type === "surface" || lesson.type === "dialect";
}

/** Whether the request can be said where a plan leads. */
function fits({ only, dialect }: Plan): boolean {
  return only === undefined || only === dialect;
}

/** Where a plan leads, in a word. */
function placeOf({ route, dialect }: Plan): string {
  return `${route.surface} ${dialect}`;
}

function steerTo(plan: Plan, lesson: Lesson): Plan {
  return steer(plan, lesson, plan.catalogue ?? { endpoints: {}, models: [], source: "" });
}

/** Whether a lesson changes nothing: then trying again would get the same refusal. */
function isKnown(lesson: Lesson, plan: Plan): boolean {
  switch (lesson.type) {
    case "dialect":
    case "surface":
      return placeOf(steerTo(plan, lesson)) === placeOf(plan);
    case "name":
      return plan.name === lesson.name;
    default:
      return plan.lessons.some((known) => JSON.stringify(known) === JSON.stringify(lesson));
  }
}

/** What a lesson changes of the way that a request takes. */
function steer(plan: Plan, lesson: Lesson, catalogue: Catalog): Plan {
  switch (lesson.type) {
    case "name":
      return { ...plan, name: lesson.name };
    case "dialect":
      return { ...plan, dialect: lesson.dialect };
    case "surface": {
      const route = surfaceRoute(catalogue, lesson.surface);
      // Without such a surface the dialect alone may do: `cursor` speaks both.
      if (route === undefined) {
        return { ...plan, dialect: lesson.surface === "openai" ? "responses" : "chat" };
      }
      return { ...plan, route, dialect: route.dialect };
    }
    default:
      return plan;
  }
}

/**
 * A body with everything that was learned applied to it.
 *
 * @param body A body in the plan's dialect; it is not changed.
 * @param plan With the lessons.
 *
 * @example
 * ```ts
 * import { applyLessons, type Plan } from "./negotiator.ts";
 *
 * const route = { surface: "mlflow", path: "/mlflow/v1/chat/completions", dialect: "chat" as const };
 * const plan: Plan = {
 *   model: "m", name: "system.ai.m", route, dialect: "chat", lessons: [{ type: "drop", path: "seed" }],
 * };
 * const body = applyLessons({ model: "m", seed: 1, messages: [] }, plan);
 * if ("seed" in body || body.model !== "system.ai.m") throw new Error("applied");
 * ```
 */
export function applyLessons(body: JsonObject, plan: Plan): JsonObject {
  let changed: JsonObject = body.model === plan.name ? body : { ...body, model: plan.name };
  for (const lesson of plan.lessons) changed = applyLesson(changed, lesson);
  return changed;
}
