/** Company networks: proxies, certificates, and the two in the `.env` file. */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { BridgeError } from "../lib/errors.ts";
import { readCertificates, setUpNetwork } from "../lib/config/proxies.ts";
import { startProgram } from "./helpers/program.ts";
import { startProxy } from "./helpers/proxy.ts";

type Variables = Record<string, string>;

/** Environment and `.env` → what is set, and the proxies of two addresses. */
const SETUPS: readonly {
  name: string;
  process?: Variables;
  file?: Variables;
  set: Variables;
  https?: string;
  http?: string;
  loopback?: boolean;
}[] = [
  { name: "nothing", set: { DENO_TLS_CA_STORE: "system,mozilla" } },
  {
    name: "a store of the user's",
    process: { DENO_TLS_CA_STORE: "mozilla" },
    set: {},
  },
  {
    name: "a proxy in the environment",
    process: { HTTPS_PROXY: "http://p:1", DENO_TLS_CA_STORE: "system" },
    set: { NO_PROXY: "127.0.0.1,localhost,::1" },
    https: "http://p:1",
  },
  {
    name: "a proxy in lower case",
    process: { https_proxy: "http://p:1", no_proxy: ".corp", DENO_TLS_CA_STORE: "system" },
    set: { NO_PROXY: ".corp,127.0.0.1,localhost,::1" },
    https: "http://p:1",
  },
  {
    name: "a proxy in .env",
    file: { HTTPS_PROXY: "http://p:1", DENO_TLS_CA_STORE: "system" },
    set: {
      HTTPS_PROXY: "http://p:1",
      DENO_TLS_CA_STORE: "system",
      NO_PROXY: "127.0.0.1,localhost,::1",
    },
    https: "http://p:1",
  },
  {
    name: "another one in .env than in the environment",
    process: { https_proxy: "http://p:1", DENO_TLS_CA_STORE: "system" },
    file: { HTTPS_PROXY: "http://q:1" },
    set: { NO_PROXY: "127.0.0.1,localhost,::1" },
    https: "http://p:1",
  },
  {
    name: "an exception in .env to the environment's proxy",
    process: { HTTPS_PROXY: "http://p:1", DENO_TLS_CA_STORE: "system" },
    file: { NO_PROXY: "example.com" },
    set: { NO_PROXY: "example.com,127.0.0.1,localhost,::1" },
  },
  {
    name: "a proxy for HTTP",
    process: { http_proxy: "http://p:1", DENO_TLS_CA_STORE: "system" },
    set: { NO_PROXY: "127.0.0.1,localhost,::1" },
    http: "http://p:1",
    loopback: true,
  },
  {
    name: "loopback taken out already",
    process: { ALL_PROXY: "http://p:1", NO_PROXY: "127.0.0.1", DENO_TLS_CA_STORE: "system" },
    set: { NO_PROXY: "127.0.0.1,127.0.0.1,localhost,::1" },
    https: "http://p:1",
    http: "http://p:1",
  },
  {
    name: "an empty variable",
    process: { HTTPS_PROXY: "", DENO_TLS_CA_STORE: "system" },
    set: {},
  },
  {
    name: "certificates in .env",
    file: { DENO_CERT: "corp.pem", DENO_TLS_CA_STORE: "system" },
    set: { DENO_CERT: "corp.pem", DENO_TLS_CA_STORE: "system" },
  },
];

for (const { name, process = {}, file, set, https, http, loopback = false } of SETUPS) {
  Deno.test(`setUpNetwork() with ${name} sets what Deno needs to know`, () => {
    const done: Variables = {};
    const environment = { ...process };
    const proxies = setUpNetwork({
      variable: (name) => environment[name],
      setVariable: (name, value) => environment[name] = done[name] = value,
    }, file);
    assertEquals(done, set);
    assertEquals(proxies.proxyFor("https://gateway.example.com"), https);
    assertEquals(proxies.proxyFor("http://gateway.example.com"), http);
    assertEquals(proxies.proxyFor("https://localhost:1"), undefined);
    assertEquals(proxies.proxyFor("http://127.0.0.1:1"), undefined);
    assertEquals(proxies.loopbackProxied, loopback);
  });
}

