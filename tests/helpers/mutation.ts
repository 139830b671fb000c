/**
 * What a mutation is, and how it gets at the parts of a stream.
 *
 * @module
 */

import type { GatewayChunk, GatewayStream } from "./gateway_stream.ts";
import type { Random } from "./random.ts";

/** One way of being untidy. */
export interface Mutation {
  /** What it does, in a few words. */
  name: string;
  /** At most one mutation of a group is applied to a stream; groups are applied in table order. */
  group: "finish" | "calls" | "content" | "noise" | "head" | "usage" | "end";
  /** Applies it; false if the stream has nothing that it could change. */
  apply(stream: GatewayStream, random: Random): boolean | void;
}

/** The chunks of a stream, without raw events. */
export function chunksOf(stream: GatewayStream): GatewayChunk[] {
  return stream.events.map((event) => event.data).filter((data) => typeof data !== "string");
}

/** The choices of all chunks. */
export function choicesOf(stream: GatewayStream): GatewayChunk[] {
  return chunksOf(stream).flatMap((chunk) => chunk.choices ?? []);
}

/** The choice that has the finish reason, if any. */
export function finishOf(stream: GatewayStream): GatewayChunk | undefined {
  return choicesOf(stream).find((choice) => choice.finish_reason != null);
}

/** The fragments of tool calls, in order. */
export function fragmentsOf(stream: GatewayStream): GatewayChunk[] {
  return choicesOf(stream).flatMap((choice) => choice.delta?.tool_calls ?? []);
}
