/** nginx as `deploy/nginx.conf` sets it up, in front of real bridges. */
import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { createSimulator, startSimulator } from "../lib/simulator/mod.ts";
import {
  findNginx,
  freePort,
  type Nginx,
  type NginxOptions,
  startNginx,
} from "../scripts/nginx.ts";
import { ROOT } from "../scripts/project.ts";
import { readStream } from "../scripts/soak.ts";
import { chunk, startRawGateway, STREAM_END, STREAM_HEAD } from "./helpers/raw_gateway.ts";
import { inTime, MODELS, RawClient, rawPost, startFaultBridge } from "./helpers/fault_bridge.ts";
import { startProgram } from "./helpers/program.ts";

const program = Deno.build.os === "windows" ? undefined : await findNginx();
const ignore = program === undefined;
const MISSING = ignore ? " (ignored: nginx is not on this machine)" : "";

const certificate = {
  cert: `${ROOT}tests/fixtures/tls/localhost.pem`,
  key: `${ROOT}tests/fixtures/tls/localhost.key`,
};
const ca = await Deno.readTextFile(`${ROOT}tests/fixtures/tls/ca.pem`);

const start = (
  bridges: NginxOptions["bridges"],
  more: Partial<NginxOptions> = {},
): Promise<Nginx> => startNginx(program!, { bridges, certificate, ...more });

/** An event of the gateway's. */
const event = (content: string, finish_reason: string | null = null) =>
  `data: ${JSON.stringify({ choices: [{ index: 0, delta: { content }, finish_reason }] })}\n\n`;

/** A chat request to nginx, by its plain port or another address. */
function ask(url: string, content: string, more: RequestInit & { client?: Deno.HttpClient } = {}) {
  const messages = [{ role: "user", content }];
  return fetch(`${url}/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: "Bearer t", "content-type": "application/json" },
    body: JSON.stringify({ model: MODELS.chat, stream: true, messages }),
    ...more,
  });
}

/** Waits until something is so. */
async function until(what: string, condition: () => Promise<boolean>, time = 20_000) {
  const begun = performance.now();
  while (!await condition()) {
    if (performance.now() - begun > time) throw new Error(`${what}: not within ${time} ms`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

Deno.test({
  name: `nginx passes a stream on event by event, over TLS and uncompressed${MISSING}`,
  ignore,
  async fn() {
    const finish = Promise.withResolvers<void>();
    await using gateway = startRawGateway(async ({ send }) => {
      await send(STREAM_HEAD);
      await send(chunk(event("half")));
      await finish.promise;
      await send(chunk(`${event("whole", "stop")}data: [DONE]\n\n`));
      await send(STREAM_END);
    });
    await using bridge = startFaultBridge(gateway.url);
    await using nginx = await start([bridge.port, bridge.port]);
    using client = Deno.createHttpClient({ caCerts: [ca] });
    const response = await ask(`https://localhost:${nginx.tlsPort}`, "Hello", {
      client,
      headers: { authorization: "Bearer t", "accept-encoding": "gzip" },
    });
    assertEquals(response.status, 200);
    assertEquals(response.headers.get("content-type"), "text/event-stream");
    assertEquals(response.headers.get("content-encoding"), null);
    const pieces = response.body!.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    // What nginx held back would not come before the gateway goes on.
    while (!text.includes("half")) text += (await inTime("the first half", pieces.read())).value!;
    finish.resolve();
    for (let piece = await pieces.read(); !piece.done; piece = await pieces.read()) {
      text += piece.value;
    }
    assertEquals(readStream(text).content, "halfwhole");
    const id = response.headers.get("x-fd-bridge-request-id");
    await until("the line of the log", async () => (await nginx.log()).length > 0);
    const [line] = await nginx.log();
    assertEquals([line.bridge_id, line.status, line.path], [id, 200, "/v1/chat/completions"]);
  },
});

