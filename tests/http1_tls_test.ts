/** Our own client over TLS: whom it trusts, and how a connection ends. */
import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { createClient } from "../lib/http1/client.ts";
import { networkFault } from "../lib/gateway/unreachable.ts";
import { inTime } from "./helpers/fault_bridge.ts";
import { startRawServer } from "./helpers/raw_server.ts";
import { sanitizeTests } from "./helpers/sanitizers.ts";

sanitizeTests();

const read = (name: string) =>
  Deno.readTextFileSync(new URL(`./fixtures/tls/${name}`, import.meta.url));
const tls = { cert: read("localhost.pem"), key: read("localhost.key") };
const caCerts = [read("ca.pem")];
const OK = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
const textOf = async (answer: { arrayBuffer: () => Promise<ArrayBuffer> }) =>
  new TextDecoder().decode(await inTime("the body", answer.arrayBuffer()));

Deno.test("createClient() asks a server whose certificate it was given, and keeps the connection", async () => {
  await using server = startRawServer((peer) => peer.write(OK), { tls });
  const client = createClient({ caCerts });
  for (let round = 0; round < 3; round++) {
    const answer = await inTime(
      "the head",
      client.send(server.url, { method: "POST", body: "{}" }),
    );
    assertEquals(await textOf(answer), "ok");
  }
  assertEquals(server.requests.map(({ connection }) => connection), [1, 1, 1]);
  assertMatch(server.requests[0].text, new RegExp(`host: localhost:${server.port}\r\n`));
  client.close();
  await inTime("the end", server.left(1));
});

Deno.test("createClient() sends and reads megabytes over TLS", async () => {
  const large = "0123456789abcdef".repeat(65_536);
  await using server = startRawServer(
    (peer) => peer.write(`HTTP/1.1 200 OK\r\ncontent-length: ${large.length}\r\n\r\n${large}`),
    { tls },
  );
  const client = createClient({ caCerts });
  const answer = await client.send(server.url, { method: "POST", body: large });
  assertEquals(await textOf(answer), large);
  assert(server.requests[0].text.endsWith(`\r\n\r\n${large}`));
  client.close();
});

Deno.test("createClient() doesn't trust a certificate that nobody gave it", async () => {
  await using server = startRawServer((peer) => peer.write(OK), { tls });
  const client = createClient();
  const error = await assertRejects(() => client.send(server.url, {}), TypeError);
  assertMatch(networkFault(error).means, /certificate is not trusted/);
  assertEquals(server.requests, []);
  client.close();
});

Deno.test("createClient() doesn't trust a certificate of another name", async () => {
  await using server = startRawServer((peer) => peer.write(OK), { tls });
  const client = createClient({ caCerts });
  const connect = Deno.connect;
  // What another machine's name would lead to, were it known here.
  Object.assign(Deno, {
    connect: (options: Deno.ConnectOptions) => connect({ ...options, hostname: "127.0.0.1" }),
  });
  try {
    const error = await assertRejects(
      () => client.send(`https://other.test:${server.port}`, {}),
      TypeError,
    );
    assertMatch(networkFault(error).means, /certificate is not trusted/);
    assertEquals(server.requests, []);
  } finally {
    Deno.connect = connect;
    client.close();
  }
});

Deno.test("createClient() says what is wrong with certificates that are none", async () => {
  await using server = startRawServer((peer) => peer.write(OK), { tls });
  const client = createClient({ caCerts: ["no certificate"] });
  await assertRejects(() => inTime("the failure", client.send(server.url, {})), TypeError);
  client.close();
});

/** A server that takes connections over TCP alone, and says what a test wants in TLS's place. */
function startTcp(serve: (socket: Deno.TcpConn) => void | Promise<void>) {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const sockets: Deno.TcpConn[] = [];
  const accepting = (async () => {
    for await (const socket of listener) {
      sockets.push(socket);
      await serve(socket);
    }
  })();
  return {
    url: `https://localhost:${listener.addr.port}`,
    async [Symbol.asyncDispose]() {
      listener.close();
      await accepting;
      for (const socket of sockets) {
        try {
          socket.close();
        } catch {
          // Closed by the test.
        }
      }
    },
  };
}

Deno.test("createClient() tells of a server that doesn't speak TLS", async () => {
  await using server = startTcp(async (socket) => {
    await socket.write(new TextEncoder().encode("HTTP/1.1 400 Bad Request\r\n\r\n"));
  });
  const client = createClient({ caCerts });
  await assertRejects(() => inTime("the failure", client.send(server.url, {})), TypeError);
  client.close();
});

