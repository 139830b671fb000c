/**
 * Cuts texts into the pieces that a model sends.
 *
 * @module
 */

/**
 * Cuts a text into groups of words; together they are the text again.
 *
 * @param text Any text.
 * @param count How many words a group has.
 * @returns The groups, each with the space that follows it.
 *
 * @example
 * ```ts
 * import { groups } from "./text.ts";
 *
 * if (groups("a b c", 2).join("|") !== "a b |c") throw new Error("unexpected");
 * ```
 */
export function groups(text: string, count: number): string[] {
  const words = text.match(/\S*\s*/g)?.filter((word) => word !== "") ?? [];
  const found: string[] = [];
  for (let at = 0; at < words.length; at += count) found.push(words.slice(at, at + count).join(""));
  return found;
}

/**
 * Cuts arguments into fragments of eight characters or so, between code points.
 *
 * @param text The arguments' JSON.
 * @returns The fragments; together they are the text again.
 *
 * @example
 * ```ts
 * import { fragments } from "./text.ts";
 *
 * if (fragments('{"city":"Berlin"}').join("") !== '{"city":"Berlin"}') throw new Error();
 * ```
 */
export function fragments(text: string): string[] {
  return text.match(/.{1,8}/gsu) ?? [];
}
