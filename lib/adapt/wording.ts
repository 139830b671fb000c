/**
 * Reads a refusal's words: which names stand beside words that say "not supported", and whether they are
 * about a field or about its value. Knows grammar, and no sentence: each model behind the gateway has
 * sentences of its own.
 *
 * @module
 */

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
export const MAX_NAMES = 64;

/** Words for a field of a request. */
const NOUN =
  "parameters?|params?|fields?|keys?|arguments?|args?|propert(?:y|ies)|options?|attributes?|keywords?|inputs?|members?|settings?|elements?";

/** Words that say that something isn't taken at all. */
const REFUSING = new RegExp(
  [
    "(?:not|n't|no longer|never) (?:(?:currently|yet|be|been|a|an|any|all) )*(?:supported|permitted|allowed|accepted|recogni[sz]ed|known|available|implemented|expected|enabled|understood|compatible|applicable|possible|defined|exist|part of|(?:one of|among) (?:the |its )?(?:supported|allowed|known|valid|accepted|permitted|recogni[sz]ed))",
    "(?:not|n't) (?:(?:currently|yet) )*(?:support|accept|allow|recogni[sz]e|permit|know|understand|expect|take|have|exist)\\b",
    "(?:not|n't) (?:be )?(?:use|used|set|specified|provided|included|present|passed|sent|combined|specify|include|contain|pass|send)\\b",
    "cannot (?:(?:both|be) )*(?:used|set|specified|provided|included|present|passed|sent|combined|support|accept|specify|include|contain|process|handle|recogni[sz]e)\\b",
    `(?:not an? |no such |no )(?:(?:known|valid|recogni[sz]ed|supported|allowed) )*(?:${NOUN})\\b`,
    "no longer supports?\\b",
    `\\b(?:invalid|bad|wrong) (?:request )?(?:${NOUN})\\b`,
    "\\binvalid (?:for|with|in|on)\\b",
    "not_(?:supported|allowed|permitted|recogni[sz]ed|accepted)",
    "\\b(?:rejects?|refuses?|disallows?|forbids?|prohibits?)\\b",
    `\\bhas no (?:${NOUN})\\b`,
    "(?<![a-z])unsupported(?![a-z])",
    "(?<![a-z])unknown(?![a-z])",
    "(?<![a-z])unrecogni[sz]ed(?![a-z])",
    "(?<![a-z])unexpected(?![a-z])",
    "\\bundefined\\b",
    "(?<![a-z])unpermitted(?![a-z])",
    "(?<![a-z])disallowed(?![a-z])",
    "\\bforbidden\\b",
    "\\bprohibited\\b",
    "\\billegal\\b",
    "\\bdeprecated\\b",
    "\\bsuperfluous\\b",
    "\\bextraneous\\b",
    "\\bextra\\b",
    "\\bextra_forbidden\\b",
    "\\badditional propert(?:y|ies)\\b",
    "\\b(?:please )?(?:remove|omit|drop)\\b",
  ].join("|"),
  "gi",
);

/** Words that say that a field is known and its value isn't taken. */
const ABOUT_VALUE = new RegExp(
  [
    "input should be",
    "should be (?:a|an|one|less|greater|between|at|in|of|either|valid|positive|non)\\b",
    "must (?:not )?be (?!removed|omitted|unset|left|set|present|specified|included|used)",
    "must (?:have|contain|match|start|end|begin|equal)\\b",
    "\\b(?:invalid|unsupported|illegal|unexpected|unknown|disallowed) (?:value|type|enum|variant|format|role|literal)s?\\b",
    "\\b(?:wrong|bad|incorrect) (?:value|type|format)",
    "\\bsupport(?:s|ed)? (?:the )?(?:values? )?[`'\"]?-?\\d",
    "\\bonly the default",
    "\\b(?:may|can) only be\\b",
    "\\bonly (?:be|when|if)\\b",
    "\\b(?:supported|valid|allowed|possible|accepted|permitted) values\\b",
    "\\bvalue (?:of )?[`'\"]?[\\w.-]+[`'\"]? (?:is|for)\\b",
    "\\b(?:with|for|this|that|the|its) value\\b",
    "\\b(?:your|the) value (?:for|of)\\b",
    "\\bless than\\b|\\bgreater than\\b|\\bat least\\b|\\bat most\\b|[<>]=? ?-?\\d|\\bout of range\\b|\\bbetween\\b",
    "\\btoo (?:long|large|big|small|high|low|many|short|few|deep)\\b",
    "\\b(?:maximum|minimum|exceeds?|exceeded)\\b",
    "\\bvalid (?:dictionary|string|integer|number|list|array|boolean|object|json|enum|uuid|url)\\b",
    "\\bfield required\\b|\\bis required\\b|\\bmissing\\b",
    "\\bnot a valid (?!field|param|key|argument|property|option|attribute|keyword)",
    "\\bexpected (?:a|an|type|string|number|integer|object|array|boolean)\\b",
    "\\bcould not be (?:parsed|decoded|verified)\\b|\\bmalformed (?:json|value|string)\\b",
  ].join("|"),
  "i",
);

