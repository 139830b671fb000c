/**
 * The registry of dialects: another one is a folder and a line here.
 *
 * @module
 */

import type { JsonObject } from "../json.ts";
import { chatClient, chatSurface } from "./chat/mod.ts";
import type {
  ClientDialect,
  DialectContext,
  DialectName,
  StreamDecoder,
  SurfaceDialect,
} from "./dialect.ts";
import { geminiClient, geminiSurface } from "./gemini/mod.ts";
import { messagesClient, messagesSurface } from "./messages/mod.ts";
import { responsesClient, responsesSurface } from "./responses/mod.ts";

/** Name → the client side. */
const CLIENTS: Readonly<Partial<Record<DialectName, ClientDialect>>> = {
  chat: chatClient,
  responses: responsesClient,
  messages: messagesClient,
  gemini: geminiClient,
};

/** Name → the surface side. To find the dialect of an event, they are tried in this order. */
const SURFACES: Readonly<Partial<Record<DialectName, SurfaceDialect>>> = {
  responses: responsesSurface,
  messages: messagesSurface,
  gemini: geminiSurface,
  chat: chatSurface,
};

/** The dialect of a client, by its name. */
export function clientDialect(name: DialectName): ClientDialect {
  return CLIENTS[name]!;
}

/** The dialect of a surface, by its name. */
export function surfaceDialect(name: DialectName): SurfaceDialect {
  return SURFACES[name]!;
}

/**
 * A decoder that looks at each event to see in which dialect it is written: surfaces may answer in
 * another than they are asked in (`gateway.md`, "Surfaces": cursor).
 *
 * @param context What decoding needs to know.
 */
export function decoderFor(context: DialectContext): StreamDecoder {
  const surfaces = Object.values(SURFACES);
  const decoders = new Map<SurfaceDialect, StreamDecoder>();
  return {
    event(event: JsonObject): JsonObject[] {
      // Nearly every event is a chunk.
      if (Array.isArray(event.choices)) return [event];
      for (const dialect of surfaces) {
        if (dialect.isAnswer(event)) return [dialect.decodeAnswer(event, context)];
      }
      const dialect = surfaces.find((dialect) => dialect.isEvent(event));
      if (dialect === undefined) return [event];
      let decoder = decoders.get(dialect);
      if (decoder === undefined) decoders.set(dialect, decoder = dialect.decoder(context));
      return decoder.event(event);
    },
  };
}
