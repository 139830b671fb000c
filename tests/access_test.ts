import { assertEquals, assertThrows } from "@std/assert";
import { type AccessSettings, checkHost, checkOrigin, readCredentials } from "../lib/access.ts";
import { exposure, readConfig, settings } from "../lib/config/config.ts";
import { BridgeError } from "../lib/errors.ts";
import { parseCommandLine } from "../lib/config/command_line.ts";

const LOCAL: AccessSettings = { host: "127.0.0.1", allowHosts: [], allowOrigins: [] };
const OPEN: AccessSettings = { ...LOCAL, host: "0.0.0.0", clientKey: "our-secret-key" };
const NAMED: AccessSettings = { ...LOCAL, allowHosts: ["bridge.corp.example"] };

/** Host header → whether a bridge with these settings answers to it. */
const HOSTS: readonly (readonly [AccessSettings, string | null, boolean])[] = [
  [LOCAL, "127.0.0.1", true],
  [LOCAL, "127.0.0.1:8080", true],
  [LOCAL, "localhost", true],
  [LOCAL, "localhost:8080", true],
  [LOCAL, "LOCALHOST:1", true],
  [LOCAL, "localhost.", true],
  [LOCAL, "127.0.0.2", true],
  [LOCAL, "[::1]:8080", true],
  [LOCAL, "evil.example", false],
  [LOCAL, "localhost.evil.example", false],
  [LOCAL, "127.0.0.1.evil.example", false],
  [LOCAL, "evil.example:127.0.0.1", false],
  [LOCAL, "127.0.0.1@evil.example", false],
  [LOCAL, "evil.example@127.0.0.1", false],
  [LOCAL, "127.0.0.1/../evil", false],
  [LOCAL, "127.0.0.1,evil.example", false],
  [LOCAL, "127.0.0.1, 127.0.0.1", false],
  [LOCAL, "127.0.0.1:8080:8080", false],
  [LOCAL, "192.168.1.7", false],
  [LOCAL, "[fe80::1]", false],
  [LOCAL, "0.0.0.0", false],
  [LOCAL, "", false],
  [LOCAL, null, false],
  [{ ...LOCAL, host: "192.168.1.7" }, "192.168.1.7:8080", true],
  [{ ...LOCAL, host: "[::1]" }, "[::1]:8080", true],
  [OPEN, "192.168.1.7:8080", true],
  [OPEN, "[fe80::1]:8080", true],
  [OPEN, "localhost", true],
  // Beyond loopback too: a rebound name is a name.
  [OPEN, "evil.example", false],
  [NAMED, "bridge.corp.example:8080", true],
  [NAMED, "BRIDGE.corp.example", true],
  [NAMED, "other.corp.example", false],
];

for (const [settings, host, answers] of HOSTS) {
  Deno.test(`checkHost() ${answers ? "answers to" : "refuses"} ${host} on ${settings.host}`, () => {
    if (answers) return checkHost(host, settings);
    const error = assertThrows(() => checkHost(host, settings), BridgeError);
    assertEquals([error.status, error.code], [403, "host_not_allowed"]);
  });
}

const PAGE: AccessSettings = { ...LOCAL, allowOrigins: ["https://app.example"] };

/** Headers → the origin that is allowed, undefined for no page at all, false for a refusal. */
const ORIGINS: readonly (readonly [
  AccessSettings,
  Record<string, string>,
  string | undefined | false,
])[] = [
  [LOCAL, {}, undefined],
  [LOCAL, { "sec-fetch-site": "none" }, undefined],
  [LOCAL, { "sec-fetch-site": "same-origin" }, undefined],
  [LOCAL, { origin: "https://evil.example" }, false],
  [LOCAL, { origin: "null" }, false],
  [LOCAL, { origin: "" }, false],
  [LOCAL, { origin: "http://127.0.0.1:8080" }, false],
  [LOCAL, { "sec-fetch-site": "cross-site" }, false],
  [LOCAL, { "sec-fetch-site": "same-site" }, false],
  [PAGE, { origin: "https://app.example" }, "https://app.example"],
  [PAGE, { origin: "https://app.example", "sec-fetch-site": "cross-site" }, "https://app.example"],
  [PAGE, { origin: "https://app.example.evil.example" }, false],
  [PAGE, { origin: "https://app.example/" }, false],
  [PAGE, { origin: "http://app.example" }, false],
  [PAGE, { origin: "https://APP.example" }, false],
  [PAGE, { "sec-fetch-site": "cross-site" }, false],
];

