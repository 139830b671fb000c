/**
 * The table of `lib/adapt/sanitize_rules.ts` as Markdown, for `docs/adjustments.md`.
 *
 * @module
 */

import type { DialectName } from "../../lib/dialects/dialect.ts";
import { SANITIZE_RULES, type SanitizeRule } from "../../lib/adapt/sanitize_rules.ts";
import { OUTPUT_CAPS } from "../../lib/models/families.ts";

/** Dialect → what its surfaces are called in the documentation. */
const DIALECT_NAMES: Readonly<Record<DialectName, string>> = {
  chat: "chat",
  responses: "Responses",
  messages: "Messages",
  gemini: "Gemini",
};

/** Where a row applies, in words. */
function placeOf({ dialects, surfaces, families, models, stream }: SanitizeRule): string {
  const names = (dialects ?? ["chat"]).map((dialect) => DIALECT_NAMES[dialect]);
  return [
    surfaces ? surfaces.join(", ") : names.join(", "),
    models?.label ?? families?.join(", "),
    stream === undefined ? undefined : stream ? "streams" : "without stream",
  ].filter((word) => word !== undefined).join("; ");
}

/**
 * The table as Markdown, for `docs/adjustments.md`: what is changed of every request before anything was
 * refused.
 */
export function sanitizeTable(): string {
  const rows = SANITIZE_RULES.map((rule) => [
    `\`${rule.field}\``,
    rule.becomes ? `becomes \`${rule.becomes}\`` : rule.change?.does ?? "goes",
    placeOf(rule),
    rule.why,
  ]);
  const caps = OUTPUT_CAPS.map(({ name, tokens }) => [
    "`max_tokens`",
    `is at most ${tokens.toLocaleString("en-US")}`,
    name.source.replace(/[\^()?:]/g, "").replaceAll("|", ", "),
    "more is refused",
  ]);
  return [
    ["field", "what becomes of it", "where", "why"],
    ["---", "---", "---", "---"],
    ...rows,
    ...caps,
  ]
    .map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}
