/**
 * Collects the reasoning of an answer for the next turn: a client of another dialect may not send it
 * back, and Claude refuses a tool call whose thinking is missing (`gateway.md`, "Claude").
 *
 * @module
 */

import type { JsonObject } from "../json.ts";

/** The most reasoning that is collected, in characters; more is not cached at all. */
const MAX_THINKING = 4 * 1024 * 1024;

/** Joins pieces of thinking into blocks: a signature ends a block and belongs to all of its text. */
export class ThinkingCollector {
  #blocks: { pieces: string[]; detail: JsonObject }[] = [];
  #size = 0;

  /** Takes the `reasoning_details` of one delta. */
  add(details: readonly JsonObject[]): void {
    for (const detail of details) {
      if (detail.type !== "reasoning.text") {
        this.#blocks.push({ pieces: [], detail });
        this.#size += JSON.stringify(detail).length;
        continue;
      }
      const last = this.#blocks.at(-1);
      const open = last?.detail.type === "reasoning.text" && last.detail.signature === undefined;
      const block = open ? last : { pieces: [], detail: { type: "reasoning.text" } as JsonObject };
      if (!open) this.#blocks.push(block);
      if (typeof detail.text === "string") block.pieces.push(detail.text);
      if (typeof detail.signature === "string" && detail.signature !== "") {
        block.detail.signature = detail.signature;
        this.#size += detail.signature.length;
      }
      this.#size += typeof detail.text === "string" ? detail.text.length : 0;
    }
    if (this.#size > MAX_THINKING) this.#blocks = [];
  }

  /** The blocks that can go back: signed text, and what is encrypted. */
  take(): JsonObject[] {
    if (this.#size > MAX_THINKING) return [];
    return this.#blocks
      .filter(({ detail }) => detail.type !== "reasoning.text" || detail.signature !== undefined)
      .map(({ pieces, detail }) =>
        pieces.length > 0 ? { ...detail, text: pieces.join("") } : detail
      );
  }
}
