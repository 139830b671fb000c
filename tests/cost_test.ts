import { assert, assertEquals } from "@std/assert";
import { costOf, priceOf } from "../lib/observe/cost.ts";
import { readTokens, type Tokens } from "../lib/observe/tokens.ts";

const M = 1_000_000;

function assertNear(actual: number, expected: number, message = "") {
  assert(Math.abs(actual - expected) < 1e-9, `${actual} is not ${expected} ${message}`);
}

function tokens(more: Partial<Tokens>): Tokens {
  return { input: 0, output: 0, cached: 0, written: 0, writtenForHour: 0, ...more };
}

Deno.test("priceOf() knows the list's models by all of their names", () => {
  for (
    const [model, input, output] of [
      ["databricks-claude-haiku-4-5", 1, 5],
      ["system.ai.claude-sonnet-4", 3, 15],
      ["databricks-claude-opus-4-7", 5, 25],
      ["Databricks-Claude-Opus-4-1", 15, 75],
      ["databricks-gpt-5-1", 1.25, 10],
      ["databricks-gpt-5-4-mini", 0.75, 4.5],
      ["databricks-meta-llama-3-3-70b-instruct", 0.5, 1.5],
      ["databricks-gpt-oss-20b", 0.05, 0.2],
    ] as const
  ) {
    const price = priceOf(model);
    assertEquals([price?.input, price?.output], [input, output], model);
  }
});

Deno.test("priceOf() guesses nothing from a similar name", () => {
  for (
    const model of [
      "databricks-gpt-5-3-codex",
      "databricks-gpt-5-5-pro",
      "databricks-claude-sonnet-5",
      "databricks-claude-opus-4-8",
      "databricks-meta-llama-3-1-8b-instruct",
      "constructor",
      "",
    ]
  ) assertEquals(priceOf(model), undefined, model);
});

Deno.test("priceOf() prefers models.json, takes null for no price, and passes over what is no price", () => {
  const own = { input: 2, output: 4, cache_write: 0 };
  assertEquals(priceOf("databricks-gpt-5", own)?.output, 4);
  assertEquals(priceOf("databricks-gpt-5", null), undefined);
  for (const wrong of [{ input: 2 }, { input: "2", output: 4 }, { input: -1, output: 1 }, 5, []]) {
    assertEquals(priceOf("databricks-gpt-5", wrong)?.output, 10);
    assertEquals(priceOf("team-agent", wrong), undefined);
  }
});

Deno.test("costOf() counts cached and written tokens once, each at its own price", () => {
  const price = { input: 3, output: 15, cache_read: 0.3, cache_write: 3.75 };
  const cost = costOf(
    tokens({ input: 10 * M, output: M, cached: 6 * M, written: 2 * M }),
    price,
  );
  assertNear(cost.total, 2 * 3 + 6 * 0.3 + 2 * 3.75 + 15);
  assertNear(cost.saved, 6 * 2.7);
  assertNear(cost.writing, 2 * 0.75);
  // Without the cache it would have cost this much.
  assertNear(cost.total + cost.saved - cost.writing, 10 * 3 + 15);
});

Deno.test("costOf() reads the cache at 0.1 and writes it at 1.25 of the input where no price says otherwise", () => {
  const cost = costOf(tokens({ input: 3 * M, cached: M, written: M }), { input: 4, output: 8 });
  assertNear(cost.total, 4 + 0.4 + 5);
  const hour = costOf(tokens({ input: M, written: M, writtenForHour: M }), { input: 4, output: 8 });
  assertNear(hour.total, 8, "an hour costs twice the input");
});

Deno.test("costOf() takes the higher tier for the whole request once the prompt is longer", () => {
  const price = { input: 2.5, output: 15, above: { tokens: 272_000, input: 5, output: 22.5 } };
  assertNear(costOf(tokens({ input: 272_000, output: 1000 }), price).total, 0.695);
  assertNear(
    costOf(tokens({ input: 272_001, output: 1000 }), price).total,
    (272_001 * 5 + 22_500) / M,
  );
  const cached = costOf(tokens({ input: M, cached: M }), { ...price, cache_read: 0.25 });
  assertNear(cached.total, 0.5, "the cache's price grows with the input's");
});

Deno.test("readTokens() gives the same counts for the same answer in each dialect", () => {
  const expected = { input: 100, output: 7, cached: 60, written: 30, writtenForHour: 0 };
  for (
    const usage of [
      {
        prompt_tokens: 100,
        completion_tokens: 7,
        prompt_tokens_details: { cached_tokens: 60 },
        cache_creation_input_tokens: 30,
      },
      {
        prompt_tokens: 100,
        completion_tokens: 7,
        cache_read_input_tokens: 60,
        cache_creation_input_tokens: 30,
      },
      {
        input_tokens: 100,
        output_tokens: 7,
        input_tokens_details: { cached_tokens: 60 },
        cache_creation_input_tokens: 30,
      },
      {
        input_tokens: 10,
        output_tokens: 7,
        cache_read_input_tokens: 60,
        cache_creation_input_tokens: 30,
      },
      {
        input_tokens: 10,
        output_tokens: 7,
        cache_read_input_tokens: 60,
        cache_creation: { ephemeral_5m_input_tokens: 30, ephemeral_1h_input_tokens: 0 },
      },
    ]
  ) assertEquals(readTokens(usage), expected);
});

Deno.test("readTokens() passes over what is no count, and finds none where there is none", () => {
  for (const usage of [undefined, null, 5, {}, { total_tokens: 5 }, { prompt_tokens: -1 }]) {
    assertEquals(readTokens(usage), undefined);
  }
  const strange = { prompt_tokens: 5, completion_tokens: NaN, cache_read_input_tokens: 900 };
  assertEquals(readTokens(strange), tokens({ input: 5, cached: 5 }));
});
