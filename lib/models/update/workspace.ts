/**
 * Asks a Databricks workspace which models it has: Unity Catalog's model services, and where there are
 * none, the older lists of endpoints (`gateway.md`, "Discovery"). Only the workspace's own address ever
 * sees the token.
 *
 * @module
 */

import { isLoopback } from "../../config/base_url.ts";
import { BridgeError, maskSecrets } from "../../errors.ts";
import { gatewayError } from "../../gateway/errors.ts";
import { isObject, type JsonObject } from "../../json.ts";
import type { Fetch } from "../../gateway/fetch_client.ts";
import { networkFault } from "../../gateway/unreachable.ts";
import type { Offer } from "./merge.ts";
import { type List, LISTS, textOf } from "./workspace_lists.ts";

/** What is asked, and how. Times in milliseconds. */
export interface WorkspaceOptions {
  /** The workspace's address, from {@linkcode workspaceUrl}. */
  readonly host: string;
  /** The token. */
  readonly token: string;
  /** Alias → path of the surfaces in force: a model's API types are told by their paths. */
  readonly endpoints: Readonly<Record<string, string>>;
  /** Sends requests. */
  readonly fetch: Fetch;
  /** The program's name and version. */
  readonly userAgent?: string;
  /** Told of what is asked. */
  readonly onProgress?: (text: string) => void;
  /** How long one answer may take. @default {90000} */
  readonly timeout?: number;
  /** Waits between two tries. @default by a timer */
  readonly sleep?: (time: number) => Promise<void>;
}

/** What a workspace has. */
export interface Discovery {
  /** Its models, embedding models included. */
  readonly offers: readonly Offer[];
  /** The list that told. */
  readonly source: string;
  /** Chat models that only speak what the bridge doesn't, such as Anthropic's own API. */
  readonly unusable: readonly string[];
}

/** Statuses of a list that isn't there: unknown paths, and workspaces without Unity Catalog. */
const NOT_THERE = new Set([400, 403, 404, 405, 499, 501]);

/** Statuses after which asking again may help. */
const RETRIED = new Set([429, 500, 502, 503, 504]);

/** Tries of one request, and the first pause between two; each next one is twice as long. */
const TRIES = 4;
const PAUSE = 500;
/** The longest pause that a workspace may ask for. */
const LONGEST_PAUSE = 30_000;

/** The code of a failure that no second try helps against. */
const FINAL = "final";

/** More pages than any workspace has: a list whose token never ends, ends here. */
const MAX_PAGES = 200;

/** The longest page that is read, in characters. */
const MAX_PAGE = 16 * 1024 * 1024;

/**
 * The workspace's address from any form in which people have it: a host name, a URL with or without a
 * path. `https` only; `http` is for loopback.
 *
 * @param text What the user gave.
 * @param name What it is called in an error.
 * @returns Scheme and host, without a trailing slash.
 * @throws {BridgeError} kind `config`, when it is no address, or the gateway's own.
 *
 * @example
 * ```ts
 * import { workspaceUrl } from "./workspace.ts";
 *
 * const url = workspaceUrl("adb-1.2.azuredatabricks.net/?o=1");
 * if (url !== "https://adb-1.2.azuredatabricks.net") throw new Error(url);
 * ```
 */
