/**
 * Who may ask: the refusals of tokens, each in the shape in which it was seen. A token that names no
 * refusal is accepted.
 *
 * @module
 */

import type { ErrorWords } from "./errors.ts";

/** Tokens that are refused, by how they begin; the first that fits is the answer. */
export const TOKEN_REFUSALS: readonly (readonly [prefix: string, words: ErrorWords])[] = [
  ["bad-400", { status: 400, shape: "text", message: "Invalid Token" }],
  ["bad-json", {
    status: 403,
    shape: "databricks",
    code: 403,
    message: "Invalid access token.",
  }],
  ["bad-401", {
    status: 401,
    shape: "databricks",
    code: "UNAUTHENTICATED",
    message: "Request unauthenticated: the token is not valid.",
  }],
  ["bad", { status: 403, shape: "text", message: "Invalid Token" }],
  ["expired", {
    status: 401,
    shape: "databricks",
    code: 401,
    message: "Access token expired.",
  }],
  ["blocked", {
    status: 403,
    shape: "databricks",
    code: 403,
    message: "Source IP address: 192.0.2.7 is blocked by Databricks IP ACL for workspace: " +
      "1234567890123456 [ReqId: 6f1b6d1e-0000-4000-8000-000000000000]",
  }],
];

/** No credential, or one of another kind than a bearer token; `api-key` is none. */
const NO_CREDENTIAL: ErrorWords = {
  status: 401,
  shape: "databricks",
  code: 401,
  message: "Credential was not sent or was of an unsupported type for this API.",
};

/**
 * Looks at a request's credential.
 *
 * @param headers The request's headers.
 * @returns The refusal's words, or undefined where the token is accepted.
 *
 * @example
 * ```ts
 * import { refusalOfToken } from "./authentication.ts";
 *
 * const good = refusalOfToken(new Headers({ authorization: "Bearer demo" }));
 * const bad = refusalOfToken(new Headers({ authorization: "Bearer bad" }));
 * if (good !== undefined || bad?.message !== "Invalid Token") throw new Error("unexpected");
 * ```
 */
export function refusalOfToken(headers: Headers): ErrorWords | undefined {
  const token = headers.get("authorization")?.match(/^Bearer (\S+)$/i)?.[1];
  if (token === undefined) return NO_CREDENTIAL;
  return TOKEN_REFUSALS.find(([prefix]) => token.startsWith(prefix))?.[1];
}
