/**
 * The workspace's lists of models: Unity Catalog's model services, the foundation model endpoints
 * and all serving endpoints. Shapes: gateway.md, "Discovery".
 *
 * @module
 */

import { errorResponse } from "./errors.ts";
import { familyOf } from "./families.ts";
import type { JsonObject } from "./json.ts";
import { OWN_ENDPOINTS } from "./models.ts";
import type { Workspace } from "./refusals.ts";

/** The most model services on a page, however many were asked for. */
const MAX_PAGE = 25;

/** A customer's model service in another schema; lists have such entries, too. */
const OWN_SERVICE = "workspace.default.team-claude-opus-4-8";

/**
 * Answers the discovery APIs.
 *
 * @param url The request's address.
 * @param workspace What the workspace has.
 * @returns The list, or undefined where the path is none of these APIs.
 *
 * @example
 * ```ts
 * import { discover } from "./discovery.ts";
 *
 * const workspace = {
 *   chatModels: new Set(["gpt-5"]),
 *   embeddingModels: new Set<string>(),
 *   notEnabled: new Set<string>(),
 *   unityCatalogOnly: new Set<string>(),
 * };
 * const response = discover(new URL("http://x/api/2.0/serving-endpoints"), workspace);
 * const { endpoints } = await response!.json();
 * if (endpoints[0].name !== "databricks-gpt-5") throw new Error("unexpected");
 * ```
 */
export function discover(url: URL, workspace: Workspace): Response | undefined {
  switch (url.pathname) {
    case "/api/2.1/unity-catalog/model-services":
      return modelServices(url.searchParams, workspace);
    case "/api/2.0/serving-endpoints:foundation-models":
      return Response.json({ endpoints: foundationModels(workspace) });
    case "/api/2.0/serving-endpoints":
      return Response.json({ endpoints: servingEndpoints(workspace) });
    default:
      return undefined;
  }
}

/**
 * The surfaces of a model as the lists name them.
 *
 * @param bareName The model's name without prefix.
 * @param embedding Whether it is an embedding model.
 * @returns API types such as `mlflow/v1/chat/completions`.
 */
function apiTypesOf(bareName: string, embedding: boolean): string[] {
  if (embedding) return ["mlflow/v1/embeddings"];
  const family = familyOf(bareName);
  return [
    ...(family.mlflow ? ["mlflow/v1/chat/completions"] : []),
    ...(bareName.startsWith("claude-") ? ["anthropic/v1/messages"] : []),
    ...(bareName.startsWith("gemini-") ? ["gemini/v1beta/models"] : []),
    ...(family.cursor === "none" ? [] : ["cursor/v1/chat/completions"]),
    ...(family.responses ? ["openai/v1/responses"] : []),
  ];
}

/** The models that the lists have: name without prefix, and whether it is one for embeddings. */
function listed(workspace: Workspace): { bare: string; embedding: boolean }[] {
  return [
    ...[...workspace.chatModels].filter((bare) => !OWN_ENDPOINTS.includes(bare))
      .map((bare) => ({ bare, embedding: false })),
    ...[...workspace.embeddingModels].map((bare) => ({ bare, embedding: true })),
  ];
}

function modelServices(query: URLSearchParams, workspace: Workspace): Response {
  const size = Number(query.get("page_size"));
  // The real API answers so, without a word.
  if (!Number.isInteger(size) || size < 1) return new Response(null, { status: 499 });
  const parent = query.get("parent");
  if (parent !== null && parent !== "schemas/system.ai") {
    return errorResponse({
      status: 404,
      shape: "databricks",
      code: "SCHEMA_DOES_NOT_EXIST",
      message: `Schema '${parent.replace("schemas/", "")}' does not exist.`,
    });
  }
  const services = [OWN_SERVICE, ...listed(workspace).map(({ bare }) => `system.ai.${bare}`)];
  const token = query.get("page_token") || "0";
  const place = token.match(/^(\d+)(e?)$/);
  if (!place || Number(place[1]) > services.length) {
    return errorResponse({
      status: 400,
      shape: "databricks",
      code: "INVALID_PARAMETER_VALUE",
      message: "INVALID_PARAMETER_VALUE: The page token is not valid.",
    });
  }
  const start = Number(place[1]);
  // Behind the first page comes an empty one that is not the last: only a missing token ends a list.
  if (place[2] === "e") return Response.json({ next_page_token: `${start}` });
  const end = Math.min(start + Math.min(size, MAX_PAGE), services.length);
  const full = query.get("view") === "FULL";
  const next = end >= services.length
    ? {}
    : { next_page_token: start === 0 ? `${end}e` : `${end}` };
  return Response.json({
    model_services: services.slice(start, end)
      .map((name, index) => modelService(name, start + index, full, workspace)),
    ...next,
  });
}

