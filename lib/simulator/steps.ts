/**
 * A stream as a list of steps, and the body that plays it: events one at a time at a model's pace,
 * pauses, breaks, and the end as soon as the client leaves.
 *
 * @module
 */

import { type Framing, FRAMINGS } from "./framings.ts";
import type { JsonObject } from "./json.ts";
import { type Directives, numberIn } from "./scenarios.ts";

/** One step of a stream. */
export type Step =
  /** An event; text stands in `data:` as it is, anything else as JSON. */
  | { readonly kind: "event"; readonly data: string | JsonObject; readonly event?: string }
  /** Nothing happens for so many milliseconds. */
  | { readonly kind: "pause"; readonly milliseconds: number }
  /** The connection breaks. */
  | { readonly kind: "break" }
  /** Nothing happens until the client leaves. */
  | { readonly kind: "hold" };

/** Waits for so many milliseconds; resolves early, without an error, when the signal aborts. */
export type Wait = (milliseconds: number, signal: AbortSignal) => Promise<void>;

/** How a stream is played. */
export interface PlayOptions {
  /** How the bytes are laid out. */
  readonly framing: Framing;
  /** Milliseconds between events. */
  readonly pace: number;
  /** How to wait. */
  readonly wait: Wait;
  /** The scenarios that the request asks for. */
  readonly directives: Directives;
  /** Ends the stream from outside. */
  readonly signal: AbortSignal;
  /** Called once: all was sent, the client left, or the connection broke on purpose. */
  readonly onEnd: (how: "finished" | "aborted" | "broken") => void;
}

/** The last event of a chat completion stream. */
export const DONE: Step = { kind: "event", data: "[DONE]" };

/** How long nothing may happen, so that a forgotten test ends: an hour, in milliseconds. */
const LONGEST_HOLD = 3_600_000;

/**
 * Waits by the clock.
 *
 * @param milliseconds How long; 0 and less return at once.
 * @param signal Ends the wait early.
 *
 * @example
 * ```ts
 * import { waitByClock } from "./steps.ts";
 *
 * await waitByClock(60_000, AbortSignal.abort());
 * ```
 */
export function waitByClock(milliseconds: number, signal: AbortSignal): Promise<void> {
  if (milliseconds <= 0 || signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, milliseconds);
    signal.addEventListener("abort", done);
  });
}

/**
 * Changes a stream as the scenarios want it: cuts, errors, pauses, a missing or doubled end. Works
 * on both dialects, because it looks only at where events stand.
 *
 * @param steps The stream as the family writes it.
 * @param directives The scenarios that the request asks for.
 * @param failure The events that stand for `failed` and `error-event` in the stream's dialect.
 * @returns The stream that is to be played.
 *
 * @example
 * ```ts
 * import { applyScenarios, DONE, type Step } from "./steps.ts";
 *
 * const steps: Step[] = [{ kind: "event", data: {} }, { kind: "event", data: {} }, DONE];
 * const cut = applyScenarios(steps, new Map([["abrupt", ""]]), { failed: {}, error: {} });
 * if (cut.length !== 1) throw new Error(`${cut.length} steps`);
 * ```
 */
export function applyScenarios(
  steps: readonly Step[],
  directives: Directives,
  failure: { readonly failed: JsonObject; readonly error: JsonObject },
): Step[] {
  if (directives.has("empty")) return [];
  let played = [...steps];
  const half = played.slice(0, Math.max(1, Math.floor(played.length / 2)));
  if (directives.has("abrupt")) played = half;
  else if (directives.has("reset")) played = [...half, { kind: "break" }];
  else if (directives.has("error-midstream")) {
    const shape = directives.get("error-midstream") || "databricks";
    played = [...half, { kind: "event", data: MIDSTREAM_ERRORS[shape] ?? MIDSTREAM_ERRORS.text }];
  } else if (directives.has("failed")) played = [...half, eventOf(failure.failed)];
  else if (directives.has("error-event")) played = [...half, eventOf(failure.error)];

  const done = played.indexOf(DONE);
  if (directives.has("no-done") && done >= 0) played.splice(done, 1);
  if (directives.has("after-done")) {
    played.push(DONE, { kind: "event", data: { choices: [{ delta: { content: "late" } }] } }, DONE);
  }
  if (directives.has("silent")) {
    const milliseconds = numberIn(directives, "silent", 20, 3600) * 1000;
    played.splice(1, 0, { kind: "pause", milliseconds });
  }
  if (directives.has("open")) played.push({ kind: "hold" });
  return played;
}

function eventOf(data: JsonObject): Step {
  return typeof data.type === "string" && data.error === undefined
    ? { kind: "event", data, event: data.type }
    : { kind: "event", data };
}

