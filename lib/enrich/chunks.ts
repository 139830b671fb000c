/**
 * Makes the chunks of any dialect strict, so that ForgeCode reads every one of them, and ends the stream
 * as the answer ended. One {@linkcode ChunkEnricher} a
 * stream, synchronous: events in, chunks out. What must not be missing: `forgecode.md`, "The stream".
 *
 * @module
 */

import type { SseEvent } from "../dialects/dialect.ts";
import { BridgeError } from "../errors.ts";
import { gatewayError, isErrorBody } from "../gateway/errors.ts";
import { isObject, type JsonObject } from "../json.ts";
import {
  addText,
  beginChoice,
  type ChoiceState,
  type ChunkEnricherOptions,
  isEmpty,
  saysNothing,
  tell,
  whole,
} from "./choice.ts";
import { flattenContent, reasoningText } from "./content.ts";
import { fitsField, normalizeDetails } from "./fields.ts";
import { failureOf, type FinishReason, finishReasonOf } from "./finish_reason.ts";
import { callCutOff, interrupted, malformed, streamError } from "./stream_error.ts";
import { UsageNormalizer } from "./usage.ts";

/** Chunks that a client reads; the last one may be an error's event. */
export type Chunk = JsonObject;

/** The most choices of a stream. */
const MAX_CHOICES = 128;

/** How a stream ended. */
export type Ending =
  /** Its finish reason was sent. */
  | { readonly type: "finished" }
  /** An error's event was sent. */
  | { readonly type: "failed"; readonly error: BridgeError };

/**
 * The state of one stream.
 *
 * @example
 * ```ts
 * import { ChunkEnricher } from "./chunks.ts";
 *
 * const enricher = new ChunkEnricher({ model: "m", created: 1, makeId: (prefix) => `${prefix}1` });
 * const [chunk] = enricher.event({ type: "json", value: { choices: [{ delta: { content: "hi" } }] } });
 * if (chunk.id !== "chatcmpl-1" || chunk.model !== "m") throw new Error("complete");
 * enricher.event({ type: "done" });
 * if (enricher.ending?.type !== "finished") throw new Error("`[DONE]` ends it");
 * ```
 */
export class ChunkEnricher {
  readonly #options: ChunkEnricherOptions;
  readonly #usage = new UsageNormalizer();
  readonly #choices: ChoiceState[] = [];
  #id: string | undefined;
  #created: number | undefined;
  #ending: Ending | undefined;
  /** Whether any part of the answer has been sent, reasoning included. */
  #spoken = false;
  /** Whether the gateway sent a complete answer rather than deltas. */
  #whole = false;

  /** Begins a stream, with what it is enriched with. */
  constructor(options: ChunkEnricherOptions) {
    this.#options = options;
  }

  /** How the stream ended, once it has. Events after that give nothing. */
  get ending(): Ending | undefined {
    return this.#ending;
  }

  /** The last complete token counts, for the log. */
  get usage(): JsonObject | undefined {
    return this.#usage.last;
  }

  /** Whether every choice that began has its finish reason: the gateway may close now. */
  get finished(): boolean {
    return this.#choices.length > 0 && this.#choices.every((choice) => choice.reason !== undefined);
  }

  /** Whether the answer has text, a refusal or a tool call; reasoning does not count. */
  get spoke(): boolean {
    return this.#choices.some((choice) => choice.spoke || choice.refused || choice.calls.any);
  }

  /** The first finish reason, for the log and the runaway guard. */
  get finishReason(): FinishReason | undefined {
    return this.#choices[0]?.reason;
  }

