/**
 * The layouts of an event stream's bytes.
 *
 * @module
 */

/** How the bytes of a stream are laid out. */
export interface Framing {
  /** What ends a line. */
  readonly lineEnd: "\n" | "\r\n" | "\r";
  /** Whether a space stands after `data:`. */
  readonly space: boolean;
  /** Whether events are separated by a blank line, or by a single line end. */
  readonly blankLine: boolean;
  /** Whether comment lines stand between events. */
  readonly comments: boolean;
}

const LF: Framing = { lineEnd: "\n", space: true, blankLine: true, comments: false };
const CRLF: Framing = { ...LF, lineEnd: "\r\n" };
const NO_SPACE: Framing = { ...LF, space: false };
const SINGLE_NEWLINE: Framing = { ...LF, blankLine: false };
const COMMENTS: Framing = { ...LF, comments: true };

/**
 * Every framing that was seen or is allowed by the standard, by the name that the scenario
 * `framing=…` uses.
 */
export const FRAMINGS: Readonly<Record<string, Framing>> = {
  "lf": LF,
  "crlf": CRLF,
  "cr": { ...LF, lineEnd: "\r" },
  "no-space": NO_SPACE,
  "single": SINGLE_NEWLINE,
  "single-crlf": { ...CRLF, blankLine: false },
  "comments": COMMENTS,
};
