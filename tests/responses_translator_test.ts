import { assert, assertEquals } from "@std/assert";
import type { DialectContext, SseEvent } from "../lib/dialects/dialect.ts";
import { decoderFor } from "../lib/dialects/registry.ts";
import { decodeContinuity } from "../lib/enrich/continuity.ts";
import { responsesClient } from "../lib/dialects/responses/mod.ts";
import { ChunkEnricher } from "../lib/enrich/chunks.ts";
import { SseParser } from "../lib/enrich/sse_parser.ts";
import { Translator } from "../lib/translator.ts";
import { assertStrictResponses, type StrictResponses } from "./helpers/strict_responses.ts";

const FOLDER = new URL("./fixtures/streams/", import.meta.url);

const NAMES = [...Deno.readDirSync(FOLDER)].map(({ name }) => name)
  .filter((name) => name.endsWith(".sse")).toSorted();

function eventsOf(name: string): SseEvent[] {
  const parser = new SseParser();
  const lines = Deno.readTextFileSync(new URL(name, FOLDER)).split(/\r\n|\n|\r/);
  return [...lines.flatMap((line) => [...parser.line(line)]), ...parser.end()];
}

/** What a client of the Responses API gets of a stream of any family's, through the hub. */
function translate(events: readonly SseEvent[], end: boolean): StrictResponses {
  let made = 0;
  const context: DialectContext = {
    model: "m",
    created: 1790000000,
    makeId: (prefix) => `${prefix}made_${made++}`,
    request: { model: "m", include: ["reasoning.encrypted_content"] },
  };
  const enricher = new ChunkEnricher({ ...context, decoder: decoderFor(context) });
  const translator = new Translator(enricher, responsesClient.encoder(context));
  let text = events.map((event) => translator.event(event)).join("");
  if (!translator.ended) text += translator.end(end ? undefined : new Error("reset"));
  return assertStrictResponses(text);
}

Deno.test("a client of the Responses API gets a strict stream of every family's", () => {
  const failed = NAMES.filter((name) => translate(eventsOf(name), true).end === "failed");
  // Fixtures that break off or say an error, and no others.
  assert(failed.every((name) => /abrupt|cut|error|failed|no-end/.test(name)), failed.join());
  assert(failed.length < NAMES.length / 2);
});

Deno.test("a client of the Responses API gets a failure of every stream that is cut off", () => {
  for (const name of NAMES) {
    const events = eventsOf(name);
    const last = events.findIndex((event) =>
      event.type === "done" ||
      (event.type === "json" &&
        /finish_reason":"\w|"response\.(completed|incomplete)|"stop_reason/.test(
          JSON.stringify(event.value),
        ))
    );
    for (let length = 0; length < (last < 0 ? events.length : last); length++) {
      assertEquals(translate(events.slice(0, length), false).end, "failed", `${name}, ${length}`);
    }
  }
});

Deno.test("a client of the Responses API carries Claude's signature and Gemini's to the next turn", () => {
  const carried = (name: string) =>
    translate(eventsOf(name), true).items.flatMap(({ encrypted_content: content }) =>
      content === undefined ? [] : [decodeContinuity(content)]
    );
  const [claude] = carried("claude-thinking-tools.sse");
  assertEquals(claude?.details?.map(({ signature }) => typeof signature), ["string"]);
  const [gemini] = carried("gemini-tool-calls.sse");
  const [fields] = Object.values(gemini?.calls ?? {});
  assertEquals(typeof fields.thoughtSignature, "string");
});
