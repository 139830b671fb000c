/**
 * Asks for JSON in words where a surface refuses the field that asks for it.
 *
 * @module
 */

import { isObject, type JsonObject } from "../json.ts";

/** The first sentence of every instruction. */
function only(what: string): string {
  return `Answer with one JSON ${what} and nothing else: no text before or after it, no Markdown, no code fence.`;
}

/**
 * The instruction that stands in for a `response_format` which can't be sent, or undefined where the
 * format asks for nothing (`text`).
 *
 * @param format In the form of chat completions, the Responses API or Messages.
 *
 * @example
 * ```ts
 * import { assertStringIncludes } from "@std/assert";
 * import { formatInstruction } from "./instruct.ts";
 *
 * const text = formatInstruction({ type: "json_schema", json_schema: { schema: { type: "object" } } });
 * assertStringIncludes(text!, '{"type":"object"}');
 * ```
 */
export function formatInstruction(format: unknown): string | undefined {
  if (!isObject(format)) return undefined;
  if (format.type === "json_object") return only("object");
  if (format.type !== "json_schema") return undefined;
  const schema = isObject(format.json_schema) ? format.json_schema.schema : format.schema;
  return only("value") +
    (schema === undefined
      ? ""
      : ` It must be valid against this JSON Schema:\n${JSON.stringify(schema)}`);
}

/** A body without the field that asks for a format, and that format. */
function takeFormat(body: JsonObject): { rest: JsonObject; format: unknown } | undefined {
  for (const field of ["response_format", "output_format"]) {
    if (body[field] === undefined) continue;
    const { [field]: format, ...rest } = body;
    return { rest, format };
  }
  for (const parent of ["text", "output_config"]) {
    const holder = body[parent];
    if (!isObject(holder) || holder.format === undefined) continue;
    const { format, ...others } = holder;
    const { [parent]: _holder, ...rest } = body;
    return {
      rest: Object.keys(others).length > 0 ? { ...rest, [parent]: others } : rest,
      format,
    };
  }
  return undefined;
}

/**
 * Takes the wish for a format out of a body and puts it into words: in chat as a system message behind
 * the leading ones, in Responses at the end of `instructions`, in Messages at the end of `system`. There
 * it is close to the other rules, and no user's turn is changed.
 *
 * @param body A body of any dialect; it is not changed. The same body comes back where it asks for no format.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { instructFormat } from "./instruct.ts";
 *
 * const format = { type: "json_object" };
 * const body = instructFormat({ messages: [{ role: "user", content: "hi" }], response_format: format });
 * assertEquals((body.messages as { role: string }[])[0].role, "system");
 * ```
 */
export function instructFormat(body: JsonObject): JsonObject {
  const taken = takeFormat(body);
  if (taken === undefined) return body;
  const { rest, format } = taken;
  const content = formatInstruction(format);
  if (content === undefined) return rest;
  if (Array.isArray(rest.messages)) {
    // Messages bodies have their system prompt at the top, and no `response_format`.
    if (body.response_format === undefined) {
      return { ...rest, system: extend(rest.system, content) };
    }
    return { ...rest, messages: withSystem(rest.messages, content) };
  }
  if (rest.input === undefined) return rest;
  const { instructions } = rest;
  return {
    ...rest,
    instructions: typeof instructions === "string" && instructions !== ""
      ? `${instructions}\n\n${content}`
      : content,
  };
}

/** A system prompt, a string or blocks, with a further paragraph. */
function extend(system: unknown, text: string): unknown {
  if (Array.isArray(system)) return [...system, { type: "text", text }];
  return typeof system === "string" && system !== "" ? `${system}\n\n${text}` : text;
}

function withSystem(messages: readonly unknown[], content: string): unknown[] {
  const first = messages.findIndex((message) =>
    !isObject(message) || (message.role !== "system" && message.role !== "developer")
  );
  const at = first === -1 ? messages.length : first;
  return [...messages.slice(0, at), { role: "system", content }, ...messages.slice(at)];
}