Deno.test({
  name: `nginx ends a bridge's request when the client leaves${MISSING}`,
  ignore,
  async fn() {
    await using gateway = startRawGateway(({ send }) => send(STREAM_HEAD));
    await using bridge = startFaultBridge(gateway.url);
    await using nginx = await start([bridge.port, bridge.port]);
    const client = new AbortController();
    const asking = ask(`http://127.0.0.1:${nginx.port}`, "Hello", { signal: client.signal });
    const { closed } = await inTime("the request", gateway.request(1));
    client.abort();
    await assertRejects(() => asking.then((response) => response.text()));
    await inTime("the end of the gateway's request", closed);
  },
});

Deno.test({
  name: `nginx cuts no stream when it reloads its configuration${MISSING}`,
  ignore,
  async fn() {
    const finish = Promise.withResolvers<void>();
    await using gateway = startRawGateway(async ({ send }) => {
      await send(STREAM_HEAD);
      await send(chunk(event("half")));
      await finish.promise;
      await send(chunk(`${event("whole", "stop")}data: [DONE]\n\n`));
      await send(STREAM_END);
    });
    await using bridge = startFaultBridge(gateway.url);
    await using nginx = await start([bridge.port, bridge.port]);
    const response = await ask(`http://127.0.0.1:${nginx.port}`, "Hello");
    const workers = await nginx.workers();
    Deno.kill(nginx.pid, "SIGHUP");
    await until(
      "new workers",
      async () => (await nginx.workers()).some((pid) => !workers.includes(pid)),
    );
    // The new ones answer, the old ones still have the stream.
    await (await fetch(`http://127.0.0.1:${nginx.port}/readyz`)).body?.cancel();
    finish.resolve();
    assertEquals(readStream(await response.text()).content, "halfwhole");
  },
});

for (const half of [false, true]) {
  Deno.test({
    name: `nginx sends no POST twice when a bridge dies ${
      half ? "in the middle of its answer" : "before its answer"
    }${MISSING}`,
    ignore,
    async fn() {
      const die = Promise.withResolvers<void>();
      const dying = () =>
        startRawGateway(async ({ send, close }) => {
          if (half) {
            await send(STREAM_HEAD);
            await send(chunk("data: {}\n\n"));
            await die.promise;
          }
          close();
        });
      await using first = dying();
      await using second = dying();
      const port = ({ url }: { url: string }) => Number(new URL(url).port);
      await using nginx = await start([port(first), port(second)]);
      // No client that might repeat by itself.
      const client = await RawClient.send(nginx.port, rawPost({ messages: [] }));
      if (half) {
        await inTime("the first event", client.read("data:"));
        die.resolve();
      }
      const text = await inTime("the end", client.read(half ? undefined : "no_bridge"));
      if (half) assert(!text.endsWith("0\r\n\r\n"), "it is no whole answer");
      else assertMatch(text, /^HTTP\/1\.1 502 [^]*"code":"no_bridge"/);
      client.leave();
      assertEquals(first.requests.length + second.requests.length, 1);
    },
  });
}

Deno.test({
  name: `nginx sends a POST to the other bridge where the first can't be connected${MISSING}`,
  ignore,
  async fn() {
    await using simulator = disposable(startSimulator({ pace: 0 }));
    await using bridge = startFaultBridge(simulator.url);
    await using nginx = await start([freePort(), bridge.port]);
    for (let at = 0; at < 4; at++) {
      const response = await ask(`http://127.0.0.1:${nginx.port}`, "Hello");
      assertEquals(response.status, 200);
      readStream(await response.text());
    }
    assertEquals(simulator.simulator.requests.length, 4);
  },
});

