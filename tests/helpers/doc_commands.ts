/**
 * The commands that stand in the documents.
 *
 * @module
 */

/** A command of a document. */
export interface DocCommand {
  /** The document, from the project's folder. */
  readonly file: string;
  /** Its line, from 1. */
  readonly line: number;
  /** What is typed, on one line, without comments. */
  readonly text: string;
}

/**
 * The commands in the fenced blocks of a document: every line of `sh` and `powershell`, and what
 * stands behind a `$` in `console`. A line that ends with a backslash goes on in the next.
 *
 * @param file The document's name.
 * @param text Its text.
 */
export function commandsOf(file: string, text: string): DocCommand[] {
  const commands: DocCommand[] = [];
  let language: string | undefined;
  let open: { line: number; text: string } | undefined;
  for (const [at, raw] of text.split("\n").entries()) {
    const fence = /^\s*```(\w*)/.exec(raw);
    if (fence) {
      language = language === undefined ? fence[1] : undefined;
      continue;
    }
    if (language !== "sh" && language !== "console" && language !== "powershell") continue;
    let words = raw.trim();
    if (open === undefined && language === "console") {
      if (!words.startsWith("$ ")) continue;
      words = words.slice(2);
    }
    words = words.replace(/(^|\s+)# .*$/, "").replace(/\s+#$/, "");
    if (words === "" && open === undefined) continue;
    const begun: { line: number; text: string } = open ?? { line: at + 1, text: "" };
    begun.text = `${begun.text} ${words.replace(/\s*\\$/, "")}`.trim();
    open = words.endsWith("\\") ? begun : undefined;
    if (open === undefined) commands.push({ file, ...begun });
  }
  return commands;
}

/**
 * The words of a command as a shell has them: quotes keep words together.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { shellWords } from "./doc_commands.ts";
 *
 * assertEquals(shellWords("a 'b c' \"$d\""), ["a", "b c", "$d"]);
 * ```
 */
export function shellWords(text: string): string[] {
  return [...text.matchAll(/(?:'[^']*'|"[^"]*"|[^\s'"])+/g)]
    .map(([word]) => word.replace(/'([^']*)'|"([^"]*)"/g, (_, one, two) => one ?? two));
}
