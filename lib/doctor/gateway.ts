/**
 * Whether it is the gateway that answers, and whether it takes the token. Both are asked with an empty
 * request, which names no model and so costs nothing.
 *
 * @module
 */

import { BridgeError, maskSecrets } from "../errors.ts";
import { gatewayError } from "../gateway/errors.ts";
import type { Fetch } from "../gateway/fetch_client.ts";
import { networkFault } from "../gateway/unreachable.ts";
import { type Check, splitAdvice } from "./check.ts";

/** How the gateway is asked. */
export interface AskOptions {
  /** Sends requests. */
  readonly fetch: Fetch;
  /** How long the answer may take, in milliseconds. */
  readonly timeout: number;
}

const PATH = "/mlflow/v1/chat/completions";

/** The longest answer that is read, in characters. */
const MAX_ANSWER = 64 * 1024;

interface Reply {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

/** Sends the empty request; what hinders it is handed back as a check's words. */
async function ask(
  base: string,
  { fetch, timeout }: AskOptions,
  token?: string,
): Promise<Reply | { detail: string; remedy?: string }> {
  try {
    const response = await fetch(base + PATH, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        ...(token ? { authorization: `Bearer ${token}` } : {}),
      },
      body: "{}",
      redirect: "manual",
      signal: AbortSignal.timeout(timeout),
    });
    const { status, headers } = response;
    return { status, headers, text: (await response.text()).slice(0, MAX_ANSWER) };
  } catch (cause) {
    if (cause instanceof DOMException && cause.name === "TimeoutError") {
      return {
        detail: `${base} does not answer within ${timeout / 1000} s.`,
        remedy: "Check the address, the network and the VPN.",
      };
    }
    const words = maskSecrets(networkFault(cause).means, token ? [token] : []);
    // "its name is unknown. Check the spelling": the second sentence is the remedy.
    const [, what, remedy] = /^(.*?[.:])\s+([^]*)$/.exec(words) ?? [undefined, words, undefined];
    return { detail: `${base} can't be reached: ${what}`, remedy };
  }
}

function isHtml({ headers, text }: Reply): boolean {
  return /html/i.test(headers.get("content-type") ?? "") || /^\s*<(!doctype|html)/i.test(text);
}

const EXPECTED =
  "Copy the address from the AI Gateway page in Databricks into DATABRICKS_AI_GATEWAY_URL; it begins like https://<workspace-id>.<n>.ai-gateway.… or is the workspace's address with /ai-gateway.";

/**
 * Asks the gateway without a token: the real one refuses.
 *
 * @param base The gateway's base URL.
 * @param options How to ask.
 * @returns What was found; never throws.
 *
 * @example
 * ```ts
 * import { createSimulator } from "../simulator/mod.ts";
 * import { askWithoutToken } from "./gateway.ts";
 *
 * const { handler } = createSimulator();
 * const check = await askWithoutToken("http://127.0.0.1", {
 *   fetch: (input, init) => handler(new Request(input, init)),
 *   timeout: 1000,
 * });
 * if (check.status !== "ok") throw new Error(check.detail);
 * ```
 */
export async function askWithoutToken(base: string, options: AskOptions): Promise<Check> {
  const name = "answer";
  const reply = await ask(base, options);
  if ("detail" in reply) return { name, status: "fail", ...reply };
  const { status, headers, text } = reply;
  const fail = (detail: string, remedy: string): Check => ({
    name,
    status: "fail",
    detail,
    remedy,
  });
  if (status >= 300 && status < 400) {
    const location = headers.get("location") ?? "";
    const host = URL.canParse(location, base) ? new URL(location, base).host : "nowhere";
    return fail(`${base} answers ${status} and points to ${host}: that is no gateway.`, EXPECTED);
  }
  if (isHtml(reply)) {
    return status >= 500
      ? fail(
        `${base} answers ${status} with a web page: a load balancer or a proxy speaks, not the gateway.`,
        "Try again in a minute; if it stays so, ask whoever runs the network.",
      )
      : fail(`${base} answers ${status} with a web page: that is no gateway.`, EXPECTED);
  }
  const refusal = gatewayError(status, text, { headers });
  if (status === 404) return fail(`${base} has no gateway: ${refusal.message}`, EXPECTED);
  if (status >= 500) {
    return fail(
      `The gateway answers ${status}: ${refusal.message}`,
      "Try again in a minute; Databricks' status page tells of outages.",
    );
  }
  if (status < 400) {
    return fail(`${base} answers ${status} to an empty request: that is no gateway.`, EXPECTED);
  }
  if (/IP A|Source IP/i.test(refusal.message)) {
    return { name, status: "fail", ...splitAdvice(refusal.message) };
  }
  return { name, status: "ok", detail: `The gateway answers (${status} without a token).` };
}

const NEW_TOKEN =
  "Create a new one in Databricks (OAuth tokens live about an hour), set DATABRICKS_TOKEN to it, and enter it in ForgeCode with `forge provider login openai_compatible`.";

/** Words of a refusal that is about the token, whatever its status (`gateway.md`, "Authentication and headers"). */
const ABOUT_TOKEN = /\btoken\b|credential|unauthenticated|expired|IP A|Source IP/i;

/**
 * Asks the gateway with a token and nothing else: a good one is followed by a complaint about the
 * request, a bad one by a complaint about itself.
 *
 * @param base The gateway's base URL.
 * @param token The token; it is in no word of the result.
 * @param options How to ask.
 * @returns What was found; never throws.
 *
 * @example
 * ```ts
 * import { createSimulator } from "../simulator/mod.ts";
 * import { askWithToken } from "./gateway.ts";
 *
 * const { handler } = createSimulator();
 * const check = await askWithToken("http://127.0.0.1", "expired-token", {
 *   fetch: (input, init) => handler(new Request(input, init)),
 *   timeout: 1000,
 * });
 * if (check.status !== "fail") throw new Error(check.detail);
 * ```
 */
export async function askWithToken(
  base: string,
  token: string,
  options: AskOptions,
): Promise<Check> {
  const name = "token";
  let reply: Awaited<ReturnType<typeof ask>>;
  try {
    new Headers({ authorization: `Bearer ${token}` });
    reply = await ask(base, options, token);
  } catch {
    return {
      name,
      status: "fail",
      detail: "The token has characters that no token has.",
      remedy: "Copy it again, without line ends and quotes.",
    };
  }
  if ("detail" in reply) return { name, status: "fail", ...reply };
  const { status, headers, text } = reply;
  const refusal: BridgeError = gatewayError(status, text, { headers, secrets: [token] });
  const { detail, remedy } = splitAdvice(refusal.message);
  if (status === 401 || status === 403 || ABOUT_TOKEN.test(detail)) {
    return {
      name,
      status: "fail",
      detail: `The gateway refuses it: ${detail}`,
      remedy: /IP A|Source IP/i.test(detail) ? remedy : NEW_TOKEN,
    };
  }
  if (status >= 500) {
    return { name, status: "warn", detail: `Unclear: the gateway answers ${status}: ${detail}` };
  }
  return { name, status: "ok", detail: "The gateway accepts it." };
}
