/**
 * The messages of a Messages request as those of chat completions.
 *
 * @module
 */

import { decodeContinuity, isOwnContent } from "../../enrich/continuity.ts";
import { BridgeError } from "../../errors.ts";
import { isObject, type JsonObject } from "../../json.ts";
import type { Family } from "../../models/families.ts";
import { blocksOf, callId, textOf } from "./blocks.ts";

/** Whom the messages are for. */
export interface Reader {
  /** The model, as the client asked for it. */
  readonly model: string;
  /** Its family. */
  readonly family: Family;
}

/** Families that take a system message in the middle of a conversation for one. */
const SYSTEM_ANYWHERE: ReadonlySet<Family> = new Set<Family>(["gpt", "grok"]);

/** What stands in the place of a result that is only an image: results of chat completions are text. */
const IMAGE_BELOW = "(an image; it stands in the next message)";

/** Blocks that tell what Anthropic's servers did; the model's next words don't hang on them. */
const SERVER_BLOCKS =
  /^(server_tool_use|mcp_tool_use|mcp_tool_result|[a-z_]+_tool_result|container_upload|fallback)$/;

/** Translates messages; `reader` is whom they are for. */
export function decodeMessages(messages: readonly JsonObject[], reader: Reader): JsonObject[] {
  return messages.flatMap((message, at) => {
    const path = `messages[${at}].content`;
    const blocks = blocksOf(message.content);
    switch (message.role) {
      case "assistant":
        return decodeAssistant(blocks, reader);
      case "system":
        return decodeSystem(blocks, reader);
      default:
        return decodeUser(blocks, path, reader);
    }
  });
}

function joined(blocks: readonly JsonObject[]): string {
  return blocks.map(({ text }) => textOf(text)).filter((text) => text !== "").join("\n\n");
}

/** Where a model knows no system message in mid-conversation, it reads one as the user's reminder. */
function decodeSystem(blocks: readonly JsonObject[], { family }: Reader): JsonObject[] {
  const text = joined(blocks);
  if (text === "") return [];
  if (SYSTEM_ANYWHERE.has(family)) return [{ role: "system", content: text }];
  return [{ role: "user", content: `<system-reminder>\n${text}\n</system-reminder>` }];
}

function decodeAssistant(blocks: readonly JsonObject[], { model, family }: Reader): JsonObject[] {
  const details: JsonObject[] = [];
  const thoughts: string[] = [];
  const calls: JsonObject[] = [];
  const texts: string[] = [];
  let mark: unknown;
  let fields: Readonly<Record<string, JsonObject>> = {};
  for (const block of blocks) {
    switch (block.type) {
      case "text":
        if (textOf(block.text) !== "") texts.push(textOf(block.text));
        mark = block.cache_control ?? mark;
        break;
      case "thinking": {
        const text = textOf(block.thinking);
        const own = decodeContinuity(block.signature);
        if (own !== undefined) {
          if (own.model !== model) break;
          fields = { ...fields, ...own.calls };
          details.push(...own.details ?? []);
          if (text !== "") thoughts.push(text);
        } else if (
          family === "claude" && textOf(block.signature) !== "" &&
          !isOwnContent(block.signature)
        ) {
          details.push({ type: "reasoning.text", text, signature: block.signature });
        }
        break;
      }
      case "redacted_thinking":
        if (family === "claude") details.push({ type: "reasoning.encrypted", data: block.data });
        break;
      case "tool_use": {
        const id = idFor(block.id, family);
        calls.push({
          ...Object.hasOwn(fields, textOf(block.id)) ? fields[textOf(block.id)] : {},
          id,
          type: "function",
          function: { name: block.name, arguments: JSON.stringify(block.input ?? {}) },
        });
        break;
      }
    }
  }
  if (texts.length === 0 && calls.length === 0) return [];
  return [{
    role: "assistant",
    content: texts.length > 0 ? markedText(texts.join("\n\n"), mark, family) : null,
    ...details.length > 0 ? { reasoning_details: details } : {},
    ...thoughts.length > 0 ? { reasoning_content: thoughts.join("\n\n") } : {},
    ...calls.length > 0 ? { tool_calls: calls } : {},
  }];
}

function idFor(id: unknown, family: Family): string {
  return family === "claude" ? callId(id) : textOf(id);
}

