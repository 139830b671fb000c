/**
 * A hash that tells texts apart without keeping them. It is no cryptography: nobody gains anything by
 * two texts of theirs that collide.
 *
 * @module
 */

/** What mixes a lane: the two multipliers of MurmurHash3's finish. */
const MIX = [0x85ebca6b, 0xc2b2ae35];

/**
 * 64 bits of a text, as 16 hexadecimal digits: two lanes of 32 bits, because a JavaScript number has no
 * 64, and a BigInt is too slow for a conversation of half a megabyte.
 *
 * @example
 * ```ts
 * import { hash64 } from "./hash.ts";
 *
 * if (hash64("call_a") === hash64("call_b") || hash64("x").length !== 16) throw new Error("told apart");
 * ```
 */
export function hash64(text: string): string {
  let low = 0x9e3779b9 ^ text.length;
  let high = 0x243f6a88;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    low = Math.imul(low ^ code, 0x01000193);
    high = Math.imul((high << 5 | high >>> 27) ^ code, 0x9e3779b1);
  }
  for (const factor of MIX) {
    low = Math.imul(low ^ (low >>> 15) ^ high, factor);
    high = Math.imul(high ^ (high >>> 13) ^ low, factor);
  }
  return [low ^ (low >>> 16), high ^ (high >>> 16)]
    .map((lane) => (lane >>> 0).toString(16).padStart(8, "0")).join("");
}
