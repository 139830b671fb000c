/**
 * How ForgeCode reads the list of models: the hard gate at its start.
 *
 * @module
 */

import { MODELS_SHAPE } from "./forge_shapes.ts";
import { type Json, type JsonMap, readJson } from "./json.ts";

/** A model as the client knows it from the list. */
export interface ForgeModel {
  /** The id that goes into requests. */
  id: string;
  /** The name that is shown, if any. */
  name?: string;
  /** The context window in tokens, if known. */
  contextLength?: number;
  /** Whether `supported_parameters` has `tools`; undefined without that list. */
  tools?: boolean;
  /** Whether `supported_parameters` has `reasoning`; undefined without that list. */
  reasoning?: boolean;
}

/** What the client makes of `GET /models`. */
export interface ForgeModels {
  /** Whether it starts at all. */
  ok: boolean;
  /** Why not, in words. */
  message: string;
  /** The models, in order. */
  models: ForgeModel[];
}

/**
 * Reads the answer to `GET /models` as ForgeCode does: one entry that doesn't fit refuses the list.
 *
 * @param json The body, as text or already parsed.
 * @param status The status; any 2xx will do.
 * @returns The models, or why the client stops.
 *
 * @example
 * ```ts
 * import { readModelsAsForge } from "./forge_models.ts";
 *
 * if (!readModelsAsForge({ data: [{ id: "m" }] }).ok) throw new Error("an id is enough");
 * if (readModelsAsForge({ data: [{ id: "m", created: "1" }] }).ok) throw new Error("a string isn't");
 * ```
 */
export function readModelsAsForge(json: unknown, status: number = 200): ForgeModels {
  const text = typeof json === "string" ? json : JSON.stringify(json);
  if (status < 200 || status > 299) return { ok: false, message: `${status}: ${text}`, models: [] };
  let value: Json;
  try {
    value = readJson(text);
  } catch (error) {
    return { ok: false, message: (error as Error).message, models: [] };
  }
  const wrong = MODELS_SHAPE(value);
  if (wrong !== undefined) return { ok: false, message: wrong, models: [] };
  const models = ((value as JsonMap).data as JsonMap[]).map(modelOf);
  return { ok: true, message: "", models };
}

function modelOf(entry: JsonMap): ForgeModel {
  const model: ForgeModel = { id: entry.id as string };
  if (typeof entry.name === "string") model.name = entry.name;
  const length = entry.context_length;
  if (typeof length === "number") model.contextLength = length;
  if (Array.isArray(entry.supported_parameters)) {
    model.tools = entry.supported_parameters.includes("tools");
    model.reasoning = entry.supported_parameters.includes("reasoning");
  }
  return model;
}
