/**
 * `models.json`: which models there are, and which surface of the gateway serves each. The file's text
 * is handed in; a model becomes a {@linkcode Route}.
 *
 * @module
 */

import schema from "../../models.schema.json" with { type: "json" };
import { kindOf, type Schema, validate } from "./validate.ts";
import type { DialectName } from "../dialects/dialect.ts";
import { BridgeError } from "../errors.ts";
import { bareName, familyOf, isEmbeddingModel } from "./families.ts";
import { isObject, type JsonObject } from "../json.ts";
import { didYouMean } from "../suggest.ts";
import { oddities } from "./oddities.ts";
import { guessJsonc, placeOf, readJsonc, type TextPlace } from "./jsonc.ts";

/** `models.schema.json`: what editors complete by is what the program checks by. */
export const MODELS_SCHEMA: Schema = schema;

/** Where a request goes. */
export interface Route {
  /** The alias of the surface in `endpoints`: `mlflow`, `cursor`, `openai`, or the user's own. */
  readonly surface: string;
  /** Its path, after the gateway's base. */
  readonly path: string;
  /** What the path says of the dialect; a surface may still answer in the other. */
  readonly dialect: DialectName;
}

/** One model of the list. Fields that the bridge doesn't know stay with the entry. */
export interface ModelEntry extends JsonObject {
  /** The name by which clients ask for it. */
  readonly id: string;
  /** The alias of its surface; by its family's rule where this is missing. */
  readonly endpoint?: string;
  /** Whether the gateway no longer has it: it is still routed, but not listed. */
  readonly gone?: boolean;
}

/** A list of models, ready to use. */
export interface Catalog {
  /** Alias → path. */
  readonly endpoints: Readonly<Record<string, string>>;
  /** In the file's order. */
  readonly models: readonly ModelEntry[];
  /** Where the list came from, for people. */
  readonly source: string;
  /** What is strange in the file, though it can be used: a line each, with the file's name. */
  readonly warnings?: readonly string[];
}

/** The most models of a list: more than any workspace has. */
const MOST_MODELS = 100_000;

/** List → its models by name; the last one found counts. */
const indexes = new WeakMap<readonly ModelEntry[], ReadonlyMap<string, ModelEntry>>();

/**
 * A model of the list, or undefined where it has none of that name.
 *
 * @example
 * ```ts
 * import { entryIn, parseModels } from "./catalog.ts";
 *
 * const catalog = parseModels('{"models": ["m"]}', "models.json");
 * if (entryIn(catalog, "m")?.id !== "m") throw new Error("m is there");
 * ```
 */
export function entryIn({ models }: Catalog, id: string): ModelEntry | undefined {
  let index = indexes.get(models);
  if (index === undefined) {
    index = new Map(models.map((entry) => [entry.id, entry]));
    indexes.set(models, index);
  }
  return index.get(id);
}

/**
 * "Did you mean", for a model that the list hasn't: a sentence with a space before it, or nothing.
 *
 * @param catalog The list in force.
 * @param id What was asked for.
 *
 * @example
 * ```ts
 * import { parseModels, suggestModel } from "./catalog.ts";
 *
 * const catalog = parseModels('{"models": ["databricks-gpt-5"]}', "models.json");
 * const hint = suggestModel(catalog, "databricks-gtp-5");
 * if (hint !== " Did you mean databricks-gpt-5?") throw new Error(hint);
 * ```
 */
export function suggestModel(catalog: Catalog, id: string): string {
  if (entryIn(catalog, id) !== undefined) return "";
  return didYouMean(id, catalog.models.filter(({ gone }) => gone !== true).map(({ id }) => id));
}

/** The surfaces that every gateway has (`gateway.md`, "Surfaces"). A file's `endpoints` are laid over these. */
export const DEFAULT_ENDPOINTS: Readonly<Record<string, string>> = {
  mlflow: "/mlflow/v1/chat/completions",
  cursor: "/cursor/v1/chat/completions",
  openai: "/openai/v1/responses",
  anthropic: "/anthropic/v1/messages",
  gemini: "/gemini/v1beta",
};

/** Model name → surface, where a model doesn't say. The first row that fits is used. */
export const FAMILY_ROUTES: readonly { name: RegExp; surface: string }[] = [
  // gpt-oss is an open-weight model, but its name belongs to the GPT family's rule; a refusal is learned from.
  { name: /^(databricks-|system\.ai\.(databricks-)?)gpt/i, surface: "cursor" },
  { name: /(?:)/, surface: "mlflow" },
];

/** Models that `openai` serves, by their bare names; it refuses all others (`gateway.md`, "Surfaces"). */
const RESPONSES_MODELS = /^(gpt-(?!oss)|codex|o\d|grok)/;

/** The latest `created` is a file's own; this one stands where a model has none. Seconds since 1970. */
const CREATED = 1_735_689_600;

/** The fields that the schema describes. */
const KNOWN_FIELDS = {
  file: Object.keys(schema.properties),
  model: Object.keys(schema.definitions.model.properties),
};

