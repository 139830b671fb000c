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
  /** Since when a read has been waiting for bytes; 0 while no read is pending. */
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
    const { onWaited, firstByteTimeout } = this.#options;
    onWaited();
    if (firstByteTimeout === 0) return;
    this.#timer = setTimeout(
      () => this.#abort(failureWith("UND_ERR_HEADERS_TIMEOUT", "No answer has begun.")),
      firstByteTimeout,
    );
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
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => void (this.#body = controller),
      pull: () => {
        this.#waiting = performance.now();
        this.#request!.resume();
      },
      cancel: (reason) => this.#abort(reason),
      // Reads on only when the consumer has read.
    }, { highWaterMark: 0 });
    clearTimeout(this.#timer);
    this.#answer.resolve({
      response: new Response(WITHOUT_BODY.has(status) ? null : body, {
        status,
        headers: toHeaders(headers),
      }),
      failure: () => this.#failure,
    });
    if (this.#options.idleTimeout > 0) this.#watch(this.#options.idleTimeout);
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

  /** Looks after a time whether a read has been waiting for too long. One timer serves all reads. */
  #watch(time: number): void {
    const { idleTimeout } = this.#options;
    this.#timer = setTimeout(() => {
      const waited = this.#waiting === 0 ? 0 : performance.now() - this.#waiting;
      if (waited < idleTimeout) return this.#watch(idleTimeout - waited);
      this.#abort(
        failureWith("UND_ERR_BODY_TIMEOUT", `Nothing has come for ${idleTimeout / 1000} s.`),
      );
    }, time);
  }
}

function toHeaders(fields: Record<string, string | string[] | undefined>): Headers {
  const headers = new Headers();
  for (const [name, value] of Object.entries(fields)) {
    for (const one of Array.isArray(value) ? value : value === undefined ? [] : [value]) {
      try {
        headers.append(name, one);
      } catch {
        // A value that no header may have is nothing that anybody reads.
      }
    }
  }
  return headers;
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
