/**
 * What the simulator remembers of the requests that it received, for tests to look at.
 *
 * @module
 */

import { isObject, type JsonObject } from "./json.ts";

/** How a request ended. */
export type Ending = "finished" | "aborted" | "broken";

/** A request as it arrived, and what became of it. */
export interface RecordedRequest {
  /** Counts the requests of this simulator, from 1. */
  readonly number: number;
  /** The HTTP method. */
  readonly method: string;
  /** Path and query. */
  readonly path: string;
  /** The headers; names are lower case. The token is among them: it stays in memory. */
  readonly headers: Readonly<Record<string, string>>;
  /** The parsed body; undefined where it was no JSON object. */
  readonly body?: JsonObject;
  /** The body as it came. */
  readonly text: string;
  /** When it arrived, in milliseconds since 1970. */
  readonly at: number;
  /** The status that it was answered with; undefined until then. */
  readonly status?: number;
  /** Whether the client left before the stream was over. */
  readonly aborted: boolean;
  /** Resolves when the answer is out, the client left, or the connection broke on purpose. */
  readonly ended: Promise<Ending>;
}

/** How many requests are remembered. */
const MAX_REQUESTS = 1000;

/** A recorded request whose answer is still being made. */
export interface OpenRequest extends RecordedRequest {
  /** The status that it was answered with. */
  status?: number;
  /** Whether the client left before the answer was over. */
  aborted: boolean;
  /** Whether the answer is a stream, which ends later than its response begins. */
  streaming: boolean;
  /** Notes that the answer is over. */
  end(how: Ending): void;
}

/**
 * Keeps the requests, and the streams that are open.
 *
 * @example
 * ```ts
 * import { Recorder } from "./recorder.ts";
 *
 * const recorder = new Recorder(() => 0);
 * recorder.add(new Request("http://localhost/a?b=c"), "");
 * if (recorder.requests[0].path !== "/a?b=c") throw new Error("unexpected");
 * ```
 */
export class Recorder {
  /** The requests, oldest first. */
  readonly requests: RecordedRequest[] = [];
  readonly #now: () => number;
  readonly #streams = new Set<OpenRequest>();
  #halt = new AbortController();
  #count = 0;

  /**
   * Makes an empty record.
   *
   * @param now The time in milliseconds since 1970.
   */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** How many streams are being sent. */
  get openStreams(): number {
    return this.#streams.size;
  }

  /**
   * Notes a request. The oldest one is forgotten where there are too many.
   *
   * @param request The request.
   * @param text Its body.
   * @returns What is noted; its status and its end are filled in later.
   */
  add(request: Request, text: string): OpenRequest {
    const url = new URL(request.url);
    const { promise, resolve } = Promise.withResolvers<Ending>();
    const recorded: OpenRequest = {
      number: ++this.#count,
      method: request.method,
      path: url.pathname + url.search,
      headers: Object.fromEntries(request.headers),
      body: parse(text),
      text,
      at: this.#now(),
      aborted: false,
      streaming: false,
      ended: promise,
      end(how) {
        this.aborted ||= how === "aborted";
        resolve(how);
      },
    };
    this.requests.push(recorded);
    if (this.requests.length > MAX_REQUESTS) this.requests.shift();
    return recorded;
  }

  /**
   * Notes that a stream begins.
   *
   * @param recorded The request that it answers.
   */
  open(recorded: OpenRequest): void {
    recorded.streaming = true;
    this.#streams.add(recorded);
  }

  /**
   * Joins a client's leaving and the simulator's stopping.
   *
   * @param left Aborts when the client leaves.
   * @returns A signal that aborts when the client leaves or the simulator stops.
   */
  until(left: AbortSignal): AbortSignal {
    return AbortSignal.any([left, this.#halt.signal]);
  }

  /**
   * Notes that a stream is over.
   *
   * @param recorded The request that it answered.
   * @param how How it ended.
   */
  close(recorded: OpenRequest, how: Ending): void {
    this.#streams.delete(recorded);
    recorded.end(how);
  }

  /** Ends all streams and pauses; requests that come later are served as before. */
  stop(): void {
    this.#halt.abort();
    this.#halt = new AbortController();
  }
}

function parse(text: string): JsonObject | undefined {
  try {
    const body: unknown = JSON.parse(text);
    return isObject(body) ? body : undefined;
  } catch {
    return undefined;
  }
}
