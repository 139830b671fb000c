/**
 * The only door to the gateway: one POST with its headers, timeouts and retries. What the answer says
 * is read elsewhere; here it is only whether one came.
 *
 * @module
 */

import { BridgeError, gatewayError, maskSecrets } from "./errors.ts";

/** What is sent. */
export interface GatewayRequest {
  /** Path after the base, from the configuration, never from a client. */
  readonly path: string;
  /** Headers for the gateway. */
  readonly headers: Headers;
  /** The body, JSON. */
  readonly body: string;
  /** Ends the request when the client leaves. */
  readonly signal: AbortSignal;
}

/** What came back: an answer whose body is still to be read, or a refusal that was read. */
export type GatewayAnswer =
  | {
    readonly ok: true;
    /** Status 2xx, body unread. */
    readonly response: Response;
    /** Ends the gateway's request; safe to call at any time. */
    readonly abort: (reason: unknown) => void;
  }
  | {
    readonly ok: false;
    /** The refusal's status. */
    readonly status: number;
    /** Its headers. */
    readonly headers: Headers;
    /** Its body, cut at 1 MiB. */
    readonly text: string;
  };

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
  /** Certificates or a proxy of the user's. */
  readonly client?: Deno.HttpClient;
  /** Whether a proxy stands in between; then the gateway's own port can't be tried. @default {false} */
  readonly proxied?: boolean;
  /** How requests are sent. @default {fetch} */
  readonly fetch?: typeof fetch;
  /** A number from 0 to 1, for jitter. @default {Math.random} */
  readonly random?: () => number;
}

/** Statuses after which asking again may help (`gateway.md`): a rate limit, and faults of the gateway. */
const RETRIED = new Set([429, 502, 503, 504]);

/** Refusals by policy, whatever their status: asking again changes nothing, or costs. */
const PERMANENT =
  /rate limit of 0|budget|quota|policy|not enabled|spend|credit|billing|permission|per[ _-]?day/i;

/** The longest refusal that is read, in bytes. */
const MAX_REFUSAL = 1024 * 1024;

/** How long the body of a refusal may take. */
const REFUSAL_TIME = 10_000;

/** The first backoff; it doubles with each retry, and half of it is jitter. */
const BACKOFF = 500;

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
 * const answer = await gateway.post({ path: "/mlflow/v1/chat/completions", headers: new Headers(), body: "{}", signal });
 * if (!answer.ok) throw new Error("the answer is handed over");
 * ```
 */
export class Gateway {
  readonly #options: GatewayOptions;
  readonly #fetch: typeof fetch;
  readonly #random: () => number;

  /** Makes the door to the gateway at an address, with timeouts and retries. */
  constructor(options: GatewayOptions) {
    this.#options = options;
    this.#fetch = options.fetch ?? fetch;
    this.#random = options.random ?? Math.random;
  }

  /** The base URL, for messages. */
  get base(): string {
    return this.#options.base;
  }

  /**
   * Sends a request, and again where that may help, as long as no byte of an answer has come.
   *
   * @throws {BridgeError} kind `unreachable` or `timeout`; the signal's reason when the client left.
   */
  async post(request: GatewayRequest): Promise<GatewayAnswer> {
    const { retries, retryTime, onRetry } = this.#options;
    const until = performance.now() + retryTime;
    for (let attempt = 0;; attempt++) {
      const outcome = await this.#once(request).catch((error: unknown) => error);
      request.signal.throwIfAborted();
      const reason = retryReason(outcome);
      if (reason === undefined || attempt >= retries) return unwrap(outcome);
      const delay = this.#delay(attempt, outcome);
      if (performance.now() + delay > until) return unwrap(outcome);
      onRetry?.(reason, delay);
      await wait(delay, request.signal);
    }
  }

  /** Exponential backoff with jitter, or what `Retry-After` asks for. */
  #delay(attempt: number, outcome: unknown): number {
    const backoff = BACKOFF * 2 ** attempt * (0.5 + this.#random() / 2);
    if (!isAnswer(outcome) || outcome.ok) return backoff;
    const after = gatewayError(outcome.status, outcome.text, { headers: outcome.headers })
      .headers["retry-after"];
    if (after === undefined) return backoff;
    const seconds = Number(after);
    const asked = Number.isFinite(seconds) ? seconds * 1000 : Date.parse(after) - Date.now();
    return Number.isFinite(asked) ? Math.max(backoff, asked) : backoff;
  }

  async #once(request: GatewayRequest): Promise<GatewayAnswer> {
    const { base, client, connectTimeout, firstByteTimeout } = this.#options;
    const controller = new AbortController();
    const leave = () => controller.abort(request.signal.reason);
    if (request.signal.aborted) leave();
    request.signal.addEventListener("abort", leave, { once: true });
    const first = setTimeout(
      () => controller.abort(this.#silent(firstByteTimeout)),
      firstByteTimeout,
    );
    const connect = setTimeout(() => this.#probe(controller), connectTimeout);
    let response: Response;
    try {
      response = await this.#fetch(base + request.path, {
        method: "POST",
        headers: request.headers,
        body: request.body,
        signal: controller.signal,
        // A redirect would carry the token to wherever it points.
        redirect: "manual",
        ...(client ? { client } : {}),
      });
    } catch (cause) {
      request.signal.removeEventListener("abort", leave);
      request.signal.throwIfAborted();
      throw controller.signal.aborted ? controller.signal.reason : this.#unreachable(cause);
    } finally {
      clearTimeout(first);
      clearTimeout(connect);
    }
    if (response.ok) {
      return { ok: true, response, abort: (reason) => controller.abort(reason) };
    }
    const text = await readBounded(response, controller);
    request.signal.removeEventListener("abort", leave);
    if (response.status >= 300 && response.status < 400) throw this.#redirected(response);
    return { ok: false, status: response.status, headers: response.headers, text };
  }

  /**
   * `fetch` doesn't tell connecting from waiting. When nothing has come for as long as a connection may
   * take, a connection of our own tells: if the port can't be reached either, there is nothing to wait for.
   */
  async #probe(controller: AbortController): Promise<void> {
    const { base, connectTimeout, proxied } = this.#options;
    if (proxied) return;
    const { hostname, port, protocol } = new URL(base);
    const opened = Deno.connect({
      hostname: hostname.replace(/^\[|\]$/g, ""),
      port: Number(port) || (protocol === "https:" ? 443 : 80),
    }).then((connection) => (connection.close(), true), () => false);
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<boolean>((resolve) =>
      timer = setTimeout(() => resolve(false), connectTimeout)
    );
    const reachable = await Promise.race([opened, late]);
    clearTimeout(timer);
    if (!reachable) {
      controller.abort(
        new BridgeError(
          "timeout",
          `The gateway at ${base} can't be reached: no connection within ${
            connectTimeout / 1000
          } s. Check the address, the network and the VPN.`,
          { code: "connect_timeout" },
        ),
      );
    }
  }

  #silent(time: number): BridgeError {
    return new BridgeError(
      "timeout",
      `The gateway did not begin to answer within ${
        time / 1000
      } s. Ask again, or allow more with --first-byte-timeout.`,
      { code: "first_byte_timeout" },
    );
  }

  #unreachable(cause: unknown): BridgeError {
    return new BridgeError(
      "unreachable",
      `The gateway at ${this.base} can't be reached: ${causeOf(cause)}`,
      { cause },
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

