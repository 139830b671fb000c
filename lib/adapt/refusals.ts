/**
 * The table of refusals whose words a general reading can't understand: other surfaces, other dialects,
 * other names, numbers, and thinking. What merely names a field is read by `wording.ts`.
 *
 * @module
 */

import { isObject, type JsonObject } from "../json.ts";
import { bareName } from "../models/families.ts";
import { type Adjustment, maxTokensOf } from "./adjustments.ts";
import { isThinking, LEAST_BUDGET } from "./thinking.ts";

/** A request as it was sent, for a row of the table to look at. */
export interface Sent {
  /** The body that was refused. */
  readonly body: JsonObject;
  /** The model's name in it. */
  readonly name: string;
}

/** What a row infers: adjustments, or that another surface must be tried. */
export type Inferred = Adjustment | { readonly type: "elsewhere"; readonly prefer?: string };

/** One row: the words of a refusal, and what is inferred from them. */
export interface Refusal {
  /** The one status that it comes with; any where missing. */
  readonly status?: number;
  /** How code and message are recognized, a space between them. */
  readonly words: RegExp;
  /** The words as they were really seen; a test feeds every one of them to the table. */
  readonly seen: string;
  /** What is inferred; nothing where the words don't fit what was sent. */
  readonly infer: (match: RegExpExecArray, sent: Sent) => readonly Inferred[];
}

/** A number in a refusal: `25,000` and `25_000`, too. */
function numberOf(text: string | undefined): number {
  return Number((text ?? "").replace(/[,_](?=\d{3})/g, ""));
}

/** The least room for an answer that is worth asking for, in tokens: it would be cut, and paid for. */
const LEAST_ROOM = 256;

/** A maximum of output tokens, where it is lower than what was asked for. */
function cap(tokens: number, { body }: Sent, once: boolean): Inferred[] {
  const asked = maxTokensOf(body);
  if (!(tokens >= (once ? LEAST_ROOM : 1)) || asked === undefined || asked <= tokens) return [];
  return [once ? { type: "cap", tokens, once } : { type: "cap", tokens }];
}

/** What makes reasoning of earlier turns useless. Claude demands it as long as it thinks. */
function withoutReasoning({ body }: Sent): Inferred[] {
  return [{ type: "reasoning", off: isThinking(body), once: true }];
}

const N = "(\\d{1,3}(?:[,_]\\d{3})+|\\d+)";
const TOKENS = "(?:max_(?:completion_|output_)?tokens|(?:output|completion|maximum) tokens?)";

