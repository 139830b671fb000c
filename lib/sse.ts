/**
 * Server-sent events: bytes → lines → events.
 *
 * The core is {@linkcode SseParser}, synchronous, a line in and at most one event out. Around it stand
 * two ways to get lines. {@linkcode sseEvents} is the general path, built on `TextLineStream` and
 * `TransformStream`: it takes every line ending there is, and it is the reference.
 * {@linkcode eventReader} is the fast path for what the gateway nearly always sends, lines that end
 * with LF; the proof of when it may be taken stands beside it, and at the first byte that the proof
 * doesn't cover it goes over to the general path.
 *
 * @module
 */

import { TextLineStream } from "@std/streams/text-line-stream";
import { BridgeError } from "./errors.ts";
import type { ByteReader } from "./http1/body_readers.ts";
import { isObject, type JsonObject } from "./json.ts";

/** One event of the gateway's. */
export type SseEvent =
  /** A JSON object, whatever it means. */
  | { readonly type: "json"; readonly value: JsonObject }
  /** `[DONE]`. */
  | { readonly type: "done" }
  /** Something that is no JSON object: cut off, or never was one. */
  | { readonly type: "malformed"; readonly text: string };

/** The longest event, in characters. A longer one is no event of a chat, and would fill the memory. */
export const MAX_EVENT = 16 * 1024 * 1024;

const DONE: SseEvent = { type: "done" };

/**
 * The state machine: one line in, at most one event out.
 *
 * An event is given as soon as its data is complete JSON, not at the blank line behind it: the gateway
 * may separate events by a single newline (`gateway.md`), and nothing is gained by waiting. Data over
 * several lines is joined until it parses; a JSON object's beginning is never a JSON object, so no
 * event can be taken too early. A line of bare JSON without `data:` counts as data, because gateways
 * write their errors so.
 *
 * @example
 * ```ts
 * import { SseParser } from "./sse.ts";
 *
 * const parser = new SseParser();
 * const event = parser.line('data: {"choices":[]}');
 * if (event?.type !== "json") throw new Error("complete at once");
 * if (parser.line("data: [DONE]")?.type !== "done") throw new Error("done");
 * ```
 */
export class SseParser {
  /** Data that is no complete JSON yet. */
  #pending = "";

  /**
   * Takes the next line.
   *
   * @param line Without its ending.
   * @returns The event that it completes, if any. Comments, event names, ids and blank lines complete none.
   * @throws {BridgeError} kind `overflow`, when an event is longer than {@linkcode MAX_EVENT}.
   */
  line(line: string): SseEvent | undefined {
    if (line === "") return this.#pending === "" ? undefined : this.end();
    if (line.startsWith("data:")) {
      return this.#data(line.charCodeAt(5) === 32 ? line.slice(6) : line.slice(5));
    }
    const bare = this.#pending !== "" ? !/^(:|event:|id:|retry:)/.test(line) : line.startsWith("{");
    return bare ? this.#data(line) : undefined;
  }

  /** What is left when the lines end: an event that was cut off, or nothing. */
  end(): SseEvent | undefined {
    if (this.#pending === "") return undefined;
    const text = this.#pending;
    this.#pending = "";
    return { type: "malformed", text };
  }

  #data(data: string): SseEvent | undefined {
    if (this.#pending !== "") return this.#joined(data);
    const value = parseObject(data);
    if (value !== undefined) return { type: "json", value };
    const trimmed = data.trim();
    if (trimmed === "") return undefined;
    if (trimmed === "[DONE]") return DONE;
    this.#hold(trimmed);
    return undefined;
  }

  #joined(data: string): SseEvent | undefined {
    const before = this.#pending;
    const trimmed = data.trim();
    const together = `${before}\n${data}`;
    const value = parseObject(together);
    if (value !== undefined) {
      this.#pending = "";
      return { type: "json", value };
    }
    // What is held may be rubbish that no blank line ended: it must not swallow the events behind it.
    if (trimmed === "[DONE]" || parseObject(data) !== undefined) {
      this.#pending = "";
      return { type: "malformed", text: before };
    }
    this.#hold(together);
    return undefined;
  }

