/**
 * The stream core that translates through the hub: a surface's events become strict chat chunks, and
 * those the events of the client's dialect.
 *
 * @module
 */

import type { SseEvent, StreamCore, StreamEncoder, StreamOutcome } from "./dialects/dialect.ts";
import type { Chunk, ChunkEnricher } from "./enrich/chunks.ts";

/** Translates one stream. */
export class Translator implements StreamCore {
  readonly #enricher: ChunkEnricher;
  readonly #encoder: StreamEncoder;

  /** Makes the translator of an answer for a client. */
  constructor(enricher: ChunkEnricher, encoder: StreamEncoder) {
    this.#enricher = enricher;
    this.#encoder = encoder;
  }

  /** Whether the stream has ended and produces no more output. */
  get ended(): boolean {
    return this.#enricher.ending !== undefined;
  }

  /** Whether the answer is complete, though the gateway's stream may still be open. */
  get finished(): boolean {
    return this.#enricher.finished;
  }

  /** What keeps a silent connection open. */
  get heartbeat(): string {
    return this.#encoder.heartbeat;
  }

  /** How it ended, or how far it is. */
  get outcome(): StreamOutcome {
    const { ending, finishReason, usage, spoke } = this.#enricher;
    return {
      finishReason,
      usage,
      spoke,
      error: ending?.type === "failed" ? ending.error : undefined,
    };
  }

  /** The text for an event. */
  event(event: SseEvent): string {
    return this.ended ? "" : this.#encode(this.#enricher.event(event));
  }

  /** The text for the end of the gateway's body. */
  end(cause?: unknown): string {
    return this.ended ? "" : this.#encode(this.#enricher.end(cause));
  }

  #encode(chunks: readonly Chunk[]): string {
    let text = "";
    for (const chunk of chunks) text += this.#encoder.chunk(chunk);
    const { ending } = this.#enricher;
    if (ending === undefined) return text;
    return text +
      (ending.type === "failed" ? this.#encoder.error(ending.error) : this.#encoder.end());
  }
}

/**
 * A core that is chosen with its first event: which one it is depends on the surface that answers, and a
 * stream may begin before its answer does.
 */
export class LateCore implements StreamCore {
  /** What keeps a silent connection open. */
  readonly heartbeat: string;
  readonly #choose: (event: SseEvent | undefined) => StreamCore;
  #core: StreamCore | undefined;

  /**
   * Makes a core that is chosen later.
   *
   * @param heartbeat What keeps a silent connection open until then, and after.
   * @param choose Chooses by the first event; undefined where the stream ends without one.
   */
  constructor(heartbeat: string, choose: (event: SseEvent | undefined) => StreamCore) {
    this.heartbeat = heartbeat;
    this.#choose = choose;
  }

  /** Whether the stream has ended and produces no more output. */
  get ended(): boolean {
    return this.#core?.ended ?? false;
  }

  /** Whether the answer is complete. */
  get finished(): boolean {
    return this.#core?.finished ?? false;
  }

  /** How it ended, or how far it is. */
  get outcome(): StreamOutcome {
    return this.#core?.outcome ?? NO_OUTCOME;
  }

  /** The text for an event. */
  event(event: SseEvent): string {
    return (this.#core ??= this.#choose(event)).event(event);
  }

  /** The text for the end of the gateway's body. */
  end(cause?: unknown): string {
    return (this.#core ??= this.#choose(undefined)).end(cause);
  }
}

/** The outcome of a stream that has not begun. */
export const NO_OUTCOME: StreamOutcome = {
  finishReason: undefined,
  usage: undefined,
  error: undefined,
  spoke: false,
};