Deno.test("createClient() tells of a server that closes in the handshake", async () => {
  await using server = startTcp(async (socket) => {
    await socket.read(new Uint8Array(10_000));
    socket.close();
  });
  const client = createClient({ caCerts });
  const error = await assertRejects(
    () => inTime("the failure", client.send(server.url, {})),
    TypeError,
  );
  assertEquals(networkFault(error).means, "it closed the connection before it answered.");
  client.close();
});

Deno.test("createClient() gives up a handshake that is never answered, when it is aborted", async () => {
  const hello = Promise.withResolvers<void>();
  await using server = startTcp(async (socket) => {
    await socket.read(new Uint8Array(10_000));
    hello.resolve();
  });
  const client = createClient({ caCerts });
  const controller = new AbortController();
  const sent = client.send(server.url, { signal: controller.signal }).catch((error) => error);
  await inTime("the handshake", hello.promise);
  const reason = new Error("of the test");
  controller.abort(reason);
  // Below it Deno keeps the TCP connection until the other end closes it: that isn't asked for here.
  assertEquals(await inTime("the end", sent, 1_000), reason);
  client.close();
});

Deno.test("createClient() gives up a handshake whose signal was aborted as the connection came", async () => {
  await using server = startTcp(() => {});
  const client = createClient({ caCerts });
  const controller = new AbortController();
  const connect = Deno.connect;
  Object.assign(Deno, {
    async connect(options: Deno.ConnectOptions) {
      const socket = await connect(options);
      controller.abort();
      return socket;
    },
  });
  try {
    const sent = client.send(server.url, { signal: controller.signal });
    await assertRejects(() => inTime("the end", sent, 1_000), DOMException);
  } finally {
    Deno.connect = connect;
    client.close();
  }
});

/** Passes bytes on to a TLS server, until it is cut: TLS says no farewell then. */
function startRelay(port: number) {
  const sockets = new Set<Deno.TcpConn>();
  const passing: Promise<void>[] = [];
  const cut = async () => {
    for (const socket of sockets) socket.close();
    sockets.clear();
    await Promise.all(passing.splice(0));
  };
  const pass = async (from: Deno.TcpConn, to: Deno.TcpConn) => {
    const piece = new Uint8Array(64 * 1024);
    for (;;) {
      const count = await from.read(piece);
      if (count === null) return;
      for (let rest = piece.subarray(0, count); rest.length > 0;) {
        rest = rest.subarray(await to.write(rest));
      }
    }
  };
  const relay = startTcp(async (client) => {
    const server = await Deno.connect({ hostname: "127.0.0.1", port });
    sockets.add(client).add(server);
    passing.push(pass(client, server).catch(() => {}), pass(server, client).catch(() => {}));
  });
  return {
    url: relay.url,
    cut,
    async [Symbol.asyncDispose]() {
      await cut();
      await relay[Symbol.asyncDispose]();
    },
  };
}

Deno.test("createClient() takes the end of TLS without a farewell for a closed connection", async () => {
  let cut = () => Promise.resolve();
  await using server = startRawServer(() => cut(), { tls });
  await using relay = startRelay(server.port);
  cut = relay.cut;
  const client = createClient({ caCerts });
  const error = await assertRejects(
    () => inTime("the failure", client.send(relay.url, { method: "POST", body: "{}" })),
    TypeError,
  );
  assertEquals(networkFault(error).means, "it closed the connection before it answered.");
  client.close();
});

Deno.test("createClient() takes no body for whole that TLS ends without a farewell", async () => {
  await using server = startRawServer(
    (peer) => peer.write("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nhalf"),
    { tls },
  );
  await using relay = startRelay(server.port);
  const client = createClient({ caCerts });
  const answer = await inTime("the head", client.send(relay.url, {}));
  const reader = answer.body!.getReader();
  assertEquals(new TextDecoder().decode((await reader.read()).value), "half");
  await relay.cut();
  await assertRejects(() => inTime("the failure", reader.read()), TypeError);
  client.close();
});

Deno.test("createClient() asks anew where a kept connection has ended without a farewell", async () => {
  await using server = startRawServer((peer) => peer.write(OK), { tls });
  const client = createClient({ caCerts });
  await using relay = startRelay(server.port);
  assertEquals(await textOf(await client.send(relay.url, {})), "ok");
  await relay.cut();
  // The relay takes a second connection as it took the first.
  assertEquals(await textOf(await inTime("the head", client.send(relay.url, {}))), "ok");
  client.close();
});