/** Words of the network's → what they mean to a person. */
const CAUSES: readonly { words: RegExp; means: string }[] = [
  {
    words:
      /dns error|failed to lookup|name or service not known|nodename nor servname|no such host/i,
    means:
      "its name is unknown. Check the spelling in DATABRICKS_AI_GATEWAY_URL, the network and the VPN.",
  },
  {
    words: /connection refused/i,
    means: "the connection was refused. Check the address and the port.",
  },
  {
    words: /certificate|UnknownIssuer|self.signed|tls|ssl/i,
    means:
      "its certificate is not trusted. On a company network name the company's certificate with --ca-file, or set DENO_TLS_CA_STORE=system,mozilla.",
  },
  {
    words: /proxy|tunnel/i,
    means: "the proxy did not let it through. Check HTTPS_PROXY and NO_PROXY.",
  },
  {
    words:
      /connection (was )?(reset|closed|aborted)|broken pipe|incomplete|eof|end of file|unexpected/i,
    means: "it closed the connection before it answered.",
  },
];

function causeOf(cause: unknown): string {
  const words: string[] = [];
  for (let error = cause; error instanceof Error && words.length < 4; error = error.cause) {
    words.push(error.message);
  }
  const text = words.join(": ");
  return CAUSES.find((row) => row.words.test(text))?.means ?? maskSecrets(text).slice(0, 300);
}

function isAnswer(outcome: unknown): outcome is GatewayAnswer {
  return typeof outcome === "object" && outcome !== null && "ok" in outcome;
}

function unwrap(outcome: unknown): GatewayAnswer {
  if (isAnswer(outcome)) return outcome;
  throw outcome;
}

/** Why asking again may help, or undefined. A timeout has cost its time already; a redirect stays one. */
function retryReason(outcome: unknown): string | undefined {
  if (outcome instanceof BridgeError) {
    return outcome.kind === "unreachable" ? "the connection failed" : undefined;
  }
  if (!isAnswer(outcome) || outcome.ok || !RETRIED.has(outcome.status)) return undefined;
  return PERMANENT.test(outcome.text) ? undefined : `the gateway answered ${outcome.status}`;
}

async function readBounded(response: Response, controller: AbortController): Promise<string> {
  const timer = setTimeout(() => controller.abort(), REFUSAL_TIME);
  const decoder = new TextDecoder();
  let text = "";
  try {
    for await (const piece of response.body ?? []) {
      text += decoder.decode(piece, { stream: true });
      if (text.length > MAX_REFUSAL) break;
    }
  } catch {
    // A refusal that breaks off is a refusal all the same: the status says enough.
  } finally {
    clearTimeout(timer);
  }
  return text.slice(0, MAX_REFUSAL);
}

/** Waits, or rejects with the signal's reason. */
function wait(time: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
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