  #hold(text: string): void {
    if (text.length > MAX_EVENT) throw tooLong();
    this.#pending = text;
  }
}

function tooLong(): BridgeError {
  return new BridgeError(
    "overflow",
    `The gateway sent an event of more than ${MAX_EVENT} characters; no event of a chat is that long.`,
  );
}

/** The object that a text is, or undefined. The first and the last character are looked at first: a failed parse is dear. */
function parseObject(text: string): JsonObject | undefined {
  const last = text.charCodeAt(text.length - 1);
  if (text.charCodeAt(0) !== 123 && text.trimStart().charCodeAt(0) !== 123) return undefined;
  if (last !== 125 && text.trimEnd().at(-1) !== "}") return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Stops a line without an end before it fills the memory: `TextLineStream` itself has no bound. */
function boundedLines(): TransformStream<string, string> {
  let length = 0;
  return new TransformStream({
    transform(text, controller) {
      const at = Math.max(text.lastIndexOf("\n"), text.lastIndexOf("\r"));
      length = at === -1 ? length + text.length : text.length - at - 1;
      if (length > MAX_EVENT) throw tooLong();
      controller.enqueue(text);
    },
  });
}

/**
 * The general path, text to events: any line ending (LF, CRLF, CR), cut anywhere.
 *
 * @param parser The parser to go on with; a new one by default.
 * @returns A transform stream whose readable side gives the events.
 *
 * @example
 * ```ts
 * import { sseEvents } from "./sse.ts";
 *
 * const text = ReadableStream.from(['data: {"a"', ":1}\r\ndata:[DONE]\r", "\n\r\n"]);
 * const events = await Array.fromAsync(text.pipeThrough(sseEvents()));
 * if (events.map((event) => event.type).join() !== "json,done") throw new Error("two events");
 * ```
 */
export function sseEvents(parser: SseParser = new SseParser()): TransformStream<string, SseEvent> {
  const bounded = boundedLines();
  const events = new TransformStream<string, SseEvent>({
    transform(line, controller) {
      // A held piece of rubbish and the event that showed it to be rubbish come out one after the other.
      const events: SseEvent[] = [];
      takeLine(parser, line, events);
      for (const event of events) controller.enqueue(event);
    },
    flush(controller) {
      const last = parser.end();
      if (last) controller.enqueue(last);
    },
  });
  const readable = bounded.readable.pipeThrough(new TextLineStream({ allowCR: true })).pipeThrough(
    events,
  );
  return { writable: bounded.writable, readable };
}

/** Adds what a line completes: nothing, one event, or a malformed one and then the line's own. */
function takeLine(parser: SseParser, line: string, events: SseEvent[]): void {
  const event = parser.line(line);
  if (event === undefined) return;
  events.push(event);
  if (event.type !== "malformed" || line === "") return;
  const own = parser.line(line);
  if (own) events.push(own);
}

/** Events in the batches in which they arrived. */
export interface EventReader {
  /**
   * The events of the next piece of the body; empty where the piece completed none, undefined at the end.
   * Rejects where the body breaks off.
   */
  read(): Promise<SseEvent[] | undefined>;
  /** Gives the body up; the gateway's request ends. */
  cancel(reason?: unknown): Promise<void>;
}

/** What one read asks for. The network hands over at most this much at once anyway. */
const BUFFER = 16 * 1024;

/**
 * The fast path. A default read of a fetch body hands over a few bytes on a fresh 64 KiB buffer, and
 * every stage of a pipeline costs a turn of the promise queue: so this reads into one buffer over and
 * over, and splits lines itself.
 *
 * **When it may be taken.** As long as the text has no CR, `TextLineStream` with `allowCR` splits at
 * every LF and nowhere else, and keeps what stands behind the last one: its rules for CR never come
 * into play. `(kept + text).split("\n")`, the last part kept, is the same by definition. At the first
 * CR what is kept, and the text with the CR in it, goes to the general path, and everything after it
 * too; decoder and parser go along, so neither a cut character nor a half event is lost.
 * `tests/sse_test.ts` shows that both give the same on every fixture and on random cuts of it.
 *
 * @param body The gateway's body, as a stream or already in pieces.
 *
 * @example
 * ```ts
 * import { eventReader } from "./sse.ts";
 *
 * const body = new Blob(['data: {"a":1}\n\ndata: [DONE]\n\n']).stream();
 * const reader = eventReader(body);
 * const events = await reader.read();
 * if (events?.length !== 2) throw new Error("both were there, both come at once");
 * if (await reader.read() !== undefined) throw new Error("the end");
 * ```
 */
export function eventReader(
  body: ReadableStream<Uint8Array<ArrayBuffer>> | ByteReader,
): EventReader {
  const bytes = "read" in body ? body : bytesOf(body);
  const decoder = new TextDecoder();
  const parser = new SseParser();
  let kept = "";
  let ended = false;
  let general: ReadableStreamDefaultReader<SseEvent> | undefined;

  function split(text: string): SseEvent[] {
    if (!text.includes("\n")) {
      // Joined, not searched: to search a long line again with each piece of it would be quadratic.
      kept += text;
      if (kept.length > MAX_EVENT) throw tooLong();
      return [];
    }
    const lines = (kept === "" ? text : kept + text).split("\n");
    kept = lines.pop()!;
    if (kept.length > MAX_EVENT) throw tooLong();
    const events: SseEvent[] = [];
    for (const line of lines) takeLine(parser, line, events);
    return events;
  }

  async function goGeneral(text: string): Promise<SseEvent[] | undefined> {
    general = textFrom(kept + text, bytes, decoder).pipeThrough(sseEvents(parser)).getReader();
    kept = "";
    return await readGeneral(general);
  }

  function take(
    piece: Uint8Array | undefined,
  ): SseEvent[] | undefined | Promise<SseEvent[] | undefined> {
    ended = piece === undefined;
    const text = piece ? decoder.decode(piece, { stream: true }) : decoder.decode();
    if (text.includes("\r")) return goGeneral(text);
    const events = text === "" ? [] : split(text);
    if (!ended) return events;
    // The last line may lack its end; TextLineStream gives it all the same.
    if (kept !== "") events.push(...split("\n"));
    const last = parser.end();
    if (last) events.push(last);
    return events.length > 0 ? events : undefined;
  }

  return {
    read() {
      if (general) return readGeneral(general);
      // Not `await`: an async function takes a kilobyte, and this is done for every event.
      return ended ? Promise.resolve(undefined) : bytes.read().then(take);
    },
    async cancel(reason) {
      // Through the pipes of the general path the reason would arrive some turns later.
      await Promise.all([general?.cancel(reason), bytes.cancel(reason)]);
    },
  };
}

async function readGeneral(
  reader: ReadableStreamDefaultReader<SseEvent>,
): Promise<SseEvent[] | undefined> {
  const { done, value } = await reader.read();
  return done ? undefined : [value];
}

function bytesOf(body: ReadableStream<Uint8Array<ArrayBuffer>>): ByteReader {
  let reader: ReadableStreamBYOBReader;
  try {
    reader = body.getReader({ mode: "byob" });
  } catch {
    // Not a byte stream: any other body reads the ordinary way.
    const plain = body.getReader();
    return {
      read: async () => (await plain.read()).value,
      cancel: (reason) => plain.cancel(reason),
    };
  }
  let buffer: ArrayBufferLike = new ArrayBuffer(BUFFER);
  return {
    async read() {
      const { value, done } = await reader.read(new Uint8Array(buffer));
      if (value) buffer = value.buffer;
      return done ? undefined : value;
    },
    cancel: (reason) => reader.cancel(reason),
  };
}

/** The text of what is left of a body, behind text that was read already. */
function textFrom(first: string, bytes: ByteReader, decoder: TextDecoder): ReadableStream<string> {
  let ended = false;
  return new ReadableStream<string>({
    start(controller) {
      if (first !== "") controller.enqueue(first);
    },
    async pull(controller) {
      // A piece may hold just the beginning of a character: a pull that gives nothing isn't asked again.
      while (!ended) {
        const piece = await bytes.read();
        ended = piece === undefined;
        const text = piece ? decoder.decode(piece, { stream: true }) : decoder.decode();
        if (text !== "") return controller.enqueue(text);
      }
      controller.close();
    },
    cancel: (reason) => bytes.cancel(reason),
  });
}
