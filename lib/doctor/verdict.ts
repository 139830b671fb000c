/**
 * What a model's answer to the doctor's request means.
 *
 * @module
 */

import { isObject } from "../json.ts";
import { splitAdvice, type Status } from "./check.ts";
import { type Reading, type Stumble, STUMBLES } from "./reader.ts";

/** Tokens that an answer may have: enough for a model that thinks before it calls a tool. */
export const MAX_TOKENS = 1000;

/** What came of the request. */
export interface Answer {
  /** The bridge's status. */
  readonly status: number;
  /** The body, as far as it came. */
  readonly text: string;
  /** Time to its first byte, in milliseconds; null where none came. */
  readonly firstByteMs: number | null;
  /** Whether the time was up before it was whole. */
  readonly late: boolean;
}

/** What is told of a good answer. */
export interface AnswerFacts {
  /** The surface that answered; null where none did. */
  readonly surface: string | null;
  /** Time to the first byte, in milliseconds; null where none came. */
  readonly firstByteMs: number | null;
  /** Tokens in and out; null where the gateway told none. */
  readonly tokens: { readonly input: number; readonly output: number } | null;
  /** Whether the model called the tool. */
  readonly calledTool: boolean;
  /** What the gateway's refusals taught the bridge. */
  readonly learned: readonly string[];
  /** What ForgeCode would have stumbled over, and doesn't: names of `STUMBLES` in `reader.ts`. */
  readonly repaired: readonly string[];
}

/** Stumbles that are no fault of anybody's in an answer that was asked to be tiny. */
const HARMLESS: ReadonlySet<Stumble> = new Set(["done"]);

/**
 * What an answer says about a model: the first thing that ForgeCode would stumble over, or nothing.
 *
 * @param answer What came.
 * @param reading The same, read as ForgeCode would; undefined for a refusal.
 * @param timeout How long there was, in milliseconds.
 *
 * @example
 * ```ts
 * import { readAnswer } from "./reader.ts";
 * import { judge } from "./verdict.ts";
 *
 * const answer = { status: 200, text: "data: [DONE]\n\n", firstByteMs: 1, late: false };
 * const { status, detail } = judge(answer, readAnswer(answer.text), 1000);
 * if (status !== "fail" || !detail.includes("an empty answer")) throw new Error(detail);
 * ```
 */
export function judge(
  { status, text, late }: Answer,
  reading: Reading | undefined,
  timeout: number,
): { status: Status; detail: string; remedy?: string } {
  if (late) {
    return {
      status: "fail",
      detail: `No whole answer within ${timeout / 1000} s.`,
      remedy: "Allow more with --timeout, or use another model.",
    };
  }
  if (reading === undefined) {
    const { detail, remedy } = splitAdvice(messageOf(text));
    return { status: "fail", detail: `${status}: ${detail}`, remedy };
  }
  const found = [...reading.stumbles].filter(([stumble]) => !HARMLESS.has(stumble));
  if (found.length === 0) return { status: "ok", detail: "" };
  const [stumble, where] = found[0];
  const { detail, remedy } = splitAdvice(where);
  if (stumble === "length") {
    return {
      status: "warn",
      detail: `It used up ${MAX_TOKENS} tokens without an answer.`,
      remedy: "It thinks long; in real use it has more tokens.",
    };
  }
  return {
    status: "fail",
    detail: `ForgeCode would stumble over ${STUMBLES[stumble]}: ${detail}`,
    remedy: remedy ??
      (stumble === "error" || stumble === "empty" || stumble === "filter"
        ? "Try again; if it stays so, use another model."
        : "Please report it, with the output of `fd-bridge doctor --json`."),
  };
}

function messageOf(text: string): string {
  try {
    const body: unknown = JSON.parse(text);
    if (isObject(body) && isObject(body.error)) return String(body.error.message);
  } catch {
    // What isn't JSON is shown as it is.
  }
  return text.slice(0, 300) || "no body";
}

/**
 * A good answer in one line: surface, time, tokens, what was learned and what was repaired.
 *
 * @param facts What was found.
 *
 * @example
 * ```ts
 * import { describe } from "./verdict.ts";
 *
 * const words = describe({
 *   surface: "mlflow",
 *   calledTool: true,
 *   firstByteMs: 1234,
 *   tokens: { input: 1, output: 2 },
 *   learned: [],
 *   repaired: ["usage"],
 * });
 * if (words !== "mlflow, tool call; first byte 1.23 s; 1+2 tokens; repaired: usage") throw new Error(words);
 * ```
 */
export function describe(
  { surface, calledTool, firstByteMs, tokens, learned, repaired }: AnswerFacts,
): string {
  return [
    `${surface ?? "?"}, ${calledTool ? "tool call" : "text, no tool call"}`,
    firstByteMs === null ? "" : `first byte ${(firstByteMs / 1000).toFixed(2)} s`,
    tokens ? `${tokens.input}+${tokens.output} tokens` : "",
    learned.length > 0 ? `learned: ${learned.join(", ")}` : "",
    repaired.length > 0 ? `repaired: ${repaired.join(", ")}` : "",
  ].filter(Boolean).join("; ");
}
