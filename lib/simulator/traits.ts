/**
 * What can be peculiar to a family of models, as types; the families themselves stand in
 * `families.ts`.
 *
 * @module
 */

import type { Framing } from "./framings.ts";

/** A path of the gateway that takes requests; `/codex/v1/responses` counts as `responses`. */
export type Surface = "mlflow" | "cursor" | "responses" | "anthropic" | "embeddings";

/** What a family's chat completion chunks look like. */
export interface ChatTraits {
  /**
   * What stands around a delta: `full` as in OpenAI's reference, `bare` with `id`, `choices` and
   * `index`, `anonymous` without `id`, `minimal` with nothing but `choices[0].delta`, `agent` with
   * empty `choices` and a top-level `delta`.
   */
  readonly envelope: "full" | "bare" | "anonymous" | "minimal" | "agent";
  /** Whether `role` stands on every chunk, on the first, or nowhere. */
  readonly role: "every" | "first" | "none";
  /**
   * Where `usage` stands: on the last chunk, on every one, on every one with nulls until the last,
   * alone in a chunk with empty `choices`, or nowhere.
   */
  readonly usage: "last" | "every" | "nulls" | "separate" | "none";
  /** Whether `usage` has no details, details that are null, or counts. */
  readonly usageDetails: "absent" | "null" | "counts";
  /** How thinking is streamed: as content parts, as `reasoning_content`, or not at all. */
  readonly reasoning: "parts" | "reasoning_content" | "none";
  /** Whether the family thinks without being asked to. */
  readonly thinksUnasked: boolean;
  /** Whether the text itself comes as content parts, too. */
  readonly textAsParts: boolean;
  /** Whether a tool call comes whole in one chunk. */
  readonly wholeCalls: boolean;
  /** Whether tool calls are counted from 1 where text came first. */
  readonly textTakesIndex: boolean;
  /** Whether a call carries a `thoughtSignature` that must be sent back. */
  readonly thoughtSignature: boolean;
  /** Whether the last chunk has a `finish_reason`; where not, only `[DONE]` ends the stream. */
  readonly finish: boolean;
  /** The `finish_reason` of a turn with tool calls. */
  readonly finishOnCalls: "tool_calls" | "stop";
}

/** One family of models. */
export interface Family {
  /** The family's name, unique in the table. */
  readonly name: string;
  /** Which models are of this family: tested on the name without its prefix. */
  readonly models: RegExp;
  /** Whose decoder reads the request, and words its refusals. */
  readonly decoder: "strict" | "openai" | "claude";
  /** Whether the mlflow surface serves it. */
  readonly mlflow: boolean;
  /** What the cursor surface takes: chat and Responses bodies, only Responses bodies, or nothing. */
  readonly cursor: "both" | "input" | "none";
  /** Whether the Responses surfaces serve it. */
  readonly responses: boolean;
  /** Whether chat surfaces take function tools. */
  readonly chatTools: boolean;
  /** Whether the cursor surface answers a Responses body with chat completion chunks. */
  readonly cursorAnswersInChat: boolean;
  /** Whether the stream of the Responses dialect is untidy: foreign item ids, late closing. */
  readonly untidyResponses: boolean;
  /** The most output tokens that may be asked for; absent where no limit is known. */
  readonly maxOutput?: number;
  /** What its chat completion chunks look like. */
  readonly chat: ChatTraits;
  /** How its streams' bytes are laid out. */
  readonly framing: Framing;
  /** What its tool call ids look like. */
  readonly callId: "call" | "toolu" | "function" | "uuid";
}
