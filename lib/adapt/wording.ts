/**
 * Reads a refusal's words: which names stand beside words that say "not supported", and whether they are
 * about a field or about its value. Knows grammar, and no sentence: each model behind the gateway has
 * sentences of its own.
 *
 * @module
 */

import {
  ABOUT_VALUE,
  CONDITION,
  CONDITIONS,
  FILLER,
  JOINTS,
  NOUNS,
  POSITIVE,
  PREDICATE,
  REFUSING,
  VALUES_LISTED,
} from "./vocabulary.ts";

/** What a refusal names. */
export interface Reading {
  /** Names and paths that are said to be unknown, unsupported, extra or not permitted. */
  readonly fields: readonly string[];
  /** Those of them that are refused only beside another field of the request. */
  readonly conditional: ReadonlySet<string>;
  /** Names and paths whose value is refused. */
  readonly values: readonly string[];
  /** Texts in quotation marks in sentences about a value: one of them may be the value. */
  readonly quoted: readonly string[];
}

/** How much of a refusal is read, in characters. */
const MAX_TEXT = 8000;

/** How many names of one refusal count. */
const MAX_NAMES = 64;

/** One word of a sentence. */
interface Token {
  /** Without quotation marks and punctuation. */
  readonly name: string;
  readonly start: number;
  readonly end: number;
  /** In quotation marks. */
  readonly quoted: boolean;
  /** A colon follows. */
  readonly colon: boolean;
  /** A comma follows. */
  readonly comma: boolean;
}