/** The table. The order counts: the first row that infers something is used. */
export const REFUSALS: readonly Refusal[] = [
  {
    words: /Function tools with reasoning_effort are not supported/i,
    seen:
      "Function tools with reasoning_effort are not supported for gpt-6-sol in /v1/chat/completions. To use function tools, use /v1/responses or set reasoning_effort to 'none'.",
    infer: () => [{ type: "elsewhere", prefer: "openai" }],
  },
  {
    words:
      /only supports? the Responses API|only (?:supported|available) (?:in|on|via|through|with) (?:the )?(?:Responses API|\/?v1\/responses)|\buse (?:the )?\S{0,100}\/responses\b|\buse the Responses API/i,
    seen:
      "Model databricks-gpt-5-5-pro only supports the Responses API. Please use /openai/v1/responses instead.",
    infer: () => [{ type: "elsewhere", prefer: "openai" }],
  },
  {
    words:
      /Responses API (?:passthrough )?is not supported|\buse (?:the )?\S{0,100}\/chat\/completions\b|only supports? (?:the )?chat completions/i,
    seen: "Responses API passthrough is not supported for model databricks-claude-sonnet-4-5.",
    infer: () => [{ type: "elsewhere", prefer: "mlflow" }],
  },
  {
    words:
      /passthrough is not supported|is not supported for Cursor|Native_api_type=\S{0,100} is not supported|is not (?:served|supported|available|enabled) (?:on|for|in|by|through) this (?:surface|api|endpoint|route|path)|API type \S{0,60} is not supported/i,
    seen: "Model name databricks-glm-5-2 is not supported for Cursor on Databricks at this time.",
    infer: () => [{ type: "elsewhere" }],
  },
  {
    words: /is no longer available\. Use Unity Catalog model services/i,
    seen: "'databricks-gpt-5-6-sol' is no longer available. Use Unity Catalog model services (v3).",
    infer: (_match, { name }) =>
      name.startsWith("system.ai.") ? [] : [{ type: "name", name: `system.ai.${bareName(name)}` }],
  },
  {
    words:
      /missing required (?:chat )?(?:parameter|field)s?:? ['"`]?messages\b|['"`]?messages['"`]? is required/i,
    seen: "Bad request: Missing required Chat parameter: 'messages'",
    infer: (_match, { body }) =>
      body.input !== undefined && body.messages === undefined
        ? [{ type: "dialect", dialect: "chat" }]
        : [],
  },
  {
    words: /missing required (?:parameter|field)s?:? ['"`]?input\b|['"`]input['"`] is required/i,
    seen: "Missing required parameter: 'input'.",
    infer: (_match, { body }) =>
      body.messages !== undefined && body.input === undefined
        ? [{ type: "dialect", dialect: "responses" }]
        : [],
  },
  {
    words:
      /Multiple tool calls are not supported|only one tool call|single tool[- ]calls? at once/i,
    seen: "Multiple tool calls are not supported.",
    infer: () => [{ type: "one-call" }],
  },
  {
    words:
      /Structured output is not (?:currently )?supported|must contain the word ['"]json['"]|(?:json mode|structured outputs?|json_(?:schema|object)['"`]?)(?: \w+){0,5} (?:is|are) not (?:currently )?supported/i,
    seen: "INVALID_PARAMETER_VALUE: Structured output is not currently supported with streaming",
    infer: () => [{ type: "instruct" }],
  },
  {
    words: /exceeds? (?:the )?context (?:limit|window|length):? (?=\d)/i,
    seen:
      "input length and `max_tokens` exceed context limit: 190480 + 20480 > 200000, decrease input length or `max_tokens` and try again",
    infer: ({ input, index, 0: { length } }, sent) => {
      const sum = new RegExp(`^${N} \\+ ${N} > ${N}`).exec(input.slice(index + length));
      return sum === null ? [] : cap(numberOf(sum[3]) - numberOf(sum[1]), sent, true);
    },
  },
  {
    words: /maximum context length is ([\d,_]+) tokens/i,
    seen:
      "This model's maximum context length is 128000 tokens. However, you requested 140000 tokens (120000 in the messages, 20000 in the completion). Please reduce the length of the messages or completion.",
    infer: ({ 1: most, input }, sent) => {
      const prompt = new RegExp(
        `${N} (?:of text )?(?:tokens )?(?:in|from) the (?:messages|input|prompt)`,
        "i",
      )
        .exec(input.slice(0, 2000));
      return prompt === null ? [] : cap(numberOf(most) - numberOf(prompt[1]), sent, true);
    },
  },
  {
    words:
      /max_tokens[`'"]? must be (?:greater|larger) than [`'"]?thinking\.budget_tokens|budget_tokens[`'"]? must be (?:less|smaller|lower) than [`'"]?max_tokens/i,
    seen:
      "`max_tokens` must be greater than `thinking.budget_tokens`. Please consult our documentation",
    infer: () => [{ type: "budget", once: true }],
  },
  {
    words: /budget_tokens[`'"]?:? .{0,60}(?:greater than or equal to|at least|>=) ?(\d+)/i,
    seen: "thinking.enabled.budget_tokens: Input should be greater than or equal to 1024",
    infer: ([, least]) => Number(least) <= LEAST_BUDGET ? [{ type: "budget", once: true }] : [],
  },
  {
    words:
      /thinking\.type\.enabled[`'"]? is not supported|thinking\.type[`'"]?:? .{0,60}['"`]adaptive['"`]|budget_tokens[`'"]?:? (?:Extra inputs are|is) not (?:permitted|supported|allowed)/i,
    seen:
      '"thinking.type.enabled" is not supported for this model. Use "thinking.type.adaptive" and "output_config.effort" to control thinking behavior.',
    infer: (_match, { body }) =>
      isObject(body.thinking) && body.thinking.type === "enabled" ? [{ type: "adaptive" }] : [],
  },
  {
    words:
      /adaptive thinking is not (?:supported|available)|thinking\.type\.adaptive[`'"]? is not supported|thinking\.type[`'"]?: Input should be ['"`](?:enabled|disabled)/i,
    seen: "adaptive thinking is not supported on this model",
    infer: (_match, { body }) =>
      isObject(body.thinking) && body.thinking.type === "adaptive" ? [{ type: "budgeted" }] : [],
  },
  {
    words:
      /invalid [`'"]?signature[`'"]? in [`'"]?thinking|expected [`'"]?(?:redacted_)?thinking[`'"]?.{0,60}but found|must start with a thinking block|thinking[`'"]? blocks? .{0,80}(?:cannot be modified|must remain)/i,
    seen:
      "messages.1.content.0.type: Expected `thinking` or `redacted_thinking`, but found `tool_use`. When `thinking` is enabled, a final `assistant` message must start with a thinking block",
    infer: (_match, sent) => withoutReasoning(sent),
  },
  {
    words:
      /invalid_encrypted_content|encrypted[_ ]content\b.{0,200}could not be (?:verified|decrypted|parsed)|item with id ['"`]?rs_\S{0,500} not found|item ['"`]?rs_\S{0,500} of type ['"`]?reasoning|thought[_ ]signature\b.{0,80}(?:invalid|not valid|corrupt)/i,
    seen:
      "Item with id 'rs_0123456789abcdef' not found. Items are not persisted when `store` is set to false.",
    infer: (_match, sent) => withoutReasoning(sent),
  },
  {
    words:
      /[`'"]?temperature[`'"]? and [`'"]?top_p[`'"]? (?:cannot|can't|can not|may not|must not|should not)/i,
    seen: "`temperature` and `top_p` cannot both be specified for this model. Please use only one.",
    infer: () => [{ type: "drop", path: "top_p", once: true }],
  },
  {
    words:
      /unknown variant [`'"]?developer|(?:invalid|unsupported|unknown|unexpected) (?:value|role)s?:? [`'"]?developer|developer[`'"]? (?:role|messages?)?.{0,20}(?:not|n't) (?:be )?(?:supported|allowed|permitted|recogni[sz]ed|a valid)/i,
    seen:
      "Bad request: messages[0].role: unknown variant `developer`, expected one of `system`, `user`, `assistant`, `tool`",
    infer: () => [{ type: "role", from: "developer", to: "system" }],
  },
  {
    words:
      /unexpected role:? [`'"]?system|[`'"]?system[`'"]? (?:role|messages?)\b.{0,20}(?:not|n't) (?:be )?(?:supported|allowed|permitted)|role: Input should be ['"`]user['"`] or ['"`]assistant/i,
    seen:
      'messages: Unexpected role "system". The Messages API accepts a top-level `system` parameter, not "system" as an input message role.',
    infer: () => [{ type: "role", from: "system", to: "user" }],
  },
  {
    words:
      /\b(?:invalid|unknown|unsupported|unrecognized) (?:anthropic[-_])?beta\b|\bunexpected value.{0,500}\banthropic[-_]beta\b/i,
    seen: "invalid beta flag",
    infer: () => [{ type: "header", name: "anthropic-beta" }],
  },
  {
    words:
      /\bprefill|conversation must end with a user message|(?:last|final) message must (?:be|have|come) (?:from )?(?:the |a )?(?:role )?[`'"]?user/i,
    seen:
      "This model does not support assistant message prefill. The conversation must end with a user message.",
    infer: () => [{ type: "continue" }],
  },
  {
    words:
      /(?:final|last) (?:assistant|turn|message)\b.{0,60}(?:cannot|must not|can't) end with (?:trailing )?white ?space/i,
    seen: "messages: final assistant content cannot end with trailing whitespace",
    infer: () => [{ type: "trim" }],
  },
  {
    words:
      /the ['"`]([$\w]+)['"`] keyword is not supported|keyword ['"`]([$\w]+)['"`] is not (?:supported|permitted|allowed)/i,
    seen: 'Invalid JSON schema - the "pattern" keyword is not supported',
    infer: ([, keyword, other]) => [{ type: "keyword", keyword: keyword ?? other }],
  },
  {
    words:
      /(?:didn't|did not|does not|doesn't|must) specify (?:the |a )?(?:schema )?type|(?:input_schema|parameters)[`'"]?\.type[`'"]?: (?:field required|input should be)|schema must (?:have|be of) type ['"`]?object|missing (?:the )?type field/i,
    seen:
      "Unable to submit request because `set` functionDeclaration `parameters.value` schema didn't specify the schema type field.",
    infer: () => [{ type: "types" }],
  },
  {
    words: new RegExp(
      `${TOKENS}\\b[^.;]{0,80}?(?:(?:<=?|at most|less than or equal to|cannot exceed|can't exceed|must not exceed|exceeds?|up to|maximum(?: allowed)?(?: value)?(?: of| is)?|limit(?: of| is)?|smaller than|>) ?(?:the |a |an )?(?:model'?s? )?(?:maximum |limit |allowed |value )*(?:of |is |\\()?)[\`'"]?${N}`,
      "i",
    ),
    seen: "max_tokens: 100000 > 64000, which is the maximum allowed number of output tokens",
    infer: ([, most], sent) => cap(numberOf(most), sent, false),
  },
  {
    words: new RegExp(
      `(?:at most|maximum of|up to|no more than) ${N} (?:output|completion) tokens`,
      "i",
    ),
    seen: "max_tokens is too large: 100000. This model supports at most 16384 completion tokens.",
    infer: ([, most], sent) => cap(numberOf(most), sent, false),
  },
  {
    words: new RegExp(
      `${TOKENS}\\b[^;]{0,120}?(?:at least|>=|greater than or equal to|below minimum value\\. Expected a value >=) ?${N}`,
      "i",
    ),
    seen:
      "Invalid 'max_output_tokens': integer below minimum value. Expected a value >= 16, but got 5 instead.",
    infer: ([, least], { body }) => {
      const tokens = numberOf(least);
      const asked = maxTokensOf(body);
      return asked !== undefined && asked < tokens && tokens <= 1024
        ? [{ type: "floor", tokens, once: true }]
        : [];
    },
  },
  {
    words:
      /(?:at most|maximum of|max(?:imum)?:?|limit of|more than|up to) (\d+) (?:function|tool)s/i,
    seen: "Function calling supports at most 32 functions",
    infer: ([, most]) => Number(most) > 0 ? [{ type: "tools", most: Number(most) }] : [],
  },
  {
    words:
      /(?:at most|maximum of|max(?:imum)?:?|limit of|more than|up to) (\d+) (?:keys|properties)/i,
    seen: "Invalid JSON schema - an object may have at most 16 keys",
    infer: ([, most]) => Number(most) > 0 ? [{ type: "keys", most: Number(most) }] : [],
  },
  {
    status: 404,
    words: /^(?!.*(?:item with id|previous.response|response with id))/is,
    seen:
      "The given endpoint does not exist, please retry after checking the specified model and version deployment exists.",
    infer: () => [{ type: "elsewhere" }],
  },
];

/** `Use 'x' instead`: the new name of what was refused. */
export const RENAMED =
  /\b(?:use|renamed to|replaced by|moved to|in favou?r of)\b(?: the)?(?: parameter| field)? ['"`]([a-z_]{2,40}(?:\.[a-z_]{2,40})?)['"`]/i;

/** Whether a model belongs to OpenAI's family by its name, so that `cursor` and `openai` may have it. */
export function isGptName(model: string): boolean {
  return /^(?:gpt|codex|o\d)/.test(bareName(model));
}
