/**
 * Server-sent events for the page: requests that ended, and twice a second those that run. Nothing is
 * made while nobody listens.
 *
 * @module
 */

import type { RequestLog, RequestRecord } from "../record.ts";

/** Time between two events, in milliseconds. */
const TICK = 500;
/** Ticks between two comments that keep a connection open: 15 s. */
const HEARTBEAT = 30;
/** The most listeners at once. */
const MAX_LISTENERS = 20;
/** Bytes that may wait for a listener; one that reads slower is let go, and comes back by itself. */
const MAX_WAITING = 1_048_576;
/** The most records of one event; a page that misses some finds them in `/api/requests`. */
const MAX_BATCH = 200;

type Controller = ReadableStreamDefaultController<Uint8Array>;

/** The listeners of one program. */
export class EventHub {
  readonly #requests: RequestLog;
  readonly #tick: number;
  readonly #listeners = new Set<Controller>();
  readonly #encoder = new TextEncoder();
  #ended: RequestRecord[] = [];
  #unsubscribe: (() => void) | undefined;
  #timer: ReturnType<typeof setInterval> | undefined;
  #ticks = 0;
  #ran = false;
  #closed = false;

  /**
   * Makes a hub without listeners.
   *
   * @param requests What is told of.
   * @param tick Time between two events, in milliseconds.
   */
  constructor(requests: RequestLog, tick = TICK) {
    this.#requests = requests;
    this.#tick = tick;
  }

  /** How many listen. */
  get listeners(): number {
    return this.#listeners.size;
  }

  /** The events for one more listener; undefined where there are too many, or it is over. */
  open(): ReadableStream<Uint8Array> | undefined {
    if (this.#closed || this.#listeners.size >= MAX_LISTENERS) return undefined;
    let own: Controller;
    return new ReadableStream<Uint8Array>({
      start: (controller) => {
        own = controller;
        this.#listeners.add(controller);
        controller.enqueue(this.#encoder.encode("retry: 2000\n\n"));
        this.#ran = true;
        this.#begin();
      },
      cancel: () => this.#remove(own),
    }, new ByteLengthQueuingStrategy({ highWaterMark: MAX_WAITING }));
  }

  /** Ends every listener's events, and takes no more. */
  close(): void {
    this.#closed = true;
    for (const controller of this.#listeners) this.#end(controller);
  }

  #begin(): void {
    if (this.#timer !== undefined) return;
    this.#unsubscribe = this.#requests.subscribe((record) => {
      if (this.#ended.length < MAX_BATCH) this.#ended.push(record);
    });
    this.#timer = setInterval(() => this.#send(), this.#tick);
  }

  #send(): void {
    let text = "";
    if (this.#ended.length > 0) {
      text += event("requests", this.#ended);
      this.#ended = [];
    }
    const running = this.#requests.running();
    // That nothing runs any more is told once.
    if (running.length > 0 || this.#ran) text += event("running", running);
    this.#ran = running.length > 0;
    if (++this.#ticks % HEARTBEAT === 0 && text === "") text = ":\n\n";
    if (text === "") return;
    const bytes = this.#encoder.encode(text);
    for (const controller of this.#listeners) {
      if ((controller.desiredSize ?? 0) < bytes.length) this.#end(controller);
      else controller.enqueue(bytes);
    }
  }

  #end(controller: Controller): void {
    try {
      controller.close();
    } catch {
      // It has left already.
    }
    this.#remove(controller);
  }

  #remove(controller: Controller): void {
    this.#listeners.delete(controller);
    if (this.#listeners.size > 0) return;
    clearInterval(this.#timer);
    this.#unsubscribe?.();
    this.#timer = this.#unsubscribe = undefined;
    this.#ended = [];
  }
}

function event(name: string, data: unknown): string {
  return `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;
}
