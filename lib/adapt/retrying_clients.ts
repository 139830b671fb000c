/**
 * Clients that repeat failed requests by themselves: the bridge's own retries would multiply theirs
 * (`clients.md`, "Repeats").
 *
 * @module
 */

/** A client that repeats by itself. */
export interface RetryingClient {
  /** What it is called. */
  readonly name: string;
  /** Matches its `User-Agent`. */
  readonly userAgent: RegExp;
}

/** The clients that are known to repeat 429 and faults of the gateway, by their `User-Agent`. */
const RETRYING_CLIENTS: readonly RetryingClient[] = [
  { name: "ForgeCode", userAgent: /\bforge(?:code)?\b/i },
  { name: "Codex", userAgent: /\bcodex/i },
  { name: "opencode", userAgent: /\bopencode\b/i },
  { name: "Claude Code", userAgent: /\bclaude-(?:cli|code)\b/i },
  { name: "Gemini CLI", userAgent: /\bgemini-?cli\b/i },
  { name: "AI SDK", userAgent: /\bai-sdk\b|\bai\/\d/i },
  {
    name: "OpenAI SDK",
    userAgent: /\b(?:async)?openai\/(?:js|python|node|go|java|ruby|dotnet)\b/i,
  },
  { name: "Anthropic SDK", userAgent: /\b(?:async)?anthropic\/(?:js|python|go|java|ruby)\b/i },
  { name: "Google GenAI SDK", userAgent: /\bgoogle-genai-sdk\b/i },
  { name: "Qwen Code", userAgent: /\bqwen-?code\b/i },
  { name: "cline", userAgent: /\bcline\b/i },
  { name: "Continue", userAgent: /\bcontinue(?:dev)?\b/i },
  { name: "pi", userAgent: /^pi(?:-coding-agent)?\b/i },
  { name: "goose", userAgent: /\bgoose\b/i },
  { name: "LiteLLM", userAgent: /\blitellm\b/i },
  { name: "LangChain", userAgent: /\blangchain\b/i },
];

/** What every SDK that Stainless generates sends with each attempt. */
const RETRY_COUNT = "x-stainless-retry-count";

/**
 * The name of the client that repeats failed requests by itself, or undefined where that isn't known.
 *
 * @param headers The client's headers.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { retriesItself } from "./retrying_clients.ts";
 *
 * assertEquals(retriesItself(new Headers({ "user-agent": "Forge" })), "ForgeCode");
 * assertEquals(retriesItself(new Headers({ "user-agent": "curl/8.5.0" })), undefined);
 * ```
 */
export function retriesItself(headers: Pick<Headers, "get">): string | undefined {
  const userAgent = (headers.get("user-agent") ?? "").slice(0, 500);
  const client = RETRYING_CLIENTS.find((row) => row.userAgent.test(userAgent));
  if (client !== undefined) return client.name;
  return headers.get(RETRY_COUNT) === null ? undefined : "an SDK";
}

/** Statuses that such clients repeat. */
const REPEATED = new Set([429, 502, 503, 504]);

/**
 * How often the bridge itself repeats a request after a refusal.
 *
 * @param configured How often it may, by its settings.
 * @param status The gateway's status; undefined where there was no answer at all.
 * @param headers The client's headers.
 * @returns 0 where the client repeats this status by itself.
 */
export function ownRetries(
  configured: number,
  status: number | undefined,
  headers: Pick<Headers, "get">,
): number {
  return status !== undefined && REPEATED.has(status) && retriesItself(headers) !== undefined
    ? 0
    : configured;
}
