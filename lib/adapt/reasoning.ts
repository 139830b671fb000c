/**
 * Reasoning of earlier turns in the form in which chat surfaces take it back. Clients keep it as
 * `reasoning_details` or as a flat text (`forgecode.md`); the gateway streams it as content parts
 * (`gateway.md`, "What streams look like").
 *
 * @module
 */

import { isObject, type JsonObject } from "../json.ts";

/** A signed piece of reasoning, as Claude wrote it. */
interface Block {
  text: string;
  signature: string;
}

function isText(value: unknown): value is string {
  return typeof value === "string" && value !== "";
}

/** One block of signed text as a content part. */
function signedPart({ text, signature }: Block): JsonObject {
  return { type: "reasoning", summary: [{ type: "summary_text", text, signature }] };
}

/**
 * Details as content parts. A signature belongs to all the text since the one before it, because a stream
 * sends it alone, after the last piece. Redacted reasoning goes back as it is; what is not signed would be
 * refused, and is left out.
 *
 * @param details `reasoning_details` of a client's, or the parts themselves.
 */
export function reasoningParts(details: readonly unknown[]): JsonObject[] {
  const parts: JsonObject[] = [];
  let pieces: string[] = [];
  const take = (text: unknown, signature: unknown) => {
    if (typeof text === "string") pieces.push(text);
    if (!isText(signature)) return;
    parts.push(signedPart({ text: pieces.join(""), signature }));
    pieces = [];
  };
  for (const detail of details) {
    if (!isObject(detail)) continue;
    switch (detail.type) {
      case "redacted_thinking":
        parts.push(detail);
        break;
      case "reasoning.encrypted":
        if (isText(detail.data)) parts.push({ type: "redacted_thinking", data: detail.data });
        break;
      case "reasoning":
        for (const piece of Array.isArray(detail.summary) ? detail.summary.filter(isObject) : []) {
          if (isText(piece.data)) parts.push({ type: "reasoning", summary: [piece] });
          else take(piece.text, piece.signature);
        }
        break;
      case "thinking":
        take(detail.thinking, detail.signature);
        break;
      case "reasoning.text":
      case undefined:
        take(detail.text, detail.signature);
        break;
    }
  }
  return parts;
}

/** The text of a message's reasoning, whichever field its client keeps it in; empty where there is none. */
export function reasoningTextOf(message: JsonObject): string {
  if (isText(message.reasoning_content)) return message.reasoning_content;
  if (isText(message.reasoning)) return message.reasoning;
  if (isText(message.reasoning_text)) return message.reasoning_text;
  const details = message.reasoning_details;
  if (!Array.isArray(details)) return "";
  return details.map((detail) => isObject(detail) && isText(detail.text) ? detail.text : "").join(
    "",
  );
}
