/**
 * What to do about the gateway's refusals, where that is known.
 *
 * @module
 */

/** What to do about a refusal whose cause is known. The first row that fits is used. Words from `gateway.md`. */
export const ADVICE: readonly { status?: number; words: RegExp; advice: string }[] = [
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
    words: /invalid token|invalid access token|expired|unable to parse.*token|credential/i,
    advice:
      "the token is not valid, or no longer valid (OAuth tokens live about an hour): create a new one in Databricks and enter it with `forge provider login openai_compatible`.",
  },
  {
    status: 401,
    words: /(?:)/,
    advice:
      "the gateway did not accept the token: create a new one in Databricks and enter it with `forge provider login openai_compatible`.",
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
    status: 404,
    words: /ENDPOINT_NOT_FOUND|endpoint does not exist|RESOURCE_DOES_NOT_EXIST/i,
    advice:
      "this workspace has no such model on this surface: compare the name with the AI Gateway page, and the model's `endpoint` in models.json.",
  },
];
