/**
 * Turns undici's callbacks into a `Response` and its end.
 *
 * @module
 */

import { RequestFailure } from "./request_failure.ts";

/** An answer that has begun. */
export interface ClientAnswer {
  /** Status, headers and body. The body never errors: it ends where it breaks off. */
  readonly response: Response;
  /** Why the body broke off; undefined while it runs, and where it was complete. */
  readonly failure: () => unknown;
}

/** How an answer is waited for. Times are in milliseconds; 0 means no limit. */
export interface AnswerHandlerOptions {
  /** How long it may take to begin, once there is a connection. */
  readonly firstByteTimeout: number;
  /** How long the body may be silent while a read is pending. */
  readonly idleTimeout: number;
  /** Ends the request. */
  readonly signal?: AbortSignal;
  /** Called once, when the request no longer waits for a connection. */
  readonly onWaited: () => void;
}

/** undici's control of a request that it has begun. */
export interface UndiciRequest {
  /** Ends it. */
  readonly abort: (cause: Error) => void;
  /** Reads no further. */
  readonly pause: () => void;
  /** Reads on. */
  readonly resume: () => void;
}

/** Statuses whose answers have no body. */
const WITHOUT_BODY = new Set([204, 205, 304]);

/** An error with a code, as undici's own are. */
function failureWith(code: string, message: string): Error {
  return Object.assign(new Error(message), { code });
}

/** The handler that undici calls for one request (`Dispatcher.DispatchHandler`). */
export class AnswerHandler {
  readonly #options: AnswerHandlerOptions;
  readonly #answer = Promise.withResolvers<ClientAnswer>();
  #request: UndiciRequest | undefined;
  #body: ReadableStreamDefaultController<Uint8Array> | undefined;
  #pieces: Uint8Array[] = [];
  #failure: unknown;
  #over = false;
  /** Since when the answer, or a read of its body, has been waited for; 0 while nothing is. */
  #waiting = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** Makes a handler; it listens to the signal at once. */
  constructor(options: AnswerHandlerOptions) {
    this.#options = options;
    options.signal?.addEventListener("abort", this.#leave, { once: true });
  }

  /** The answer; rejected with a {@linkcode RequestFailure}, or with the signal's reason. */
  get answer(): Promise<ClientAnswer> {
    return this.#answer.promise;
  }

  readonly #leave = (): void => this.#abort(this.#options.signal!.reason);

  /** undici has a connection, and writes the request as soon as this returns. */
  onRequestStart(request: UndiciRequest): void {
    // It was ended while the connection was made.
    if (this.#over) return request.abort(new Error("The request was ended."));
    this.#request = request;
    const { onWaited, firstByteTimeout, idleTimeout } = this.#options;
    onWaited();
    this.#waiting = performance.now();
    const shorter = Math.min(firstByteTimeout || Infinity, idleTimeout || Infinity);
    if (shorter < Infinity) this.#watch(shorter);
  }

  /** The answer's head has come. */
  onResponseStart(
    _request: unknown,
    status: number,
    headers: Record<string, string | string[] | undefined>,
  ): void {
    if (this.#over || (status >= 100 && status < 200)) return;
    if (status < 200 || status > 599) {
      return this.#abort(failureWith("HPE_INVALID_STATUS", `The status is ${status}.`));
    }
    this.#waiting = 0;
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => void (this.#body = controller),
      pull: () => {
        this.#waiting = performance.now();
        this.#request!.resume();
      },
      cancel: (reason) => this.#abort(reason),
      // Reads on only when the consumer has read.
    }, { highWaterMark: 0 });
    this.#answer.resolve({
      response: toResponse(WITHOUT_BODY.has(status) ? null : body, status, headers),
      failure: () => this.#failure,
    });
  }

  /** A part of the body has come. undici calls this for every HTTP chunk in what a read brought. */
  onResponseData(_request: unknown, piece: Uint8Array): void {
    if (this.#over) return;
    this.#pieces.push(piece);
    if (this.#pieces.length === 1) queueMicrotask(this.#flush);
  }

  /** The answer is complete. */
  onResponseEnd(): void {
    this.#end();
  }

  /** There is no answer, or no more of it. */
  onResponseError(_request: unknown, cause: unknown): void {
    this.#end(cause);
  }

  /** Hands on what came, in one piece. */
  readonly #flush = (): void => {
    const pieces = this.#pieces;
    if (pieces.length === 0 || this.#over) return;
    this.#pieces = [];
    this.#waiting = 0;
    this.#body!.enqueue(pieces.length === 1 ? pieces[0] : join(pieces));
    // The next read resumes it.
    if (this.#body!.desiredSize! <= 0) this.#request!.pause();
  };

  #abort(reason: unknown): void {
    if (this.#over) return;
    const cause = reason instanceof Error ? reason : new Error(String(reason));
    // undici calls onResponseError() with it, where it has begun the request.
    this.#request?.abort(cause);
    this.#end(cause);
  }

  #end(cause?: unknown): void {
    if (this.#over) return;
    if (this.#body !== undefined) this.#flush();
    this.#over = true;
    clearTimeout(this.#timer);
    this.#options.signal?.removeEventListener("abort", this.#leave);
    if (this.#body === undefined) return this.#reject(cause);
    this.#failure = cause;
    try {
      this.#body.close();
    } catch {
      // Whoever read it has cancelled it.
    }
  }

  #reject(cause: unknown): void {
    const { signal, onWaited } = this.#options;
    const sent = this.#request !== undefined;
    if (!sent) onWaited();
    this.#answer.reject(signal?.aborted ? signal.reason : new RequestFailure(cause, sent));
  }

  /** Looks after a time whether the answer, or a read, has been waited for too long. One timer serves both. */
  #watch(time: number): void {
    this.#timer = setTimeout(() => {
      const begun = this.#body !== undefined;
      const { firstByteTimeout, idleTimeout } = this.#options;
      const most = (begun ? idleTimeout : firstByteTimeout) || Infinity;
      const waited = this.#waiting === 0 ? 0 : performance.now() - this.#waiting;
      if (waited < most) {
        // The answer may begin meanwhile, and then its body's limit counts.
        const next = Math.min(most - waited, idleTimeout || Infinity);
        return next < Infinity ? this.#watch(next) : undefined;
      }
      this.#abort(
        begun
          ? failureWith("UND_ERR_BODY_TIMEOUT", `Nothing has come for ${idleTimeout / 1000} s.`)
          : failureWith("UND_ERR_HEADERS_TIMEOUT", "No answer has begun."),
      );
    }, time);
  }
}

function toResponse(
  body: ReadableStream<Uint8Array> | null,
  status: number,
  fields: Record<string, string | string[] | undefined>,
): Response {
  const headers: [string, string][] = [];
  for (const [name, value] of Object.entries(fields)) {
    for (const one of Array.isArray(value) ? value : value === undefined ? [] : [value]) {
      headers.push([name, one]);
    }
  }
  try {
    return new Response(body, { status, headers });
  } catch {
    // A value that no header may have is nothing that anybody reads.
    return new Response(body, { status, headers: headers.filter(isHeader) });
  }
}

function isHeader(field: [string, string]): boolean {
  try {
    return new Headers([field]) !== undefined;
  } catch {
    return false;
  }
}

function join(pieces: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(pieces.reduce((length, piece) => length + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}
