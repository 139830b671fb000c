import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { baseUrl, isLoopback } from "../lib/config/base_url.ts";
import { BridgeError } from "../lib/errors.ts";

const DEDICATED = "https://1234567890123456.7.ai-gateway.azuredatabricks.net";
const WORKSPACE = "https://adb-1234567890123456.7.azuredatabricks.net";

/** What people paste behind the base, and mean the base by it. */
const TAILS = [
  "",
  "/",
  "//",
  "?o=1234567890123456",
  "/?o=1#x",
  "/mlflow/v1/chat/completions",
  "/mlflow/v1/chat/completions/",
  "/mlflow/v1",
  "/mlflow",
  "/cursor/v1",
  "/cursor/v1/chat/completions?x=y",
  "/openai/v1/responses",
  "/codex/v1/responses",
  "/anthropic/v1/messages",
  "/gemini/v1beta/models/x:streamGenerateContent",
  "/MLFLOW/V1/",
];

Deno.test("baseUrl() gives scheme and host of a dedicated host, whatever was pasted behind it", () => {
  const hosts = [
    DEDICATED,
    "https://1234567890123456.ai-gateway.azuredatabricks.net",
    "https://1234567890123456.ai-gateway.cloud.databricks.com",
    "https://1234567890123456.ai-gateway.gcp.databricks.com",
  ];
  for (const host of hosts) {
    for (const tail of TAILS) assertEquals(baseUrl(host + tail), host, host + tail);
  }
});

Deno.test("baseUrl() gives a workspace host its prefix, whether it was there or not", () => {
  const hosts = [
    WORKSPACE,
    "https://dbc-a1b2c3d4-e5f6.cloud.databricks.com",
    "https://1234567890123456.7.gcp.databricks.com",
  ];
  for (const host of hosts) {
    for (const tail of TAILS) {
      assertEquals(baseUrl(`${host}/ai-gateway${tail}`), `${host}/ai-gateway`, tail);
    }
    assertEquals(baseUrl(host), `${host}/ai-gateway`);
    assertEquals(baseUrl(`${host}/`), `${host}/ai-gateway`);
  }
});

Deno.test("baseUrl() keeps any other host's own prefix and port", () => {
  assertEquals(baseUrl("http://127.0.0.1:9000"), "http://127.0.0.1:9000");
  assertEquals(
    baseUrl("http://localhost:9000/mlflow/v1/chat/completions"),
    "http://localhost:9000",
  );
  assertEquals(baseUrl("http://[::1]:9000/x/"), "http://[::1]:9000/x");
  assertEquals(baseUrl("https://proxy.example/dbx/cursor/v1"), "https://proxy.example/dbx");
  assertEquals(baseUrl("https://proxy.example:8443"), "https://proxy.example:8443");
});

Deno.test("baseUrl() takes what an editor or a shell leaves around the address", () => {
  assertEquals(baseUrl(`  "${DEDICATED}"\n`), DEDICATED);
  assertEquals(baseUrl(`'${DEDICATED}/'`), DEDICATED);
  assertEquals(baseUrl(DEDICATED.toUpperCase()), DEDICATED);
});

const REFUSED: readonly (readonly [text: string, ...words: string[]])[] = [
  ["nonsense", "no URL"],
  ["adb-1.2.azuredatabricks.net", "no URL", 'is "https://" missing?'],
  ["adb-1.2.azuredatabricks.net:443/x", "https"],
  ["http://adb-1.2.azuredatabricks.net", "unencrypted"],
  ["http://127.0.0.1.example.com", "unencrypted"],
  ["http://localhost.example.com", "unencrypted"],
  ["ftp://adb-1.2.azuredatabricks.net", "https"],
  ["file:///etc/passwd", "https"],
  ["javascript:alert(1)", "https"],
  ["https://me:secret@adb-1.2.azuredatabricks.net", "user name or password"],
  ["https://", "no URL"],
  ["", "no URL"],
];

Deno.test("baseUrl() refuses what can't be the gateway's address, and says why in one line", () => {
  for (const [text, ...words] of REFUSED) {
    const error = assertThrows(() => baseUrl(text, "THE_NAME"), BridgeError);
    assertEquals(error.kind, "config", text);
    assertStringIncludes(error.message, "THE_NAME");
    for (const word of words) assertStringIncludes(error.message, word);
    assert(!error.message.includes("\n"));
    assert(!error.message.includes("secret"), "no password is shown");
  }
});

Deno.test("isLoopback() knows this machine's names and no others", () => {
  for (const name of ["localhost", "LOCALHOST.", "127.0.0.1", "127.8.8.8", "::1", "[::1]"]) {
    assert(isLoopback(name), name);
  }
  for (const name of ["0.0.0.0", "127.0.0.1.example.com", "localhost.example", "128.0.0.1", ""]) {
    assert(!isLoopback(name), name);
  }
});
