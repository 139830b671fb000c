/**
 * Replies, written to a connection.
 *
 * @module
 */

import { STATUS_TEXT } from "@std/http/status";
import { alarm } from "../alarm.ts";
import type { Connection } from "./connection.ts";
import { formatHead, hasBody, isAscii } from "./head.ts";
import { inPieces, type Pieces, type Reply } from "./reply.ts";

/** What an answer depends on beside itself. */
export interface WriteOptions {
  /** Whether only the head is wanted. */
  readonly head: boolean;
  /** Whether the client understands chunks; without them a stream ends with its connection. */
  readonly chunked: boolean;
  /** Whether the connection ends with this answer. */
  readonly close: boolean;
  /** Does something when the client leaves. */
  readonly onLeave: (action: () => void) => void;
}

/**
 * Writes an answer: in one piece where it is whole, else piece by piece, each when it is there.
 *
 * @param connection Where to.
 * @param reply The answer.
 * @param options What it depends on.
 * @returns Whether all of it was written; if not, its connection has to be closed, so that it doesn't look whole.
 * @throws The socket's error.
 *
 * @example
 * ```ts
 * import { Connection } from "./connection.ts";
 * import { jsonReply } from "./reply.ts";
 * import { writeReply } from "./reply_writer.ts";
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
 * const options = { head: false, chunked: true, close: false, onLeave: () => {} };
 * await writeReply(connection, jsonReply({}), options);
 * if (!text.startsWith("HTTP/1.1 200 OK\r\n") || !text.endsWith("\r\n\r\n{}")) throw new Error(text);
 * ```
 */
export async function writeReply(
  connection: Connection,
  { status, headers, body }: Reply,
  { head, chunked, close, onLeave }: WriteOptions,
): Promise<boolean> {
  const start = `HTTP/1.1 ${status} ${(STATUS_TEXT as Record<number, string>)[status] ?? ""}`;
  const more = `date: ${date()}\r\n${close ? "connection: close\r\n" : ""}`;
  const fields = Object.entries(headers);
  if (inPieces(body)) {
    const encoding = chunked ? "transfer-encoding: chunked\r\n" : "";
    const bytes = formatHead(start, fields, more + encoding);
    if (!head) return await writePieces(connection, bytes, body, { chunked, onLeave });
    body.cancel();
    await connection.write(bytes);
    return true;
  }
  // What is whole already goes out in one piece.
  const part = typeof body !== "string" ? body ?? "" : isAscii(body) ? body : encoder.encode(body);
  const length = hasBody(status) ? `content-length: ${part.length}\r\n` : "";
  const bytes = formatHead(start, fields, more + length);
  await (head ? connection.write(bytes) : connection.write(bytes, part));
  return true;
}

/** How long a head waits for the first piece, in milliseconds: it says nothing that anybody waits for. */
const HEAD_TIME = 100;

const encoder = new TextEncoder();

const DAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");

let dateText = "";
let dateSecond = 0;

/** The time, in HTTP's words (RFC 9110, "Date/Time Formats"); to the second, and made once in one. */
function date(): string {
  const second = Math.floor(Date.now() / 1000);
  if (second !== dateSecond) {
    dateSecond = second;
    const now = new Date(second * 1000);
    // `toUTCString` says the same, but takes a millisecond the first time.
    const [day, clock] = now.toISOString().slice(0, -5).split("T");
    const [year, , date] = day.split("-");
    dateText = `${DAYS[now.getUTCDay()]}, ${date} ${
      MONTHS[now.getUTCMonth()]
    } ${year} ${clock} GMT`;
  }
  return dateText;
}

/** What ends a body in chunks. */
const LAST_CHUNK = "0\r\n\r\n";

/** Writes a body piece by piece, no faster than the client reads it. */
async function writePieces(
  connection: Connection,
  head: string | Uint8Array,
  pieces: Pieces,
  { chunked, onLeave }: Pick<WriteOptions, "chunked" | "onLeave">,
): Promise<boolean> {
  let gone = false;
  onLeave(() => {
    gone = true;
    // Ends the wait for the next piece.
    pieces.cancel();
  });
  // The head goes out with the first piece, or without it where that takes longer.
  let before = head;
  let alone: Promise<void> | undefined;
  const callOff = alarm(HEAD_TIME, () => {
    if (before === "") return;
    alone = connection.write(before);
    alone.catch(() => {});
    before = "";
  });
  try {
    for (;;) {
      const piece = await pieces.next();
      if (alone) await alone;
      alone = undefined;
      if (gone) return false;
      const last = piece === undefined || pieces.over;
      if (piece?.length === 0 && !last) continue;
      const first = before;
      before = "";
      if (chunked) await writeChunk(connection, first, piece ?? "", last ? LAST_CHUNK : "");
      else await connection.write(first, piece ?? "");
      if (last) return true;
    }
  } catch {
    // The body broke off, or the connection did: neither may look complete.
    pieces.cancel();
    return false;
  } finally {
    callOff();
  }
}

/** Writes one chunk between what goes out with it; an empty one would be the last. */
function writeChunk(
  connection: Connection,
  before: string | Uint8Array,
  piece: string | Uint8Array<ArrayBuffer>,
  after: string,
): Promise<void> {
  if (piece.length === 0) return connection.write(before, after);
  // As nearly all are: without a copy of their own.
  if (before === "" && typeof piece === "string") return connection.writeChunk(piece, after);
  const bytes = typeof piece !== "string" || isAscii(piece) ? piece : encoder.encode(piece);
  return connection.write(before, `${bytes.length.toString(16)}\r\n`, bytes, `\r\n${after}`);
}
