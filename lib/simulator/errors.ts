/**
 * The shapes that the gateway's errors come in.
 *
 * @module
 */

/**
 * Who words an error: Databricks itself, a passthrough surface in OpenAI's, Anthropic's or Google's
 * way, or a server that writes plain text.
 */
export type ErrorShape = "databricks" | "openai" | "anthropic" | "google" | "text";

/** What an error says. */
export interface ErrorWords {
  /** The HTTP status. */
  readonly status: number;
  /** Who words it. */
  readonly shape: ErrorShape;
  /** What it says. */
  readonly message: string;
  /** Databricks' `error_code`, or OpenAI's `code`. */
  readonly code?: string | number;
  /** OpenAI's `param`. */
  readonly param?: string;
  /** Further headers. */
  readonly headers?: Readonly<Record<string, string>>;
}

/**
 * Makes the response of an error.
 *
 * @param words Status, shape and message.
 * @returns The response, without the headers that every answer carries.
 *
 * @example
 * ```ts
 * import { errorResponse } from "./errors.ts";
 *
 * const response = errorResponse({ status: 403, shape: "text", message: "Invalid Token" });
 * if (await response.text() !== "Invalid Token") throw new Error("unexpected");
 * ```
 */
export function errorResponse(words: ErrorWords): Response {
  const { status, message, headers } = words;
  const body = bodyOf(words);
  if (body === undefined) {
    return new Response(message, { status, headers: { "content-type": "text/plain", ...headers } });
  }
  return Response.json(body, { status, headers });
}

function bodyOf({ status, shape, message, code, param }: ErrorWords): unknown {
  switch (shape) {
    case "databricks":
      return { error_code: code ?? "BAD_REQUEST", message };
    case "openai":
      return {
        error: {
          message,
          type: status >= 500 ? "server_error" : "invalid_request_error",
          param: param ?? null,
          code: code ?? null,
        },
      };
    case "anthropic":
      return { type: "error", error: { type: "invalid_request_error", message } };
    case "google":
      return { error: { code: status, message, status: code ?? "INVALID_ARGUMENT" } };
    default:
      return undefined;
  }
}
