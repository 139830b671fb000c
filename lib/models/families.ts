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

/**
 * The bare name of a model, lower case, without the gateway's prefixes: `databricks-` and a Unity
 * Catalog path such as `system.ai.`.
 *
 * @example
 * ```ts
 * import { bareName } from "./families.ts";
 *
 * if (bareName("system.ai.gpt-5-6-sol") !== "gpt-5-6-sol") throw new Error("prefix");
 * ```
 */
export function bareName(model: string): string {
  return model.toLowerCase().replace(/^[\w-]+\.[\w-]+\./, "").replace(/^databricks-/, "");
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
  return known(model).family;
}

/** What a model's name says. */
interface Known {
  readonly family: Family;
  readonly cap: number | undefined;
}

/** By model, for those that were asked about: several times for each request, nearly always the same few. */
const models = new Map<string, Known>();

/** How many are kept: clients can ask for any name. */
const MAX_KNOWN = 200;

function known(model: string): Known {
  let entry = models.get(model);
  if (entry === undefined) {
    const name = bareName(model);
    entry = {
      family: FAMILIES.find((row) => row.name.test(name))?.family ?? "open",
      cap: OUTPUT_CAPS.find((row) => row.name.test(name))?.tokens,
    };
    if (models.size >= MAX_KNOWN) models.clear();
    models.set(model, entry);
  }
  return entry;
}

/** Models that refuse a request for more output than this, in tokens (seen by other gateways' users). */
export const OUTPUT_CAPS: readonly { name: RegExp; tokens: number }[] = [
  { name: /^(gemma-3-12b|llama-4-maverick)/, tokens: 8_192 },
  { name: /^qwen3-next/, tokens: 10_000 },
  { name: /^gpt-oss/, tokens: 25_000 },
  { name: /^(glm-5-2|inkling)/, tokens: 65_536 },
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
  return known(model).cap;
}
