/**
 * Bodies as their readers want them: piece by piece, or as a stream.
 *
 * @module
 */

import type { Body } from "./body.ts";

/** What a read asks for where its reader brings no buffer along. */
const PIECE = 16 * 1024;

/** Who is told what becomes of a body. */
export interface BodyEvents {
  /** All of it was read. */
  readonly onComplete?: () => void;
  /** It can't be read to its end: it broke off, or nobody wants the rest. */
  readonly onBroken?: () => void;
  /** What a failed read is told as. @default as it is */
  readonly failure?: (error: unknown) => unknown;
}

/** A body's pieces, one read each. */
export interface ByteReader {
  /** The next piece; it may be overwritten by the next read. Undefined at the end. */
  read(): Promise<Uint8Array | undefined>;
  /** Gives the rest up. */
  cancel(reason?: unknown): Promise<void>;
}

/**
 * A body piece by piece, all of them in one buffer: the cheapest way to read one, for events above all.
 *
 * @param body The body.
 * @param events Told once, of the end or of the failure.
 *
 * @example
 * ```ts
 * import { Body } from "./body.ts";
 * import { byteReader } from "./body_readers.ts";
 * import { Connection } from "./connection.ts";
 *
 * const socket = {
 *   read: (into: Uint8Array) => Promise.resolve(into.set([104, 105]) ?? 2),
 *   write: () => Promise.reject(new Error("not here")),
 *   closeWrite: () => Promise.resolve(),
 *   close: () => {},
 * };
 * const reader = byteReader(new Body(new Connection(socket), 2));
 * if ((await reader.read())?.length !== 2) throw new Error("two bytes");
 * if (await reader.read() !== undefined) throw new Error("the end");
 * ```
 */
export function byteReader(body: Body, events: BodyEvents = {}): ByteReader {
  return new BodyReader(body, events);
}

class BodyReader implements ByteReader {
  readonly #body: Body;
  readonly #events: BodyEvents;
  readonly #into: Uint8Array<ArrayBuffer>;
  #over = false;

  constructor(body: Body, events: BodyEvents) {
    this.#body = body;
    this.#events = events;
    this.#into = body.buffer;
  }

  read(): Promise<Uint8Array | undefined> {
    if (this.#over) return Promise.resolve(undefined);
    return this.#body.read(this.#into).then(this.#took, this.#failed);
  }

  cancel(): Promise<void> {
    if (!this.#over) this.#break();
    return Promise.resolve();
  }

  readonly #took = (count: number): Uint8Array | undefined => {
    if (this.#body.complete && !this.#over) {
      this.#over = true;
      this.#events.onComplete?.();
    }
    return count === 0 ? undefined : this.#into.subarray(0, count);
  };

  readonly #failed = (error: unknown): undefined => {
    if (this.#over) return undefined;
    this.#break();
    throw this.#events.failure?.(error) ?? error;
  };

  #break(): void {
    this.#over = true;
    this.#events.onBroken?.();
  }
}

/**
 * A body as a stream of bytes, into the reader's own buffer where it brings one. Nothing is read that
 * nobody asked for.
 *
 * @param body The body.
 * @param events Told once, of the end or of the failure.
 *
 * @example
 * ```ts
 * import { Body } from "./body.ts";
 * import { bodyStream } from "./body_readers.ts";
 * import { Connection } from "./connection.ts";
 *
 * const socket = {
 *   read: (into: Uint8Array) => Promise.resolve(into.set([104, 105]) ?? 2),
 *   write: () => Promise.reject(new Error("not here")),
 *   closeWrite: () => Promise.resolve(),
 *   close: () => {},
 * };
 * const text = await new Response(bodyStream(new Body(new Connection(socket), 2))).text();
 * if (text !== "hi") throw new Error(text);
 * ```
 */
export function bodyStream(
  body: Body,
  { onComplete, onBroken, failure = (error) => error }: BodyEvents = {},
): ReadableStream<Uint8Array<ArrayBuffer>> {
  let over = false;
  return new ReadableStream({
    type: "bytes",
    autoAllocateChunkSize: PIECE,
    async pull(controller) {
      try {
        const request = controller.byobRequest!;
        const count = await body.read(request.view as Uint8Array);
        if (over) return;
        if (count > 0) request.respond(count);
        // At once, so that nobody has to ask once more to learn of the end.
        if (!body.complete) return;
        over = true;
        onComplete?.();
        controller.close();
        // For readers that asked for more than there was.
        controller.byobRequest?.respond(0);
      } catch (error) {
        if (over) return;
        over = true;
        onBroken?.();
        controller.error(failure(error));
      }
    },
    cancel() {
      over = true;
      onBroken?.();
    },
  });
}
