/**
 * What a model's name says about it: its family, and the hard limits that are known for it.
 *
 * @module
 */

/** The families that the gateway treats differently. `open` is any open-weight model without ways of its own. */
export type Family = "claude" | "gpt" | "gpt-oss" | "gemini" | "llama" | "grok" | "open";

/** Name → family; the first row that fits is used. Names: `gateway.md`, "Models". */
const FAMILIES: readonly { name: RegExp; family: Family }[] = [
  { name: /^gpt-oss/, family: "gpt-oss" },
  { name: /^(gpt|o\d|codex)/, family: "gpt" },
  { name: /^(claude|opus|sonnet|haiku|fable)/, family: "claude" },
  { name: /^gemini/, family: "gemini" },
  { name: /^(meta-)?llama/, family: "llama" },
  { name: /^grok/, family: "grok" },
];

/** Models of one family that the gateway treats alike, by their names. */
export interface ModelGroup {
  /** What it is called in the documentation. */
  readonly label: string;
  /** Matches the bare names of its models. */
  readonly name: RegExp;
}

/** Claude models that think adaptively and refuse sampling parameters (`gateway.md`, "Claude"). */
export const ADAPTIVE_CLAUDE: ModelGroup = {
  label: "Claude Opus 4.7+, Sonnet 5+, Fable 5+, Haiku 5.5+",
  name:
    /^(?:claude-)?(?:opus-(?:4-(?:[7-9]|\d\d)|[5-9]|\d\d)|(?:sonnet|fable)-(?:[5-9]|\d\d)|haiku-(?:5-[5-9]|[6-9]|\d\d))(?!\d)/,
};

/** Claude models that think with a budget in tokens. */
export const BUDGETED_CLAUDE: ModelGroup = {
  label: "older Claude",
  name: new RegExp(
    `^(?!${ADAPTIVE_CLAUDE.name.source.slice(1)})(?:claude|opus|sonnet|haiku|fable)`,
  ),
};

/** Claude models to which chat completions offer no `response_format` (`gateway.md`, "Claude"). */
export const UNFORMATTED_CLAUDE: ModelGroup = {
  label: "Claude 5.5, Fable 5.1",
  name: /^(?:claude-)?(?:(?:opus|sonnet|haiku|fable)-5-5|fable-5-1)(?!\d)/,
};

/** Models that want their own reasoning back as a flat text (`forgecode.md`). */
export const KIMI: ModelGroup = { label: "Kimi", name: /^kimi/ };

/**
 * Whether a model belongs to a group.
 *
 * @param model The model, by any of its names.
 */
export function isIn(group: ModelGroup, model: string): boolean {
  return group.name.test(bareName(model));
}

/**
 * The bare name of a model, lower case and with hyphens for dots, without the gateway's prefixes:
 * `databricks-` and a Unity Catalog path such as `system.ai.`.
 *
 * @example
 * ```ts
 * import { bareName } from "./families.ts";
 *
 * if (bareName("system.ai.gpt-5-6-sol") !== "gpt-5-6-sol") throw new Error("prefix");
 * ```
 */
export function bareName(model: string): string {
  return model.toLowerCase().replace(/^[a-z][\w-]*\.[a-z][\w-]*\./, "").replace(/^databricks-/, "")
    .replaceAll(".", "-");
}

/**
 * The family of a model, by its name.
 *
 * @example
 * ```ts
 * import { familyOf } from "./families.ts";
 *
 * if (familyOf("databricks-gpt-oss-20b") !== "gpt-oss") throw new Error("open weights");
 * if (familyOf("databricks-kimi-k3") !== "open") throw new Error("no ways of its own");
 * ```
 */
export function familyOf(model: string): Family {
  const name = bareName(model);
  return FAMILIES.find((row) => row.name.test(name))?.family ?? "open";
}

/** Whether a model embeds texts and answers no chats, as its name tells. */
export function isEmbeddingModel(model: string): boolean {
  return /(^|-)(gte|bge|e5|embed|embeddings?)(-|$)/.test(bareName(model));
}

/** Models that refuse a request for more output than this, in tokens (seen by other gateways' users). */
export const OUTPUT_CAPS: readonly { name: RegExp; tokens: number }[] = [
  { name: /^(gemma-3-12b|llama-4-maverick)/, tokens: 8_192 },
  { name: /^qwen3-next/, tokens: 10_000 },
  { name: /^gpt-oss/, tokens: 25_000 },
  { name: /^glm/, tokens: 25_000 },
  { name: /^inkling/, tokens: 65_536 },
];

/**
 * The most output tokens that a model lets one ask for, or undefined where no such limit is known.
 *
 * @example
 * ```ts
 * import { outputCap } from "./families.ts";
 *
 * if (outputCap("databricks-gemma-3-12b") !== 8192) throw new Error("cap");
 * ```
 */
export function outputCap(model: string): number | undefined {
  const name = bareName(model);
  return OUTPUT_CAPS.find((row) => row.name.test(name))?.tokens;
}