/** Sentences that make the whole refusal one about a value. */
const VALUES_LISTED =
  /\b(?:supported|valid|allowed|possible|accepted|permitted) values\b|\bonly the default\b/i;

/** Words after which a sentence says what would be taken. */
const POSITIVE = new RegExp(
  [
    "(?<!not |n't )\\bexpected\\b",
    "\\bdid you mean\\b",
    "(?<!not |n't |be |cannot )\\b(?:please )?(?:use(?! of\\b)|try(?! again)|choose|consider|see|consult|set)\\b",
    "\\binstead\\b",
    `(?<!not |n't |un)\\b(?:supported|allowed|valid|permitted|accepted|available|known|possible|recogni[sz]ed) (?:(?:\\w+|\\w+\\(s\\)) )?(?:are|is|include)\\b(?! not)`,
    `(?<!not |n't )\\b(?:supported|allowed|valid|permitted|accepted|available|known|possible)(?: (?:${NOUN}|values?|names?))?:`,
    "\\bonly (?:supports?|accepts?|allows?|takes?|the following|these)\\b",
    "(?<!not |n't )\\bone of\\b",
    "\\bsuch as\\b|\\be\\.g\\.",
  ].join("|"),
  "i",
);

/** Words after which a sentence says under which condition. */
const CONDITION =
  /^(?:when|while|if|with|without|unless|because|since|for|on|by|in|under|as|together|alongside|combination|conjunction)$/i;

/** Words that may stand between a name and what is said about it. */
const FILLER = new Set([
  "a",
  "an",
  "the",
  "this",
  "these",
  "any",
  "following",
  "top-level",
  "request",
  "body",
  "supplied",
  "provided",
  "given",
  "found",
  "named",
  "called",
  "name",
  "names",
  "is",
  "are",
  "may",
  "can",
  "must",
  "should",
  "will",
  "could",
  "was",
  "were",
  "does",
  "do",
  "has",
  "been",
  "in",
  "at",
  "json",
  "model",
  "-",
  "–",
  "—",
  "error",
]);

/** Words that join names. */
const JOINTS = new Set(["and", "or", "and/or", "&", "nor", "plus"]);

const NOUNS = new RegExp(`^(?:${NOUN}|(?:parameter|field|argument|key|option)\\(s\\))$`, "i");

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

/** Plain words for what a request may ask for → the fields by which it does. */
const CONDITIONS: Readonly<Record<string, readonly string[]>> = {
  thinking: ["thinking", "reasoning_effort", "reasoning"],
  reasoning: ["reasoning", "reasoning_effort", "thinking"],
  tools: ["tools"],
  functions: ["tools", "functions"],
};

/** Whether a plain word behind a condition is something that the request asks for. */
function isCondition(word: string, known: (name: string) => boolean): boolean {
  const name = word.toLowerCase();
  return Object.hasOwn(CONDITIONS, name) && CONDITIONS[name].some(known);
}

/** Verbs with which a sentence goes on after its subject, where that is a field with a wrong value. */
const PREDICATE = /^(?:must|should|can|may|is|has|needs|value|out)$/i;

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
