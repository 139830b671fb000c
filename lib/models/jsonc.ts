/**
 * JSON with comments and trailing commas, as editors write it, and where things stand in its text.
 *
 * @module
 */

import {
  findNodeAtLocation,
  parse,
  type ParseError,
  parseTree,
  printParseErrorCode,
} from "jsonc-parser";

const OPTIONS = { allowTrailingComma: true, disallowComments: false, allowEmptyContent: false };

/** The name of an error of the parser's, and what it means to whoever wrote the text. */
const REASONS: Readonly<Record<string, string>> = {
  InvalidSymbol: "unexpected word",
  InvalidNumberFormat: "not a number",
  PropertyNameExpected: "expected a name in double quotes",
  ValueExpected: "expected a value",
  ColonExpected: "expected a colon",
  CommaExpected: "expected a comma",
  CloseBraceExpected: "expected } or a comma",
  CloseBracketExpected: "expected ] or a comma",
  EndOfFileExpected: "expected the end of the file",
  UnexpectedEndOfComment: "a comment without an end",
  UnexpectedEndOfString: "a text without an end",
  InvalidEscapeCharacter: "an unknown escape in a text",
  InvalidCharacter: "a character that a text can't hold",
};

/** A place in a text, both numbers from 1. */
export interface TextPlace {
  /** The line. */
  readonly line: number;
  /** The column, in characters of JavaScript's. */
  readonly column: number;
}

/** Where an offset is, for people. */
function placeAt(text: string, offset: number): TextPlace {
  const before = text.slice(0, offset);
  const line = before.split("\n").length;
  return { line, column: offset - before.lastIndexOf("\n") };
}

/** A text that could not be read. */
export interface JsoncError extends TextPlace {
  /** What was expected there. */
  readonly reason: string;
}

/**
 * Reads JSON with comments and trailing commas.
 *
 * @param text The text, without a byte order mark.
 * @returns The value, or the first place where the text can't go on so.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { readJsonc } from "./jsonc.ts";
 *
 * assertEquals(readJsonc('{"models": ["a",]} // mine').value, { models: ["a"] });
 * assertEquals(readJsonc("{\n  models: []}").error?.line, 2);
 * ```
 */
export function readJsonc(text: string): { value?: unknown; error?: JsoncError } {
  try {
    return { value: JSON.parse(text) };
  } catch {
    // It has comments or trailing commas, or is broken.
  }
  const errors: ParseError[] = [];
  const value: unknown = parse(text, errors, OPTIONS);
  if (errors.length === 0) return { value };
  const { error, offset } = errors[0];
  return {
    error: {
      ...placeAt(text, offset),
      reason: REASONS[printParseErrorCode(error)] ?? "unexpected",
    },
  };
}

/**
 * As much of a broken text as can be understood.
 *
 * @param text The text.
 */
export function guessJsonc(text: string): unknown {
  return parse(text, [], OPTIONS);
}

/** A value, or a member of an object, and where it stands in its text. */
export interface TextNode {
  /** `object`, `array`, `property`, `string`, … */
  readonly type: string;
  /** Where it begins. */
  readonly offset: number;
  /** How many characters it takes. */
  readonly length: number;
  /** A string, number, boolean or null; a member's name is the value of its first child. */
  readonly value?: unknown;
  /** What it is in. */
  readonly parent?: TextNode;
  /** Elements, members, or a member's name and value. */
  readonly children?: readonly TextNode[];
}

/** The tree of a text that is valid; undefined for an empty one. */
export function treeOf(text: string): TextNode | undefined {
  return parseTree(text, [], OPTIONS);
}

/** The member of an object by its name; of several the last, as `JSON.parse` has it. */
export function memberOf(object: TextNode | undefined, name: string): TextNode | undefined {
  return object?.children?.findLast(({ children }) => children?.[0].value === name);
}

/**
 * Where a field stands.
 *
 * @param text A text that {@linkcode readJsonc} can read.
 * @param path The field: `models[3].endpoint`; where it isn't there, the nearest one around it counts.
 */
export function placeOf(text: string, path: string): TextPlace {
  const steps = path.split(/[.[\]]+/).filter((step) => step !== "")
    .map((step) => /^\d+$/.test(step) ? Number(step) : step);
  const root = parseTree(text, [], OPTIONS);
  for (let length = steps.length; root && length >= 0; length--) {
    const node = findNodeAtLocation(root, steps.slice(0, length));
    if (node) return placeAt(text, node.offset);
  }
  return { line: 1, column: 1 };
}