/** A user's message: results of calls first, because they must stand right behind the calls. */
function decodeUser(
  blocks: readonly JsonObject[],
  path: string,
  reader: Reader,
): JsonObject[] {
  const results: JsonObject[] = [];
  const parts: JsonObject[] = [];
  for (const [at, block] of blocks.entries()) {
    if (block.type === "tool_result") {
      const { text, images } = decodeResult(block, `${path}[${at}]`, reader);
      const id = idFor(block.tool_use_id, reader.family);
      const inner = blocksOf(block.content).findLast((part) => isObject(part.cache_control));
      const mark = block.cache_control ?? inner?.cache_control;
      const content = markedText(text, mark, reader.family);
      results.push({ role: "tool", tool_call_id: id, content });
      if (images.length > 0) {
        parts.push({ type: "text", text: `The result of call ${id}:` }, ...images);
      }
    } else parts.push(...decodePart(block, `${path}[${at}]`, reader));
  }
  return parts.length === 0 ? results : [...results, { role: "user", content: flatten(parts) }];
}

/** A text, as a part where a client marked it for Claude's prompt cache. */
function markedText(text: string, mark: unknown, family: Family): unknown {
  return family === "claude" && isObject(mark) && text !== ""
    ? [{ type: "text", text, cache_control: mark }]
    : text;
}

/** One text as a string, anything else as parts. */
function flatten(parts: readonly JsonObject[]): unknown {
  const [part] = parts;
  return parts.length === 1 && part.type === "text" && part.cache_control === undefined
    ? part.text
    : parts;
}

function decodeResult(
  { content, is_error: failed }: JsonObject,
  path: string,
  reader: Reader,
): { text: string; images: JsonObject[] } {
  const parts = blocksOf(content).flatMap((block, at) =>
    decodePart(block, `${path}.content[${at}]`, { ...reader, family: "open" })
  );
  const text = parts.map(({ text }) => textOf(text)).filter((text) => text !== "").join("\n");
  const images = parts.filter(({ type }) => type !== "text");
  const told = text === "" && images.length > 0 ? IMAGE_BELOW : text;
  return { text: failed === true ? `The tool failed: ${told}` : told, images };
}

/** A block of a user's as parts of chat completions. */
function decodePart(block: JsonObject, path: string, { family }: Reader): JsonObject[] {
  const { type, text, source, cache_control: mark } = block;
  const cached = family === "claude" && isObject(mark) ? { cache_control: mark } : {};
  switch (type) {
    case "text":
      return textOf(text) === "" ? [] : [{ type: "text", text, ...cached }];
    case "image": {
      const url = imageUrl(source);
      if (url !== undefined) return [{ type: "image_url", image_url: { url }, ...cached }];
      break;
    }
    case "tool_reference":
      return [{ type: "text", text: `The tool ${textOf(block.tool_name)} is there to be called.` }];
    case "search_result":
      return [{
        type: "text",
        text: [textOf(block.title), textOf(block.source), joined(blocksOf(block.content))]
          .filter((line) => line !== "").join("\n"),
        ...cached,
      }];
    case "document": {
      const told = documentText(source);
      if (told !== undefined) {
        const title = textOf(block.title);
        return [{ type: "text", text: title === "" ? told : `${title}\n\n${told}`, ...cached }];
      }
      break;
    }
    default:
      if (SERVER_BLOCKS.test(textOf(type))) return [];
  }
  const stored = isObject(source) && source.type === "file";
  throw new BridgeError(
    "request",
    stored
      ? `\`${path}\` refers to a stored file, and the gateway stores none: send its content.`
      : `\`${path}\` is a ${
        textOf(type).slice(0, 60) || "block"
      } that this model can't be told: send text or an image, or ask a Claude model.`,
    { param: path, code: "unsupported_content" },
  );
}

function imageUrl(source: unknown): string | undefined {
  if (!isObject(source)) return undefined;
  if (source.type === "url" && typeof source.url === "string") return source.url;
  return source.type === "base64" && typeof source.data === "string"
    ? `data:${textOf(source.media_type) || "image/png"};base64,${source.data}`
    : undefined;
}

/** The text of a document that is text. */
function documentText(source: unknown): string | undefined {
  if (!isObject(source)) return undefined;
  if (source.type === "text") return textOf(source.data);
  return source.type === "content" ? joined(blocksOf(source.content)) : undefined;
}
