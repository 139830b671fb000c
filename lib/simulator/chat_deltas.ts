/**
 * The pieces of a chat completion: deltas of thinking, text and tool calls, each in the shape that
 * the family gives it.
 *
 * @module
 */

import type { Answer } from "./answers.ts";
import { hash, type JsonObject } from "./json.ts";
import type { Directives } from "./scenarios.ts";
import { fragments, groups } from "./text.ts";
import type { ChatTraits } from "./traits.ts";

/** The parts of an answer that are sent in deltas. */
export type Spoken = Pick<Answer, "reasoning" | "text" | "calls">;

/**
 * The signature that Claude puts under its thinking; it must come back unchanged.
 *
 * @param reasoning The thinking's text.
 * @returns A signature of this text.
 *
 * @example
 * ```ts
 * import { signatureOf } from "./chat_deltas.ts";
 *
 * if (signatureOf("a") === signatureOf("b")) throw new Error("unexpected");
 * ```
 */
export function signatureOf(reasoning: string): string {
  return `EqQB${hash(reasoning)}${hash(`${reasoning}.`)}==`;
}

/**
 * The deltas of a stream: thinking, text, tool calls. At least one.
 *
 * @param answer What is said.
 * @param traits The family's shape.
 * @param directives Scenarios that change tool calls.
 * @returns The deltas, without `role`.
 *
 * @example
 * ```ts
 * import { deltasOf } from "./chat_deltas.ts";
 * import { familyOf } from "./families.ts";
 *
 * const answer = { text: "Hello you", reasoning: "", calls: [] };
 * const deltas = deltasOf(answer, familyOf("gpt-5").chat, new Map());
 * if (deltas.length !== 2) throw new Error(`${deltas.length} deltas`);
 * ```
 */
export function deltasOf(answer: Spoken, traits: ChatTraits, directives: Directives): JsonObject[] {
  const deltas: JsonObject[] = [];
  const thought = groups(answer.reasoning, 3);
  if (traits.reasoning === "reasoning_content") {
    deltas.push(...thought.map((text) => ({ reasoning_content: text })));
  } else if (traits.reasoning === "parts" && thought.length > 0) {
    const signed = !traits.textAsParts;
    deltas.push(...thought.map((text) => ({
      content: [reasoningPart(text, signed ? "" : undefined)],
    })));
    if (signed) {
      deltas.push({ content: [reasoningPart("", signatureOf(answer.reasoning))] });
    }
  }
  deltas.push(
    ...groups(answer.text, 1).map((text) => ({
      content: traits.textAsParts ? [{ type: "text", text }] : text,
    })),
  );
  deltas.push(...callDeltas(answer, traits, directives));
  return deltas.length > 0 ? deltas : [{ content: "" }];
}

function callDeltas(answer: Spoken, traits: ChatTraits, directives: Directives): JsonObject[] {
  const interleave = directives.has("interleave");
  const firstIndex = traits.textTakesIndex && answer.text !== "" ? 1 : 0;
  const beside = traits.textTakesIndex ? { content: null } : {};
  // The untidiest families leave the index out; alternating fragments are lost without it.
  const indexed = traits.envelope !== "minimal" || interleave;
  const perCall = answer.calls.map((call, position) => {
    const index = indexed ? { index: firstIndex + position } : {};
    const whole = callOf(call, traits, directives);
    const { name, arguments: text } = whole.function as JsonObject;
    const delta = (value: JsonObject) => ({ ...beside, tool_calls: [{ ...index, ...value }] });
    if ((traits.wholeCalls && !interleave) || typeof text !== "string") return [delta(whole)];
    const { type, ...untyped } = whole;
    const opening = { ...(indexed ? { type } : {}), ...untyped };
    return [
      delta({ ...opening, function: { name, arguments: "" } }),
      ...fragments(text).map((part) => delta({ function: { arguments: part } })),
    ];
  });
  if (!interleave) return perCall.flat();
  const longest = Math.max(0, ...perCall.map((deltas) => deltas.length));
  return Array.from({ length: longest }, (_, at) => perCall.flatMap((deltas) => deltas[at] ?? []))
    .flat();
}

/**
 * A whole tool call.
 *
 * @param call The call.
 * @param traits The family's shape: some sign their calls.
 * @param directives `no-ids` and `object-arguments` change it.
 * @returns An element of `tool_calls`, without `index`.
 *
 * @example
 * ```ts
 * import { callOf } from "./chat_deltas.ts";
 * import { familyOf } from "./families.ts";
 *
 * const call = { id: "call_1", name: "read", arguments: "{}" };
 * const { id } = callOf(call, familyOf("gpt-5").chat, new Map());
 * if (id !== "call_1") throw new Error(`${id}`);
 * ```
 */
export function callOf(
  call: Answer["calls"][number],
  traits: ChatTraits,
  directives: Directives,
): JsonObject {
  const text = directives.has("object-arguments") ? JSON.parse(call.arguments) : call.arguments;
  return {
    ...(directives.has("no-ids") ? {} : { id: call.id }),
    type: "function",
    function: { name: call.name, arguments: text },
    ...(traits.thoughtSignature ? { thoughtSignature: `Co${hash(call.id)}` } : {}),
  };
}

/**
 * A content part that holds thinking.
 *
 * @param text The thinking, or a piece of it.
 * @param signature Claude's signature; left out where undefined.
 * @returns The part.
 *
 * @example
 * ```ts
 * import { reasoningPart } from "./chat_deltas.ts";
 *
 * if (reasoningPart("Hm.").type !== "reasoning") throw new Error("unexpected");
 * ```
 */
export function reasoningPart(text: string, signature?: string): JsonObject {
  const summary = { type: "summary_text", text, ...(signature === undefined ? {} : { signature }) };
  return { type: "reasoning", summary: [summary] };
}
