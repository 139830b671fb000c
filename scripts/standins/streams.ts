/**
 * Stand-in for the part of `@std/streams` that the project uses, for networks that do not reach
 * JSR. `tests/standins_test.ts` compares it with the real package wherever both can be had.
 *
 * @module
 */

/** Options of {@linkcode TextLineStream}. */
export interface TextLineStreamOptions {
  /**
   * Whether a lone carriage return ends a line too.
   *
   * @default {false}
   */
  allowCR?: boolean;
}

/**
 * Turns pieces of text, cut anywhere, into lines without their endings. `\n` and `\r\n` end a line,
 * with `allowCR` a lone `\r` too. Empty lines come through; text after the last ending is a line of
 * its own at the end of the stream.
 *
 * @example Usage
 * ```ts
 * import { TextLineStream } from "./streams.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const lines = ReadableStream.from(["one\nt", "wo\r", "\n\nthree"]).pipeThrough(new TextLineStream());
 * assertEquals(await Array.fromAsync(lines), ["one", "two", "", "three"]);
 * ```
 */
export class TextLineStream extends TransformStream<string, string> {
  /**
   * Makes a stream of lines.
   *
   * @param options What ends a line.
   */
  constructor({ allowCR = false }: TextLineStreamOptions = {}) {
    let rest = "";
    super({
      transform(text, controller) {
        text = rest + text;
        rest = "";
        if (allowCR && text.includes("\r")) {
          // A carriage return at the very end may be half of a CRLF: it waits for what comes next.
          if (text.endsWith("\r")) {
            rest = "\r";
            text = text.slice(0, -1);
          }
          text = text.replaceAll(/\r\n?/g, "\n");
        }
        let start = 0;
        for (let end; (end = text.indexOf("\n", start)) !== -1; start = end + 1) {
          const crlf = end > start && text[end - 1] === "\r";
          controller.enqueue(text.slice(start, crlf ? end - 1 : end));
        }
        rest = text.slice(start) + rest;
      },
      flush(controller) {
        if (rest === "") return;
        controller.enqueue(allowCR && rest.endsWith("\r") ? rest.slice(0, -1) : rest);
      },
    });
  }
}