/** Errors inside a stream, in the shapes that gateway.md knows errors in. */
const MIDSTREAM_ERRORS: Readonly<Record<string, string | JsonObject>> = {
  databricks: {
    error_code: "INTERNAL_ERROR",
    message: "INTERNAL_ERROR: The server received an invalid response from an upstream server.",
  },
  openai: {
    error: {
      message: "The server had an error while processing your request. Sorry about that!",
      type: "server_error",
      param: null,
      code: null,
    },
  },
  anthropic: { type: "error", error: { type: "overloaded_error", message: "Overloaded" } },
  text: "upstream connect error or disconnect/reset before headers",
};

/**
 * Lays an event out as bytes' text.
 *
 * @param step The event.
 * @param framing How lines end and events are separated.
 * @returns The event's lines.
 */
function layOut(step: Extract<Step, { kind: "event" }>, framing: Framing): string {
  const { lineEnd } = framing;
  const colon = framing.space ? ": " : ":";
  const data = typeof step.data === "string" ? step.data : JSON.stringify(step.data);
  return (framing.comments ? `: keep-alive${lineEnd}${lineEnd}` : "") +
    (step.event ? `event${colon}${step.event}${lineEnd}` : "") +
    `data${colon}${data}${lineEnd}` + (framing.blankLine ? lineEnd : "");
}

/**
 * Plays a stream as a response body. When the reader cancels, or `signal` aborts, nothing more is
 * made and `onEnd` is called.
 *
 * @param steps What to play.
 * @param options Layout, pace, scenarios, and who is told of the end.
 * @returns The body.
 *
 * @example
 * ```ts
 * import { FRAMINGS } from "./framings.ts";
 * import { DONE, play, waitByClock } from "./steps.ts";
 *
 * const body = play([DONE], {
 *   framing: FRAMINGS.lf,
 *   pace: 0,
 *   wait: waitByClock,
 *   directives: new Map(),
 *   signal: new AbortController().signal,
 *   onEnd: () => {},
 * });
 * const text = await new Response(body).text();
 * if (text !== "data: [DONE]\n\n") throw new Error(text);
 * ```
 */
export function play(steps: readonly Step[], options: PlayOptions): ReadableStream<Uint8Array> {
  const { directives, wait } = options;
  const framing = FRAMINGS[directives.get("framing") ?? ""] ?? options.framing;
  const pace = directives.has("slow") ? Math.max(options.pace, 1) * 10 : options.pace;
  const stop = new AbortController();
  const pieces = piecesOf(steps, framing, directives);
  let ended = false;
  const end = (how: "finished" | "aborted" | "broken") => {
    if (ended) return;
    ended = true;
    options.signal.removeEventListener("abort", leave);
    stop.abort();
    options.onEnd(how);
  };
  const leave = () => end("aborted");
  if (options.signal.aborted) leave();
  else options.signal.addEventListener("abort", leave);

  let first = true;
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      for (;;) {
        if (ended) return controller.error(new DOMException("The client left", "AbortError"));
        const next = pieces.next();
        if (next.done) {
          end("finished");
          return controller.close();
        }
        const piece = next.value;
        if (piece instanceof Uint8Array) {
          if (pace > 0 && !first) await wait(pace, stop.signal);
          first = false;
          if (!ended) return controller.enqueue(piece);
        } else if (piece.kind === "break") {
          end("broken");
          return controller.error(
            new Error("The simulator broke the connection, as it was asked to"),
          );
        } else {
          await wait(piece.kind === "hold" ? LONGEST_HOLD : piece.milliseconds, stop.signal);
        }
      }
    },
    cancel: leave,
  }, { highWaterMark: 0 });
}

const ENCODER = new TextEncoder();

function* piecesOf(
  steps: readonly Step[],
  framing: Framing,
  directives: Directives,
): Generator<Uint8Array | Exclude<Step, { kind: "event" }>> {
  let text = directives.has("bom") ? "\uFEFF" : "";
  const burst = directives.has("burst");
  for (const step of steps) {
    if (step.kind === "event") {
      text += layOut(step, framing);
      if (burst) continue;
    }
    if (text !== "") yield* chunksOf(text, directives);
    text = "";
    if (step.kind !== "event") yield step;
  }
  if (text !== "") yield* chunksOf(text, directives);
}

function* chunksOf(text: string, directives: Directives): Generator<Uint8Array> {
  const bytes = ENCODER.encode(text);
  if (!directives.has("bytes")) return yield bytes;
  for (let at = 0; at < bytes.length; at++) yield bytes.subarray(at, at + 1);
}
