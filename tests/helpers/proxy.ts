/**
 * A proxy for tests: it takes every `CONNECT`, and every request with a whole address, to one port.
 *
 * @module
 */

/** How a proxy behaves. */
export interface ProxyOptions {
  /** The port that everything leads to. @default nowhere */
  readonly port?: number;
  /** What it answers instead of taking anything anywhere; empty for nothing at all. */
  readonly answer?: string;
  /** Whether it closes the connection after that. */
  readonly closes?: boolean;
  /** Certificate and key, for TLS. */
  readonly tls?: Deno.TlsCertifiedKeyPem;
}

/** A proxy that runs. */
export interface TestProxy extends AsyncDisposable {
  /** Host and port. */
  readonly host: string;
  /** Heads of the requests that came, oldest first. */
  readonly heads: readonly string[];
}

/**
 * Starts a proxy.
 *
 * @param options How it behaves.
 * @returns The proxy; to be disposed of (`await using`).
 */
export function startProxy({ port, answer, closes, tls }: ProxyOptions): TestProxy {
  const address = { hostname: "127.0.0.1", port: 0 };
  const listener = tls ? Deno.listenTls({ ...address, ...tls }) : Deno.listen(address);
  const heads: string[] = [];
  const open = new Set<Deno.Conn>();
  const tunnels = new Set<Promise<void>>();
  const say = (connection: Deno.Conn, text: string) =>
    connection.write(new TextEncoder().encode(text));

  async function serve(client: Deno.Conn): Promise<void> {
    const bytes = new Uint8Array(4096);
    const length = await client.read(bytes) ?? 0;
    const text = new TextDecoder().decode(bytes.subarray(0, length));
    const end = text.indexOf("\r\n\r\n");
    heads.push(text.slice(0, end));
    if (answer !== undefined || port === undefined) {
      if (answer) await say(client, answer);
      if (closes) client.close();
      return;
    }
    const server = await Deno.connect({ hostname: "127.0.0.1", port });
    open.add(server);
    if (text.startsWith("CONNECT ")) await say(client, "HTTP/1.1 200 Connected\r\n\r\n");
    else await server.write(bytes.subarray(0, length));
    await Promise.all([
      client.readable.pipeTo(server.writable),
      server.readable.pipeTo(client.writable),
    ]);
  }

  const accepting = (async () => {
    for await (const client of listener) {
      open.add(client);
      const tunnel = serve(client).catch(() => {});
      tunnels.add(tunnel);
      void tunnel.then(() => tunnels.delete(tunnel));
    }
  })();
  return {
    host: `${tls ? "localhost" : "127.0.0.1"}:${(listener.addr as Deno.NetAddr).port}`,
    heads,
    async [Symbol.asyncDispose]() {
      listener.close();
      await accepting;
      for (const connection of open) {
        try {
          connection.close();
        } catch {
          // Its tunnel has closed it.
        }
      }
      await Promise.all(tunnels);
    },
  };
}
