/**
 * The page for browsers: what the bridge does, and what it costs. Its files are part of the program; its
 * data is the record of requests, the usage and the health. Here belongs everything that answers a
 * browser.
 *
 * @module
 */

import { isObject } from "../../json.ts";
import { PRICE_SOURCE } from "../cost.ts";
import { localDate } from "../log.ts";
import { MAX_RECORDS, type RequestLog } from "../record.ts";
import { reportText } from "../report.ts";
import type { UsageStore } from "../usage.ts";
import { addUsage, firstDay, KEPT_DAYS, noUsage, type UsageKey } from "../usage_totals.ts";
import { isSameOrigin, PageKeys, TOKEN_HEADER } from "./access.ts";
import { EventHub } from "./events.ts";
import style from "./page.css" with { type: "text" };
import html from "./page.html" with { type: "text" };
import script from "./page.js" with { type: "text" };

/** One line of the page's health. */
export interface HealthRow {
  /** What it is about: `Gateway`. */
  readonly label: string;
  /** How it is, in words. */
  readonly value: string;
  /** Whether it is well; neither where nobody knows. */
  readonly state?: "good" | "warn" | "bad";
}

/** How the bridge is. */
export interface PageHealth {
  /** Gateway, token, models and where they are from, and whatever else a person should know. */
  readonly rows: readonly HealthRow[];
  /** What was learned from refusals, in words. */
  readonly learned: readonly string[];
}

/** What the page needs of the bridge. */
export interface PageContext {
  /** The program's name and version, `fd-bridge/1.0.0`. */
  readonly version: string;
  /** The record of requests. */
  readonly requests: RequestLog;
  /** What is compared of a key, where {@linkcode keys} aren't the keys themselves. @default the key */
  readonly keyOf?: (key: string) => string;
  /** The totals. */
  readonly usage: Pick<UsageStore, "groups"> & {
    /** Asks other bridges for their totals first, where there are any. */
    readonly refresh?: () => Promise<void>;
  };
  /** Whether the bridge listens on loopback only. */
  readonly loopback: boolean;
  /** The keys that open the page, the bridge's and the client's; where there are none, none is asked for. */
  readonly keys: () => readonly string[];
  /** How the bridge is. */
  readonly health: () => PageHealth | Promise<PageHealth>;
  /** Runs the doctor and gives its report piece by piece; the page has no button without it. */
  readonly runDoctor?: (signal: AbortSignal) => AsyncIterable<string>;
  /** The clock. @default {() => new Date()} */
  readonly now?: () => Date;
  /** Time between two events of the page, in milliseconds. @default {500} */
  readonly tick?: number;
}

/** The page of a running bridge. */
export interface Page {
  /**
   * Answers a request for the page or its data.
   *
   * @param request The request; its `Host` was checked.
   * @param path Its path, such as `/api/usage`.
   * @returns The answer; undefined where the path is none of the page's, or `/` was not asked for by a browser.
   */
  handle(request: Request, path: string): Promise<Response> | undefined;
  /** Ends the events of all browsers, so that the server can end. */
  close(): void;
}

/** Headers of every answer. The page uses nothing from elsewhere, and nothing else may use it. */
const HEADERS: Readonly<Record<string, string>> = {
  "content-security-policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:",
  "x-frame-options": "DENY",
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "cache-control": "no-store",
};

/** The longest body of a `POST`, in characters. */
const MAX_BODY = 4_096;

/** One path of the page. */
interface Route {
  readonly method: "GET" | "POST";
  /** Whether it is there for those who have shown no key. */
  readonly open?: boolean;
  readonly answer: (request: Request, url: URL) => Response | Promise<Response>;
}

/**
 * Makes the page.
 *
 * @param context What it shows.
 */
export function createPage(context: PageContext): Page {
  const keys = new PageKeys(context.keys, undefined, context.keyOf);
  const events = new EventHub(context.requests, context.tick);
  const token = crypto.randomUUID();
  const routes = createRoutes(context, keys, events, token);
  return {
    handle(request, path) {
      const route = Object.hasOwn(routes, path) ? routes[path] : undefined;
      if (route === undefined || (path === "/" && !wantsHtml(request))) return undefined;
      return answer(request, route, path);
    },
    close: () => events.close(),
  };

  async function answer(request: Request, route: Route, path: string): Promise<Response> {
    const { headers } = request;
    const post = route.method === "POST";
    if (request.method !== route.method && !(request.method === "HEAD" && !post)) {
      return refuse(405, `${path} takes ${route.method}.`, { allow: route.method });
    }
    if (!isSameOrigin(headers, post)) {
      return refuse(403, "The page is for its own origin only: type its address into the browser.");
    }
    if (!context.loopback && context.keys().length === 0) {
      return refuse(
        403,
        "Beyond loopback the page is shown to holders of a key only, and this bridge has none: set --client-key.",
      );
    }
    if (post && headers.get(TOKEN_HEADER) !== token) {
      return refuse(403, "The page's token is missing or old: load the page anew.");
    }
    if (!route.open && !await keys.opens(headers)) {
      return refuse(401, "The page asks for the bridge's key or the client key.");
    }
    return await route.answer(request, new URL(request.url));
  }
}

/** Whether a browser asks, rather than a program that would take anything. */
function wantsHtml(request: Request): boolean {
  return (request.headers.get("accept") ?? "").toLowerCase().includes("text/html");
}

