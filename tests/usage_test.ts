import { assertEquals } from "@std/assert";
import { UsageNormalizer } from "../lib/enrich/usage.ts";

function normalize(...usages: unknown[]): unknown {
  const normalizer = new UsageNormalizer();
  let last: unknown;
  for (const usage of usages) last = normalizer.normalize(usage);
  return last;
}

const WHOLE = { prompt_tokens: 7, completion_tokens: 5, total_tokens: 12 };

Deno.test("UsageNormalizer passes complete counts with their details and unknown fields", () => {
  const usage = {
    ...WHOLE,
    prompt_tokens_details: { cached_tokens: 3, audio_tokens: 0 },
    completion_tokens_details: { reasoning_tokens: 2 },
    cost: 0.5,
  };
  assertEquals(normalize(usage), usage);
});

Deno.test("UsageNormalizer supplies the count that is missing where two are known", () => {
  assertEquals(normalize({ prompt_tokens: 7, completion_tokens: 5 }), WHOLE);
  assertEquals(normalize({ prompt_tokens: 7, total_tokens: 12 }), WHOLE);
  assertEquals(normalize({ completion_tokens: 5, total_tokens: 12, prompt_tokens: null }), WHOLE);
});

Deno.test("UsageNormalizer makes counts whole numbers, and takes numbers in texts", () => {
  assertEquals(
    normalize({ prompt_tokens: 6.6, completion_tokens: "5", total_tokens: 12.2 }),
    WHOLE,
  );
  const usage = { ...WHOLE, prompt_tokens_details: { cached_tokens: 2.5 } };
  assertEquals(normalize(usage), { ...WHOLE, prompt_tokens_details: { cached_tokens: 3 } });
});

Deno.test("UsageNormalizer gives nothing where too little is known", () => {
  const none = [null, undefined, "x", 5, [], {}, { prompt_tokens: 7 }, { total_tokens: 12 }];
  for (const usage of none) assertEquals(normalize(usage), undefined, JSON.stringify(usage));
  for (const odd of [-1, NaN, 1e308, 2 ** 60, "x", "", {}, [], true]) {
    assertEquals(normalize({ prompt_tokens: odd, completion_tokens: 5 }), undefined, String(odd));
  }
});

Deno.test("UsageNormalizer joins counts that come one after the other", () => {
  assertEquals(
    normalize({ prompt_tokens: 7, completion_tokens: null, total_tokens: null }, {
      completion_tokens: 5,
    }),
    WHOLE,
  );
});

Deno.test("UsageNormalizer trusts no total of an earlier chunk", () => {
  assertEquals(
    normalize({ prompt_tokens: 7, completion_tokens: 0, total_tokens: 7 }, {
      completion_tokens: 5,
    }),
    WHOLE,
  );
});

Deno.test("UsageNormalizer gives details an integer cached_tokens or leaves them out", () => {
  const of = (details: unknown) => normalize({ ...WHOLE, prompt_tokens_details: details });
  assertEquals(of(null), WHOLE);
  assertEquals(of({}), WHOLE);
  assertEquals(of({ cached_tokens: null }), WHOLE);
  assertEquals(of({ cached_tokens: "x" }), WHOLE);
  assertEquals(of("x"), WHOLE);
  assertEquals(of({ audio_tokens: 1 }), {
    ...WHOLE,
    prompt_tokens_details: { audio_tokens: 1, cached_tokens: 0 },
  });
});

Deno.test("UsageNormalizer loses no cache count of an earlier chunk", () => {
  const cached = { ...WHOLE, prompt_tokens_details: { cached_tokens: 3 } };
  assertEquals(normalize(cached, WHOLE), cached);
  assertEquals(normalize(cached, { ...WHOLE, prompt_tokens_details: null }), cached);
  assertEquals(normalize(cached, { ...WHOLE, prompt_tokens_details: {} }), cached);
  assertEquals(
    normalize(cached, { ...WHOLE, prompt_tokens_details: { cached_tokens: null } }),
    cached,
  );
});

Deno.test("UsageNormalizer shows Anthropic's cache counts where OpenAI clients look for them", () => {
  assertEquals(
    normalize({ ...WHOLE, cache_read_input_tokens: 4, cache_creation_input_tokens: 1 }),
    {
      ...WHOLE,
      cache_read_input_tokens: 4,
      cache_creation_input_tokens: 1,
      prompt_tokens_details: { cached_tokens: 4 },
    },
  );
});

Deno.test("UsageNormalizer understands counts in the words of other APIs", () => {
  assertEquals(normalize({ input_tokens: 7, output_tokens: 5 }), {
    input_tokens: 7,
    output_tokens: 5,
    ...WHOLE,
  });
});

Deno.test("UsageNormalizer.rest() tells at the end what stayed incomplete, and only that", () => {
  const normalizer = new UsageNormalizer();
  normalizer.normalize({ prompt_tokens: 7 });
  assertEquals(normalizer.rest(), { prompt_tokens: 7, completion_tokens: 0, total_tokens: 7 });
  assertEquals(normalizer.rest(), undefined, "once");
  const whole = new UsageNormalizer();
  whole.normalize(WHOLE);
  assertEquals(whole.rest(), undefined);
  assertEquals(whole.last, WHOLE);
  assertEquals(new UsageNormalizer().rest(), undefined);
});
