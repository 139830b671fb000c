/**
 * Reasoning of models that don't speak the Responses API, in the `encrypted_content` that its clients keep
 * and send back: signed thinking, and the signatures of calls. The bridge keeps nothing for it, and a
 * restart loses nothing. It is no secret: the client has seen the text, and a signature is useless elsewhere.
 *
 * @module
 */

import { isObject, type JsonObject } from "../json.ts";

/** How the bridge's own content begins; OpenAI's is Fernet, `gAAAA…`. */
const TAG = "fdb1.";

/** The longest content that is read back, in characters: 4 Mi. */
const MAX_LENGTH = 4 * 2 ** 20;

/** What one reasoning item carries to the next turn. */
export interface Continuity {
  /** The model that it came from, as the client asked for it. */
  readonly model: string;
  /** `reasoning_details` of the assistant's message. */
  readonly details?: readonly JsonObject[];
  /** Plain reasoning, of models that take `reasoning_content` back. */
  readonly reasoning?: string;
  /** Call id → fields of the call that only the gateway knows, such as Gemini's `thoughtSignature`. */
  readonly calls?: Readonly<Record<string, JsonObject>>;
}

/** Whether an encrypted content is the bridge's own. */
export function isOwnContent(content: unknown): boolean {
  return typeof content === "string" && content.startsWith(TAG);
}

/** Writes the content. */
export function encodeContinuity(continuity: Continuity): string {
  return TAG + new TextEncoder().encode(JSON.stringify(continuity)).toBase64({
    alphabet: "base64url",
    omitPadding: true,
  });
}

/** Reads the content; undefined where it is another's, or damaged. */
export function decodeContinuity(content: unknown): Continuity | undefined {
  if (typeof content !== "string" || !isOwnContent(content) || content.length > MAX_LENGTH) {
    return undefined;
  }
  try {
    const bytes = Uint8Array.fromBase64(content.slice(TAG.length), { alphabet: "base64url" });
    const value: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
    if (!isObject(value) || typeof value.model !== "string") return undefined;
    const { model, details, reasoning, calls } = value;
    return {
      model,
      ...(Array.isArray(details) ? { details: details.filter(isObject) } : {}),
      ...(typeof reasoning === "string" ? { reasoning } : {}),
      ...(isObject(calls)
        ? {
          calls: Object.fromEntries(
            Object.entries(calls).filter((entry): entry is [string, JsonObject] =>
              isObject(entry[1])
            ),
          ),
        }
        : {}),
    };
  } catch {
    return undefined;
  }
}
