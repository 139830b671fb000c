/**
 * Makes a request acceptable to a surface before anything was refused. Pure: the client's body is never
 * changed, because another attempt may need it.
 *
 * @module
 */

import type { DialectName, EncodedRequest, Target } from "../dialects/dialect.ts";
import type { JsonObject } from "../json.ts";
import { bareName, type Family, familyOf, outputCap } from "../models/families.ts";
import { withoutField } from "./paths.ts";
import { SANITIZE_RULES, type SanitizeRule } from "./sanitize_rules.ts";

/** What decides which rows apply to a request. */
interface Place {
  readonly dialect: DialectName;
  /** The first segment of the surface's path: `mlflow`, `cursor`, `openai`, … */
  readonly surface: string;
  readonly family: Family;
  /** The model's bare name. */
  readonly model: string;
  readonly stream: boolean;
}

function placeFor(dialect: DialectName, { path, model, stream }: Target): Place {
  const surface = path.split("/")[1] ?? "";
  return { dialect, surface, family: familyOf(model), model: bareName(model), stream };
}

const CHAT: readonly DialectName[] = ["chat"];

function applies(rule: SanitizeRule, place: Place): boolean {
  return (rule.dialects ?? CHAT).includes(place.dialect) &&
    (rule.surfaces === undefined || rule.surfaces.includes(place.surface)) &&
    (rule.families === undefined || rule.families.includes(place.family)) &&
    (rule.models === undefined || rule.models.name.test(place.model)) &&
    (rule.stream === undefined || rule.stream === place.stream);
}

/** The rows, each with the first name of its field: without it in the body, the row changes nothing. */
const RULES = SANITIZE_RULES.map((rule) => ({ rule, first: rule.field.split(/[.[]/, 1)[0] }));

/** Applies one row; the same body where it changes nothing. */
function applyRule(rule: SanitizeRule, body: JsonObject): JsonObject {
  if (rule.change) return rule.change.apply(body);
  const rest = withoutField(body, rule.field);
  return rest !== body && rule.becomes && !Object.hasOwn(body, rule.becomes)
    ? { ...rest, [rule.becomes]: body[rule.field] }
    : rest;
}

function described({ field, becomes, change }: SanitizeRule): string {
  return becomes ? `${field} → ${becomes}` : change ? `${field} ${change.does}` : field;
}

/**
 * Makes a request acceptable to a surface: applies {@linkcode SANITIZE_RULES} and keeps the maximum of
 * output tokens under the model's known cap. Everything else, unknown fields too, passes untouched.
 *
 * @param body The request in the surface's dialect; it is not changed.
 * @param target Where it goes.
 * @param dialect The surface's dialect.
 * @returns The body, which shares what was not touched, and what was changed, once each, for the log.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { sanitize } from "./sanitize.ts";
 *
 * const { body, dropped } = sanitize(
 *   { model: "m", messages: [], parallel_tool_calls: true, top_k: 3 },
 *   { path: "/mlflow/v1/chat/completions", model: "m", stream: true },
 * );
 * assertEquals(body, { model: "m", messages: [], top_k: 3 });
 * assertEquals(dropped, ["parallel_tool_calls"]);
 * ```
 */
export function sanitize(
  body: JsonObject,
  target: Target,
  dialect: DialectName = "chat",
): EncodedRequest {
  const dropped: string[] = [];
  const place = placeFor(dialect, target);
  let clean = body;
  for (const { rule, first } of RULES) {
    if (!Object.hasOwn(clean, first) || !applies(rule, place)) continue;
    const next = applyRule(rule, clean);
    if (next === clean) continue;
    clean = next;
    dropped.push(described(rule));
  }
  const cap = outputCap(target.model);
  for (const field of ["max_tokens", "max_completion_tokens", "max_output_tokens"]) {
    const asked = clean[field];
    if (cap !== undefined && typeof asked === "number" && asked > cap) {
      clean = { ...clean, [field]: cap };
      dropped.push(`${field} ${asked} → ${cap}`);
    }
  }
  return { body: clean, dropped };
}
