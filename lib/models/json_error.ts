/**
 * Where a text stops being JSON. V8 names the position of some syntax errors and not of others; a person
 * who edits a file needs it always.
 *
 * @module
 */

/** One token of JSON, with the white space before it. */
const TOKEN =
  // deno-lint-ignore no-control-regex
  /[ \t\r\n]*(?:([{}[\],:])|("(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[\da-fA-F]{4}))*")|(?:-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null)(?![\w.+-]))/y;

/**
 * The line and column, both from 1, of the first character that can't be there; of the text's end where
 * something is missing. Undefined for JSON.
 *
 * @param text A text that `JSON.parse` refused.
 *
 * @example
 * ```ts
 * import { jsonErrorAt } from "./json_error.ts";
 *
 * const at = jsonErrorAt('{\n  "models": [,]\n}');
 * if (at?.line !== 2 || at.column !== 14) throw new Error("the comma without a value before it");
 * if (jsonErrorAt("{}") !== undefined) throw new Error("no error");
 * ```
 */
export function jsonErrorAt(text: string): { line: number; column: number } | undefined {
  const open: string[] = [];
  let expected: "value" | "first value" | "name" | "first name" | "colon" | "comma" = "value";
  let at = 0;
  for (;;) {
    TOKEN.lastIndex = at;
    const match = TOKEN.exec(text);
    if (match === null) break;
    const [, mark, string] = match;
    const isValue = expected === "value" || expected === "first value";
    const isName = expected === "name" || expected === "first name";
    if (mark === undefined) {
      if (isValue) expected = "comma";
      else if (isName && string !== undefined) expected = "colon";
      else break;
    } else if (mark === "{" || mark === "[") {
      if (!isValue) break;
      open.push(mark === "{" ? "}" : "]");
      expected = mark === "{" ? "first name" : "first value";
    } else if (mark === ":") {
      if (expected !== "colon") break;
      expected = "value";
    } else if (mark === ",") {
      if (expected !== "comma" || open.length === 0) break;
      expected = open.at(-1) === "}" ? "name" : "value";
    } else {
      const closes = expected === "comma" ||
        expected === (mark === "}" ? "first name" : "first value");
      if (!closes || open.at(-1) !== mark) break;
      open.pop();
      expected = "comma";
    }
    at = TOKEN.lastIndex;
  }
  const rest = text.slice(at);
  if (expected === "comma" && open.length === 0 && rest.trim() === "") return undefined;
  const lines = text.slice(0, at + rest.length - rest.trimStart().length).split("\n");
  return { line: lines.length, column: lines[lines.length - 1].length + 1 };
}