function tokensOf(sentence: string): Token[] {
  const tokens: Token[] = [];
  for (const match of sentence.matchAll(/[^\s,(){}<>=|]+/g)) {
    const [raw] = match;
    const lead = /^[["'`*-]*/.exec(raw)![0];
    let name = raw.slice(lead.length);
    let tail = "";
    while (name !== "" && /["'`:;.!?*\]]$/.test(name)) {
      if (name.endsWith("]") && name.includes("[")) break;
      tail = name.at(-1) + tail;
      name = name.slice(0, -1);
    }
    if (name === "") continue;
    const end = match.index + raw.length;
    tokens.push({
      name,
      start: match.index,
      end,
      quoted: /["'`]/.test(lead) && /["'`]/.test(tail),
      colon: tail.includes(":"),
      comma: /^\s*,/.test(sentence.slice(end, end + 4)) || sentence[end] === ",",
    });
  }
  return tokens;
}

/** Where something stands in a sentence. */
interface Span {
  readonly start: number;
  readonly end: number;
}

/** Whether a word can only be a name: in quotation marks, a path, or in snake or camel case. */
function isMarked({ name, quoted }: Token): boolean {
  return /^[\w$@/.[\]'"-]+$/.test(name) &&
    (quoted || /[._[\]$]|^\//.test(name) || /[a-z][A-Z]/.test(name));
}

/** The names that a sentence is about. `refusing` are the places of words that refuse. */
function namesIn(
  tokens: readonly Token[],
  refusing: readonly Span[],
  known: (name: string) => boolean,
): { names: string[]; conditional: boolean } {
  const taken = tokens.map((token, at) => {
    if (isMarked(token)) return true;
    if (at === 0 && token.colon) return true;
    if (
      CONDITION.test(token.name) || !/^[\w-]+$/.test(token.name) || NOUNS.test(token.name) ||
      FILLER.has(token.name.toLowerCase())
    ) {
      return false;
    }
    const next = tokens[at + 1];
    // What a sentence ends with behind a colon: "not supported on this model: seed, user".
    if (tokens[at - 1]?.colon && (next === undefined || token.comma || JOINTS.has(next.name))) {
      return true;
    }
    const before = nearest(tokens, at, -1);
    const after = nearest(tokens, at, 1);
    if (before && NOUNS.test(before.name)) return true;
    if (after && NOUNS.test(after.name) && !token.comma) return true;
    return refusing.some(({ start, end }) => {
      if (token.start >= start && token.end <= end) return false;
      const gapBefore = before ? before.end : 0;
      const gapAfter = after ? after.start : Infinity;
      return (token.start >= end && gapBefore <= end) || (token.end <= start && gapAfter >= start);
    });
  });
  // Names that are joined to one are names as well.
  for (const [step, from] of [[1, 0], [-1, tokens.length - 1]]) {
    for (let at = from; at >= 0 && at < tokens.length; at += step) {
      if (taken[at]) continue;
      const other = at - step;
      const beside = tokens[other];
      if (beside === undefined || !/^[\w-]+$/.test(tokens[at].name)) continue;
      const first = step === 1 ? beside : tokens[at];
      if (JOINTS.has(tokens[at].name)) taken[at] = taken[other] && isJoint(tokens, at);
      else if (taken[other] && first.comma) taken[at] = true;
      else if (taken[other] && JOINTS.has(beside.name)) taken[at] = true;
    }
  }
  // A sentence begins with a capital letter, and a field's name with a small one.
  const spelled = tokens.map(({ name }, at) =>
    at === 0 && !known(name) && /^[A-Z][a-z]+$/.test(name) ? name.toLowerCase() : name
  );
  const names = tokens.map((token, at) =>
    taken[at] && !JOINTS.has(token.name) && known(spelled[at])
  );
  const condition = firstCondition(tokens, names);
  const count = names.filter(Boolean).length;
  return {
    names: spelled.filter((_name, at) => names[at] && at < condition),
    // Whether a client streams doesn't change from one request to the next.
    conditional: (count > 1 && tokens.some(({ name }) => /^(?:both|together)$/i.test(name))) ||
      spelled.some((name, at) =>
        at > condition && name !== "stream" &&
        (names[at] || isCondition(name, known) || /^without$/i.test(tokens[at - 1].name))
      ),
  };
}

/** Whether a plain word behind a condition is something that the request asks for. */
function isCondition(word: string, known: (name: string) => boolean): boolean {
  const name = word.toLowerCase();
  return Object.hasOwn(CONDITIONS, name) && CONDITIONS[name].some(known);
}

/** The field that a sentence about a value begins with: `temperature must be at most 1`. */
function subjectOf(tokens: readonly Token[], known: (name: string) => boolean): string[] {
  const [first, second] = tokens;
  if (first === undefined || second === undefined || !PREDICATE.test(second.name)) return [];
  const name = known(first.name) ? first.name : first.name.toLowerCase();
  return known(name) ? [name] : [];
}

function isJoint(tokens: readonly Token[], at: number): boolean {
  return tokens[at - 1] !== undefined && tokens[at + 1] !== undefined;
}

/** The next word in a direction that is no filler. */
function nearest(tokens: readonly Token[], at: number, step: number): Token | undefined {
  for (let other = at + step, left = 4; left > 0; other += step, left--) {
    const token = tokens[other];
    if (token === undefined || !FILLER.has(token.name.toLowerCase())) return token;
  }
  return undefined;
}

/** Where a sentence turns from its names to the condition under which they are refused. */
function firstCondition(tokens: readonly Token[], names: readonly boolean[]): number {
  let named = false;
  for (let at = 0; at < tokens.length; at++) {
    if (names[at]) named = true;
    else if (named && CONDITION.test(tokens[at].name)) return at;
  }
  return tokens.length;
}

/** A refusal's text as sentences: lists that follow a colon, and lines that belong together, joined. */
function sentencesOf(text: string): string[] {
  return text
    .replaceAll("(s)", "s").replaceAll('\\"', '"').replace(/[“”„]/g, '"').replace(/[‘’]/g, "'")
    .replace(/\[type=[^\]\n]{0,300}\]/g, "")
    // Pydantic: the path on a line of its own, the words indented below it.
    .replace(/^(\S{1,200})\n[ \t]{1,8}(?=\S)/gm, "$1: ")
    .replace(/:[ \t]*\n\s*(?:[-*•][ \t]*)?/g, ": ")
    .replace(/\n[ \t]*[-*•][ \t]*/g, ", ")
    .split(/\n+|(?<=[.!?])\s+|;\s*/)
    .map((sentence) => sentence.trim()).filter((sentence) => sentence !== "");
}

/** The part of a sentence before it says what would be taken. */
function headOf(sentence: string): string {
  const match = POSITIVE.exec(sentence);
  return match === null ? sentence : sentence.slice(0, match.index);
}

/** Where the words that refuse stand, as whole words. */
function refusalsIn(head: string, tokens: readonly Token[]): Span[] {
  return [...head.matchAll(REFUSING)].map(({ index, 0: words }) => {
    const last = index + words.length;
    return {
      start: tokens.findLast((token) => token.start <= index)?.start ?? index,
      end: tokens.find((token) => token.end >= last)?.end ?? last,
    };
  });
}

/** What a reader knows beside the words. */
export interface ReadingHints {
  /** The error's own code. */
  readonly code?: string;
  /** The field that the error names in a field of its own. */
  readonly param?: string;
  /** Whether a word may name a field: whatever isn't in the request is a word like any other. */
  readonly known?: (name: string) => boolean;
}

/**
 * Reads the words of a refusal.
 *
 * @param message The innermost words.
 * @param hints What else is known.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { readRefusal } from "./wording.ts";
 *
 * const known = (name: string) => ["seed", "user", "top_p"].includes(name);
 * const { fields } = readRefusal("Unknown parameters: 'seed', 'user'", { known });
 * assertEquals(fields, ["seed", "user"]);
 * assertEquals(readRefusal("top_p: Input should be less than 1", { known }).values, ["top_p"]);
 * assertEquals(readRefusal("Use 'input' instead").fields, []);
 * ```
 */
export function readRefusal(
  message: string,
  { code, param, known = () => true }: ReadingHints = {},
): Reading {
  const text = message.slice(0, MAX_TEXT);
  const sentences = sentencesOf(text);
  const fields = new Set<string>();
  const conditional = new Set<string>();
  const values = new Set<string>();
  const quoted = new Set<string>();
  const add = (set: Set<string>, names: readonly string[]) => {
    for (const name of names) if (set.size < MAX_NAMES) set.add(name);
  };
  const allValues = VALUES_LISTED.test(text);
  let refuses = false;
  for (const sentence of sentences) {
    const head = headOf(sentence);
    const tokens = tokensOf(head);
    const refusing = refusalsIn(head, tokens);
    const aboutValue = ABOUT_VALUE.test(sentence) || (allValues && refusing.length > 0);
    if (refusing.length === 0 && !aboutValue) continue;
    refuses ||= refusing.length > 0;
    const found = namesIn(tokens, refusing, known);
    if (!aboutValue) {
      add(fields, found.names);
      if (found.conditional) add(conditional, found.names);
    } else {
      add(values, found.names.length > 0 ? found.names : subjectOf(tokens, known));
      add(quoted, tokens.filter((token) => token.quoted).map(({ name }) => name));
    }
  }
  const coded = /unsupported|unknown|unrecogni|extra|not_?(?:supported|permitted|allowed)/i;
  const byCode = coded.test(code ?? "") && !/value/i.test(code ?? "");
  // A list whose sentence says nothing, or a code that says it all.
  if (fields.size === 0 && values.size === 0 && (refuses || byCode)) {
    for (const sentence of sentences) {
      add(fields, namesIn(tokensOf(headOf(sentence)), [], known).names);
    }
  }
  if (param !== undefined && (refuses || byCode || values.size > 0)) {
    add(values.size > 0 && fields.size === 0 ? values : fields, [param]);
  }
  return { fields: [...fields], conditional, values: [...values], quoted: [...quoted] };
}
