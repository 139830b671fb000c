/**
 * The enricher: one `TransformStream` from the gateway's bytes to the client's.
 *
 * Bytes become text, text becomes lines, lines become events, and a synchronous core
 * ({@linkcode StreamCore}) turns each event into the text that the client gets. All of it is one
 * stage, because every further stage costs a turn of the promise queue and an object for each chunk.
 * Heartbeats, the ending of a broken stream and the limit on an event's size are here, too.
 *
 * @module
 */

import { TextLineStream } from "@std/streams/text-line-stream";
import type { SseEvent, StreamCore } from "./dialects/dialect.ts";
import { MAX_EVENT, parseObject, SseParser, tooLong } from "./enrich/sse_parser.ts";
import { gatewayError } from "./gateway/errors.ts";

/** The longest body that is read as a whole, in characters: 64 Mi. */
const MAX_BODY = 64 * 1024 * 1024;

/**
 * How long the gateway's body may go on once the answer has ended, in milliseconds, so that its
 * connection can be kept; after that the body is cancelled.
 */
const DRAIN = 200;

/** How long a complete answer's stream may stay open without `[DONE]`, in milliseconds. */
const LINGER = 2_000;

const DONE: SseEvent = { type: "done" };

/** A gateway's answer, as its stream needs it. */
export interface StreamSource {
  /** Status and headers; undefined while the gateway has not begun to answer. */
  readonly response: Pick<Response, "status" | "headers"> | undefined;
  /** Why the body ended early; undefined where it is complete. */
  readonly failure: () => unknown;
}

/** How a stream is enriched. Times are in milliseconds. */
export interface EnrichStreamOptions {
  /** Turns events into the client's text. */
  readonly core: StreamCore;
  /** The answer that the bytes come from. @default an event stream that never breaks off */
  readonly source?: StreamSource;
  /** Silence towards the client after which a heartbeat is sent; 0 for none. @default {0} */
  readonly heartbeat?: number;
  /** Ends the stream at once, with the signal's reason as its error. */
  readonly signal?: AbortSignal;
  /** Called once, when the first bytes of the answer go out. */
  readonly onFirst?: () => void;
  /** Called with the size of everything that is sent, in bytes; not for heartbeats. */
  readonly onSend?: (bytes: number) => void;
  /** Called once, when the stream is over: complete, failed, or because the client left. */
  readonly onEnd?: (clientLeft: boolean) => void;
}

/**
 * A stream from the gateway's bytes to the client's. Every streamed answer passes through one of these.
 *
 * It ends with the core's ending, also where the gateway's body breaks off (`source.failure`), sends an
 * event that is too long, or doesn't end although the answer is complete. When the client leaves, its
 * cancellation travels up the pipe.
 *
 * @example
 * ```ts
 * import { chatClient } from "./dialects/chat/mod.ts";
 * import { ChunkEnricher } from "./enrich/chunks.ts";
 * import { enrichStream } from "./sse.ts";
 * import { Translator } from "./translator.ts";
 * import { assert } from "@std/assert";
 *
 * const context = { model: "m", created: 1, makeId: (prefix: string) => `${prefix}1` };
 * const core = new Translator(new ChunkEnricher(context), chatClient.encoder(context));
 * const gateway = new Blob(['data: {"choices":[{"delta":{"content":"Hi"}}]}\n\ndata: [DONE]\n\n']);
 * const client = gateway.stream().pipeThrough(enrichStream({ core }));
 * const text = await new Response(client).text();
 * assert(text.includes('"id":"chatcmpl-1"') && text.endsWith("data: [DONE]\n\n"));
 * ```
 */
export function enrichStream(
  options: EnrichStreamOptions,
): TransformStream<Uint8Array, Uint8Array<ArrayBuffer>> {
  const enricher = new StreamState(options);
  return new TransformStream({
    start: (controller) => enricher.start(controller),
    transform: (bytes) => enricher.take(bytes),
    flush: () => enricher.flush(),
    cancel: () => enricher.cancel(),
  });
}

/** What {@linkcode StreamState} writes to. */
type Output = Pick<
  TransformStreamDefaultController<Uint8Array<ArrayBuffer>>,
  "desiredSize" | "enqueue" | "error" | "terminate"
>;

/**
 * Reads a body to its end through a core that keeps what comes, as {@linkcode enrichStream} does, for
 * clients that asked for a complete answer.
 *
 * @param body The gateway's body.
 * @param options The core, the answer, and what ends it.
 */
export async function readThrough(
  body: ReadableStream<Uint8Array>,
  options: Omit<EnrichStreamOptions, "heartbeat">,
): Promise<void> {
  const state = new StreamState(options);
  const reader = body.getReader();
  let over = false;
  state.start({
    desiredSize: null,
    enqueue() {},
    error: () => void (over = true),
    terminate() {
      over = true;
      reader.cancel().catch(() => {});
    },
  });
  for (let piece = await reader.read(); !piece.done && !over; piece = await reader.read()) {
    await state.take(piece.value);
  }
  await state.flush();
}

