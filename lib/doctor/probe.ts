/**
 * One tiny streamed request with a tool, through the bridge's own stages: routed, sanitized, sent, enriched, and
 * read as ForgeCode would read it.
 *
 * @module
 */

import { createApp, type RunningApp } from "../app.ts";
import type { Config } from "../config/config.ts";
import { type Fetch, fetchClient } from "../gateway/fetch_client.ts";
import { isObject, type JsonObject } from "../json.ts";
import { Log } from "../observe/log.ts";
import { type Catalog } from "../models/catalog.ts";
import type { Check } from "./check.ts";
import { readAnswer, type Reading, type Stumble } from "./reader.ts";
import { type Answer, type AnswerFacts, describe, judge, MAX_TOKENS } from "./verdict.ts";

/** How models are asked. */
export interface ProbeOptions {
  /** The settings; timeouts and retries are taken from here. */
  readonly config: Config;
  /** The gateway's base URL. */
  readonly base: string;
  /** The token. */
  readonly token: string;
  /** The list in force. */
  readonly catalog: Catalog;
  /** Sends requests. */
  readonly fetch: Fetch;
  /** Whether a proxy stands in between. */
  readonly proxied: boolean;
  /** How long one model may take for its whole answer, in milliseconds. */
  readonly timeout: number;
  /** The program's name and version. */
  readonly userAgent: string;
}

/** What was found about a model; `--json` prints it as it is. */
export interface ModelCheck extends Check, AnswerFacts {}

/** The longest answer that is read, in characters. */
const MAX_ANSWER = 4 * 1024 * 1024;

/** A main turn of ForgeCode's in small (`forgecode.md`, "POST /chat/completions"). */
function request(model: string): JsonObject {
  return {
    model,
    stream: true,
    stream_options: { include_usage: true },
    parallel_tool_calls: true,
    max_completion_tokens: MAX_TOKENS,
    messages: [
      { role: "system", content: "You answer with tool calls and nothing else." },
      { role: "user", content: 'Call the tool "report" with the word "ready".' },
    ],
    tools: [{
      type: "function",
      function: {
        name: "report",
        description: "Reports a word.",
        parameters: {
          type: "object",
          properties: { word: { type: "string", description: "The word." } },
          required: ["word"],
          additionalProperties: false,
        },
      },
    }],
  };
}

/**
 * Asks one model.
 *
 * @param model The model's name.
 * @param options How to ask.
 * @returns What was found; never throws.
 *
 * @example
 * ```ts
 * import { readConfig, settings } from "../config/config.ts";
 * import { parseCommandLine } from "../config/command_line.ts";
 * import { parseModels } from "../models/catalog.ts";
 * import { createSimulator } from "../simulator/mod.ts";
 * import { probe } from "./probe.ts";
 *
 * const { handler } = createSimulator({ pace: 0 });
 * const check = await probe("databricks-claude-sonnet-4-5", {
 *   config: readConfig(settings(parseCommandLine([]), { process: {} })),
 *   base: "http://127.0.0.1",
 *   token: "demo",
 *   catalog: parseModels('{"models": []}', "models.json"),
 *   fetch: (input, init) => handler(new Request(input, init)),
 *   proxied: true,
 *   timeout: 10_000,
 *   userAgent: "fd-bridge",
 * });
 * if (check.status !== "ok" || !check.calledTool) throw new Error(check.detail);
 * ```
 */
export async function probe(model: string, options: ProbeOptions): Promise<ModelCheck> {
  const { token, timeout } = options;
  let surface: string | null = null;
  let raw = "";
  const log = new Log({
    level: "info",
    format: "json",
    color: false,
    write(line) {
      const entry: unknown = JSON.parse(line);
      if (isObject(entry) && typeof entry.surface === "string") surface = entry.surface;
    },
  });
  const app = createProbeApp(options, log, (text) => raw = (raw + text).slice(0, MAX_ANSWER));
  const signal = AbortSignal.timeout(timeout);
  const started = performance.now();
  const answer = await send(app.handler, { model, token, signal, started });
  const learned = app.negotiator.known.get(model) ?? [];
  const reading = answer.status === 200 ? readAnswer(answer.text) : undefined;
  const before = reading ? readAnswer(raw) : undefined;
  const verdict = judge(answer, reading, timeout);
  const repaired = reading && before
    ? [...before.stumbles.keys()]
      .filter((stumble) => !reading.stumbles.has(stumble) && !consequence(stumble, before))
    : [];
  const facts: AnswerFacts = {
    surface,
    firstByteMs: answer.firstByteMs === null ? null : Math.round(answer.firstByteMs),
    tokens: reading?.usage ?? null,
    calledTool: reading !== undefined && reading.calls.length > 0,
    learned,
    repaired,
  };
  const detail = verdict.status === "ok" ? describe(facts) : verdict.detail;
  return { name: model, ...verdict, detail, ...facts };
}

/** The events of another dialect have no chunks at all: what follows from that is not worth a word. */
function consequence(stumble: Stumble, { stumbles }: Reading): boolean {
  return stumbles.has("dialect") && stumble !== "dialect";
}

/** A bridge of its own for each model, so that what one refusal teaches is told of that model. */
function createProbeApp(
  { config, base, catalog, userAgent, fetch, timeout }: ProbeOptions,
  log: Log,
  onRaw: (text: string) => void,
): RunningApp {
  return createApp({
    config: {
      ...config,
      host: "127.0.0.1",
      // No key, because nobody else reaches this bridge; and no heartbeats, so that a refusal keeps its status.
      clientKey: undefined,
      heartbeat: 0,
      firstByteTimeout: timeout,
      idleTimeout: timeout,
    },
    gateway: base,
    version: userAgent.replace(/^.*\//, ""),
    catalog: () => catalog,
    log,
    client: fetchClient(async (url, init) => {
      const response = await fetch(url, init);
      if (!response.ok || response.body === null) return response;
      const decoder = new TextDecoder();
      const copy = new TransformStream<Uint8Array, Uint8Array>({
        transform(bytes, controller) {
          onRaw(decoder.decode(bytes, { stream: true }));
          controller.enqueue(bytes);
        },
      });
      return new Response(response.body.pipeThrough(copy), response);
    }),
  });
}

/** What came, as far as it came. */
async function readText(
  body: ReadableStream<Uint8Array>,
  onFirst: () => void = () => {},
  signal?: AbortSignal,
): Promise<string> {
  const reader = body.getReader();
  const leave = () => void reader.cancel(signal?.reason).catch(() => {});
  signal?.addEventListener("abort", leave, { once: true });
  const decoder = new TextDecoder();
  let text = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      onFirst();
      text += decoder.decode(value, { stream: true });
      if (text.length > MAX_ANSWER) {
        leave();
        break;
      }
    }
  } catch {
    // A body that breaks is judged by what came of it.
  } finally {
    signal?.removeEventListener("abort", leave);
  }
  return text;
}

async function send(
  route: (request: Request) => Promise<Response>,
  { model, token, signal, started }: {
    readonly model: string;
    readonly token: string;
    readonly signal: AbortSignal;
    readonly started: number;
  },
): Promise<Answer> {
  const response = await route(
    new Request("http://127.0.0.1/chat/completions", {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      body: JSON.stringify(request(model)),
      signal,
    }),
  );
  let firstByteMs: number | null = null;
  const onFirst = () => firstByteMs ??= performance.now() - started;
  const text = response.body ? await readText(response.body, onFirst, signal) : "";
  return { status: response.status, text, firstByteMs, late: signal.aborted };
}
