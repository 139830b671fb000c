/**
 * Everything a property test over streams needs: streams made up at random, what gateways do to them,
 * how they are framed and cut, and what must be true of what comes out.
 *
 * @module
 */

import type { Expected } from "./expectations.ts";
import { FRAMINGS, type FramingStyle, reframe } from "./framings.ts";
import { type GatewayStream, randomStream, write } from "./gateway_stream.ts";
import { type Mutation, MUTATIONS } from "./mutations.ts";
import type { Random } from "./random.ts";

export { type Expected, type ExpectedToolCall, violations } from "./expectations.ts";
export { cuts, FRAMINGS, type FramingStyle, reframe, streamOf } from "./framings.ts";
export {
  type GatewayChunk,
  type GatewayEvent,
  type GatewayStream,
  randomStream,
  write,
  type WrittenStream,
} from "./gateway_stream.ts";
export { type Mutation, MUTATIONS, STREAM_ERRORS } from "./mutations.ts";
export { Random, randomFromEnvironment } from "./random.ts";

/** A stream as it comes from a gateway on a bad day. */
export interface MutatedStream {
  /** The `data` of each event, one line each. */
  events: string[];
  /** What must be true of the stream that leaves the bridge. */
  expected: Expected;
  /** What was done to it, for the message of a failed test. */
  mutations: string[];
}

/**
 * Applies mutations to a stream: at most one of each group, in the order of the table.
 *
 * @param stream The stream; it is changed.
 * @param random Which ones, and where.
 * @param only The mutations to choose from; all of them if left out.
 * @returns The stream as it goes over the wire, and what must come of it.
 *
 * @example
 * ```ts
 * import { mutateStream, Random, randomStream } from "./mutate.ts";
 *
 * const random = new Random(3);
 * const { events, expected } = mutateStream(randomStream(random), random);
 * if (events.length === 0 || expected.end === undefined) throw new Error("nothing came of it");
 * ```
 */
export function mutateStream(
  stream: GatewayStream,
  random: Random,
  only: readonly Mutation[] = MUTATIONS,
): MutatedStream {
  const mutations: string[] = [];
  for (const group of new Set(only.map((mutation) => mutation.group))) {
    if (!random.chance(group === "end" ? 0.3 : 0.5)) continue;
    const mutation = random.pick(only.filter((mutation) => mutation.group === group));
    if (mutation.apply(stream, random) !== false) mutations.push(mutation.name);
  }
  return { ...write(stream), mutations };
}

/** A mutated stream, framed. */
export interface FramedStream extends MutatedStream {
  /** The bytes as the gateway sends them. */
  bytes: Uint8Array;
}

/**
 * Makes up a stream, mutates it and frames it.
 *
 * @param random Where all of it comes from.
 * @returns The bytes, and what must come of them.
 *
 * @example
 * ```ts
 * import { Random, randomGatewayBytes } from "./mutate.ts";
 *
 * if (randomGatewayBytes(new Random(4)).bytes.length === 0) throw new Error("nothing was made");
 * ```
 */
export function randomGatewayBytes(random: Random): FramedStream {
  const mutated = mutateStream(randomStream(random), random);
  const style: FramingStyle = random.pick(Object.keys(FRAMINGS));
  const bytes = new TextEncoder().encode(reframe(mutated.events, style));
  return { ...mutated, mutations: [...mutated.mutations, `framing: ${style}`], bytes };
}
