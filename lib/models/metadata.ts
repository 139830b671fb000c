/**
 * What is known of the gateway's models beyond their names: windows, limits, and what a family can do.
 * Facts: `gateway.md`, "Models"; what isn't known there is left out, because a client believes what it
 * reads.
 *
 * @module
 */

import { bareName, outputCap } from "./families.ts";
import type { JsonObject } from "../json.ts";

/** What a model is known for. */
export interface Metadata {
  /** The context window: what goes in and comes out together, in tokens. */
  readonly context?: number;
  /** The most that comes out, in tokens. */
  readonly output?: number;
  /** Whether it calls tools. */
  readonly tools: boolean;
  /** Whether it may call several tools in one turn. */
  readonly parallel: boolean;
  /** Whether it thinks before it answers. */
  readonly reasoning: boolean;
  /** Whether it reads images. */
  readonly vision: boolean;
}

/** One row of the table: what its names have in common. */
interface Row extends Metadata {
  /** Matches the name without its prefix. */
  readonly name: RegExp;
}

const K = 1000;
const M = 1_000_000;

/** A model that thinks, calls several tools in a turn and reads images, as the large closed ones do. */
const LARGE = { tools: true, parallel: true, reasoning: true, vision: true };
/** An open-weight model that thinks and calls tools; of images nothing is known. */
const OPEN = { ...LARGE, vision: false };
/** A smaller open-weight model: tools, one at a time as far as is known. */
const PLAIN = { tools: true, parallel: false, reasoning: false, vision: false };

/** Name → what is known; the first row that fits is used. */
const TABLE: readonly Row[] = [
  // A past turn with two calls is refused: "Multiple tool calls are not supported."
  { name: /^gpt-oss/, context: 128 * K, ...PLAIN, reasoning: true },
  { name: /^gpt-5-(5-pro|6)/, context: M, output: 128 * K, ...LARGE },
  { name: /^gpt-5/, context: 400 * K, output: 128 * K, ...LARGE },
  { name: /^gpt/, context: 400 * K, output: 128 * K, ...LARGE },
  { name: /^claude-opus-(4-[6-9]|[5-9])|^claude-sonnet-4-6/, context: M, output: 64 * K, ...LARGE },
  { name: /^claude/, context: 200 * K, output: 64 * K, ...LARGE },
  { name: /^gemini/, context: M, output: 64 * K, ...LARGE },
  { name: /^llama-4/, context: 128 * K, ...PLAIN, vision: true },
  { name: /^(meta-)?llama/, context: 128 * K, ...PLAIN },
  { name: /^gemma/, context: 128 * K, ...PLAIN, vision: true },
  { name: /^qwen35/, context: 256 * K, ...OPEN },
  { name: /^inkling/, context: 1.5 * M, ...OPEN },
  // Nothing is published about these windows: what their predecessors had is the careful guess.
  { name: /^(grok|kimi)/, context: 256 * K, ...OPEN },
  { name: /^glm/, context: 200 * K, ...OPEN },
  { name: /^deepseek/, context: 128 * K, ...OPEN },
  { name: /^qwen/, context: 256 * K, ...PLAIN },
];

/**
 * What is known of a model, or undefined for one of an unknown family.
 *
 * @param id The model, by any of its names.
 *
 * @example
 * ```ts
 * import { metadataOf } from "./metadata.ts";
 *
 * if (metadataOf("system.ai.claude-opus-4-8")?.context !== 1_000_000) throw new Error("its window");
 * if (metadataOf("databricks-gemma-3-12b")?.output !== 8192) throw new Error("its hard limit");
 * if (metadataOf("team-agent") !== undefined) throw new Error("nobody knows");
 * ```
 */
export function metadataOf(id: string): Metadata | undefined {
  const name = bareName(id);
  const row = TABLE.find((row) => row.name.test(name));
  if (row === undefined) return undefined;
  const { name: _name, ...metadata } = row;
  // A limit that the gateway enforces is known better than what a family is said to do.
  const output = outputCap(name) ?? metadata.output;
  return output === undefined ? metadata : { ...metadata, output };
}

/** Words that people write in a way of their own. */
const WORDS: Readonly<Record<string, string>> = {
  gpt: "GPT",
  oss: "OSS",
  glm: "GLM",
  deepseek: "DeepSeek",
  qwen35: "Qwen3.5",
};

/**
 * A model's name as people write it: `databricks-claude-opus-4-8` is Claude Opus 4.8.
 *
 * @example
 * ```ts
 * import { displayName } from "./metadata.ts";
 *
 * if (displayName("databricks-gpt-5-6-sol") !== "GPT-5.6 Sol") throw new Error("GPT");
 * if (displayName("databricks-meta-llama-3-1-8b-instruct") !== "Meta Llama 3.1 8B Instruct") {
 *   throw new Error("Llama");
 * }
 * ```
 */
export function displayName(id: string): string {
  return bareName(id)
    // A short number after another one is what stands behind a version's dot; a date isn't short.
    .replace(/(?<=-\d{1,2})-(?=\d{1,2}(-|$))/g, ".")
    .split("-")
    .map((word) => WORDS[word] ?? (/^[a-z]?\d/.test(word) ? word.toUpperCase() : capital(word)))
    .join(" ")
    .replace(/^GPT (?=\d)/, "GPT-");
}

function capital(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1);
}

/**
 * What `GET /models` says of a model beside its id, in the fields that ForgeCode and other clients read
 * (`forgecode.md`, "GET /models"). ForgeCode turns `tools`, `supports_parallel_tool_calls` and
 * `reasoning` off where `supported_parameters` is there without them, and refuses the whole list where
 * `architecture` lacks `modality` or `tokenizer`.
 *
 * @param id The model, by any of its names.
 * @returns The fields; none for a model of an unknown family.
 *
 * @example
 * ```ts
 * import { listedMetadata } from "./metadata.ts";
 *
 * const fields = listedMetadata("databricks-claude-sonnet-4-5");
 * if (fields.context_length !== 200_000) throw new Error("its window");
 * ```
 */
export function listedMetadata(id: string): JsonObject {
  const known = metadataOf(id);
  if (known === undefined) return {};
  return {
    name: displayName(id),
    ...(known.context ? { context_length: known.context } : {}),
    ...(known.output ? { max_output_tokens: known.output } : {}),
    supported_parameters: [
      ...(known.tools ? ["tools", "tool_choice"] : []),
      ...(known.parallel ? ["supports_parallel_tool_calls"] : []),
      ...(known.reasoning ? ["reasoning"] : []),
      "max_tokens",
      "response_format",
    ],
    architecture: {
      modality: known.vision ? "text+image->text" : "text->text",
      // Nobody says which one it is; without the field ForgeCode refuses the list.
      tokenizer: "Other",
      input_modalities: known.vision ? ["text", "image"] : ["text"],
      output_modalities: ["text"],
    },
  };
}
