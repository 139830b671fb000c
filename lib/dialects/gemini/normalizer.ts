/**
 * Gemini streams of the gateway's for clients of that very dialect: they pass, and every one ends with a
 * finish reason.
 *
 * @module
 */

import { BridgeError } from "../../errors.ts";
import { gatewayError, isErrorBody } from "../../gateway/errors.ts";
import { isAnswerPiece, isObject, type JsonObject, toJson } from "../../json.ts";
import type { DialectContext, SseEvent, StreamCore, StreamOutcome } from "../dialect.ts";
import { decodeReason, isGemini } from "./decoder.ts";
import { BLANK } from "./encoder.ts";
import { errorEvent, silentEnding } from "./error.ts";
import { partsOf, textOf } from "./request.ts";
import { decodeUsage } from "./usage.ts";

/** Normalizes one stream; see {@linkcode StreamCore}. */
export class GeminiNormalizer implements StreamCore {
  readonly #context: DialectContext;
  readonly #parts: JsonObject[] = [];
  #last: JsonObject = {};
  #reason: string | undefined;
  #usage: JsonObject | undefined;
  #error: BridgeError | undefined;
  #ended = false;
  /** Whether the answer's only words are the bridge's own, about its end. */
  #silent = false;

  /** Makes the normalizer of one stream. */
  constructor(context: DialectContext) {
    this.#context = context;
  }

  /** What keeps a silent connection open. */
  readonly heartbeat: string = BLANK;

  /** Whether the stream has ended and produces no more output. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Whether the answer is complete, though the gateway's stream may still be open. */
  get finished(): boolean {
    return this.#reason !== undefined;
  }

  /** The whole answer. */
  get answer(): JsonObject | undefined {
    if (this.#reason === undefined) return undefined;
    const [candidate] = this.#last.candidates as JsonObject[];
    return {
      ...this.#last,
      candidates: [
        this.#silent ? candidate : { ...candidate, content: { role: "model", parts: this.#parts } },
      ],
    };
  }

  /** How it ended, or how far it is. */
  get outcome(): StreamOutcome {
    return {
      finishReason: this.#reason,
      usage: this.#usage,
      error: this.#error,
      spoke: this.#parts.some((part) => part.thought !== true),
    };
  }

  /** The text for an event. */
  event(event: SseEvent): string {
    if (this.#ended) return "";
    const { secrets, model } = this.#context;
    if (event.type === "done") return this.end();
    if (event.type === "malformed") {
      // A piece of an event is a piece of the answer: it must not get into an error, and so into the log.
      if (!isAnswerPiece(event.text)) return this.#fail(gatewayError(200, event.text, { secrets }));
      return this.#reason === undefined ? this.#fail(brokenOff()) : this.end();
    }
    const { value } = event;
    if (!isGemini(value)) {
      return isErrorBody(value) ? this.#fail(gatewayError(200, value, { secrets })) : "";
    }
    if (isObject(value.error)) {
      const { error, ...rest } = value;
      const [half] = candidatesOf(rest);
      // Beside an error the finish reason does not count: the error ended the answer.
      const told = half && half.finishReason === undefined ? this.#tell(rest, model) : "";
      return told + this.#fail(gatewayError(200, { error }, { secrets }));
    }
    return this.#tell(value, model);
  }

  #tell(value: JsonObject, model: string): string {
    let [candidate] = candidatesOf(value);
    const blocked = isObject(value.promptFeedback) ? textOf(value.promptFeedback.blockReason) : "";
    const google = textOf(candidate?.finishReason) || blocked;
    const parts = partsOf(candidate?.content);
    this.#parts.push(...parts);
    this.#usage = decodeUsage(value.usageMetadata) ?? this.#usage;
    this.#reason ??= decodeReason(google);
    const told: JsonObject = { ...value, modelVersion: model };
    if (this.#parts.length === 0 && !this.#silent) {
      const words = silentEnding(google);
      if (words !== undefined) {
        this.#silent = true;
        candidate = {
          index: 0,
          ...candidate,
          content: { role: "model", parts: [words] },
          finishReason: google,
        };
        told.candidates = [candidate];
      }
    }
    this.#last = candidate ? told : { ...told, candidates: [{ index: 0 }] };
    return `data: ${toJson(told)}\n\n`;
  }

  /** The text for the end of the gateway's body. */
  end(cause?: unknown): string {
    if (this.#ended) return "";
    if (this.#reason === undefined) return this.#fail(brokenOff(cause));
    this.#ended = true;
    return "";
  }

  #fail(error: BridgeError): string {
    this.#ended = true;
    this.#error = error;
    return errorEvent(error);
  }
}

function candidatesOf({ candidates }: JsonObject): JsonObject[] {
  return Array.isArray(candidates) ? candidates.filter(isObject) : [];
}

/** The gateway's body ended before the answer did. */
function brokenOff(cause?: unknown): BridgeError {
  if (cause instanceof BridgeError) return cause;
  return new BridgeError(
    "interrupted",
    "The gateway's stream broke off before the answer was complete: it is cut off here. Ask again if you need the rest.",
    { code: "stream_interrupted", cause },
  );
}
