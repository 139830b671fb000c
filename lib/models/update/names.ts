/**
 * The names of models in any text: a table copied from the AI Gateway page, Markdown, HTML, CSV, JSON,
 * prose. Nothing is counted and no layout is assumed; a name is known by its prefix and by what stands
 * around it.
 *
 * @module
 */

import { bareName } from "../families.ts";

/**
 * A name and nothing longer. It begins with one of the gateway's prefixes (`gateway.md`: `databricks-` or
 * `system.ai.`), and has a dot only before a digit, so that neither a file's ending nor a host's next
 * label belongs to it. No letter, digit, dot, slash or at-sign stands before it: it would be part of a
 * path, a host or a longer name. `model-services/` is the one path that leads to a name. Capitals are
 * read: the gateway's own names have none.
 */
const NAME =
  /(?:(?<=model-services\/)|(?<![\p{L}\p{N}./@\\-])(?<![\p{L}\p{N}]_))(?:databricks-|system\.ai\.)[a-z0-9]+(?:[-_][a-z0-9]+|\.\d[a-z0-9]*)*/giu;

/** Where the text of a button begins that stands right behind a name: `databricks-gpt-6-solCopy`. */
const BUTTON = /(?<=[a-z0-9][A-Z]?)[A-Z][a-z]|(?<=[a-z])[A-Z]{2}/;

/**
 * What must not follow: the rest of a longer word, a host or file (`.com`, `.png`), a path, a tag
 * (`:latest`), an address, or a dash before what isn't a word (`-*`, `-…`: a name cut short).
 */
