/**
 * What may be wrong with a request before anybody looks at what it asks.
 *
 * @module
 */

import { bodyLength, type Head } from "./head.ts";

/** What may be wrong with a request's head → what its client is told. */
export const PROBLEMS = {
  malformed: {
    status: 400,
    message:
      "This is no HTTP/1.1 request. Use http://, not https://, to reach the bridge, and a client that speaks HTTP/1.1.",
  },
  "too large": { status: 431, message: "The request's headers are larger than 64 KB." },
  "no host": {
    status: 400,
    message: "HTTP/1.1 asks for one Host header: the request has none, or several.",
  },
  "two lengths": {
    status: 400,
    message:
      "The request doesn't say clearly how long its body is: expected either Content-Length, a number, or Transfer-Encoding: chunked.",
  },
  version: { status: 505, message: "The bridge speaks HTTP/1.1: use a client that does." },
} as const satisfies Record<string, { status: number; message: string }>;

/** One of them. */
export type Problem = keyof typeof PROBLEMS;

/**
 * What hinders a request from being answered.
 *
 * @param head Its head.
 *
 * @example
 * ```ts
 * import { Fields } from "./head.ts";
 * import { problemOf } from "./problems.ts";
 *
 * if (problemOf({ start: "GET / HTTP/1.1", headers: new Fields() }) !== "no host") throw new Error("none");
 * ```
 */
export function problemOf({ start, headers }: Head): Problem | undefined {
  const line = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+ (\S+) HTTP\/(\d\.\d)$/.exec(start);
  if (line === null) return "malformed";
  const [, target, version] = line;
  if (version !== "1.1" && version !== "1.0") return "version";
  if (!target.startsWith("/") && !URL.canParse(target)) return "malformed";
  if (version === "1.1" && /^$|,/.test(headers.get("host") ?? "")) return "no host";
  const length = bodyLength(headers);
  return length === "contradictory" || (length === "chunked" && version === "1.0")
    ? "two lengths"
    : undefined;
}