Deno.test({
  name: `nginx takes a bridge out whose probe says that it drains${MISSING}`,
  ignore,
  async fn() {
    await using simulator = disposable(startSimulator({ pace: 0 }));
    await using staying = startFaultBridge(simulator.url);
    await using draining = startFaultBridge(simulator.url);
    await using nginx = await start([draining.port, staying.port]);
    const url = `http://127.0.0.1:${nginx.port}`;
    draining.bridge.drain();
    for (let at = 0; at < 4; at++) {
      const probe = await fetch(`${url}/readyz`);
      assertEquals([probe.status, (await probe.json()).status], [200, "ready"]);
    }
    for (let at = 0; at < 10; at++) await (await ask(url, "Hello")).text();
    assert(!draining.log().includes("POST"), draining.log());
    staying.bridge.drain();
    const probe = await fetch(`${url}/readyz`);
    assertMatch(`${probe.status}`, /^50[23]$/);
    await probe.body?.cancel();
  },
});

function disposable<T extends { close(): Promise<void> }>(value: T): T & AsyncDisposable {
  return Object.assign(value, { [Symbol.asyncDispose]: () => value.close() });
}

/** How many streams run at every moment of the restart. */
const AT_ONCE = 200;

Deno.test({
  name: `a rolling restart behind nginx cuts none of ${AT_ONCE} streams at once${MISSING}`,
  ignore,
  async fn() {
    // A stream of 20 words takes two seconds.
    const { handler, stop } = createSimulator({ pace: 100 });
    let answered = 0;
    await using gateway = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen() {} },
      async (request, info) => {
        const response = await handler(request, info);
        if (response.status === 200) answered++;
        return response;
      },
    );
    const launch = async (port: number) => {
      const flags = ["--drain-time", "2s", "--shutdown-time", "60s", "--log-level", "error"];
      const started = await startProgram(
        ["--gateway", `http://127.0.0.1:${gateway.addr.port}`, "--port", `${port}`, ...flags],
      );
      await started.url;
      return started;
    };
    const ports = [freePort(), freePort()] as const;
    await using stack = new AsyncDisposableStack();
    const bridges = await Promise.all(
      ports.map(async (port) => stack.use(await launch(port))),
    );
    await using nginx = await start(ports, { failTimeout: 3 });
    const url = `http://127.0.0.1:${nginx.port}`;

    let over = false;
    let whole = 0;
    let open = 0;
    const wrong: string[] = [];
    const streams = Array.from({ length: AT_ONCE }, async () => {
      while (!over) {
        open++;
        try {
          const response = await ask(url, "[[sim: text, long=20]] Tell me about rivers.");
          const text = await response.text();
          if (response.status !== 200) throw new Error(`${response.status}: ${text}`);
          assertEquals(readStream(text).finish, "stop");
          whole++;
        } catch (error) {
          wrong.push((error as Error).message);
        }
        open--;
      }
    });
    // The container's health check, a little more often.
    const probing = (async () => {
      while (!over) {
        for (let at = 0; at < 4; at++) await (await fetch(`${url}/readyz`)).body?.cancel();
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    })();

    const restarted: string[] = [];
    try {
      await until("all streams", () => Promise.resolve(open === AT_ONCE && whole > 0));
      for (const [at, port] of ports.entries()) {
        bridges[at].signal("SIGTERM");
        assertEquals(await inTime("the end of a bridge", bridges[at].ended, 40_000), 0);
        const lines = (await nginx.log()).length;
        stack.use(await launch(port));
        // The other one goes only when nginx has found this one again.
        await until(
          "the restarted bridge",
          async () =>
            (await nginx.log()).slice(lines).some(({ bridge, status, path }) =>
              bridge === `127.0.0.1:${port}` && status === 200 && path !== "/readyz"
            ),
          40_000,
        );
        restarted.push(`${port}`);
      }
    } finally {
      over = true;
      await Promise.all([...streams, probing]);
    }
    assertEquals(restarted.length, 2);
    assertEquals(wrong, []);
    assert(whole >= AT_ONCE * 3, `${whole}`);
    // Nothing was paid for twice.
    assertEquals(answered, whole);
    stop();
  },
});
