/**
 * The models that the simulated workspace has, by the names of gateway.md without their prefix, and
 * what is peculiar to single ones.
 *
 * @module
 */

/** The chat models, by family, without `databricks-`. */
export const CHAT_MODELS: readonly string[] = [
  ...names("gpt", "5 5-mini 5-nano 5-1 5-2 5-3-codex 5-4 5-4-mini 5-4-nano 5-5 5-5-pro"),
  ...names("gpt", "5-6-luna 5-6-sol 5-6-terra 6-astra 6-luna 6-sol 6-1-sol oss-120b oss-20b"),
  ...names("gpt", "5-1-codex-max 5-1-codex-mini 5-2-codex"),
  ...names("claude", "fable-5 fable-5-1 haiku-4-5"),
  ...names("claude-opus", "4-1 4-5 4-6 4-7 4-8 5 5-5"),
  ...names("claude-sonnet", "4 4-5 4-6 5 5-5"),
  ...names("gemini", "2-5-flash 2-5-pro 3-flash 3-1-pro 3-1-flash-lite 3-5-flash 3-5-flash-lite"),
  ...names("gemini", "3-6-flash 3-7-flash 3-8-flash"),
  ...names("grok", "4-6 4-7"),
  ...names("glm", "5-2 5-3"),
  "kimi-k3",
  ...names("deepseek", "v4-flash-0731 v4-pro-0813"),
  "inkling",
  "gemma-3-12b",
  "llama-4-maverick",
  "meta-llama-3-1-8b-instruct",
  "meta-llama-3-3-70b-instruct",
  "qwen3-next-80b-a3b-instruct",
  "qwen35-122b-a10b",
];

/** The embedding models, without `databricks-`. */
export const EMBEDDING_MODELS: readonly string[] = [
  "gte-large-en",
  "bge-large-en",
  "qwen3-embedding-0-6b",
];

/** Endpoints of the workspace's own, whose names have no prefix. */
export const OWN_ENDPOINTS: readonly string[] = ["support-chat-agent"];

/** Models that this workspace serves only under `system.ai.…`: `databricks-…` gets 501. */
export const UNITY_CATALOG_ONLY: readonly string[] = ["gpt-5-6-sol", "gpt-6-1-sol"];

/** Models that stand in every list, and are not enabled all the same: 403, a rate limit of 0. */
export const NOT_ENABLED: readonly string[] = ["claude-fable-5"];

/** What the surfaces call a model: how it was asked for, and the name without its prefix. */
export interface ModelName {
  /** As the request has it. */
  readonly asked: string;
  /** Without `databricks-` or `system.ai.`. */
  readonly bare: string;
  /** Which prefix it had. */
  readonly prefix: "databricks-" | "system.ai." | "";
}

/**
 * Takes a model's name apart.
 *
 * @param asked The name as the request says it.
 * @returns The prefix and the name without it.
 *
 * @example
 * ```ts
 * import { parseModelName } from "./models.ts";
 *
 * if (parseModelName("system.ai.gpt-5").bare !== "gpt-5") throw new Error("unexpected");
 * if (parseModelName("databricks-gpt-5").prefix !== "databricks-") throw new Error("unexpected");
 * ```
 */
export function parseModelName(asked: string): ModelName {
  for (const prefix of ["databricks-", "system.ai."] as const) {
    if (asked.startsWith(prefix)) return { asked, bare: asked.slice(prefix.length), prefix };
  }
  return { asked, bare: asked, prefix: "" };
}

function names(prefix: string, versions: string): string[] {
  return versions.split(" ").map((version) => `${prefix}-${version}`);
}
