/**
 * Fields whose type a strict client checks: ForgeCode drops a chunk with a field of the wrong type, so
 * such a field is left out. Everything else that the bridge doesn't know passes untouched.
 *
 * @module
 */

import { isObject, type JsonObject } from "../json.ts";

type Fits = (value: unknown) => boolean;

const isText: Fits = (value) => typeof value === "string";

/** Whether a value is what Azure sends as `prompt_filter_results`, and ForgeCode parses. */
const isFilterResults: Fits = (value) =>
  Array.isArray(value) &&
  value.every((result) =>
    isObject(result) && Number.isInteger(result.prompt_index) &&
    isObject(result.content_filter_results) &&
    ["hate", "self_harm", "sexual", "violence"].every((name) => {
      const verdict = (result.content_filter_results as JsonObject)[name];
      return verdict === undefined || verdict === null ||
        (isObject(verdict) && typeof verdict.filtered === "boolean" && isText(verdict.severity));
    })
  );

/** Whether a value is what Google's endpoints send as `extra_content`. */
const isExtraContent: Fits = (value) => {
  if (!isObject(value)) return false;
  const { google } = value;
  if (google === undefined || google === null) return true;
  const signature = isObject(google) ? google.thought_signature : 0;
  return signature === undefined || signature === null || isText(signature);
};

/** Field → what it must be, in a chunk, a delta or a tool call. Seen in ForgeCode's source. */
const FIELDS: Readonly<Record<string, Fits>> = {
  provider: isText,
  system_fingerprint: isText,
  prompt_filter_results: isFilterResults,
  reasoning_text: isText,
  reasoning_opaque: isText,
  extra_content: isExtraContent,
};

/**
 * Whether a field may pass: it is null or missing, or of the type that strict clients expect, or one
 * that they don't check.
 *
 * @example
 * ```ts
 * import { fitsField } from "./fields.ts";
 *
 * if (fitsField("system_fingerprint", 7)) throw new Error("a number is none");
 * if (!fitsField("anything", 7)) throw new Error("unknown fields pass");
 * ```
 */
export function fitsField(name: string, value: unknown): boolean {
  const fits = FIELDS[name];
  return fits === undefined || !Object.hasOwn(FIELDS, name) || value === null ||
    value === undefined || fits(value);
}

/** Fields of a reasoning detail → what they must be. */
const DETAIL_FIELDS: Readonly<Record<string, Fits>> = {
  text: isText,
  signature: isText,
  data: isText,
  id: isText,
  format: isText,
  index: (value) => Number.isInteger(value),
};

/**
 * `reasoning_details` as strict clients read them: an array of objects with a `type`, and of their known
 * fields only those of the right type.
 *
 * @example
 * ```ts
 * import { normalizeDetails } from "./fields.ts";
 *
 * const details = normalizeDetails([{ type: "reasoning.text", text: "so", index: 0.5 }, "odd"]);
 * if (details.length !== 1 || "index" in details[0]) throw new Error("only what fits");
 * ```
 */
export function normalizeDetails(value: unknown): JsonObject[] {
  if (!Array.isArray(value)) return [];
  return value.filter((detail): detail is JsonObject => isObject(detail) && isText(detail.type))
    .map((detail) => {
      const entries = Object.entries(detail).filter(([name, field]) =>
        field === null || !Object.hasOwn(DETAIL_FIELDS, name) || DETAIL_FIELDS[name](field)
      ).map(([name, field]) => [name, isText(field) ? (field as string).toWellFormed() : field]);
      return Object.fromEntries(entries);
    });
}

/**
 * Joins characters that were cut in two, one half a chunk: the first half waits for the other. JSON can
 * carry a lone half, but strict parsers refuse it; one that nothing completes becomes U+FFFD.
 *
 * @returns A function that takes the pieces of one text and gives what may go out.
 *
 * @example
 * ```ts
 * import { wholeCharacters } from "./fields.ts";
 *
 * const join = wholeCharacters();
 * const [first, second] = ["\ud83d", "\ude80"].map(join);
 * if (first !== "" || second !== "🚀") throw new Error("together");
 * ```
 */
export function wholeCharacters(): (text: string) => string {
  let half = "";
  return (text) => {
    if (half === "" && text.isWellFormed()) return text;
    let joined = half + text;
    const last = joined.charCodeAt(joined.length - 1);
    half = last >= 0xd800 && last <= 0xdbff ? joined.slice(-1) : "";
    if (half !== "") joined = joined.slice(0, -1);
    return joined.toWellFormed();
  };
}