const CUT = /^(?:[\p{L}\p{N}@]|\.[a-z]|\/\p{L}|:(?:\d|latest)|[-_.]*(?:…|\.\.\.)|-[*<{[(]|[-_]+$)/u;

/** First words of what the company makes beside models. */
const PRODUCTS =
  /^(agents?|ai|api|apps?|asset|aws|azure|bundles?|certified|cli|cloud|community|compute|connect|connector|custom|dbfs|dlt|docs?|feature|foundation|gateway|genai|gcp|hosted|hub|icon|images?|jdbc|jobs?|labs|langchain|lakehouse|lakebase|logo|managed|mcp|mlflow|models?|mosaic|notebooks?|odbc|openai|provided|pypi|rest|runtime|sdk|serving|set|solution|sql|terraform|token|tools?|uc|unity|vector|vectorsearch|vscode|workflows?|workspace)(-|$)/;

/** How the names of the models that are known begin; anything with a digit may be a model, too. */
const FAMILIES =
  /^(gpt|claude|gemini|gemma|grok|glm|kimi|deepseek|inkling|(meta-)?llama|qwen|mistral|mixtral|dbrx|phi|nemotron|gte|bge)|\d/;

/** What may stand on both sides of a name that stands for itself: a line's end, a cell's, a tag's, a quote's. */
const ALONE_BEFORE = /(^|[\n\r\t|,;"'`<>()[\]*•])[ \u00a0]*$/;
const ALONE_AFTER = /^[ \u00a0]*($|[\n\r\t|,;"'`<>()[\]*])/;

/** Names of models that answer no chat: embeddings, rerankers, pictures, sounds. Names: `gateway.md`, "Models". */
const NOT_CHAT =
  /(^|-)(gte|bge|e5|embed|embeddings?|rerank(er)?|imageai|image|whisper|tts|stable-diffusion|flux)(-|$)/;

/**
 * Whether a model answers chats, as far as its name tells: embedding models and their like don't.
 *
 * @param id The model, by any of its names.
 *
 * @example
 * ```ts
 * import { isChatModel } from "./names.ts";
 *
 * if (isChatModel("databricks-gte-large-en")) throw new Error("embeddings");
 * if (!isChatModel("databricks-gpt-5")) throw new Error("chat");
 * ```
 */
export function isChatModel(id: string): boolean {
  return !NOT_CHAT.test(bareName(id));
}

/** What was read in a text. */
export interface ReadNames {
  /** The names of models, each once, in the order in which they stand there, in lower case. */
  readonly names: readonly string[];
  /** What looks like a name and is none, with the reason, each once. */
  readonly skipped: readonly { readonly name: string; readonly why: string }[];
}

/**
 * Reads the names of models in a text. Embedding models are among them: see {@linkcode isChatModel}.
 *
 * @param text Any text.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { readNames } from "./names.ts";
 *
 * const { names, skipped } = readNames("databricks-gpt-6-solCopy, databricks-sql-connector 4");
 * assertEquals(names, ["databricks-gpt-6-sol"]);
 * assertEquals(skipped, [{ name: "databricks-sql-connector", why: "not a model" }]);
 * ```
 */
export function readNames(text: string): ReadNames {
  const plain = plainText(text);
  const names = new Set<string>();
  const skipped = new Map<string, string>();
  for (const match of plain.matchAll(NAME)) {
    const button = BUTTON.exec(match[0])?.index;
    const name = match[0].slice(0, button).toLowerCase();
    const end = match.index + match[0].length;
    const before = plain.slice(Math.max(0, match.index - 20), match.index);
    const after = button === undefined ? plain.slice(end, end + 20) : "";
    if (CUT.test(after) || isWildcard(before, after)) {
      skipped.set(name, "part of a longer word or address");
    } else if (isModel(name, before, after)) names.add(name);
    else skipped.set(name, "not a model");
  }
  for (const name of names) skipped.delete(name);
  return { names: [...names], skipped: [...skipped].map(([name, why]) => ({ name, why })) };
}

/** `databricks-gpt*` means many models; `*databricks-gpt-5*` is one in italics. */
function isWildcard(before: string, after: string): boolean {
  return after.startsWith("*") && !before.endsWith("*");
}

function isModel(name: string, before: string, after: string): boolean {
  if (name.startsWith("system.ai.")) return true;
  const bare = bareName(name);
  if (PRODUCTS.test(bare)) return false;
  return FAMILIES.test(bare) || (ALONE_BEFORE.test(before) && ALONE_AFTER.test(after));
}

/** What a page doesn't show: where it starts, where it ends. */
const INVISIBLE: readonly (readonly [start: RegExp, end: string])[] = [
  [/<!--/g, "-->"],
  [/<script\b/gi, "</script"],
  [/<style\b/gi, "</style"],
];

/** A text without what stands between two marks; what has no end goes to the text's own. */
function withoutBetween(text: string, start: RegExp, end: string): string {
  const lower = text.toLowerCase();
  let out = "";
  let from = 0;
  for (const { index } of text.matchAll(start)) {
    if (index < from) continue;
    out += text.slice(from, index);
    const at = lower.indexOf(end, index);
    if (at === -1) return out;
    from = at + end.length;
  }
  return out + text.slice(from);
}

/**
 * The text without what pages put into names: zero-width characters, soft hyphens, `<wbr>`, hyphens of
 * other kinds, entities for them, Markdown's backslashes; and the zero bytes of UTF-16, which PowerShell
 * writes.
 */
function plainText(text: string): string {
  return INVISIBLE.reduce((text, [start, end]) => withoutBetween(text, start, end), text)
    // deno-lint-ignore no-control-regex
    .replace(/[\x00\u00ad\u200b-\u200d\u2060\ufeff]|<wbr\s*\/?>|&(?:shy|#173|zwnj|#8203);/gi, "")
    .replace(/[\u2010\u2011]|&(?:#45|#x2d|hyphen|dash|#8208|#8209|#x2010|#x2011);/gi, "-")
    .replace(/&(?:#46|#x2e|period);/gi, ".")
    .replace(/&(?:nbsp|#160);/gi, " ")
    // What a page is made of is not what it says.
    .replace(/\b(?:class|style|src|srcset|href|action)\s*=\s*(?:"[^"]*"|'[^']*')/gi, "")
    .replace(/\\([-_.*])/g, "$1")
    // JSON within JSON, and logs, write line ends as two characters.
    .replace(/\\[nrt]/g, "\n");
}
