/**
 * The client keys in force: they follow their file while the bridge runs.
 *
 * @module
 */

import { shownCredentials } from "../access.ts";
import { BridgeError } from "../errors.ts";
import { type ClientKey, hashOfKey, parseClientKeys } from "./client_keys.ts";

/** How a {@linkcode KeyRing} is made. */
export interface KeyRingOptions {
  /** The file. */
  readonly path: string;
  /** Reads it; undefined where it isn't there. */
  readonly read: (path: string) => Promise<string | undefined>;
  /** Reports that other keys are in force, or why the old ones stay. */
  readonly tell: (message: string, well: boolean) => void;
}

/** The client keys in force. */
export class KeyRing {
  readonly #options: KeyRingOptions;
  #text: string | undefined;
  #keys: ReadonlyMap<string, ClientKey> = new Map();

  private constructor(options: KeyRingOptions) {
    this.#options = options;
  }

  /**
   * Reads the keys.
   *
   * @throws {BridgeError} kind `config`, where the file can't be read or is broken.
   */
  static async open(options: KeyRingOptions): Promise<KeyRing> {
    const ring = new KeyRing(options);
    await ring.#load();
    return ring;
  }

  /** The keys. */
  get keys(): readonly ClientKey[] {
    return [...this.#keys.values()];
  }

  /**
   * The client that a request is from.
   *
   * @param headers The request's headers.
   * @throws {BridgeError} kind `unauthenticated`, where it shows no key or an unknown one.
   */
  check(headers: Headers): ClientKey {
    const { key } = shownCredentials(headers);
    const found = this.find(key);
    if (found) return found;
    throw new BridgeError(
      "unauthenticated",
      `${
        key === ""
          ? "The request has no client key"
          : "The client key of the request is not known, or was taken away"
      }: send yours as "X-FD-Bridge-Key: <key>", or before your token: "Authorization: Bearer <key>:<token>". Who runs the bridge makes keys with \`fd-bridge key add NAME\`.`,
      { code: "client_key", headers: { "www-authenticate": "Bearer" } },
    );
  }

  /** The client whose key it is. The time that it takes tells about hashes only, and these can't be chosen. */
  find(key: string): ClientKey | undefined {
    return key === "" ? undefined : this.#keys.get(hashOfKey(key));
  }

  /**
   * Looks for changes.
   *
   * @param interval Between two looks, in milliseconds.
   * @returns Stops it.
   */
  watch(interval: number): () => void {
    let told = "";
    let isLooking = false;
    const timer = setInterval(async () => {
      if (isLooking) return;
      isLooking = true;
      try {
        if (await this.#load()) {
          this.#options.tell(`client keys: ${this.#keys.size} are in force now`, true);
        }
        told = "";
      } catch (cause) {
        const why = cause instanceof Error ? cause.message : String(cause);
        if (why !== told) {
          this.#options.tell(`client keys: the old ones stay, because ${why}`, false);
        }
        told = why;
      } finally {
        isLooking = false;
      }
    }, interval);
    Deno.unrefTimer(timer);
    return () => clearInterval(timer);
  }

  /** Reads the file; whether other keys are in force. */
  async #load(): Promise<boolean> {
    const { path, read } = this.#options;
    const text = await read(path);
    if (text === undefined) {
      throw new BridgeError(
        "config",
        `${path} is not there: make it with \`fd-bridge key add NAME --client-keys ${path}\`.`,
      );
    }
    if (text === this.#text) return false;
    const keys = parseClientKeys(text, path);
    this.#keys = new Map(keys.map((key) => [key.hash, key]));
    this.#text = text;
    return true;
  }
}
