/**
 * What the gateway refuses, with its words: one table in the order in which the rules are asked. The
 * rules that belong to one decoder stand in files of their own.
 *
 * @module
 */

import type { ErrorShape, ErrorWords } from "./errors.ts";
import type { Family, Surface } from "./traits.ts";
import type { JsonObject } from "./json.ts";
import type { ModelName } from "./models.ts";
import { CHAT_RULES } from "./refusals_chat.ts";
import { CLAUDE_RULES } from "./refusals_claude.ts";
import { MESSAGES_RULES } from "./refusals_messages.ts";
import { OPENAI_RULES } from "./refusals_openai.ts";
import { STRICT_RULES } from "./refusals_strict.ts";
import { RESPONSES_RULES } from "./refusals_responses.ts";

/** A request as the rules see it. */
export interface GatewayRequest {
  /** The surface that it came to. */
  readonly surface: Surface;
  /** The model's name, taken apart. */
  readonly model: ModelName;
  /** The model's family. */
  readonly family: Family;
  /** The parsed body. */
  readonly body: JsonObject;
  /** What the workspace has. */
  readonly workspace: Workspace;
}

/** What the simulated workspace has, by names without prefix. */
export interface Workspace {
  /** All chat models and endpoints. */
  readonly chatModels: ReadonlySet<string>;
  /** All embedding models. */
  readonly embeddingModels: ReadonlySet<string>;
  /** Those that stand in every list and are not enabled. */
  readonly notEnabled: ReadonlySet<string>;
  /** Those that are served only as `system.ai.…`. */
  readonly unityCatalogOnly: ReadonlySet<string>;
}

/** One refusal. */
export interface RefusalRule {
  /** The rule's name, unique in the table. */
  readonly name: string;
  /** The surfaces that refuse so. */
  readonly surfaces: readonly Surface[];
  /** The status of the refusal. */
  readonly status: number;
  /** Who words it. */
  readonly shape: ErrorShape;
  /** Databricks' `error_code`, or OpenAI's `code`. */
  readonly code?: string | number;
  /** The message, where the request is refused; undefined where this rule has nothing against it. */
  readonly refuse: (request: GatewayRequest) => string | undefined;
}

/** The surfaces that take chat requests, in whichever dialect. */
const CHAT_SURFACES: readonly Surface[] = ["mlflow", "cursor", "responses", "anthropic"];

/** The surfaces of everything. */
const ALL: readonly Surface[] = [...CHAT_SURFACES, "embeddings"];

const NO_ENDPOINT = "The given endpoint does not exist, please retry after checking the " +
  "specified model and version deployment exists.";

