/** The client on company networks: certificates and proxies, against real ones on loopback. */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { readAuthorities } from "../lib/config/proxies.ts";
import { BridgeError } from "../lib/errors.ts";
import { type ClientOptions, createClient, RequestFailure } from "../lib/gateway/client.ts";
import { Gateway } from "../lib/gateway/gateway.ts";
import { networkFault } from "../lib/gateway/unreachable.ts";
import { type ProxyOptions, startProxy } from "./helpers/proxy.ts";
import { startRawGateway } from "./helpers/raw_gateway.ts";
import { sanitizeTests } from "./helpers/sanitizers.ts";

sanitizeTests();

const TLS = new URL("./fixtures/tls/", import.meta.url);
const pem = (name: string) => Deno.readTextFileSync(new URL(name, TLS));
const CA = pem("ca.pem");
const COMPANY_CA = pem("company-ca.pem");
const ALL = CA + COMPANY_CA;

const HI = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi";

function startTls(name: string) {
  const tls = { cert: pem(`${name}.pem`), key: pem(`${keyOf(name)}.key`) };
  return startRawGateway(({ send }) => send(HI), { tls });
}

function keyOf(certificate: string): string {
  return certificate === "localhost" ? "localhost" : "company";
}

const TIMES = { connectTimeout: 5000, firstByteTimeout: 5000, idleTimeout: 5000 };

/** Asks once, with a client of its own. */
async function ask(url: string, options: Partial<ClientOptions> = {}): Promise<string> {
  const client = createClient({ ...TIMES, ...options });
  try {
    const { response } = await client.send(url, { method: "POST", headers: {}, body: "{}" });
    return await response.text();
  } finally {
    await client.close();
  }
}

/** Certificate of the server, authorities → "hi", or the failure's code. */
const TRUST: readonly (readonly [string, string | undefined, string])[] = [
  ["localhost", CA, "hi"],
  ["localhost", ALL, "hi"],
  ["company", ALL, "hi"],
  ["localhost", COMPANY_CA, "UNABLE_TO_VERIFY_LEAF_SIGNATURE"],
  ["localhost", undefined, "UNABLE_TO_VERIFY_LEAF_SIGNATURE"],
  ["company", CA, "UNABLE_TO_VERIFY_LEAF_SIGNATURE"],
  ["expired", ALL, "UNABLE_TO_VERIFY_LEAF_SIGNATURE"],
  ["elsewhere", ALL, "ERR_TLS_CERT_ALTNAME_INVALID"],
  ["selfsigned", ALL, "DEPTH_ZERO_SELF_SIGNED_CERT"],
];

for (const [name, authorities, expected] of TRUST) {
  const whom = authorities === ALL
    ? "both"
    : authorities === CA
    ? "the first"
    : authorities && "the second";
  Deno.test(`Client.send() to a server with ${name}.pem, trusting ${whom ?? "neither authority"}: ${expected}`, async () => {
    await using server = startTls(name);
    const got = await ask(server.url, { authorities }).catch((error) => error);
    assertEquals(got instanceof RequestFailure ? got.code : got, expected);
    if (!(got instanceof RequestFailure)) return;
    const { means, passing, code } = networkFault(got);
    assertEquals([passing, code, got.sent], [false, "certificate", false]);
    assertStringIncludes(means, expected.includes("ALTNAME") ? "another name" : "--ca-file");
  });
}

Deno.test("Client.send() checks the certificate of an address, too", async () => {
  await using server = startTls("localhost");
  const url = `https://127.0.0.1:${server.port}`;
  assertEquals(await ask(url, { authorities: CA }), "hi");
});

Deno.test("Client.send() trusts Deno's own authorities beside further ones", async () => {
  await using company = startTls("company");
  await using server = startTls("localhost");
  const client = createClient({ ...TIMES, authorities: CA });
  const post = { method: "POST", headers: {}, body: "{}" };
  const failing = client.send(company.url, post);
  assertEquals((await failing.catch((error) => error)).code, "UNABLE_TO_VERIFY_LEAF_SIGNATURE");
  assertEquals(await (await client.send(server.url, post)).response.text(), "hi");
  await client.close();
  // A handshake that fails has sent nothing.
  assertEquals([company.requests.length, server.requests.length], [0, 1]);
});