for (const [settings, headers, expected] of ORIGINS) {
  const what = JSON.stringify(headers);
  const pages = settings.allowOrigins.join() || "no page";
  Deno.test(`checkOrigin() ${expected === false ? "refuses" : "allows"} ${what} for ${pages}`, () => {
    const check = () => checkOrigin(new Headers(headers), settings);
    if (expected !== false) return assertEquals(check(), expected);
    const error = assertThrows(check, BridgeError);
    assertEquals([error.status, error.code], [403, "origin_not_allowed"]);
  });
}

const KEY = "our-secret-key";
const KEYED: AccessSettings = { ...LOCAL, clientKey: KEY };

/** Headers → what goes to the gateway, or the code of the refusal. */
const CREDENTIALS: readonly (readonly [
  AccessSettings,
  Record<string, string>,
  { gateway: string } | { refused: string },
])[] = [
  [LOCAL, { authorization: "Bearer token" }, { gateway: "Bearer token" }],
  [LOCAL, { authorization: "bearer   token " }, { gateway: "Bearer token" }],
  [LOCAL, { authorization: "Bearer a:b" }, { gateway: "Bearer a:b" }],
  [LOCAL, {}, { refused: "missing_token" }],
  [LOCAL, { authorization: "" }, { refused: "missing_token" }],
  [LOCAL, { authorization: "Bearer" }, { refused: "missing_token" }],
  [LOCAL, { authorization: "Bearer  " }, { refused: "missing_token" }],
  [LOCAL, { authorization: "Basic dXNlcjpwYXNz" }, { refused: "missing_token" }],
  [LOCAL, { "api-key": "token" }, { refused: "missing_token" }],
  [KEYED, { authorization: `Bearer ${KEY}:token` }, { gateway: "Bearer token" }],
  [KEYED, { authorization: `Bearer ${KEY}:a:b` }, { gateway: "Bearer a:b" }],
  [
    KEYED,
    { authorization: "Bearer token", "x-fd-bridge-key": KEY },
    { gateway: "Bearer token" },
  ],
  [KEYED, { authorization: "Bearer a:b", "x-fd-bridge-key": KEY }, { gateway: "Bearer a:b" }],
  [KEYED, { authorization: "Bearer token" }, { refused: "client_key" }],
  [KEYED, { authorization: `Bearer ${KEY}` }, { refused: "missing_token" }],
  [KEYED, { authorization: `Bearer ${KEY}:` }, { refused: "missing_token" }],
  [KEYED, { authorization: `Bearer ${KEY}x:token` }, { refused: "client_key" }],
  [KEYED, { authorization: `Bearer ${KEY.slice(1)}:token` }, { refused: "client_key" }],
  [KEYED, { authorization: `Bearer ${KEY}${KEY}:token` }, { refused: "client_key" }],
  [KEYED, { authorization: "Bearer :token" }, { refused: "client_key" }],
  [KEYED, { "x-fd-bridge-key": KEY }, { refused: "missing_token" }],
  [
    KEYED,
    { authorization: "Bearer token", "x-fd-bridge-key": "wrong" },
    { refused: "client_key" },
  ],
  // The header counts where it is there: a wrong one isn't repaired by a right one elsewhere.
  [
    KEYED,
    { authorization: `Bearer ${KEY}:token`, "x-fd-bridge-key": "wrong" },
    { refused: "client_key" },
  ],
  [KEYED, { authorization: "Bearer token", "x-fd-bridge-key": "" }, { refused: "client_key" }],
];

for (const [settings, headers, expected] of CREDENTIALS) {
  const key = settings.clientKey === undefined ? "without" : "with";
  Deno.test(`readCredentials() ${key} a client key reads ${JSON.stringify(headers)}`, () => {
    const read = () => readCredentials(new Headers(headers), settings);
    if ("gateway" in expected) {
      const { authorization, secrets } = read();
      assertEquals(authorization, expected.gateway);
      assertEquals(secrets.includes(authorization.slice("Bearer ".length)), true);
      assertEquals(secrets.includes(settings.clientKey ?? secrets[0]), true);
      return;
    }
    const error = assertThrows(read, BridgeError);
    assertEquals([error.status, error.code], [401, expected.refused]);
  });
}

const configOf = (...flags: string[]) =>
  readConfig(settings(parseCommandLine(flags), { process: {} }));

for (const host of ["0.0.0.0", "::", "[::]", "192.168.1.7", "bridge.corp.example"]) {
  Deno.test(`exposure() asks for a client key on ${host}, and warns with one`, () => {
    assertThrows(() => exposure(configOf("--host", host)), BridgeError, "--client-key");
    const warning = exposure(configOf("--host", host, "--client-key", KEY));
    assertEquals(warning?.includes("other machines"), true);
  });
}
