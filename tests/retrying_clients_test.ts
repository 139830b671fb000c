import { assert, assertEquals } from "@std/assert";
import { ownRetries, retriesItself } from "../lib/adapt/retrying_clients.ts";

/** `User-Agent` → whether its client repeats by itself. */
const AGENTS: Readonly<Record<string, boolean>> = {
  "Forge": true,
  "codex_cli_rs/0.169.0 (Linux; x86_64)": true,
  "codex_exec/0.169.0": true,
  "opencode/1.18.33": true,
  "claude-cli/2.1.332 (external, cli)": true,
  "OpenAI/JS 7.57.0": true,
  "AsyncOpenAI/Python 2.8.1": true,
  "Anthropic/JS 0.70.0": true,
  "ai-sdk/openai-compatible/3.0.92 runtime/node.js/24": true,
  "GeminiCLI/0.61.0 (linux; x64)": true,
  "QwenCode/0.24.4 (linux; x64)": true,
  "curl/8.5.0": false,
  "python-requests/2.32": false,
  "Mozilla/5.0": false,
  "sourceforge-mirror": false,
  "": false,
};

Deno.test("retriesItself() knows the clients that repeat by themselves", () => {
  for (const [agent, retries] of Object.entries(AGENTS)) {
    const headers = new Headers({ "user-agent": agent });
    assertEquals(retriesItself(headers) !== undefined, retries, agent);
  }
  assert(retriesItself(new Headers({ "x-stainless-retry-count": "0" })) !== undefined);
  assertEquals(retriesItself(new Headers()), undefined);
});

Deno.test("ownRetries() repeats nothing that the client repeats", () => {
  const forge = new Headers({ "user-agent": "Forge" });
  for (const status of [429, 502, 503, 504]) {
    assertEquals(ownRetries(2, status, forge), 0);
    assertEquals(ownRetries(2, status, new Headers()), 2);
  }
  assertEquals(ownRetries(2, undefined, forge), 2, "no answer at all");
});
