/**
 * The ways in which an answer is put into words for the client: as chat chunks, as one whole completion,
 * or, for clients that speak the Responses API themselves, as the events that came.
 *
 * @module
 */

import { CompletionBuilder } from "./enrich/completion.ts";
import type { Chunk, Enricher } from "./enrich/chunks.ts";
import { BridgeError } from "./errors.ts";
import { gatewayError, isErrorBody } from "./gateway/errors.ts";
import { isAnswerPiece, isObject, type JsonObject, toJson } from "./json.ts";
import type { StreamTranslator } from "./relay.ts";
import type { SseEvent } from "./sse.ts";

/** The end of every whole chat stream. */
export const DONE = "data: [DONE]\n\n";

/**
 * What is told of a chat answer, whatever its chunks become: the enricher knows how far it is.
 *
 * @example
 * ```ts
 * import { Enricher } from "./enrich/chunks.ts";
 * import { ChunkTranslator } from "./translators.ts";
 *
 * class Counter extends ChunkTranslator {
 *   protected override told(chunks: readonly unknown[]): string {
 *     return `${chunks.length};`;
 *   }
 * }
 * const counter = new Counter(new Enricher({ model: "m", created: 1, makeId: () => "x" }));
 * const text = counter.event({ type: "json", value: { choices: [{ delta: { content: "hi" } }] } });
 * if (text !== "1;" || counter.ended) throw new Error("a chunk");
 * ```
 */
export abstract class ChunkTranslator implements StreamTranslator {
  /** The state of the answer. */
  protected readonly enricher: Enricher;

  /** Makes the translator of the answer whose state `enricher` is. */
  constructor(enricher: Enricher) {
    this.enricher = enricher;
  }

  /** Whether the last word was said. */
  get ended(): boolean {
    return this.enricher.ending !== undefined;
  }

  /** Whether the answer is whole. */
  get finished(): boolean {
    return this.enricher.finished;
  }

  /** The text for an event. */
  event(event: SseEvent): string {
    return this.ended ? "" : this.told(this.enricher.event(event));
  }

  /** The text for the end of the gateway's body. */
  end(cause?: unknown): string {
    return this.ended ? "" : this.told(this.enricher.end(cause));
  }

  /** The text for the next chunks. */
  protected abstract told(chunks: readonly Chunk[]): string;
}

/**
 * Chat chunks as server-sent events: `data: {…}` and a blank line each, `[DONE]` at the end of a whole
 * answer. After an error there is no `[DONE]`: a client that overlooks the error must not take the
 * stream for a whole one.
 *
 * @example
 * ```ts
 * import { Enricher } from "./enrich/chunks.ts";
 * import { ChatTranslator } from "./translators.ts";
 *
 * const enricher = new Enricher({ model: "m", created: 1, makeId: () => "x" });
 * const translator = new ChatTranslator(enricher);
 * const text = translator.event({ type: "done" });
 * if (!text.endsWith("data: [DONE]\n\n") || !translator.ended) throw new Error("the end");
 * ```
 */
export class ChatTranslator extends ChunkTranslator {
  /** The chunks' events, and the end of a whole answer. */
  protected override told(chunks: readonly Chunk[]): string {
    let text = "";
    for (const chunk of chunks) text += `data: ${toJson(chunk)}\n\n`;
    return this.enricher.ending?.type === "finished" ? text + DONE : text;
  }
}

/**
 * A chat answer for a client that doesn't stream: nothing is said on the way, and the whole of it at the
 * end. A class, because an object literal with getters holds on to what it is made of: V8 keeps the
 * getters with the shape that such objects share, and they kept requests, long answered, from the small
 * garbage collections.
 *
 * @example
 * ```ts
 * import { Enricher } from "./enrich/chunks.ts";
 * import { CompletionCollector } from "./translators.ts";
 *
 * const enricher = new Enricher({ model: "m", created: 1, makeId: () => "x" });
 * const collector = new CompletionCollector(enricher);
 * collector.event({ type: "json", value: { choices: [{ delta: { content: "hi" }, finish_reason: "stop" }] } });
 * collector.end();
 * const { object } = collector.completion();
 * if (object !== "chat.completion" || !collector.ended) throw new Error("whole");
 * ```
 */
export class CompletionCollector extends ChunkTranslator {
  readonly #builder = new CompletionBuilder();

  /** Everything that came, as one `chat.completion`. */
  completion(): JsonObject {
    return this.#builder.build();
  }

  /** Joins the chunks; the text is empty. */
  protected override told(chunks: readonly Chunk[]): string {
    if (this.enricher.ending?.type !== "failed") {
      for (const chunk of chunks) this.#builder.add(chunk);
    }
    return "";
  }
}

/** Events after which a response is over. */
const TERMINAL = new Set(["response.completed", "response.incomplete", "response.failed", "error"]);

/**
 * Events of the Responses API, reframed but otherwise untouched; a stream that breaks off gets the
 * API's own error event.
 *
 * @example
 * ```ts
 * import { ResponsesTranslator } from "./translators.ts";
 *
 * const translator = new ResponsesTranslator();
 * const text = translator.event({ type: "json", value: { type: "response.created" } });
 * if (text !== 'event: response.created\ndata: {"type":"response.created"}\n\n') throw new Error(text);
 * if (!translator.end().includes("error")) throw new Error("it broke off");
 * ```
 */
export class ResponsesTranslator implements StreamTranslator {
  readonly #secrets: readonly string[];
  #ended = false;
  #finished = false;
  /** The token counts of the last response, in the Responses API's words. */
  usage: JsonObject | undefined;
  /** The error that ended the stream, if one did. */
  error: BridgeError | undefined;

  /** Makes a translator; no error of its shows any of `secrets`. */
  constructor(secrets: readonly string[] = []) {
    this.#secrets = secrets;
  }

  /** Whether the ending was written. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Whether the response is over. */
  get finished(): boolean {
    return this.#finished;
  }

  /** The text for an event. */
  event(event: SseEvent): string {
    if (this.#ended) return "";
    if (event.type === "done") return this.end();
    if (event.type === "malformed") {
      // Half of an event is half of an answer: it isn't repeated in an error, and so not in the log.
      if (isAnswerPiece(event.text)) return this.end();
      return this.#fail(gatewayError(200, event.text, { secrets: this.#secrets }));
    }
    const { value } = event;
    if (typeof value.type !== "string" && isErrorBody(value)) {
      return this.#fail(gatewayError(200, value, { secrets: this.#secrets }));
    }
    const type = typeof value.type === "string" ? value.type : "message";
    // A further response may begin after one that is over.
    if (type === "response.created") this.#finished = false;
    if (TERMINAL.has(type)) this.#finished = true;
    if (isObject(value.response) && isObject(value.response.usage)) {
      this.usage = value.response.usage;
    }
    return `event: ${type}\ndata: ${JSON.stringify(value)}\n\n`;
  }

  /** The text for the end of the gateway's body. */
  end(cause?: unknown): string {
    if (this.#ended) return "";
    this.#ended = true;
    if (this.#finished) return "";
    return this.#fail(
      cause instanceof BridgeError ? cause : new BridgeError(
        "interrupted",
        "The gateway's stream broke off before the response was complete: it is cut off here.",
        { code: "stream_interrupted", cause },
      ),
    );
  }

  #fail(error: BridgeError): string {
    this.#ended = true;
    this.error = error;
    const { message, code, param } = error;
    return `event: error\ndata: ${JSON.stringify({ type: "error", code, message, param })}\n\n`;
  }
}
