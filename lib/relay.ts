/**
 * Carries a stream from the gateway to the client: reads events as they arrive, has them translated,
 * and writes what is to be written in one piece. Time lives here: comment lines while the gateway is
 * silent, an end to a silence that lasts too long, and to the gateway's request when the client leaves.
 *
 * @module
 */

import { alarm } from "./alarm.ts";
import { BridgeError } from "./errors.ts";
import type { EventReader, SseEvent } from "./sse.ts";

/** Turns events into the text that the client gets. One a stream; synchronous. */
export interface StreamTranslator {
  /** The text for an event; may be empty. */
  event(event: SseEvent): string;
  /** The text for the end of the gateway's body; the cause is there where it broke off. */
  end(cause?: unknown): string;
  /** Whether the last word was said: nothing more will be written. */
  readonly ended: boolean;
  /** Whether the answer is whole, though the gateway's stream may still be open. */
  readonly finished: boolean;
}

/** How a stream is carried. Times in milliseconds. */
export interface RelayOptions {
  /** Silence towards the client after which a comment line is written; 0 for none. */
  readonly heartbeat: number;
  /** Silence of the gateway's after which the stream is given up; 0 for never. */
  readonly idle: number;
  /** Whether the gateway has not begun to answer; its silence is then somebody else's to end. @default {() => false} */
  readonly waiting?: () => boolean;
  /** Ends the gateway's request. */
  readonly abort: (reason: unknown) => void;
  /** Told once, when the first bytes of the answer go out. */
  readonly onFirst?: () => void;
  /** Told once, when the stream is over: whole, failed, or because the client left. */
  readonly onEnd?: (clientLeft: boolean) => void;
}

/** A comment line: a client's parser skips it, and everything in between stays awake. */
export const HEARTBEAT = ": fd-bridge keeps the connection open\n\n";

/** How long a whole answer's stream may stay open without `[DONE]` before the bridge ends it. */
const LINGER = 2_000;

/** How long the rest of the gateway's body is read, so that its connection can be used again. */
const DRAIN = 1_000;

/** How many pieces may wait for a client that reads slowly; then reading from the gateway waits too. */
const QUEUE = 16 * 1024;

const encoder = new TextEncoder();

/**
 * The body of the answer to a streaming request.
 *
 * @param reader The gateway's events.
 * @param translator Makes text of them.
 * @param options Times, and whom to tell.
 *
 * @example
 * ```ts
 * import { relay } from "./relay.ts";
 * import { eventReader } from "./sse.ts";
 *
 * let text = "";
 * const translator = {
 *   ended: false,
 *   finished: false,
 *   event: (event: { type: string }) => event.type + "\n",
 *   end() {
 *     this.ended = true;
 *     return "end";
 *   },
 * };
 * const body = new Blob(["data: {}\n\n"]).stream();
 * const options = { heartbeat: 0, idle: 0, abort: () => {} };
 * text = await new Response(relay(eventReader(body), translator, options)).text();
 * if (text !== "json\nend") throw new Error(text);
 * ```
 */
export function relay(
  reader: EventReader,
  translator: StreamTranslator,
  options: RelayOptions,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  let lastRead = performance.now();
  let lastWrite = lastRead;
  let over = false;
  let begun = false;
  let callOff = () => {};

  function close(clientLeft: boolean): void {
    if (over) return;
    over = true;
    callOff();
    options.onEnd?.(clientLeft);
  }

  /** Ends the gateway's request: from both ends, because Deno may have lost the tie between signal and body. */
  function giveUp(reason: unknown): void {
    options.abort(reason);
    reader.cancel(reason).catch(() => {});
  }

  function write(
    controller: ReadableStreamDefaultController<Uint8Array<ArrayBuffer>>,
    text: string,
  ): void {
    if (text === "") return;
    if (!begun) {
      begun = true;
      options.onFirst?.();
    }
    lastWrite = performance.now();
    controller.enqueue(encoder.encode(text));
  }

  /** Ends the stream from our side: with the last words, and without waiting for the gateway. */
  function finish(
    controller: ReadableStreamDefaultController<Uint8Array<ArrayBuffer>>,
    cause?: unknown,
  ): void {
    if (over) return;
    write(controller, translator.end(cause));
    close(false);
    controller.close();
  }

  return new ReadableStream<Uint8Array<ArrayBuffer>>({
    start(controller) {
      // Looked at now and then, not timed to the chunk: what is watched for is far apart.
      const shortest = Math.min(options.heartbeat || LINGER, options.idle || LINGER, LINGER);
      const look = () => {
        const now = performance.now();
        callOff = alarm(Math.max(5, shortest / 4), look);
        if (options.waiting?.()) lastRead = now;
        if (translator.finished && now - lastRead >= LINGER) {
          finish(controller);
          giveUp("the answer is whole");
        } else if (options.idle > 0 && now - lastRead >= options.idle) {
          finish(controller, silence(options.idle));
          giveUp("idle");
        } else if (options.heartbeat > 0 && now - lastWrite >= options.heartbeat) {
          lastWrite = now;
          controller.enqueue(encoder.encode(HEARTBEAT));
        }
      };
      callOff = alarm(Math.max(5, shortest / 4), look);
    },
    async pull(controller) {
      try {
        // Reading goes on until the queue is full: a turn of pull costs more than a read.
        while (!over && (controller.desiredSize ?? 0) > 0) {
          const events = await reader.read();
          if (over) return;
          lastRead = performance.now();
          if (events === undefined) return finish(controller);
          let text = "";
          for (const event of events) text += translator.event(event);
          write(controller, text);
          if (translator.ended) {
            close(false);
            controller.close();
            void drain(reader, giveUp);
            return;
          }
        }
      } catch (cause) {
        // It was ended from this side, and the read with it.
        if (over) return;
        finish(controller, cause);
        giveUp(cause);
      }
    },
    cancel() {
      close(true);
      giveUp(new DOMException("The client left.", "AbortError"));
    },
  }, new ByteLengthQueuingStrategy({ highWaterMark: QUEUE }));
}

/**
 * What a gateway's silence in the middle of an answer is told as.
 *
 * @param time How long it was silent, in milliseconds.
 *
 * @example
 * ```ts
 * import { silence } from "./relay.ts";
 *
 * if (silence(300_000).status !== 504) throw new Error("a timeout");
 * ```
 */
export function silence(time: number): BridgeError {
  return new BridgeError(
    "timeout",
    `The gateway was silent for ${
      time / 1000
    } s in the middle of the answer: it is cut off here. Ask again, or allow more with --idle-timeout.`,
    { code: "idle_timeout" },
  );
}

/** Reads a body to its end for a moment, so that the connection can be kept; what is still open then is ended. */
async function drain(reader: EventReader, abort: (reason: unknown) => void): Promise<void> {
  const callOff = alarm(DRAIN, () => abort("the answer is over"));
  try {
    // Bounded by the timer: a body that goes on and on ends with it.
    while (await reader.read() !== undefined) continue;
  } catch {
    // It is over either way, and the client has its answer.
  } finally {
    callOff();
  }
}
