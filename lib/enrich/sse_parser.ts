/**
 * Server-sent events: lines in, events with parsed data out.
 *
 * @module
 */

import type { SseEvent } from "../dialects/dialect.ts";
import { BridgeError } from "../errors.ts";
import { isObject, type JsonObject } from "../json.ts";
import { JsonScanner } from "./json_scanner.ts";

/** The longest event, in characters: 16 Mi. */
export const MAX_EVENT = 16 * 1024 * 1024;

const DONE: SseEvent = { type: "done" };

/**
 * The state machine of server-sent events: a line in, at most two events out.
 *
 * An event is given as soon as its data is complete JSON, not at the blank line behind it: the gateway
 * may separate events by a single newline (`gateway.md`), and nothing is gained by waiting. Data over
 * several lines is joined until it is complete. A line of bare JSON without `data:` counts as data,
 * because gateways write their errors so.
 *
 * @example
 * ```ts
 * import { SseParser } from "./sse_parser.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const parser = new SseParser();
 * assertEquals(parser.line('data: {"choices":[]}'), [{ type: "json", value: { choices: [] } }]);
 * assertEquals(parser.line("data: [DONE]"), [{ type: "done" }]);
 * ```
 */
export class SseParser {
  /** Data that is not a complete JSON object yet, and how far its brackets are. */
  #pending: { text: string; readonly scanner: JsonScanner; hopeless: boolean } | undefined;

  /**
   * Takes the next line.
   *
   * @param line Without its ending.
   * @returns The events that it completes. Comments, event names, ids and most blank lines complete none.
   * @throws {BridgeError} kind `overflow`, when an event is longer than {@linkcode MAX_EVENT}.
   */
  line(line: string): readonly SseEvent[] {
    if (line === "") return this.end();
    if (line.startsWith("data:")) {
      return this.#data(line.charCodeAt(5) === 32 ? line.slice(6) : line.slice(5));
    }
    const bare = this.#pending ? !/^(:|event:|id:|retry:)/.test(line) : line.startsWith("{");
    return bare ? this.#data(line) : [];
  }

  /** What is left at a blank line or at the end: an event that was cut off, or nothing. */
  end(): readonly SseEvent[] {
    if (this.#pending === undefined) return [];
    const { text } = this.#pending;
    this.#pending = undefined;
    return [{ type: "malformed", text }];
  }

  #data(data: string): readonly SseEvent[] {
    const joined = this.#pending && this.#join(data);
    if (joined) return [joined];
    const value = parseObject(data);
    if (value !== undefined) return [...this.end(), { type: "json", value }];
    const trimmed = data.trim();
    if (trimmed === "[DONE]") return [...this.end(), DONE];
    if (this.#pending === undefined && trimmed !== "") {
      if (trimmed.length > MAX_EVENT) throw tooLong();
      const scanner = new JsonScanner();
      scanner.push(trimmed);
      // A balanced text that is not JSON does not become JSON with further lines.
      this.#pending = { text: trimmed, scanner, hopeless: scanner.complete };
    } else if (this.#pending) {
      this.#pending.text += `\n${data}`;
      if (this.#pending.text.length > MAX_EVENT) throw tooLong();
    }
    return [];
  }

  /**
   * The event that a further line of data completes. It is parsed once, when its brackets are balanced:
   * to try with each line would be quadratic.
   */
  #join(data: string): SseEvent | undefined {
    const pending = this.#pending!;
    if (pending.hopeless) return undefined;
    pending.scanner.push(data);
    if (!pending.scanner.complete) return undefined;
    const value = parseObject(`${pending.text}\n${data}`);
    pending.hopeless = value === undefined;
    if (value === undefined) return undefined;
    this.#pending = undefined;
    return { type: "json", value };
  }
}

/** The error of an event that is longer than {@linkcode MAX_EVENT}. */
export function tooLong(): BridgeError {
  return new BridgeError(
    "overflow",
    `The gateway sent an event of more than ${MAX_EVENT} characters; no event of a chat is that long.`,
  );
}

/** The object that a text is, or undefined. The first and the last character are checked first: a failed parse is slow. */
export function parseObject(text: string): JsonObject | undefined {
  const last = text.charCodeAt(text.length - 1);
  if (text.charCodeAt(0) !== 123 && text.trimStart().charCodeAt(0) !== 123) return undefined;
  if (last !== 125 && text.trimEnd().at(-1) !== "}") return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
