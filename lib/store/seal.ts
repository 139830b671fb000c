/**
 * Encrypts what goes into the shared store, and names it so that nothing can be read from the names: who can
 * look into the store learns how many entries there are, how large and how old.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes } from "node:crypto";

const CIPHER = "aes-256-gcm";

/** Bytes of the nonce and of the tag, as AES-GCM wants them. */
const NONCE = 12;
const TAG = 16;

/** Bytes of a name: two that are the same by chance don't happen. */
const NAME = 20;

/**
 * Encrypts and names with two keys derived from one secret (HKDF-SHA-256). It is synchronous, because a
 * request has up to some hundred names to make, and each takes microseconds.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { Sealer } from "./seal.ts";
 *
 * const sealer = new Sealer("a secret that all bridges share");
 * const name = sealer.name("call", "ada", "call_1");
 * const sealed = sealer.seal(name, "reasoning");
 * assertEquals(sealer.open(name, sealed), "reasoning");
 * assertEquals(sealer.open(sealer.name("call", "bob", "call_1"), sealed), undefined);
 * ```
 */
export class Sealer {
  readonly #sealing: Uint8Array;
  readonly #naming: Uint8Array;

  /**
   * Derives the keys.
   *
   * @param secret What all bridges of a store share.
   */
  constructor(secret: string) {
    const derive = (use: string) =>
      new Uint8Array(hkdfSync("sha256", secret, "fd-bridge store", use, 32));
    this.#sealing = derive("values");
    this.#naming = derive("names");
  }

  /**
   * The name of an entry: a keyed hash of what it is.
   *
   * @param parts What tells it from others, such as the token's hash, the model and a call's id.
   */
  name(...parts: readonly string[]): string {
    // As JSON, so that no two lists of parts make the same text.
    return createHmac("sha256", this.#naming).update(JSON.stringify(parts)).digest()
      .subarray(0, NAME).toString("base64url");
  }

  /**
   * Encrypts a value for the entry of a name.
   *
   * @returns Base64.
   */
  seal(name: string, value: string): string {
    const nonce = randomBytes(NONCE);
    const cipher = createCipheriv(CIPHER, this.#sealing, nonce);
    cipher.setAAD(Buffer.from(name));
    const text = Buffer.concat([cipher.update(value, "utf8"), cipher.final()]);
    return Buffer.concat([nonce, cipher.getAuthTag(), text]).toString("base64");
  }

  /**
   * Decrypts the value of an entry.
   *
   * @returns Undefined where it was sealed with another secret or for another name, or was changed.
   */
  open(name: string, sealed: string): string | undefined {
    const bytes = Buffer.from(sealed, "base64");
    if (bytes.length < NONCE + TAG) return undefined;
    try {
      const decipher = createDecipheriv(CIPHER, this.#sealing, bytes.subarray(0, NONCE));
      decipher.setAAD(Buffer.from(name));
      decipher.setAuthTag(bytes.subarray(NONCE, NONCE + TAG));
      const text = Buffer.concat([decipher.update(bytes.subarray(NONCE + TAG)), decipher.final()]);
      return text.toString("utf8");
    } catch {
      return undefined;
    }
  }
}