function createRoutes(
  context: PageContext,
  keys: PageKeys,
  events: EventHub,
  token: string,
): Readonly<Record<string, Route>> {
  const { version, requests, usage, runDoctor } = context;
  return {
    "/": asset(html, "text/html"),
    "/page.css": asset(style, "text/css"),
    "/page.js": asset(script, "text/javascript"),
    "/api/session": {
      method: "GET",
      open: true,
      async answer({ headers }) {
        const locked = !await keys.opens(headers);
        return json({ version, token, locked, doctor: runDoctor !== undefined });
      },
    },
    "/api/login-key": { method: "POST", open: true, answer: (request) => logIn(request, keys) },
    "/api/requests": {
      method: "GET",
      answer: (_request, { searchParams: query }) =>
        json({
          version,
          requests: requests.find({
            status: query.get("status") ?? undefined,
            model: query.get("model") ?? undefined,
            client: query.get("client") ?? undefined,
            since: number(query.get("since")),
            limit: Math.min(number(query.get("limit")) ?? MAX_RECORDS, MAX_RECORDS),
          }),
          running: requests.running(),
        }),
    },
    "/api/report": {
      method: "GET",
      answer(_request, { searchParams }) {
        const record = requests.find().find(({ id }) => id === searchParams.get("id"));
        if (record === undefined) return refuse(404, "The record has no such request any more.");
        return text(reportText(record, version));
      },
    },
    "/api/usage": {
      method: "GET",
      async answer(_request, { searchParams }) {
        await usage.refresh?.();
        return answerUsage(searchParams, usage, context.now);
      },
    },
    "/api/health": { method: "GET", answer: async () => json(await context.health()) },
    "/api/events": {
      method: "GET",
      answer() {
        const stream = events.open();
        if (stream === undefined) return refuse(503, "Too many pages are open.");
        // With its charset, the router sees a page's events and no model's answer.
        return new Response(stream, {
          headers: { ...HEADERS, "content-type": "text/event-stream; charset=utf-8" },
        });
      },
    },
    ...runDoctor && {
      "/api/doctor": {
        method: "POST",
        answer: () => new Response(piecewise(runDoctor), { headers: textHeaders() }),
      } satisfies Route,
    },
  };
}

function asset(content: string, type: string): Route {
  const headers = { ...HEADERS, "content-type": `${type}; charset=utf-8` };
  return { method: "GET", open: true, answer: () => new Response(content, { headers }) };
}

async function logIn(request: Request, keys: PageKeys): Promise<Response> {
  if (keys.isBlocked()) {
    return refuse(429, "Too many wrong keys: wait a minute.", { "retry-after": "60" });
  }
  const body = await readBody(request);
  const key = isObject(body) && typeof body.key === "string" ? body.key : undefined;
  const hash = key === undefined ? undefined : await keys.accepts(key);
  if (hash === undefined) return refuse(401, "That is not the key.");
  const response = json({ ok: true });
  response.headers.set("set-cookie", keys.cookie(hash, request.headers));
  return response;
}

/** A small JSON body; undefined where it is too long or something else. */
async function readBody({ body }: Request): Promise<unknown> {
  let text = "";
  for await (const piece of body?.pipeThrough(new TextDecoderStream()) ?? []) {
    text += piece;
    if (text.length > MAX_BODY) return undefined;
  }
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const USAGE_KEYS: readonly UsageKey[] = ["model", "client", "day"];

function answerUsage(
  query: URLSearchParams,
  usage: PageContext["usage"],
  now: PageContext["now"],
): Response {
  const by = USAGE_KEYS.find((key) => key === (query.get("by") ?? "model"));
  const days = number(query.get("days") ?? "7") ?? 0;
  if (by === undefined || !Number.isInteger(days) || days < 1 || days > KEPT_DAYS) {
    return refuse(400, `Expected by=${USAGE_KEYS.join("|")} and days=1 to ${KEPT_DAYS}.`);
  }
  const rows = usage.groups(by, days);
  const totals = noUsage();
  for (const row of rows) addUsage(totals, row);
  const today = now?.() ?? new Date();
  const span = { since: firstDay(today, days), until: localDate(today) };
  return json({ by, days, ...span, prices: PRICE_SOURCE, rows, totals });
}

/** The pieces of a report as a body; a browser that leaves ends the work. */
function piecewise(
  run: (signal: AbortSignal) => AsyncIterable<string>,
): ReadableStream<Uint8Array> {
  const controller = new AbortController();
  const pieces = run(controller.signal)[Symbol.asyncIterator]();
  const encoder = new TextEncoder();
  return new ReadableStream({
    async pull(target) {
      try {
        const { done, value } = await pieces.next();
        if (!done) return target.enqueue(encoder.encode(value));
      } catch (error) {
        const message = error instanceof Error ? error.message : String(error);
        target.enqueue(encoder.encode(`\n${message}\n`));
      }
      target.close();
    },
    async cancel() {
      controller.abort();
      await pieces.return?.();
    },
  });
}

function number(text: string | null): number | undefined {
  return text !== null && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

function textHeaders(): Record<string, string> {
  return { ...HEADERS, "content-type": "text/plain; charset=utf-8" };
}

function text(content: string): Response {
  return new Response(content, { headers: textHeaders() });
}

function json(value: unknown, status = 200): Response {
  return Response.json(value, { status, headers: HEADERS });
}

function refuse(status: number, message: string, more: Record<string, string> = {}): Response {
  const response = json({ error: { message } }, status);
  for (const name in more) response.headers.set(name, more[name]);
  return response;
}
