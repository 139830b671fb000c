/**
 * What the simulator knows about families of models: which surface serves them, how strictly their
 * requests are decoded, and what their streams look like. A row a family; all facts are those of
 * gateway.md.
 *
 * @module
 */

import type { ChatTraits, Family } from "./traits.ts";
import { FRAMINGS } from "./framings.ts";
const MINIMAL: ChatTraits = {
  envelope: "minimal",
  role: "none",
  usage: "none",
  usageDetails: "absent",
  reasoning: "none",
  thinksUnasked: false,
  textAsParts: false,
  wholeCalls: false,
  textTakesIndex: false,
  thoughtSignature: false,
  finish: false,
  finishOnCalls: "tool_calls",
};
const FULL: ChatTraits = {
  ...MINIMAL,
  envelope: "full",
  role: "first",
  usage: "last",
  finish: true,
};
const OPENAI: ChatTraits = { ...FULL, usage: "separate", usageDetails: "counts" };
const CLAUDE: ChatTraits = {
  ...FULL,
  role: "every",
  usage: "nulls",
  reasoning: "parts",
  textTakesIndex: true,
};
const THINKING: ChatTraits = { ...FULL, reasoning: "reasoning_content", thinksUnasked: true };
const PARTS: ChatTraits = {
  ...FULL,
  usageDetails: "null",
  reasoning: "parts",
  thinksUnasked: true,
  textAsParts: true,
};

const OPEN_WEIGHT: Omit<Family, "name" | "models"> = {
  decoder: "strict",
  mlflow: true,
  cursor: "none",
  responses: false,
  chatTools: true,
  cursorAnswersInChat: false,
  untidyResponses: false,
  chat: MINIMAL,
  framing: FRAMINGS.lf,
  callId: "call",
};
const GPT: Omit<Family, "name" | "models"> = {
  ...OPEN_WEIGHT,
  decoder: "openai",
  cursor: "both",
  responses: true,
  chat: OPENAI,
};
const GPT_RESPONSES_ONLY: Omit<Family, "name" | "models"> = {
  ...GPT,
  mlflow: false,
  cursor: "input",
  chatTools: false,
};

/** The families; the first whose pattern fits a name is the model's. The last one fits all. */
export const FAMILIES: readonly Family[] = [
  {
    ...OPEN_WEIGHT,
    name: "gpt-oss",
    models: /^gpt-oss-/,
    maxOutput: 25_000,
    chat: PARTS,
    framing: FRAMINGS.crlf,
  },
  { ...GPT_RESPONSES_ONLY, name: "gpt-codex", models: /^gpt-.*codex/ },
  { ...GPT_RESPONSES_ONLY, name: "gpt-pro", models: /^gpt-5-5-pro$/ },
  { ...GPT_RESPONSES_ONLY, name: "gpt-5-6", models: /^gpt-5-6-/, untidyResponses: true },
  { ...GPT, name: "gpt-5-4", models: /^gpt-5-4/, chatTools: false },
  {
    ...GPT,
    name: "gpt-6-astra",
    models: /^gpt-6-astra$/,
    cursor: "input",
    chatTools: false,
    cursorAnswersInChat: true,
  },
  {
    ...GPT,
    name: "gpt-6",
    models: /^gpt-(5-5|6-)/,
    cursor: "input",
    chatTools: false,
    untidyResponses: true,
  },
  { ...GPT, name: "gpt-5", models: /^gpt-5/ },
  {
    ...OPEN_WEIGHT,
    name: "claude-adaptive",
    models: /^claude-(opus-4-[78]|opus-5|sonnet-5|fable-)/,
    decoder: "claude",
    cursor: "both",
    maxOutput: 128_000,
    chat: CLAUDE,
    callId: "toolu",
  },
  {
    ...OPEN_WEIGHT,
    name: "claude",
    models: /^claude-/,
    decoder: "claude",
    cursor: "both",
    maxOutput: 64_000,
    chat: CLAUDE,
    callId: "toolu",
  },
  {
    ...OPEN_WEIGHT,
    name: "gemini-2-5",
    models: /^gemini-2-5-/,
    maxOutput: 65_536,
    chat: { ...PARTS, wholeCalls: true, thoughtSignature: true, finishOnCalls: "stop" },
    framing: FRAMINGS["no-space"],
    callId: "uuid",
  },
  {
    ...OPEN_WEIGHT,
    name: "gemini",
    models: /^gemini-/,
    maxOutput: 65_536,
    chat: { ...FULL, wholeCalls: true, thoughtSignature: true, finishOnCalls: "stop" },
    framing: FRAMINGS.comments,
    callId: "uuid",
  },
  { ...OPEN_WEIGHT, name: "grok", models: /^grok-/, responses: true, chat: THINKING },
  {
    ...OPEN_WEIGHT,
    name: "glm",
    models: /^glm-/,
    maxOutput: 65_536,
    chat: { ...THINKING, envelope: "anonymous", usage: "none" },
  },
  {
    ...OPEN_WEIGHT,
    name: "kimi",
    models: /^kimi-/,
    chat: THINKING,
    framing: FRAMINGS.crlf,
    callId: "function",
  },
  {
    ...OPEN_WEIGHT,
    name: "deepseek",
    models: /^deepseek-/,
    chat: THINKING,
    framing: FRAMINGS.comments,
  },
  {
    ...OPEN_WEIGHT,
    name: "inkling",
    models: /^inkling/,
    maxOutput: 65_536,
    chat: { ...THINKING, envelope: "bare", role: "none", usage: "none", finish: false },
    framing: FRAMINGS["no-space"],
  },
  {
    ...OPEN_WEIGHT,
    name: "llama",
    models: /^(meta-)?llama-/,
    maxOutput: 8_192,
    chat: { ...FULL, role: "every", usage: "every", wholeCalls: true },
    callId: "uuid",
  },
  {
    ...OPEN_WEIGHT,
    name: "qwen3-next",
    models: /^qwen3-next/,
    maxOutput: 10_000,
    chat: { ...FULL, usageDetails: "null" },
  },
  {
    ...OPEN_WEIGHT,
    name: "qwen",
    models: /^qwen/,
    responses: true,
    chat: { ...FULL, usageDetails: "null" },
    framing: FRAMINGS.single,
  },
  {
    ...OPEN_WEIGHT,
    name: "chat-agent",
    models: /-chat-agent$/,
    chat: { ...FULL, envelope: "agent", role: "every", usage: "every", finish: false },
  },
  { ...OPEN_WEIGHT, name: "default", models: /^/, maxOutput: 8_192 },
];

/**
 * The family of a model.
 *
 * @param bareName The model's name without `databricks-` or `system.ai.`.
 * @returns The first family in {@linkcode FAMILIES} that fits; `default` where no other does.
 *
 * @example
 * ```ts
 * import { familyOf } from "./families.ts";
 *
 * if (familyOf("gpt-oss-120b").name !== "gpt-oss") throw new Error("unexpected");
 * if (familyOf("gpt-5-mini").name !== "gpt-5") throw new Error("unexpected");
 * ```
 */
export function familyOf(bareName: string): Family {
  return FAMILIES.find((family) => family.models.test(bareName)) ?? FAMILIES[FAMILIES.length - 1];
}