function modelService(
  name: string,
  position: number,
  full: boolean,
  workspace: Workspace,
): JsonObject {
  const bare = name.replace("system.ai.", "");
  const types = apiTypesOf(bare, workspace.embeddingModels.has(bare));
  return {
    name: `model-services/${name}`,
    securable_type: "MODEL_SERVICE",
    config: {
      ...(position % 3 === 0 ? { usage_tracking: { enabled: true } } : {}),
      routing: full ? { destinations: [{ name: `databricks-${bare}`, weight: 100 }] } : {},
    },
    // Services of one's own never say their types, some of the system's don't either.
    ...(name === OWN_SERVICE || position % 7 === 0 ? {} : { supported_api_types: types }),
    ...(position % 5 === 0 ? { etag: `Etag${position}` } : {}),
  };
}

/** Families that are described with a window; gateway.md, "Models". */
const WINDOWS: readonly (readonly [RegExp, string])[] = [
  [/^gpt-oss|^llama|^meta-llama|^gemma/, "128K"],
  [/^gpt-5-5-pro|^gpt-5-6|^gemini|opus-4-[678]|sonnet-4-6/, "1M"],
  [/^gpt/, "400K"],
  [/^claude/, "200K"],
  [/^qwen35/, "256K"],
];

function foundationModels(workspace: Workspace): JsonObject[] {
  return listed(workspace).filter(({ bare }) => !workspace.unityCatalogOnly.has(bare))
    .map(({ bare, embedding }, position) => {
      const family = familyOf(bare);
      const window = WINDOWS.find(([pattern]) => pattern.test(bare))?.[1];
      const model: JsonObject = {
        // Not every entry has it.
        ...(position % 9 === 8 ? {} : { ai_gateway_v2_supported: true }),
        api_types: apiTypesOf(bare, embedding),
        ...(window ? { description: `Supports a context window of ${window} tokens.` } : {}),
      };
      return {
        name: `databricks-${bare}`,
        ...(family.chat.thinksUnasked && !embedding
          ? { capabilities: { openai_reasoning: true } }
          : {}),
        config: { served_entities: [{ foundation_model: model }] },
      };
    });
}

function servingEndpoints(workspace: Workspace): JsonObject[] {
  const state = { ready: "READY", config_update: "NOT_UPDATING" };
  const endpoints: JsonObject[] = listed(workspace).map(({ bare, embedding }) => ({
    name: `databricks-${bare}`,
    creation_timestamp: 1_754_000_000_000,
    state,
    task: embedding ? "llm/v1/embeddings" : "llm/v1/chat",
    config: { served_entities: [{ name: bare, entity_name: `system.ai.${bare}` }] },
  }));
  const agents = [...workspace.chatModels].filter((bare) => OWN_ENDPOINTS.includes(bare))
    .map((name) => ({ name, creator: "somebody@example.com", state, task: "agent/v1/chat" }));
  return [
    ...endpoints,
    ...agents,
    // A classifier and an endpoint that is still being built: neither is for chats.
    { name: "churn-classifier", creator: "somebody@example.com", state },
    {
      name: "half-built-llm",
      state: { ready: "NOT_READY", config_update: "IN_PROGRESS" },
      task: "llm/v1/chat",
    },
  ];
}
