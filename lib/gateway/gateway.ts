/**
 * The only door to the gateway: one POST with its headers, timeouts and retries. What the answer says
 * is read elsewhere; here it is only whether one came.
 *
 * @module
 */

import { BridgeError } from "../errors.ts";
import { decoded, readRefusal } from "./body.ts";
import { type Client, RequestFailure } from "./client.ts";
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
  /** Whether a refusal may be retried from here, by its status. @default always */
  readonly mayRetry?: (status: number) => boolean;
  /** Called before every retry. */
  readonly onRetry?: (reason: string, delay: number) => void;
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
    /** Status 2xx, body unread. The body never errors: it ends where it breaks off. */
    readonly response: Response;
    /** Why the body broke off, as an error for its reader; undefined where it is complete. */
    readonly failure: () => BridgeError | undefined;
  }
  | { readonly ok: false } & Refusal;

/** How a {@linkcode Gateway} behaves. Times in milliseconds. */
export interface GatewayOptions {
  /** Base URL without a trailing slash. */
  readonly base: string;
  /** Sends requests. */
  readonly client: Client;
  /** How long a connection may take; for messages. */
  readonly connectTimeout: number;
  /** How long until the answer begins; for messages. */
  readonly firstByteTimeout: number;
  /** How long the answer may be silent; for messages. */
  readonly idleTimeout: number;
  /** Retries of one request. */
  readonly retries: number;
  /** Time for all of them. */
  readonly retryTime: number;
  /** A number from 0 to 1, for jitter. @default {Math.random} */
  readonly random?: () => number;
  /** Milliseconds since 1970. @default {Date.now} */
  readonly now?: () => number;
  /** Waits, or rejects with the signal's reason. @default by a timer */
  readonly sleep?: (time: number, signal: AbortSignal) => Promise<void>;
}

/** Why a request is not sent again. */
const NOT_AGAIN = " The request may have reached it, so it was not sent again.";

/** The gateway behind its base URL. */
export class Gateway {
  readonly #options: GatewayOptions;

  /** Makes a gateway of its address, client and retries. */
  constructor(options: GatewayOptions) {
    this.#options = options;
  }

  /** The base URL, for messages. */
  get base(): string {
    return this.#options.base;
  }

  /**
   * The retries that one request of a client's has, however often it is sent.
   *
   * @param most The most retries, where it is fewer than the settings say.
   */
  budget(most: number = Infinity): RetryBudget {
    const { retries, retryTime, now = Date.now } = this.#options;
    return { retries: Math.min(retries, most), until: now() + retryTime };
  }

  /**
   * Sends a request, and again where that may help, as long as no byte of an answer has come. A request
   * that may have reached the gateway is sent again only where the gateway answered it.
   *
   * @throws {BridgeError} kind `unreachable` or `timeout`; the signal's reason when the client left.
   */
  async post(request: GatewayRequest): Promise<GatewayAnswer> {
    const { random = Math.random, now = Date.now, sleep = wait } = this.#options;
    const budget = request.budget ?? this.budget();
    for (let attempt = 0;; attempt++) {
      const outcome = await this.#once(request).catch((error: unknown) => {
        if (error instanceof BridgeError) return error;
        throw error;
      });
      request.signal.throwIfAborted();
      if (!(outcome instanceof BridgeError) && outcome.ok) return outcome;
      const allowed = outcome instanceof BridgeError ||
        (request.mayRetry?.(outcome.status) ?? true);
      const reason = allowed && budget.retries > 0 ? retryReason(outcome) : undefined;
      const delay = reason ? retryDelay(attempt, outcome, random(), now()) : Infinity;
      if (reason === undefined || now() + delay > budget.until) {
        if (outcome instanceof BridgeError) throw outcome;
        return outcome;
      }
      budget.retries--;
      request.onRetry?.(reason, delay);
      await sleep(delay, request.signal);
    }
  }

  async #once({ path, headers, body, signal }: GatewayRequest): Promise<GatewayAnswer> {
    signal.throwIfAborted();
    const { base, client } = this.#options;
    const answer = await client.send(base + path, { method: "POST", headers, body, signal })
      .catch((cause: unknown) => {
        signal.throwIfAborted();
        throw cause instanceof BridgeError ? cause : this.#failure(cause);
      });
    const decoding = await decoded(answer);
    const { response } = decoding;
    if (response.ok) {
      const failure = () => {
        const cause = decoding.failure();
        return cause === undefined ? undefined : this.#broken(cause);
      };
      return { ok: true, response, failure };
    }
    if (response.status >= 300 && response.status < 400) {
      await response.body?.cancel();
      throw this.#redirected(response);
    }
    const text = await readRefusal(response);
    return { ok: false, status: response.status, headers: response.headers, text };
  }

  /** Why no answer began. */
  #failure(cause: unknown): BridgeError {
    const code = cause instanceof RequestFailure ? cause.code : "";
    if (code === "UND_ERR_CONNECT_TIMEOUT") {
      return new BridgeError(
        "timeout",
        `The gateway at ${this.base} can't be reached: no connection within ${
          this.#options.connectTimeout / 1000
        } s. Check the address, the network and the VPN.`,
        { code: "connect_timeout", cause },
      );
    }
    if (code === "UND_ERR_HEADERS_TIMEOUT") {
      return new BridgeError(
        "timeout",
        `The gateway did not begin to answer within ${
          this.#options.firstByteTimeout / 1000
        } s. Ask again, or allow more with --first-byte-timeout.`,
        { code: "first_byte_timeout", cause },
      );
    }
    const { means, passing, code: about } = networkFault(cause);
    const closed = cause instanceof RequestFailure && cause.sent && about === "unreachable";
    return new BridgeError(
      "unreachable",
      `The gateway at ${this.base} can't be reached: ${means}${closed ? NOT_AGAIN : ""}`,
      {
        // Only "unreachable" is asked again: what failed may pass, and nothing has been sent.
        code: closed ? "connection_closed" : passing ? "unreachable" : about,
        cause,
      },
    );
  }

  /** Why an answer's body broke off. */
  #broken(cause: unknown): BridgeError {
    if (cause instanceof BridgeError) return cause;
    if ((cause as { code?: unknown }).code === "UND_ERR_BODY_TIMEOUT") {
      return new BridgeError(
        "timeout",
        `The gateway was silent for ${
          this.#options.idleTimeout / 1000
        } s in the middle of the answer: it is cut off here. Ask again, or allow more with --idle-timeout.`,
        { code: "idle_timeout", cause },
      );
    }
    return new BridgeError(
      "interrupted",
      "The connection to the gateway broke before the answer was complete: it is cut off here. Ask again if you need the rest.",
      { code: "stream_interrupted", cause },
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
