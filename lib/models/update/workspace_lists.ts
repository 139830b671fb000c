/**
 * The lists of models that a workspace has, as a table: where each is, and how an entry is read
 * (`gateway.md`, "Discovery").
 *
 * @module
 */

import { isObject, type JsonObject } from "../../json.ts";
import { familySurface, type Offer } from "./merge.ts";
import { isChatModel } from "./names.ts";

/** One of the workspace's lists. */
export interface List {
  /** Its path on the workspace's host. */
  readonly path: string;
  /** What is asked with every page. */
  readonly query: Readonly<Record<string, string>>;
  /** The field that holds the entries. */
  readonly field: string;
  /** The models that an entry stands for: one, or none; by the surfaces in force. */
  readonly read: (entry: JsonObject, endpoints: Readonly<Record<string, string>>) => Offer[];
}

/** A page holds 25 entries at most; without a size the API answers 499, without a parent it takes a minute. */
const PAGE = { parent: "schemas/system.ai", page_size: "100" };

/** The lists, the newest first; the next one is asked where one isn't there. */
export const LISTS: readonly List[] = [
  {
    path: "/api/2.1/unity-catalog/model-services",
    query: PAGE,
    field: "model_services",
    read: (entry, endpoints) =>
      offer(
        textOf(entry.name)?.replace(/^model-services\//, ""),
        entry.supported_api_types,
        endpoints,
      ),
  },
  {
    path: "/api/2.0/serving-endpoints:foundation-models",
    query: {},
    field: "endpoints",
    read: (entry, endpoints) => offer(textOf(entry.name), apiTypesOf(entry), endpoints),
  },
  {
    path: "/api/2.0/serving-endpoints",
    query: {},
    field: "endpoints",
    read(entry) {
      const id = textOf(entry.name);
      const ready = !isObject(entry.state) || entry.state.ready !== "NOT_READY";
      return id && isGateways(id) && ready ? [{ id, chat: isChatTask(entry.task, id) }] : [];
    },
  },
];

/** A model services' list may hold services of other schemas, an endpoints' list agents and classifiers. */
function isGateways(id: string): boolean {
  return /^(databricks-|system\.ai\.)[\w.-]+$/.test(id);
}

function isChatTask(task: unknown, id: string): boolean {
  return typeof task === "string" ? task === "llm/v1/chat" : isChatModel(id);
}

/**
 * A text that says something, or undefined.
 *
 * @example
 * ```ts
 * import { textOf } from "./workspace_lists.ts";
 *
 * if (textOf("") !== undefined || textOf("a") !== "a") throw new Error("text");
 * ```
 */
export function textOf(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

function apiTypesOf(entry: JsonObject): unknown {
  const entities = isObject(entry.config) ? entry.config.served_entities : undefined;
  const models = (Array.isArray(entities) ? entities : []).filter(isObject)
    .map((entity) => entity.foundation_model).filter(isObject);
  const types = models.flatMap((model) => Array.isArray(model.api_types) ? model.api_types : []);
  return types.length > 0 ? types : undefined;
}

/** A model by the API types that its list names; types may be missing, then its family and name tell. */
function offer(
  id: string | undefined,
  types: unknown,
  endpoints: Readonly<Record<string, string>>,
): Offer[] {
  if (id === undefined || !isGateways(id)) return [];
  if (!Array.isArray(types) || types.length === 0) return [{ id }];
  if (types.every((type) => String(type).includes("embeddings"))) return [{ id, chat: false }];
  const served = Object.keys(endpoints).filter((alias) =>
    types.includes(endpoints[alias].slice(1))
  );
  const family = familySurface(id);
  const surface = served.includes(family) ? family : served[0];
  return surface === undefined
    ? [{ id, chat: false, surface: "" }]
    : [{ id, surface, chat: isChatModel(id) }];
}
