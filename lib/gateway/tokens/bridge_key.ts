/**
 * The bridge's own key: who holds it may use the bridge's token. Without one, every process and every
 * user of the machine could. It never goes to the gateway.
 *
 * @module
 */

import { configFolder, joinPath, type Place, type ReadText } from "../../config/locate.ts";
import { BridgeError } from "../../errors.ts";
import type { Files } from "../../system/system.ts";

/** What a key begins with. */
const PREFIX = "fdb-";

/** A key: 32 random bytes as base64url. */
const KEY = /^fdb-[A-Za-z0-9_-]{43}$/;

/** Headers in which clients send an API key: OpenAI's, Anthropic's, Google's, and the bridge's own. */
const KEY_HEADERS = ["x-fd-bridge-key", "x-api-key", "x-goog-api-key"];

/** For how long a running bridge trusts what it has read of the file, in milliseconds. */
const REREAD = 1_000;

/** How often a file that another bridge is just writing is looked at, and how long between two looks. */
const LOOKS = 50;
/** The code of the error about a file that may be half written. */
const UNFINISHED = "unfinished_key";
const LOOK_WAIT = 20;

/** What the key needs of the machine. */
export interface KeyMachine extends Place {
  /** Reads a file. */
  readonly readText: ReadText;
  /** Files that are written. */
  readonly files: Files;
}

/** A new key. */
function newKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(32));
  const text = btoa(String.fromCharCode(...bytes));
  return PREFIX + text.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/**
 * Where the key is kept: `bridge-key` in the configuration folder.
 *
 * @throws {BridgeError} kind `config`, where the environment names no such folder.
 */
export function keyPath(place: Place): string {
  const folder = configFolder(place);
  if (folder !== undefined) return joinPath(folder, "bridge-key");
  const name = place.os === "windows" ? "APPDATA" : "HOME";
  throw new BridgeError(
    "config",
    `${name} is not set, so there is no folder to keep the bridge's key in: set it, or give a key of your own with --client-key.`,
  );
}

/**
 * The key in a file; undefined where there is none.
 *
 * @throws {BridgeError} kind `config`, where the file can't be read or holds something else.
 */
async function readKey(path: string, readText: ReadText): Promise<string | undefined> {
  let text: string | undefined;
  try {
    text = await readText(path);
  } catch (cause) {
    throw new BridgeError("config", `${path} (the bridge's key) can't be read${why(cause)}.`, {
      cause,
    });
  }
  const key = text?.trim();
  if (key === undefined || KEY.test(key)) return key;
  throw new BridgeError(
    "config",
    `${path} holds no key of the bridge's: \`fd-bridge key --rotate\` makes a new one.`,
    // A file that is just being made is empty, or holds the beginning of a key.
    { code: /^(?:fdb-[\w-]*)?$/.test(key) ? UNFINISHED : null },
  );
}

function why(cause: unknown): string {
  if (!(cause instanceof Error)) return "";
  if (cause.name === "PermissionDenied") return ", the system doesn't permit it";
  return `: ${cause.message.replace(/ \(os error.*|: (open|readfile|writefile|rename).*/s, "")}`;
}

/**
 * The key in the configuration folder, made where there is none. Two bridges that start at once agree on
 * one: a file is made only where there is none, and who comes second waits until it is written.
 *
 * @param machine The machine.
 * @throws {BridgeError} kind `config`, where it can't be read or made.
 */
export async function loadBridgeKey(machine: KeyMachine): Promise<string> {
  const path = keyPath(machine);
  const { files, readText } = machine;
  for (let look = 0;; look++) {
    try {
      const key = await readKey(path, readText);
      if (key !== undefined) {
        await tighten(path, key, machine);
        return key;
      }
    } catch (error) {
      // Another bridge may be in the middle of writing it.
      if (look === LOOKS || (error as BridgeError).code !== UNFINISHED) throw error;
      await new Promise((resolve) => setTimeout(resolve, LOOK_WAIT));
      continue;
    }
    const made = newKey();
    try {
      await files.makeFolder(path.replace(/[/\\][^/\\]*$/, ""));
      await files.create(path, `${made}\n`, 0o600);
      return made;
    } catch (cause) {
      if (cause instanceof Error && cause.name === "AlreadyExists" && look < LOOKS) continue;
      throw notWritten(path, cause);
    }
  }
}

/**
 * Puts another key in the place of the one that is there, readable by its owner only. Bridges that run
 * take the new one within a second, and refuse the old one from then on.
 *
 * @param machine The machine.
 * @returns The new key.
 * @throws {BridgeError} kind `config`, where it can't be written.
 */
export async function rotateBridgeKey(machine: KeyMachine): Promise<string> {
  const path = keyPath(machine);
  const key = newKey();
  try {
    await machine.files.makeFolder(path.replace(/[/\\][^/\\]*$/, ""));
    await replace(path, key, machine);
  } catch (cause) {
    throw notWritten(path, cause);
  }
  return key;
}

/** Writes a key beside its place and moves it there: nobody reads half of one, and only the owner reads it. */
async function replace(path: string, key: string, { files }: KeyMachine): Promise<void> {
  const temporary = `${path}.${crypto.randomUUID().slice(0, 8)}.tmp`;
  try {
    await files.create(temporary, `${key}\n`, 0o600);
    await files.rename(temporary, path);
  } catch (cause) {
    await files.remove(temporary).catch(() => {});
    throw cause;
  }
}

