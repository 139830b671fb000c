/**
 * The list of models as Anthropic's clients read it.
 *
 * @module
 */

import type { JsonObject } from "../../json.ts";

/**
 * The answer to `GET /models` of a client that sends `anthropic-version`. OpenAI's fields stay: ForgeCode sends
 * that header and reads them.
 *
 * @param models The entries as OpenAI's list has them.
 */
export function anthropicModels(models: readonly JsonObject[]): JsonObject {
  const data = models.map((model) => ({
    ...model,
    type: "model",
    display_name: typeof model.name === "string" ? model.name : model.id,
    created_at: new Date(Number(model.created) * 1000).toISOString(),
  }));
  return {
    object: "list",
    data,
    has_more: false,
    first_id: models.at(0)?.id ?? null,
    last_id: models.at(-1)?.id ?? null,
  };
}
