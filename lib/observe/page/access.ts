/**
 * Who may see the page: the same origin only, with a key where the bridge has one. The key is asked for
 * once; a cookie then carries its hash.
 *
 * @module
 */

import { KEY_HEADER } from "../../access.ts";

/** The header in which the page sends its token with every `POST`. */
export const TOKEN_HEADER = "x-fd-bridge-page-token";

/** How long a browser keeps the cookie: 30 days, in seconds. */
const COOKIE_AGE = 30 * 86_400;
/** Wrong keys within a minute after which none is looked at. */
const MAX_WRONG = 10;
const MINUTE = 60_000;

/**
 * Whether a request comes from the page itself, or from no page at all. A browser says so in `Origin` or
 * `Sec-Fetch-Site`.
 *
 * @param headers The request's headers.
 * @param proven Whether one of the two must be there, as it is with every `POST` of a browser's.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { isSameOrigin } from "./access.ts";
 *
 * const own = new Headers({ host: "127.0.0.1:8080", origin: "http://127.0.0.1:8080" });
 * assertEquals(isSameOrigin(own, true), true);
 * const other = new Headers({ host: "127.0.0.1:8080", origin: "https://evil.example" });
 * assertEquals(isSameOrigin(other, false), false);
 * ```
 */
export function isSameOrigin(headers: Headers, proven: boolean): boolean {
  const origin = headers.get("origin");
  const site = headers.get("sec-fetch-site");
  if (origin !== null && !isHost(origin, headers.get("host"))) return false;
  if (site !== null && site !== "same-origin" && (site !== "none" || proven)) return false;
  return !proven || origin !== null || site === "same-origin";
}

function isHost(origin: string, host: string | null): boolean {
  const url = URL.canParse(origin) ? new URL(origin) : undefined;
  return host !== null && url !== undefined && /^https?:$/.test(url.protocol) &&
    url.host === host.toLowerCase();
}

/** Compares in a time that doesn't tell where the two differ. Both are hashes of one length. */
function sameHash(a: string, b: string): boolean {
  let different = a.length ^ b.length;
  for (let at = 0; at < b.length; at++) different |= a.charCodeAt(at) ^ b.charCodeAt(at);
  return different === 0;
}

async function hashOf(key: string): Promise<string> {
  const bytes = new TextEncoder().encode(`fd-bridge page\n${key}`);
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return [...hash].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** The cookie's name has the port, because bridges on one machine share their cookies. */
function cookieName(headers: Headers): string {
  return `fd_bridge_page_${/:(\d{1,5})$/.exec(headers.get("host") ?? "")?.[1] ?? "80"}`;
}

/** The keys that open the page, and how often a wrong one was tried. */
export class PageKeys {
  readonly #keys: () => readonly string[];
  readonly #now: () => number;
  readonly #keyOf: (key: string) => string;
  /** When wrong keys were tried, the oldest first; at most {@linkcode MAX_WRONG}. */
  #wrong: number[] = [];

  /**
   * Takes the keys.
   *
   * @param keys Those in force; none where the page asks for none.
   * @param now The clock.
   * @param keyOf What is compared of a key that is shown.
   */
  constructor(
    keys: () => readonly string[],
    now: () => number = Date.now,
    keyOf: (key: string) => string = (key) => key,
  ) {
    this.#keys = keys;
    this.#now = now;
    this.#keyOf = keyOf;
  }

  /** Whether a request may see the page's data: by its cookie, or by a key in its headers. */
  async opens(headers: Headers): Promise<boolean> {
    const keys = this.#keys();
    if (keys.length === 0) return true;
    const name = cookieName(headers);
    const cookie = (headers.get("cookie") ?? "").split(";").map((pair) => pair.trim())
      .find((pair) => pair.startsWith(`${name}=`))?.slice(name.length + 1);
    if (cookie !== undefined && await this.#isHash(cookie)) return true;
    const key = headers.get(KEY_HEADER) ??
      /^Bearer\s+([^\s:]{1,1000})/i.exec(headers.get("authorization") ?? "")?.[1];
    return key !== undefined && !this.isBlocked() && await this.accepts(key) !== undefined;
  }

  /** Whether wrong keys were tried so often that none is looked at for a while. */
  isBlocked(): boolean {
    this.#wrong = this.#wrong.filter((time) => this.#now() - time < MINUTE);
    return this.#wrong.length >= MAX_WRONG;
  }

  /** The hash of a key that opens the page; undefined for a wrong one, which is counted. */
  async accepts(key: string): Promise<string | undefined> {
    const hash = await hashOf(this.#keyOf(key));
    if (await this.#isHash(hash)) return hash;
    if (this.#wrong.length < MAX_WRONG) this.#wrong.push(this.#now());
    return undefined;
  }

  async #isHash(hash: string): Promise<boolean> {
    let found = false;
    for (const key of this.#keys()) {
      if (sameHash(hash, await hashOf(key))) found = true;
    }
    return found;
  }

  /** The cookie for a browser that has shown its key. */
  cookie(hash: string, headers: Headers): string {
    return `${
      cookieName(headers)
    }=${hash}; Path=/; Max-Age=${COOKIE_AGE}; HttpOnly; SameSite=Strict`;
  }
}
