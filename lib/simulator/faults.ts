/**
 * The scenarios that end a request before any model is asked: rate limits, outages, policies.
 *
 * @module
 */

import { errorResponse, type ErrorWords } from "./errors.ts";
import type { Directives } from "./scenarios.ts";

type FaultWords = (model: string) => ErrorWords;

const QPS: FaultWords = (model) => ({
  status: 429,
  shape: "databricks",
  code: "REQUEST_LIMIT_EXCEEDED",
  message: `REQUEST_LIMIT_EXCEEDED: Exceeded workspace QPS rate limit for ${model}. Please use a ` +
    "provisioned throughput Foundation Model APIs endpoint for a higher rate limit.",
});

const UNAVAILABLE: FaultWords = () => ({
  status: 503,
  shape: "databricks",
  code: "TEMPORARILY_UNAVAILABLE",
  message: "The service at this location is currently unavailable. Please retry later.",
});

/** The faults by the scenario's name. */
const FAULTS: Readonly<Record<string, FaultWords>> = {
  "ip-acl": () => ({
    status: 403,
    shape: "databricks",
    code: 403,
    message: "Source IP address: 192.0.2.7 is blocked by Databricks IP ACL for workspace: " +
      "1234567890123456 [ReqId: 6f1b6d1e-0000-4000-8000-000000000000]",
  }),
  "401": () => ({
    status: 401,
    shape: "databricks",
    code: 401,
    message: "Access token expired.",
  }),
  "403": () => ({
    status: 403,
    shape: "databricks",
    code: "PERMISSION_DENIED",
    message: "PERMISSION_DENIED: The endpoint is temporarily disabled due to a Databricks-set " +
      "rate limit of 0.",
  }),
  "413": () => ({
    status: 413,
    shape: "databricks",
    code: "REQUEST_TOO_LARGE",
    message: "Request size exceeds the limit of 4194304 bytes.",
  }),
  "429": QPS,
  "500": () => ({
    status: 500,
    shape: "databricks",
    code: "INTERNAL_ERROR",
    message: "INTERNAL_ERROR: An internal error occurred.",
  }),
  "503": UNAVAILABLE,
  "504": () => ({ status: 504, shape: "text", message: "upstream request timeout" }),
};

/** The faults that only the first request meets; a request is known by its model and question. */
const ONCE: Readonly<Record<string, FaultWords>> = { "429-once": QPS, "503-once": UNAVAILABLE };

/** How many first requests are remembered. */
const MAX_REMEMBERED = 1000;

const HTML = "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n" +
  "<center><h1>502 Bad Gateway</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n";

/**
 * Finds the fault that a request asks for.
 *
 * @param directives The scenarios that the request asks for.
 * @param model The model's name as asked for.
 * @param question The user's text: with the model, it tells a request's repetition.
 * @param met What `…-once` scenarios were met; grows, but not without bound.
 * @returns The fault's response, or undefined where the request goes on.
 *
 * @example
 * ```ts
 * import { faultOf } from "./faults.ts";
 * import { parseDirectives } from "./scenarios.ts";
 *
 * const directives = parseDirectives("[[sim: 503-once]]");
 * const met = new Set<string>();
 * if (faultOf(directives, "m", "q", met)?.status !== 503) throw new Error("no fault");
 * if (faultOf(directives, "m", "q", met) !== undefined) throw new Error("not once");
 * ```
 */
export function faultOf(
  directives: Directives,
  model: string,
  question: string,
  met: Set<string>,
): Response | undefined {
  for (const name of directives.keys()) {
    if (name === "html") {
      return new Response(HTML, { status: 502, headers: { "content-type": "text/html" } });
    }
    if (name === "429-retry-after") return inputTokens();
    const words = FAULTS[name];
    if (words) return errorResponse(words(model));
    const once = ONCE[name];
    const key = `${name}\n${model}\n${question}`;
    if (once && !met.has(key) && met.size < MAX_REMEMBERED) {
      met.add(key);
      return errorResponse(once(model));
    }
  }
  return undefined;
}

/** The documented form of a 429, which is not the one that is mostly seen. */
function inputTokens(): Response {
  return Response.json({
    error: {
      message: "Rate limit exceeded: ITPM limit of 200,000 tokens reached",
      type: "rate_limit_exceeded",
      code: 429,
      limit_type: "input_tokens_per_minute",
      limit: 200_000,
      current: 200_150,
      retry_after: 15,
    },
  }, { status: 429, headers: { "retry-after": "15" } });
}
