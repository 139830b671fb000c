/**
 * A server that speaks in bytes of the test's choice, and notes who asked what on which connection.
 *
 * @module
 */

/** One connection to it. */
export interface RawPeer {
  /** Which connection it is, from 1. */
  readonly number: number;
  /** How many requests came on it, this one too. */
  readonly request: number;
  /** Writes all; a character a byte. */
  readonly write: (text: string) => Promise<void>;
  /** Says that no more will be written. */
  readonly finish: () => Promise<void>;
  /** Closes it. */
  readonly close: () => void;
}

/** A server of raw answers. */
export interface RawServer extends AsyncDisposable {
  /** Its port. */
  readonly port: number;
  /** Its address. */
  readonly url: string;
  /** Of each request: on which connection it came, and its text. */
  readonly requests: { readonly connection: number; readonly text: string }[];
  /** Resolves when the client has closed a connection, told by its number. */
  readonly left: (connection: number) => Promise<void>;
}

/** Answers one request. */
export type RawAnswer = (peer: RawPeer) => void | Promise<void>;

/** How it listens. */
export interface RawServerOptions {
  /** @default {"127.0.0.1"} */
  readonly hostname?: string;
  /** Certificate and key, for TLS. */
  readonly tls?: Deno.TlsCertifiedKeyPem;
  /** Answers at a request's head, without waiting for its body. */
  readonly atHead?: boolean;
}

/**
 * Starts a server.
 *
 * @param answer Answers each request.
 * @param options How it listens.
 *
 * @example
 * ```ts
 * import { startRawServer } from "./raw_server.ts";
 *
 * await using server = startRawServer((peer) => peer.write("HTTP/1.1 204 No\r\n\r\n"));
 * const { status } = await fetch(server.url);
 * if (status !== 204 || server.requests.length !== 1) throw new Error("answered");
 * ```
 */
export function startRawServer(
  answer: RawAnswer,
  { hostname = "127.0.0.1", tls, atHead = false }: RawServerOptions = {},
): RawServer {
  const listener = tls
    ? Deno.listenTls({ hostname, port: 0, ...tls })
    : Deno.listen({ hostname, port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  const open = new Set<() => void>();
  const requests: { connection: number; text: string }[] = [];
  const leavings: PromiseWithResolvers<void>[] = [];
  const leaving = (connection: number) => leavings[connection] ??= Promise.withResolvers<void>();
  let count = 0;

  async function serve(socket: Deno.Conn, number: number): Promise<void> {
    const close = () => {
      if (!open.delete(close)) return;
      socket.close();
    };
    open.add(close);
    const write = async (text: string) => {
      let rest = Uint8Array.from(text, (character) => character.charCodeAt(0));
      while (rest.length > 0) rest = rest.subarray(await socket.write(rest));
    };
    const peer = { number, write, close, finish: () => socket.closeWrite() };
    const piece = new Uint8Array(64 * 1024);
    let text = "";
    let request = 0;
    try {
      for (;;) {
        const read = await socket.read(piece);
        if (read === null) break;
        for (const byte of piece.subarray(0, read)) text += String.fromCharCode(byte);
        const length = requestLength(text, atHead);
        if (length === undefined) continue;
        requests.push({ connection: number, text: text.slice(0, length) });
        text = text.slice(length);
        await answer({ ...peer, request: ++request });
        if (atHead) return;
      }
    } catch {
      // The client, or the answer, closed the connection.
    }
    leaving(number).resolve();
    close();
  }
  const accepting = (async () => {
    for (;;) {
      try {
        const socket = await listener.accept();
        void serve(socket, ++count);
      } catch (error) {
        if (error instanceof Deno.errors.BadResource) return;
        if (error instanceof Deno.errors.Interrupted) return;
      }
    }
  })();
  return {
    port,
    url: `${tls ? "https://localhost" : `http://${hostname}`}:${port}`,
    requests,
    left: (connection) => leaving(connection).promise,
    async [Symbol.asyncDispose]() {
      listener.close();
      await accepting;
      for (const close of [...open]) close();
    },
  };
}

/** How long the first request in a text is; undefined where it isn't complete. */
function requestLength(text: string, atHead: boolean): number | undefined {
  const head = text.indexOf("\r\n\r\n");
  if (head === -1) return undefined;
  const body = Number(/content-length: (\d+)/i.exec(text.slice(0, head))?.[1] ?? 0);
  const length = head + 4 + (atHead ? 0 : body);
  return text.length < length ? undefined : length;
}
