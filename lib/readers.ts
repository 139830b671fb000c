/**
 * The gateway's answer as events, whatever it came as: a stream, JSON in a stream's place, or an answer
 * that is still to come.
 *
 * @module
 */

import { answerEvents } from "./completion.ts";
import { gatewayError } from "./errors.ts";
import { isObject, type JsonObject } from "./json.ts";
import type { DecodeBodyOptions } from "./dialects/responses.ts";
import { type EventReader, eventReader, type SseEvent } from "./sse.ts";

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
export function readEvents(response: Response, options: DecodeBodyOptions = {}): EventReader {
  if (response.body === null) return readerOf(Promise.resolve([]));
  if (!isJson(response)) return eventReader(response.body);
  return readerOf(readJson(response).then((body) => answerEvents(body, options)));
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
export function isJson(response: Response): boolean {
  return /\bjson\b/i.test(response.headers.get("content-type") ?? "");
}

/**
 * The JSON object of an answer.
 *
 * @throws {BridgeError} kind `gateway`, when it is something else, in the words of whatever it is.
 *
 * @example
 * ```ts
 * import { readJson } from "./readers.ts";
 *
 * if ((await readJson(Response.json({ a: 1 }))).a !== 1) throw new Error("read");
 * ```
 */
export async function readJson(response: Response): Promise<JsonObject> {
  const text = await response.text();
  try {
    const body: unknown = JSON.parse(text);
    if (isObject(body)) return body;
  } catch {
    // Told below.
  }
  throw gatewayError(response.status, text, { headers: response.headers });
}
