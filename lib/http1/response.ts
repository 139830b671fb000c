/**
 * Answers, written to a connection.
 *
 * @module
 */

import { STATUS_TEXT } from "@std/http/status";
import type { Connection } from "./connection.ts";
import { formatHead } from "./head.ts";

/** What an answer depends on beside itself. */
export interface WriteOptions {
  /** Whether only the head is wanted. */
  readonly head: boolean;
  /** Whether the client understands chunks; without them a stream ends with its connection. */
  readonly chunked: boolean;
  /** Whether the connection ends with this answer. */
  readonly close: boolean;
  /** Resolves when the client leaves. */
  readonly left: Promise<void>;
}

/** Statuses that come without a body (RFC 9110). */
const WITHOUT_BODY: ReadonlySet<number> = new Set([204, 205, 304]);

/**
 * Writes an answer: in one piece where it is whole, else piece by piece, each when it is there.
 *
 * @param connection Where to.
 * @param response The answer.
 * @param options What it depends on.
 * @returns Whether all of it was written; if not, its connection has to be closed, so that it doesn't look whole.
 * @throws The socket's error.
 *
 * @example
 * ```ts
 * import { Connection } from "./connection.ts";
 * import { writeResponse } from "./response.ts";
 *
 * let text = "";
 * const connection = new Connection({
 *   read: () => Promise.resolve(null),
 *   write(bytes) {
 *     text += new TextDecoder().decode(bytes);
 *     return Promise.resolve(bytes.length);
 *   },
 *   closeWrite: () => Promise.resolve(),
 *   close: () => {},
 * });
 * const left = new Promise<void>(() => {});
 * const options = { head: false, chunked: true, close: false, left };
 * await writeResponse(connection, Response.json({}), options);
 * if (!text.startsWith("HTTP/1.1 200 OK\r\n") || !text.endsWith("\r\n\r\n{}")) throw new Error(text);
 * ```
 */
export async function writeResponse(
  connection: Connection,
  response: Response,
  { head, chunked, close, left }: WriteOptions,
): Promise<boolean> {
  const { status, headers } = response;
  const start = `HTTP/1.1 ${status} ${(STATUS_TEXT as Record<number, string>)[status] ?? ""}`;
  const more = `date: ${date()}\r\n${close ? "connection: close\r\n" : ""}`;
  if (isStream(response)) {
    const encoding = chunked ? "transfer-encoding: chunked\r\n" : "";
    const bytes = formatHead(start, headers, more + encoding);
    if (head) {
      await Promise.all([connection.write(bytes), response.body?.cancel()]);
      return true;
    }
    return await writeStream(connection, bytes, response.body!, { chunked, left });
  }
  // What is whole already goes out in one piece: to read it as a stream takes longer than all the rest.
  const body = await response.arrayBuffer().catch(() => undefined);
  if (body === undefined) return false;
  const length = WITHOUT_BODY.has(status) ? "" : `content-length: ${body.byteLength}\r\n`;
  const bytes = formatHead(start, headers, more + length);
  await (head ? connection.write(bytes) : connection.write(bytes, new Uint8Array(body)));
  return true;
}

/** Whether a body comes bit by bit. The bridge makes no other streams than these. */
function isStream(response: Response): boolean {
  const type = response.headers.get("content-type");
  return (type === null || type.startsWith("text/event-stream")) && response.body !== null;
}

let dateText = "";
let dateSecond = 0;

/** The time, in HTTP's words; to the second, and made once in one. */
function date(): string {
  const second = Math.floor(Date.now() / 1000);
  if (second !== dateSecond) {
    dateSecond = second;
    dateText = new Date(second * 1000).toUTCString();
  }
  return dateText;
}

/** Writes a stream, no faster than the client reads it. */
async function writeStream(
  connection: Connection,
  head: string | Uint8Array,
  body: ReadableStream<Uint8Array<ArrayBuffer>>,
  { chunked, left }: { readonly chunked: boolean; readonly left: Promise<void> },
): Promise<boolean> {
  const reader = body.getReader();
  let gone = false;
  void left.then(() => {
    gone = true;
    // Ends the read that may be under way.
    return reader.cancel();
  }).catch(() => {});
  // The head goes out with the first piece, or without it where that takes longer.
  let before = head;
  let alone: Promise<void> | undefined;
  const timer = setTimeout(() => {
    if (before === "") return;
    alone = connection.write(before);
    alone.catch(() => {});
    before = "";
  });
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (alone) await alone;
      if (gone) return false;
      if (value?.length === 0) continue;
      const first = before;
      alone = undefined;
      before = "";
      if (done) {
        await connection.write(first, chunked ? "0\r\n\r\n" : "");
        return true;
      }
      if (chunked) await connection.write(first, `${value.length.toString(16)}\r\n`, value, "\r\n");
      else await connection.write(first, value);
    }
  } catch {
    // The body broke off, or the connection did: neither may look complete.
    reader.cancel().catch(() => {});
    return false;
  } finally {
    clearTimeout(timer);
  }
}
