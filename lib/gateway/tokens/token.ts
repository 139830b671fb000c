/**
 * What a token and its source are, and how a token is read out of what a program or a server prints.
 *
 * @module
 */

import { BridgeError } from "../../errors.ts";
import { isObject, type JsonObject } from "../../json.ts";

/** A token for the gateway. */
export interface Token {
  /** The token itself, as it stands behind `Bearer`. */
  readonly value: string;
  /** When it expires, in milliseconds since 1970; undefined where nobody says. */
  readonly expiresAt: number | undefined;
}

/**
 * Where tokens come from. A plain source asks anew with every call; {@linkcode RenewingTokenSource}
 * holds a token of any of them and renews it.
 */
export interface TokenSource {
  /** What it is called in messages: `profile dev (databricks-cli)`. */
  readonly label: string;
  /** What a person does when it has no valid token: ``type `databricks auth login --profile dev` ``. */
  readonly remedy: string;
  /**
   * A token that is valid as far as the source knows.
   *
   * @throws {BridgeError} kind `unauthenticated` where a person must do something; `timeout` or
   *   `unreachable` where trying again can help. The signal's reason when it is aborted.
   */
  token(signal: AbortSignal): Promise<Token>;
  /**
   * Another token, because the gateway refused this one.
   *
   * @returns A new token, or one with the same value where there is no other.
   * @throws {BridgeError} As {@linkcode TokenSource.token}.
   */
  rejected(token: Token, signal: AbortSignal): Promise<Token>;
}

/** A token is one word of printable characters; a JWT of Entra ID's may be some kilobytes long. */
const TOKEN = /^[\x21-\x7e]{1,16384}$/;

/** What may stand behind `Bearer` (RFC 6750, 2.1), and isn't what programs print for nothing. */
const BARE = /^(?!(?:null|nil|none|undefined|true|false)$)[\w.~+/-]+=*$/i;

/** Whether a text can be a token: one word, printable, 16 KiB at most. */
export function isTokenText(text: unknown): text is string {
  return typeof text === "string" && TOKEN.test(text);
}

/**
 * Reads a token as the programs and servers in question write it: the JSON of `databricks auth token`
 * (`access_token`, `expiry`), of `az account get-access-token` (`accessToken`, `expires_on` in seconds,
 * `expiresOn` in local time), of an OAuth token endpoint (`access_token`, `expires_in` in seconds), or a
 * bare token. Without a time of its own, a JWT's `exp` tells when it expires.
 *
 * @param text What was printed.
 * @param now Milliseconds since 1970, for `expires_in`.
 * @returns The token; undefined where the text holds none.
 *
 * @example
 * ```ts
 * import { readToken } from "./token.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const printed = '{"access_token": "abc", "expiry": "2026-11-26T05:00:00.123Z"}';
 * assertEquals(readToken(printed, Date.now())?.expiresAt, Date.UTC(2026, 10, 26, 5, 0, 0, 123));
 * ```
 */
export function readToken(text: string, now: number): Token | undefined {
  const trimmed = text.replace(/^\uFEFF/, "").trim();
  if (!/^[{"]/.test(trimmed)) {
    const value = trimmed.replace(/^Bearer\s+/i, "");
    return isTokenText(value) && BARE.test(value)
      ? { value, expiresAt: jwtExpiry(value) }
      : undefined;
  }
  let parsed: unknown;
  try {
    parsed = JSON.parse(trimmed);
  } catch {
    return undefined;
  }
  if (isTokenText(parsed)) return { value: parsed, expiresAt: jwtExpiry(parsed) };
  if (!isObject(parsed)) return undefined;
  const value = parsed.access_token ?? parsed.accessToken ?? parsed.token;
  if (!isTokenText(value)) return undefined;
  return { value, expiresAt: statedExpiry(parsed, now) ?? jwtExpiry(value) };
}

function statedExpiry(fields: JsonObject, now: number): number | undefined {
  const { expires_on, expiry, expiresOn, expires_in } = fields;
  const seconds = positive(expires_in);
  return epoch(expires_on) ?? instant(expiry) ?? instant(expiresOn) ?? instant(expires_on) ??
    (seconds === undefined ? undefined : now + seconds * 1000);
}

function positive(value: unknown): number | undefined {
  const number = typeof value === "string" && value.trim() !== "" ? Number(value) : value;
  return typeof number === "number" && Number.isFinite(number) && number > 0 ? number : undefined;
}

function epoch(value: unknown): number | undefined {
  const seconds = positive(value);
  return seconds === undefined ? undefined : seconds * 1000;
}

/** An ISO time; without a zone it is local time (`expiresOn` of the Azure CLI). */
function instant(value: unknown): number | undefined {
  if (typeof value !== "string") return undefined;
  const match = /^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?\s*(Z|[+-]\d\d:?\d\d)?$/i
    .exec(value.trim());
  if (match === null) return undefined;
  const [, date, time, fraction = "0", zone = ""] = match;
  const at = Date.parse(`${date}T${time}.${fraction.padEnd(3, "0").slice(0, 3)}${zone}`);
  // Go writes the year 1 where a token has no expiry.
  return at > 0 ? at : undefined;
}

/** The `exp` of a JWT; undefined for anything else. The signature is the gateway's business. */
function jwtExpiry(value: string): number | undefined {
  const claims = /^eyJ[\w-]*\.(eyJ[\w-]*)\.[\w-]*$/.exec(value)?.[1];
  if (claims === undefined) return undefined;
  try {
    const parsed: unknown = JSON.parse(atob(claims.replace(/-/g, "+").replace(/_/g, "/")));
    return isObject(parsed) ? epoch(parsed.exp) : undefined;
  } catch {
    return undefined;
  }
}

/**
 * An error that a person must do something about.
 *
 * @param what What is wrong, without a period at its end.
 * @param remedy What to do: a source's {@linkcode TokenSource.remedy}.
 * @param cause What caused it; never shown.
 */
export function needsPerson(what: string, remedy: string, cause?: unknown): BridgeError {
  return new BridgeError("unauthenticated", `${what}: ${remedy}.`, {
    code: "token_unavailable",
    // To ask again changes nothing before somebody has logged in.
    headers: { "x-should-retry": "false" },
    cause,
  });
}

/**
 * Follows a promise for as long as a signal lasts. The promise itself goes on.
 *
 * @param promise What is waited for.
 * @param signal Ends the waiting.
 * @throws The signal's reason when it is aborted first.
 */
export async function until<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const leave = () => reject(signal.reason);
  signal.addEventListener("abort", leave, { once: true });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener("abort", leave);
  }
}

/** Waits, or rejects with the signal's reason. */
export type Sleep = (time: number, signal: AbortSignal) => Promise<void>;

/** A {@linkcode Sleep} by a timer. */
export async function sleep(time: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, time);
  try {
    await until(promise, signal);
  } finally {
    clearTimeout(timer);
  }
}
