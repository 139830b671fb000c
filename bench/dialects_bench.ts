/**
 * The dialects alone: events to the client's chunks, and ForgeCode's largest request to the gateway's
 * body. The baseline of each group reads the same JSON and writes it again, which no bridge can do without.
 *
 * `deno bench --allow-read bench/`
 *
 * @module
 */

import { encodeChat } from "../lib/dialects/chat/request.ts";
import { encodeRequest } from "../lib/dialects/responses/mod.ts";
import { ChunkEnricher } from "../lib/enrich/chunks.ts";
import { ChatTranslator } from "../lib/translators.ts";
import { eventText } from "./gateway.ts";

const EVENTS = 500;

/** JSON of events, without framing. */
function datas(texts: readonly string[]): string[] {
  return texts.map((text) => text.trim().slice("data: ".length));
}

const chat = datas([
  ...Array.from({ length: EVENTS }, (_, at) => eventText(`tok${at} lorem ipsum `, null)),
  eventText("", "stop"),
]);

/** A Responses stream with one message, in the order in which its events come (`gateway.md`). */
const responses = [
  { type: "response.created", response: { id: "resp_1", status: "in_progress", output: [] } },
  {
    type: "response.output_item.added",
    output_index: 0,
    item: { id: "msg_1", type: "message", role: "assistant", content: [] },
  },
  ...Array.from({ length: EVENTS }, (_, at) => ({
    type: "response.output_text.delta",
    item_id: "msg_1",
    output_index: 0,
    content_index: 0,
    delta: `tok${at} lorem ipsum `,
  })),
  { type: "response.completed", response: { id: "resp_1", status: "completed", output: [] } },
].map((event) => JSON.stringify(event));

/** Something must come of the work, or the compiler may leave it out. */
function expectText(length: number): void {
  if (length < EVENTS * 20) throw new Error(`only ${length} characters came out`);
}

function rewritten(texts: readonly string[]): number {
  let length = 0;
  for (const text of texts) length += JSON.stringify(JSON.parse(text)).length;
  return length;
}

/** What one stream costs: its state is as fresh as the stream. */
function translated(texts: readonly string[]): number {
  const enricher = new ChunkEnricher({ model: "m", created: 1, makeId: (prefix) => `${prefix}1` });
  const translator = new ChatTranslator(enricher);
  let length = 0;
  for (const text of texts) {
    length += translator.event({ type: "json", value: JSON.parse(text) }).length;
  }
  length += translator.event({ type: "done" }).length;
  if (enricher.ending?.type !== "finished") throw new Error("the stream has no good end");
  return length;
}

for (const [group, texts] of [["chat events", chat], ["responses events", responses]] as const) {
  Deno.bench("JSON.parse and stringify", { group, baseline: true }, () => {
    expectText(rewritten(texts));
  });
  Deno.bench("ChunkEnricher and ChatTranslator", { group }, () => {
    expectText(translated(texts));
  });
}

const request = await Deno.readTextFile(
  new URL("../tests/fixtures/requests/main-turn.json", import.meta.url),
);
const group = "ForgeCode's request, 50 KB";

Deno.bench("JSON.parse and stringify", { group, baseline: true }, () => {
  expectText(JSON.stringify(JSON.parse(request)).length);
});

Deno.bench("encodeChat", { group }, () => {
  const target = { path: "/mlflow/v1/chat/completions", model: "m", stream: true };
  const { body } = encodeChat(JSON.parse(request), target);
  expectText(JSON.stringify(body).length);
});

Deno.bench("encodeRequest", { group }, () => {
  expectText(JSON.stringify(encodeRequest(JSON.parse(request))).length);
});
