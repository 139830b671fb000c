/**
 * What the doctor learned of the models, written into `models.json`: the surface that answered, and the
 * models that are gone.
 *
 * @module
 */

import { applyEdits, findNodeAtLocation, modify, parseTree } from "jsonc-parser";
import { type Catalog, entryIn, routeOf } from "../models/catalog.ts";
import { markGone } from "../models/update/document.ts";
import type { Check } from "./check.ts";
import type { ModelCheck } from "./probe.ts";

/** A change of one model. */
export interface Fix {
  /** The model. */
  readonly id: string;
  /** The surface that answered, where it is another one. */
  readonly endpoint?: string;
  /** Whether the gateway hasn't got it. */
  readonly gone?: boolean;
}

function isModel(check: Check): check is ModelCheck {
  return "surface" in check && "learned" in check;
}

/**
 * The changes that follow from what was found.
 *
 * @param checks What the doctor found.
 * @param catalog The list in force.
 *
 * @example
 * ```ts
 * import { parseModels } from "../models/catalog.ts";
 * import { fixesOf } from "./fix.ts";
 *
 * if (fixesOf([], parseModels('{"models": []}', "m")).length !== 0) throw new Error("nothing found");
 * ```
 */
export function fixesOf(checks: readonly Check[], catalog: Catalog): Fix[] {
  return checks.filter(isModel).flatMap(({ name: id, status, detail, surface }): Fix[] => {
    const entry = entryIn(catalog, id);
    if (entry === undefined || entry.gone) return [];
    if (status === "fail" && /^404\b/.test(detail)) return [{ id, gone: true }];
    if (status === "fail" || surface === null) return [];
    if (routeOf(catalog, id, "chat").surface === surface) return [];
    // Where the entry would lead elsewhere all the same, there is nothing to write.
    const models = catalog.models.map((model) =>
      model.id === id ? { ...model, endpoint: surface } : model
    );
    const then = routeOf({ ...catalog, models }, id, "chat").surface;
    return then === surface ? [{ id, endpoint: surface }] : [];
  });
}

/**
 * The text of a `models.json` with changes made; comments, order and layout stay.
 *
 * @param text The file's text.
 * @param fixes From {@linkcode fixesOf}.
 *
 * @example
 * ```ts
 * import { withFixes } from "./fix.ts";
 *
 * const text = withFixes('{"models": ["a"]}', [{ id: "a", endpoint: "openai" }]);
 * if (JSON.parse(text).models[0].endpoint !== "openai") throw new Error(text);
 * ```
 */
export function withFixes(text: string, fixes: readonly Fix[]): string {
  return fixes.reduce((text, { id, endpoint, gone }) => {
    if (gone) return markGone(text, id, true);
    const root = parseTree(text);
    const models = root && findNodeAtLocation(root, ["models"])?.children;
    const at = models?.findIndex((node) =>
      (node.type === "object" ? findNodeAtLocation(node, ["id"])?.value : node.value) === id
    ) ?? -1;
    if (models === undefined || at === -1) {
      return text;
    }
    if (models[at].type === "object") {
      return applyEdits(text, modify(text, ["models", at, "endpoint"], endpoint, {}));
    }
    const { offset, length } = models[at];
    const entry = `{ "id": ${JSON.stringify(id)}, "endpoint": ${JSON.stringify(endpoint)} }`;
    return text.slice(0, offset) + entry + text.slice(offset + length);
  }, text);
}