  /**
   * Takes the next event.
   *
   * @param event From the gateway.
   * @returns The chunks to send now; an error's event ends the stream.
   */
  event(event: SseEvent): Chunk[] {
    if (this.#ending !== undefined) return [];
    switch (event.type) {
      case "json":
        return this.#object(event.value);
      case "done":
        return this.#finish();
      case "malformed":
        return this.#fail(malformed(event.text, this.#options.secrets));
    }
  }

  /**
   * The gateway's body has ended.
   *
   * @param cause Why, where it broke off; undefined where it was closed.
   * @returns The chunks that are still to be sent: what was held, or the error's event. Never an invented ending.
   */
  end(cause?: unknown): Chunk[] {
    if (this.#ending !== undefined) return [];
    if (this.finished || (this.#whole && cause === undefined)) return this.#finish();
    if (cause instanceof BridgeError) return this.#fail(cause);
    return this.#fail(interrupted(cause));
  }

  #object(value: JsonObject): Chunk[] {
    const { decoder } = this.#options;
    if (decoder === undefined) return this.#chunk(value);
    const out: Chunk[] = [];
    for (const chunk of decoder.event(value)) {
      if (this.#ending === undefined) out.push(...this.#chunk(chunk));
    }
    return out;
  }

  /** One chunk of any family's. */
  #chunk(raw: JsonObject): Chunk[] {
    if (isErrorBody(raw)) return this.#fail(this.#gatewayError(raw));
    const {
      id,
      object: _object,
      created,
      model: _model,
      choices,
      usage,
      delta,
      error: _error,
      ...rest
    } = raw;
    this.#id ??= typeof id === "string" && id !== "" ? id : undefined;
    this.#created ??= Number.isSafeInteger(created) && (created as number) >= 0
      ? created as number
      : undefined;

    const given = Array.isArray(choices) ? choices : [];
    // ChatAgent endpoints: empty choices, and the delta at the top.
    const rawChoices = given.length === 0 && isObject(delta)
      ? [{ delta, finish_reason: raw.finish_reason ?? null }]
      : given;
    const out: JsonObject[] = [];
    for (let at = 0; at < rawChoices.length; at++) {
      const rawChoice: unknown = rawChoices[at];
      if (!isObject(rawChoice)) continue;
      const failure = failureOf(rawChoice);
      if (failure) return this.#fail(this.#gatewayError(failure));
      const choice = this.#choice(rawChoice, at);
      if (choice) out.push(choice);
      if (this.#ending !== undefined) return this.#failWith(out);
    }
    const counts = this.#usage.normalize(usage);
    if (out.length === 0 && counts === undefined && (rawChoices.length > 0 || isEmpty(rest))) {
      return [];
    }
    return [this.#envelope(out, counts, rest)];
  }

  #envelope(choices: JsonObject[], usage: JsonObject | undefined, rest?: JsonObject): Chunk {
    const chunk: Chunk = {
      id: this.#id ??= this.#options.makeId("chatcmpl-"),
      object: "chat.completion.chunk",
      created: this.#created ??= this.#options.created,
      model: this.#options.model,
      choices,
    };
    if (usage !== undefined) chunk.usage = usage;
    for (const name in rest) {
      if (name !== "__proto__" && fitsField(name, rest[name])) chunk[name] = rest[name];
    }
    return chunk;
  }

  #state(index: unknown, position: number): ChoiceState {
    const at = Number.isInteger(index) && (index as number) >= 0 && (index as number) < MAX_CHOICES
      ? index as number
      : Math.min(position, MAX_CHOICES - 1);
    let state = this.#choices.find((choice) => choice.index === at);
    if (state === undefined) {
      state = beginChoice(at, this.#options);
      this.#choices.push(state);
    }
    return state;
  }

  /** One choice, normalized; undefined where there is nothing to send. */
  #choice(raw: JsonObject, position: number): JsonObject | undefined {
    const { index, delta, message, text, finish_reason, error: _error, ...rest } = raw;
    const state = this.#state(index, position);
    const rawDelta = isObject(delta) ? delta : isObject(message) ? message : { content: text };
    const normalized = this.#delta(rawDelta, state);
    this.#whole ||= isObject(message);
    const reason = this.#reason(finish_reason, state);
    if (reason !== undefined) this.#flush(state, normalized);
    if (reason === undefined && state.role && saysNothing(normalized, rest, state)) {
      return undefined;
    }
    const said = state.role ? normalized : { role: "assistant", ...normalized };
    state.role = true;
    this.#spoken ||= Object.values(normalized).some((value) => value !== "" && value !== null);
    return { index: state.index, delta: said, finish_reason: reason ?? null, ...rest };
  }

  /** A delta whose fields have the types that clients expect. */
  #delta(raw: JsonObject, state: ChoiceState): JsonObject {
    const normalized: JsonObject = {};
    for (const name in raw) {
      const value = raw[name];
      if (value === undefined) continue;
      switch (name) {
        case "role":
        case "__proto__":
          break;
        case "content":
          this.#content(value, normalized, state);
          break;
        case "reasoning":
          // Some gateways send the same text under both names.
          if (typeof raw.reasoning_content === "string" && raw.reasoning_content !== "") break;
          if (value !== null) addText(normalized, name, whole(state, name, reasoningText(value)));
          break;
        case "reasoning_content":
          if (value !== null) addText(normalized, name, whole(state, name, reasoningText(value)));
          break;
        case "refusal":
          if (typeof value !== "string") break;
          addText(normalized, name, whole(state, name, value));
          state.refused ||= value !== "";
          break;
        case "reasoning_details": {
          const details = normalizeDetails(value);
          if (details.length > 0) normalized.reasoning_details = details;
          state.thinking?.add(details);
          break;
        }
        case "tool_calls": {
          const fragments = Array.isArray(value) ? state.calls.push(value) : [];
          if (fragments.length > 0) normalized.tool_calls = fragments;
          break;
        }
        default:
          if (fitsField(name, value)) normalized[name] = value;
      }
    }
    // Without the tool calls, which are held back, the null would be an empty delta.
    if (normalized.content === null && raw.tool_calls && !normalized.tool_calls) {
      delete normalized.content;
    }
    return normalized;
  }

  #content(value: unknown, normalized: JsonObject, state: ChoiceState): void {
    if (value === null) {
      normalized.content = null;
      return;
    }
    const flat = typeof value === "string" ? { content: value } : flattenContent(value);
    if (flat.content !== undefined) {
      state.spoke ||= flat.content !== "";
      const text = whole(state, "content", flat.content);
      if (state.fence === undefined) normalized.content = text;
      else addText(normalized, "content", state.fence.push(text));
    }
    if (flat.reasoning !== undefined) {
      addText(normalized, "reasoning_content", whole(state, "reasoning_content", flat.reasoning));
    }
    if (flat.details) {
      const details = normalizeDetails(flat.details);
      normalized.reasoning_details = details;
      state.thinking?.add(details);
    }
  }

  /** The finish reason to send now; undefined where there is none, it was sent, or it must wait. */
  #reason(value: unknown, state: ChoiceState): FinishReason | undefined {
    if (typeof value !== "string" || value === "") return undefined;
    const known = finishReasonOf(value);
    state.reason = known;
    // "tool_calls" before any call: one may still come; otherwise the stream ends with "stop".
    if (known === "tool_calls" && !state.calls.any) return undefined;
    const name = state.told ? undefined : state.calls.cutOff(known !== "length");
    if (name !== undefined) {
      this.#ending = { type: "failed", error: this.#cutOff(name, known) };
      return undefined;
    }
    return tell(state);
  }

