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
export function byteReader(
  body: Body,
  { onComplete, onBroken, failure = (error) => error }: BodyEvents = {},
): ByteReader {
  const into = body.buffer;
  let over = false;
  return {
    async read() {
      if (over) return undefined;
      try {
        const count = await body.read(into);
        if (body.complete && !over) {
          over = true;
          onComplete?.();
        }
        return count === 0 ? undefined : into.subarray(0, count);
      } catch (error) {
        if (over) return undefined;
        over = true;
        onBroken?.();
        throw failure(error);
      }
    },
    cancel() {
      if (!over) {
        over = true;
        onBroken?.();
      }
      return Promise.resolve();
    },
  };
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
