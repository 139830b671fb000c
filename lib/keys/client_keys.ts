/**
 * The file of client keys: who may use the bridge, with which models, and how much.
 *
 * @module
 */

import { applyEdits, modify } from "jsonc-parser";
import { createHash, randomBytes } from "node:crypto";
import { BridgeError } from "../errors.ts";
import { isObject } from "../json.ts";
import { placeOf, readJsonc } from "../models/jsonc.ts";

/** A client that may use the bridge. The key itself is nowhere. */
export interface ClientKey {
  /** Whose it is: `ada`. */
  readonly name: string;
  /** The hash of the key, see {@linkcode hashOfKey}. */
  readonly hash: string;
  /** Patterns of the models that it may ask, `*` for any letters. @default all of them */
  readonly models?: readonly string[];
  /** Requests in a minute. @default as many as it likes */
  readonly requestsPerMinute?: number;
  /** Tokens in a day, of prompts and answers. @default as many as it likes */
  readonly tokensPerDay?: number;
  /** Dollars in a day. @default as many as it likes */
  readonly dollarsPerDay?: number;
  /** Whether it may see what others do: the page, `/metrics`, everybody's usage. @default {false} */
  readonly admin?: boolean;
}

/** What a key begins with, so that people and scanners of secrets know it. */
const PREFIX = "fdk-";

/** Names: short, and without what would be confusing in a log or in front of a client's name. */
const NAME = /^[\w.@-]{1,64}$/;

const HASH = /^[0-9a-f]{64}$/;

/** Limit → its field in the file. */
const LIMITS = {
  requestsPerMinute: "requests_per_minute",
  tokensPerDay: "tokens_per_day",
  dollarsPerDay: "dollars_per_day",
} as const;

const FIELDS = new Set(["name", "hash", "models", "admin", ...Object.values(LIMITS)]);

/**
 * The hash of a key, as the file has it. SHA-256 is enough: a key has 256 random bits, which nobody guesses,
 * however fast the hash is. A slow hash is for passwords that people make up.
 */
export function hashOfKey(key: string): string {
  return createHash("sha256").update(key).digest("hex");
}

/** A new key: 256 random bits. */
export function makeKey(): string {
  return PREFIX + randomBytes(32).toString("base64url");
}

/**
 * Reads the file.
 *
 * @param text JSON, which may have comments: `{"keys": [{"name": "ada", "hash": "…"}]}`.
 * @param source The file, for errors.
 * @throws {BridgeError} kind `config`, with the line and the column.
 */
export function parseClientKeys(text: string, source: string): ClientKey[] {
  const { value, error } = readJsonc(text);
  if (error) {
    throw new BridgeError("config", `${source}:${error.line}:${error.column}: ${error.reason}.`);
  }
  const wrong = (path: string, what: string) => {
    const { line, column } = placeOf(text, path);
    return new BridgeError("config", `${source}:${line}:${column}: ${what}`);
  };
  if (!isObject(value) || !Array.isArray(value.keys)) {
    throw wrong("", 'expected an object with a list "keys"; `fd-bridge key add NAME` writes one.');
  }
  const names = new Set<string>();
  const hashes = new Set<string>();
  return value.keys.map((entry: unknown, at): ClientKey => {
    const path = `keys[${at}]`;
    if (!isObject(entry)) throw wrong(path, "expected an object with a name and a hash.");
    const { name, hash, models, admin } = entry;
    if (typeof name !== "string" || !NAME.test(name)) {
      throw wrong(`${path}.name`, "expected a name of letters, digits and . _ - @, at most 64.");
    }
    if (names.has(name)) throw wrong(`${path}.name`, `there are two keys named ${name}.`);
    names.add(name);
    if (typeof hash !== "string" || !HASH.test(hash)) {
      throw wrong(`${path}.hash`, "expected a SHA-256 hash, as `fd-bridge key add NAME` makes it.");
    }
    if (hashes.has(hash)) throw wrong(`${path}.hash`, `${name} has the key of another entry.`);
    hashes.add(hash);
    if (models !== undefined && !isPatterns(models)) {
      throw wrong(`${path}.models`, 'expected a list of models, such as ["databricks-claude-*"].');
    }
    if (admin !== undefined && typeof admin !== "boolean") {
      throw wrong(`${path}.admin`, "expected true or false.");
    }
    for (const field of Object.keys(entry)) {
      if (!FIELDS.has(field)) {
        throw wrong(`${path}.${field}`, `there is no field "${field}": ${[...FIELDS].join(", ")}.`);
      }
    }
    const limits = Object.entries(LIMITS).flatMap(([limit, field]) => {
      const most = entry[field];
      if (most === undefined) return [];
      if (typeof most === "number" && most >= 0 && Number.isFinite(most)) return [[limit, most]];
      throw wrong(`${path}.${field}`, "expected a number from 0 on.");
    });
    return { name, hash, models, admin, ...Object.fromEntries(limits) } as ClientKey;
  });
}

function isPatterns(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((one) => typeof one === "string" && one !== "");
}

/**
 * Whether a key may ask a model.
 *
 * @param key The key.
 * @param model The model, as the client asks for it.
 */
export function mayAsk({ models }: ClientKey, model: string): boolean {
  return models === undefined || models.some((pattern) => fits(pattern, model));
}

/** Whether a text fits a pattern; in time that grows with their lengths, whoever wrote them. */
function fits(pattern: string, text: string): boolean {
  const [first, ...rest] = pattern.toLowerCase().split("*");
  const lower = text.toLowerCase();
  if (rest.length === 0) return lower === first;
  if (!lower.startsWith(first)) return false;
  const last = rest.pop()!;
  let at = first.length;
  for (const part of rest) {
    const found = lower.indexOf(part, at);
    if (found === -1) return false;
    at = found + part.length;
  }
  return lower.length - last.length >= at && lower.endsWith(last);
}

const FORMAT = { formattingOptions: { insertSpaces: true, tabSize: 2 } };

/**
 * The text of the file with a key more, comments and layout kept.
 *
 * @param text The file's text; empty where there is none yet.
 * @param key The key.
 */
export function withClientKey(text: string, key: ClientKey): string {
  const { name, hash, models, admin } = key;
  const limits = Object.entries(LIMITS)
    .map(([limit, field]) => [field, key[limit as keyof typeof LIMITS]])
    .filter(([, most]) => most !== undefined);
  const entry = {
    name,
    hash,
    ...models && { models },
    ...Object.fromEntries(limits),
    ...admin && { admin },
  };
  const before = text.trim() === "" ? '{\n  "keys": []\n}\n' : text;
  const at = { ...FORMAT, isArrayInsertion: true };
  return applyEdits(before, modify(before, ["keys", -1], entry, at));
}

/**
 * The text of the file without a key.
 *
 * @param text The file's text.
 * @param at Which one, from 0.
 */
export function withoutClientKey(text: string, at: number): string {
  return applyEdits(text, modify(text, ["keys", at], undefined, FORMAT));
}
