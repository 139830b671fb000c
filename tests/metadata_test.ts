/**
 * What is known of the models, and how ForgeCode reads it.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { OUTPUT_CAPS } from "../lib/models/families.ts";
import { displayName, listedMetadata, metadataOf } from "../lib/models/metadata.ts";
import { listModels, parseModels } from "../lib/models/catalog.ts";
import { CHAT_MODELS } from "../lib/simulator/models.ts";
import { readModelsAsForge } from "./helpers/forge_reader.ts";

const OWN = parseModels(
  await Deno.readTextFile(new URL("../models.json", import.meta.url)),
  "models.json",
);

Deno.test("metadataOf() knows a window of every model, whatever its prefix", () => {
  for (const bare of CHAT_MODELS) {
    for (const id of [`databricks-${bare}`, `system.ai.${bare}`]) {
      const known = metadataOf(id);
      assert(known?.context && known.context >= 128_000, `${id}: ${known?.context}`);
      assert((known.output ?? 1) < known.context, id);
    }
  }
});

Deno.test("metadataOf() gives the limits that the gateway enforces", () => {
  for (
    const [id, tokens] of [["gemma-3-12b", 8192], ["gpt-oss-20b", 25_000], [
      "inkling",
      65_536,
    ]] as const
  ) {
    assertEquals(metadataOf(`databricks-${id}`)?.output, tokens);
  }
  assert(OUTPUT_CAPS.length > 0);
});

const WINDOWS: readonly [id: string, tokens: number][] = [
  ["databricks-gpt-5-4", 400_000],
  ["databricks-gpt-5-5-pro", 1_000_000],
  ["databricks-gpt-5-6-sol", 1_000_000],
  ["databricks-gpt-oss-120b", 128_000],
  ["databricks-claude-sonnet-4-5", 200_000],
  ["databricks-claude-sonnet-4-6", 1_000_000],
  ["databricks-claude-opus-4-5", 200_000],
  ["databricks-claude-opus-4-6", 1_000_000],
  ["databricks-gemini-2-5-pro", 1_000_000],
  ["databricks-llama-4-maverick", 128_000],
  ["databricks-gemma-3-12b", 128_000],
  ["databricks-qwen35-122b-a10b", 256_000],
];

Deno.test("metadataOf() has the windows of gateway.md", () => {
  for (const [id, tokens] of WINDOWS) assertEquals([id, metadataOf(id)?.context], [id, tokens]);
});

Deno.test("listedMetadata() gives ForgeCode a list that it takes, with tools and reasoning told", () => {
  const read = readModelsAsForge(listModels(OWN, listedMetadata));
  assert(read.ok, read.message);
  assertEquals(read.models.length, OWN.models.length);
  for (const model of read.models) {
    assert(model.name && model.contextLength && model.tools === true, model.id);
  }
  const by = (id: string) => read.models.find((model) => model.id === id)!;
  assertEquals(by("databricks-claude-opus-4-8").reasoning, true);
  assertEquals(by("databricks-meta-llama-3-1-8b-instruct").reasoning, false);
});

Deno.test("listedMetadata() promises parallel calls and pictures only where they are", () => {
  const can = (id: string, what: string) =>
    (listedMetadata(id).supported_parameters as string[]).includes(what);
  assert(can("databricks-claude-opus-5", "supports_parallel_tool_calls"));
  assert(!can("databricks-gpt-oss-20b", "supports_parallel_tool_calls"));
  const sees = (id: string) =>
    (listedMetadata(id).architecture as { input_modalities: string[] }).input_modalities.includes(
      "image",
    );
  assert(sees("databricks-gemini-3-flash"));
  assert(!sees("databricks-gpt-oss-20b"));
});

Deno.test("listModels() lets the file's own fields win, and leaves out what is gone", () => {
  const catalog = parseModels(
    JSON.stringify({
      models: [
        { id: "databricks-gpt-5", context_length: 1000, name: "Ours" },
        { id: "databricks-gpt-4", gone: true },
      ],
    }),
    "m",
  );
  const { data } = listModels(catalog, listedMetadata);
  assertEquals(data.length, 1);
  assertEquals([data[0].context_length, data[0].name], [1000, "Ours"]);
});

Deno.test("displayName() writes names as people do", () => {
  const names = {
    "databricks-claude-opus-4-8": "Claude Opus 4.8",
    "system.ai.gpt-5-6-sol": "GPT-5.6 Sol",
    "databricks-gpt-oss-120b": "GPT OSS 120B",
    "databricks-gemini-3-1-flash-lite": "Gemini 3.1 Flash Lite",
    "databricks-meta-llama-3-3-70b-instruct": "Meta Llama 3.3 70B Instruct",
    "databricks-deepseek-v4-pro-0813": "DeepSeek V4 Pro 0813",
    "databricks-qwen35-122b-a10b": "Qwen3.5 122B A10B",
    "databricks-kimi-k3": "Kimi K3",
  };
  for (const [id, name] of Object.entries(names)) assertEquals(displayName(id), name);
});
