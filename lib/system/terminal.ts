/**
 * Talking with a person at a terminal: questions, secrets that nobody sees, colours, and a spinner while
 * something takes time. Where there is no terminal nothing is asked and nothing turns.
 *
 * @module
 */

import type { System } from "./system.ts";

/** What a terminal needs of the system. */
export type TerminalSystem = Pick<System, "err" | "exit" | "machine" | "terminal" | "variable">;

/** A colour or a style. */
export type Color = "bold" | "red" | "green" | "yellow" | "cyan" | "gray";

const CODES: Readonly<Record<Color, number>> = {
  bold: 1,
  red: 31,
  green: 32,
  yellow: 33,
  cyan: 36,
  // Faint, not bright black: that has the colour of the background in some dark themes.
  gray: 2,
};

/** Colours a text, or leaves it as it is. */
export type Paint = (color: Color, text: string) => string;

/**
 * Whether an output gets colours: a terminal does, unless `NO_COLOR` is set or `TERM` is `dumb`.
 * `FORCE_COLOR` gives them to any output, and `FORCE_COLOR=0` to none; `NO_COLOR` wins.
 *
 * @param system The machine.
 * @param output Where the text goes.
 *
 * @example
 * ```ts
 * import { isColored } from "./terminal.ts";
 *
 * const terminal = { out: true, err: true };
 * const variable = (name: string) => name === "TERM" ? "dumb" : undefined;
 * if (isColored({ terminal, variable }, "out")) throw new Error("it shows none");
 * ```
 */
export function isColored(
  { terminal, variable }: Pick<System, "terminal" | "variable">,
  output: "out" | "err",
): boolean {
  if (variable("NO_COLOR")) return false;
  const forced = variable("FORCE_COLOR");
  if (forced) return !/^(0|false)$/i.test(forced);
  return terminal[output] && variable("TERM") !== "dumb";
}

/**
 * The paint for one output: see {@linkcode isColored}.
 *
 * @param system The machine.
 * @param output Where the text goes.
 *
 * @example
 * ```ts
 * import { paintFor } from "./terminal.ts";
 *
 * const paint = paintFor({ terminal: { out: true, err: true }, variable: () => "1" }, "out");
 * if (paint("red", "x") !== "x") throw new Error("NO_COLOR is set");
 * ```
 */
export function paintFor(
  system: Pick<System, "terminal" | "variable">,
  output: "out" | "err",
): Paint {
  const color = isColored(system, output);
  return (name, text) => color && text !== "" ? `\x1b[${CODES[name]}m${text}\x1b[0m` : text;
}

/**
 * A text of somebody else's, safe to show: one line, without the control characters by which it could
 * write over what stands there, cut at a length.
 *
 * @example
 * ```ts
 * import { printable } from "./terminal.ts";
 *
 * if (printable("a\n\x1b[2Jb", 10) !== "a [2Jb") throw new Error("one line");
 * ```
 */
export function printable(text: string, longest = 400): string {
  // deno-lint-ignore no-control-regex
  const clean = text.replace(/[\x00-\x1f\x7f-\x9f\u2028\u2029]+/g, " ").trim();
  return clean.length > longest ? `${clean.slice(0, longest - 1)}…` : clean;
}

const FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏";

/** Something turns while a person waits; {@linkcode Terminal.spin} starts it. */
export interface Spinner {
  /** Shows another text. */
  readonly update: (text: string) => void;
  /** Takes the line away while something else is written. */
  readonly pause: (write: () => void) => void;
  /** Takes the line away for good. */
  readonly stop: () => void;
}

/** Keys of a terminal in raw mode. */
const KEY = { interrupt: 3, end: 4, backspace: 8, newline: 10, enter: 13, clear: 21, delete: 127 };

/**
 * A person at a terminal.
 *
 * @example
 * ```ts
 * import { Terminal } from "./terminal.ts";
 *
 * const terminal = new Terminal({
 *   err: () => {},
 *   exit: () => {},
 *   terminal: { out: false, err: false },
 *   variable: () => undefined,
 * });
 * if (terminal.interactive) throw new Error("nobody is there");
 * ```
 */
export class Terminal {
  readonly #system: TerminalSystem;
  /** What was typed beyond the line that was asked for. */
  #typed: number[] = [];

  /** Whether there is somebody to ask: one who types, and reads. */
  readonly interactive: boolean;

  /**
   * Whoever sits at the machine.
   *
   * @param system The machine.
   */
  constructor(system: TerminalSystem) {
    this.#system = system;
    this.interactive = system.machine?.input.terminal === true && system.terminal.err;
  }

