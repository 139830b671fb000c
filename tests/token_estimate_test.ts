/**
 * The token estimate beside two real tokenizers: GPT's, and the last one that was published for Claude, whose
 * counts are kept in `fixtures/token_estimate/claude_counts.json` (`@anthropic-ai/tokenizer` 0.0.4). What
 * `docs/token-estimate.md` says was measured in the same way, on more files.
 *
 * @module
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { countTokens } from "gpt-tokenizer/encoding/o200k_base";
import { estimateTokens } from "../lib/models/estimate_tokens.ts";
import counts from "./fixtures/token_estimate/claude_counts.json" with { type: "json" };
import { countTokens as countGemini } from "../lib/dialects/gemini/mod.ts";
import { countTokens as countMessages } from "../lib/dialects/messages/mod.ts";

const FOLDER = new URL("fixtures/token_estimate/", import.meta.url);
const SAMPLES = Object.entries(counts).map(([name, claude]) => ({
  name,
  claude,
  text: Deno.readTextFileSync(new URL(name, FOLDER)),
}));

/** How far an estimate may be off. */
const TOLERANCE = 0.15;

function assertNear(ratio: number, tolerance: number, message = ""): void {
  assert(Math.abs(ratio - 1) <= tolerance, `${message} ${ratio.toFixed(3)}`);
}

const GPT = "databricks-gpt-5-5";
const CLAUDE = "databricks-claude-sonnet-5";

for (const { name, text, claude } of SAMPLES) {
  Deno.test(`estimateTokens() is near the real count: ${name}`, async () => {
    const count = countTokens(text);
    assertNear(await estimateTokens(text, GPT) / count, 0.01, "GPT");
    const estimate = await estimateTokens(text, CLAUDE);
    assertNear(estimate / claude, TOLERANCE, "Claude");
    assertNear(estimate / count, TOLERANCE, "Claude's beside GPT's count");
  });
}

Deno.test("estimateTokens() counts a long text in pieces, and loses next to nothing at the cuts", async () => {
  const text = SAMPLES.map(({ text }) => text).join("\n");
  assertNear(await estimateTokens(text, GPT) / countTokens(text), 0.005);
});

Deno.test("estimateTokens() counts words that have no end, within a few tokens in a hundred", async () => {
  for (const text of ["a".repeat(3_000), " ".repeat(3_000), "x1-".repeat(1_000)]) {
    assertNear(
      await estimateTokens(text, GPT) / countTokens(text),
      0.1,
      text.slice(0, 9),
    );
  }
  assertEquals(await estimateTokens("", CLAUDE), 0);
});

Deno.test("estimateTokens() takes the marks of a tokenizer for text", async () => {
  assert(await estimateTokens("Say <|endoftext|> or <|im_start|>.", GPT) > 5);
});

Deno.test("estimateTokens() lets others have their turn, and ends when it is told to", async () => {
  const text = SAMPLES[0].text.repeat(100);
  const leaving = new AbortController();
  let turns = 0;
  const timer = setInterval(() => {
    if (++turns === 2) leaving.abort(new Error("gone"));
  });
  await assertRejects(() => estimateTokens(text, GPT, leaving.signal), Error, "gone");
  clearInterval(timer);
});

Deno.test("countTokens() counts a request's words, tools and images, not its syntax", async () => {
  const words = "Rename the function in every file that imports it, then run the tests.";
  const alone = await countMessages({ messages: [{ role: "user", content: words }] }, GPT);
  assert(alone >= countTokens(words) && alone <= countTokens(words) + 10, String(alone));
  const image = { type: "image", source: { type: "base64", data: "iVBORw0KGgo".repeat(10_000) } };
  const block = { type: "text", text: words, cache_control: { type: "ephemeral" } };
  const content = [block, image];
  assertEquals(await countMessages({ messages: [{ role: "user", content }] }, GPT), alone + 1_600);
  const tool = { name: "read", description: words, input_schema: { type: "object" } };
  const tools = await countMessages(
    { messages: [{ role: "user", content: words }], tools: [tool] },
    GPT,
  );
  assert(tools > alone + 300 + countTokens(words), String(tools));
});

Deno.test("countTokens() of Google's dialect counts files by their number, whole requests as contents", async () => {
  const contents = [{
    role: "user",
    parts: [{ text: "What is in this picture?" }, {
      inlineData: { mimeType: "image/png", data: "iVBORw0KGgo".repeat(10_000) },
    }],
  }];
  const count = await countGemini({ contents }, "databricks-gemini-3-flash");
  assert(count > 1_032 && count < 1_060, String(count));
  assertEquals(
    await countGemini({ generateContentRequest: { contents } }, "databricks-gemini-3-flash"),
    count,
  );
});
