/**
 * What to do about the gateway's refusals, where that is known.
 *
 * @module
 */

/** One row of {@linkcode ADVICE}. */
export interface Advice {
  /** The status it comes with; any where missing. */
  readonly status?: number;
  /** How code and message are recognized. */
  readonly words: RegExp;
  /** What to do, a sentence; `{login}` stands for how the client is given a new token. */
  readonly advice: string;
}

/** What to do about a refusal whose cause is known. The first row that fits is used. Words from `gateway.md`. */
export const ADVICE: readonly Advice[] = [
  {
    words: /databricks-set rate limit of 0/i,
    advice:
      "this model is not enabled for your workspace, and asking again will not change that: choose another model, or ask a workspace admin to enable it.",
  },
  {
    words: /IP ACL|IP access list|Source IP address/i,
    advice:
      "the workspace's IP access list does not admit your address: connect to the company network or VPN, or ask an admin to add the address.",
  },
  {
    words: /output guardrail/i,
    advice:
      "the workspace checks this model's answers with a guardrail, which works on complete answers only: ask with `stream: false`, rephrase the request, or ask the admin who owns the guardrail.",
  },
  {
    words: /guardrail/i,
    advice:
      "a guardrail of the workspace stopped the request, and the same request will be stopped again: rephrase it, or ask the admin who owns the guardrail.",
  },
  {
    words:
      /FEATURE_DISABLED|not enabled for this (?:workspace|account)|feature is (?:disabled|not enabled)/i,
    advice:
      "the AI Gateway is not enabled in this workspace: ask an account admin to enable it (Previews page), or set DATABRICKS_AI_GATEWAY_URL to a workspace that has it.",
  },
  {
    words: /invalid access to org/i,
    advice:
      "the token belongs to another workspace than the address: create the token in the workspace that DATABRICKS_AI_GATEWAY_URL names, or change the address.",
  },
  {
    words: /budget|spend(?:ing)? limit|credit|billing/i,
    advice:
      "a budget is used up, and asking again will not change that: wait until it is renewed, ask an admin to raise it, or choose a model that it doesn't cover.",
  },
  {
    status: 413,
    words: /(?:)/,
    advice:
      "the gateway takes at most 4 MB a request: compact the conversation, or send fewer or smaller images and files.",
  },
  {
    words: /previous_response_id|previous response|['"`]conversation['"`]/i,
    advice:
      "the gateway stores no responses, so it can't continue one by its id: send the whole conversation in `input`, and leave out `previous_response_id` and `conversation`.",
  },
  {
    words: /['"`]background['"`]|background (?:mode|parameter|responses)|parameter: background/i,
    advice:
      "the gateway runs nothing in the background: leave out `background`, and use `stream: true` for long answers.",
  },
  {
    words: /(?:parameter|field|argument)s?:? ['"`]prompt['"`]|prompt template/i,
    advice:
      "the gateway has no stored prompts: send the prompt's text in `instructions` or `input` instead of `prompt`.",
  },
  {
    words:
      /invalid token|invalid access token|token (?:is |has )?(?:expired|revoked)|expired (?:access )?token|unable to parse.*token|credential/i,
    advice:
      "the token is not valid, or no longer valid (OAuth tokens live about an hour): create a new one in Databricks and {login}.",
  },
  {
    status: 401,
    words: /(?:)/,
    advice: "the gateway did not accept the token: create a new one in Databricks and {login}.",
  },
  {
    words: /Unity Catalog model services/i,
    advice: "this workspace serves the model under its Unity Catalog name, `system.ai.…`.",
  },
  {
    status: 429,
    words: /input[ _]tokens[ _]per[ _]minute|\bITPM\b/i,
    advice: "the limit on input tokens a minute is reached: wait, or shorten the conversation.",
  },
  {
    status: 429,
    words: /output[ _]tokens[ _]per[ _]minute|\bOTPM\b/i,
    advice:
      "the limit on output tokens a minute is reached: wait, or ask for fewer with `max_tokens`, which reserves them at once.",
  },
  {
    status: 429,
    words: /\bQPS\b|queries per|requests per/i,
    advice: "the limit on requests is reached: wait a little, or use another model.",
  },
  {
    status: 429,
    words: /(?:)/,
    advice: "a rate limit of the gateway is reached: wait a little, or use another model.",
  },
  {
    words:
      /context (?:length|window|limit)|prompt is too long|input is too long|too many (?:input )?tokens|maximum context|context_length_exceeded|exceeds? (?:the )?(?:model'?s? )?(?:maximum )?(?:context|input)/i,
    advice:
      "the conversation is longer than this model reads: compact it, start a new one, or choose a model with a larger context window.",
  },
  {
    status: 404,
    words: /ENDPOINT_NOT_FOUND|endpoint does not exist|RESOURCE_DOES_NOT_EXIST/i,
    advice:
      "this workspace has no such model on this surface: compare the name with the AI Gateway page, and the model's `endpoint` in models.json.",
  },
];

/** How a client is given a new token: ForgeCode by its own command, every other as its API key. */
function loginOf(client: string | undefined): string {
  return /\bforge\b/i.test(client ?? "")
    ? "enter it with `forge provider login openai_compatible`"
    : "give it to your client as its API key";
}

/**
 * What to do about a refusal, or undefined where that isn't known.
 *
 * @param status The status of the answer.
 * @param words Code and message.
 * @param client The client's `User-Agent`.
 *
 * @example
 * ```ts
 * import { assertStringIncludes } from "@std/assert";
 * import { adviceFor } from "./advice.ts";
 *
 * assertStringIncludes(adviceFor(403, "Invalid Token", "Forge")!, "forge provider login");
 * ```
 */
export function adviceFor(status: number, words: string, client?: string): string | undefined {
  const row = ADVICE.find((row) => (row.status ?? status) === status && row.words.test(words));
  return row?.advice.replace("{login}", loginOf(client));
}