Deno.test("readAuthorities() reads --ca-file, and looks at what DENO_CERT names", async () => {
  const files: Record<string, string> = { "ca.pem": CA, "company.pem": COMPANY_CA };
  const on = (denoCert?: string) => ({
    variable: (name: string) => name === "DENO_CERT" ? denoCert : undefined,
    readText: (path: string) => Promise.resolve(files[path]),
  });
  assertEquals(await readAuthorities("ca.pem", on()), CA);
  assertEquals(await readAuthorities("ca.pem", on("ca.pem")), undefined);
  assertEquals(await readAuthorities("ca.pem", on("company.pem")), CA);
  const told: string[] = [];
  const setVariable = (...pair: string[]) => void told.push(pair.join("="));
  assertEquals(await readAuthorities("ca.pem", { ...on(), setVariable }), undefined);
  assertEquals(await readAuthorities("ca.pem", { ...on("company.pem"), setVariable }), CA);
  assertEquals(told, ["DENO_CERT=ca.pem"]);
  assertEquals(await readAuthorities(undefined, on("ca.pem")), undefined);
  await assertRejects(
    () => readAuthorities(undefined, on("no.pem")),
    BridgeError,
    "DENO_CERT names",
  );
  await assertRejects(() => readAuthorities("no.pem", on()), BridgeError, "--ca-file names");
});

/** A URL of a proxy → what it is asked with. */
const CREDENTIALS: readonly (readonly [string, string | undefined])[] = [
  ["", undefined],
  ["user:password@", "user:password"],
  ["us%40er:p%3Aw%25@", "us@er:p:w%"],
  ["user@", "user:"],
  ["m%C3%BCller:p%C3%A4ss@", "müller:päss"],
];

for (const [user, expected] of CREDENTIALS) {
  for (const scheme of ["https", "http"]) {
    Deno.test(`Client.send() reaches ${scheme} through a proxy at http://${user}host`, async () => {
      await using server = scheme === "https"
        ? startTls("localhost")
        : startRawGateway(({ send }) => send(HI));
      await using proxy = startProxy({ port: server.port });
      const got = await ask(`${scheme}://gateway.test/a?b=c`, {
        authorities: CA,
        proxyFor: () => `http://${user}${proxy.host}`,
      });
      // The first tunnel shows that Deno's own authorities don't do.
      assertEquals([got, proxy.heads.length], ["hi", scheme === "https" ? 2 : 1]);
      const [head] = proxy.heads;
      const first = scheme === "https"
        ? "CONNECT gateway.test:443 HTTP/1.1\r\nhost: gateway.test:443\r\n"
        : "POST http://gateway.test/a?b=c HTTP/1.1\r\nhost: gateway.test\r\n";
      assert(head.startsWith(first), head);
      const credentials = /proxy-authorization: Basic (\S+)/.exec(head)?.[1];
      const bytes = credentials &&
        Uint8Array.from(atob(credentials), (character) => character.charCodeAt(0));
      assertEquals(bytes && new TextDecoder().decode(bytes), expected);
      // The gateway doesn't get to see the proxy's password in the tunnel.
      if (scheme === "https") {
        assert(!server.requests[0].head.includes("proxy-authorization"));
        assert(server.requests[0].head.startsWith("POST /a?b=c HTTP/1.1\r\n"));
      }
    });
  }
}