/** What the gateway's bytes are: lines of events, or one body to read as a whole. */
type Kind = "events" | "json" | "page";

/** The state of one stream. */
class StreamState {
  readonly #core: StreamCore;
  readonly #options: EnrichStreamOptions;
  readonly #decoder = new TextDecoder();
  readonly #encoder = new TextEncoder();
  readonly #parser = new SseParser();
  #controller!: Output;
  #kind: Kind | undefined;
  /** The beginning of a line, or of a body that is read as a whole. */
  #kept = "";
  /** Splits lines from the first CR on. */
  #lines: GeneralLines | undefined;
  #lastRead = performance.now();
  #lastWrite = this.#lastRead;
  #drain: ReturnType<typeof setTimeout> | undefined;
  #begun = false;
  #over = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(options: EnrichStreamOptions) {
    this.#options = options;
    this.#core = options.core;
  }

  start(controller: Output): void {
    this.#controller = controller;
    const { heartbeat = 0, signal } = this.#options;
    if (heartbeat > 0) this.#watch();
    signal?.addEventListener("abort", this.#interrupt);
    if (signal?.aborted) this.#interrupt();
  }

  /** Looks at the time from now on, once the stream has anything to wait for; until it is over. */
  #watch(): void {
    if (this.#over || this.#timer !== undefined) return;
    const shortest = Math.min(this.#options.heartbeat || LINGER, LINGER);
    this.#timer = setInterval(() => this.#tick(performance.now()), Math.max(5, shortest / 4));
  }

  take(bytes: Uint8Array): void | Promise<void> {
    this.#lastRead = performance.now();
    if (this.#core.ended || this.#over) return;
    const text = this.#decoder.decode(bytes, { stream: true });
    if (text === "") return;
    try {
      return this.#text(text)?.catch((cause) => this.#fail(cause));
    } catch (cause) {
      this.#fail(cause);
    }
  }

  async flush(): Promise<void> {
    if (this.#over) return;
    try {
      if (!this.#core.ended) await this.#finish();
    } catch (cause) {
      if (!this.#core.ended) this.#send(this.#core.end(cause));
    }
    this.#close(false);
  }

  async cancel(): Promise<void> {
    this.#close(!this.#core.ended);
    await this.#lines?.cancel();
  }

  #text(text: string): undefined | Promise<void> {
    this.#kind ??= kindOf(this.#options.source?.response, this.#kept + text);
    if (this.#kind !== "events") {
      this.#kept += text;
      if (this.#kept.length > MAX_BODY) throw tooLong();
      return undefined;
    }
    this.#watch();
    if (this.#lines) return this.#lines.write(text);
    if (text.includes("\r")) {
      // From the first CR on TextLineStream splits: it handles CR, CRLF, and a CRLF cut in two.
      this.#lines = new GeneralLines((line) => this.#send(this.#line(line)));
      const kept = this.#kept;
      this.#kept = "";
      return this.#lines.write(kept + text);
    }
    // Without a CR, TextLineStream splits at every LF and nowhere else: so does this.
    const end = text.indexOf("\n");
    if (end === -1) {
      // Joined, not searched: to search a long line again with each piece of it would be quadratic.
      this.#keep(this.#kept + text);
      return undefined;
    }
    let out = this.#line(this.#kept + text.slice(0, end));
    let start = end + 1;
    for (let at = text.indexOf("\n", start); at !== -1; at = text.indexOf("\n", start)) {
      out += this.#line(text.slice(start, at));
      start = at + 1;
    }
    this.#keep(text.slice(start));
    this.#send(out);
    return undefined;
  }

  #keep(text: string): void {
    if (text.length > MAX_EVENT) throw tooLong();
    this.#kept = text;
  }

  /** What the client gets for a line. */
  #line(line: string): string {
    let out = "";
    for (const event of this.#parser.line(line)) {
      if (!this.#core.ended) out += this.#core.event(event);
    }
    return out;
  }

  /** The end of the gateway's body. */
  async #finish(): Promise<void> {
    const rest = this.#decoder.decode();
    if (rest !== "") await this.#text(rest);
    await this.#lines?.close();
    const cause = this.#options.source?.failure();
    if (this.#kind === "json" && EVENTS.test(this.#kept)) {
      // An event stream with a JSON content type, whose first piece was too short to show it.
      const text = this.#kept;
      [this.#kind, this.#kept] = ["events", ""];
      await this.#text(text);
    }
    if (this.#kind !== "events" && this.#kind !== undefined) return this.#whole(this.#kept, cause);
    let out = this.#kept === "" ? "" : this.#line(this.#kept);
    for (const event of this.#parser.end()) {
      if (!this.#core.ended) out += this.#core.event(event);
    }
    this.#send(this.#core.ended ? out : out + this.#core.end(cause));
  }

  /** A body that was read as a whole: an answer in JSON, or a page. */
  #whole(text: string, cause: unknown): void {
    const { response } = this.#options.source!;
    const value = this.#kind === "json" ? parseObject(text) : undefined;
    if (value !== undefined) {
      const out = this.#core.event({ type: "json", value });
      return this.#send(this.#core.ended ? out : out + this.#core.event(DONE));
    }
    if (cause !== undefined) return this.#send(this.#core.end(cause));
    this.#send(
      this.#kind === "page"
        ? this.#core.end(gatewayError(response!.status, text, { headers: response!.headers }))
        : this.#core.event({ type: "malformed", text }),
    );
  }

  #send(text: string): void {
    if (text !== "" && !this.#over) {
      this.#lastWrite = performance.now();
      if (!this.#begun) {
        this.#begun = true;
        this.#options.onFirst?.();
      }
      const bytes = this.#encoder.encode(text);
      this.#options.onSend?.(bytes.length);
      this.#controller.enqueue(bytes);
    }
    if (this.#core.ended && this.#drain === undefined) {
      this.#drain = setTimeout(() => this.#fail("the answer has ended"), DRAIN);
    }
  }

  /** Ends the stream from this side: with the core's ending, and without waiting for the gateway. */
  #fail(cause: unknown): void {
    if (this.#over) return;
    try {
      if (!this.#core.ended) this.#send(this.#core.end(cause));
      this.#close(false);
      this.#controller.terminate();
    } catch (failure) {
      // No ending can be sent: errors the body, so that no client takes it for complete.
      this.#close(false);
      this.#controller.error(failure);
    }
  }

  readonly #interrupt = (): void => this.#fail(this.#options.signal!.reason);

  #close(clientLeft: boolean): void {
    if (this.#over) return;
    this.#over = true;
    clearInterval(this.#timer);
    clearTimeout(this.#drain);
    this.#options.signal?.removeEventListener("abort", this.#interrupt);
    this.#options.onEnd?.(clientLeft);
  }

  /** Sends a heartbeat, or ends a complete stream, after a time of silence. */
  #tick(now: number): void {
    const { heartbeat = 0 } = this.#options;
    if (this.#core.ended) return;
    if (this.#core.finished && now - this.#lastRead >= LINGER) {
      this.#fail(undefined);
    } else if (heartbeat > 0 && now - this.#lastWrite >= heartbeat) {
      this.#lastWrite = now;
      // A client that does not read needs none, and they would pile up.
      if ((this.#controller.desiredSize ?? -1) >= 0) {
        this.#controller.enqueue(this.#encoder.encode(this.#core.heartbeat));
      }
    }
  }
}

/** How an event stream begins; it counts more than the content type. */
const EVENTS = /^\s*(?:data|event|id|retry)?:/;

/** What a body is: by its content type, and by how it begins. */
function kindOf(response: StreamSource["response"], beginning: string): Kind {
  const type = response?.headers.get("content-type") ?? "";
  if (/^text\/html\b/i.test(type)) return "page";
  return /\bjson\b/i.test(type) && !EVENTS.test(beginning) ? "json" : "events";
}

/** Lines with any ending (LF, CRLF, CR), cut anywhere: `TextLineStream`, with a bound on a line's length. */
class GeneralLines {
  readonly #stream = new TextLineStream({ allowCR: true });
  readonly #writer = this.#stream.writable.getWriter();
  readonly #reader = this.#stream.readable.getReader();
  readonly #done: Promise<void>;
  #length = 0;

  constructor(take: (line: string) => void) {
    this.#done = this.#read(take);
    // write() and close() report its failure.
    this.#done.catch(() => {});
    this.#writer.closed.catch(() => {});
  }

  async write(text: string): Promise<void> {
    const at = Math.max(text.lastIndexOf("\n"), text.lastIndexOf("\r"));
    this.#length = at === -1 ? this.#length + text.length : text.length - at - 1;
    if (this.#length > MAX_EVENT) throw tooLong();
    await Promise.race([this.#writer.write(text), this.#done]);
  }

  async close(): Promise<void> {
    await Promise.race([this.#writer.close(), this.#done]);
    await this.#done;
  }

  async cancel(): Promise<void> {
    await this.#reader.cancel().catch(() => {});
  }

  async #read(take: (line: string) => void): Promise<void> {
    for (let { done, value } = await this.#reader.read(); !done;) {
      take(value!);
      ({ done, value } = await this.#reader.read());
    }
  }
}
