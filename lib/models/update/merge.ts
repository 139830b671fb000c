/**
 * What a new list of the gateway's models changes in the user's: a plan, then its text. The user's
 * entries keep their order, their endpoints and their fields; a name that isn't the gateway's is never
 * touched.
 *
 * @module
 */

import { bareName } from "../families.ts";
import type { JsonObject } from "../../json.ts";
import { type Catalog, FAMILY_ROUTES } from "../catalog.ts";
import { addEntry, markGone, removeEntry } from "./document.ts";
import { isChatModel } from "./names.ts";

/** A model that the gateway has. */
export interface Offer {
  /** Its name there. */
  readonly id: string;
  /** The surface that serves it; its family's where this is missing. */
  readonly surface?: string;
  /** Whether it answers chats; by its name where this is missing. */
  readonly chat?: boolean;
}

/** One difference between the list and what the gateway has. */
export interface Change {
  /** `new`: to be added; `gone`: to be marked; `back`: the mark goes; `removed`: to be taken out. */
  readonly kind: "new" | "gone" | "back" | "removed";
  /** The model. */
  readonly id: string;
  /** The surface of a new one; undefined where the list has none for it. */
  readonly surface?: string;
}

/** A name of the gateway's, under either of its prefixes (`gateway.md`: `databricks-<x>` or `system.ai.<x>`). */
const GATEWAYS = /^(databricks-|system\.ai\.)/;

/** The same model has the same key, whichever prefix the list and the gateway use. */
function keyOf(id: string): string {
  return GATEWAYS.test(id) ? bareName(id) : id;
}

/**
 * Compares a list with what the gateway has.
 *
 * @param catalog The user's list.
 * @param offers What the gateway has, in its order, embedding models included.
 * @param options `prune`: what is gone is taken out instead of marked.
 * @returns The changes: what concerns the user's entries in their order, then the new ones.
 *
 * @example
 * ```ts
 * import { parseModels } from "../catalog.ts";
 * import { compare } from "./merge.ts";
 *
 * const catalog = parseModels('{"models": ["databricks-gpt-4", "my-agent"]}', "models.json");
 * const changes = compare(catalog, [{ id: "databricks-gpt-5" }]);
 * const words = changes.map(({ kind, id, surface }) => `${kind} ${id} ${surface ?? ""}`);
 * if (words.join() !== "gone databricks-gpt-4 ,new databricks-gpt-5 cursor") throw new Error(`${words}`);
 * ```
 */
export function compare(
  catalog: Catalog,
  offers: readonly Offer[],
  options: { readonly prune?: boolean } = {},
): Change[] {
  const offered = new Set(offers.map(({ id }) => keyOf(id)));
  const changes: Change[] = [];
  for (const { id, gone } of catalog.models) {
    if (offered.has(keyOf(id))) {
      if (gone) changes.push({ kind: "back", id });
    } else if (GATEWAYS.test(id)) {
      if (options.prune) changes.push({ kind: "removed", id });
      else if (!gone) changes.push({ kind: "gone", id });
    }
  }
  const known = new Set(catalog.models.map(({ id }) => keyOf(id)));
  for (const { id, surface, chat } of offers) {
    if (known.has(keyOf(id)) || !(chat ?? isChatModel(id))) continue;
    known.add(keyOf(id));
    const served = surface ?? familySurface(id);
    changes.push({
      kind: "new",
      id,
      surface: Object.hasOwn(catalog.endpoints, served) ? served : undefined,
    });
  }
  return changes;
}

/**
 * The surface of a model's family.
 *
 * @param id The model's name at the gateway.
 *
 * @example
 * ```ts
 * import { familySurface } from "./merge.ts";
 *
 * if (familySurface("databricks-claude-opus-5") !== "mlflow") throw new Error("its family's");
 * ```
 */
export function familySurface(id: string): string {
  return FAMILY_ROUTES.find((row) => row.name.test(id))!.surface;
}

/**
 * Applies changes to the text of a `models.json`.
 *
 * @param text The text that the changes were found for.
 * @param changes From {@linkcode compare}.
 *
 * @example
 * ```ts
 * import { applyChanges } from "./merge.ts";
 *
 * const text = applyChanges('{"models": ["a"]}', [{ kind: "new", id: "b", surface: "mlflow" }]);
 * if (text !== '{"models": ["a", "b"]}') throw new Error(text);
 * ```
 */
export function applyChanges(text: string, changes: readonly Change[]): string {
  return changes.reduce((text, { kind, id, surface }) => {
    switch (kind) {
      case "new":
        return addEntry(text, { id, ...(surface ? { endpoint: surface } : {}) } as JsonObject);
      case "removed":
        return removeEntry(text, id);
      default:
        return markGone(text, id, kind === "gone");
    }
  }, text);
}
