/**
 * The words by which `wording.ts` reads a refusal.
 *
 * @module
 */

/** Words for a field of a request. */
const NOUN =
  "parameters?|params?|fields?|keys?|arguments?|args?|propert(?:y|ies)|options?|attributes?|keywords?|inputs?|members?|settings?|elements?";

/** Words that say that something isn't taken at all. */
export const REFUSING: RegExp = new RegExp(
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
export const ABOUT_VALUE: RegExp = new RegExp(
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
export const VALUES_LISTED: RegExp =
  /\b(?:supported|valid|allowed|possible|accepted|permitted) values\b|\bonly the default\b/i;

/** Words after which a sentence says what would be taken. */
export const POSITIVE: RegExp = new RegExp(
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
export const CONDITION: RegExp =
  /^(?:when|while|if|with|without|unless|because|since|for|on|by|in|under|as|together|alongside|combination|conjunction)$/i;

/** Words that may stand between a name and what is said about it. */
export const FILLER: ReadonlySet<string> = new Set([
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
export const JOINTS: ReadonlySet<string> = new Set(["and", "or", "and/or", "&", "nor", "plus"]);

/** A word for a field, alone. */
export const NOUNS: RegExp = new RegExp(
  `^(?:${NOUN}|(?:parameter|field|argument|key|option)\\(s\\))$`,
  "i",
);

/** Plain words for what a request may ask for → the fields by which it does. */
export const CONDITIONS: Readonly<Record<string, readonly string[]>> = {
  thinking: ["thinking", "reasoning_effort", "reasoning"],
  reasoning: ["reasoning", "reasoning_effort", "thinking"],
  tools: ["tools"],
  functions: ["tools", "functions"],
};

/** Verbs with which a sentence goes on after its subject, where that is a field with a wrong value. */
export const PREDICATE: RegExp = /^(?:must|should|can|may|is|has|needs|value|out)$/i;