Deno.test("Client.send() keeps a tunnel for the next request", async () => {
  await using server = startTls("localhost");
  await using proxy = startProxy({ port: server.port });
  const client = createClient({
    ...TIMES,
    authorities: CA,
    proxyFor: () => `http://${proxy.host}`,
  });
  for (let n = 0; n < 2; n++) {
    const { response } = await client.send("https://gateway.test", { method: "GET", headers: {} });
    assertEquals(await response.text(), "hi");
    // undici uses a connection again a turn after its answer.
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  await client.close();
  // Two for the first request, because Deno's own authorities don't do.
  assertEquals([proxy.heads.length, server.requests.length], [2, 2]);
});

/** What a proxy does → words of the error, and whether the request is sent again. */
const REFUSALS: readonly {
  name: string;
  options: ProxyOptions;
  words: string[];
  passing?: boolean;
  schemes?: string[];
}[] = [
  {
    name: "asks for a password",
    options: { answer: "HTTP/1.1 407 Who\r\ncontent-length: 2\r\n\r\nno" },
    words: ["asks for a user and a password", "HTTPS_PROXY"],
    schemes: ["https", "http"],
  },
  {
    name: "refuses",
    options: { answer: "HTTP/1.1 403 No\r\ncontent-length: 2\r\n\r\nno" },
    words: ["does not let it through (403)", "NO_PROXY"],
  },
  {
    name: "finds no way",
    options: { answer: "HTTP/1.1 503 No\r\ncontent-length: 0\r\n\r\n" },
    words: ["found no way to it (503)"],
    passing: true,
  },
  {
    name: "closes",
    options: { answer: "", closes: true },
    words: ["closed the connection"],
    passing: true,
  },
  { name: "is none", options: { answer: "220 mail\r\n" }, words: ["is not HTTP"] },
  { name: "is silent", options: { answer: "" }, words: ["in time"] },
];

for (const { name, options, words, passing = false, schemes = ["https"] } of REFUSALS) {
  for (const scheme of schemes) {
    Deno.test(`Gateway.post() says what to do about a proxy that ${name}, for ${scheme}`, async () => {
      await using proxy = startProxy(options);
      const client = createClient({
        ...TIMES,
        connectTimeout: name === "is silent" ? 100 : 5000,
        proxyFor: () => `http://user:geheim@${proxy.host}`,
      });
      const gateway = new Gateway({
        ...TIMES,
        base: `${scheme}://gateway.test`,
        client,
        retries: 1,
        retryTime: 60_000,
        sleep: () => Promise.resolve(),
      });
      const { signal } = new AbortController();
      const error = await assertRejects(
        () => gateway.post({ path: "/x", headers: {}, body: "{}", signal }),
        BridgeError,
      );
      await client.close();
      assertEquals([error.kind, error.status], ["unreachable", 502]);
      for (const word of [...words, proxy.host]) assertStringIncludes(error.message, word);
      assert(!error.message.includes("geheim"), error.message);
      assertEquals(proxy.heads.length, passing ? 2 : 1);
    });
  }
}

for (const url of ["https://gateway.test", "http://gateway.test"]) {
  Deno.test(`Client.send() says that it is the proxy that can't be reached, for ${url}`, async () => {
    const error = await assertRejects(
      () => ask(url, { proxyFor: () => "http://127.0.0.1:9" }),
      RequestFailure,
    );
    assertEquals(error.sent, false);
    assertEquals(
      networkFault(error).means,
      "the way leads through the proxy 127.0.0.1:9, and the connection was refused. Check HTTPS_PROXY and NO_PROXY.",
    );
  });
}

for (const proxy of ["socks5://user:geheim@proxy.test", "nowhere", "http://", "ftp://proxy.test"]) {
  Deno.test(`Client.send() refuses ${proxy} as a proxy's address, without its password`, async () => {
    const error = await assertRejects(
      () => ask("https://gateway.test", { proxyFor: () => proxy }),
      BridgeError,
      "HTTPS_PROXY",
    );
    assertEquals(error.kind, "config");
    assert(!error.message.includes("geheim"));
  });
}

/** What a server does with the first bytes of an encrypted connection → the code. */
const HANDSHAKES: readonly (readonly [string, string, string])[] = [
  ["is silent", "", "UND_ERR_CONNECT_TIMEOUT"],
  ["speaks plain HTTP", "HTTP/1.1 400 Bad Request\r\n\r\n", "ERR_SSL_WRONG_VERSION_NUMBER"],
];

for (const [name, answer, code] of HANDSHAKES) {
  for (const tunnel of [false, true]) {
    Deno.test(`Client.send() fails with ${code} at a server that ${name}${tunnel ? ", through a proxy" : ""}`, async () => {
      await using server = startProxy({ answer });
      await using proxy = startProxy({ port: Number(server.host.split(":")[1]) });
      const error = await assertRejects(
        () =>
          ask(`https://${server.host}`, {
            connectTimeout: 100,
            proxyFor: () => tunnel ? `http://${proxy.host}` : undefined,
          }),
        RequestFailure,
      );
      assertEquals([error.code, error.sent], [code, false]);
      if (tunnel) assert(proxy.heads[0].startsWith(`CONNECT ${server.host} HTTP/1.1`));
    });
  }
}

Deno.test("Client.close() ends what is being connected", async () => {
  await using server = startProxy({ answer: "" });
  const client = createClient({ ...TIMES, proxyFor: () => `http://${server.host}` });
  const asked = ["https://gateway.test", "https://gateway.test"].map((url) =>
    client.send(url, { method: "GET", headers: {} }).catch((error) => error)
  );
  await client.preload!();
  await client.close();
  for (const error of await Promise.all(asked)) assert(error instanceof RequestFailure);
});

Deno.test("Client.send() reaches https through a proxy that is encrypted itself", async () => {
  await using server = startTls("localhost");
  await using proxy = startProxy({
    port: server.port,
    tls: { cert: pem("company.pem"), key: pem("company.key") },
  });
  const got = await ask("https://gateway.test/", {
    authorities: ALL,
    proxyFor: () => `https://${proxy.host}`,
  });
  assertEquals(got, "hi");
});
