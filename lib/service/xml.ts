/**
 * Text inside XML.
 *
 * @module
 */

/** Character → its entity. */
const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
};

/**
 * Escapes what XML reads as its own.
 *
 * @example
 * ```ts
 * import { escapeXml } from "./xml.ts";
 *
 * if (escapeXml("a<b & c") !== "a&lt;b &amp; c") throw new Error("escaped");
 * ```
 */
export function escapeXml(text: string): string {
  return text.replace(/[&<>"]/g, (character) => ENTITIES[character]);
}

/**
 * Escapes everything beyond ASCII, too, for readers that disagree about a file's encoding.
 *
 * @example
 * ```ts
 * import { escapeToAscii } from "./xml.ts";
 *
 * if (escapeToAscii("Zoë") !== "Zo&#235;") throw new Error("ASCII");
 * ```
 */
export function escapeToAscii(text: string): string {
  return escapeXml(text).replace(/[^\x20-\x7e]/gu, (character) => `&#${character.codePointAt(0)};`);
}