export function workspaceUrl(text: string, name = "DATABRICKS_HOST"): string {
  const given = text.trim().replace(/^(["'])(.*)\1$/, "$2");
  const expected =
    "expected the workspace's address, such as adb-1234567890123456.7.azuredatabricks.net";
  const full = /^[a-z][a-z0-9+.-]*:\/\//i.test(given) ? given : `https://${given}`;
  if (!URL.canParse(full)) {
    throw new BridgeError("config", `${name} is "${given}", which is no address (${expected}).`);
  }
  const url = new URL(full);
  if (url.username !== "" || url.password !== "") {
    throw new BridgeError(
      "config",
      `${name} carries a user name or password: leave them out, the token is DATABRICKS_TOKEN.`,
    );
  }
  if (url.protocol !== "https:" && !(url.protocol === "http:" && isLoopback(url.hostname))) {
    throw new BridgeError(
      "config",
      `${name} is "${given}": a token must not travel unencrypted, use https:// (http:// is for this machine only).`,
    );
  }
  if (url.hostname.includes(".ai-gateway.")) {
    throw new BridgeError(
      "config",
      `${name} is "${given}", which is the AI Gateway's own address: ${expected}.`,
    );
  }
  return url.origin;
}

/**
 * Asks the workspace for its models.
 *
 * @throws {BridgeError} kinds `gateway`, `unreachable` and `timeout`, in words and without the token.
 *
 * @example
 * ```ts
 * import { createSimulator } from "../../simulator/mod.ts";
 * import { DEFAULT_ENDPOINTS } from "../catalog.ts";
 * import { discoverModels } from "./workspace.ts";
 *
 * const { handler } = createSimulator();
 * const { offers } = await discoverModels({
 *   host: "http://127.0.0.1",
 *   token: "demo",
 *   endpoints: DEFAULT_ENDPOINTS,
 *   fetch: (input, init) => handler(new Request(input, init)),
 * });
 * if (!offers.some(({ id }) => id === "system.ai.gpt-5")) throw new Error("GPT-5 is there");
 * ```
 */
export async function discoverModels(options: WorkspaceOptions): Promise<Discovery> {
  let refusal: BridgeError | undefined;
  for (const list of LISTS) {
    const result = await readList(list, options);
    if (result instanceof BridgeError) {
      // The first refusal says the most: the later lists are only looked at because of it.
      refusal ??= result;
      continue;
    }
    const offers = result.flatMap((entry) => list.read(entry, options.endpoints));
    if (offers.length === 0) {
      refusal ??= new BridgeError("gateway", `${list.path} names no model.`);
      continue;
    }
    return {
      offers,
      source: list.path,
      unusable: offers.filter(({ surface }) => surface === "").map(({ id }) => id),
    };
  }
  throw new BridgeError(
    "gateway",
    `The workspace ${options.host} tells no models: ${refusal!.message}`,
    { cause: refusal },
  );
}

/** All entries of a list, page by page; a page may be empty and not be the last. */
async function readList(
  list: List,
  options: WorkspaceOptions,
): Promise<JsonObject[] | BridgeError> {
  const entries: JsonObject[] = [];
  const seen = new Set<string>();
  for (let token = "", page = 1;; page++) {
    options.onProgress?.(`${list.path}, page ${page}`);
    const url = new URL(options.host + list.path);
    for (const [name, value] of Object.entries(list.query)) url.searchParams.set(name, value);
    if (token !== "") url.searchParams.set("page_token", token);
    const body = await ask(url, options);
    if (body instanceof BridgeError) {
      if (page === 1) return body;
      throw body;
    }
    const found = body[list.field];
    if (Array.isArray(found)) entries.push(...found.filter(isObject));
    const next = textOf(body.next_page_token);
    if (next === undefined) return entries;
    if (seen.has(next) || page >= MAX_PAGES) {
      throw new BridgeError(
        "gateway",
        `The workspace's list ${list.path} does not end: after ${page} pages it names a next one still.`,
      );
    }
    seen.add(token = next);
  }
}

/** One page, asked for again where that may help; a refusal that only means "not here" is handed back. */
async function ask(url: URL, options: WorkspaceOptions): Promise<JsonObject | BridgeError> {
  const { sleep = pause } = options;
  for (let attempt = 1;; attempt++) {
    const answer = await once(url, options).catch((cause: unknown) => cause as BridgeError);
    if (answer instanceof BridgeError) {
      // A certificate that isn't trusted won't be in a moment, and a redirect stays one.
      if (attempt >= TRIES || answer.code === FINAL) throw answer;
      await sleep(PAUSE * 2 ** (attempt - 1));
      continue;
    }
    const { status, headers, text } = answer;
    if (status >= 200 && status < 300) return parse(text, url);
    const refusal = gatewayError(status, text, {
      headers,
      secrets: [options.token],
      retryAfter: false,
    });
    if (RETRIED.has(status) && attempt < TRIES) {
      const asked = Number(refusal.headers["retry-after"]) * 1000;
      const time = Math.max(PAUSE * 2 ** (attempt - 1), Number.isFinite(asked) ? asked : 0);
      if (time <= LONGEST_PAUSE) {
        options.onProgress?.(`the workspace answered ${status}; asking again`);
        await sleep(time);
        continue;
      }
    }
    const token = status === 401 ||
      /\btoken\b|credential|IP A|unauthenticated/i.test(refusal.message);
    if (NOT_THERE.has(status) && !token) return refusal;
    throw refusal;
  }
}

function parse(text: string, url: URL): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // A login page answers 200, too.
  }
  if (isObject(value)) return value;
  const what = /^\s*</.test(text) ? "an HTML page" : "no JSON object";
  throw new BridgeError(
    "gateway",
    `${url.origin} answered ${url.pathname} with ${what}: is it a Databricks workspace (DATABRICKS_HOST)?`,
  );
}

async function once(
  url: URL,
  { token, fetch, timeout = 90_000, userAgent = "fd-bridge" }: WorkspaceOptions,
): Promise<{ status: number; headers: Headers; text: string }> {
  try {
    const response = await fetch(url, {
      headers: {
        authorization: `Bearer ${token}`,
        accept: "application/json",
        "user-agent": userAgent,
      },
      // A redirect would carry the token to wherever it points.
      redirect: "manual",
      signal: AbortSignal.timeout(timeout),
    });
    const { status, headers } = response;
    if (status >= 300 && status < 400) {
      await response.body?.cancel();
      throw new BridgeError(
        "gateway",
        `${url.origin} answered ${status} and points elsewhere: set DATABRICKS_HOST to the workspace's own address.`,
        { code: FINAL },
      );
    }
    return { status, headers, text: await readBounded(response) };
  } catch (cause) {
    if (cause instanceof BridgeError) throw cause;
    if (cause instanceof DOMException && cause.name === "TimeoutError") {
      throw new BridgeError("timeout", `${url.origin} did not answer within ${timeout / 1000} s.`);
    }
    const { means, passing } = networkFault(cause);
    const words = maskSecrets(means, [token]).replaceAll(
      "DATABRICKS_AI_GATEWAY_URL",
      "DATABRICKS_HOST",
    );
    throw new BridgeError("unreachable", `${url.origin} can't be reached: ${words}`, {
      code: passing ? "unreachable" : FINAL,
    });
  }
}

async function readBounded(response: Response): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const piece of response.body ?? []) {
    text += decoder.decode(piece, { stream: true });
    if (text.length > MAX_PAGE) {
      throw new BridgeError(
        "overflow",
        "The workspace's answer is longer than 16 million characters.",
      );
    }
  }
  return text + decoder.decode();
}

function pause(time: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, time));
}