  /** Adds the held text and tool calls of a choice to its last delta. */
  #flush(state: ChoiceState, delta: JsonObject): void {
    const content = state.fence?.end();
    if (content) addText(delta, "content", content);
    const fragments = state.calls.end();
    if (fragments.length > 0) {
      delta.tool_calls = [...(delta.tool_calls as JsonObject[] | undefined) ?? [], ...fragments];
    }
  }

  /** Ends the stream: sends what is held, and a finish reason for every choice that has none yet. */
  #finish(): Chunk[] {
    if (this.#choices.length === 0) this.#state(0, 0);
    const choices: JsonObject[] = [];
    for (const state of this.#choices) {
      const delta: JsonObject = state.role ? {} : { role: "assistant" };
      const name = state.told ? undefined : state.calls.cutOff(state.reason !== "length");
      if (name !== undefined) return this.#fail(this.#cutOff(name, state.reason));
      state.reason ??= "stop";
      this.#flush(state, delta);
      const reason = tell(state);
      if (reason === undefined && isEmpty(delta)) continue;
      state.role = true;
      choices.push({ index: state.index, delta, finish_reason: reason ?? null });
    }
    const usage = this.#usage.rest();
    this.#ending = { type: "finished" };
    return choices.length === 0 && usage === undefined ? [] : [this.#envelope(choices, usage)];
  }

  #fail(error: BridgeError): Chunk[] {
    this.#ending = { type: "failed", error: streamError(error, this.#spoken) };
    return [];
  }

  /** The chunk with the choices that came before the one that failed. */
  #failWith(choices: JsonObject[]): Chunk[] {
    return choices.length > 0 ? [this.#envelope(choices, undefined)] : [];
  }

  #cutOff(name: string, reason: FinishReason | undefined): BridgeError {
    const written = this.#usage.last?.completion_tokens;
    const tokens = typeof written === "number" && written > 0 ? written : this.#options.maxTokens;
    return callCutOff(name, reason === "length", tokens);
  }

  #gatewayError(body: JsonObject): BridgeError {
    return gatewayError(200, body, { secrets: this.#options.secrets });
  }
}
