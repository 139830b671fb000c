/**
 * The only door to the gateway: one POST with its headers, timeouts and retries. What the answer says
 * is read elsewhere; here it is only whether one came.
 *
 * @module
 */

import { decoded, readRefusal } from "./body.ts";
import { BridgeError } from "../errors.ts";
import type { Client } from "./client.ts";
import { type Refusal, retryDelay, retryReason } from "./retries.ts";
import { networkFault } from "./unreachable.ts";

/** What is sent. */
export interface GatewayRequest {
  /** Path after the base, from the configuration, never from a client. */
  readonly path: string;
  /** Headers for the gateway. */
  readonly headers: Readonly<Record<string, string>>;
  /** The body, JSON. */
  readonly body: string;
  /** Ends the request when the client leaves. */
  readonly signal: AbortSignal;
  /** What is left of the retries, where several requests share them. @default a full one */
  readonly budget?: RetryBudget;
}

/** How often, and until when, something may be asked again. */
export interface RetryBudget {
  /** Retries that are left. */
  retries: number;
  /** When the time for them is over, in milliseconds since 1970. */
  readonly until: number;
}

/** What came back: an answer whose body is still to be read, or a refusal that was read. */
export type GatewayAnswer =
  | {
    readonly ok: true;
    /** Status 2xx, body unread. */
    readonly response: Response;
    /** Why the body ended early. */
    readonly failure: () => unknown;
    /** Ends the gateway's request; safe to call at any time. */
    readonly abort: (reason: unknown) => void;
  }
  | { readonly ok: false } & Refusal;

/** How a {@linkcode Gateway} behaves. Times in milliseconds. */
export interface GatewayOptions {
  /** Base URL without a trailing slash. */
  readonly base: string;
  /** How long a connection may take. */
  readonly connectTimeout: number;
  /** How long until the answer begins. */
  readonly firstByteTimeout: number;
  /** Retries of one request. */
  readonly retries: number;
  /** Time for all of them. */
  readonly retryTime: number;
  /** Told of every retry. */
  readonly onRetry?: (reason: string, delay: number) => void;
  /** Sends. */
  readonly client: Client;
  /** Whether a proxy stands in between; then the gateway's own port can't be tried. @default {false} */
  readonly proxied?: boolean;
  /** A number from 0 to 1, for jitter. @default {Math.random} */
  readonly random?: () => number;
  /** Milliseconds since 1970. @default {Date.now} */
  readonly now?: () => number;
  /** Waits, or rejects with the signal's reason. @default by a timer */
  readonly sleep?: (time: number, signal: AbortSignal) => Promise<void>;
}

/**
 * The gateway behind its base URL.
 *
 * @example
 * ```ts
 * import { Gateway } from "./gateway.ts";
 *
 * const gateway = new Gateway({
 *   base: "http://127.0.0.1:9",
 *   connectTimeout: 1000,
 *   firstByteTimeout: 1000,
 *   retries: 0,
 *   retryTime: 0,
 *   fetch: () => Promise.resolve(new Response("{}")),
 * });
 * const { signal } = new AbortController();
 * const answer = await gateway.post({ path: "/mlflow/v1/chat/completions", headers: {}, body: "{}", signal });
 * if (!answer.ok) throw new Error("the answer is handed over");
 * ```
 */
export class Gateway {
  readonly #options: GatewayOptions;

  /** Makes a gateway of its address, timeouts and retries. */
  constructor(options: GatewayOptions) {
    this.#options = options;
  }

  /** The base URL, for messages. */
  get base(): string {
    return this.#options.base;
  }

  /** The retries that one request of a client's has, however often it is sent. */
  budget(): RetryBudget {
    const { retries, retryTime, now = Date.now } = this.#options;
    return { retries, until: now() + retryTime };
  }

  /**
   * Sends a request, and again where that may help, as long as no byte of an answer has come.
   *
   * @throws {BridgeError} kind `unreachable` or `timeout`; the signal's reason when the client left.
   */
  async post(request: GatewayRequest): Promise<GatewayAnswer> {
    const { onRetry, random = Math.random, now = Date.now, sleep = wait } = this.#options;
    const budget = request.budget ?? this.budget();
    for (let attempt = 0;; attempt++) {
      const outcome = await this.#once(request).catch((error: unknown) => {
        if (error instanceof BridgeError) return error;
        throw error;
      });
      request.signal.throwIfAborted();
      if (!(outcome instanceof BridgeError) && outcome.ok) return outcome;
      const reason = budget.retries > 0 ? retryReason(outcome) : undefined;
      const delay = reason ? retryDelay(attempt, outcome, random(), now()) : Infinity;
      if (reason === undefined || now() + delay > budget.until) {
        if (outcome instanceof BridgeError) throw outcome;
        return outcome;
      }
      budget.retries--;
      onRetry?.(reason, delay);
      await sleep(delay, request.signal);
    }
  }

  async #once(request: GatewayRequest): Promise<GatewayAnswer> {
    const { base, client, firstByteTimeout } = this.#options;
    request.signal.throwIfAborted();
    const controller = new AbortController();
    const abort = (reason: unknown) => controller.abort(reason);
    const leave = () => abort(request.signal.reason);
    request.signal.addEventListener("abort", leave, { once: true });
    const timer = setTimeout(() => controller.abort(silent(firstByteTimeout)), firstByteTimeout);
    let answer;
    try {
      answer = await client.send(base + request.path, {
        method: "POST",
        headers: request.headers,
        body: request.body,
        signal: controller.signal,
      });
    } catch (cause) {
      request.signal.removeEventListener("abort", leave);
      request.signal.throwIfAborted();
      throw controller.signal.aborted ? controller.signal.reason : this.#unreachable(cause);
    } finally {
      clearTimeout(timer);
    }
    const response = decoded(answer.response);
    if (response.ok) return { ok: true, response, failure: answer.failure, abort };
    const text = await readRefusal(response, controller);
    request.signal.removeEventListener("abort", leave);
    if (response.status >= 300 && response.status < 400) throw this.#redirected(response);
    return { ok: false, status: response.status, headers: response.headers, text };
  }

  #unreachable(cause: unknown): BridgeError {
    const { means, passing } = networkFault(cause);
    const way = this.#options.proxied ? " through the proxy" : "";
    return new BridgeError(
      "unreachable",
      `The gateway at ${this.base} can't be reached${way}: ${means}`,
      { code: passing ? "unreachable" : "certificate", cause },
    );
  }

  #redirected(response: Response): BridgeError {
    const location = response.headers.get("location");
    const host = location && URL.canParse(location, this.base)
      ? new URL(location, this.base).host
      : "nowhere";
    return new BridgeError(
      "gateway",
      `The gateway answered ${response.status} and points to ${host}. The bridge follows no redirects, because they would carry your token along: set DATABRICKS_AI_GATEWAY_URL to the right address.`,
      { code: "redirected" },
    );
  }
}

function silent(time: number): BridgeError {
  return new BridgeError(
    "timeout",
    `The gateway did not begin to answer within ${
      time / 1000
    } s. Ask again, or allow more with --first-byte-timeout.`,
    { code: "first_byte_timeout" },
  );
}

/** Waits, or rejects with the signal's reason. */
function wait(time: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const leave = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", leave);
      resolve();
    }, time);
    signal.addEventListener("abort", leave, { once: true });
  });
}
