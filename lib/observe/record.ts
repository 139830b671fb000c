/**
 * The record of requests: the last thousand, in memory, and those that run now. It holds what a request
 * was and how it went, never a prompt, an answer, a tool's arguments or a token.
 *
 * @module
 */

/** What went wrong, for the record. */
export interface RecordedError {
  /** The bridge's kind of error: `gateway`, `timeout`. */
  readonly kind: string;
  /** OpenAI's `error.code`, as text. */
  readonly code?: string;
  /** The error's own status, which a stream that had begun can no longer send. */
  readonly status: number;
  /** What the client was told, at most 500 characters. */
  readonly message: string;
  /** What to do about it, where that is known. */
  readonly advice?: string;
}

/** One request that is over, in the form in which the page and `/api/requests` have it. */
export interface RequestRecord {
  /** The bridge's own id: `x-fd-bridge-request-id`. */
  readonly id: string;
  /** The gateway's `x-request-id`. */
  readonly gateway_request_id?: string;
  /** When it came: ISO 8601, UTC. */
  readonly time: string;
  /** The name in the client's user agent. */
  readonly client: string;
  /** Its HTTP method. */
  readonly method: string;
  /** The path that it was routed by. */
  readonly path: string;
  /** The model that the client asked for. */
  readonly model?: string;
  /** The surface that answered. */
  readonly surface?: string;
  /** The client's dialect and the surface's: `chat → responses`. */
  readonly dialects?: string;
  /** Whether a stream was asked for. */
  readonly stream?: boolean;
  /** The HTTP status that the client got. */
  readonly status: number;
  /** How the answer ended. */
  readonly ending?: string;
  /** Milliseconds to the first byte of the answer. */
  readonly first_byte_ms: number;
  /** Milliseconds to the end of the answer. */
  readonly duration_ms: number;
  /** Tokens of the prompt, cached and written ones among them. */
  readonly tokens_in?: number;
  /** Tokens of the answer. */
  readonly tokens_out?: number;
  /** Tokens of the prompt that were read from the cache. */
  readonly tokens_cached?: number;
  /** Tokens of the prompt that were written to the cache. */
  readonly tokens_written?: number;
  /** Dollars, where the model has a price. */
  readonly cost?: number;
  /** Dollars that the cache saved. */
  readonly saved?: number;
  /** Dollars that writing the cache cost beyond the same tokens unwritten. */
  readonly cache_writing?: number;
  /** Fields that were taken out of the request. */
  readonly dropped: readonly string[];
  /** What was repaired in the request or its answer. */
  readonly repaired: readonly string[];
  /** What the gateway's refusals taught. */
  readonly learned: readonly string[];
  /** How often the gateway was asked again. */
  readonly retries: number;
  /** Why, each cause once. */
  readonly retry_causes: readonly string[];
  /** What went wrong. */
  readonly error?: RecordedError;
}

/** A request that runs, as the page shows it. */
export interface RunningRecord {
  /** The bridge's own id. */
  readonly id: string;
  /** When it came: ISO 8601, UTC. */
  readonly time: string;
  /** The name in the client's user agent. */
  readonly client: string;
  /** The path that it was routed by. */
  readonly path: string;
  /** The model that the client asked for. */
  readonly model?: string;
  /** The surface that was asked. */
  readonly surface?: string;
  /** Milliseconds since it came. */
  readonly duration_ms: number;
  /** Milliseconds to the first byte of its answer, once it left. */
  readonly first_byte_ms?: number;
  /** Bytes of the answer that were sent so far. */
  readonly bytes: number;
  /** Tokens of the answer so far: as many as it had pieces. The gateway counts at the end only. */
  readonly tokens: number;
}

/** A request that can say how far it is. */
export interface RunningRequest {
  /** How far it is. */
  running(): RunningRecord;
}

/** Learns of a request that is over. */
export type RecordListener = (record: RequestRecord) => void;

/** Which records are wanted. */
export interface RecordQuery {
  /** `error`: those that failed; a number or `4xx`: those with this status. */
  readonly status?: string;
  /** Those of a model. */
  readonly model?: string;
  /** Those of a client. */
  readonly client?: string;
  /** Those that came at or after a time, in milliseconds since 1970. */
  readonly since?: number;
  /** The most records. @default {1_000} */
  readonly limit?: number;
}

/** How many requests are kept. */
export const MAX_RECORDS = 1_000;

/**
 * The last requests, and those that run.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { RequestLog } from "./record.ts";
 *
 * const requests = new RequestLog();
 * assertEquals(requests.find({ status: "error", limit: 1 }), []);
 * ```
 */
export class RequestLog {
  readonly #ring: RequestRecord[] = [];
  /** Where the next one goes once the ring is full. */
  #next = 0;
  readonly #listeners = new Set<RecordListener>();
  readonly #running = new Set<RunningRequest>();

  /** A request has come. */
  begin(request: RunningRequest): void {
    this.#running.add(request);
  }

  /**
   * A request is over.
   *
   * @param request What {@linkcode begin} was given.
   * @param record How it went; undefined for one that is not recorded.
   */
  end(request: RunningRequest, record?: RequestRecord): void {
    this.#running.delete(request);
    if (record === undefined) return;
    if (this.#ring.length < MAX_RECORDS) this.#ring.push(record);
    else {
      this.#ring[this.#next] = record;
      this.#next = (this.#next + 1) % MAX_RECORDS;
    }
    for (const listener of this.#listeners) listener(record);
  }

  /** The requests that run now, oldest first; at most 200. */
  running(): RunningRecord[] {
    const found: RunningRecord[] = [];
    for (const request of this.#running) {
      if (found.length === 200) break;
      found.push(request.running());
    }
    return found;
  }

  /** Finds requests that are over, the newest first. */
  find(query: RecordQuery = {}): RequestRecord[] {
    const { limit = MAX_RECORDS } = query;
    const found: RequestRecord[] = [];
    const size = this.#ring.length;
    for (let back = 1; back <= size && found.length < limit; back++) {
      const record = this.#ring[(this.#next + size - back) % size];
      if (matches(record, query)) found.push(record);
    }
    return found;
  }

  /**
   * Calls a function with every request that ends from now on. It must not throw.
   *
   * @returns Ends it.
   */
  subscribe(listener: RecordListener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }
}

function matches(record: RequestRecord, { status, model, client, since }: RecordQuery): boolean {
  if (model !== undefined && record.model !== model) return false;
  if (client !== undefined && record.client !== client) return false;
  if (since !== undefined && Date.parse(record.time) < since) return false;
  if (status === undefined) return true;
  if (status === "error") return record.error !== undefined || record.status >= 400;
  if (/^\dxx$/.test(status)) return String(record.status).startsWith(status[0]);
  return String(record.status) === status;
}
