/**
 * A Responses stream of the gateway's for a client of the Responses API: the same answer, in a stream that
 * the strictest client reads (`clients.md`). What is broken is repaired; what is missing is a failure.
 *
 * @module
 */

import type { BridgeError } from "../../errors.ts";
import { gatewayError, isErrorBody } from "../../gateway/errors.ts";
import { isAnswerPiece, type JsonObject } from "../../json.ts";
import type { DialectContext, SseEvent, StreamCore, StreamOutcome } from "../dialect.ts";
import { isResponsesBody } from "./body.ts";
import { isResponsesEvent } from "./events.ts";
import { brokenOff, failureOf, unfinished } from "./failure.ts";
import { NormalizerReader } from "./normalizer_reader.ts";
import { asObject } from "./read.ts";
import { HEARTBEAT } from "./writer.ts";

/**
 * Makes a Responses stream strict; one for each stream. Between `response.completed` and the end of the
 * gateway's body another response may come, so the ending is written at the end of the body, at `[DONE]`,
 * or when {@linkcode end} is called because the body stays open.
 */
export class ResponsesNormalizer implements StreamCore {
  readonly #context: DialectContext;
  readonly #reader: NormalizerReader;
  #ended = false;
  #error: BridgeError | undefined;

  /** Makes the normalizer of one stream. */
  constructor(context: DialectContext) {
    this.#context = context;
    this.#reader = new NormalizerReader(context);
  }

  /** What keeps a silent connection open: a comment. */
  readonly heartbeat: string = HEARTBEAT;

  /** Whether the ending was written. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Whether the response is complete, though the gateway's stream may still be open. */
  get finished(): boolean {
    return this.#ended || this.#reader.ending !== undefined;
  }

  /** The whole response, once the stream has ended: the answer of a request that asked for no stream. */
  get answer(): JsonObject | undefined {
    return this.#reader.writer.response;
  }

  /** How it ended, or how far it is. */
  get outcome(): StreamOutcome {
    const { ending, calls, spoke, usage } = this.#reader;
    const reason = ending === undefined
      ? undefined
      : ending.status === "incomplete"
      ? asObject(ending.response.incomplete_details).reason === "content_filter"
        ? "content_filter"
        : "length"
      : calls > 0
      ? "tool_calls"
      : "stop";
    return {
      finishReason: this.#error === undefined ? reason : undefined,
      usage,
      error: this.#error,
      spoke,
    };
  }

  /** The text for an event. */
  event(event: SseEvent): string {
    if (this.#ended) return "";
    if (event.type === "done") return this.end();
    const { secrets } = this.#context;
    if (event.type === "malformed") {
      // A piece of an event is a piece of the answer: it must not get into an error, and so into the log.
      if (isAnswerPiece(event.text)) return this.#fail(brokenOff());
      return this.#fail(gatewayError(200, event.text, { secrets }));
    }
    const { value } = event;
    if (isResponsesEvent(value)) return this.#read(value);
    if (isResponsesBody(value)) return this.#whole(value);
    if (isErrorBody(value)) return this.#fail(gatewayError(200, value, { secrets }));
    // A trace id, a keep-alive, a ping: not part of this dialect.
    return "";
  }

  #read(event: JsonObject): string {
    this.#reader.read(event);
    const { error } = this.#reader;
    return error === undefined ? this.#reader.writer.take() : this.#fail(error);
  }

  /** The text for a plain answer to a request for a stream. */
  #whole(response: JsonObject): string {
    if (response.status === "queued" || response.status === "in_progress") {
      return this.#fail(unfinished(response.status));
    }
    return this.#read({ type: "response.completed", response });
  }

  /** The text for the end of the gateway's body. */
  end(cause?: unknown): string {
    if (this.#ended) return "";
    const { ending } = this.#reader;
    if (ending === undefined) return this.#fail(brokenOff(cause));
    const broken = this.#reader.settle(ending.status);
    if (broken !== undefined) return this.#fail(broken);
    this.#ended = true;
    const { writer, usage } = this.#reader;
    const reason = asObject(ending.response.incomplete_details).reason;
    writer.end(ending.status, usage, {
      reason: typeof reason === "string" ? reason : "max_output_tokens",
    });
    return writer.take();
  }

  #fail(error: BridgeError): string {
    this.#ended = true;
    this.#error = error;
    const { writer, usage } = this.#reader;
    writer.fail(failureOf(error, writer.begun), usage);
    return writer.take();
  }
}
