/**
 * Stand-in for the part of `@std/http` that the project uses, for networks that do not reach JSR. It
 * does without `node:http`, which knows the same words, because to load that takes longer than the
 * whole program. `tests/standins_test.ts` compares it with the real package wherever both can be had.
 *
 * @module
 */

/** A status code → its words, and those of the codes that follow it without a gap. */
const WORDS = {
  100: "Continue|Switching Protocols|Processing|Early Hints",
  200: "OK|Created|Accepted|Non Authoritative Info|No Content|Reset Content",
  206: "Partial Content|Multi Status|Already Reported",
  226: "IM Used",
  300: "Multiple Choices|Moved Permanently|Found|See Other|Not Modified|Use Proxy",
  307: "Temporary Redirect|Permanent Redirect",
  400: "Bad Request|Unauthorized|Payment Required|Forbidden|Not Found",
  405: "Method Not Allowed|Not Acceptable|Proxy Auth Required|Request Timeout|Conflict",
  410: "Gone|Length Required|Precondition Failed|Content Too Large|URI Too Long",
  415: "Unsupported Media Type|Range Not Satisfiable|Expectation Failed|I'm a teapot",
  421: "Misdirected Request|Unprocessable Entity|Locked|Failed Dependency|Too Early",
  426: "Upgrade Required",
  428: "Precondition Required|Too Many Requests",
  431: "Request Header Fields Too Large",
  451: "Unavailable For Legal Reasons",
  500: "Internal Server Error|Not Implemented|Bad Gateway|Service Unavailable",
  504: "Gateway Timeout|HTTP Version Not Supported|Variant Also Negotiates",
  507: "Insufficient Storage|Loop Detected",
  510: "Not Extended|Network Authentication Required",
};

/**
 * The words for each status code. (In the real package each text has its own literal type; the
 * project reads them as strings.)
 *
 * @example Usage
 * ```ts
 * import { STATUS_TEXT } from "./http.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(STATUS_TEXT[404], "Not Found");
 * ```
 */
export const STATUS_TEXT: Readonly<Record<number, string>> = Object.fromEntries(
  Object.entries(WORDS).flatMap(([first, words]) =>
    words.split("|").map((text, at) => [Number(first) + at, text])
  ),
);
