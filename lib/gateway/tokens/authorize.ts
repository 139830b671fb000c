/**
 * One request with a token: what the gateway refuses because of the token is sent once more with another.
 *
 * @module
 */

import { BridgeError } from "../../errors.ts";
import { isObject } from "../../json.ts";
import type { Token, TokenSource } from "./token.ts";

/** What comes back: an answer that has begun, or a refusal that was read. */
export type Authorized =
  | { readonly ok: true }
  | { readonly ok: false; readonly status: number; readonly text: string };

/** Words that leave no doubt. */
const REFUSED_TOKEN =
  /invalid (?:access |bearer |oauth )?token|invalid_token|token (?:is |has |was )?(?:been )?(?:expired|invalid|revoked|not valid)|expired (?:access |oauth )?token|unable to (?:parse|verify|decode).{0,40}token/i;

/** Another reason: no token of the same person's changes it. */
const OTHER_REASON =
  /permission|not (?:authorized|allowed|permitted|enabled)|\bscopes?\b|\bACLs?\b|access list|entitle|licen[sc]e|api[ _-]?key|provider|rate limit|quota|budget|disabled|suspended|not a member|does not (?:exist|have)|does not have|no access|policy/i;

/** Words that speak of the token somehow. */
const ABOUT_TOKEN = /\btokens?\b|expired|credential|\bjwt\b/i;

/** What a 401 says that gives no reason. */
const NO_REASON =
  /^\W*$|<html|unauthori[sz]ed|unauthenticated|authentication|authenticate|\blog ?in\b|sign ?in/i;

/** The longest text that is searched, in characters: the words stand at the beginning. */
const MAX_TEXT = 4_000;

/**
 * Whether a refusal means that the token is not, or no longer, valid: a 401 unless it gives another
 * reason, a 403 that speaks of the token, and a 400 that says nothing but `Invalid Token` (`gateway.md`,
 * "Authentication and headers").
 *
 * @param status The gateway's status.
 * @param text The refusal's body.
 *
 * @example
 * ```ts
 * import { refusesToken } from "./authorize.ts";
 * import { assert } from "@std/assert";
 *
 * assert(refusesToken(403, '{"error_code":403,"message":"Invalid access token."}'));
 * assert(!refusesToken(403, '{"error_code":"PERMISSION_DENIED","message":"no permission"}'));
 * ```
 */
export function refusesToken(status: number, text: string): boolean {
  const words = wordsOf(text).slice(0, MAX_TEXT);
  if (status === 400) return /^\W*invalid (?:access )?token\W*$/i.test(words);
  if (status !== 401 && status !== 403) return false;
  if (REFUSED_TOKEN.test(words)) return true;
  if (OTHER_REASON.test(words)) return false;
  return ABOUT_TOKEN.test(words) || (status === 401 && NO_REASON.test(words));
}

/** How many tokens of one request may expire on their way. */
const MAX_EXPIRED = 2;

/** What an error says, in the shapes that the gateway has: its type is the same for every 401. */
function wordsOf(text: string): string {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    return text;
  }
  if (!isObject(body)) return text;
  const inner = isObject(body.error) ? body.error : body;
  return [inner.code, inner.error_code, body.error_code, body.error, inner.message, body.message]
    .concat(inner.error_description, inner.detail)
    .filter((word) => typeof word === "string").join(" ");
}

/**
 * Sends a request with the source's token. Where the gateway refuses the token, one refresh is forced,
 * shared with all requests that were refused the same one, and the request is sent once more; nothing
 * of an answer has gone out by then. Where the refresh brings no other token, the refusal stands.
 *
 * @param source Where the token comes from.
 * @param send Sends the request with a token.
 * @param signal Ends the waiting when the client leaves.
 * @param now Milliseconds since 1970.
 * @returns The last answer.
 * @throws {BridgeError} Where there is no token at all; whatever `send` throws.
 *
 * @example
 * ```ts
 * import { authorize } from "./authorize.ts";
 * import { assert } from "@std/assert";
 *
 * const source = {
 *   label: "an example",
 *   remedy: "log in",
 *   token: () => Promise.resolve({ value: "old", expiresAt: undefined }),
 *   rejected: () => Promise.resolve({ value: "new", expiresAt: undefined }),
 * };
 * const answer = await authorize(source, ({ value }) =>
 *   Promise.resolve(value === "new" ? { ok: true } : { ok: false, status: 401, text: "Invalid Token" }),
 *   new AbortController().signal);
 * assert(answer.ok);
 * ```
 */
export async function authorize<Answer extends Authorized>(
  source: TokenSource,
  send: (token: Token) => Promise<Answer>,
  signal: AbortSignal,
  now: () => number = Date.now,
): Promise<Answer> {
  let token = await source.token(signal);
  let expired = 0;
  for (let retries = 0;; retries++) {
    const answer = await send(token);
    if (answer.ok || !refusesToken(answer.status, answer.text)) return answer;
    // What expires on its way was valid when it was sent: that is not the one retry.
    if (expired < MAX_EXPIRED && now() >= (token.expiresAt ?? Infinity)) expired++;
    if (retries > expired) return answer;
    const renewed = await source.rejected(token, signal);
    if (renewed.value === token.value) return answer;
    token = renewed;
  }
}

/**
 * The gateway's error about a token, with what the person at the bridge does about it.
 *
 * @param error The gateway's error, without advice of another kind.
 * @param source Where the token came from.
 */
export function withRemedy(error: BridgeError, source: TokenSource): BridgeError {
  return new BridgeError(
    error.kind,
    `${error.message} [fd-bridge: the gateway does not accept the token of ${source.label}: ${source.remedy}.]`,
    {
      status: error.status,
      type: error.type,
      param: error.param,
      code: error.code,
      headers: { ...error.headers, "x-should-retry": "false" },
      refused: error.refused,
      cause: error,
    },
  );
}
