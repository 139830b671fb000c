/**
 * The gateway's answer as events, whatever it came as: a stream, JSON in a stream's place, or an answer
 * that is still to come.
 *
 * @module
 */

import { answerEvents } from "./enrich/completion.ts";
import { BridgeError } from "./errors.ts";
import { gatewayError } from "./gateway/errors.ts";
import type { HttpAnswer } from "./http1/answer.ts";
import { isAnswerPiece, isObject, type JsonObject } from "./json.ts";
import type { DecodeBodyOptions } from "./dialects/responses/mod.ts";
import { type EventReader, eventReader, type SseEvent } from "./sse.ts";

/** The longest answer that is read as a whole, in bytes. */
const MAX_ANSWER = 64 * 1024 * 1024;

/** What reading an answer needs to know. */
export interface ReadOptions extends DecodeBodyOptions {
  /** Secrets that no error may show. */
  readonly secrets?: readonly string[];
}

/**
 * The events of an answer: read as they arrive, or all at once where it is JSON.
 *
 * @param response The gateway's, status 2xx, body unread.
 * @param options For a whole `response`: where its reasoning is kept, and for which model.
 *
 * @example
 * ```ts
 * import { readEvents } from "./readers.ts";
 *
 * const reader = readEvents(Response.json({ choices: [] }));
 * const events = await reader.read();
 * if (events?.map((event) => event.type).join() !== "json,done") throw new Error("as a stream");
 * ```
 */
export function readEvents(response: HttpAnswer, options: ReadOptions = {}): EventReader {
  if (isPage(response)) {
    return readerOf(readAnswer(response).then((text) => fail(response, text, options)));
  }
  if (!isJson(response)) {
    const body = response.pieces?.() ?? response.body;
    return body === null ? readerOf(Promise.resolve([])) : eventReader(body);
  }
  return readerOf(
    readAnswer(response).then((text) =>
      EVENTS.test(text)
        ? eventsIn(text)
        : answerEvents(toObject(text, response, options.secrets), options)
    ),
  );
}

/** How a stream begins that says of itself that it is JSON. */
const EVENTS = /^\s*(?:data|event|id|retry)?:/;

async function eventsIn(text: string): Promise<SseEvent[]> {
  const reader = eventReader(new Blob([text]).stream());
  const events: SseEvent[] = [];
  for (let batch = await reader.read(); batch; batch = await reader.read()) events.push(...batch);
  return events;
}

/** Whether an answer is a web page: a login, or a proxy's, with whatever status. */
function isPage(response: HttpAnswer): boolean {
  return /^text\/html\b/i.test(response.headers.get("content-type") ?? "");
}

function fail(response: HttpAnswer, text: string, { secrets }: ReadOptions): never {
  throw gatewayError(response.status, text, { headers: response.headers, secrets });
}

/**
 * The events of an answer that is still to come.
 *
 * @example
 * ```ts
 * import { lateEvents, readEvents } from "./readers.ts";
 *
 * const reader = lateEvents(Promise.resolve(readEvents(Response.json({}))));
 * if ((await reader.read())?.length !== 2) throw new Error("when it has come");
 * ```
 */
export function lateEvents(coming: Promise<EventReader>): EventReader {
  // A failure is read()'s to tell; nobody may be there to ask, and it must not bring the program down.
  coming.catch(() => {});
  return {
    read: async () => await (await coming).read(),
    cancel: async (reason) => await (await coming).cancel(reason),
  };
}

function readerOf(events: Promise<SseEvent[]>): EventReader {
  events.catch(() => {});
  let left = true;
  return {
    async read() {
      if (!left) return undefined;
      left = false;
      return await events;
    },
    cancel: () => Promise.resolve(),
  };
}

/**
 * Whether an answer says that it is JSON.
 *
 * @example
 * ```ts
 * import { isJson } from "./readers.ts";
 *
 * if (!isJson(Response.json({}))) throw new Error("by its content type");
 * ```
 */
export function isJson(response: HttpAnswer): boolean {
  return /\bjson\b/i.test(response.headers.get("content-type") ?? "");
}

/**
 * The JSON object of an answer.
 *
 * @param response The gateway's, status 2xx, body unread.
 * @param secrets Secrets that no error may show.
 * @throws {BridgeError} kind `gateway`, when it is something else, in the words of whatever it is; `interrupted`, when it breaks off; `overflow`, when it is endless.
 *
 * @example
 * ```ts
 * import { readJson } from "./readers.ts";
 *
 * if ((await readJson(Response.json({ a: 1 }))).a !== 1) throw new Error("read");
 * ```
 */
export async function readJson(
  response: HttpAnswer,
  secrets: readonly string[] = [],
): Promise<JsonObject> {
  return toObject(await readAnswer(response), response, secrets);
}

function toObject(text: string, response: HttpAnswer, secrets: readonly string[] = []): JsonObject {
  try {
    const body: unknown = JSON.parse(text);
    if (isObject(body)) return body;
  } catch {
    // Told below.
  }
  // Half of an answer is not repeated in an error, and so not in the log.
  if (isAnswerPiece(text)) throw brokenOff();
  return fail(response, text, { secrets });
}

async function readAnswer(response: HttpAnswer): Promise<string> {
  try {
    // Its length is stated, as a plain answer's nearly always is: then a single read may do.
    const bytes = Number(response.headers.get("content-length") ?? NaN) <= MAX_ANSWER
      ? new Uint8Array(await response.arrayBuffer())
      : await readBounded(response.body);
    return new TextDecoder().decode(bytes);
  } catch (cause) {
    throw cause instanceof BridgeError ? cause : brokenOff(cause);
  }
}

async function readBounded(body: ReadableStream<Uint8Array> | null): Promise<Uint8Array> {
  const pieces: Uint8Array<ArrayBuffer>[] = [];
  let length = 0;
  // Not `for await`: to let go of a reader makes an error with its stack, for every answer.
  const reader = body?.getReader();
  for (let piece = await reader?.read(); piece?.value; piece = await reader?.read()) {
    length += piece.value.length;
    if (length > MAX_ANSWER) {
      await reader?.cancel();
      throw new BridgeError(
        "overflow",
        `The gateway's answer is longer than ${MAX_ANSWER / 2 ** 20} MB; no answer is that long.`,
      );
    }
    pieces.push(piece.value as Uint8Array<ArrayBuffer>);
  }
  return new Uint8Array(await new Blob(pieces).arrayBuffer());
}

function brokenOff(cause?: unknown): BridgeError {
  return new BridgeError(
    "interrupted",
    "The gateway's answer breaks off before it is complete. Ask again if you need it.",
    { code: "answer_interrupted", cause },
  );
}
