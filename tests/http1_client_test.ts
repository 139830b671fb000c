/** One suite for both ways to the gateway: `fetch`, and our own client in its place. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import type { HttpAnswer } from "../lib/http1/answer.ts";
import { createClient, type Send } from "../lib/http1/client.ts";

/** A server of raw bytes: what a connection asks is read to the end of its head and body, then `answer` writes. */
interface RawServer {
  readonly url: string;
  /** Requests so far, as text. */
  readonly requests: string[];
  /** Resolves each time a client has closed its connection. */
  readonly closed: Promise<void>;
  stop(): Promise<void>;
}

type Answer = (connection: Deno.TcpConn, request: number) => Promise<void>;

function rawServer(answer: Answer): RawServer {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const requests: string[] = [];
  const connections = new Set<Deno.TcpConn>();
  const closed = Promise.withResolvers<void>();
  const serving = (async () => {
    for await (const connection of listener) {
      connections.add(connection);
      void serve(connection);
    }
  })();
  async function serve(connection: Deno.TcpConn): Promise<void> {
    const buffer = new Uint8Array(4096);
    let text = "";
    try {
      for (;;) {
        const read = await connection.read(buffer);
        if (read === null) break;
        // A character a byte, so that lengths agree.
        text += String.fromCharCode(...buffer.subarray(0, read));
        const head = text.indexOf("\r\n\r\n");
        if (head === -1) continue;
        const length = Number(/content-length: (\d+)/i.exec(text)?.[1] ?? 0);
        if (text.length < head + 4 + length) continue;
        requests.push(
          new TextDecoder().decode(Uint8Array.from(text, (byte) => byte.charCodeAt(0))),
        );
        text = "";
        await answer(connection, requests.length);
      }
    } catch {
      // The client, or the answer, closed the connection.
    } finally {
      connections.delete(connection);
      closed.resolve();
      try {
        connection.close();
      } catch {
        // Closed already.
      }
    }
  }
  return {
    url: `http://127.0.0.1:${(listener.addr as Deno.NetAddr).port}`,
    requests,
    closed: closed.promise,
    async stop() {
      listener.close();
      for (const connection of connections) {
        try {
          connection.close();
        } catch {
          // Closed already.
        }
      }
      await serving;
    },
  };
}

const write = async (connection: Deno.TcpConn, text: string) => {
  const bytes = new TextEncoder().encode(text);
  for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
};
const chunk = (text: string) =>
  `${new TextEncoder().encode(text).length.toString(16)}\r\n${text}\r\n`;
const STREAM =
  "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";

/** Each way to send, and what closes the connections that it keeps. */
const WAYS: Record<string, () => { send: Send; close: () => void }> = {
  fetch: () => ({ send: fetch, close: () => {} }),
  createClient: createClient,
};

const textOf = (answer: HttpAnswer) => new Response(answer.body).text();