/** Takes the key's file away from everybody else, where a copy or an editor has opened it. */
async function tighten(path: string, key: string, machine: KeyMachine): Promise<void> {
  if (machine.os === "windows") return;
  const mode = await machine.files.mode(path).catch(() => undefined);
  // A file that can't be replaced is somebody's decision, such as a mounted secret.
  if (mode !== undefined && (mode & 0o077) !== 0) await replace(path, key, machine).catch(() => {});
}

function notWritten(path: string, cause: unknown): BridgeError {
  return new BridgeError(
    "config",
    `${path} (the bridge's key) can't be written${
      why(cause)
    }: make the folder writable, or give a key of your own with --client-key.`,
    { cause },
  );
}

async function digest(text: string): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
}

/** Compares digests: how long that takes tells nothing about the key. */
function sameDigest(a: Uint8Array, b: Uint8Array): boolean {
  let different = a.length ^ b.length;
  for (let at = 0; at < b.length; at++) different |= a[at] ^ b[at];
  return different === 0;
}

/** What a client sends as its key, in any of the headers. */
function sentKeys(headers: Headers): string[] {
  const bearer = /^Bearer\s+(\S+)$/i.exec(headers.get("authorization")?.trim() ?? "")?.[1];
  return [bearer, ...KEY_HEADERS.map((name) => headers.get(name)?.trim())]
    .filter((key) => key !== undefined && key !== "") as string[];
}

async function sendsKey(headers: Headers, key: string): Promise<boolean> {
  const right = await digest(key);
  let found = false;
  for (const sent of sentKeys(headers)) found = sameDigest(await digest(sent), right) || found;
  return found;
}

/**
 * Refuses a request that doesn't send the key: as `Authorization: Bearer <key>`, `x-api-key`,
 * `x-goog-api-key` or `X-FD-Bridge-Key`. The query is not looked at, because addresses are logged.
 *
 * @param headers The request's headers.
 * @param key The key.
 * @throws {BridgeError} kind `unauthenticated`, saying where the key is found.
 *
 * @example
 * ```ts
 * import { checkBridgeKey } from "./bridge_key.ts";
 *
 * await checkBridgeKey(new Headers({ authorization: "Bearer fdb-example" }), "fdb-example");
 * ```
 */
export async function checkBridgeKey(headers: Headers, key: string): Promise<void> {
  if (!await sendsKey(headers, key)) throw refused(headers);
}

function refused(headers: Headers): BridgeError {
  const what = sentKeys(headers).length === 0
    ? "The request has no key of the bridge's"
    : "The key of the request is not the bridge's";
  return new BridgeError(
    "unauthenticated",
    `${what}: the bridge sends its own Databricks token, and asks its clients for its key instead. \`fd-bridge key\` prints it; it is the API key of \`forge provider login openai_compatible\`.`,
    { code: "bridge_key", headers: { "www-authenticate": "Bearer" } },
  );
}

/** The key of a running bridge, which follows its file. */
export class BridgeKey {
  #value: string;
  readonly #read: (() => Promise<string | undefined>) | undefined;
  readonly #now: () => number;
  #readAt: number;
  #reading: Promise<void> | undefined;

  /**
   * A key that is followed, or one that stays.
   *
   * @param value The key.
   * @param read Reads it again; without, it stays as it is (`--client-key`).
   * @param now Milliseconds since 1970.
   */
  constructor(
    value: string,
    read?: () => Promise<string | undefined>,
    now: () => number = Date.now,
  ) {
    this.#value = value;
    this.#read = read;
    this.#now = now;
    this.#readAt = now();
  }

  /**
   * The key in the configuration folder, made where there is none.
   *
   * @throws {BridgeError} kind `config`, as {@linkcode loadBridgeKey}.
   */
  static async open(machine: KeyMachine): Promise<BridgeKey> {
    const path = keyPath(machine);
    return new BridgeKey(await loadBridgeKey(machine), () => readKey(path, machine.readText));
  }

  /** The key, for the banner and as a secret that is never logged. */
  get value(): string {
    return this.#value;
  }

  /**
   * Refuses a request that doesn't send the key. After `fd-bridge key --rotate` the new key holds at once,
   * and the old one for a second at most.
   *
   * @throws {BridgeError} As {@linkcode checkBridgeKey}.
   */
  async check(headers: Headers): Promise<void> {
    const age = this.#now() - this.#readAt;
    if (age < 0 || age >= REREAD) await this.#reread();
    if (await sendsKey(headers, this.#value)) return;
    if (sentKeys(headers).some((key) => KEY.test(key))) {
      await this.#reread();
      if (await sendsKey(headers, this.#value)) return;
    }
    throw refused(headers);
  }

  /** Reads the file again. What can't be read doesn't take the key away. */
  #reread(): Promise<void> {
    return this.#reading ??= (async () => {
      try {
        this.#value = await this.#read?.() ?? this.#value;
      } catch {
        // A file that is gone or broken for a moment.
      }
      this.#readAt = this.#now();
    })().finally(() => this.#reading = undefined);
  }
}