/** Rules about the model and the surface, which are asked before any about the request's fields. */
const ACCESS_RULES: readonly RefusalRule[] = [
  {
    name: "no model",
    surfaces: ALL,
    status: 400,
    shape: "databricks",
    code: "INVALID_PARAMETER_VALUE",
    refuse: ({ body }) =>
      typeof body.model === "string" && body.model !== ""
        ? undefined
        : "INVALID_PARAMETER_VALUE: Missing required parameter: 'model'.",
  },
  {
    name: "unknown model",
    surfaces: ALL,
    status: 404,
    shape: "databricks",
    code: "ENDPOINT_NOT_FOUND",
    refuse: ({ model, workspace }) =>
      workspace.chatModels.has(model.bare) || workspace.embeddingModels.has(model.bare)
        ? undefined
        : NO_ENDPOINT,
  },
  {
    name: "name of before Unity Catalog",
    surfaces: ALL,
    status: 501,
    shape: "databricks",
    code: "NOT_IMPLEMENTED",
    refuse: ({ model, workspace }) =>
      model.prefix !== "system.ai." && workspace.unityCatalogOnly.has(model.bare)
        ? `'${model.asked}' is no longer available. Use Unity Catalog model services (v3).`
        : undefined,
  },
  {
    name: "model not enabled",
    surfaces: ALL,
    status: 403,
    shape: "databricks",
    code: "PERMISSION_DENIED",
    refuse: ({ model, workspace }) =>
      workspace.notEnabled.has(model.bare)
        ? "PERMISSION_DENIED: The endpoint is temporarily disabled due to a Databricks-set rate " +
          "limit of 0."
        : undefined,
  },
  {
    name: "embedding model for a chat",
    surfaces: CHAT_SURFACES,
    status: 400,
    shape: "databricks",
    code: "INVALID_PARAMETER_VALUE",
    refuse: ({ model, workspace }) =>
      workspace.embeddingModels.has(model.bare)
        ? `INVALID_PARAMETER_VALUE: ${model.asked} serves llm/v1/embeddings, not llm/v1/chat.`
        : undefined,
  },
  {
    name: "chat model for an embedding",
    surfaces: ["embeddings"],
    status: 400,
    shape: "databricks",
    code: "INVALID_PARAMETER_VALUE",
    refuse: ({ model, workspace }) =>
      workspace.embeddingModels.has(model.bare)
        ? undefined
        : `INVALID_PARAMETER_VALUE: ${model.asked} serves llm/v1/chat, not llm/v1/embeddings.`,
  },
  {
    name: "codex on mlflow",
    surfaces: ["mlflow"],
    status: 404,
    shape: "openai",
    refuse: ({ family }) =>
      family.name === "gpt-codex"
        ? "This model is only supported in v1/responses and not in v1/chat/completions."
        : undefined,
  },
  {
    name: "not on mlflow",
    surfaces: ["mlflow"],
    status: 404,
    shape: "databricks",
    code: "ENDPOINT_NOT_FOUND",
    refuse: ({ family }) => family.mlflow ? undefined : NO_ENDPOINT,
  },
  {
    name: "no Responses passthrough",
    surfaces: ["cursor", "responses"],
    status: 400,
    shape: "openai",
    refuse: ({ family, surface, model, body }) => {
      const served = surface === "responses"
        ? family.responses
        : "input" in body
        ? family.responses && family.cursor !== "none"
        : family.cursor !== "none";
      return served
        ? undefined
        : `Responses API passthrough is not supported for model ${model.asked}.`;
    },
  },
  {
    name: "messages for a Responses model",
    surfaces: ["cursor", "responses"],
    status: 400,
    shape: "openai",
    code: "unsupported_parameter",
    refuse: ({ family, surface, body }) =>
      "messages" in body && (surface === "responses" || family.cursor === "input")
        ? "Unsupported parameter: 'messages'. In the Responses API, this parameter has moved to " +
          "'input'. Try again with the new parameter. See the API documentation for more " +
          "information: https://platform.openai.com/docs/api-reference/responses/create."
        : undefined,
  },
];

/** Every rule, in the order in which they are asked: the first that refuses is the answer. */
export const REFUSALS: readonly RefusalRule[] = [
  ...ACCESS_RULES,
  ...CHAT_RULES,
  ...STRICT_RULES,
  ...OPENAI_RULES,
  ...CLAUDE_RULES,
  ...MESSAGES_RULES,
  ...RESPONSES_RULES,
];

/**
 * Finds what the gateway has against a request.
 *
 * @param request The request.
 * @returns The error's words, or undefined where the request is served.
 *
 * @example
 * ```ts
 * import { familyOf } from "./families.ts";
 * import { parseModelName } from "./models.ts";
 * import { refusalOf } from "./refusals.ts";
 *
 * const refusal = refusalOf({
 *   surface: "mlflow",
 *   model: parseModelName("databricks-unheard-of"),
 *   family: familyOf("unheard-of"),
 *   body: { model: "databricks-unheard-of", messages: [] },
 *   workspace: {
 *     chatModels: new Set(),
 *     embeddingModels: new Set(),
 *     notEnabled: new Set(),
 *     unityCatalogOnly: new Set(),
 *   },
 * });
 * if (refusal?.status !== 404) throw new Error(`${refusal?.status}`);
 * ```
 */
export function refusalOf(request: GatewayRequest): ErrorWords | undefined {
  for (const { surfaces, status, shape, code, refuse } of REFUSALS) {
    if (!surfaces.includes(request.surface)) continue;
    const message = refuse(request);
    if (message !== undefined) {
      const param = shape === "openai" ? message.match(/'([\w.[\]]+)'/)?.[1] : undefined;
      return { status, shape, code, message, param };
    }
  }
  return undefined;
}