const EXCEPTIONS: readonly (readonly [string, boolean])[] = [
  ["gateway.corp.example", true],
  ["corp.example", true],
  [".corp.example", true],
  ["*.corp.example", true],
  [" CORP.example , other", true],
  ["*", true],
  ["way.corp.example", false],
  ["orp.example", false],
  ["gateway", false],
  ["gateway.corp.example:443", true],
  ["corp.example:8443", false],
  ["*:443", true],
  ["other corp.example", true],
  ["", false],
  [",", false],
];

for (const [list, excepted] of EXCEPTIONS) {
  Deno.test(`setUpNetwork() ${excepted ? "takes" : "does not take"} a host out by NO_PROXY="${list}"`, () => {
    const process: Variables = { HTTPS_PROXY: "http://p:1", NO_PROXY: list };
    const { proxyFor } = setUpNetwork({ variable: (name) => process[name] });
    assertEquals(proxyFor("https://gateway.corp.example") === undefined, excepted);
  });
}

Deno.test("readCertificates() says in a line what is wrong with a file", async () => {
  const files: Readonly<Record<string, () => Promise<string | undefined>>> = {
    "no such file": () => Promise.resolve(undefined),
    "no certificate": () => Promise.resolve("-----BEGIN PRIVATE KEY-----"),
    "can't be read": () => Promise.reject(new Error("Is a directory (os error 21)")),
  };
  for (const [words, read] of Object.entries(files)) {
    const error = await assertRejects(
      () => readCertificates("corp.pem", "--ca-file", read),
      BridgeError,
      words,
    );
    assertEquals(error.kind, "config");
    assert(error.message.startsWith("--ca-file names corp.pem") && !error.message.includes("\n"));
  }
});

const TLS = new URL("./fixtures/tls/", import.meta.url);
const pathOf = (name: string) => decodeURIComponent(new URL(name, TLS).pathname);
const CA = pathOf("ca.pem");
const COMPANY_CA = pathOf("company-ca.pem");