  /**
   * Asks for a line. Keys that move the cursor do nothing, and leave nothing in the line.
   *
   * @param question What is asked, without a space at its end.
   * @returns The line without white space around it; undefined where the input has ended.
   */
  async ask(question: string): Promise<string | undefined> {
    return (await this.#typedLine(question, true))?.trim();
  }

  /**
   * Asks for a yes or a no.
   *
   * @param question What is asked; `[Y/n]` or `[y/N]` is put behind it.
   * @param otherwise What Enter alone means.
   */
  async confirm(question: string, otherwise: boolean): Promise<boolean> {
    const answer = await this.ask(`${question} ${otherwise ? "[Y/n]" : "[y/N]"}`);
    if (answer === undefined) return false;
    return answer === "" ? otherwise : /^y(es)?$/i.test(answer);
  }

  /**
   * Asks for a secret: nothing of it is shown. Ctrl-C ends the program, and the terminal is left as it
   * was found.
   *
   * @param question What is asked.
   * @returns The secret, or undefined where nothing was typed.
   */
  async secret(question: string): Promise<string | undefined> {
    return (await this.#typedLine(question, false))?.trim() || undefined;
  }

  /** Asks for a line, key by key. */
  async #typedLine(question: string, visible: boolean): Promise<string | undefined> {
    const input = this.#system.machine!.input;
    this.#system.err(`${question} `);
    input.setRaw(true);
    try {
      return await this.#line(visible);
    } finally {
      input.setRaw(false);
      this.#system.err("\n");
    }
  }

  /**
   * Starts a spinner; where nobody looks, nothing is written.
   *
   * @param text What takes time.
   */
  spin(text: string): Spinner {
    if (!this.#system.terminal.err || this.#system.variable("TERM") === "dumb") {
      return { update: () => {}, pause: (write) => write(), stop: () => {} };
    }
    const paint = paintFor(this.#system, "err");
    let shown = text;
    let frame = 0;
    let stopped = false;
    const draw = () => {
      // A tick that was due when the timer was cleared may still come.
      if (stopped) return;
      const mark = FRAMES[frame++ % FRAMES.length];
      this.#system.err(`\r${paint("cyan", mark)} ${printable(shown, 76)}\x1b[K`);
    };
    draw();
    const timer = setInterval(draw, 80);
    return {
      update: (text) => shown = text,
      pause: (write) => {
        this.#system.err("\r\x1b[K");
        write();
        draw();
      },
      stop: () => {
        stopped = true;
        clearInterval(timer);
        this.#system.err("\r\x1b[K");
      },
    };
  }

  /** A line of keys, which the terminal hands over as they come. */
  async #line(visible: boolean): Promise<string | undefined> {
    const input = this.#system.machine!.input;
    const show = (text: string) => visible && this.#system.err(text);
    const keys = new Keys();
    const line: string[] = [];
    for (;;) {
      if (this.#typed.length === 0) {
        const bytes = await input.read();
        if (bytes === undefined) return line.length > 0 ? line.join("") : undefined;
        this.#typed = [...bytes];
      }
      while (this.#typed.length > 0) {
        const byte = this.#typed.shift()!;
        const key = keys.next(byte);
        if (key === undefined) continue;
        if (byte === KEY.newline || byte === KEY.enter) return line.join("");
        if (byte === KEY.interrupt) {
          input.setRaw(false);
          this.#system.err("\n");
          this.#system.exit(130);
          return undefined;
        }
        if (byte === KEY.end) {
          if (line.length === 0) return undefined;
        } else if (byte === KEY.clear) {
          for (const _ of line.splice(0)) show(ERASE);
        } else if (byte === KEY.backspace || byte === KEY.delete) {
          if (line.pop() !== undefined) show(ERASE);
        } else if (key >= " ") {
          line.push(key);
          show(key);
        }
      }
    }
  }
}

/** Takes the last character off the screen. */
const ERASE = "\b \b";

/**
 * Bytes of a terminal → characters. Sequences for keys such as the arrows, and the marks that a terminal
 * puts around what is pasted, are passed over.
 */
class Keys {
  readonly #decoder = new TextDecoder();
  /** Where in a sequence the bytes are. */
  #state: "text" | "escape" | "sequence" = "text";

  /** The character that a byte ends; undefined where it ends none. */
  next(byte: number): string | undefined {
    if (this.#state === "escape") {
      this.#state = byte === 0x5b || byte === 0x4f ? "sequence" : "text";
      return undefined;
    }
    if (this.#state === "sequence") {
      if (byte >= 0x40 && byte <= 0x7e) this.#state = "text";
      return undefined;
    }
    if (byte === 0x1b) {
      this.#state = "escape";
      return undefined;
    }
    return this.#decoder.decode(new Uint8Array([byte]), { stream: true }) || undefined;
  }
}
