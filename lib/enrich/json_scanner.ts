/**
 * Tells when a JSON text that arrives in pieces is complete, without parsing it again with each piece.
 *
 * @module
 */

/** Counts the brackets of a JSON text outside its strings. */
export class JsonScanner {
  #depth = 0;
  #inString = false;
  #escaped = false;
  #started = false;

  /** Whether an object or an array has begun. */
  get started(): boolean {
    return this.#started;
  }

  /** Whether a complete JSON object or array has been seen. */
  get complete(): boolean {
    return this.#started && this.#depth <= 0 && !this.#inString;
  }

  /** Takes the next piece. */
  push(text: string): void {
    for (let at = 0; at < text.length; at++) {
      const code = text.charCodeAt(at);
      if (this.#inString) {
        if (this.#escaped) this.#escaped = false;
        else if (code === 92) this.#escaped = true;
        else if (code === 34) this.#inString = false;
      } else if (code === 34) this.#inString = true;
      else if (code === 123 || code === 91) {
        this.#depth++;
        this.#started = true;
      } else if (code === 125 || code === 93) this.#depth--;
    }
  }
}

/** The longest text that is kept of arguments which are neither an object nor an array, in characters. */
const MAX_SCALAR = 256;

/** Tells when the arguments of a tool call are complete: an object or an array, or a short JSON scalar. */
export class ArgumentsScanner {
  readonly #scanner = new JsonScanner();
  #scalar: string | undefined = "";

  /** Whether the text so far is complete JSON. */
  get complete(): boolean {
    return this.#scalar === undefined ? this.#scanner.complete : isScalar(this.#scalar);
  }

  /** Takes the next piece. */
  push(text: string): void {
    this.#scanner.push(text);
    if (this.#scalar === undefined) return;
    this.#scalar += text;
    if (this.#scanner.started || this.#scalar.length > MAX_SCALAR) this.#scalar = undefined;
  }
}

function isScalar(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
