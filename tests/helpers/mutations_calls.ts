/**
 * What gateways do to tool calls, as a table.
 *
 * @module
 */

import { type GatewayChunk, type GatewayStream, hasFinishReason } from "./gateway_stream.ts";
import { fragmentsOf, type Mutation } from "./mutation.ts";
import type { Random } from "./random.ts";

/** Changes every fragment of tool calls. */
function onFragments(
  change: (fragment: GatewayChunk, at: number, isFirst: boolean) => void,
): Mutation["apply"] {
  return (stream) => {
    const fragments = fragmentsOf(stream);
    const seen = new Set<unknown>();
    for (const [at, fragment] of fragments.entries()) {
      const { index } = fragment;
      change(fragment, at, !seen.has(index));
      seen.add(index);
    }
    return fragments.length > 0;
  };
}

function forgetIds(stream: GatewayStream): void {
  for (const call of stream.toolCalls ?? []) delete call.id;
}

/** Mutations of tool calls; a stream without any is left alone. */
export const CALL_MUTATIONS: readonly Mutation[] = [
  { name: "calls interleaved", group: "calls", apply: interleave },
  { name: "calls all in one chunk", group: "calls", apply: wholeCalls((call) => call) },
  {
    name: "calls' arguments an object",
    group: "calls",
    apply: wholeCalls((call) => {
      const text = call.function.arguments;
      call.function.arguments = text === "" ? {} : JSON.parse(text);
      return call;
    }),
  },
  {
    name: "call's first arguments null",
    group: "calls",
    apply: onFragments((f) => f.function.arguments === "" && (f.function.arguments = null)),
  },
  {
    name: "call's first arguments missing",
    group: "calls",
    apply: onFragments((f) => f.function.arguments === "" && delete f.function.arguments),
  },
  { name: "calls' index missing", group: "calls", apply: onFragments((f) => delete f.index) },
  { name: "calls' index from 1", group: "calls", apply: onFragments((f) => f.index++) },
  { name: "calls' index always 0", group: "calls", apply: onFragments((f) => (f.index = 0)) },
  { name: "calls' type missing", group: "calls", apply: onFragments((f) => delete f.type) },
  {
    name: "calls' extra_content a string",
    group: "calls",
    apply: onFragments((f) => (f.extra_content = "x")),
  },
  {
    name: "calls' id on every fragment",
    group: "calls",
    apply: (stream) => repeatHead(stream, (fragment, id) => (fragment.id = id)),
  },
  {
    name: "calls' id and name on every fragment",
    group: "calls",
    apply: (stream) =>
      repeatHead(stream, (fragment, id, name) => {
        fragment.id = id;
        fragment.function.name = name;
      }),
  },
  {
    name: "later fragments with another id",
    group: "calls",
    apply: onFragments((f, at, isFirst) => isFirst || (f.id = `other_${at}`)),
  },
  {
    name: "later fragments with null id, type and name",
    group: "calls",
    apply: onFragments((f, _, isFirst) => {
      if (!isFirst) {
        Object.assign(f, { id: null, type: null }, { function: { name: null, ...f.function } });
      }
    }),
  },
  {
    name: "later fragments with empty id and name",
    group: "calls",
    apply: onFragments((f, _, isFirst) => {
      if (!isFirst) Object.assign(f, { id: "" }, { function: { name: "", ...f.function } });
    }),
  },
  {
    name: "calls' id missing",
    group: "calls",
    apply: (stream, random) => {
      forgetIds(stream);
      return onFragments((f) => delete f.id)(stream, random);
    },
  },
  {
    name: "calls' id all the same",
    group: "calls",
    apply: (stream, random) => {
      forgetIds(stream);
      return onFragments((f, _, isFirst) => isFirst && (f.id = "call_0"))(stream, random);
    },
  },
];

/** Deals the fragments of several calls out in turns; each call's own order stays. */
function interleave(stream: GatewayStream, random: Random): boolean {
  const places = stream.events.flatMap((event, at) =>
    typeof event.data !== "string" && event.data.choices[0]?.delta?.tool_calls ? [at] : []
  );
  const queues = new Map<number, GatewayChunk[]>();
  for (const at of places) {
    const call = (stream.events[at].data as GatewayChunk).choices[0].delta.tool_calls[0];
    queues.set(call.index, [...(queues.get(call.index) ?? []), call]);
  }
  if (queues.size < 2) return false;
  const started: number[] = [];
  for (const at of places) {
    // Calls start in order, as models start them; after that, any may go on.
    const open = [...queues].filter(([, queue]) => queue.length > 0).map(([index]) => index);
    const next = open.filter((index) => !started.includes(index)).slice(0, 1);
    const index = random.pick([...open.filter((index) => started.includes(index)), ...next]);
    if (!started.includes(index)) started.push(index);
    const call = queues.get(index)?.shift();
    (stream.events[at].data as GatewayChunk).choices[0].delta.tool_calls = [call];
  }
  return true;
}

/** Sends all calls complete in the first of their chunks. */
function wholeCalls(change: (call: GatewayChunk) => GatewayChunk): Mutation["apply"] {
  return (stream) => {
    const at = stream.events.findIndex((event) =>
      typeof event.data !== "string" && event.data.choices[0]?.delta?.tool_calls
    );
    if (at < 0 || stream.toolCalls === undefined) return false;
    const calls = stream.toolCalls.map(({ id, name, arguments: text }, index) =>
      change({ index, id, type: "function", function: { name, arguments: text } })
    );
    stream.events = stream.events.filter((event, place) => {
      if (place <= at || typeof event.data === "string") return true;
      if (!event.data.choices[0]?.delta?.tool_calls) return true;
      event.data.choices[0].delta = {};
      return hasFinishReason(event);
    });
    (stream.events[at].data as GatewayChunk).choices[0].delta.tool_calls = calls;
  };
}

function repeatHead(
  stream: GatewayStream,
  change: (fragment: GatewayChunk, id: string, name: string) => void,
): boolean {
  const fragments = fragmentsOf(stream);
  for (const fragment of fragments) {
    const { id, function: { name } } = fragments.find((f) => f.index === fragment.index)!;
    change(fragment, id, name);
  }
  return fragments.length > 0;
}
