/**
 * The verdicts of the model of ForgeCode's reader.
 *
 * @module
 */

import type { ForgeToolCall } from "./forge_tool_calls.ts";

/** The part of an HTTP answer's head that the client looks at. */
export interface ForgeHead {
  /** The status; the client takes 200 and nothing else. */
  status?: number;
  /** The `content-type`; the client takes `text/event-stream`, with or without parameters. */
  contentType?: string | null;
  /** The `content-encoding`; the client decodes none. */
  contentEncoding?: string | null;
  /** Whether the connection broke while the body was under way. */
  broken?: boolean;
}

/** Tokens as the client counts them. */
export interface ForgeUsage {
  /** `prompt_tokens`. */
  prompt: number;
  /** `completion_tokens`. */
  completion: number;
  /** `total_tokens`. */
  total: number;
  /** `prompt_tokens_details.cached_tokens`, 0 if it wasn't there. */
  cached: number;
}

/** One group of reasoning details, as the client keeps and replays it. */
export interface ForgeReasoningDetail {
  /** The type, by which pieces are grouped. */
  type: string;
  /** The text of all pieces of this type. */
  text?: string;
  /** The first signature that isn't empty. */
  signature?: string;
  /** The first encrypted piece that isn't empty. */
  data?: string;
}

/** What the client makes of an answer. */
export interface ForgeVerdict {
  /**
   * - `done`: the turn ends, or goes on with the results of its tool calls
   * - `refusal`: `content_filter`
   * - `error`: an error is shown
   * - `runaway`: the same paid request is sent again, up to 100 times
   * - `empty`: the answer was empty; the request is sent again, up to 9 times
   */
  outcome: "done" | "refusal" | "error" | "runaway" | "empty";
  /** Why, in words; for an error, what the user sees. */
  message: string;
  /** How often the request is sent in all: 1, 9 (a retry) or 100 (a runaway). */
  tries: number;
  /** The text. */
  content: string;
  /** The reasoning's text. */
  reasoning: string;
  /** What is replayed as `reasoning_details`. */
  reasoningDetails: ForgeReasoningDetail[];
  /** The tool calls that the client would run. */
  toolCalls: ForgeToolCall[];
  /** Tokens, if any chunk had them. */
  usage?: ForgeUsage;
  /** The last finish reason that the client knows, in its own words. */
  finishReason?: string;
  /** How many chunks the client silently lost something of. */
  lostChunks: number;
  /** What was lost, and all else that is not as it should be; one line each. */
  problems: string[];
}