/** A text and what to call it in messages. */
interface Source {
  readonly text: string;
  readonly name: string;
}

function bad({ text, name }: Source, path: string, what: string): never {
  const where = `${at(placeOf(text, path))}: ${path || "the file"}`;
  throw new BridgeError("config", `${name}: ${where}: ${what}.`);
}

function at({ line, column }: TextPlace): string {
  return `line ${line}, column ${column}`;
}

/** The endpoints in force: the file's, laid over the default ones. null takes one away, for a workspace without it. */
function readEndpoints(value: unknown): Record<string, string> {
  const endpoints: Record<string, string> = { ...DEFAULT_ENDPOINTS };
  for (const [alias, path] of Object.entries(isObject(value) ? value : {})) {
    if (typeof path === "string") endpoints[alias] = path.replace(/\/+$/, "");
    else delete endpoints[alias];
  }
  return endpoints;
}

/** What the schema can't say: an endpoint is one of those in force, and no name stands twice. */
function checkEntries(
  models: readonly ModelEntry[],
  endpoints: Record<string, string>,
  source: Source,
): void {
  const seen = new Set<string>();
  for (const [index, { id, endpoint }] of models.entries()) {
    if (endpoint !== undefined && !Object.hasOwn(endpoints, endpoint)) {
      const known = Object.keys(endpoints).join(", ");
      const where = `models[${index}].endpoint`;
      bad(source, where, `expected one of the endpoints ${known}, got ${kindOf(endpoint)}`);
    }
    if (seen.has(id)) bad(source, `models[${index}].id`, `"${id}" is there twice`);
    seen.add(id);
  }
}

/**
 * Reads a `models.json`. Comments and trailing commas are fine, as in VS Code's own settings.
 *
 * @param text The file's text; a byte order mark is fine.
 * @param source What to call it in messages: the file's path.
 * @throws {BridgeError} kind `config`: what is wrong, and where.
 *
 * @example
 * ```ts
 * import { parseModels } from "./catalog.ts";
 *
 * const catalog = parseModels('{"models": ["databricks-gpt-5"]}', "models.json");
 * if (catalog.models[0].id !== "databricks-gpt-5") throw new Error("a name is enough");
 * ```
 */
export function parseModels(text: string, source: string): Catalog {
  const clean = text.replace(/^\uFEFF/, "");
  const { value, error } = readJsonc(clean);
  if (error) {
    throw new BridgeError("config", `${source}: ${at(error)}: this is not JSON: ${error.reason}.`);
  }
  const from: Source = { text: clean, name: source };
  const count = isObject(value) && Array.isArray(value.models) ? value.models.length : 0;
  if (count > MOST_MODELS) {
    const most = MOST_MODELS.toLocaleString("en");
    const message = `too many models: expected ${most} at most, got ${count.toLocaleString("en")}`;
    throw new BridgeError("config", `${source}: ${message}.`);
  }
  const mismatch = validate(value, MODELS_SCHEMA);
  if (mismatch) {
    const { path, expected, got } = mismatch;
    bad(from, path, `${expected}, got ${got}`);
  }
  const file = value as { endpoints?: unknown; models: (string | ModelEntry)[] };
  const endpoints = readEndpoints(file.endpoints);
  const models = file.models.map((entry) => typeof entry === "string" ? { id: entry } : entry);
  checkEntries(models, endpoints, from);
  const warnings = oddities(clean, file, KNOWN_FIELDS).map((line) => `${source}: ${line}`);
  return { endpoints, models, source, warnings };
}

/**
 * Whether a `models.json` that nobody named is the bridge's, or another program's that has the same name:
 * ours has a list `models` of names. One that is broken counts by what can still be read of it.
 *
 * @param text The file's text.
 *
 * @example
 * ```ts
 * import { assert } from "@std/assert";
 * import { isModelsFile } from "./catalog.ts";
 *
 * assert(isModelsFile('{"models": ["databricks-gpt-5", }'));
 * assert(!isModelsFile('{"models": {"User": {"fields": []}}}'));
 * ```
 */
export function isModelsFile(text: string): boolean {
  const value = guessJsonc(text.replace(/^\uFEFF/, ""));
  if (!isObject(value)) return false;
  const { models, endpoints } = value;
  if (!Array.isArray(models)) return isObject(endpoints) && models === undefined;
  return models.length === 0 ||
    models.some((model) =>
      typeof model === "string" || (isObject(model) && typeof model.id === "string")
    );
}

/** The dialect that a path speaks: those of the Responses and Messages APIs end with their names, Gemini's with its version. */
function dialectOf(path: string): DialectName {
  return path.endsWith("/responses")
    ? "responses"
    : path.endsWith("/messages")
    ? "messages"
    : /\/v1beta(?:\/models)?$/.test(path)
    ? "gemini"
    : "chat";
}

