/**
 * Stand-in for the part of `@std/http` that the project uses, for networks that do not reach JSR. It
 * does without `node:http`, which knows the same words, because to load that takes longer than the
 * whole program. `tests/standins_test.ts` compares it with the real package
 * wherever both can be had.
 *
 * @module
 */
/**
 * HTTP status codes by name (RFC 9110 and the registry of status codes).
 *
 * @example Usage
 * ```ts
 * import { STATUS_CODE, STATUS_TEXT } from "./http.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(STATUS_TEXT[STATUS_CODE.NotFound], "Not Found");
 * ```
 */
export const STATUS_CODE = {
  Continue: 100,
  SwitchingProtocols: 101,
  Processing: 102,
  EarlyHints: 103,
  OK: 200,
  Created: 201,
  Accepted: 202,
  NonAuthoritativeInfo: 203,
  NoContent: 204,
  ResetContent: 205,
  PartialContent: 206,
  MultiStatus: 207,
  AlreadyReported: 208,
  IMUsed: 226,
  MultipleChoices: 300,
  MovedPermanently: 301,
  Found: 302,
  SeeOther: 303,
  NotModified: 304,
  UseProxy: 305,
  TemporaryRedirect: 307,
  PermanentRedirect: 308,
  BadRequest: 400,
  Unauthorized: 401,
  PaymentRequired: 402,
  Forbidden: 403,
  NotFound: 404,
  MethodNotAllowed: 405,
  NotAcceptable: 406,
  ProxyAuthRequired: 407,
  RequestTimeout: 408,
  Conflict: 409,
  Gone: 410,
  LengthRequired: 411,
  PreconditionFailed: 412,
  ContentTooLarge: 413,
  URITooLong: 414,
  UnsupportedMediaType: 415,
  RangeNotSatisfiable: 416,
  ExpectationFailed: 417,
  Teapot: 418,
  MisdirectedRequest: 421,
  UnprocessableEntity: 422,
  Locked: 423,
  FailedDependency: 424,
  TooEarly: 425,
  UpgradeRequired: 426,
  PreconditionRequired: 428,
  TooManyRequests: 429,
  RequestHeaderFieldsTooLarge: 431,
  UnavailableForLegalReasons: 451,
  InternalServerError: 500,
  NotImplemented: 501,
  BadGateway: 502,
  ServiceUnavailable: 503,
  GatewayTimeout: 504,
  HTTPVersionNotSupported: 505,
  VariantAlsoNegotiates: 506,
  InsufficientStorage: 507,
  LoopDetected: 508,
  NotExtended: 510,
  NetworkAuthenticationRequired: 511,
} as const;

/** One of the codes of {@linkcode STATUS_CODE}. */
export type StatusCode = typeof STATUS_CODE[keyof typeof STATUS_CODE];

/** The words of a code are its name's, but for this one. */
const OTHER_WORDS: Readonly<Record<string, string>> = { Teapot: "I'm a teapot" };

/**
 * The words for each status code. (In the real package each text has its own literal type; the
 * project reads them as strings.)
 */
export const STATUS_TEXT = Object.fromEntries(
  Object.entries(STATUS_CODE).map(([name, code]) => [
    code,
    OTHER_WORDS[name] ?? name.replace(/(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])/g, " "),
  ]),
) as Readonly<Record<StatusCode, string>>;