/** A gateway behind TLS, for `localhost` and `gateway.test`. */
function startTlsGateway() {
  const server = Deno.serve({
    hostname: "127.0.0.1",
    port: 0,
    cert: Deno.readTextFileSync(new URL("localhost.pem", TLS)),
    key: Deno.readTextFileSync(new URL("localhost.key", TLS)),
    onListen() {},
  }, () =>
    Response.json({
      choices: [{ index: 0, message: { content: "Hi" }, finish_reason: "stop" }],
    }));
  return {
    port: server.addr.port,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

async function askProgram(url: string) {
  const response = await fetch(`${url}/chat/completions`, {
    method: "POST",
    headers: { authorization: "Bearer t" },
    body: JSON.stringify({
      model: "databricks-glm-5-2",
      messages: [{ role: "user", content: "Hello" }],
    }),
  });
  const body = await response.json();
  return { status: response.status, message: body.error?.message ?? "" };
}

/** How a company's certificates become known → flags, environment and `.env`. */
const TRUST: readonly {
  name: string;
  flags?: string[];
  env?: Variables;
  envFile?: string;
  systems?: string[];
}[] = [
  { name: "--ca-file", flags: ["--ca-file", CA] },
  { name: "FD_BRIDGE_CA_FILE in .env", envFile: `FD_BRIDGE_CA_FILE="${CA}"` },
  { name: "DENO_CERT", env: { DENO_CERT: CA } },
  { name: "DENO_CERT in .env", envFile: `DENO_CERT="${CA}"` },
  {
    name: "the system's store",
    env: { SSL_CERT_FILE: CA, SSL_CERT_DIR: "/nowhere" },
    systems: ["linux"],
  },
  {
    name: "the system's store alone",
    env: { SSL_CERT_FILE: CA, SSL_CERT_DIR: "/nowhere", DENO_TLS_CA_STORE: "system" },
    systems: ["linux"],
  },
  {
    name: "the system's store beside --ca-file and DENO_CERT",
    flags: ["--ca-file", COMPANY_CA],
    env: { SSL_CERT_FILE: CA, SSL_CERT_DIR: "/nowhere", DENO_CERT: COMPANY_CA },
    systems: ["linux"],
  },
  { name: "DENO_CERT beside --ca-file", flags: ["--ca-file", COMPANY_CA], env: { DENO_CERT: CA } },
  { name: "--ca-file beside DENO_CERT", flags: ["--ca-file", CA], env: { DENO_CERT: COMPANY_CA } },
];

for (const { name, flags = [], env, envFile, systems = [Deno.build.os] } of TRUST) {
  Deno.test({
    name: `the program trusts a gateway by ${name}`,
    ignore: !systems.includes(Deno.build.os),
    async fn() {
      await using gateway = startTlsGateway();
      await using program = await startProgram(
        ["--port", "0", "--gateway", `https://localhost:${gateway.port}`, ...flags],
        { env, envFile },
      );
      assertEquals(await askProgram(await program.url), { status: 200, message: "" });
    },
  });
}

Deno.test("the program says what to do about a certificate that it doesn't trust", async () => {
  await using gateway = startTlsGateway();
  await using program = await startProgram(
    ["--port", "0", "--gateway", `https://localhost:${gateway.port}`],
  );
  const { status, message } = await askProgram(await program.url);
  assertEquals(status, 502);
  assertStringIncludes(message, "--ca-file");
});

for (const where of ["environment", ".env"]) {
  Deno.test(`the program asks through HTTPS_PROXY from the ${where}`, async () => {
    await using gateway = startTlsGateway();
    await using proxy = startProxy({ port: gateway.port });
    const url = `http://user:pass%20word@${proxy.host}`;
    const variables = { HTTPS_PROXY: url, HTTP_PROXY: url };
    await using program = await startProgram(
      ["--port", "0", "--gateway", "https://gateway.test", "--ca-file", CA],
      where === "environment"
        ? { env: variables }
        : { envFile: Object.entries(variables).map((pair) => pair.join("=")).join("\n") },
    );
    assertEquals(await askProgram(await program.url), { status: 200, message: "" });
    assertEquals(proxy.heads.length, 1);
    assertStringIncludes(proxy.heads[0], "CONNECT gateway.test:443 HTTP/1.1");
    assertStringIncludes(proxy.heads[0], `Basic ${btoa("user:pass word")}`);
    // Clients read the environment, not our .env.
    assertEquals(program.text().includes("export NO_PROXY"), where === "environment");
  });
}

Deno.test("the simulated gateway of --demo is never asked through a proxy", async () => {
  await using proxy = startProxy({ port: 9 });
  const url = `http://${proxy.host}`;
  const env = { HTTP_PROXY: url, http_proxy: url, ALL_PROXY: url };
  await using program = await startProgram(["--port", "0", "--demo"], { env });
  assertEquals(await askProgram(await program.url), { status: 200, message: "" });
  assertEquals(proxy.heads, []);
});

/** Bad settings of the network → words of the one line that they end with. */
const BAD: readonly { flags?: string[]; env?: Variables; words: string }[] = [
  {
    flags: ["--ca-file", "/nowhere/ca.pem"],
    words: "--ca-file names /nowhere/ca.pem: there is no",
  },
  { flags: ["--ca-file", "deno.json"], words: "holds no certificate" },
  { flags: ["--ca-file", "lib"], words: "can't be read" },
  { env: { DENO_CERT: "/nowhere/ca.pem" }, words: "DENO_CERT names /nowhere/ca.pem" },
  {
    flags: ["--gateway", "https://gateway.test"],
    env: { ALL_PROXY: "socks5://user:geheim@proxy.test" },
    words: "socks5://proxy.test is none of these",
  },
];

for (const { flags = [], env, words } of BAD) {
  Deno.test(`the program ends with a line for ${JSON.stringify({ flags, env })}`, async () => {
    await using program = await startProgram([
      ...flags.includes("--gateway") ? [] : ["--demo"],
      "--port",
      "0",
      ...flags,
    ], { env });
    assertEquals(await program.ended, 2);
    assertStringIncludes(program.text(), words);
    assertEquals(program.text().trim().split("\n").length, 1, program.text());
  });
}