/**
 * The route to a surface, or undefined where the catalog has no such alias.
 *
 * @example
 * ```ts
 * import { parseModels, surfaceRoute } from "./catalog.ts";
 *
 * const catalog = parseModels('{"models": []}', "models.json");
 * if (surfaceRoute(catalog, "openai")?.dialect !== "responses") throw new Error("by its path");
 * ```
 */
export function surfaceRoute(catalog: Catalog, surface: string): Route | undefined {
  const path = Object.hasOwn(catalog.endpoints, surface) ? catalog.endpoints[surface] : undefined;
  return path === undefined ? undefined : { surface, path, dialect: dialectOf(path) };
}

/**
 * Where a model's requests go: its own endpoint, else its family's. A model that is not listed is routed
 * by its family too, not refused. A chat body for a model on `openai` goes to `cursor` where there is one,
 * a Responses body for a GPT or Grok model on a surface that speaks chat goes to `openai`, a Messages
 * body for a Claude model on `mlflow` to `anthropic`, and a Gemini body for a Gemini model on `mlflow` to
 * `gemini`, because those surfaces are made for them.
 *
 * @param catalog The list in force.
 * @param model The name that the client asked for.
 * @param body What the client's body is written in.
 * @throws {BridgeError} kind `config`, when the list has taken the family's surface away.
 *
 * @example
 * ```ts
 * import { parseModels, routeOf } from "./catalog.ts";
 *
 * const catalog = parseModels('{"models": []}', "models.json");
 * const route = routeOf(catalog, "databricks-gpt-5", "chat");
 * if (route.path !== "/cursor/v1/chat/completions") throw new Error(route.path);
 * ```
 */
export function routeOf(catalog: Catalog, model: string, body: DialectName): Route {
  const entry = entryIn(catalog, model);
  const family = FAMILY_ROUTES.find((row) => row.name.test(model))!.surface;
  const surface = entry?.endpoint ?? family;
  const preferred = body === "chat" && surface === "openai"
    ? "cursor"
    : body === "messages" && surface === "mlflow" && familyOf(model) === "claude"
    ? "anthropic"
    : body === "gemini" && surface === "mlflow" && familyOf(model) === "gemini"
    ? "gemini"
    : body === "responses" && surfaceRoute(catalog, surface)?.dialect !== "responses" &&
        (surface === "cursor" || RESPONSES_MODELS.test(bareName(model)))
    ? "openai"
    : surface;
  const route = surfaceRoute(catalog, preferred) ?? surfaceRoute(catalog, surface);
  if (route === undefined) {
    throw new BridgeError(
      "config",
      `${catalog.source}: endpoints has no "${surface}", which ${model} needs: add it, or give the model another endpoint.`,
    );
  }
  return route;
}

/** What a model is for. */
export type ModelKind = "chat" | "embedding";

/** The embedding models that every workspace has (`gateway.md`, "Models"), for lists that name none. */
const EMBEDDINGS: readonly ModelEntry[] = [
  { id: "databricks-gte-large-en" },
  { id: "databricks-bge-large-en" },
  { id: "databricks-qwen3-embedding-0-6b" },
];

function isOfKind(entry: ModelEntry, kind: ModelKind): boolean {
  const own = entry.kind ?? (isEmbeddingModel(entry.id) ? "embedding" : "chat");
  return own === kind;
}

/** How many models a list shows: those that answer chats, and that the gateway still has. */
export function countListed({ models }: Catalog): number {
  return models.filter((entry) => entry.gone !== true && isOfKind(entry, "chat")).length;
}

/** One entry as OpenAI's list of models shows it, with the fields that ForgeCode reads (`forgecode.md`). */
function toListed(entry: ModelEntry, metadata: JsonObject): JsonObject {
  const { id, endpoint: _endpoint, object: _object, gone: _gone, ...rest } = entry;
  return {
    id,
    object: "model",
    created: CREATED,
    owned_by: "databricks",
    ...metadata,
    ...rest,
  };
}

/**
 * The answer to `GET /models`, in the file's order, without what is gone and of another kind.
 *
 * @param catalog The list in force.
 * @param metadata What is known of a model beyond the file; the file's own fields win.
 * @param kind What the models are for.
 *
 * @example
 * ```ts
 * import { listModels, parseModels } from "./catalog.ts";
 *
 * const list = listModels(parseModels('{"models": ["m"]}', "models.json"));
 * if (list.data[0].object !== "model" || !Number.isInteger(list.data[0].created)) throw new Error("form");
 * ```
 */
export function listModels(
  catalog: Catalog,
  metadata: (id: string) => JsonObject = () => ({}),
  kind: ModelKind = "chat",
): { object: "list"; data: JsonObject[] } {
  const listed = catalog.models.filter((entry) => entry.gone !== true && isOfKind(entry, kind));
  const entries = kind === "embedding" && listed.length === 0 ? EMBEDDINGS : listed;
  return {
    object: "list",
    data: entries.map((entry) => toListed(entry, kind === "chat" ? metadata(entry.id) : {})),
  };
}
