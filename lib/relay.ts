/**
 * Carries a stream from the gateway to the client: reads events as they arrive, has them translated,
 * and writes what is to be written in one piece. Time lives here: comment lines while the gateway is
 * silent, an end to a silence that lasts too long, and to the gateway's request when the client leaves.
 *
 * @module
 */

import { alarm } from "./alarm.ts";
import { BridgeError } from "./errors.ts";
import type { Pieces } from "./http1/reply.ts";
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

/**
 * The body of the answer to a streaming request. It reads from the gateway only when a piece is asked
 * for, and so no faster than the client.
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
 * const pieces = relay(eventReader(body), translator, { heartbeat: 0, idle: 0, abort: () => {} });
 * if (await pieces.next() !== "json\n") throw new Error("an event");
 * if (await pieces.next() !== "end" || !pieces.over) throw new Error("the last word");
 * ```
 */
export function relay(
  reader: EventReader,
  translator: StreamTranslator,
  options: RelayOptions,
): Pieces {
  return new Relay(reader, translator, options);
}

interface Asked {
  readonly resolve: (piece: string | undefined) => void;
  readonly reject: (cause: unknown) => void;
}

class Relay implements Pieces {
  readonly #reader: EventReader;
  readonly #translator: StreamTranslator;
  readonly #options: RelayOptions;
  #lastRead = performance.now();
  #lastWrite = this.#lastRead;
  /** Whether the gateway's next events are waited for. */
  #reading = false;
  /** Whoever waits for the next piece. */
  #asked: Asked | undefined;
  /** A piece that came when nobody waited for it; the next one is not read before it was taken. */
  #text = "";
  /** What made the body break off, until somebody was told. */
  #failure: { readonly cause: unknown } | undefined;
  #begun = false;
  #over = false;
  #callOff = () => {};

  constructor(reader: EventReader, translator: StreamTranslator, options: RelayOptions) {
    this.#reader = reader;
    this.#translator = translator;
    this.#options = options;
    this.#watch();
  }

  get over(): boolean {
    return this.#over && this.#text === "" && this.#failure === undefined;
  }

  next(): Promise<string | undefined> {
    if (this.#text !== "" || this.#over) return this.#left();
    return new Promise((resolve, reject) => {
      this.#asked = { resolve, reject };
      if (!this.#reading) this.#read();
    });
  }

  /** What nobody has taken yet. */
  #left(): Promise<string | undefined> {
    const text = this.#text;
    this.#text = "";
    if (text !== "") return Promise.resolve(text);
    const failure = this.#failure;
    this.#failure = undefined;
    return failure ? Promise.reject(failure.cause) : Promise.resolve(undefined);
  }

  cancel(): void {
    if (this.#over) return;
    this.#close(true);
    this.#giveUp(new DOMException("The client left.", "AbortError"));
    this.#give("");
  }

  #read(): void {
    this.#reading = true;
    this.#reader.read().then(this.#take, this.#break);
  }

  readonly #take = (events: SseEvent[] | undefined): void => {
    this.#reading = false;
    if (this.#over) return;
    this.#lastRead = performance.now();
    try {
      if (events === undefined) this.#finish();
      else this.#carry(events);
    } catch (cause) {
      if (this.#over) this.#fail(cause);
      else this.#break(cause);
    }
  };

  #carry(events: SseEvent[]): void {
    let text = "";
    for (const event of events) text += this.#translator.event(event);
    if (this.#translator.ended) {
      this.#last(text);
      void drain(this.#reader, this.#giveUp);
    } else if (text !== "") {
      this.#begin();
      this.#give(text);
    } else if (this.#asked) this.#read();
  }

  readonly #break = (cause: unknown): void => {
    this.#reading = false;
    // It was ended from this side, and the read with it.
    if (this.#over) return;
    try {
      this.#finish(cause);
      this.#giveUp(cause);
    } catch (failure) {
      this.#fail(failure);
    }
  };

  /** There isn't even a last word: the body breaks off, and the gateway's request ends. */
  #fail(cause: unknown): void {
    this.#over = true;
    this.#callOff();
    this.#giveUp(cause);
    const asked = this.#asked;
    this.#asked = undefined;
    if (asked) asked.reject(cause);
    else this.#failure = { cause };
  }

  /** Ends the gateway's request: from both ends, because Deno may have lost the tie between signal and body. */
  readonly #giveUp = (reason: unknown): void => {
    this.#options.abort(reason);
    this.#reader.cancel(reason).catch(() => {});
  };

  /** Ends the stream from our side: with the last words, and without waiting for the gateway. */
  #finish(cause?: unknown): void {
    this.#last(this.#translator.end(cause));
  }

  /** The last words: nothing comes behind them. */
  #last(text: string): void {
    if (text !== "") this.#begin();
    this.#close(false);
    this.#give(text);
  }

  #begin(): void {
    this.#lastWrite = performance.now();
    if (this.#begun) return;
    this.#begun = true;
    this.#options.onFirst?.();
  }

  #close(clientLeft: boolean): void {
    this.#over = true;
    this.#callOff();
    this.#options.onEnd?.(clientLeft);
  }

  #give(text: string): void {
    const asked = this.#asked;
    this.#asked = undefined;
    if (asked) asked.resolve(text === "" ? undefined : text);
    else this.#text += text;
  }

  /** Looks now and then at how long it has been silent, not timed to the chunk: what is watched for is far apart. */
  #watch(): void {
    const { heartbeat, idle } = this.#options;
    const shortest = Math.min(heartbeat || LINGER, idle || LINGER, LINGER);
    this.#callOff = alarm(Math.max(5, shortest / 4), () => {
      try {
        this.#look(performance.now());
      } catch (cause) {
        this.#fail(cause);
      }
      if (!this.#over) this.#watch();
    });
  }

  #look(now: number): void {
    const { heartbeat, idle, waiting } = this.#options;
    if (waiting?.()) this.#lastRead = now;
    if (this.#translator.finished && now - this.#lastRead >= LINGER) {
      this.#finish();
      this.#giveUp("the answer is whole");
    } else if (idle > 0 && now - this.#lastRead >= idle) {
      this.#finish(silence(idle));
      this.#giveUp("idle");
    } else if (this.#asked && heartbeat > 0 && now - this.#lastWrite >= heartbeat) {
      this.#lastWrite = now;
      this.#give(HEARTBEAT);
    }
  }
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
