/**
 * Tokens of a service principal (M2M): OAuth client credentials at the workspace's own token endpoint.
 *
 * @module
 */

import { BridgeError, maskSecrets } from "../../errors.ts";
import { isObject } from "../../json.ts";
import { printable } from "../../system/terminal.ts";
import { needsPerson, readToken, type Token, type TokenSource } from "./token.ts";

/** Sends a request: `fetch`, or a function of its shape that knows the proxies and certificates in force. */
export type SendRequest = (
  url: string,
  request: {
    readonly method: "POST";
    readonly headers: Readonly<Record<string, string>>;
    readonly body: string;
    readonly signal: AbortSignal;
    /** The secret goes to no other address than this. */
    readonly redirect: "manual";
  },
) => Promise<Response>;

/** A service principal's name and password. */
export interface ClientCredentials {
  /** The application's id. */
  readonly id: string;
  /** Its OAuth secret. */
  readonly secret: string;
}

/** What an {@linkcode OauthM2mSource} is made of. */
export interface OauthM2mOptions {
  /** What it is called in messages. */
  readonly label: string;
  /** The workspace, `https://<host>`. */
  readonly host: string;
  /** Reads id and secret from where they stand, so that a new secret holds without a restart. */
  readonly read: () => Promise<ClientCredentials>;
  /** Sends requests. */
  readonly send: SendRequest;
  /** How long the answer may take, in milliseconds. @default {15000} */
  readonly limit?: number;
  /** Milliseconds since 1970. @default {Date.now} */
  readonly now?: () => number;
}

/** How long the server may take. */
const LIMIT = 15_000;

/** The most that is read of an answer, in characters. */
const MAX_ANSWER = 64 * 1024;

/** Tokens of a service principal. */
export class OauthM2mSource implements TokenSource {
  /** What it is called in messages. */
  readonly label: string;
  /** What a person does when it has no valid token. */
  readonly remedy =
    "check client_id and client_secret; a secret expires, and a new one is made in Databricks under the service principal's Secrets";
  readonly #options: OauthM2mOptions;

  /** Makes a source of a workspace and a service principal. */
  constructor(options: OauthM2mOptions) {
    this.#options = options;
    this.label = options.label;
  }

  /** A new token. */
  async token(signal: AbortSignal): Promise<Token> {
    const { read, now = Date.now } = this.#options;
    const credentials = await read();
    const { status, text } = await this.#post(credentials, signal);
    const token = status === 200 ? readToken(text, now()) : undefined;
    if (token !== undefined) return token;
    if (status >= 500 || status === 429 || status === 408) {
      throw new BridgeError("unreachable", `${this.#server} answered ${status}. Ask again.`, {
        code: "token_unreachable",
      });
    }
    const why = status === 200 ? "no token" : `${status}${described(text, credentials.secret)}`;
    throw needsPerson(`${this.#server} answered ${why} to ${this.label}`, this.remedy);
  }

  /** A new token, as always. */
  rejected(_token: Token, signal: AbortSignal): Promise<Token> {
    return this.token(signal);
  }

  get #server(): string {
    return `The token server ${this.#options.host}/oidc/v1/token`;
  }

  async #post(
    { id, secret }: ClientCredentials,
    signal: AbortSignal,
  ): Promise<{ status: number; text: string }> {
    const { host, send, limit = LIMIT } = this.#options;
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(), limit);
    try {
      const response = await send(`${host}/oidc/v1/token`, {
        method: "POST",
        headers: {
          // RFC 6749, 2.3.1: both parts are form-encoded first.
          authorization: `Basic ${btoa(`${encodeURIComponent(id)}:${encodeURIComponent(secret)}`)}`,
          "content-type": "application/x-www-form-urlencoded",
          accept: "application/json",
        },
        body: "grant_type=client_credentials&scope=all-apis",
        signal: AbortSignal.any([signal, late.signal]),
        redirect: "manual",
      });
      return { status: response.status, text: await bounded(response) };
    } catch (cause) {
      signal.throwIfAborted();
      if (late.signal.aborted) {
        throw new BridgeError(
          "timeout",
          `${this.#server} did not answer within ${limit / 1000} s.`,
          { code: "token_timeout", cause },
        );
      }
      throw new BridgeError(
        "unreachable",
        `${this.#server} can't be reached: check the address, the network and the VPN.`,
        { code: "token_unreachable", cause },
      );
    } finally {
      clearTimeout(timer);
    }
  }
}

/** The beginning of an answer. */
async function bounded(response: Response): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const piece of response.body ?? []) {
    text += decoder.decode(piece, { stream: true });
    if (text.length > MAX_ANSWER) break;
  }
  return text;
}

/** OAuth's words for an error: `invalid_client: Client authentication failed`. */
function described(text: string, secret: string): string {
  try {
    const parsed: unknown = JSON.parse(text);
    if (!isObject(parsed)) return "";
    const words = [parsed.error, parsed.error_description ?? parsed.message]
      .filter((word) => typeof word === "string");
    return words.length === 0
      ? ""
      : ` (${printable(maskSecrets(words.join(": "), [secret]), 200)})`;
  } catch {
    return "";
  }
}
