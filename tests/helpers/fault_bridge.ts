/**
 * A bridge that listens in front of a gateway of the test's own, and a client that can leave at any
 * moment.
 *
 * @module
 */

import { createApp, type RunningApp } from "../../lib/app.ts";
import { type Config, readConfig, settings } from "../../lib/config/config.ts";
import { parseCommandLine } from "../../lib/config/command_line.ts";
import { createClient } from "../../lib/gateway/client.ts";
import { parseModels } from "../../lib/models/catalog.ts";
import { Log } from "../../lib/observe/log.ts";
import { type RunningServer, serveApp } from "./serve_app.ts";

/** A model that goes by the chat surface, one by the Responses surface. */
export const MODELS = { chat: "databricks-glm-5-2", responses: "databricks-gpt-5-5" } as const;

/** The token of the tests' clients. */
export const TOKEN = "dapi-made-up-token-of-a-test";

/** Options of a bridge under test. */
export interface FaultBridgeOptions {
  /** The command line. */
  readonly flags?: readonly string[];
  /** Settings that no command line can have, such as shorter times. */
  readonly config?: Partial<Config>;
}

/** A bridge that listens. */
export interface FaultBridge extends AsyncDisposable {
  /** Its address. */
  readonly url: string;
  /** Its port. */
  readonly port: number;
  /** Its parts. */
  readonly bridge: RunningApp;
  /** The server. */
  readonly server: RunningServer;
  /** Everything that was logged. */
  readonly log: () => string;
  /** Resolves when a line that matches is in the log. */
  readonly logged: (words: RegExp) => Promise<void>;
}

/**
 * Starts a bridge in front of a gateway.
 *
 * @param gateway The gateway's address.
 * @param options What it is told.
 * @returns The bridge; to be disposed of (`await using`).
 *
 * @example
 * ```ts
 * import { startFaultBridge } from "./fault_bridge.ts";
 *
 * await using bridge = startFaultBridge("http://127.0.0.1:9");
 * const response = await fetch(`${bridge.url}/healthz`);
 * if ((await response.json()).status !== "ok") throw new Error("it listens");
 * ```
 */
export function startFaultBridge(
  gateway: string,
  options: FaultBridgeOptions = {},
): FaultBridge {
  const line = parseCommandLine(["--port", "0", "--log-level", "debug", ...options.flags ?? []]);
  const config = { ...readConfig(settings(line, { process: {} })), ...options.config };
  const lines: string[] = [];
  const waiters = new Set<() => void>();
  const log = new Log({
    level: config.logLevel,
    format: config.logFormat,
    color: false,
    write(line) {
      lines.push(line);
      for (const waiter of waiters) waiter();
    },
  });
  const list = parseModels(
    JSON.stringify({
      models: [
        { id: MODELS.chat, endpoint: "mlflow" },
        { id: MODELS.responses, endpoint: "openai" },
      ],
    }),
    "the test's list",
  );
  const catalog = () => list;
  const client = createClient(config);
  const bridge = createApp({ config, gateway, version: "test", catalog, log, client });
  const server = serveApp(bridge);
  return {
    url: server.url,
    port: server.port,
    bridge,
    server,
    log: () => lines.join(""),
    logged: (words) =>
      new Promise((resolve) => {
        const waiter = () => {
          if (!lines.some((line) => words.test(line))) return;
          waiters.delete(waiter);
          resolve();
        };
        waiters.add(waiter);
        waiter();
      }),
    async [Symbol.asyncDispose]() {
      await server.stop();
    },
  };
}

/** A `POST` of a chat request, as text for a raw connection. */
export function rawPost(body: unknown, path = "/chat/completions"): string {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  const length = new TextEncoder().encode(text).length;
  return `POST ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer ${TOKEN}\r\n` +
    `content-type: application/json\r\ncontent-length: ${length}\r\n\r\n${text}`;
}

/** A client on a raw connection. */
export class RawClient {
  readonly #connection: Deno.TcpConn;
  #text = "";

  /** Takes over a connection. */
  constructor(connection: Deno.TcpConn) {
    this.#connection = connection;
  }

  /** Connects, and sends a request. */
  static async send(port: number, request: string): Promise<RawClient> {
    const connection = await Deno.connect({ hostname: "127.0.0.1", port });
    const client = new RawClient(connection);
    await client.write(request);
    return client;
  }

  /** Sends more. */
  async write(text: string | Uint8Array): Promise<void> {
    let rest = typeof text === "string" ? new TextEncoder().encode(text) : text;
    while (rest.length > 0) rest = rest.subarray(await this.#connection.write(rest));
  }

  /** Reads until the words have come, or to the end of the connection; gives all that came so far. */
  async read(until?: string): Promise<string> {
    const piece = new Uint8Array(64 * 1024);
    const decoder = new TextDecoder();
    while (until === undefined || !this.#text.includes(until)) {
      const count = await this.#connection.read(piece).catch(() => null);
      if (count === null) break;
      this.#text += decoder.decode(piece.subarray(0, count), { stream: true });
    }
    return this.#text;
  }

  /** Says that nothing more will be sent. */
  async finish(): Promise<void> {
    await this.#connection.closeWrite();
  }

  /** Leaves. */
  leave(): void {
    this.#connection.close();
  }
}

/**
 * Waits for something, but not for ever.
 *
 * @param what For the message.
 * @param promise What is waited for.
 * @param time Milliseconds.
 * @throws {Error} When it doesn't come in time.
 */
export async function inTime<T>(what: string, promise: Promise<T>, time = 5_000): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: not within ${time} ms`)), time);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
