/**
 * Takes the Markdown fence off a streamed JSON answer. Where `response_format` could not be sent, the
 * model is told to send bare JSON; some fence it all the same, and ForgeCode then fails (`forgecode.md`).
 *
 * @module
 */

/** An opening fence, or what may still become one. */
const OPENING = /^\s*(`{1,3}|```[\w+-]*[ \t]*\r?)?$/;
const OPENED = /^\s*```[\w+-]*[ \t]*\r?\n/;
/**
 * What may be the beginning of the closing fence: kept back until more comes. Further to the right than
 * this no model closes a fence; without a bound, many blanks would be scanned again with each piece.
 */
const CLOSING = /\r?\n[ \t]{0,64}`{0,2}$|\r$/;
const CLOSED = /\r?\n[ \t]{0,64}```/;
/** The longest language line of a fence, in characters. */
const LONGEST_OPENING = 64;

/**
 * Removes one fence around the content of a stream. Content that begins with anything else passes as it
 * comes. Inside a fence nothing of the JSON can look like its end: JSON strings hold no line breaks.
 *
 * @example
 * ```ts
 * import { FenceRemover } from "./fence.ts";
 *
 * const fence = new FenceRemover();
 * const parts = ["``", "`json\n{\"a\"", ":1}\n`", "``"];
 * const text = parts.map((part) => fence.push(part)).join("") + fence.end();
 * if (text !== '{"a":1}') throw new Error(text);
 * ```
 */
export class FenceRemover {
  #state: "start" | "plain" | "inside" | "after" = "start";
  #held = "";

  /**
   * Takes a piece of content.
   *
   * @param text The next piece of content.
   * @returns What may go out now; the beginning of a possible fence is held back.
   */
  push(text: string): string {
    if (this.#state === "plain") return text;
    if (this.#state === "after") return "";
    this.#held += text;
    if (this.#state === "start") {
      const opened = OPENED.exec(this.#held);
      if (opened) {
        this.#state = "inside";
        this.#held = this.#held.slice(opened[0].length);
      } else if (this.#held.length <= LONGEST_OPENING && OPENING.test(this.#held)) {
        return "";
      } else {
        this.#state = "plain";
        return this.#release();
      }
    }
    const closed = CLOSED.exec(this.#held);
    if (closed) {
      this.#state = "after";
      this.#held = this.#held.slice(0, closed.index);
      return this.#release();
    }
    const maybe = CLOSING.exec(this.#held);
    if (!maybe) return this.#release();
    const out = this.#held.slice(0, maybe.index);
    this.#held = this.#held.slice(maybe.index);
    return out;
  }

  /** What was held back, at the end of the content. */
  end(): string {
    if (this.#state === "inside") {
      this.#held = this.#held.replace(/\s*`*\s*$/, "");
    }
    return this.#release();
  }

  #release(): string {
    const out = this.#held;
    this.#held = "";
    return out;
  }
}