for (const [name, make] of Object.entries(WAYS)) {
  const check = (sentence: string, test: (send: Send) => Promise<void>) =>
    Deno.test({
      name: `${name}() ${sentence}`,
      // `fetch` has connections that nobody can close.
      sanitizeOps: name !== "fetch",
      sanitizeResources: name !== "fetch",
      async fn() {
        const way = make();
        await test(way.send);
        way.close();
      },
    });

  check("sends method, headers and body, and reads status, headers and body", async (send) => {
    const server = rawServer((connection) =>
      write(
        connection,
        "HTTP/1.1 429 Slow\r\nretry-after: 7\r\nx-request-id: abc\r\ncontent-length: 2\r\n\r\nno",
      )
    );
    const response = await send(`${server.url}/mlflow/v1/chat/completions?a=b`, {
      method: "POST",
      headers: { authorization: "Bearer t", "content-type": "application/json" },
      body: '{"grüße":1}',
      redirect: "manual",
    });
    assertEquals(response.status, 429);
    assertEquals(response.headers.get("retry-after"), "7");
    assertEquals(response.headers.get("x-request-id"), "abc");
    assertEquals(await textOf(response), "no");
    const [request] = server.requests;
    assert(request.startsWith("POST /mlflow/v1/chat/completions?a=b HTTP/1.1\r\n"), request);
    assert(/authorization: Bearer t\r\n/i.test(request));
    assert(request.endsWith('{"grüße":1}'));
    await server.stop();
  });

  check("hands over a piece before the next one is sent", async (send) => {
    const gate = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const server = rawServer(async (connection) => {
      await write(connection, STREAM + chunk("one"));
      await gate[0].promise;
      await write(connection, chunk("two"));
      await gate[1].promise;
      await write(connection, "0\r\n\r\n");
    });
    const reader = (await send(server.url, { method: "POST", body: "{}" })).body!.getReader();
    const text = async () => new TextDecoder().decode((await reader.read()).value);
    assertEquals(await text(), "one");
    gate[0].resolve();
    assertEquals(await text(), "two");
    gate[1].resolve();
    assertEquals((await reader.read()).done, true);
    await server.stop();
  });

  const BROKEN: Record<string, string> = {
    "a chunked body that breaks off": STREAM + chunk("one"),
    "a chunk that is shorter than it says": STREAM + "ff\r\none",
    "a body that is shorter than its content-length":
      "HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\none",
  };
  for (const [what, bytes] of Object.entries(BROKEN)) {
    check(`gives what came and then rejects on ${what}`, async (send) => {
      const server = rawServer(async (connection) => {
        await write(connection, bytes);
        connection.close();
      });
      const response = await send(server.url, { method: "POST", body: "{}" });
      let text = "";
      await assertRejects(async () => {
        for await (const piece of response.body!) text += new TextDecoder().decode(piece);
      });
      assertEquals(text, "one");
      await server.stop();
    });
  }

  check("rejects where the answer is no HTTP", async (send) => {
    const server = rawServer(async (connection) => {
      await write(connection, "SSH-2.0-OpenSSH\r\n\r\n");
      connection.close();
    });
    await assertRejects(() => send(server.url, { method: "POST", body: "{}" }));
    await server.stop();
  });

  check("rejects where the connection closes before an answer", async (send) => {
    const server = rawServer((connection) => {
      connection.close();
      return Promise.resolve();
    });
    await assertRejects(() => send(server.url, { method: "POST", body: "{}" }), TypeError);
    await server.stop();
  });

  check("rejects with TypeError where nobody listens", async (send) => {
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = listener.addr as Deno.NetAddr;
    listener.close();
    await assertRejects(
      () => send(`http://127.0.0.1:${port}`, { method: "POST", body: "{}" }),
      TypeError,
    );
  });

  check(
    "rejects with the signal's reason before the answer, and closes the connection",
    async (send) => {
      const asked = Promise.withResolvers<void>();
      const server = rawServer(() => {
        asked.resolve();
        return Promise.resolve();
      });
      const controller = new AbortController();
      const sent = send(server.url, { method: "POST", body: "{}", signal: controller.signal });
      await asked.promise;
      const reason = new Error("the client left");
      controller.abort(reason);
      assertEquals(await sent.catch((error) => error), reason);
      await server.closed;
      await server.stop();
    },
  );

  check("closes the connection when the signal aborts in the middle of a body", async (send) => {
    const server = rawServer((connection) => write(connection, STREAM + chunk("one")));
    const controller = new AbortController();
    const response = await send(server.url, {
      method: "POST",
      body: "{}",
      signal: controller.signal,
    });
    const reader = response.body!.getReader();
    await reader.read();
    controller.abort();
    await assertRejects(() => reader.read());
    await server.closed;
    await server.stop();
  });

  check("closes the connection when the body is cancelled", async (send) => {
    const server = rawServer((connection) => write(connection, STREAM + chunk("one")));
    const response = await send(server.url, { method: "POST", body: "{}" });
    await response.body!.cancel();
    await server.closed;
    await server.stop();
  });

  check("uses a connection again, and opens another where it was closed", async (send) => {
    const server = rawServer(async (connection, request) => {
      await write(connection, "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
      if (request === 2) connection.close();
    });
    for (let i = 0; i < 4; i++) {
      assertEquals(await textOf(await send(server.url, { method: "POST", body: "{}" })), "ok");
    }
    assertEquals(server.requests.length, 4);
    await server.stop();
  });

  check("reads a body without a length to its end, and an empty one", async (send) => {
    const server = rawServer(async (connection, request) => {
      if (request === 1) {
        return await write(connection, "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
      }
      await write(connection, "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nto the end");
      connection.close();
    });
    assertEquals(await textOf(await send(server.url, { method: "POST", body: "{}" })), "");
    assertEquals(
      await textOf(await send(server.url, { method: "POST", body: "{}" })),
      "to the end",
    );
    await server.stop();
  });

  check("waits for a slow reader without losing a byte", async (send) => {
    const piece = "x".repeat(1000);
    const server = rawServer(async (connection) => {
      await write(connection, STREAM);
      for (let i = 0; i < 2000; i++) await write(connection, chunk(piece));
      await write(connection, "0\r\n\r\n");
    });
    const response = await send(server.url, { method: "POST", body: "{}" });
    let length = 0;
    for await (const bytes of response.body!) {
      length += bytes.length;
      await Promise.resolve();
    }
    assertEquals(length, 2_000_000);
    await server.stop();
  });
}
