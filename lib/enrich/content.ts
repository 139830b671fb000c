/**
 * A message's content as strict clients read it: one string for the answer, one for the reasoning.
 * Families send arrays of parts instead (`gateway.md`, "What streams look like").
 *
 * @module
 */

import { isObject, type JsonObject } from "../json.ts";

/** The texts of an array of content parts. */
export interface FlatContent {
  /** The answer's text; undefined where no part was text. */
  content?: string;
  /** The reasoning's text. */
  reasoning?: string;
  /** Reasoning with its signatures, in the form in which clients send it back. */
  details?: JsonObject[];
}

/** The deepest nesting that is read; no model's content is deeper, and recursion stays bounded. */
const MAX_DEPTH = 16;

function textOf(value: unknown, depth = 0): string {
  if (typeof value === "string") return value;
  if (depth > MAX_DEPTH) return "";
  if (Array.isArray(value)) return value.map((part) => textOf(part, depth + 1)).join("");
  if (!isObject(value)) return "";
  const { text, content, thinking, summary } = value;
  return textOf(text ?? content ?? thinking ?? summary ?? "", depth + 1);
}

/** One reasoning part of any family's → details: text, signature, or what is encrypted. */
function reasoningDetails(part: JsonObject): JsonObject[] {
  if (typeof part.data === "string") return [{ type: "reasoning.encrypted", data: part.data }];
  const pieces = Array.isArray(part.summary) && part.summary.length > 0 ? part.summary : [part];
  return pieces.filter(isObject).map((piece) => {
    if (typeof piece.data === "string") return { type: "reasoning.encrypted", data: piece.data };
    const detail: JsonObject = { type: "reasoning.text", text: textOf(piece) };
    if (typeof piece.signature === "string" && piece.signature !== "") {
      detail.signature = piece.signature;
    }
    return detail;
  });
}

const REASONING_PARTS = new Set([
  "reasoning",
  "thinking",
  "redacted_thinking",
  "summary_text",
  "reasoning_text",
]);

/**
 * Flattens content of any form: a string, an array of parts (text, `output_text`, reasoning with its
 * summary and signature), one part on its own. Null and undefined stay what they are.
 *
 * @example
 * ```ts
 * import { flattenContent } from "./content.ts";
 *
 * const flat = flattenContent([
 *   { type: "reasoning", summary: [{ type: "summary_text", text: "17*23", signature: "s" }] },
 *   { type: "text", text: "391" },
 * ]);
 * if (flat.content !== "391" || flat.reasoning !== "17*23") throw new Error("apart");
 * if (flat.details?.[0].signature !== "s") throw new Error("the signature is kept");
 * ```
 */
export function flattenContent(content: unknown): FlatContent {
  if (content === null || content === undefined) return {};
  if (typeof content === "string") return { content };
  if (!Array.isArray(content) && !isObject(content)) return { content: String(content) };
  const flat: FlatContent = {};
  for (const part of Array.isArray(content) ? content : [content]) {
    if (isObject(part) && REASONING_PARTS.has(String(part.type))) {
      const details = reasoningDetails(part);
      flat.details = [...flat.details ?? [], ...details];
      flat.reasoning = (flat.reasoning ?? "") + details.map((detail) => detail.text ?? "").join("");
    } else {
      flat.content = (flat.content ?? "") + textOf(part);
    }
  }
  return flat;
}

/**
 * The text of a reasoning field that should be a string but may be an object or an array.
 *
 * @example
 * ```ts
 * import { reasoningText } from "./content.ts";
 *
 * if (reasoningText({ summary: [{ text: "so" }] }) !== "so") throw new Error("found");
 * ```
 */
export function reasoningText(value: unknown): string {
  return textOf(value);
}
