/**
 * What is asked again, and when. Only what came before the first byte of an answer gets here.
 *
 * @module
 */

import { BridgeError } from "../errors.ts";
import { gatewayError } from "./errors.ts";

/** A refusal of the gateway's that was read. */
export interface Refusal {
  /** Its status. */
  readonly status: number;
  /** Its headers. */
  readonly headers: Headers;
  /** Its body, cut at 1 MiB. */
  readonly text: string;
}

/** Statuses after which asking again may help (`gateway.md`): a rate limit, and faults of the gateway. */
const STATUSES = new Set([429, 502, 503, 504]);

/** Refusals by policy, with any status: repeating the request changes nothing, or costs money. */
const PERMANENT =
  /rate limit of 0|budget|quota|policy|not enabled|spend|credit|billing|permission|per[ _-]?day/i;

/** The first backoff in milliseconds; it doubles with each retry, and half of it is jitter. */
const BACKOFF = 500;

/**
 * Why asking again may help. A timeout has cost its time already, and a redirect or a certificate that
 * isn't trusted stays as it is.
 *
 * @param failure A refusal, or what the request failed with.
 * @returns The reason in words for the log, or undefined where nothing is to be asked again.
 *
 * @example
 * ```ts
 * import { retryReason } from "./retries.ts";
 *
 * const refusal = { status: 503, headers: new Headers(), text: "" };
 * if (retryReason(refusal) !== "the gateway answered 503") throw new Error("a fault of the gateway's");
 * if (retryReason({ ...refusal, status: 403 }) !== undefined) throw new Error("a refusal stays one");
 * ```
 */
export function retryReason(failure: Refusal | BridgeError): string | undefined {
  if (failure instanceof BridgeError) {
    // Any other code means that the request may have reached the gateway, or that it never will.
    return failure.code === "unreachable" ? "the connection failed" : undefined;
  }
  if (!STATUSES.has(failure.status) || PERMANENT.test(failure.text)) return undefined;
  return `the gateway answered ${failure.status}`;
}

/**
 * How long to wait before the next attempt: exponential backoff with jitter, or what `Retry-After`
 * asks for where that is longer.
 *
 * @param attempt How many attempts there were, from 0 on.
 * @param failure What the last one came to.
 * @param random A number from 0 to 1, for jitter.
 * @param now Milliseconds since 1970, for a `Retry-After` that is a date.
 * @returns Milliseconds.
 *
 * @example
 * ```ts
 * import { retryDelay } from "./retries.ts";
 *
 * const refusal = { status: 429, headers: new Headers({ "retry-after": "3" }), text: "" };
 * if (retryDelay(0, refusal, 0.5, 0) !== 3000) throw new Error("what is asked for");
 * ```
 */
export function retryDelay(
  attempt: number,
  failure: Refusal | BridgeError,
  random: number,
  now: number,
): number {
  const backoff = BACKOFF * 2 ** attempt * (0.5 + random / 2);
  if (failure instanceof BridgeError) return backoff;
  // The body of a 429 may say it too.
  const after = gatewayError(failure.status, failure.text, {
    headers: failure.headers,
    retryAfter: false,
  }).headers["retry-after"];
  if (after === undefined) return backoff;
  const seconds = Number(after);
  const asked = Number.isFinite(seconds) ? seconds * 1000 : Date.parse(after) - now;
  return Number.isFinite(asked) ? Math.max(backoff, asked) : backoff;
}
