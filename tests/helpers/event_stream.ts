/**
 * How ForgeCode's event stream library cuts bytes into events: the crate `eventsource-stream` 0.2.3.
 *
 * @module
 */

/** What came out of a body. */
export interface Framing {
  /** The `data` of each event that was dispatched, in order; lines of one event joined by LF. */
  data: string[];
  /** The `data` that was never dispatched, because the blank line after it is missing. */
  unfinished?: string;
  /** Set where the bytes stop being UTF-8: all from there on is lost, and the read ends in an error. */
  invalidUtf8?: true;
  /** Comment lines that were skipped. */
  comments: number;
}

/**
 * Cuts a body into events as the client does.
 *
 * A line ends at CRLF, LF or CR; one space after the colon is cut off; comments and unknown fields
 * are skipped; a blank line dispatches, but only if there was a `data` line. What the last blank line
 * doesn't close is lost, and a CR that is the very last byte closes nothing, because an LF might
 * follow it.
 *
 * @param body The whole body.
 * @returns The events and what was lost.
 *
 * @example
 * ```ts
 * import { frame } from "./event_stream.ts";
 *
 * const { data, unfinished } = frame("data:a\r\n\r\n: hi\n\ndata: b\n");
 * if (data.join() !== "a" || unfinished !== "b") throw new Error("unexpected");
 * ```
 */
export function frame(body: Uint8Array | string): Framing {
  const { text, invalidUtf8 } = decode(body);
  const framing: Framing = { data: [], comments: 0 };
  if (invalidUtf8) framing.invalidUtf8 = true;
  let pending: string[] = [];
  for (const line of completeLines(text)) {
    if (line === "") {
      if (pending.length > 0) framing.data.push(pending.join("\n"));
      pending = [];
      continue;
    }
    const colon = line.indexOf(":");
    if (colon === 0) {
      framing.comments++;
      continue;
    }
    const field = colon < 0 ? line : line.slice(0, colon);
    if (field !== "data") continue;
    const value = colon < 0 ? "" : line.slice(colon + 1);
    pending.push(value.startsWith(" ") ? value.slice(1) : value);
  }
  const tail = text.slice(completeLength(text));
  const lost = tail.startsWith("data:") ? [...pending, tail.slice(5).trimStart()] : pending;
  if (lost.length > 0) framing.unfinished = lost.join("\n");
  return framing;
}

function decode(body: Uint8Array | string): { text: string; invalidUtf8: boolean } {
  if (typeof body === "string") return { text: body.replace(/^\uFEFF/, ""), invalidUtf8: false };
  try {
    return { text: new TextDecoder("utf-8", { fatal: true }).decode(body), invalidUtf8: false };
  } catch {
    return { text: validPrefix(body), invalidUtf8: true };
  }
}

/** The longest beginning of the bytes that is UTF-8. */
function validPrefix(body: Uint8Array): string {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  let text = "";
  // Byte by byte in stream mode: the decoder throws at the first byte that can't be right.
  for (let i = 0; i < body.length; i++) {
    try {
      text += decoder.decode(body.subarray(i, i + 1), { stream: true });
    } catch {
      break;
    }
  }
  return text;
}

/** How much of the text is complete lines. */
function completeLength(text: string): number {
  const body = text.endsWith("\r") ? text.slice(0, -1) : text;
  return Math.max(body.lastIndexOf("\n"), body.lastIndexOf("\r")) + 1;
}

function completeLines(text: string): string[] {
  const lines = text.slice(0, completeLength(text)).split(/\r\n|\r|\n/);
  lines.pop();
  return lines;
}
