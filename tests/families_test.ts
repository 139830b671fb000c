import { assert, assertEquals } from "@std/assert";
import { bareName, familyOf, OUTPUT_CAPS, outputCap } from "../lib/models/families.ts";
import { CHAT_MODELS } from "../lib/simulator/models.ts";

Deno.test("familyOf() knows the families by every form of a model's name", () => {
  const families: Record<string, string[]> = {
    gpt: ["databricks-gpt-5", "system.ai.gpt-6-sol", "gpt-5-3-codex", "DATABRICKS-GPT-5-5"],
    "gpt-oss": ["databricks-gpt-oss-120b", "system.ai.gpt-oss-20b"],
    claude: ["databricks-claude-opus-5", "system.ai.claude-sonnet-4-6", "main.models.claude-x"],
    gemini: ["databricks-gemini-3-flash"],
    llama: ["databricks-llama-4-maverick", "databricks-meta-llama-3-3-70b-instruct"],
    grok: ["databricks-grok-4-6"],
    open: ["databricks-kimi-k3", "databricks-qwen35-122b-a10b", "my-endpoint", "constructor", ""],
  };
  for (const [family, names] of Object.entries(families)) {
    for (const name of names) assertEquals(familyOf(name), family, name);
  }
});

Deno.test("bareName() takes off the gateway's prefixes and nothing else", () => {
  assertEquals(bareName("databricks-gpt-5"), "gpt-5");
  assertEquals(bareName("system.ai.databricks-gpt-5"), "gpt-5");
  assertEquals(bareName("catalog.schema.Model"), "model");
  assertEquals(bareName("my-databricks-gpt-5"), "my-databricks-gpt-5");
});

Deno.test("outputCap() is at least the cap that each row names, for models that exist", () => {
  for (const { name, tokens } of OUTPUT_CAPS) {
    const model = CHAT_MODELS.find((model) => name.test(model));
    assert(model, `${name} fits no model`);
    assertEquals(outputCap(`databricks-${model}`), tokens);
  }
  assertEquals(outputCap("databricks-claude-opus-5"), undefined);
});
