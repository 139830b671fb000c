import { assert, assertStringIncludes } from "@std/assert";
import { banner, type BannerFacts } from "../lib/commands/banner.ts";
import { parseModels } from "../lib/models/catalog.ts";

function text(more: Partial<BannerFacts> = {}): string {
  return banner({
    version: "1.2.3",
    config: { demo: false, logLevel: "info" },
    url: "http://127.0.0.1:8080",
    gateway: "https://1.ai-gateway.azuredatabricks.net",
    catalog: parseModels('{"models": ["databricks-gpt-5", "b"]}', "./models.json"),
    proxied: false,
    color: false,
    ...more,
  });
}

Deno.test("banner() says where it listens, the gateway, the models and where they come from, and the page", () => {
  const shown = text();
  for (
    const words of [
      "1.2.3",
      "http://127.0.0.1:8080",
      "https://1.ai-gateway.azuredatabricks.net",
      "2 from ./models.json",
      "http://127.0.0.1:8080/\n",
    ]
  ) assertStringIncludes(shown, words);
});

Deno.test("banner() says what to type in ForgeCode", () => {
  const shown = text();
  for (
    const words of [
      "forge provider login openai_compatible",
      "API key",
      "forge config set model openai_compatible databricks-gpt-5",
    ]
  ) assertStringIncludes(shown, words);
});

Deno.test("banner() says loudly that the demo is one", () => {
  assert(!text().includes("DEMO"));
  const shown = text({ config: { demo: true, logLevel: "info" } });
  assertStringIncludes(shown, "DEMO");
  assertStringIncludes(shown, "any word will do");
});

Deno.test("banner() names NO_PROXY where a proxy is set, and warns of what is open", () => {
  assert(!text().includes("NO_PROXY"));
  assertStringIncludes(text({ proxied: true }), "NO_PROXY=127.0.0.1,localhost");
  assertStringIncludes(text({ warning: "everybody can" }), "WARNING: everybody can");
  assertStringIncludes(text({ config: { demo: false, logLevel: "trace" } }), "writes prompts");
});

Deno.test("banner() shows the form of the client key and not the key", () => {
  const shown = text({ config: { demo: false, logLevel: "info", clientKey: "our-secret-key" } });
  assertStringIncludes(shown, "<client key>:<");
  assert(!shown.includes("our-secret-key"));
});

Deno.test("banner() is colourless unless told otherwise, and lets no model's name paint", () => {
  assert(!text().includes("\x1b"));
  assertStringIncludes(text({ color: true }), "\x1b[");
  const odd = parseModels(JSON.stringify({ models: ["a\x1b[31m; rm -rf"] }), "models.json");
  assert(!text({ catalog: odd }).includes("\x1b"));
});

Deno.test("banner() has ten lines at most, of 80 columns", () => {
  for (const demo of [false, true]) {
    const lines = text({ config: { demo, logLevel: "info" } }).trimEnd().split("\n");
    assert(lines.length <= 10, lines.join("\n"));
    for (const line of lines) assert(line.length <= 80, line);
  }
});
